"""The parts of the NERO page: one skeleton for every task, overview left, detail right.

Nothing here knows a task by name; what differs comes in as values (models, classes, sizes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from backend.protocols import JSON
from components import nero_methods as methods
from components.icons import icon
from components.method_card import named
from components.plot_card import plot_card
from components.state import Values, control
from components.table_drawer import THEME

PAGE: Final = "nero"
AGGREGATE, PROJECTION, INDIVIDUAL = "nero-aggregate", "nero-projection", "nero-individual"
INPUT, DETAIL, CONFUSION = "nero-input", "nero-detail", "nero-confusion"
WORST, SIMILAR = "nero-worst", "nero-similar"
Options = Sequence[Mapping[str, str]]

# Heights of the bodies; 50-nero.css changes them where the window lets all five sections be seen.
PLOT_PX: Final = 340
DETAIL_PX: Final = 190
TIP: Final = "Drag the green mark, or use the arrow keys"
NO_FIGURE: Final = {
    "data": [],
    "layout": {
        "xaxis": {"visible": False},
        "yaxis": {"visible": False},
        "paper_bgcolor": "rgba(0,0,0,0)",  # no white flash on a dark page
        "plot_bgcolor": "rgba(0,0,0,0)",
    },
}


def graph_of(card: str) -> str:
    """Id of the graph inside a card."""
    return f"{card}-graph"


def _segments(key: str, value: JSON, data: Sequence[tuple[str, str]], label: str) -> Component:
    segmented: Component = dmc.SegmentedControl(
        id=control(PAGE, key),
        value=value,
        data=[{"value": name, "label": text} for name, text in data],
        size="xs",
        **named(aria_label=label),
    )
    return segmented


def _select(key: str, value: JSON, data: Options, label: str, width: int) -> Component:
    select: Component = dmc.Select(
        id=control(PAGE, key),
        value=value,
        data=list(data),
        allowDeselect=False,
        size="xs",
        w=width,
        **named(aria_label=label),
    )
    return select


def _graph(card: str, *, lasso: bool = False) -> Component:
    kept = ["zoom2d", "pan2d", "lasso2d", "select2d", "resetScale2d"] if lasso else []
    config: Any = {
        "displaylogo": False,
        "displayModeBar": "hover" if lasso else False,
        "modeBarButtons": [kept],
        "scrollZoom": lasso,
        "doubleClick": "reset",
        "responsive": True,
    }
    return dcc.Graph(id=graph_of(card), figure=NO_FIGURE, config=config, className="nero-graph")


def overview(values: Values, subsets: Options, metrics: Options) -> Component:
    """Aggregate plot with the subset and the metric that everything below follows."""
    controls = [
        _select("subset", values["subset"], subsets, "Items shown", 126),
        _select("metric", values["metric"], metrics, "Metric", 152),
    ]
    return plot_card(
        AGGREGATE,
        "Aggregate",
        "Where on the orbit does each model fail?",
        html.Div(
            [_graph(AGGREGATE), html.Div(id="nero-legend", className="nero-legend")],
            className="nero-fill",
        ),
        table=AGGREGATE,
        method=methods.AGGREGATE,
        controls=controls,
        min_height_px=PLOT_PX,
        state="loading",
    )


def scatter(values: Values, methods_offered: Options) -> Component:
    """DR plot with its stepper through the items in the order of their colour."""
    controls = [
        _select("method", values["method"], methods_offered, "Reduction", 104),
        _segments(
            "colour",
            values["colour"],
            [("mean", "Mean"), ("variance", "Variance")],
            "Colour of the dots",
        ),
    ]
    return plot_card(
        PROJECTION,
        "Orbit map",
        "Which items fail alike, and which stand out?",
        html.Div([_graph(PROJECTION, lasso=True), _stepper()], className="nero-fill"),
        table=PROJECTION,
        method=methods.PROJECTION,
        controls=controls,
        min_height_px=PLOT_PX,
        state="loading",
    )


def _stepper() -> Component:
    """◂ i / n ▸ through the items sorted by the colouring value: worst first."""
    return html.Div(
        [
            dmc.ActionIcon(
                icon("chevron-left"),
                id="nero-previous",
                variant="subtle",
                **named(aria_label="Previous item in the order of the colour"),
            ),
            dmc.Slider(
                id="nero-order",
                min=0,
                max=1,
                step=1,
                value=0,
                label=None,
                size="xs",
                className="nero-order",
                thumbLabel="Place in the order of the colour, low to high",
            ),
            html.Span("–", id="nero-place", className="nero-place"),
            dmc.ActionIcon(
                icon("chevron-right"),
                id="nero-next",
                variant="subtle",
                **named(aria_label="Next item in the order of the colour"),
            ),
        ],
        className="nero-stepper",
    )


def single(values: Values, sides: Component, averaged: Component) -> Component:
    """Individual plot; the wrapper takes the focus, the keys and the drag."""
    dial = html.Div(
        _graph(INDIVIDUAL),
        id="nero-dial",
        className="nero-dial",
        tabIndex=0,
        role="slider",
        **named(
            aria_label="Place on the orbit",
            aria_valuemin="0",
            aria_valuemax="360",
            aria_valuenow=str(values["angle"]),
        ),
    )
    ribbon = html.I(className="nero-ribbon", **named(aria_hidden="true"))
    band = html.Span([ribbon, html.Span()], id="nero-band", className="nero-band", hidden=True)
    tip = html.P([html.Span(TIP, id="nero-tip"), band], className="nero-tip")
    return plot_card(
        INDIVIDUAL,
        "Individual",
        "How does one item fare along its orbit?",
        html.Div(dial, className="nero-fill"),
        table=INDIVIDUAL,
        method=methods.INDIVIDUAL,
        controls=[sides, averaged, tip],
        min_height_px=PLOT_PX,
        state="loading",
    )


def image(values: Values) -> Component:
    """The transformed input: a canvas of an image, or the view that its kind of input has."""
    angle = dmc.NumberInput(
        id=control(PAGE, "angle"),
        value=values["angle"],
        step=1,
        decimalScale=2,
        suffix="°",
        size="xs",
        w=96,
        className="nero-angle",
        **named(aria_label="Angle in degrees"),
    )
    element = html.Output(id="nero-element", className="nero-element")
    picture = html.Div(
        [
            html.Canvas(id="nero-canvas", className="nero-canvas", width=28, height=28),
            html.Div(id="nero-caption", className="nero-caption"),
        ],
        id="nero-picture",
        className="nero-image",
    )
    other = html.Div(id="nero-input-view", className="nero-other", hidden=True)
    return plot_card(
        INPUT,
        "Input",
        "What do the models see?",
        [picture, other],
        method=methods.INPUT,
        controls=[angle, element],
        min_height_px=DETAIL_PX,
        state="loading",
    )


def outputs() -> Component:
    """What the models answer at the chosen element: bars of classes, or a view of its own."""
    other = html.Div(id="nero-detail-view", className="nero-other", hidden=True)
    return plot_card(
        DETAIL,
        "Outputs",
        "What does each model answer here?",
        [_graph(DETAIL), other],
        table=DETAIL,
        method=methods.DETAIL,
        min_height_px=DETAIL_PX,
        state="loading",
    )


def groups(*, has_classes: bool) -> Component:
    """What items turn into, where answers are classes; else which kinds of items are hard."""
    title, question, method = (
        (
            "What it turns into",
            "Which wrong class does the model answer, and where on the orbit?",
            methods.CONFUSION,
        )
        if has_classes
        else ("By kind", "Which kinds of items are hard along their whole orbit?", methods.BY_CLASS)
    )
    return plot_card(
        CONFUSION,
        title,
        question,
        _graph(CONFUSION),
        table=CONFUSION,
        method=method,
        min_height_px=300,
        state="loading",
    )


def worst() -> Component:
    """Items as a table, worst first; a click opens the item in every plot."""
    grid = dag.AgGrid(
        id="nero-items",
        columnDefs=[],
        rowData=[],
        className="nero-items loupe-grid",
        dashGridOptions={
            "theme": {"function": THEME},
            "rowHeight": 34,
            "rowSelection": {
                "mode": "singleRow",
                "checkboxes": False,
                "enableClickSelection": True,
            },
        },
        getRowId="params.data.key",
    )
    return plot_card(
        WORST,
        "Worst items",
        "Where should I look first?",
        grid,
        table=WORST,
        method=methods.WORST,
        min_height_px=300,
        state="loading",
        is_picture=False,
    )


def similar() -> Component:
    take = dmc.Button(
        "Select these",
        id="nero-take",
        variant="default",
        size="xs",
        leftSection=icon("lasso"),
    )
    return plot_card(
        SIMILAR,
        "Similar orbits",
        "Which items fail like this one?",
        html.Div(id="nero-strip", className="nero-strip"),
        table=SIMILAR,
        method=methods.SIMILAR,
        controls=[take],
        min_height_px=250,
        state="loading",
    )
