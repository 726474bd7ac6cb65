"""Retrieval measures against plain loops, hand-made cases with ties, and known extremes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, jensenshannon

from backend import metrics
from backend.errors import BadRequest
from backend.metric_learning import distances, neighbours, properties, significance
from backend.metric_learning.distances import DISTANCES, pairs, pairwise


def far(x, distance):
    """Distances by the book, one pair at a time."""
    n = len(x)
    out = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            a, b = x[i], x[j]
            out[i, j] = {
                "euclidean": lambda a, b: np.linalg.norm(a - b),
                "squared_euclidean": lambda a, b: ((a - b) ** 2).sum(),
                "cosine": lambda a, b: 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b),
                "dot": lambda a, b: -(a @ b),
                "snr": lambda a, b: np.var(a - b) / np.var(a),
            }[distance](a, b)
    return out


def by_hand(x, labels, distance):
    """R-Precision, NR-Prec, MAP@R and precision@1 by plain loops; ties by index."""
    d, n = far(x, distance), len(x)
    found = []
    for q in range(n):
        others = [i for i in range(n) if i != q]
        near = sorted(others, key=lambda i: (round(d[q, i], 12), i))
        r = sum(labels[i] == labels[q] for i in others)
        if not r:
            continue
        hits = [labels[i] == labels[q] for i in near[:r]]
        p = (r + 1) / n
        z = (sum(hits) - r * p) / np.sqrt(r * p * (1 - p))
        ap = sum(sum(hits[: i + 1]) / (i + 1) for i in range(r) if hits[i]) / r
        found.append((sum(hits) / r, z, ap, labels[near[0]] == labels[q]))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("kind", ["plain", "far away", "duplicates"])
def test_every_measure_equals_plain_loops(distance, kind):
    rng = np.random.default_rng(3)
    x, labels = rng.normal(size=(60, 5)), rng.integers(0, 4, 60)
    if kind == "far away" and distance not in ("cosine", "dot"):
        x = x * 1e-3 + (0 if distance == "snr" else 50.0)
    if kind == "duplicates":
        x[20:40] = x[:20]
    names = np.array(["a", "b", "c", "d"])[labels]
    found = [
        metrics.r_precision(x, names, distance),
        metrics.normalized_r_precision(x, names, distance),
        metrics.map_at_r(x, names, distance),
        metrics.precision_at_1(x, names, distance),
    ]
    np.testing.assert_allclose(found, by_hand(x, labels, distance), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(10, 40), values=st.integers(2, 5))
def test_grids_full_of_ties_equal_plain_loops(seed, n, values):
    rng = np.random.default_rng(seed)
    x, labels = rng.integers(0, 3, (n, 2)).astype(float), rng.integers(0, values, n)
    labels[:4] = [0, 0, 1, 1]
    expected = by_hand(x, labels, "squared_euclidean")
    assert metrics.r_precision(x, labels, "euclidean") == pytest.approx(expected[0], abs=1e-12)
    assert metrics.map_at_r(x, labels, "euclidean") == pytest.approx(expected[2], abs=1e-12)


def test_expected_ties_are_the_mean_over_orders_of_the_rows():
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 2, (12, 2)).astype(float), np.arange(12) % 3
    order = [rng.permutation(12) for _ in range(3000)]
    mean = np.mean([metrics.r_precision(x[o], labels[o]) for o in order])
    assert metrics.r_precision(x, labels, ties="expected") == pytest.approx(mean, abs=0.01)
    turned = order[0]
    again = metrics.r_precision(x[turned], labels[turned], ties="expected")
    assert again == pytest.approx(metrics.r_precision(x, labels, ties="expected"), abs=1e-12)


def test_all_equal_embeddings_are_chance_when_ties_are_expected():
    labels = np.arange(30) % 3
    assert metrics.r_precision(np.ones((30, 4)), labels, ties="expected") == pytest.approx(9 / 29)


def test_perfect_clusters_reach_the_known_maximum():
    labels = np.arange(600) % 6
    x = np.eye(6)[labels]
    assert metrics.normalized_r_precision(x, labels) == pytest.approx(22.2486, abs=1e-3)
    variance = metrics.normalized_r_precision(x, labels, sigma="variance")
    assert variance == pytest.approx(6, abs=1e-9)
    assert metrics.map_at_r(x, labels) == metrics.precision_at_1(x, labels) == 1


def test_the_sources_worked_examples():
    # 5 of the 10 nearest share the value: 0.5; hits 1, 0, 1, 1 of R = 4: MAP@R 0.6042.
    x = np.array([0, 1, 2, 3, 4, 100, 200, 300, 400, 500], float)[:, None]
    label = properties.of("label", [0, 0, 1, 0, 0, 0, 1, 2, 2, 3])
    at_r, at_1 = neighbours.precisions(pairs(x), label)
    assert at_r[0] == pytest.approx((1 + 2 / 3 + 3 / 4) / 4)
    assert at_1[0] == 1
    hits = neighbours.hits(pairs(x), [label])[0]
    assert hits[0] / 4 == 0.75


@pytest.mark.parametrize("seed", range(3))
def test_random_embeddings_are_chance(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1000, 16))
    for values in (3, 8):
        labels = rng.integers(0, values, 1000)
        assert abs(metrics.normalized_r_precision(x, labels)) < 0.2
        exact = metrics.normalized_r_precision(x, labels, chance="others", null="hypergeometric")
        assert abs(exact) < 0.2


def test_rotation_scale_and_names_change_nothing():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 200)
    x = rng.normal(size=(200, 6)) + np.eye(6)[labels]
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    plain = metrics.normalized_r_precision(x, labels)
    assert metrics.normalized_r_precision(x @ turn * 7, labels) == pytest.approx(plain, abs=1e-9)
    renamed = np.array(["w", "z", "a", "k"])[labels]
    assert metrics.normalized_r_precision(x, renamed) == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_pairwise_distances(distance):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 7)).astype(np.float32)
    x[7] = x[3] + 1e-4
    np.testing.assert_allclose(pairwise(x, x, distance), far(x, distance), atol=2e-5)
    if distance == "euclidean":
        np.testing.assert_allclose(pairwise(x, x[:9]), cdist(x, x[:9]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        pairs(x, distance).values(slice(0, 30)), far(x.astype(float), distance), atol=1e-7
    )


def test_jensen_shannon():
    assert metrics.jensen_shannon([0.5, 0.5, 0], [0, 0.5, 0.5]) == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    a, b = rng.random((4, 5)), rng.random((4, 5))
    expected = jensenshannon(a.ravel(), b.ravel(), 2) ** 2
    assert metrics.jensen_shannon(a, 3 * b) == pytest.approx(expected)
    assert metrics.jensen_shannon(a, a) == 0
    assert metrics.jensen_shannon([1, 0], [0, 1]) == 1


def test_focus_score():
    mask = np.zeros((4, 4))
    mask[:2, :2] = 1  # a quarter of the area
    assert metrics.focus_score(mask, mask) == 1
    assert metrics.focus_score(mask, np.ones((4, 4))) == pytest.approx(0)
    assert metrics.focus_score(mask, 1 - mask) == pytest.approx(-1 / 3)


def test_shuffled_hits_equal_counting_each_shuffling():
    rng = np.random.default_rng(5)
    x = rng.integers(0, 4, (70, 3)).astype(float)
    label = properties.of("label", rng.integers(0, 3, 70))
    found = significance.permutation_null(pairs(x), label, 9, seed=2)
    again = np.random.default_rng(2)
    for value in found.shuffled:
        shuffled = again.permutation(label.codes)
        assert value == pytest.approx(metrics.normalized_r_precision(x, shuffled), abs=1e-9)
    assert found.observed == pytest.approx(metrics.normalized_r_precision(x, label.codes))
    assert found.p == (1 + (found.shuffled >= found.observed).sum()) / 10


BAD = [
    (np.ones((9, 2)), np.arange(9), "euclidean", "9 images are too few"),
    (np.ones(20), np.arange(20), "euclidean", "have the shape"),
    (np.full((20, 2), "x"), np.arange(20), "euclidean", "are not numbers"),
    (np.eye(20), np.arange(19), "euclidean", "20 embeddings and 19 labels"),
    (np.eye(20), np.zeros(20), "euclidean", "has the one value"),
    (np.eye(20), np.arange(20), "euclidean", "occurs once"),
    (np.eye(20), np.arange(20) % 2, "manhattan", "no distance 'manhattan'"),
    (np.eye(20) - np.eye(20)[[0]], np.arange(20) % 2, "cosine", "Row 0 of the embeddings is zero"),
    (np.ones((20, 3)), np.arange(20) % 2, "snr", "has no variance"),
    (np.where(np.eye(20) > 0, np.nan, 1), np.arange(20) % 2, "dot", "Row 0 .*not finite .20 such"),
]


@pytest.mark.parametrize(("x", "labels", "distance", "sentence"), BAD)
def test_bad_input_is_a_sentence(x, labels, distance, sentence):
    for measure in (metrics.r_precision, metrics.normalized_r_precision, metrics.map_at_r):
        with pytest.raises(BadRequest, match=sentence):
            measure(x, labels, distance)


def test_bad_maps_and_options_are_sentences():
    with pytest.raises(BadRequest, match="cannot be compared"):
        metrics.jensen_shannon(np.ones(3), np.ones(4))
    with pytest.raises(BadRequest, match="zero everywhere"):
        metrics.jensen_shannon(np.zeros(3), np.ones(3))
    with pytest.raises(BadRequest, match="negative"):
        metrics.focus_score(np.zeros((2, 2)), -np.ones((2, 2)))
    with pytest.raises(BadRequest, match="fills the image"):
        metrics.focus_score(np.ones((2, 2)), np.ones((2, 2)))
    x, labels = np.eye(20), np.arange(20) % 2
    with pytest.raises(BadRequest, match="no sigma 'sd'"):
        metrics.normalized_r_precision(x, labels, sigma="sd")
    with pytest.raises(BadRequest, match="Ties 'random'"):
        metrics.r_precision(x, labels, ties="random")
    with pytest.raises(BadRequest, match="3 and 4 numbers"):
        pairwise(np.ones((2, 3)), np.ones((2, 4)))


def test_memory_grows_with_n_times_the_block_and_not_with_its_square(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(distances, "BLOCK_BYTES", 1 << 18)
    rng = np.random.default_rng(0)
    peaks = {}
    for n in (1_000, 4_000):
        held = distances.pairs(rng.standard_normal((n, 8)))
        label = properties.of("label", rng.integers(5, size=n))
        neighbours.hits(held, [label])  # compiled
        tracemalloc.start()
        neighbours.hits(held, [label])
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[4_000] < 2 * (1 << 18) + 4_000 * 64  # all distances would take 128 MB
    assert peaks[4_000] < 2 * peaks[1_000]
