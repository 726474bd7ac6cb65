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
from backend.box_names import read_names
from backend.errors import BadRequest
from backend.protocols import Arrays, Progress
from backend.registry import own_classes
from backend.registry.data_spec import SetSpec
from backend.registry.earlier import NOTHING, Earlier, stamp_of
from backend.registry.reading import Listing, files_below
from backend.registry.sets import Content, Head, sha_of
from backend.scenes import SceneItems, print_of

MOST_SCENES: Final = 300
SEED: Final = 0
Truth = NDArray[np.float64]
Truths = Callable[[Path], Truth | None]
"""A photograph to its boxes ``(n, 5)``: corners as fractions of it, and place among the names of
its file; None where nobody annotated it."""


@dataclass(frozen=True, slots=True)
class _Read:
    """Where the photographs lie, all of them, what is in one, and the names that the file gives."""

    root: Path
    paths: list[Path]
    truths: Truths
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which names of a file are which classes of the set.

    Attributes:
        classes: of the set. said: those that its owner named; empty where nothing was said.
        place: ``(names,)`` each name's place among the classes; -1 where it is to be left out.
    """

    classes: tuple[str, ...]
    said: tuple[str, ...]
    place: NDArray[np.int64]


def listed(spec: SetSpec) -> Listing:
    """Every photograph with the names of what is in it."""
    return _annotated(spec, NOTHING)[0]


def _annotated(spec: SetSpec, earlier: Earlier) -> tuple[Listing, list[Truth], _Wanted]:
    """Every photograph that somebody annotated, its boxes, and the classes that they are of."""
    read, found = _read(Path(spec.path)), Listing()
    wanted = _wanted(read.names, own_classes.said(spec, earlier))
    boxes: list[Truth] = []
    for row, path in enumerate(read.paths, start=1):
        try:
            truth = read.truths(path)
        except BadRequest as error:
            found.problems.append((row, f"{path.name[:60]}: {error.message}".rstrip(".")))
            continue
        if truth is None:
            found.problems.append((row, f"nobody annotated {path.name[:60]}"))
            continue
        truth, odd = _kept(truth, wanted.place)
        if len(odd):
            told = _told_odd([read.names[kind] for kind in odd])
            found.problems.append((row, f"{path.name[:60]}: {told}"))
        boxes.append(truth)
        found.rows.append(row)
        found.paths.append(path)
        found.names.append(path.relative_to(read.root).as_posix())
        found.labels.append(", ".join(wanted.classes[int(kind)] for kind in truth[:, 4]))
        found.splits.append("")
    return found, boxes, wanted


def _wanted(names: tuple[str, ...], said: tuple[str, ...]) -> _Wanted:
    classes = own_classes.chosen("boxes", names, said)
    place = {name: classes.index(name) for name in said or names}
    return _Wanted(classes, said, np.array([place.get(name, -1) for name in names], np.int64))


def _kept(truth: Truth, place: NDArray[np.int64]) -> tuple[Truth, list[int]]:
    """The boxes of wanted classes, numbered by them, and the kinds of the others."""
    kinds = truth[:, 4].astype(np.int64)
    moved = np.concatenate([truth[:, :4], place[kinds][:, None]], axis=1)
    return moved[moved[:, 4] >= 0], kinds[moved[:, 4] < 0].tolist()


def _told_odd(names: list[str]) -> str:
    """A sentence about boxes of classes that were not named."""
    kinds = sorted(set(names))
    more = f" and {len(kinds) - 1} more" if kinds[1:] else ""
    boxes, are = ("a box", "is") if len(names) == 1 else (f"{len(names)} boxes", "are")
    return f"{boxes} of {kinds[0][:40]!r}{more}, none of the classes named, {are} left out"


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
    listing, truths, wanted = _annotated(spec, earlier)
    known, scenes = wanted.classes, _Scenes()
    before = _photographs(earlier)
    order = np.random.default_rng(SEED).permutation(len(listing.paths)).tolist()
    for done, place in enumerate(order):
        progress(done, len(order))
        path, truth = listing.paths[place], truths[place]
        # Scenes are called by their class, so that another name of it makes them anew.
        stamp = stamp_of(spec.kind, [path], sha_of(truth), listing.labels[place])
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
    return _content(scenes, listing.problems, wanted)


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


def _content(scenes: _Scenes, problems: list[tuple[int, str]], wanted: _Wanted) -> Content:
    counts = np.array(list(scenes.photographs.values()), np.int64).reshape(-1, 3)
    _, size, border = counts.sum(axis=0).tolist()
    told = f"{size} objects are too small or too large for a scene, {border} too near to the border"
    is_less = bool(size or border)
    if not scenes.cut:
        problems = [*problems, (0, told if is_less else "no boxes")]
        return Content([], None, lambda row: "", problems=problems)
    kept = sorted(scenes.cut[:MOST_SCENES], key=lambda one: one[0])
    made = coco.as_items([cut for _, _, cut in kept], wanted.classes, "")
    return Content(
        list(made.names),
        made.image,
        lambda row: sha_of(made.pixels[row], made.boxes[row]),
        [wanted.classes[kind] for kind in made.labels.tolist()],
        [stamp for _, stamp, _ in kept],
        problems=sorted(problems),
        notes=[f"{told}."] if is_less else [],
        arrays={
            "pixels": made.pixels,
            "boxes": made.boxes,
            "scale": made.extra["scale"],
            "photographs": np.array(list(scenes.photographs), np.uint64),
            "counts": counts,
            **own_classes.kept(wanted.classes, wanted.said),
        },
        classes=wanted.classes,
    )


def items(head: Head, arrays: Arrays) -> SceneItems:
    """The scenes of some rows."""
    boxes = np.asarray(arrays["boxes"][head.rows], np.float32)
    pixels = np.asarray(arrays["pixels"][head.rows], np.uint8)
    classes = own_classes.of_arrays("boxes", arrays)
    # Answers are numbered by the names of the classes: other names make stored results void.
    is_own = classes != own_classes.bundled("boxes")
    return SceneItems(
        key=head.key,
        title=head.title,
        pixels=pixels,
        boxes=boxes,
        labels=boxes[:, 0, 4].astype(np.int64),
        ids=head.rows,
        names=head.names,
        classes=classes,
        source=head.source,
        licence=head.licence,
        extra={"scale": arrays["scale"][head.rows]},
        fingerprint=sha_of(print_of(pixels, boxes), *classes)[:16] if is_own else "",
    )


def _read(path: Path) -> _Read:
    """What lies at a path: COCO's JSON where there is one, else a folder as COCO128 lies."""
    if path.is_dir() and not (said := sorted(path.glob("annotations/*.json"))):
        return _of_folder(path)
    return _of_json(said[0], path) if path.is_dir() else _of_json(path, path.parent)


def _of_folder(root: Path) -> _Read:
    by_number = read_names(root)
    names = tuple(dict.fromkeys(by_number.values()))
    label_of = coco.label_files(coco.label_folder(root))

    def truth(path: Path) -> Truth | None:
        found = coco.read_labels(label_of(path), by_number)
        if found is not None:
            found[:, 4] = [names.index(by_number[int(kind)]) for kind in found[:, 4]]
        return found

    return _Read(root, coco.photographs(root), truth, names)


def _of_json(path: Path, root: Path) -> _Read:
    """COCO's own layout: ``images``, ``annotations`` with ``bbox`` in px, ``categories``."""
    told = _json(path)
    by_id = {entry["id"]: str(entry["name"]).strip() for entry in told["categories"]}
    names = tuple(dict.fromkeys(by_id[number] for number in sorted(by_id)))
    place = {number: names.index(name) for number, name in by_id.items()}
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
            _row(entry, image, place)
            for entry in boxes.get(image["id"], ())
            if not entry.get("iscrowd")
        ]
        return np.array(rows, np.float64).reshape(-1, 5) if rows else None

    return _Read(root, paths, truth, names)


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
    _check_categories(told["categories"], path.name)
    found: dict[str, Any] = told
    return found


def _check_categories(categories: list[dict[str, Any]], file: str) -> None:
    for one in categories:
        if not isinstance(one.get("name"), str | int) or not str(one["name"]).strip():
            raise BadRequest(f"A category in {file} has no name.", 'Give each an id and a "name".')
        if not isinstance(one["id"], int):
            raise BadRequest(
                f"The category {one['name'][:40]!r} in {file} has the id {str(one['id'])[:40]!r}.",
                "Ids of categories are whole numbers.",
            )


def _row(entry: dict[str, Any], image: dict[str, Any], place: dict[int, int]) -> list[float]:
    """One annotation as corners in fractions of its photograph, and class."""
    what = f"annotation {entry.get('id', '?')}"
    asked = entry.get("category_id")
    kind = place.get(asked) if isinstance(asked, int) else None
    if kind is None:
        raise BadRequest(f"{what} has the category {asked}, which is not named.")
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
    return [*(min(1.0, corner) for corner in corners), float(kind)]
