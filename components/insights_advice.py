"""What the history of a domain recommends: phrases, patches, and how they act together."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from components import insights_methods as methods
from components.insights_desk import graph, switch
from components.method_card import named
from components.plot_card import plot_card
from components.state import Values

PHRASES, PATCHES, TOGETHER = "insights-phrases", "insights-patches", "insights-together"
LIST_PX: Final = 348
LEVELS: Final = {"phrase": "Phrases", "word": "Words"}


def phrases(values: Values) -> Component:
    """Ten that help, ten that hurt, and the evidence for the chosen one."""
    body = [
        html.Div(id="insights-phrases-good", className="insights-advice"),
        html.Div(id="insights-phrases-bad", className="insights-advice"),
        html.Aside(
            id="insights-phrases-why",
            className="insights-why",
            **named(aria_label="Evidence", aria_live="polite"),
        ),
    ]
    return plot_card(
        PHRASES,
        "Phrases",
        "Which words went with success in this domain?",
        html.Div(body, className="insights-three"),
        table=PHRASES,
        method=methods.PHRASES,
        controls=switch("level", "What is ranked", LEVELS, values),
        min_height_px=LIST_PX,
        grows=True,
        state="loading",
        is_picture=False,
    )


def patches() -> Component:
    """Groups of places that help, and of those that hurt, with real examples."""
    body = [
        html.Div(id="insights-patches-good", className="insights-clusters"),
        html.Div(id="insights-patches-bad", className="insights-clusters"),
        html.Div(
            [html.P(id="insights-elbow-said", className="lp-muted"), graph("insights-elbow-graph")],
            id="insights-elbow",
            className="insights-elbow",
            hidden=True,
        ),
    ]
    return plot_card(
        PATCHES,
        "Patches",
        "Which parts of pictures went with success in this domain?",
        html.Div(body),
        table=PATCHES,
        method=methods.PATCHES,
        min_height_px=LIST_PX,
        grows=True,
        state="loading",
    )


def together() -> Component:
    """Phrase by patch, with sums at the edges."""
    return plot_card(
        TOGETHER,
        "Together",
        "Which phrases and patches work with or against each other?",
        html.Div(id="insights-together-view", className="insights-together"),
        table=TOGETHER,
        method=methods.TOGETHER,
        min_height_px=LIST_PX,
        grows=True,
        state="loading",
        is_picture=False,
    )
