"""The frame around every page: header, navigation, notices, key sheet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, dcc, html
from dash.development.base_component import Component

from backend.settings import Settings
from components import frame, identity, notices, selection
from components.device import device_text
from components.icons import icon
from components.method_card import named
from components.report import report_button
from components.table_drawer import table_drawer
from components.theme import mantine_theme

SHELL: Final = "app-shell"
NAVBAR: Final[dict[str, Any]] = {
    "width": {"base": 260, "sm": 56, "lg": 208},
    "breakpoint": "sm",
    "collapsed": {"mobile": True},
}


def register(app: Dash) -> None:
    """The app's own callbacks, all in the browser, and the frame of each page. ``create_app`` calls
    this once, when all pages are there.
    """
    frame.register()
    selection.register(app)
    app.clientside_callback(ClientsideFunction("loupe_shell", "mounted"), Input(SHELL, "id"))


def layout(settings: Settings) -> dmc.MantineProvider:
    """The whole app: provider, header, navigation, the current page and the app's own stores."""
    return dmc.MantineProvider(
        [
            html.A("Skip to the content", href="#main", className="lp-skip"),
            selection.stores(),
            notices.container(),
            dmc.AppShell(
                [
                    dmc.AppShellHeader(_header(settings)),
                    dmc.AppShellNavbar(_navigation()),
                    dmc.AppShellMain(
                        html.Div(dash.page_container, id="main", tabIndex=-1),
                    ),
                ],
                id=SHELL,
                header={"height": 48},
                navbar=NAVBAR,
                transitionDuration=0,
            ),
            table_drawer(),
            *_panels(),
        ],
        theme=mantine_theme(),
        defaultColorScheme="auto",
    )


def icon_button(element_id: str, name: str, label: str, keys: str = "", **rest: str) -> html.Button:
    """A header button of one icon: named for screen readers, with its keys in the tooltip."""
    title = f"{label} ({keys})" if keys else label
    extra: dict[str, Any] = {"aria-label": label, **rest}
    return html.Button(icon(name), id=element_id, className="lp-iconbtn", title=title, **extra)


def _header(settings: Settings) -> html.Div:
    return html.Div(
        [
            icon_button("nav-toggle", "menu-2", "Navigation", **{"aria-expanded": "false"}),
            dcc.Link(
                [html.Span(className="lp-logo", **named(aria_hidden="true")), "Loupe"],
                href="/",
                className="lp-brand",
            ),
            html.Span(
                [icon("cpu"), device_text(settings)],
                id="device-chip",
                className="lp-chip lp-wide-only",
                title="Where models run",
            ),
            html.Div(className="lp-grow"),
            _own_button(),
            _panel_button("shelf-button", "lasso", "Selection", "0"),
            html.Div(
                [
                    icon_button("undo-button", "arrow-back-up", "Undo", "Ctrl+Z"),
                    icon_button("redo-button", "arrow-forward-up", "Redo", "Ctrl+Shift+Z"),
                ],
                className="lp-group",
            ),
            _panel_button("jobs-button", "list-check", "Jobs", "0"),
            report_button(),
            icon_button("theme-button", "sun-moon", "Theme"),
            icon_button("keys-button", "keyboard", "Keys", "?"),
            _tour_button(),
            *_whoever_asks(),
        ],
        className="lp-header",
    )


def _whoever_asks() -> list[Component]:
    """Name and role of whoever is logged in, and the way out; nothing without a login."""
    asks = identity.person()
    if asks is None:
        return []
    who = html.Span(asks.name, className="lp-clip", id="app-user", **named(data_role=asks.role))
    leave = icon_button("logout-button", "logout", f"Log {asks.name} out ({asks.role})")
    return [html.Span([who, leave], className="lp-who lp-group")]


def _tour_button() -> html.Button:
    """Shown by the browser on pages that have a tour; named until it was taken once."""
    content: list[Component] = [icon("help"), html.Span("Show me around", className="lp-tour-name")]
    return html.Button(
        content,
        id="tour-button",
        className="lp-iconbtn",
        title="Tour of this page",
        hidden=True,
        **named(aria_label="Show me around: tour of this page"),
    )


def _own_button() -> dcc.Link:
    """From every page to the place where one's own models and data come in."""
    return dcc.Link(
        [icon("plus"), "Your own"],
        href="/library",
        id="own-button",
        className="lp-btn lp-btn-quiet lp-wide-only",
        title="Use your own models and data",
    )


def _panel_button(element_id: str, name: str, label: str, count: str) -> html.Button:
    """A header button with a count that opens a panel; the count is written in the browser."""
    return html.Button(
        [
            icon(name),
            html.Span(f"{label} ", className="lp-wide-only"),
            html.Span(count, className="lp-count", id=f"{element_id}-count"),
        ],
        id=element_id,
        className="lp-btn lp-btn-quiet",
        title=label,
        **named(aria_haspopup="dialog"),
    )


def _navigation() -> html.Nav:
    pages = [
        page
        for page in dash.page_registry.values()
        if identity.may_open(page, page.get("in_nav", page["order"] is not None))
    ]
    return html.Nav(
        [_nav_link(page) for page in pages],
        id="app-nav",
        className="lp-nav",
        **named(aria_label="Pages"),
    )


def _nav_link(page: Mapping[str, Any]) -> dcc.Link:
    content: list[Component] = [
        icon(page.get("icon") or "circle-dashed"),
        html.Span(page["name"], className="lp-nav-label"),
    ]
    return dcc.Link(content, href=page["path"], className="lp-nav-link", title=page["name"])


def _panels() -> list[Component]:
    """Panels whose content the browser writes: shelf, jobs, key sheet, log of a job."""
    return [
        html.Div(
            id="shelf-panel",
            className="lp-panel",
            role="dialog",
            **named(aria_label="Selection shelf"),
        ),
        html.Div(id="jobs-panel", className="lp-panel", role="dialog", **named(aria_label="Jobs")),
        html.Div(id="tour-panel", className="lp-panel", role="dialog", **named(aria_label="Tour")),
        html.Dialog(id="key-sheet", className="lp-dialog", **named(aria_label="Keys")),
        html.Dialog(
            id="log-drawer", className="lp-dialog lp-drawer", **named(aria_label="Log of a job")
        ),
        html.Div(id="app-said", className="lp-said", role="status", **named(aria_live="polite")),
    ]
