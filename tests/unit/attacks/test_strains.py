"""Strains that need no browser: many jobs, no memory, no files, nonsense from models.

``tests/reliability.py`` says which row of the plan each test stands for.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient

from backend import doctor
from backend.crayon.answers import Answer, AnswerStore, Scope
from backend.jobs import JobRequest, JobState
from backend.nero import orbits
from backend.nero.evaluation import evaluate
from backend.settings import PROJECT
from components import observe, security
from components.runtime import Services
from tests.waiting import until

# Load and faults


def test_pages_answer_while_sixteen_jobs_run(held: Services, client: FlaskClient) -> None:
    jobs = [
        held.jobs.submit(JobRequest("test.sleep", {"value": 900 + n, "seconds": 0.3}, "Sleep"))
        for n in range(16)
    ]
    times = []
    for _ in range(40):
        start_s = time.perf_counter()
        assert client.get("/healthz").status_code == 200
        times.append(time.perf_counter() - start_s)
    for job in jobs:
        held.jobs.cancel(job)
        held.jobs.cancel(job)  # pressed twice
    until(lambda: all(held.jobs.view(job).state.is_final for job in jobs))
    assert sorted(times)[len(times) // 2] < 0.1
    states = {held.jobs.view(job).state for job in jobs}
    assert states <= {JobState.CANCELLED, JobState.DONE}


def test_the_clock_may_jump_back(held: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order and progress never depend on the time of day."""
    store = AnswerStore(held.engine)
    now = [2_000_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    for number in range(4):
        made = Answer(
            "clock", number, "birds", "cc", "map", 1, "anna", "yes" if number % 2 else "no"
        )
        store.add([made])
        now[0] -= 3600
    (standing,) = store.current(Scope("birds", "cc"))
    assert standing.answer == "yes"  # the last one given, not the one with the latest time
    job = held.jobs.submit(JobRequest("test.sleep", {"value": 1234}, "Sleep"))
    until(lambda: held.jobs.view(job).state.is_final)
    assert held.jobs.view(job).state is JobState.DONE
    assert held.jobs.view(job).elapsed_s >= 0


def test_a_job_without_memory_fails_alone_and_the_next_one_runs(held: Services) -> None:
    """The limit is the system's: what the work asks for is more than the process may have."""
    held.jobs.call("test.echo", {}, timeout_s=30)
    pid = held.jobs.standing()["model"].pid
    assert pid
    used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (used + 200_000_000, limits[1]))
    try:
        job = held.jobs.submit(JobRequest("test.big", {"bytes": 2_000_000_000}, "Big"))
        until(lambda: held.jobs.view(job).state.is_final)
        view = held.jobs.view(job)
        assert view.state is JobState.FAILED
        assert view.error_message == "The memory of this machine is full."
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, limits)
    after = held.jobs.submit(JobRequest("test.sleep", {"value": 4321}, "Sleep"))
    until(lambda: held.jobs.view(after).state.is_final)
    assert held.jobs.view(after).state is JobState.DONE
    assert held.jobs.standing()["model"].pid == pid


@pytest.mark.parametrize("answer", ["nan", "inf", "constant"])
def test_models_that_answer_nonsense_are_shown_as_undefined_without_a_warning(answer: str) -> None:
    rows = {"nan": np.nan, "inf": np.inf, "constant": 0.1}

    def model(batch: Any) -> Any:
        return np.full((len(batch), 10), rows[answer], np.float32)

    result = evaluate(model, "digits", orbits.find("rotation-45"), range(3))
    with np.errstate(all="raise"):
        shown = result.mean()
    assert shown.shape == (3,)
    if answer in ("nan", "inf"):
        assert np.isnan(result.metric).all()


def test_a_read_only_state_folder_is_a_sentence(tmp_path: Path) -> None:
    """As another user sees it: root may write everywhere, so root becomes nobody for this.

    Everything is imported before, as an interpreter below /root is closed to others.
    """
    folder = tmp_path / "state"
    folder.mkdir(mode=0o555)
    check = (
        "import os, sys; from pathlib import Path\n"
        "from backend.files import claim\n"
        "from backend.errors import StorageFull\n"
        "folder = os.open(sys.argv[1], os.O_RDONLY)\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: claim(Path(f'/proc/self/fd/{folder}/loupe'))\n"
        "except StorageFull as error: print(error.message)\n"
    )
    command = [sys.executable, "-c", check, str(folder)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stdout == "The state folder cannot be written: permission denied.\n", done.stderr


def test_without_open_files_left_a_sentence_and_then_all_is_well(
    held: Services, client: FlaskClient
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened, hard))
    try:
        answer = client.post("/_links", json={"path": "/nero", "state": {"angle": 77}})
        ready = client.get("/readyz")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answer.status_code in (200, 507)
    assert ready.status_code in (200, 503)
    assert client.get("/readyz").status_code == 200
    assert client.post("/_links", json={"path": "/nero", "state": {"a": 1}}).status_code == 200


def test_the_same_image_sent_by_many_is_stored_once(held: Services) -> None:
    pixels = np.random.default_rng(3).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(lambda _: held.media.put_image(pixels), range(50)))
    assert len(names) == 1
    (stem,) = names
    stored = list((held.settings.state_dir / "media").rglob(f"{stem}*"))
    assert len(stored) == 1


def test_two_thousand_mixed_requests_leave_memory_and_threads_as_they_were(
    app: Dash, client: FlaskClient
) -> None:
    """The quick part of ``make soak``: 600 requests here, 2000 and more there."""
    paths = ["/healthz", "/_jobs", "/", "/_data/x", "/_dash-layout", "/_dash-dependencies", "/nope"]

    def ask(count: int) -> None:
        for number in range(count):
            client.get(paths[number % len(paths)])

    ask(200)
    before, threads = doctor.resident_bytes(), threading.active_count()
    ask(600)
    assert doctor.resident_bytes() < 1.05 * before
    assert threading.active_count() == threads


def test_statuses_of_all_errors_are_set() -> None:
    """A new kind of failure must not become a 500 by being forgotten."""
    from backend import errors, jobs
    from backend.team import team

    kinds = [
        kind
        for module in (errors, jobs, team)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, errors.BackendError)
    ]
    missing = {kind.__name__ for kind in kinds if kind not in security.STATUS}
    assert missing == {"BackendError"}
    assert observe.SLOW_S > 0
