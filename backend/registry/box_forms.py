"""How registered detectors write boxes, and how that is read.

Three forms are read, told apart by names and shapes of the outputs:

- ``boxes``: the answer is final. One array (b, n, 6) of x0, y0, x1, y1 in px of the input, score
  and class; or ``boxes`` (b, n, 4), ``scores`` and ``labels`` (b, n), as torchvision's have it.
- ``anchors``: a row for each place of a grid, as YOLO's have it: middle, width and height in px of
  the input, or as fractions of it, perhaps an objectness, and a score for each class;
  (b, 4 + k, n) or (b, n, 4 + k).
- ``queries``: ``logits`` (b, q, k or k + 1) and ``pred_boxes`` (b, q, 4), middle and size as
  fractions of the input, as DETR's have it; with k + 1 the last is "nothing".
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.nero.boxes import BOXES, BROKEN, MIN_SCORE, iou
from backend.protocols import F32
from backend.registry.answers import Output
from backend.registry.outputs import ONLY, Named, first, stacked
from backend.registry.spec import ModelSpec

SAME_OBJECT: Final = 0.5  # IOU from which the less sure of two anchors of a class is dropped
CANDIDATES: Final = 300  # surest anchors of a crop that are looked at
FINAL_ROWS: Final = 1000  # more rows of six numbers than this are anchors of one class
MOST_PLACE: Final = 2.0  # a middle or a side beyond this is no fraction of the input
SLACK: Final = 1e-3
Broken = NDArray[np.bool_]  # (b,) whose answer is not finite


def layout_of(named: Named, classes: int) -> Output:
    """The form of an answer, told from names and shapes.

    Raises:
        BadRequest: it is none of the three.
    """
    if "pred_boxes" in named or _queries_of(named) is not None:
        return "queries"
    if {"boxes", "scores", "labels"} <= named.keys():
        return "boxes"
    for table in _tables(named):
        if _is_final(table):
            return "boxes"
        if {4 + classes, 5 + classes} & set(table.shape[1:]):
            return "anchors"
    raise BadRequest(
        f"The model's answer ({_shapes(named)}) cannot be read as boxes of {classes} classes.",
        "Read are (b, n, 6), outputs called boxes, scores and labels, (b, 4 + classes, n) of YOLO, "
        "and logits with pred_boxes of DETR.",
    )


def classes_in(named: Named) -> int:
    """How many classes an answer tells apart; 0 where it does not say."""
    found = _queries_of(named)
    if found is not None:
        return int(found[0].shape[2])
    table = next(iter(_tables(named)), None)
    if table is None or _is_final(table):
        return 0
    # YOLO from version 8 lays its columns first and has no objectness, those before had both.
    columns = int(min(table.shape[1:])) - (4 if table.shape[1] < table.shape[2] else 5)
    return max(0, columns)


def doubts(named: Named, *, is_said: bool) -> list[str]:
    """What an answer of logits and boxes may be instead, in sentences.

    Args:
        is_said: whether the owner or the file has said what the classes are.
    """
    found = _queries_of(named)
    if found is None:
        return []
    logits, notes = found[0], []
    if not is_said:
        notes.append(
            f"Its {logits.shape[2]} classes are counted from its logits: if the last of them "
            f"stands for nothing, as DETR's does, say --classes {logits.shape[2] - 1}."
        )
    if logits.size and logits.min() >= 0 and logits.max() <= 1:
        notes.append(
            "Its logits all lie from 0 to 1: if they are confidences already, export what is "
            "before the sigmoid or softmax."
        )
    return notes


def of_crops(named: Named) -> Named:
    """The answer with one table where it has a table (n, 6) for each crop."""
    tables = list(named.values())
    if all(table.ndim == 2 and table.shape[1] == 6 for table in tables):
        return {ONLY: stacked(tables)}
    return named


def _tables(named: Named) -> list[F32]:
    """Arrays of three axes, those called ``boxes`` or ``output`` first."""
    names = sorted(named, key=lambda name: name not in ("boxes", ONLY))
    return [named[name] for name in names if named[name].ndim == 3]


def _is_final(table: F32) -> bool:
    return bool(table.shape[2] == 6 and table.shape[1] <= FINAL_ROWS)


def _shapes(named: Named) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in list(named.items())[:4])


def read(spec: ModelSpec, named: Named, count: int) -> F32:
    """Boxes ``(count, 10, 6)`` in px of the input, the surest first, NaN rows below."""
    named = of_crops(named)
    layout = layout_of(named, len(spec.classes)) if spec.output == "auto" else spec.output
    readers = {"boxes": _final, "anchors": _anchors, "queries": _queries}
    rows = readers[layout](spec, named)
    if len(rows) != count:
        raise BadRequest(
            f"The model answered {count} crop(s) with {len(rows)} set(s) of boxes.",
            "There must be one for each crop; a model for one picture at a time is exported with "
            "a fixed batch of 1.",
        )
    return rows


def _final(spec: ModelSpec, named: Named) -> F32:
    is_apart = "scores" in named and "labels" in named
    tables = [one for one in _tables(named) if one.shape[2] == 6]
    table: F32 = _joined(named) if is_apart else (tables or [first(named)])[0].copy()
    if table.ndim != 3 or table.shape[2] != 6:
        raise BadRequest(
            f"The model answers with boxes of shape {table.shape}.",
            "Needed are (b, n, 6): x0, y0, x1, y1 in px, score, class.",
        )
    is_row = ~np.isnan(table).all(axis=2)
    is_whole = np.isfinite(table).all(axis=2)
    is_broken: Broken = np.any(is_row & ~is_whole, axis=1)
    scores = np.where(is_whole, table[..., 4], -1)
    return _surest(spec, table, scores, is_broken)


def _joined(named: Named) -> F32:
    """Boxes, scores and labels as one table ``(b, n, 6)``.

    Raises:
        BadRequest: one is missing, or they do not fit together.
    """
    boxes = named.get("boxes", np.zeros(0, np.float32))
    parts = [named[name] for name in ("scores", "labels")]
    scores, labels = (one[..., 0] if one.shape == (*boxes.shape[:-1], 1) else one for one in parts)
    if boxes.ndim == 2:  # as exports for a single image have it
        boxes, scores, labels = boxes[None], scores[None], labels[None]
    is_form = boxes.ndim == 3 and boxes.shape[2] == 4
    if not is_form or not boxes.shape[:2] == scores.shape == labels.shape:
        raise BadRequest(
            f"The model's answer ({_shapes(named)}) does not fit together.",
            "Needed are boxes (b, n, 4) in px, scores (b, n) and labels (b, n).",
        )
    return np.concatenate([boxes, scores[..., None], labels[..., None]], axis=2)


def _anchors(spec: ModelSpec, named: Named) -> F32:
    classes = len(spec.classes)
    wanted = {4 + classes, 5 + classes}
    answer = next((one for one in _tables(named) if wanted & set(one.shape[1:])), None)
    if answer is None:
        raise BadRequest(
            f"The model's answer ({_shapes(named)}) holds no grid of anchors of {classes} classes.",
            f"One axis must have {4 + classes} or {5 + classes} numbers. Check --classes.",
        )
    if answer.shape[2] not in wanted:
        answer = answer.transpose(0, 2, 1)
    scores = answer[..., -classes:]
    if answer.shape[2] == 5 + classes:
        scores = scores * answer[..., 4:5]
    places = answer[..., :4]
    if places.size:  # a grid in px reaches over the input; RT-DETR of Ultralytics has fractions
        is_share = places.max(axis=(1, 2), keepdims=True) <= MOST_PLACE
        places = np.where(is_share, places * _sides(spec), places)
    return _apart(spec, _corners(places), scores, _broken(answer))


def _queries(spec: ModelSpec, named: Named) -> F32:
    found = _queries_of(named)
    if found is None:
        raise BadRequest(
            f"The model's answer ({_shapes(named)}) has no logits (b, q, k) with pred_boxes "
            "(b, q, 4).",
            "Check --output.",
        )
    logits, places = found
    most = np.abs(places[np.isfinite(places)]).max(initial=0)
    if most > MOST_PLACE:
        raise BadRequest(
            f"The model gives places of boxes up to {most:.4g}.",
            "Beside logits they are fractions of the input: middle x, y, width, height. Boxes in "
            "px are read as one array (b, n, 6).",
        )
    classes = len(spec.classes)
    if logits.shape[2] == classes + 1:
        raised = np.exp(logits - logits.max(axis=2, keepdims=True))
        scores = (raised / raised.sum(axis=2, keepdims=True))[..., :classes]
    elif logits.shape[2] == classes:
        scores = 1 / (1 + np.exp(-logits))
    else:
        raise BadRequest(
            f"The model answers about {logits.shape[2]} classes, and {classes} are named.",
            f"Write --classes {logits.shape[2]}, or their names (without that of nothing).",
        )
    corners = _corners(places) * _sides(spec)
    masked = np.where(np.isneginf(logits), 0, logits)  # a class that cannot be is no fault
    is_broken = _broken(masked) | _broken(places)
    kinds = scores.argmax(axis=2)
    best = np.take_along_axis(scores, kinds[..., None], axis=2)[..., 0]
    table = np.concatenate([corners, best[..., None], kinds[..., None]], axis=2)
    return _surest(spec, table, best, is_broken)


def _queries_of(named: Named) -> tuple[F32, F32] | None:
    """Logits ``(b, q, c)`` and boxes ``(b, q, 4)`` by their names, or two outputs of that form."""
    if "logits" in named and "pred_boxes" in named:
        logits, places = named["logits"], named["pred_boxes"]
    elif len(named) == 2 and "scores" not in named:
        logits, places = named.values()
        if places.shape[-1:] != (4,) or (logits.shape == places.shape and _are_fractions(logits)):
            logits, places = places, logits
    else:
        return None
    is_form = logits.ndim == places.ndim == 3 and places.shape[2] == 4
    return (logits, places) if is_form and logits.shape[:2] == places.shape[:2] else None


def _are_fractions(places: F32) -> bool:
    return bool(places.size and places.min() >= 0 and places.max() <= 1)


def _sides(spec: ModelSpec) -> F32:
    """Width, height, width, height of the input in px."""
    height, width = spec.input[1:]
    return np.array([width, height] * 2, np.float32)


def _broken(answer: F32) -> Broken:
    """Which crops ``(b,)`` have an answer ``(b, ...)`` that is not finite throughout."""
    flat = answer.reshape(len(answer), -1)
    found: Broken = np.any(~np.isfinite(flat), axis=1)
    return found


def _corners(places: F32) -> F32:
    """Middle, width and height ``(..., 4)`` as x0, y0, x1, y1."""
    middle, half = places[..., :2], places[..., 2:] / 2
    found: F32 = np.concatenate([middle - half, middle + half], axis=-1)
    return found


def _apart(spec: ModelSpec, corners: F32, scores: F32, is_broken: Broken) -> F32:
    """The surest anchors of each crop that are not of the same object (non-maximum suppression,
    by class), all crops at once.
    """
    kinds = scores.argmax(axis=2)
    best = np.take_along_axis(scores, kinds[..., None], axis=2)[..., 0]
    keep = np.argsort(-best, axis=1, kind="stable")[:, :CANDIDATES]
    table = np.concatenate([corners, best[..., None], kinds[..., None]], axis=2)
    table = np.take_along_axis(table, keep[..., None], axis=1)
    crops, left = np.arange(len(table)), table[..., 4].copy()
    is_picked = np.zeros(left.shape, np.bool_)
    for _ in range(BOXES if left.shape[1] else 0):
        pick = left.argmax(axis=1)
        is_picked[crops, pick] |= left[crops, pick] > 0
        taken = table[crops, pick][:, None]
        is_same = iou(table[..., :4], taken[..., :4]) > SAME_OBJECT
        left[is_same & (table[..., 5] == taken[..., 5])] = 0
        left[crops, pick] = 0
    return _surest(spec, table, np.where(is_picked, table[..., 4], -1), is_broken)


def _surest(spec: ModelSpec, table: F32, scores: F32, is_broken: Broken) -> F32:
    """The ten surest rows of at least the least score, cut at the rim of the input."""
    known = scores[np.isfinite(scores)]
    if known.size and known.max() > 1 + SLACK:
        raise BadRequest(
            f"The model gives a confidence of {known.max():.4g}.",
            "Confidences lie from 0 to 1: check --classes and --output, and export the model with "
            "its sigmoid or softmax.",
        )
    order = np.argsort(-scores, axis=1, kind="stable")[:, :BOXES]
    kept = np.take_along_axis(table, order[..., None], axis=1)
    sure = np.take_along_axis(scores, order, axis=1)
    kept[..., :4] = np.clip(kept[..., :4], 0, _sides(spec))
    kept[..., 4] = sure.clip(0, 1)
    kept[~(sure >= MIN_SCORE)] = np.nan
    out = np.full((len(table), BOXES, 6), np.nan, np.float32)
    out[:, : kept.shape[1]] = kept
    out[is_broken] = np.nan
    out[is_broken, 0, 4] = BROKEN
    _check_classes(spec, out)
    return out


def _check_classes(spec: ModelSpec, rows: F32) -> None:
    kinds = rows[..., 5][np.isfinite(rows[..., 5])]
    if kinds.size and not (kinds.min() >= 0 and kinds.max() < len(spec.classes)):
        raise BadRequest(
            f"The model gave a box the class {kinds.max():g}, and {len(spec.classes)} are named.",
            "Give all names in the order of its numbers; torchvision's begin with __background__.",
        )
