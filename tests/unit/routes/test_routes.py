"""Every shared route through Flask: answers and names from outside."""

from __future__ import annotations

import hashlib

import numpy as np
import orjson
import pytest
from flask.testing import FlaskClient

from backend import wire
from backend.cache import key_of
from backend.jobs import JobRequest
from components.runtime import Services
from tests.routes_bench import KEY, told
from tests.waiting import until

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
