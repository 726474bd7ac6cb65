"""The PyTorch adapter: one softmax, folded norms, splitting, halving, refusals, no hooks left."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest
import torch
from torch import nn

from backend import catalog, devices
from backend.errors import BadRequest, DeviceFull, NotFound
from backend.folding import prepared
from backend.protocols import ModelBackend, SupportsGradients
from backend.torch_backend import TorchBackend, is_out_of_memory
from models.digit_cnn import DigitCNN
from models.p4_cnn import P4CNN
from tests.fakes import card


def trained(kind=DigitCNN):
    """A network whose batch norms have seen data, so that folding them is not the identity."""
    torch.manual_seed(0)
    network = kind()
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(16, 1, 28, 28) * 2 - 0.5)
    return network.eval()


@pytest.fixture(scope="module")
def backend():
    return TorchBackend(trained(), card(), batch=8)


def images(n, seed=0):
    return np.random.default_rng(seed).random((n, 1, 28, 28), dtype=np.float32)


def test_it_is_a_backend_with_gradients(backend):
    assert isinstance(backend, ModelBackend)
    assert isinstance(backend, SupportsGradients)
    assert backend.card.key == "fake"
    assert backend.device == "cpu"


@pytest.mark.parametrize("kind", [DigitCNN, P4CNN])
def test_probabilities_are_one_softmax_of_the_logits(kind):
    network = trained(kind)
    batch = images(11)
    with torch.inference_mode():
        expected = torch.softmax(network(torch.from_numpy(batch)), 1).numpy()
    found = TorchBackend(copy.deepcopy(network), card(), batch=4).predict(batch)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_norms_are_folded_and_the_original_is_left_alone():
    network = trained()
    before = copy.deepcopy(network.state_dict())
    folded, layout = prepared(network)
    assert layout == torch.channels_last
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    assert any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_filters_built_from_weights_are_built_once():
    network = trained(P4CNN)
    folded, _ = prepared(network)
    called = [str(node.target) for node in folded.graph.nodes if node.op == "call_function"]
    assert not any("rot90" in name or "stack" in name or "roll" in name for name in called)
    batch = torch.from_numpy(images(3))
    with torch.inference_mode():
        torch.testing.assert_close(folded(batch), network(batch), atol=1e-5, rtol=1e-5)


def test_a_convolution_with_two_readers_keeps_its_norm():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
            self.norm.running_var.fill_(3.0)

        def forward(self, x):
            y = self.conv(x)
            return (self.norm(y) + y).flatten(1)[:, :10]

    network = Shared().eval()
    folded, _ = prepared(network)
    batch = torch.from_numpy(images(2))
    with torch.inference_mode():
        torch.testing.assert_close(folded(batch), network(batch))


def test_a_network_that_branches_on_values_runs_unfolded():
    class Branches(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10] * (2.0 if x.sum() > 0 else 1.0)

    assert TorchBackend(Branches(), card()).predict(images(2)).shape == (2, 10)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 40])
def test_batches_are_split_and_counted(backend, n):
    before = (backend.calls.batches, backend.calls.images)
    whole = backend.predict(images(n))
    assert whole.shape == (n, 10)
    assert backend.calls.images - before[1] == n
    assert backend.calls.batches - before[0] == -(-n // 8)
    single = [backend.predict(images(n)[i : i + 1])[0] for i in range(n)]
    if n:
        np.testing.assert_allclose(whole, single, atol=1e-5)


class Full(nn.Module):
    """Runs out of memory above ``fits`` images."""

    def __init__(self, fits, error):
        super().__init__()
        self.fits, self.error, self.seen = fits, error, []

    def forward(self, x):
        self.seen.append(len(x))
        if len(x) > self.fits:
            raise self.error
        return x.flatten(1)[:, :10] * 9


FULL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("MPS backend out of memory"),
]


@pytest.mark.parametrize("error", FULL)
def test_a_full_device_halves_the_batch_and_goes_on(error, monkeypatch):
    backend = TorchBackend(nn.Identity(), card(), batch=16)
    network = Full(3, error)
    monkeypatch.setattr(backend, "_network", network)
    batch = images(20)
    found = backend.predict(batch)
    assert network.seen[:4] == [16, 8, 4, 2]
    assert set(network.seen[4:]) == {2}
    roomy = TorchBackend(nn.Identity(), card())
    monkeypatch.setattr(roomy, "_network", Full(99, error))
    np.testing.assert_allclose(found, roomy.predict(batch), atol=1e-6)
    backend.predict(batch)
    assert max(network.seen[14:]) == 2  # what was learnt is kept


def test_when_not_even_one_fits_a_sentence_says_so(monkeypatch):
    backend = TorchBackend(nn.Identity(), card(), batch=4)
    monkeypatch.setattr(backend, "_network", Full(0, FULL[0]))
    with pytest.raises(DeviceFull, match="single image of 28 × 28"):
        backend.predict(images(5))


def test_other_errors_are_not_taken_for_a_full_device(monkeypatch):
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    backend = TorchBackend(nn.Identity(), card())
    monkeypatch.setattr(backend, "_network", Full(0, RuntimeError("shapes")))
    with pytest.raises(RuntimeError, match="shapes"):
        backend.predict(images(5))


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        (images(2)[:, 0], "shape"),
        (images(2)[:, :, :27], "shape"),
        (images(2).repeat(3, 1), "shape"),
        (images(2).astype(np.float64), "float64"),
        ((images(2) * 255).astype(np.uint8), "uint8"),
        (images(2) * 255, "from 0 to 1"),
        (images(2) - 0.5, "from 0 to 1"),
        (np.where(images(2) > 0.9, np.nan, images(2)).astype(np.float32), "from 0 to 1"),
        (np.where(images(2) > 0.9, np.inf, images(2)).astype(np.float32), "from 0 to 1"),
    ],
)
def test_images_that_do_not_fit_are_refused_with_what_fits(backend, batch, sentence):
    with pytest.raises(BadRequest, match=sentence) as caught:
        backend.predict(batch)
    assert "(n, 1, 28, 28)" in caught.value.hint


def test_saliency_is_the_gradient_of_the_logit():
    network = trained().double()
    backend = TorchBackend(copy.deepcopy(network).float(), card())
    batch, targets = images(3), np.array([1, 4, 4])
    found = backend.saliency(batch, targets)
    assert found.shape == (3, 28, 28)
    assert (found >= 0).all()
    nudge = torch.zeros(3, 1, 28, 28, dtype=torch.float64)
    nudge[:, 0, 12, 13] = 1e-5
    pixels = torch.from_numpy(batch).double()
    with torch.no_grad():
        slope = (network(pixels + nudge) - network(pixels - nudge)) / 2e-5
    expected = slope.gather(1, torch.from_numpy(targets)[:, None])[:, 0].abs().numpy()
    np.testing.assert_allclose(found[:, 12, 13], expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("targets", [[0], [0, 10], [-1, 0]])
def test_saliency_wants_a_class_per_image(backend, targets):
    with pytest.raises(BadRequest, match="one class per image"):
        backend.saliency(images(2), np.array(targets))


def test_hooks_are_gone_after_the_block_and_after_an_error():
    backend = TorchBackend(trained(), card())
    layer = backend._module.get_submodule("block6")
    with backend.recording("block6") as seen:
        backend.saliency(images(2), np.array([0, 1]))
    assert seen[0].shape[:2] == (2, 64)
    assert not layer._forward_hooks
    with pytest.raises(ZeroDivisionError), backend.recording("block6"):
        raise ZeroDivisionError
    assert not layer._forward_hooks
    with pytest.raises(BadRequest, match="block1, block6"), backend.recording("nowhere"):
        pass


def test_threads_may_share_it(backend):
    batch, answers = images(9), {}
    expected = backend.predict(batch)
    threads = [
        threading.Thread(target=lambda i=i: answers.update({i: backend.predict(batch)}))
        for i in range(4)
    ]
    before = backend.calls.images
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(answers[i], expected) for i in range(4))
    assert backend.calls.images - before == 36


def test_devices_that_are_not_there_are_named():
    assert devices.resolve("cpu") == "cpu"
    assert devices.resolve("auto") == devices.available()[0]
    with pytest.raises(BadRequest, match="auto, cpu, cuda, mps"):
        devices.resolve("tpu")
    for name in {"cuda", "mps"} - {found.split(":")[0] for found in devices.available()}:
        with pytest.raises(BadRequest, match="this machine has none"):
            devices.resolve(name)
    assert devices.describe("cpu").startswith("CPU, ")
    assert devices.set_threads(1) == 1
    assert devices.set_threads() >= 1


def test_the_catalog_loads_each_model_once_and_names_what_it_has():
    assert set(catalog.models_for("digits")) >= {"digits-plain", "digits-rotated", "digits-p4"}
    assert list(catalog.models_for("photos")) == ["imagenet-lite0"]
    assert catalog.models_for("nothing") == {}
    plain = catalog.load_model("digits-plain", "cpu")
    assert plain is catalog.load_model("digits-plain", "cpu")
    assert plain.card == catalog.card("digits-plain")
    for call in (catalog.card, catalog.load_model):
        with pytest.raises(NotFound, match="digits-plain"):
            call("digits-none")


def test_weights_that_do_not_match_their_card_are_refused(monkeypatch):
    from models import load

    def refuse(card):
        raise load.WeightsMismatch("none.safetensors is not the file described in the card.")

    monkeypatch.setattr(load, "load_module", refuse)
    catalog._loaded.cache_clear()
    with pytest.raises(catalog.WeightsRefused, match="not the file described"):
        catalog.load_model("digits-rotated", "cpu")


def test_a_relu_overwrites_only_what_nothing_else_reads():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            alone, shared = self.first(x), self.second(x)
            return torch.relu(alone) + torch.relu(shared) - shared + torch.relu(x).sum()

    torch.manual_seed(0)
    net, x = Net().eval(), torch.randn(2, 1, 5, 5)
    given = x.clone()
    fast, _ = prepared(net)
    targets = [node.target for node in fast.graph.nodes]
    assert targets.count(torch.relu_) == 1
    torch.testing.assert_close(fast(x), net(x))
    assert torch.equal(x, given)
