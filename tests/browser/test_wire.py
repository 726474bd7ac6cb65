"""``assets/10-wire.js`` against the server it talks to, and the policy every page is sent with."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
import numpy as np
import plotly.graph_objects as go
import pytest
import waitress
from dash import Dash, Input, Output, dcc
from playwright.sync_api import Page, expect

from backend import wire
from backend.cache import key_of
from backend.settings import PROJECT, Settings
from components import routes
from components.runtime import Services, create_services
from components.security import protect
from tests.browser.driving import Traffic
from tests.fake_work import WORKS

KEY = key_of("wire", 1)
RNG = np.random.default_rng(0)
ARRAYS: dict[str, Any] = {
    "x": RNG.normal(size=(50, 3)).astype(np.float32),
    "half": np.array([0, -0.0, 1.5, -2, 6e-8, 65504, np.inf, -np.inf, np.nan], np.float16),
    "double": np.array([1 / 3, 1e300]),
    "i1": np.array([-5], np.int8),
    "i2": np.array([-500], np.int16),
    "wide": np.array([-5, 7], np.int64),
    "u1": np.array([1, 2, 3], np.uint8),
    "u2": np.array([65535], np.uint16),
    "u4": np.array([4_000_000_000], np.uint32),
    "gaps": np.array([0.25, np.nan, 0.5, np.inf], np.float32),
    "names": np.array(["zero", "<b>ü"]),
    "empty": np.zeros((0, 2), np.float32),
    "scalar": np.array(3, np.int32),
}


def small_app(services: Services) -> Dash:
    """One of each kind of component that the pages use, under the real policy."""
    app = Dash("wire-test", assets_folder=str(PROJECT / "assets"), assets_ignore=r"^(?!10-wire)")
    figures = {
        "gl": go.Scattergl(x=[1, 2, 3], y=[1, 3, 2], mode="markers"),
        "polar": go.Scatterpolar(r=[1, 2, 3], theta=[0, 90, 180]),
        "heat": go.Heatmap(z=[[1, 2], [3, 4]]),
    }
    app.layout = dmc.MantineProvider(
        [
            dmc.Button("go", id="button"),
            dmc.Text(id="text"),
            *(dcc.Graph(id=name, figure=go.Figure(trace)) for name, trace in figures.items()),
            dag.AgGrid(id="grid", columnDefs=[{"field": "a"}], rowData=[{"a": 1.5}, {"a": 2}]),
        ]
    )
    app.clientside_callback(
        "function (n) { return 'clicked ' + n; }",
        Output("text", "children"),
        Input("button", "n_clicks"),
        prevent_initial_call=True,
    )
    routes.register(app.server, services)
    protect(app, services.settings)
    return app


@pytest.fixture(scope="module")
def small_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings.from_env({"LOUPE_STATE_DIR": str(tmp_path_factory.mktemp("wire"))})
    services = create_services(settings, WORKS)
    services.store.put(KEY, ARRAYS)
    server = waitress.create_server(small_app(services).server, host="127.0.0.1", port=0)
    threading.Thread(target=server.run, daemon=True).start()
    yield f"http://127.0.0.1:{server.effective_port}"
    services.close()


@pytest.fixture
def wire_page(page: Page, small_url: str) -> Page:
    page.goto(small_url)
    page.wait_for_function("window.loupe && loupe.wire")
    page.wait_for_selector("#gl .gl-canvas", state="attached", timeout=60_000)
    page.wait_for_selector("#grid .ag-cell", timeout=60_000)
    return page


FETCH = """async (url) => {
    const {meta, arrays} = await loupe.wire.fetch(url);
    const out = {meta: meta, arrays: {}};
    for (const [name, {data, shape}] of Object.entries(arrays)) {
        out.arrays[name] = {
            kind: data.constructor.name, shape: shape,
            text: Array.from(data, (value) => Object.is(value, -0) ? "-0" : String(value)),
        };
    }
    return out;
}"""
KINDS = {
    **{"x": "Float32Array", "half": "Float32Array", "double": "Float64Array", "i1": "Int8Array"},
    **{"i2": "Int16Array", "wide": "Int32Array", "u1": "Uint8Array", "u2": "Uint16Array"},
    **{"u4": "Uint32Array", "gaps": "Float32Array", "names": "Array", "empty": "Float32Array"},
    "scalar": "Int32Array",
}


def test_every_type_arrives_as_it_was_sent(wire_page: Page) -> None:
    got = wire_page.evaluate(FETCH, f"/_data/{KEY}")
    assert got["meta"] == {"key": KEY}
    assert {name: row["kind"] for name, row in got["arrays"].items()} == KINDS
    for name, array in ARRAYS.items():
        row = got["arrays"][name]
        assert row["shape"] == list(array.shape)
        if name == "names":
            assert row["text"] == array.tolist()
        else:
            held = np.array([float(text) for text in row["text"]])
            np.testing.assert_array_equal(held, array.ravel().astype(np.float64))
    assert got["arrays"]["half"]["text"][1] == "-0"


def test_sixteen_bits_arrive_within_half_a_step(wire_page: Page) -> None:
    url = f"/_data/{KEY}?arrays=x,gaps&u16=x,gaps"
    got = wire_page.evaluate(FETCH, url)["arrays"]
    here, _ = wire.unpack(wire.pack({"x": ARRAYS["x"], "gaps": ARRAYS["gaps"]}, u16=["x", "gaps"]))
    for name in ("x", "gaps"):
        held = np.array([float(text) for text in got[name]["text"]], np.float32)
        np.testing.assert_allclose(held, here[name].ravel().astype(np.float32), atol=1e-6)


def test_equal_requests_are_made_once(wire_page: Page, traffic: Traffic) -> None:
    url = f"/_data/{KEY}?arrays=u1"
    wire_page.evaluate("(u) => Promise.all([1, 2, 3].map(() => loupe.wire.fetch(u)))", url)
    wire_page.evaluate("(u) => loupe.wire.fetch(u).then(() => 0)", url)
    assert len([asked for asked in traffic.urls if asked.endswith("arrays=u1")]) == 1


def test_failures_carry_the_sentence(wire_page: Page, traffic: Traffic) -> None:
    traffic.allow("400")
    told = wire_page.evaluate(
        """(u) => loupe.wire.fetch(u).catch((e) => ({m: e.message, h: e.hint, s: e.status}))""",
        f"/_data/{KEY}?arrays=nope",
    )
    assert told["m"] == "The result has no array 'nope'."
    assert told["h"].startswith("It has x, half")
    assert told["s"] == 400


def test_damaged_messages_are_refused(wire_page: Page) -> None:
    message = wire.pack({"x": np.arange(4.0)})
    for bad in (b"", b"LPA1", b"<html>....", message[:-1]):
        is_refused = wire_page.evaluate(
            """(text) => {
                const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
                try { loupe.wire.unpack(bytes.buffer); return false; } catch (_e) { return true; }
            }""",
            base64.b64encode(bad).decode(),
        )
        assert is_refused, bad


def test_all_components_work_under_the_policy(wire_page: Page) -> None:
    """No console message about a violation: the ``page`` fixture fails on any."""
    expect(wire_page.locator("#gl canvas").first).to_be_attached()
    # What plotly.js shows when the policy keeps it from compiling its shaders: no console error.
    expect(wire_page.locator("#gl")).not_to_contain_text("WebGL is not supported")
    expect(wire_page.locator("#polar .scatterlayer .trace")).to_have_count(1)
    expect(wire_page.locator("#heat .heatmaplayer image")).to_have_count(1)
    expect(wire_page.locator("#grid .ag-center-cols-container .ag-cell")).to_have_count(2)
    wire_page.click("#button")
    expect(wire_page.locator("#text")).to_have_text("clicked 1")
    size = wire_page.evaluate(
        """() => Plotly.toImage(document.querySelector("#gl .js-plotly-plot"), {format: "png"})
            .then((url) => url.length)"""
    )
    assert size > 1000


def test_injected_scripts_do_not_run(wire_page: Page, traffic: Traffic) -> None:
    traffic.allow("Content Security Policy")
    wire_page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.injected = 1";
            document.body.append(script);
            const image = document.createElement("img");
            image.setAttribute("onerror", "window.injected = 2");
            image.src = "data:image/png;base64,broken";
            document.body.append(image);
            return new Promise((done) => image.addEventListener("error", done, {once: true}))
                .then(() => 0);
        }"""
    )
    assert wire_page.evaluate("window.injected === undefined")
