"""The services of one app: made once in ``create_app``, read by pages and routes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, Final

from flask import current_app
from sqlalchemy import Engine

from backend import migrations, own_sets
from backend.cache import ArrayStore
from backend.crayon import library
from backend.crayon.answers import AnswerStore
from backend.database import make_tables, open_engine
from backend.files import claim, sweep
from backend.history import History
from backend.insights.drafts import DraftStore
from backend.jobs import JobRunner
from backend.links import LinkStore
from backend.media import MediaStore
from backend.registry import store as registry
from backend.runner import LocalJobs
from backend.settings import PROJECT, Settings
from backend.small_cache import SmallCache, open_small_cache
from backend.team.team import Team
from backend.work import WORK, Work
from components.guarded import GuardedJobs

log = logging.getLogger(__name__)
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
    answers: AnswerStore
    drafts: DraftStore
    engine: Engine
    claim: BinaryIO | None = None
    team: Team | None = None

    def close(self) -> None:
        """End the workers and let go of the database and the state folder."""
        self.jobs.close()
        registry.leave(self.engine)
        self.engine.dispose()
        if self.claim:
            self.claim.close()


def create_services(settings: Settings, works: Mapping[str, Work] = WORK) -> Services:
    """Open the stores in the state folder; the workers start at the first job or ``jobs.warm``.

    Raises:
        BadRequest: a setting is not usable.
        StorageFull: the state folder cannot be written.
    """
    with ExitStack() as undo:
        engine = open_engine(settings.database_url)
        undo.callback(engine.dispose)
        held = claim(settings.state_dir)
        if held:
            undo.enter_context(held)
            sweep(settings.state_dir)
        else:
            log.warning("another Loupe uses this state folder: its jobs are shown, not run, here")
        services = _made(settings, works, engine, held)
        undo.pop_all()  # nothing failed
    return services


def _made(
    settings: Settings, works: Mapping[str, Work], engine: Engine, held: BinaryIO | None
) -> Services:
    make_tables(engine)
    migrations.upgrade(engine)
    store = ArrayStore(settings.state_dir / "results", settings.cache_bytes, [BUNDLED])
    own_sets.use(store)
    registry.use(engine, settings)
    library.use(settings)
    jobs: JobRunner = LocalJobs(settings, History(engine), store, works, is_alone=held is not None)
    if settings.auth:
        jobs = GuardedJobs(jobs, store, works)
    return Services(
        settings=settings,
        jobs=jobs,
        store=store,
        small=open_small_cache(settings),
        media=MediaStore(settings.state_dir / "media"),
        links=LinkStore(engine),
        answers=AnswerStore(engine),
        drafts=DraftStore(engine),
        engine=engine,
        claim=held,
        team=Team.of(engine) if settings.auth else None,
    )


def services() -> Services:
    """Those of the app that handles the present request."""
    held: Services = current_app.config[CONFIG]
    return held
