"""Roles and what they may: every route and callback of the running app."""

from __future__ import annotations

import time

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient

from backend.errors import BadRequest, NotFound
from backend.team.people import ROLES
from components.access import ANNOTATORS, PUBLIC, VIEWERS_POST, WORKERS_GET, allowed
from tests.team_app import (
    CALLBACK,
    ORIGIN,
    Held,
    address,
    ask,
    callback,
    form_of,
    rules,
)

NO_LOGIN = {
    *("/login", "/join/<token>", "/_auth/start", "/_auth/back", "/healthz", "/readyz", "/metrics"),
    *("/assets/<path:filename>", "/_favicon.ico"),
    "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>",
}


# Who gets in


def test_nothing_answers_without_a_login_but_the_public_list(app: Dash) -> None:
    assert PUBLIC == NO_LOGIN
    client = app.server.test_client()
    for method, rule in rules(app):
        answer = ask(client, method, address(rule))
        if str(rule) not in NO_LOGIN:
            assert answer.status_code in (302, 401), (method, rule)
            if answer.status_code == 302:
                assert answer.headers["Location"].startswith("/login")
        assert b"Traceback" not in answer.data


def test_no_callback_answers_without_a_login(app: Dash) -> None:
    client = app.server.test_client()
    served = [output for output, known in app.callback_map.items() if "callback" in known]
    assert len(served) > 4
    for output in served:
        if "{" not in output:
            body = callback(app, output)
            assert client.post(CALLBACK, json=body, headers=ORIGIN).status_code == 401


@pytest.mark.parametrize("role", ROLES)
def test_roles_hold_on_every_route(app: Dash, clients: dict[str, FlaskClient], role: str) -> None:
    """403 exactly where the policy says so: a route of a new page is in it by default."""
    client = clients[role]
    for method, rule in rules(app):
        if str(rule) in {*NO_LOGIN, "/logout"} or "/_team/users" in str(rule):
            continue
        answer = ask(client, method, address(rule))
        if role in allowed(str(rule), method):
            ours = role == "annotator" and str(rule) in ("/", "/<path:path>")
            assert b"This is not for" not in answer.data, (method, rule)
            assert not ours or answer.headers["Location"] == "/crayon"
        else:
            if role == "annotator" and answer.status_code == 302:
                assert answer.headers["Location"] == "/crayon", rule
                continue
            assert answer.status_code == 403, (method, rule)
            assert role in answer.get_json()["message"]


def test_a_route_that_nobody_thought_of_is_closed_to_annotators_and_viewers() -> None:
    assert allowed("/_new/route", "POST") == ("analyst", "admin")
    assert allowed("/_new/route", "DELETE") == ("analyst", "admin")
    assert "annotator" not in allowed("/_new/route", "GET")
    assert allowed("/_team/new", "GET") == ("admin",)


def test_the_list_for_annotators_names_routes_that_exist(app: Dash) -> None:
    known = {(method, str(rule)) for method, rule in rules(app)}
    assert known >= ANNOTATORS
    assert known >= {("POST", rule) for rule in VIEWERS_POST}
    assert known >= {("GET", rule) for rule in WORKERS_GET}


@pytest.mark.parametrize("pathname", ["/", "/nero", "/zoom", "/insights", "/jobs", "/team"])
def test_annotators_see_no_other_page(
    app: Dash, clients: dict[str, FlaskClient], pathname: str
) -> None:
    output = ".._pages_content.children..._pages_store.data.."
    client = clients["annotator"]
    assert client.post(CALLBACK, json=callback(app, output, pathname)).status_code == 403
    if pathname != "/":
        assert client.get(pathname).headers["Location"] == "/crayon"


def test_the_page_of_an_annotator_holds_nothing_of_other_pages(
    clients: dict[str, FlaskClient],
) -> None:
    clients["admin"].get("/")
    text = clients["annotator"].get("/crayon").text
    assert "validation_layout" not in text
    assert not any(word in text for word in ("team-users", "library-models", "admin"))


def test_annotators_make_no_callback_of_another_page(
    app: Dash, clients: dict[str, FlaskClient]
) -> None:
    output = ".._pages_content.children..._pages_store.data.."
    answer = clients["annotator"].post(CALLBACK, json=callback(app, output))
    assert answer.status_code == 200
    for name, known in app.callback_map.items():
        if "callback" in known and "{" not in name and not name.startswith((".._pages", "crayon")):
            body = callback(app, name)
            assert clients["annotator"].post(CALLBACK, json=body).status_code == 403


# Between annotators


def test_annotators_are_themselves_only(clients: dict[str, FlaskClient]) -> None:
    client = clients["annotator"]
    for path in ("next", "recent", "progress"):
        answer = client.get(f"/_crayon/{path}?set=birds&as=somebody")
        assert answer.status_code == 403
        assert answer.get_json()["message"] == "as='somebody' is somebody else."
    row = {"sequence": 1, "item_id": 0, "answer": "yes"}
    body = {"set": "birds", "kind": "map", "client": "c", "answers": [row]}
    for role in ("annotator", "analyst", "admin"):
        answer = clients[role].post("/_crayon/answers", json={**body, "as": "somebody"})
        assert answer.status_code == 403
    body |= {"as": "annotator", "role": "adjudicator"}
    assert client.post("/_crayon/answers", json=body).status_code == 403
    assert client.get("/_crayon/progress?set=birds&as=annotator").status_code in (200, 404)


def test_an_annotator_finds_no_result_job_or_draft_of_others(
    clients: dict[str, FlaskClient], held: Held
) -> None:
    client = clients["annotator"]
    found = 0
    for number in range(1000):
        path = ("_data", "_jobs", "_links", "_insights/drafts")[number % 4]
        found += client.get(f"/{path}/{number:064x}").status_code < 400
    assert found == 0
    assert client.get("/_jobs").get_json() == {"jobs": []}


def test_an_invitation_is_for_its_set_only(app: Dash, clients: dict[str, FlaskClient]) -> None:
    body = {"name": "guest 1", "view": {"set": "birds", "step": "maps"}, "days": 3}
    url = clients["analyst"].post("/_invites", json=body).get_json()["url"]
    path = url.removeprefix("http://localhost")
    guest = app.server.test_client()
    assert guest.get("/_crayon/sets").status_code == 401  # opening the link does not let in
    token = form_of(guest, path)
    assert guest.post(path, data={"form": "x"}, headers=ORIGIN).status_code == 403
    joined = guest.post(path, data={"form": token}, headers=ORIGIN)
    assert joined.headers["Location"].startswith("/crayon?set=birds&step=maps&as=guest+1")
    assert [one["key"] for one in guest.get("/_crayon/sets").get_json()["sets"]] == ["birds"]
    hidden = guest.get("/_crayon/next?set=garments&as=guest 1")
    assert hidden.status_code == 404
    assert guest.get("/_crayon/picture/garments/map/0/original.webp").status_code == 404
    listed = clients["analyst"].get("/_invites").get_json()["invites"]  # other tests invite too
    (one,) = [invite for invite in listed if invite["name"] == "guest 1"]
    assert token not in str(one)
    clients["analyst"].post(f"/_invites/{one['id']}/revoke", json={})
    assert guest.get("/_crayon/sets").status_code == 401
    assert guest.get(path).status_code == 404


def test_invitations_expire_and_are_for_annotators(held: Held) -> None:
    team = held[1].team
    assert team is not None
    token = team.invites.make("guest 2", {"set": "birds"}, ["birds"], 1)
    assert team.invites.guest(token)[0].name == "guest 2"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.team.invites.time.time", lambda: time.monotonic() + 4e9)
        with pytest.raises(NotFound):
            team.invites.guest(token)
    with pytest.raises(BadRequest, match="viewer is viewer"):
        team.invites.make("viewer", {}, [], 1)
    for days in (0, 366, "3", True):
        with pytest.raises(BadRequest, match="not a whole number"):
            team.invites.make("guest 2", {}, [], days)  # type: ignore[arg-type]


# What viewers may


def test_what_one_analyst_makes_others_of_the_team_find(
    clients: dict[str, FlaskClient], held: Held
) -> None:
    """Links, drafts and results belong to the team; annotators and strangers get none of them."""
    draft = {"set": "campaigns", "row": 0, "name": "Ours", "draft": {"fields": {}}}
    assert clients["analyst"].post("/_insights/drafts", json=draft).status_code == 200
    link = clients["analyst"].post("/_links", json={"path": "/nero", "state": {"angle": 33}})
    held[1].store.put("ab" * 32, {"x": np.arange(3)})
    paths = ["/_insights/drafts?set=campaigns", link.get_json()["url"], f"/_data/{'ab' * 32}"]
    for role in ("analyst", "admin", "viewer"):
        for path in paths:
            assert clients[role].get(path).status_code in (200, 302), (role, path)
        assert "Ours" in clients[role].get(paths[0]).text
    assert clients["viewer"].post("/_insights/drafts", json=draft).status_code == 403
    for path in paths:
        refused = clients["annotator"].get(path)
        assert refused.status_code in (302, 403, 404), path
        assert "Ours" not in refused.text


def test_viewers_compute_nothing_new(
    app: Dash, clients: dict[str, FlaskClient], held: Held
) -> None:
    for action in ("cancel", "rerun"):
        assert clients["viewer"].post(f"/_jobs/x/{action}", json={}).status_code == 403
    made = clients["viewer"].post("/_links", json={"path": "/nero", "state": {}})
    assert made.status_code == 200


def test_a_viewers_page_opens_what_is_stored_and_starts_no_job(app: Dash, held: Held) -> None:
    from flask_login import login_user

    from backend.jobs import JobRequest
    from backend.team.team import Forbidden
    from components.identity import User

    services, team = held[1], held[1].team
    assert team is not None
    request = JobRequest("test.sleep", {"value": 77}, "Sleep")
    with app.server.test_request_context("/"):
        login_user(User(team.people.get("viewer"), "t"))
        with pytest.raises(Forbidden, match=r"^Computing what is not stored is not for the role"):
            services.jobs.submit(request)
    with app.server.test_request_context("/"):
        login_user(User(team.people.get("annotator"), "t"))
        with pytest.raises(NotFound):
            services.jobs.view("x" * 32)
