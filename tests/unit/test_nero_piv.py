"""The task of particle motion: oracles, the closed form N14, consensus, payload, and refusals."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from backend import datasets, own_sets
from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.items import BadItems
from backend.nero import consensus, evaluate, fields, orbits, tasks
from backend.nero.consensus import correlation
from backend.particle_pairs import ParticlePairs, read_own, recorded, recorded_pair
from backend.uploads import BadImage
from models.piv_measure import along_symmetries

ORBIT = orbits.square_symmetries()
TASK = tasks.find("piv")
N = 64  # px a side: the smallest


def frames(count: int = 2, size: int = N, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 256, (count, 2, size, size), dtype=np.uint8)


def truth(count: int = 2, size: int = N, seed: int = 1):
    shape = (count, 2, size // 2, size // 2)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def uniform(u: float, v: float, count: int = 1):
    field = np.zeros((count, 2, N // 2, N // 2), np.float32)
    field[:, 0], field[:, 1] = u, v
    return field


class Oracle:
    """Knows the true field of every pair and moves it as the frames were moved."""

    def __init__(self, pairs, wanted, change=lambda field: field):
        seen = ORBIT.act(pairs, np.arange(16))
        self.known = {
            seen[i, g].tobytes(): change(fields.act(wanted[i], g))
            for i in range(len(pairs))
            for g in range(16)
        }

    def __call__(self, batch):
        return np.stack([self.known[pair.tobytes()] for pair in batch])


def test_what_the_task_is():
    assert (TASK.kind, TASK.domain, TASK.summary) == ("covariant", "frames", "rmse")
    assert list(TASK.metrics) == ["rmse", "mse", "mae", "aee"]
    assert not any(metric.higher_is_better for metric in TASK.metrics.values())
    assert all(metric.high is None for metric in TASK.metrics.values())  # range from the data


def test_an_oracle_is_perfect_on_the_whole_orbit_and_agrees_with_itself():
    pairs, wanted = frames(), truth()
    result = evaluate(Oracle(pairs, wanted), "piv", ORBIT, (pairs, wanted))
    assert result.metric.shape == (2, 16)
    assert all((values == 0).all() for values in result.metrics.values())
    assert result.consensus.used.tolist() == [16, 16]
    np.testing.assert_allclose(result.consensus.value, fields.coarse(wanted, 16), atol=1e-6)
    assert consensus(result).metric.max() < 1e-6


def test_consensus_needs_no_truth_and_says_the_same_as_it_for_an_unbiased_answer():
    """N8. An error that is another at each element, so both plots have a shape."""
    pairs, wanted = frames(), truth()
    oracle = Oracle(pairs, wanted)
    size = np.linspace(0.5, 3, 16, dtype=np.float32)

    def answer(batch):
        found = oracle(batch)
        noise = np.random.default_rng(3).normal(size=found.shape).astype(np.float32)
        return found + noise * np.resize(size, len(batch))[:, None, None, None]

    known = evaluate(answer, "piv", ORBIT, (pairs, wanted))
    unknown = evaluate(answer, "piv", ORBIT, (pairs, None))
    assert np.isnan(unknown.metric).all()
    assert unknown.unanswered == 32
    np.testing.assert_allclose(consensus(unknown).metric, consensus(known).metric)
    assert correlation(known).min() > 0.95


@pytest.mark.parametrize(("u", "v", "reads_u"), [(4, 0, True), (0, 4, False)])
def test_halving_u_gives_the_two_fold_pattern_in_closed_form(u, v, reads_u):
    """N14: wrong by half the speed where the flow lies on x, right where it lies on y."""
    pairs, wanted = frames(1), uniform(u, v)

    def half(field):
        return field * np.array([0.5, 1.0], np.float32)[:, None, None]

    result = evaluate(Oracle(pairs, wanted, half), "piv", ORBIT, (pairs, wanted))
    lies_on_x = np.array([fields.matrix(g)[0, 0 if reads_u else 1] != 0 for g in range(16)])
    np.testing.assert_allclose(result.metric[0], np.where(lies_on_x, 2.0, 0.0), atol=1e-6)
    assert lies_on_x.sum() == 8
    np.testing.assert_allclose(result.metrics["mse"][0], np.where(lies_on_x, 4.0, 0.0), atol=1e-5)
    np.testing.assert_allclose(result.metrics["mae"][0], np.where(lies_on_x, 1.0, 0.0), atol=1e-6)


def test_a_constant_bias_is_flat_by_truth_but_not_equivariant():
    """The source's warning: a flat plot proves nothing."""
    pairs, wanted = frames(1), truth(1)
    bias = np.array([0.3, 0.4], np.float32)[:, None, None]
    result = evaluate(Oracle(pairs, wanted, lambda w: w + bias), "piv", ORBIT, (pairs, wanted))
    np.testing.assert_allclose(result.metric, 0.5, atol=1e-5)
    np.testing.assert_allclose(result.consensus.value, fields.coarse(wanted, 16), atol=1e-5)


def test_a_model_that_fails_at_one_element_fails_there_only():
    pairs, wanted = frames(1), truth(1)
    oracle, at_11 = Oracle(pairs, wanted), ORBIT.act(pairs, np.array([11]))[0, 0].tobytes()

    def answer(batch):
        found = oracle(batch)
        found[[pair.tobytes() == at_11 for pair in batch]] = np.nan
        return found

    result = evaluate(answer, "piv", ORBIT, (pairs, wanted))
    assert np.flatnonzero(np.isnan(result.metric[0])).tolist() == [11]
    assert result.consensus.used.tolist() == [15]
    assert result.unanswered == 1
    np.testing.assert_allclose(result.consensus.value, fields.coarse(wanted, 16), atol=1e-6)


def test_infinite_answers_are_missing_and_places_nobody_knows_do_not_count():
    pairs, wanted = frames(1), uniform(1, 0)
    wanted[0, :, :5] = np.nan

    def answer(batch):
        found = np.zeros((len(batch), 2, N // 2, N // 2))
        found[:, 0, -1] = np.inf
        return found

    result = evaluate(answer, "piv", orbits.square_symmetries(False), (pairs, wanted))
    np.testing.assert_allclose(result.metric, 1.0)
    assert np.isfinite(TASK.consensus(ORBIT, np.ones((1, 16, 2, 4, 4), np.float32)).value).all()


def test_the_detail_of_one_item():
    wanted = truth(1, 128)
    answers = fields.along(wanted, ORBIT)
    answers[0, 5, 0, 2:4, 0:2] += 3.0  # wrong in one cell of the map at one element
    found = TASK.detail(ORBIT, answers, wanted)
    shapes = {name: values.shape for name, values in found.items()}
    assert shapes == {
        "field": (16, 2, 16, 16),
        "truth": (16, 2, 16, 16),
        "consensus": (2, 16, 16),
        "error": (16, 32, 32),
        "consensus_error": (16, 32, 32),
    }
    assert np.argwhere(found["error"]).tolist() == [[5, 1, 0]]
    assert found["error"][5, 1, 0] == pytest.approx(3.0)
    np.testing.assert_allclose(found["truth"], fields.coarse(fields.along(wanted, ORBIT)[0], 16))
    back = fields.act(found["field"][2], ORBIT.inverse(2))
    np.testing.assert_allclose(back, found["truth"][0], atol=1e-6)
    assert set(TASK.detail(ORBIT, answers, None)) == {"field", "consensus", "consensus_error"}
    assert TASK.payload(answers) == {}


def test_rows_sets_and_own_arrays_agree():
    held = datasets.load("piv")

    def still(batch):
        return np.zeros((len(batch), 2, 64, 64))

    by_row = evaluate(still, "piv", orbits.square_symmetries(False), [3, 47])
    assert by_row.item_ids.tolist() == [3, 47]
    assert by_row.classes == held.classes
    assert by_row.item_names[1] == "cylinder #8"
    own = evaluate(
        still,
        "piv",
        orbits.square_symmetries(False),
        (held.inputs([3, 47]), held.truth([3, 47])),
    )
    np.testing.assert_array_equal(own.metric, by_row.metric)
    length = np.sqrt((held.truth([3])[0] ** 2).sum(0).mean())
    np.testing.assert_allclose(by_row.metric[0], length, rtol=1e-5)
    # The cards' own measure is the same number.
    curve = along_symmetries(still, held.inputs([3, 47]), held.truth([3, 47]))
    np.testing.assert_allclose(curve.by_item[:, :8], by_row.metric, rtol=1e-5)


def nothing(batch):
    return np.zeros((len(batch), 2, N // 2, N // 2), np.float32)


@pytest.mark.parametrize(
    ("model", "items", "sentence"),
    [
        (lambda b: np.zeros((len(b), 2, N, N)), (frames(), None), "array of shape (16, 2, 64, 64)"),
        (lambda b: np.zeros((len(b), 32, 32, 2)), (frames(), None), "It must be (16, 2, 32, 32)"),
        (lambda b: nothing(b)[:-1], (frames(), None), "array of shape (15, 2, 32, 32)"),
        (lambda b: 0.0, (frames(), None), "array of shape (1,)"),
        (nothing, [], "No items are selected"),
        (nothing, [120], "no row 120"),
        (nothing, (frames().astype(float), None), "type float64"),
        (nothing, (frames()[:, :1], None), "shape (2, 1, 64, 64)"),
        (nothing, (frames()[..., :60], None), "shape (2, 2, 64, 60)"),
        (nothing, (frames(size=67), None), "67 px wide"),
        (nothing, (frames(size=32), None), "32 px wide"),
        (nothing, (frames()[:0], None), "shape (0, 2, 64, 64)"),
        (nothing, (frames() // 255, None), "first frame of pair 0 is black"),
        (nothing, (frames(), truth()[:, :, :-1]), "shape (2, 2, 31, 32)"),
        (nothing, (frames(), np.full_like(truth(), np.inf)), "infinite"),
        (3, (frames(), None), "not a model"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_a_sentence(model, items, sentence):
    with pytest.raises(BadRequest, match=re.escape(sentence)):
        evaluate(model, "piv", ORBIT, items)


def test_other_orbits_and_models_are_refused():
    with pytest.raises(BadRequest, match="cannot be asked along"):
        evaluate(nothing, "piv", orbits.rotations(4), (frames(), None))
    with pytest.raises(BadRequest, match="not square"):
        ORBIT.act(np.zeros((1, 2, 4, 6), np.float32), np.array([0]))


def png(pixels) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def picture(height: int, width: int, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def test_recorded_frames_are_cut_to_the_middle_square_and_it_is_said():
    first, second = picture(91, 131), picture(91, 131, 1)
    held = recorded_pair(("a.png", png(first)), ("b.png", png(second)))
    assert held.frames.shape == (1, 2, 88, 88)
    assert np.array_equal(held.frames[0, 0], first[1:89, 21:109])
    assert "Of 131 × 91 px the middle 88 × 88 px are used" in held.source
    assert held.truth([0]) is None
    assert held.labels.tolist() == [-1]
    assert held.names == ("a.png → b.png",)
    assert held.images([0]).shape == (1, 88, 176)
    assert held.columns["label"].tolist() == ["unknown"]
    whole, _, note = recorded([("a", png(picture(64, 64))), ("b", png(picture(64, 64, 1)))])
    assert whole.shape == (1, 2, 64, 64)
    assert note == ""
    large = recorded_pair(("a", png(picture(600, 700))), ("b", png(picture(600, 700, 1))))
    assert large.frames.shape[-1] == 512


def test_files_of_ones_own_are_paired_by_name():
    shots = [picture(64, 70, seed) for seed in range(4)]
    files = [(f"{name}.png", png(shots[i])) for i, name in enumerate(["2b", "1a", "2a", "1b"])]
    held = read_own(files, datasets.load("piv"))
    assert held["names"].tolist() == [
        "1a.png → 1b.png (middle 64 px)", "2a.png → 2b.png (middle 64 px)",
    ]  # fmt: skip
    assert np.array_equal(held["inputs"][1, 1], shots[0][:, 3:67])
    assert held["pixels"].shape == (2, 64, 128)


def test_files_of_ones_own_become_a_set(tmp_path):
    store = ArrayStore(tmp_path, 10_000_000)
    own_sets.use(store)
    files = [("b.png", png(picture(65, 64))), ("a.png", png(picture(65, 64, 1)))]
    held = datasets.load(own_sets.put("piv", files, store))
    assert held.names == ("a.png → b.png (middle 64 px)",)
    result = evaluate(nothing, "piv", ORBIT, held)
    assert np.isnan(result.metric).all()
    assert (consensus(result).metric == 0).all()
    with pytest.raises(BadRequest, match="3 frames do not make up pairs"):
        own_sets.put("piv", [*files, files[0]], store)


def test_recorded_pairs_give_a_consensus_only():
    held = recorded_pair(("a", png(picture(70, 64))), ("b", png(picture(70, 64, 1))))
    result = evaluate(nothing, "piv", ORBIT, held)
    assert np.isnan(result.metric).all()
    assert (consensus(result).metric == 0).all()


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([picture(64, 64)], "1 frames do not make up pairs"),
        ([], "0 frames"),
        ([picture(64, 80), picture(80, 64)], "different sizes: 80 × 64 px and 64 × 80 px"),
        ([picture(64, 64), picture(64, 64) // 255], "1.png is black"),
        ([picture(64, 64) * 0 + 90, picture(64, 64)], "0.png is 90 of 255 throughout"),
        ([picture(40, 90), picture(40, 90)], "have only 90 × 40 px"),
    ],
)
def test_recorded_frames_that_cannot_be_used(files, sentence):
    with pytest.raises(BadItems, match=re.escape(sentence)):
        recorded([(f"{i}.png", png(pixels)) for i, pixels in enumerate(files)])


def test_a_file_that_is_no_image_is_named():
    with pytest.raises(BadImage, match=r"b\.png: The file is not an image"):
        recorded([("a.png", png(picture(64, 64))), ("b.png", b"text")])


def test_the_set_shows_both_frames_and_counts_from_0():
    held = datasets.load("piv")
    assert held.shape == (128, 256, 1)
    both = held.image(5)
    assert np.array_equal(both[:, :128], held.inputs([5])[0, 0])
    assert np.array_equal(both[:, 128:], held.inputs([5])[0, 1])
    assert held.truth([5]).dtype == np.float32
    for rows in ([-1], [120]):
        with pytest.raises(BadItems, match="no row"):
            held.inputs(rows)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"labels": np.array([6])}, "Label 6"),
        ({"ids": np.array([1, 2])}, "2 ids for 1 pairs"),
        ({"names": ()}, "0 names"),
        ({"extra": {"x": np.zeros(3)}}, "Column 'x'"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, sentence):
    given = {
        "key": "k", "title": "t", "frames": frames(1), "fields": None, "labels": np.array([0]),
        "ids": np.array([0]), "names": ("a",), "classes": ("c",) * 6, "source": "", "licence": "",
    }  # fmt: skip
    with pytest.raises(BadItems, match=sentence):
        ParticlePairs(**{**given, **change})
