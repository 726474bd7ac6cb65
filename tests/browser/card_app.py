"""A tiny app of three plot cards and a fake table: what the browser tests of the card drive.

``python -m tests.browser.card_app [port]`` serves it for a look.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

import dash
import dash_mantine_components as dmc
import flask
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from dash import dcc, html
from werkzeug.serving import make_server

from backend.settings import PROJECT
from components import index
from components.method_card import MethodCard
from components.plot_card import plot_card
from components.report import report_button
from components.security import CSP
from components.table_drawer import table_drawer
from components.tables import register_table, rendered, table
from components.theme import mantine_theme, template

EVIL: Final = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
HONESTY: Final = "500 of 500 · plain 3f2a9c1e, rotated 77b1d0aa · digits 9c1e44b2 · seed 0 · “μ±σ”"
METHOD: Final = MethodCard(
    shows="Accuracy at each of 72 angles, over all items of the chosen subset.",
    cannot_show="Which items fail: two models of equal accuracy may fail on different ones.",
    how_to_read=f"A circle means the angle does not matter. A dent is a weakness. {EVIL}",
    equation="a(θ) = (1/N) Σᵢ [argmax p(y | R(θ) xᵢ) = yᵢ]",
    source="NERO: Non-equivariance revealed on orbits",
    source_url="https://example.org/nero",
)
ROWS: Final = {"cards-table": 72, "cards-large": 5200}
BODIES: Final[list[dict[str, Any]]] = []  # what POST /_table received, newest last
JOBS: Final[dict[str, dict[str, Any]]] = {}


def job_view(job_id: str, state: str, **rest: Any) -> dict[str, Any]:
    """A job as ``GET /_jobs/<id>`` tells it; the tests put it into ``JOBS``."""
    told = {"fraction": None, "message": "", "elapsed_s": 1.0, "left_s": None}
    error = {"error_message": "", "error_hint": "", "submitted_at": 0.0}
    return {"id": job_id, "title": "Orbit of 500 digits", "state": state, **told, **error, **rest}


def _frame(rows: int) -> pd.DataFrame:
    angle = np.arange(rows) * 5.0
    return pd.DataFrame(
        {
            "item": np.arange(rows),
            "name": [EVIL if row == 0 else f"digit-{row:04d}" for row in range(rows)],
            "plain.accuracy": 0.5 + 0.4 * np.cos(np.radians(angle)),
            "loss": np.where(np.arange(rows) % 7 == 0, np.nan, angle / 3),
        }
    )


def _polar() -> go.Figure:
    theta = np.arange(72, dtype="float32") * 5
    figure = go.Figure(layout={"uirevision": "1"})
    for name, colour, wobble in (("plain", "#2f6fdb", 0.4), ("rotated", "#c2218f", 0.05)):
        r = (0.55 + wobble * np.cos(np.radians(theta))).astype("float32")
        figure.add_scatterpolar(r=r, theta=theta, name=name, line={"color": colour})
    return figure


def _points() -> go.Figure:
    xy = np.random.default_rng(0).normal(size=(400, 2)).astype("float32")
    figure = go.Figure()
    figure.add_scattergl(x=xy[:, 0], y=xy[:, 1], mode="markers", customdata=np.arange(400))
    figure.update_layout(title={"text": "<b>bold</b> &lt;script&gt;"}, margin={"t": 40})
    return figure


def _graph(name: str, figure: go.Figure) -> dcc.Graph:
    drawn = figure.to_dict()
    drawn["layout"]["template"] = template("light")
    return dcc.Graph(id=name, figure=drawn, responsive=True, config={"displayModeBar": False})


def _page() -> html.Div:
    select = dmc.SegmentedControl(data=["all", "six", "nine"], value="all", size="xs")
    cards = [
        plot_card(
            "cards-polar",
            "Aggregate",
            "At which angles does each model fail?",
            _graph("cards-polar-graph", _polar()),
            table="cards-table",
            method=METHOD,
            controls=select,
            honesty=HONESTY,
        ),
        plot_card(
            "cards-evil",
            f"Orbit vectors {EVIL}",
            f"Which items behave alike? {EVIL}",
            _graph("cards-evil-graph", _points()),
            table="cards-large",
            honesty=f"400 of 400 {EVIL}",
            controls=select,
        ),
        plot_card(
            "cards-canvas",
            "The turned digit",
            "What does the model see?",
            html.Canvas(id="cards-canvas-drawing", width=28, height=28),
            honesty="item 17 · 45°",
            state="loading",
        ),
    ]
    grid = {
        "display": "grid",
        "gap": 16,
        "gridTemplateColumns": "repeat(auto-fill,minmax(340px,1fr))",
    }
    head = html.Header([html.H1("Cards"), report_button()], className="lp-header")
    return html.Div([head, html.Div(cards, style=grid)], id="main", className="lp-page")


def create() -> dash.Dash:
    """The app with a stand-in for the table and job routes."""
    app = dash.Dash(
        "cards",
        assets_folder=str(PROJECT / "assets"),
        assets_ignore=r"^5\d-.*",
        title="Cards",
    )
    app.index_string = index.page()
    app.layout = dmc.MantineProvider(
        [_page(), table_drawer()], theme=mantine_theme(), defaultColorScheme="auto"
    )
    register_routes(app)
    return app


def register_routes(app: dash.Dash) -> None:
    server = app.server
    for name, rows in ROWS.items():
        register_table(name, lambda _state, rows=rows: _frame(rows))

    @server.post("/_table/<name>.<suffix>")
    def send_table(name: str, suffix: str) -> flask.Response:
        state: Mapping[str, Any] = flask.request.get_json()
        BODIES.append(dict(state))
        return flask.Response(rendered(table(name, state), suffix))

    @server.get("/_jobs")
    def list_jobs() -> flask.Response:
        return flask.jsonify(list(JOBS.values()))

    @server.get("/_jobs/<job_id>")
    def look_at_job(job_id: str) -> flask.Response:
        return flask.jsonify(JOBS[job_id])

    @server.post("/_jobs/<job_id>/cancel")
    def cancel_job(job_id: str) -> flask.Response:
        JOBS[job_id] = job_view(job_id, "cancelled")
        return flask.jsonify(JOBS[job_id])

    @server.after_request
    def protect(response: flask.Response) -> flask.Response:
        # plotly.js compiles the drawing code of WebGL traces, which the policy calls eval
        scripts = " ".join([*app.csp_hashes(), "'unsafe-eval'"])
        response.headers["Content-Security-Policy"] = CSP.format(scripts=scripts)
        return response


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8061
    make_server("127.0.0.1", port, create().server, threaded=True).serve_forever()


if __name__ == "__main__":
    main()
