"""Crayon: does the model look at the right thing, and can we correct it?

One server callback answers which results a state needs; the browser fetches what they say from
``/_crayon`` and draws. The steps share one view; only the one on screen is filled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from dash import ClientsideFunction, Input, Output, State, callback, clientside_callback, dcc, html
from dash import register_page as register_dash_page

from components import crayon_layout as parts
from components import crayon_spec, crayon_state, crayon_tables
from components.crayon_state import PAGE
from components.method_card import named
from components.state import register_page_state, stores, view_state

register_dash_page(
    __name__,
    path="/crayon",
    name="Crayon",
    order=30,
    title="Crayon · Loupe",
    description=parts.QUESTION,
    icon="focus-2",
)

QUESTION, TOLD, VISIT = "crayon-question", "crayon-told", "crayon-visit"
FACTS, READY = "crayon-facts", "crayon-ready"


def layout(**query: str) -> html.Div:
    """The whole page for one query; cheap, opens no set and no model."""
    values, notices = crayon_state.opened(query)
    held = [dcc.Store(id=name) for name in (QUESTION, TOLD, READY)]
    held += [dcc.Store(id=VISIT, data=uuid4().hex), dcc.Store(id=FACTS, data=parts.facts())]
    page = [parts.head(values), parts.steps(values), *parts.unseen(values)]
    return html.Div(
        [*page, stores(PAGE, crayon_state.schema(), notices), *held],
        id="crayon-page",
        className="lp-page crayon-page",
        **named(data_calm="true" if values["calm"] else "false"),
    )


def _clientside(function: str, *wiring: Any, **options: Any) -> None:
    clientside_callback(ClientsideFunction("crayon", function), *wiring, **options)


register_page_state(PAGE)
crayon_tables.register()
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
    held = dict(question) if isinstance(question, Mapping) else {}
    token = held.pop("token", None)
    return {**crayon_spec.answer(held, str(visit)[:64]), "token": token}
