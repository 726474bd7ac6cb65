"""Forged requests for every callback, with a fixed seed: never a failure, never a trace."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from dash import Dash
from flask.testing import FlaskClient

from app import create_app
from backend.settings import Settings
from components.runtime import create_services
from tests.bound import bound
from tests.fake_work import WORKS

URL = "/_dash-update-component"
REQUESTS = 200
VALUES: list[Any] = [
    *(None, True, -1, 0, 3.5, 1e9, 1e308, 10**30, "", "x", "../../etc/passwd", "<script>", "\0"),
    *("nan", "9" * 400, "digits", "digits-plain", "imagenet-lite0", "5", "0", "pca", "class:99"),
    *("/", "/zoom", "/crayon", "/jobs", "/no such page", "?set=birds&step=9", "?image=../x"),
    *("class:x", "selection", "/nero?step=abc", [], [[]], [None], ["digits-plain"] * 30, {}),
    *({"a": {"b": [1]}}, {"items": "digits", "ids": [1, "x"]}, {"ids": {}}, {"version": 1}),
    orjson.loads("[" * 900 + "]" * 900),
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    env = {"LOUPE_STATE_DIR": str(tmp_path_factory.mktemp("state"))}
    settings = Settings.from_env(env)
    services = create_services(settings, WORKS)
    yield bound(create_app(settings, services))
    services.close()


@pytest.fixture
def client(app: Dash) -> FlaskClient:
    return app.server.test_client()


def parsed(component: str) -> Any:
    return json.loads(component) if component.startswith("{") else component


def honest(app: Dash, output: str, rng: random.Random) -> dict[str, Any]:
    """A request as the browser would make it, with values that it would not send."""
    known = app.callback_map[output]
    made = known["output"] if isinstance(known.get("output"), list) else [known.get("output")]
    outputs = [
        {"id": parsed(one.component_id_str()), "property": one.component_property}
        for one in made
        if one is not None
    ]
    sent = {
        part: [
            {"id": parsed(spec["id"]), "property": spec["property"], "value": rng.choice(VALUES)}
            for spec in known[part]
        ]
        for part in ("inputs", "state")
    }
    whole = outputs if output.startswith("..") else next(iter(outputs), [])
    return {"output": output, "outputs": whole, "changedPropIds": [], **sent}


def twisted(body: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """One thing of a request changed beyond its form."""
    body = json.loads(json.dumps(body))
    part = rng.choice(["inputs", "state", "outputs", "changedPropIds", "slot", "missing"])
    slots = body["inputs"] or body["state"]
    if part == "missing":
        del body[rng.choice(list(body))]
    elif part == "slot" and slots:
        slot = rng.choice(slots)
        key = rng.choice(["id", "property"])
        slot[key] = rng.choice([*VALUES, {"type": [1]}, {"type": "x"}])
    elif part != "slot":
        wrapped = [body[part]] if rng.random() < 0.3 else rng.choice(VALUES)
        body[part] = wrapped
    return body


def checked(client: FlaskClient, body: dict[str, Any]) -> int:
    response = client.post(URL, data=json.dumps(body), content_type="application/json")
    assert response.status_code in (200, 204, 400), (response.status_code, str(body)[:500])
    assert not any(word in response.text for word in ("Traceback", "/work", "site-packages"))
    return response.status_code


def test_no_callback_fails_for_forged_requests(app: Dash, client: FlaskClient) -> None:
    rng = random.Random(20)
    served = [output for output, known in app.callback_map.items() if "callback" in known]
    assert len(served) >= 3
    for output in served:
        answers = set()
        for _ in range(REQUESTS // 2):
            body = honest(app, output, rng)
            answers.add(checked(client, body))
            checked(client, twisted(body, rng))
        assert answers & {200, 204}, output  # the form is right, so some reach the callback
    assert min(answered_s(client, "/healthz") for _ in range(5)) < 0.1


def answered_s(client: FlaskClient, path: str) -> float:
    """Seconds that a page takes to answer."""
    start_s = time.perf_counter()
    assert client.get(path).status_code == 200
    return time.perf_counter() - start_s


def test_callbacks_of_the_browser_are_none_of_the_server(app: Dash, client: FlaskClient) -> None:
    rng = random.Random(21)
    own = [output for output, known in app.callback_map.items() if "callback" not in known]
    assert own
    for output in own:
        body = {"output": output, "outputs": [], "inputs": [], "state": [], "changedPropIds": []}
        assert checked(client, body) == 400
        assert checked(client, twisted(body, rng)) == 400


def test_not_a_number_and_deep_nesting_are_not_json(client: FlaskClient) -> None:
    for data in (b'{"output": NaN}', b"[" * 100_000 + b"]" * 100_000, b'{"output": "\\ud800"}'):
        start_s = time.thread_time()  # other tests use the cores as well
        response = client.post(URL, data=data, content_type="application/json")
        assert response.status_code == 400
        assert time.thread_time() - start_s < 0.05


def page(client: FlaskClient, search: str) -> str:
    """The layout of the NERO page as the browser gets it."""
    names = [("_pages_content", "children"), ("_pages_store", "data")]
    inputs = [("pathname", "/nero"), ("search", search)]
    body = {
        "output": ".._pages_content.children..._pages_store.data..",
        "outputs": [{"id": name, "property": prop} for name, prop in names],
        "inputs": [{"id": "_pages_location", "property": p, "value": v} for p, v in inputs],
        "changedPropIds": [],
    }
    response = client.post(URL, json=body)
    assert response.status_code == 200
    assert "went wrong" not in response.text
    return response.text


def test_a_link_brings_back_its_task(client: FlaskClient) -> None:
    """The choices of the page depend on the task, which a long state hides behind its link."""
    assert "Fashion" not in page(client, "").partition('"key":"models"')[2][:1500]
    state = {"task": "fashion", "models": "fashion-rotated", "step": "10"}
    url = client.post("/_links", json={"path": "/nero", "state": state}).get_json()["url"]
    text = page(client, f"?link={url.removeprefix('/s/')}")
    assert '"notices":[]' in text
    assert '"task":"fashion"' in text.partition("state-meta")[2] or '"value":"fashion"' in text


def test_hostile_addresses_still_open_the_page(client: FlaskClient) -> None:
    for search in ("?task=a&task=b&angle=NaN&angle=1e999", "?link=zzzzzzzzzz", "?link=", "%%%"):
        page(client, search)
    assert len(page(client, "?" + "&".join(f"k{n}=1" for n in range(2000)))) < 100_000
