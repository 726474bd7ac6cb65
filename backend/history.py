"""The list of jobs that survives a restart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, Text, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from backend.database import Base, answering
from backend.jobs import JobState, JobView

KEEP = 5000
UNREAD, UNWRITTEN = "The job list cannot be read", "The job list cannot be written"
UNFINISHED = (JobState.QUEUED.value, JobState.RUNNING.value)


class JobRow(Base):
    """One job; ``params`` and ``log`` are JSON text."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(index=True)
    work: Mapped[str]
    title: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    fraction: Mapped[float | None]
    message: Mapped[str] = mapped_column(Text)
    elapsed_s: Mapped[float]
    error_message: Mapped[str] = mapped_column(Text)
    error_hint: Mapped[str] = mapped_column(Text)
    submitted_at: Mapped[float] = mapped_column(index=True)
    params: Mapped[str] = mapped_column(Text)
    log: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class History:
    """Reads and writes :class:`JobRow`. Each write is on disk when the method returns.

    Raises:
        StorageFull: by every method, when the database cannot be read or written.
    """

    engine: Engine

    def save(self, job: JobView, log: Sequence[str] = ()) -> None:
        """Write ``job`` down, over an older row of the same id."""
        with answering(UNWRITTEN), Session(self.engine) as session, session.begin():
            session.merge(_row(job, log))

    def remove(self, job_id: str) -> None:
        """Forget a job that was never started."""
        with answering(UNWRITTEN), Session(self.engine) as session, session.begin():
            session.execute(delete(JobRow).where(JobRow.id == job_id))

    def find(self, job_id: str) -> JobView | None:
        with answering(UNREAD), Session(self.engine) as session:
            row = session.get(JobRow, job_id)
            return _view(row) if row else None

    def log(self, job_id: str) -> list[str]:
        with answering(UNREAD), Session(self.engine) as session:
            row = session.get(JobRow, job_id)
            return [str(line) for line in json.loads(row.log)] if row else []

    def done(self, key: str) -> str | None:
        """Id of the newest job that computed ``key``."""
        query = select(JobRow.id).where(JobRow.key == key, JobRow.state == JobState.DONE.value)
        with answering(UNREAD), Session(self.engine) as session:
            return session.scalar(query.order_by(JobRow.submitted_at.desc()).limit(1))

    def recent(self, limit: int, work: str = "") -> list[JobView]:
        """The newest jobs first, of one work only where it is named."""
        query = select(JobRow).order_by(JobRow.submitted_at.desc()).limit(limit)
        if work:
            query = query.where(JobRow.work == work)
        with answering(UNREAD), Session(self.engine) as session:
            return [_view(row) for row in session.scalars(query)]

    def interrupt_unfinished(self) -> int:
        """Mark what an earlier run of the app left unfinished; also forget the oldest jobs.

        Returns the number of jobs marked.
        """
        mark = (
            update(JobRow)
            .where(JobRow.state.in_(UNFINISHED))
            .values(
                state=JobState.INTERRUPTED.value,
                error_message="The app ended before this job did.",
                error_hint="Run it again.",
            )
        )
        oldest = select(JobRow.id).order_by(JobRow.submitted_at.desc()).offset(KEEP)
        with answering(UNWRITTEN), Session(self.engine) as session, session.begin():
            count = session.execute(select(JobRow.id).where(JobRow.state.in_(UNFINISHED))).all()
            session.execute(mark)
            session.execute(delete(JobRow).where(JobRow.id.in_(oldest)))
        return len(count)


def _row(job: JobView, log: Sequence[str]) -> JobRow:
    return JobRow(
        id=job.id,
        key=job.key,
        work=job.work,
        title=job.title,
        state=job.state.value,
        fraction=job.fraction,
        message=job.message,
        elapsed_s=job.elapsed_s,
        error_message=job.error_message,
        error_hint=job.error_hint,
        submitted_at=job.submitted_at,
        params=json.dumps(dict(job.params)),
        log=json.dumps(list(log)),
    )


def _view(row: JobRow) -> JobView:
    return JobView(
        id=row.id,
        key=row.key,
        work=row.work,
        title=row.title,
        state=JobState(row.state),
        fraction=row.fraction,
        message=row.message,
        elapsed_s=row.elapsed_s,
        left_s=None,
        error_message=row.error_message,
        error_hint=row.error_hint,
        submitted_at=row.submitted_at,
        params=json.loads(row.params),
    )
