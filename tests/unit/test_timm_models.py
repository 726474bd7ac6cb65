"""Networks of timm: from the local cache or from weights of one's own, never downloaded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from backend.errors import BadRequest
from backend.registry import adding, building, store, timm_models, torch_models
from tests import own_models

NAME = "test_resnet"  # timm's own tiny network, for 1,000 classes at 160 px
REASON = "timm needs a torchvision that fits torch, which Loupe does not install"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LOUPE_DEVICE", "cpu")
    store.use(None)
    yield tmp_path
    store.use(None)


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip("timm", reason=REASON, exc_type=ImportError)


def saved(timm: Any, path: Path, **how: int) -> Path:
    made = timm.create_model(NAME, pretrained=False, **how)
    save_file({name: one.contiguous() for name, one in made.state_dict().items()}, path)
    return path


def cached(timm: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of :data:`NAME` as ``hf download`` leaves them."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home))
    repository = home / f"models--timm--{NAME}.r160_in1k"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    return saved(timm, snapshot / timm_models.WEIGHTS)


def test_a_name_with_weights_in_the_cache(timm, state: Path, monkeypatch):
    path = cached(timm, state / "hub", monkeypatch)
    report = adding.add_model(f"timm:{NAME}", "mine", {})
    assert report.spec.input == (3, 160, 160)
    assert report.spec.classes[0] == "tench"
    assert len(set(report.spec.classes)) == 1000
    assert report.spec.layers
    assert report.spec.embedding
    first = store.required().model("mine").fingerprint
    model = building.registered("mine", "cpu")
    found = model.predict(np.random.default_rng(0).random((2, 3, 160, 160), np.float32))
    assert found.shape == (2, 1000)
    assert np.abs(found[0] - found[1]).max() > 0
    saved(timm, path)  # other random weights under the same name
    assert building.fingerprint(report.spec) != first
    with pytest.raises(BadRequest, match="no longer those that were added"):
        building.registered("mine", "cpu")


def test_another_size_and_weights_of_ones_own(timm, state: Path, monkeypatch):
    cached(timm, state / "hub", monkeypatch)
    report = adding.add_model(f"timm:{NAME}", "small", {"input": (3, 64, 64)})
    assert report.spec.input == (3, 64, 64)
    path = saved(timm, state / "own.safetensors", num_classes=2)
    given = {"factory": f"timm:{NAME}", "input": (3, 64, 64), "classes": own_models.CLASSES}
    report = adding.add_model(str(path), "own", given)
    assert report.spec.classes == own_models.CLASSES
    with pytest.raises(BadRequest, match="does not fit timm:test_resnet with 3 classes"):
        adding.add_model(str(path), "wrong", {**given, "classes": ("a", "b", "c")})


def test_what_is_not_here_is_said(timm, state: Path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(state / "hub"))
    for name, sentence in (
        (NAME, "not on this machine, and Loupe downloads nothing"),
        ("dream", "has no model 'dream'"),
        (f"hf-hub:timm/{NAME}", "has no model 'hf-hub"),
        (f"{NAME}.dream", "has no weights 'test_resnet.dream'"),
    ):
        with pytest.raises(BadRequest, match=sentence):
            adding.add_model(f"timm:{name}", "mine", {})
    assert "mine" not in store.models()


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [("timm", "The package timm is not installed"), ("torchvision.ops", "needs the package torch")],
)
def test_a_missing_package_is_named(missing: str, sentence: str, monkeypatch):
    class Lost:
        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> None:
            if name == "timm":
                raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    for name in [name for name in sys.modules if name.partition(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Lost, *sys.meta_path])
    with pytest.raises(BadRequest, match=sentence):
        torch_models.factory_of("timm:resnet18")
