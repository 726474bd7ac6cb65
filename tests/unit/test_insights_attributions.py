"""Attributions: they add up, agree with captum, and find what is planted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam

from backend.errors import BadRequest
from backend.insights import attributions, parts
from backend.insights.attributions import METHODS, attribute, pca_map, rescaled
from tests.insights_sets import BAD, GOOD, fitted, tiny

ROWS = [0, 1, 2, 3, 4, 119]
FEW = [0, 119]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("which", ["joint", "text", "image"])
def test_they_add_up_to_prediction_less_baseline(method: str, which: str) -> None:
    model, held = fitted(), tiny()
    opened = parts.open_rows(model, held, FEW, which)
    found = attribute(model, opened, attributions.checked_method(method))
    for row, told in zip(FEW, found, strict=True):
        total = sum(float(v.sum()) for v in told.values.values())
        if which == "image" and row == 119:  # it has no picture
            assert told.values == {}
            continue
        assert total == pytest.approx(told.prediction - told.baseline, rel=1e-5)
        shapes = {m: v.shape for m, v in told.values.items()}
        if which != "image":
            assert shapes["text"] == (len(told.words),) == (7,)
        if which != "text" and row != 119:
            assert shapes["image"] == (16, 16)
        if which == "joint":
            assert shapes["domain"] == ()
            assert shapes["features"] == (2,)
        assert all(np.isfinite(v).all() for v in told.values.values())
        both = {m: told.positive[m] - told.negative[m] for m in told.values}
        assert all(np.array_equal(both[m], told.values[m]) for m in both)


def test_the_prediction_is_that_of_the_model() -> None:
    model, held = fitted(), tiny()
    told = attribute(model, parts.open_rows(model, held, ROWS), "grad-cam")
    assert [one.prediction for one in told] == pytest.approx(
        model.predict(model.inputs(held, ROWS)).tolist(), abs=1e-6
    )


@pytest.mark.parametrize("method", METHODS)
def test_planted_phrases_are_found(method: str) -> None:
    model, held = fitted(), tiny()
    rows = [k for k in range(60) if GOOD in held.text(k) or BAD in held.text(k)][:8]
    told = attribute(
        model, parts.open_rows(model, held, rows, "text"), attributions.checked_method(method)
    )
    for row, one in zip(rows, told, strict=True):
        planted = float(one.values["text"][2:4].sum())
        assert (planted > 0) == (GOOD in held.text(row))


def test_integrated_gradients_equal_captums_for_equal_steps() -> None:
    model, held = fitted(), tiny()
    opened = parts.open_rows(model, held, ROWS[:5])
    ours = attributions.gauss_legendre(model.net, opened, 12)
    names = tuple(opened.parts)

    def rate(*given: torch.Tensor) -> torch.Tensor:
        about = opened.repeated(1)
        times = len(given[0]) // len(opened)
        rows = torch.arange(len(opened)).repeat(times)
        again = opened.of(rows)
        del about
        return parts.rate(model.net, dict(zip(names, given, strict=True)), again)

    theirs = IntegratedGradients(rate).attribute(
        tuple(opened.parts[m] for m in names), n_steps=12, method="gausslegendre"
    )
    for m, found in zip(names, theirs, strict=True):
        wanted = attributions._reduced(m, found.float())
        away = (ours[m] - wanted).norm() / wanted.norm()
        assert float(away) < 1e-5, m


def test_grad_cam_equals_captums() -> None:
    model, held = fitted(), tiny()
    opened = parts.open_rows(model, held, ROWS[:5], "image")
    ours = attributions.grad_cam(model.net, opened)["image"]

    def rate(image: torch.Tensor) -> torch.Tensor:
        return parts.rate(model.net, {"image": image}, opened)

    layer = model.net.image.seen
    theirs = LayerGradCam(rate, layer).attribute(opened.parts["image"])
    assert torch.allclose(ours, theirs[:, 0].detach(), atol=1e-8)
    assert not layer._forward_hooks


def test_integration_stops_when_it_adds_up_and_says_its_error() -> None:
    model, held = fitted(), tiny()
    told = attribute(model, parts.open_rows(model, held, list(range(6))), "integrated-gradients")
    for one in told:
        assert one.completeness_error <= 0.01 or one.steps == attributions.STEPS[-1]
    assert min(one.steps for one in told) < attributions.STEPS[-1]


def test_the_number_of_contents_at_once_changes_nothing() -> None:
    model, held = fitted(), tiny()
    together = attribute(model, parts.open_rows(model, held, [0, 1, 2]), "integrated-gradients")
    alone = [
        attribute(model, parts.open_rows(model, held, [k]), "integrated-gradients")[0]
        for k in (0, 1, 2)
    ]
    for a, b in zip(together, alone, strict=True):
        for m in a.values:
            assert np.allclose(a.values[m], b.values[m], atol=1e-6)


def test_a_linear_model_gets_weight_times_input() -> None:
    model, held = fitted(), tiny()
    opened = parts.open_rows(model, held, ROWS[:2])
    weights = {m: torch.randn(x.shape[1:]) for m, x in opened.parts.items()}

    def linear(net: object, given: parts.Parts, about: parts.Opened) -> torch.Tensor:
        return sum((given[m] * weights[m]).flatten(1).sum(1) for m in given)  # type: ignore[return-value]

    wanted = {m: attributions._reduced(m, opened.parts[m] * weights[m]) for m in weights}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "rate", linear)
        found = attributions.gauss_legendre(model.net, opened, 2)
        from backend.insights import perturbations

        ablated = perturbations.raw(model.net, opened, "feature-ablation", model.design.columns)
        shap = perturbations.raw(model.net, opened, "kernel-shap", model.design.columns)
    for m in wanted:
        assert torch.allclose(found[m], wanted[m], rtol=1e-3, atol=1e-3), m
        assert float(ablated[m].sum()) == pytest.approx(float(wanted[m].sum()), rel=1e-3, abs=1e-2)
        assert float(shap[m].sum()) == pytest.approx(float(wanted[m].sum()), rel=0.1, abs=0.5)
    for name in (ablated, shap):
        both = []
        for values in (name["text"][0].ravel(), wanted["text"][0].ravel()):
            both.append([float(values[opened.word[0].ravel() == k].sum()) for k in range(7)])
        assert np.corrcoef(both)[0, 1] > 0.95


def test_equal_maps_give_that_map_and_a_flipped_one_does_not_turn_it() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=30) + 0.3
    same = pca_map([one, 2 * one, one, one])
    assert np.allclose(same / np.linalg.norm(same), one / np.linalg.norm(one))
    flipped = pca_map([one, one, one, -one])
    assert flipped @ one > 0
    assert np.isfinite(pca_map([one, np.zeros(30), np.full(30, 2.0), one])).all()
    assert not pca_map([np.zeros(4)] * 4).any()


def test_rescaling_flags_what_no_factor_can_scale() -> None:
    made, is_flagged = rescaled({"text": np.array([1.0, 3.0])}, 2.0)
    assert made["text"] == pytest.approx([0.5, 1.5])
    assert not is_flagged
    for values in ([1.0, -1.0], [-1.0, -3.0]):
        made, is_flagged = rescaled({"text": np.array(values)}, 2.0)
        assert made["text"].sum() == pytest.approx(2.0)
        assert is_flagged


def test_an_unknown_method_is_a_sentence() -> None:
    with pytest.raises(BadRequest, match="no method 'lime'"):
        attributions.checked_method("lime")
