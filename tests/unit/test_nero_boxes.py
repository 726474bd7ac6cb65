"""Boxes: overlap, clipping, matching, average precision, consensus; answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from backend.nero import boxes

NAN = np.nan
SHIFTS = np.array([[x, y] for y in (-64, 0, 60) for x in (-64, 0, 60)], np.float64)


def answers(*rows: tuple[float, ...], k: int = 10) -> np.ndarray:
    """One crop's answers (k, 6), NaN below the given rows."""
    full = np.full((k, 6), NAN, np.float32)
    if rows:
        full[: len(rows)] = rows
    return full


def test_overlap_of_boxes_worked_out_by_hand() -> None:
    a = np.array([0.0, 0, 10, 10])
    # A 5 x 10 part in common out of 100 + 100 - 50.
    assert boxes.iou(a, np.array([5.0, 0, 15, 10])) == pytest.approx(50 / 150)
    assert boxes.iou(a, a) == 1
    assert boxes.iou(a, np.array([10.0, 0, 20, 10])) == 0  # they touch and share nothing
    assert boxes.iou(a, np.array([3.0, 3, 3, 3])) == 0  # an empty box


def test_overlap_of_missing_boxes_is_missing_not_zero() -> None:
    missing = np.full(4, NAN)
    assert np.isnan(boxes.iou(missing, np.array([0.0, 0, 1, 1])))
    assert np.isnan(boxes.iou(np.array([0.0, 0, 1, 1]), missing))


def test_two_empty_boxes_do_not_divide_by_zero() -> None:
    empty = np.array([2.0, 2, 2, 2])
    assert boxes.iou(empty, empty) == 0


@pytest.mark.parametrize(
    ("share", "fits"), [(0.9, False), (1.0, True), (50.0, True), (51.0, False)]
)
def test_a_key_object_covers_from_1_to_50_percent_of_the_crop(share: float, fits: bool) -> None:
    width = 128.0
    height = share / 100 * 128
    box = (64.0, 64.0, 64 + width, 64 + height)
    assert boxes.covers_enough(box) is fits


def test_no_shift_may_take_the_window_out_of_the_photograph() -> None:
    centred = (118.0, 118.0, 138.0, 138.0)  # of 256 px: the window of 256 px just fits
    assert boxes.window_stays_inside(centred, (256, 256), 64)
    assert not boxes.window_stays_inside((117.0, 118.0, 137.0, 138.0), (256, 256), 64)
    assert not boxes.window_stays_inside((118.0, 119.0, 138.0, 139.0), (256, 256), 64)
    assert boxes.window_stays_inside((118.0, 119.0, 138.0, 139.0), (256, 257), 64)


def test_the_filters_together() -> None:
    assert boxes.fits_orbit((118.0, 118.0, 138.0, 138.0), (256, 256), 64)
    assert not boxes.fits_orbit((127.0, 127.0, 129.0, 129.0), (256, 256), 64)  # 4 px of 16,384
    assert not boxes.fits_orbit((18.0, 118.0, 38.0, 138.0), (256, 256), 64)


def test_the_visible_part_of_a_box_is_what_counts() -> None:
    box = np.array([[[54.0, 54, 74, 74]]])
    seen = boxes.seen(box, np.array([[0.0, 0], [64, 0], [-64, -64]]))
    assert seen[0, :, 0].tolist() == [[54, 54, 74, 74], [118, 54, 128, 74], [0, 0, 10, 10]]


def test_less_than_a_fifth_of_an_object_is_nothing_to_ask_for() -> None:
    box = np.array([[[59.0, 59, 69, 69]]])
    shares = boxes.seen(box, np.array([[67.0, 0], [67.1, 0], [200, 0]]))
    assert shares[0, 0, 0].tolist() == [126, 59, 128, 69]  # 2 of 10 px: a fifth
    assert np.isnan(shares[0, 1:]).all()


def test_every_shift_of_a_centred_object_is_defined() -> None:
    for width, height in ((7, 31), (40, 40), (91, 89)):
        left, top = (128 - width) // 2, (128 - height) // 2
        box = np.array([[[left, top, left + width, top + height]]], float)
        assert np.isfinite(boxes.seen(box, SHIFTS)).all()


def test_the_surest_box_decides_whatever_the_order_of_confidences() -> None:
    """Three boxes of IOU 0.7, 0.2 and 0.1: the plotted value follows the surest (Fig. 5.11)."""
    truth = np.array([0.0, 0, 100, 100])
    wanted = (0.7, 0.2, 0.1)
    for confidences in ((0.9, 0.5, 0.3), (0.5, 0.9, 0.3), (0.3, 0.5, 0.9)):
        rows = [(0, 0, 100 * iou, 100, c, 1) for iou, c in zip(wanted, confidences, strict=True)]
        best, is_there = boxes.strongest(answers(*rows))
        assert is_there
        expected = wanted[int(np.argmax(confidences))]
        assert boxes.iou(best[:4], truth) == pytest.approx(expected)


def test_of_two_equal_confidences_the_first_counts() -> None:
    first, second = (0, 0, 10, 10, 0.5, 1), (50, 50, 60, 60, 0.5, 2)
    best, _ = boxes.strongest(answers(first, second))
    assert best.tolist() == list(first)
    best, _ = boxes.strongest(answers(second, first))
    assert best.tolist() == list(second)


def test_no_box_is_no_box() -> None:
    best, is_there = boxes.strongest(answers())
    assert not is_there
    assert np.isnan(best).all()


def test_one_object_is_found_once_only() -> None:
    truth = np.array([[[0.0, 0, 10, 10, 3]]])
    twice = answers((0, 0, 10, 10, 0.9, 3), (0, 0, 10, 9, 0.8, 3))[None]
    assert boxes.right_answers(twice, truth)[0, :2].tolist() == [True, False]


def test_an_answer_of_another_class_is_wrong() -> None:
    truth = np.array([[[0.0, 0, 10, 10, 3]]])
    scores = boxes.scored(answers((0, 0, 10, 10, 0.9, 2))[None], truth)
    assert [float(v[0]) for v in scores] == [0, 0, 0, 0]


def test_an_overlap_of_exactly_a_half_is_not_enough() -> None:
    truth = np.array([[[0.0, 0, 10, 10, 3]]])
    half, more = (0, 0, 10, 5, 0.9, 3), (0, 0, 10, 5.1, 0.9, 3)
    assert not boxes.right_answers(answers(half)[None], truth).any()
    assert boxes.right_answers(answers(more)[None], truth).any()


def test_scores_worked_out_by_hand() -> None:
    """Two objects of a class, three answers: right, wrong, right."""
    truth = np.array([[[0.0, 0, 10, 10, 3], [50, 50, 60, 60, 3]]])
    rows = answers((0, 0, 10, 10, 0.9, 3), (90, 90, 99, 99, 0.8, 3), (50, 50, 60, 60, 0.7, 3))
    scores = boxes.scored(rows[None], truth)
    assert scores.precision[0] == pytest.approx(2 / 3)
    assert scores.recall[0] == 1
    assert scores.f1[0] == pytest.approx(0.8)
    # Precision 1 up to a recall of 1/2, then 2/3.
    assert scores.ap[0] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_average_precision_is_the_mean_over_the_classes_that_are_there() -> None:
    truth = np.array([[[0.0, 0, 10, 10, 3], [50, 50, 60, 60, 4]]])
    only_one = boxes.scored(answers((0, 0, 10, 10, 0.9, 3))[None], truth)
    assert only_one.ap[0] == pytest.approx(0.5)
    # A false alarm of a class that is not there costs precision, not the AP of the others.
    alarm = answers((9, 9, 30, 30, 0.95, 7), (0, 0, 10, 10, 0.9, 3))
    scores = boxes.scored(alarm[None], truth)
    assert scores.ap[0] == pytest.approx(0.5)
    assert scores.precision[0] == pytest.approx(0.5)


def test_a_missed_object_scores_zero_and_no_object_is_missing() -> None:
    truth = np.full((2, 1, 5), NAN)
    truth[0, 0] = (0, 0, 10, 10, 3)
    none = np.stack([answers(), answers()])
    for values in boxes.scored(none, truth):
        assert values[0] == 0
        assert np.isnan(values[1])


def test_consensus_of_boxes_that_follow_their_object_is_the_box() -> None:
    box = np.array([40.0, 30, 70, 90])
    along = np.stack([answers((*boxes.moved(box, t), 0.8, 5)) for t in SHIFTS])[None]
    value, used = boxes.consensus(along, SHIFTS)
    assert value[0].tolist() == [*box, 5]
    assert used.tolist() == [len(SHIFTS)]


def test_consensus_leaves_out_crops_without_a_box_and_counts_the_rest() -> None:
    box = np.array([40.0, 30, 70, 90])
    along = np.stack([answers((*boxes.moved(box, t), 0.8, 5)) for t in SHIFTS])[None]
    along[0, 3] = NAN
    along[0, 7] = NAN
    value, used = boxes.consensus(along, SHIFTS)
    assert value[0, :4].tolist() == box.tolist()
    assert used.tolist() == [len(SHIFTS) - 2]
    value, used = boxes.consensus(np.full_like(along, NAN), SHIFTS)
    assert np.isnan(value).all()
    assert used.tolist() == [0]


def test_the_class_of_a_consensus_is_the_most_frequent_one_not_a_mean() -> None:
    kinds = (1, 1, 9, 9, 9, 1, 1, 2, 2)
    along = np.stack(
        [answers((*boxes.moved(np.array([40.0, 30, 70, 90]), t), 0.8, k))
         for t, k in zip(SHIFTS, kinds, strict=True)]
    )[None]  # fmt: skip
    value, _ = boxes.consensus(along, SHIFTS)
    assert value[0, 4] == 1


def test_random_errors_cancel_in_the_consensus_like_one_over_the_root_of_their_number() -> None:
    rng = np.random.default_rng(0)
    errors = []
    for count in (16, 1024):
        shifts = rng.integers(-32, 32, (count, 2)).astype(float)
        box = np.tile([40.0, 40, 88, 88], (200, count, 1)) + rng.normal(0, 3, (200, count, 4))
        along = np.full((200, count, 10, 6), NAN)
        along[:, :, 0, :4] = boxes.moved(box, shifts)
        along[:, :, 0, 4:] = (0.5, 1)
        value, _ = boxes.consensus(along, shifts)
        errors.append(float(np.std(value[:, :4] - [40, 40, 88, 88])))
    assert errors[0] / errors[1] == pytest.approx(8, rel=0.1)
    assert errors[1] == pytest.approx(3 / 32, rel=0.1)
