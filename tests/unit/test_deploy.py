"""What ``deploy/`` ships: a real nginx in front of the app, and files that name what exists."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from backend import migrations
from backend.database import make_tables, open_engine
from backend.settings import PROJECT, TABLE
from backend.team.team import Team
from tests.team_app import CHEAP, PASSWORD
from tests.unit.test_serve import free_port, served
from tests.waiting import until

DEPLOY = PROJECT / "deploy"
NAME = "loupe.test"
MAIN = """daemon off; pid {here}/nginx.pid; error_log {here}/error.log; worker_processes 1;
events {{}}
http {{ access_log off; {temporary} include {here}/site.conf; }}
"""


def site(here: Path, ports: tuple[int, int], app: str) -> Path:
    """The shipped configuration with the ports, the app and the certificate of this test."""
    text = (DEPLOY / "nginx.conf").read_text()
    places = {"/etc/nginx/tls": str(here), "loupe:8050;": f"{app};"}
    places |= {"listen 80;": f"listen {ports[0]};", "listen 443 ": f"listen {ports[1]} "}
    for old, new in places.items():
        assert old in text
        text = text.replace(old, new)
    (here / "site.conf").write_text(text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {here}/{kind};" for kind in kinds)
    (here / "nginx.conf").write_text(MAIN.format(here=here, temporary=temporary))
    return here / "nginx.conf"


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Ports of a running nginx with the shipped configuration, an app with a login behind it."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed (apt-get install nginx-light openssl)")
    here, state = tmp_path_factory.mktemp("nginx"), tmp_path_factory.mktemp("state")
    subject = ["-subj", f"/CN={NAME}", "-keyout", here / "key.pem", "-out", here / "cert.pem"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run(made, check=True, capture_output=True)
    engine = open_engine(f"sqlite:///{state / 'loupe.db'}")
    make_tables(engine)
    migrations.upgrade(engine)
    Team.of(engine, CHEAP).people.add("ann", "admin", PASSWORD)
    engine.dispose()
    env = {"LOUPE_AUTH": "password", "LOUPE_NAMES": NAME, "LOUPE_PROXIES": "127.0.0.1"}
    with served(state, **env) as (_, url):
        found = free_port(), free_port()
        main = site(here, found, url.removeprefix("http://"))
        subprocess.run([program, "-t", "-c", main], check=True, capture_output=True)
        with subprocess.Popen([program, "-c", main], stderr=subprocess.DEVNULL) as process:
            until(lambda: answers(found[1]))
            yield found
            process.terminate()


def ask(
    ports: tuple[int, int], path: str, body: Mapping[str, str] | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    """One request by https, its answer and the text of that."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    one = http.client.HTTPSConnection("127.0.0.1", ports[1], context=context, timeout=20)
    sent = {"Host": NAME, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body is not None:
        sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{NAME}"}
    one.request("POST" if body else "GET", path, urlencode(body) if body else None, sent)
    answer = one.getresponse()
    text = answer.read().decode("utf-8", "replace")
    one.close()
    return answer, text


def cookie(answer: http.client.HTTPResponse) -> str:
    found = answer.headers.get_all("Set-Cookie") or []
    assert all("Secure" in one and "HttpOnly" in one for one in found)
    return "; ".join(one.partition(";")[0] for one in found)


def test_people_log_in_through_nginx_by_https_only(ports: tuple[int, int]) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", ports[0], timeout=20)) as plain:
        plain.request("GET", "/nero", headers={"Host": NAME})
        moved = plain.getresponse()
        assert (moved.status, moved.headers["Location"]) == (301, f"https://{NAME}/nero")
        moved.read()
    page, text = ask(ports, "/login")
    form = re.search(r'name="form" value="([^"]+)"', text)
    assert form
    assert page.headers["Strict-Transport-Security"].startswith("max-age=")
    data = {"form": form[1], "name": "ann", "password": PASSWORD}
    entered, _ = ask(ports, "/login", data, Cookie=cookie(page))
    assert entered.status == 302
    held = cookie(entered)
    opened, text = ask(ports, "/nero", Cookie=held, X_Request_ID="abcdefgh-1")
    assert (opened.status, opened.headers["X-Request-ID"]) == (200, "abcdefgh-1")
    whole, text = ask(ports, "/_dash-layout", Cookie=held)
    assert whole.status == 200
    assert len(text) > 10_000


def test_nobody_enters_by_headers_and_metrics_stay_inside(ports: tuple[int, int]) -> None:
    forged, _ = ask(ports, "/nero", X_Forwarded_User="ann", X_Forwarded_For="127.0.0.1")
    assert forged.status == 302
    assert ask(ports, "/metrics")[0].status == 404
    other = ask(ports, "/login", Host="evil.example")[0]
    assert other.status in (400, 403, 421)


def test_nginx_speaks_http_2(ports: tuple[int, int]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    where = ["--resolve", f"{NAME}:{ports[1]}:127.0.0.1", f"https://{NAME}:{ports[1]}/healthz"]
    told = ["-w", "%{http_version} %{http_code}", "-o", "-"]
    asked = ["curl", "-sk", "--http2", *told, *where, "-H", f"Host: {NAME}"]
    found = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=20)
    assert found.stdout.endswith("2 200")


def test_compose_and_docker_files_name_what_exists() -> None:
    yaml = pytest.importorskip("yaml")
    held: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services, known = held["services"], {one.env for one in TABLE.values()}
    assert set(services["loupe"]["environment"]) <= known
    proxy = services["nginx"]["networks"]["inside"]["ipv4_address"]
    assert services["loupe"]["environment"]["LOUPE_PROXIES"] == proxy
    assert all(set(one.get("depends_on", [])) <= set(services) for one in services.values())
    assert (DEPLOY / services["nginx"]["volumes"][0].split(":")[0]).is_file()
    build = services["loupe"]["build"]
    docker = (DEPLOY / build["context"] / build["dockerfile"]).read_text()
    pins = dict(re.findall(r"(psycopg|redis)(?:\[binary\])?==([\d.]+)", docker))
    wanted = (PROJECT / "requirements-dev.txt").read_text().splitlines()
    assert {f"{name}=={version}" for name, version in pins.items()} <= set(wanted)
    named = set(re.findall(r"\b(LOUPE_\w+|HOST)=", docker))
    assert named <= known


def test_the_ray_file_starts_every_machine_from_the_same_place() -> None:
    yaml = pytest.importorskip("yaml")
    held = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text())
    assert held["min_workers"] == held["max_workers"] == len(held["provider"]["worker_ips"])
    starts = [held[f"{who}_start_ray_commands"][-1] for who in ("head", "worker")]
    assert all("PYTHONPATH=/app" in one for one in starts)
    assert held["provider"]["head_ip"] in starts[0]
