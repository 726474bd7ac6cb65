"""Orbits of images against answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.nero import evaluate, orbits
from tests.fakes import grey_model, noise_images


def at(orbit, value, images):
    """Images under the element of a value: (b, c, h, w)."""
    element = np.flatnonzero(np.isclose(orbit.positions[:, 0], value))
    assert len(element) == 1
    return orbit.act(images, element)[:, 0]


def image(rows):
    return np.array(rows, np.uint8)[None, None]


def test_zooming_in_by_two_spreads_a_pixel_by_bilinear_weights():
    picture = np.zeros((1, 1, 8, 8), np.uint8)
    picture[0, 0, 4, 4] = 255  # its centre is half a pixel from the middle: one pixel after zooming
    out = at(orbits.scales(4), 2.0, picture)[0, 0]
    weights = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(out[3:7, 3:7], np.outer(weights, weights), atol=1e-6)
    assert out.sum() == pytest.approx(4)


def test_zooming_out_averages_and_leaves_black_around():
    out = at(orbits.scales(4), 0.5, np.full((1, 1, 16, 16), 255, np.uint8))[0, 0]
    assert not out[:3].any()
    assert not out[:, 13:].any()
    np.testing.assert_allclose(out[6:10, 6:10], 1, atol=1e-6)
    stripes = np.tile(np.array([0, 0, 255, 255], np.uint8), (16, 4))[None, None]
    # Read halfway between two pixels, through a tent 2 px to each side: 3/8, 3/8, 1/8, 1/8.
    middle = at(orbits.scales(4), 0.5, stripes)[0, 0, 8, 6:8]
    np.testing.assert_allclose(middle, [0.25, 0.75], atol=1e-6)


def test_zoom_keeps_the_centre_of_odd_and_oblong_pictures():
    picture = np.zeros((1, 1, 9, 15), np.uint8)
    picture[0, 0, 4, 7] = 255
    for value in (0.5, 2.0):
        out = at(orbits.scales(4), value, picture)[0, 0]
        assert np.unravel_index(out.argmax(), out.shape) == (4, 7)
        np.testing.assert_allclose(out, out[::-1, ::-1], atol=1e-6)


def test_mirrors_move_pixels():
    picture = image([[1, 2], [3, 4]])
    out = np.round(orbits.reflections().act(picture, np.arange(4))[0, :, 0] * 255).astype(int)
    assert out.tolist() == [
        [[1, 2], [3, 4]],
        [[2, 1], [4, 3]],
        [[3, 4], [1, 2]],
        [[4, 3], [2, 1]],
    ]


def test_brightness_adds_per_cent_of_white_and_clips():
    picture = image([[0, 51, 255]])
    orbit = orbits.brightness(10)
    np.testing.assert_allclose(at(orbit, 20, picture)[0, 0, 0], [0.2, 0.4, 1.0], atol=1e-6)
    np.testing.assert_allclose(at(orbit, -30, picture)[0, 0, 0], [0.0, 0.0, 0.7], atol=1e-6)
    names = orbit.labels
    assert (names[0], names[5], names[-1]) == ("−50 %", "0 %", "+50 %")
    lighter, darker = names.index("+20 %"), names.index("−20 %")
    assert names[orbit.compose(lighter, lighter)] == "+40 %"
    with pytest.raises(BadRequest, match="which clips in between"):
        orbit.compose(darker, lighter)
    with pytest.raises(BadRequest, match="Nothing undoes"):
        orbit.inverse(lighter)


def test_contrast_stretches_about_mid_grey_and_only_a_reduction_is_undone():
    picture = image([[0, 102, 255]])
    orbit = orbits.contrast(2)
    np.testing.assert_allclose(at(orbit, 0.5, picture)[0, 0, 0], [0.25, 0.45, 0.75], atol=1e-6)
    np.testing.assert_allclose(at(orbit, 2.0, picture)[0, 0, 0], [0, 0.3, 1], atol=1e-6)
    half, twice = (orbit.labels.index(name) for name in ("×0.5", "×2"))
    assert orbit.inverse(half) == twice
    assert orbit.compose(twice, half) == orbit.identity_index
    with pytest.raises(BadRequest, match="Nothing undoes ×2"):
        orbit.inverse(twice)
    with pytest.raises(BadRequest, match="clips in between"):
        orbit.compose(half, twice)


def test_blur_has_the_variance_it_says_and_keeps_the_mean():
    picture = np.zeros((1, 1, 41, 41), np.uint8)
    picture[0, 0, 20, 20] = 255
    for sigma in (0.5, 1.0, 2.5):
        out = at(orbits.blurs(0.5), sigma, picture)[0, 0].astype(np.float64)
        assert out.sum() == pytest.approx(1, abs=1e-4)
        places = np.arange(41) - 20
        assert (out.sum(axis=0) * places**2).sum() == pytest.approx(sigma**2, rel=2e-3)
    noise = noise_images(1, 28)[0][:, None]
    blurred = at(orbits.blurs(1), 4.0, noise)
    assert blurred.mean() == pytest.approx(noise.mean() / 255, abs=1e-5)


def test_blurs_join_by_the_root_of_squares():
    orbit = orbits.blurs(0.5)
    three, four = 3, 4  # 1.5 and 2 px give 2.5 px
    assert orbit.labels[orbit.compose(three, four)] == "2.5 px"
    with pytest.raises(BadRequest, match="not among the elements"):
        orbit.compose(1, 1)  # 0.5 and 0.5 px give 0.71 px


def test_jpeg_loses_more_at_lower_quality_and_nothing_without_it():
    smooth = (np.add.outer(np.arange(32), np.arange(32)) * 4).astype(np.uint8)[None, None]
    orbit = orbits.jpegs(5)
    loss = [float(np.abs(at(orbit, q, smooth) - smooth / 255).mean()) for q in (5, 50, 100)]
    assert loss[0] > 3 * loss[1] > 3 * loss[2] > 0
    assert orbit.labels[orbit.identity_index] == "none"
    assert orbit.identity_index == orbit.size - 1
    with pytest.raises(BadRequest, match="2 channels"):
        orbit.act(np.zeros((1, 2, 8, 8), np.uint8), np.array([0]))


def test_jpeg_reads_back_what_pillow_writes():
    import io

    from PIL import Image

    colour = noise_images(1, 16, 3)[0]
    file = io.BytesIO()
    Image.fromarray(colour[0]).save(file, "JPEG", quality=50, subsampling=2)
    wanted = np.asarray(Image.open(file))
    out = at(orbits.jpegs(5), 50, colour.transpose(0, 3, 1, 2))[0]
    assert np.array_equal(np.round(out * 255).transpose(1, 2, 0), wanted)


def test_a_crop_of_a_half_reads_the_middle_half():
    picture = np.zeros((1, 1, 8, 8), np.uint8)
    picture[:, :, 2:6, 2:6] = 255
    np.testing.assert_allclose(at(orbits.crops(4), 0.5, picture), 1)  # nothing from beyond
    ramp = np.tile(np.arange(8, dtype=np.uint8) * 20, (8, 1))[None, None]
    out = at(orbits.crops(4), 0.5, ramp)[0, 0, 0] * 255 / 20
    np.testing.assert_allclose(out, [2, 2.25, 2.75, 3.25, 3.75, 4.25, 4.75, 5], atol=1e-5)


def test_hues_turn_red_into_green_and_leave_grey_alone():
    colours = np.zeros((1, 3, 1, 4), np.uint8)
    colours[0, :, 0, 0] = (255, 0, 0)
    colours[0, :, 0, 1] = (0, 0, 255)
    colours[0, :, 0, 2] = (90, 90, 90)
    colours[0, :, 0, 3] = (200, 100, 100)
    out = np.round(at(orbits.hues(24), 120, colours)[0, :, 0] * 255).astype(int).T
    assert out.tolist() == [[0, 255, 0], [255, 0, 0], [90, 90, 90], [100, 200, 100]]
    half = np.round(at(orbits.hues(24), 60, colours)[0, :, 0, 0] * 255).tolist()
    assert half == [255, 255, 0]  # yellow lies between red and green
    with pytest.raises(BadRequest, match="no hue to turn"):
        orbits.hues().act(np.zeros((1, 1, 4, 4), np.uint8), np.array([0]))


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (orbits.scales, 0),
        (orbits.scales, 2.5),
        (orbits.brightness, 7),
        (orbits.contrast, 100),
        (orbits.blurs, 0.3),
        (orbits.blurs, float("nan")),
        (orbits.blurs, -1),
        (orbits.jpegs, 3),
        (orbits.circular_shifts, 1),
        (orbits.crops, "8"),
        (orbits.hues, 361),
    ],
)
def test_samplings_that_make_no_sense_are_refused(make, wrong):
    with pytest.raises(BadRequest) as caught:
        make(wrong)
    assert caught.value.hint


def test_a_model_that_sees_the_mean_alone_is_flat_where_the_mean_stays():
    images, labels = noise_images(2, 28)
    for orbit in (orbits.circular_shifts(7), orbits.reflections()):
        result = evaluate(grey_model, "digits", orbit, (images, labels))
        assert np.ptp(result.metric, axis=1).max() < 1e-6
    result = evaluate(grey_model, "digits", orbits.brightness(10), (images, labels))
    assert np.ptp(result.metric, axis=1).min() > 0.01
