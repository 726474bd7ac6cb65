"""Jobs: what is running, and what did it cost?"""

from __future__ import annotations

from typing import Any, Final

import dash_ag_grid as dag
from dash import ClientsideFunction, Input, Output, clientside_callback, dcc, html, register_page

from components.icons import icon
from components.table_drawer import THEME

register_page(
    __name__,
    path="/jobs",
    name="Jobs",
    title="Jobs · Loupe",
    description="What is running, and what did it cost?",
    order=90,
    icon="list-check",
)

GRID: Final = "jobs-grid"
PAGE: Final = "jobs-page"
DRAWN: Final = "jobs-drawn"


def layout(**_query: str) -> html.Div:
    """The table is empty here: the browser asks for the rows and keeps them fresh."""
    return html.Div(
        [
            html.Div(
                [
                    html.Div(
                        [
                            html.H1("Jobs"),
                            html.P("What is running, and what did it cost?", className="lp-muted"),
                        ],
                        className="lp-row-text",
                    ),
                    html.P(id="jobs-summary", className="lp-muted lp-small"),
                ],
                className="lp-page-head",
            ),
            html.Div([_grid(), _empty()], className="lp-card lp-jobs-card"),
            html.P(
                [
                    "Jobs of earlier runs of the app stay here. A job that was cut off shows as "
                    "interrupted, and can be run again with the same settings."
                ],
                className="lp-muted lp-small lp-jobs-note",
            ),
            dcc.Store(id=DRAWN),
        ],
        id=PAGE,
        className="lp-page",
    )


def _empty() -> html.Div:
    return html.Div(
        [
            icon("hourglass"),
            html.P("Nothing has run yet. Longer work of every page appears here."),
        ],
        id="jobs-empty",
        className="lp-empty",
        hidden=True,
    )


def _grid() -> dag.AgGrid:
    return dag.AgGrid(
        id=GRID,
        columnDefs=_columns(),
        rowData=[],
        getRowId="params.data.id",
        defaultColDef={"sortable": True, "resizable": True, "suppressMovable": True},
        dashGridOptions={
            "theme": {"function": THEME},
            "animateRows": False,
            "rowHeight": 36,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
            "suppressNoRowsOverlay": True,
        },
        style={"height": "100%"},
    )


def _columns() -> list[dict[str, Any]]:
    text: dict[str, Any] = {"filter": "agTextColumnFilter"}
    return [
        {"field": "state", "headerName": "State", "width": 124, "minWidth": 116}
        | text
        | {"cellRenderer": "LoupeJobState"},
        {"field": "title", "headerName": "Job", "flex": 3, "minWidth": 160, "tooltipField": "title"}
        | text,
        {"field": "fraction", "headerName": "Progress", "flex": 1, "minWidth": 130}
        | {"cellRenderer": "LoupeJobProgress"},
        {"field": "elapsed_s", "headerName": "Took", "width": 96, "type": "rightAligned"}
        | {"valueFormatter": {"function": "loupeDuration(params.value)"}},
        {"field": "left_s", "headerName": "Left", "width": 96, "type": "rightAligned"}
        | {"valueFormatter": {"function": "loupeDuration(params.value)"}},
        {"field": "submitted_at", "headerName": "Submitted", "width": 128, "sort": "desc"}
        | {"valueFormatter": {"function": "loupeMoment(params.value)"}},
        {
            "colId": "actions",
            "headerName": "",
            "width": 76,
            "minWidth": 76,
            "maxWidth": 76,
            "sortable": False,
        }
        | {"cellRenderer": "LoupeJobActions", "resizable": False, "pinned": "right"},
    ]


# Dash starts a callback of a page that mounts only if it has an output there.
clientside_callback(
    ClientsideFunction("loupe_jobs", "page"), Output(DRAWN, "data"), Input(PAGE, "id")
)
