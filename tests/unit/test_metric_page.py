"""The metric-learning page: what it is told equals what is shipped, and what it refuses."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dash import Dash, html
from flask.testing import FlaskClient

from backend import metrics, wire
from backend.errors import BadRequest
from backend.metric_learning import mesh_files, meshes, precompute, requests, shipped, views
from backend.settings import Settings
from components import metric_routes, metric_state, metric_tables, routes, tables
from components.runtime import Services, create_services
from components.security import protect
from tests.fake_work import WORKS

CUBE = "\n".join(
    [
        *(f"v {x} {y} {z}" for x in (0, 1) for y in (0, 1) for z in (0, 2)),
        "usemtl body",
        *(
            "f 1 2 4 3",
            "f 5 7 8 6",
            "f 1 5 6 2",
            "f 3 4 8 7",
            "usemtl glass",
            "f 1 3 7 5",
            "f 2 6 8 4",
        ),
    ]
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FlaskClient, Services]]:
    state = {"LOUPE_STATE_DIR": str(tmp_path_factory.mktemp("state"))}
    services = create_services(Settings.from_env(state), WORKS)
    app = Dash("metric-routes-test")
    app.layout = html.Div()
    routes.register(app.server, services)
    metric_routes.register(app.server)
    protect(app, services.settings)
    yield app.server.test_client(), services
    services.close()


@pytest.fixture
def client(served: tuple[FlaskClient, Services]) -> FlaskClient:
    return served[0]


@pytest.mark.parametrize("loss", ["contrastive", "snr", "softtriple"])
def test_shipped_numbers_are_those_of_the_shipped_embeddings(loss: str):
    frame = shipped.frame("nrprec")
    rows = frame[(frame["loss"] == loss) & (frame["n"] == shipped.SHOWN) & ~frame["with_bg"]]
    card = next(one for one in views.loss_titles() if one["key"] == loss)
    for name in ("car_model", "sun_elevation"):
        (row,) = rows[rows["property"] == name].to_dict(orient="records")
        labels = shipped.table()[name].iloc[: shipped.SHOWN]
        again = metrics.normalized_r_precision(shipped.embedding(loss), labels, card["distance"])
        assert row["nr_precision"] == pytest.approx(again, abs=1e-9)


def test_the_reported_table_is_whole_and_its_means_are_the_sources():
    told = views.reported()
    assert len(told) == 15
    assert {len(row) for row in told.values()} == {11}
    families = {card["key"]: card["family"] for card in views.loss_titles()}
    mean = {
        family: np.mean([told[k]["car_model"] for k in told if families[k] == family])
        for family in ("ranking", "classification")
    }
    assert mean["ranking"] == pytest.approx(57.91, abs=0.011)
    assert mean["classification"] == pytest.approx(56.89, abs=0.011)
    matrix = views.reported_pearson().to_numpy()
    assert np.array_equal(np.isnan(matrix), np.eye(15, dtype=bool))
    assert np.nanmax(np.abs(matrix - matrix.T)) == 0


def test_the_overview_has_every_cell_and_keeps_reported_numbers_apart(client: FlaskClient):
    told = client.get("/_metric/overview").get_json()
    assert len(told["losses"]) == 15
    assert len(told["properties"]) == 11
    for loss in told["losses"]:
        assert set(told["cells"][loss["key"]]) == {one["name"] for one in told["properties"]}
    cell = told["cells"]["contrastive"]["car_model"]
    assert len(cell["folds"]) == 3
    assert cell["nr"] == pytest.approx(np.mean(cell["folds"]))
    assert cell["nr"] != told["reported"]["contrastive"]["car_model"]
    with client.application.app_context():
        frame = metric_tables.heat({})
    assert len(frame) == 15 * 11 * 3
    assert "reported_nr_precision" in frame


def test_arrays_and_pictures_are_sent(client: FlaskClient):
    arrays, _ = wire.unpack(client.get("/_metric/space/arcface").data)
    assert arrays["embedding"].shape == (shipped.SHOWN, 128)
    assert arrays["umap"].shape == (shipped.SHOWN, 2)
    codes, _ = wire.unpack(client.get("/_metric/codes").data)
    assert codes["codes"].shape == (shipped.SHOWN, 11)
    assert client.get("/_metric/picture/3.webp").data[8:12] == b"WEBP"
    row = views.overview()["gallery"][0]
    maps, _ = wire.unpack(client.get(f"/_metric/maps/{row}").data)
    assert maps["maps"].shape == (15, 64, 64)
    with client.application.app_context():
        table = metric_tables.near({"loss": "contrastive", "query": 5})
    assert table["distance"].is_monotonic_increasing
    assert 5 not in set(table["id"])


def test_tables_are_asked_with_the_state_of_the_page(client: FlaskClient):
    metric_tables.register()
    names = [name for name in tables.TABLES if name.startswith(metric_state.PAGE)]
    assert len(names) == 15
    unmade = re.compile(r"This is not computed yet|No (embeddings|renders) of yours")
    for name in names:
        address, values = f"/_table/{name}.json", {"loss": "snr", "query": 7}
        answer = client.post(address, json={"page": metric_state.PAGE, "values": values})
        if answer.status_code == 400:  # made from a result that nobody has computed
            assert unmade.match(answer.get_json()["message"]), name
        else:
            assert answer.status_code == 200, name
        wrong = client.post(address, json={"values": {"query": "seven"}})
        assert wrong.status_code == 400
        assert "query=seven is not a whole number" in wrong.get_json()["message"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/_metric/space/hinge", "no loss 'hinge'"),
        ("/_metric/picture/99999.webp", "no picture 99999"),
        ("/_metric/picture/x.webp", "is no image"),
    ],
)
def test_what_is_not_there_is_a_sentence(client: FlaskClient, address: str, words: str):
    answer = client.get(address)
    assert answer.status_code in (400, 404)
    assert words in answer.get_json()["message"]


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("dance", {}, "nothing called 'dance'"),
        ("sweep", {"row": 0, "property": "wheels"}, "no property 'wheels'"),
        ("sweep", {"row": -1, "property": "car_hue"}, "is no image"),
        ("pair", {"row": 1, "other": 1, "loss": "arcface"}, "two different images"),
        ("swap", {"row": 1, "loss": "snr"}, "was not trained on changed backgrounds"),
        ("words", {"prompts": ["one"]}, "two different prompts"),
        ("words", {"prompts": ["a", "b"], "dimensions": 1}, "dimensions"),
        ("own", {"own": "x", "distance": "taxicab"}, "taxicab"),
        ("generate", {"varied": ["car_hue"], "n": 5, "loss": "snr"}, "5 images"),
    ],
)
def test_jobs_that_cannot_be_are_refused_before_they_start(
    client: FlaskClient, name: str, body: dict[str, object], words: str
):
    answer = client.post(f"/_metric/start/{name}", json=body)
    assert answer.status_code == 400
    assert words in answer.get_json()["message"]


def npy(x: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, x)
    return out.getvalue()


def send(client: FlaskClient, x: bytes, table: bytes, name: str = "p.csv") -> tuple[int, dict]:
    data = {"embeddings": (io.BytesIO(x), "e.npy"), "properties": (io.BytesIO(table), name)}
    answer = client.post("/_metric/own", data=data, content_type="multipart/form-data")
    return answer.status_code, answer.get_json()


def test_own_embeddings_are_kept_and_measured(
    served: tuple[FlaskClient, Services], monkeypatch: pytest.MonkeyPatch
):
    from backend.metric_learning import places, work

    monkeypatch.setattr(places, "_umap", places._pca)  # compiling UMAP takes a minute

    client, services = served
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"kind": rng.choice(["a", "b", "c"], 60), "one": "x"})
    frame["rare"] = ["once", *["often"] * 59]
    x = np.eye(3)[np.unique(frame["kind"], return_inverse=True)[1]] + 0.1 * rng.normal(size=(60, 3))
    x[1] = x[0]
    status, told = send(client, npy(x), frame.to_csv(index=False).encode())
    assert status == 200
    assert told["n"] == 60
    assert "one value 'x'" in told["notes"][0]

    class Ticket:
        store = services.store

        def __call__(self, done: int, total: int) -> None:
            pass

    found = work.own({"own": told["key"], "distance": "euclidean"}, Ticket())
    direct = metrics.normalized_r_precision(x.astype(np.float32), frame["kind"])
    assert found["nr_precision"][0] == pytest.approx(direct)
    assert np.isnan(found["nr_precision"][1])
    assert found["p_permutation"][0] == 1 / 2000
    notes = " ".join(str(note) for note in found["notes"])
    assert "1 values of rare have one image" in notes
    assert "1 images repeat the embedding of another" in notes
    assert found["umap"].shape == (60, 2)


@pytest.mark.parametrize(
    ("x", "table", "words"),
    [
        (np.zeros((5, 2)), b"a\n1\n2\n3\n4\n5\n", "too few"),
        (np.full((20, 2), np.nan), b"a\n" + b"1\n" * 20, "not finite"),
        (np.zeros((20, 2)), b"a\n1\n2\n", "2 rows, but there are 20 embeddings"),
        (np.zeros((20, 2)), b"a\n" + b"1\n" * 20, "one value '1'"),
        (np.zeros(20), b"a\n" + b"1\n" * 20, "shape (20,)"),
    ],
)
def test_bad_imports_are_sentences(client: FlaskClient, x: np.ndarray, table: bytes, words: str):
    status, told = send(client, npy(x), table)
    assert status == 400
    assert words in told["message"] + told.get("hint", "")


def test_no_pickle_is_opened(client: FlaskClient):
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}] * 20, dtype=object), allow_pickle=True)
    status, told = send(client, out.getvalue(), b"a\n" + b"1\n2\n" * 10)
    assert status == 400
    assert "not a .npy file of numbers" in told["message"]
    assert send(client, npy(np.zeros((20, 2))), b"a\n1\n", "p.xls")[0] == 400


def test_an_obj_becomes_a_mesh_and_its_paint_is_chosen_by_name():
    held = mesh_files.read(CUBE.encode(), "cube.obj", "body")
    assert len(held.faces) == 12
    assert held.is_paint.tolist() == [True, False]
    low, high = held.points.min(axis=0), held.points.max(axis=0)
    assert low[2] == pytest.approx(0)
    assert (high - low).max() == pytest.approx(meshes.LENGTH_M, abs=1e-5)
    normals = meshes.mesh(held).normals
    assert np.allclose(np.linalg.norm(normals, axis=2), 1, atol=1e-5)
    with pytest.raises(BadRequest, match="No material is called 'chrome'"):
        mesh_files.read(CUBE.encode(), "cube.obj", "chrome")


def glb(points: np.ndarray, faces: np.ndarray) -> bytes:
    binary = points.astype("<f4").tobytes() + faces.astype("<u2").tobytes()
    binary += b"\0" * (-len(binary) % 4)
    size = points.size * 4
    told = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0, "scale": [2, 2, 2]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
        "materials": [{"name": "paint", "pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]}}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": faces.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": size},
            {"buffer": 0, "byteOffset": size, "byteLength": faces.size * 2},
        ],
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(told).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text
    body += struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<III", 0x46546C67, 2, 12 + len(body)) + body


def test_a_glb_becomes_a_mesh_and_a_damaged_one_a_sentence():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 3]], np.float32)
    faces = np.array([[0, 1, 2], [0, 1, 3]], np.int32)
    whole = glb(points, faces)
    held = mesh_files.read(whole, "a.glb")
    assert len(held.faces) == 2
    assert held.colours[0].tolist() == pytest.approx([1, 0, 0])
    for bad in (whole[:60], whole[:-20], b"nothing", glb(points, faces + 9)):
        with pytest.raises(BadRequest):
            mesh_files.read(bad, "a.glb")
    with pytest.raises(BadRequest, match="has no faces"):
        mesh_files.read(b"v 0 0 0\n", "a.obj")
    with pytest.raises(BadRequest, match="flat"):
        mesh_files.read(b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "a.obj")
    with pytest.raises(BadRequest, match=r"neither \.obj nor \.glb"):
        mesh_files.read(b"", "a.stl")


def test_meshes_are_kept_and_rendered_with_the_chosen_properties(
    served: tuple[FlaskClient, Services],
):
    from backend.metric_learning import generate

    client, services = served
    data = {"mesh": [(io.BytesIO(CUBE.encode()), "cube.obj")], "paint": "body"}
    told = client.post("/_metric/meshes", data=data, content_type="multipart/form-data").get_json()
    assert told["names"] == ["cube"]
    asked = {"meshes": told["key"], "varied": ["car_hue"], "n": 12, "seed": 1, "loss": "arcface"}
    made = requests.job("generate", asked)

    class Ticket:
        store = services.store

        def __call__(self, done: int, total: int) -> None:
            pass

    found = generate.generate(made.params, Ticket())
    assert found["images"].shape == (12, 128, 128, 3)
    assert [str(name) for name in found["measured"]] == ["car_hue"]
    services.store.put(made.key, found)
    packed = client.get(f"/_metric/generated/{made.key}.zip")
    assert packed.data[:2] == b"PK"


def test_a_bad_query_is_answered_with_what_is_shown_instead():
    values, notices = metric_state.opened(
        {"loss": "hinge", "query": "-4", "own": "zz", "made": "x"}
    )
    assert values["loss"] == metric_state.LOSS
    assert values["own"] == values["made"] == ""
    assert len(notices) == 4


def test_the_shipped_files_say_where_they_come_from():
    table = Path(shipped.CARS / "cars.toml").read_text(encoding="utf-8")
    assert table.count('split = "test"') == 6
    assert table.count("creator = ") == 18
    assert set(precompute.PARTS) >= {"sensitivity", "weights"}
