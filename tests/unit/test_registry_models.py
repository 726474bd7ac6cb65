"""Every kind of model, through the same contract: added, asked, found again, removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend import catalog
from backend.errors import BadRequest, NotFound
from backend.protocols import ModelBackend, SupportsGradients
from backend.registry import adding, store, views
from backend.settings import Settings
from backend.zoom import maps
from components.runtime import create_services
from tests import own_models as own
from tests.fake_work import WORKS
from tests.own_registry import own_registry

KINDS = ["torch.export", "fixed", "torchscript", "safetensors", "onnx", "onnx-softmax", "served"]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with own_registry(tmp_path, monkeypatch) as folder:
        yield folder


def added(kind: str, folder: Path):
    """The report of one kind, registered as ``mine``."""
    if kind == "torch.export":
        return adding.add_model(str(own.exported(folder / "m.pt2")), "mine", {})
    if kind == "fixed":
        return adding.add_model(str(own.exported(folder / "m.pt2", fixed=2)), "mine", {})
    if kind == "torchscript":
        size = {"input": "1x12x12"}
        return adding.add_model(str(own.scripted(folder / "m.pt")), "mine", size)
    if kind == "safetensors":
        given = {"factory": "tests.own_models:net", "classes": "2", "input": "1x12x12"}
        return adding.add_model(str(own.weights(folder / "m.safetensors")), "mine", given)
    softmax = kind == "onnx-softmax"
    return adding.add_model(str(own.onnx_file(folder / "m.onnx", softmax=softmax)), "mine", {})


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, state: Path):
    if request.param != "served":
        added(request.param, state)
        yield catalog.load_model("mine", "cpu")
        return
    from backend.serving import served

    pixels = np.zeros((3, 12, 12), np.uint8)
    with served(own.net(), (pixels, np.zeros(3, int)), classes=own.CLASSES, name="mine"):
        yield catalog.load_model("mine", "cpu")


def test_contract_of_adapters(model: ModelBackend):
    assert isinstance(model, ModelBackend)
    batch = np.random.default_rng(0).random((5, *own.SIZE), np.float32)
    answers = model.predict(batch)
    assert answers.shape == (5, 2)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    share = batch.mean(axis=(1, 2, 3))
    expected = 1 / (1 + np.exp(-16 * (share - 0.5)))
    np.testing.assert_allclose(answers[:, 1], expected, atol=2e-4)
    alone = np.concatenate([model.predict(batch[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, answers, atol=1e-5)
    assert model.predict(batch[:0]).shape == (0, 2)
    with pytest.raises(BadRequest, match="do not fit"):
        model.predict(batch[:, :, :5])
    with pytest.raises(BadRequest, match="0 to 1"):
        model.predict(batch * 255)
    if isinstance(model, SupportsGradients):
        maps = model.saliency(batch, np.ones(5, np.int64))
        assert maps.shape == (5, 12, 12)
        np.testing.assert_allclose(maps, 8 / 144, atol=1e-5)  # of the class's own logit
    assert model.card.key == "mine"
    assert len(model.card.fingerprint) == 16


@pytest.mark.parametrize("kind", ["torch.export", "safetensors"])
def test_layers_and_embedding_are_found(kind: str, state: Path):
    report = added(kind, state)
    assert report.embedding_size == 4
    assert maps.classifiers()["mine"].layers == report.spec.layers
    (zoom,) = [v for v in views.of_model(store.required().model("mine")) if "Zoom" in v.name]
    assert zoom.href == "/zoom?cam=mine&layers=cam,samples"
    assert report.spec.layers
    model = catalog.load_model("mine", "cpu")
    batch = np.full((2, *own.SIZE), 0.25, np.float32)
    np.testing.assert_allclose(model.embed(batch, report.spec.embedding)[:, 0], 0.25, atol=1e-6)
    cam = model.class_activation(batch, np.ones(2, np.int64), report.spec.layers[0])
    assert cam.shape == (2, 12, 12)


def test_scaling_reaches_the_model(state: Path):
    path = str(own.onnx_file(state / "m.onnx"))
    adding.add_model(path, "scaled", {"range": "0..255", "mean": "127.5", "std": "255"})
    batch = np.full((1, *own.SIZE), 1.0, np.float32)  # becomes (255 - 127.5) / 255 = 0.5
    np.testing.assert_allclose(catalog.load_model("scaled", "cpu").predict(batch), 0.5, atol=1e-5)


def test_changed_files_are_noticed(state: Path):
    added("onnx", state)
    own.onnx_file(state / "m.onnx", softmax=True)
    with pytest.raises(BadRequest, match="no longer those"):
        catalog.load_model("mine", "cpu")
    (state / "m.onnx").unlink()
    with pytest.raises(NotFound, match="gone"):
        catalog.load_model("mine", "cpu")


def test_edit_runs_again_and_changes_the_fingerprint(state: Path):
    added("onnx", state)
    before = store.required().model("mine").fingerprint
    report = adding.edit_model("mine", {"classes": "dark,bright", "mean": "0.1", "std": "0.5"})
    held = store.required().model("mine")
    assert held.spec.classes == own.CLASSES
    assert held.fingerprint != before
    assert report.spec.output == "logits"
    with pytest.raises(BadRequest, match="cannot be changed"):
        adding.edit_model("mine", {"path": "/etc/passwd"})


def test_other_processes_see_it_and_removing_forgets_it(state: Path):
    added("onnx", state)
    store.use(None)  # as another process starts
    assert list(store.models()) == ["mine"]
    assert catalog.card("mine").classes == ("0", "1")
    adding.remove_model("mine")
    with pytest.raises(NotFound, match="no model 'mine'"):
        catalog.card("mine")
    assert (state / "m.onnx").exists()


def test_whoever_asks_behind_the_end_of_an_app_leaves_no_connection_open(state: Path):
    services = create_services(Settings.from_env(), WORKS)
    assert store.required().engine is services.engine
    services.close()
    assert store.models() == {}
    assert services.engine.pool.checkedin() == 0
    ours = store.required().engine
    assert ours is not services.engine
    assert ours.pool.checkedin() == 1
    store.use(None)
    assert ours.pool.checkedin() == 0


def test_a_transformers_folder(state: Path):
    pytest.importorskip("transformers")
    folder = own.transformers_folder(state / "resnet")
    report = adding.add_model(str(folder), "resnet", {})
    assert report.spec.input == (1, 32, 32)
    assert report.spec.classes == own.CLASSES
    assert (report.spec.mean, report.spec.std) == ((0.5,), (0.5,))
    batch = np.random.default_rng(0).random((2, 1, 32, 32), np.float32)
    assert catalog.load_model("resnet", "cpu").predict(batch).shape == (2, 2)
    (folder / "modeling_x.py").write_text("raise SystemExit")
    with pytest.raises(BadRequest, match="Python code"):
        adding.add_model(str(folder), "resnet", {})


def test_a_factory_is_for_weights_alone(state: Path):
    with pytest.raises(BadRequest, match="A factory is for safetensors, and this is ONNX"):
        adding.add_model(str(own.onnx_file(state / "m.onnx")), "mine", {"factory": "DigitCNN"})


def test_none_empties_a_field(state: Path):
    given = {"title": "Lights", "mean": "0.5", "std": "0.5"}
    adding.add_model(str(own.onnx_file(state / "m.onnx")), "mine", given)
    spec = adding.edit_model("mine", {"title": "none", "mean": "none", "std": "none"}).spec
    assert (spec.title, spec.mean, spec.std) == ("", (), ())
    with pytest.raises(BadRequest, match="mean='half' holds no numbers"):
        adding.edit_model("mine", {"mean": "half"})
    with pytest.raises(BadRequest, match="Give 1 number"):
        adding.edit_model("mine", {"mean": "0.1,0.2,0.3"})
    with pytest.raises(BadRequest, match="The model gives 2 outputs, and 3 classes are named"):
        adding.edit_model("mine", {"classes": "a,b,c"})


def test_an_upload_that_another_entry_uses_stays(state: Path):
    from backend.registry import uploading

    data = own.onnx_file(state / "m.onnx").read_bytes()
    path = uploading.keep("m.onnx", data, uploading.MODELS)
    for name in ("one", "two"):
        adding.add_model(str(path), name, {})
    adding.remove_model("one")
    assert path.is_file()
    adding.remove_model("two")
    assert not path.exists()
