"""Bundled contents keep their promises: splits, pairs, pictures, and a truth that explains them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from backend.datasets import DATA, DamagedDataset
from backend.errors import BadRequest, NotFound
from backend.insights import bundled_sets, contents, drawing, truth
from backend.insights.pictures import BLANK, KeptPictures, checked_edits
from backend.insights.splits import by_experiment


@pytest.fixture(scope="module")
def campaigns():
    return contents.load("campaigns")


def test_campaigns_are_several_thousand_and_say_that_they_are_simulated(campaigns):
    assert len(campaigns) > 4000
    assert campaigns.simulated
    assert "Simulated" in campaigns.source
    assert "simulated" in campaigns.title
    assert len(campaigns.domains) == 12
    assert len(campaigns.held_out) == 2
    assert len(set(campaigns.ids)) == len(campaigns)
    assert ((campaigns.clicks >= 0) & (campaigns.clicks <= campaigns.impressions)).all()
    np.testing.assert_allclose(campaigns.success, campaigns.clicks / campaigns.impressions)
    assert campaigns.impressions.min() >= 2000
    assert campaigns.impressions.max() <= 20_000


@pytest.mark.parametrize("key", ["campaigns", "films"])
def test_half_is_trained_on_and_held_out_domains_are_in_the_last_split_only(key):
    held = contents.load(key)
    shares = np.bincount(held.split, minlength=4) / len(held)
    np.testing.assert_allclose(shares[:2], (0.5, 0.1), atol=0.01)
    assert shares[2] > 0.15
    outside = np.isin(held.domain, sorted(held.held_out))
    assert ((held.split == 3) == outside).all()
    for name in range(int(held.experiment.max()) + 1)[:: max(1, len(held) // 300)]:
        assert len(set(held.split[held.experiment == name].tolist())) == 1


@pytest.mark.parametrize("key", ["campaigns", "films"])
def test_the_same_content_is_never_in_two_splits(key):
    held = contents.load(key)
    recipes = getattr(held.pictures, "artist", None)
    seen: dict[object, int] = {}
    for row, text in enumerate(held.texts()):
        name = (text, b"" if recipes is None else recipes.recipes[row].tobytes())
        assert seen.setdefault(name, int(held.split[row])) == held.split[row]


def test_experiments_that_share_a_content_are_drawn_together():
    experiment = np.repeat(np.arange(40), 2)
    shared = [f"own {i}" for i in range(80)]
    shared[1] = shared[78] = "the same"  # experiments 0 and 39
    for seed in range(12):
        split = by_experiment(experiment, np.zeros(80, np.int64), identity=shared, seed=seed)
        assert split[1] == split[78]
        assert np.bincount(split, minlength=4)[3] == 0
        np.testing.assert_allclose(np.bincount(split, minlength=4)[:3], (40, 8, 32), atol=4)
    alone = [by_experiment(experiment, np.zeros(80, np.int64), seed=seed) for seed in range(12)]
    assert any(split[1] != split[78] for split in alone)


def test_a_content_shared_with_a_held_out_domain_is_not_trained_on():
    domain = np.array([0] * 20 + [1] * 4)
    identity = [str(i) for i in range(24)]
    identity[3] = identity[22] = "both"
    split = by_experiment(np.arange(24), domain, frozenset({1}), identity)
    assert split[3] == 3
    assert set(split[:3]) <= {0, 1, 2}


def test_a_pair_is_the_control_and_the_best_treatment_of_one_experiment(campaigns):
    pairs = campaigns.pairs("test")
    experiments = campaigns.experiment[pairs]
    assert (experiments[:, 0] == experiments[:, 1]).all()
    assert len(np.unique(experiments[:, 0])) == len(pairs)
    assert campaigns.is_control[pairs[:, 0]].all()
    for control, best in pairs[:50].tolist():
        others = np.flatnonzero(campaigns.experiment == campaigns.experiment[control])
        rates = {row: campaigns.success[row] for row in others if row != control}
        assert campaigns.success[best] == max(rates.values())
    every = campaigns.all_pairs("test")
    assert {tuple(pair) for pair in pairs.tolist()} <= {tuple(pair) for pair in every.tolist()}
    assert len(every) == (~campaigns.is_control[campaigns.rows("test")]).sum()


def small(success, experiment, control):
    """A set of a few contents without pictures."""
    held, count = contents.load("films"), len(success)
    return dataclasses.replace(
        held,
        ids=held.ids[:count],
        parts=held.parts[:count],
        success=np.array(success),
        experiment=np.array(experiment),
        is_control=np.array(control, bool),
        split=np.zeros(count, np.int64),
        domain=np.zeros(count, np.int64),
    )


def test_of_equal_treatments_the_first_is_taken_and_lone_arms_make_no_pair():
    held = small([0.1, 0.3, 0.3, 0.2, 0.5], [0, 0, 0, 1, 2], [1, 0, 0, 1, 1])
    assert held.pairs().tolist() == [[0, 1]]
    assert held.all_pairs().tolist() == [[0, 1], [0, 2]]
    assert held.pairs("test").shape == (0, 2)


def test_rows_by_split_and_domain_and_what_is_not_there(campaigns):
    rows = campaigns.rows("training", 3)
    assert set(campaigns.domain[rows]) == {3}
    assert set(campaigns.split[rows]) == {0}
    assert campaigns.row_of(campaigns.ids[7]) == 7
    for ask, sentence in [
        (lambda: campaigns.rows("tomorrow"), "no split 'tomorrow'"),
        (lambda: campaigns.rows(domain=12), "no domain 12"),
        (lambda: campaigns.row_of("x"), "no content 'x'"),
        (lambda: campaigns.checked_row(10**6), "no content 1000000"),
        (lambda: contents.load("dogs"), "no set of contents 'dogs'"),
        (lambda: contents.load("own-../x"), "no set of contents"),
    ]:
        with pytest.raises(NotFound, match=sentence):
            ask()


def test_pictures_are_drawn_alike_at_every_size(campaigns):
    pictures = campaigns.pictures
    assert pictures.has_image.all()
    assert pictures.redraws
    batch = pictures.images([5, 9], 128)
    assert batch.shape == (2, 128, 128, 3)
    np.testing.assert_array_equal(batch[1], pictures.image(9, 128))
    fine, coarse = (
        p.reshape(16, len(p) // 16, 16, len(p) // 16, 3).mean(axis=(1, 3))
        for p in (pictures.image(5, 512), batch[0])
    )
    assert np.abs(fine - coarse).mean() < 3  # letters have other widths at other sizes
    assert len({pictures.image(row, 64).tobytes() for row in range(12)}) == 12


def test_other_words_change_the_words_only(campaigns):
    row = 5
    before = campaigns.pictures.image(row)
    parts = ("Something else", *campaigns.parts[row][1:])
    changed = (campaigns.pictures.draft(row, parts) != before).any(axis=2)
    layout = drawing.ARRANGEMENTS[campaigns.pictures.artist.recipes[row, drawing.LAYOUT]]
    x, y, w, h = (round(v) for v in layout.words[0])
    assert changed[y : y + h, x : x + w].any()
    changed[y - 2 : y + h + 3, x - 2 : x + w + 3] = False
    assert not changed.any()


def test_edits_blank_a_place_or_take_it_from_another_content(campaigns):
    pictures = campaigns.pictures
    box = [0.25, 0.5, 0.25, 0.125]
    edits = [{"op": "blank", "box": box}]
    after = pictures.draft(0, campaigns.parts[0], edits)
    assert (after[64:80, 32:64] == BLANK).all()
    swap = [{"op": "swap", "box": box, "from": 7, "from_box": box}]
    after = pictures.draft(0, campaigns.parts[0], checked_edits(campaigns, swap))
    np.testing.assert_array_equal(after[64:80, 32:64], pictures.image(7)[64:80, 32:64])
    untouched = np.ones((128, 128), bool)
    untouched[64:80, 32:64] = False
    np.testing.assert_array_equal(after[untouched], pictures.image(0)[untouched])


@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        ("blank", "list of objects"),
        ([{"op": "burn", "box": [0, 0, 0.1, 0.1]}], "Edit 1 is 'burn'"),
        ([{"op": "blank", "box": [0.9, 0, 0.2, 0.1]}], "box of edit 1"),
        ([{"op": "blank", "box": [0, 0, float("nan"), 0.1]}], "box of edit 1"),
        ([{"op": "swap", "box": [0, 0, 0.1, 0.1], "from": 10**6}], "from content '1000000'"),
        ([{"op": "swap", "box": [0, 0, 0.1, 0.1], "from": True}], "from content 'True'"),
        ([{"op": "blank", "box": [0, 0, 0.1, 0.1]}] * 65, "65 edits"),
    ],
)
def test_edits_that_cannot_be_made_are_named(campaigns, edits, sentence):
    with pytest.raises(BadRequest, match=sentence):
        checked_edits(campaigns, edits)


@pytest.mark.parametrize("text", ["", "word " * 3000, "x" * 900, "שלום 🎁 مرحبا", "<b>bold</b>"])
def test_any_headline_can_be_drawn(campaigns, text):
    assert campaigns.pictures.draft(3, (text, text, text or "Go")).shape == (128, 128, 3)


def test_kept_pictures_without_one_are_zeros():
    held = KeptPictures(np.zeros(0, np.uint8), *(np.zeros(2, np.int64) for _ in range(3)))
    assert not held.has_image.any()
    assert not held.images([0, 1], 16).any()


def test_clicks_follow_the_stated_formula(campaigns):
    found = truth.load()
    rate = found.rate
    z = (campaigns.clicks - campaigns.impressions * rate) / np.sqrt(
        campaigns.impressions * rate * (1 - rate)
    )
    assert abs(z.mean()) < 0.06
    assert abs(z.std() - 1) < 0.05
    row = 17
    domain = int(campaigns.domain[row])
    words = [i for i in found.content_phrases[row] if i >= 0]
    shown = [i for i in found.content_pictures[row] if i >= 0]
    total = found.base[row] + found.audience[row] + found.season[row]
    total += found.phrase_effects[words, domain].sum() + found.picture_effects[shown, domain].sum()
    total += found.button_effects[campaigns.parts[row][2]]
    total += found.ribbon_effects[campaigns.choices["ribbon"].codes[row]]
    total += {"desktop": -0.06, "mobile": 0.06, "both": 0.0}[
        campaigns.choices["device"].values[campaigns.choices["device"].codes[row]]
    ]
    for (phrase, picture), value in zip(found.interactions, found.interaction_effects, strict=True):
        total += value * (phrase in words and picture in shown)
    assert total == pytest.approx(found.logit[row], abs=1e-9)


def test_the_truth_names_what_the_contents_show(campaigns):
    found = truth.load()
    for row in range(0, len(campaigns), 97):
        text = campaigns.text(row).lower()
        for phrase in found.content_phrases[row]:
            assert phrase < 0 or found.phrases[phrase] in text
        kinds = [name for name, _ in truth.boxes(row)]
        told = [found.pictures[i] for i in found.content_pictures[row] if i >= 0]
        assert kinds[0] == "product"
        assert [name for name in kinds[1:] if not name.startswith("ribbon")] == told
        for name, box in truth.boxes(row)[1:]:
            assert truth.kind_at(row, box) == name or name.startswith("ribbon")
    helping, hurting = found.ranked(0)
    assert not set(helping) & set(hurting)
    assert {found.phrase_kinds[found.phrases.index(name)] for name in helping} == {"helping"}
    shown = sum(
        found.picture_effects[i, campaigns.domain[5]] for i in found.content_pictures[5] if i >= 0
    )
    ribbon = found.ribbon_effects[campaigns.choices["ribbon"].codes[5]]
    assert truth.effect_map(5).sum() == pytest.approx(shown + ribbon, abs=1e-4)


def test_copied_phrases_go_with_success_and_do_nothing(campaigns):
    found = truth.load()
    copied = [i for i, kind in enumerate(found.phrase_kinds) if kind == "copied"]
    assert copied
    for phrase in copied:
        assert not found.phrase_effects[phrase].any()
        has = truth.contains(phrase)
        assert campaigns.success[has].mean() > 1.05 * campaigns.success[~has].mean()
        assert found.audience[has].mean() > found.audience[~has].mean() + 0.1


def test_what_the_app_reads_tells_no_effect():
    with np.load(DATA / "campaigns" / "campaigns.npz", allow_pickle=False) as file:
        assert not [n for n in file.files if "effect" in n or n in ("logit", "audience", "base")]
    assert (DATA / "campaigns" / "campaigns.npz").stat().st_size < 8_000_000


def test_films_have_real_ratings():
    held = contents.load("films")
    assert not held.simulated
    assert held.pictures is None
    assert "Documentary" in held.domains
    assert ((held.success >= 0) & (held.success <= 1)).all()
    assert set(held.numbers) == {"year", "length", "budget"}
    assert np.isnan(held.clicks).all()
    assert str(held.dates[0])[:4] == str(int(held.numbers["year"][0]))
    assert not [text for text in held.texts() if text.endswith(", The")]


def test_a_damaged_file_is_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns/campaigns.npz").write_bytes(b"PK broken")
    monkeypatch.setattr(bundled_sets, "DATA", tmp_path)
    for key in ("campaigns", "films"):
        with pytest.raises(DamagedDataset, match="missing or broken"):
            bundled_sets.load.__wrapped__(key)
