"""The method card of a plot: what it can show, what it cannot, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from components.fixed import fixed


@dataclass(frozen=True, slots=True)
class MethodCard:
    """Text of one method card; every field is plain text and is shown as such.

    ``equation`` is one line of typed maths ("c(θ) = p(y | R(θ) x)"); ``source`` names the paper;
    ``source_url`` may link to it (only http and https are linked).
    """

    shows: str
    cannot_show: str
    how_to_read: str
    equation: str = ""
    source: str = ""
    source_url: str = ""


def named(**attributes: str) -> dict[str, Any]:
    """``data_*`` and ``aria_*`` attributes under their names in HTML, with hyphens."""
    return {name.replace("_", "-"): value for name, value in attributes.items()}


def modal_id(card_id: str) -> dict[str, str]:
    """Id of the modal that holds the method card of ``card_id``."""
    return {"type": "method-card", "card": card_id}


def method_text(method: MethodCard) -> Component:
    """The card as a definition list; the report copies this element as it stands."""
    rows: list[Component] = []
    for term, text in (
        ("What it shows", method.shows),
        ("What it cannot show", method.cannot_show),
        ("How to read it", method.how_to_read),
    ):
        rows += [html.Dt(term), html.Dd(text)]
    if method.equation:
        rows += [html.Dt("Equation"), html.Dd(html.Code(method.equation))]
    if method.source:
        rows += [html.Dt("Source"), html.Dd(_source(method))]
    return html.Dl(rows, className="method-text")


@fixed
def method_modal(card_id: str, title: str, method: MethodCard) -> Component:
    """The modal, closed; it stays mounted so that the report can read it."""
    modal: Component = dmc.Modal(
        id=modal_id(card_id),
        title=f"About: {title}",
        size="lg",
        keepMounted=True,
        closeButtonProps={"aria-label": "Close"},
        className="method-modal",
        children=html.Div(
            [method_text(method), html.P(className="method-honesty")],
            **named(data_method_of=card_id),
        ),
    )
    return modal


def _source(method: MethodCard) -> str | Component:
    """The source as a link when its address is a web page, else as text."""
    if method.source_url.startswith(("https://", "http://")):
        return html.A(
            method.source, href=method.source_url, target="_blank", rel="noopener noreferrer"
        )
    return method.source
