"""Images: what is in my data set, and what is double or wrong in it?"""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, clientside_callback, dcc, html
from dash import register_page as register_dash_page
from dash.development.base_component import Component

from components.icons import icon
from components.images_state import MARKS, PAGE, schema, shown
from components.method_card import named
from components.selection import announce
from components.state import (
    control,
    defaults,
    hidden,
    read,
    register_page_state,
    stores,
    view_state,
)

register_dash_page(
    __name__,
    path="/images",
    name="Images",
    title="Images · Loupe",
    description="What is in my data set, and what is double or wrong in it?",
    icon="layout-grid",
    order=82,
    in_nav=False,  # opened from a set's card
)

READY: Final = "images-ready"


def layout(**query: str) -> html.Div:
    """Empty places; the browser asks for the rows of the set and draws those in view."""
    values, notices = read(query, schema())
    sets = {name: held.spec.told for name, held in shown().items()}
    if values["set"] not in sets:
        if values["set"]:
            notices.append(f"set={values['set']} is not registered here; another one is shown.")
        # A class, a row and imported numbers of that set say nothing about this one.
        values = {**defaults(schema()), "set": next(reversed(sets), "")}
    told = html.P("What is in it, and what is double or wrong?", className="lp-muted")
    head = html.Header(
        [html.Div([html.H1("Images"), told], className="lp-row-text"), _controls(values, sets)],
        className="lp-page-head images-head",
    )
    label = named(aria_label="Images of the set", aria_multiselectable="true")
    grid = html.Div(id="images-grid", className="images-grid", tabIndex=0, role="listbox", **label)
    held: list[Component] = [hidden(PAGE, key, values[key]) for key in ("row", "with", "by")]
    held += [stores(PAGE, schema(), notices)]
    held += [dcc.Store(id=READY), dcc.Store(id=announce(PAGE))]
    card = html.Div(
        [
            html.Div(
                [
                    html.P(id="images-said", className="lp-muted lp-small", role="status"),
                    html.Div(id="images-views", className="lp-small library-open"),
                ],
                className="images-line",
            ),
            html.Div(id="images-problems"),
            html.Div([_map(), grid], className="images-body") if sets else _nothing(),
            html.Div(id="images-one", className="images-one"),
        ],
        className="lp-card images-card",
    )
    return html.Div([head, card, *held], id="images-page", className="lp-page images-page")


def _map() -> Component:
    """The place of an imported projection, shown by the browser where there is one."""
    parts = [html.Div(id="images-map-points"), html.Div(id="images-map-key")]
    return html.Div(parts, id="images-map", className="images-map", hidden=True)


def _controls(values: dict[str, Any], sets: dict[str, str]) -> Component:
    """The set, one of its classes (filled in by the browser), and what is marked."""
    options = [{"value": key, "label": title} for key, title in sets.items()]
    marks = [{"value": key, "label": title} for key, (title, _) in MARKS.items()]
    chosen = {"set": options, "marks": marks}
    made: list[Component] = [
        dmc.Select(
            id=control(PAGE, key),
            label=label,
            value=values[key],
            data=chosen.get(key, [{"value": values[key], "label": "…"}]),
            allowDeselect=False,
            w=180,
        )
        for key, label in (("set", "Data set"), ("marks", "Marked"))
    ]
    made.insert(1, html.Div(id="images-label", className="images-label"))
    made.append(hidden(PAGE, "label", values["label"]))
    made.append(html.Div(id="images-with", className="images-label images-with"))
    return html.Div(made, className="images-controls")


def _nothing() -> Component:
    told = html.P(
        ["No set with pictures is registered yet. ", dcc.Link("Add one.", href="/library")]
    )
    return html.Div([icon("database"), told], className="lp-empty")


register_page_state(PAGE)
# Dash starts a callback of a page that mounts only if it has an output there.
clientside_callback(
    ClientsideFunction("loupe_images", "show"),
    Output(READY, "data"),
    Input(view_state(PAGE), "data"),
)
