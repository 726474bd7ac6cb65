"""Verdicts, masks, agreement and group accuracies, against truth tables."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.crayon import aggregate
from backend.crayon.metrics import (
    answers_by_class,
    bg_gap,
    class_warning,
    energy_in_mask,
    group_accuracy,
    is_collapsed,
    mean_group_accuracy,
    mixed_rand_accuracy,
    worst_group_accuracy,
)
from backend.errors import BadRequest

STUDY = Path(__file__).resolve().parents[3] / "shared" / "data" / "crayon"


def rows(*answers, item=7):
    return [{"item_id": item, "annotator": f"a{i}", "answer": a} for i, a in enumerate(answers)]


def verdict(*answers, **kwargs):
    return next(name for name, ids in aggregate.maps(rows(*answers), **kwargs).items() if ids)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (("yes", "yes"), "relevant"),
        (("no", "no"), "irrelevant"),
        (("yes", "no"), "unused"),
        (("no", "yes"), "unused"),
        (("yes",), "unused"),
        (("no",), "unused"),
        (("yes", "skip"), "unused"),
        (("yes", "yes", "no"), "unused"),
        (("yes", "no", "no"), "irrelevant"),
        (("yes", "yes", "yes", "no"), "relevant"),
        (("yes", "maybe"), "relevant"),
        (("skip", "skip"), "unused"),
    ],
)
def test_truth_table_of_maps(answers, expected):
    assert verdict(*answers) == expected


def test_one_annotator_decides_only_where_asked():
    assert verdict("yes", minimum=1) == "relevant"
    assert verdict("no", minimum=1) == "irrelevant"


def test_an_annotator_counts_once_with_the_last_answer():
    twice = [{"item_id": 1, "annotator": "a", "answer": a} for a in ("yes", "yes", "no")]
    assert aggregate.maps(twice)["unused"] == [1]
    assert aggregate.maps(twice, 1)["irrelevant"] == [1]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from(["yes", "no"]))))
def test_each_item_is_in_one_verdict_and_order_does_not_matter(drawn):
    unique = {(item, who): answer for item, who, answer in drawn}
    made = [{"item_id": i, "annotator": str(w), "answer": a} for (i, w), a in unique.items()]
    found = aggregate.maps(made)
    assert sorted(itertools.chain(*found.values())) == sorted({i for i, _ in unique})
    back = aggregate.maps(made[::-1])
    assert {k: sorted(v) for k, v in found.items()} == {k: sorted(v) for k, v in back.items()}


def test_sources_are_not_pooled_silently():
    mixed = rows("yes", "yes")
    mixed[1]["source"] = "simulated"
    with pytest.raises(BadRequest, match="mixed"):
        aggregate.maps(mixed)
    assert aggregate.maps(mixed, pool=True)["relevant"] == [7]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"item_id": 1, "answer": "yes"}, "annotator"),
        ({"item_id": 1, "annotator": "a", "answer": "perhaps"}, "perhaps"),
    ],
)
def test_bad_rows_are_sentences(row, sentence):
    with pytest.raises(BadRequest, match=sentence):
        aggregate.maps([row])


def test_an_empty_set_has_no_verdicts_and_unknown_items_are_refused():
    assert aggregate.maps([]) == {"relevant": [], "irrelevant": [], "unused": []}
    assert aggregate.verdicts(rows("no", "no", item=4), [3, 4]).tolist() == [0, -1]
    with pytest.raises(BadRequest, match="item 9"):
        aggregate.verdicts(rows("no", "no", item=9), [3, 4])


@pytest.mark.parametrize("answers", list(itertools.product(["yes", "no", None], repeat=3)))
def test_truth_table_of_neurons(answers):
    asked = [{"item_id": i, "annotator": "a", "answer": a} for i, a in enumerate(answers) if a]
    score = answers.count("yes") - answers.count("no")
    assert aggregate.neurons(asked, np.array([[0, 1, 2]])).tolist() == [score >= 0]


def test_an_answer_reaches_every_owner_of_a_patch():
    no = [{"item_id": 5, "annotator": "a", "answer": "no"}]
    owners = np.array([[5, 1, 2], [3, 5, 4], [0, 1, 2]])
    assert aggregate.neurons(no, owners).tolist() == [False, False, True]
    with pytest.raises(BadRequest, match="patch 9"):
        aggregate.neurons([{**no[0], "item_id": 9}], owners)


def test_kappas_by_hand():
    a = ["yes"] * 25 + ["no"] * 25
    b = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    # observed 35/50; chance .5*.6 + .5*.4 = .5
    assert aggregate.cohen_kappa(a, b) == pytest.approx(0.4)
    assert np.isnan(aggregate.cohen_kappa(["yes"], ["yes"]))
    # Two items: 3-0 and 1-2. within (1, 1/3), mean 2/3; chance (4/6)^2 + (2/6)^2 = 20/36
    assert aggregate.fleiss_kappa(np.array([[3, 0], [1, 2]])) == pytest.approx(
        (2 / 3 - 5 / 9) / (4 / 9)
    )
    with pytest.raises(BadRequest, match="same number"):
        aggregate.fleiss_kappa(np.array([[3, 0], [1, 1]]))


def test_agreement_names_pairs_and_disputed_items():
    made = [
        *rows("yes", "no", item=1),
        *rows("yes", "yes", item=2),
        *rows("no", "no", item=3),
        *rows("yes", item=4),
    ]
    found = aggregate.agreement(made)
    assert found["pairs"][0] | {"kappa": 0} == {"a": "a0", "b": "a1", "items": 3, "kappa": 0}
    # observed 2/3; chance 2/3*1/3 + 1/3*2/3 = 4/9
    assert found["pairs"][0]["kappa"] == pytest.approx((2 / 3 - 4 / 9) / (5 / 9))
    assert found["disputed"] == [1]
    assert found["fleiss_items"] == 3
    assert aggregate.agreement([])["fleiss"] is None


def test_group_accuracies_of_unequal_groups():
    pred, y, group = [0, 0, 0, 1, 1, 0], [0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 2]
    assert group_accuracy(pred, y, group) == {0: 0.75, 1: 1.0, 2: 0.0}
    assert worst_group_accuracy(pred, y, group) == 0.0
    assert mean_group_accuracy(pred, y, group) == pytest.approx(1.75 / 3)
    with pytest.raises(BadRequest, match="Group 3 has no item"):
        group_accuracy(pred, y, group, range(4))
    with pytest.raises(BadRequest, match="make no accuracy"):
        worst_group_accuracy([], [], [])


def test_background_metrics_and_energy():
    assert mixed_rand_accuracy([1, 1], [1, 0]) == 0.5
    assert bg_gap([1, 0], [1, 1], [1, 1], [1, 1]) == -0.5
    maps = np.array([[[1, 3], [0, 0]], [[0, 0], [0, 0]]], np.float32)
    masks = np.array([[[1, 0], [1, 1]], [[1, 1], [1, 1]]], np.float32)
    assert energy_in_mask(maps, masks).tolist() == pytest.approx([0.25, float("nan")], nan_ok=True)
    assert is_collapsed([1, 1, 1])
    assert not is_collapsed([1, 0])


def test_answers_that_follow_the_class_are_warned_of():
    y = np.array([0] * 10 + [1] * 10)
    table = answers_by_class(np.where(y == 0, 1, -1), y, 2)
    assert table.tolist() == [[10, 0, 0], [0, 10, 0]]
    assert "follow the class" in class_warning(table, ("a", "b"))
    assert class_warning(answers_by_class(np.tile([1, -1], 10), y, 2), ("a", "b")) == ""
    assert "one of the two" in class_warning(answers_by_class(np.ones(20), y, 2), ("a", "b"))
    assert "No answer" in class_warning(answers_by_class(np.zeros(20), y, 2), ("a", "b"))


@pytest.mark.skipif(not STUDY.exists(), reason="the published answers are not at hand")
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("waterbirds", (3414, 152, 1229)),
        ("biased_celeba", (5207, 10214, 4779)),
        ("background", (2417, 189, 42799)),
    ],
)
def test_the_published_answers_aggregate_to_the_published_counts(name, counts):
    from backend.crayon.exchange import read_published

    found = aggregate.maps(read_published(STUDY / f"{name}_gradcam.json"))
    assert tuple(len(found[k]) for k in ("relevant", "irrelevant", "unused")) == counts
    assert json.loads((STUDY / f"{name}_gradcam.json").read_text())[0] in ("yes", "maybe")
