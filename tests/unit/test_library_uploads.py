"""What the Library page sends: names that people know, a quota without dead weight, taken names."""

from __future__ import annotations

import io
import os
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from backend.errors import BadRequest, StorageFull
from backend.registry import adding, index, project, reading, store, uploading
from backend.settings import Settings
from components.runtime import create_services
from tests import own_models as own
from tests.own_registry import own_registry


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty registry, with a megabyte for uploads."""
    monkeypatch.setenv("LOUPE_UPLOAD_MB", "1")
    with own_registry(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def web(folder: Path) -> Iterator[FlaskClient]:
    """A client of an app with one registered set."""
    settings = Settings.from_env()
    services = create_services(settings)
    adding.add_set(str(own.images(folder / "rooms")), "rooms", {})
    yield create_app(settings, services).server.test_client()
    services.close()


def aged(place: Path) -> None:
    """As if nobody had sent it for two hours."""
    then = time.time() - 7200
    os.utime(place, (then, then))


def test_an_upload_keeps_its_name(folder: Path):
    kept = uploading.keep("../My model (2).ONNX", b"no model", uploading.MODELS)
    assert kept.name == "My_model_2_.onnx"
    assert kept.parent.parent == uploading.folder()
    assert uploading.keep("..onnx", b"x", uploading.MODELS).parent.parent == uploading.folder()
    with pytest.raises(BadRequest, match=r"My_model_2_\.onnx is not an ONNX file"):
        adding.add_model(str(kept), "mine", {})


def test_what_came_to_nothing_makes_room(folder: Path):
    used = uploading.keep("m.onnx", own.onnx_file(folder / "m.onnx").read_bytes(), uploading.MODELS)
    adding.add_model(str(used), "mine", {"classes": "dark,bright"})
    refused = uploading.keep("a.onnx", bytes(900_000), uploading.MODELS)
    with pytest.raises(StorageFull, match="of 1 MB"):  # a job may still look at the first
        uploading.keep("b.onnx", b"1" * 200_000, uploading.MODELS)
    for place in (used.parent, refused.parent):
        aged(place)
    uploading.keep("b.onnx", b"1" * 200_000, uploading.MODELS)
    assert used.exists()
    assert not refused.parent.exists()


def test_an_archive_that_does_not_fit_says_how_large_it_is(folder: Path):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/0.png", bytes(1_500_000))
    with pytest.raises(StorageFull, match=r"Unpacked, pets.zip takes 2 MB, and for uploads 1 MB"):
        uploading.keep("pets.zip", held.getvalue(), uploading.DATA)


def test_a_folder_has_no_columns(folder: Path):
    with pytest.raises(BadRequest, match="Only tables have columns: leave it away"):
        reading.column_of("file", "image", [])


@pytest.mark.parametrize(
    ("name", "told"),
    [("rooms", "There is a data set 'rooms' already"), ("My rooms", "cannot be called 'My rooms'")],
)
def test_a_name_is_looked_at_before_the_file_is_kept(web: FlaskClient, name: str, told: str):
    body = {"name": name, "file": (io.BytesIO(b"a,b\n1,2\n"), "t.csv")}
    answer = web.post("/_library/set", data=body)
    assert answer.status_code == 400
    assert told in answer.get_json()["message"]
    assert not uploading.folder().exists()


def test_a_taken_name_is_replaced_where_that_is_meant(web: FlaskClient):
    body = {"name": "rooms", "file": (io.BytesIO(b"a,b\n1,2\n"), "t.csv"), "replace": "1"}
    assert "job" in web.post("/_library/set", data=body).get_json()


def test_an_index_is_read_once_for_all_who_ask_at_once(
    web: FlaskClient, monkeypatch: pytest.MonkeyPatch
):
    sha = store.required().set("rooms").fingerprint[:16]
    read, index_of = [], index.Index

    def slowly(*args: object, **more: object) -> index.Index:
        read.append(1)
        time.sleep(0.2)
        return index_of(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(index, "Index", slowly)
    index._loaded.__wrapped__.cache_clear()  # type: ignore[attr-defined]
    client = web.application.test_client
    asks = [
        threading.Thread(target=client().get, args=(f"/_library/thumb/rooms/{sha}/{row}.webp",))
        for row in range(6)
    ]
    for ask in asks:
        ask.start()
    for ask in asks:
        ask.join()
    assert len(read) == 1


def test_a_project_says_what_it_holds(folder: Path):
    (folder / "ads.csv").write_text(
        "headline,impressions,clicks\n"
        + "".join(f"Buy {row} now,{900 + row},{row % 37}\n" for row in range(60))
    )
    told: list[str] = []
    entries = {"data": {"ads": {"path": "ads.csv"}}, "models": {}}
    assert project.register(entries, folder, told.append) == []
    assert told == ["data ads: 60 contents"]
