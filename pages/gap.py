"""Modality gap: how far apart do images and texts lie, and does it matter?

One server callback says which spaces there are; the browser fetches the rest from ``/_gap``. Each
card asks for its own result, and shows the job that makes a missing one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from dash import ClientsideFunction, Input, Output, State, callback, clientside_callback, dcc, html
from dash import register_page as register_dash_page

from components import gap_layout as parts
from components import gap_spec, gap_state, gap_tables, selection
from components.gap_state import PAGE
from components.state import register_page_state, stores, view_state

register_dash_page(
    __name__,
    path="/modality-gap",
    name="Modality gap",
    order=45,
    title="Modality gap · Loupe",
    description=parts.QUESTION,
    icon="arrows-left-right",
)

QUESTION, TOLD, VISIT, READY = (f"{PAGE}-{name}" for name in ("question", "told", "visit", "ready"))


def layout(**query: str) -> html.Div:
    """The whole page for one query; cheap, opens no space."""
    values, notices = gap_state.opened(query)
    held = [dcc.Store(id=name) for name in (QUESTION, TOLD, READY)]
    held += [dcc.Store(id=VISIT, data=uuid4().hex), dcc.Store(id=selection.announce(PAGE))]
    page = [parts.head(values), parts.said(), parts.desk(), parts.numbers(), parts.slider()]
    page += [parts.tabs(values), parts.own(), *parts.unseen(values)]
    page += [stores(PAGE, gap_state.schema(), notices), *held]
    return html.Div(page, id=f"{PAGE}-page", className="lp-page gap-page")


def _clientside(function: str, *wiring: Any, **options: Any) -> None:
    clientside_callback(ClientsideFunction("gap", function), *wiring, **options)


register_page_state(PAGE)
gap_tables.register()
# Dash starts a callback of a page that mounts only if it has an output there.
_clientside("visit", Output(READY, "data"), Input(VISIT, "data"))
_clientside("ask", Input(view_state(PAGE), "data"))
_clientside("show", Input(TOLD, "data"))


@callback(
    Output(TOLD, "data"),
    Input(QUESTION, "data"),
    State(VISIT, "data"),
    prevent_initial_call=True,
)
def tell(question: Mapping[str, Any] | None, visit: str) -> dict[str, Any]:
    """Which spaces are shown, and which there are."""
    del visit
    held = dict(question) if isinstance(question, Mapping) else {}
    token = held.pop("token", None)
    return {**gap_spec.answer(held), "token": token}
