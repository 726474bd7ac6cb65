"""Around every page: a sentence while the database does not answer, and JSON made quickly."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import dash
import orjson
from dash import html
from dash.development.base_component import Component

from backend.registry import store
from components.fixed import written
from components.icons import icon

WRAPPED: Final = "is_framed"


class Frame(html.Div):
    """A ``Div`` that writes itself as JSON.

    Dash has plotly copy the tree of a page before orjson sees it, which takes twice as long as
    orjson alone and was a third of the time of opening a page.
    """

    def to_plotly_json(self) -> Any:
        return orjson.Fragment(written(super().to_plotly_json()))


def register() -> None:
    """Frames every page of Dash's registry; a second app finds them framed already."""
    for page in dash.page_registry.values():
        if callable(page["layout"]) and not hasattr(page["layout"], WRAPPED):
            page["layout"] = framed(page["layout"])


def framed(layout: Callable[..., Component]) -> Callable[..., Frame]:
    """The layout, below the sentence where the user's own things cannot be listed now."""

    @wraps(layout)
    def made(*args: Any, **query: Any) -> Frame:
        parts, away = [layout(*args, **query)], store.listed().away
        if away:
            told = [icon("alert-triangle"), html.Span(away)]
            parts.insert(0, html.P(told, className="lp-away", id="app-away", role="status"))
        return Frame(parts, className="lp-frame")

    setattr(made, WRAPPED, True)
    return made
