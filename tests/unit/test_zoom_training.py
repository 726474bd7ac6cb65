"""Training passes: the sign of each term, gradients that reach both maps, scenes and metrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models import needle_scenes
from models.zoom_baselines import AtsNet, DownscaledCnn
from models.zoom_metrics import Tally, spearman
from models.zoom_net import Form, Geometry, ZoomNet
from models.zoom_training import (
    Drawn,
    ats_pass,
    contrastive_loss,
    mask_loss,
    pieces_at,
    places_px,
    shrunk,
    zoom_loss,
    zoom_pass,
)
from models.zoom_warmup import piece_loss

SIZES = Geometry(tile_px=16, cell_px=4, view_px=8, subtile_px=6)


def tiny(form: Form = "lenet", seed: int = 0) -> ZoomNet:
    torch.manual_seed(seed)
    return ZoomNet(2, form, SIZES).eval()


def batch(count: int = 2, side: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_contrast_pushes_what_attention_rejects_towards_the_empty_class() -> None:
    """One step down its gradient lowers p(digit) of the rejected, drawn alike before and after."""
    net, images = tiny(), batch()

    def chance() -> float:
        drawn = zoom_pass(net, images, 8, seeded(3), rejects=True)
        return float(drawn.logits.softmax(1)[:, 1].detach().sum())

    before = chance()
    loss = contrastive_loss(net, images, 8, seeded(3))
    rejected = zoom_pass(net, images, 8, seeded(3), rejects=True).logits.softmax(1)[:, 1]
    assert loss.item() == pytest.approx(float(-(1 - rejected.detach()).log().sum()), rel=1e-5)
    grads = torch.autograd.grad(loss, list(net.g.parameters()))
    with torch.no_grad():
        for parameter, grad in zip(net.g.parameters(), grads, strict=True):
            parameter -= 0.05 * grad
    assert chance() < before


def test_without_positives_there_is_no_contrast() -> None:
    net, images = tiny(), batch()
    labels = torch.zeros(2, dtype=torch.int64)
    plain = zoom_loss(net, images, labels, 4, seeded(), is_contrastive=False)
    assert zoom_loss(net, images, labels, 4, seeded()).item() == plain.item()


def test_rejected_places_are_those_without_attention() -> None:
    """Two tiles, all attention on one: its complement draws the other."""
    net = tiny()
    with torch.no_grad():
        net.sharpness.fill_(1e4)
    images = batch(1, 32)
    kept = zoom_pass(net, images, 30, seeded())
    strongest = int(kept.alpha[0].argmax())
    assert {tile for _, tile in kept.tiles.tolist()} == {strongest}
    rejected = zoom_pass(net, images, 30, seeded(), rejects=True)
    assert strongest not in {tile for _, tile in rejected.tiles.tolist()}


@pytest.mark.parametrize("form", ["lenet", "resnet"])
def test_gradients_reach_every_part(form: Form) -> None:
    net = tiny(form)
    if form == "resnet":  # its last ReLU may start dead
        with torch.no_grad():
            net.a[-1].bias.fill_(0.5)
    zoom_loss(net, batch(), torch.tensor([0, 1]), 4, seeded()).backward()
    for part in (net.a, net.b, net.f, net.g):
        assert sum(float(p.grad.abs().sum()) for p in part.parameters() if p.grad is not None) > 0


def test_multiplicities_add_up_in_every_image() -> None:
    drawn = zoom_pass(tiny(), batch(3, 64), 10, seeded())
    assert np.bincount(drawn.pieces[:, 0].numpy()).tolist() == [10, 10, 10]
    assert drawn.alpha.shape == (3, 16)
    torch.testing.assert_close(drawn.alpha.sum(1), torch.ones(3))


def test_pieces_reach_past_the_border_with_zeros() -> None:
    images = torch.full((1, 3, 10, 10), 255, dtype=torch.uint8)
    corner = pieces_at(images, torch.tensor([0]), torch.tensor([[0, 9]]), 4)
    assert corner[0, 0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0]]


def test_places_follow_the_sources_map() -> None:
    """floor(1 + (i - 1)(W - 1)/(w - 1)), counted from 0 here."""
    assert places_px(5, 128).tolist() == [0, 31, 63, 95, 127]
    assert places_px(1, 9).tolist() == [4]


def test_shrinking_is_the_mean() -> None:
    images = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    expected = torch.tensor([[2.5, 4.5], [10.5, 12.5]])
    torch.testing.assert_close(shrunk(images, 2)[0, 0] * 255, expected)


def test_supervision_by_pixels_prefers_attention_on_the_object() -> None:
    masks = torch.zeros(1, 32, 32, dtype=torch.bool)
    masks[0, 2:6, 2:6] = True  # in tile 0
    tiles, betas = torch.tensor([[0, 0]]), torch.full((1, 64), 1 / 64)
    none = torch.zeros(0)

    def loss(alpha: list[float]) -> float:
        drawn = Drawn(none, torch.tensor([alpha]), none, tiles, betas, none, none)
        return float(mask_loss(drawn, masks, 16))

    assert loss([0.97, 0.01, 0.01, 0.01]) < loss([0.25] * 4) < loss([0.01, 0.97, 0.01, 0.01])
    empty = Drawn(none, torch.full((1, 4), 0.25), none, tiles, betas, none, none)
    assert float(mask_loss(empty, torch.zeros(1, 32, 32, dtype=torch.bool), 16)) == 0.0


def test_baselines_run_on_the_same_images() -> None:
    torch.manual_seed(0)
    drawn, mean = ats_pass(AtsNet(), batch(2, 64), 3, seeded(), torch.zeros(32))
    assert drawn.logits.shape == (2, 2)
    assert drawn.alpha.shape == (2, 256)
    assert mean.shape == (32,)
    assert DownscaledCnn()(shrunk(batch(2, 64), 8)).shape == (2, 2)


def test_single_pieces_train_the_features() -> None:
    net = tiny()
    piece_loss(net, batch(4, 16), torch.tensor([0, 1, 0, 1]), seeded()).backward()
    assert net.g.weight.grad is not None
    assert net.baseline.abs().sum() > 0


# Scenes ------------------------------------------------------------------------------------------


def test_splits_share_no_photograph_and_no_piece() -> None:
    train, held = needle_scenes.parts("train"), needle_scenes.parts("eval")
    assert not set(train.names) & set(held.names)
    for one, other in ((train.needles, held.needles), (train.decoys, held.decoys)):
        assert not {a.tobytes() for a in one} & {b.tobytes() for b in other}


def test_scenes_follow_from_their_seed_and_hold_what_they_say() -> None:
    held = needle_scenes.parts("eval")
    for row in (0, 1, 2, 3):
        scene = needle_scenes.held_out(row)
        assert scene == needle_scenes.held_out(row)
        assert scene.label == row % 2
        image, mask = needle_scenes.render(held, scene), needle_scenes.mask(held, scene)
        assert image.shape == (1024, 1024, 3)
        assert bool(mask.any()) == bool(scene.label)
        for item in scene.items:
            left, top, side = item.box
            assert 0 <= left <= 1024 - side
            assert 0 <= top <= 1024 - side


def test_a_needle_changes_only_its_box() -> None:
    held = needle_scenes.parts("eval")
    scene = needle_scenes.held_out(1)
    bare = needle_scenes.Scene(
        scene.size_px, scene.background, scene.left, scene.top, scene.turn, ()
    )
    changed = (needle_scenes.render(held, scene) != needle_scenes.render(held, bare)).any(2)
    for item in scene.items:
        left, top, side = item.box
        changed[top : top + side, left : left + side] = False
    assert not changed.any()


# Metrics -----------------------------------------------------------------------------------------


def test_rank_correlation() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1.0)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    assert spearman([1, 2, 3], [5, 5, 5]) == 0.0
    # With ties: ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4.
    assert spearman([1, 2, 2, 3], [1, 3, 2, 4]) == pytest.approx(0.948683, abs=1e-6)


def test_the_tally_counts_images_and_strokes() -> None:
    tally = Tally(right=[True, False], covered=[0.0, 0.5], joint=[0.1], inside=[0.2])
    tally.attention, tally.amount = [0.9, 0.1], [5.0, 0.0]
    found = tally.metrics()
    assert found["accuracy"] == 0.5
    assert found["needle_hit"] == 0.5
    assert found["needle_recall"] == 0.25
    assert found["attention_spearman"] == pytest.approx(1.0)
    assert Tally(right=[True]).metrics() == {"accuracy": 1.0}
