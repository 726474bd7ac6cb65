"""Window cross-correlation: known shifts, peaks, outliers, interpolation, empty frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.cross_correlation import (
    WINDOWS,
    Windows,
    displacements,
    estimate,
    peaks,
    spread,
    without_outliers,
)
from models.piv_particles import Look, photographed

LOOK = Look(per_px=0.05, sigma_px=0.9, brightest=200.0, noise=1.0, lost=0.0)


def pair(u: float, v: float, size: int = 128) -> torch.Tensor:
    """Frames (1, 2, size, size) of particles that all move by (u, v) px."""

    def field(x, y):
        return np.full_like(x, u), np.full_like(y, v)

    frames = photographed(field, LOOK, np.random.default_rng(0), size)
    return torch.from_numpy(frames.astype(np.float32) / 255)[None]


@pytest.mark.parametrize(("u", "v"), [(0, 0), (3, 0), (0, -3), (-2.5, 1.25), (4.3, 3.7)])
def test_a_uniform_flow_is_found(u, v):
    found = estimate(pair(u, v))
    assert found.shape == (1, 2, 64, 64)
    assert found[0, 0].median().item() == pytest.approx(u, abs=0.1)
    assert found[0, 1].median().item() == pytest.approx(v, abs=0.1)


def test_the_windows_lie_evenly_about_the_middle():
    for windows in (WINDOWS, Windows(32, 40, 8), Windows(32, 32, 16)):
        centres = windows.centres(128)
        np.testing.assert_allclose(centres + centres[::-1], 127)
    assert displacements(pair(1, 0), Windows(32, 32, 16)).shape == (1, 2, 7, 7)
    assert displacements(pair(1, 0), WINDOWS).shape == (1, 2, 14, 14)


def test_it_is_the_correlation_written_out():
    """One window by sums over pixels, in double precision."""
    frames = pair(2, -1)
    windows = Windows(16, 24, 104)
    found = displacements(frames, windows)[0, :, 0, 0].numpy()
    first, second = frames[0, :, :24, :24].numpy().astype(np.float64)
    inner = np.zeros((24, 24))
    inner[4:20, 4:20] = (first - first.mean())[4:20, 4:20]
    second = second - second.mean()
    table = np.array(
        [
            [(inner * np.roll(second, (-v, -u), (0, 1))).sum() for u in range(-11, 12)]
            for v in range(-11, 12)
        ]
    )
    row, column = np.unravel_index(table.argmax(), table.shape)

    def top(before, middle, after):
        before, middle, after = np.log([before, middle, after])
        return (before - after) / (2 * before - 4 * middle + 2 * after)

    u = column - 11 + top(*table[row, column - 1 : column + 2])
    v = row - 11 + top(*table[row - 1 : row + 2, column])
    np.testing.assert_allclose(found, [u, v], atol=1e-3)


def test_peaks_by_hand():
    maps = torch.full((4, 8, 8), 0.01)
    maps[0, 0, 0] = 1.0  # no shift
    maps[1, 7, 2] = 1.0  # two to the right, one up
    maps[2, 4, 0] = 1.0  # at the largest shift: there is no neighbour to fit
    maps[3] = 0.0  # flat
    found = peaks(maps)
    np.testing.assert_allclose(found[0].numpy(), [0, 0], atol=1e-6)
    np.testing.assert_allclose(found[1].numpy(), [2, -1], atol=1e-6)
    assert found[2:].isnan().all()


def test_a_gaussian_peak_is_found_between_the_pixels():
    at = np.arange(16)
    spot = np.exp(-((at[None] - 7.3) ** 2 + (at[:, None] - 8.4) ** 2) / 2)
    found = peaks(torch.from_numpy(spot)[None], origin=5)
    np.testing.assert_allclose(found[0].numpy(), [2.3, 3.4], atol=1e-5)


def test_a_parabola_is_taken_where_a_neighbour_is_not_positive():
    maps = torch.zeros(1, 8, 8)
    maps[0, 0, 0], maps[0, 0, 1], maps[0, 0, 7] = 1.0, 0.5, -0.5
    u, v = peaks(maps)[0].tolist()
    assert u == pytest.approx((-0.5 - 0.5) / (2 * -0.5 - 4 + 2 * 0.5), abs=1e-5)
    assert v == pytest.approx(0, abs=1e-6)


def test_outliers_and_gaps_take_the_median_around_them():
    vectors = torch.zeros(1, 2, 5, 5)
    vectors[:, 0] = 2.0
    vectors[0, 0, 2, 2] = 9.0
    vectors[0, :, 0, 0] = torch.nan
    vectors[0, 0, 4, 4] = 2.3  # within what neighbours differ by
    found = without_outliers(vectors)
    assert found[0, 0, 2, 2] == 2
    assert found[0, :, 0, 0].tolist() == [2, 0]
    assert found[0, 0, 4, 4].item() == pytest.approx(2.3)
    gap = torch.full((2, 2, 6, 6), torch.nan)
    gap[0, :, :, 0] = 1.0
    filled = without_outliers(gap)
    assert (filled[0] == 1).all()
    assert filled[1].isnan().all()


def test_cleaning_does_not_prefer_a_sign():
    vectors = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 2, 6, 6)))
    assert torch.allclose(without_outliers(-vectors), -without_outliers(vectors), atol=1e-12)


def test_interpolation_keeps_what_a_spline_can():
    matrix = spread(WINDOWS, 128).numpy()
    centres = WINDOWS.centres(128)
    wanted = np.clip(np.arange(64) * 2 + 0.5, centres[0], centres[-1])
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(matrix @ centres, wanted, atol=1e-9)
    np.testing.assert_allclose(matrix[::-1, ::-1], matrix, atol=1e-12)
    with pytest.raises(ValueError, match="32 px hold only 2 windows"):
        spread(WINDOWS, 32)


def test_frames_in_which_nothing_is_seen_have_no_answer():
    for level in (0.0, 0.4):
        assert estimate(torch.full((1, 2, 128, 128), level)).isnan().all()
    half = pair(2, 0)
    half[:, :, :, 64:] = 0
    assert not estimate(half).isnan().any()  # filled from the side that is known


def test_openpiv_says_the_same():
    process = pytest.importorskip("openpiv.pyprocess", reason="OpenPIV is not installed")
    frames = pair(2.3, -1.6)
    grey = (frames[0] * 255).round().int().numpy()
    for windows in (WINDOWS, Windows(32, 40, 24)):
        u, v, _ = process.extended_search_area_piv(
            *grey,
            window_size=windows.window_px,
            overlap=windows.search_px - windows.step_px,
            search_area_size=windows.search_px,
            dt=1.0,
            sig2noise_method=None,
        )
        found = displacements(frames, windows)[0].numpy()
        assert np.nanmedian(np.abs(found - np.stack([u, v]))) < 0.01
