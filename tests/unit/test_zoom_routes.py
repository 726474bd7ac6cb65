"""Images of the Zoom-In page through Flask: tiles, parts, uploads, refusals."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson
import pytest
import pyvips
from dash import Dash, html
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from backend.settings import Settings
from components import routes, zoom_routes
from components.runtime import Services, create_services
from components.security import protect
from tests.fake_work import WORKS

PIXELS = np.dstack(np.meshgrid(np.arange(600) % 256, np.arange(500) % 256)).astype(np.uint8)
PIXELS = np.dstack([PIXELS, np.full((500, 600), 99, np.uint8)])


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    state = tmp_path_factory.mktemp("state")
    (state / "images" / "folder").mkdir(parents=True)
    pyvips.Image.new_from_array(PIXELS).tiffsave(
        str(state / "images" / "folder" / "a b.tif"),
        tile=True, pyramid=True, compression="none", tile_width=128, tile_height=128,
    )  # fmt: skip
    (state / "secret.tif").write_bytes(b"II*\0")
    services = create_services(Settings.from_env({"LOUPE_STATE_DIR": str(state)}), WORKS)
    yield services
    services.close()


@pytest.fixture(scope="module")
def client(held: Services) -> FlaskClient:
    app = Dash("zoom-routes-test")
    app.layout = html.Div()
    routes.register(app.server, held)
    zoom_routes.register(app.server)
    protect(app, held.settings)
    return app.server.test_client()


KEY = "file:folder/a b.tif"


def info(client: FlaskClient, key: str = KEY) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(client.get(f"/_zoom/info?image={quote(key)}").data)
    return found


def pixels(response: TestResponse) -> np.ndarray:
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(io.BytesIO(response.data)))


def refused(response: TestResponse, status: int) -> None:
    assert response.status_code == status, response.text[:200]
    assert set(orjson.loads(response.data)) == {"message", "hint"}
    assert "/tmp" not in response.text


def test_the_list_and_what_a_viewer_needs(client: FlaskClient) -> None:
    keys = [row["key"] for row in orjson.loads(client.get("/_zoom/list").data)["images"]]
    assert KEY in keys
    assert "needle:0" in keys
    found = info(client)
    assert (found["width"], found["height"], found["maxLevel"], found["tileSize"]) == (
        600, 500, 10, 256,
    )  # fmt: skip
    assert found["truth"] is None
    assert info(client, "needle:1")["truth"]["label"] == 1


def test_tiles_are_the_images_pixels_and_kept_for_ever(client: FlaskClient) -> None:
    mark = info(client)["fingerprint"]
    response = client.get(f"/_zoom/tile/{mark}/10/1_1.jpg?image={quote(KEY)}")
    shown = pixels(response)
    assert shown.shape == (244, 256, 3)
    assert np.abs(shown.astype(int) - PIXELS[256:, 256:512]).mean() < 6
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["ETag"].strip('"') == mark
    small = pixels(client.get(f"/_zoom/tile/{mark}/8/0_0.jpg?image={quote(KEY)}"))
    assert small.shape == (125, 150, 3)


@pytest.mark.parametrize(
    "address",
    ["10/9_0.jpg", "11/0_0.jpg", "10/-1_0.jpg", "x/0_0.jpg", "10/0_0.png", "10/0_0", "10/0.5_0.jpg",
     "99999/0_0.jpg", "10/99999999_0.jpg", "../../etc/passwd", "10/..%2f0_0.jpg"],
)  # fmt: skip
def test_other_tiles_are_not_there(client: FlaskClient, address: str) -> None:
    mark = info(client)["fingerprint"]
    refused(client.get(f"/_zoom/tile/{mark}/{address}?image={quote(KEY)}"), 404)


@pytest.mark.parametrize("mark", ["0" * 16, "x", "A" * 16, ""])
def test_another_fingerprint_is_another_image(client: FlaskClient, mark: str) -> None:
    response = client.get(f"/_zoom/tile/{mark}/10/0_0.jpg?image={quote(KEY)}")
    assert response.status_code == 404


@pytest.mark.parametrize(
    "key",
    ["file:../secret.tif", "file:/etc/passwd", "file:folder/../../secret.tif",
     "upload:../secret.tif",
     "needle:99999", "large:1", "file:", "x", "a" * 4000],
)  # fmt: skip
def test_nothing_else_is_opened(client: FlaskClient, key: str) -> None:
    for url in ("info", f"view/{'0' * 16}.jpg", f"tile/{'0' * 16}/0/0_0.jpg"):
        response = client.get(f"/_zoom/{url}?image={quote(key)}&px=64")
        assert response.status_code in (400, 404)
        assert orjson.loads(response.data)["message"]


def test_views_parts_and_masks(client: FlaskClient) -> None:
    mark = info(client)["fingerprint"]
    view = client.get(f"/_zoom/view/{mark}.jpg?image={quote(KEY)}&px=300")
    assert pixels(view).shape == (250, 300, 3)
    part = client.get(f"/_zoom/crop/{mark}.jpg?image={quote(KEY)}&x=-10&y=20&w=32&h=32")
    assert pixels(part).shape == (32, 32, 3)
    for query in ("x=0&y=0&w=0&h=5", "x=0&y=0&w=5000&h=5", "x=a&y=0&w=5&h=5", "x=9999&y=0&w=5&h=5"):
        refused(client.get(f"/_zoom/crop/{mark}.jpg?image={quote(KEY)}&{query}"), 400)
    refused(client.get(f"/_zoom/view/{mark}.jpg?image={quote(KEY)}&px=5000"), 400)
    refused(client.get(f"/_zoom/mask/{mark}.png?image={quote(KEY)}"), 404)
    needle = info(client, "needle:1")
    strokes = pixels(client.get(f"/_zoom/mask/{needle['fingerprint']}.png?image=needle:1"))
    x, y, width, height = needle["truth"]["boxes"][0]
    assert strokes[y : y + height, x : x + width].max() == 255
    assert strokes.sum() == strokes[y : y + height, x : x + width].sum()


def test_uploads_in_parts(client: FlaskClient) -> None:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG")
    data = out.getvalue()
    ticket = orjson.loads(client.post("/_zoom/upload", json={}).data)["ticket"]
    half = len(data) // 2
    for start, part in ((0, data[:half]), (half, data[half:])):
        sent = client.put(f"/_zoom/upload/{ticket}?start={start}", data=part)
        assert sent.status_code == 200, sent.text
    found = orjson.loads(client.post(f"/_zoom/upload/{ticket}/finish?name=x.png", json={}).data)
    assert found["kind"] == "upload"
    assert found["width"] == 600
    shown = pixels(
        client.get(f"/_zoom/tile/{found['fingerprint']}/10/0_0.jpg?image={found['key']}")
    )
    assert np.abs(shown.astype(int) - PIXELS[:256, :256]).mean() < 6
    refused(client.put("/_zoom/upload/" + "0" * 32 + "?start=0", data=b"x"), 404)


def test_a_replaced_file_is_another_image(client: FlaskClient, held: Services) -> None:
    path: Path = held.settings.state_dir / "images" / "b.png"
    Image.fromarray(PIXELS).save(path)
    mark = info(client, "file:b.png")["fingerprint"]
    url = f"/_zoom/tile/{mark}/10/0_0.jpg?image=file:b.png"
    assert client.get(url).status_code == 200
    Image.fromarray(PIXELS[::-1]).save(path)
    refused(client.get(url), 404)
    assert info(client, "file:b.png")["fingerprint"] != mark
