"""The card around every plot: question, honesty line, fixed body, states and menu.

The layout is static; ``assets/30-card.js`` switches the states (``loupe.card.setState``) and runs
the menu, so no card costs a server callback.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from components.fixed import fixed
from components.icons import icon
from components.method_card import MethodCard, method_modal, named

Children: TypeAlias = str | Component | Sequence[str | Component]
FirstState: TypeAlias = Literal["ready", "loading", "empty"]

TABLE_ACTIONS = (("table", "Table"), ("csv", "Download CSV"), ("parquet", "Download Parquet"))
IMAGE_ACTIONS = (("png", "Save as PNG"), ("svg", "Save as SVG"))

ICONS = {
    "table": "table",
    "csv": "file-type-csv",
    "parquet": "file-database",
    "png": "photo",
    "svg": "file-type-svg",
    "link": "link",
    "pin": "pin",
    "about": "info-circle",
}


def honesty_id(card_id: str) -> dict[str, str]:
    """Id of the honesty line of ``card_id``; its page writes ``children``."""
    return {"type": "honesty", "card": card_id}


def plot_card(
    card_id: str,
    title: str,
    question: str,
    children: Children,
    *,
    table: str | None = None,
    method: MethodCard | None = None,
    controls: Children | None = None,
    honesty: str = "",
    min_height_px: int = 320,
    aspect: str | None = None,
    grows: bool = False,
    state: FirstState = "ready",
    message: str = "",
    is_picture: bool = True,
) -> Component:
    """A section named by its title whose body keeps its size in every state.

    Args:
        card_id: id of the section; also names the card in ``loupe.card.setState``.
        question: the question the plot answers, one line.
        table: name of the registered table behind the plot; without it the menu has no table.
        controls: a row of inputs between the honesty line and the body.
        min_height_px: height of the body in CSS pixels, in every state.
        aspect: CSS aspect ratio of the body ("1 / 1"), never lower than ``min_height_px``.
        grows: the content may be taller than the body (lists that wrap on a phone).
        state: the state before any script has spoken.
        message: sentence of the first state, when that is ``empty``.
        is_picture: the body can be saved as PNG and SVG; a table cannot.
    """
    title_id = f"{card_id}-title"
    names = [html.H2(title, id=title_id), html.P(question, className="plot-card-question")]
    menu = _menu(card_id, title, table is not None, is_picture, method is not None)
    head = html.Header(
        [html.Div(names, className="plot-card-names"), menu], className="plot-card-head"
    )
    line = html.P(honesty, id=honesty_id(card_id), className="plot-card-honesty")
    parts: list[Component] = [head, line]
    if controls is not None:
        parts.append(html.Div(controls, className="plot-card-controls"))
    first = message or ("Loading…" if state == "loading" else "")
    parts.append(_body(children, min_height_px, aspect, grows, first))
    if method is not None:
        parts.append(method_modal(card_id, title, method))
    return html.Section(
        parts,
        id=card_id,
        className="plot-card",
        **named(aria_labelledby=title_id, data_state=state, data_table=table or ""),
    )


def _body(
    children: Children, min_height_px: int, aspect: str | None, grows: bool, message: str
) -> Component:
    """Content and, over it, the layer of the other states."""
    style: dict[str, str | int] = {"--card-height": f"{min_height_px}px"}
    if aspect is not None:
        style["aspectRatio"] = aspect
    return html.Div(
        [html.Div(children, className="plot-card-content"), _layer(message)],
        className="plot-card-body plot-card-grows" if grows else "plot-card-body",
        style=style,
    )


@fixed
def _layer(message: str) -> Component:
    """What covers the content when it is not ready; filled by ``loupe.card.setState``."""
    bar = html.Div(
        html.Div(className="plot-card-fill"),
        className="plot-card-bar",
        role="progressbar",
        **named(aria_label="Progress", aria_valuemin="0", aria_valuemax="100"),
    )
    buttons = html.Div(
        [
            html.Button(
                "Retry", type="button", className="plot-card-button", **named(data_action="retry")
            ),
            html.Button(
                "Cancel", type="button", className="plot-card-button", **named(data_action="cancel")
            ),
        ],
        className="plot-card-buttons",
    )
    # Only the sentence is a live region: a percentage read out six times a second helps nobody.
    sentence = html.Div(
        [html.P(message, className="plot-card-message"), html.P(className="plot-card-hint")],
        role="status",
    )
    figures = html.P(className="plot-card-figures")
    text = html.Div([sentence, bar, figures, buttons], className="plot-card-notice")
    skeleton = html.Div(className="plot-card-skeleton", **named(aria_hidden="true"))
    return html.Div([skeleton, text], className="plot-card-layer")


@fixed
def _menu(
    card_id: str, title: str, has_table: bool, is_picture: bool, has_method: bool
) -> Component:
    """The menu at the top right. Its items are portalled: each carries the card it acts on."""
    items: list[Component] = []
    if has_table:
        items += [_item(card_id, action, label) for action, label in TABLE_ACTIONS]
        items.append(dmc.MenuDivider())
    if is_picture:
        items += [_item(card_id, action, label) for action, label in IMAGE_ACTIONS]
        items.append(dmc.MenuDivider())
    items.append(_item(card_id, "link", "Copy link"))
    if is_picture:
        items.append(_item(card_id, "pin", "Pin with a sentence"))
    if has_method:
        items.append(_item(card_id, "about", "About this plot"))
    target = html.Button(
        icon("dots-vertical"),
        type="button",
        className="plot-card-menu",
        **named(aria_label=f"Menu: {title}", data_menu_of=card_id),
    )
    menu: Component = dmc.Menu(
        [dmc.MenuTarget(target), dmc.MenuDropdown(items, className="plot-card-dropdown")],
        position="bottom-end",
        shadow="md",
        width=200,
    )
    return menu


def _item(card_id: str, action: str, label: str) -> Component:
    """One entry; ``30-card.js`` reads what it does and for which card."""
    attributes = named(data_action=action, data_card=card_id)
    item: Component = dmc.MenuItem(label, leftSection=icon(ICONS[action]), **attributes)
    return item
