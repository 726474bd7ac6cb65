"""Zoom-In: where in a huge image did the model look, and was that enough?

One server callback answers which results a state needs; the browser fetches them and draws. What
moves with the pointer (panning, layers, peeking, the pieces) never leaves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from dash import ClientsideFunction, Input, Output, State, callback, clientside_callback, dcc, html
from dash import register_page as register_dash_page

from backend.zoom.maps import NO_ROLLOUT
from components import zoom_layout as parts
from components import zoom_spec, zoom_state, zoom_tables
from components.state import hidden, read, register_page_state, stores, view_state
from components.zoom_state import PAGE

register_dash_page(
    __name__,
    path="/zoom",
    name="Zoom-In",
    order=20,
    title="Zoom-In · Loupe",
    description="Where in a huge image did the model look, and was that enough?",
    icon="zoom-in",
)

QUESTION, TOLD, VISIT = "zoom-question", "zoom-told", "zoom-visit"
FACTS, READY = "zoom-facts", "zoom-ready"
UNSEEN: Final = ("image", "draw", "region", "cam", "layers", "style", "view", "piece")


def layout(**query: str) -> html.Div:
    """The whole page for one query; cheap, reads nothing but cards of models."""
    shape = zoom_state.schema()
    values, notices = read(query, shape)
    unseen = [hidden(PAGE, key, values[key]) for key in UNSEEN]
    right = [parts.answer(), parts.cost(), parts.share(), parts.train()]
    cards = [
        parts.images(),
        parts.viewer(),
        html.Div(right, className="zoom-right"),
        parts.pieces(),
    ]
    facts = {
        "cams": parts.cam_data(),
        "asked": list(zoom_state.ASKED),
        "figure": parts.empty_share(),
        "rollout": NO_ROLLOUT,
    }
    held = [dcc.Store(id=name) for name in (QUESTION, TOLD, READY)]
    held += [dcc.Store(id=VISIT, data=uuid4().hex), dcc.Store(id=FACTS, data=facts)]
    page = [parts.head(values), html.Div(cards, className="zoom-views"), *unseen]
    return html.Div([*page, stores(PAGE, shape, notices), *held], className="lp-page zoom-page")


def _clientside(function: str, *wiring: Any, **options: Any) -> None:
    clientside_callback(ClientsideFunction("zoom", function), *wiring, **options)


register_page_state(PAGE)
zoom_tables.register()
# Dash starts a callback of a page that mounts only if it has an output there.
_clientside("visit", Output(READY, "data"), Input(VISIT, "data"), State(FACTS, "data"))
_clientside("ask", Input(view_state(PAGE), "data"))
_clientside("show", Input(TOLD, "data"))


@callback(
    Output(TOLD, "data"),
    Input(QUESTION, "data"),
    State(VISIT, "data"),
    prevent_initial_call=True,
)
def tell(question: Mapping[str, Any] | None, visit: str) -> dict[str, Any]:
    """Which results the page needs: keys, and jobs for the missing ones."""
    held = question if isinstance(question, Mapping) else {}
    told = zoom_spec.answer(held, str(visit)[:64], all_images=held.get("all") is True)
    return {**told, "token": held.get("token")}
