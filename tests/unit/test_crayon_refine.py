"""What each method trains, and what its controls promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.crayon import refine
from backend.crayon.aggregate import budget
from backend.crayon.answers import Scope
from backend.crayon.gradcam import whole_set
from backend.crayon.refinement import (
    METHODS,
    Examples,
    Guidance,
    Plan,
    evaluate,
    per_sample,
)
from backend.crayon.simulate import answers, patch_says_yes, says_yes
from backend.errors import BadRequest, Cancelled
from tests.crayon_nets import examples, tiny

NET, TRAIN = tiny(), examples()
M0, _ = whole_set(NET, lambda a, b: TRAIN.x[a:b], TRAIN.y, len(TRAIN))
VERDICT = np.tile([1, -1, 0, 1], 10)
KEEP = np.array([True, False, True, True, False, True])
GUIDE = Guidance(M0, VERDICT, KEEP, "abc")
PLAN = Plan(alpha=4.0, beta=4.0, epochs=2, lr=1e-2, batch=16, seed=3)


def state(refined):
    return {name: value.clone() for name, value in refined.net.state_dict().items()}


def run(method, **changes):
    return refine(NET, TRAIN, replace(PLAN, method=method, **changes), GUIDE, TRAIN)


def changed(a, b):
    return {name for name in a if not torch.equal(a[name], b[name])}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs_and_leaves_the_original_alone(method):
    before = {name: value.clone() for name, value in NET.state_dict().items()}
    found = run(method)
    assert not changed(before, NET.state_dict())
    assert np.isfinite(found.curves).all()
    assert found.curves.shape == (2, 3)
    assert np.isfinite(found.validation).all()
    assert changed(state(found), before)


def test_the_same_seed_gives_the_same_model_and_another_seed_another():
    a, b, c = state(run("attention")), state(run("attention")), state(run("attention", seed=4))
    assert not changed(a, b)
    assert changed(a, c)


def test_without_weights_attention_is_erm_bit_for_bit():
    assert not changed(state(run("attention", alpha=0.0, beta=0.0)), state(run("erm")))
    assert changed(state(run("attention")), state(run("erm")))


def test_switching_a_term_off_equals_removing_its_answers():
    off = state(run("attention", beta=0.0))
    only = replace(GUIDE, verdict=np.where(VERDICT == 1, 1, 0))
    assert not changed(off, state(refine(NET, TRAIN, replace(PLAN, method="attention"), only)))


@pytest.mark.parametrize("method", ["pruning", "last-layer", "random-mask"])
def test_only_the_last_layer_is_trained(method):
    before = NET.state_dict()
    moved = changed(state(run(method)), before)
    assert moved - {"mask"} == {"output.weight", "output.bias"}


def test_pruning_stays_under_attention():
    found = run("pruning+attention")
    assert found.net.mask.tolist() == KEEP.astype(float).tolist()
    assert run("attention").net.mask.tolist() == [1.0] * 6
    assert run("random-mask").net.mask.sum() == KEEP.sum()


def test_shuffled_answers_keep_the_counts():
    assert run("shuffled").weights == run("attention").weights
    assert changed(state(run("shuffled")), state(run("attention")))


def test_budgets_are_nested_and_end_at_the_whole():
    few, many = budget(VERDICT, 10, 0), budget(VERDICT, 25, 0)
    assert ((few == 0) | (few == many)).all()
    assert np.array_equal(budget(VERDICT, 40, 0), VERDICT)
    assert not budget(VERDICT, 0, 0).any()


def test_per_sample_weights():
    plan = per_sample(PLAN, 0.5, 2.0, VERDICT)
    assert (plan.alpha, plan.beta) == (10.0, 20.0)


def test_maps_of_another_size_are_resized():
    other = replace(GUIDE, m0=M0[:, ::2, ::2].copy())
    assert np.isfinite(refine(NET, TRAIN, replace(PLAN, method="attention"), other).curves).all()


def test_evaluation_tells_groups_energy_and_collapse():
    held = evaluate(NET, TRAIN)
    assert held["wga"][0] <= held["mga"][0]
    assert held["maps"].shape == (40, 6, 6)
    dead = tiny()
    with torch.no_grad():
        dead.output.weight.fill_(0)
    assert evaluate(dead, TRAIN)["collapsed"][0] == 1


def test_cancel_ends_a_run():
    def stop(epoch, epochs, numbers):
        raise Cancelled

    with pytest.raises(Cancelled):
        refine(NET, TRAIN, replace(PLAN, method="erm"), report=stop)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"method": "magic"}, "no method"),
        ({"norm": "mean"}, "no norm"),
        ({"epochs": 0}, "epochs=0"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"alpha": -1.0}, "alpha=-1"),
    ],
)
def test_bad_plans_are_sentences(change, sentence):
    with pytest.raises(BadRequest, match=sentence):
        replace(PLAN, **change)


def test_missing_guidance_is_a_sentence():
    attention, pruning = replace(PLAN, method="attention"), replace(PLAN, method="pruning")
    with pytest.raises(BadRequest, match="needs the original's maps"):
        refine(NET, TRAIN, attention)
    with pytest.raises(BadRequest, match="No answer can be used"):
        refine(NET, TRAIN, attention, replace(GUIDE, verdict=np.zeros(40, np.int64)))
    with pytest.raises(BadRequest, match="about neurons"):
        refine(NET, TRAIN, pruning)
    with pytest.raises(BadRequest, match="another model"):
        refine(NET, TRAIN, pruning, GUIDE, model="def")
    with pytest.raises(BadRequest, match="one class only"):
        refine(NET, replace(TRAIN, y=np.zeros(40, np.int64)), replace(PLAN, method="erm"))
    bare = Examples(TRAIN.x, TRAIN.y, TRAIN.group)
    with pytest.raises(BadRequest, match="needs masks"):
        refine(NET, bare, replace(PLAN, method="box"))


def test_all_yes_trains_with_one_term():
    found = refine(
        NET, TRAIN, replace(PLAN, method="attention"), replace(GUIDE, verdict=np.ones(40, np.int64))
    )
    assert (found.curves[:, 2] == 0).all()
    assert (found.curves[:, 1] > 0).all()


def test_simulated_annotators_are_marked_and_err_at_their_rate():
    maps = np.zeros((3, 2, 2), np.float32)
    maps[0, 0, 0], maps[1, 1, 1] = 1.0, 1.0
    maps[0, 1, 1] = 0.4  # not strong
    masks = np.zeros((3, 2, 2), np.float32)
    masks[:, 0, 0] = 1.0
    assert says_yes(maps, masks).tolist() == [True, False, False]
    assert patch_says_yes(np.array([[0, 0, 0], [0, 1, 1]]), masks).tolist() == [True, False]
    truth = np.arange(4000) % 3 == 0
    scope = Scope("birds", "ab")
    made = answers(truth, np.arange(4000), scope, noise=0.1, seed=1)
    assert {a.source for a in made} == {"simulated"}
    wrong = np.mean([(a.answer == "yes") != truth[a.item_id] for a in made])
    assert 0.08 < wrong < 0.12
    assert made == answers(truth, np.arange(4000), scope, noise=0.1, seed=1)
    with pytest.raises(BadRequest, match="noise rate"):
        answers(truth, np.arange(4000), scope, noise=0.7)
