"""Networks of torchvision: from weights on this machine, never downloaded or unpickled."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from backend.errors import BadRequest
from backend.registry import adding, building, named, store, torch_models, torchvision_models
from tests import own_answers, own_models

NAME = "squeezenet1_1"  # 5 MB
REASON = "torchvision must fit torch; Loupe does not install it"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LOUPE_DEVICE", "cpu")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    store.use(None)
    yield tmp_path
    store.use(None)


@pytest.fixture
def models() -> Any:
    return pytest.importorskip("torchvision", reason=REASON, exc_type=ImportError).models


def saved(models: Any, path: Path, name: str = NAME, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = models.get_model(name, weights=None, **how)
    save_file({key: one.contiguous() for key, one in made.state_dict().items()}, path)
    return path


def test_every_library_supplies_the_same():
    for kind in named.LIBRARIES:
        found = named.library(kind)
        assert all(callable(getattr(found, one)) for one in named.Library.__annotations__)
    assert named.is_named("torchvision:resnet18")
    assert not named.is_named("timm")
    assert not named.is_named("C:model.pt2")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)  # as if it were not installed
    for ask in (torch_models.factory_of, lambda name: adding.add_model(name, "mine", {})):
        with pytest.raises(BadRequest, match="not installed, or does not fit torch"):
            ask("torchvision:resnet18")


def test_a_name_with_weights_beside_its_own(models: Any):
    file = torchvision_models.weights
    with pytest.raises(BadRequest, match="neither downloads nor unpickles") as refused:
        file(NAME)
    place = refused.value.hint.rpartition(", '")[2].partition("'")[0]
    saved(models, Path(place))
    report = adding.add_model(f"torchvision:{NAME}", "mine", {})
    assert report.spec.input == (3, 224, 224)
    assert report.spec.mean == (0.485, 0.456, 0.406)
    assert report.spec.classes[0] == "tench"
    assert len(report.spec.classes) == 1000
    assert report.spec.layers
    model = building.registered("mine", "cpu")
    found = model.predict(np.random.default_rng(0).random((2, 3, 224, 224), np.float32))
    assert found.shape == (2, 1000)
    assert np.abs(found[0] - found[1]).max() > 0
    saved(models, Path(place))  # other random weights under the same name
    with pytest.raises(BadRequest, match="no longer those that were added"):
        building.registered("mine", "cpu")


def test_weights_of_ones_own(models: Any, state: Path):
    path = saved(models, state / "own.safetensors", num_classes=2)
    given = {"factory": f"torchvision:{NAME}", "input": (3, 64, 64), "classes": own_models.CLASSES}
    report = adding.add_model(str(path), "own", given)
    assert report.spec.classes == own_models.CLASSES
    with pytest.raises(BadRequest, match=f"does not fit torchvision:{NAME}"):
        adding.add_model(str(path), "wrong", {**given, "classes": ("a", "b", "c")})


def test_a_network_that_scales_its_input_is_told_to(models: Any):
    name = "googlenet"
    path = Path(str(torchvision_models._entry(name).url)).stem
    saved(models, Path(torch_home()) / f"{path}.safetensors", name, init_weights=False)
    assert torchvision_models.network(name).transform_input is True


def torch_home() -> str:
    import torch

    return f"{torch.hub.get_dir()}/checkpoints"


def test_what_is_not_here_is_said(models: Any):
    for name, sentence in (
        ("dream", "has no classifier, detector or optical flow 'dream'"),
        ("fcn_resnet50", "segmentation and video have no view"),
        (f"{NAME}.dream", "has no weights 'squeezenet1_1.dream'"),
    ):
        with pytest.raises(BadRequest, match=sentence):
            adding.add_model(f"torchvision:{name}", "mine", {})
    assert "mine" not in store.models()


def placed(models: Any, name: str) -> None:
    """Random weights where those of a name are looked for."""
    with pytest.raises(BadRequest, match="neither downloads nor unpickles") as refused:
        torchvision_models.weights(name)
    place = refused.value.hint.rpartition(", '")[2].partition("'")[0]
    backbone = {"weights_backbone": None} if "ssd" in name else {}
    saved(models, Path(place), name, **backbone)


def test_a_detector_by_its_name(models: Any):
    placed(models, "ssdlite320_mobilenet_v3_large")
    report = adding.add_model("torchvision:ssdlite320_mobilenet_v3_large", "mine", {})
    assert (report.spec.task, report.spec.input) == ("detection", (3, 128, 128))
    assert report.spec.output == "boxes"
    assert report.spec.classes[:2] == ("__background__", "person")
    assert len(set(report.spec.classes)) == len(report.spec.classes) == 91
    found = building.registered("mine", "cpu").predict(own_answers.crops())
    assert found.shape == (2, 10, 6)


def test_weights_of_a_detector_of_ones_own(models: Any, state: Path):
    name = "ssdlite320_mobilenet_v3_large"
    path = saved(models, state / "own.safetensors", name, num_classes=3, weights_backbone=None)
    given = {"factory": f"torchvision:{name}", "classes": "__background__,lamp,moon"}
    spec = adding.add_model(str(path), "own", given).spec
    assert (spec.task, spec.classes) == ("detection", ("__background__", "lamp", "moon"))


def test_optical_flow_by_its_name(models: Any):
    placed(models, "raft_small")
    report = adding.add_model("torchvision:raft_small", "mine", {})
    assert (report.spec.task, report.spec.input) == ("piv", (3, 128, 128))
    assert (report.spec.range, report.spec.any_side) == ("-1..1", True)
    found = building.registered("mine", "cpu").predict(own_answers.frames())
    assert found.shape == (1, 2, 64, 64)
