"""Class maps of classifiers, answers about the list, and the page's state, figure and routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from flask.testing import FlaskClient

from app import create_app
from backend import catalog
from backend.errors import BackendError, BadRequest
from backend.settings import Settings
from backend.torch_backend import TorchBackend
from backend.zoom import answers, gradcam
from backend.zoom.library import library
from backend.zoom.maps import SHOWN, AnswersRequest, CamRequest, classifiers
from backend.zoom.source import ArraySource
from components import zoom_state
from components.figures.zoom_share import cumulative
from components.runtime import CONFIG
from components.state import defaults
from tests.bound import bound
from tests.browser.zoom_cases import MODEL, write_model


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    write_model()
    return tmp_path / "state"


@pytest.fixture
def client(state: Path) -> Iterator[FlaskClient]:
    app = bound(create_app(Settings.from_env()))
    with app.server.test_client() as made:
        yield made
    app.server.config[CONFIG].close()


def silent(done: int, total: int) -> None:
    """A ticket that is never cancelled."""


def test_a_class_map_is_the_gradient_weighted_sum_of_the_layer():
    net = catalog.load_model("digits-plain")
    assert isinstance(net, TorchBackend)
    rng = np.random.default_rng(0)
    batch = rng.random((2, 1, 28, 28), dtype=np.float32)
    layer = net.card.layers[0]
    found = net.class_activation(batch, np.array([3, 7]), layer)
    seen: list[torch.Tensor] = []
    handle = net._module.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: seen.append(output)
    )
    try:
        pixels = torch.tensor(batch, requires_grad=True)
        logits = net._module(pixels)
        (gradient,) = torch.autograd.grad(logits[0, 3] + logits[1, 7], seen[0])
    finally:
        handle.remove()
    wanted = np.zeros_like(found)
    for i in range(2):
        for c in range(seen[0].shape[1]):
            wanted[i] += float(gradient[i, c].mean()) * seen[0][i, c].detach().numpy()
    np.testing.assert_allclose(found, np.maximum(wanted, 0), atol=1e-5)
    assert not net._module.get_submodule(layer)._forward_hooks


def test_a_class_map_refuses_what_is_no_layer():
    net = catalog.load_model("digits-plain")
    assert isinstance(net, TorchBackend)
    batch = np.zeros((1, 1, 28, 28), np.float32)
    with pytest.raises(BadRequest, match="no layer 'nothing'"):
        net.class_activation(batch, np.array([0]), "nothing")


@pytest.mark.parametrize("model", ["imagenet-lite0", "digits-plain"])
def test_every_classifier_has_a_map_of_the_whole_image(model: str):
    rng = np.random.default_rng(1)
    image = ArraySource(rng.integers(0, 255, (300, 500, 3), dtype=np.uint8))
    found, probabilities = gradcam.class_map(model, image)
    assert found.ndim == 2
    assert found.min() >= 0
    assert found.max() in (0, pytest.approx(1))
    assert probabilities.sum() == pytest.approx(1, abs=1e-4)


def test_models_of_other_tasks_have_no_class_map(state: Path):
    assert "piv-net" not in classifiers()
    with pytest.raises(BadRequest, match="no classifier"):
        CamRequest("needle:1", "piv-net")
    with pytest.raises(BackendError, match="no row 9999"):
        CamRequest("needle:9999", "imagenet-lite0")


def test_a_changed_question_is_refused(state: Path):
    params = CamRequest("needle:1", "imagenet-lite0").params()
    assert CamRequest.from_params(params).model == "imagenet-lite0"
    with pytest.raises(BadRequest, match="weights changed"):
        CamRequest.from_params({**params, "model_fingerprint": "0"})
    with pytest.raises(BadRequest):
        AnswersRequest.from_params({"model": MODEL})


def test_answers_are_those_of_single_looks(state: Path, monkeypatch: pytest.MonkeyPatch):
    from backend.zoom.inference import infer

    monkeypatch.setattr(answers, "SHOWN", 3)
    found = answers.work(AnswersRequest(MODEL, n_tiles=4).params(), silent)
    assert found["answers"].shape == (3, 2)
    assert SHOWN == 40
    alone = infer(MODEL, library().open("needle:2"), 4, 0)
    np.testing.assert_allclose(found["answers"][2], alone.answer, atol=1e-6)
    assert found["distinct"][2] == alone.distinct


def test_the_state_asks_for_the_draw_that_is_shown(state: Path):
    values = defaults(zoom_state.schema())
    asked = zoom_state.checked(
        {**values, "model": MODEL, "seed": 5, "draw": 3, "region": "1,2,30,40"}
    )
    assert zoom_state.look(asked).seed == 8
    assert zoom_state.look(asked, 20).seed == 5
    assert zoom_state.look(asked).region == (1, 2, 30, 40)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("n", 0, "n=0 is not a whole number"),
        ("n", 2.5, "n=2.5 is not a whole number"),
        ("model", "nothing", "model=nothing is not one of"),
        ("region", "a,b,c,d", "region=a,b,c,d is no rectangle"),
        ("s1", "0.3", "s1=0.3 is not one of"),
        ("image", "x" * 2000, "a text of at most 1000 characters"),
    ],
)
def test_a_state_that_cannot_be_asked(state: Path, key: str, value: object, sentence: str):
    values = {**defaults(zoom_state.schema()), "model": MODEL, key: value}
    with pytest.raises(BadRequest, match=sentence):
        zoom_state.checked(values)


def test_the_share_figure_is_pure():
    shares = np.array([0.5, 0.75, 1.0], np.float32)
    figure = cumulative(shares, view="zoom")
    np.testing.assert_array_equal(figure.data[0].y, shares)
    np.testing.assert_allclose(figure.data[1].y, [1 / 3, 2 / 3, 1])
    assert len(cumulative(np.zeros(0, np.float32), view="zoom").data[0].x) == 0


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"steps": 1, "n_tiles": 4, "seed": 0}, "no model"),
        ({"base": MODEL, "name": "A b", "folder": "x"}, "steps"),
        (
            {"base": MODEL, "name": "A b", "folder": "x", "steps": 1, "n_tiles": 4, "seed": 0},
            "name",
        ),
        ([1], "not a JSON object"),
    ],
)
def test_training_refuses_in_sentences(client: FlaskClient, body: object, sentence: str):
    answer = client.post("/_zoom/train", json=body)
    assert answer.status_code in (400, 404)
    assert re.search(sentence, answer.get_json()["message"])


def test_preparing_refuses_what_needs_nothing(client: FlaskClient):
    assert client.post("/_zoom/prepare?image=needle:1").status_code == 400
    assert client.post("/_zoom/prepare?image=file:../x.tif").status_code == 404
    assert client.post("/_zoom/prepare").status_code == 404
