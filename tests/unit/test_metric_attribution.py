"""Attribution of a distance, its post-processing, and how alike two models look."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.errors import BadRequest
from backend.metric_learning import attribution, words, zoo
from models import metric_losses

RNG = np.random.default_rng(0)


def linear(weight: np.ndarray) -> attribution.Embed:
    w = torch.from_numpy(weight.astype(np.float32))
    return lambda x: x.flatten(1) @ w.T


def test_a_linear_embedder_has_the_gradient_that_algebra_says():
    weight = RNG.normal(size=(5, 27))
    image = RNG.random((1, 3, 3, 3)).astype(np.float32)
    found = attribution.smoothgrad_distance(
        linear(weight), image, "squared_euclidean", samples=1, noise=0.0
    )
    exact = 2 * weight.T @ weight @ image.ravel().astype(np.float64)
    assert np.allclose(found[0], attribution.processed(exact.reshape(3, 3, 3)), atol=1e-4)


def test_networks_first_asked_for_by_an_embedding_still_have_gradients():
    zoo.trunk.cache_clear()
    zoo.tails.cache_clear()
    with torch.inference_mode():
        held = [zoo.trunk(), *zoo.tails().values()]
    assert not any(p.is_inference() for one in held for p in one.state_dict().values())


def test_what_is_not_seen_gets_nothing_and_the_order_of_steps_is_the_sources():
    weight = np.zeros((4, 2 * 2 * 4))
    weight[:, [2, 3, 6, 7, 10, 11, 14, 15]] = RNG.normal(size=(4, 8))  # blind on the left
    image = RNG.random((2, 2, 2, 4)).astype(np.float32)
    found = attribution.smoothgrad_distance(linear(weight), image, samples=4)
    assert found[:, :, :2].max() == 0
    assert found.min() == 0
    assert found.max() == 1
    gradient = np.array([[[-4.0, 1.0]], [[2.0, -1.0]]])  # |.| before the mean: 3 and 1
    assert attribution.processed(gradient).tolist() == [[1.0, 0.0]]
    outlier = np.r_[np.linspace(0, 1, 199), 1000.0].reshape(1, 10, 20)
    assert np.median(attribution.processed(outlier)) > 0.4  # clipped before it is scaled


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_batches_do_not_matter(batch: int):
    embed, image = linear(RNG.normal(size=(4, 48))), RNG.random((3, 3, 4, 4)).astype(np.float32)
    first = attribution.smoothgrad_distance(embed, image, samples=5, batch=2)
    again = attribution.smoothgrad_distance(embed, image, samples=5, batch=batch)
    assert np.allclose(first, again, atol=1e-5)


def test_models_that_share_their_front_have_the_same_maps_as_alone():
    front = torch.nn.Conv2d(3, 4, 3)
    tails = [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4 * 36, 6)) for _ in range(2)]
    image = RNG.random((2, 3, 8, 8)).astype(np.float32)
    distances = ["euclidean", "cosine"]
    both = attribution.smoothgrad_of_tails(front, tails, distances, image, samples=3)
    for tail, distance, found in zip(tails, distances, both, strict=True):
        alone = attribution.smoothgrad_distance(
            torch.nn.Sequential(front, tail), image, distance, samples=3
        )
        assert np.allclose(found, alone, atol=2e-3)


def test_likeness_is_symmetric_and_averages_by_fishers_z():
    maps = RNG.random((3, 4, 5, 5)).astype(np.float32)
    found = attribution.matrices(maps)
    for name in ("pearson", "jsd"):
        assert np.allclose(found[name], found[name].T)
    assert np.allclose(np.diag(found["pearson"]), 1)
    assert np.allclose(np.diag(found["jsd"]), 0)
    assert attribution.fisher_mean(np.array([0.9, 0.1, np.nan])) == pytest.approx(0.6563, abs=5e-5)
    flat = np.ones((1, 5, 5), np.float32)
    assert np.isnan(attribution.pearson(flat, maps[0, :1])).all()


@pytest.mark.parametrize(
    ("change", "words_"),
    [
        ({"distance": "taxicab"}, "taxicab"),
        ({"samples": 0}, "0 samples"),
        ({"noise": 2.0}, "noise of 2.0"),
        ({"images": np.full((1, 3, 2, 2), np.nan, np.float32)}, "not finite"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, object], words_: str):
    given = {"images": np.zeros((1, 3, 2, 2), np.float32), **change}
    with pytest.raises(BadRequest, match=words_):
        attribution.smoothgrad_distance(linear(np.ones((2, 12))), **given)  # type: ignore[arg-type]


def test_there_are_nine_ranking_and_five_classification_losses():
    families = [card.family for card in metric_losses.LOSSES]
    assert families.count("ranking") == 9
    assert families.count("classification") == 5
    from backend.metric_learning.distances import DISTANCES

    assert {card.distance for card in metric_losses.ALL} <= set(DISTANCES)


@pytest.mark.parametrize("card", metric_losses.LOSSES, ids=lambda card: card.key)
def test_every_loss_falls_when_classes_part(card: metric_losses.LossCard):
    torch.manual_seed(0)
    loss = metric_losses.make(card.key, 3, 8)
    labels = torch.arange(12) % 3
    mixed = torch.nn.functional.normalize(torch.randn(12, 8)).requires_grad_()
    optimizer = torch.optim.Adam([mixed, *loss.parameters()], lr=0.1)  # type: ignore[attr-defined]
    first = float(loss(mixed, labels).detach())
    for _ in range(80):
        optimizer.zero_grad()
        loss(mixed, labels).backward()
        optimizer.step()
    assert float(loss(mixed, labels).detach()) < 0.8 * first
    unit = torch.nn.functional.normalize(mixed.detach())
    likeness, same = unit @ unit.T, labels[:, None] == labels
    assert likeness[same].mean() > likeness[~same].mean() + 0.2


def test_a_notion_finds_the_plane_in_which_prompts_vary():
    basis = np.linalg.qr(RNG.normal(size=(20, 20)))[0]
    prompts = RNG.normal(size=(30, 3)) @ basis[:3] + 0.05 * basis[10]
    learned = words.learn(prompts.astype(np.float32), 3, 0)
    assert learned.losses[-1] < 0.2 * learned.losses[0]
    span = np.linalg.qr(learned.u)[0]
    cosines = np.linalg.svd(span.T @ basis[:3].T, compute_uv=False)
    assert cosines.min() > 0.97
    assert np.allclose(np.linalg.norm(learned(prompts.astype(np.float32)), axis=1), 1, atol=1e-5)
    labels = np.repeat(np.arange(4), 15)
    images = (
        2 * RNG.normal(size=(4, 3))[labels] @ basis[:3]
        + 3 * RNG.normal(size=(60, 12)) @ basis[5:17]
    )
    from backend.metrics import map_at_r

    assert map_at_r(learned(images.astype(np.float32)), labels) > map_at_r(images, labels) + 0.2


def test_prompts_that_cannot_be_learned_from_are_refused():
    with pytest.raises(BadRequest, match="two different prompts"):
        words.checked(["a red car", "  a red  car", ""])
    with pytest.raises(BadRequest, match="dimensions"):
        words.learn(np.eye(4, dtype=np.float32), 9)
    with pytest.raises(BadRequest, match="no notion 'taste'"):
        words.prompts("taste")
    assert words.named_colour(0.0, 2.0, 2.0) == "red"
    assert words.named_colour(0.3, 0.0, 0.0) == "black"
