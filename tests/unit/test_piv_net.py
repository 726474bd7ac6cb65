"""The estimators behind one protocol, the network's parts, and what the cards promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend import catalog, datasets
from backend.errors import BadRequest
from backend.nero import evaluate, orbits
from backend.protocols import ModelBackend
from models import cross_correlation, farneback
from models.cards import load_cards, verify_weights
from models.load import load_module
from models.piv_cards import METHODS
from models.piv_flows import FAMILIES
from models.piv_net import PivNet, correlations, moved_back, standardised
from models.train_piv import Batches, quarters

METHOD_KEYS = ("piv-correlation", "piv-farneback")
KEYS = (*METHOD_KEYS, "piv-net")
ROWS = [0, 21, 42, 63, 84, 105]  # one of each family


@pytest.fixture(scope="module")
def results():
    return {key: evaluate(key, "piv", orbits.square_symmetries(), ROWS) for key in KEYS}


@pytest.mark.parametrize("key", KEYS)
def test_estimators_answer_in_px_at_the_centres_of_blocks(key):
    model = catalog.load_model(key)
    assert isinstance(model, ModelBackend)
    held = datasets.load("piv")
    frames = held.inputs([0]).astype(np.float32) / 255
    before = model.calls.images
    found = model.predict(frames)
    assert model.calls.images == before + 1
    assert found.shape == (1, 2, 64, 64)
    assert found.dtype == np.float32
    wanted = held.truth([0])
    assert np.median(np.abs(found - wanted)) < 0.15
    # A uniform flow: the mean vector says direction and sign.
    np.testing.assert_allclose(found.mean((0, 2, 3)), wanted.mean((0, 2, 3)), atol=0.2)


@pytest.mark.parametrize("key", KEYS)
def test_pairs_do_not_see_each_other_and_other_sizes_are_taken(key):
    model = catalog.load_model(key)
    frames = datasets.load("piv").inputs(range(0, 120, 11)).astype(np.float32) / 255
    together = model.predict(frames)
    alone = np.concatenate([model.predict(frames[i : i + 1]) for i in range(len(frames))])
    np.testing.assert_allclose(together, alone, atol=2e-4)
    assert model.predict(frames[:1, :, :96, :96]).shape == (1, 2, 48, 48)
    assert model.predict(frames[:0]).shape == (0, 2, 64, 64)


@pytest.mark.parametrize("key", KEYS)
def test_frames_in_which_nothing_is_seen_have_no_answer(key):
    frames = datasets.load("piv").inputs([0, 1]).astype(np.float32) / 255
    frames[1, 1] = 0
    found = catalog.load_model(key).predict(frames)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize(
    ("shape", "value", "sentence"),
    [
        ((1, 1, 128, 128), 0.5, "Frames of shape"),
        ((1, 2, 128, 124), 0.5, "Frames of shape"),
        ((1, 2, 66, 66), 0.5, "multiples of 4"),
        ((1, 2, 32, 32), 0.5, "from 64 px"),
        ((2, 128, 128), 0.5, "Frames of shape"),
        ((1, 2, 128, 128), 128.0, "not all from 0 to 1"),
        ((1, 2, 128, 128), np.nan, "not all from 0 to 1"),
    ],
)
def test_other_frames_are_refused(shape, value, sentence):
    with pytest.raises(BadRequest, match=sentence):
        catalog.load_model("piv-farneback").predict(np.full(shape, value, np.float32))
    with pytest.raises(BadRequest, match="type float64"):
        catalog.load_model("piv-farneback").predict(np.zeros((1, 2, 128, 128)))


def test_the_cards_numbers_are_near_on_one_pair_of_each_family(results):
    """The whole set takes a minute; a sixth of it lies within a third of the card's numbers."""
    for key, result in results.items():
        metrics = catalog.card(key).metrics
        assert result.metric[:, 0].mean() == pytest.approx(metrics["rmse_px"], rel=0.5)
        assert result.metric.mean() == pytest.approx(metrics["orbit_rmse_px"], rel=0.5)


def test_the_untrained_methods_are_flatter_than_the_network(results):
    """N16 on one pair of each family; the card has it for three seeds and all pairs."""
    variance = {key: float(result.variance().mean()) for key, result in results.items()}
    assert variance["piv-farneback"] < variance["piv-net"]
    assert variance["piv-correlation"] < variance["piv-net"]
    card = catalog.card("piv-net")
    assert card.metrics["farneback_variance_px2"] == pytest.approx(
        catalog.card("piv-farneback").metrics["variance_px2"], rel=1e-3
    )


def test_the_cards_say_the_settings_of_the_code():
    """Equal settings, equal fingerprint: other settings must not show stored results of these."""
    cards = load_cards()
    for method in METHODS:
        card = cards[method.key]
        assert (card.summary, card.weights_file) == (method.summary, "")
        assert len(card.fingerprint) == 16
        verify_weights(card)
    assert f"{cross_correlation.WINDOWS.window_px} px" in cards["piv-correlation"].summary
    assert f"{farneback.WINDOW_PX} px" in cards["piv-farneback"].summary
    assert len({cards[key].fingerprint for key in KEYS}) == 3
    assert all(cards[key].classes == FAMILIES for key in KEYS)


def test_the_network_is_small_and_its_layers_are_there():
    card = catalog.card("piv-net")
    module = load_module(card)
    assert sum(p.numel() for p in module.parameters()) == card.metrics["parameters"] <= 400_000
    assert {name for name, _ in module.named_children()} == set(card.layers)
    torch.fx.symbolic_trace(module.stem)


def test_correlations_by_hand():
    first = torch.zeros(1, 2, 3, 3)
    second = torch.zeros(1, 2, 3, 3)
    first[0, :, 1, 1] = 2.0
    second[0, :, 0, 2] = 3.0  # one up, one to the right
    volume = correlations(first, second, 1)
    assert volume.shape == (1, 9, 3, 3)
    assert np.argwhere(volume.numpy()).tolist() == [[0, 2, 1, 1]]
    assert volume[0, 2, 1, 1] == 6  # row 0 (up), column 2 (right) of the shifts


def test_features_are_read_where_the_flow_points():
    columns = torch.arange(6.0).expand(1, 1, 6, 6)
    flow = torch.zeros(1, 2, 6, 6)
    flow[:, 0] = 2.0
    found = moved_back(columns, flow, 0.5)[0, 0, 0]
    np.testing.assert_allclose(found.numpy(), [1, 2, 3, 4, 5, 5], atol=1e-5)
    down = moved_back(columns.transpose(2, 3), flow.flip(1), -0.25)[0, 0, :, 0]
    np.testing.assert_allclose(down.numpy(), [0, 0.5, 1.5, 2.5, 3.5, 4.5], atol=1e-5)


def test_brightness_does_not_matter_to_the_network():
    frames = torch.rand(2, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(
        standardised(frames * 0.3 + 0.1).numpy(), standardised(frames).numpy(), atol=1e-4
    )
    assert (standardised(torch.full((1, 2, 8, 8), 0.4)).abs() < 1e-2).all()
    assert [tuple(flow.shape) for flow in PivNet().levels(frames)] == [
        (2, 2, 16, 16), (2, 2, 32, 32), (2, 2, 32, 32),
    ]  # fmt: skip


def test_training_pairs_are_cut_alike():
    frames, fields = Batches(5).next()
    assert frames.shape == (16, 2, 64, 64)
    assert fields.shape == (16, 2, 32, 32)
    again, _ = Batches(5).next()
    assert torch.equal(frames, again)
    whole = torch.arange(64.0).reshape(1, 1, 8, 8)
    cut = quarters(whole)
    assert torch.equal(cut[0, 0], whole[0, 0, :4, :4])
    assert torch.equal(cut[1, 0], whole[0, 0, 4:, :4])
    small = quarters(torch.nn.functional.avg_pool2d(whole, 2))
    assert torch.equal(small, torch.nn.functional.avg_pool2d(cut, 2))


def test_half_way_of_a_stretching_flow():
    """d(x) = x/4 where things start; half-way it is at p = x + x/8, so d(p) = p·(1/4)/(1 + 1/8)."""
    x = np.arange(64, dtype=np.float32)
    flow = np.zeros((8, 64, 2), np.float32)
    flow[..., 0] = x / 4
    found = farneback.half_way(flow)[4, :40, 0]
    np.testing.assert_allclose(found, x[:40] * 0.25 / 1.125, atol=0.02)


def test_the_card_reports_every_seed():
    metrics = catalog.card("piv-net").metrics
    seeds = sorted(int(name[4]) for name in metrics if name.startswith("seed") and "rmse" in name)
    assert seeds == [0, 0, 1, 1, 2, 2]
    more = sum(
        metrics[f"seed{s}_variance_px2"] > metrics["farneback_variance_px2"] for s in range(3)
    )
    assert metrics["seeds_with_more_variance_than_farneback"] == more
