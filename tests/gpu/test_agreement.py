"""The accelerator answers like the CPU, which is the reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend import catalog, devices
from backend.nero import evaluate, orbits

ACCELERATOR = devices.available()[0]
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(ACCELERATOR == "cpu", reason="this machine has no accelerator"),
]


@pytest.mark.parametrize("key", ["digits-plain", "digits-p4", "imagenet-lite0"])
def test_probabilities_agree(key):
    task = "photos" if key == "imagenet-lite0" else "digits"
    orbit, rows = orbits.rotations(8), list(range(4))
    reference = evaluate(catalog.load_model(key, "cpu"), task, orbit, rows)
    found = evaluate(catalog.load_model(key, ACCELERATOR), task, orbit, rows)
    np.testing.assert_allclose(found.outputs, reference.outputs, atol=2e-3)
    assert (found.predicted == reference.predicted).mean() >= 0.99


@pytest.mark.skipif(not ACCELERATOR.startswith("cuda"), reason="memory is counted on CUDA only")
def test_memory_is_given_back_between_batches():
    model = catalog.load_model("digits-plain", ACCELERATOR)
    batch = np.zeros((256, 1, 28, 28), np.float32)
    model.predict(batch)
    held = torch.cuda.memory_allocated(ACCELERATOR)
    for _ in range(20):
        model.predict(batch)
    assert torch.cuda.memory_allocated(ACCELERATOR) <= held
