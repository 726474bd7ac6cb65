"""The frame of the fair-retrieval page: query, pool, the two grids, and the cards behind them.

Grids and readouts are drawn in the browser (``assets/9x-fair-*.js``) into places made here.
"""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from backend.fair.pool import people
from backend.fair.training_splits import SHIPPED, SPLITS
from components import fair_methods as methods
from components.fair_state import ATTRIBUTES, METHODS, MOST_K, PAGE, PREDICTORS
from components.icons import icon
from components.method_card import MethodCard, named
from components.nero_layout import NO_FIGURE
from components.plot_card import plot_card
from components.state import Values, control, hidden

QUESTION: Final = "Does a neutral query return a balanced result?"
TRY: Final = "let a predictor guess the groups in place of the true ones, and watch balance suffer."
LIMITS: Final = (
    "A demonstration of a method on drawings. The attributes are binary and drawn: what an artist "
    "meant by a Unicode sequence, exact for the picture and no statement about people. Equal "
    "numbers of two groups is one notion of fairness among several."
)
CONFIG: Final[Any] = {"displaylogo": False, "displayModeBar": False, "responsive": True}
SEEN: Final = (
    "query",
    "attribute",
    "method",
    "predictor",
    "share",
    "k",
    "p",
    "margin",
    "dropped",
    "seed",
)
"""Keys of the state whose control Dash knows; scripts write the others."""
PLOTS: Final[dict[str, tuple[str, str, MethodCard]]] = {
    "fair-curves": ("Bias against K", "How does the balance change down the list?", methods.CURVES),
    "fair-tradeoff": ("Trade-off", "What does balance cost in recall?", methods.TRADEOFF),
    "fair-quantiles": (
        "Similarity and group",
        "Is it the model that leans, or the pool?",
        methods.QUANTILES,
    ),
    "fair-queries": ("All queries", "Is this query an exception?", methods.QUERIES),
    "fair-methods": ("Methods compared", "What do the alternatives reach?", methods.METHODS),
}
RESULTS, PREDICTOR, MAP = "fair-results", "fair-predictor", "fair-map"


def head(values: Values) -> Component:
    """Title, question, and what is asked of what."""
    tip = html.P([html.B("Try this first: "), TRY], className="nero-try")
    title = html.Div([html.H1("Fair retrieval"), html.P(QUESTION), tip])
    return html.Header([title, _toolbar(values)], className="nero-head fair-head")


def _toolbar(values: Values) -> Component:
    typed = html.Form(
        [
            html.Label("or your own words", htmlFor="fair-typed"),
            dcc.Input(
                id="fair-typed",
                type="text",
                maxLength=200,
                placeholder="a person who bakes bread",
                value=str(values["typed"]),
                className="lp-field",
                autoComplete="off",
            ),
        ],
        id="fair-typed-form",
        className="fair-field",
    )
    own = html.Button(
        icon("plus"),
        id="fair-own",
        type="button",
        className="nero-open",
        title="Open scores and groups of your own: a CSV or Parquet table",
        **named(aria_label="Open scores and groups of your own"),
    )
    queries = {name: name for name in people().activities}
    controls = [
        html.Div(
            [_select("query", "Neutral query", queries, values, 190, is_searchable=True), own],
            className="nero-data",
        ),
        typed,
        _select("attribute", "Balance by", ATTRIBUTES, values, 148),
        _slider("share", "Pool: share of the first group", values, (0.1, 0.9, 0.05), "fair-wide"),
    ]
    label = named(aria_label="What is asked of what")
    return html.Div(controls, className="nero-toolbar fair-toolbar", role="group", **label)


def _select(
    key: str,
    label: str,
    titles: dict[str, str],
    values: Values,
    width_px: int,
    is_searchable: bool = False,
) -> Component:
    value = values[key] if values[key] in titles else next(iter(titles))
    made: Component = dmc.Select(
        id=control(PAGE, key),
        label=label,
        data=[{"value": name, "label": text} for name, text in titles.items()],
        value=value,
        allowDeselect=False,
        searchable=is_searchable,
        w=width_px,
    )
    return made


def _slider(
    key: str, label: str, values: Values, scale: tuple[float, float, float], kind: str = ""
) -> Component:
    low, high, step = scale
    slider: Component = dmc.Slider(
        id=control(PAGE, key),
        value=values[key],
        min=low,
        max=high,
        step=step,
        size="sm",
        updatemode="drag",
        thumbLabel=label,
        precision=2 if step < 1 else 0,
    )
    text = html.Span(
        [html.Span(label), html.B(str(values[key]), id=f"fair-{key}-said")],
        className="fair-slider-label",
    )
    return html.Div([text, slider], className=f"fair-slider {kind}".strip(), id=f"fair-{key}-box")


def told() -> list[Component]:
    """Limits, what is imported, and what is wrong."""
    return [
        html.P(LIMITS, className="fair-limits"),
        html.P(id="fair-said", className="insights-said", role="status", hidden=True),
    ]


def results(values: Values) -> Component:
    """The two grids side by side with the settings of the second."""
    settings = [
        _select("method", "Method", METHODS, values, 190),
        _select("predictor", "Group predictor", PREDICTORS, values, 160),
        _slider("p", "p, PBM decides", values, (0, 1, 0.05)),
        _slider("margin", "N/A margin τ, sd", values, (0, 2, 0.1)),
        _slider("dropped", "Dimensions dropped", values, (0, 240, 8)),
        _slider("k", "Results K", values, (1, MOST_K, 1)),
        _seed(values),
    ]
    grids = [_grid("before", "Before: most similar first"), _grid("after", "After")]
    body = [html.Div(grids, className="fair-grids"), html.P(id="fair-note", className="fair-note")]
    return plot_card(
        RESULTS,
        "Results",
        "Who is shown, before and after?",
        html.Div(body, className="fair-results"),
        table=RESULTS,
        method=methods.RESULTS,
        controls=html.Div(settings, className="fair-settings"),
        min_height_px=440,
        grows=True,
        state="loading",
        is_picture=False,
    )


def _seed(values: Values) -> Component:
    made: Component = dmc.NumberInput(
        id=control(PAGE, "seed"),
        label="Seed",
        value=values["seed"],
        min=0,
        max=9999,
        allowDecimal=False,
        clampBehavior="strict",
        w=84,
    )
    return made


def _grid(side: str, title: str) -> Component:
    label = named(aria_label=title)
    parts = [
        html.Div(
            [html.H3(title, id=f"fair-{side}-title"), html.P(id=f"fair-{side}-sum")],
            className="fair-grid-head",
        ),
        html.Div(id=f"fair-{side}-bar", className="fair-bar"),
        html.P(id=f"fair-{side}-seen", className="fair-seen", role="status"),
        html.Div(id=f"fair-{side}", className="fair-grid", role="list", tabIndex=0, **label),
    ]
    return html.Section(parts, className="fair-side")


def cards() -> Component:
    """The plots, the predictor and the map of the pool."""
    made = [_plot(key, *PLOTS[key]) for key in ("fair-curves", "fair-tradeoff", "fair-quantiles")]
    made += [_plot(key, *PLOTS[key]) for key in ("fair-queries", "fair-methods")]
    made += [_predictor(), _map()]
    return html.Div(made, className="fair-cards")


def _plot(card: str, title: str, question: str, method: MethodCard) -> Component:
    graph = dcc.Graph(
        id=f"{card}-graph", figure=NO_FIGURE, config=CONFIG, className="insights-graph"
    )
    return plot_card(
        card,
        title,
        question,
        graph,
        table=card,
        method=method,
        min_height_px=300,
        state="loading",
    )


def _predictor() -> Component:
    return plot_card(
        PREDICTOR,
        "Group predictor",
        "How good are the groups that PBM selects by?",
        html.Div(
            [
                html.Div([html.Div(id="fair-confusion"), _splits()]),
                dcc.Graph(
                    id="fair-predictor-graph",
                    figure=NO_FIGURE,
                    config=CONFIG,
                    className="fair-noise",
                ),
            ],
            className="fair-predictor",
        ),
        table=PREDICTOR,
        method=methods.PREDICTOR,
        min_height_px=300,
        grows=True,
        state="loading",
    )


def _splits() -> Component:
    """The record of what the encoder below the predictors had seen."""
    rows = [
        html.Tr(
            [
                html.Th(one.seen + (", as here" if one is SHIPPED else ""), scope="row"),
                html.Td(f"{100 * one.precision_at_10:.0f} %"),
            ]
        )
        for one in SPLITS
    ]
    head = html.Tr([html.Th(name, scope="col") for name in ("seen in training", "right of ten")])
    return html.Details(
        [
            html.Summary("Had the encoder seen less"),
            html.Table([html.Thead(head), html.Tbody(rows)], className="fair-table"),
            html.P(
                "Right pictures among the first ten of a query, one training run each; the two "
                "harder encoders are a record and cannot be chosen."
            ),
        ],
        className="fair-splits",
        id="fair-splits",
    )


def _map() -> Component:
    body = [
        html.Div(id="fair-map-plot", className="fair-map"),
        html.Div(id="fair-map-tip", className="fair-tip", hidden=True),
        html.Div(id="fair-map-key", className="fair-key"),
    ]
    return plot_card(
        MAP,
        "Map of the pool",
        "Where do the groups lie, and where the results?",
        html.Div(body, className="fair-map-body"),
        table=MAP,
        method=methods.MAP,
        min_height_px=420,
        state="loading",
        is_picture=False,
    )


def own() -> Component:
    """The dialog for a table of the user's own, empty and closed."""
    label = named(aria_label="Scores and groups of your own")
    return html.Dialog(id="fair-own-dialog", className="lp-dialog", **label)


def unseen(values: Values) -> list[Component]:
    """Values of the state without a control that Dash knows."""
    return [hidden(PAGE, key, value) for key, value in values.items() if key not in SEEN]
