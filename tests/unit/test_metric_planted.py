"""What is planted is found, and nothing else: in embeddings, in training sets, in backgrounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from backend import metrics
from backend.metric_learning import attribution, backgrounds, cars, properties, sensitivity
from models import metric_losses

CARS = list("abcdef")
SIDE = 12


def hue(table: pd.DataFrame) -> np.ndarray:
    """Background hue as a point of the circle, (n, 2)."""
    turn = 2 * np.pi * table["bg_hue"].to_numpy()
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_background_hue_is_significant_and_the_other_ten_are_not(seed: int):
    table = cars.sample(CARS, 300, seed)
    rng = np.random.default_rng(seed + 100)
    x = np.concatenate([1.5 * hue(table), rng.normal(size=(300, 14))], axis=1)
    found = sensitivity.sensitivity(x, properties.table(table), permutations=1_199, seed=seed)
    rows = found.frame.set_index("property")
    assert len(rows) == 11
    assert rows.index[rows["p_holm"] < 0.01].tolist() == ["bg_hue"]
    assert rows["nr_precision"].idxmax() == "bg_hue"
    others = rows.drop(index="bg_hue")["nr_precision"]
    assert rows.loc["bg_hue", "nr_precision"] > 10 * others.abs().max()


def features(table: pd.DataFrame, seed: int) -> torch.Tensor:
    """What a network might know of scenes, (n, 16): the car, blurred, the two hues, and noise."""
    rng = np.random.default_rng(seed)
    car = np.eye(6)[np.searchsorted(CARS, table["car_model"])] + 0.7 * rng.normal(
        size=(len(table), 6)
    )
    turn = 2 * np.pi * table["car_hue"].to_numpy()
    paint = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    noise = rng.normal(size=(len(table), 6))
    return torch.from_numpy(np.concatenate([car, hue(table), paint, noise], axis=1)).float()


def trained(table: pd.DataFrame, seed: int) -> torch.nn.Linear:
    """A linear embedder of the car model."""
    x, labels = features(table, seed), np.searchsorted(CARS, table["car_model"])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer = torch.nn.Linear(16, 4, bias=False)
        loss: Any = metric_losses.make("normalized-softmax", 6, 4)
    optimizer = torch.optim.Adam([*layer.parameters(), *loss.parameters()], 0.05)
    for _ in range(40):
        optimizer.zero_grad()
        loss(layer(x), torch.from_numpy(labels)).backward()
        optimizer.step()
    return layer


def test_training_cars_before_one_colour_each_shows_on_test_scenes_that_are_free_of_it():
    """Kobs 2023, section 7.1.2: a property that goes with the class is learned with it."""
    test = cars.sample(CARS, 400, 99)
    raised = []
    for seed in range(3):
        fair = cars.sample(CARS, 400, seed)
        planted = fair.assign(bg_hue=np.searchsorted(CARS, fair["car_model"]) / 10)
        nr = {}
        for name, table in (("fair", fair), ("planted", planted)):
            x = trained(table, seed)(features(test, 50)).detach().numpy()
            held = properties.table(test, ["bg_hue", "car_hue"])
            found = sensitivity.sensitivity(x, held, "cosine").frame.set_index("property")
            nr[name] = found["nr_precision"]
        raised.append(nr["planted"] - nr["fair"])
    told = pd.DataFrame(raised)
    assert told["bg_hue"].min() > 1  # in every one of three trainings
    assert told["car_hue"].abs().max() < 0.5 * told["bg_hue"].min()


def scenes(n: int, seed: int, is_planted: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (n, 12, 12, 3) uint8 of a square whose colour is its class, (n,) classes, and masks;
    planted: the background's colour is the class's too."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    masks = np.zeros((n, SIDE, SIDE), np.float32)
    masks[:, 4:8, 4:8] = 1
    behind = rng.integers(0, 256, (n, 1, 1, 3)) * np.ones((1, SIDE, SIDE, 1))
    if is_planted:
        behind = (60 + 120 * np.eye(3)[labels])[:, None, None] * np.ones((1, SIDE, SIDE, 1))
    front = (60 + 120 * np.eye(3)[labels])[:, None, None]
    images = masks[..., None] * front + (1 - masks[..., None]) * behind
    noise = rng.normal(0, 25, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8), labels, masks


def fitted(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A linear embedder (432, 3) of the classes by ridge regression."""
    x = images.reshape(len(images), -1) / 255 - 0.5
    return np.linalg.solve(x.T @ x + 1e-1 * np.eye(x.shape[1]), x.T @ (np.eye(3)[labels] - 1 / 3))


def test_changed_backgrounds_in_training_undo_a_planted_one_in_retrieval_and_in_focus():
    images, labels, masks = scenes(400, 0, is_planted=True)
    pool = backgrounds.pool("train")[:40, :SIDE, :SIDE]
    behind = pool[np.random.default_rng(1).integers(len(pool), size=400)]
    weights = {
        "plain": fitted(images, labels),
        "augmented": fitted(backgrounds.corrupted(images, masks, behind), labels),
    }
    test, truth, _ = scenes(300, 2, is_planted=False)
    at_r, focus = {}, {}
    for name, weight in weights.items():
        x = (test.reshape(len(test), -1) / 255 - 0.5) @ weight
        at_r[name] = metrics.map_at_r(x, truth)
        w = torch.from_numpy(weight.reshape(SIDE, SIDE, 3, 3).astype(np.float32))
        seen = attribution.smoothgrad_distance(
            lambda y, w=w: torch.einsum("nchw,hwcd->nd", y, w),
            np.moveaxis(test[:8], -1, 1).astype(np.float32) / 255,
            samples=4,
        )
        focus[name] = np.mean([metrics.focus_score(masks[0], one) for one in seen])
    assert at_r["augmented"] > at_r["plain"] + 0.2
    assert focus["augmented"] > focus["plain"] + 0.1
    assert abs(focus["plain"]) < 0.1  # every pixel told the class, so none is preferred
