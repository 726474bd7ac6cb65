"""The tabs of the metric-learning page: sweep, maps, backgrounds, words, families, your own."""

from __future__ import annotations

from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from backend.metric_learning import words
from components import metric_methods as methods
from components.insights_desk import graph
from components.method_card import MethodCard
from components.metric_state import LIKENESS, PAGE, UNITS
from components.plot_card import Children, FirstState, plot_card

__all__ = ["LIKENESS", "NOTIONS", "UNITS"]
NOTIONS: Final = {name: name[:1].upper() + name[1:] for name in words.NOTIONS}
TALL, LOW = 340, 300
SAID: Final = {
    "sweep": ("Sweep", "What happens to this image's embedding when one property changes?"),
    "values": ("By value", "Which values of the property lie together: which rotation, which car?"),
    "looks": ("Attribution", "Where does each loss look in this image?"),
    "like": ("Likeness", "Which losses look at the same places?"),
    "pair": ("Pair", "Which parts of two images does their distance rest on?"),
    "ground": ("Backgrounds", "How much does retrieval rest on the background?"),
    "focus": ("Focus", "How much more does a network look at the car than its area?"),
    "swap": (
        "One car, other backgrounds",
        "What is this car near to once its background is changed?",
    ),
    "words": ("Words", "What is near to this image by a notion given in words alone?"),
    "families": ("Families", "Do ranking and classification losses react to different properties?"),
    "models": ("Your own models", "What do models of your own cluster the cars by?"),
    "own": ("Your own embeddings", "What do embeddings of your own cluster by?"),
    "made": ("Your own meshes", "What does a loss cluster renders of your meshes by?"),
}
"""Title and question of every card."""


def place(name: str, kind: str = "") -> Component:
    """An empty place that a script fills."""
    # What scrolls can be scrolled by keys.
    keys: dict[str, Any] = {"tabIndex": 0} if kind == "scroll" else {}
    return html.Div(id=f"{PAGE}-{name}", className=f"metric-{kind or name}", **keys)


def _card(
    name: str,
    body: Children,
    method: MethodCard,
    height_px: int,
    *,
    table: str = "",
    controls: Component | None = None,
    grows: bool = True,
    state: FirstState = "loading",
) -> Component:
    """A card of :data:`SAID`, whose table has its name unless another is given."""
    return plot_card(
        f"{PAGE}-{name}",
        *SAID[name],
        body,
        table=f"{PAGE}-{table or name}",
        method=method,
        controls=controls,
        min_height_px=height_px,
        grows=grows,
        state=state,
    )


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
    return _card("sweep", html.Div(body, className="metric-column"), methods.SWEEP, 470)


def by_value() -> Component:
    """NR-Prec of each value of the property: a plot, and the numbers beside it."""
    body = [
        html.Div(graph(f"{PAGE}-values-graph"), className="metric-sweep-plot"),
        place("values-view", "scroll"),
    ]
    return _card("values", html.Div(body, className="metric-sweep"), methods.VALUES, 400)


def looks(likeness: Component) -> Component:
    """Maps of every loss, the matrix of their likeness, and the maps of a pair."""
    strip = _card(
        "looks",
        html.Div([place("maps"), place("two")], className="metric-column"),
        methods.LOOKS,
        470,
    )
    matrix = _card(
        "like", place("like-view", "scroll"), methods.LIKE, 470, controls=likeness, grows=False
    )
    pair = _card("pair", place("pair-view", "pair"), methods.PAIR, 190)
    return html.Div([strip, matrix, pair], className="metric-looks")


def ground() -> Component:
    """Robustness of five losses, and one image before other backgrounds."""
    overall = _card(
        "ground",
        html.Div(graph(f"{PAGE}-ground-graph"), className="metric-fill"),
        methods.GROUND,
        TALL,
        grows=False,
    )
    focus = _card(
        "focus",
        html.Div(graph(f"{PAGE}-focus-graph"), className="metric-fill"),
        methods.GROUND,
        TALL,
        table="ground",
        grows=False,
    )
    one = _card("swap", place("swap-view", "swap"), methods.SWAP, LOW)
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
    return _card(
        "words", html.Div(body, className="metric-column"), methods.WORDS, 520, controls=notion
    )


def families(unit: Component) -> Component:
    """Dots of every network, and the tests."""
    body = [
        html.Div(graph(f"{PAGE}-families-graph"), className="metric-families-plot"),
        place("families-view", "scroll"),
    ]
    return _card(
        "families",
        html.Div(body, className="metric-families"),
        methods.FAMILIES,
        400,
        controls=unit,
    )


def own(distance: Component) -> Component:
    """The user's models; where files are dropped, and what they say."""
    models = _card("models", place("models-view", "scroll"), methods.MODELS, 120, controls=distance)
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
    return _card("own", html.Div(body, className="metric-column"), methods.OWN, 190, state="ready")


def _meshes() -> Component:
    return _card(
        "made",
        html.Div([place("made-form"), place("made-view", "made")], className="metric-column"),
        methods.MADE,
        190,
        state="ready",
    )
