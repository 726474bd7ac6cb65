"""Failures, headers, and requests that are refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from backend.jobs import NoAnswer
from components.tables import TABLES
from tests.routes_bench import KEY, told

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
