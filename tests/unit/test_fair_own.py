"""Registered pairs as a pool of the fair-retrieval page: scored by a text, grouped by labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from dash import Dash, html
from flask.testing import FlaskClient
from PIL import Image

from backend.fair import work
from backend.gap import asking, spaces
from backend.registry import adding, store
from backend.settings import Settings
from components import fair_routes, routes
from components.runtime import create_services
from components.security import protect
from tests import own_models as own
from tests.fake_work import WORKS
from tests.own_registry import own_registry

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
RUN = {"gap.scores": asking.scores, "fair.answer": work.answer}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """The routes of an app with pairs in two folders and a tiny CLIP; works run at once."""
    with own_registry(tmp_path, monkeypatch) as folder:
        services = create_services(Settings.from_env({"LOUPE_STATE_DIR": str(folder / "s")}), WORKS)
        rng = np.random.default_rng(0)
        for i in range(12):
            place = folder / "pets" / ("dogs" if i < 8 else "cats")
            place.mkdir(parents=True, exist_ok=True)
            noise = rng.integers(0, 90 + 10 * i, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(noise).save(place / f"{i:02d}.png")
            (place / f"{i:02d}.txt").write_text("a red dog" if i < 8 else "a blue cat")
        adding.add_set(str(folder / "pets"), "pets", {})
        adding.add_model(str(own.language_folder(folder / "clip", "CLIP")), "tiny", {})
        app = Dash("fair-own-test")
        app.layout = html.Div()
        routes.register(app.server, services)
        fair_routes.register(app.server)
        protect(app, services.settings)

        def call(name: str, params: Any, timeout_s: float) -> Any:
            del timeout_s
            return RUN[name](params, SimpleNamespace(store=services.store))

        monkeypatch.setattr(services.jobs, "call", call)
        yield app.server.test_client()
        services.close()
        store.use(None)


def posted(client: FlaskClient, status: int = 200, **asked: Any) -> dict[str, Any]:
    body = {"space": "pets--tiny", "text": "a dog", "plus": "dogs", "minus": "cats", **asked}
    response = client.post("/_fair/pairs", json=body)
    assert response.status_code == status, response.text[:300]
    found: dict[str, Any] = response.json
    return found


def test_spaces_with_an_encoder_and_two_labels_are_offered(client):
    listed = client.get("/_fair/spaces").json["spaces"]
    assert {one["key"] for one in listed} == {
        "pets--pairs-rankclip",
        "pets--pairs-clip",
        "pets--tiny",
    }
    assert listed[0]["groups"] == [{"name": "dogs", "count": 8}, {"name": "cats", "count": 4}]


def test_a_text_over_registered_pairs_is_balanced_by_their_labels(client):
    held = posted(client)
    assert (held["n"], held["counts"]) == (12, [4, 0, 8])
    assert held["title"] == "“a dog” over pets: tiny"
    found = client.post("/_fair/answer", json={"own": held["own"], "k": 6}).json
    assert found["query"] == "a dog"
    assert found["names"] == ["cats", "neither", "dogs"]
    assert found["pictures"] == "/_gap/thumb/pets--tiny"
    assert found["after"]["counts"] == [3, 0, 3]
    space = spaces.load("pets--tiny")
    from backend.gap.encoder import encoder_of

    cosines = space.images @ encoder_of("tiny").texts(["a dog"])[0]
    assert found["before"]["scores"] == pytest.approx(np.sort(cosines)[::-1][:6], abs=1e-5)
    label = found["labels"][str(found["before"]["ids"][0])]
    assert label in ("a red dog", "a blue cat")


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"space": "pairs-none"}, 404, "There is no space"),
        ({"text": " "}, 400, "There is no query"),
        ({"plus": "birds"}, 400, "No item is in group 'birds'"),
        ({"minus": "dogs"}, 400, "Both groups are called 'dogs'"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(client, asked, status, words):
    assert words in posted(client, status, **asked)["message"]
