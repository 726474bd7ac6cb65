"""Runners on a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.cache import ArrayStore
from backend.database import make_tables, open_engine
from backend.history import History
from backend.runner import LocalJobs
from backend.settings import Settings
from tests.fake_work import WORKS
from tests.jobs_bench import Gate, Open


@pytest.fixture
def open_jobs(tmp_path: Path) -> Iterator[Open]:
    """Opens runners on one state folder, as restarts of the app do."""
    opened: list[tuple[LocalJobs, Any]] = []

    def make(grace_s: float = 10.0, cache_mb: int = 64) -> LocalJobs:
        settings = Settings.from_env(
            {"LOUPE_STATE_DIR": str(tmp_path / "state"), "LOUPE_CACHE_MB": str(cache_mb)}
        )
        engine = open_engine(settings.database_url)
        make_tables(engine)
        store = ArrayStore(settings.state_dir / "results", settings.cache_bytes)
        opened.append((LocalJobs(settings, History(engine), store, WORKS, grace_s), engine))
        return opened[-1][0]

    yield make
    for jobs, engine in opened:
        jobs.close()
        engine.dispose()


@pytest.fixture
def jobs(open_jobs: Open) -> LocalJobs:
    return open_jobs()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")
