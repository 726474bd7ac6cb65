"""Insights: which phrases and patches drive success, and what should I change?

One server callback says what a set holds; the browser fetches the rest from ``/_insights`` and
draws. Each card asks for its own result, and shows the job that makes a missing one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from dash import ClientsideFunction, Input, Output, State, callback, clientside_callback, dcc, html
from dash import register_page as register_dash_page

from components import insights_layout as parts
from components import insights_spec, insights_state, insights_tables
from components.insights_state import PAGE
from components.state import register_page_state, stores, view_state

register_dash_page(
    __name__,
    path="/insights",
    name="Insights",
    order=25,
    title="Insights · Loupe",
    description=parts.QUESTION,
    icon="bulb",
)

QUESTION, TOLD, VISIT, READY = (
    f"insights-{name}" for name in ("question", "told", "visit", "ready")
)


def layout(**query: str) -> html.Div:
    """The whole page for one query; cheap, opens no set and no model."""
    values, notices = insights_state.opened(query)
    held = [*parts.stores([QUESTION, TOLD, READY]), dcc.Store(id=VISIT, data=uuid4().hex)]
    page = [parts.head(values), *parts.told(), parts.desk(values), parts.tabs(values)]
    page += [
        parts.own(),
        *parts.unseen(values),
        stores(PAGE, insights_state.schema(), notices),
        *held,
    ]
    return html.Div(page, id="insights-page", className="lp-page insights-page")


def _clientside(function: str, *wiring: Any, **options: Any) -> None:
    clientside_callback(ClientsideFunction("insights", function), *wiring, **options)


register_page_state(PAGE)
insights_tables.register()
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
    """What the set holds and which models know it."""
    held = dict(question) if isinstance(question, Mapping) else {}
    token = held.pop("token", None)
    return {**insights_spec.answer(held, str(visit)[:64]), "token": token}
