"""Home: what is here, and what can I do with it?"""

from __future__ import annotations

from typing import Any, Final

import dash
from dash import ClientsideFunction, Input, Output, clientside_callback, dcc, html, register_page

from backend import datasets
from components import home_cards as cards
from components.home_figure import home_figure
from components.home_own import own_section
from components.icons import icon
from components.runtime import services

register_page(
    __name__,
    path="/",
    name="Home",
    title="Home · Loupe",
    description="What is here and what can I do with it?",
    order=0,
    icon="home",
)

PAGE: Final = "home-page"
DRAWN: Final = "home-drawn"
FIGURE: Final = "home-curves"


def layout(**_query: str) -> html.Div:
    """Everything that is known without a model; jobs and recent links are the browser's."""
    return html.Div(
        [
            html.Header(
                [
                    html.H1("See where a vision model breaks"),
                    html.P(
                        "Loupe turns, shifts and edits what a model sees, shows where its answers "
                        "change, and lets you keep and share the evidence. Models and images below "
                        "are real and ready.",
                        className="lp-lede",
                    ),
                ]
            ),
            _start(),
            *_other_views(),
            own_section(),
            html.Div(
                [
                    cards.section(
                        "Recent jobs", html.Div(id="home-jobs", className="lp-card lp-list")
                    ),
                    cards.section(
                        "Where you were", html.Div(id="home-recent", className="lp-card lp-list")
                    ),
                ],
                id="home-yours",
                className="lp-halves",
            ),
            _models(),
            _datasets(),
            dcc.Store(id=FIGURE, data={**home_figure(services())}),
            dcc.Store(id=DRAWN),
        ],
        id=PAGE,
        className="lp-page lp-home",
    )


def _start() -> html.Div:
    """The first thing to try, with the real plot beside it."""
    return html.Div(
        [
            html.Div(
                [
                    html.P("Start here", className="lp-eyebrow"),
                    html.H2("Turn a digit, and watch two models answer"),
                    html.P(
                        "A model trained on upright digits is right 99 times in 100, until the "
                        "digit is turned. NERO shows the answer along the whole circle of "
                        "rotations, for one image, a class, or all 500.",
                    ),
                    html.P(
                        [html.Strong("Try first: "), "drag the green line around the circle."],
                        className="lp-muted",
                    ),
                    dcc.Link(
                        ["Open NERO", icon("arrow-right")],
                        href="/nero",
                        className="lp-btn lp-btn-main",
                        id="home-start",
                    ),
                ],
                className="lp-start-text",
            ),
            html.Div(
                [
                    html.Div(id="home-figure"),
                    html.P(id="home-figure-note", className="lp-muted lp-small"),
                ],
                className="lp-start-figure",
            ),
        ],
        className="lp-card lp-start",
    )


def _other_views() -> list[html.Section]:
    pages = [p for p in dash.page_registry.values() if 10 < (p["order"] or 0) < 80]
    views: list[Any] = [cards.view_card(page) for page in pages]
    return [cards.section("Views", html.Div(views, className="lp-tiles"))] if views else []


def _models() -> html.Section:
    tiles = [cards.model_card(key) for key in cards.ordered_models()]
    note = "Measured here, on the bundled evaluation sets."
    return cards.section("Models", html.Div(tiles, className="lp-tiles"), note)


def _datasets() -> html.Section:
    held = services()
    tiles = [
        cards.dataset_card(info, cards.sheet_url(key, held.media, held.small))
        for key, info in datasets.bundled().items()
    ]
    return cards.section("Data sets", html.Div(tiles, className="lp-tiles lp-tiles-wide"))


# Dash starts a callback of a page that mounts only if it has an output there.
clientside_callback(
    ClientsideFunction("loupe_home", "mounted"), Output(DRAWN, "data"), Input(FIGURE, "data")
)
