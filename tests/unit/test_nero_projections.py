"""Orbit curves in the plane: against an SVD, on constructed groups, on small and flat input."""

from __future__ import annotations

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.nero import projections

EASY = ["pca", "ica", "isomap", "tsne"]
METHODS = [*EASY, "umap"]


def two_groups(n=24, e=36):
    """Rows of two shapes with a little noise, and which is which."""
    rng = np.random.default_rng(3)
    circle = np.linspace(0, 2 * np.pi, e, endpoint=False)
    shapes = np.array([0.5 + 0.4 * np.cos(circle), 0.5 + 0.4 * np.cos(2 * circle)])
    group = np.arange(n) % 2
    return (shapes[group] + rng.normal(size=(n, e)) * 0.02).astype(np.float32), group


def test_pca_is_the_singular_value_decomposition_up_to_sign():
    """N10."""
    rows = np.random.default_rng(0).random((30, 72)).astype(np.float32)
    centred = rows.astype(float) - rows.astype(float).mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    expected = u[:, :2] * s[:2]
    found = projections.pca(rows.astype(float))
    for axis in range(2):
        sign = np.sign(found[0, axis] * expected[0, axis])
        np.testing.assert_allclose(found[:, axis] * sign, expected[:, axis], atol=1e-10)
    scaled = projections.project(rows)
    low, high = found.min(0), found.max(0)
    by_hand = (found - (low + high) / 2) / ((high - low).max() / 2)
    np.testing.assert_allclose(scaled, by_hand, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_groups_separate_and_the_picture_returns(method):
    rows, group = two_groups()
    xy = projections.project(rows, method, seed=1)
    assert xy.shape == (24, 2)
    assert xy.dtype == np.float32
    assert np.abs(xy).max() == pytest.approx(1, abs=1e-6)
    assert np.array_equal(xy, projections.project(rows, method, seed=1))
    gaps = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    assert (group[gaps.argmin(1)] == group).all()
    assert projections.trustworthiness(rows, xy) > 0.5


def test_what_umap_compiles_is_kept_for_the_next_process():
    projections.project(two_groups()[0], "umap")
    from umap import layouts, umap_, utils

    for function in (
        utils.fast_knn_indices,
        umap_.smooth_knn_dist,
        layouts._nb_optimize_layout_euclidean_single_epoch,
    ):
        found = function.stats
        assert found.cache_path
        assert found.cache_hits or found.cache_misses  # it ran


@pytest.mark.parametrize("n", [3, 4, 5, 7])
@pytest.mark.parametrize("method", METHODS)
def test_few_items_still_have_a_picture(method, n):
    rows, _ = two_groups(n)
    xy = projections.project(rows, method)
    assert xy.shape == (n, 2)
    assert np.isfinite(xy).all()
    assert np.abs(xy).max() <= 1 + 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_equal_rows_lie_in_the_middle(method):
    xy = projections.project(np.full((9, 12), 0.7, np.float32), method)
    assert np.array_equal(xy, np.zeros((9, 2)))


@pytest.mark.parametrize("method", EASY)
def test_rows_on_a_line_are_laid_out(method):
    rows = np.outer(np.arange(12), np.ones(8)).astype(np.float32) / 12
    xy = projections.project(rows, method)
    assert np.isfinite(xy).all()


def test_both_axes_share_one_scale():
    rows = np.zeros((50, 3), np.float32)
    rows[:, 0] = np.linspace(0, 1, 50)
    rows[:, 1] = np.sin(np.arange(50)) / 10
    xy = projections.project(rows)
    spans = np.ptp(xy, axis=0)
    assert spans[0] == pytest.approx(2, abs=1e-6)
    assert spans[1] == pytest.approx(
        2 * np.ptp(projections.pca(rows), axis=0)[1] / np.ptp(projections.pca(rows), axis=0)[0],
        rel=1e-5,
    )


def test_rows_without_all_answers_are_left_out():
    rows, _ = two_groups()
    rows[5, 2] = np.nan
    xy = projections.project(rows)
    assert np.isnan(xy[5]).all()
    kept = np.arange(24) != 5
    assert np.array_equal(xy[kept], projections.project(rows[kept]))
    assert np.isfinite(projections.trustworthiness(rows, xy))


@pytest.mark.parametrize(
    ("rows", "method", "seed", "sentence"),
    [
        (two_groups(2)[0], "pca", 0, "at least 3"),
        (np.full((5, 4), np.nan, np.float32), "pca", 0, "0 items"),
        (two_groups(9)[0], "lda", 0, "pca, ica, isomap, tsne, umap"),
        (two_groups(9)[0], "tsne", -1, "Seed -1"),
    ],
)
def test_what_cannot_be_laid_out_is_said(rows, method, seed, sentence):
    with pytest.raises(BadRequest, match=sentence):
        projections.project(rows, method, seed)


def test_trust_is_unknown_for_three_items():
    rows, _ = two_groups(3)
    assert np.isnan(projections.trustworthiness(rows, projections.project(rows)))


def test_trust_is_full_where_nothing_is_lost():
    flat = np.random.default_rng(0).random((30, 2)).astype(np.float32)
    assert projections.trustworthiness(flat, projections.project(flat)) == pytest.approx(1)
