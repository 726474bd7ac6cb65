"""The runner against real worker processes: order, sharing, cancel, failures."""

from __future__ import annotations

import sqlite3
import threading

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from backend.errors import BackendError, BadRequest, NotFound, StorageFull
from backend.jobs import JobRequest, JobState, NoAnswer, Rate
from backend.runner import LocalJobs
from tests.jobs_bench import Gate, Open, ended, running, sleep
from tests.waiting import until


def test_result_is_in_the_store_under_the_key(jobs: LocalJobs) -> None:
    done = ended(jobs, jobs.submit(sleep(7)))
    assert (done.state, done.fraction, done.message) == (JobState.DONE, 1.0, "slept")
    arrays = jobs._store.get(done.key)
    assert arrays is not None
    np.testing.assert_array_equal(arrays["x"], [7])
    assert jobs.log(done.id) == ["sleeping 5 steps"]


def test_progress_and_time_left_while_it_runs(jobs: LocalJobs) -> None:
    job_id = jobs.submit(sleep(seconds=0.6))
    view = until(lambda: (v := jobs.view(job_id)).left_s is not None and v)
    assert view.fraction is not None
    assert 0 < view.fraction < 1
    assert view.left_s is not None
    assert 0 < view.left_s < 10
    assert ended(jobs, job_id).left_s is None


def test_equal_requests_share_one_run(jobs: LocalJobs, gate: Gate) -> None:
    ids: list[str] = []
    submit = lambda view: ids.append(jobs.submit(gate.request(view=view)))  # noqa: E731
    tabs = [threading.Thread(target=submit, args=[f"orbit@{tab}"]) for tab in range(4)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert len(jobs.recent()) == 1
    gate.open()
    assert ended(jobs, ids[0]).state is JobState.DONE
    assert jobs.submit(gate.request()) == ids[0]  # done: the same job again, nothing runs


def test_result_without_history_is_done_at_once(jobs: LocalJobs) -> None:
    request = sleep(3)
    first = ended(jobs, jobs.submit(request))
    jobs._history.remove(first.id)
    again = jobs.view(jobs.submit(request))
    assert again.id != first.id
    assert again.state is JobState.DONE


def test_newest_request_of_a_view_wins(jobs: LocalJobs, gate: Gate) -> None:
    old = jobs.submit(gate.request(1, "orbit@a"))
    running(jobs, old)
    waiting = jobs.submit(gate.request(2, "orbit@a"))
    newest = jobs.submit(gate.request(3, "orbit@a"))
    assert ended(jobs, old).state is JobState.CANCELLED
    assert ended(jobs, waiting).state is JobState.CANCELLED
    running(jobs, newest)
    back = jobs.submit(gate.request(1, "orbit@a"))  # the first one again: a new run, not the old
    assert back != old
    assert ended(jobs, newest).state is JobState.CANCELLED
    gate.open()
    assert ended(jobs, back).state is JobState.DONE


def test_a_released_view_waits_for_nothing(jobs: LocalJobs, gate: Gate) -> None:
    alone = jobs.submit(gate.request(1, "orbit@a"))
    shared = jobs.submit(gate.request(2, "orbit@b"))
    assert jobs.submit(gate.request(2, "orbit@c")) == shared
    kept = jobs.submit(gate.request(9))  # of no view
    running(jobs, alone)
    for view in ("orbit@a", "orbit@b", "", "never heard of"):
        jobs.release(view)
    assert ended(jobs, alone).state is JobState.CANCELLED
    gate.open()
    assert ended(jobs, shared).state is JobState.DONE
    assert ended(jobs, kept).state is JobState.DONE


def test_newest_wins_spares_what_another_view_waits_for(jobs: LocalJobs, gate: Gate) -> None:
    shared = jobs.submit(gate.request(1, "orbit@a"))
    assert jobs.submit(gate.request(1, "orbit@b")) == shared
    kept = jobs.submit(gate.request(9))  # of no view
    jobs.submit(gate.request(2, "orbit@a"))
    jobs.submit(gate.request(3, "orbit@a"))
    gate.open()
    assert ended(jobs, shared).state is JobState.DONE
    assert ended(jobs, kept).state is JobState.DONE


def test_cancel_while_queued_and_while_running(jobs: LocalJobs, gate: Gate) -> None:
    first, second, third = (jobs.submit(gate.request(value)) for value in range(3))
    running(jobs, first)
    jobs.cancel(second)
    assert jobs.view(second).state is JobState.CANCELLED
    jobs.cancel(first)
    jobs.cancel(first)  # pressed twice
    assert ended(jobs, first).state is JobState.CANCELLED
    gate.open()
    assert ended(jobs, third).state is JobState.DONE
    jobs.cancel(third)
    assert jobs.view(third).state is JobState.DONE


def test_call_answers_while_a_job_runs(jobs: LocalJobs, gate: Gate) -> None:
    job_id = jobs.submit(gate.request())
    running(jobs, job_id)
    answer = jobs.call("test.echo", {"values": [1, 2]})
    np.testing.assert_array_equal(answer["x"], np.float32([1, 2]))
    assert str(answer["thread"]).startswith("quick")
    assert jobs.view(job_id).state is JobState.RUNNING
    assert len(jobs.recent()) == 1  # calls are not in the history
    gate.open()


def test_call_that_takes_too_long_is_a_sentence_and_blocks_nobody(jobs: LocalJobs) -> None:
    jobs.call("test.echo", {})  # the worker is up
    with pytest.raises(NoAnswer, match=r"no answer within 0\.2 s"):
        jobs.call("test.hang", {}, timeout_s=0.2)
    assert jobs.call("test.echo", {"values": [5]})["x"][0] == 5


def test_failures_keep_their_sentence_and_hide_the_rest(jobs: LocalJobs) -> None:
    told = ended(jobs, jobs.submit(JobRequest("test.fail", {"kind": "sentence"}, "Fail")))
    assert told.state is JobState.FAILED
    assert told.error_message == "angle='x' is not a number."
    assert told.error_hint == "Use 0 to 360."
    for work in ("test.fail", "test.missing"):
        other = ended(jobs, jobs.submit(JobRequest(work, {}, "Fail")))
        assert "reference " in other.error_message
        assert "secret" not in other.error_message + other.error_hint
    with pytest.raises(BadRequest, match="angle='x'"):
        jobs.call("test.fail", {"kind": "sentence"})
    with pytest.raises(BackendError, match="reference"):
        jobs.call("test.fail", {})


def test_result_that_cannot_be_stored_fails_with_the_sentence(open_jobs: Open) -> None:
    jobs = open_jobs(cache_mb=16)
    job = ended(jobs, jobs.submit(JobRequest("test.big", {"bytes": 17_000_000}, "Big")))
    assert job.state is JobState.FAILED
    assert job.error_message == "The result has 17 MB and the budget for results is 16 MB."


def test_failed_job_can_be_submitted_again(jobs: LocalJobs) -> None:
    request = JobRequest("test.fail", {}, "Fail")
    first = jobs.submit(request)
    ended(jobs, first)
    assert jobs.submit(request) != first


@pytest.mark.parametrize("job_id", ["", "x", "0" * 32, "../../etc/passwd", "x" * 5000])
def test_forged_job_id_is_not_found(jobs: LocalJobs, job_id: str) -> None:
    for ask in (jobs.view, jobs.cancel, jobs.log, jobs.rerun):
        with pytest.raises(NotFound):
            ask(job_id)


def test_only_works_of_the_table_run(jobs: LocalJobs) -> None:
    for name in ("os:system", "tests.fake_work:sleep", ""):
        with pytest.raises(NotFound):
            jobs.submit(JobRequest(name, {}, "Evil"))
        with pytest.raises(NotFound):
            jobs.call(name, {})


def test_params_must_be_finite_json(jobs: LocalJobs) -> None:
    with pytest.raises(BadRequest):
        jobs.submit(JobRequest("test.sleep", {"seconds": float("nan")}, "NaN"))


def test_full_disk_refuses_a_job_and_keeps_a_finished_one(
    jobs: LocalJobs, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = jobs.submit(gate.request())
    running(jobs, kept)

    def refuse(*_: object) -> None:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr("backend.history.Session.merge", refuse)
    with pytest.raises(StorageFull, match="database or disk is full"):
        jobs.submit(sleep(1))
    gate.open()
    assert ended(jobs, kept).state is JobState.DONE


def test_rate_starts_again_with_a_new_phase() -> None:
    rate = Rate()
    assert rate.fraction() is None
    rate.step(0, 10, 100.0)
    assert rate.left_s(100.0) is None
    rate.step(5, 10, 110.0)
    assert rate.left_s(110.0) == 10.0
    assert rate.left_s(113.0) == 7.0
    assert rate.left_s(500.0) == 0.0
    rate.step(0, 4, 120.0)
    assert rate.left_s(120.0) is None
    rate.step(9, 4, 121.0)
    assert rate.fraction() == 1.0
