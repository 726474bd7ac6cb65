"""Photographs with boxes: a folder as COCO128 lies, or COCO's own JSON beside its photographs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend import coco
from backend.errors import BadRequest
from backend.protocols import Arrays, Progress
from backend.registry.data_spec import SetSpec
from backend.registry.earlier import Earlier, stamp_of
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
    return _annotated(spec)[0]


def _annotated(spec: SetSpec) -> tuple[Listing, list[Truth]]:
    """Every photograph that somebody annotated, and its boxes."""
    root, paths, truths = _read(Path(spec.path))
    known, found = class_names("detection"), Listing()
    boxes: list[Truth] = []
    for row, path in enumerate(paths, start=1):
        try:
            truth = truths(path)
        except BadRequest as error:
            found.problems.append((row, f"{path.name[:60]}: {error.message}".rstrip(".")))
            continue
        if truth is None:
            found.problems.append((row, f"nobody annotated {path.name[:60]}"))
            continue
        boxes.append(truth)
        found.rows.append(row)
        found.paths.append(path)
        found.names.append(path.relative_to(root).as_posix())
        found.labels.append(", ".join(known[int(kind)] for kind in truth[:, 4]))
        found.splits.append("")
    return found, boxes


@dataclass(slots=True)
class _Scenes:
    """What photographs gave: scenes with their photograph's place and their stamp, and for each
    photograph by its stamp how many scenes it gave and how many objects were left out, by "size"
    and by "border".
    """

    cut: list[tuple[int, int, coco.Cut]] = field(default_factory=list)
    photographs: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    def add(self, place: int, stamp: int, found: list[coco.Cut | str]) -> None:
        """Takes what a photograph gave."""
        scenes = [one for one in found if isinstance(one, coco.Cut)]
        self.photographs[stamp] = (len(scenes), found.count("size"), found.count("border"))
        self.cut += [(place, _nth(stamp, i), one) for i, one in enumerate(scenes)]


def content(spec: SetSpec, progress: Progress, earlier: Earlier) -> Content:
    """Scenes around the annotated objects: at most 300, of photographs drawn with seed 0."""
    listing, truths = _annotated(spec)
    known, scenes = class_names("detection"), _Scenes()
    before = _photographs(earlier)
    order = np.random.default_rng(SEED).permutation(len(listing.paths)).tolist()
    for done, place in enumerate(order):
        progress(done, len(order))
        path, truth = listing.paths[place], truths[place]
        stamp = stamp_of(spec.kind, [path], sha_of(truth))
        try:
            found = _made_before(earlier, stamp, before.get(stamp))
            if found is None:
                found = coco.scenes_of(path, truth, known, set(range(len(known))))
        except BadRequest as error:
            listing.problems.append((listing.rows[place], error.message.rstrip(".")))
            continue
        scenes.add(place, stamp, found)
        if len(scenes.cut) >= MOST_SCENES:
            break
    progress(len(order), len(order))
    return _content(scenes, listing.problems, known)


def _photographs(earlier: Earlier) -> dict[int, tuple[int, int, int]]:
    """As :class:`_Scenes` has them, of an earlier index."""
    if "photographs" not in earlier.arrays:
        return {}
    stamps, counts = earlier.arrays["photographs"].tolist(), earlier.arrays["counts"].tolist()
    told = zip(stamps, counts, strict=True)
    return {stamp: (scenes, size, border) for stamp, (scenes, size, border) in told}


def _made_before(
    earlier: Earlier, stamp: int, counts: tuple[int, int, int] | None
) -> list[coco.Cut | str] | None:
    """What an unchanged photograph gave; None where that is not known of all of it."""
    if counts is None:
        return None
    count, size, border = counts
    scenes = [_nth(stamp, i) for i in range(count)]
    if not all(scene in earlier for scene in scenes):  # the last of 300 may have been cut off
        return None
    found: list[coco.Cut | str] = [*(["size"] * size), *(["border"] * border)]
    for scene in scenes:
        pixels, boxes = earlier.kept(scene, "pixels"), earlier.kept(scene, "boxes")
        scale = float(earlier.kept(scene, "scale"))
        found.append(coco.Cut(pixels, boxes, earlier.name(scene), scale))
    return found


def _nth(stamp: int, place: int) -> int:
    """The stamp of one of the scenes of a photograph."""
    return stamp_of("boxes", (), str(stamp), str(place))


def _content(scenes: _Scenes, problems: list[tuple[int, str]], known: tuple[str, ...]) -> Content:
    counts = np.array(list(scenes.photographs.values()), np.int64).reshape(-1, 3)
    _, size, border = counts.sum(axis=0).tolist()
    told = f"{size} objects are too small or too large for a scene, {border} too near to the border"
    is_less = bool(size or border)
    if not scenes.cut:
        problems = [*problems, (0, told if is_less else "no boxes")]
        return Content([], None, lambda row: "", problems=problems)
    kept = sorted(scenes.cut[:MOST_SCENES], key=lambda one: one[0])
    made = coco.as_items([cut for _, _, cut in kept], known, "")
    return Content(
        list(made.names),
        made.image,
        lambda row: sha_of(made.pixels[row], made.boxes[row]),
        [known[kind] for kind in made.labels.tolist()],
        [stamp for _, stamp, _ in kept],
        problems=sorted(problems),
        notes=[f"{told}."] if is_less else [],
        arrays={
            "pixels": made.pixels,
            "boxes": made.boxes,
            "scale": made.extra["scale"],
            "photographs": np.array(list(scenes.photographs), np.uint64),
            "counts": counts,
        },
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
    names, known = coco.read_names(root), class_names("detection")
    label_of = coco.label_files(coco.label_folder(root))

    def truth(path: Path) -> Truth | None:
        found = coco.read_labels(label_of(path), names)
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
