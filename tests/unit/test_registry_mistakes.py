"""The likely mistakes, each with the sentence that says what to do."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from backend.errors import BackendError
from backend.registry import adding, kinds, store, uploading
from tests import own_models as own


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    store.use(None)
    yield tmp_path
    store.use(None)


def model(path: Path, given: dict[str, str] | None = None, name: str = "mine") -> None:
    adding.add_model(str(path), name, given or {})


def pickle(folder: Path) -> None:
    torch.save(own.net().state_dict(), folder / "m.pt")
    model(folder / "m.pt")


def no_file(folder: Path) -> None:
    model(folder / "lost.onnx")


def keras(folder: Path) -> None:
    (folder / "m.h5").write_bytes(b"x")
    model(folder / "m.h5")


def plain_folder(folder: Path) -> None:
    model(folder)


def bad_name(folder: Path) -> None:
    model(own.onnx_file(folder / "m.onnx"), name="My Model")


def bundled_name(folder: Path) -> None:
    model(own.onnx_file(folder / "m.onnx"), name="digits-plain")


def weights_elsewhere(folder: Path) -> None:
    model(own.onnx_elsewhere(folder / "m.onnx"))


def cut_short(folder: Path) -> None:
    path = own.onnx_file(folder / "m.onnx")
    path.write_bytes(path.read_bytes()[:-20])
    model(path)


def no_factory(folder: Path) -> None:
    model(own.weights(folder / "w.safetensors"), {"input": "1x12x12", "classes": "2"})


def unknown_factory(folder: Path) -> None:
    given = {"input": "1x12x12", "classes": "2", "factory": "nowhere.nets:make"}
    model(own.weights(folder / "w.safetensors"), given)


def other_weights(folder: Path) -> None:
    save_file({"0.weight": torch.zeros(2, 3)}, folder / "w.safetensors")
    given = {"input": "1x12x12", "classes": "2", "factory": "tests.own_models:net"}
    model(folder / "w.safetensors", given)


def wrong_count(folder: Path) -> None:
    model(own.onnx_file(folder / "m.onnx"), {"classes": "10"})


def other_input(folder: Path) -> None:
    model(own.onnx_file(folder / "m.onnx"), {"input": "3x224x224"})


def channels_last(folder: Path) -> None:
    model(own.onnx_file(folder / "m.onnx"), {"input": "28x28x1"})


def no_input(folder: Path) -> None:
    model(own.scripted(folder / "m.pt"))


def training_mode(folder: Path) -> None:
    save_file(own.noisy(2).state_dict(), folder / "w.safetensors")
    given = {"input": "1x12x12", "classes": "2", "factory": "tests.own_models:noisy"}
    model(folder / "w.safetensors", given)


def not_finite(folder: Path) -> None:
    save_file({}, folder / "w.safetensors")
    given = {"input": "1x12x12", "classes": "2", "factory": "tests.own_models:broken"}
    model(folder / "w.safetensors", given)


def not_probabilities(folder: Path) -> None:
    model(own.onnx_file(folder / "m.onnx"), {"output": "probabilities"})


def bad_std(folder: Path) -> None:
    model(own.onnx_file(folder / "m.onnx"), {"std": "0"})


def bad_factory(folder: Path) -> None:
    model(own.weights(folder / "w.safetensors"), {"factory": "os.system('x')"})


def objects(folder: Path) -> None:
    np.save(folder / "x.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    adding.add_set(str(folder / "x.npy"), "mine", {})


def normalised(folder: Path) -> None:
    np.savez(folder / "x.npz", images=np.linspace(-2, 2, 3 * 64).reshape(3, 8, 8), labels=[0] * 3)
    adding.add_set(str(folder / "x.npz"), "mine", {})


def one_hot(folder: Path) -> None:
    np.savez(folder / "x.npz", images=np.zeros((3, 8, 8), np.uint8), labels=np.eye(3, dtype=int))
    adding.add_set(str(folder / "x.npz"), "mine", {})


def empty_folder(folder: Path) -> None:
    (folder / "none").mkdir()
    adding.add_set(str(folder / "none"), "mine", {})


def one_image(folder: Path) -> None:
    Image.new("L", (9, 9)).save(folder / "one.png")
    adding.add_set(str(folder / "one.png"), "mine", {})


def no_column(folder: Path) -> None:
    (folder / "t.csv").write_text("a,b\n1,2\n")
    adding.add_set(str(folder / "t.csv"), "mine", {})


def wrong_column(folder: Path) -> None:
    (folder / "t.csv").write_text("image,b\nx.png,2\n")
    adding.add_set(str(folder / "t.csv"), "mine", {"label": "kind"})


def excel(folder: Path) -> None:
    (folder / "t.xlsx").write_bytes(b"x")
    adding.add_set(str(folder / "t.xlsx"), "mine", {})


def unknown_class(folder: Path) -> None:
    adding.add_set(str(own.images(folder / "i")), "mine", {"classes": "dark,light"})


MISTAKES = [
    (pickle, "m.pt is a pickle.*torch.export.save"),
    (no_file, "no file 'lost.onnx'"),
    (keras, "TensorFlow or Keras.*ONNX"),
    (plain_folder, "no config.json.*data add"),
    (bad_name, "cannot be called 'My Model'.*hyphens"),
    (bundled_name, "bundled model 'digits-plain'.*another name"),
    (weights_elsewhere, "external data.*external_data=False"),
    (cut_short, "not an ONNX file, or was cut short"),
    (no_factory, "holds weights only.*--factory package.module:function"),
    (unknown_factory, "'nowhere.nets' cannot be imported.*PYTHONPATH"),
    (other_weights, "does not fit tests.own_models:net"),
    (wrong_count, "2 outputs, and 10 classes are named"),
    (other_input, "--input says 3x224x224, and the file itself takes 1x12x12"),
    (channels_last, "28x28x1 is not usable.*Did you mean 1x28x28"),
    (no_input, "does not say what images.*--input 3x224x224"),
    (training_mode, r"differently.*model.eval\(\)"),
    (not_finite, "NaN or infinity.*--mean"),
    (not_probabilities, "sums to.*--output logits"),
    (bad_std, "std holds.*above 0"),
    (bad_factory, "factory=.*package.module:function"),
    (objects, r"Python objects \(a pickle\).*arrays of numbers"),
    (normalised, "from -2 to 2.*before any normalisation"),
    (one_hot, r"labels.argmax\(1\)"),
    (empty_folder, "no images that can be used.*PNG, JPEG"),
    (one_image, "one image.*Add the folder"),
    (no_column, "no column of image paths.*--image COLUMN. It has a, b"),
    (wrong_column, "no column 'kind' for the label.*image, b"),
    (excel, "Save the table as .csv"),
    (unknown_class, "label 'bright' is none of the 2 classes.*bright, dark"),
]


@pytest.mark.parametrize(("make", "sentence"), MISTAKES, ids=lambda v: getattr(v, "__name__", ""))
def test_a_mistake_is_a_sentence_that_says_what_to_do(make, sentence: str, state: Path):
    with pytest.raises(BackendError, match=sentence) as told:
        make(state)
    assert str(state) not in str(told.value)  # no path of this machine
    assert not store.models()
    assert not store.sets()


def archive(path: Path, name: str, data: bytes = b"x", mode: int = 0o100644) -> Path:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(info, data)
    return path


@pytest.mark.parametrize("name", ["../x.png", "/etc/x.png", "a/../../x.png", "..\\x.png"])
def test_archives_that_lead_out_are_refused(name: str, tmp_path: Path):
    with pytest.raises(BackendError, match="leads out of it"):
        kinds.members(archive(tmp_path / "a.zip", name))


def test_links_and_bombs_in_archives_are_refused(tmp_path: Path):
    with pytest.raises(BackendError, match="leads out of it"):
        kinds.members(archive(tmp_path / "a.zip", "x.png", mode=0o120777))
    with pytest.raises(BackendError, match="would unpack to"):
        kinds.members(archive(tmp_path / "a.zip", "x.png", bytes(60_000_000)))


@pytest.mark.parametrize("name", ["m.pt2", "m.pt", "m.ckpt"])
def test_what_can_run_code_is_not_taken_from_the_browser(name: str):
    with pytest.raises(BackendError, match=f"python -m backend models add {name}"):
        uploading.keep(name, b"x", uploading.MODELS)


def test_uploads_have_a_quota(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOUPE_UPLOAD_MB", "1")
    uploading.keep("a.onnx", bytes(900_000), uploading.MODELS)
    with pytest.raises(BackendError, match=r"of 1 MB.*LOUPE_UPLOAD_MB"):
        uploading.keep("b.onnx", bytes(200_000), uploading.MODELS)


def test_only_allowed_folders_are_read(tmp_path: Path):
    root = tmp_path / "data"
    own.images(root / "set")
    (root / "out").symlink_to("/etc")
    assert uploading.below_roots("set", [root]) == root / "set"
    for bad in ("/etc", "../x", "out", ""):
        with pytest.raises(BackendError, match="not below a folder"):
            uploading.below_roots(bad, [root])
    with pytest.raises(BackendError, match="There is no 'lost'"):
        uploading.below_roots("lost", [root])
