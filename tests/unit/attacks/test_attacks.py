"""Attacks on every route and callback of the running app.

``tests/reliability.py`` says which row of the plan each test stands for.
"""

from __future__ import annotations

import ast
import contextlib
import logging
import re
import socket
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from dash import Dash
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from app import create_app
from backend import doctor
from backend.settings import PROJECT, Settings
from components.runtime import Services, create_services
from tests.bound import bound
from tests.fake_work import WORKS

NAMES = [
    *("../x", "..%2fx", "%252e%252e%252fetc", "..%5cx", "/etc/passwd", "file:///etc/passwd"),
    *("C:%5cx", "%00", "x" * 5000, ".", "..", "%2e%2e", "nan", "-1", "1e9", "9" * 40, "%0d%0aX:y"),
    *("<script>alert(1)</script>", "%ff%fe", "..;/x", "~root"),
]


INTERNALS = (b"Traceback", b"/work", b"site-packages", b"root:x:", b".pyenv")


URLS = ["http://127.0.0.1:{}/x", "http://[::1]:{}/x", "http://2130706433:{}/x", "//127.0.0.1:{}/x"]


def filled(rule: Rule, value: str) -> str:
    return re.sub(r"<(?:[^<>]*:)?\w+>", lambda _: value, str(rule))


def decent(answer: Any, what: object) -> None:
    """Not a defect, and nothing of the machine in it."""
    assert answer.status_code != 500, (what, answer.data[:300])
    assert not any(word in answer.data for word in INTERNALS), what
    assert "X" not in answer.headers


# Names


def test_hostile_names_on_every_route_that_takes_one(app: Dash, client: FlaskClient) -> None:
    taking = [rule for rule in app.server.url_map.iter_rules() if rule.arguments]
    assert len(taking) > 20
    secret = held_secret(app)
    for rule in taking:
        for name in NAMES:
            for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT"}):
                body = {"json": {}} if method != "GET" else {}
                answer = client.open(filled(rule, name), method=method, **body)
                decent(answer, (rule, name))
                assert secret not in answer.data, (rule, name)


def held_secret(app: Dash) -> bytes:
    """A canary outside every folder that may be served, but beside them."""
    services: Services = app.server.config["loupe"]
    canary = b"canary-of-the-state-folder"
    (services.settings.state_dir / "secret.txt").write_bytes(canary)
    for folder in ("results", "media"):
        link = services.settings.state_dir / folder / "link.txt"
        link.symlink_to(services.settings.state_dir / "secret.txt")
    return canary


def test_hostile_queries_on_every_route(app: Dash, client: FlaskClient) -> None:
    """Every parameter that a route reads by name, with every hostile value."""
    read = re.compile(
        r"""\w\(\s*"([a-z_0-9]{1,16})"[,)]|\("([a-z_]+)", "([a-z_0-9]+)", "([a-z_0-9]+)"\)"""
    )
    sources = [path.read_text("utf-8") for path in (PROJECT / "components").glob("*.py")]
    names = {name for source in sources for found in read.findall(source) for name in found if name}
    assert {"row", "arrays", "u16", "set", "as", "limit", "image", "task"} <= names
    rules = [str(r) for r in app.server.url_map.iter_rules() if "GET" in (r.methods or ())]
    plain = [rule for rule in rules if rule.startswith("/_") and "<" not in rule]
    assert len(plain) > 20
    for rule in plain:
        for value in ("../x", "-1", "1e309", "nan", "%00", "9" * 30, "<b>", "a" * 300):
            query = "&".join(f"{name}={value}" for name in sorted(names))
            decent(client.get(f"{rule}?{query}"), (rule, value))


def test_hostile_bodies_on_every_route(app: Dash, client: FlaskClient) -> None:
    deep: Any = "[" * 900 + "]" * 900
    bodies = [
        b"{",
        b"[]",
        b"null",
        b'{"a": NaN}',
        b"\xff\xfe",
        deep.encode(),
        b'{"set": {"a": []}}',
    ]
    bodies += [b'{"name": ["x"], "as": 3, "answers": "x", "rows": -1, "state": [], "seeds": 1e9}']
    for rule in app.server.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"POST", "PUT", "DELETE"}):
            for body in bodies:
                for kind in ("application/json", "text/plain", "multipart/form-data"):
                    answer = client.open(
                        filled(rule, "1"), method=method, data=body, content_type=kind
                    )
                    decent(answer, (rule, body[:40], kind))


def test_no_address_is_fetched(app: Dash, client: FlaskClient, tmp_path: Path) -> None:
    """Whatever is asked with an address in it, nobody calls there."""
    called: list[object] = []
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.settimeout(0.3)
        port = trap.getsockname()[1]
        for url in (template.format(port) for template in URLS):
            for path in ("/_zoom/info", "/_zoom/view/x.jpg", "/_insights/content", "/_crayon/next"):
                client.get(path, query_string={"image": url, "key": url, "set": url, "url": url})
            for path in ("/_library/model", "/_library/preview", "/_zoom/prepare", "/_crayon/sets"):
                client.post(path, json={"path": url, "key": url, "image": url, "source": url})
        with contextlib.suppress(TimeoutError):
            called.append(trap.accept())
    assert called == []


def imported(node: ast.AST) -> set[str]:
    """Names of modules that a statement imports, members of packages too."""
    if isinstance(node, ast.Import):
        return {one.name for one in node.names}
    if isinstance(node, ast.ImportFrom):
        return {node.module or "", *(f"{node.module}.{one.name}" for one in node.names)}
    return set()


def test_only_the_login_at_an_issuer_can_ask_the_network() -> None:
    clients = {"requests", "urllib3", "httpx", "aiohttp", "http.client", "urllib.request", "ftplib"}
    # For notebooks and the command line: they ask this machine, and nothing of the app uses them.
    clients |= {"backend.client", "backend.cli_render"}
    may = {"login_oidc.py", "client.py", "cli_render.py", "__main__.py"}
    for layer in ("backend", "components", "pages", "models"):
        for path in (PROJECT / layer).rglob("*.py"):
            asked = set().union(*map(imported, ast.walk(ast.parse(path.read_text("utf-8")))))
            assert not clients & asked or path.name in may, path


# What is said


def test_no_secret_of_the_settings_reaches_a_browser_or_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    env = {"LOUPE_STATE_DIR": str(tmp_path), "LOUPE_METRICS_TOKEN": "canary-a"}
    env |= {"LOUPE_REDIS_URL": "redis://:canary-b@127.0.0.1:9/0"}
    with caplog.at_level(logging.DEBUG):
        services = create_services(Settings.from_env(env), WORKS)
        made = bound(create_app(services.settings, services)).server.test_client()
        services.small.get("x")
        told = [
            made.get(path).get_data(as_text=True)
            for path in ("/", "/_dash-layout", "/_dash-dependencies", "/_jobs", "/readyz", "/nope")
        ]
        services.close()
    assert not any("canary" in text for text in told)
    assert "canary-a" not in caplog.text
    assert "canary-b" not in caplog.text


def test_nothing_for_developers_is_served(client: FlaskClient) -> None:
    for path in ("/_mcp", "/console", "/_reload-hash?x", "/_alive_1"):
        answer = client.get(path)
        assert b"werkzeug" not in answer.data.lower()
        assert answer.status_code in (200, 404)
    assert client.post("/_mcp", json={}).status_code in (404, 405)
    text = (PROJECT / "components" / "serve.py").read_text()
    assert "debug" not in text.lower()


def test_known_holes_are_pinned_away() -> None:
    assert all(one.is_good for one in doctor.packages())
    installed = {(one.metadata["Name"] or "").lower() for one in distributions()}
    assert not installed & set(doctor.NEVER)
    pins = (PROJECT / "requirements.txt").read_text()
    for name in doctor.SAFE:
        found = re.search(rf"^{name}==([\d.]+)", pins, re.MULTILINE | re.IGNORECASE)
        if found:
            least, _ = doctor.SAFE[name]
            assert tuple(map(int, found[1].split("."))) >= least


def test_a_package_with_a_hole_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version", lambda name: "3.1.2" if name == "flask" else "99.0")
    assert [one.name for one in doctor.packages() if not one.is_good][:1] == ["package flask"]


def test_nothing_listens_but_the_server_itself(held: Services) -> None:
    """Workers talk through pipes: no port that somebody else could reach."""
    held.jobs.call("test.echo", {}, timeout_s=30)
    pid = held.jobs.standing()["model"].pid
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = link.readlink().name
        except OSError:
            continue
        inodes |= set(re.findall(r"socket:\[(\d+)\]", str(target)))
    listening = "0A"  # TCP_LISTEN
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            assert not (columns[3] == listening and columns[9] in inodes)
