"""The dual encoders: what trains and what is frozen, batches, words and places of a pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.errors import BadRequest
from backend.gap import bundled, token_maps, towers, training
from backend.gap.encoder import checked_text, encoder_of
from backend.gap.heads import heads_of
from models.dual_encoder import WIDTH, Heads, image_features, scaled

CAPTION = "a red heart"


def fake(table: bundled.PairTable) -> training.Features:
    """Features in which a concept's pictures and captions share a direction."""
    rng = np.random.default_rng(0)
    _, concept = np.unique(np.asarray(table.concepts), return_inverse=True)
    shared = rng.normal(size=(concept.max() + 1, 16)).astype(np.float32)
    into = [rng.normal(size=(16, d)).astype(np.float32) for d in (1280, 384)]
    noise = [0.3 * rng.normal(size=(len(table), d)).astype(np.float32) for d in (1280, 384)]
    images, texts = (shared[concept] @ m + n for m, n in zip(into, noise, strict=True))
    classes = rng.normal(size=(len(bundled.PROMPTS), 384)).astype(np.float32)
    made = (torch.from_numpy(one) for one in (images, texts, classes))
    return training.Features(*made, table)


def test_a_batch_holds_no_concept_twice_and_no_pair_of_another_split():
    table = bundled.table()
    drawn = training.batches(table, np.random.default_rng(0))
    assert len(drawn) >= 5
    for rows in drawn:
        concepts = [table.concepts[row] for row in rows]
        assert len(set(concepts)) == len(rows) == training.BATCH
        assert {table.splits[row] for row in rows} == {"train"}
    again = training.batches(table, np.random.default_rng(0))
    assert all((a == b).all() for a, b in zip(drawn, again, strict=True))


def test_variants_start_alike_and_training_finds_the_pairs():
    held = fake(bundled.table())
    first = [training.first_heads(3) for _ in range(2)]
    for name, value in first[0].state_dict().items():
        assert torch.equal(value, first[1].state_dict()[name])
    heads = training.train(held, "rankclip", seed=3, epochs=2)
    before, after = (training.evaluated(held, one) for one in (first[0].eval(), heads))
    assert after["text_to_image_recall_at_10"] > 4 * before["text_to_image_recall_at_10"]
    assert set(training.LAMBDAS) == set(bundled.VARIANTS) - {"random"}


def test_only_heads_are_trained():
    for tower in (towers.image_tower(), towers.text_tower()):
        assert not any(p.requires_grad for p in tower.parameters())
    names = set(Heads().state_dict())
    assert {name.split(".")[0] for name in names} == {"image", "text", "log_scale"}


def test_stored_heads_make_the_stored_embeddings():
    rows = bundled.table().rows("test")[:3]
    held = bundled.embeddings("clip")
    images = encoder_of("pairs-clip").images(bundled.pictures(rows))
    texts = encoder_of("pairs-clip").texts([bundled.table().captions[r] for r in rows])
    assert images == pytest.approx(held["images"][:3], abs=5e-3)
    assert texts == pytest.approx(held["texts"][:3], abs=5e-3)
    assert images.shape == (3, WIDTH)


@pytest.mark.parametrize(
    ("text", "words"), [("", "no query"), ("   ", "no query"), ("x" * 500, "500 characters")]
)
def test_a_query_that_is_none_is_refused(text, words):
    with pytest.raises(BadRequest, match=words):
        checked_text(text)
    with pytest.raises(BadRequest, match="no encoder"):
        encoder_of("")


def test_occlusion_is_what_is_lost_without_word_and_place():
    (picture,) = bundled.pictures(np.array([402]))
    encoder = encoder_of("pairs-clip")
    found = token_maps.token_map(encoder, picture, "umbrella with rain drops")
    assert found.words == ("umbrella", "with", "rain", "drops")
    heads = heads_of("pairs-clip")
    pixels = scaled(torch.from_numpy(picture[None]))
    side, (y, x) = 160 // token_maps.GRID, divmod(int(found.whole.argmax()), token_maps.GRID)
    covered = pixels.clone()
    covered[:, :, y * side : (y + 1) * side, x * side : (x + 1) * side] = 1.0
    with torch.inference_mode():
        seen = [heads.image(image_features(towers.image_tower(), p))[0] for p in (pixels, covered)]
    (text, less) = encoder.texts(["umbrella with rain drops", "with rain drops"])
    lost = float((seen[0] - seen[1]) @ torch.from_numpy(text))
    assert found.whole.max() == pytest.approx(lost, abs=1e-4)
    assert found.parts[0] == pytest.approx(float(seen[0] @ torch.from_numpy(text - less)), abs=1e-4)
    both = float((seen[0] - seen[1]) @ torch.from_numpy(text - less))
    assert found.maps[0, y, x] == pytest.approx(both, abs=1e-4)
    assert (found.low <= found.random + 1e-6).all()
    with pytest.raises(BadRequest, match="no method"):
        token_maps.token_map(encoder, picture, "a", "guess")


def test_gradients_are_those_of_a_small_change():
    """The part of a place along a direction is the slope of the cosine when its ink fades."""
    (picture,) = bundled.pictures(np.array([402]))
    encoder = encoder_of("pairs-clip")
    pixels = encoder.pixels(picture)
    text = torch.from_numpy(encoder.texts([CAPTION]))
    (part,) = token_maps._image_parts(encoder, pixels, text, (1.0,), lambda: None)
    step = 1e-3
    with torch.inference_mode():
        ends = [
            float(encoder.of_pixels(1 - (1 - pixels) * k)[0] @ text[0])
            for k in (1 + step, 1 - step)
        ]
    slope = (ends[0] - ends[1]) / (2 * step)
    assert float(part.sum()) == pytest.approx(slope, abs=0.02)


def test_slopes_of_words_are_those_of_a_small_change():
    encoder = encoder_of("pairs-clip")
    pieces = encoder.pieces(CAPTION)
    parts = token_maps._text_parts(encoder, pieces, (1.0,))
    table, (start, stop) = encoder.table(pieces.ids), pieces.spans[1]
    step = torch.zeros_like(table)
    step[start:stop] = (table - encoder.nothing)[start:stop]
    with torch.no_grad():
        more, less = (
            encoder.of_vectors((table + sign * 1e-2 * step)[None], pieces.ids)[0]
            for sign in (1, -1)
        )
        (whole,) = encoder.of_vectors(table[None], pieces.ids)
    assert parts[1].numpy() == pytest.approx(((more - less) / 2e-2).numpy(), abs=2e-3)
    assert float(parts[1].abs().max()) > 1e-2
    assert whole.numpy() == pytest.approx(encoder.texts([CAPTION])[0], abs=1e-5)


def test_the_mean_slope_is_the_mean_of_the_slopes_on_the_way():
    (picture,) = bundled.pictures(np.array([402]))
    encoder = encoder_of("pairs-clip")
    pixels = encoder.pixels(picture)
    text = torch.from_numpy(encoder.texts([CAPTION]))
    one, two, both = (
        token_maps._image_parts(encoder, pixels, text, way, lambda: None)
        for way in ((0.5,), (1.0,), (0.5, 1.0))
    )
    assert both.numpy() == pytest.approx(((one + two) / 2).numpy(), abs=1e-4)
    assert np.abs((one - two).numpy()).max() > 1e-3


@pytest.mark.parametrize("side", [160, 289, 30])
def test_every_pixel_belongs_to_one_place(side):
    bands = token_maps.bands_of(side)
    assert bands.sum(0).tolist() == [1.0] * side
    assert bands.sum(1).max() - bands.sum(1).min() <= 1
