"""What the Crayon page says: diagnosis, changes, plans, figures, and its routes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from backend.crayon import change, diagnosis, losses, methods, refinement, requests, sets
from backend.crayon.requests import RefineRequest
from backend.errors import BadRequest
from backend.jobs import JobState, JobView
from components import (
    crayon_compared,
    crayon_layout,
    crayon_refine,
    crayon_runs,
    crayon_state,
    crayon_tables,
)
from components.figures import crayon_curves, crayon_groups
from components.figures import crayon_runs as figures
from components.state import defaults
from tests.crayon_bench import Ticket, client_of, forget, garments_bench, part_of_garments, told

LABELS = np.array([0, 0, 0, 1, 1, 1, 1, 0])
GROUPS = np.array([0, 0, 1, 2, 3, 3, 3, 0])
SPLIT = np.array([2, 2, 2, 2, 2, 2, 0, 0])  # the last two are training


def held(**more):
    return sets.GuidedSet(
        key="toy",
        title="Toy",
        classes=("a", "b"),
        question="?",
        patch_question="?",
        panels=("original",),
        labels=LABELS,
        groups=GROUPS,
        split=SPLIT,
        group_names=("a0", "a1", "b0", "b1"),
        shape=(4, 4),
        source="",
        licence="",
        fingerprint="f",
        read=lambda rows: np.zeros((len(rows), 4, 4, 3), np.uint8),
        **more,
    )


def told_items(pred):
    return {
        "pred": np.array(pred),
        "truth": np.array([0.9, 0.2, 0.6, 0.1, 0.8, 0.7, 0.5, 0.5]),
        "energy": np.array([0.5, np.nan, 0.1, np.nan, 0.4, 0.2, 0.3, 0.3], np.float32),
    }


PRED = [0, 1, 0, 0, 1, 1, 1, 0]


def test_groups_are_counted_with_their_interval_and_energy():
    rows = diagnosis.by_group(held(), told_items(PRED), "test")
    assert [row["n"] for row in rows] == [2, 1, 1, 2]
    assert [row["accuracy"] for row in rows] == [0.5, 1.0, 0.0, 1.0]
    assert rows[0]["energy"] == pytest.approx(0.5)  # the other item's is not known
    assert math.isnan(rows[2]["energy"])
    assert [row["n_training"] for row in rows] == [1, 0, 0, 1]
    assert [row["rare"] for row in rows] == [False, True, True, False]
    assert rows[0]["low"] < 0.5 < rows[0]["high"]


def test_the_summary_names_the_worst_group_and_leaves_out_empty_ones():
    rows = diagnosis.by_group(held(), told_items(PRED), "test")
    found = diagnosis.summary(rows)
    assert (found["worst"], found["worst_name"]) == (0.0, "b0")
    assert found["mean"] == pytest.approx(0.625)
    assert found["gap"] == pytest.approx(0.625)
    assert found["accuracy"] == pytest.approx(4 / 6)
    training = diagnosis.summary(diagnosis.by_group(held(), told_items(PRED), "training"))
    assert training["absent"] == ["a1", "b0"]
    nothing = diagnosis.by_group(held(), told_items(PRED), "validation")
    assert diagnosis.summary(nothing) == {"absent": ["a0", "a1", "b0", "b1"]}


def test_wilsons_interval_is_that_of_the_book():
    low, high = diagnosis.wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.49, 0.943)
    assert diagnosis.wilson(0, 5)[0] == pytest.approx(0, abs=1e-12)
    assert diagnosis.wilson(5, 5)[1] == pytest.approx(1)
    assert all(math.isnan(v) for v in diagnosis.wilson(0, 0))


@pytest.mark.parametrize(
    ("order", "group", "rows"),
    [
        ("wrong", -1, [3, 1, 2, 5, 4, 0]),
        ("unsure", -1, [3, 1, 2, 5, 4, 0]),
        ("energy", -1, [2, 5, 4, 0, 1, 3]),
        ("item", 3, [4, 5]),
    ],
)
def test_the_gallery_is_ordered(order, group, rows):
    found = diagnosis.ordered(held(), told_items(PRED), "test", group, order)
    assert found.tolist() == rows


def a_run(**more):
    return {
        "rows": np.arange(4),
        "pred_before": np.array([0, 1, 0, 0]),  # right, wrong, right, wrong
        "pred_after": np.array([1, 0, 0, 0]),  # wrong, right, right, wrong
        "truth_before": np.array([0.9, 0.2, 0.6, 0.1]),
        "truth_after": np.array([0.3, 0.7, 0.7, 0.05]),
        "energy_before": np.array([0.5, 0.5, np.nan, 0.5]),
        "energy_after": np.array([0.6, 0.4, 0.2, 0.5]),
        **more,
    }


def test_changes_show_regressions_first():
    assert change.counts(held(), a_run()) == {"all": 4, "lost": 1, "won": 1, "kept": 2}
    assert change.ordered(held(), a_run(), "probability").tolist() == [0, 3, 2, 1]
    assert change.ordered(held(), a_run(), "energy").tolist() == [1, 3, 0, 2]  # unknown is last
    assert change.ordered(held(), a_run(), "class").tolist() == [0, 1, 3, 2]
    assert change.ordered(held(), a_run(), "probability", "won").tolist() == [1]
    older = {name: value for name, value in a_run().items() if not name.startswith("truth")}
    assert np.isnan(change.difference(older, "truth")).all()
    assert len(change.ordered(held(), older, "probability")) == 4
    with pytest.raises(BadRequest):
        change.ordered(held(), a_run(), "luck")


def test_a_link_with_a_name_opens_where_that_person_answers():
    values, notices = crayon_state.opened({"as": "anna"})
    assert (values["step"], values["calm"], notices) == ("maps", True, [])
    values, _ = crayon_state.opened({"as": "anna", "step": "refine"})
    assert (values["step"], values["calm"]) == ("refine", False)
    assert crayon_state.opened({})[0]["step"] == "diagnose"


def test_a_state_from_a_browser_is_checked():
    found = crayon_state.checked({"set": "garments", "relevant": 0.5, "epochs": 3, "frozen": True})
    assert (found["set"], found["relevant"], found["epochs"]) == ("garments", 0.5, 3)
    assert found["frozen"] is True
    assert found["as"] == ""
    for bad in ({"epochs": 0}, {"set": "x"}, {"model": "abc"}, {"relevant": "much"}):
        with pytest.raises(BadRequest):
            crayon_state.checked(bad)
    assert crayon_state.is_key("a" * 64)
    assert not crayon_state.is_key("g" * 64)


def test_a_state_is_the_run_that_it_describes():
    values = defaults(crayon_state.schema()) | {"set": "garments", "epochs": 4, "lr": "0.003"}
    found = RefineRequest.of(crayon_state.run_settings(crayon_state.checked(values)))
    assert (found.item_set, found.epochs, found.lr, found.per_relevant) == ("garments", 4, 0.003, 1)
    assert found.answers_of == ""
    assert (found.saliency, found.freeze_norm) == (requests.GRADCAM, False)
    values |= {"saliency": "score-cam", "frozen": True}
    found = RefineRequest.of(crayon_state.run_settings(crayon_state.checked(values)))
    assert (found.saliency, found.freeze_norm) == ("score-cam", True)


def test_every_method_is_offered_with_a_sentence_and_the_names_are_those_of_the_training():
    offered = [key for _, keys in crayon_refine.GROUPED for key in keys]
    assert sorted(offered) == sorted(methods.METHODS) == sorted(refinement.METHODS)
    assert crayon_refine.SAYS.keys() == crayon_refine.SHORT.keys() == set(methods.METHODS)
    assert tuple(crayon_state.NORMS) == losses.NORMS


def test_every_value_of_the_state_has_one_control():
    shape = crayon_state.schema()
    hidden = {part.id["key"] for part in crayon_layout.unseen(defaults(shape))}
    assert hidden | set(crayon_layout.SEEN) == shape.keys()
    assert not hidden & set(crayon_layout.SEEN)


def job(method, seconds, state=JobState.DONE, item_set="garments"):
    params = {"item_set": item_set, "method": method, "epochs": 10}
    return JobView(
        "j", "k", "crayon.refine", "", state, 1.0, "", seconds, None, "", "", 0.0, params
    )


def test_the_estimate_is_the_median_time_an_epoch_of_the_same_method():
    past = [job("erm", 10), job("erm", 30), job("attention", 50), job("erm", 20)]
    past += [job("erm", 999, JobState.FAILED), job("erm", 999, item_set="birds")]
    wanted = [RefineRequest("garments", "erm", epochs=5), RefineRequest("garments", epochs=2)]
    assert crayon_runs.cost(wanted, past) == (pytest.approx(5 * 2 + 2 * 5), 4)
    unlike = [RefineRequest("garments", "jtt", epochs=1)]  # none has run: of all methods
    assert crayon_runs.cost(unlike, past)[0] == pytest.approx(2.5)
    seconds, known = crayon_runs.cost(wanted, [])
    assert math.isnan(seconds)
    assert known == 0


def test_the_figure_of_groups_puts_the_worst_at_the_end_and_drops_empty_ones():
    rows = diagnosis.by_group(held(), told_items(PRED), "test")
    bars = crayon_groups.accuracy(rows, view="v", mean=0.6).data[0]
    assert list(bars.x) == [1.0, 1.0, 0.5, 0.0]
    assert bars.y[-1] == "b0 (rare)"
    empty = diagnosis.by_group(held(), told_items(PRED), "validation")
    assert len(crayon_groups.accuracy(empty, view="v").data[0].x) == 0


def mark(method, x, y, **more):
    row = {"method": method, "short": method, "title": method, "energy_after": x, "wga_after": y}
    plain = {"collapsed": False, "source": "", "parent": "", "energy_before": 0.4}
    return {**row, **plain, "wga_before": 0.3, "per_relevant": 1.0, "per_irrelevant": 1.0, **more}


def test_collapsed_runs_are_drawn_as_crosses_and_simulated_ones_open():
    points = [
        mark("attention", 0.6, 0.7, source="simulated"),
        mark("attention", 0.5, 0.0, collapsed=True, per_irrelevant=0.0),
        mark("erm", None, 0.5),
    ]
    drawn = figures.energy(points, view="v")
    assert list(drawn.data[0].marker.symbol) == ["circle-open", "x"]
    assert drawn.data[-1].name == "original"
    assert len(drawn.data) == 2  # without energy there is nothing to place
    swept = figures.sweep(points[:2], view="v")
    assert list(swept.data[0].y) == [1.0, 0.1]  # no weight stands a decade below the least
    assert list(swept.layout.yaxis.ticktext) == ["0", "1"]
    assert swept.data[0].marker.symbol[1] == "x"


def test_curves_have_a_trace_a_term():
    drawn = crayon_curves.curves(np.ones((3, 3)), np.ones((3, 2)), view="v")
    roles = [trace.meta["role"] for trace in drawn.data]
    assert roles == ["prediction", "relevant", "irrelevant", "wga", "mga"]
    band = {"budgets": np.array([0, 8]), "mean": np.array([0.2, 0.4]), "std": np.array([0.1, 0.1])}
    learned = figures.learning(band, band, view="v")
    np.testing.assert_allclose(learned.data[0].y, [0.3, 0.5, 0.3, 0.1])


# ---- routes, on a part of the garments with stored maps


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    small = part_of_garments()
    with garments_bench(tmp_path_factory.mktemp("state"), small) as services:
        asked = diagnosis.items_job("garments")
        services.store.put(asked.key, diagnosis.items(asked.params, Ticket(services.store)))
        yield services


@pytest.fixture
def bench(shared):
    return forget(shared)


@pytest.fixture
def http(bench):
    client = client_of(bench)
    app = client.application
    for part in (crayon_compared, crayon_runs):
        app.register_blueprint(part.blueprint)
    from components import crayon_views

    app.register_blueprint(crayon_views.blueprint)
    return client


def test_the_diagnosis_and_its_gallery_are_served(http):
    found = told(http.get("/_crayon/diagnosis?set=garments&split=training"))
    assert sum(row["n"] for row in found["groups"]) == found["summary"]["n"] > 0
    page = told(http.get("/_crayon/items?set=garments&split=training&n=5&offset=2&sort=unsure"))
    assert len(page["items"]) == 5
    assert page["items"][0]["panels"]["red"].startswith("/_crayon/picture/garments/map/")
    assert told(http.get("/_crayon/items?set=garments&sort=luck"), 400)["message"]
    assert told(http.get("/_crayon/items?set=garments&offset=-1"), 400)["message"]
    assert told(http.get("/_crayon/diagnosis?set=nothing"), 404)["message"]


def test_a_plan_says_what_is_missing_and_counts_what_is_there(http):
    body = {"item_set": "garments", "source": "simulated", "seeds": 2, "controls": True}
    found = told(http.post("/_crayon/plan", json=body))
    assert "no answers" in found["message"].lower()
    assert len(found["runs"]) == 2 * (1 + len(methods.MANDATORY["attention"]))
    told(http.post("/_crayon/simulate", json={"set": "garments", "noise": 0.0}))
    found = told(http.post("/_crayon/plan", json=body))
    assert found["message"] == ""
    assert found["relevant"] + found["irrelevant"] == found["answered"] > 0
    fewer = told(http.post("/_crayon/plan", json={**body, "budget": 4}))
    assert fewer["relevant"] + fewer["irrelevant"] <= 4
    by_class = told(http.get("/_crayon/classes?set=garments&source=simulated"))
    assert sum(row[0] + row[1] for row in by_class["table"]) == found["answered"]
    assert told(http.get("/_crayon/classes?set=garments"))["answers"] == 0  # never mixed
    for bad in ({"seeds": 0}, {"seeds": 99}, {"method": "magic"}, {"epochs": "many"}):
        assert told(http.post("/_crayon/plan", json={**body, **bad}), 400)["message"]


def test_an_empty_comparison_has_rows_for_nothing(http):
    found = told(http.get("/_crayon/compare?set=garments"))
    assert (found["rows"], found["missing"], found["gains"], found["count"]) == ([], [], [], 0)
    assert told(http.get("/_crayon/runs?set=garments"))["tree"][0]["title"] == "Original"
    assert told(http.get("/_crayon/change?set=garments&run=x"), 404)["message"]
    reported = told(http.get("/_crayon/reported"))
    marks = {table["mark"] for table in reported["tables"] if table["source"] != "Loupe"}
    assert marks
    assert all("not measured here" in mark for mark in marks)


def test_a_finished_run_is_compared_and_its_pictures_are_served(bench, http):
    small = sets.load("garments")
    rows = small.rows("test")[:6]
    y = small.labels[rows]
    grid = np.random.default_rng(0).random((len(rows), 3, 3)).astype(np.float32)
    run = {"rows": rows, "pred_before": y, "pred_after": 1 - y, "truth_before": np.ones(len(rows))}
    run |= {"truth_after": np.linspace(0, 0.4, len(rows)), "maps_before": grid, "maps_after": grid}
    run |= {f"energy_{side}": np.full(len(rows), 0.5) for side in ("before", "after")}
    key = "c" * 64
    bench.store.put(key, run)
    found = told(http.get(f"/_crayon/change?set=garments&run={key}&n=3"))
    assert found["counts"]["lost"] == found["total"] == len(rows)
    first = found["items"][0]
    assert first["after"]["truth"] == 0.0
    picture = http.get(first["after"]["panels"]["red"])
    assert (picture.status_code, picture.mimetype) == (200, "image/webp")
    assert "immutable" in picture.headers["Cache-Control"]
    bad = first["after"]["panels"]["red"].replace("/after/", "/later/")
    assert told(http.get(bad), 404)["message"]


def test_spreads_are_written_with_their_deviation_only_where_there_is_one():
    from backend.crayon.runs import Spread

    nan = float("nan")
    assert crayon_compared.plus_minus(Spread(0.5, 0.025, 3)) == "50.0 ± 2.5"
    assert crayon_compared.plus_minus(Spread(0.5, nan, 1), signed=True) == "+50.0"
    assert crayon_compared.plus_minus(Spread(nan, nan, 0)) == "–"


def test_the_papers_table_twin_marks_every_cell():
    frame = crayon_tables.reported_numbers({})
    assert frame["mark"].str.contains("not measured here|simulated").all()
    assert len(frame) > 50


def test_transferred_answers_name_the_original(monkeypatch):
    monkeypatch.setattr(requests, "fingerprint", lambda item_set, parent="": "abc")
    values = defaults(crayon_state.schema()) | {"model": "a" * 64, "transfer": True}
    assert crayon_state.run_settings(crayon_state.checked(values))["answers_of"] == "abc"
    assert replace(RefineRequest("garments"), answers_of="abc").answers_of == "abc"
