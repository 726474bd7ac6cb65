"""A page of the app as a still document, for machines without a browser.

It holds what can be told without drawing: every card with its question, its method and the table
behind its plot, by the same tables that the page offers for download, from stored results. Of a
page without cards a browser's picture of it can be put into such a document.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final, Protocol

from backend.errors import BackendError

MOST_ROWS: Final = 200  # of a table, as in the report that a browser writes
DIGITS: Final = 4
CARD: Final = "plot-card"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:14px/1.5 system-ui,sans-serif;max-width:960px;margin:24px auto;padding:0 16px}"
    "section{border-top:1px solid #8888;margin-top:24px}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:2px 12px 2px 0;text-align:left;vertical-align:top}.scroll{overflow-x:auto}"
    ".n{text-align:right}img{max-width:100%}pre{white-space:pre-wrap}"
    ".said{border-left:3px solid #888;padding-left:12px}"
)


class Ask(Protocol):
    """Posts JSON to a path of the app and returns its JSON.

    Raises:
        BackendError: the app refuses; its own sentence.
    """

    def __call__(self, path: str, body: Mapping[str, Any]) -> Any: ...


@dataclass(slots=True)
class Card:
    """One card of a page: ``method`` are pairs of a heading and what it says."""

    title: str
    question: str
    table: str
    method: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """What the layout of a page says without drawing; ``values`` is its state by key."""

    title: str = ""
    question: str = ""
    cards: list[Card] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)


def document(ask: Ask, path: str, reason: str) -> str:
    """The page at ``path`` (with its query) as one HTML document that loads nothing.

    Args:
        reason: a sentence that says why it was not drawn.

    Raises:
        BackendError: the app does not answer with a page.
    """
    place, _, query = path.partition("?")
    address = [("pathname", place), ("search", f"?{query}" if query else "")]
    inputs = [
        {"id": "_pages_location", "property": name, "value": value} for name, value in address
    ]
    outputs = [("_pages_content", "children"), ("_pages_store", "data")]
    body = {
        "output": f"..{'...'.join('.'.join(output) for output in outputs)}..",
        "outputs": [{"id": name, "property": what} for name, what in outputs],
        "inputs": inputs,
        "changedPropIds": ["_pages_location.pathname"],
        "state": [],
    }
    layout = ask("/_dash-update-component", body)["response"]["_pages_content"]["children"]
    page = read(layout)
    state = {"page": place.strip("/") or "home", "path": place, "values": page.values}
    parts = [_card(ask, card, {**state, "selection": None, "url": path}) for card in page.cards]
    nothing = '<p class="said">This page has no cards with plots or tables.</p>'
    return _framed(page, path, reason, parts or [nothing])


def pictured(url: str, words: str, picture: bytes) -> str:
    """A page that has no cards as one HTML document that loads nothing.

    Args:
        url: its address.
        words: all it says, the heading first.
        picture: a PNG of it.
    """
    title, _, rest = words.strip().partition("\n")
    data = base64.b64encode(picture).decode()
    body = (
        f"<p>The live view: <code>{escape(url)}</code></p>"
        f'<img src="data:image/png;base64,{data}" alt="A picture of the page; its words are below">'
        f"<details><summary>Its words</summary><pre>{escape(rest.strip())}</pre></details>"
    )
    return _document(title, body)


def read(layout: Any) -> Page:
    """Title, cards and state of a page's layout, which is a component as Dash sends it."""
    page = Page()
    for kind, props in _components(layout):
        of_id = props.get("id")
        if isinstance(of_id, Mapping) and of_id.get("type") == "control":
            page.values[of_id["key"]] = props.get("value")
        elif kind == "H1" and not page.title:
            page.title = text(props)
        elif kind == "P" and page.title and not page.question and not page.cards:
            page.question = text(props)
        elif props.get("className") == CARD:
            page.cards.append(_card_of(props))
    return page


def text(node: Any) -> str:
    """The words of a component and of everything in it."""
    if isinstance(node, str | int | float):
        return str(node)
    if isinstance(node, list):
        return "".join(text(part) for part in node)
    if isinstance(node, Mapping):
        return text(node.get("props", node).get("children"))
    return ""


def _components(node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every component in the order of the page, with its properties."""
    if isinstance(node, Mapping):
        if isinstance(node.get("props"), Mapping):
            yield str(node.get("type", "")), node["props"]
        for value in node.values():
            yield from _components(value)
    elif isinstance(node, list):
        for part in node:
            yield from _components(part)


def _card_of(props: Mapping[str, Any]) -> Card:
    inside = list(_components(props.get("children")))
    title = next((text(held) for kind, held in inside if kind == "H2"), "")
    asked = (held for _, held in inside if held.get("className") == "plot-card-question")
    terms = [text(held) for kind, held in inside if kind == "Dt"]
    told = [text(held) for kind, held in inside if kind == "Dd"]
    method = list(zip(terms, told, strict=False))
    return Card(title, text(next(asked, None)), str(props.get("data-table") or ""), method)


def _card(ask: Ask, card: Card, state: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<dt><b>{escape(term)}</b></dt><dd>{escape(told)}</dd>" for term, told in card.method
    )
    about = f"<details><summary>About this plot</summary><dl>{rows}</dl></details>" if rows else ""
    heading = f"<h2>{escape(card.title)}</h2><p>{escape(card.question)}</p>"
    return f"<section>{heading}{_table(ask, card, state)}{about}</section>"


def _table(ask: Ask, card: Card, state: Mapping[str, Any]) -> str:
    if not card.table:
        return '<p class="said">This card has no table.</p>'
    try:
        found = ask(f"/_table/{card.table}.json", state)
    except BackendError as error:  # of a result that nobody has computed yet
        return f'<p class="said">{escape(str(error))}</p>'
    shown = found["rows"][:MOST_ROWS]
    caption = f"<p>{len(shown)} of {found['n']} rows.</p>"
    head = "".join(f"<th>{escape(str(name))}</th>" for name in found["columns"])
    return f'{caption}<div class="scroll"><table><tr>{head}</tr>{_rows(shown)}</table></div>'


def _rows(rows: Sequence[Sequence[Any]]) -> str:
    return "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return "<td>–</td>"
    if isinstance(value, float):
        return f'<td class="n">{value:.{DIGITS}g}</td>'
    kind = ' class="n"' if isinstance(value, int) and not isinstance(value, bool) else ""
    return f"<td{kind}>{escape(str(value))}</td>"


def _framed(page: Page, path: str, reason: str, parts: Sequence[str]) -> str:
    values = "".join(
        f"<tr><th>{escape(key)}</th><td>{escape(json.dumps(value, ensure_ascii=False))}</td></tr>"
        for key, value in page.values.items()
        if value not in (None, "", [])
    )
    state = f"<details><summary>State of the page</summary><table>{values}</table></details>"
    body = (
        f"<p>{escape(page.question)}</p>"
        f'<p class="said">{escape(reason)}</p><p>The live view: <code>{escape(path)}</code></p>'
        f"{state if values else ''}{''.join(parts)}"
    )
    return _document(page.title, body)


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(title)} · Loupe</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>{body}</body></html>\n"
    )
