"""The selection for notebooks, and the project file there and back."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from werkzeug.serving import make_server

from app import create_app
from backend import client, selections, workspace
from backend.__main__ import main
from backend.errors import BackendError, BadRequest
from backend.pins import PinStore
from backend.registry import adding, store
from backend.selections import Kept, Selection
from backend.settings import Settings
from components.runtime import Services, create_services
from tests import own_models as own

TOLD = {
    "current": {"items": "digits", "ids": "5,3,3", "link": "/nero?task=digits"},
    "shelf": [{"items": "digits", "ids": [7, 1], "name": "odd"}],
}


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    store.use(None)
    made = create_services(Settings.from_env())
    yield made
    made.close()
    store.use(None)


def pinned(services: Services) -> None:
    out = io.BytesIO()
    Image.new("RGB", (9, 9), "red").save(out, "PNG")
    given = {"sentence": "Look.", "title": "Plot", "honesty": "n = 1", "url": "/nero"}
    PinStore(services.engine).add(given, out.getvalue())


def test_what_the_browser_says_a_notebook_hears(services: Services):
    app = create_app(services.settings, services)
    server = make_server("127.0.0.1", 0, app.server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        assert client.selection(url) == Selection()
        assert app.server.test_client().post("/_workspace/selection", json=TOLD).status_code == 200
        found = client.selection(url)
        assert (found.items, found.ids, found.link) == ("digits", (3, 5), "/nero?task=digits")
        assert client.shelf(url)["odd"].ids == (1, 7)
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(BackendError, match="No Loupe answers"):
        client.selection(url)


def test_only_this_machine_is_asked():
    for url in ("http://example.org:8050", "file:///etc/passwd", "ftp://127.0.0.1/"):
        with pytest.raises(BadRequest, match="not on this machine"):
            client.selection(url)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"items": "a/b", "ids": "1"}, "names no data set"),
        ({"items": "digits", "ids": "1;2"}, "no whole numbers"),
        ({"items": "digits", "ids": [1.5]}, "no whole numbers"),
        ({"items": "digits", "ids": "1", "link": "//evil.org"}, "not a page of this app"),
        ("digits:1", "not an object"),
    ],
)
def test_selections_that_cannot_be(wrong, why: str):
    with pytest.raises(BadRequest, match=why):
        selections.from_json(wrong)


def test_a_project_there_and_back(services: Services, tmp_path: Path, capsys, monkeypatch):
    own.images(tmp_path / "project" / "rooms")
    own.onnx_file(tmp_path / "project" / "m.onnx")
    adding.add_set(str(tmp_path / "project" / "rooms"), "rooms", {"classes": "dark,bright"})
    adding.add_model(str(tmp_path / "project" / "m.onnx"), "light", {"classes": "dark,bright"})
    pinned(services)
    selections.SelectionStore(services.settings.state_dir).put(
        selections.from_json(TOLD["current"]), selections.listed(TOLD["shelf"])
    )
    path = tmp_path / "project" / "loupe-project.json"
    assert main(["project", "save", str(path)]) == 0
    text = path.read_text()
    assert str(tmp_path) not in text  # paths are from the project's folder
    marks = [held.fingerprint for held in store.sets().values()]
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "other"))
    store.use(None)
    assert main(["project", "load", str(path)]) == 0
    assert "1 notes" in capsys.readouterr().out
    assert [held.fingerprint for held in store.sets().values()] == marks
    assert list(store.models()) == ["light"]
    kept = selections.SelectionStore(tmp_path / "other").get()
    assert (kept.current.ids, kept.current.link) == ((3, 5), "/nero?task=digits")
    again = tmp_path / "project" / "again.json"
    assert main(["project", "save", str(again)]) == 0
    before, after = json.loads(text), json.loads(again.read_text())
    for told in (before, after):  # pictures from outside are decoded and written anew
        assert told["notes"][0].pop("picture")
    assert before == after
    assert main(["project", "load", str(path)]) == 0
    assert "0 notes" in capsys.readouterr().out  # they are there already


def test_a_project_from_the_browser_brings_notes_and_says_what_is_missing(services: Services):
    pinned(services)
    told = workspace.exported(services.engine, Kept(shelf=(Selection("digits", (1,), "", "one"),)))
    told["data"] = {"lost": {"path": "/nowhere"}}
    told["notes"][0]["sentence"] = "Another."
    web = create_app(services.settings, services).server.test_client()
    file = {"file": (io.BytesIO(workspace.written(told)), "p.json")}
    found = web.post("/_workspace/project", data=file).get_json()
    assert found["missing"] == ["data lost"]
    assert found["notes"] == 1
    assert found["shelf"] == [{"items": "digits", "ids": [1], "name": "one"}]
    assert web.get("/_workspace/project.json").get_json()["schema"] == "loupe.project"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schema": "x"}, "no project of Loupe"),
        ({"version": 2}, "has version 2"),
        ({"colour": 1}, "a part 'colour'"),
        ({"data": []}, "data is no table"),
        ({"models": {"m": {}}}, "names no path"),
        ({"notes": [{}]}, "Pin 1 says no"),
        ({"selections": {}}, "no list"),
    ],
)
def test_projects_that_cannot_be(change, why: str):
    whole = {"schema": "loupe.project", "version": 1, "data": {}, "models": {}, **change}
    with pytest.raises(BadRequest, match=why):
        workspace.read(json.dumps(whole).encode())
