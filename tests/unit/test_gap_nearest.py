"""Exact top K in blocks against sorting everything; and real CLIP embeddings where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend import gap
from backend.errors import BadRequest
from backend.gap import importer, nearest

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "modality-gap"


@pytest.mark.parametrize("k", [1, 7, 60])
def test_blocks_find_what_sorting_finds(monkeypatch, k):
    monkeypatch.setattr(nearest, "block_rows", lambda width: 9)
    rng = np.random.default_rng(0)
    queries, pool = rng.normal(size=(5, 4)), rng.normal(size=(60, 4))
    rows, cosines = nearest.nearest(queries, pool, k)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, pool)]
    exact = unit[0] @ unit[1].T
    assert (rows == np.argsort(-exact, axis=1, kind="stable")[:, :k]).all()
    assert cosines == pytest.approx(np.take_along_axis(exact, rows, 1), abs=1e-6)


def test_equal_cosines_go_by_row(monkeypatch):
    monkeypatch.setattr(nearest, "block_rows", lambda width: 4)
    pool = np.tile([[1.0, 0.0]], (11, 1))
    assert nearest.nearest(pool[:1], pool, 6)[0].tolist() == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nearest.nearest(np.ones((1, 2)), np.ones((3, 2)), 4), "K = 4"),
        (lambda: nearest.nearest(np.ones((0, 2)), np.ones((3, 2)), 1), "no query"),
        (lambda: nearest.nearest(np.ones((1, 3)), np.ones((3, 2)), 1), "3 dimensions"),
        (lambda: nearest.nearest(np.zeros((1, 2)), np.ones((3, 2)), 1), "is zero"),
    ],
)
def test_wrong_input_is_a_sentence(call, words):
    with pytest.raises(BadRequest, match=words):
        call()


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/modality-gap is not here")
def test_real_embeddings_are_read_as_they_lie():
    trained, untrained = (
        importer.read(REAL / f"{name}.npy").pairs for name in ("clip", "clip_random")
    )
    found = gap.measure(trained.images, trained.texts, bootstrap=0)
    start = gap.measure(untrained.images, untrained.texts, bootstrap=0)
    assert found.n == 500
    assert found.margin > start.margin  # training tells pairs apart
    assert found.separability > 0.9  # and both have a gap
    assert start.separability > 0.9
