"""The app that ``benchmarks/server.py`` measures, in a process of its own.

``python -m benchmarks.server_app <state folder>`` prints its port and the key of the points.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import waitress
from dash import Dash, Input, Output, Patch, dcc, html

from backend.cache import key_of
from backend.jobs import JobRequest
from backend.settings import Settings
from components import routes, security
from components.runtime import Services, create_services
from tests.fake_work import WORKS

POINTS = 100_000
KEY = key_of("benchmark.points", 1)
SLOW_S = 3


def points() -> dict[str, np.ndarray[Any, Any]]:
    """Coordinates ``(n,)`` and a class from 0 to 9 for each point."""
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(2, POINTS)).astype(np.float32)
    return {"x": xy[0], "y": xy[1], "label": rng.integers(0, 10, POINTS, dtype=np.uint8)}


def create_app(services: Services) -> Dash:
    """One trivial callback, one that starts jobs, and what they are compared with."""
    app = Dash("benchmark")
    app.layout = html.Div(
        [
            *(dcc.Store(id=name) for name in ("n", "hello", "started", "slow")),
            dcc.Graph(id="lists"),
            dcc.Graph(id="patched"),
        ]
    )
    lists = {name: array.tolist() for name, array in points().items()}
    clicked = Input("n", "data")

    @app.callback(Output("hello", "data"), clicked)
    def say_hello(n: int) -> int:
        return n

    @app.callback(Output("started", "data"), clicked)
    def start_jobs(wanted: list[list[Any]]) -> list[str]:
        return [
            services.jobs.submit(JobRequest(work, {"seconds": s, "value": i}, f"{work} {i}"))
            for work, s, i in wanted
        ]

    @app.callback(Output("slow", "data"), clicked)
    def compute_here(n: int) -> int:
        time.sleep(SLOW_S)
        return n

    @app.callback(Output("lists", "figure"), clicked)
    def draw_lists(_n: int) -> go.Figure:
        marker = {"color": lists["label"]}
        return go.Figure(go.Scattergl(x=lists["x"], y=lists["y"], mode="markers", marker=marker))

    @app.callback(Output("patched", "figure"), clicked)
    def select_points(n: int) -> Patch:
        patch = Patch()
        patch["data"][0]["selectedpoints"] = list(range(n, n + 200))
        return patch

    routes.register(app.server, services)
    security.protect(app, services.settings)
    return app


def main() -> None:
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    settings = Settings.from_env({"LOUPE_STATE_DIR": str(Path(sys.argv[1]).resolve())})
    services = create_services(settings, WORKS)
    services.store.put(KEY, points())
    server = waitress.create_server(
        create_app(services).server, host="127.0.0.1", port=0, threads=settings.threads
    )
    sys.stdout.write(f"{server.effective_port}\n")
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    main()
