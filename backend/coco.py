"""Photographs with boxes in the folder layout of COCO128: pictures, one text file each, and names.

A folder of this layout is read as it lies::

    images/train2017/000000000009.jpg              any depth below images/
    object_detection/labels/train2017/0000…9.txt   any folder called labels, same names, .txt
    object_detection/config.yaml                   "names:" with one "number: name" a line

A line of a label file is ``class x y width height``: the box's centre and size as fractions of the
photograph. Lines with more numbers are polygons and are left out, as another folder holds the same
objects as boxes. Around each object a scene of 256 px is cut out, from the photograph at its own
size or made smaller or larger until the object covers a fitting part of the crop; an object whose
scene would leave the photograph is left out, and nothing is ever padded (Zhao 2024, section 5.5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from backend.box_names import read_names
from backend.errors import BadRequest
from backend.nero.boxes import CROP_PX, fits_orbit, window_corner
from backend.protocols import F32, U8
from backend.scenes import SCENE_PX, TRUE_BOXES, SceneItems, check_box
from models.class_names import class_names

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
SCALES: Final = (1.0, 0.75, 0.5, 1.5, 2.0)
"""Tried in this order until an object passes the filters: its own size first."""
MAX_SHIFT_PX: Final = (SCENE_PX - CROP_PX) // 2
SLACK: Final = 2e-3  # boxes may pass the photograph's border by rounding of the fractions


@dataclass(frozen=True, slots=True)
class Found:
    """What an import gave, and what it left out.

    Attributes:
        scenes: the scenes with boxes; None where no object passed.
        objects: annotated objects of the wanted classes.
        too_small_or_large: of these, those that cover less than 1 % or more than 50 % of a crop at
            every scale at which their scene fits.
        at_the_border: those whose scene leaves the photograph at every scale.
        without_labels: photographs that nobody annotated.
    """

    scenes: SceneItems | None
    objects: int
    too_small_or_large: int
    at_the_border: int
    without_labels: int


def load_folder(
    folder: Path, classes: Collection[str] | None = None, limit: int | None = None
) -> Found:
    """Scenes around the annotated objects of a folder, in the order of the files.

    Args:
        folder: of the layout above.
        classes: names of the classes that key objects may have; all of COCO's unless given.
        limit: read photographs until so many scenes are found.

    Raises:
        BadRequest: pictures, label files or names are missing or wrong; the sentence says which.
    """
    names = read_names(folder)
    known = class_names("detection")
    checked_classes(names.values(), known)
    wanted = checked_classes(classes, known)
    labels = label_folder(folder)
    label_of = label_files(labels)
    cut: list[Cut] = []
    outcomes: list[str] = []
    without, pictures = 0, photographs(folder)
    for path in pictures:
        truth = read_labels(label_of(path), names)
        if truth is None:
            without += 1
            continue
        truth[:, 4] = [known.index(names[int(kind)]) for kind in truth[:, 4]]
        for outcome in scenes_of(path, truth, known, wanted):
            if isinstance(outcome, Cut):
                cut.append(outcome)
                outcomes.append("")
            else:
                outcomes.append(outcome)
        if limit is not None and len(cut) >= limit:
            break
    if without == len(pictures):
        raise BadRequest(
            f"None of the {without} pictures in {folder.name} has a label file.",
            f"{pictures[0].name} would have {pictures[0].stem}.txt in {labels.name}.",
        )
    items = as_items(cut[:limit], known, f"Photographs of {folder.name}") if cut else None
    return Found(items, len(outcomes), outcomes.count("size"), outcomes.count("border"), without)


def unlabelled(paths: Iterable[Path]) -> SceneItems:
    """The middle of photographs without boxes, as scenes of 256 px: consensus only.

    A photograph is made so small that its shorter side is 256 px.

    Raises:
        BadRequest: there is none, or one cannot be read or is smaller than a scene.
    """
    cut = []
    nothing = np.full((TRUE_BOXES, 5), np.nan, np.float32)
    for path in paths:
        picture = open_photograph(path)
        factor = SCENE_PX / min(picture.size)
        if factor > 1:
            raise BadRequest(
                f"{path.name} has {picture.width} × {picture.height} px.",
                f"Needed are at least {SCENE_PX} px on the shorter side.",
            )
        small = picture.resize([max(SCENE_PX, round(side * factor)) for side in picture.size])
        left, top = (small.width - SCENE_PX) // 2, (small.height - SCENE_PX) // 2
        scene = small.crop((left, top, left + SCENE_PX, top + SCENE_PX))
        cut.append(Cut(np.asarray(scene, np.uint8), nothing, path.stem, factor))
    if not cut:
        raise BadRequest("There are no photographs.", "Give at least one.")
    return as_items(cut, class_names("detection"), "Photographs without boxes")


@dataclass(frozen=True, slots=True)
class Cut:
    """One scene: pixels (256, 256, 3), true rows (10, 5) in its px, a name, the scale used."""

    pixels: U8
    boxes: F32
    name: str
    scale: float


def photographs(folder: Path) -> list[Path]:
    """All pictures below ``images/``, by name.

    Raises:
        BadRequest: there is none.
    """
    inside = (folder / "images").rglob("*")
    found = sorted(path for path in inside if path.suffix.lower() in SUFFIXES)
    if not found:
        raise BadRequest(
            f"There are no pictures in {folder.name}/images.",
            f"Looked for are files ending in {', '.join(SUFFIXES)}.",
        )
    return found


def label_folder(folder: Path) -> Path:
    """The folder of box labels; polygons lie in another one.

    Raises:
        BadRequest: there is none.
    """
    found = sorted(path for path in folder.rglob("labels") if path.is_dir())
    boxes = [path for path in found if path.parent.name != "instance_segmentation"]
    if not boxes:
        raise BadRequest(
            f"There is no folder called labels in {folder.name}.",
            "Label files lie in labels/ or object_detection/labels/.",
        )
    return boxes[0]


def checked_classes(classes: Collection[str] | None, known: tuple[str, ...]) -> set[int]:
    """Numbers of class names, all of them unless given.

    Raises:
        BadRequest: a name is none of COCO's.
    """
    for name in classes or ():
        if name not in known:
            raise BadRequest(
                f"{name!r} is none of COCO's classes.", f"These are {', '.join(known[:5])}, …"
            )
    return {known.index(name) for name in classes} if classes else set(range(len(known)))


def label_files(labels: Path) -> Callable[[Path], Path | None]:
    """What finds the label file of a picture: of the same name, and of those called so, as in
    ``train`` and ``val``, the one in a folder that is called as the picture's.
    """
    held: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(labels.rglob("*.txt")):
        held[path.stem].append(path)

    def label_of(picture: Path) -> Path | None:
        found: list[Path] = held.get(picture.stem, [])
        own = (one for one in found if one.parent.name == picture.parent.name)
        return next(own, found[0] if found else None)

    return label_of


def read_labels(file: Path | None, names: dict[int, str]) -> NDArray[np.float64] | None:
    """The boxes of a picture, ``(n, 5)`` x0, y0, x1, y1 as fractions of it, and class.

    None where there is no label file, which in this layout means that nobody annotated anything.

    Raises:
        BadRequest: a line has the wrong number of columns, no numbers, an
            unknown class, or a box outside of the picture.
    """
    if file is None:
        return None
    rows = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split()
        if not parts or (len(parts) > 6 and len(parts) % 2 == 1):  # a class and points of a polygon
            continue
        rows.append(read_line(parts, f"Line {number} of {file.name}", names))
    return np.array(rows, np.float64).reshape(-1, 5)


def read_line(parts: list[str], what: str, names: dict[int, str]) -> list[float]:
    """One box, see :func:`read_labels`."""
    if len(parts) != 5:
        raise BadRequest(
            f"{what} has {len(parts)} columns.", "There are five: class, x, y, width, height."
        )
    try:
        kind, x, y, width, height = (float(part) for part in parts)
    except ValueError as error:
        raise BadRequest(f"{what} holds {' '.join(parts)!r}.", "It needs five numbers.") from error
    if kind not in names:
        raise BadRequest(
            f"{what} has the class {parts[0]}.", f"Classes run from 0 to {max(names)}."
        )
    box = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    if np.isfinite(box).all() and box.min() >= -SLACK and box.max() <= 1 + SLACK:
        box = np.clip(box, 0, 1)
    check_box(box, 1, 1, f"{what}, as fractions of its picture,")
    return [*box.tolist(), kind]


def scenes_of(
    path: Path, truth: NDArray[np.float64], known: tuple[str, ...], wanted: set[int]
) -> list[Cut | str]:
    """A scene for each wanted object, or why there is none: "size" or "border"."""
    keys = [i for i, row in enumerate(truth) if int(row[4]) in wanted]
    if not keys:
        return []
    picture = open_photograph(path)
    return [cut_scene(picture, truth, i, f"{path.stem} {known[int(truth[i, 4])]}") for i in keys]


def cut_scene(picture: Image.Image, truth: NDArray[np.float64], key: int, name: str) -> Cut | str:
    """The scene around one object at the first scale at which it passes the filters."""
    why = "border"
    for scale in SCALES:
        size = (round(picture.width * scale), round(picture.height * scale))
        boxes = truth[:, :4] * np.array([*size, *size])
        if not fits_orbit(boxes[key], size, MAX_SHIFT_PX):
            reach = SCENE_PX // 2
            left, top = window_corner(boxes[key], reach)
            if 0 <= left <= size[0] - SCENE_PX and 0 <= top <= size[1] - SCENE_PX:
                why = "size"
            continue
        left, top = window_corner(boxes[key], SCENE_PX // 2)
        corners = np.array([left, top, left + SCENE_PX, top + SCENE_PX]) / scale
        # Sizes are rounded to whole px, so the window may pass the border by less than one.
        window = tuple(np.clip(corners, 0, [*picture.size, *picture.size]).tolist())
        scene = picture.resize((SCENE_PX, SCENE_PX), Image.Resampling.BICUBIC, box=window)
        moved = boxes - np.array([left, top, left, top])
        rows = nearest(np.concatenate([moved, truth[:, 4:]], 1), key)
        return Cut(np.asarray(scene, np.uint8), rows, name, scale)
    return why


def nearest(rows: NDArray[np.float64], key: int) -> F32:
    """The key object first, then those nearest to it that reach into the scene, NaN below."""
    clipped = np.clip(rows[:, :4], 0, SCENE_PX)
    is_in = np.all(clipped[:, 2:] - clipped[:, :2] > 1, axis=1)
    middle = (rows[:, :2] + rows[:, 2:4]) / 2
    distance = np.hypot(*(middle - middle[key]).T)
    distance[key] = -1
    order = [i for i in np.argsort(distance, kind="stable") if is_in[i]][:TRUE_BOXES]
    kept = np.full((TRUE_BOXES, 5), np.nan, np.float32)
    kept[: len(order)] = np.concatenate([clipped, rows[:, 4:]], 1)[order]
    return kept


def open_photograph(path: Path) -> Image.Image:
    """A photograph as RGB.

    Raises:
        BadRequest: it cannot be read.
    """
    try:
        return Image.open(path).convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise BadRequest(
            f"{path.name} cannot be read as a picture.", "Is the file complete?"
        ) from error


def as_items(cut: list[Cut], classes: tuple[str, ...], title: str) -> SceneItems:
    """Scenes as an item set."""
    boxes = np.stack([one.boxes for one in cut])
    kinds = boxes[:, 0, 4]
    return SceneItems(
        key="photographs",
        title=title,
        pixels=np.stack([one.pixels for one in cut]),
        boxes=boxes,
        labels=np.where(np.isfinite(kinds), kinds, -1).astype(np.int64),
        ids=np.arange(len(cut), dtype=np.int64),
        names=tuple(one.name for one in cut),
        classes=classes,
        source="The user's own photographs",
        licence="the user's own",
        extra={"scale": np.array([one.scale for one in cut])},
    )
