"""The frame of the Insights page: title, toolbar, the desk with its three cards, and the tabs.

Lists, painted texts and tables are drawn in the browser (``assets/8x-insights-*.js``) into places
made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from components import insights_advice, insights_brief, insights_desk, insights_evidence
from components.icons import icon
from components.insights_state import METHODS, PAGE, VIEWS
from components.method_card import named
from components.state import Values, control, hidden

QUESTION: Final = "Which phrases and patches drive success, and what should I change?"
TRY: Final = "type another headline and watch the predicted success move."
SEEN: Final = ("set", "model", "domain", "method", "sort", "view", "level", "modality", "metric")
"""Keys of the state whose control Dash knows; scripts write the others."""


def head(values: Values) -> Component:
    """Title, question, and what is looked at."""
    tip = html.P([html.B("Try this first: "), TRY], className="nero-try")
    title = html.Div([html.H1("Insights"), html.P(QUESTION), tip])
    return html.Header([title, _toolbar(values)], className="nero-head insights-head")


def _toolbar(values: Values) -> Component:
    """Set, domain, period, method; the choices of all but the last come with the set."""
    period = html.Div(id="insights-period", className="insights-period")
    own = html.Button(
        icon("plus"),
        id="insights-own",
        type="button",
        className="nero-open",
        title="Open contents of your own: a table, with pictures or without",
        **named(aria_label="Open contents of your own"),
    )
    kept = [{"value": str(values[key]), "label": str(values[key] or "…")} for key in SEEN[:3]]
    controls = [
        html.Div([_select("set", "Contents", kept[:1], values, 172), own], className="nero-data"),
        _select("domain", "Domain", kept[2:], values, 168),
        html.Div(
            [html.Label("Period", htmlFor="insights-since"), period], className="insights-field"
        ),
        _select("model", "Model", kept[1:2], values, 148),
        _select("method", "Attribution", _options(METHODS), values, 158),
    ]
    label = named(aria_label="What is looked at")
    return html.Div(controls, className="nero-toolbar insights-toolbar", role="group", **label)


def _select(
    key: str, label: str, data: Sequence[Mapping[str, str]], values: Values, width_px: int
) -> Component:
    made: Component = dmc.Select(
        id=control(PAGE, key),
        label=label,
        data=list(data),
        value=values[key],
        allowDeselect=False,
        searchable=key == "domain",
        w=width_px,
    )
    return made


def _options(titles: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"value": key, "label": text} for key, text in titles.items()]


def told() -> list[Component]:
    """What is simulated, and what is wrong; both empty at first."""
    return [
        html.P(id="insights-simulated", className="insights-mark", hidden=True),
        html.P(id="insights-said", className="insights-said", role="status", hidden=True),
    ]


def desk(values: Values) -> Component:
    """Overview left, the open content in the middle, what to change at the right."""
    cards = [insights_desk.contents(values), insights_desk.content(), insights_desk.change()]
    return html.Div(cards, id="insights-desk", className="insights-desk")


def tabs(values: Values) -> Component:
    """What the history says, how far to trust it, and what is taken away."""
    panels: dict[str, Component] = {
        "phrases": insights_advice.phrases(values),
        "patches": insights_advice.patches(),
        "together": insights_advice.together(),
        "trust": insights_evidence.panel(values),
        "brief": insights_brief.panel(),
    }
    listed = [dmc.TabsTab(_tab(key, title), value=key) for key, title in VIEWS.items()]
    made: Component = dmc.Tabs(
        [
            dmc.TabsList(listed, **named(aria_label="Insights")),
            *(dmc.TabsPanel(panel, value=key) for key, panel in panels.items()),
        ],
        id=control(PAGE, "view"),
        value=values["view"],
        keepMounted=True,
        className="insights-tabs",
    )
    return made


def _tab(key: str, title: str) -> Any:
    """The brief counts what has been picked."""
    if key != "brief":
        return title
    return [title, html.Span("0", id="insights-brief-count", className="lp-count")]


def own() -> Component:
    """The dialog for contents of the user's own, empty and closed."""
    label = named(aria_label="Contents of your own")
    return html.Dialog(id="insights-own-dialog", className="lp-dialog", **label)


def unseen(values: Values) -> list[Component]:
    """Values of the state without a control that Dash knows, and the page's own stores."""
    return [hidden(PAGE, key, value) for key, value in values.items() if key not in SEEN]
