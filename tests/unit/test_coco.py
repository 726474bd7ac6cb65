"""Folders of photographs with boxes: what is read, what is left out, what is said of bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.coco import label_files, load_folder, unlabelled
from backend.errors import BadRequest
from backend.settings import PROJECT
from models.class_names import COCO

SHARED = PROJECT.parent / "shared" / "data" / "coco128"
YAML = "path: .\n\nnames:\n" + "".join(f"  {i}: {name}\n" for i, name in enumerate(COCO))
BIRD = COCO.index("bird")


def photograph(thing: tuple[int, int, int, int], size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A grey photograph with one white thing at x0, y0, x1, y1."""
    picture = Image.new("RGB", size, (60, 60, 60))
    picture.paste((255, 255, 255), thing)
    return picture


def line(
    thing: tuple[int, int, int, int], size: tuple[int, int] = (640, 480), kind: int = BIRD
) -> str:
    x0, y0, x1, y1 = thing
    return (
        f"{kind} {(x0 + x1) / 2 / size[0]} {(y0 + y1) / 2 / size[1]} "
        f"{(x1 - x0) / size[0]} {(y1 - y0) / size[1]}\n"
    )


def folder(root: Path, things: dict[str, str], pictures: dict[str, Image.Image]) -> Path:
    """The layout of COCO128, polygons included."""
    labels = root / "object_detection" / "labels" / "train2017"
    polygons = root / "instance_segmentation" / "labels" / "train2017"
    images = root / "images" / "train2017"
    for place in (labels, polygons, images):
        place.mkdir(parents=True)
    (root / "object_detection" / "config.yaml").write_text(YAML, encoding="utf-8")
    for name, text in things.items():
        (labels / f"{name}.txt").write_text(text, encoding="utf-8")
        (polygons / f"{name}.txt").write_text("14 0.1 0.1 0.2 0.1 0.2 0.2\n", encoding="utf-8")
    for name, picture in pictures.items():
        picture.save(images / f"{name}.png")
    return root


MIDDLE = (300, 220, 340, 260)


def test_the_scene_around_an_object_has_it_in_its_middle(tmp_path: Path) -> None:
    root = folder(tmp_path, {"a": line(MIDDLE)}, {"a": photograph(MIDDLE)})
    found = load_folder(root)
    assert (found.objects, found.too_small_or_large, found.at_the_border) == (1, 0, 0)
    scenes = found.scenes
    assert scenes is not None
    assert scenes.boxes[0, 0].tolist() == pytest.approx([108, 108, 148, 148, BIRD], abs=1e-3)
    assert np.isnan(scenes.boxes[0, 1:]).all()
    rows, columns = np.nonzero(scenes.image(0)[..., 0] == 255)
    assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == [108, 108, 148, 148]
    assert scenes.names == ("a bird",)
    assert scenes.labels.tolist() == [BIRD]
    assert scenes.columns["scale"].tolist() == [1]


def test_an_object_whose_scene_leaves_the_photograph_is_left_out_never_padded(
    tmp_path: Path,
) -> None:
    at_rim = (10, 220, 50, 260)
    root = folder(tmp_path, {"a": line(at_rim)}, {"a": photograph(at_rim)})
    found = load_folder(root)
    assert found.scenes is None
    assert found.at_the_border == 1


def test_a_photograph_is_scaled_until_the_object_fits_the_crop(tmp_path: Path) -> None:
    large = (960, 720, 1140, 900)  # 180 px: too large for half of a crop, but not at half size
    size = (2100, 1620)
    tiny = (318, 238, 326, 246)  # 64 square px: too small, at twice the size it covers 1.6 %
    root = folder(
        tmp_path,
        {"a": line(large, size), "b": line(tiny)},
        {"a": photograph(large, size), "b": photograph(tiny)},
    )
    found = load_folder(root)
    assert found.scenes is not None
    assert found.scenes.columns["scale"].tolist() == [0.5, 2.0]
    for row, width in ((0, 90), (1, 16)):
        box = found.scenes.boxes[row, 0]
        assert box[2] - box[0] == pytest.approx(width, abs=0.01)
        rows, columns = np.nonzero(found.scenes.image(row)[..., 0] > 200)
        assert abs(columns.min() - box[0]) <= 1
        assert abs(columns.max() + 1 - box[2]) <= 1
        assert abs(rows.min() - box[1]) <= 1


def test_other_objects_are_told_too_the_nearest_first(tmp_path: Path) -> None:
    near, far, away = (350, 220, 370, 240), (200, 200, 220, 220), (600, 400, 630, 430)
    text = line(far, kind=0) + line(MIDDLE) + line(near, kind=2) + line(away, kind=3)
    root = folder(tmp_path, {"a": text}, {"a": photograph(MIDDLE)})
    found = load_folder(root, classes=["bird"])
    assert found.objects == 1
    assert found.scenes is not None
    assert found.scenes.boxes[0, :3, 4].tolist() == [BIRD, 2, 0]
    assert np.isnan(found.scenes.boxes[0, 3:]).all()


def test_polygons_are_left_out(tmp_path: Path) -> None:
    text = "14 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n" + line(MIDDLE)
    root = folder(tmp_path, {"a": text}, {"a": photograph(MIDDLE)})
    assert load_folder(root).objects == 1


def test_a_picture_without_a_label_file_is_one_that_nobody_annotated(tmp_path: Path) -> None:
    root = folder(tmp_path, {"a": line(MIDDLE)}, dict.fromkeys("ab", photograph(MIDDLE)))
    found = load_folder(root)
    assert found.without_labels == 1
    assert found.objects == 1


def test_a_limit_stops_the_reading(tmp_path: Path) -> None:
    names = dict.fromkeys("abc", line(MIDDLE))
    root = folder(tmp_path, names, dict.fromkeys("abc", photograph(MIDDLE)))
    found = load_folder(root, limit=2)
    assert found.scenes is not None
    assert found.scenes.names == ("a bird", "b bird")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("14 0.5 0.5 0.1\n", "Line 1 of a.txt has 4 columns"),
        ("14 0.5 0.5 0.1 wide\n", "wide"),
        ("80 0.5 0.5 0.1 0.1\n", "class 80"),
        ("1.5 0.5 0.5 0.1 0.1\n", "class 1.5"),
        ("14 0.99 0.5 0.1 0.1\n", "outside of a picture"),
        ("14 0.5 0.5 0 0.1\n", "nothing in it"),
        ("14 nan 0.5 0.1 0.1\n", "must be numbers"),
        ("\n14 320 240 40 40\n", "Line 2 of a.txt"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    root = folder(tmp_path, {"a": text}, {"a": photograph(MIDDLE)})
    with pytest.raises(BadRequest, match=said):
        load_folder(root)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "config.yaml").write_text(YAML, encoding="utf-8")
    with pytest.raises(BadRequest, match="no folder called labels"):
        load_folder(tmp_path / "x")
    root = folder(tmp_path / "y", {}, {"a": photograph(MIDDLE)})
    with pytest.raises(BadRequest, match="None of the 1 pictures"):
        load_folder(root)
    (root / "object_detection" / "config.yaml").write_text("path: .\n", encoding="utf-8")
    with pytest.raises(BadRequest, match="what the classes are called"):
        load_folder(root)
    empty = folder(tmp_path / "z", {"a": line(MIDDLE)}, {})
    with pytest.raises(BadRequest, match="no pictures"):
        load_folder(empty)


def test_a_class_that_coco_does_not_have_is_named(tmp_path: Path) -> None:
    root = folder(tmp_path, {"a": line(MIDDLE)}, {"a": photograph(MIDDLE)})
    with pytest.raises(BadRequest, match="'dragon'"):
        load_folder(root, classes=["dragon"])
    (root / "object_detection" / "config.yaml").write_text("names:\n  0: dragon\n")
    with pytest.raises(BadRequest, match="'dragon'"):
        load_folder(root)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    root = folder(tmp_path, {"a": line(MIDDLE)}, {"a": photograph(MIDDLE)})
    (root / "images" / "train2017" / "a.png").write_bytes(b"nothing")
    with pytest.raises(BadRequest, match="cannot be read as a picture"):
        load_folder(root)


def test_photographs_without_boxes_become_scenes_without_truth(tmp_path: Path) -> None:
    path = tmp_path / "own.png"
    photograph(MIDDLE).save(path)
    items = unlabelled([path])
    assert items.image(0).shape == (256, 256, 3)
    assert items.truth([0]) is None
    assert items.labels.tolist() == [-1]
    photograph(MIDDLE, (640, 200)).save(path)
    with pytest.raises(BadRequest, match="640 × 200"):
        unlabelled([path])
    with pytest.raises(BadRequest, match="no photographs"):
        unlabelled([])


@pytest.mark.skipif(not SHARED.is_dir(), reason="COCO128 is not on this machine")
def test_coco128_is_read_as_it_lies() -> None:
    found = load_folder(SHARED, classes=["car", "bottle", "cup", "chair", "book"], limit=3)
    assert found.scenes is not None
    assert len(found.scenes) == 3
    assert found.objects >= 3


def test_a_picture_has_the_labels_of_its_own_folder_whatever_it_is_called(tmp_path: Path) -> None:
    for part in ("train", "val"):
        (tmp_path / "labels" / part).mkdir(parents=True)
        for name in ("1.txt", "a[1].txt"):  # brackets would be a pattern
            (tmp_path / "labels" / part / name).write_text("")
    label_of = label_files(tmp_path / "labels")
    assert label_of(Path("images/val/1.jpg")) == tmp_path / "labels/val/1.txt"
    assert label_of(Path("images/train/a[1].jpg")) == tmp_path / "labels/train/a[1].txt"
    assert label_of(Path("pictures/1.jpg")) == tmp_path / "labels/train/1.txt"
    assert label_of(Path("images/val/2.jpg")) is None
