"""The detectors: what they read out of a grid, how crops are drawn, and their backends."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from backend.detectors import (
    SupportsWindows,
    TorchDetector,
    as_rows,
    build,
    from_torchvision,
    surest,
)
from backend.errors import BadRequest
from backend.nero.boxes import BROKEN, MIN_SCORE
from models.cards import load_cards
from models.centernet import COCO, CenterNet, SameConv, enlarged
from models.centernet import decode as decode_centernet
from models.convert_centernet import nodes
from models.detector import CropDetector, boxes_of, decode, overlap
from models.train_detector import cut, draw_shifts, loss_of, targets, visible

CARDS = load_cards()
CARD = dataclasses.replace(CARDS["detector-centernet"], key="tiny", classes=("a", "b"))
FLOOR = -20.0  # a logit that is no answer


def grid(*cells: tuple[int, int, int, float], classes: int = 2) -> Tensor:
    """Raw output (1, classes + 4, 16, 16): logits at (class, row, column), sides of 16 px."""
    raw = torch.full((1, classes + 4, 16, 16), FLOOR)
    raw[:, classes:] = 0
    for kind, row, column, logit in cells:
        raw[0, kind, row, column] = logit
    return raw


class Spots(nn.Module):
    """A detector without weights: every cell is as sure as the mean of its pixels is bright."""

    def forward(self, crops: Tensor) -> Tensor:
        heat = nn.functional.avg_pool2d(crops.mean(1, keepdim=True), 8)
        logits = 12 * heat - 6
        return torch.cat([logits, -logits - 8, torch.zeros_like(logits).expand(-1, 4, -1, -1)], 1)


def spots(batch: int = 4) -> TorchDetector:
    return TorchDetector(Spots(), lambda raw: decode(raw, MIN_SCORE), CARD, batch=batch)


def test_a_cell_says_where_its_box_is() -> None:
    raw = grid((1, 3, 5, 2.0))
    raw[0, 2:, 3, 5] = torch.tensor([10.0, 20, 30, 40]).div(16).log()
    found = decode(raw, 0.1)[0]
    # The cell's centre is at (44, 28).
    assert found[0].tolist() == pytest.approx([34, 8, 74, 68, 1 / (1 + np.exp(-2)), 1])
    assert torch.isnan(found[1:]).all()
    assert found.shape == (10, 6)


def test_boxes_end_at_the_rim_of_the_crop() -> None:
    raw = grid((0, 0, 15, 2.0))
    assert decode(raw, 0.1)[0, 0, :4].tolist() == [108, 0, 128, 20]


def test_a_cell_next_to_a_surer_one_of_its_class_is_no_box() -> None:
    found = decode(grid((0, 4, 4, 2.0), (0, 4, 5, 1.0), (1, 4, 5, 1.5), (0, 4, 8, 0.5)), 0.1)[0]
    kinds = [(int(k), float(x0)) for x0, _, _, _, s, k in found.tolist() if s == s]
    assert kinds == [(0, 20.0), (1, 28.0), (0, 52.0)]


def test_of_equally_sure_cells_the_first_comes_first() -> None:
    found = decode(grid((1, 2, 2, 1.0), (0, 9, 9, 1.0), (0, 9, 3, 1.0)), 0.1)[0]
    assert found[:3, 5].tolist() == [0, 0, 1]
    assert found[0, 0] < found[1, 0]


def test_what_is_less_sure_than_asked_for_is_left_out() -> None:
    raw = grid((0, 2, 2, 0.0), (0, 9, 9, -3.0))
    assert int(torch.isfinite(decode(raw, 0.1)[0, :, 4]).sum()) == 1
    assert int(torch.isfinite(decode(raw, 0.01)[0, :, 4]).sum()) == 2


def test_the_network_has_the_shape_its_card_says() -> None:
    raw = CropDetector(5).eval()(torch.rand(2, 3, 128, 128))
    assert raw.shape == (2, 9, 16, 16)
    parameters = sum(p.numel() for p in CropDetector(5).parameters())
    assert 200_000 < parameters < 400_000


def test_shifts_are_uniform_over_the_whole_px_of_their_level() -> None:
    draws = torch.Generator().manual_seed(0)
    for level, reach in ((33, 21), (67, 43), (100, 64)):
        shifts = draw_shifts(4000, level, draws)
        assert (int(shifts.min()), int(shifts.max())) == (-reach, reach)
        for axis in (0, 1):
            # Whole px from -reach to reach, each spread over its own px.
            spread = shifts[:, axis].numpy() + np.random.default_rng(axis).random(4000)
            uniform = stats.uniform(-reach, 2 * reach + 1)
            assert stats.kstest(spread, uniform.cdf).pvalue > 0.01
        assert abs(float(np.corrcoef(shifts.numpy().T)[0, 1])) < 0.05


def test_without_jitter_the_object_is_always_in_the_middle() -> None:
    shifts = draw_shifts(500, 0, torch.Generator().manual_seed(1))
    assert not shifts.any()
    scenes = np.zeros((1, 256, 256, 3), np.uint8)
    scenes[0, 120:136, 124:132] = 255
    crops = cut(scenes, torch.zeros(3, dtype=torch.int64), shifts[:3])
    rows, columns = np.nonzero(crops[0, 0].numpy())
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (56, 71, 60, 67)


def test_a_training_crop_shows_the_object_where_its_box_says() -> None:
    scenes = np.zeros((1, 256, 256, 3), np.uint8)
    scenes[0, 120:136, 124:132] = 255
    box = torch.tensor([[124.0, 120, 132, 136]])
    for shift in ((30, -50), (-64, 64), (64, 0)):
        by = torch.tensor([shift])
        crop = cut(scenes, torch.tensor([0]), by)[0, 0].numpy()
        rows, columns = np.nonzero(crop)
        x0, y0, x1, y1 = visible(box, by, 256)[0].tolist()
        assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == [x0, y0, x1, y1]


def test_the_cell_with_the_middle_of_the_object_is_taught_most() -> None:
    heat, owns = targets(torch.tensor([[40.0, 16, 56, 32]]), torch.tensor([1]), 2)
    assert heat[0, 1, 3, 6] == 1  # the middle is at (48, 24)
    assert heat.max() == 1
    assert not heat[0, 0].any()
    assert owns[0, 3, 6]


def test_the_loss_is_least_for_the_truth() -> None:
    box, label = torch.tensor([[40.0, 16, 56, 32]]), torch.tensor([1])
    right = grid((1, 3, 6, 8.0))
    right[0, 2:] = torch.tensor([12.0, 4, 4, 12]).div(16).log()[:, None, None]
    right[0, 2:, 3, 6] = torch.tensor([12.0, 12, 4, 4]).div(16).log()
    assert boxes_of(right)[0, :, 3, 6].tolist() == pytest.approx([40, 16, 56, 32])
    elsewhere = grid((1, 9, 9, 8.0))
    smaller = right.clone()
    smaller[0, 2:] -= 0.5
    wrong_class = grid((0, 3, 6, 8.0))
    best = float(loss_of(right, box, label))
    for other in (elsewhere, smaller, wrong_class):
        assert float(loss_of(other, box, label)) > best


def test_overlap_is_intersection_over_union() -> None:
    a = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [torch.nan] * 4])
    b = torch.tensor([[5.0, 0, 15, 10], [20, 20, 30, 30], [0, 0, 1, 1]])
    found = overlap(a, b)
    assert found[:2].tolist() == pytest.approx([1 / 3, 0])
    assert torch.isnan(found[2])


def test_windows_of_a_scene_are_answered_like_crops_cut_one_by_one() -> None:
    scene = np.random.default_rng(0).integers(0, 256, (3, 200, 240), np.uint8)
    corners = np.array([[0, 0], [72, 112], [10, 30], [11, 30], [5, 99]])
    model = spots(batch=2)
    assert isinstance(model, SupportsWindows)
    together = model.predict_windows(scene, corners)
    for corner, found in zip(corners, together, strict=True):
        top, left = corner
        crop = scene[None, :, top : top + 128, left : left + 128].astype(np.float32) / 255
        np.testing.assert_allclose(model.predict(crop)[0], found, atol=1e-5)
    as_floats = model.predict_windows(scene.astype(np.float32) / 255, corners)
    np.testing.assert_allclose(as_floats, together, atol=1e-5)


def test_a_window_outside_of_the_scene_is_named() -> None:
    scene = np.zeros((3, 200, 240), np.uint8)
    with pytest.raises(BadRequest, match="row 73, column 0"):
        spots().predict_windows(scene, np.array([[0, 0], [73, 0]]))
    with pytest.raises(BadRequest, match="shape"):
        spots().predict_windows(scene[0], np.array([[0, 0]]))


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 3, 64, 64), np.float32),
        np.zeros((1, 3, 128, 128), np.uint8),
        np.full((1, 3, 128, 128), 2, np.float32),
        np.full((1, 3, 128, 128), np.nan, np.float32),
    ],
)
def test_crops_that_do_not_fit_are_refused(batch: np.ndarray) -> None:
    with pytest.raises(BadRequest, match="tiny takes float32"):
        spots().predict(batch)  # type: ignore[arg-type]


def test_weights_that_are_not_finite_do_not_read_as_nothing_there() -> None:
    class Lost(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.spots = Spots()

        def forward(self, crops: Tensor) -> Tensor:
            raw = self.spots(crops)
            return raw / crops.mean((1, 2, 3), keepdim=True).round()

    model = TorchDetector(Lost(), lambda raw: decode(raw, MIN_SCORE), CARD)
    dark, bright = np.zeros((1, 3, 128, 128), np.float32), np.ones((1, 3, 128, 128), np.float32)
    found = model.predict(np.concatenate([dark, bright]))
    assert found[0, 0, 4] == BROKEN
    assert found[1, 0, 4] > 0.9


def test_calls_are_counted_by_crop() -> None:
    model = spots(batch=2)
    model.predict(np.zeros((5, 3, 128, 128), np.float32))
    assert (model.calls.images, model.calls.batches) == (5, 3)


def test_torchvision_answers_become_rows_the_surest_first() -> None:
    def model(pictures: list[Tensor]) -> list[dict[str, Tensor]]:
        assert pictures[0].shape == (3, 128, 128)
        return [
            {
                "boxes": torch.tensor([[0.0, 0, 9, 9], [1, 1, 8, 8]]),
                "scores": torch.tensor([0.2, 0.7]),
                "labels": torch.tensor([1, 2]),
            }
            for _ in pictures
        ]

    crops = np.zeros((2, 3, 128, 128), np.float32)
    names = ("__background__", "person", "bird")
    found = from_torchvision(model, names, COCO)(crops)
    assert found.shape == (2, 10, 6)
    assert found[0, :2, 5].tolist() == [COCO.index("bird"), COCO.index("person")]
    assert found[0, :2, 4].tolist() == pytest.approx([0.7, 0.2])
    assert np.isnan(found[0, 2:]).all()
    plain = from_torchvision(model)(crops)
    assert plain[0, :2, 5].tolist() == [2, 1]
    with pytest.raises(BadRequest, match="label 2"):
        from_torchvision(model, names[:2], COCO)(crops)


def test_torchvision_answers_in_another_form_are_named() -> None:
    crops = np.zeros((1, 3, 128, 128), np.float32)
    with pytest.raises(BadRequest, match="no 'labels'"):
        from_torchvision(lambda _: [{"boxes": torch.zeros(1, 4), "scores": torch.ones(1)}])(crops)
    with pytest.raises(BadRequest, match="with 0 sets"):
        from_torchvision(lambda _: [])(crops)
    uneven = {"boxes": torch.zeros(2, 4), "scores": torch.ones(1), "labels": torch.ones(1)}
    with pytest.raises(BadRequest, match=r"boxes \(2, 4\)"):
        as_rows(uneven)


def test_more_than_ten_boxes_are_cut_to_the_ten_surest() -> None:
    rows = np.zeros((15, 6), np.float32)
    rows[:, 4] = np.arange(15) / 15
    assert surest(rows)[:, 4].tolist() == pytest.approx((np.arange(14, 4, -1) / 15).tolist())
    assert np.isnan(surest(rows[:0])).all()


def test_same_padding_puts_the_odd_px_right_and_below() -> None:
    conv = SameConv(1, 1, 3, 2, bias=False)
    conv.weight.data = torch.zeros(1, 1, 3, 3)
    conv.weight.data[0, 0, 0, 0] = 1  # picks the top left px of its window
    picture = torch.arange(16.0).view(1, 1, 4, 4)
    assert conv(picture)[0, 0].tolist() == [[0, 2], [8, 10]]


def test_enlarging_keeps_corners_at_whole_px() -> None:
    row = torch.tensor([[0.0, 2, 6]]).expand(3, 3)[None, None]
    assert enlarged(row)[0, 0, 0].tolist() == [0, 1, 2, 4, 6, 6]
    assert enlarged(row.transpose(2, 3))[0, 0, :, 0].tolist() == [0, 1, 2, 4, 6, 6]


def test_centernet_reads_boxes_from_corners_of_cells() -> None:
    raw = torch.full((1, 6, 8, 8), FLOOR)
    raw[0, 2:] = 5
    raw[0, 1, 3, 2] = 1.0
    found = decode_centernet(raw, 0.1)[0]
    assert found[0, :4].tolist() == [8 - 5, 12 - 5, 8 + 5, 12 + 5]
    assert found[0, 5] == 1
    assert torch.isnan(found[1:]).all()


def test_every_convolution_of_centernet_has_a_node_of_the_graph() -> None:
    convolutions = {
        name for name, part in CenterNet().named_modules() if isinstance(part, nn.Conv2d)
    }
    assert set(nodes()) == convolutions
    assert len(set(nodes().values())) == len(convolutions)


def test_the_card_of_centernet_says_how_close_it_is_to_the_published_graph() -> None:
    metrics = CARDS["detector-centernet"].metrics
    assert metrics["largest_heat_difference_from_graph"] < 1e-4
    assert metrics["largest_boxes_px_difference_from_graph"] < 0.01
    assert metrics["seconds_per_input"] > 0


def test_centernet_finds_the_apple_of_a_bundled_scene() -> None:
    from backend import datasets

    held = datasets.load("scenes")
    row = int(np.flatnonzero(held.labels == COCO.index("apple"))[0])
    crop = held.image(row)[64:192, 64:192].transpose(2, 0, 1)[None].astype(np.float32) / 255
    found = build(CARDS["detector-centernet"], "cpu").predict(crop)[0, 0]
    truth = torch.from_numpy(held.truth([row])[0, :1, :4])  # type: ignore[attr-defined]
    assert float(overlap(torch.from_numpy(found[None, :4]), truth)) > 0.5


@pytest.mark.parametrize("level", [0, 33, 67, 100])
def test_the_shipped_detectors_do_what_their_cards_say(level: int) -> None:
    """A few scenes without shift: close to the card's mean over all sixty."""
    from backend import datasets

    card = CARDS[f"detector-j{level}"]
    held = datasets.load("scenes")
    crops = held.images(np.arange(60))[:, 64:192, 64:192].transpose(0, 3, 1, 2)
    found = build(card, "cpu").predict(np.ascontiguousarray(crops, np.float32) / 255)[:, 0]
    truth = torch.from_numpy(held.truth(np.arange(60))[:, 0, :4])  # type: ignore[attr-defined]
    mean = overlap(torch.from_numpy(found[:, :4]), truth).nan_to_num(0.0).mean()
    assert float(mean) == pytest.approx(card.metrics["centre_iou"], abs=0.01)


def test_the_peak_is_the_wider_the_more_jitter_there_was() -> None:
    name = "share_of_shifts_above_half_maximum_over_seeds"
    shares = [CARDS[f"detector-j{level}"].metrics[name] for level in (0, 33, 67, 100)]
    assert shares == sorted(shares)
    assert shares[-1] > 2 * shares[0]
