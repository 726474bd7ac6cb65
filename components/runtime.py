"""The services of one app: made once in ``create_app``, read by pages and routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask import current_app
from sqlalchemy import Engine

from backend.cache import ArrayStore
from backend.database import make_tables, open_engine
from backend.history import History
from backend.jobs import JobRunner
from backend.links import LinkStore
from backend.media import MediaStore
from backend.runner import LocalJobs
from backend.settings import PROJECT, Settings
from backend.small_cache import SmallCache, open_small_cache
from backend.work import WORK, Work

CONFIG: Final = "loupe"
BUNDLED: Final = PROJECT / "data" / "results"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a page may ask for. Never changed after the start."""

    settings: Settings
    jobs: JobRunner
    store: ArrayStore
    small: SmallCache
    media: MediaStore
    links: LinkStore
    engine: Engine

    def close(self) -> None:
        """End the workers and let go of the database."""
        self.jobs.close()
        self.engine.dispose()


def create_services(settings: Settings, works: Mapping[str, Work] = WORK) -> Services:
    """Open the stores in the state folder; the workers start at the first job or ``jobs.warm``.

    Raises:
        BadRequest: a setting is not usable.
        StorageFull: the state folder cannot be written.
    """
    engine = open_engine(settings.database_url)
    make_tables(engine)
    store = ArrayStore(settings.state_dir / "results", settings.cache_bytes, [BUNDLED])
    return Services(
        settings=settings,
        jobs=LocalJobs(settings, History(engine), store, works),
        store=store,
        small=open_small_cache(settings),
        media=MediaStore(settings.state_dir / "media"),
        links=LinkStore(engine),
        engine=engine,
    )


def services() -> Services:
    """Those of the app that handles the present request."""
    held: Services = current_app.config[CONFIG]
    return held
