"""Requests as they travel, the works behind them, and the tables made from their results."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from backend import catalog, datasets
from backend.cache import ArrayStore
from backend.errors import BadRequest, Cancelled, NotFound
from backend.nero import OrbitResult, precompute, tables, work
from backend.nero.requests import OrbitRequest, ProjectionRequest, at_params
from backend.work import WORK


class Ticket:
    """Counts steps; cancels at one of them."""

    def __init__(self, folder, cancel_at=0):
        self.store = ArrayStore(folder, 100_000_000)
        self.cancel_at = cancel_at
        self.steps = []

    def __call__(self, done, total):
        self.steps.append((done, total))
        if len(self.steps) == self.cancel_at:
            raise Cancelled


@pytest.fixture
def ticket(tmp_path):
    return Ticket(tmp_path)


FEW = OrbitRequest("digits", "digits-plain", "rotation-90", items=(0, 120, 499))


def test_a_request_survives_its_journey():
    for request in (
        FEW,
        OrbitRequest("photos", "imagenet-lite0"),
        OrbitRequest("digits", "digits-p4", control=True),
    ):
        params = json.loads(json.dumps(request.params()))
        assert OrbitRequest.from_params(params) == request
        assert OrbitRequest.from_params(params).job().key == request.job().key
    placed = ProjectionRequest("digits", "digits-plain", "rotation-5", {"class": 3}, "umap", 7)
    assert ProjectionRequest.from_params(json.loads(json.dumps(placed.params()))) == placed
    assert placed.rows() == list(range(150, 200))


def test_equal_requests_have_one_key_and_others_have_others():
    keys = {
        OrbitRequest("digits", "digits-plain", orbit, control).job().key
        for orbit in ("", "rotation", "rotation-5", "rotation-10")
        for control in (False, True)
    }
    assert len(keys) == 4


def test_other_weights_or_data_make_another_key(monkeypatch):
    before = FEW.job().key
    card = dataclasses.replace(catalog.card("digits-plain"), weights_sha256="1" * 64)
    with monkeypatch.context() as patch:
        patch.setattr(catalog, "models", lambda: {"digits-plain": card})
        assert FEW.job().key != before
        with pytest.raises(BadRequest, match="model of this request is no longer"):
            OrbitRequest.from_params({**FEW.params(), "model_fingerprint": "f" * 16})
    with pytest.raises(BadRequest, match="data of this request is no longer"):
        OrbitRequest.from_params({**FEW.params(), "data_fingerprint": "f" * 16})
    assert FEW.job().key == before


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"task": "letters"}, NotFound, "digits, fashion, photos"),
        ({"task": 3}, BadRequest, "not a text"),
        ({"model": "none"}, NotFound, "digits-plain"),
        ({"model": "imagenet-lite0"}, BadRequest, "not made for digits"),
        ({"orbit": "rotation-7"}, NotFound, "no sampling '7'"),
        ({"orbit": "spin-5"}, NotFound, "no orbit 'spin-5'"),
        ({"orbit": 5}, BadRequest, "not a text"),
        ({"orbit": "squares-16"}, BadRequest, "transforms of image, not of frames"),
        ({"dataset": "none"}, NotFound, "no data set 'none'"),
        ({"items": "some"}, BadRequest, "not usable"),
        ({"items": []}, BadRequest, "No items"),
        ({"items": [500]}, BadRequest, "no row 500"),
    ],
)
def test_requests_are_checked(change, error, sentence):
    with pytest.raises(error, match=sentence):
        OrbitRequest.from_params({**FEW.params(), **change})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"method": "lda"}, "pca, ica, isomap, tsne, umap"),
        ({"seed": -1}, "Seed -1"),
        ({"seed": "x"}, "Seed -1"),
        ({"subset": {"class": 99}}, "0 items"),
        ({"subset": {"rows": [1, 2]}}, "2 items"),
        ({"subset": {"rows": [1, 2, 900]}}, "no row 900"),
        ({"subset": "most"}, "not usable"),
        ({"orbit": 3}, "names no orbit"),
    ],
)
def test_projection_requests_are_checked(change, sentence):
    params = ProjectionRequest("digits", "digits-plain").params()
    with pytest.raises(BadRequest, match=sentence):
        ProjectionRequest.from_params({**params, **change})


def test_the_works_are_in_the_table():
    for name, function in (
        ("orbit", work.orbit),
        ("at", work.at),
        ("item", work.item),
        ("input", work.moved),
        ("projection", work.projection),
    ):
        assert WORK[f"nero.{name}"].run == f"backend.nero.work:{function.__name__}"


def test_orbit_and_projection(ticket, tmp_path):
    arrays = work.orbit(FEW.params(), ticket)
    result = OrbitResult.from_arrays(arrays)
    assert result.metric.shape == (3, 4)
    assert ticket.steps[-1] == (12, 12)
    assert result.metric[:, 0].min() > 0.5

    request = ProjectionRequest("digits", "digits-plain", "rotation-90", {"rows": [3, 200, 4, 499]})
    placed = work.projection(request.params(), ticket)
    assert placed["rows"].tolist() == [3, 200, 4, 499]
    assert placed["xy"].shape == (4, 2)
    key = request.orbit_request.job().key
    assert ticket.store.has(key)
    model = catalog.load_model("digits-plain")
    before = model.calls.images
    again = work.projection(request.params(), ticket)
    assert np.array_equal(again["xy"], placed["xy"])
    assert model.calls.images == before  # a linked view of a computed orbit runs no model


def test_a_cancelled_orbit_leaves_nothing_and_runs_again(tmp_path):
    ticket = Ticket(tmp_path, cancel_at=1)
    request = ProjectionRequest("photos", "imagenet-lite0", "rotation-90", {"rows": [0, 1, 2]})
    with pytest.raises(Cancelled):
        work.projection(request.params(), ticket)
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.parametrize(("angle", "element"), [(0, 0), (90, 1), (180, 2), (270, 3), (-90, 3)])
def test_one_angle_agrees_with_the_orbit(ticket, angle, element):
    held = datasets.load("digits")
    models = ["digits-plain", "digits-rotated"]
    answer = work.at(at_params("digits", models, int(held.ids[120]), angle), ticket)
    for i, key in enumerate(models):
        request = OrbitRequest("digits", key, "rotation-90", items=(120,))
        whole = OrbitResult.from_arrays(work.orbit(request.params(), ticket))
        np.testing.assert_allclose(answer["probabilities"][i], whole.outputs[0, element], atol=1e-5)
    assert answer["class_ids"].tolist() == [list(range(10))] * 2
    assert np.array_equal(answer["image"], np.rot90(held.image(120), element))


def test_one_angle_of_a_photograph_shows_the_strongest_and_the_true_class(ticket):
    answer = work.at(at_params("photos", ["imagenet-lite0"], 8, 33.5), ticket)
    assert answer["probabilities"].shape == answer["class_ids"].shape == (1, 10)
    assert datasets.load("photos").labels[8] in answer["class_ids"]
    assert (np.diff(answer["probabilities"][0]) <= 0).all()
    assert answer["image"].shape == (224, 224, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (("digits", ["digits-plain"], 18, math.nan), BadRequest, "angle=nan"),
        (("digits", ["digits-plain"], 18, 361.0), BadRequest, "from 0 to 360"),
        (("digits", ["digits-plain"], -5, 0.0), BadRequest, "no item -5"),
        (("digits", [], 18, 0.0), BadRequest, "0 models"),
        (("digits", ["digits-plain"] * 13, 18, 0.0), BadRequest, "1 to 12"),
        (("digits", ["imagenet-lite0"], 18, 0.0), BadRequest, "not made for"),
        (("digits", ["none"], 18, 0.0), NotFound, "no model 'none'"),
        (("letters", ["digits-plain"], 18, 0.0), NotFound, "no task"),
    ],
)
def test_one_angle_is_checked(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        at_params(*arguments)


def test_one_angle_refuses_what_is_no_request(ticket):
    with pytest.raises(BadRequest, match="does not name task, models, item"):
        work.at({"task": "digits"}, ticket)


def test_shipped_results_are_made_under_the_keys_of_the_app(tmp_path, monkeypatch, ticket):
    monkeypatch.setattr(precompute, "jobs", lambda: [FEW.job()])
    stale = tmp_path / ("0" * 64 + ".npz")
    stale.write_bytes(b"old")
    precompute.main(tmp_path)
    assert [path.stem for path in tmp_path.glob("*.npz")] == [FEW.job().key]
    held = ArrayStore(tmp_path / "own", 1_000_000, [tmp_path]).get(FEW.job().key)
    assert np.array_equal(held["metric"], work.orbit(FEW.params(), ticket)["metric"])


def test_every_shipped_result_is_listed_once():
    keys = [job.key for job in precompute.jobs()]
    assert len(keys) == len(set(keys))
    assert len(keys) >= 3 * 7


class TestTables:
    """Ids and names are in every table that speaks of items; numbers are those of the result."""

    ORBIT = FEW.elements

    @pytest.fixture
    def results(self, ticket):
        pair = ("digits-plain", "digits-rotated")
        requests = {key: dataclasses.replace(FEW, model=key) for key in pair}
        return {
            key: OrbitResult.from_arrays(work.orbit(request.params(), ticket))
            for key, request in requests.items()
        }

    def test_aggregate(self, results):
        table = tables.aggregate(results, self.ORBIT, [0, 2])
        assert {"element", "angle_deg", "model", "accuracy", "confidence", "n"} <= set(table)
        assert len(table) == 8
        assert set(table["n"]) == {2}
        one = table[table["model"] == "digits-rotated"]
        expected = results["digits-rotated"].aggregate("confidence", [0, 2])
        assert np.array_equal(one["confidence"], expected)

    def test_items(self, results):
        table = tables.items(results, self.ORBIT)
        held = datasets.load("digits")
        assert table["id"].tolist() == held.ids[[0, 120, 499]].tolist()
        assert table["label"].tolist() == ["0", "2", "9"]
        assert np.array_equal(table["digits-plain: mean"], results["digits-plain"].mean())

    def test_orbit_and_outputs(self, results):
        table = tables.orbit(results, self.ORBIT, 1)
        assert {"angle_deg", "model", "id", "name", "label", "confidence"} <= set(table)
        assert np.array_equal(table["confidence"][:4], results["digits-plain"].metric[1])
        table = tables.outputs(results, self.ORBIT, 1, 2)
        assert table["class"].tolist() == list("0123456789")
        assert np.array_equal(table["digits-plain"], results["digits-plain"].outputs[1, 2])
        with pytest.raises(BadRequest, match="0 to 3"):
            tables.outputs(results, self.ORBIT, 1, 4)

    def test_confusion_and_projection(self, results):
        plain = results["digits-plain"]
        table = tables.confusion(plain, self.ORBIT, "digits-plain")
        assert np.allclose(table.groupby("angle_deg")["share"].sum(), 1)
        xy = plain.reduce("pca")
        table = tables.projection(plain, "digits-plain", xy)
        assert np.array_equal(table["x"], xy[:, 0])
        assert np.array_equal(table["mean"], plain.mean())
        with pytest.raises(BadRequest, match="do not fit"):
            tables.projection(plain, "digits-plain", xy[:2])

    def test_no_model_is_said(self):
        for make in (tables.aggregate, tables.items):
            with pytest.raises(BadRequest, match="No model is chosen"):
                make({}, self.ORBIT)
