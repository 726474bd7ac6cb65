"""What every orbit promises: the laws of a group, exact right angles, one direction of turning."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from backend.errors import BadRequest
from backend.nero import orbits, resample
from tests.fakes import disc_images, noise_images

SIZES = (1, 4, 5, 8, 72, 144, 360)


def turned(images, angles, **how):
    """(n, h, w) uint8 at some angles: (n, e, h, w) float32."""
    rotator = resample.rotator(tuple(angles), images.shape[-1], and_back="and_back" in how)
    return rotator.apply(images[:, None], **how)[:, :, 0]


@pytest.mark.parametrize("n", SIZES)
def test_group_laws(n):
    orbit = orbits.rotations(n)
    e = orbit.identity_index
    indices = range(orbit.size)
    for i in indices:
        assert orbit.compose(i, e) == orbit.compose(e, i) == i
        assert orbit.compose(i, orbit.inverse(i)) == orbit.compose(orbit.inverse(i), i) == e
    rng = np.random.default_rng(n)
    for i, j, k in rng.integers(0, n, (50, 3)):
        assert orbit.compose(i, orbit.compose(j, k)) == orbit.compose(orbit.compose(i, j), k)
        angle = (orbit.angles_deg[i] + orbit.angles_deg[j]) % 360
        assert orbit.angles_deg[orbit.compose(i, j)] == pytest.approx(angle, abs=1e-9)


@pytest.mark.parametrize("n", SIZES)
def test_elements_are_even_and_leave_360_out(n):
    angles = orbits.rotations(n).angles_deg
    assert angles.shape == (n,)
    assert angles[0] == 0
    assert angles[-1] < 360
    np.testing.assert_allclose(np.diff(angles), 360 / n)


@pytest.mark.parametrize("step", [1, 2.5, 5, 7.2, 90])
def test_steps_that_divide_the_circle(step):
    assert orbits.rotations(step_deg=step).size == round(360 / step)


@pytest.mark.parametrize("step", [0, -5, 7, 0.5, 91, 360, math.nan, math.inf, "5x", None, [5]])
def test_other_steps_are_refused_with_what_is_allowed(step):
    with pytest.raises(BadRequest, match=r"divide 360|not both"):
        orbits.rotations(n=72 if step is None else None, step_deg=5 if step is None else step)


@pytest.mark.parametrize("n", [0, -1, 361, 72.5, "72"])
def test_other_numbers_are_refused(n):
    with pytest.raises(BadRequest, match="from 1 to 360"):
        orbits.rotations(n)


def test_elements_outside_the_orbit_are_refused():
    with pytest.raises(BadRequest, match="from 0 to 71"):
        orbits.rotations(72).inverse(72)


@pytest.mark.parametrize("size", [1, 7, 28, 33])
@pytest.mark.parametrize("n", [4, 8, 72])
def test_right_angles_move_pixels_without_mixing_them(n, size):
    images, _ = noise_images(2, size)
    out = turned(images, orbits.rotations(n).angles_deg)
    unturned = torch.from_numpy(images) / 255
    for q in range(4):
        expected = torch.rot90(unturned, q, (1, 2))
        assert torch.equal(torch.from_numpy(out[:, q * n // 4]), expected)


def test_identity_is_the_image_itself():
    images, _ = noise_images(2)
    assert np.array_equal(turned(images, [0.0])[:, 0], images / np.float32(255))


def test_a_bright_pixel_turns_counter_clockwise_on_screen():
    """N7: to the right of the centre; a quarter turn takes it above, that is to a smaller row."""
    image = np.zeros((1, 29, 29), np.uint8)
    image[0, 14, 24] = 255
    out = turned(image, [0.0, 90.0, 180.0, 270.0, 30.0])
    places = [np.unravel_index(layer.argmax(), layer.shape) for layer in out[0]]
    assert places[:4] == [(14, 24), (4, 14), (14, 4), (24, 14)]
    assert places[4] == (
        14 - round(10 * math.sin(math.pi / 6)),
        14 + round(10 * math.cos(math.pi / 6)),
    )


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (15, 3), (224, 3)])
def test_equals_grid_sample(size, channels):
    images, _ = noise_images(1 if size > 100 else 3, size, channels)
    moved = images.transpose(0, 3, 1, 2)
    angles = orbits.rotations(72).angles_deg[:: 5 if size > 100 else 1]
    out = resample.rotator(tuple(angles), size).apply(moved)
    pixels = torch.from_numpy(moved.copy()).double() / 255
    for i, angle in enumerate(np.deg2rad(angles)):
        cos, sin = math.cos(angle), math.sin(angle)
        theta = torch.tensor([[[cos, -sin, 0], [sin, cos, 0]]], dtype=torch.float64)
        grid = functional.affine_grid(theta, [1, channels, size, size], align_corners=False)
        expected = functional.grid_sample(
            pixels, grid.expand(len(pixels), -1, -1, -1), align_corners=False
        )
        assert np.abs(out[:, i] - expected.numpy()).max() < 1e-6


def test_two_turns_are_one_within_interpolation():
    """N2: smooth images that fit into the circle, so that only interpolation differs."""
    images, _ = disc_images()
    orbit = orbits.rotations(72)
    once = turned(images, orbit.angles_deg)
    for i, j in [(3, 4), (10, 68), (71, 1), (20, 33)]:
        first = np.round(once[:, j] * 255).astype(np.uint8)
        twice = turned(first, orbit.angles_deg[[i]])[:, 0]
        assert np.abs(twice - once[:, orbit.compose(i, j)]).mean() < 0.01


def test_a_right_angle_and_any_turn_are_one_turn_exactly():
    images, _ = noise_images(2)
    out = turned(images, orbits.rotations(72).angles_deg)
    for i in range(18, 72):
        assert np.array_equal(out[:, i], np.rot90(out[:, i - 18], 1, (1, 2)))


def test_there_and_back_costs_interpolation_only():
    images, _ = disc_images()
    angles = orbits.rotations(72).angles_deg
    out = turned(images, angles, and_back=True)
    for q in range(4):
        assert np.array_equal(out[:, 18 * q], images / np.float32(255))
    assert 0 < np.abs(out[:, 1:18] - images[:, None] / 255).mean() < 0.02
    noisy, _ = noise_images()
    there = turned(noisy, angles)
    back = turned(np.round(there[:, 7] * 255).astype(np.uint8), [-angles[7]])[:, 0]
    assert np.abs(turned(noisy, angles, and_back=True)[:, 7] - back).max() < 3 / 255


@pytest.mark.parametrize("angles", [(0.0, 360.0), (10.0, -350.0), (5.0, 5.0)])
def test_an_angle_may_come_once(angles):
    with pytest.raises(BadRequest, match="comes twice"):
        resample.rotator(angles, 28)


@pytest.mark.parametrize("angle", [math.nan, math.inf])
def test_an_angle_is_a_number(angle):
    with pytest.raises(BadRequest, match="not a number"):
        resample.rotator((angle,), 28)


def test_images_that_are_not_square_are_refused():
    with pytest.raises(BadRequest, match="28 × 30"):
        resample.square(np.zeros((1, 1, 28, 30)))


def test_agrees_with_the_rotation_the_models_were_trained_with():
    from models.rotation import rotate

    images, _ = noise_images(2)
    out = turned(images, [35.0, 170.0])
    pixels = torch.from_numpy(images[:, None]) / 255
    for i, angle in enumerate((35.0, 170.0)):
        expected = rotate(pixels, torch.tensor([angle]))[:, 0].numpy()
        assert np.abs(out[:, i] - expected).max() < 1e-5


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (15, 3)])
def test_few_images_are_turned_by_the_same_sums_as_many(size, channels):
    images, _ = noise_images(1, size, channels)
    angles = (0.0, 12.5, 95.0, 200.0)
    few = resample.rotator(angles, size).apply(images.transpose(0, 3, 1, 2))
    many = resample.rotator((*angles, 77.0, 301.0), size).apply(images.transpose(0, 3, 1, 2))
    assert np.array_equal(few, many[:, :4])
