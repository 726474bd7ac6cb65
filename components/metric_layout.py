"""The frame of the metric-learning page: title, toolbar, overview at the left, detail at the right.

Tables, matrices and strips are drawn in the browser (``assets/9x-metric-*.js``) into places made
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from backend.metric_learning import cars, own_models, views
from components import metric_details as details
from components import metric_methods as methods
from components.insights_desk import graph
from components.method_card import named
from components.metric_state import DISTANCE_TITLES, PAGE, PLACES, SORTS, SOURCES, VIEWS
from components.plot_card import plot_card
from components.state import Values, announce, control, hidden

QUESTION: Final = "Which properties does an embedding react to?"
TRY: Final = "press a cell of the table: the map shows that embedding, coloured by that property."
SEEN: Final = (
    *("loss", "property", "measure", "source", "sort", "place", "view", "likeness"),
    *("notion", "unit", "distance"),
)
"""Keys of the state whose control Dash knows; scripts write the others."""
HEAT_PX: Final = 470


def head(values: Values) -> Component:
    """Title, question, and what is looked at."""
    tip = html.P([html.B("Try this first: "), TRY], className="nero-try")
    title = html.Div([html.H1("Metric learning"), html.P(QUESTION), tip])
    losses = {card["key"]: card["title"] for card in views.loss_titles()}
    losses |= {own.key: own.title for own in own_models.listed().values()}
    properties = {name: cars.title(name) for name in cars.NAMES}
    controls = [
        select("loss", "Loss or model", losses, values, 200),
        select("property", "Property", properties, values, 180),
    ]
    label = named(aria_label="What is looked at")
    bar = html.Div(controls, className="nero-toolbar metric-toolbar", role="group", **label)
    return html.Header([title, bar], className="nero-head metric-head")


def select(
    key: str, label: str, titles: Mapping[str, str], values: Values, width_px: int
) -> Component:
    """A drop-down whose value belongs to the state."""
    made: Component = dmc.Select(
        id=control(PAGE, key),
        label=label,
        data=[{"value": name, "label": text} for name, text in titles.items()],
        value=values[key],
        allowDeselect=False,
        w=width_px,
    )
    return made


def switch(key: str, label: str, titles: Mapping[str, str], values: Values) -> Component:
    """A row of choices, one pressed, whose value belongs to the state."""
    made: Component = dmc.SegmentedControl(
        id=control(PAGE, key),
        value=values[key],
        data=[{"value": name, "label": text} for name, text in titles.items()],
        size="xs",
        **named(aria_label=label),
    )
    return made


def desk(values: Values) -> Component:
    """The heat map, the embedding, and the neighbours of the query."""
    return html.Div([_heat(values), _space(values), _near()], className="metric-desk")


def _heat(values: Values) -> Component:
    return plot_card(
        f"{PAGE}-heat",
        "Sensitivity",
        "Which properties does each embedding cluster by?",
        html.Div(id=f"{PAGE}-heat-view", className="metric-scroll"),
        table=f"{PAGE}-heat",
        method=methods.HEAT,
        controls=[
            switch("source", "Whose numbers", SOURCES, values),
            small("measure", "Measure", views.MEASURES, values, 132),
            small("sort", "Order of the losses", SORTS, values, 116),
        ],
        min_height_px=HEAT_PX,
        state="loading",
    )


def _space(values: Values) -> Component:
    parts = [
        html.Div(graph(f"{PAGE}-map-graph"), className="metric-map-plot"),
        html.Div(id=f"{PAGE}-map-thumbs", className="metric-thumbs"),
        html.Div(id=f"{PAGE}-map-key", className="metric-key"),
    ]
    return plot_card(
        f"{PAGE}-map",
        "Embedding",
        "Do images of one value lie together?",
        html.Div(parts, className="metric-fill"),
        table=f"{PAGE}-map",
        method=methods.MAP,
        controls=switch("place", "Projection", PLACES, values),
        min_height_px=HEAT_PX,
        state="loading",
    )


def _near() -> Component:
    return plot_card(
        f"{PAGE}-near",
        "Neighbours",
        "What is nearest to this image, and what do they share?",
        html.Div(id=f"{PAGE}-near-view", className="metric-near"),
        table=f"{PAGE}-near",
        method=methods.NEAR,
        min_height_px=212,
        grows=True,
        state="loading",
    )


def small(key: str, label: str, titles: Mapping[str, str], values: Values, width: int) -> Component:
    """A drop-down of a card's own row."""
    made: Component = dmc.Select(
        id=control(PAGE, key),
        data=[{"value": name, "label": text} for name, text in titles.items()],
        value=values[key],
        allowDeselect=False,
        size="xs",
        w=width,
        **named(aria_label=label),
    )
    return made


def tabs(values: Values) -> Component:
    """What one image, one loss or one notion says in detail."""
    panels = {
        "sweep": details.sweep(),
        "values": details.by_value(),
        "looks": details.looks(small("likeness", "Likeness", details.LIKENESS, values, 150)),
        "ground": details.ground(),
        "words": details.words_panel(small("notion", "Notion", details.NOTIONS, values, 170)),
        "families": details.families(switch("unit", "Unit", details.UNITS, values)),
        "own": details.own(small("distance", "Distance", DISTANCE_TITLES, values, 190)),
    }
    listed = [dmc.TabsTab(title, value=key) for key, title in VIEWS.items()]
    made: Component = dmc.Tabs(
        [
            dmc.TabsList(listed, **named(aria_label="Details")),
            *(dmc.TabsPanel(panel, value=key) for key, panel in panels.items()),
        ],
        id=control(PAGE, "view"),
        value=values["view"],
        keepMounted=True,
        className="insights-tabs metric-tabs",
    )
    return made


def unseen(values: Values) -> list[Component]:
    """Values of the state without a control that Dash knows."""
    return [hidden(PAGE, key, value) for key, value in values.items() if key not in SEEN]


def stores(names: list[str]) -> list[Component]:
    """Empty stores."""
    return [dcc.Store(id=name) for name in names]


def announcer() -> Component:
    """Where the map says what its user selected."""
    return dcc.Store(id=announce(f"{PAGE}-map"))
