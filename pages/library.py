"""Library: bring my own models and data, and see which views take them."""

from __future__ import annotations

from typing import Final

from dash import ClientsideFunction, Input, Output, callback, clientside_callback, dcc, html
from dash import register_page as register_dash_page
from dash.development.base_component import Component

from components import library_cards as cards
from components import library_forms as forms
from components.icons import icon
from components.method_card import named
from components.runtime import services

register_dash_page(
    __name__,
    path="/library",
    name="Library",
    title="Library · Loupe",
    description="Which models and data are mine, and which views take them?",
    order=80,
    icon="database",
)

PAGE: Final = "library-page"
AGAIN: Final = "library-again"  # written by the browser when a job has ended
MODELS, SETS, READY = "library-models", "library-sets", "library-ready"


def layout(**_query: str) -> html.Div:
    """The forms; the lists come by callback, as they change while the page is open."""
    head = html.Header(
        [
            html.H1("Library"),
            html.P(
                "Your own models and data, run and checked before any view shows them.",
                className="lp-muted",
            ),
            _project(),
        ],
        className="lp-page-head library-head",
    )
    lanes = html.Div(
        [
            html.Section(
                [html.H2("Models"), forms.model_form(), html.Div(id=MODELS)],
            ),
            html.Section(
                [html.H2("Data sets"), forms.set_form(), html.Div(id=SETS)],
            ),
        ],
        className="library-lanes",
    )
    more = html.Div([forms.by_command(), forms.kinds_of_data()], className="library-more")
    sure = html.Dialog(id="library-dialog", className="lp-dialog", **named(aria_label="Library"))
    held = [sure, dcc.Store(id=AGAIN, data=0), dcc.Store(id=READY)]
    most = named(data_most=str(services().settings.max_request_bytes))  # a larger file is not sent
    return html.Div([head, lanes, more, *held], id=PAGE, className="lp-page library-page", **most)


def _project() -> Component:
    """The project file: out, and in."""
    told = "Models, data, selections and notes in one file"
    out = html.A(
        [icon("file-export"), "Save the project"],
        id="library-save",
        href="/_workspace/project.json",
        download="",
        className="lp-btn",
        title=told,
    )
    bring = html.Button(
        [icon("file-database"), "Open a project"],
        id="library-project",
        type="button",
        className="lp-btn",
    )
    return html.Div([out, bring], className="lp-actions library-project")


@callback(Output(MODELS, "children"), Output(SETS, "children"), Input(AGAIN, "data"))
def show_lists(_again: int) -> tuple[Component, Component]:
    """What is registered now."""
    return cards.registered()


# Dash starts a callback of a page that mounts only if it has an output there.
clientside_callback(
    ClientsideFunction("loupe_library", "ready"),
    Output(READY, "data"),
    Input(MODELS, "children"),
    Input(SETS, "children"),
)
