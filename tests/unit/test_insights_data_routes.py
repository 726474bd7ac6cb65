"""Routes of pictures, drafts and imports, as the page asks for them."""

from __future__ import annotations

import io
import json
from urllib.parse import quote

import numpy as np
import pytest
from flask import Flask
from PIL import Image

from backend.crayon import library as folders
from backend.insights import contents, library, stash
from backend.settings import Settings
from components import insights_data, routes
from components.runtime import create_services
from tests.crayon_bench import told
from tests.fake_work import WORKS
from tests.insights_uploads import HEAD, PICTURES, ROWS

TABLE = "\n".join([HEAD, *ROWS]).encode()


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    root = tmp_path_factory.mktemp("insights")
    (root / "mine").mkdir()
    env = {"LOUPE_STATE_DIR": str(root / "state"), "LOUPE_IMAGE_ROOTS": str(root / "mine")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "_settings", None)
        held = create_services(Settings.from_env(env), WORKS)
        yield held
        held.close()


@pytest.fixture
def http(services):
    folders.use(services.settings)
    server = Flask("insights-test")
    routes.register(server, services)
    insights_data.register(server)
    return server.test_client()


def shown(response):
    """The picture of a reply, ``(h, w, 3)``."""
    assert response.status_code == 200, response.get_data(as_text=True)
    assert response.mimetype == "image/webp"
    return np.asarray(Image.open(io.BytesIO(response.get_data())).convert("RGB"), np.int16)


def test_pictures_are_sent_and_kept_where_the_address_names_their_set(http):
    held = contents.load("campaigns")
    for px in (128, 512):
        answer = http.get(f"/_insights/image/campaigns/3.webp?px={px}&v={held.fingerprint}")
        assert shown(answer).shape == (px, px, 3)
        assert "immutable" in answer.headers["Cache-Control"]
    assert (
        np.abs(shown(http.get("/_insights/image/campaigns/3.webp")) - held.pictures.image(3)).mean()
        < 6
    )
    for v in ("", "?v=00"):
        answer = http.get(f"/_insights/image/campaigns/3.webp{v}")
        assert answer.headers["Cache-Control"] == "no-store"


def test_drafts_are_drawn_with_their_words_and_edits(http):
    plain = shown(http.get("/_insights/image/campaigns/3.webp?px=256"))
    draft = {
        "fields": {"headline": "Nothing like before"},
        "edits": [{"op": "blank", "box": [0, 0, 0.25, 0.25]}],
    }
    base = "/_insights/drawn/campaigns/3.webp?px=256&draft="
    drawn = shown(http.get(base + quote(json.dumps(draft))))
    assert np.abs(drawn[:60, :60] - 127).max() < 12
    assert np.abs(drawn[64:] - plain[64:]).mean() > 0
    assert (shown(http.get(base + quote("{}"))) == plain).all()


def test_a_patch_is_a_part_of_the_picture(http):
    patch = shown(http.get("/_insights/patch/campaigns/3.webp?box=0.5,0,0.5,0.25&px=128"))
    whole = shown(http.get("/_insights/image/campaigns/3.webp?px=256"))
    assert patch.shape == (64, 128, 3)
    assert np.abs(patch - whole[:64, 128:]).mean() < 8


@pytest.mark.parametrize(
    ("address", "status", "sentence"),
    [
        ("image/campaigns/99999.webp", 404, "no content 99999"),
        ("image/dogs/0.webp", 404, "no set of contents"),
        ("image/films/0.webp", 404, "has no picture"),
        ("image/campaigns/3.webp?px=129", 400, "px='129' is not a size"),
        ("patch/campaigns/3.webp?box=0,0,2,2", 400, "box of the patch"),
        ("patch/campaigns/3.webp", 400, "box of the patch"),
        ("drawn/campaigns/3.webp?draft=%7B", 400, "draft is not JSON"),
        ("drawn/campaigns/3.webp?draft=%7B%22x%22%3A1%7D", 400, "draft is not usable"),
        ("drafts?set=dogs", 404, "no set of contents"),
        ("drafts/abc", 404, "no such draft"),
        (f"import/done/{'0' * 64}", 404, "not finished"),
    ],
)
def test_what_cannot_be_sent_is_a_sentence(http, address, status, sentence):
    assert sentence in told(http.get(f"/_insights/{address}"), status)["message"]


def test_drafts_are_saved_in_versions_and_deleted(http):
    body = {
        "set": "campaigns",
        "row": 3,
        "name": "Mine",
        "predicted": 0.1,
        "draft": {"fields": {"headline": "A"}},
    }
    first = told(http.post("/_insights/drafts", json=body))
    second = told(http.post("/_insights/drafts", json=body | {"id": first["id"], "name": "Ours"}))
    assert (second["id"], second["version"]) == (first["id"], 2)
    (listed,) = told(http.get("/_insights/drafts?set=campaigns"))["drafts"]
    assert (listed["row"], listed["name"], listed["version"], listed["predicted"]) == (
        3,
        "Ours",
        2,
        0.1,
    )
    assert listed["draft"]["fields"] == {"headline": "A"}
    kept = told(http.get(f"/_insights/drafts/{first['id']}"))["versions"]
    assert [one["name"] for one in kept] == ["Mine", "Ours"]
    told(http.post(f"/_insights/drafts/{first['id']}/delete", json={}))
    assert told(http.get("/_insights/drafts?set=campaigns"))["drafts"] == []
    for wrong in (
        {"row": "3"},
        {"row": True},
        {"name": 5},
        {"predicted": "0.1"},
        {"draft": {"x": 1}},
    ):
        told(http.post("/_insights/drafts", json=body | wrong), 400)


def form(table=TABLE, name="offers.csv", mapping=""):
    return {
        "table": (io.BytesIO(table), name),
        "images": (io.BytesIO(PICTURES), "p.zip"),
        "mapping": mapping,
    }


def test_a_table_is_looked_at_corrected_and_imported(http):
    wrong = TABLE.replace(b"1000,10", b"1000,2000")
    seen = told(http.post("/_insights/import/preview", data=form(wrong)))
    assert seen["problems"] == [
        {"row": 1, "sentence": "Row 1 has 2000 clicks of 1000 impressions: success above 1."}
    ]
    body = {"token": seen["token"], "mapping": seen["mapping"], "title": "Offers"}
    assert "Row 1" in told(http.post("/_insights/import/confirm", json=body), 400)["message"]
    assert not library.titles()
    seen = told(http.post("/_insights/import/preview", data=form()))
    mapping = seen["mapping"] | {"features": ["impressions"]}
    again = {"token": seen["token"], "mapping": mapping}
    assert told(http.post("/_insights/import/preview", json=again))["n_problems"] == 0
    made = told(http.post("/_insights/import/confirm", json=again | {"title": "Offers"}))
    assert (made["title"], made["contents"]) == ("Offers", 30)
    held = contents.load(made["set"])
    assert set(held.numbers) == {"impressions"}
    assert shown(http.get(f"/_insights/image/{made['set']}/2.webp")).shape == (128, 128, 3)
    told(http.post("/_insights/import/remove", json={"set": made["set"]}))
    assert (
        "no longer held" in told(http.post("/_insights/import/confirm", json=again), 404)["message"]
    )


def test_files_below_the_allowed_folders_and_many_images_are_a_job(http, services, monkeypatch):
    monkeypatch.setattr(insights_data.insights_import, "AT_ONCE", 5)
    root = services.settings.image_roots[1]
    (root / "t.csv").write_bytes(TABLE)
    (root / "p.zip").write_bytes(PICTURES)
    asked = {"path": "t.csv", "images": "p.zip"}
    seen = told(http.post("/_insights/import/preview", json=asked))
    body = {"token": seen["token"], "mapping": seen["mapping"], "title": "Many"}
    monkeypatch.setattr(services.jobs.__class__, "submit", lambda self, job: job.work)
    started = told(http.post("/_insights/import/confirm", json=body))
    assert started["job"] == "insights.import"
    job = stash.job(body["token"], body["mapping"], "Many")
    assert started["result"] == job.key
    services.store.put(job.key, stash.work(job.params, lambda done, total: None))
    made = told(http.get(f"/_insights/import/done/{job.key}"))
    assert (made["title"], made["contents"]) == ("Many", 30)
    library.remove(made["set"])


@pytest.mark.parametrize(
    ("sent", "status", "sentence"),
    [
        ({"data": {}}, 400, "No table was given"),
        ({"data": form(mapping="{")}, 400, "map of columns is not JSON"),
        ({"data": form(b"x", "t.doc")}, 400, "not a .csv or .parquet"),
        ({"json": {"path": "../t.csv"}}, 404, "allowed folders"),
        ({"json": {"path": 5}}, 400, "path='5'"),
        ({"json": {"token": "0" * 32}}, 404, "no longer held"),
        ({"json": {"token": "0" * 32, "mapping": []}}, 400, "not a JSON object"),
    ],
)
def test_tables_that_cannot_be_looked_at_are_a_sentence(http, sent, status, sentence):
    assert sentence in told(http.post("/_insights/import/preview", **sent), status)["message"]
