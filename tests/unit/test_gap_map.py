"""The joint picture and the words that tell selections apart."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.gap import joint_map, words


def pairs(n=20, d=6):
    rows = np.random.default_rng(0).normal(size=(2, n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=2, keepdims=True)


class FakeUmap:
    """Counts the rows it is given; places are the first two coordinates."""

    seen: ClassVar[list] = []

    def __init__(self, **options):
        self.options = options

    def fit_transform(self, rows):
        FakeUmap.seen.append((len(rows), self.options))
        return rows[:, :2]


def test_one_fit_of_both_modalities(monkeypatch):
    import sys
    import types

    FakeUmap.seen = []
    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=FakeUmap))
    images, texts = pairs(300)
    found = joint_map.joint_map(images, texts, seed=4)
    assert [rows for rows, _ in FakeUmap.seen] == [500]
    assert FakeUmap.seen[0][1]["random_state"] == 4
    assert FakeUmap.seen[0][1]["metric"] == "cosine"
    assert len(found.rows) == len(set(found.rows.tolist())) == 250
    assert found.images == pytest.approx(images[found.rows, :2], abs=1e-6)
    assert found.texts == pytest.approx(texts[found.rows, :2], abs=1e-6)


def test_the_sample_is_seeded():
    assert (joint_map.sample(300, seed=1) == joint_map.sample(300, seed=1)).all()
    assert (joint_map.sample(300, seed=1) != joint_map.sample(300, seed=2)).any()
    assert joint_map.sample(9).tolist() == list(range(9))


def test_words_that_tell_apart():
    first = ["a red cat", "the red dog", "red house"]
    second = ["a blue cat", "the blue dog", "blue house"]
    found = words.distinctive(first, second)
    assert {found[0].word, found[1].word} == {"red", "blue"}
    by_word = {one.word: one for one in found}
    assert by_word["red"].z == pytest.approx(-by_word["blue"].z)
    assert by_word["red"].z > 0
    assert by_word["cat"].z == pytest.approx(0, abs=1e-9)
    assert by_word["red"].first == 3
    assert len(words.distinctive(first, second, most=2)) == 2
    assert words.distinctive(["x"], ["x"])[0].z == 0
    assert words.words_of("Don't, l’été 3 x_y") == ["don't", "l’été", "x", "y"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: joint_map.joint_map(*pairs(5)), "5 pairs cannot be laid out"),
        (lambda: joint_map.joint_map(*pairs(), neighbours=1), "1 neighbours"),
        (lambda: joint_map.joint_map(*pairs(), min_dist=2), "distance of 2"),
        (lambda: joint_map.sample(300, 3), "3 pairs"),
        (lambda: words.distinctive([], ["a"]), "first selection has no words"),
        (lambda: words.distinctive(["a"], ["b"], 0), "0 words"),
    ],
)
def test_wrong_input_is_a_sentence(call, message):
    with pytest.raises(BadRequest, match=message):
        call()
