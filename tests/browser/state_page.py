"""A page with one control of each kind: what the tests of state, selection and errors drive."""

from __future__ import annotations

import dash
import dash_mantine_components as dmc
from dash import Input, Output, callback, dcc, html

from backend.errors import BadRequest
from components import state

PAGE = "statetest"
SCHEMA = {
    "task": state.Choice("digits", ["digits", "fashion"]),
    "angle": state.Number(0, 0, 360),
    "note": state.Text("", 20_000),
    "models": state.Many(["a"], ["a", "b", "c"]),
    "item": state.Whole(3, 0, 499),
}


def layout(**query: str) -> html.Div:
    values, notices = state.read(query, SCHEMA)
    return html.Div(
        [
            html.H1("State"),
            state.stores(PAGE, SCHEMA, notices),
            dcc.Store(id=state.announce(PAGE)),
            dmc.Select(
                id=state.control(PAGE, "task"), value=values["task"], data=["digits", "fashion"]
            ),
            dmc.NumberInput(id=state.control(PAGE, "angle"), value=values["angle"], debounce=0),
            dmc.TextInput(id=state.control(PAGE, "note"), value=values["note"]),
            dmc.MultiSelect(
                id=state.control(PAGE, "models"), value=values["models"], data=["a", "b", "c"]
            ),
            state.hidden(PAGE, "item", values["item"]),
            html.Pre(id="statetest-shown"),
            html.Pre(id="statetest-selected"),
            html.Button("sentence", id="statetest-sentence"),
            html.Button("defect", id="statetest-defect"),
            html.Div(id="statetest-out"),
        ],
        className="lp-page",
    )


def register() -> None:
    """Add the page and its callbacks to the app that was made last."""
    dash.register_page("tests.state_page", path=f"/{PAGE}", name="State", layout=layout)
    state.register_page_state(PAGE)
    callback(
        Output("statetest-shown", "children"),
        Input(state.view_state(PAGE), "data"),
        prevent_initial_call=True,
    )(_show)
    callback(
        Output("statetest-selected", "children"),
        Input(state.SELECTION, "data"),
        Input({"type": "state-meta", "page": PAGE}, "data"),
    )(_selected)
    callback(
        Output("statetest-out", "children"),
        Input("statetest-sentence", "n_clicks"),
        Input("statetest-defect", "n_clicks"),
        prevent_initial_call=True,
    )(_fail)


def _show(values: dict[str, object] | None) -> str:
    return " ".join(f"{key}={str(value)[:40]}" for key, value in sorted((values or {}).items()))


def _selected(selection: dict[str, object], _meta: object) -> str:
    return f"{selection['items']}: {selection['ids']}"


def _fail(sentence: int | None, defect: int | None) -> str:
    if defect:
        raise RuntimeError("secret /root/path")
    if sentence:
        raise BadRequest("angle='x' is not a number.", "Use 0 to 360.")
    return ""
