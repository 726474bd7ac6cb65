"""Jobs, routes and commands end to end, on an untrained network of the garments."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from werkzeug.serving import make_server

from backend.__main__ import main
from backend.crayon import aggregate, curve_work, panels, queue, requests, work
from backend.crayon.answers import Answer, Scope
from backend.crayon.curve import CurveRequest
from backend.crayon.requests import RefineRequest, maps_job, patches_job
from backend.crayon.simulate import answers as simulated
from backend.crayon.simulate import patch_says_yes, says_yes
from backend.errors import BadRequest, NotFound
from benchmarks.crayon_load import measured
from tests.crayon_bench import Ticket, client_of, forget, garments_bench, part_of_garments, told

KEYS = {"set": "garments", "as": "anna"}


@pytest.fixture(scope="module")
def small():
    return part_of_garments()


@pytest.fixture(scope="module")
def bench(tmp_path_factory, small):
    with garments_bench(tmp_path_factory.mktemp("state"), small) as services:
        yield services


@pytest.fixture
def held(bench):
    return forget(bench)


@pytest.fixture
def client(held):
    return client_of(held)


@pytest.fixture
def answered(held, small):
    """The services with simulated answers about maps and patches; storing them again adds none."""
    model = requests.fingerprint("garments")
    model = requests.fingerprint("garments")
    rows = np.arange(60)
    found = held.store.get(maps_job("garments").key)
    masks = small.cover(rows.tolist(), (7, 7))
    truth = says_yes(found["maps"][rows], masks)
    truth[:10] = ~truth[:10]  # an untrained network may look at one thing only
    held.answers.add(simulated(truth, rows, Scope("garments", model), noise=0))
    patches = held.store.get(patches_job("garments").key)["patches"]
    covered = small.cover(list(range(108)), (7, 7))
    scope = Scope("garments", model, "patch")
    says = patch_says_yes(patches, covered)
    says[: len(says) // 2] = True
    held.answers.add(simulated(says, np.arange(len(says)), scope, noise=0))
    return held


def post(http, where, status=200, **body):
    return told(http.post(f"/_crayon/{where}", json={**KEYS, "client": "c1", **body}), status)


def test_maps_and_patches_have_their_shapes(held):
    maps = held.store.get(maps_job("garments").key)
    assert maps["maps"].shape == (108, 7, 7)
    assert maps["probabilities"].shape == (108, 2)
    patches = held.store.get(patches_job("garments").key)
    assert patches["owners"].shape == (64, 3)
    assert len(patches["patches"]) <= 192
    assert patches["patches"][:, 0].max() < 60  # training items only
    assert patches["alone"].shape == (64,)


def test_every_method_runs_as_a_job_and_a_corrected_model_goes_on(answered, held):
    asked = RefineRequest("garments", source="simulated", epochs=1)
    for method in ("attention", "pruning+attention", "last-layer", "masktune", "box"):
        job = replace(asked, method=method).job(held.answers, held.store)
        result = work.refine(job.params, Ticket(held.store))
        assert result["curves"].shape == (1, 3)
        assert result["maps_after"].shape == (24, 7, 7)
        assert not any(name.startswith("state.trunk") for name in result)
        held.store.put(job.key, result)
    again = replace(asked, method="erm", parent=job.key).job(held.answers, held.store)
    ticket = Ticket(held.store)
    before = work.refine(again.params, ticket)["pred_before"]
    assert {"epoch", "prediction", "relevant", "irrelevant", "wga"} <= ticket.lines[0].keys()
    assert np.array_equal(before, result["pred_after"])
    model = requests.fingerprint("garments")
    transferred = replace(asked, parent=job.key, answers_of=model)
    assert transferred.job(held.answers, held.store).params["transferred"] is True
    with pytest.raises(NotFound, match="no answers about patches"):
        replace(asked, method="pruning", parent=job.key).job(held.answers, held.store)
    with pytest.raises(NotFound, match="no answers"):
        replace(asked, source="human").job(held.answers, held.store)


def test_other_answers_make_another_job(answered, held):
    asked = RefineRequest("garments", source="simulated", epochs=1)
    first = asked.job(held.answers, held.store).key
    assert first == asked.job(held.answers, held.store).key
    assert first != replace(asked, budget=5).job(held.answers, held.store).key


def test_a_curve_starts_without_answers_and_ends_at_the_whole_run(answered, held):
    run = RefineRequest("garments", source="simulated", epochs=1, seed=3)
    asked = CurveRequest(run, budgets=(4, 9))
    job = asked.job(held.answers, held.store)
    ticket = Ticket(held.store)
    found = curve_work.curve(job.params, ticket)
    assert found["budgets"].tolist() == [0, 4, 9]
    assert found["seeds"].tolist() == [3, 4, 5]
    assert found["used"].sum(axis=2).tolist() == [[0, 4, 9]] * 3
    assert found["wga"].shape == (3, 3)
    assert len(ticket.lines) == 9
    for k, same in enumerate((replace(run, method="erm"), replace(run, budget=4))):
        alone = work.refine(same.job(held.answers, held.store).params, Ticket(held.store))
        assert found["mga"][0, k] == alone["mga_after"][0]
        assert found["wga_validation"][0, k] == pytest.approx(alone["validation"][-1, 0])
    pruned = replace(asked, run=replace(run, method="pruning+attention"), budgets=(4,))
    done = curve_work.curve(pruned.job(held.answers, held.store).params, Ticket(held.store))
    assert done["mga"].shape == (3, 2)
    automatic = replace(asked, budgets=()).job(held.answers, held.store).params["budgets"]
    total = automatic[-1]
    assert automatic == sorted({0, *(max(1, total >> k) for k in range(5))})
    for wrong in ({"budgets": (total + 1,)}, {"seeds": 2}, {"budgets": tuple(range(1, 15))}):
        with pytest.raises(BadRequest):
            replace(asked, **wrong).job(held.answers, held.store)
    with pytest.raises(BadRequest, match="no curve"):
        replace(asked, run=replace(run, method="erm")).job(held.answers, held.store)


def test_next_answers_undo_and_progress(client):
    items = told(client.get("/_crayon/next?set=garments&as=anna&n=10"))["items"]
    assert len(items) == 10
    assert "mainly" in items[0]["question"]
    assert set(items[0]["panels"]) == {"original", "overlay", "red"}
    picture = client.get(items[0]["panels"]["overlay"])
    assert (picture.status_code, picture.mimetype) == (200, "image/webp")
    assert "immutable" in picture.headers["Cache-Control"]
    rows = [
        {"sequence": i, "item_id": one["item_id"], "answer": "yes", "ms": 500 + i}
        for i, one in enumerate(items[:4])
    ]
    first = post(client, "answers", answers=rows)
    assert first["stored"] == [0, 1, 2, 3]
    assert post(client, "answers", answers=rows)["ids"] == first["ids"]  # sent again: no doubles
    progress = told(client.get("/_crayon/progress?set=garments&as=anna"))
    assert (progress["answered"], progress["total"]) == (4, 60)
    assert progress["counts"]["yes"] == 4
    assert progress["median_s"] == pytest.approx(0.5015)
    more = told(client.get(f"/_crayon/next?set=garments&as=anna&exclude={items[5]['item_id']}"))
    ids = {one["item_id"] for one in more["items"]}
    assert not ids & {one["item_id"] for one in [*items[:4], items[5]]}
    post(client, "answers", answers=[{**rows[0], "sequence": 4, "answer": "no"}])  # an edit
    recent = told(client.get("/_crayon/recent?set=garments&as=anna"))["items"]
    assert (recent[0]["item_id"], recent[0]["answer"]) == (items[0]["item_id"], "no")
    back = post(client, "undo", sequence=5)
    assert back["undone"]["item_id"] == items[0]["item_id"]
    assert back["progress"]["answered"] == 4
    assert back["progress"]["counts"] == {"yes": 4, "no": 0, "maybe": 0, "skip": 0}


def test_patches_are_asked_too(client):
    found = told(client.get("/_crayon/next?set=garments&as=anna&kind=patch&n=2"))["items"]
    assert client.get(found[0]["panels"]["patch"]).status_code == 200
    row = {"sequence": 50, "item_id": found[0]["item_id"], "answer": "no"}
    assert post(client, "answers", kind="patch", answers=[row])["stored"] == [50]


def test_agreement_leaves_simulated_answers_out(answered, client):
    assert told(client.get("/_crayon/agreement?set=garments"))["pairs"] == []
    found = told(client.get("/_crayon/agreement?set=garments&source=simulated"))
    assert found["pairs"][0]["kappa"] == 1.0


def test_files_travel_through_the_routes(answered, client):
    text = client.get("/_crayon/export.csv").get_data()
    found = told(client.post("/_crayon/import?format=csv", data=text))
    assert found["new"] == 0
    assert found["read"] > 100
    told(client.post("/_crayon/import?format=csv", data=b"a,b\n1,2\n"), 400)
    told(client.post("/_crayon/import?format=csv", data=b"\xff\xfe"), 400)
    told(client.get("/_crayon/export.xlsx"), 404)


@pytest.mark.parametrize(
    ("where", "status"),
    [
        ("next?set=garments&as=", 400),
        ("next?set=garments&as=simulated 1", 400),
        ("next?set=dogs&as=anna", 404),
        ("next?set=../x&as=anna", 400),
        ("next?set=garments&as=anna&order=best", 400),
        ("next?set=garments&as=anna&n=0", 400),
        ("next?set=garments&as=anna&kind=pixel", 400),
        ("next?set=garments&as=anna&exclude=a", 400),
        ("next?set=garments&as=anna&parent=abc", 404),
        ("picture/garments/map/0/evil.webp", 404),
        ("picture/garments/map/9999/red.webp", 404),
        ("picture/garments/patch/9999/patch.webp", 404),
        ("sets", 200),
    ],
)
def test_names_from_outside_are_sentences(client, where, status):
    told(client.get(f"/_crayon/{where}"), status)


@pytest.mark.parametrize(
    "body",
    [
        {"answers": []},
        {"answers": [{"sequence": 1}]},
        {"answers": [{"sequence": 100, "item_id": 9999, "answer": "yes"}]},
        {"answers": [{"sequence": 100, "item_id": 1, "answer": "perhaps"}]},
        {"answers": [{"sequence": 100, "item_id": "1", "answer": "yes"}]},
        {"answers": [{"sequence": 100, "item_id": 1, "answer": "yes"}], "client": "a b"},
        {"answers": [{"sequence": 100, "item_id": 1, "answer": "yes"}], "as": "<b>"},
    ],
)
def test_bad_answers_are_refused(client, body):
    assert post(client, "answers", 400, **body)["message"]


def answer(row, who, value="yes"):
    return Answer(who, row, "s", "ab", "map", row, who, value)


def test_orders_say_why_and_stay_blind():
    rows, groups = np.arange(6), np.array([0, 0, 0, 1, 0, 0])
    stored = [answer(2, "ben"), answer(2, "cy", "no"), answer(4, "ben"), answer(5, "anna")]

    def ids(order, overlap=2, **more):
        found = queue.upcoming(rows, stored, "anna", order=order, overlap=overlap, **more)
        assert all(one.why for one in found)
        return [one.row for one in found]

    assert ids("random")[0] == 4  # begun by another, so that a verdict is reached
    assert 2 not in ids("random")  # has two answers
    assert 5 not in ids("random")  # is answered
    assert ids("disagreement", overlap=3)[0] == 2
    assert ids("rarity", groups=groups)[0] == 3
    sure = np.array([0.9, 0.1, 0.5, 0.6, 0.8, 0.7])
    assert ids("effect", confidence=sure) == [1, 3, 4, 0]
    with pytest.raises(BadRequest, match="no order"):
        ids("best")
    with pytest.raises(BadRequest, match="needs what"):
        ids("rarity")


def test_the_overlay_rises_with_the_map():
    image = np.full((32, 32, 3), 200, np.uint8)
    ramp = np.tile(np.linspace(0, 1, 8, dtype=np.float32), (8, 1))
    alpha = panels.panel("overlay", image, ramp)[..., 3]
    assert (np.diff(alpha[128].astype(int)) >= 0).all()
    assert alpha.min() == round(255 * panels.VEIL)
    assert alpha.max() == 255
    red = panels.panel("red", image, ramp)
    assert red[128, -1, 0] > red[128, -1, 2]
    marked = panels.patch(image, (1, 2), (4, 4))
    assert tuple(marked[64, 130]) == panels.RED
    assert tuple(marked[96, 160]) == (200, 200, 200)


def test_commands(answered, held, tmp_path, capsys):
    file = tmp_path / "a.jsonl"
    assert main(["crayon", "export", str(file)]) == 0
    count = len(file.read_text().splitlines())
    assert json.loads(file.read_text().splitlines()[0])["item_set"] == "garments"
    assert main(["crayon", "import", str(file)]) == 0
    assert f"0 of {count}" in capsys.readouterr().err
    assert main(["crayon", "export", str(tmp_path / "a.txt")]) == 2
    study = tmp_path / "study.json"
    study.write_text('["yes", "no", "maybe"]')
    assert main(["crayon", "import", str(study)]) == 0
    assert "'relevant': 1" in capsys.readouterr().err
    rows = [a for a in held.answers.everything("study")]
    assert aggregate.maps(map(vars_of, rows))["irrelevant"] == [1]
    assert main(["crayon", "maps", "--set", "garments", "--npz", str(tmp_path / "m.npz")]) == 0
    options = ["--source", "simulated", "--epochs", "1", "--npz", str(tmp_path / "r.npz")]
    assert main(["crayon", "refine", "--set", "garments", *options]) == 0
    assert "The answers were simulated." in capsys.readouterr().err
    with np.load(tmp_path / "r.npz", allow_pickle=False) as file:
        assert file["wga_after"].shape == (1,)


def vars_of(row):
    return {
        "item_id": row.item_id,
        "annotator": row.annotator,
        "answer": row.answer,
        "source": row.source,
    }


def test_several_annotators_at_once_lose_and_double_nothing(held, client):
    server = make_server("127.0.0.1", 0, client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        _, count, wrong = measured(base, "garments", 2, people=4)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (count, wrong) == (8, 0)
