"""The database goes and comes back: every page opens, and says what cannot be reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dash
import pytest
from flask.testing import FlaskClient

from app import create_app
from backend import catalog
from backend.errors import StorageFull
from backend.registry import store
from backend.registry.data_spec import SetSpec
from backend.settings import Settings
from backend.zoom.maps import CamRequest
from benchmarks.load import router
from components.runtime import CONFIG, Services, create_services
from tests.bound import bound
from tests.fake_work import WORKS

SET = SetSpec("rooms", "folder", "/nowhere", title="My rooms")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dash.Dash]:
    """One registered set with the classes of the digits, so that NERO offers it."""
    folder = tmp_path_factory.mktemp("away")
    services = create_services(Settings.from_env({"LOUPE_STATE_DIR": str(folder)}), WORKS)
    classes = list(catalog.card("digits-plain").classes)
    summary = {"items": 10, "smallest": [28, 28], "largest": [28, 28]}
    store.required().put_set(SET.changed({"classes": classes}), "0" * 64, summary)
    yield bound(create_app(services.settings, services))
    services.close()
    store.use(None)


@pytest.fixture
def gone(app: dash.Dash, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a database whose file cannot be opened; the test may put it back."""
    monkeypatch.setattr(store, "FRESH_S", 0.0)
    monkeypatch.setattr(store, "REFUSED_S", 0.0)
    held: Services = app.server.config[CONFIG]
    folder = held.settings.state_dir
    held.engine.dispose()
    (folder / "loupe.db").rename(folder / "held.db")
    (folder / "loupe.db").mkdir()
    yield folder
    put_back(folder)


def put_back(folder: Path) -> None:
    if (folder / "loupe.db").is_dir():
        (folder / "loupe.db").rmdir()
        (folder / "held.db").rename(folder / "loupe.db")


def opened(client: FlaskClient, path: str) -> str:
    answer = client.post("/_dash-update-component", json=router(path))
    assert answer.status_code == 200
    assert "sideUpdate" not in answer.json, answer.text[:300]  # no notice: nothing failed
    return answer.text


@pytest.mark.filterwarnings("error")
def test_every_page_opens_without_the_database_and_says_so(app: dash.Dash, gone: Path) -> None:
    client = app.server.test_client()
    for page in dash.page_registry.values():
        text = opened(client, page["path"])
        assert text.count(store.AWAY) == 1, page["path"]
        assert "My rooms" not in text
    assert "Handwritten digits" in opened(client, "/nero")
    put_back(gone)
    for page in dash.page_registry.values():
        assert store.AWAY not in opened(client, page["path"])
    for path in ("/", "/nero"):
        assert "My rooms" in opened(client, path)


def test_the_library_does_not_claim_that_nothing_is_registered(app: dash.Dash, gone: Path) -> None:
    output = "..library-models.children...library-sets.children.."
    body = {
        "output": output,
        "outputs": [{"id": f"library-{x}", "property": "children"} for x in ("models", "sets")],
        "inputs": [{"id": "library-again", "property": "data", "value": 0}],
        "changedPropIds": [],
    }
    client = app.server.test_client()
    told = client.post("/_dash-update-component", json=body).text
    assert told.count(store.AWAY) == 2
    assert "registered yet" not in told


def test_what_is_asked_for_by_name_is_refused_with_the_reason(app: dash.Dash, gone: Path) -> None:
    for ask in (
        lambda: store.sets(),
        lambda: catalog.card("mine"),
        lambda: CamRequest("needle:0", "mine"),
    ):
        with pytest.raises(StorageFull, match="The registry cannot be read"):
            ask()


def test_a_database_that_is_away_is_not_asked_again_at_once(
    app: dash.Dash, gone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "REFUSED_S", 60.0)
    for _ in range(2):
        with pytest.raises(StorageFull):
            store.sets()
        put_back(gone)
    monkeypatch.setattr(store, "REFUSED_S", 0.0)
    assert list(store.sets()) == ["rooms"]
