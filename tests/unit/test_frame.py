"""Pages written by us are what Dash would have written, byte for byte of content."""

from __future__ import annotations

import orjson
from dash import dcc, html
from plotly.io.json import to_json_plotly

from components.frame import framed
from components.method_card import MethodCard
from components.plot_card import plot_card

METHOD = MethodCard("shows", "hides", "reads", "a = b", "Someone", "https://x.example")


def page(title: str = "Plot") -> html.Div:
    cards = [plot_card(f"card-{k}", title, "Why?", [], method=METHOD) for k in range(2)]
    return html.Div([*cards, dcc.Store(id="held", data={1: [1.5, None]}), "text"], id="page")


def test_a_framed_page_is_the_page_in_one_div() -> None:
    told = orjson.loads(to_json_plotly(framed(page)()))
    assert told["props"]["children"] == [orjson.loads(to_json_plotly(page()))]
    assert (told["type"], told["props"]["className"]) == ("Div", "lp-frame")


def test_parts_that_are_always_the_same_are_made_once() -> None:
    first, again, other = (plot_card("one", title, "Why?", []) for title in ("A", "A", "B"))
    menus = [card.children[0].children[1] for card in (first, again, other)]
    assert menus[0] is menus[1]
    assert "Menu: B" in str(menus[2])
