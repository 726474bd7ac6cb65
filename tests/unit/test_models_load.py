"""Loading of weights: what is refused, and that the committed models do what their cards say."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from backend.datasets import load, to_batch
from backend.nero.resample import rotator
from models.cards import WEIGHTS, ModelCard, WeightsMismatch, load_cards
from models.load import ARCHITECTURES, load_module
from models.rotation import rotate
from models.train_digits import accuracy_at

CARDS = load_cards()
SETS = {"digits": "digits", "fashion": "fashion", "imagenet": "photos"}
CLASSIFIERS = {key: card for key, card in CARDS.items() if card.task in SETS}


def stored(folder: Path, state: dict[str, torch.Tensor]) -> ModelCard:
    """A card whose weights file in the folder holds these tensors."""
    path = folder / "w.safetensors"
    save_file(state, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(CARDS["digits-plain"], weights_file="w.safetensors", weights_sha256=sha256)


def plain_state() -> dict[str, torch.Tensor]:
    return load_file(WEIGHTS / "digits-plain.safetensors")


def test_a_loaded_module_is_frozen_and_in_eval_mode() -> None:
    module = load_module(CARDS["digits-plain"])
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    card = stored(tmp_path, plain_state())
    path = tmp_path / card.weights_file
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsMismatch, match="sha256"):
        load_module(card, tmp_path)
    cut = replace(card, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(WeightsMismatch, match="not a readable safetensors"):
        load_module(cut, tmp_path)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    state = plain_state()
    del state["hidden.bias"]
    with pytest.raises(WeightsMismatch, match=re.escape("lacks 'hidden.bias'")):
        load_module(stored(tmp_path, state), tmp_path)


def test_an_extra_tensor_is_named(tmp_path: Path) -> None:
    state = plain_state() | {"surprise": torch.zeros(1)}
    with pytest.raises(WeightsMismatch, match="'surprise'"):
        load_module(stored(tmp_path, state), tmp_path)


def test_a_wrong_shape_is_named(tmp_path: Path) -> None:
    state = plain_state() | {"hidden.bias": torch.zeros(63)}
    with pytest.raises(WeightsMismatch, match=r"\(63,\), the network wants \(64,\)"):
        load_module(stored(tmp_path, state), tmp_path)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = plain_state() | {"hidden.bias": torch.full((64,), torch.nan)}
    with pytest.raises(WeightsMismatch, match="not finite"):
        load_module(stored(tmp_path, state), tmp_path)


def test_an_unknown_architecture_is_refused_listing_the_known() -> None:
    card = replace(CARDS["digits-plain"], architecture="Oracle")
    with pytest.raises(WeightsMismatch, match="DigitCNN, EfficientNetLite0, GarmentNet, P4CNN"):
        load_module(card)


@pytest.mark.parametrize("key", CLASSIFIERS)
def test_upright_accuracy_is_what_the_card_says(key: str) -> None:
    card = CARDS[key]
    items = load(SETS[card.task])
    batch = torch.from_numpy(to_batch(items.images(np.arange(len(items)))))
    with torch.inference_mode():
        right = load_module(card)(batch).argmax(1).numpy() == items.labels
    # One item of slack: machines round differently, and a near tie may fall the other way.
    assert abs(float(right.mean()) - card.metrics["upright_accuracy"]) <= 1.01 / len(items)


@pytest.mark.parametrize("key", [key for key in CLASSIFIERS if CARDS[key].task != "imagenet"])
def test_accuracy_of_turned_images_is_what_the_card_says(key: str) -> None:
    card = CARDS[key]
    items = load(SETS[card.task])
    images = torch.from_numpy(items.images(np.arange(len(items))))[:, None]
    labels = torch.from_numpy(items.labels.copy())
    module = load_module(card)
    quarter = accuracy_at(module, images, labels, 90.0)
    assert abs(quarter - card.metrics["quarter_turn_accuracy"]) <= 1.01 / len(items)
    # 9 of the 72 angles, on half of the items; the curves are smooth, so the means are close.
    few = [accuracy_at(module, images[::2], labels[::2], 40.0 * k) for k in range(9)]
    assert float(np.mean(few)) == pytest.approx(card.metrics["orbit_accuracy"], abs=0.05)


def test_augmentation_flattens_the_orbit() -> None:
    """The NERO experiment's premise, measured on held-out digits rather than assumed."""
    plain, rotated = CARDS["digits-plain"].metrics, CARDS["digits-rotated"].metrics
    assert rotated["orbit_accuracy"] > plain["orbit_accuracy"] + 0.3
    assert plain["upright_accuracy"] > plain["orbit_accuracy"] + 0.3


def test_the_oriented_network_repeats_every_quarter_turn() -> None:
    items = load("digits")
    images = torch.from_numpy(items.images(np.arange(0, 500, 10)))[:, None]
    labels = torch.from_numpy(items.labels[::10].copy())
    module = load_module(CARDS["digits-p4"])
    for degrees in (0.0, 25.0):
        curve = [accuracy_at(module, images, labels, degrees + 90.0 * k) for k in range(4)]
        assert np.ptp(curve) <= 0.02


@pytest.mark.parametrize("key", CLASSIFIERS)
def test_networks_can_be_traced_and_their_layers_exist(key: str) -> None:
    card = CARDS[key]
    module = load_module(card)
    traced = torch.fx.symbolic_trace(module)
    spec = card.input
    x = torch.rand(2, spec.channels, spec.height, spec.width, generator=torch.manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(traced(x), module(x))
        assert module(x).shape == (2, len(card.classes))
    assert all(isinstance(module.get_submodule(name), nn.Module) for name in card.layers)


def test_every_architecture_is_used() -> None:
    assert {card.architecture for card in CARDS.values()} >= set(ARCHITECTURES)


def test_training_and_the_orbit_pages_turn_images_alike() -> None:
    images = load("digits").images([3, 250])[:, None]
    angles = (0.0, 37.0, 90.0, 222.5)
    found = rotator(angles, 28).apply(images)
    for i, angle in enumerate(angles):
        wanted = rotate(torch.from_numpy(images).float() / 255.0, torch.tensor([angle]))
        np.testing.assert_allclose(found[:, i], wanted.numpy(), atol=2e-5)
