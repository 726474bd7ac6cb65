"""transformers folders that read texts: a dual encoder on pairs, an encoder of texts in NERO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend import catalog
from backend.errors import BadRequest
from backend.gap import registered, spaces
from backend.gap.adapters import TransformersEncoder
from backend.nero import evaluate, orbits
from backend.registry import adding, sets, store, views
from tests import own_models as own
from tests import own_sets_made as made
from tests.own_registry import own_registry

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with own_registry(tmp_path, monkeypatch) as folder:
        yield folder


def test_a_dual_encoder_places_every_set_of_pairs(state: Path):
    adding.add_set(str(made.pairs(state)), "pets", {})
    report = adding.add_model(str(own.language_folder(state / "clip", "CLIP")), "tiny", {})
    assert (report.spec.task, report.embedding_size) == ("pairs", 512)
    (view,) = views.of_model(store.required().model("tiny"))
    assert view.href == "/modality-gap?spaces=pets--tiny&focus=pets--tiny"
    held = spaces.load("pets--tiny")
    assert (held.images.shape, held.encoder) == ((12, 512), "tiny")
    assert report.maps == held.methods == ("occlusion", "integrated", "gradient")
    assert held.ground == "grey"
    np.testing.assert_allclose(np.linalg.norm(held.images, axis=1), 1, atol=1e-5)
    (state / "other").mkdir()
    adding.add_set(str(made.pairs(state / "other")), "more", {})  # after the model
    assert "more--tiny" in registered.titles()
    adding.remove_model("tiny")
    assert "pets--tiny" not in registered.titles()
    adding.add_model(str(state / "clip"), "tiny", {})
    with pytest.raises(BadRequest, match="no images alone"):
        catalog.load_model("tiny", "cpu")


def test_only_new_pairs_go_through_ones_own_encoder(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding.add_set(str(made.pairs(state)), "pets", {})
    adding.add_model(str(own.language_folder(state / "clip", "CLIP")), "tiny", {})
    before = np.array(sets.stored("pets")["images-tiny"])
    made.noise(64, 96, 99).save(state / "pets" / "more.png")
    (state / "pets" / "more.txt").write_text("one more")
    given: list[int] = []
    whole = TransformersEncoder.images
    monkeypatch.setattr(
        TransformersEncoder,
        "images",
        lambda self, pictures: given.append(len(pictures)) or whole(self, pictures),
    )
    adding.index_again("pets")
    found = sets.stored("pets")["images-tiny"]
    assert given == [1]
    assert found.shape == (13, 512)
    np.testing.assert_array_equal(found[:12], before)  # by name, the new one is the last
    adding.index_again("pets")
    assert given == [1]


def test_an_encoder_of_texts_answers_in_nero(state: Path):
    report = adding.add_model(str(own.language_folder(state / "bert", "Bert")), "tiny", {})
    assert report.spec.task == "texts"
    assert len(report.spec.classes) == 10
    assert "tiny" in catalog.models_for("texts")
    (view,) = views.of_model(store.required().model("tiny"))
    assert view.href == "/nero?task=texts&models=tiny&focus=tiny"
    family = next(iter(orbits.families("text").values()))
    found = evaluate("tiny", "texts", family.orbit(), [0, 1])
    assert np.isfinite(found.metric).all()


def test_a_folder_without_a_tokenizer_is_refused(state: Path):
    folder = own.language_folder(state / "bert", "Bert")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BadRequest, match=r"no readable tokenizer.json"):
        adding.add_model(str(folder), "tiny", {})
