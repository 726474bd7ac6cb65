"""A registered dual encoder asked on the Modality gap page: texts, pictures, words and places."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend.errors import BadRequest, NotFound
from backend.gap import asking, encoder, requests, spaces, token_maps
from backend.gap.adapters import TransformersEncoder
from backend.registry import adding, store
from tests import own_models as own
from tests.own_registry import own_registry

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
CAPTIONS = ("a red dog", "a blue cat", "a red cat", "a blue dog", "red", "dog a blue")


def pictures(n: int = len(CAPTIONS)) -> list[np.ndarray]:
    """Noise, brighter from one to the next, 64 px."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 90 + 30 * i, (64, 64, 3), dtype=np.uint8) for i in range(n)]


@pytest.fixture(scope="module", params=["CLIP", "Siglip", "Align"])
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """An encoder of each family."""
    folder = tmp_path_factory.mktemp("tiny") / request.param
    return TransformersEncoder(own.language_folder(folder, request.param))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with own_registry(tmp_path, monkeypatch) as folder:
        yield folder


@pytest.fixture
def registered(state: Path) -> spaces.Space:
    """The space of a registered set of pairs and a registered CLIP."""
    from PIL import Image

    (state / "pets").mkdir()
    for i, (picture, caption) in enumerate(zip(pictures(), CAPTIONS, strict=True)):
        Image.fromarray(picture).save(state / "pets" / f"{i}.png")
        (state / "pets" / f"{i}.txt").write_text(caption)
    adding.add_set(str(state / "pets"), "pets", {})
    adding.add_model(str(own.language_folder(state / "clip", "CLIP")), "tiny", {})
    return spaces.load("pets--tiny")


class Ticket:
    """Progress that is written down, and a store with one picture in it."""

    def __init__(self, pixels: np.ndarray | None = None) -> None:
        held = {} if pixels is None else {"image": {"pixels": pixels}}
        self.store, self.steps = SimpleNamespace(get=held.get), []

    def __call__(self, done: int, total: int) -> None:
        self.steps.append((done, total))


def params(held: spaces.Space, **more):
    return {**requests.named(held), "k": 3, "delta": 0.0, **more}


def test_a_caption_finds_its_picture_as_near_as_the_pair_is(registered):
    assert registered.encoder == "tiny"
    assert registered.methods == ("occlusion", "integrated", "gradient")
    found = asking.by_text(params(registered, text=CAPTIONS[1]), Ticket())
    expected = registered.images @ registered.texts[1]
    assert found["rows"].tolist() == np.argsort(-expected, kind="stable")[:3].tolist()
    assert found["cosines"] == pytest.approx(np.sort(expected)[::-1][:3], abs=1e-5)


def test_a_dropped_picture_of_the_set_finds_what_its_pair_finds(registered):
    pixels = np.asarray(registered.thumbs[2])
    found = asking.by_image(params(registered, image="image"), Ticket(pixels))
    expected = registered.texts @ registered.images[2]
    assert found["cosines"] == pytest.approx(np.sort(expected)[::-1][:3], abs=1e-5)
    with pytest.raises(NotFound, match="no longer held"):
        asking.by_image(params(registered, image="other"), Ticket())


def test_more_answers_than_there_are_pairs_mean_all(registered):
    found = asking.by_text({**params(registered, text="dog"), "k": 50}, Ticket())
    assert sorted(found["rows"].tolist()) == list(range(len(CAPTIONS)))
    with pytest.raises(BadRequest, match="K = 0 is out of range"):
        asking.by_text({**params(registered, text="dog"), "k": 0}, Ticket())
    with pytest.raises(BadRequest, match="no query"):
        asking.by_text(params(registered, text="  "), Ticket())


def test_words_and_places_come_as_arrays_with_their_check(registered):
    ticket = Ticket()
    found = asking.words(params(registered, row=0, method="occlusion"), ticket)
    assert found["words"].tolist() == ["a", "red", "dog"]
    assert found["maps"].shape == (3, 8, 8)
    own_cosine = float(registered.images[0] @ registered.texts[0])
    assert float(found["cosine"]) == pytest.approx(own_cosine, abs=1e-5)
    assert (found["low"] <= found["random"] + 1e-6).all()
    assert ticket.steps == [(i + 1, 11) for i in range(11)]


def test_a_model_is_loaded_once_and_again_when_it_is_another(registered, state, monkeypatch):
    made: list[Path] = []

    class Counted(TransformersEncoder):
        def __init__(self, folder: Path, device: str = "cpu") -> None:
            made.append(folder)
            super().__init__(folder, device)

    monkeypatch.setattr("backend.gap.adapters.TransformersEncoder", Counted)
    encoder._registered.cache_clear()
    for text in ("a dog", "a cat"):
        asking.by_text(params(registered, text=text), Ticket())
    assert len(made) == 1
    made.clear()
    folder = own.language_folder(state / "other", "Siglip")
    adding.add_model(str(folder), "tiny", {})
    made.clear()
    again = spaces.load("pets--tiny")
    assert again.fingerprint != registered.fingerprint
    found = asking.by_text(params(again, text="a red dog"), Ticket())
    expected = again.images @ again.texts[0]
    assert found["cosines"] == pytest.approx(np.sort(expected)[::-1][:3], abs=1e-5)
    assert [path.name for path in made] == ["other"]


@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json"])
def test_another_tokenizer_or_preparation_is_another_model(registered, state, name):
    path = state / "clip" / name
    path.write_text((path.read_text() if path.exists() else "{}") + "\n")
    with pytest.raises(BadRequest, match="no longer those that were added"):
        asking.by_text(params(registered, text="a dog"), Ticket())


def test_a_removed_model_is_no_longer_asked(registered):
    adding.remove_model("tiny")
    with pytest.raises(NotFound):
        encoder.encoder_of("tiny")
    with pytest.raises(NotFound, match="There is no space"):
        spaces.load("pets--tiny")


def test_a_method_that_does_not_apply_is_refused_before_a_job_starts(registered):
    held = store.required().model("tiny")
    store.required().put_model(
        held.spec, held.fingerprint, {**held.validation, "maps": ["occlusion"]}
    )
    space = spaces.load("pets--tiny")
    assert space.methods == ("occlusion",)
    assert requests.tokens_job(space, 0, "occlusion").params["method"] == "occlusion"
    with pytest.raises(BadRequest, match="gradient × input does not apply to pets: tiny") as caught:
        requests.tokens_job(space, 0, "gradient")
    assert caught.value.hint == "Choose occlusion."


def test_occlusion_is_what_is_lost_without_word_and_place(tiny):
    (picture,) = pictures(1)
    found = token_maps.token_map(tiny, picture, "a red dog")
    assert found.words == ("a", "red", "dog")
    pixels = tiny.pixels(picture)
    y, x = divmod(int(found.whole.argmax()), token_maps.GRID)
    side = pixels.shape[-1] // token_maps.GRID
    covered = pixels.clone()
    place = np.s_[:, :, y * side : (y + 1) * side, x * side : (x + 1) * side]
    covered[place] = tiny.empty
    with torch.no_grad():
        seen, less = (tiny.of_pixels(one)[0].numpy() for one in (pixels, covered))
    text, without = tiny.texts(["a red dog", "a dog"])
    assert found.cosine == pytest.approx(float(seen @ text), abs=1e-5)
    assert found.whole.max() == pytest.approx(float((seen - less) @ text), abs=1e-5)
    assert found.parts[1] == pytest.approx(float(seen @ (text - without)), abs=1e-5)
    both = float((seen - less) @ (text - without))
    assert found.maps[1, y, x] == pytest.approx(both, abs=1e-5)
    assert tiny.images([picture])[0] == pytest.approx(seen, abs=1e-5)


def test_slopes_of_words_and_places_are_those_of_small_changes(tiny):
    (picture,) = pictures(1)
    assert token_maps.methods_of(tiny, picture, "a red dog") == tuple(spaces.METHODS)
    pieces, pixels = tiny.pieces("a red dog"), tiny.pixels(picture)
    words = token_maps._text_parts(tiny, pieces, (1.0,))
    table, (start, stop) = tiny.table(pieces.ids), pieces.spans[2]
    step = torch.zeros_like(table)
    step[start:stop] = (table - tiny.nothing)[start:stop]
    with torch.no_grad():
        more, less = (
            tiny.of_vectors((table + sign * 1e-2 * step)[None], pieces.ids)[0] for sign in (1, -1)
        )
        (whole,) = tiny.of_vectors(table[None], pieces.ids)
    assert whole.numpy() == pytest.approx(tiny.texts(["a red dog"])[0], abs=1e-5)
    assert words[2].numpy() == pytest.approx(((more - less) / 2e-2).numpy(), abs=2e-3)
    text = torch.from_numpy(tiny.texts(["a red dog"]))
    (places,) = token_maps._image_parts(tiny, pixels, text, (1.0,), lambda: None)
    away = pixels - tiny.empty
    with torch.no_grad():
        ends = [float(tiny.of_pixels(pixels + s * 1e-2 * away)[0] @ text[0]) for s in (1, -1)]
    assert float(places.sum()) == pytest.approx((ends[0] - ends[1]) / 2e-2, abs=2e-3)
    for method in ("integrated", "gradient"):
        found = token_maps.token_map(tiny, picture, "a red dog", method)
        assert np.isfinite(found.maps).all()
        assert found.parts.shape == (3,)


def test_words_that_the_model_does_not_read_are_left_out(tiny):
    most = tiny._most
    caption = " ".join(["dog"] * (most + 4))
    pieces = tiny.pieces(caption)
    assert len(pieces.words) == min(most - 2, encoder.MOST_WORDS)
    assert all(caption.split()[0] == word for word in pieces.words)


def test_a_tokenizer_that_does_not_say_where_words_lie_gives_no_map(tmp_path, monkeypatch):
    made = TransformersEncoder(own.language_folder(tmp_path / "clip", "CLIP"))
    monkeypatch.setattr(made, "_tokenizer", SimpleNamespace(is_fast=False))
    assert token_maps.methods_of(made, pictures(1)[0], "a dog") == ()
    with pytest.raises(BadRequest, match="does not say where its words lie"):
        token_maps.token_map(made, pictures(1)[0], "a dog")


def test_a_model_without_slopes_has_occlusion_left(tmp_path, monkeypatch):
    made = TransformersEncoder(own.language_folder(tmp_path / "clip", "CLIP"))
    monkeypatch.setattr(made._model.text_model, "get_input_embeddings", lambda: None)
    assert token_maps.methods_of(made, pictures(1)[0], "a dog") == ("occlusion",)
