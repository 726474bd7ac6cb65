"""A small app with the shared routes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from dash import ALL, Dash, Input, Output, State, dcc, html
from flask.testing import FlaskClient

from backend.settings import Settings
from components import routes
from components.runtime import Services, create_services
from components.security import protect
from components.tables import TABLES, register_table
from tests.fake_work import WORKS
from tests.routes_bench import KEY


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    state = tmp_path_factory.mktemp("state")
    env = {"LOUPE_STATE_DIR": str(state), "LOUPE_MAX_REQUEST_MB": "1"}
    services = create_services(Settings.from_env(env), WORKS)
    yield services
    services.close()


@pytest.fixture(scope="module")
def client(held: Services) -> Iterator[FlaskClient]:
    app = Dash("routes-test")
    app.layout = html.Div([dcc.Input(id="in"), html.Div(id="out"), dcc.Store(id="kept")])

    @app.callback(Output("out", "children"), Input("in", "value"), State("kept", "data"))
    def repeat(value: str, _kept: object) -> str:
        if value == "crash":
            raise RuntimeError("secret /root/path")
        return f"<{value}>"

    @app.callback(Output("kept", "data"), Input({"type": "row", "n": ALL}, "value"))
    def gather(values: list[int]) -> list[int]:
        return values

    app.clientside_callback("v => v", Output("in", "value"), Input("kept", "data"))
    routes.register(app.server, held)
    protect(app, held.settings)
    register_table("worst", lambda state: pd.DataFrame({"n": [state.get("n", 0)], "t": ["=1"]}))
    yield app.server.test_client()
    del TABLES["worst"]


# Arrays


@pytest.fixture(scope="module", autouse=True)
def _stored(held: Services) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    held.store.put(KEY, {"x": x, "ids": np.array([7, 8, 9]), "scalar": np.array(1.0)})
