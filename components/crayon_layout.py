"""The frame of the Crayon page: title, toolbar, the five steps as tabs, and the first of them.

Lists, galleries and tables are drawn in the browser (``assets/7x-crayon-*.js``) into places made
here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from backend.crayon import requests, sets
from components import crayon_annotate, crayon_compare, crayon_diagnose, crayon_refine
from components.crayon_state import PAGE, STEPS
from components.icons import icon
from components.method_card import named
from components.state import Values, control, hidden

QUESTION: Final = "Does the model look at the right thing, and can we correct it?"
TRY: Final = "look at the worst group under Diagnose, then answer ten maps."
SEEN: Final = (
    *("set", "model", "as", "step", "split", "source", "sort", "look"),
    *("method", "relevant", "irrelevant", "norm", "strength", "epochs", "lr", "seed", "seeds"),
    *("minimum", "budget", "run", "change"),
)
"""Keys of the state whose control Dash knows; scripts write the others."""


def head(values: Values) -> Component:
    """Title, question, and what is looked at."""
    tip = html.P([html.B("Try this first: "), TRY], className="nero-try")
    title = html.Div([html.H1("Crayon"), html.P(QUESTION), tip])
    return html.Header([title, _toolbar(values)], className="nero-head crayon-head")


def _toolbar(values: Values) -> Component:
    titles = [{"value": key, "label": text} for key, text in sets.known().items()]
    models = [{"value": "", "label": "Original model"}]
    if values["model"]:
        models.append({"value": str(values["model"]), "label": "Corrected model"})
    controls = [
        select("set", "Data set", titles, values, 216),
        select("model", "Model", models, values, 232),
        dmc.TextInput(
            id=control(PAGE, "as"),
            label="Annotator",
            value=values["as"],
            placeholder="your name",
            debounce=500,
            w=140,
        ),
    ]
    label = named(aria_label="What is looked at")
    return html.Div(controls, className="nero-toolbar crayon-toolbar", role="group", **label)


def select(
    key: str, label: str, data: Sequence[Mapping[str, str]], values: Values, width_px: int
) -> Component:
    """A menu whose choice belongs to the state."""
    made: Component = dmc.Select(
        id=control(PAGE, key),
        label=label,
        data=list(data),
        value=values[key],
        allowDeselect=False,
        w=width_px,
    )
    return made


def button(element_id: str, text: str, title: str, icon_name: str = "") -> Component:
    """A small button that a script knows by its id."""
    children: list[Any] = [icon(icon_name), text] if icon_name else [text]
    return html.Button(
        children, id=element_id, type="button", className="plot-card-button", title=title
    )


def steps(values: Values) -> Component:
    """The five steps: a row of tabs, and a panel each."""
    panels: dict[str, Component] = {
        "diagnose": crayon_diagnose.panel(values),
        "maps": crayon_annotate.map_panel(),
        "neurons": crayon_annotate.patch_panel(),
        "refine": crayon_refine.panel(values),
        "compare": crayon_compare.panel(values),
    }
    tabs = [
        dmc.TabsTab([html.Span(str(place), className="crayon-place"), title], value=key)
        for place, (key, title) in enumerate(STEPS.items(), 1)
    ]
    leave = button("crayon-leave", "Open the workbench", "Show the other steps", "arrow-left")
    made: Component = dmc.Tabs(
        [
            dmc.TabsList(tabs, **named(aria_label="Steps")),
            html.Div(leave, className="crayon-calm-bar"),
            html.P(id="crayon-said", className="crayon-said", role="status", hidden=True),
            *(dmc.TabsPanel(panel, value=key) for key, panel in panels.items()),
        ],
        id=control(PAGE, "step"),
        value=values["step"],
        keepMounted=True,
        className="crayon-steps",
    )
    return made


def unseen(values: Values) -> list[Component]:
    """Values of the state without a control that Dash knows."""
    return [hidden(PAGE, key, value) for key, value in values.items() if key not in SEEN]


def facts() -> dict[str, Any]:
    """What the scripts know from the start."""
    return {
        "asked": ["set", "model", "step", "saliency"],
        "saliency": requests.SALIENCY,
        **crayon_refine.facts(),
        **crayon_compare.facts(),
    }
