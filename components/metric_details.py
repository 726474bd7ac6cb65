"""The tabs of the metric-learning page: sweep, maps, backgrounds, words, families, your own."""

from __future__ import annotations

from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from backend.metric_learning import words
from components import metric_methods as methods
from components.insights_desk import graph
from components.metric_state import LIKENESS, PAGE, UNITS
from components.plot_card import plot_card

__all__ = ["LIKENESS", "NOTIONS", "UNITS"]
NOTIONS: Final = {name: name[:1].upper() + name[1:] for name in words.NOTIONS}
TALL, LOW = 340, 300


def place(name: str, kind: str = "") -> Component:
    """An empty place that a script fills."""
    # What scrolls can be scrolled by keys.
    keys: dict[str, Any] = {"tabIndex": 0} if kind == "scroll" else {}
    return html.Div(id=f"{PAGE}-{name}", className=f"metric-{kind or name}", **keys)


def sweep() -> Component:
    """The strip of renders above the distances along it, and the slopes beside."""
    body = [
        place("strip"),
        html.Div(
            [
                html.Div(graph(f"{PAGE}-sweep-graph"), className="metric-sweep-plot"),
                place("slopes", "scroll"),
            ],
            className="metric-sweep",
        ),
    ]
    return plot_card(
        f"{PAGE}-sweep",
        "Sweep",
        "What happens to this image's embedding when one property changes?",
        html.Div(body, className="metric-column"),
        table=f"{PAGE}-sweep",
        method=methods.SWEEP,
        min_height_px=470,
        grows=True,
        state="loading",
    )


def by_value() -> Component:
    """NR-Prec of each value of the property: a plot, and the numbers beside it."""
    body = [
        html.Div(graph(f"{PAGE}-values-graph"), className="metric-sweep-plot"),
        place("values-view", "scroll"),
    ]
    return plot_card(
        f"{PAGE}-values",
        "By value",
        "Which values of the property lie together: which rotation, which car?",
        html.Div(body, className="metric-sweep"),
        table=f"{PAGE}-values",
        method=methods.VALUES,
        min_height_px=400,
        grows=True,
        state="loading",
    )


def looks(likeness: Component) -> Component:
    """Maps of every loss, the matrix of their likeness, and the maps of a pair."""
    strip = plot_card(
        f"{PAGE}-looks",
        "Attribution",
        "Where does each loss look in this image?",
        html.Div([place("maps"), place("two")], className="metric-column"),
        table=f"{PAGE}-looks",
        method=methods.LOOKS,
        min_height_px=470,
        grows=True,
        state="loading",
    )
    matrix = plot_card(
        f"{PAGE}-like",
        "Likeness",
        "Which losses look at the same places?",
        place("like-view", "scroll"),
        table=f"{PAGE}-like",
        method=methods.LIKE,
        controls=likeness,
        min_height_px=470,
        state="loading",
    )
    pair = plot_card(
        f"{PAGE}-pair",
        "Pair",
        "Which parts of two images does their distance rest on?",
        place("pair-view", "pair"),
        table=f"{PAGE}-pair",
        method=methods.PAIR,
        min_height_px=190,
        grows=True,
        state="loading",
    )
    return html.Div([strip, matrix, pair], className="metric-looks")


def ground() -> Component:
    """Robustness of five losses, and one image before other backgrounds."""
    overall = plot_card(
        f"{PAGE}-ground",
        "Backgrounds",
        "How much does retrieval rest on the background?",
        html.Div(graph(f"{PAGE}-ground-graph"), className="metric-fill"),
        table=f"{PAGE}-ground",
        method=methods.GROUND,
        min_height_px=TALL,
        state="loading",
    )
    focus = plot_card(
        f"{PAGE}-focus",
        "Focus",
        "How much more does a network look at the car than its area?",
        html.Div(graph(f"{PAGE}-focus-graph"), className="metric-fill"),
        table=f"{PAGE}-ground",
        method=methods.GROUND,
        min_height_px=TALL,
        state="loading",
    )
    one = plot_card(
        f"{PAGE}-swap",
        "One car, other backgrounds",
        "What is this car near to once its background is changed?",
        place("swap-view", "swap"),
        table=f"{PAGE}-swap",
        method=methods.SWAP,
        min_height_px=LOW,
        grows=True,
        state="loading",
    )
    return html.Div([overall, focus, one], className="metric-ground")


def words_panel(notion: Component) -> Component:
    """Prompts at the left, what they do at the right."""
    asked = html.Div(
        [
            html.Label("Prompts, one a line", htmlFor=f"{PAGE}-prompts"),
            html.Div(id=f"{PAGE}-prompts-place"),
            place("words-learn", "actions"),
        ],
        className="metric-prompts",
    )
    told = html.Div(
        [
            html.Div(graph(f"{PAGE}-words-graph"), className="metric-words-plot"),
            place("words-told", "scroll"),
        ],
        className="metric-words-told",
    )
    body = [html.Div([asked, told], className="metric-words"), place("words-near", "two-rows")]
    return plot_card(
        f"{PAGE}-words",
        "Words",
        "What is near to this image by a notion given in words alone?",
        html.Div(body, className="metric-column"),
        table=f"{PAGE}-words",
        method=methods.WORDS,
        controls=notion,
        min_height_px=520,
        grows=True,
        state="loading",
    )


def families(unit: Component) -> Component:
    """Dots of every network, and the tests."""
    body = [
        html.Div(graph(f"{PAGE}-families-graph"), className="metric-families-plot"),
        place("families-view", "scroll"),
    ]
    return plot_card(
        f"{PAGE}-families",
        "Families",
        "Do ranking and classification losses react to different properties?",
        html.Div(body, className="metric-families"),
        table=f"{PAGE}-families",
        method=methods.FAMILIES,
        controls=unit,
        min_height_px=400,
        grows=True,
        state="loading",
    )


def own(distance: Component) -> Component:
    """The user's models; where files are dropped, and what they say."""
    models = plot_card(
        f"{PAGE}-models",
        "Your own models",
        "What do models of your own cluster the cars by?",
        place("models-view", "scroll"),
        table=f"{PAGE}-models",
        method=methods.MODELS,
        controls=distance,
        min_height_px=120,
        grows=True,
        state="loading",
    )
    return html.Div([models, _embeddings(), _meshes()], className="metric-owns")


def _embeddings() -> Component:
    body = [
        place("own-form"),
        html.Div(
            [
                place("own-view", "scroll"),
                html.Div(graph(f"{PAGE}-own-graph"), className="metric-own-plot"),
            ],
            className="metric-own",
        ),
    ]
    return plot_card(
        f"{PAGE}-own",
        "Your own embeddings",
        "What do embeddings of your own cluster by?",
        html.Div(body, className="metric-column"),
        table=f"{PAGE}-own",
        method=methods.OWN,
        min_height_px=190,
        grows=True,
        state="ready",
    )


def _meshes() -> Component:
    return plot_card(
        f"{PAGE}-made",
        "Your own meshes",
        "What does a loss cluster renders of your meshes by?",
        html.Div([place("made-form"), place("made-view", "made")], className="metric-column"),
        table=f"{PAGE}-made",
        method=methods.MADE,
        min_height_px=190,
        grows=True,
        state="ready",
    )
