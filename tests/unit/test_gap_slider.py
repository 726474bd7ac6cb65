"""Retrieval, zero-shot and the slider against plain loops over shifted embeddings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend import gap
from backend.errors import BadRequest
from backend.gap import retrieval, slider
from models import losses


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def drawn(n=60, d=8, apart=0.8, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, d))
    offset = np.eye(d)[0] * apart
    noise = rng.normal(size=(2, n, d)) * 0.6
    return unit(shared + noise[0] + offset), unit(shared + noise[1] - offset)


def by_loop(queries, pool, tops, own, right):
    hits = dict.fromkeys(tops, 0)
    for q, kind in zip(queries, own, strict=True):
        scores = pool @ q
        order = np.argsort(-scores)
        first = next(place for place, item in enumerate(order) if right[item] == kind)
        for k in tops:
            hits[k] += first < k
    return {k: hits[k] / len(queries) for k in tops}


def test_recall_equals_sorting():
    images, texts = drawn()
    rows = np.arange(60)
    found = gap.recall_at(texts, images, (1, 5, 10, 60))
    assert found.at == by_loop(texts, images, (1, 5, 10, 60), rows, rows)
    assert found.at[60] == 1


def test_any_caption_of_the_image_counts():
    images, _ = drawn(12)
    captions = unit(np.repeat(images, 3, axis=0) + np.random.default_rng(1).normal(size=(36, 8)))
    of = np.repeat(np.arange(12), 3)
    found = gap.recall_at(images, captions, (1, 5), np.arange(12), of)
    assert found.at == by_loop(images, captions, (1, 5), np.arange(12), of)


def test_collapsed_embeddings_find_nothing():
    same = np.tile(unit(np.ones((1, 4))), (20, 1))
    found = gap.recall_at(same, same, (1, 10, 20))
    assert found.at == {1: 0.0, 10: 0.0, 20: 1.0}


def test_zero_shot_equals_a_loop_and_averages_prompts():
    images, texts = drawn(30)
    labels, prompts = np.arange(30) % 5, texts[:10].reshape(5, 2, 8)
    mean = unit(prompts.mean(axis=1))
    found = gap.zero_shot(images, labels, prompts)
    assert found.at == by_loop(images, mean, (1, 3, 5), labels, np.arange(5))
    assert found.at[5] == 1
    assert set(gap.zero_shot(images, labels % 2, mean[:2]).at) == {1}


def test_a_probe_reads_a_direction():
    images, _ = drawn(200)
    labels = (images[:, 1] > 0).astype(int)
    accuracy = retrieval.linear_probe(images[:150], labels[:150], images[150:], labels[150:])
    assert accuracy > 0.85
    with pytest.raises(BadRequest, match="two classes"):
        retrieval.linear_probe(images, np.zeros(200), images, labels)


def test_the_loss_is_clips():
    images, texts = drawn(20)
    found = retrieval.contrastive_loss(images, texts, 0.05)
    wanted = losses.clip_loss(torch.tensor(images), torch.tensor(texts), 0.05).item()
    assert found == pytest.approx(wanted, abs=1e-5)


def test_shift_moves_along_the_gap_and_keeps_length():
    images, texts = drawn()
    moved = gap.shift(images, texts, 0.3)
    for rows in moved:
        assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(60), abs=1e-6)
    axis = images.mean(0) - texts.mean(0)
    axis /= np.linalg.norm(axis)
    assert moved[0] == pytest.approx(unit(images - 0.15 * axis), abs=1e-6)
    assert moved[1] == pytest.approx(unit(texts + 0.15 * axis), abs=1e-6)
    still = gap.shift(images, texts, 0)
    assert still[0] == pytest.approx(images, abs=1e-6)


def test_a_growing_shift_closes_the_gap_and_a_negative_one_widens_it():
    images, texts = drawn()
    start = gap.measure(images, texts, bootstrap=0)
    gaps = [
        gap.measure(*gap.shift(images, texts, start.centroid_gap * x), bootstrap=0)
        for x in (-1, -0.5, 0, 0.5, 1)
    ]
    for name in ("centroid_gap", "mean_pair_gap"):
        values = [getattr(report, name) for report in gaps]
        assert values == sorted(values, reverse=True), name
    assert gaps[-1].centroid_gap < 0.3 * start.centroid_gap


@pytest.mark.parametrize("delta", [-0.7, 0.0, 0.4, 1.1])
def test_the_slider_equals_measuring_shifted_embeddings(delta):
    images, texts = drawn()
    rng = np.random.default_rng(2)
    concepts = rng.integers(0, 25, 60)
    groups = ["round" if x else "square" for x in rng.integers(0, 2, 60)]
    labels, classes = rng.integers(0, 6, 60), unit(rng.normal(size=(6, 8)))
    held = gap.Slider(
        images, texts, concepts=concepts, groups=groups, labels=labels, classes=classes
    )
    point = held.at(delta)
    a, b = gap.shift(images, texts, delta)
    assert point.gap == pytest.approx(np.linalg.norm(a.mean(0) - b.mean(0)), abs=1e-5)
    there = gap.recall_at(b, a, (1, 5, 10), concepts, concepts)
    back = gap.recall_at(a, b, (1, 5, 10), concepts, concepts)
    assert point.recall == {"text_to_image": there.at, "image_to_text": back.at}
    assert point.loss == pytest.approx(retrieval.contrastive_loss(a, b, 0.01, 512), rel=1e-4)
    for name in ("round", "square"):
        mine = [x == name for x in groups]
        assert point.by_group[name] == pytest.approx((there.ranks[mine] < 1).mean())
    moved = unit(classes + delta / 2 * held.axis)
    assert point.accuracy == gap.zero_shot(a, labels, moved).at[1]


def test_the_best_place_and_the_places():
    images, texts = drawn()
    start = gap.measure(images, texts, bootstrap=0).centroid_gap
    deltas = slider.places(start, 13)
    assert deltas[0] == -start
    assert deltas[-1] == 2 * start
    assert 0 in deltas
    assert start in deltas
    points = gap.Slider(images, texts).sweep(deltas)
    top = slider.best(points, 5)
    assert top.recall["text_to_image"][5] == max(p.recall["text_to_image"][5] for p in points)
    record = points[0].record()
    assert record["delta"] == -start
    assert "text_to_image_recall_at_5" in record
    assert "zero_shot_accuracy" not in record


IMAGES, TEXTS = drawn(10)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: gap.shift(IMAGES, TEXTS, 11), "shift by 11"),
        (lambda: gap.shift(IMAGES, TEXTS, np.nan), "shift by nan"),
        (lambda: gap.shift(IMAGES, IMAGES, 0.5), "same centre"),
        (lambda: gap.recall_at(IMAGES, TEXTS, (11,)), "K = 11"),
        (lambda: gap.recall_at(IMAGES, TEXTS[:9]), "10 queries and 9 items"),
        (lambda: gap.recall_at(IMAGES[:0], TEXTS), "0 queries"),
        (lambda: gap.recall_at(IMAGES, TEXTS[:, :3]), "8 dimensions and the pool 3"),
        (
            lambda: gap.recall_at(IMAGES, TEXTS, (1,), np.arange(10), np.arange(10) + 1),
            "Query 0 has no right answer",
        ),
        (lambda: gap.recall_at(IMAGES, TEXTS, (1,), np.arange(9), np.arange(10)), "do not fit"),
        (lambda: gap.zero_shot(IMAGES, np.arange(10), TEXTS[:4]), "Label 9 names no class"),
        (lambda: gap.zero_shot(IMAGES, np.arange(3), TEXTS[:4]), r"shape \(3,\)"),
        (lambda: gap.Slider(IMAGES, TEXTS, groups=["a"]), "1 groups do not fit"),
        (lambda: gap.Slider(IMAGES, TEXTS, temperature=0), "Temperature 0"),
        (lambda: gap.Slider(IMAGES, TEXTS, concepts=np.arange(4)), "Concepts of shape"),
        (lambda: slider.places(1.0, 2), "2 places"),
    ],
)
def test_wrong_input_is_a_sentence(call, words):
    with pytest.raises(BadRequest, match=words):
        call()
