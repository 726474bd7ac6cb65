"""Metric learning: which properties does an embedding react to?

One server callback opens nothing and computes nothing: the browser fetches what is shipped from
``/_metric`` and draws; what takes longer is a job.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from dash import ClientsideFunction, Input, Output, clientside_callback, dcc, html
from dash import register_page as register_dash_page

from components import metric_layout as parts
from components import metric_state, metric_tables
from components.metric_state import PAGE
from components.state import register_page_state, stores, view_state

register_dash_page(
    __name__,
    path="/metric-learning",
    name="Metric learning",
    order=40,
    title="Metric learning · Loupe",
    description=parts.QUESTION,
    icon="target",
)

VISIT, READY = f"{PAGE}-visit", f"{PAGE}-ready"


def layout(**query: str) -> html.Div:
    """The whole page for one query; cheap, opens no model."""
    values, notices = metric_state.opened(query)
    page = [parts.head(values), parts.desk(values), parts.tabs(values), *parts.unseen(values)]
    page += [stores(PAGE, metric_state.schema(), notices), *parts.stores([READY])]
    page += [dcc.Store(id=VISIT, data=uuid4().hex), parts.announcer()]
    return html.Div(page, id=f"{PAGE}-page", className="lp-page metric-page")


def _clientside(function: str, *wiring: Any) -> None:
    clientside_callback(ClientsideFunction("metric", function), *wiring)


register_page_state(PAGE)
metric_tables.register()
# Dash starts a callback of a page that mounts only if it has an output there.
_clientside("visit", Output(READY, "data"), Input(VISIT, "data"))
_clientside("ask", Input(view_state(PAGE), "data"))
