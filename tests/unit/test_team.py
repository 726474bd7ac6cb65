"""Logins, roles and what they may: every route and callback of the running app."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dash import Dash
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from backend.errors import BadRequest, NotFound
from backend.settings import Settings
from backend.team.people import ROLES, label_of
from backend.team.team import secret_key
from components.access import ANNOTATORS, PUBLIC, VIEWERS_POST, WORKERS_GET, allowed
from components.runtime import Services
from tests.team_app import ORIGIN, PASSWORD, form_of, log_in, logged_in, team_app

Held = tuple[Dash, Services]
NO_LOGIN = {
    *("/login", "/join/<token>", "/_auth/start", "/_auth/back", "/healthz", "/readyz", "/metrics"),
    *("/assets/<path:filename>", "/_favicon.ico"),
    "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>",
}
CALLBACK = "/_dash-update-component"


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    with team_app(tmp_path_factory.mktemp("team")) as found:
        yield found


@pytest.fixture(scope="module")
def app(held: Held) -> Dash:
    return held[0]


@pytest.fixture(scope="module")
def clients(app: Dash) -> dict[str, FlaskClient]:
    return {role: logged_in(app, role) for role in ROLES}


@pytest.fixture(autouse=True)
def _patient(held: Held) -> None:
    """Each test begins with whole budgets."""
    team = held[1].team
    assert team is not None
    for bucket in (team.guesses, team.from_one, team.about_one, team.writes):
        bucket._held.clear()


def rules(app: Dash) -> list[tuple[str, Rule]]:
    """Every method of every route of the running app."""
    found = [
        (method, rule)
        for rule in app.server.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]
    assert len(found) > 60
    return found


def address(rule: Rule) -> str:
    """An address that the rule takes."""

    def filled(part: re.Match[str]) -> str:
        kind = part[1] or ""
        choice = re.match(r"any\((\w+)", kind)
        return choice[1] if choice else "1" if kind.startswith("int") else "x.json"

    return re.sub(r"<(?:([^<>]*):)?\w+>", filled, str(rule))


def ask(client: FlaskClient, method: str, path: str) -> Any:
    body = {"json": {}} if method in ("POST", "PUT") else {}
    return client.open(path, method=method, headers=ORIGIN, **body)


def callback(app: Dash, output: str, pathname: str = "/crayon") -> dict[str, Any]:
    """A request in the form that a browser would send."""
    known = app.callback_map[output]
    made = known["output"] if isinstance(known["output"], list) else [known["output"]]
    values = {"pathname": pathname, "search": ""}
    outputs = [{"id": o.component_id_str(), "property": o.component_property} for o in made]
    sent = {
        part: [
            {"id": s["id"], "property": s["property"], "value": values.get(s["property"])}
            for s in known[part]
        ]
        for part in ("inputs", "state")
    }
    outputs_or_one = outputs if output.startswith("..") else outputs[0]
    return {"output": output, "outputs": outputs_or_one, "changedPropIds": [], **sent}


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


# Logins


def test_wrong_passwords_end_in_429_and_the_right_one_waits_too(app: Dash) -> None:
    client = app.server.test_client()
    codes = [log_in(client, "analyst", "wrong password").status_code for _ in range(50)]
    assert codes == [401] * 10 + [429] * 40
    refused = log_in(client, "analyst")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert log_in(client, "viewer").status_code == 302  # another name is not shut out


def test_unknown_names_take_as_long_as_wrong_passwords(held: Held) -> None:
    from argon2 import PasswordHasher

    from backend.team.people import People

    people = People(held[1].engine, PasswordHasher(time_cost=2, memory_cost=8192))
    people.add("somebody", "viewer", PASSWORD)
    spent: dict[str, list[float]] = {"somebody": [], "nobody at all": []}
    for _ in range(15):
        for name, times in spent.items():
            start_s = time.process_time()  # of this process: others may be busy
            assert people.checked(name, "wrong password") is None
            times.append(time.process_time() - start_s)
    known, unknown = (statistics.median(times) for times in spent.values())
    assert abs(known - unknown) < max(0.005, 0.5 * known), (known, unknown)


def test_a_cookie_is_worth_nothing_after_logging_out(app: Dash) -> None:
    client = logged_in(app, "viewer")
    cookie = client.get_cookie("loupe")
    assert cookie is not None
    assert client.get("/_jobs").status_code == 200
    assert client.post("/logout").status_code == 302
    thief = app.server.test_client()
    thief.set_cookie("loupe", cookie.value)
    assert thief.get("/_jobs").status_code == 401


def test_a_login_never_keeps_the_session_it_came_with(app: Dash) -> None:
    """Session fixation: what was planted before the login opens nothing after it."""
    client = app.server.test_client()
    client.get("/login")
    planted = client.get_cookie("loupe")
    assert planted is not None
    log_in(client, "viewer")
    renewed = client.get_cookie("loupe")
    assert renewed is not None
    assert renewed.value != planted.value
    thief = app.server.test_client()
    thief.set_cookie("loupe", planted.value)
    assert thief.get("/_jobs").status_code == 401


def test_forged_cookies_are_nobody(app: Dash) -> None:
    from flask import Flask

    for key in ("", "secret", "dev", "changeme", "thisISaSECRET_1234"):
        other = Flask("forger")
        other.secret_key = key or "x"
        signer = other.session_interface.get_signing_serializer(other)  # type: ignore[attr-defined]
        client = app.server.test_client()
        client.set_cookie("loupe", signer.dumps({"_user_id": "x" * 43, "_fresh": True}))
        assert client.get("/_jobs").status_code == 401


def test_cookies_have_their_flags(app: Dash, tmp_path: Path) -> None:
    header = app.server.test_client().get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    env = {"LOUPE_NAMES": "loupe.example.org", "LOUPE_SECRET_KEY": "0123456789abcdef" * 4}
    with team_app(tmp_path, **env) as (public, _):
        answer = public.server.test_client().get(
            "/login", base_url="https://loupe.example.org", headers={"Host": "loupe.example.org"}
        )
        assert answer.headers["Set-Cookie"].startswith("__Host-loupe=")
        assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil", "x", "/a\n"])
def test_a_login_leads_to_this_app_only(app: Dash, path: str) -> None:
    client = app.server.test_client()
    assert log_in(client, "viewer", next=path).headers["Location"] == "/"
    again = app.server.test_client()
    there = log_in(again, "viewer", next="/nero?task=digits&angle=3")
    assert there.headers["Location"] == "/nero?task=digits&angle=3"


def test_other_sites_log_nobody_in_and_write_nothing(app: Dash) -> None:
    client = app.server.test_client()
    data = {"form": form_of(client), "name": "viewer", "password": PASSWORD}
    foreign = {"Origin": "https://evil.example"}
    assert client.post("/login", data=data, headers=foreign).status_code == 403
    assert client.post("/login", data={**data, "form": "x"}, headers=ORIGIN).status_code == 403
    log_in(client, "viewer")
    for headers in (foreign, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        answer = client.post("/_links", json={"path": "/nero", "state": {}}, headers=headers)
        assert answer.status_code == 403, headers


def test_disabling_a_role_or_password_takes_effect_at_once(app: Dash, held: Held) -> None:
    team = held[1].team
    assert team is not None
    team.people.add("ann", "viewer", PASSWORD)
    client = logged_in(app, "ann")
    team.people.set_role("ann", "analyst")
    assert client.get("/_jobs").status_code == 401
    client = logged_in(app, "ann")
    team.people.disable("ann")
    assert client.get("/_jobs").status_code == 401
    assert log_in(app.server.test_client(), "ann").status_code == 401


def test_one_user_asking_too_fast_does_not_slow_another(
    clients: dict[str, FlaskClient], held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert held[1].team is not None
    monkeypatch.setattr(held[1].team.writes, "_burst", 20)
    monkeypatch.setattr(held[1].team.writes, "_per_s", 0.01)
    body = {"path": "/nero", "state": {"angle": 1}}
    codes = [clients["viewer"].post("/_links", json=body).status_code for _ in range(40)]
    assert codes == [200] * 20 + [429] * 20
    assert clients["analyst"].post("/_links", json=body).status_code == 200


# Managing


def test_admins_manage_and_everything_is_written_down(
    app: Dash, clients: dict[str, FlaskClient]
) -> None:
    admin = clients["admin"]
    made = admin.post("/_team/users", json={"name": "eve", "role": "viewer", "password": PASSWORD})
    assert made.get_json()["user"]["role"] == "viewer"
    eve = logged_in(app, "eve")
    assert admin.post("/_team/users/eve", json={"role": "analyst"}).status_code == 200
    assert eve.get("/_jobs").status_code == 401
    for body in ({"password": "short"}, {"role": "king"}, {}, {"is_disabled": "yes"}):
        assert admin.post("/_team/users/eve", json=body).status_code == 400
    assert admin.post("/_team/users/admin", json={"is_disabled": True}).status_code == 400
    assert admin.post("/_team/users/nobody", json={"role": "viewer"}).status_code == 404
    for name in ("", "<script>", "x" * 80, "simulated-1", "eve"):
        body = {"name": name, "role": "viewer", "password": PASSWORD}
        assert admin.post("/_team/users", json=body).status_code == 400
    changes = admin.get("/_team/audit").get_json()["changes"]
    actions = {(one["who"], one["action"], one["target"]) for one in changes}
    assert ("admin", "user added", "eve: viewer") in actions
    assert ("admin", "role changed", "eve: analyst") in actions
    assert ("eve", "login", "") in actions
    assert PASSWORD not in str(changes)


def test_changes_of_pages_are_written_down(clients: dict[str, FlaskClient]) -> None:
    clients["analyst"].post("/_links", json={"path": "/nero", "state": {}})
    newest = clients["admin"].get("/_team/audit").get_json()["changes"][0]
    assert newest["who"] == "analyst"
    assert (newest["action"], newest["target"]) == ("POST /_links", "/_links")


def test_addresses_become_names_for_answers() -> None:
    assert label_of("ann@lab.org") == "ann at lab.org"
    assert len(label_of("x" * 64)) == 40


def test_keys_of_cookies(tmp_path: Path) -> None:
    settings = Settings.from_env({"LOUPE_STATE_DIR": str(tmp_path / "a"), "LOUPE_AUTH": "password"})
    key = secret_key(settings)
    assert len(key) == 64
    assert secret_key(settings) == key  # two workers, one key
    assert (tmp_path / "a" / "cookie.key").stat().st_mode & 0o077 == 0
    for weak in ("changeme", "a" * 40):
        with pytest.raises(BadRequest, match="LOUPE_SECRET_KEY") as told:
            Settings.from_env({"LOUPE_AUTH": "password", "LOUPE_SECRET_KEY": weak})
        assert weak not in str(told.value)


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"HOST": "0.0.0.0"}, "HOST='0.0.0.0' can be reached from other machines"),
        ({"HOST": "192.168.0.7"}, "HOST='192.168.0.7' can be reached from other machines"),
        ({"LOUPE_NAMES": "loupe.example"}, "LOUPE_NAMES='loupe.example' opens the app to others"),
        ({"HOST": "0.0.0.0", "LOUPE_AUTH": "password"}, "LOUPE_NAMES names none"),
        ({"LOUPE_AUTH": "basic"}, "LOUPE_AUTH='basic' is not one of password, oidc, proxy"),
        ({"LOUPE_AUTH": "oidc"}, "LOUPE_AUTH='oidc' needs LOUPE_OIDC_URL"),
        ({"LOUPE_AUTH": "proxy", "LOUPE_NEW_ROLE": "admin"}, "LOUPE_NEW_ROLE='admin' is not"),
    ],
)
def test_no_start_without_a_login_that_works(env: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadRequest) as told:
        Settings.from_env(env)
    assert sentence in told.value.message
    assert told.value.hint


def test_secrets_are_not_in_what_settings_print() -> None:
    env = {
        "LOUPE_AUTH": "oidc",
        "LOUPE_OIDC_URL": "https://issuer.example",
        "LOUPE_OIDC_CLIENT": "loupe",
        "LOUPE_OIDC_SECRET": "canary-1",
        "LOUPE_SECRET_KEY": "canary-2-0123456789abcdef-ABCDEF",
        "LOUPE_DATABASE_URL": "postgresql://u:canary-3@h/x",
        "LOUPE_REDIS_URL": "redis://:canary-4@h/0",
    }
    assert "canary" not in repr(Settings.from_env(env))
