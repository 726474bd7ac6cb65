"""Synthetic flows and particle pairs: exact fields, exact reversal of time, stated families."""

from __future__ import annotations

import numpy as np
import pytest

from backend import datasets
from data.build_piv import STREAM as EVAL_STREAM
from models.piv_flows import FAMILIES, PEAK_PX, draw_field, on_grid
from models.piv_measure import along_symmetries
from models.piv_particles import Look, draw_pair, photographed
from models.train_piv import STREAM

LOOK = Look(per_px=0.02, sigma_px=0.9, brightest=200.0, noise=0.0, lost=0.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_fields_are_smooth_without_divergence_and_within_the_limit(family):
    for seed in range(5):
        field = draw_field(family, np.random.default_rng(seed))
        assert np.hypot(*on_grid(field)).max() <= PEAK_PX
        x, y = np.random.default_rng(9).uniform(5, 123, (2, 200))
        h = 1e-4
        along = (field(x + h, y)[0] - field(x - h, y)[0]) / (2 * h)
        across = (field(x, y + h)[1] - field(x, y - h)[1]) / (2 * h)
        np.testing.assert_allclose(along + across, 0, atol=1e-6)


def test_left_to_right_is_preferred_where_it_is_said():
    means = {}
    for family in FAMILIES:
        drawn = [on_grid(draw_field(family, np.random.default_rng(s)))[0] for s in range(20)]
        means[family] = np.mean(drawn)
    assert min(means[name] for name in ("uniform", "backstep", "cylinder")) > 1
    assert max(abs(means[name]) for name in ("SQG-like", "DNS-like", "isotropic")) < 0.4


def test_the_flow_passes_around_the_cylinder():
    """On the circle the speed normal to it is 0; the fastest place moves twice as fast as afar."""
    field = draw_field("cylinder", np.random.default_rng(0))
    speed = np.hypot(*on_grid(field))
    inside = np.argwhere(speed == 0)
    middle = (inside.mean(0) * 2 + 0.5)[::-1]
    far = np.hypot(*(np.ravel(w)[0] for w in field(np.array([1e5]), np.array([1e5]))))
    assert len(inside) > 50
    assert speed.max() == pytest.approx(2 * far, rel=0.15)
    radius = np.sqrt(len(inside) * 4 / np.pi) + 0.5
    turn = np.linspace(0, 2 * np.pi, 60)
    u, v = field(middle[0] + radius * np.cos(turn), middle[1] + radius * np.sin(turn))
    assert np.abs(u * np.cos(turn) + v * np.sin(turn)).max() < 0.2 * far


def test_particles_are_half_a_step_before_and_behind():
    """One displacement of (4, −2) px: the second frame is the first one, moved by it."""

    def field(x, y):
        return np.full_like(x, 4.0), np.full_like(y, -2.0)

    first, second = photographed(field, LOOK, np.random.default_rng(3)).astype(int)
    moved = np.roll(first, (-2, 4), (0, 1))
    assert np.abs(moved - second)[4:-4, 6:-6].max() <= 1
    assert first[4:-4, 6:-6].max() > 100


def test_swapping_the_frames_is_the_reversed_flow_exactly():
    field = draw_field("isotropic", np.random.default_rng(0))

    def back(x, y):
        u, v = field(x, y)
        return -u, -v

    forward = photographed(field, LOOK, np.random.default_rng(5))
    reverse = photographed(back, LOOK, np.random.default_rng(5))
    assert np.array_equal(forward[::-1], reverse)


def test_lost_particles_are_in_one_frame_only():
    look = Look(0.02, 0.9, 200.0, 0.0, lost=1.0)

    def still(x, y):
        return np.zeros_like(x), np.zeros_like(y)

    first, second = photographed(still, look, np.random.default_rng(0)).astype(float)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] < 0.05
    kept = photographed(still, LOOK, np.random.default_rng(0)).astype(float)
    assert np.array_equal(kept[0], kept[1])


def test_the_bundled_pairs_are_those_of_the_build():
    held = datasets.load("piv")
    assert len(held) == 120
    assert held.classes == FAMILIES
    assert np.bincount(held.labels).tolist() == [20] * 6
    assert "synthetic" in held.title.lower()
    assert "Synthetic" in held.source
    frames, field = draw_pair(FAMILIES[2], np.random.default_rng([EVAL_STREAM, 2, 7]))
    assert np.abs(held.inputs([47])[0].astype(int) - frames).max() <= 1  # rounding of another CPU
    np.testing.assert_allclose(held.truth([47])[0], field, atol=2e-3)
    assert STREAM != EVAL_STREAM  # training never draws the same


def test_the_measure_of_the_cards_is_zero_for_an_oracle_and_flat_for_none():
    frames = np.zeros((2, 2, 8, 8), np.uint8)
    fields = np.random.default_rng(0).normal(size=(2, 2, 4, 4)).astype(np.float32)
    curve = along_symmetries(lambda batch: np.zeros((len(batch), 2, 4, 4)), frames, fields)
    size = np.sqrt((fields**2).sum(1).mean((1, 2)))
    np.testing.assert_allclose(curve.by_item, np.tile(size[:, None], 16), rtol=1e-6)
    assert curve.variance < 1e-12
    assert curve.at_identity == pytest.approx(curve.mean, rel=1e-6)
