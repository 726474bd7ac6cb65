"""What tests of the runner share: gates that hold a job, and waiting for what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend.jobs import JobRequest, JobState, JobView
from backend.runner import LocalJobs
from tests.waiting import until

Open = Callable[..., LocalJobs]


class Gate:
    """A job that goes on until the test opens the gate."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def request(self, value: int = 0, view: str = "", work: str = "test.until") -> JobRequest:
        return JobRequest(work, {"file": str(self.path), "value": value}, f"Job {value}", view)

    def open(self) -> None:
        self.path.touch()


def ended(jobs: LocalJobs, job_id: str) -> JobView:
    until(lambda: jobs.view(job_id).state.is_final)
    return jobs.view(job_id)


def running(jobs: LocalJobs, job_id: str) -> None:
    """Wait until the work itself has reported a step."""
    until(lambda: jobs.view(job_id).state is JobState.RUNNING and jobs.view(job_id).message)


def sleep(value: int = 0, seconds: float = 0.05) -> JobRequest:
    return JobRequest("test.sleep", {"seconds": seconds, "value": value}, f"Sleep {value}")


def worker_pid(jobs: LocalJobs) -> int:
    return int(jobs.call("test.echo", {})["pid"][0])


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
