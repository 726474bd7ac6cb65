"""Answers are precious: durable, once, in order, superseded and never deleted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text

from backend import migrations
from backend.crayon import exchange
from backend.crayon.answers import Answer, AnswerStore, Scope
from backend.database import open_engine
from backend.errors import BadRequest, NotFound, StorageFull
from backend.settings import PROJECT
from tests.postgres import emptied, server

SCOPE = Scope("birds", "ab")
ROUNDS = (
    {"sqlite": 50, "postgresql": 10}
    if os.environ.get("LOUPE_SOAK")
    else {"sqlite": 14, "postgresql": 4}
)
"""Processes killed: all of them with ``make soak``; else so many that each moment comes twice."""


def answer(number, item, value="yes", who="anna", **more):
    values = {"client": f"c-{who}", "sequence": number, "item_set": "birds", "model": "ab"}
    return Answer(
        **values | {"kind": "map", "item_id": item, "annotator": who} | more, answer=value
    )


@cache
def migrated():
    """An empty database after every step, as bytes: the steps take longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        engine = open_engine(f"sqlite:///{path}")
        migrations.upgrade(engine)
        engine.dispose()  # its log goes into the file
        return path.read_bytes()


def opened(folder, name="a.db"):
    (folder / name).write_bytes(migrated())
    return AnswerStore(open_engine(f"sqlite:///{folder / name}"))


@pytest.fixture(scope="module")
def postgres():
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    if request.param == "sqlite":
        made = opened(tmp_path)
    else:
        engine = open_engine(emptied(request.getfixturevalue("postgres")))
        migrations.upgrade(engine)
        made = AnswerStore(engine)
    yield made
    made.engine.dispose()


def told(answers):
    return [(a.item_id, a.annotator, a.answer) for a in answers]


def test_the_written_steps_make_the_table_of_the_code(store):
    from backend.crayon.answers import TABLE

    made = {c["name"] for c in inspect(store.engine).get_columns("crayon_answers")}
    assert made == set(TABLE.columns.keys())
    migrations.upgrade(store.engine)  # a second start changes nothing


def test_a_database_of_a_newer_version_is_refused(store):
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'z9999'"))
    with pytest.raises(BadRequest, match="newer version"):
        migrations.upgrade(store.engine)


def test_answers_are_read_back_whole(store):
    sent = answer(
        1, 5, "skip", reason="unclear", ms=812, answered_at=1.7e9, item_hash="0f", map_hash="a1"
    )
    (number,) = store.add([sent])
    assert store.current(SCOPE) == [replace(sent, id=number)]
    assert store.current(Scope("birds", "cd")) == []


def test_sending_again_makes_no_double_and_keeps_the_order(store):
    first = store.add([answer(1, 5), answer(2, 6)])
    again = store.add([answer(1, 5), answer(2, 6), answer(3, 7, "no")])
    assert again[:2] == first
    assert told(store.everything()) == [
        (5, "anna", "yes"),
        (6, "anna", "yes"),
        (7, "anna", "no"),
    ]


def test_another_answer_under_a_used_number_is_refused_and_nothing_is_stored(store):
    store.add([answer(1, 5)])
    with pytest.raises(BadRequest, match="number 1"):
        store.add([answer(2, 6), answer(1, 5, "no")])
    assert told(store.everything()) == [(5, "anna", "yes")]


def test_a_later_answer_supersedes_and_both_stay(store):
    store.add([answer(1, 5), answer(2, 5, "no")])
    assert told(store.current(SCOPE)) == [(5, "anna", "no")]
    assert len(store.everything()) == 2


def test_undo_goes_back_without_limit(store):
    store.add([answer(1, 5), answer(2, 6), answer(3, 5, "no")])
    assert store.undo(SCOPE, "anna", "c-anna", 4).answer == "no"
    assert told(store.current(SCOPE)) == [(5, "anna", "yes"), (6, "anna", "yes")]
    assert store.undo(SCOPE, "anna", "c-anna", 4).answer == "no"  # the same request again
    assert store.undo(SCOPE, "anna", "c-anna", 5).item_id == 6
    assert store.undo(SCOPE, "anna", "c-anna", 6).item_id == 5
    assert store.current(SCOPE) == []
    assert store.undo(SCOPE, "anna", "c-anna", 7) is None
    assert len(store.everything()) == 6
    store.add([answer(8, 6, "no")])
    assert told(store.current(SCOPE)) == [(6, "anna", "no")]


def test_undo_is_the_annotators_own(store):
    store.add([answer(1, 5), answer(1, 5, "no", "ben")])
    store.undo(SCOPE, "anna", "c-anna", 2)
    assert told(store.current(SCOPE)) == [(5, "ben", "no")]
    with pytest.raises(BadRequest, match="number 1"):
        store.undo(SCOPE, "ben", "c-ben", 1)


def test_what_the_queue_reads_is_what_stands(store):
    adjudicated = replace(answer(9, 5, "no"), source="adjudicated", client="c-judge")
    store.add([answer(1, 5), answer(2, 5, "no"), answer(3, 6), answer(1, 5, "maybe", "ben")])
    store.add([adjudicated, answer(4, 7)])
    store.undo(SCOPE, "anna", "c-anna", 5)
    for scope in (SCOPE, replace(SCOPE, kind="patch")):
        stands = {(a.item_id, a.annotator, a.answer, a.source) for a in store.current(scope)}
        found = store.given(scope)
        assert {tuple(one) for one in found} == stands
        assert len(found) == len(stands)
    assert len(store.given(SCOPE)) == 4


def test_the_last_ten_newest_first(store):
    store.add([answer(i, i) for i in range(15)])
    assert [a.item_id for a in store.recent(SCOPE, "anna")] == list(range(14, 4, -1))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("answer", "perhaps"),
        ("annotator", "=cmd()"),
        ("annotator", ""),
        ("item_set", "../x"),
        ("model", "zz"),
        ("kind", "pixel"),
        ("source", "robot"),
        ("item_id", -1),
        ("item_id", True),
        ("ms", 1.5),
        ("answered_at", float("nan")),
        ("reason", "x" * 201),
        ("client", "a b"),
    ],
)
def test_bad_values_are_sentences(store, field, value):
    with pytest.raises(BadRequest):
        store.add([replace(answer(1, 5), **{field: value})])
    assert store.everything() == []


def test_two_annotators_at_the_same_instant(store):
    names = [f"p{i}" for i in range(8)]
    start = threading.Barrier(len(names))

    def work(who):
        start.wait()
        for number in range(5):
            store.add([answer(number, number, "yes", who)])

    threads = [threading.Thread(target=work, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.current(SCOPE)) == 40


def test_transferred_answers_are_marked_and_patch_answers_refused(store):
    store.add([answer(1, 5), answer(2, 3, kind="patch")])
    rows, is_transferred = store.for_model(SCOPE, "ab")
    assert (rows[0]["transferred"], is_transferred) == (False, False)
    rows, is_transferred = store.for_model(SCOPE, "cd")
    assert (rows[0]["transferred"], is_transferred) == (True, True)
    assert store.for_model(Scope("birds", "ab", "patch"), "ab")[0][0]["item_id"] == 3
    with pytest.raises(BadRequest, match="another model"):
        store.for_model(Scope("birds", "ab", "patch"), "cd")
    with pytest.raises(NotFound, match="no answers"):
        store.for_model(SCOPE, "ab", source="simulated")


def test_a_full_disk_loses_nothing_and_says_so(tmp_path):
    store = opened(tmp_path)
    store.add([answer(1, 5)])
    with store.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count={pages}"))
    reasons = "r" * 200
    with pytest.raises(StorageFull, match="was not stored"):
        store.add([answer(i, i, reason=reasons) for i in range(2, 400)])
    assert told(store.current(SCOPE)) == [(5, "anna", "yes")]
    store.engine.dispose()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=30, deadline=None)
@example(reasons=["\r", "\n", "\r\n", "\x00", "'=1"], at=0.1)
@given(reasons=st.lists(texts, min_size=1, max_size=5), at=st.floats(0, 2e9))
def test_files_hold_everything(tmp_path_factory, reasons, at):
    folder = tmp_path_factory.mktemp("files")
    store, other, third = (opened(folder, f"{name}.db") for name in "abc")
    store.add([answer(i, i, "skip", reason=r, answered_at=at) for i, r in enumerate(reasons)])
    store.undo(SCOPE, "anna", "c-anna", 99)
    held = store.everything()
    assert exchange.read(exchange.to_jsonl(held), "jsonl") == held
    assert exchange.read(exchange.to_csv(held), "csv") == held
    assert exchange.add(other, exchange.read(exchange.to_csv(held), "csv")) == len(held)
    assert exchange.add(other, held) == 0
    assert other.everything() == held
    third.add([answer(0, 9, who="ben")])
    exchange.add(third, held)
    assert told(third.current(SCOPE, "anna")) == told(store.current(SCOPE))
    for made in (store, other, third):
        made.engine.dispose()


def test_no_cell_is_a_formula():
    written = exchange.to_csv([answer(1, 5, "skip", reason="=1+1")])
    assert ",'=1+1," in written


@pytest.mark.parametrize(
    ("body", "suffix", "sentence"),
    [
        ("client,colour\n1,red\n", "csv", "no column 'sequence'"),
        (exchange.to_csv([answer(1, 5)]).replace("reason", "colour"), "csv", "column 'colour'"),
        (exchange.to_csv([answer(1, 5)]).replace(",5,", ",five,"), "csv", "column item_id"),
        ('{"client": "a"}\n', "jsonl", "no column 'sequence'"),
        ("[1]\n", "jsonl", "Line 1 is not a JSON object"),
        ("{\n", "jsonl", "Line 1 is not JSON"),
        ("", "xlsx", "cannot be read"),
    ],
)
def test_a_wrong_file_is_a_sentence(body, suffix, sentence):
    with pytest.raises(BadRequest, match=sentence):
        exchange.read(body, suffix)


@pytest.mark.parametrize("body", ["{}", "[]", '["yes", "perhaps"]', "no json"])
def test_a_wrong_published_file_is_a_sentence(tmp_path, body):
    (tmp_path / "a.json").write_text(body)
    with pytest.raises(BadRequest):
        exchange.read_published(tmp_path / "a.json")


@pytest.mark.parametrize(("store", "rounds"), ROUNDS.items(), indirect=["store"])
def test_killed_at_any_moment_no_acknowledged_answer_is_lost(store, rounds):
    """A process is killed while it stores; what it had acknowledged is there."""
    lost = acknowledged = 0
    url = store.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.crayon_killed", url]
    env = os.environ | {"PYTHONPATH": str(PROJECT)}
    running = []
    for i in range(rounds):
        process = subprocess.Popen(
            [*command, f"c{i}"], stdout=subprocess.PIPE, env=env, cwd=PROJECT
        )
        running.append((f"c{i}", process))
        if len(running) == 2 or i == rounds - 1:
            for client, one in running:
                heard = [one.stdout.readline() for _ in range(1 + i % 7)]
                os.kill(one.pid, signal.SIGKILL)
                heard += one.stdout.read().splitlines(keepends=True)
                one.wait()
                one.stdout.close()
                numbers = {int(line) for line in heard if line.endswith(b"\n")}
                held = {a.sequence for a in store.everything() if a.client == client}
                lost += len(numbers - held)
                acknowledged += len(numbers)
            running = []
    assert acknowledged >= rounds
    assert lost == 0
