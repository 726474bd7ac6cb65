"""Photographs with boxes: a folder as COCO128 lies, or COCO's own JSON beside its photographs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend import coco
from backend.errors import BadRequest
from backend.protocols import Arrays, Progress
from backend.registry.data_spec import SetSpec
from backend.registry.reading import Listing, files_below
from backend.registry.sets import Content, Head, sha_of
from backend.scenes import SceneItems
from models.class_names import class_names

MOST_SCENES: Final = 300
SEED: Final = 0
Truth = NDArray[np.float64]
Truths = Callable[[Path], Truth | None]
"""A photograph to its boxes ``(n, 5)``: corners as fractions of it, and place among COCO's classes;
None where nobody annotated it."""


def listed(spec: SetSpec) -> Listing:
    """Every photograph with the names of what is in it."""
    root, paths, truths = _read(Path(spec.path))
    known, found = class_names("detection"), Listing()
    for row, path in enumerate(paths, start=1):
        try:
            truth = truths(path)
        except BadRequest as error:
            found.problems.append((row, f"{path.name[:60]}: {error.message}".rstrip(".")))
            continue
        if truth is None:
            found.problems.append((row, f"nobody annotated {path.name[:60]}"))
            continue
        found.rows.append(row)
        found.paths.append(path)
        found.names.append(path.relative_to(root).as_posix())
        found.labels.append(", ".join(known[int(kind)] for kind in truth[:, 4]))
        found.splits.append("")
    return found


def content(spec: SetSpec, progress: Progress) -> Content:
    """Scenes around the annotated objects: at most 300, of photographs drawn with seed 0."""
    listing, known = listed(spec), class_names("detection")
    _, _, truths = _read(Path(spec.path))
    cut: list[tuple[int, coco.Cut]] = []
    left_out: list[str] = []
    order = np.random.default_rng(SEED).permutation(len(listing.paths)).tolist()
    for done, place in enumerate(order):
        progress(done, len(order))
        path = listing.paths[place]
        try:
            truth = truths(path)
            found = (
                coco.scenes_of(path, truth, known, set(range(len(known))))
                if truth is not None
                else []
            )
        except BadRequest as error:
            listing.problems.append((listing.rows[place], error.message.rstrip(".")))
            continue
        cut += [(place, one) for one in found if isinstance(one, coco.Cut)]
        left_out += [one for one in found if isinstance(one, str)]
        if len(cut) >= MOST_SCENES:
            break
    progress(len(order), len(order))
    scenes = [one for _, one in sorted(cut[:MOST_SCENES], key=lambda pair: pair[0])]
    return _content(scenes, listing.problems, left_out, known)


def _content(
    scenes: list[coco.Cut],
    problems: list[tuple[int, str]],
    left_out: list[str],
    known: tuple[str, ...],
) -> Content:
    size, border = left_out.count("size"), left_out.count("border")
    told = f"{size} objects are too small or too large for a scene, {border} too near to the border"
    if not scenes:
        return Content([], None, [], problems=[*problems, (0, told if left_out else "no boxes")])
    made = coco.as_items(scenes, known, "")
    return Content(
        list(made.names),
        made.image,
        [sha_of(made.pixels[row], made.boxes[row]) for row in range(len(made))],
        [known[kind] for kind in made.labels.tolist()],
        problems=sorted(problems),
        notes=[f"{told}."] if left_out else [],
        arrays={"pixels": made.pixels, "boxes": made.boxes, "scale": made.extra["scale"]},
    )


def items(head: Head, arrays: Arrays) -> SceneItems:
    """The scenes of some rows."""
    boxes = np.asarray(arrays["boxes"][head.rows], np.float32)
    return SceneItems(
        key=head.key,
        title=head.title,
        pixels=np.asarray(arrays["pixels"][head.rows], np.uint8),
        boxes=boxes,
        labels=boxes[:, 0, 4].astype(np.int64),
        ids=head.rows,
        names=head.names,
        classes=class_names("detection"),
        source=head.source,
        licence=head.licence,
        extra={"scale": arrays["scale"][head.rows]},
    )


def _read(path: Path) -> tuple[Path, list[Path], Truths]:
    """Where the photographs lie, all of them, and what is in one."""
    if path.is_dir() and not (said := sorted(path.glob("annotations/*.json"))):
        return _of_folder(path)
    return _of_json(said[0], path) if path.is_dir() else _of_json(path, path.parent)


def _of_folder(root: Path) -> tuple[Path, list[Path], Truths]:
    names, labels, known = coco.read_names(root), coco.label_folder(root), class_names("detection")

    def truth(path: Path) -> Truth | None:
        found = coco.read_labels(labels, path, names)
        if found is not None:
            found[:, 4] = [known.index(names[int(kind)]) for kind in found[:, 4]]
        return found

    return root, coco.photographs(root), truth


def _of_json(path: Path, root: Path) -> tuple[Path, list[Path], Truths]:
    """COCO's own layout: ``images``, ``annotations`` with ``bbox`` in px, ``categories``."""
    told = _json(path)
    names = {entry["id"]: str(entry["name"]) for entry in told["categories"]}
    coco.checked_classes(names.values(), class_names("detection"))
    boxes: dict[Any, list[dict[str, Any]]] = {}
    for entry in told["annotations"]:
        boxes.setdefault(entry.get("image_id"), []).append(entry)
    by_name = {file.name: file for file in files_below(root)}
    images = {Path(str(image.get("file_name"))).name: image for image in told["images"]}
    paths = [by_name[name] for name in images if name in by_name]
    if not paths:
        raise BadRequest(
            f"None of the {len(images)} photographs that {path.name} names lies below {root.name}.",
            "Keep them in a folder beside it.",
        )

    def truth(photograph: Path) -> Truth | None:
        image = images[photograph.name]
        rows = [
            _row(entry, image, names)
            for entry in boxes.get(image["id"], ())
            if not entry.get("iscrowd")
        ]
        return np.array(rows, np.float64).reshape(-1, 5) if rows else None

    return root, paths, truth


def _json(path: Path) -> dict[str, Any]:
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadRequest(f"{path.name} cannot be read as JSON.", "Is the file complete?") from error
    for part in ("images", "annotations", "categories"):
        entries = told.get(part) if isinstance(told, dict) else None
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            raise BadRequest(f"{path.name} has no list {part!r}.", "Needed is COCO's own layout.")
        if part != "annotations" and not all("id" in one for one in entries):
            raise BadRequest(f"An entry of {part!r} in {path.name} has no id.")
    if not all("name" in one for one in told["categories"]):
        raise BadRequest(f"A category in {path.name} has no name.")
    found: dict[str, Any] = told
    return found


def _row(entry: dict[str, Any], image: dict[str, Any], names: dict[Any, str]) -> list[float]:
    """One annotation as corners in fractions of its photograph, and class."""
    what = f"annotation {entry.get('id', '?')}"
    kind = names.get(entry.get("category_id"))
    if kind is None:
        raise BadRequest(f"{what} has the category {entry.get('category_id')}, which is not named.")
    try:
        x, y, width, height = (float(number) for number in entry["bbox"])
        across, down = float(image["width"]), float(image["height"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"{what} has no bbox of four numbers, or its image no size.") from error
    if not (
        min(x, y) >= 0
        and min(width, height) > 0
        and x + width <= across + 1
        and y + height <= down + 1
    ):
        raise BadRequest(f"the box of {what} is empty or leaves its photograph")
    corners = [x / across, y / down, (x + width) / across, (y + height) / down]
    return [*(min(1.0, corner) for corner in corners), float(class_names("detection").index(kind))]
