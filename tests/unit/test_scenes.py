"""Sets of scenes: what fits together, what the crop acts on, and how scenes are composed."""

from __future__ import annotations

import dataclasses
import tomllib

import numpy as np
import pytest
from PIL import Image

from backend import datasets
from backend.items import BadItems
from backend.nero.boxes import fits_orbit
from backend.scenes import CROP_PX, SCENE_PX, SceneItems, unpacked
from backend.settings import PROJECT
from data import build_scenes
from data.build_scenes import Parts, centred, compose, opaque_box, varied
from models.class_names import COCO

HELD = datasets.load("scenes")
NOTES = tomllib.loads((PROJECT / "data/scenes/scenes.toml").read_text(encoding="utf-8"))


def items(pixels: np.ndarray | None = None, boxes: np.ndarray | None = None) -> SceneItems:
    n = 2 if pixels is None else len(pixels)
    if boxes is None:
        boxes = np.tile(np.array([100, 110, 140, 150, 3], np.float32), (n, 1, 1))
    return SceneItems(
        key="k",
        title="Two scenes",
        pixels=np.zeros((2, 256, 256, 3), np.uint8) if pixels is None else pixels,
        boxes=boxes,
        labels=np.full(n, 3),
        ids=np.arange(n),
        names=tuple(f"scene {i}" for i in range(n)),
        classes=COCO,
        source="made here",
        licence="none",
    )


def test_the_truth_is_in_px_of_the_crop_without_shift() -> None:
    truth = items().truth([1])
    assert truth is not None
    assert truth.tolist() == [[[36, 46, 76, 86, 3]]]


def test_inputs_have_their_channels_first_and_images_last() -> None:
    assert items().inputs([0, 1]).shape == (2, 3, 256, 256)
    assert items().image(0).shape == (256, 256, 3)
    assert items().shape == (256, 256, 3)


def test_scenes_that_nobody_has_labelled_have_no_truth() -> None:
    unknown = items(boxes=np.full((2, 1, 5), np.nan, np.float32))
    assert unknown.truth([0, 1]) is None


def test_equal_scenes_have_equal_prints_and_other_boxes_others() -> None:
    moved = items().boxes.copy()
    moved[0, 0, 0] -= 1
    assert items().fingerprint == items().fingerprint
    assert items().fingerprint != items(boxes=moved).fingerprint


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((100, 110, 300, 150, 3), "outside of a picture of 256 × 256"),
        ((-1, 110, 140, 150, 3), "outside of a picture"),
        ((140, 110, 100, 150, 3), "nothing in it"),
        ((100, 110, 100, 150, 3), "nothing in it"),
        ((100, np.nan, 140, 150, 3), "must be numbers"),
        ((100, 110, 140, 150, 80), "class 80"),
        ((100, 110, 140, 150, -1), "class -1"),
    ],
)
def test_a_box_that_cannot_be_is_named(box: tuple[float, ...], said: str) -> None:
    boxes = items().boxes.copy()
    boxes[1, 0] = box
    with pytest.raises(BadItems, match=said):
        items(boxes=boxes)


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((2, 256, 256), np.uint8), "shape"),
        (np.zeros((2, 256, 256, 3), np.float32), "float32"),
        (np.zeros((2, 100, 256, 3), np.uint8), "256 × 100"),
        (np.zeros((0, 256, 256, 3), np.uint8), "at least one"),
    ],
)
def test_scenes_that_cannot_be_are_refused(pixels: np.ndarray, said: str) -> None:
    with pytest.raises(BadItems, match=said):
        items(pixels=pixels, boxes=np.full((len(pixels), 1, 5), np.nan, np.float32))


def test_too_few_names_are_refused() -> None:
    with pytest.raises(BadItems, match="1 names for 2 scenes"):
        dataclasses.replace(items(), names=("one",))


def test_a_row_that_is_not_there_is_named() -> None:
    with pytest.raises(BadItems, match="no row 2"):
        items().inputs([2])
    with pytest.raises(BadItems, match="no row -1"):
        items().truth([-1])


def test_the_bundled_scenes_say_how_they_were_composed() -> None:
    assert "composed" in HELD.title
    assert "Composed" in HELD.source
    known = {name.rsplit("/")[-1].removesuffix(".png") for kind in NOTES["cutouts"]["evaluation"]
             for name in NOTES["cutouts"]["evaluation"][kind]}  # fmt: skip
    backgrounds = {b["name"] for b in NOTES["background"] if b["split"] == "evaluation"}
    for recipe in HELD.columns["composed of"]:
        background, *things = str(recipe).split(" + ")
        assert background in backgrounds
        assert 1 <= len(things) <= 3
        assert set(things) <= known


def test_there_are_as_many_scenes_of_each_class() -> None:
    kinds, counts = np.unique(HELD.labels, return_counts=True)
    assert [COCO[k] for k in kinds] == ["car", "bird", "cow", "sports ball", "apple"]
    assert set(counts.tolist()) == {12}


def test_every_bundled_scene_passes_the_filters() -> None:
    for row in range(len(HELD)):
        box = HELD.boxes[row, 0, :4].tolist()  # type: ignore[attr-defined]
        assert fits_orbit(box, (SCENE_PX, SCENE_PX), SCENE_PX // 2 - CROP_PX // 2)


def test_no_cutout_and_no_background_is_on_both_sides() -> None:
    sides = [
        {name for names in NOTES["cutouts"][side].values() for name in names}
        for side in ("training", "evaluation")
    ]
    assert not sides[0] & sides[1]
    members = [
        {b["member"] for b in NOTES["background"] if b["split"] == side}
        for side in ("training", "evaluation")
    ]
    assert not members[0] & members[1]


def test_bundled_backgrounds_are_under_permissive_licences() -> None:
    used = {b["licence"] for b in NOTES["background"] if b["split"] == "evaluation"}
    assert used <= {"CC0-1.0", "CC-BY-2.0", "CC-BY-4.0"}


def thing(width: int, height: int) -> Image.Image:
    """A red thing with a transparent rim of one px."""
    picture = Image.new("RGBA", (width, height))
    picture.paste((255, 0, 0, 255), (1, 1, width - 1, height - 1))
    return picture.crop(opaque_box(picture))


def parts() -> Parts:
    grey = Image.new("RGB", (600, 500), (90, 90, 90))
    return Parts(
        [[thing(80, 40)], [thing(60, 60)]],
        [["long"], ["square"]],
        [Image.new("RGBA", (40, 40), (0, 0, 255, 255))],
        ["blue"],
        [grey],
        ["grey"],
    )


def test_a_composed_scene_has_its_thing_where_the_box_says() -> None:
    rng = np.random.default_rng(0)
    for kind in (0, 1, 0, 1):
        scene = compose(parts(), kind, 0, rng)
        assert scene.pixels.shape == (SCENE_PX, SCENE_PX, 3)
        x0, y0, x1, y1 = scene.box
        assert abs((x0 + x1) / 2 - 128) <= 0.5
        assert abs((y0 + y1) / 2 - 128) <= 0.5
        is_red = (scene.pixels[..., 0] > 200) & (scene.pixels[..., 2] < 50)
        rows, columns = np.nonzero(is_red)
        assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == [x0, y0, x1, y1]


def test_distractors_never_touch_the_key_things_box() -> None:
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(20):
        scene = compose(parts(), 0, 0, rng)
        x0, y0, x1, y1 = scene.box
        inside = scene.pixels[y0:y1, x0:x1]
        assert not (inside[..., 2] > 200).any()
        seen += " + blue" in scene.recipe
    assert seen > 5


def test_varied_cutouts_stay_cropped_to_what_belongs_to_them() -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        changed = varied(thing(80, 40), rng)
        assert opaque_box(changed) == (0, 0, *changed.size)


def test_a_thing_in_the_middle_lies_there_to_half_a_px() -> None:
    assert centred(Image.new("RGBA", (31, 20))) == (112, 118, 143, 138)


def test_composing_again_gives_the_same_scene() -> None:
    first = compose(parts(), 0, 0, np.random.default_rng(3))
    again = compose(parts(), 0, 0, np.random.default_rng(3))
    np.testing.assert_array_equal(first.pixels, again.pixels)


def test_broken_pictures_in_the_file_are_an_error() -> None:
    packed = build_scenes.as_webp(np.zeros((256, 256, 3), np.uint8))
    arrays = {"webp": np.frombuffer(packed, np.uint8), "ends": np.array([len(packed)])}
    assert unpacked(arrays).shape == (1, 256, 256, 3)
    with pytest.raises(ValueError, match="decoded"):
        unpacked(arrays | {"ends": np.array([20])})
