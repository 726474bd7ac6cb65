"""Registered detectors: crops in, boxes out, however their networks write boxes.

Three forms are read, told apart by names and shapes of the outputs:

- ``boxes``: the answer is final. One array (b, n, 6) of x0, y0, x1, y1 in px of the input, score
  and class; or ``boxes`` (b, n, 4), ``scores`` and ``labels`` (b, n), as torchvision's have it.
- ``anchors``: a row for each place of a grid, as YOLO's have it: middle, width and height in px of
  the input, perhaps an objectness, and a score for each class; (b, 4 + k, n) or (b, n, 4 + k).
- ``queries``: ``logits`` (b, q, k or k + 1) and ``pred_boxes`` (b, q, 4), middle and size as
  fractions of the input, as DETR's have it; with k + 1 the last is "nothing".
"""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from backend.detectors import MIN_SCORE, check_crops, check_windows
from backend.errors import BadRequest
from backend.nero.boxes import BOXES, BROKEN, CROP_PX, iou
from backend.protocols import F32, I64, U8
from backend.registry.answers import Output
from backend.registry.networks import InPieces, Network
from backend.registry.outputs import Named, first
from backend.registry.spec import ModelSpec
from models.cards import ModelCard

SAME_OBJECT: Final = 0.5  # IOU from which the less sure of two anchors of a class is dropped
CANDIDATES: Final = 300  # surest anchors of a crop that are looked at
FINAL_ROWS: Final = 1000  # more rows of six numbers than this are anchors of one class
SLACK: Final = 1e-3
Broken = NDArray[np.bool_]  # (b,) whose answer is not finite


class OwnDetector:
    """A registered detector; see :mod:`backend.detectors` for its answers.

    Args:
        spec: its form of an answer may be ``auto``.
        ask: the spec's network.
    """

    def __init__(self, spec: ModelSpec, card: ModelCard, ask: Network) -> None:
        self.card = card
        self.device = ask.device
        self._ask = InPieces(ask, spec, partial(_read, spec))
        self._size = spec.input[1:]

    def predict(self, batch: F32) -> F32:
        """Boxes ``(b, 10, 6)`` in px of crops ``(b, 3, 128, 128)`` in [0, 1].

        Raises:
            BadRequest: the crops have another form, or the answers cannot be read as boxes.
        """
        check_crops(batch, self.card.key)
        if not len(batch):
            return np.empty((0, BOXES, 6), np.float32)
        step = self._ask.size
        pieces = (batch[start : start + step] for start in range(0, len(batch), step))
        return self._in_crops(np.concatenate([self._ask(self._enlarged(one)) for one in pieces]))

    def predict_windows(self, scene: U8 | F32, corners: I64) -> F32:
        """Boxes ``(m, 10, 6)`` of the crops of a scene ``(3, h, w)`` at ``(m, 2)`` corners, row and
        column; never more than one piece of crops exists.

        Raises:
            BadRequest: as :meth:`predict`, or a crop leaves the scene.
        """
        check_windows(scene, corners)
        whole = scene.astype(np.float32) / (255.0 if scene.dtype == np.uint8 else 1.0)
        step, found = self._ask.size, [np.empty((0, BOXES, 6), np.float32)]
        for start in range(0, len(corners), step):
            group = corners[start : start + step].tolist()
            crops = [whole[:, y : y + CROP_PX, x : x + CROP_PX] for y, x in group]
            found.append(self.predict(np.stack(crops).astype(np.float32)))
        return np.concatenate(found)

    def named(self, crops: F32) -> Named:
        """The network's own answers to crops, at most as many as go in one piece."""
        return self._ask.named(self._enlarged(crops))

    def _enlarged(self, crops: F32) -> F32:
        """Crops at the size that the network takes."""
        if self._size == (CROP_PX, CROP_PX):
            return crops
        tensor = torch.from_numpy(np.ascontiguousarray(crops))
        made: F32 = functional.interpolate(
            tensor, self._size, mode="bilinear", align_corners=False, antialias=True
        ).numpy()
        return made.clip(0, 1)

    def _in_crops(self, boxes: F32) -> F32:
        """Boxes in px of the input as boxes in px of the crop."""
        height, width = self._size
        boxes[..., :4] *= np.float32(CROP_PX) / np.array([width, height] * 2, np.float32)
        return boxes


def layout_of(named: Named, classes: int) -> Output:
    """The form of an answer, told from names and shapes.

    Raises:
        BadRequest: it is none of the three.
    """
    if "pred_boxes" in named or _queries_of(named) is not None:
        return "queries"
    if {"boxes", "scores", "labels"} <= named.keys():
        return "boxes"
    answer = first(named, "boxes", "output")
    if answer.ndim == 3:
        if answer.shape[2] == 6 and answer.shape[1] <= FINAL_ROWS:
            return "boxes"
        columns = min(answer.shape[1:])
        if columns in (4 + classes, 5 + classes) or (not classes and columns > 4):
            return "anchors"
    shapes = ", ".join(f"{name} {array.shape}" for name, array in list(named.items())[:4])
    raise BadRequest(
        f"The model's answer ({shapes}) cannot be read as boxes of {classes} classes.",
        "Read are (b, n, 6), boxes with scores and labels, (b, 4 + classes, n) of YOLO, and logits "
        "with pred_boxes of DETR.",
    )


def classes_in(named: Named) -> int:
    """How many classes an answer tells apart; 0 where it does not say."""
    found = _queries_of(named)
    if found is not None:
        return int(found[0].shape[2])
    answer = first(named, "output")
    if answer.ndim != 3 or (answer.shape[2] == 6 and answer.shape[1] <= FINAL_ROWS):
        return 0
    # YOLO from version 8 lays its columns first and has no objectness, those before had both.
    return int(min(answer.shape[1:])) - (4 if answer.shape[1] < answer.shape[2] else 5)


def _read(spec: ModelSpec, named: Named, count: int) -> F32:
    """Boxes ``(count, 10, 6)`` in px of the input, the surest first, NaN rows below."""
    layout = layout_of(named, len(spec.classes)) if spec.output == "auto" else spec.output
    readers = {"boxes": _final, "anchors": _anchors, "queries": _queries}
    rows = readers[layout](spec, named)
    if len(rows) != count:
        raise BadRequest(
            f"The model answered {count} crops with {len(rows)} sets of boxes.",
            "There must be one for each crop; say so if its file fixes the batch.",
        )
    return rows


def _final(spec: ModelSpec, named: Named) -> F32:
    if "scores" in named and "labels" in named:
        boxes, scores, labels = (named[name] for name in ("boxes", "scores", "labels"))
        if boxes.ndim == 2:  # as exports for a single image have it
            boxes, scores, labels = boxes[None], scores[None], labels[None]
        table = np.concatenate([boxes, scores[..., None], labels[..., None]], axis=2)
    else:
        table = first(named, "output").copy()
    if table.ndim != 3 or table.shape[2] != 6:
        raise BadRequest(
            f"The model answers with boxes of shape {table.shape}.",
            "Needed are (b, n, 6): x0, y0, x1, y1 in px, score, class.",
        )
    is_row = ~np.isnan(table).all(axis=2)
    is_broken: Broken = (is_row & ~np.isfinite(table).all(axis=2)).any(axis=1)
    scores = np.where(is_row & np.isfinite(table).all(axis=2), table[..., 4], -1)
    return _surest(spec, table, scores, is_broken)


def _anchors(spec: ModelSpec, named: Named) -> F32:
    answer, classes = first(named, "output"), len(spec.classes)
    if answer.ndim != 3 or not {4 + classes, 5 + classes} & set(answer.shape[1:]):
        raise BadRequest(
            f"The model answers with the shape {answer.shape}, which is no grid of anchors of "
            f"{classes} classes.",
            f"One axis must have {4 + classes} or {5 + classes} numbers. Check --classes.",
        )
    if answer.shape[2] not in (4 + classes, 5 + classes):
        answer = answer.transpose(0, 2, 1)
    scores = answer[..., -classes:]
    if answer.shape[2] == 5 + classes:
        scores = scores * answer[..., 4:5]
    is_broken = _broken(answer)
    return _apart(spec, _corners(answer[..., :4]), scores, is_broken)


def _queries(spec: ModelSpec, named: Named) -> F32:
    found = _queries_of(named)
    if found is None:
        raise BadRequest("The model's answer has no logits with pred_boxes.", "Check --output.")
    logits, places = found
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
    height, width = spec.input[1:]
    corners = _corners(places) * np.array([width, height] * 2, np.float32)
    masked = np.where(np.isneginf(logits), 0, logits)  # a class that cannot be is no fault
    is_broken = _broken(masked) | _broken(places)
    kinds = scores.argmax(axis=2)
    best = np.take_along_axis(scores, kinds[..., None], axis=2)[..., 0]
    table = np.concatenate([corners, best[..., None], kinds[..., None]], axis=2)
    return _surest(spec, table, best, is_broken)


def _queries_of(named: Named) -> tuple[F32, F32] | None:
    """Logits ``(b, q, c)`` and boxes ``(b, q, 4)`` by their names, or two outputs of that form."""
    if "logits" in named and "pred_boxes" in named:
        return named["logits"], named["pred_boxes"]
    parts = list(named.values())
    if len(parts) == 2 and "scores" not in named:
        (one, other) = parts if parts[1].shape[-1:] == (4,) else parts[::-1]
        if one.ndim == other.ndim == 3 and other.shape[2] == 4 and one.shape[1] == other.shape[1]:
            return one, other
    return None


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
    for _ in range(BOXES):
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
            "Confidences lie from 0 to 1: export the model with its sigmoid or softmax.",
        )
    order = np.argsort(-scores, axis=1, kind="stable")[:, :BOXES]
    kept = np.take_along_axis(table, order[..., None], axis=1)
    sure = np.take_along_axis(scores, order, axis=1)
    height, width = spec.input[1:]
    kept[..., :4] = np.clip(kept[..., :4], 0, np.array([width, height] * 2, np.float32))
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
