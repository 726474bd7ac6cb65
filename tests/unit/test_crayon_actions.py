"""Simulated annotators, adjudication, and answers about other maps."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from backend.crayon import aggregate, requests, sets, work
from backend.crayon.answers import Answer, Scope
from backend.crayon.requests import RefineRequest, maps_job
from backend.errors import BadRequest, NotFound
from tests.crayon_bench import Ticket, client_of, forget, garments_bench, part_of_garments, told


@pytest.fixture(scope="module")
def small():
    return part_of_garments()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, small):
    with garments_bench(tmp_path_factory.mktemp("state"), small) as services:
        yield services


@pytest.fixture
def bench(shared):
    return forget(shared)


@pytest.fixture
def http(bench):
    return client_of(bench)


def scope(kind="map"):
    return Scope("garments", requests.fingerprint("garments"), kind)


def post(http, where, status=200, **body):
    return told(http.post(f"/_crayon/{where}", json={"set": "garments", **body}), status)


def standing(bench, kind="map", source="simulated"):
    return [a for a in bench.answers.current(scope(kind)) if a.source == source]


def test_simulated_answers_replace_each_other_and_never_mix(bench, http):
    first = post(http, "simulate", noise=0.0, annotators=3, seed=0)
    assert first == {"new": 180, "items": 60, "annotators": 3, "source": "simulated"}
    assert post(http, "simulate", noise=0.0, annotators=3, seed=0)["new"] == 0
    noisy = post(http, "simulate", noise=0.3, annotators=2, seed=1)
    assert 0 < noisy["new"] < 120  # those that differ
    assert {a.annotator for a in standing(bench)} == {"simulated 1", "simulated 2"}
    post(http, "simulate", noise=0.0, annotators=1, seed=0)  # again what stood first, of one
    held = standing(bench)
    assert len(held) == 60
    assert {a.annotator for a in held} == {"simulated 1"}
    by = {a.item_id: a.answer for a in held}
    post(http, "simulate", noise=0.0, annotators=2, seed=5)  # without noise the seed is nothing
    assert {a.item_id: a.answer for a in standing(bench)} == by
    assert len(standing(bench)) == 120
    progress = told(http.get("/_crayon/progress?set=garments&as=anna"))
    assert (progress["answered"], progress["simulated"]) == (0, 120)


def test_patches_are_simulated_too(bench, http):
    found = post(http, "simulate", kind="patch", annotators=1)
    assert len(standing(bench, "patch")) == found["items"] == found["new"]


@pytest.mark.parametrize(
    "body", [{"noise": 0.9}, {"noise": "a"}, {"annotators": 0}, {"annotators": 1.5}, {"seed": -1}]
)
def test_simulations_that_cannot_be_are_refused(http, body):
    assert post(http, "simulate", 400, **body)["message"]


def test_a_set_without_masks_says_so(http, small, monkeypatch):
    bare = replace(small, cover=None)
    monkeypatch.setattr(sets, "load", lambda key: bare)
    assert "has no masks" in post(http, "simulate", 400)["message"]


def answers(http, who, rows, start=0, status=200, **more):
    sent = [
        {"sequence": start + i, "item_id": item, "answer": answer, **extra}
        for i, (item, answer, extra) in enumerate(rows)
    ]
    return post(
        http, "answers", status, **{"as": who, "client": f"c-{who}", "answers": sent}, **more
    )


def test_an_adjudicator_decides_and_blind_numbers_stay(bench, http):
    answers(http, "anna", [(0, "yes", {}), (1, "yes", {}), (2, "no", {})])
    answers(http, "ben", [(0, "no", {}), (1, "no", {}), (2, "no", {})])
    found = told(http.get("/_crayon/disputed?set=garments"))
    assert [one["item_id"] for one in found["items"]] == [0, 1]
    assert found["items"][0]["why"] == "1 yes, 1 no."
    assert found["items"][0]["verdict"] is None
    assert set(found["items"][0]["panels"]) == {"original", "overlay", "red"}
    before = told(http.get("/_crayon/agreement?set=garments"))
    # anna had answered item 0 blindly; her decision stands beside that.
    answers(http, "anna", [(0, "no", {}), (1, "maybe", {})], 10, role="adjudicator")
    after = told(http.get("/_crayon/agreement?set=garments"))
    assert (after["pairs"], after["fleiss"]) == (before["pairs"], before["fleiss"])
    assert (after["disputed"], after["settled"]) == ([], [0, 1])
    found = told(http.get("/_crayon/disputed?set=garments"))
    assert (found["open"], found["settled"]) == (0, 2)
    assert [(one["item_id"], one["verdict"]) for one in found["items"]] == [(1, "maybe"), (0, "no")]
    rows, _ = bench.answers.for_model(scope(), scope().model, source="human")
    verdict = aggregate.verdicts(rows, np.arange(60))
    assert verdict[:4].tolist() == [-1, 0, -1, 0]
    progress = told(http.get("/_crayon/progress?set=garments&as=anna"))
    assert (progress["answered"], progress["adjudicated"]) == (3, 2)
    asked = told(http.get("/_crayon/next?set=garments&as=cy&n=50&overlap=9"))["items"]
    assert not {0, 1} & {one["item_id"] for one in asked}
    # Undo of the one role leaves the other alone.
    back = post(http, "undo", **{"as": "anna", "client": "c-anna"}, sequence=20, role="adjudicator")
    assert back["undone"]["item_id"] == 1
    again = told(http.get("/_crayon/agreement?set=garments"))
    assert (again["disputed"], again["settled"]) == ([1], [0])
    back = post(http, "undo", **{"as": "anna", "client": "c-anna"}, sequence=21)
    assert back["undone"]["item_id"] == 2
    assert told(http.get("/_crayon/agreement?set=garments"))["settled"] == [0]
    recent = told(http.get("/_crayon/recent?set=garments&as=anna&role=adjudicator"))["items"]
    assert [one["item_id"] for one in recent] == [0]
    answers(http, "anna", [(0, "no", {})], 30, 400, role="judge")


def test_adjudication_in_words():
    def row(who, answer, source="human", item=7):
        return {"item_id": item, "annotator": who, "answer": answer, "source": source}

    blind = [row("a", "yes"), row("b", "yes")]
    decided = [*blind, row("a", "no", "adjudicated")]
    assert aggregate.maps(blind)["relevant"] == [7]
    assert aggregate.maps(decided)["irrelevant"] == [7]
    assert aggregate.maps([*decided, row("c", "skip", "adjudicated")])["unused"] == [7]
    # The last word counts, whoever spoke first.
    turned = [*decided, row("c", "yes", "adjudicated"), row("a", "no", "adjudicated")]
    assert aggregate.maps(turned)["irrelevant"] == [7]
    assert aggregate.patches(decided) == {7: -1}
    owners = np.array([[7, 7, 7]])
    assert aggregate.neurons(decided, owners).tolist() == [False]


def test_maps_of_other_methods_are_other_maps(bench, http):
    job = maps_job("garments", saliency="integrated-gradients")
    found = work.maps(job.params, Ticket(bench.store))
    plain = bench.store.get(maps_job("garments").key)
    assert found["maps"].shape == plain["maps"].shape
    assert np.array_equal(found["probabilities"], plain["probabilities"])
    assert found["maps"].max() == 1
    wanted = "/_crayon/next?set=garments&as=dora&saliency=integrated-gradients&n=1"
    assert "not computed yet" in told(http.get(wanted), 404)["message"]
    bench.store.put(job.key, found)
    (one,) = told(http.get(wanted))["items"]
    assert "saliency=integrated-gradients" in one["panels"]["red"]
    other = told(http.get("/_crayon/next?set=garments&as=dora&n=1"))["items"][0]
    assert one["item_id"] == other["item_id"]
    assert one["map_hash"] != other["map_hash"]
    assert one["item_hash"] == other["item_hash"]
    pictures = [http.get(each["panels"]["red"]).get_data() for each in (one, other)]
    assert pictures[0] != pictures[1]
    rollout = told(http.get(wanted.replace("integrated-gradients", "attention-rollout")), 400)
    assert "needs a transformer" in rollout["message"]
    told(http.get(wanted.replace("integrated-gradients", "guess")), 400)


def test_answers_about_other_maps_are_told_and_not_used(bench):
    job = maps_job("garments", saliency="score-cam")
    bench.store.put(job.key, work.maps(job.params, Ticket(bench.store)))
    made = []
    from backend.crayon.panels import map_hash

    grad = bench.store.get(maps_job("garments").key)["maps"]
    score = bench.store.get(job.key)["maps"]
    differing = [i for i in range(20, 60) if map_hash(grad[i]) != map_hash(score[i])][:6]
    for number, item in enumerate(differing):
        for who in ("e1", "e2"):
            shown = grad if number < 4 else score
            answer = Answer(who, number, "garments", scope().model, "map", item, who, "yes")
            made.append(replace(answer, map_hash=map_hash(shown[item])))
    bench.answers.add(made)
    asked = RefineRequest("garments", epochs=1)
    rows, _, counts = asked.map_answers(bench.answers, bench.store)
    used = {row["item_id"] for row in rows}
    assert set(differing[:4]) <= used
    assert not set(differing[4:]) & used
    assert counts.other_maps == 4
    assert "about other maps: 4 answers." in counts.sentence
    guide, _ = asked.guidance(bench.answers, bench.store)
    assert guide["verdict"][differing].tolist() == [1] * 4 + [0] * 2
    other = replace(asked, saliency="score-cam")
    guide, _ = other.guidance(bench.answers, bench.store)
    assert guide["verdict"][differing].tolist() == [0] * 4 + [1] * 2
    assert other.answered_maps().key == job.key  # the targets of the training, too
    result = work.refine(other.job(bench.answers, bench.store).params, Ticket(bench.store))
    assert result["curves"].shape == (1, 3)
    with pytest.raises(NotFound, match="not stored"):
        replace(asked, saliency="integrated-gradients", parent="").map_answers(
            bench.answers, bench.store.__class__(bench.store.root / "empty", 10**8)
        )
    with pytest.raises(BadRequest, match="no saliency"):
        replace(asked, saliency="guess").job(bench.answers, bench.store)


def test_answers_about_another_picture_are_not_used(bench, small):
    from backend.crayon.shown import checked

    row = asdict(Answer("z", 1, "garments", "ab", "map", 3, "z", "yes", item_hash="00"))
    fresh = row | {"item_hash": small.item_hash(3)}
    kept, counts = checked([row, fresh, row | {"item_hash": ""}], small, None)
    assert (len(kept), counts.other_pictures, counts.unmarked) == (2, 1, 1)


def test_corrected_models_are_named_by_key(bench):
    asked = RefineRequest("garments", answers_of="cd" * 32)
    with pytest.raises(NotFound, match="no answers"):
        asked.job(bench.answers, bench.store)
    with pytest.raises(NotFound, match="not known"):
        replace(asked, answers_of="cd" * 8).answered_maps()
    own = replace(asked, answers_of=scope().model).answered_maps()
    assert own.key == maps_job("garments").key
