"""The desk of the Insights page: contents, the open one with its paint, and what a change does."""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from components import insights_methods as methods
from components.insights_state import PAGE, SORTS
from components.method_card import named
from components.nero_layout import NO_FIGURE
from components.plot_card import plot_card
from components.state import Values, control

CONTENTS, CONTENT, CHANGE = "insights-contents", "insights-content", "insights-change"
DESK_PX: Final = 596
CONFIG: Final[Any] = {"displaylogo": False, "displayModeBar": False, "responsive": True}


def graph(element_id: str) -> Component:
    """An empty plot that a script fills."""
    return dcc.Graph(id=element_id, figure=NO_FIGURE, config=CONFIG, className="insights-graph")


def switch(key: str, label: str, titles: dict[str, str], values: Values) -> Component:
    """A row of choices, one pressed, whose value belongs to the state."""
    made: Component = dmc.SegmentedControl(
        id=control(PAGE, key),
        value=values[key],
        data=[{"value": name, "label": text} for name, text in titles.items()],
        size="xs",
        **named(aria_label=label),
    )
    return made


def contents(values: Values) -> Component:
    """The gallery: a plot of predicted against actual success over a list."""
    order: Component = dmc.Select(
        id=control(PAGE, "sort"),
        data=[{"value": key, "label": text} for key, text in SORTS.items()],
        value=values["sort"],
        allowDeselect=False,
        size="xs",
        w="100%",
        **named(aria_label="Order"),
    )
    listed = html.Div(
        id="insights-list",
        className="insights-list",
        role="listbox",
        **named(aria_label="Contents with predicted and actual success"),
    )
    plot = html.Div(graph("insights-scatter"), className="insights-scatter")
    pages = html.Div(id="insights-pages", className="insights-pages")
    return plot_card(
        CONTENTS,
        "Contents",
        "What was run here, and how did it do?",
        html.Div([plot, listed, pages], className="insights-fill"),
        table=CONTENTS,
        method=methods.CONTENTS,
        controls=order,
        min_height_px=DESK_PX,
        state="loading",
    )


def content() -> Component:
    """The picture under its overlays, and the text painted word by word, both to be edited."""
    layers = html.Div(
        id="insights-layers",
        className="insights-layers",
        role="group",
        **named(aria_label="Overlays"),
    )
    stage = html.Div(id="insights-stage", className="insights-stage")
    written = html.Div(id="insights-text", className="insights-text")
    sums = html.Div(id="insights-sums", className="insights-sums", role="status")
    return plot_card(
        CONTENT,
        "Content",
        "What helps here, and what hurts?",
        html.Div([stage, html.Div([written, sums])], className="insights-content"),
        table=CONTENT,
        method=methods.CONTENT,
        controls=layers,
        min_height_px=DESK_PX,
        grows=True,
        state="loading",
    )


def change() -> Component:
    """The prediction, the difference to the content as it was, features, versions."""
    places = [
        html.Div(id="insights-predicted", className="insights-predicted", role="status"),
        html.Div(id="insights-edits", className="insights-edits"),
        html.Div(id="insights-features", className="insights-features"),
        html.Div(id="insights-versions", className="insights-versions"),
    ]
    return plot_card(
        CHANGE,
        "What if",
        "What would a change do?",
        html.Div(places, className="insights-change"),
        table=CHANGE,
        method=methods.CHANGE,
        min_height_px=DESK_PX,
        grows=True,
        state="loading",
        is_picture=False,
    )
