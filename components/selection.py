"""The selection of items that follows the user across pages, and the shelf that keeps some.

Views announce what their user selected in a store of their own; one clientside callback is the
only writer of the app's store (``assets/21-selection.js``).
"""

from __future__ import annotations

from typing import Final, TypedDict

from dash import ALL, ClientsideFunction, Dash, Input, Output, dcc, html

SELECTION: Final = "app-selection"
SHELF: Final = "app-shelf"


class Selection(TypedDict):
    """``items`` names the data set, ``ids`` its stable item ids, ``by`` the view that said so."""

    items: str
    ids: list[int]
    by: str


NOTHING: Final[Selection] = {"items": "", "ids": [], "by": ""}


def announce(view: str) -> dict[str, str]:
    """Id of the store in which ``view`` reports what its user just selected."""
    return {"type": "selection-event", "view": view}


def stores() -> html.Div:
    """The app's own stores: current selection, shelf, and the event store of the shelf itself."""
    return html.Div(
        [
            dcc.Store(id=SELECTION, data={**NOTHING}),
            dcc.Store(id=SHELF, storage_type="local"),
            dcc.Store(id=announce("shelf")),
        ],
        hidden=True,
    )


def register(app: Dash) -> None:
    """Called by ``create_app``: a module-level callback would bind to the first app only."""
    app.clientside_callback(
        ClientsideFunction("loupe_selection", "commit"),
        Output(SELECTION, "data"),
        Input(announce(ALL), "data"),  # type: ignore[arg-type]
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("loupe_selection", "follow"), Input(SELECTION, "data")
    )
    app.clientside_callback(ClientsideFunction("loupe_selection", "keep"), Input(SHELF, "data"))
