"""What is different with PostgreSQL: two servers at once, its refusals, and the app around it."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import asdict

import pytest
from sqlalchemy import inspect

from backend import migrations
from backend.crayon import exchange
from backend.crayon.answers import Answer, AnswerStore, Scope
from backend.database import open_engine
from backend.errors import BadRequest, StorageFull
from backend.settings import PROJECT, Settings
from components.runtime import create_services
from tests.fake_work import WORKS
from tests.postgres import emptied, server

SCOPE = Scope("birds", "ab")


@pytest.fixture(scope="module")
def url():
    with server() as found:
        yield found


def answer(number, item, who="anna", **more):
    return Answer(f"c-{who}", number, "birds", "ab", "map", item, who, "yes", **more)


def at_once(count, work):
    failures = []
    start = threading.Barrier(count)

    def run(number):
        start.wait()
        try:
            work(number)
        except (BadRequest, StorageFull) as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=[i]) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


START = """
import sys
from backend import migrations
from backend.database import make_tables, open_engine
from backend.history import History
engine = open_engine(sys.argv[1])
sys.stdin.readline()
make_tables(engine)
migrations.upgrade(engine)
"""


def test_servers_that_start_at_the_same_moment_make_the_tables_once(url):
    emptied(url)
    command = [sys.executable, "-c", START, url]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, cwd=PROJECT) for _ in range(3)]
    for process in started:
        process.communicate(b"go\n", timeout=60)
    assert [process.returncode for process in started] == [0, 0, 0]
    engine = open_engine(url)
    names = set(inspect(engine).get_table_names())
    assert {"crayon_answers", "jobs", "alembic_version"} <= names
    engine.dispose()


def test_one_answer_sent_by_several_threads_is_stored_once(url):
    engine = open_engine(emptied(url))
    migrations.upgrade(engine)
    store = AnswerStore(engine)
    numbers = []

    def send(_number):
        numbers.append(tuple(store.add([answer(1, 5), answer(2, 6)])))

    assert at_once(6, send) == []
    assert len(set(numbers)) == 1
    assert [a.item_id for a in store.everything()] == [5, 6]
    with pytest.raises(BadRequest, match="NUL"):
        store.add([answer(3, 7, reason="a\0b")])
    engine.dispose()


def test_answers_move_from_one_database_to_the_other(url, tmp_path):
    small = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    large = open_engine(emptied(url))
    for engine in (small, large):
        migrations.upgrade(engine)
    here, there = AnswerStore(small), AnswerStore(large)
    here.add([answer(i, i % 7, ms=i, answered_at=1.7e9 + i / 7, reason="ä'=") for i in range(40)])
    here.undo(SCOPE, "anna", "c-anna", 99)
    text = exchange.to_csv(here.everything())
    assert exchange.add(there, exchange.read(text, "csv")) == 41
    assert [told(a) for a in there.everything()] == [told(a) for a in here.everything()]
    assert [told(a) for a in there.current(SCOPE)] == [told(a) for a in here.current(SCOPE)]
    for engine in (small, large):
        engine.dispose()


def told(one):
    return {name: v for name, v in asdict(one).items() if name not in ("id", "undoes")}


def test_the_app_runs_on_it(url, tmp_path):
    env = {"LOUPE_STATE_DIR": str(tmp_path / "state"), "LOUPE_DATABASE_URL": emptied(url)}
    services = create_services(Settings.from_env(env), WORKS)
    link = services.links.put("/crayon", '{"set": "birds"}')
    assert services.links.get(link).state == '{"set": "birds"}'
    assert services.jobs.recent() == []
    services.answers.add([answer(1, 5)])
    assert services.answers.counts()[0]["rows"] == 1
    services.close()
    assert not (tmp_path / "state" / "loupe.db").exists()


def test_a_server_that_is_gone_is_a_sentence():
    engine = open_engine("postgresql://u:secret@/x?host=/nowhere")
    with pytest.raises(StorageFull, match="does not answer") as caught:
        AnswerStore(engine).add([answer(1, 5)])
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"
    engine.dispose()
