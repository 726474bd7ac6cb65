"""Pinboard: plots kept with a sentence, in an order of one's own, to be shown to others."""

from __future__ import annotations

import time
from typing import Final

from dash import ClientsideFunction, Input, Output, callback, clientside_callback, dcc, html
from dash import register_page as register_dash_page
from dash.development.base_component import Component

from backend.pins import Pin
from components.icons import icon
from components.method_card import named
from components.pin_routes import store

register_dash_page(
    __name__,
    path="/pinboard",
    name="Pinboard",
    title="Pinboard · Loupe",
    description="What have I found, and how do I show it to others?",
    order=85,
    icon="pin",
)

AGAIN: Final = "pinboard-again"  # written by the browser when the board has changed
LIST, READY = "pinboard-list", "pinboard-ready"


def layout(**_query: str) -> html.Div:
    """The head; the pins come by callback, as they change while the page is open."""
    files = html.Div(
        [
            _link("Export as HTML", "/_pins/pinboard.html", "download"),
            _link("Export as JSON", "/_pins/pinboard.json", "download"),
            html.Button(
                [icon("file-export"), "Import JSON"],
                id="pinboard-import",
                type="button",
                className="lp-btn",
            ),
        ],
        className="lp-actions",
    )
    told = (
        "Pin any plot from its menu. A pin keeps the picture of that moment and the link to the "
        "live view."
    )
    words = [html.H1("Pinboard"), html.P(told, className="lp-muted")]
    text = html.Div(words, className="lp-row-text")
    head = html.Header([text, files], className="lp-page-head")
    held = [dcc.Store(id=AGAIN, data=0), dcc.Store(id=READY)]
    return html.Div(
        [head, html.Div(id=LIST), *held], id="pinboard-page", className="lp-page pinboard-page"
    )


def _link(label: str, href: str, icon_name: str) -> Component:
    return html.A([icon(icon_name), label], href=href, className="lp-btn", download="")


@callback(Output(LIST, "children"), Input(AGAIN, "data"))
def show_pins(_again: int) -> list[Component]:
    """Every pin as it is now."""
    pins = store().all()
    if not pins:
        menu = icon("dots-vertical")
        told = html.P(["Nothing is pinned yet. Open a plot's menu (", menu, ") and pin it."])
        return [html.Div([icon("pin"), told], className="lp-card lp-empty pinboard-empty")]
    return [_card(pin, place, len(pins)) for place, pin in enumerate(pins)]


def _card(pin: Pin, place: int, count: int) -> html.Article:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(pin.pinned_at))
    buttons = [
        _button(pin, "up", "chevron-up", "Move up", place == 0),
        _button(pin, "down", "chevron-down", "Move down", place == count - 1),
        _button(pin, "remove", "trash", "Take off the board", False),
    ]
    # The browser puts the text field in: what is being typed is not overwritten.
    sentence = html.Div(
        className="pinboard-sentence", **named(data_pin=pin.id, data_sentence=pin.sentence)
    )
    head = html.Div([sentence, html.Div(buttons, className="lp-group")], className="pinboard-head")
    return html.Article(
        [
            head,
            html.Img(src=f"/_pins/{pin.id}.webp", alt=pin.title, className="pinboard-picture"),
            html.P(f"{pin.title} · {pin.honesty}", className="lp-muted lp-small"),
            html.Div(
                [
                    html.Span(f"Pinned {day}", className="lp-muted lp-small"),
                    dcc.Link(["Open the live view", icon("arrow-right")], href=pin.url),
                ],
                className="lp-card-foot",
            ),
        ],
        className="lp-card lp-fact-card pinboard-card",
    )


def _button(pin: Pin, action: str, icon_name: str, label: str, is_off: bool) -> Component:
    return html.Button(
        icon(icon_name),
        type="button",
        disabled=is_off,
        title=label,
        className="lp-iconbtn lp-iconbtn-sm",
        **named(data_pin_action=action, data_pin=pin.id, aria_label=f"{label}: {pin.title}"),
    )


# Dash starts a callback of a page that mounts only if it has an output there.
clientside_callback(
    ClientsideFunction("loupe_pins", "ready"), Output(READY, "data"), Input(LIST, "children")
)
