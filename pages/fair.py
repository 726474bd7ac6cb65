"""Fair retrieval: does a neutral query return a balanced result?

No callback computes on the server: the browser asks ``/_fair`` with the state of the page and draws
what it answers.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from dash import ClientsideFunction, Input, Output, clientside_callback, dcc, html
from dash import register_page as register_dash_page

from components import fair_layout as parts
from components import fair_state, fair_tables
from components.fair_state import PAGE
from components.selection import announce
from components.state import register_page_state, stores, view_state

register_dash_page(
    __name__,
    path="/fair-retrieval",
    name="Fair retrieval",
    order=50,
    title="Fair retrieval · Loupe",
    description=parts.QUESTION,
    icon="scale",
)

VISIT, READY = "fair-visit", "fair-ready"


def layout(**query: str) -> html.Div:
    """The whole page for one query; cheap, opens no model."""
    values, notices = fair_state.opened(query)
    held = [dcc.Store(id=VISIT, data=uuid4().hex), dcc.Store(id=READY)]
    page = [parts.head(values), *parts.told(), parts.results(values), parts.cards(), parts.own()]
    page += [*parts.unseen(values), stores(PAGE, fair_state.schema(), notices), *held]
    page.append(dcc.Store(id=announce("fair")))
    return html.Div(page, id="fair-page", className="lp-page insights-page fair-page")


def _clientside(function: str, *wiring: Any, **options: Any) -> None:
    clientside_callback(ClientsideFunction("fair", function), *wiring, **options)


register_page_state(PAGE)
fair_tables.register()
# Dash starts a callback of a page that mounts only if it has an output there.
_clientside("visit", Output(READY, "data"), Input(VISIT, "data"))
_clientside("ask", Input(view_state(PAGE), "data"))
