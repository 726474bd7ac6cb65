"""The pinboard: what is kept, in what order, and the file of it."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from backend import migrations, workspace
from backend.database import open_engine
from backend.errors import BadRequest, NotFound
from backend.pins import PinStore
from components.pin_routes import written


def png(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 10), colour).save(out, "PNG")
    return out.getvalue()


def pin(sentence: str = "It breaks <here>", url: str = "/nero?task=digits"):
    return {"sentence": sentence, "title": "Aggregate", "honesty": "500 of 500", "url": url}


@pytest.fixture
def board(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'loupe.db'}")
    migrations.upgrade(engine)
    yield PinStore(engine)
    engine.dispose()


def sentences(board: PinStore) -> list[str]:
    return [pin.sentence for pin in board.all()]


def test_pins_keep_their_owners_order(board: PinStore):
    a, b, c = (board.add(pin(name), png()).id for name in "abc")
    board.move(c, -1)
    board.move(a, -1)  # it is the first
    assert sentences(board) == ["a", "c", "b"]
    board.say(c, " said ")
    board.remove(b)
    assert sentences(board) == ["a", "said"]
    with pytest.raises(NotFound):
        board.move(b, 1)


def test_a_file_brings_the_same_board_back(board: PinStore):
    board.add(pin("a"), png())
    board.add(pin("b", "/zoom?n=4&sel=1,2"), png("blue"))
    held = json.dumps(board.exported())
    for one in board.all():
        board.remove(one.id)
    assert board.imported(held.encode()) == 2
    again = board.exported()
    assert [row["url"] for row in again["pins"]] == ["/nero?task=digits", "/zoom?n=4&sel=1,2"]
    assert [row["pinned_at"] for row in again["pins"]] == [
        row["pinned_at"] for row in json.loads(held)["pins"]
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda whole: whole | {"schema": "other"}, "no pinboard of Loupe"),
        (lambda whole: whole | {"version": 9}, "version 9"),
        (lambda whole: whole | {"pins": {}}, "no list of pins"),
        (lambda whole: whole | {"pins": [{}]}, "Pin 1 says no"),
        (lambda whole: whole | {"pins": [whole["pins"][0] | {"picture": "!"}]}, "not base64"),
        (
            lambda whole: (
                whole | {"pins": whole["pins"] + [whole["pins"][0] | {"picture": "eA=="}]}
            ),
            "not an image",
        ),
        (lambda whole: whole | {"pins": [whole["pins"][0] | {"url": "//x.org"}]}, "not a page"),
        (lambda whole: whole | {"pins": [whole["pins"][0] | {"pinned_at": "now"}]}, "no time"),
    ],
)
def test_a_file_that_is_not_right_adds_nothing(board: PinStore, change, sentence: str):
    board.add(pin(), png())
    whole = change(board.exported())
    with pytest.raises(BadRequest, match=sentence):
        board.imported(json.dumps(whole).encode())
    assert len(board.all()) == 1


@pytest.mark.parametrize("data", [b"{", b"\xff", b"[" * 100_000, b"[]", b"null"])
def test_what_is_no_json_of_ours_is_a_sentence(board: PinStore, data: bytes):
    with pytest.raises(BadRequest, match=r"not JSON|no pinboard"):
        board.imported(data)
    with pytest.raises(BadRequest, match=r"not JSON|no project"):
        workspace.read(data)


@pytest.mark.parametrize("url", ["https://x.org", "//x.org", "javascript:alert(1)", ""])
def test_links_lead_into_the_app_only(board: PinStore, url: str):
    with pytest.raises(BadRequest, match="not a page"):
        board.add(pin(url=url), png())


def test_pictures_are_decoded_with_care(board: PinStore):
    with pytest.raises(BadRequest, match="not an image"):
        board.add(pin(), b"<svg onload=alert(1)>")


def test_the_page_needs_nothing_and_escapes_everything(board: PinStore):
    board.add(pin("<script>alert(1)</script>"), png())
    page = written(board.all())
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
