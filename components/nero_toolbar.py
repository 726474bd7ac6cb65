"""The head of the NERO page: which data and models are compared, along which orbit, with what."""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from backend import catalog
from backend.nero import tasks
from backend.nero.consensus import INSTEAD, WHY_NOT
from backend.own_sets import accepted
from components.icons import icon
from components.method_card import named
from components.nero_layout import PAGE, Options
from components.nero_state import (
    Place,
    chosen_models,
    offered_sides,
    orbit_options,
    ordered_models,
    step_options,
    task_options,
)
from components.state import Values, control

TASK: Final = "nero-task"  # what is chosen; the page's own task is part of its state
AVERAGED: Final = "nero-averaged"
OWN: Final = "own"  # the value of the data menu while a user's own set is open
QUESTION: Final = "How does the model answer along the orbit of an input?"
TRY: Final = "drag the green mark, then lasso dots of the orbit map."
IDEAL: Final = {
    "invariant": ("invariant task", "An ideal answer does not change when the input moves."),
    "equivariant": ("equivariant task", "An ideal answer moves with the input."),
    "covariant": ("covariant task", "An ideal answer turns with the input, and so do its vectors."),
}
SIDE_LABELS: Final = {"truth": "Truth", "consensus": "Consensus", "both": "Both"}


def head(values: Values, where: Place) -> html.Header:
    """Title, question and toolbar."""
    name, ideal = IDEAL[tasks.find(where.task).kind]
    kind = html.Span(name, className="nero-kind", title=ideal)
    tip = html.P([html.B("Try this first: "), TRY], className="nero-try")
    title = [html.H1("NERO"), html.P([QUESTION, " ", kind]), tip]
    return html.Header([html.Div(title), _toolbar(values, where)], className="nero-head")


def _toolbar(values: Values, where: Place) -> Component:
    models = [
        {"value": key, "label": catalog.card(key).title} for key in ordered_models(where.task)
    ]
    chosen = chosen_models(values)
    several = dmc.MultiSelect(
        id=control(PAGE, "models"),
        label="Models",
        data=models,
        value=chosen,
        className="nero-models",
        hidePickedOptions=True,
    )
    in_focus = [model for model in models if model["value"] in chosen]
    controls = [
        _data(values, where),
        several,
        _labelled("focus", "Model in focus", in_focus, values, 144),
        _labelled("orbit", "Orbit", orbit_options(where.task), values, 156),
        _labelled("step", "Step", step_options(where.family), values, 164),
    ]
    return html.Div(
        controls, className="nero-toolbar", role="group", **named(aria_label="What is compared")
    )


def _labelled(key: str, label: str, data: Options, values: Values, width_px: int) -> Component:
    select: Component = dmc.Select(
        id=control(PAGE, key),
        label=label,
        data=list(data),
        value=values[key],
        allowDeselect=False,
        w=width_px,
    )
    return select


def _data(values: Values, where: Place) -> Component:
    """The menu of data sets with the door for one's own files beside it."""
    options = task_options()
    value = str(values["task"])
    if values["set"] != tasks.find(where.task).item_set:
        value = OWN
        options.append({"value": OWN, "label": where.items.title})
    select = dmc.Select(
        id=TASK, label="Data set", data=options, value=value, allowDeselect=False, w=150
    )
    offer = accepted(where.task)
    label = f"Open your own: {offer.words}" if offer else "This task takes no files"
    attributes: dict[str, Any] = {"data-task": where.task}
    button = html.Button(
        icon("file-export"),
        id="nero-open",
        type="button",
        className="nero-open",
        title=label,
        disabled=offer is None,
        **named(aria_label=label, data_accept=offer.suffixes if offer else ""),
        **attributes,
    )
    return html.Div([select, button], className="nero-data")


def sides(values: Values, where: Place) -> Component:
    """Truth, consensus or both; where there is only one of them, the reason why."""
    offered, reason = offered_sides(where), ""
    if tasks.find(where.task).kind == "invariant":
        reason = f"There is no consensus here. {WHY_NOT} {INSTEAD}"
    elif len(offered) == 1:
        reason = "Nobody knows the right answers of these items: only the consensus is there."
    segments = dmc.SegmentedControl(
        id=control(PAGE, "consensus"),
        value=values["consensus"],
        data=[{"value": key, "label": text} for key, text in SIDE_LABELS.items()],
        size="xs",
        disabled=len(offered) == 1,
        **named(aria_label="Outputs are compared with"),
    )
    about = html.Span(reason, id="nero-why", className="nero-unseen")
    return html.Div([segments, about], className="nero-sides", title=reason, id="nero-sides")


def averaged(values: Values, *, is_offered: bool) -> Component:
    """One number a cell instead of a map; the flag itself is a hidden control."""
    box = dmc.Checkbox(
        id=AVERAGED, label="Show averaged NERO", checked=bool(values["averaged"]), size="xs"
    )
    return html.Div(box, className="nero-averaged", hidden=not is_offered)
