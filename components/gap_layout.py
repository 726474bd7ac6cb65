"""The frame of the Modality gap page; lists, plots and tables are drawn in the browser
(``assets/9x-gap-*.js``) into places made here.
"""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from components import gap_methods as methods
from components.gap_state import MOST_SPACES, PAGE, VIEWS
from components.icons import icon
from components.method_card import named
from components.nero_layout import NO_FIGURE
from components.plot_card import plot_card
from components.state import Values, control, hidden

QUESTION: Final = "How far apart do images and texts lie, and does it matter?"
TRY: Final = "drag the slider under “Move the gap” and watch what retrieval makes of it."
MAP, NUMBERS, GAPS, SLIDER, PAIR, FIND, WORDS, MODELS = (
    f"{PAGE}-{name}"
    for name in ("map", "numbers", "gaps", "slider", "pair", "find", "words", "models")
)
SEEN: Final = ("focus", "count", "seed", "view")
"""Keys of the state whose control Dash knows; scripts write the others."""
CONFIG: Final[Any] = {"displaylogo": False, "displayModeBar": False, "responsive": True}


def graph(name: str) -> Component:
    """An empty plot that a script fills."""
    return dcc.Graph(id=f"{PAGE}-{name}", figure=NO_FIGURE, config=CONFIG, className="gap-graph")


def place(name: str, **attributes: Any) -> Component:
    """A place that a script fills."""
    return html.Div(id=f"{PAGE}-{name}", className=f"gap-{name}", **attributes)


def head(values: Values) -> Component:
    """Title, question, and what is looked at."""
    tip = html.P([html.B("Try this first: "), TRY], className="nero-try")
    title = html.Div([html.H1("Modality gap"), html.P(QUESTION), tip])
    return html.Header([title, _toolbar(values)], className="nero-head gap-head")


def _toolbar(values: Values) -> Component:
    own = html.Button(
        icon("plus"),
        id=f"{PAGE}-own",
        type="button",
        className="nero-open",
        title="Import paired embeddings of your own",
        **named(aria_label="Import paired embeddings of your own"),
    )
    again = html.Button(
        icon("refresh"),
        id=f"{PAGE}-again",
        type="button",
        className="nero-open",
        title="Draw other pairs",
        **named(aria_label="Draw other pairs"),
    )
    focus: Component = dmc.Select(
        id=control(PAGE, "focus"), label="In detail", value=values["focus"], w=168,
        data=[{"value": values["focus"], "label": "…"}], allowDeselect=False,
    )  # fmt: skip
    shown = html.Div(
        [html.Label("Side by side", htmlFor=f"{PAGE}-shown"), place("shown")],
        className="gap-field",
    )
    controls = [
        html.Div([shown, own], className="nero-data"),
        focus,
        html.Div([_number("count", "Pairs drawn", values, 92), again], className="nero-data"),
        _number("seed", "Seed", values, 72),
    ]
    label = named(aria_label="What is looked at")
    return html.Div(controls, className="nero-toolbar gap-toolbar", role="group", **label)


def _number(key: str, label: str, values: Values, width_px: int) -> Component:
    from components.gap_state import schema

    field: Any = schema()[key]
    made: Component = dmc.NumberInput(
        id=control(PAGE, key), label=label, value=values[key], min=field.low, max=field.high,
        allowDecimal=False, clampBehavior="blur", debounce=500, w=width_px,
    )  # fmt: skip
    return made


def said() -> Component:
    """What is wrong; empty at first."""
    return html.P(id=f"{PAGE}-said", className="gap-said", role="status", hidden=True)


def desk() -> Component:
    """The layouts side by side, with the chosen pair beside them."""
    pair = plot_card(
        PAIR,
        "Chosen pair",
        "Which words go with which places?",
        place("one"),
        table=PAIR,
        method=methods.PAIR,
        min_height_px=440,
        grows=True,
        state="loading",
        is_picture=False,
    )
    return html.Div([_maps(), pair], className="gap-desk")


def _maps() -> Component:
    panels = [
        html.Figure(
            [
                html.Figcaption(id=f"{PAGE}-panel-{i}"),
                graph(f"graph-{i}"),
                html.Div(id=f"{PAGE}-points-{i}", className="gap-graph gap-points"),
            ],
            className="gap-panel",
            id=f"{PAGE}-place-{i}",
            hidden=i > 2,
        )
        for i in range(MOST_SPACES)
    ]
    keys = html.Div(
        [
            html.Span([html.I(className="gap-key-image"), "image"]),
            html.Span([html.I(className="gap-key-text"), "text"]),
            html.Span(id=f"{PAGE}-chosen", className="gap-chosen"),
        ],
        className="gap-keys",
    )
    return plot_card(
        MAP,
        "Joint UMAP",
        "Do images and texts share a region, or keep apart?",
        html.Div([html.Div(panels, className="gap-panels"), keys], className="gap-maps"),
        table=MAP,
        method=methods.MAP,
        controls=place("layout"),
        min_height_px=440,
        grows=True,
        state="loading",
    )


def numbers() -> Component:
    """The numbers and the histograms."""
    exact = plot_card(
        NUMBERS,
        "Exact numbers",
        "How large is the gap, and how sure is that?",
        place("table"),
        table=NUMBERS,
        method=methods.NUMBERS,
        min_height_px=316,
        grows=True,
        state="loading",
        is_picture=False,
    )
    two = html.Div([graph("gaps-graph"), graph("cosines-graph")], className="gap-two")
    gaps = plot_card(
        GAPS,
        "Gaps of the pairs",
        "How far is each image from its own text, and from others?",
        two,
        table=GAPS,
        method=methods.GAPS,
        min_height_px=316,
        state="loading",
    )
    return html.Div([exact, gaps], className="gap-row")


def slider() -> Component:
    """The slider with what holds at its place, over the whole curve."""
    return plot_card(
        SLIDER,
        "Move the gap",
        "What do retrieval and zero-shot make of a smaller gap?",
        html.Div(
            [
                place("handle"),
                html.Div([place("now"), graph("sweep-graph")], className="gap-swept"),
            ],
            className="gap-moved",
        ),
        table=SLIDER,
        method=methods.SLIDER,
        min_height_px=372,
        grows=True,
        state="loading",
    )


def tabs(values: Values) -> Component:
    """Retrieval, words of two selections, and the models over seeds."""
    shared: dict[str, Any] = {"grows": True, "state": "loading", "is_picture": False}
    panels: dict[str, Component] = {
        "find": plot_card(
            FIND, "Retrieval", "What does a text or a picture find?",
            html.Div([place("ask"), place("found")]), table=FIND, method=methods.FIND,
            min_height_px=260, **shared,
        ),
        "words": plot_card(
            WORDS, "Words of two selections", "What tells two groups of pairs apart?",
            html.Div([place("sides"), place("clear")]), table=WORDS, method=methods.WORDS,
            min_height_px=260, **shared,
        ),
        "models": plot_card(
            MODELS, "Models compared", "Does rank consistency change the gap, or its use?",
            place("record"), table=MODELS, method=methods.MODELS, min_height_px=260, **shared,
        ),
    }  # fmt: skip
    listed = [dmc.TabsTab(title, value=key) for key, title in VIEWS.items()]
    made: Component = dmc.Tabs(
        [
            dmc.TabsList(listed, **named(aria_label="Modality gap")),
            *(dmc.TabsPanel(panel, value=key) for key, panel in panels.items()),
        ],
        id=control(PAGE, "view"),
        value=values["view"],
        keepMounted=True,
        className="gap-tabs",
    )
    return made


def own() -> Component:
    """The dialog for imports, empty and closed."""
    label = named(aria_label="Paired embeddings of your own")
    return html.Dialog(id=f"{PAGE}-own-dialog", className="lp-dialog", **label)


def unseen(values: Values) -> list[Component]:
    """Values of the state without a control that Dash knows."""
    return [hidden(PAGE, key, value) for key, value in values.items() if key not in SEEN]
