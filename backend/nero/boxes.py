"""Boxes in numpy: overlap, clipping, precision and average precision, and their consensus.

A box is ``(x0, y0, x1, y1)`` in px, x to the right, y down, ``x0 <= x1`` and ``y0 <= y1``. Arrays
have boxes in their last axis, ``(..., 4)``; a detector's answers are ``(..., k, 6)`` rows of box,
score and class, NaN rows where there are fewer than k. A missing box is NaN throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.protocols import F32, I64

CROP_PX: Final = 128
BOXES: Final = 10
"""Boxes kept of each crop."""
MIN_SCORE: Final = 0.1
"""Boxes of less confidence are not answers; they would only fill up the ten."""
BROKEN: Final = float("-inf")
"""Score in the first row of a crop whose answer is not finite; a crop without boxes has NaN."""
IOU_NEEDED: Final = 0.5
"""A prediction is right when it overlaps a true box of its class by more than this."""
MIN_SHARE, MAX_SHARE = 0.01, 0.5
"""A key object's box covers from 1 % to 50 % of the crop (Zhao 2024, section 5.5)."""
VISIBLE_SHARE: Final = 0.2
"""An object counts as being in a crop when at least this share of its box is.

Shifts of up to 64 px put a centred object's centre at most on the crop's corner, where a quarter
of its box is left (a little less for an odd number of px). One fifth keeps every such shift defined
and leaves out objects of which a detector can see next to nothing.
"""
Floats = NDArray[Any]


class Scores(NamedTuple):
    """Per crop: each ``(...)`` float32, NaN where the crop holds no object."""

    precision: F32
    recall: F32
    f1: F32
    ap: F32


def area(boxes: Floats) -> Floats:
    """Areas ``(...)`` in square px; 0 for boxes that are turned inside out."""
    size = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    result: Floats = size[..., 0] * size[..., 1]
    return result


def iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union in [0, 1], broadcast; NaN where a box is missing, 0 for two empty
    boxes.
    """
    top_left = np.maximum(a[..., :2], b[..., :2])
    size = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - top_left, 0)
    both = size[..., 0] * size[..., 1]
    union = area(a) + area(b) - both
    return _share(both, union)


def clipped(boxes: Floats, side_px: int = CROP_PX) -> Floats:
    """The parts of boxes that lie in a square crop; empty boxes at its rim where none does."""
    return np.clip(boxes, 0, side_px)


def visible_share(boxes: Floats, side_px: int = CROP_PX) -> Floats:
    """How much of each box lies in the crop, in [0, 1]; NaN for missing, 0 for empty boxes."""
    whole = area(boxes)
    part = area(clipped(boxes, side_px))
    return _share(part, whole)


def _share(part: Floats, whole: Floats) -> Floats:
    """part / whole; NaN where that is missing, 0 where it is nothing."""
    empty = np.where(np.isnan(whole), np.nan, 0.0)
    share: Floats = np.divide(part, whole, out=empty, where=whole > 0)
    return share


def moved(boxes: Floats, shifts_px: Floats) -> Floats:
    """φ̃(t, box): boxes ``(..., 4)`` shifted by ``(..., 2)`` px, x and y."""
    shifted: Floats = boxes + np.concatenate([shifts_px, shifts_px], axis=-1)
    return shifted


def seen(boxes: Floats, shifts_px: Floats, side_px: int = CROP_PX) -> F32:
    """What of boxes ``(b, t, 4)`` is in the crop at each shift ``(e, 2)``: ``(b, e, t, 4)``.

    The visible part of each box; NaN where less than ``VISIBLE_SHARE`` of it is visible, because
    then there is nothing that a detector could be asked for.
    """
    there = moved(boxes[:, None], shifts_px[None, :, None])
    share = visible_share(there, side_px)
    is_in = share >= VISIBLE_SHARE  # a NaN is not
    return np.where(is_in[..., None], clipped(there, side_px), np.nan).astype(np.float32)


def fits_orbit(box: Sequence[float], size_px: tuple[int, int], max_shift_px: int) -> bool:
    """Whether a key object can be followed along all shifts (Zhao 2024, section 5.5).

    Args:
        box: x0, y0, x1, y1 in a photograph of ``size_px`` (width, height).
        max_shift_px: the crop around the box's centre moves by as much, both ways.
    """
    return covers_enough(box) and window_stays_inside(box, size_px, max_shift_px)


def covers_enough(box: Sequence[float]) -> bool:
    """Whether the box covers from 1 % to 50 % of a crop."""
    x0, y0, x1, y1 = box
    # Hundredths of a crop can miss the bound by rounding alone.
    share = round((x1 - x0) * (y1 - y0) / CROP_PX**2, 9)
    return MIN_SHARE <= share <= MAX_SHARE and x1 > x0 and y1 > y0


def window_stays_inside(box: Sequence[float], size_px: tuple[int, int], max_shift_px: int) -> bool:
    """Whether no shift of the crop around the box's centre leaves a photograph."""
    reach = CROP_PX // 2 + max_shift_px
    corner = window_corner(box, reach)
    return all(
        start >= 0 and start + 2 * reach <= size
        for start, size in zip(corner, size_px, strict=True)
    )


def window_corner(box: Sequence[float], reach_px: int) -> tuple[int, int]:
    """Left and top of the square of ``2 * reach_px`` whose centre is the box's, in whole px."""
    x0, y0, x1, y1 = box
    return round((x0 + x1) / 2) - reach_px, round((y0 + y1) / 2) - reach_px


def strongest(answers: Floats) -> tuple[F32, NDArray[np.bool_]]:
    """The most confident row ``(..., 6)`` of answers ``(..., k, 6)``, and whether there is any.

    Of equal confidences the first counts, in the order in which the model gave them. The row is NaN
    where there is no box.
    """
    scores = np.where(np.isnan(answers[..., 4]), -np.inf, answers[..., 4])
    first = scores.argmax(axis=-1)  # argmax takes the first of equal ones
    rows = np.take_along_axis(answers, first[..., None, None], axis=-2)[..., 0, :]
    is_there = np.isfinite(np.take_along_axis(scores, first[..., None], axis=-1)[..., 0])
    return np.where(is_there[..., None], rows, np.nan).astype(np.float32), is_there


def right_answers(answers: Floats, truth: Floats) -> NDArray[np.bool_]:
    """Which rows are right: ``(n, k)`` for answers ``(n, k, 6)`` and true rows ``(n, t, 5)``.

    From the most confident row on, each takes the still free true box of its class that it overlaps
    most, if by more than ``IOU_NEEDED``; further rows on the same object are wrong (Everingham et
    al. 2010). The rows must be sorted by confidence, the strongest first.
    """
    overlap = iou(answers[:, :, None, :4], truth[:, None, :, :4])
    is_same = answers[:, :, None, 5] == truth[:, None, :, 4]
    overlap = np.where(is_same & (overlap > IOU_NEEDED), overlap, 0.0)
    is_free = np.ones(truth.shape[:2], bool)
    right = np.zeros(answers.shape[:2], bool)
    every = np.arange(len(answers))
    for k in range(answers.shape[1]):
        open_ones = np.where(is_free, overlap[:, k], 0.0)
        best = open_ones.argmax(axis=1)
        right[:, k] = open_ones[every, best] > 0
        is_free[every[right[:, k]], best[right[:, k]]] = False
    return right


def scored(answers: Floats, truth: Floats) -> Scores:
    """Precision, recall, F1 and average precision of each crop.

    Args:
        answers: (n, k, 6), sorted by score.
        truth: (n, t, 5) rows of box and class, NaN where there are fewer.

    Returns:
        All ``(n,)``. A crop with an object and no answer has precision, recall, F1 and AP 0: the
        object was missed. AP is the area under the interpolated precision-recall curve of each
        class that is in the crop, averaged over these classes.
    """
    right = right_answers(answers, truth)
    is_answer = np.isfinite(answers[..., 4])
    is_true = np.isfinite(truth).all(axis=-1)
    hits = right.sum(axis=1)
    given, wanted = is_answer.sum(axis=1), is_true.sum(axis=1)
    precision = hits / np.maximum(given, 1)
    recall = hits / np.maximum(wanted, 1)
    f1 = 2 * hits / np.maximum(given + wanted, 1)
    ap = average_precision(answers, truth, right)

    def where_defined(values: Floats) -> F32:
        return np.where(wanted > 0, values, np.nan).astype(np.float32)

    return Scores(where_defined(precision), where_defined(recall), where_defined(f1), ap)


def average_precision(answers: Floats, truth: Floats, right: NDArray[np.bool_]) -> F32:
    """Area under the interpolated precision-recall curve ``(n,)``, averaged over true classes."""
    total, count = np.zeros(len(answers)), np.zeros(len(answers))
    for kind in np.unique(truth[..., 4][np.isfinite(truth[..., 4])]):
        wanted = ((truth[..., 4] == kind) & np.isfinite(truth[..., 0])).sum(axis=1)
        is_kind = answers[..., 5] == kind
        hits = np.cumsum(right & is_kind, axis=1)
        precision = hits / np.maximum(np.cumsum(is_kind, axis=1), 1)
        # The best precision at this recall or a higher one.
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        value = (best * (right & is_kind)).sum(axis=1) / np.maximum(wanted, 1)
        total += np.where(wanted > 0, value, 0.0)
        count += wanted > 0
    result: F32 = np.divide(total, count, out=np.full(len(answers), np.nan), where=count > 0)
    return result.astype(np.float32)


def consensus(answers: Floats, shifts_px: Floats) -> tuple[F32, I64]:
    """What a detector says of each scene on the whole (Zhao 2024, eq. 5.2).

    Args:
        answers: (b, e, k, 6) along the orbit.
        shifts_px: (e, 2), x and y.

    Returns:
        Rows ``(b, 5)``: the mean over the orbit of the most confident box, moved back by its shift,
        and the class that most of these boxes have (of equally many the one with the smallest
        number). NaN where no crop was answered. And ``(b,)``, how many crops were.

    A box that the crop cuts off has lost a part, so the mean of boxes that end at the crop's rim is
    a little smaller than the object.
    """
    best, is_there = strongest(answers)
    back = moved(best[..., :4].astype(np.float64), -shifts_px[None])
    used = is_there.sum(axis=1)
    total = np.where(is_there[..., None], back, 0.0).sum(axis=1)
    value = np.full((len(answers), 5), np.nan, np.float32)
    some = used > 0
    value[some, :4] = total[some] / used[some, None]
    for row in np.flatnonzero(some):
        kinds, votes = np.unique(best[row, is_there[row], 5], return_counts=True)
        value[row, 4] = kinds[votes.argmax()]
    return value, used.astype(np.int64)
