"""The Modality gap page: its address, its routes and what they refuse."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from dash import Dash, html
from flask.testing import FlaskClient
from PIL import Image

from backend.errors import BadRequest
from backend.gap import requests, spaces, work
from backend.settings import Settings
from components import gap_asking, gap_routes, gap_spec, gap_state, gap_tables, routes
from components import gap_layout as parts
from components.runtime import CONFIG, Services, create_services
from components.security import protect
from components.state import defaults
from tests.fake_work import WORKS

TWO = "pairs-clip,pairs-random"


class Quiet:
    """A ticket that is never cancelled."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __call__(self, done: int, total: int) -> None:
        del done, total


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    state = {"LOUPE_STATE_DIR": str(tmp_path_factory.mktemp("state"))}
    services = create_services(Settings.from_env(state), WORKS)
    app = Dash("gap-routes-test")
    app.layout = html.Div()
    routes.register(app.server, services)
    gap_routes.register(app.server)
    protect(app, services.settings)
    gap_tables.register()
    yield app.server.test_client()
    services.close()


def held(client: FlaskClient) -> Services:
    found: Services = client.application.config[CONFIG]
    return found


def told(client: FlaskClient, address: str, status: int = 200) -> dict[str, Any]:
    response = client.get(f"/_gap/{address}")
    assert response.status_code == status, response.text[:300]
    found: dict[str, Any] = orjson.loads(response.data)
    return found


def npy(array: Any) -> io.BytesIO:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    out.seek(0)
    return out


def rows(n: int, d: int, seed: int = 0) -> Any:
    made = np.random.default_rng(seed).normal(size=(2, n, d))
    return (made / np.linalg.norm(made, axis=2, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ({"spaces": "../etc"}, "spaces"),
        ({"focus": "A B"}, "focus"),
        ({"count": "3"}, "count"),
        ({"delta": "far"}, "delta"),
        ({"a": "1,x"}, "a"),
    ],
)
def test_what_a_link_cannot_say_is_a_sentence_and_the_default_stays(query, key):
    values, notices = gap_state.opened(query)
    assert values[key] == defaults(gap_state.schema())[key]
    assert key in notices[0]


def test_a_forged_choice_of_spaces_is_refused():
    for given in (None, "", "a,b,c,d,e", "A", 7):
        with pytest.raises(BadRequest):
            gap_state.keys_of(given)
    assert gap_state.keys_of("a,b,a") == ["a", "b"]
    for given in ("1", [1.5], [-1], [True], {"a": 1}):
        with pytest.raises(BadRequest):
            gap_state.selection_of(given)
    assert gap_state.selection_of([3, 1, 3]) == [1, 3]


def test_a_missing_result_is_a_job_and_a_stored_one_is_told(client):
    asked = f"numbers?spaces={TWO}"
    store, ticket = held(client).store, Quiet(held(client).store)
    for key in TWO.split(","):
        space = spaces.load(key)
        job = requests.measure_job(space)
        store.put(job.key, work.numbers(job.params, ticket))
    found = told(client, asked)
    by_name = {row["name"]: row for row in found["spaces"][0]["rows"]}
    gap = by_name["centroid_gap"]
    assert gap["low"] <= gap["value"] <= gap["high"]
    images, texts = (getattr(spaces.load("pairs-clip"), name) for name in ("images", "texts"))
    assert gap["value"] == pytest.approx(
        float(np.linalg.norm(images.mean(0) - texts.mean(0))), abs=1e-3
    )
    gaps = store.get(found["spaces"][0]["result"])["gaps"]
    assert len(gaps) == found["spaces"][0]["n"] == len(images)
    shares = found["gaps"]["data"][0]["y"]
    assert np.sum(np.asarray(shares["bdata"] is not None)) == 1 or sum(shares) == pytest.approx(1)


def test_the_slider_is_told_with_its_best_place(client):
    store, space = held(client).store, spaces.load("pairs-random")
    job = requests.sweep_job(space)
    store.put(job.key, work.swept(job.params, Quiet(store)))
    found = told(client, "sweep?space=pairs-random&top=5")
    shares = [point["recall"]["text_to_image"]["5"] for point in found["points"]]
    assert shares[found["best"]] == max(shares)
    assert found["figure"]["layout"]["shapes"][2]["x0"] == pytest.approx(found["gap"])
    assert found["points"][0]["accuracy"] is not None
    assert set(found["points"][0]["by_group"]) == set(space.groups)


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("pairs?space=nothing", 404, "There is no space"),
        ("map?spaces=pairs-clip&count=3", 400, "3 pairs cannot be drawn"),
        ("map?spaces=pairs-clip&count=x", 400, "not a whole number"),
        ("map?spaces=pairs-clip&spread=2", 400, "out of range"),
        ("at?space=pairs-clip&delta=nan", 400, "not a number"),
        ("pair?space=pairs-clip&row=99999", 404, "There is no pair"),
        ("tokens?space=pairs-clip&row=-1", 404, "There is no pair"),
        ("sheet/77.webp", 404, "no sheet 77"),
        ("thumb/pairs-clip/0.png", 404, "imported without pictures"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(client, address, status, words):
    assert words in told(client, address, status)["message"]


def test_pictures_are_kept_by_browsers_for_good(client):
    response = client.get("/_gap/sheet/0.webp")
    assert response.mimetype == "image/webp"
    assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "No arrays were given"),
        ({"images": (npy(rows(9, 4)[0]), "i.npy")}, "has the shape (9, 4)"),
        (
            {"images": (npy(rows(9, 4)[0]), "i.npy"), "texts": (npy(rows(8, 4)[1]), "t.npy")},
            "9 images and 8 texts",
        ),
        (
            {"images": (npy(rows(9, 4)[0]), "i.npy"), "texts": (npy(rows(9, 5)[1]), "t.npy")},
            "Images have 4 dimensions and texts 5",
        ),
        ({"images": (npy(2 * rows(9, 4)), "both.npy")}, "has length 2, not 1"),
        ({"images": (npy(0 * rows(9, 4)), "both.npy")}, "is zero"),
        ({"images": (npy(np.nan * rows(9, 4)), "both.npy")}, "not finite"),
        ({"images": (io.BytesIO(b"\x80\x04."), "both.npy")}, "not a plain .npy array"),
        ({"images": (io.BytesIO(b"x"), "both.pkl")}, "both.pkl cannot be read here"),
        (
            {"images": (npy(rows(9, 4)), "both.npy"), "captions": (io.BytesIO(b"one\n"), "c.txt")},
            "1 captions for 9 pairs",
        ),
    ],
)
def test_arrays_that_are_no_pairs_are_refused(client, files, words):
    given = {name: (io.BytesIO(file.getvalue()), title) for name, (file, title) in files.items()}
    response = client.post("/_gap/import", data=given, content_type="multipart/form-data")
    assert response.status_code == 400
    assert words in response.json["message"]


def test_imported_pairs_are_a_space_with_captions(client):
    text = "\n".join(f"caption {i}" for i in range(9)).encode()
    given = {"images": (npy(rows(9, 4)), "both.npy"), "captions": (io.BytesIO(text), "c.txt")}
    response = client.post("/_gap/import", data=given, content_type="multipart/form-data")
    key = response.json["space"]
    assert (response.json["n"], response.json["width"]) == (9, 4)
    assert told(client, f"pairs?space={key}")["captions"][8] == "caption 8"
    assert "no encoder" in told(client, f"tokens?space={key}&row=1", 400)["message"]
    with client.application.app_context():
        about = gap_spec.answer({"spaces": f"{key},pairs-clip", "focus": key})
    assert [one["has_encoder"] for one in about["spaces"]] == [False, True]
    assert about["focus"] == key


def test_a_large_file_is_named_by_its_path_below_the_allowed_folders(client):
    root = held(client).settings.roots[0]
    root.mkdir(exist_ok=True)
    (root / "large.npy").write_bytes(npy(rows(9, 4, seed=3)).getvalue())
    (root / "large.txt").write_text("x")
    post = lambda path: client.post("/_gap/import", data={"path": path}).json  # noqa: E731
    assert post("large.npy")["n"] == 9
    assert post("large.npy")["title"] == "large"
    for path, words in (
        ("../loupe.db", "not below a folder"),
        ("/etc/passwd", "not below a folder"),
        ("none.npy", "There is no"),
        ("large.txt", "large.txt cannot be read here"),
    ):
        assert words in post(path)["message"]


def test_words_need_two_selections(client):
    asked: dict[str, Any] = {"space": "pairs-clip", "a": [], "b": [1]}
    response = client.post("/_gap/words", json=asked)
    assert response.status_code == 400
    assert "Selection A is empty" in response.json["message"]
    captions = spaces.load("pairs-clip").captions
    faces = [i for i, text in enumerate(captions) if "face" in text]
    rest = [i for i, text in enumerate(captions) if "face" not in text]
    found = client.post("/_gap/words", json={**asked, "a": faces, "b": rest}).json["words"]
    assert {one["word"] for one in found[:3] if one["z"] > 1.96} >= {"face"}


def test_a_dropped_picture_is_looked_at_before_a_worker_is(client, monkeypatch):
    def sent(data: bytes) -> Any:
        form = {"image": (io.BytesIO(data), "a.png"), "space": "pairs-clip"}
        return client.post("/_gap/image", data=form, content_type="multipart/form-data")

    assert "No image was given" in sent(b"").json["message"]
    assert "not an image" in sent(b"text").json["message"]
    monkeypatch.setattr(gap_asking, "MOST_IMAGE", 50)
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(out, "PNG")
    assert "Allowed are" in sent(out.getvalue()).json["hint"]


def test_tables_hold_what_the_cards_show(client):
    with client.application.app_context():
        values = {**defaults(gap_state.schema()), "spaces": TWO, "focus": "pairs-clip"}
        near = gap_tables.MAKERS[parts.PAIR](values)
        assert len(near) == 10
        assert set(near["of"]) == {"its image", "its text"}
        assert len(gap_tables.MAKERS[parts.MODELS](values)) >= 15
        assert set(gap_tables.MAKERS[parts.NUMBERS](values)["space"]) == {"CLIP", "Random init"}
        with pytest.raises(BadRequest, match="no query"):
            gap_tables.MAKERS[parts.FIND](values)
