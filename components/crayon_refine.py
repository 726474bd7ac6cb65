"""The fourth step of the Crayon page: training under answers, and the models that came of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import dash_mantine_components as dmc
import numpy as np
from dash import html
from dash.development.base_component import Component

from backend.crayon import methods as known
from components import crayon_methods as methods
from components.crayon_diagnose import graph
from components.crayon_state import MOST_SEEDS, NORMS, PAGE, RATES
from components.figures.crayon_curves import curves
from components.method_card import named
from components.nero_figures import plain
from components.plot_card import plot_card
from components.state import Values, control

SETTINGS, CURVES, TREE = "crayon-settings", "crayon-curves", "crayon-tree"
GROUPED: Final = (
    ("Crayon", known.VARIANTS),
    ("Controls", known.CONTROLS),
    ("Baselines", known.BASELINES),
)
SHORT: Final = {
    "attention": "Attention",
    "pruning": "Pruning",
    "pruning+attention": "Pruning, then attention",
    "erm": "ERM: training goes on",
    "shuffled": "Shuffled answers",
    "last-layer": "Last layer only",
    "random-mask": "Random mask",
    "jtt": "JtT",
    "masktune": "MaskTune",
    "rrr": "RRR",
    "gradmask": "GradMask",
    "box": "Bounding box",
}
SAYS: Final = {
    "attention": "Keeps maps that were called relevant, and moves the model away from those that "
    "were not. The whole last stage is trained.",
    "pruning": "Switches off the neurons whose patches were called irrelevant, then trains the "
    "last layer alone.",
    "pruning+attention": "Prunes first, then guides attention under the mask; the order matters, "
    "as patches belong to the original's neurons.",
    "erm": "The same training without any answer: what more epochs alone would do.",
    "shuffled": "The same answers, dealt to other images at random: if this helps as much, the "
    "answers did not.",
    "last-layer": "Trains the last layer alone and prunes nothing.",
    "random-mask": "Switches off as many neurons as the answers would, drawn at random.",
    "jtt": "Just train twice: what the original gets wrong weighs more. Needs no answers.",
    "masktune": "Trains on images whose most attended region is hidden. Needs no answers.",
    "rrr": "Right for the right reasons: penalises gradients off the object. Needs masks.",
    "gradmask": "Penalises the contrast's gradients off the object. Needs masks.",
    "box": "Penalises the map's energy outside of the object's bounding box. Needs boxes.",
}
"""One sentence a method; what it needs, beside ``backend.crayon.methods.TITLES``."""


def panel(values: Values) -> Component:
    """Settings and cost at the left, live curves at the right, the tree of models beneath."""
    return html.Div(
        [_settings(values), _curves(), _tree()], id="crayon-refine", className="crayon-grid"
    )


@cache  # the empty figure is half the time of the page
def facts() -> dict[str, Any]:
    """What the scripts know of methods, and the empty figure. Do not change it: it is shared."""
    empty = curves(np.zeros((0, 3)), np.zeros((0, 2)), view=PAGE)
    return {
        "short": SHORT,
        "says": SAYS,
        "mandatory": {name: list(names) for name, names in known.MANDATORY.items()},
        "maps": list(known.USES_MAPS),
        "mask": list(known.USES_MASK),
        "baselines": list(known.BASELINES),
        "last": list(known.LAST_ONLY),
        "curves": plain(empty),
    }


def _settings(values: Values) -> Component:
    data = [
        {"group": title, "items": [{"value": key, "label": SHORT[key]} for key in keys]}
        for title, keys in GROUPED
    ]
    form = [
        html.Div(
            [
                _select("method", "Method", data, values),
                html.P(id="crayon-says", className="crayon-note"),
            ],
            className="crayon-row-wide",
        ),
        *_strengths(values),
        _number("epochs", "Epochs", values, 1, 200),
        _select("lr", "Learning rate", [{"value": r, "label": r} for r in RATES], values),
        _number("seeds", "Seeds, a run each", values, 1, MOST_SEEDS),
        _number("seed", "First seed", values, 0, 2**30),
        *_answers(values),
        _for("whole", _frozen(values)),
    ]
    body = [
        html.Div(form, className="crayon-form"),
        html.Div(id="crayon-plan", className="crayon-plan", role="status"),
        _actions(values),
    ]
    return plot_card(
        SETTINGS,
        "Train",
        "Which answers should correct the model, and how strongly?",
        html.Div(body),
        method=methods.SETTINGS,
        honesty="Trained on the training split; validation is watched, test is never tuned on.",
        min_height_px=560,
        grows=True,
        is_picture=False,
    )


def _strengths(values: Values) -> list[Component]:
    """Weights of one sample as the controls; what they mean as alpha and beta is written beside."""
    pairs = [
        html.Div(
            [
                _number(key, f"Weight of one {key} map", values, 0, 1e6, is_whole=False),
                html.Div(id=f"crayon-{greek}-place", className="crayon-greek"),
            ],
            className="crayon-pair",
            **named(data_for="maps"),
        )
        for key, greek in (("relevant", "alpha"), ("irrelevant", "beta"))
    ]
    norm = [{"value": key, "label": text} for key, text in NORMS.items()]
    return [
        *pairs,
        _for("maps", _select("norm", "Terms scaled", norm, values)),
        _for(
            "baselines",
            _number("strength", "Strength of its term", values, 0, 1e6, is_whole=False),
        ),
    ]


def _answers(values: Values) -> list[Component]:
    whose: Component = html.Div(id="crayon-whose", className="crayon-row-wide crayon-whose")
    return [
        _for("answers", whose),
        _for("answers", _number("minimum", "Answers an item needs", values, 1, 9)),
        _for("maps", _number("budget", "Maps used, 0 for all", values, 0, 10**6)),
    ]


def _frozen(values: Values) -> Component:
    made: Component = dmc.Switch(
        id="crayon-frozen-switch",
        label="Keep the normalisation's statistics",
        checked=bool(values["frozen"]),
        size="sm",
        description="Means and variances of batch normalisation stay those of the original.",
    )
    return html.Div(made, className="crayon-row-wide")


def _actions(values: Values) -> Component:
    controls: Component = dmc.Switch(
        id="crayon-controls-switch",
        label="Also run the controls",
        checked=bool(values["controls"]),
        size="sm",
    )
    run = html.Button("Run", id="crayon-run", type="button", className="lp-btn lp-btn-main")
    note = html.P(id="crayon-run-note", className="crayon-note", role="status")
    return html.Div([run, controls, note], className="crayon-actions")


def _for(kind: str, child: Component) -> Component:
    """A control that only some methods read; scripts hide it for the others."""
    return html.Div(child, className="crayon-for", **named(data_for=kind))


def _select(key: str, label: str, data: Sequence[Any], values: Values) -> Component:
    made: Component = dmc.Select(
        id=control(PAGE, key), label=label, data=list(data), value=values[key], allowDeselect=False
    )
    return made


def _number(
    key: str, label: str, values: Values, low: float, high: float, *, is_whole: bool = True
) -> Component:
    made: Component = dmc.NumberInput(
        id=control(PAGE, key),
        label=label,
        value=values[key],
        min=low,
        max=high,
        step=1,
        allowDecimal=not is_whole,
        allowNegative=False,
        clampBehavior="strict",
    )
    return made


def _curves() -> Component:
    body = [
        html.Div(id="crayon-active", className="crayon-active"),
        html.Div(
            id="crayon-run-chips",
            className="crayon-chips",
            role="group",
            **named(aria_label="Run that is drawn"),
        ),
        html.Div(graph("crayon-curves-graph"), className="crayon-curves-place"),
    ]
    return plot_card(
        CURVES,
        "Training",
        "Do the loss terms fall, and does validation follow?",
        html.Div(body, className="crayon-fill"),
        table=CURVES,
        method=methods.CURVES,
        min_height_px=560,
        state="loading",
    )


def _tree() -> Component:
    return plot_card(
        TREE,
        "Models",
        "Which correction came from which model?",
        html.Div(id="crayon-tree-view", className="crayon-tree"),
        table=TREE,
        method=methods.TREE,
        min_height_px=148,
        grows=True,
        state="loading",
        is_picture=False,
    )
