"""The first step of the Crayon page: where the model is wrong, and where it looks."""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from backend.crayon import sets
from components import crayon_methods as methods
from components.crayon_state import PAGE, SORTS
from components.method_card import named
from components.nero_layout import NO_FIGURE
from components.plot_card import plot_card
from components.state import Values, control

GROUPS, CLASSES, GALLERY = "crayon-groups", "crayon-classes", "crayon-gallery"
CONFIG: Final[Any] = {
    "displaylogo": False,
    "displayModeBar": False,
    "responsive": True,
}


def panel(values: Values) -> Component:
    """Tiles, accuracy by group, answers by class, and the gallery."""
    tiles = html.Div(id="crayon-tiles", className="crayon-tiles", role="list")
    return html.Div(
        [tiles, _groups(values), _classes(values), _gallery(values)],
        id="crayon-diagnose",
        className="crayon-grid",
    )


def graph(element_id: str) -> Component:
    """An empty plot that a script fills."""
    return dcc.Graph(id=element_id, figure=NO_FIGURE, config=CONFIG, className="crayon-graph")


def switch(key: str, label: str, data: dict[str, str], values: Values) -> Component:
    """A row of choices, one pressed, whose value belongs to the state."""
    made: Component = dmc.SegmentedControl(
        id=control(PAGE, key),
        value=values[key],
        data=[{"value": name, "label": text} for name, text in data.items()],
        size="xs",
        **named(aria_label=label),
    )
    return made


def _groups(values: Values) -> Component:
    return plot_card(
        GROUPS,
        "Groups",
        "In which group is the model wrong?",
        graph("crayon-groups-graph"),
        table=GROUPS,
        method=methods.GROUPS,
        controls=switch("split", "Split", {name: name for name in reversed(sets.SPLITS)}, values),
        min_height_px=304,
        state="loading",
    )


def _classes(values: Values) -> Component:
    return plot_card(
        CLASSES,
        "Answers by class",
        "Do the answers tell the class?",
        html.Div(id="crayon-classes-view", className="crayon-classes"),
        table=CLASSES,
        method=methods.CLASSES,
        controls=switch(
            "source", "Whose answers", {"human": "Human", "simulated": "Simulated"}, values
        ),
        min_height_px=304,
        state="loading",
        is_picture=False,
    )


def _gallery(values: Values) -> Component:
    order: Component = dmc.Select(
        id=control(PAGE, "sort"),
        data=[{"value": key, "label": text} for key, text in SORTS.items()],
        value=values["sort"],
        allowDeselect=False,
        size="xs",
        w=220,
        **named(aria_label="Order"),
    )
    chips = html.Div(
        id="crayon-chips", className="crayon-chips", role="group", **named(aria_label="Group")
    )
    looks = switch(
        "look", "What is drawn", {"overlay": "Highlight", "red": "Red", "original": "Image"}, values
    )
    pages = html.Div(id="crayon-gallery-pages", className="crayon-pages")
    listed = html.Div(
        id="crayon-gallery-list",
        className="crayon-gallery",
        role="listbox",
        **named(aria_label="Images with their maps", aria_multiselectable="true"),
    )
    return plot_card(
        GALLERY,
        "Maps",
        "What does the model look at?",
        html.Div([listed, pages]),
        table=GALLERY,
        method=methods.GALLERY,
        controls=[order, looks, chips],
        min_height_px=420,
        grows=True,
        state="loading",
    )
