"""Registered models as embeddings of the cars: listed, measured, swept, explained or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend import metrics
from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.metric_learning import (
    columns,
    embedders,
    generate,
    own_models,
    own_views,
    own_work,
    renders,
    requests,
    shipped,
    work,
)
from backend.protocols import Arrays
from backend.registry import adding
from tests import own_models as files
from tests.few_cars import ALL, SHOWN, added, few_cars


class Ticket:
    """Counts steps, and keeps results in a store."""

    def __init__(self, held: ArrayStore) -> None:
        self.store, self.steps = held, 0

    def __call__(self, done: int, total: int) -> None:
        self.steps += 1


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> ArrayStore:
    """One store for the module: cars are drawn once."""
    return ArrayStore(tmp_path_factory.mktemp("results"), 1 << 30)


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty registry, and a test set of a few images."""
    with few_cars(tmp_path, monkeypatch):
        yield


def run(name: str, asked: dict[str, Any], results: ArrayStore) -> Arrays:
    """What the worker answers to what the page asks."""
    made = requests.job(name, asked)
    works = {"model": own_work.model, "place": own_work.place, "values": own_work.values}
    works |= {"sweep": work.sweep, "maps": work.maps, "pair": work.pair}
    return works[name](made.params, Ticket(results))


def brightness(rows: range, results: ArrayStore) -> np.ndarray:
    """Mean grey of test images, by numpy alone."""
    images = renders.drawn(rows, results, requests.data_name())
    return (images @ np.array(embedders.GREY) / 255).mean(axis=(1, 2))


@pytest.mark.parametrize("kind", ["torch.export", "torchscript", "onnx"])
def test_every_kind_becomes_a_column_that_sees_the_brightness_it_computes(
    kind: str, tmp_path: Path, results: ArrayStore
):
    added(kind, tmp_path)
    shows_layer = kind == "torch.export"
    assert set(own_models.listed()) == {"own:mine", *(["own:mine:answers"] if shows_layer else [])}
    found = run("model", {"model": "own:mine"}, results)
    x = np.asarray(found["embedding"])
    assert x.shape == (SHOWN, 4 if shows_layer else 2)
    grey = brightness(range(12), results)
    assert np.allclose(x[:12, 0], grey if shows_layer else 8 * (0.5 - grey), atol=0.02)
    nr = dict(zip(found["properties"], found["nr_precision"], strict=True))
    assert max(nr, key=lambda name: nr[name]) == "bg_value"
    whole = embedders.vectors(
        own_models.find("own:mine"), requests.data_name(), results, Ticket(results)
    )
    direct = metrics.normalized_r_precision(whole, shipped.table()["bg_value"])
    assert nr["bg_value"] == pytest.approx(direct)


def test_a_second_model_waits_for_no_drawing_and_a_stored_one_for_nothing(
    tmp_path: Path, results: ArrayStore, monkeypatch: pytest.MonkeyPatch
):
    added("onnx", tmp_path)
    run("model", {"model": "own:mine"}, results)
    monkeypatch.setattr(renders, "image", lambda row: pytest.fail("drawn again"))
    adding.add_model(str(files.exported(tmp_path / "b.pt2")), "second", {})
    second = Ticket(results)
    own_work.model(requests.job("model", {"model": "own:second"}).params, second)
    assert second.steps == len(renders.parts(ALL))
    again = Ticket(results)
    own_work.model(requests.job("model", {"model": "own:second"}).params, again)
    assert again.steps == 0  # other distances need no model either


def test_it_is_swept_explained_and_split_by_value_like_a_loss(tmp_path: Path, results: ArrayStore):
    added("torch.export", tmp_path)
    asked = {"model": "own:mine", "distance": "euclidean"}
    swept = run("sweep", {"row": 3, "property": "bg_value", **asked}, results)
    assert [str(key) for key in swept["losses"]] == ["own:mine"]
    away = np.asarray(swept["distances"])[0]
    assert away[swept["own"][0]] == 0
    assert np.corrcoef(away, swept["steps"])[0, 1] > 0.9
    still = run("sweep", {"row": 3, "property": "sun_rotation", **asked}, results)
    assert np.asarray(still["distances"]).max() < away.max() / 3
    looked = run("maps", {"row": 3, **asked}, results)
    assert np.asarray(looked["maps"]).shape == (1, 64, 64)
    assert abs(float(np.asarray(looked["focus"])[0])) < 0.15  # a mean looks everywhere alike
    apart = run("pair", {"row": 3, "other": 4, "loss": "own:mine"}, results)
    assert np.asarray(apart["maps"]).shape == (2, 64, 64)
    found = run("values", asked, results)
    assert [str(key) for key in found["models"]] == ["own:mine"]
    assert run("place", {**asked, "method": "pca"}, results)["xy"].shape == (SHOWN, 2)


def test_by_value_adds_up_to_the_property_and_finds_the_value_that_stands_out():
    rng = np.random.default_rng(0)
    label = np.repeat(["a", "b", "c"], 100)
    x = rng.normal(size=(300, 8))
    x[label == "b"] += 3  # only b lies together
    from backend.metric_learning import properties

    table = columns.by_value(x, [properties.of("kind", label)], "euclidean")
    assert table["images"].tolist() == [100, 100, 100]
    nr = table.set_index("value")["nr_precision"]
    assert nr["b"] > nr["a"] + 5
    assert np.average(table["nr_precision"], weights=table["images"]) == pytest.approx(
        metrics.normalized_r_precision(x, label)
    )


def test_what_passes_no_gradients_says_so_and_what_is_gone_too(tmp_path: Path, results: ArrayStore):
    added("onnx", tmp_path)
    for name, asked in (("maps", {"model": "own:mine"}), ("pair", {"loss": "own:mine"})):
        with pytest.raises(BadRequest, match="ONNX, which passes no gradients"):
            requests.job(name, {"row": 1, "other": 2, **asked})
    with pytest.raises(BadRequest, match="no model of yours called 'own:else'"):
        requests.job("model", {"model": "own:else"})
    with pytest.raises(BadRequest, match="no distance 'taxicab'"):
        requests.job("sweep", {"row": 1, "property": "bg_hue", "model": "own:mine",
                               "distance": "taxicab"})  # fmt: skip
    made = requests.job("model", {"model": "own:mine"})
    added("onnx", tmp_path)
    files.onnx_file(tmp_path / "m.onnx", softmax=True)
    adding.add_model(str(tmp_path / "m.onnx"), "mine", {})
    with pytest.raises(BadRequest, match="has changed"):
        own_work.model(made.params, Ticket(results))


def test_cards_tell_what_is_measured_under_which_distance(tmp_path: Path, results: ArrayStore):
    added("onnx", tmp_path)
    (before,) = own_views.cards(results, "cosine")
    assert before["cells"] is None
    made = requests.job("model", {"model": "own:mine", "distance": "cosine"})
    results.put(made.key, own_work.model(made.params, Ticket(results)))
    (after,) = own_views.cards(results, "cosine")
    assert len(after["cells"]) == 11
    assert after["cells"]["bg_value"]["folds"] == [after["cells"]["bg_value"]["nr"]]
    assert own_views.cards(results, "dot")[0]["cells"] is None


def test_renders_of_own_meshes_are_embedded_by_an_own_model(tmp_path: Path, results: ArrayStore):
    from tests.unit.test_metric_page import CUBE

    added("onnx", tmp_path)
    held = generate.keep(results, [("cube.obj", CUBE.encode())], "")
    asked = {"meshes": held["key"], "varied": ["bg_value"], "n": 12, "loss": "own:mine"}
    found = generate.generate(requests.job("generate", asked).params, Ticket(results))
    assert found["embeddings"].shape == (12, 2)


def test_images_are_brought_to_the_size_and_channels_of_a_model():
    x = torch.zeros(1, 3, 4, 4)
    x[:, 1] = 1
    grey = embedders.fit(x, 1, 4, 4)
    assert grey.shape == (1, 1, 4, 4)
    assert torch.allclose(grey, torch.tensor(0.587))
    assert embedders.fit(x, 3, 9, 7).shape == (1, 3, 9, 7)
    assert embedders.fit(x, 3, 4, 4) is x
