"""Runs of a set: numbers, groups over seeds, missing controls, the tree of models."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from backend.cache import ArrayStore, key_of
from backend.crayon import methods, runs
from backend.crayon.requests import RefineRequest
from backend.jobs import JobState, JobView

ASKED = RefineRequest("garments", source="simulated", epochs=5)


class Bench:
    """A list of jobs with results, the newest first."""

    def __init__(self, root):
        self.store = ArrayStore(root, 10**8)
        self.jobs = []

    def add(self, request, wga=0.5, state=JobState.DONE, stored=True, pruned=0, used=(30, 10)):
        request = request.canonical()
        is_guided = request.method in (*methods.USES_MAPS, *methods.USES_MASK)
        guidance = "ab" * 32 if is_guided else ""
        params = {**asdict(request), "guidance": guidance, "transferred": False}
        key = key_of("crayon.refine", 1, **params)
        if stored:
            mask = np.ones(8, np.float32)
            mask[:pruned] = 0
            reads = request.method in methods.USES_MAPS
            one = {
                f"{name}_{when}": np.array([value])
                for when in ("before", "after")
                for name, value in (("wga", wga if when == "after" else 0.3), ("mga", 0.8))
            }
            self.store.put(
                key,
                {
                    **one,
                    "weights": np.array([1.0, 1.0, *(used if reads else (0, 0))]),
                    "state.mask": mask,
                    "validation": np.array([[0.1, 0.2], [0.4, 0.6]], np.float32),
                    "energy_before": np.array([0.5, np.nan, 0.7]),
                    "energy_after": np.array([np.nan, np.nan, np.nan]),
                    "collapsed": np.array([0]),
                },
            )
        view = JobView(
            f"job{len(self.jobs)}",
            key,
            "crayon.refine",
            "a title",
            state,
            1.0,
            "",
            1.0,
            None,
            "",
            "",
            float(len(self.jobs)),
            params,
        )
        self.jobs.insert(0, view)
        return key

    def listed(self, item_set="garments"):
        return runs.listed(self.jobs, self.store, item_set)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "results")


def test_numbers_are_those_of_the_result(bench):
    bench.add(replace(ASKED, method="pruning+attention"), wga=0.75, pruned=3)
    (run,) = bench.listed()
    told = run.numbers
    assert (told.relevant, told.irrelevant, told.pruned, told.neurons) == (30, 10, 3, 8)
    assert (told.wga_before, told.wga_after) == (0.3, 0.75)
    assert told.wga_validation == pytest.approx(0.4)
    assert told.energy_before == pytest.approx(0.6)  # of those that are known
    assert math.isnan(told.energy_after)
    assert run.source == "simulated"
    assert "simulated" in run.title
    assert bench.listed("birds") == []


def test_unfinished_failed_and_evicted_runs_are_listed_without_numbers(bench):
    bench.add(ASKED, state=JobState.FAILED, stored=False)
    bench.add(replace(ASKED, seed=1), stored=False)  # finished, but made room since
    found = bench.listed()
    assert [run.state for run in found] == [JobState.DONE, JobState.FAILED]
    assert not any(run.is_stored for run in found)
    assert all(math.isnan(run.numbers.wga_after) for run in found)
    assert runs.grouped(found) == []


def test_groups_have_mean_and_deviation_over_seeds(bench):
    for seed, wga in enumerate((0.5, 0.6, 0.7)):
        bench.add(replace(ASKED, seed=seed), wga)
    bench.add(replace(ASKED, lr=1e-3), 0.9)
    alone, three = runs.grouped(bench.listed())
    assert three.seeds == (0, 1, 2)
    found = three.spread("wga_after")
    assert (found.mean, found.std, found.count) == (pytest.approx(0.6), pytest.approx(0.1), 3)
    assert math.isnan(alone.spread("wga_after").std)  # one run has no deviation
    assert math.isnan(three.spread("energy_after").mean)


def test_missing_controls_are_told_and_can_be_started(bench):
    for seed in (0, 1):
        bench.add(replace(ASKED, seed=seed), 0.7)
    bench.add(replace(ASKED, method="erm", seed=0), 0.6)
    bench.add(replace(ASKED, method="erm", seed=1, epochs=6), 0.6)  # longer, so no control
    bench.add(replace(ASKED, method="shuffled", seed=0), 0.4)
    bench.add(replace(ASKED, method="shuffled", seed=1), 0.5, used=(5, 5))  # fewer answers
    held = bench.listed()
    group = next(one for one in runs.grouped(held) if one.request.method == "attention")
    found = {one.control: one for one in runs.missing(group, held)}
    assert {name: one.seeds for name, one in found.items()} == {
        "erm": (1,),
        "shuffled": (1,),
        "last-layer": (0, 1),
    }
    assert "not run at 5 epochs, learning rate 0.0001, seed 1" in found["erm"].sentence
    for one in found.values():
        for request in one.requests:
            bench.add(request, 0.6)
    held = bench.listed()
    group = next(one for one in runs.grouped(held) if one.request.method == "attention")
    assert [m.control for m in runs.missing(group, held)] == ["shuffled"]  # the one of 10 answers
    gain = runs.gains(group, held)["erm"]
    assert (gain.mean, gain.count) == (pytest.approx(0.1), 2)
    erm = next(one for one in runs.grouped(held) if one.request.method == "erm")
    assert runs.missing(erm, held) == []


def test_pruning_needs_the_random_mask_with_as_many_neurons(bench):
    bench.add(replace(ASKED, method="pruning"), pruned=3)
    bench.add(replace(ASKED, method="random-mask"), pruned=2)
    held = bench.listed()
    group = next(one for one in runs.grouped(held) if one.request.method == "pruning")
    assert {m.control for m in runs.missing(group, held)} == {"erm", "last-layer", "random-mask"}


def test_one_control_serves_runs_of_other_weights(bench):
    strong = replace(ASKED, per_relevant=9.0, norm="none")
    assert runs.matching(ASKED, "erm") == runs.matching(strong, "erm")
    assert runs.matching(ASKED, "shuffled") != runs.matching(strong, "shuffled")
    assert runs.matching(ASKED, "erm") != runs.matching(replace(ASKED, lr=1e-3), "erm")


def test_the_tree_hangs_on_parents(bench):
    first = bench.add(replace(ASKED, method="pruning"))
    second = bench.add(replace(ASKED, parent=first))
    bench.add(replace(ASKED, method="erm"))
    bench.add(replace(ASKED, parent="cd" * 32))
    original, lost = runs.tree(bench.listed())
    assert [node.run.request.method for node in original.children] == ["pruning", "erm"]
    assert [node.key for node in original.children[0].children] == [second]
    assert lost.is_lost
    assert len(lost.children) == 1


def test_job_lists_are_read_by_work(tmp_path):
    from backend.database import make_tables, open_engine
    from backend.history import History

    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    make_tables(engine)
    history = History(engine)
    bench = Bench(tmp_path / "results")
    bench.add(ASKED)
    history.save(bench.jobs[0])
    history.save(replace(bench.jobs[0], id="other", work="crayon.maps"))
    assert [job.id for job in history.recent(9, "crayon.refine")] == ["job0"]
    assert len(history.recent(9)) == 2
    engine.dispose()
