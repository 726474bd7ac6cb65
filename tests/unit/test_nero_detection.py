"""The detection task on scenes whose truth is constructed: oracles, blind and broken detectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.nero import consensus, evaluate, orbits
from backend.nero.consensus import correlation
from backend.nero.tasks import TASKS
from backend.nero.tasks.detection import ELSE, Detection, checked, renumbering
from backend.scenes import SceneItems
from models.class_names import COCO

ORBIT = orbits.translations(64, 16)
X, Y = ORBIT.positions.T
BIRD, CAR = COCO.index("bird"), COCO.index("car")
TASK = TASKS["detection"]
Detector = Callable[[np.ndarray], np.ndarray]


def scene(width: int = 24, height: int = 16, at: tuple[int, int] = (128, 128)) -> np.ndarray:
    """A black scene (256, 256, 3) with one white thing, its middle at ``at``."""
    pixels = np.zeros((256, 256, 3), np.uint8)
    left, top = at[0] - width // 2, at[1] - height // 2
    pixels[top : top + height, left : left + width] = 255
    return pixels


def truth(width: int = 24, height: int = 16) -> np.ndarray:
    """The thing's row in px of the scene (5,)."""
    half_w, half_h = width // 2, height // 2
    return np.array([128 - half_w, 128 - half_h, 128 + half_w, 128 + half_h, BIRD], np.float32)


def one(width: int = 24, height: int = 16) -> tuple[np.ndarray, np.ndarray]:
    return scene(width, height)[None], truth(width, height)[None]


def oracle(crops: np.ndarray) -> np.ndarray:
    """Finds the white pixels that are in a crop."""
    found = np.full((len(crops), 1, 6), np.nan)
    for k, crop in enumerate(crops):
        rows, columns = np.nonzero(crop[0] > 0.5)
        if len(rows):
            found[k, 0] = (
                columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, 0.9, BIRD,
            )  # fmt: skip
    return found


def always(*rows: tuple[float, ...]) -> Detector:
    """Gives the same boxes whatever it sees."""
    return lambda crops: np.tile(np.array(rows, float), (len(crops), 1, 1))


def followed(box: tuple[float, ...]) -> Detector:
    """Answers with a box that moves with the white thing, also where the crop cuts it off."""

    def detect(crops: np.ndarray) -> np.ndarray:
        found = oracle(crops)
        # The thing is 24 x 16 px: its left top corner follows from what is visible of it.
        right, bottom = found[:, :, 2] < 128, found[:, :, 3] < 128
        x0 = np.where(right, found[:, :, 2] - 24, found[:, :, 0])
        y0 = np.where(bottom, found[:, :, 3] - 16, found[:, :, 1])
        corner = np.stack([x0, y0, x0, y0], -1)
        found[..., :4] = corner + np.array(box)
        return found

    return detect


def test_an_oracle_is_flat_at_one_where_it_is_cut_off_too() -> None:
    result = evaluate(oracle, "detection", ORBIT, one())
    for name in ("iou", "precision", "recall", "f1", "ap", "found"):
        assert result.metrics[name].shape == (1, 64)
        np.testing.assert_allclose(result.metrics[name], 1)
    np.testing.assert_allclose(result.metrics["iou_conf"], 0.9, atol=1e-6)


def test_a_detector_that_always_answers_the_middle_falls_off_with_the_shift() -> None:
    fine = orbits.translations(64, 4)
    blind = always((52, 56, 76, 72, 0.9, BIRD))
    iou = evaluate(blind, "detection", fine, one()).metric[0].reshape(32, 32)
    assert iou[16, 16] == 1
    right = iou[16, 16:]  # shifts of 0, 4, 8 ... to the right
    assert (np.diff(right) <= 0).all()
    # A shift of 8 of 24 px leaves 16 in common, of 32 together.
    assert right[2] == pytest.approx(16 / 32)
    assert (right[6:] == 0).all()  # from 24 px on nothing is shared
    np.testing.assert_allclose(iou[16, 12:16], right[4:0:-1])


def test_axes_say_how_the_object_moves_in_the_crop() -> None:
    """A bright pixel at a known place moves to the right and down with x and y."""
    pixels = np.zeros((1, 3, 256, 256), np.uint8)
    pixels[0, :, 128, 128] = 255
    element = int(np.flatnonzero((X == 32) & (Y == -16))[0])
    crop = ORBIT.act(pixels, np.array([element]))[0, 0]
    assert [int(v[0]) for v in np.nonzero(crop[0])] == [64 - 16, 64 + 32]


def test_a_box_moves_as_the_object_does() -> None:
    at_home = oracle(
        ORBIT.act(scene().transpose(2, 0, 1)[None], np.array([ORBIT.identity_index]))[0]
    )
    for element in (0, 9, 27, 63):
        crop = ORBIT.act(scene(8, 8).transpose(2, 0, 1)[None], np.array([element]))[0]
        moved = TASK.act_output(ORBIT, element, at_home.astype(np.float32))
        x, y = ORBIT.positions[element]
        np.testing.assert_allclose(moved[0, 0, :2], at_home[0, 0, :2] + [x, y])
        assert moved[0, 0, 4:].tolist() == at_home[0, 0, 4:].astype(np.float32).tolist()
        assert crop.shape == (1, 3, 128, 128)
    back = TASK.act_output(ORBIT, ORBIT.inverse(27), TASK.act_output(ORBIT, 27, at_home))
    np.testing.assert_allclose(back, at_home)


def test_consensus_of_a_detector_that_follows_its_object_is_its_own_answer() -> None:
    result = evaluate(followed((0, 0, 24, 16)), "detection", ORBIT, one())
    assert result.consensus is not None
    np.testing.assert_allclose(result.consensus.value, [[52, 56, 76, 72, BIRD]])
    assert result.consensus.used.tolist() == [64]
    for name, values in result.metrics.items():
        np.testing.assert_allclose(consensus(result).metrics[name], values, atol=1e-6)


def test_a_detector_that_is_wrong_alike_everywhere_agrees_with_its_consensus() -> None:
    shifted = followed((6, 0, 30, 16))
    result = evaluate(shifted, "detection", ORBIT, one())
    middle = result.metric[0, ORBIT.identity_index]
    assert middle == pytest.approx(18 / 30)
    agreed = consensus(result).metric[0]
    assert agreed[ORBIT.identity_index] == 1


def test_plots_by_truth_and_by_consensus_correlate_where_errors_are_local() -> None:
    def dips(crops: np.ndarray) -> np.ndarray:
        found = followed((0, 0, 24, 16))(crops)
        is_left = found[:, 0, 0] < 10
        found[is_left, 0, 2] -= 12
        return found

    result = evaluate(dips, "detection", ORBIT, one())
    assert correlation(result)[0] > 0.9


def test_no_box_is_a_miss_and_says_so() -> None:
    nothing: Detector = lambda crops: np.full((len(crops), 3, 6), np.nan)  # noqa: E731
    result = evaluate(nothing, "detection", ORBIT, one())
    for name in TASK.metrics:
        assert (result.metrics[name] == 0).all()
    assert result.consensus is not None
    assert np.isnan(result.consensus.value).all()
    assert result.consensus.used.tolist() == [0]
    assert np.isnan(consensus(result).metrics["iou"]).all()


def test_an_answer_that_is_not_finite_is_missing_and_not_a_miss() -> None:
    def broken(crops: np.ndarray) -> np.ndarray:
        found = oracle(crops)
        found[found[:, 0, 0] > 100, 0, 0] = np.inf
        return found

    result = evaluate(broken, "detection", ORBIT, one())
    is_broken = np.isnan(result.metrics["found"][0])
    assert is_broken.tolist() == (X + 52 > 100).tolist()
    assert np.isnan(result.metric[0][is_broken]).all()
    assert (result.metric[0][~is_broken] == 1).all()


def test_an_object_that_left_the_crop_is_missing() -> None:
    wide = np.zeros((1, 256, 256, 3), np.uint8)
    aside = np.array([[64, 120, 80, 136, BIRD]], np.float32)  # 56 px left of the middle
    result = evaluate(always((0, 0, 9, 9, 0.5, BIRD)), "detection", ORBIT, (wide, aside))
    assert np.isnan(result.metric[0][X <= -16]).all()
    assert np.isfinite(result.metric[0][X >= 0]).all()


def test_scenes_without_boxes_have_a_consensus_only() -> None:
    result = evaluate(oracle, "detection", ORBIT, (scene()[None], None))
    assert np.isnan(result.metric).all()
    assert result.labels.tolist() == [-1]
    assert result.consensus is not None
    assert np.isfinite(consensus(result).metric).all()


def test_the_ranking_alone_makes_a_dark_spot() -> None:
    """All crops get a box of IOU 0.7; where another one is surer, the plot is dark (Fig. 5.11)."""

    def rank(crops: np.ndarray) -> np.ndarray:
        good = followed((0, 0, 24, 16 * 0.7))(crops)[:, 0]
        poor = followed((0, 0, 24, 16 * 0.1))(crops)[:, 0]
        is_left = good[:, 0] < 52
        good[:, 4], poor[:, 4] = np.where(is_left, 0.3, 0.8), 0.5
        return np.stack([good, poor], 1)

    result = evaluate(rank, "detection", ORBIT, one())
    inside = (np.abs(X) < 48) & (np.abs(Y) < 48)
    np.testing.assert_allclose(result.metric[0][inside & (X < 0)], 0.1, atol=1e-5)
    np.testing.assert_allclose(result.metric[0][inside & (X >= 0)], 0.7, atol=1e-5)
    assert (result.metrics["recall"][0][inside] == 1).all()


def test_results_do_not_depend_on_the_batch_nor_on_company() -> None:
    scenes = np.stack([scene(), scene(40, 40)])
    rows = np.stack([truth(), truth(40, 40)])
    whole = evaluate(oracle, "detection", ORBIT, (scenes, rows))
    single = evaluate(oracle, "detection", ORBIT, (scenes, rows), batch_size=1)
    alone = evaluate(oracle, "detection", ORBIT, (scenes[1:], rows[1:]))
    for name, values in whole.metrics.items():
        np.testing.assert_array_equal(values, single.metrics[name])
        np.testing.assert_array_equal(values[1:], alone.metrics[name])


def test_stored_boxes_are_those_of_the_answers_to_a_sixteenth_of_a_px() -> None:
    exact = always((10.03, 20, 30, 40, 0.33333, BIRD))
    stored = evaluate(exact, "detection", ORBIT, one()).payload["boxes"]
    assert stored.shape == (1, 64, 10, 6)
    assert stored[0, 0, 0].tolist() == pytest.approx([10, 20, 30, 40, 0.33333, BIRD], abs=0.04)
    assert np.isnan(stored[0, 0, 1:]).all()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.zeros((1, 4)), "shape"),
        (np.zeros((2, 3, 6)), "1 crops"),
        (np.zeros((1, 3, 5)), "shape"),
        ([[[30, 20, 10, 40, 0.5, 1]]], "30, 20, 10, 40"),
        ([[[10, 20, 30, 40, 1.5, 1]]], "confidence 1.5"),
        ([[[0.1, 0.2, 0.3, 0.4, 0.5, 1]]], "beyond 1"),
        ([[[200, 20, 300, 40, 0.5, 1]]], "200, 20, 300, 40"),
    ],
)
def test_an_answer_in_the_wrong_form_is_named(answer: Any, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        checked(np.array(answer, float), 1)


def test_answers_are_sorted_by_confidence_and_cut_to_ten() -> None:
    rows = np.zeros((1, 12, 6))
    rows[0, :, 2:4] = 10
    rows[0, :, 0] = np.arange(12) / 10  # to tell them apart
    rows[0, :, 4] = [0.1, 0.5, 0.5, 0.9, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.05]
    kept = checked(rows, 1)[0]
    assert (kept[:, 0] * 10).round().astype(int).tolist() == [3, 1, 2, 4, 5, 6, 7, 8, 9, 10]


def test_classes_are_translated_by_name() -> None:
    answer = checked(np.array([[[0, 0, 9, 9, 0.9, 1], [0, 0, 9, 9, 0.8, 0]]]), 1)
    named = renumbering(("bird", "unicorn"), COCO)(answer)
    assert named[0, :2, 5].tolist() == [ELSE, BIRD]
    assert np.isnan(named[0, 2:, 5]).all()


def test_the_bundled_scenes_meet_the_filters_and_split_by_cutout() -> None:
    held: Any = TASK.gather("all")
    rows = held.truth(0, len(held))
    boxes = rows[:, 0, :4]
    share = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / 128**2
    assert ((share >= 0.01) & (share <= 0.5)).all()
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert (np.abs(middle - 64) <= 0.5).all()
    assert held.read(0, 2).shape == (2, 3, 256, 256)


def test_grey_pictures_are_refused() -> None:
    grey = np.zeros((2, 256, 256), np.uint8)
    with pytest.raises(BadRequest, match="shape"):
        TASK.gather((grey, None))


def test_a_box_outside_of_its_scene_is_refused() -> None:
    with pytest.raises(BadRequest, match="outside of a picture"):
        evaluate(oracle, "detection", ORBIT, (scene()[None], [[250, 10, 260, 20, CAR]]))


def test_a_scene_that_is_too_small_for_the_shifts_is_refused() -> None:
    small = np.zeros((1, 200, 200, 3), np.uint8)
    with pytest.raises(BadRequest, match="200 × 200"):
        evaluate(oracle, "detection", ORBIT, (small, None))


def test_an_orbit_of_another_domain_is_refused() -> None:
    with pytest.raises(BadRequest, match="scene"):
        evaluate(oracle, "detection", orbits.rotations(8), one())


def test_the_task_says_what_it_is() -> None:
    assert isinstance(TASK, Detection)
    assert (TASK.kind, TASK.domain, TASK.summary) == ("equivariant", "scene", "iou")
    assert next(iter(TASK.metrics)) == "iou"


def test_other_true_objects_count_for_precision_but_not_for_the_iou() -> None:
    rows = np.full((1, 2, 5), np.nan, np.float32)
    rows[0, 0], rows[0, 1] = truth(), (90, 90, 110, 110, CAR)
    both = always((52, 56, 76, 72, 0.9, BIRD), (26, 26, 46, 46, 0.8, CAR))
    result = evaluate(both, "detection", ORBIT, (scene()[None], rows))
    home = ORBIT.identity_index
    found = {name: float(values[0, home]) for name, values in result.metrics.items()}
    assert found["iou"] == 1
    assert (found["precision"], found["recall"], found["ap"]) == (1, 1, 1)


def test_an_item_set_may_be_given() -> None:
    items = SceneItems(
        key="k",
        title="t",
        pixels=scene()[None],
        boxes=truth()[None, None],
        labels=np.array([BIRD]),
        ids=np.array([7]),
        names=("white thing",),
        classes=COCO,
        source="made here",
        licence="none",
    )
    result = evaluate(oracle, "detection", ORBIT, items)
    assert result.item_ids.tolist() == [7]
    assert (result.metric == 1).all()
