"""The brief: picked insights with the user's own words, to be printed or sent."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from components import insights_methods as methods
from components.icons import icon
from components.plot_card import plot_card

BRIEF: Final = "insights-brief"


def panel() -> Component:
    """A form at the left that writes the page at the right."""
    form = html.Div(id="insights-brief-form", className="insights-brief-form")
    sheet = html.Div(id="insights-brief-sheet", className="insights-sheet")
    actions = html.Div(
        [
            _button("insights-brief-save", "Save as HTML", "file-export", "One file, no network"),
            _button("insights-brief-print", "Print", "file-text", "Print it, or save it as PDF"),
        ],
        className="insights-actions",
    )
    return plot_card(
        BRIEF,
        "Brief",
        "What should the next version look like, and why?",
        html.Div([html.Div([form, actions]), sheet], className="insights-brief"),
        table=BRIEF,
        method=methods.BRIEF,
        min_height_px=320,
        grows=True,
        state="ready",
        is_picture=False,
    )


def _button(element_id: str, text: str, icon_name: str, title: str) -> Component:
    return html.Button(
        [icon(icon_name), text], id=element_id, type="button", className="lp-btn", title=title
    )
