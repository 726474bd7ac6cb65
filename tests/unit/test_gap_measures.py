"""The exact numbers of the modality gap against loops over all pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backend import gap
from backend.errors import BadRequest
from backend.gap import measures, moments, pairs


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def drawn(n=40, d=6, apart=1.0, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, d))
    offset = np.eye(d)[0] * apart
    return unit(shared + rng.normal(size=(n, d)) * 0.5 + offset), unit(shared - offset)


def test_alignment_and_uniformity_equal_a_double_loop():
    images, texts = drawn(15)
    n = 15
    matched = sum(float(images[j] @ texts[j]) for j in range(n)) / n
    across = [float(images[j] @ texts[k]) for j in range(n) for k in range(n) if j != k]
    report = gap.measure(images, texts)
    assert report.alignment == report.matched_cosine == pytest.approx(matched, abs=1e-6)
    assert report.unmatched_cosine == pytest.approx(np.mean(across), abs=1e-6)
    by_hand = math.log(sum(math.exp(-c) for c in across) / (n * (n - 1)))
    assert report.uniformity == pytest.approx(by_hand, abs=1e-6)
    assert report.uniformity >= -report.unmatched_cosine  # Jensen
    assert report.uniformity_pairs == n * (n - 1)
    assert report.is_uniformity_exact
    assert report.margin == pytest.approx(matched - np.mean(across), abs=1e-6)


def test_gaps_of_equal_and_of_opposite_modalities():
    images, _ = drawn()
    same = gap.measure(images, images)
    assert same.centroid_gap == same.mean_pair_gap == 0
    assert same.separability == 0.5
    opposite = gap.measure(images, -images)
    assert opposite.pair_gaps == pytest.approx(np.full(40, 2.0), abs=1e-6)
    assert opposite.median_pair_gap == pytest.approx(2, abs=1e-6)


def test_distance_and_cosine_of_a_pair_agree():
    images, texts = drawn()
    report = gap.measure(images, texts, bootstrap=0)
    cosines = np.einsum("nd,nd->n", images, texts)
    assert report.pair_gaps**2 == pytest.approx(2 - 2 * cosines, abs=1e-6)
    assert report.centroid_gap == pytest.approx(
        np.linalg.norm(images.mean(0) - texts.mean(0)), abs=1e-6
    )
    assert not report.intervals


def test_moving_apart_raises_gap_and_separability():
    base = [gap.measure(*drawn(300, 8, apart, 1), bootstrap=0) for apart in (0, 0.2, 0.5, 2.0)]
    for name in ("centroid_gap", "mean_pair_gap", "separability"):
        found = [getattr(report, name) for report in base]
        assert found == sorted(found), name
        assert len(set(found)) == 4
    assert base[-1].separability > 0.9


def test_effective_rank_of_known_spectra():
    axes = np.concatenate([np.eye(4), -np.eye(4)])
    assert gap.measure(axes, axes, bootstrap=0).effective_rank_images == pytest.approx(4)
    line = np.concatenate([np.eye(4)[:1], -np.eye(4)[:1]])
    assert gap.measure(line, line, bootstrap=0).effective_rank_texts == pytest.approx(1)
    point = np.tile(np.eye(4)[:1], (3, 1))
    assert gap.measure(point, point, bootstrap=0).effective_rank_images == 1


def test_effective_rank_equals_the_singular_values():
    images, texts = drawn(30, 5)
    centred = images.astype(float) - images.mean(0, dtype=float)
    shares = np.linalg.svd(centred, compute_uv=False)
    shares /= shares.sum()
    expected = math.exp(-(shares * np.log(shares)).sum())
    report = gap.measure(images, texts)
    assert report.effective_rank_images == pytest.approx(expected)
    low, high = report.intervals["effective_rank_images"]
    assert low < expected < high


def test_blocks_change_nothing(monkeypatch):
    images, texts = drawn(50)
    whole = gap.measure(images, texts, bootstrap=0)
    monkeypatch.setattr(pairs, "block_rows", lambda width: 7)
    monkeypatch.setattr(measures, "SQUARE", 11)
    parts = gap.measure(images, texts, bootstrap=0)
    for name, value in whole.document().items():
        assert parts.document()[name] == pytest.approx(value, abs=1e-6), name


def test_intervals_are_those_of_drawing_pairs_again():
    """Against a plain multinomial bootstrap over loops, which keeps no pair of copies."""
    images, texts = drawn(60)
    report = gap.measure(images, texts, bootstrap=2000)
    rng = np.random.default_rng(5)
    cosines = images @ texts.T
    far = np.exp(-cosines)
    found = {"centroid_gap": [], "alignment": [], "unmatched_cosine": [], "uniformity": []}
    for _ in range(1000):
        weights = np.bincount(rng.integers(0, 60, 60), minlength=60).astype(float)
        both = np.outer(weights, weights)
        np.fill_diagonal(both, 0)
        moved = weights @ (images - texts) / 60
        found["centroid_gap"].append(np.linalg.norm(moved))
        found["alignment"].append(weights @ np.diag(cosines) / 60)
        found["unmatched_cosine"].append((both * cosines).sum() / both.sum())
        found["uniformity"].append(np.log((both * far).sum() / both.sum()))
    for name, values in found.items():
        width = np.quantile(values, 0.975) - np.quantile(values, 0.025)
        ends = np.quantile(values, [0.025, 0.975])
        assert report.intervals[name] == pytest.approx(ends, abs=0.15 * width), name
    for name, (low, high) in report.intervals.items():
        assert low <= high, name
    assert set(report.intervals) >= {"separability", "median_pair_gap", "mean_pair_gap"}


def test_a_sample_of_pairs_stands_for_the_uniformity_of_many():
    images, texts = drawn(400)
    checked = pairs.check(images, texts)
    whole = measures.uniformity(checked)
    some = measures.uniformity(checked, seed=1, most=300, sampled=300)
    assert len(some.means) == 300
    assert some.value == pytest.approx(whole.value, abs=0.02)
    assert some.value != whole.value


def test_the_same_seed_gives_the_same_report():
    images, texts = drawn()
    first, again = (gap.measure(images, texts, seed=3).document() for _ in range(2))
    assert first == again
    assert gap.measure(images, texts, seed=4).intervals != gap.measure(images, texts).intervals


def test_folds_hold_both_members_of_a_pair():
    checked = pairs.check(*drawn(23))
    held = moments.gather(checked, 0, 0)
    assert np.bincount(held.group).max() - np.bincount(held.group).min() <= 1
    assert held.total(0)[0] == 23
    assert held.total(0)[1] == pytest.approx(checked.images.sum(0), abs=1e-5)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_a_handful_of_pairs_is_measured(n):
    report = gap.measure(*drawn(n))
    assert all(np.isfinite(ends).all() for ends in map(np.array, report.intervals.values()))


def test_other_number_types_and_lengths():
    images, texts = drawn()
    exact = gap.measure(images, texts, bootstrap=0)
    half = gap.measure(images.astype(np.float16), texts.astype(np.float64), bootstrap=0)
    assert half.centroid_gap == pytest.approx(exact.centroid_gap, abs=1e-3)
    long = gap.measure(images * 1e20, texts * 1e-20, normalise=True, bootstrap=0)
    assert long.uniformity == pytest.approx(exact.uniformity, abs=1e-5)
    whole = np.array([[3, 4], [4, 3], [0, 5]])
    assert gap.measure(whole, whole, normalise=True, bootstrap=0).centroid_gap == 0


def spoiled(place, value):
    images, texts = drawn()
    images[place] = value
    return images, texts


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ((drawn()[0], drawn(39)[1]), "40 images and 39 texts"),
        ((drawn()[0], drawn(40, 5)[1]), "6 dimensions and texts 5"),
        (spoiled(3, 0.0), "Row 3 of the images is zero"),
        (spoiled((4, 1), np.nan), "Row 4 of the images holds values that are not finite"),
        (spoiled((slice(5, 7), 0), 9.0), r"Row 5 of the images has length .* \(and 1 more\)"),
        ((drawn()[0][0], drawn()[1]), r"shape \(6,\)"),
        ((drawn()[0][:1], drawn()[1][:1]), "1 pairs"),
        ((np.array([["a", "b"]] * 3), np.ones((3, 2))), "not real numbers"),
    ],
)
def test_arrays_that_are_no_pairs_are_sentences(arrays, words):
    with pytest.raises(BadRequest, match=words):
        gap.measure(*arrays)


def test_options_out_of_range_are_sentences():
    with pytest.raises(BadRequest, match="-1 bootstrap"):
        gap.measure(*drawn(), bootstrap=-1)
    with pytest.raises(BadRequest, match="Seed -2"):
        gap.measure(*drawn(), seed=-2)
