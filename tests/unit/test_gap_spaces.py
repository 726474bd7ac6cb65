"""The bundled pairs, what the models make of them, and spaces that are imported."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from backend.cache import ArrayStore
from backend.errors import BadRequest, NotFound
from backend.gap import bundled, record, spaces, views, work
from backend.gap.importer import Imported
from backend.gap.measures import measure
from backend.gap.pairs import Pairs
from models.cards import CARDS, read_card
from models.class_names import PAIRS


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def drawn(n=12, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return unit(rng.normal(size=(n, d))), unit(rng.normal(size=(n, d)) + 1)


def test_no_concept_lies_on_two_sides_of_the_split():
    held = bundled.table()
    sides: dict[str, set[str]] = {}
    for concept, split in zip(held.concepts, held.splits, strict=True):
        sides.setdefault(concept, set()).add(split)
    assert {len(found) for found in sides.values()} == {1}
    assert set(held.splits) == set(bundled.SPLITS)
    assert len(set(held.ids)) == len(held)
    assert held.rows("test").tolist() == list(range(len(held.rows("test"))))  # their sheets first


def test_both_styles_of_an_emoji_have_one_concept():
    held = bundled.table()
    by_code = {one: concept for one, concept in zip(held.ids, held.concepts, strict=True)}
    pairs = [(one, f"openmoji:{one[5:]}") for one in by_code if one.startswith("noto:")]
    both = [(by_code[a], by_code[b]) for a, b in pairs if b in by_code]
    assert len(both) > 1_000
    assert all(a == b for a, b in both)


def test_a_picture_is_the_cell_of_its_sheet():
    row = len(bundled.table()) - 1
    sheet = np.asarray(Image.open(bundled.sheet_path(row // 512)).convert("RGB"))
    top, left = (row % 512) // 32 * 64, row % 32 * 64
    (picture,) = bundled.pictures(np.array([row]))
    assert (picture == sheet[top : top + 64, left : left + 64]).all()
    with pytest.raises(NotFound, match="no sheet 99"):
        bundled.sheet_path(99)


def test_every_model_has_its_embeddings_card_and_record():
    rows = {row["variant"]: row for row in record.measured()["rows"]}
    for key, variant in spaces.BUNDLED.items():
        space = spaces.load(key)
        assert space.images.shape == space.texts.shape == (len(bundled.table().rows("test")), 128)
        assert np.linalg.norm(space.images, axis=1) == pytest.approx(1, abs=2e-3)
        card = read_card(CARDS / f"{key}.toml")
        assert "CLIP-style, small" in card.title
        assert card.classes == PAIRS == tuple(bundled.PROMPTS)
        assert len(rows[variant]["seeds"]) >= 3
        found = measure(space.images, space.texts, bootstrap=0)
        assert found.centroid_gap == pytest.approx(card.metrics["centroid_gap"], abs=0.01)
        assert found.alignment == pytest.approx(card.metrics["alignment"], abs=0.01)


def test_what_is_reported_says_so_and_is_as_printed():
    held = record.reported()
    assert held["note"].startswith("Reported, not measured here")
    zero = held["tables"][0]
    assert [row[0] for row in zero["rows"]][:2] == ["CLIP", "RankCLIP"]
    relative = 100 * (zero["rows"][1][7] / zero["rows"][0][7] - 1)
    assert relative == pytest.approx(40.89, abs=0.02)  # printed: ImageNet top-1
    for table in held["tables"]:
        assert {len(row) for row in table["rows"]} == {len(table["columns"]) + 1}


def test_an_import_is_found_by_what_is_in_it(tmp_path):
    store = ArrayStore(tmp_path, 10**7)
    images, texts = drawn()
    captions = ("a dog", *(f"thing {i}" for i in range(10)), "a dog")
    found = Imported(Pairs(images, texts), captions, ("x",) * 12)
    key = spaces.put(found, " Mine ", store)
    assert key == spaces.put(found, " Mine ", store)
    held = spaces.load(key, store)
    assert (held.title, held.has_encoder, held.groups) == ("Mine", False, ("x",) * 12)
    assert held.concepts[0] == held.concepts[11] != held.concepts[1]
    assert held.distinct_texts().tolist() == list(range(11))
    other = spaces.load(spaces.put(Imported(Pairs(texts, images), captions), "B", store), store)
    assert held.set_key == other.set_key != spaces.PAIRS
    with pytest.raises(NotFound, match="imported again"):
        spaces.load("own-" + "0" * 64, store)


def test_too_many_pairs_for_the_page_are_refused_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(spaces, "MOST_PAIRS", 10)
    with pytest.raises(BadRequest, match="12 pairs are more") as caught:
        spaces.put(Imported(Pairs(*drawn())), "", ArrayStore(tmp_path, 10**7))
    assert "python -m backend gap measure" in caught.value.hint


def test_unmatched_cosines_are_counted_without_the_pairs_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "BLOCK", 5)
    store = ArrayStore(tmp_path, 10**7)
    images, texts = drawn()
    held = spaces.load(spaces.put(Imported(Pairs(images, texts)), "", store), store)
    cosines = (images @ texts.T)[~np.eye(12, dtype=bool)]
    counts = np.histogram(cosines, bins=work.BINS, range=(-1, 1))[0]
    assert work.unmatched(held).sum() == 12 * 11
    assert np.abs(work.unmatched(held) - counts).sum() <= 2  # a cosine on an edge of a bin


def test_layouts_are_turned_onto_each_other_and_never_stretched():
    rng = np.random.default_rng(1)
    images, texts = rng.normal(size=(2, 9, 2)).astype(np.float32)
    base = views.Layout(np.arange(9), images, texts)
    turn = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)  # a mirror
    moved = views.Layout(np.arange(9), images @ turn, texts @ turn)
    back = views.aligned(moved, base)
    assert back.images == pytest.approx(images, abs=1e-5)
    assert back.texts == pytest.approx(texts, abs=1e-5)
    other = views.Layout(np.arange(9), *rng.normal(size=(2, 9, 2)).astype(np.float32))
    turned = views.aligned(other, base)
    assert np.linalg.norm(turned.images, axis=1) == pytest.approx(
        np.linalg.norm(other.images, axis=1), abs=1e-5
    )


def test_neighbours_name_each_caption_once_and_mark_right_answers():
    held = spaces.load("pairs-clip")
    found = views.neighbours(held, 402)
    captions = [held.captions[one["row"]] for one in found["texts"]]
    assert len(set(captions)) == len(captions) == views.NEIGHBOURS
    cosines = held.images[402] @ held.texts.T
    assert found["texts"][0]["cosine"] == pytest.approx(float(cosines.max()), abs=1e-4)
    for one in found["images"]:
        assert one["right"] == (held.concepts[one["row"]] == held.concepts[402])
    with pytest.raises(NotFound, match="no pair 5,000"):
        views.neighbours(held, 5_000)
