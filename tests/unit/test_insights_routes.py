"""Routes and tables of the Insights page around made-up results: asked, told and refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from dash import Dash, html
from flask.testing import FlaskClient

from backend.errors import BadRequest
from backend.insights import contents as sets
from backend.insights import views
from backend.jobs import JobRequest
from backend.settings import Settings
from components import insights_api, insights_asked, insights_asking, insights_tables, routes
from components.runtime import create_services
from components.security import protect
from tests.fake_work import WORKS
from tests.insights_bench import contents

HELD = contents()
TRUST = {
    "score": None,
    "sentence": "Not enough pairs.",
    "rho": None,
    "low": None,
    "high": None,
    "rho_signed": None,
    "share_positive": 0.5,
    "n": 2,
    "p_null": None,
    "null": [],
    "pairs": [{"d_c": 0.1, "d_y": 0.02, "control": 0, "treatment": 1}],
    "methods": [],
    "modality": "text",
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    state = {"LOUPE_STATE_DIR": str(tmp_path_factory.mktemp("state"))}
    services = create_services(Settings.from_env(state), WORKS)
    app = Dash("insights-routes-test")
    app.layout = html.Div()
    routes.register(app.server, services)
    insights_api.register(app.server)
    protect(app, services.settings)
    insights_tables.register()
    yield app.server.test_client()
    services.close()


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "load", lambda key: HELD)


def told(client: FlaskClient, address: str, status: int = 200) -> dict[str, Any]:
    response = client.get(f"/_insights/{address}")
    assert response.status_code == status, response.text[:300]
    found: dict[str, Any] = orjson.loads(response.data)
    return found


def test_a_list_is_asked_for_with_the_domain_and_period(client, monkeypatch):
    asked = {}

    def listing(_store, **more):
        asked.update(more)
        return {"total": 1, "items": []}

    monkeypatch.setattr(views, "listing", listing)
    found = told(client, "contents?set=tiny&domain=1&since=2026-01-01&sort=newest&offset=3&n=5")
    assert found == {"total": 1, "items": [], "offset": 3}
    assert (asked["set_key"], asked["domain"], asked["since"]) == ("tiny", 1, "2026-01-01")
    assert (asked["sort"], asked["offset"], asked["n"]) == ("newest", 3, 5)


@pytest.mark.parametrize(
    "address",
    [
        "contents?set=tiny&domain=9",
        "contents?set=tiny&sort=luck",
        "contents?set=tiny&n=0",
        "contents?set=a/b",
        "phrases?set=tiny&since=2026-02-01&until=2026-01-01",
        "phrases?set=tiny&method=guess",
        "trust?set=tiny&modality=smell",
        "errors?set=tiny&metric=r2",
    ],
)
def test_what_cannot_be_asked_is_a_sentence(client, address):
    assert told(client, address, 400)["message"].endswith(".")


def test_a_missing_result_is_a_job_of_its_card(client, monkeypatch):
    """A result that nobody has computed: the reply names the job, and the tab's own channel."""
    job = JobRequest("insights.predict", {"n": 0}, "Counting")
    submitted: list[JobRequest] = []

    class Jobs:
        def submit(self, request):
            submitted.append(request)
            return "job-1"

    class Held:
        jobs = Jobs()
        store = None

    def missing(*_args, **_more):
        raise views.NotComputed(job)

    monkeypatch.setattr(insights_asked, "services", Held)
    monkeypatch.setattr(views, "phrases", missing)
    found = told(client, "phrases?set=tiny&visit=me")
    assert found == {"result": job.key, "job": "job-1", "title": "Counting"}
    assert submitted[0].view == "insights-phrases@me"


def test_a_scatter_is_a_figure_of_the_rows(client, monkeypatch):
    rates = (np.array([0, 2]), np.array([0.1, 0.2]), np.array([0.05, 0.06]))
    monkeypatch.setattr(views, "rates", lambda *_a, **_m: rates)
    found = told(client, "scatter?set=tiny&domain=0")
    assert found["n"] == 2
    assert found["figure"]["data"][0]["customdata"] is not None


def test_groups_of_patches_come_with_their_elbow(client, monkeypatch):
    elbow = {"k": [2, 3, 4], "inertia": [9.0, 4.0, 3.0], "chosen": 3}
    both = {"positive": [], "negative": [], "elbow": elbow, "note": ""}
    monkeypatch.setattr(views, "patches", lambda *_a, **_m: dict(both))
    ring = told(client, "patches?set=tiny")["figure"]["data"][2]
    assert (ring["x"], ring["y"]) == ([3], [4.0])


def test_an_undefined_trust_has_no_score_and_still_its_figures(client, monkeypatch):
    monkeypatch.setattr(views, "trust", lambda *_args: TRUST)
    found = told(client, "trust?set=tiny&domain=-1")
    assert found["score"] is None
    assert set(found["figures"]) == {"null", "pairs", "methods"}
    assert (
        "shapes" not in found["figures"]["null"]["layout"]
        or not (found["figures"]["null"]["layout"]["shapes"])
    )


def test_a_prediction_hands_on_a_checked_draft(client, monkeypatch):
    asked: dict[str, Any] = {}

    class Jobs:
        def call(self, work, params):
            asked.update(work=work, **params)
            return {"numbers": np.array([0.1, 0.05, 0.2, 0.08, 0.02, 0.01, 0.03, 9.0])}

    class Held:
        jobs = Jobs()

    monkeypatch.setattr(insights_asking, "services", Held)
    body = {"set": "tiny", "model": "", "row": 1, "draft": {"fields": {"headline": "New"}}}
    response = client.post("/_insights/predict", json=body)
    found = orjson.loads(response.data)
    assert (found["predicted"], found["draft"]["predicted"]) == (0.1, 0.08)
    assert found["ms"] >= 0
    assert asked["work"] == "insights.whatif"
    assert asked["draft"]["fields"] == {"headline": "New"}
    bad = client.post("/_insights/predict", json={**body, "draft": {"fields": {"x": "New"}}})
    assert bad.status_code == 400
    assert client.post("/_insights/predict", json={**body, "row": 99}).status_code == 404


def test_advice_is_a_table_without_its_examples(client, monkeypatch):
    one = {"text": "free", "score": 0.1, "n": 3, "examples": [1], "warnings": ["A.", "B."]}
    both = {"positive": [one], "negative": [], "note": ""}
    monkeypatch.setattr(views, "phrases", lambda *_a, **_m: both)
    state = {"page": "insights", "values": {"set": "tiny"}}
    found = orjson.loads(client.post("/_table/insights-phrases.json", json=state).data)
    assert found["columns"] == ["kind", "text", "score", "n", "warnings"]
    assert found["rows"] == [["positive", "free", 0.1, 3, "A. B."]]


def test_a_brief_is_a_table_of_its_pins_or_refused():
    brief = orjson.dumps({"pins": [{"kind": "phrase", "text": "free", "score": 0.1}, 7]}).decode()
    frame = insights_tables.briefed({"brief": brief})
    assert frame[["kind", "text", "score"]].to_numpy().tolist() == [["phrase", "free", 0.1]]
    assert len(insights_tables.briefed({"brief": ""})) == 0
    with pytest.raises(BadRequest):
        insights_tables.briefed({"brief": "{"})
