"""Drafts keep every version, on SQLite and PostgreSQL, and the database grows by written steps."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import inspect

from backend import migrations
from backend.database import open_engine
from backend.errors import BadRequest, NotFound
from backend.insights import changes, contents, drafts
from backend.insights.drafts import Draft, DraftStore
from tests.postgres import emptied, server

FIRST = Draft(
    "campaigns", "music-000-a", "Summer", {"fields": {"headline": "Enjoy"}}, predicted=0.08
)


@pytest.fixture
def store(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'loupe.db'}")
    migrations.upgrade(engine)
    yield DraftStore(engine)
    engine.dispose()


def check_life(store):
    """A draft from the first save to its end."""
    first = store.save(FIRST)
    assert (first.version, first.changes, first.name) == (1, FIRST.changes, "Summer")
    second = store.save(Draft("campaigns", FIRST.content, "Autumn", {}, draft=first.draft))
    assert (second.draft, second.version) == (first.draft, 2)
    other = store.save(FIRST)
    assert other.draft != first.draft
    assert [one.name for one in store.newest("campaigns")] == ["Summer", "Autumn"]
    assert store.newest("films") == []
    assert [one.version for one in store.versions(first.draft)] == [1, 2]
    assert store.get(first.draft, 1) == first
    assert store.get(first.draft) == second
    with pytest.raises(NotFound, match="no version 3"):
        store.get(first.draft, 3)
    store.delete(first.draft)
    assert [one.draft for one in store.newest("campaigns")] == [other.draft]
    for ask in (store.get, store.versions, store.delete):
        with pytest.raises(NotFound, match="no such draft"):
            ask(first.draft)
    with pytest.raises(NotFound):
        store.save(Draft("campaigns", "x", "Late", {}, draft=first.draft))
    with pytest.raises(NotFound, match="of this set"):
        store.save(Draft("films", "x", "Elsewhere", {}, draft=other.draft))


def test_a_draft_is_kept_with_all_its_versions(store):
    check_life(store)


def test_the_same_on_postgresql():
    with server() as url:
        engine = open_engine(emptied(url))
        migrations.upgrade(engine)
        check_life(DraftStore(engine))
        engine.dispose()


def test_what_is_saved_at_once_gets_numbers_of_its_own(store):
    held = store.save(FIRST)
    again = Draft("campaigns", FIRST.content, "Again", {}, draft=held.draft)
    errors: list[BaseException] = []

    def save():
        try:
            store.save(again)
        except BadRequest as error:  # told to save again
            errors.append(error)

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [one.version for one in store.versions(held.draft)]
    assert numbers == list(range(1, 6 - len(errors)))


@pytest.mark.parametrize(
    ("draft", "sentence"),
    [
        (Draft("../x", "a", "b"), "not the key of a set"),
        (Draft("campaigns", "", "b"), "content '' is not usable"),
        (Draft("campaigns", "a", " "), "name ' ' is not usable"),
        (Draft("campaigns", "a", "n" * 81), "is not usable"),
        (Draft("campaigns", "a", "b", predicted=1.5), "predicted=1.5"),
        (Draft("campaigns", "a", "b", predicted=float("nan")), "predicted=nan"),
        (Draft("campaigns", "a", "b", {"x": "y" * 200_000}), "too long"),
        (Draft("campaigns", "a", "b", {"x": float("inf")}), "not a JSON object"),
        (Draft("campaigns", "a", "b", {"x": "\0"}), "NUL"),
        (Draft("campaigns", "a", "b", draft="1' OR '1"), "not the id of a draft"),
    ],
)
def test_what_cannot_be_saved_is_a_sentence(store, draft, sentence):
    with pytest.raises(BadRequest, match=sentence):
        store.save(draft)
    assert store.newest("campaigns") == []


def test_a_database_with_answers_only_gains_the_drafts(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    migrations.upgrade(engine, "a0001")
    assert "insights_drafts" not in inspect(engine).get_table_names()
    migrations.upgrade(engine)
    migrations.upgrade(engine)
    found = inspect(engine)
    assert {"crayon_answers", "insights_drafts"} <= set(found.get_table_names())
    written = {column["name"] for column in found.get_columns("insights_drafts")}
    assert written == {column.name for column in drafts.TABLE.columns}
    engine.dispose()


def test_changes_are_what_a_content_of_the_set_can_take():
    held = contents.load("campaigns")
    said = {
        "fields": {"headline": " Enjoy\nfree delivery "},
        "features": {"device": "mobile", "headline words": "3", "ribbon": None},
        "domain": 2,
        "edits": [{"op": "blank", "box": [0, 0, 0.5, 0.5]}],
    }
    made = changes.checked(held, said)
    assert made.parts(held, 4) == ("Enjoy free delivery", *held.parts[4][1:])
    assert made.features == {"device": "mobile", "headline words": 3.0, "ribbon": None}
    assert changes.checked(held, made.told()) == made
    assert changes.checked(held, None).told() == {"fields": {}, "features": {}, "edits": []}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ([], "draft is not usable"),
        ({"colour": 1}, "draft is not usable"),
        ({"fields": {"lede": "x"}}, "no text 'lede'"),
        ({"fields": {"headline": 5}}, "no text 'headline'"),
        ({"fields": {"headline": "word " * 10_000}}, "10,000 words"),
        ({"features": {"mood": 1}}, "no feature 'mood'"),
        ({"features": {"device": "toaster"}}, "device='toaster'"),
        ({"features": {"headline words": "many"}}, "headline words='many'"),
        ({"domain": 12}, "no domain 12"),
        ({"domain": True}, "no domain True"),
        ({"edits": [{"op": "blank", "box": [0, 0, 2, 2]}]}, "box of edit 1"),
    ],
)
def test_other_changes_are_refused(said, sentence):
    with pytest.raises(BadRequest, match=sentence):
        changes.checked(contents.load("campaigns"), said)


def test_films_have_no_picture_to_edit():
    with pytest.raises(BadRequest, match="no pictures"):
        changes.checked(contents.load("films"), {"edits": [{"op": "blank", "box": [0, 0, 1, 1]}]})
