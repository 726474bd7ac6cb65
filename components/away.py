"""One sentence above every page while the database does not answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import dash
from dash import html
from dash.development.base_component import Component

from backend.registry import store
from components.icons import icon

WRAPPED: Final = "says_away"


def register() -> None:
    """Has every page of Dash's registry say it; a second app finds them wrapped already."""
    for page in dash.page_registry.values():
        if callable(page["layout"]) and not hasattr(page["layout"], WRAPPED):
            page["layout"] = saying(page["layout"])


def saying(layout: Callable[..., Component]) -> Callable[..., Component]:
    """The layout; with the sentence above it where the user's own things cannot be listed now."""

    @wraps(layout)
    def said(*args: Any, **query: Any) -> Component:
        page, away = layout(*args, **query), store.listed().away
        if not away:
            return page
        told = [icon("alert-triangle"), html.Span(away)]
        above = html.P(told, className="lp-away", id="app-away", role="status")
        return html.Div([above, page], className="lp-under-away")

    setattr(said, WRAPPED, True)
    return said
