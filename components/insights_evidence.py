"""How far the insights can be trusted, and how well the model predicts beside simpler ones."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from components import insights_methods as methods
from components.insights_desk import graph, switch
from components.plot_card import plot_card
from components.state import Values

TRUST, PAIRS = "insights-trust", "insights-pairs"
COMPARED, ERRORS = "insights-compared", "insights-errors"
PLOT_PX: Final = 320
MODALITIES: Final = {"text": "Text", "image": "Picture"}
METRICS: Final = {"rmse": "RMSE", "mae": "MAE"}


def panel(values: Values) -> Component:
    """Score first, then its pairs, then the other methods, then the model."""
    cards = [_trust(values), _pairs(), _compared(), _errors(values)]
    return html.Div(cards, className="insights-evidence")


def _trust(values: Values) -> Component:
    told = html.Div(id="insights-score", className="insights-score", role="status")
    plot = html.Div(graph("insights-null-graph"), className="insights-null")
    return plot_card(
        TRUST,
        "Trust Score",
        "How far can these insights be trusted?",
        html.Div([told, plot], className="insights-fill"),
        table=TRUST,
        method=methods.TRUST,
        controls=switch("modality", "Of which insights", MODALITIES, values),
        min_height_px=PLOT_PX,
        state="loading",
    )


def _pairs() -> Component:
    return plot_card(
        PAIRS,
        "Pairs",
        "Did gained attribution go with gained success?",
        graph("insights-pairs-graph"),
        table=PAIRS,
        method=methods.PAIRS,
        min_height_px=PLOT_PX,
        state="loading",
    )


def _compared() -> Component:
    return plot_card(
        COMPARED,
        "Attribution methods",
        "Which method follows measured success best?",
        graph("insights-compared-graph"),
        table=COMPARED,
        method=methods.METHODS,
        min_height_px=PLOT_PX,
        state="loading",
    )


def _errors(values: Values) -> Component:
    body = [
        html.Div(graph("insights-errors-graph"), className="insights-errors-plot"),
        html.Div(id="insights-errors-view", className="insights-errors-table"),
    ]
    return plot_card(
        ERRORS,
        "Model card",
        "How well does the model predict, here and elsewhere?",
        html.Div(body, className="insights-errors"),
        table=ERRORS,
        method=methods.ERRORS,
        controls=switch("metric", "Error", METRICS, values),
        min_height_px=PLOT_PX,
        grows=True,
        state="loading",
    )
