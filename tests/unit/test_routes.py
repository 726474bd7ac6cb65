"""Every route through Flask: answers, names from outside, headers, refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from dash import ALL, Dash, Input, Output, State, dcc, html
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend import wire
from backend.cache import key_of
from backend.jobs import JobRequest, NoAnswer
from backend.settings import Settings
from components import routes
from components.runtime import Services, create_services
from components.security import protect
from components.tables import TABLES, register_table
from tests.fake_work import WORKS
from tests.waiting import until

KEY = key_of("test", 1)
BAD_NAMES = [
    *("../x", "..%2fx", "%252e%252e", "..\\x", "/etc/passwd", "file:///etc/passwd", "C:\\x"),
    *(
        "%00",
        "x" * 5000,
        ".",
        "..",
        "%2e%2e/",
        KEY.upper(),
        KEY[:-1],
        KEY + "0",
        "a/b",
        "%0d%0aX:y",
    ),
]


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


def told(response: TestResponse, status: int) -> dict[str, Any]:
    """The JSON of a failure, which must be a sentence without internals."""
    assert response.status_code == status, response.text[:200]
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    body: dict[str, Any] = orjson.loads(response.data)
    assert set(body) == {"message", "hint"}
    assert body["message"]
    assert not any(
        word in response.text for word in ("Traceback", "/root", "/work", "site-packages")
    )
    return body


# Arrays


@pytest.fixture(scope="module", autouse=True)
def _stored(held: Services) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    held.store.put(KEY, {"x": x, "ids": np.array([7, 8, 9]), "scalar": np.array(1.0)})


def test_data_sends_all_arrays_and_may_be_kept_for_ever(client: FlaskClient) -> None:
    response = client.get(f"/_data/{KEY}")
    arrays, meta = wire.unpack(response.data)
    assert list(arrays) == ["x", "ids", "scalar"]
    assert meta == {"key": KEY}
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    tag = response.headers["ETag"]
    again = client.get(f"/_data/{KEY}", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert again.data == b""


def test_data_sends_chosen_arrays_and_rows(client: FlaskClient) -> None:
    arrays, _ = wire.unpack(client.get(f"/_data/{KEY}?arrays=x,ids&row=2").data)
    np.testing.assert_array_equal(arrays["x"], [8, 9, 10, 11])
    assert arrays["ids"] == 9
    arrays, _ = wire.unpack(client.get(f"/_data/{KEY}?arrays=x&u16=x").data)
    np.testing.assert_allclose(arrays["x"].ravel(), np.arange(12), atol=1e-3)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("arrays=nope", "The result has no array 'nope'."),
        ("arrays=x,", "The result has no array ''."),
        ("arrays=x&row=3", "row='3' is not a row of this result."),
        ("arrays=x&row=-1", "row='-1' is not a row of this result."),
        ("arrays=x&row=1e9", "row='1e9' is not a row of this result."),
        ("arrays=x&row=٣", "row='٣' is not a row of this result."),
        ("arrays=x&row=99999999999999999999", "row='99999999999999999999' is not a row"),
        ("arrays=scalar&row=0", "row='0' is not a row of this result."),
    ],
)
def test_data_refuses_other_arrays_and_rows(client: FlaskClient, query: str, message: str) -> None:
    assert told(client.get(f"/_data/{KEY}?{query}"), 400)["message"].startswith(message)


@pytest.mark.parametrize("route", ["_data", "_media", "_jobs", "_links", "s"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_from_outside_reach_nothing(client: FlaskClient, route: str, name: str) -> None:
    response = client.get(f"/{route}/{name}", follow_redirects=False)
    assert response.status_code in (400, 404, 308), response.status_code
    if response.status_code != 308:  # werkzeug merges double slashes
        told(response, response.status_code)
    assert b"root:" not in response.data
    assert "X" not in response.headers


def test_unknown_result_is_not_found(client: FlaskClient) -> None:
    told(client.get(f"/_data/{key_of('other', 1)}"), 404)
    told(client.get("/_data/"), 404)


# Images


def test_media_is_immutable_and_typed(client: FlaskClient, held: Services) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    for suffix in ("webp", "png"):
        sha256 = held.media.put_image(pixels, suffix=suffix)  # type: ignore[arg-type]
        response = client.get(f"/_media/{sha256}.{suffix}")
        assert response.status_code == 200
        assert response.mimetype == f"image/{suffix}"
        assert "immutable" in response.headers["Cache-Control"]
        assert hashlib.sha256(response.data).hexdigest() == sha256
        told(client.get(f"/_media/{sha256}.html"), 404)


# Jobs


def test_job_routes(client: FlaskClient, held: Services) -> None:
    request = JobRequest("test.sleep", {"seconds": 0.03}, "Sleep")
    job_id = held.jobs.submit(request)
    until(lambda: orjson.loads(client.get(f"/_jobs/{job_id}").data)["state"] == "done")
    view = orjson.loads(client.get(f"/_jobs/{job_id}").data)
    assert view["fraction"] == 1.0
    assert view["key"] == held.jobs.view(job_id).key
    assert view["params"] == {"seconds": 0.03}
    assert orjson.loads(client.get(f"/_jobs/{job_id}/log").data)["lines"] == ["sleeping 3 steps"]
    listed = orjson.loads(client.get("/_jobs?limit=5").data)["jobs"]
    assert listed[0]["id"] == job_id
    again = orjson.loads(client.post(f"/_jobs/{job_id}/rerun").data)["id"]
    assert again != job_id
    client.post(f"/_jobs/{again}/cancel")
    until(lambda: held.jobs.view(again).state.is_final)
    assert client.post(f"/_jobs/{again}/cancel").status_code == 200
    for path in ("/_jobs/nobody", "/_jobs/nobody/log"):
        told(client.get(path), 404)
    for path in ("/_jobs/nobody/cancel", "/_jobs/nobody/rerun"):
        told(client.post(path), 404)
    for limit in ("0", "-1", "x", "1e3", "999999"):
        told(client.get(f"/_jobs?limit={limit}"), 400)


# Links


def test_links(client: FlaskClient) -> None:
    made = client.post("/_links", json={"path": "/nero", "state": {"ids": [1, 2]}})
    url = orjson.loads(made.data)["url"]
    followed = client.get(url)
    link_id = url.removeprefix("/s/")
    assert followed.status_code == 302
    assert followed.headers["Location"] == f"/nero?link={link_id}"
    assert orjson.loads(client.get(f"/_links/{link_id}").data) == {
        "path": "/nero",
        "state": {"ids": [1, 2]},
    }
    for body in (
        {},
        {"path": "/nero"},
        {"path": 3, "state": {}},
        {"path": "//evil", "state": {}},
        {"path": "/nero", "state": {"item": {"a": 1}}},
        {"path": "/nero", "state": {"item": orjson.loads("[" * 900 + "]" * 900)}},
        [],
    ):
        told(client.post("/_links", json=body), 400)


# Tables


def test_tables(client: FlaskClient) -> None:
    response = client.post("/_table/worst.json", json={"n": 5})
    assert orjson.loads(response.data) == {"columns": ["n", "t"], "rows": [[5, "=1"]], "n": 1}
    response = client.post("/_table/worst.csv", json={})
    assert response.text == "n,t\n0,'=1\n"
    assert response.headers["Content-Disposition"] == "attachment; filename=loupe-worst.csv"
    assert client.post("/_table/worst.parquet", json={}).data[:4] == b"PAR1"
    for name in ("best.json", "worst.exe", "worst", ".json", "../worst.csv", "x%0d%0aA:b.csv"):
        told(client.post(f"/_table/{name}", json={}), 404)
    told(client.post("/_table/worst.json", data="{", content_type="application/json"), 400)
    told(client.post("/_table/worst.json", data="{}", content_type="text/plain"), 400)


# Failures


def test_failures_have_their_status(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise NoAnswer("The model is slow.", "Wait.")

    monkeypatch.setattr("components.runtime.Services.jobs", property(fail), raising=False)
    assert told(client.get("/_jobs"), 503) == {"message": "The model is slow.", "hint": "Wait."}


def test_defects_show_a_reference_number_only(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(TABLES, "broken", lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
    message = told(client.post("/_table/broken.json", json={}), 500)["message"]
    number = message.partition("reference ")[2][:8]
    assert number
    assert number in caplog.text


def test_health(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}


# Headers and refusals


def test_every_answer_carries_the_headers(client: FlaskClient) -> None:
    for path in ("/", "/healthz", "/_data/x", "/_dash-layout", "/nothing/here"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_page_policy_allows_only_known_inline_scripts(client: FlaskClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    (scripts,) = [part for part in policy.split("; ") if part.startswith("script-src")]
    assert "'sha256-" in scripts
    assert "'unsafe-inline'" not in scripts
    assert "http" not in policy


CALLBACK: dict[str, Any] = {
    "output": "out.children",
    "outputs": {"id": "out", "property": "children"},
    "inputs": [{"id": "in", "property": "value", "value": "a"}],
    "state": [{"id": "kept", "property": "data"}],
    "changedPropIds": ["in.value"],
}
URL = "/_dash-update-component"


def test_good_callbacks_pass(client: FlaskClient) -> None:
    client.get("/_dash-layout")
    answer = client.post(URL, json=CALLBACK)
    assert answer.get_json()["response"]["out"]["children"] == "<a>"
    rows = [{"id": {"type": "row", "n": n}, "property": "value", "value": n} for n in (1, 2)]
    body = {
        "output": "kept.data",
        "outputs": {"id": "kept", "property": "data"},
        "inputs": [rows],
        "changedPropIds": [],
    }
    assert client.post(URL, json=body).get_json()["response"]["kept"]["data"] == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"output": "nobody.children"},
        {"output": None},
        {"output": ["out.children"]},
        {"output": {"a": 1}},
        {"inputs": []},
        {"inputs": None},
        {"inputs": "x"},
        {"inputs": [3]},
        {"inputs": [{"id": "in"}]},
        {"inputs": [{"id": "in", "property": "other"}]},
        {"inputs": [[3]]},
        {"state": []},
        {"state": {"a": 1}},
        {"outputs": 3},
        {"outputs": {"id": 3, "property": "children"}},
        {"outputs": None},
        {"changedPropIds": [3]},
        {"changedPropIds": None},
        {"changedPropIds": "in.value"},
    ],
)
def test_broken_callbacks_are_refused(client: FlaskClient, change: dict[str, Any]) -> None:
    told(client.post(URL, json={**CALLBACK, **change}), 400)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"3", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":NaN}']
)
def test_malformed_callback_bodies(client: FlaskClient, data: bytes) -> None:
    told(client.post(URL, data=data, content_type="application/json"), 400)


def test_crash_in_a_callback_without_handler_is_a_reference(client: FlaskClient) -> None:
    body = {**CALLBACK, "inputs": [{"id": "in", "property": "value", "value": "crash"}]}
    assert "reference" in told(client.post(URL, json=body), 500)["message"]


def test_cross_site_form_trick_is_refused(client: FlaskClient) -> None:
    told(client.post(URL, data=orjson.dumps(CALLBACK), content_type="text/plain"), 415)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_foreign_origins_are_refused(
    client: FlaskClient, headers: dict[str, str], status: int
) -> None:
    assert client.post(URL, json=CALLBACK, headers=headers).status_code == status
    assert client.post("/_jobs/x/cancel", headers=headers).status_code == (
        404 if status == 200 else 403
    )
    assert client.get("/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8050", "localhost.evil.example", ""]
)
def test_rebound_names_are_refused(client: FlaskClient, host: str) -> None:
    told(client.get("/healthz", headers={"Host": host}), 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8050", "[::1]:8050"])
def test_local_names_are_served(client: FlaskClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_large_bodies_are_refused_before_parsing(client: FlaskClient) -> None:
    for path in (URL, "/_links", "/_table/worst.json"):
        data = b'"' + b"x" * 1_000_001 + b'"'
        told(client.post(path, data=data, content_type="application/json"), 413)


@pytest.mark.parametrize(
    "path",
    [
        "/_dash-component-suites/nothing/x.js",
        "/_dash-component-suites/dash/../../x.js",
        "/_dash-component-suites/dash/deps/none.js",
        "/_dash-component-suites/os/x.py",
        "/assets/..%2f..%2fetc/passwd",
        "/assets/%2e%2e/app.py",
        "/_mcp",
        "/_nothing",
    ],
)
def test_unknown_files_are_not_found(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "root:" not in response.text


@pytest.mark.parametrize("query", ["cancelJob=1", "oldJob=1", "job=1&cacheKey=x"])
def test_forged_background_handles_do_nothing(client: FlaskClient, query: str) -> None:
    assert client.post(f"{URL}?{query}", json=CALLBACK).status_code == 200


def test_other_methods(client: FlaskClient) -> None:
    told(client.get("/_links"), 404)
    told(client.delete(f"/_data/{KEY}"), 405)
