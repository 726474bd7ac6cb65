"""Running an installation: checks, backups that come back, steps up and down, metrics, logs."""

from __future__ import annotations

import logging
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import orjson
import pytest
from dash import Dash
from sqlalchemy import inspect, text

from app import create_app
from backend import backup, doctor, logs, migrations
from backend.__main__ import main
from backend.crayon.answers import Answer, AnswerStore, Scope
from backend.database import make_tables, open_engine
from backend.errors import BadRequest
from backend.registry import store
from backend.settings import Settings
from backend.team.people import People
from backend.team.team import Team
from components.observe import HEADER
from components.runtime import Services, create_services
from tests.bound import bound
from tests.fake_work import WORKS
from tests.postgres import emptied, server
from tests.team_app import CHEAP, PASSWORD

SCOPE = Scope("birds", "ab")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with server() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'loupe.db'}"
    return emptied(request.getfixturevalue("postgres"))


def answer(number: int) -> Answer:
    return Answer("c", number, "birds", "ab", "map", number, "anna", "yes", reason="=1;\n'\"é")


# Steps


def test_steps_go_up_and_down_and_up_and_keep_the_answers(url: str) -> None:
    engine = open_engine(url)
    make_tables(engine)
    assert migrations.present(engine) is None
    migrations.upgrade(engine, "a0001")
    AnswerStore(engine).add([answer(n) for n in range(5)])
    migrations.upgrade(engine, "a0004")
    assert migrations.present(engine) == "a0004"
    People(engine, CHEAP).add("ann", "viewer", PASSWORD)
    migrations.downgrade(engine, "a0003")
    assert "team_users" not in inspect(engine).get_table_names()
    assert len(AnswerStore(engine).current(SCOPE)) == 5
    with pytest.raises(BadRequest, match="never deleted"):
        migrations.downgrade(engine, "base")
    assert len(AnswerStore(engine).current(SCOPE)) == 5
    migrations.upgrade(engine)
    assert migrations.present(engine) == migrations.newest()
    assert People(engine, CHEAP).everyone() == []
    engine.dispose()


# Backups


def installation(folder: Path, url: str = "") -> Settings:
    return Settings.from_env({"LOUPE_STATE_DIR": str(folder), "LOUPE_DATABASE_URL": url})


def filled(settings: Settings) -> None:
    services = create_services(settings, WORKS)
    services.answers.add([answer(n) for n in range(20)])
    team = Team.of(services.engine, CHEAP)
    team.people.add("ann", "analyst", PASSWORD)
    team.audit.add("ann", "login")
    services.links.put("/nero", '{"angle": 3}')
    (settings.state_dir / "zoom" / "models").mkdir(parents=True)
    (settings.state_dir / "zoom" / "models" / "mine.safetensors").write_bytes(b"weights" * 999)
    services.close()


@pytest.mark.parametrize("way", ["sqlite", "to postgresql", "from postgresql"])
def test_a_backup_comes_back_whole(
    request: pytest.FixtureRequest, tmp_path: Path, way: str
) -> None:
    url = emptied(request.getfixturevalue("postgres")) if way != "sqlite" else ""
    source = installation(tmp_path / "a", url if way == "from postgresql" else "")
    filled(source)
    file = tmp_path / "backup.tar.gz"
    engine = open_engine(source.database_url)
    assert backup.write(source, engine, file) > 5
    assert file.stat().st_mode & 0o077 == 0
    before = AnswerStore(engine).everything()
    engine.dispose()

    target = installation(tmp_path / "b", url if way == "to postgresql" else "")
    again = open_engine(target.database_url)
    backup.read(target, again, file)
    assert AnswerStore(again).everything() == before
    assert People(again, CHEAP).checked("ann", PASSWORD) is not None
    AnswerStore(again).add([answer(100)])  # numbers go on after those that came back
    People(again, CHEAP).add("new", "viewer", PASSWORD)
    assert (target.state_dir / "zoom/models/mine.safetensors").read_bytes() == b"weights" * 999
    with pytest.raises(BadRequest, match="restored into an empty place"):
        backup.read(target, again, file)
    again.dispose()
    services = create_services(target, WORKS)
    assert services.links.engine is services.engine
    assert services.jobs.recent() == []
    services.close()


def test_a_backup_is_taken_while_the_app_runs_and_not_restored_under_it(tmp_path: Path) -> None:
    settings = installation(tmp_path / "a")
    services = create_services(settings, WORKS)
    services.answers.add([answer(1)])
    file = tmp_path / "backup.tar.gz"
    backup.write(settings, services.engine, file)
    other = installation(tmp_path / "b")
    running = create_services(other, WORKS)
    with pytest.raises(BadRequest, match="Loupe runs on this state folder"):
        backup.read(other, running.engine, file)
    running.close()
    services.close()


def test_a_damaged_or_foreign_file_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    settings = installation(tmp_path / "a")
    filled(settings)
    file = tmp_path / "backup.tar.gz"
    engine = open_engine(settings.database_url)
    backup.write(settings, engine, file)
    engine.dispose()
    data = file.read_bytes()
    hostile = tmp_path / "hostile.tar.gz"
    with tarfile.open(hostile, "w:gz") as archive:
        info = tarfile.TarInfo("state/../../evil")
        archive.addfile(info, BytesIO(b""))
    link = tmp_path / "link.tar.gz"
    with tarfile.open(link, "w:gz") as archive:
        info = tarfile.TarInfo("state/x")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    (tmp_path / "half.tar.gz").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.tar.gz").write_text("hello")
    target = installation(tmp_path / "b")
    empty = open_engine(target.database_url)
    for name in ("half", "text", "hostile", "link", "missing"):
        with pytest.raises(BadRequest):
            backup.read(target, empty, tmp_path / f"{name}.tar.gz")
    assert not (tmp_path / "evil").exists()
    assert inspect(empty).get_table_names() == []
    empty.dispose()


def test_backups_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(installation(tmp_path / "a"))
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "a"))
    assert main(["backup", str(tmp_path / "b.tar.gz"), "--small"]) == 0
    assert main(["restore", str(tmp_path / "b.tar.gz")]) == 2  # it is not empty
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "b"))
    assert main(["restore", str(tmp_path / "b.tar.gz")]) == 0
    assert main(["users", "list"]) == 0
    assert "ann\tanalyst" in capsys.readouterr().out


def test_users_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path))

    def run(*arguments: str, typed: str = "") -> int:
        monkeypatch.setattr("sys.stdin", BytesIOText(typed))
        return main(["users", *arguments])

    assert run("add", "ann", "--role", "admin", typed=f"{PASSWORD}\n") == 0
    assert run("add", "ann", typed=f"{PASSWORD}\n") == 2
    assert run("add", "bob", "--role", "king", typed=f"{PASSWORD}\n") == 2
    assert run("add", "bob", "--no-password", "--role", "annotator") == 0
    assert run("passwd", "bob", typed="short\n") == 2
    assert run("role", "bob", "viewer") == 0
    assert run("disable", "bob") == 0
    assert run("disable", "ann") == 2  # the last admin
    assert run("list") == 0
    out, err = capsys.readouterr()
    assert out == "ann\tadmin\tall sets\nbob\tviewer (disabled)\tall sets\n"
    assert f"{PASSWORD}\n" not in err
    team = Team.of(open_engine(Settings.from_env().database_url), CHEAP)
    assert team.audit.newest()[0]["action"] == "user disabled"
    team.people.engine.dispose()


class BytesIOText:
    """Standard input that is a pipe."""

    def __init__(self, typed: str) -> None:
        self._typed = typed

    def isatty(self) -> bool:
        return False

    def readline(self) -> str:
        return self._typed


# The doctor


def test_the_doctor_is_content_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path))
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert len(lines) >= 12


def test_the_doctor_names_what_is_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE", 10**18)
    monkeypatch.setattr(doctor, "NEVER", {"numpy": "an example"})
    monkeypatch.setattr(doctor, "SAFE", {"torch": ((99, 0), "an example")})
    monkeypatch.setattr("backend.doctor.load_cards", dict)
    for name, value in (("STATE_DIR", str(tmp_path)), ("AUTH", "password")):
        monkeypatch.setenv(f"LOUPE_{name}", value)
    engine = open_engine(Settings.from_env().database_url)
    migrations.upgrade(engine)
    engine.dispose()
    monkeypatch.setenv("LOUPE_REDIS_URL", "redis://127.0.0.1:9/0")
    assert main(["doctor"]) == 2
    out, err = capsys.readouterr()
    for name in ("disk", "package numpy", "package torch", "team", "small cache"):
        assert f"BAD  {name}:" in out, name
        assert name in err
    assert "Traceback" not in out + err


def test_settings_that_are_refused_are_one_sentence_for_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parts of the command line list what is registered, so they read the settings too."""
    store.use(None)
    monkeypatch.setenv("HOST", "0.0.0.0")
    for command in (["doctor"], ["users", "list"], ["models", "list"]):
        assert main(command) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1, told
        assert "no login is set up" in told


# Health, metrics, logs


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    env = {"LOUPE_STATE_DIR": str(tmp_path_factory.mktemp("state")), "LOUPE_LOG_FORMAT": "json"}
    services = create_services(Settings.from_env(env), WORKS)
    yield services
    services.close()


@pytest.fixture(scope="module")
def app(held: Services) -> Dash:
    return bound(create_app(held.settings, held))


def test_ready_says_what_is_not(app: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    client = app.server.test_client()
    assert client.get("/readyz").get_json() == {"ready": True, "failing": []}
    monkeypatch.setattr(doctor, "LEAST_FREE", 10**18)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {"ready": False, "failing": ["disk"]}


def value_of(told: str, name: str) -> float:
    """The value of one line of ``/metrics``; 0 where nothing was counted yet."""
    values = [line.split()[-1] for line in told.splitlines() if line.startswith(name)]
    return float(values[0]) if values else 0.0


def test_metrics_count_requests_callbacks_queue_memory_and_disk(app: Dash, held: Services) -> None:
    client = app.server.test_client()
    counted = (
        'loupe_requests_total{method="GET",route="/_jobs",status="200"}',
        'loupe_requests_total{method="GET",route="/_data/<path:key>",status="404"}',
    )
    before = client.get("/metrics").text  # other tests ask the same app, in any order
    client.get("/_jobs")
    client.get("/_data/nothing")
    held.jobs.call("test.echo", {}, timeout_s=30)
    told = client.get("/metrics").text
    for name in counted:
        assert value_of(told, name) == value_of(before, name) + 1, name
    for line in (
        'loupe_jobs{lane="model",state="queued"} 0.0',
        "loupe_request_seconds_bucket",
        "loupe_web_process_resident_memory_bytes",
        'loupe_disk_bytes{what="free"}',
    ):
        assert line in told, line
    assert value_of(told, 'loupe_worker_resident_bytes{lane="model"}') > 1e7
    assert "nothing" not in told  # names from outside never become labels


def test_metrics_are_for_this_machine_or_the_token(app: Dash, tmp_path: Path) -> None:
    client = app.server.test_client()
    elsewhere = {"environ_base": {"REMOTE_ADDR": "10.1.1.1"}}
    assert client.get("/metrics", **elsewhere).status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 404
    env = {"LOUPE_STATE_DIR": str(tmp_path), "LOUPE_METRICS_TOKEN": "canary-token"}
    services = create_services(Settings.from_env(env), WORKS)
    other = bound(create_app(services.settings, services)).server.test_client()
    assert other.get("/metrics").status_code == 404
    given = {"Authorization": "Bearer canary-token"}
    assert other.get("/metrics", headers=given, **elsewhere).status_code == 200
    services.close()


def test_every_answer_has_an_id_that_the_log_has_too(
    app: Dash, caplog: pytest.LogCaptureFixture
) -> None:
    client = app.server.test_client()
    with caplog.at_level(logging.INFO, "loupe.request"):
        mine = client.get("/_jobs?secret=canary", headers={HEADER: "abc-12345"})
        made = client.get("/nope/canary", headers={HEADER: "<script>"})
    assert mine.headers[HEADER] == "abc-12345"
    assert len(made.headers[HEADER]) == 16
    lines = [orjson.loads(logs.JsonLines("web").format(one)) for one in caplog.records]
    assert [one["route"] for one in lines] == ["/_jobs", "/<path:path>"]
    assert lines[0]["status"] == 200
    assert lines[1]["request"] == made.headers[HEADER]
    assert "canary" not in str(lines)  # no queries and no paths


def test_a_trace_is_one_line_of_json() -> None:
    try:
        raise RuntimeError("inside")
    except RuntimeError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "ref %s", ("1",), None)
        record.exc_info = (type(error), error, error.__traceback__)
    line = logs.JsonLines("model").format(record)
    assert "\n" not in line
    told = orjson.loads(line)
    assert told["message"] == "ref 1"
    assert "RuntimeError: inside" in told["trace"]


def test_database_that_goes_away_and_comes_back(postgres: str, tmp_path: Path) -> None:
    """Connections that the server has closed are found dead and made anew."""
    settings = installation(tmp_path, emptied(postgres))
    services = create_services(settings, WORKS)
    try:
        services.answers.add([answer(1)])
        other = open_engine(postgres)
        with other.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            )
        other.dispose()
        services.answers.add([answer(2)])
        assert len(services.answers.current(SCOPE)) == 2
    finally:
        services.close()
