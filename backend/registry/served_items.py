"""The data of a script, handed over as arrays or a path, as a registered set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from backend.errors import BadRequest
from backend.files import private_folder
from backend.registry import adding, sets, store
from backend.registry.answers import DETECTION, MOTION, POINTS, Shape

WANTED: Final = {
    DETECTION: "(images (n, h, w, 3) uint8, boxes (n, 5) or (n, t, 5) in px with class numbers)",
    MOTION: "(frames (n, 2, s, s) uint8, fields (n, 2, s/2, s/2) or None)",
    POINTS: "(clouds (n, p, 3), labels (n,))",
}


def added(items: Any, name: str, classes: Sequence[str], task: str) -> Shape:
    """Registers data under a name; the input that a model of images of them takes, zeros where
    the task has a usual one.

    Raises:
        BadRequest: they are neither a path nor arrays of the task.
    """
    wanted = WANTED.get(task, "(images (n, h, w[, 3]) uint8, labels (n,))")
    given: dict[str, Any] = {"classes": list(classes)} if classes else {}
    if task in WANTED:
        given["kind"] = kind_of(task)
    if isinstance(items, str | Path):
        summary = adding.add_set(str(items), name, given)
        width, height = summary["largest"]
        if task == MOTION:
            return 2, height, height
        return (0, 0, 0) if task in WANTED else (3, height, width)
    if not (isinstance(items, tuple) and len(items) == 2):
        raise BadRequest(
            f"items={type(items).__name__} is not usable.", f"Give a path, or {wanted}."
        )
    first, second = (None if part is None else _array(part, wanted) for part in items)
    if first is None or not first.ndim:
        raise BadRequest("items holds no inputs.", f"Give {wanted}.")
    if second is not None and second.shape[:1] != first.shape[:1]:
        raise BadRequest(
            f"items holds {len(first)} inputs and {len(second)} answers.", f"Give {wanted}."
        )
    folder = private_folder(store.home() / "served")
    adding.add_set(str(_written(folder, name, first, second, classes, task)), name, given)
    return _shape(first, task)


def _array(part: Any, wanted: str) -> Any:
    """One part of the data as an array of numbers or texts."""
    try:
        found = np.asarray(part)
        if found.dtype == object:  # a column of texts, as pandas has it
            found = np.asarray(found.tolist())
    except ValueError as error:
        raise BadRequest("items holds lists of unlike lengths.", f"Give {wanted}.") from error
    if found.dtype == object:
        raise BadRequest("items holds things that are no numbers.", f"Give {wanted}.")
    return found


def kind_of(task: str) -> str:
    """The kind of set about which models of a task answer."""
    return next(kind for kind, told in sets.KINDS.items() if told.task == task)


def key_of(name: str, task: str) -> str:
    """The key of the items of a set for a task other than classes of images."""
    return f"{name}--{sets.KINDS[kind_of(task)].suffix}"


def _shape(first: Any, task: str) -> Shape:
    if task == MOTION:
        return 2, first.shape[-1], first.shape[-1]
    if task in WANTED:
        return 0, 0, 0
    height, width = first.shape[1:3]
    return (3 if first.ndim == 4 and first.shape[3] == 3 else 1), height, width


def _written(
    folder: Path, name: str, first: Any, second: Any, classes: Sequence[str], task: str
) -> Path:
    """The arrays as files of the task's kind of set."""
    if task == DETECTION:
        return _coco(private_folder(folder / name), first, second, classes)
    names = {MOTION: ("frames", "fields"), POINTS: ("points", "labels")}
    pair = dict(zip(names.get(task, ("images", "labels")), (first, second), strict=True))
    path = folder / f"{name}.npz"
    kept = {key: array for key, array in pair.items() if array is not None}
    np.savez(path, allow_pickle=False, **kept)
    return path


def _coco(folder: Path, images: Any, boxes: Any, classes: Sequence[str]) -> Path:
    """Photographs as PNG and their boxes as COCO's JSON."""
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or boxes is None:
        raise BadRequest(
            f"The images have the shape {images.shape} and the type {images.dtype}.",
            f"Give {WANTED[DETECTION]}.",
        )
    rows = boxes[:, None] if boxes.ndim == 2 else boxes
    if rows.ndim != 3 or rows.shape[2] != 5 or rows.dtype.kind not in "biuf":
        raise BadRequest(
            f"The boxes have the shape {boxes.shape} and the type {boxes.dtype}.",
            f"Give {WANTED[DETECTION]}.",
        )
    annotations: list[dict[str, Any]] = []
    for place, (pixels, table) in enumerate(zip(images, rows, strict=True)):
        Image.fromarray(pixels).save(folder / f"{place}.png")
        for x0, y0, x1, y1, kind in table[np.isfinite(table).all(axis=1)].tolist():
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": place,
                    "category_id": int(kind),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                }
            )
    height, width = images.shape[1:3]
    told = {
        "images": [
            {"id": k, "file_name": f"{k}.png", "width": width, "height": height}
            for k in range(len(images))
        ],
        "annotations": annotations,
        "categories": [{"id": k, "name": str(one)} for k, one in enumerate(classes)],
    }
    path = folder / "boxes.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    return path
