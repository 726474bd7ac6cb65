"""The table twin: one drawer for the whole app, filled in the browser by ``assets/32-table.js``.

No callback: the script asks ``POST /_table/<name>.json``, writes the columns and rows with
``dash_clientside.set_props`` and opens the drawer. The grid is mounted (and its code loaded) only
when the drawer opens for the first time.
"""

from __future__ import annotations

from typing import Any, Final

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from components.icons import icon
from components.method_card import named

DRAWER: Final = "table-drawer"
GRID: Final = "table-grid"
TITLE: Final = "table-title"
SEARCH: Final = "table-search"

# Colours are the tokens of our theme, so light and dark need no second grid theme.
THEME: Final = """themeQuartz.withParams({
    backgroundColor: 'var(--card-surface)',
    foregroundColor: 'var(--card-text)',
    headerBackgroundColor: 'var(--card-sunken)',
    headerTextColor: 'var(--card-text)',
    borderColor: 'var(--card-line)',
    accentColor: 'var(--card-accent)',
    browserColorScheme: 'inherit',
    fontFamily: 'inherit',
    fontSize: 13,
    headerFontSize: 12,
    headerFontWeight: 600,
    spacing: 4,
    rowHeight: 28,
    headerHeight: 32,
    borderRadius: 4,
    wrapperBorderRadius: 6,
    oddRowBackgroundColor: 'var(--card-surface)'
})"""

GRID_OPTIONS: Final[dict[str, Any]] = {
    "theme": {"function": THEME},
    "animateRows": False,
    "enableCellTextSelection": True,
    "ensureDomOrder": True,
    "suppressFieldDotNotation": True,
    "suppressColumnVirtualisation": False,
    "multiSortKey": "ctrl",
}


def table_drawer() -> Component:
    """The closed drawer; put it once into the shell."""
    drawer: Component = dmc.Drawer(
        [_bar(), html.P(id="table-note", className="table-note"), _grid(), _failure()],
        id=DRAWER,
        title=html.Span(id=TITLE),
        position="right",
        size="min(60rem, 100vw)",
        padding="md",
        keepMounted=False,
        closeButtonProps={"aria-label": "Close the table"},
        className="table-drawer",
    )
    return drawer


def _bar() -> Component:
    """Quick search, the count of shown rows, and the two downloads."""
    search = dmc.TextInput(
        id=SEARCH,
        placeholder="Search all columns",
        className="table-search",
        size="xs",
        **named(aria_label="Search all columns"),
    )
    count = html.Span(id="table-count", className="table-count", role="status")
    return html.Div(
        [search, count, _button("csv", "CSV"), _button("parquet", "Parquet")],
        className="table-bar",
    )


def _button(extension: str, label: str) -> Component:
    attributes = named(aria_label=f"Download all rows as {label}", data_action=f"table-{extension}")
    parts: list[Component | str] = [icon("download"), label]
    return html.Button(parts, type="button", className="plot-card-button", **attributes)


def _grid() -> Component:
    grid: Component = dag.AgGrid(
        id=GRID,
        columnDefs=[],
        rowData=[],
        columnSize=None,
        defaultColDef={
            "sortable": True,
            "filter": True,
            "resizable": True,
            "minWidth": 72,
            "suppressHeaderMenuButton": False,
        },
        dashGridOptions=GRID_OPTIONS,
        dangerously_allow_code=False,
        className="table-grid",
        style={"height": "100%"},
    )
    return html.Div(grid, className="table-frame")


def _failure() -> Component:
    return html.Div(id="table-failure", className="table-failure", role="alert", hidden=True)
