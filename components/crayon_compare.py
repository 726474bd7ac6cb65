"""The fifth step of the Crayon page: did the answers help, against fair controls?"""

from __future__ import annotations

import json
from typing import Any, Final

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component
from plotly.utils import PlotlyJSONEncoder

from components import crayon_methods as methods
from components.crayon_diagnose import graph, switch
from components.crayon_state import CHANGES, PAGE
from components.method_card import named
from components.plot_card import plot_card
from components.state import Values, control
from components.table_drawer import THEME

RUNS, CHANGE, BUDGET = "crayon-runs", "crayon-change", "crayon-budget"
ENERGY, SWEEP, REPORTED = "crayon-energy", "crayon-sweep", "crayon-reported"
PLOT_PX: Final = 320


def panel(values: Values) -> Component:
    """Table of runs first, then what they changed, then the plots, then the paper's numbers."""
    cards = [_runs(), _change(values), _budget(), _energy(), _sweep(), _reported()]
    return html.Div(cards, id="crayon-compare", className="crayon-grid")


def _runs() -> Component:
    said = html.Div(id="crayon-claims", className="crayon-claims", role="status")
    body = [html.Div(id="crayon-grid-place", className="crayon-grid-place"), said]
    return plot_card(
        RUNS,
        "Runs",
        "Did the answers help, or only training longer?",
        html.Div(body, className="crayon-runs-body"),
        table=RUNS,
        method=methods.RUNS,
        min_height_px=236,
        grows=True,
        state="loading",
        is_picture=False,
    )


def facts() -> dict[str, Any]:
    """The empty grid, which a script mounts when the step is opened for the first time: its code
    is large, and the other steps do without."""
    return {"grid": json.loads(json.dumps(_grid(), cls=PlotlyJSONEncoder))}


def _grid() -> Component:
    made: Component = dag.AgGrid(
        id="crayon-runs-grid",
        columnDefs=_columns(),
        rowData=[],
        getRowId="params.data.id",
        columnSize=None,
        defaultColDef={"sortable": True, "resizable": True, "suppressMovable": True},
        dashGridOptions={
            "theme": {"function": THEME},
            "animateRows": False,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
            "suppressNoRowsOverlay": True,
            "suppressFieldDotNotation": True,
        },
        dangerously_allow_code=False,
        style={"height": "100%"},
    )
    return made


def _columns() -> list[dict[str, Any]]:
    numbers = [
        ("wga_after", "WGA, %", 124),
        ("mga_after", "MGA, %", 116),
        ("energy_after", "Energy, %", 116),
    ]
    shown = [
        {
            "field": field,
            "headerName": title,
            "width": width,
            "type": "rightAligned",
            "valueFormatter": {"function": f"params.data.{field}_text"},
        }
        for field, title, width in numbers
    ]
    return [
        {"field": "name", "headerName": "Method", "minWidth": 170, "flex": 2, "pinned": "left"},
        {"field": "kind", "headerName": "Kind", "width": 88},
        {"field": "n", "headerName": "Runs", "width": 72, "type": "rightAligned"},
        {"field": "weights", "headerName": "Weights", "width": 90},
        *shown,
        {"field": "collapsed", "headerName": "Collapsed", "width": 96},
        {"field": "answers", "headerName": "Answers used", "minWidth": 190, "flex": 2},
        {"field": "epochs", "headerName": "Epochs", "width": 78, "type": "rightAligned"},
        {"field": "lr", "headerName": "Rate", "width": 82, "type": "rightAligned"},
        {"field": "seeds", "headerName": "Seeds", "width": 90},
        {"field": "start", "headerName": "From", "width": 92},
    ]


def _change(values: Values) -> Component:
    run: Component = dmc.Select(
        id=control(PAGE, "run"),
        data=[],
        value=values["run"],
        placeholder="newest run",
        size="xs",
        w=280,
        allowDeselect=False,
        **named(aria_label="Run"),
    )
    by = {name: f"by {name}" for name in CHANGES}
    chips = html.Div(
        id="crayon-flips", className="crayon-chips", role="group", **named(aria_label="Which items")
    )
    listed = html.Div(
        id="crayon-change-list",
        className="crayon-pairs",
        role="listbox",
        **named(aria_label="Images before and after", aria_multiselectable="true"),
    )
    pages = html.Div(id="crayon-change-pages", className="crayon-pages")
    return plot_card(
        CHANGE,
        "Before and after",
        "What did the correction change, and what got worse?",
        html.Div([listed, pages]),
        table=CHANGE,
        method=methods.CHANGE,
        controls=[run, switch("change", "Sorted", by, values), chips],
        min_height_px=300,
        grows=True,
        state="loading",
    )


def _budget() -> Component:
    said = html.P(id="crayon-budget-said", className="crayon-note", role="status")
    return plot_card(
        BUDGET,
        "Accuracy against answers",
        "Would more answers help?",
        html.Div(
            [html.Div(graph("crayon-budget-graph"), className="crayon-curves-place"), said],
            className="crayon-fill",
        ),
        table=BUDGET,
        method=methods.BUDGET,
        min_height_px=PLOT_PX,
        state="loading",
    )


def _energy() -> Component:
    return plot_card(
        ENERGY,
        "Energy and accuracy",
        "Does looking at the object go with being right?",
        graph("crayon-energy-graph"),
        table=ENERGY,
        method=methods.ENERGY,
        min_height_px=PLOT_PX,
        state="loading",
    )


def _sweep() -> Component:
    return plot_card(
        SWEEP,
        "Weights",
        "How strong may the answers pull before the model collapses?",
        graph("crayon-sweep-graph"),
        table=SWEEP,
        method=methods.SWEEP,
        min_height_px=PLOT_PX,
        state="loading",
    )


def _reported() -> Component:
    return plot_card(
        REPORTED,
        "Numbers to compare with",
        "What came out elsewhere, and in our own experiment?",
        html.Div(id="crayon-reported-view", className="crayon-reported"),
        table=REPORTED,
        method=methods.REPORTED,
        min_height_px=PLOT_PX,
        state="loading",
        is_picture=False,
    )
