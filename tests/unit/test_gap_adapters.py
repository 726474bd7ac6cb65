"""Folders of ``transformers``: tiny models with random weights, opened without a network."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backend import cli_gap_embed
from backend.errors import BadRequest
from backend.gap import adapters
from backend.gap.preparation import Preparation, preparation
from tests.own_models import language_folder as written

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def pictures(n=3):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40, 50 + i, 3), dtype=np.uint8) for i in range(n)]


@pytest.mark.parametrize("kind", ["CLIP", "Siglip", "Align"])
def test_a_folder_puts_images_and_texts_into_one_space(tmp_path, kind):
    encoder = adapters.TransformersEncoder(written(tmp_path / "tiny", kind))
    images = encoder.images(pictures())
    texts = encoder.texts(["a red dog", "a blue cat", "a dog"])
    assert images.shape == texts.shape
    assert np.linalg.norm(images, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(texts, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(texts[0] - texts[1]).max() > 1e-4
    assert np.abs(images[0] - images[1]).max() > 1e-4
    again = encoder.images(pictures()[1:2])
    assert again[0] == pytest.approx(images[1], abs=1e-5)  # the batch does not matter


def test_pictures_are_cropped_for_clip_and_squashed_for_siglip():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, :10] = 255
    cropped = Preparation(10, (0, 0, 0), (1, 1, 1), is_squashed=False)([wide])
    squashed = Preparation(10, (0, 0, 0), (1, 1, 1), is_squashed=True)([wide])
    assert float(cropped.max()) == 0  # the white third lies outside the crop
    assert float(squashed.mean()) == pytest.approx(1 / 3, abs=0.05)


ALIGN = {
    "size": {"height": 40, "width": 40},
    "crop_size": {"height": 32, "width": 32},
    "do_center_crop": True,
    "do_normalize": False,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "rescale_factor": 1 / 127.5,
    "rescale_offset": True,
    "resample": 2,
}
"""As ALIGN's own file has it: bytes go to [-1, 1]; mean and deviation are there but not used."""


@pytest.mark.parametrize("name", ["preprocessor_config.json", "processor_config.json"])
def test_what_the_file_of_the_preparation_says_is_done(tmp_path, name):
    told = ALIGN if name.startswith("pre") else {"image_processor": ALIGN, "processor_class": "x"}
    (tmp_path / name).write_text(json.dumps(told))
    made = preparation(tmp_path, "align", {"vision_config": {"image_size": 600}})
    framed = np.full((80, 80, 3), 255, np.uint8)
    framed[8:72, 8:72] = 0  # the frame is the tenth that is cut off
    (found,) = made([framed])
    assert found.shape == (3, 32, 32)
    assert float(found[:, 2:-2, 2:-2].max()) == pytest.approx(-1, abs=1e-6)
    assert made.pixels(framed).shape == (1, 3, 40, 40)
    (white,) = made([np.full((80, 80, 3), 255, np.uint8)])
    assert float(white.min()) == pytest.approx(1, abs=1e-6)


def test_without_a_file_each_kind_has_what_is_usual_for_it(tmp_path):
    clip = preparation(tmp_path, "clip", {"vision_config": {"image_size": 32}})
    assert (clip.side, clip.is_squashed) == (32, False)
    assert clip.mean[0] == pytest.approx(0.4815, abs=1e-4)
    siglip = preparation(tmp_path, "siglip", {"vision_config": {"image_size": 48}})
    assert (siglip.side, siglip.is_squashed, siglip.mean) == (48, True, (0.5, 0.5, 0.5))


def test_what_is_no_dual_encoder_is_refused(tmp_path):
    with pytest.raises(BadRequest, match="no readable config"):
        adapters.TransformersEncoder(tmp_path)
    code = {"model_type": "clip", "auto_map": {"AutoModel": "mine.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(code))
    with pytest.raises(BadRequest, match="code of its own"):
        adapters.TransformersEncoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(code))  # of a part of it, too
    with pytest.raises(BadRequest, match=r"tokenizer_config.json .* code of its own"):
        adapters.TransformersEncoder(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(BadRequest, match=r"has no \.safetensors") as caught:
        adapters.TransformersEncoder(tmp_path)
    assert "are not read" in caught.value.hint
    (tmp_path / "x.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "siglip2"}))
    with pytest.raises(BadRequest, match="any resolution"):
        adapters.TransformersEncoder(tmp_path)
    with pytest.raises(BadRequest, match="not a safetensors file"):
        adapters.OpenClipEncoder("ViT-B-32", tmp_path / "x.pt")


def test_the_command_writes_what_the_page_imports(tmp_path, capsys):
    folder = written(tmp_path / "tiny", "CLIP")
    names = [f"{i}.png" for i in range(3)]
    for name, picture in zip(names, pictures(), strict=True):
        Image.fromarray(picture).save(tmp_path / name)
    table = pd.DataFrame({"file": names, "caption": ["a red dog", "a cat", "a dog"]})
    table.to_csv(tmp_path / "pairs.csv", index=False)
    asked = argparse.Namespace(model=folder, pairs=tmp_path / "pairs.csv", npz=tmp_path / "out.npz")
    cli_gap_embed.embed(asked)
    assert "3 pairs by tiny (clip)" in capsys.readouterr().out
    with np.load(tmp_path / "out.npz", allow_pickle=False) as held:
        assert held["image_emb"].shape == held["text_emb"].shape
        assert held["captions"].tolist() == ["a red dog", "a cat", "a dog"]
    table.drop(columns="caption").to_csv(tmp_path / "pairs.csv", index=False)
    with pytest.raises(BadRequest, match="the columns file"):
        cli_gap_embed.embed(asked)


def test_a_model_of_open_clip_puts_images_and_texts_into_one_space(tmp_path, monkeypatch):
    reason = "open_clip_torch needs a torchvision that fits torch, which Loupe does not install"
    open_clip = pytest.importorskip("open_clip", reason=reason)
    from safetensors.torch import save_file

    vision = {"image_size": 32, "patch_size": 16, "layers": 1, "width": 32, "head_width": 16}
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
    (tmp_path / "tiny-test.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path)
    made = open_clip.create_model("tiny-test")
    path = tmp_path / "weights.safetensors"
    save_file({name: one.contiguous() for name, one in made.state_dict().items()}, path)
    monkeypatch.setattr(adapters, "BATCH", 2)
    encoder = adapters.OpenClipEncoder("tiny-test", path)
    for found in (encoder.images(pictures()), encoder.texts(["a red dog", "a cat", "a dog"])):
        assert found.shape == (3, 16)
        assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
        assert np.abs(found[0] - found[2]).max() > 1e-4
    with pytest.raises(BadRequest, match="has no model 'hf-hub:x/y'"):
        adapters.OpenClipEncoder("hf-hub:x/y", path)
    save_file({"a": made.logit_scale.detach()}, path)
    with pytest.raises(BadRequest, match="does not hold the weights of tiny-test"):
        adapters.OpenClipEncoder("tiny-test", path)
