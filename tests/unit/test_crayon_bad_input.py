"""What can come wrong into Crayon ends in a sentence, and no answer is lost."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import orjson
import pytest
import torch
from sqlalchemy import event

from backend.crayon import aggregate, metrics, panels, requests, sets, simulate, work
from backend.crayon.answers import Answer, Scope
from backend.crayon.losses import loss_irrel, loss_rel
from backend.crayon.requests import RefineRequest, maps_job
from backend.errors import BadRequest, NotFound
from tests.crayon_bench import Ticket, client_of, garments_bench, part_of_garments, told


@pytest.fixture(scope="module")
def small():
    return part_of_garments()


@pytest.fixture
def bench(tmp_path, small):
    with garments_bench(tmp_path / "state", small) as services:
        yield services


@pytest.fixture
def http(bench):
    return client_of(bench)


def answered(bench, values, who=("a", "b")):
    scope = Scope("garments", requests.fingerprint("garments"))
    made = [
        Answer(f"c-{name}", i, scope.item_set, scope.model, "map", i, name, value)
        for name in who
        for i, value in enumerate(values)
    ]
    bench.answers.add(made)


def send(http, who, rows, status=200):
    body = {"set": "garments", "as": who, "client": f"c-{who}", "answers": rows}
    return told(http.post("/_crayon/answers", json=body), status)


def test_no_answers(bench):
    assert aggregate.maps([]) == {"relevant": [], "irrelevant": [], "unused": []}
    assert aggregate.agreement([])["fleiss"] is None
    for method in ("attention", "shuffled", "pruning", "pruning+attention", "random-mask"):
        with pytest.raises(
            NotFound, match=r"There are no answers about (maps|patches) of garments"
        ):
            RefineRequest("garments", method).job(bench.answers, bench.store)


def test_answers_that_decide_nothing(bench):
    answered(bench, ["yes"] * 10, who=("a",))
    answered(bench, ["no"] * 10, who=("b",))
    job = RefineRequest("garments", epochs=1).job(bench.answers, bench.store)
    with pytest.raises(BadRequest, match="No answer can be used"):
        work.refine(job.params, Ticket(bench.store))


def test_all_yes(bench, small):
    answered(bench, ["yes"] * 60)
    job = RefineRequest("garments", epochs=1).job(bench.answers, bench.store)
    found = work.refine(job.params, Ticket(bench.store))
    assert found["weights"][2:].tolist() == [60, 0]
    assert np.isfinite(found["curves"]).all()
    assert found["curves"][0, 2] == 0
    table = metrics.answers_by_class(np.ones(60), small.labels[:60], 2)
    assert "only one of the two loss terms" in metrics.class_warning(table, small.classes)


def test_one_class_only(bench, small, monkeypatch):
    answered(bench, ["yes", "no"] * 30)
    job = RefineRequest("garments", epochs=1).job(bench.answers, bench.store)
    alike = replace(small, labels=np.zeros_like(small.labels))
    monkeypatch.setattr(sets, "load", lambda key: alike)
    with pytest.raises(BadRequest, match="fewer than two classes"):
        work.refine(job.params, Ticket(bench.store))


def test_a_map_that_is_zero_everywhere(bench, http, small):
    zero, one = np.zeros((1, 4, 4), np.float32), np.ones((1, 4, 4), np.float32)
    assert simulate.says_yes(zero, one).tolist() == [False]
    assert np.isnan(metrics.energy_in_mask(zero, one)).all()
    for norm in ("reference", "none", "energy"):
        m, m0 = torch.zeros(1, 4, 4, requires_grad=True), torch.zeros(1, 4, 4)
        total = loss_rel(m, m0, norm) + loss_irrel(m, m0, norm)
        total.sum().backward()
        assert torch.isfinite(total).all()
        assert torch.isfinite(m.grad).all()
    for name in panels.PANELS:
        assert panels.panel(name, small.image(0), zero[0]).shape[0] == 28 * 10
    job = maps_job("garments")
    found = {name: np.array(value) for name, value in bench.store.get(job.key).items()}
    found["maps"][:60] = 0
    bench.store.put(job.key, found)
    made = told(http.post("/_crayon/simulate", json={"set": "garments", "noise": 0.5}))
    assert made["items"] == 60
    run = RefineRequest("garments", source="simulated", epochs=1)
    done = work.refine(run.job(bench.answers, bench.store).params, Ticket(bench.store))
    assert np.isfinite(done["curves"]).all()


def test_unknown_items(bench, http):
    row = {"sequence": 1, "item_id": 5, "answer": "yes"}
    refused = send(http, "anna", [row, row | {"sequence": 2, "item_id": 108}], 400)
    assert refused["message"] == "There is no map 108 in Garments with a coloured patch."
    assert bench.answers.everything() == []
    # An import knows nothing of the set's size; whoever trains is told.
    answered(bench, ["yes"] * 109)
    with pytest.raises(BadRequest, match="item 108, which is not in this set"):
        RefineRequest("garments").job(bench.answers, bench.store)


def test_a_wrong_column(bench, http):
    answered(bench, ["yes"])
    text = http.get("/_crayon/export.csv").get_data(as_text=True)
    before = bench.answers.everything()
    for wrong, sentence in [
        (text.replace("annotator", "person"), "no column 'annotator'"),
        (text.replace("reason", "colour"), "a column 'colour'"),
        (text.replace(",yes,", ",perhaps,"), "'perhaps' is not known"),
    ]:
        refused = told(http.post("/_crayon/import?format=csv", data=wrong.encode()), 400)
        assert sentence in refused["message"]
    assert bench.answers.everything() == before


def test_two_annotators_at_the_same_instant(bench, http):
    start = threading.Barrier(2)

    def answer(who, value):
        mine = client_of(bench)
        start.wait()
        for number in range(10):
            send(mine, who, [{"sequence": number, "item_id": number, "answer": value}])

    threads = [
        threading.Thread(target=answer, args=one) for one in (("anna", "yes"), ("ben", "no"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    agreement = told(http.get("/_crayon/agreement?set=garments"))
    assert agreement["pairs"][0]["items"] == 10
    assert sorted(agreement["disputed"]) == list(range(10))


def test_a_full_disk(bench, http):
    rows = [
        {"sequence": i, "item_id": i % 60, "answer": "skip", "reason": "r" * 200}
        for i in range(500)
    ]
    send(http, "anna", rows[:3])
    before = http.get("/_crayon/export.jsonl").get_data()

    def shrink(connection, _record):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(bench.engine, "connect", shrink)
    bench.engine.dispose()
    refused = send(http, "anna", rows, 507)
    assert refused["message"].startswith("The answer was not stored: database or disk is full")
    assert "Free some space" in refused["hint"]
    assert http.get("/_crayon/export.jsonl").get_data() == before
    event.remove(bench.engine, "connect", shrink)
    bench.engine.dispose()
    assert len(send(http, "anna", rows)["ids"]) == 500  # sent again once there is room
    held = [
        orjson.loads(line) for line in http.get("/_crayon/export.jsonl").get_data().splitlines()
    ]
    assert sorted(one["sequence"] for one in held) == list(range(500))
