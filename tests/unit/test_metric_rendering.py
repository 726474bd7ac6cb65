"""Rendered cars: properties drawn independently, each changing what it says and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.metric_learning import (
    backgrounds,
    cars,
    meshes,
    properties,
    rendering,
    shipped,
    sweeps,
)

SIDE = 48


@pytest.fixture(scope="module")
def car() -> meshes.Mesh:
    return shipped.meshes()["Smart"]


def drawn(car: meshes.Mesh, **changed: float) -> tuple[np.ndarray, np.ndarray]:
    return rendering.render(car, {**cars.DEFAULTS, **changed}, SIDE, 2)


def test_the_value_sets_are_the_sources():
    assert cars.combinations() == 3_023_308_800
    assert [len(knob.values) for knob in cars.KNOBS] == [8, 10, 9, 9, 10, 9, 9, 4, 3, 8]


def test_draws_are_uniform_and_independent():
    table = cars.sample(["a", "b", "c"], 100_000, 0)
    for knob in cars.KNOBS:
        counts = table[knob.name].value_counts()
        share = 1 / len(knob.values)
        assert len(counts) == len(knob.values)
        spread = np.sqrt(100_000 * share * (1 - share))
        assert (counts - 100_000 * share).abs().max() < 5 * spread
    told = properties.independence(properties.table(table))
    assert told["mutual_information_bits"].max() < 0.002
    assert told["p_holm"].min() > 0.001


def test_the_shipped_tables_are_what_the_sampler_draws():
    table = shipped.table()
    again = cars.sample(list(shipped.meshes()), len(table), 7)
    assert table.equals(again)
    assert len(table) == 5_000


def test_only_varied_properties_vary():
    table = cars.sample(["a"], 50, 0, ["sun_elevation"])
    assert table["sun_elevation"].nunique() > 1
    assert set(table["car_hue"]) == {cars.DEFAULTS["car_hue"]}
    with pytest.raises(BadRequest, match="no property 'wheels'"):
        cars.sample(["a"], 5, 0, ["wheels"])


def test_the_background_reaches_no_pixel_of_the_car(car: meshes.Mesh):
    first, share = drawn(car, bg_hue=0.1, bg_value=2.0)
    second, again = drawn(car, bg_hue=0.6, bg_value=0.5, bg_saturation=2.0)
    inside = share == 1
    assert np.array_equal(share, again)
    assert inside.sum() > 100
    assert np.array_equal(first[inside], second[inside])
    assert not np.array_equal(first[share == 0], second[share == 0])


def test_the_suns_rotation_shows_unless_it_stands_overhead(car: meshes.Mesh):
    low, high = (
        [drawn(car, sun_elevation=e, sun_rotation=r)[0] for r in (0, 90)] for e in (45.0, 90.0)
    )
    assert not np.array_equal(*low)
    assert np.array_equal(*high)


@pytest.mark.parametrize("grey", [{"car_saturation": 0.0}, {"car_value": 0.0}])
def test_hue_is_nothing_without_saturation_or_value(car: meshes.Mesh, grey: dict[str, float]):
    first, second = (drawn(car, car_hue=hue, **grey)[0] for hue in (0.0, 0.5))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("knob", cars.KNOBS, ids=lambda knob: knob.name)
def test_every_property_changes_the_picture_and_the_same_scene_does_not(
    car: meshes.Mesh, knob: cars.Knob
):
    images = [drawn(car, **{knob.name: value})[0] for value in (knob.values[0], knob.values[-1])]
    assert not np.array_equal(*images)
    assert np.array_equal(images[0], drawn(car, **{knob.name: knob.values[0]})[0])


def test_a_shadow_darkens_the_ground_and_is_longer_when_the_sun_is_low(car: meshes.Mesh):
    shaded = []
    for elevation in (5.0, 45.0):
        image, share = drawn(car, sun_elevation=elevation, sun_rotation=90.0, camera_height=3.5)
        behind = np.round(255 * rendering.background(cars.DEFAULTS))
        shaded.append(int((image[share == 0] < behind - 3).all(axis=1).sum()))
    assert shaded[0] > shaded[1] > 5


def test_a_mesh_without_faces_is_refused():
    empty = meshes.Surface(
        np.zeros((3, 3), np.float32),
        np.zeros((0, 3), np.int32),
        np.zeros(0, np.int32),
        np.ones((1, 3), np.float32),
        np.array([True]),
        np.zeros(1, np.float32),
    )
    with pytest.raises(BadRequest, match="no faces"):
        meshes.mesh(empty)


def test_stored_meshes_come_back(car: meshes.Mesh):
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], np.float32)
    faces = np.array([[0, 1, 2], [0, 1, 3]], np.int32)
    looks = (np.ones((1, 3), np.float32), np.array([True]), np.zeros(1, np.float32))
    given = meshes.Surface(points, faces, np.zeros(2, np.int32), *looks)
    held = meshes.read_stored(meshes.stored({"a": given}), "a")
    assert np.abs(held.points - points).max() < 1e-4
    assert np.array_equal(held.faces, faces)


def test_pools_of_backgrounds_share_nothing_and_composing_follows_the_mask():
    train, test = backgrounds.pool("train", 32), backgrounds.pool("test", 32)
    assert len(train) == len(test) == 100
    assert not {one.tobytes() for one in train} & {one.tobytes() for one in test}
    image, behind = np.full((1, 2, 2, 3), 200, np.uint8), np.zeros((1, 2, 2, 3), np.uint8)
    mask = np.array([[[1, 0], [0.5, 0.25]]], np.float32)
    mixed = backgrounds.corrupted(image, mask, behind)
    assert mixed[0, :, :, 0].tolist() == [[200, 0], [100, 50]]
    with pytest.raises(BadRequest, match="do not fit"):
        backgrounds.corrupted(image, mask, behind[:, :1])


def test_a_sweep_changes_one_property_and_measures_from_the_unchanged_one(car: meshes.Mesh):
    held = sweeps.strip("Smart", cars.DEFAULTS, "sun_rotation", {"Smart": car})
    assert len(held.images) == 8
    assert held.steps.tolist() == [45, 0, 45, 90, 135, 180, 135, 90]
    assert held.steps[held.own] == 0
    line = np.arange(8.0)
    slope, low, high = sweeps.slope(held.steps, 0.5 * held.steps)
    assert slope == pytest.approx(0.5)
    assert low <= slope <= high
    assert sweeps.swaps(line, line) == 0
    assert sweeps.swaps(line, -line) == 1
    with pytest.raises(BadRequest, match="no car 'Tank'"):
        sweeps.strip("Tank", cars.DEFAULTS, "car_hue", {"Smart": car})
