"""The runner's processes: hanging, death, restart, end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backend.jobs import JobRequest, JobState, NoAnswer
from backend.runner import LocalJobs
from backend.settings import PROJECT
from tests.jobs_bench import Gate, Open, ended, is_alive, running, sleep, worker_pid
from tests.waiting import until


def test_hanging_job_is_ended_after_the_grace_period(open_jobs: Open) -> None:
    jobs = open_jobs(grace_s=0.1)
    hanging = jobs.submit(JobRequest("test.hang", {}, "Hang"))
    queued = jobs.submit(sleep(1))
    running(jobs, hanging)
    before = worker_pid(jobs)
    jobs.cancel(hanging)
    assert ended(jobs, hanging).state is JobState.CANCELLED
    assert ended(jobs, queued).state is JobState.DONE
    assert worker_pid(jobs) != before
    assert not is_alive(before)


def test_dead_worker_interrupts_only_its_job(jobs: LocalJobs) -> None:
    dying = jobs.submit(JobRequest("test.die", {}, "Die"))
    queued = jobs.submit(sleep(1))
    lost = ended(jobs, dying)
    assert lost.state is JobState.INTERRUPTED
    assert lost.error_hint == "Run it again."
    assert ended(jobs, queued).state is JobState.DONE


def test_killed_worker_leaves_no_half_file_and_can_run_again(jobs: LocalJobs, gate: Gate) -> None:
    job_id = jobs.submit(gate.request())
    running(jobs, job_id)
    os.kill(worker_pid(jobs), signal.SIGKILL)
    assert ended(jobs, job_id).state is JobState.INTERRUPTED
    assert [path for path in jobs._store.root.rglob("*") if path.is_file()] == []
    gate.open()
    again = jobs.rerun(job_id)
    assert ended(jobs, again).state is JobState.DONE


def test_call_is_refused_when_the_worker_dies(jobs: LocalJobs) -> None:
    with pytest.raises(NoAnswer, match="ended before it answered"):
        jobs.call("test.die", {})
    assert worker_pid(jobs)


def test_history_survives_a_restart(open_jobs: Open, gate: Gate) -> None:
    jobs = open_jobs()
    done = ended(jobs, jobs.submit(sleep(1)))
    cut = jobs.submit(gate.request(1))
    running(jobs, cut)
    queued = jobs.submit(gate.request(2))
    jobs.close()

    jobs = open_jobs()
    states = {view.id: view.state for view in jobs.recent()}
    assert states == {
        done.id: JobState.DONE,
        cut: JobState.INTERRUPTED,
        queued: JobState.INTERRUPTED,
    }
    assert [view.id for view in jobs.recent(2)] == [queued, cut]  # newest first
    assert jobs.log(done.id) == ["sleeping 5 steps"]
    assert jobs.submit(sleep(1)) == done.id  # its result is still there
    gate.open()
    assert ended(jobs, jobs.rerun(cut)).state is JobState.DONE


SERVER = """
import sys, time
from tests.fake_work import WORKS
from components.runtime import create_services
from backend.settings import Settings
from backend.jobs import JobRequest
held = create_services(Settings.from_env({"LOUPE_STATE_DIR": sys.argv[1]}), WORKS)
held.jobs.submit(JobRequest("test.hang", {}, "Hang"))
pid = held.jobs.call("test.echo", {})["pid"][0]
sys.stdout.write(f"{pid}\\n")
sys.stdout.flush()
if sys.argv[2] == "stay":
    time.sleep(600)
"""


def test_killed_server_leaves_no_process_and_marks_the_job(open_jobs: Open, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVER, str(tmp_path / "state"), "stay"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        worker = int(server.stdout.readline())
        assert is_alive(worker)
        server.kill()
    until(lambda: not is_alive(worker))
    jobs = open_jobs()
    (job,) = jobs.recent()
    assert job.state is JobState.INTERRUPTED
    assert job.error_message == "The app ended before this job did."


def test_interpreter_exit_without_close_ends_the_worker(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", SERVER, str(tmp_path / "state"), "go"]
    out = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    assert not is_alive(int(out.stdout))


def test_close_is_idempotent_and_joins(jobs: LocalJobs) -> None:
    def readers() -> set[threading.Thread]:
        return {one for one in threading.enumerate() if one.name == "model-reader"}

    others = readers()  # of servers that other tests keep open
    pid = worker_pid(jobs)
    assert readers() > others
    jobs.close()
    jobs.close()
    assert not is_alive(pid)
    assert readers() <= others
    with pytest.raises(NoAnswer):
        jobs.submit(sleep(99))
    with pytest.raises(NoAnswer):
        jobs.call("test.echo", {})


def test_warm_starts_the_workers(jobs: LocalJobs) -> None:
    jobs.warm(["model"])
    assert jobs._lanes["model"].pid
    assert jobs._lanes["analysis"].pid is None
