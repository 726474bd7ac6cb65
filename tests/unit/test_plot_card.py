"""The plot card as a tree of components: anatomy, names, menu."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from dash.development.base_component import Component

from components.method_card import MethodCard, method_text
from components.plot_card import honesty_id, plot_card
from components.report import REPORT_BUTTON, report_button
from components.table_drawer import DRAWER, GRID, THEME, table_drawer

METHOD = MethodCard("shows", "cannot", "read", equation="a = b", source="Paper")


def walk(node: Any) -> Iterator[Component]:
    """Every component below ``node``, itself first, in reading order."""
    if isinstance(node, Component):
        yield node
        for name in ("children", "leftSection", "title"):
            yield from walk(getattr(node, name, None))
    elif isinstance(node, list | tuple):
        for child in node:
            yield from walk(child)


def prop(node: Component, name: str) -> Any:
    return node.to_plotly_json()["props"].get(name)


def actions(card: Component) -> list[str]:
    return [prop(node, "data-action") for node in walk(card) if prop(node, "data-card") is not None]


def test_section_is_named_by_its_title() -> None:
    card = plot_card("x-plot", "Title", "Question?", "body")
    [title] = [node for node in walk(card) if prop(node, "id") == prop(card, "aria-labelledby")]
    assert title.children == "Title"
    assert prop(card, "id") == "x-plot"
    assert prop(card, "data-state") == "ready"


def test_honesty_line_has_the_id_that_pages_write() -> None:
    card = plot_card("x-plot", "Title", "Question?", "body", honesty="500 of 500")
    [line] = [node for node in walk(card) if prop(node, "id") == honesty_id("x-plot")]
    assert line.children == "500 of 500"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["png", "svg", "link", "pin"]),
        ({"table": "t"}, ["table", "csv", "parquet", "png", "svg", "link", "pin"]),
        ({"method": METHOD}, ["png", "svg", "link", "pin", "about"]),
    ],
)
def test_menu_offers_what_the_card_has(options: dict[str, Any], expected: list[str]) -> None:
    assert actions(plot_card("x", "T", "Q?", "body", **options)) == expected


def test_body_reserves_its_height() -> None:
    card = plot_card("x", "T", "Q?", "body", min_height_px=240, aspect="1 / 1")
    [body] = [n for n in walk(card) if prop(n, "className") == "plot-card-body"]
    assert prop(body, "style") == {"--card-height": "240px", "aspectRatio": "1 / 1"}


def test_loading_says_so_before_any_script() -> None:
    card = plot_card("x", "T", "Q?", "body", state="loading")
    [message] = [n for n in walk(card) if prop(n, "className") == "plot-card-message"]
    assert message.children == "Loading…"


@pytest.mark.parametrize(
    ("url", "linked"),
    [("https://example.org/a", True), ("javascript:alert(1)", False), ("", False)],
)
def test_only_web_addresses_are_linked(url: str, linked: bool) -> None:
    text = method_text(MethodCard("a", "b", "c", source="Paper", source_url=url))
    assert any(prop(node, "href") for node in walk(text)) is linked


def test_drawer_and_report_have_the_ids_of_the_scripts() -> None:
    ids = {prop(node, "id") for node in walk(table_drawer())}
    assert {DRAWER, GRID, "table-title", "table-note", "table-count", "table-search"} <= ids
    assert prop(report_button(), "id") == REPORT_BUTTON


def test_grid_theme_takes_its_colours_from_tokens() -> None:
    colours = re.findall(r"\w+Color: '([^']+)'", THEME)
    assert colours
    assert all(colour.startswith("var(--card-") for colour in colours)


def test_a_table_offers_no_picture() -> None:
    card = plot_card("x-table", "Title", "Question?", "body", table="x-table", is_picture=False)
    assert actions(card) == ["table", "csv", "parquet", "link"]
