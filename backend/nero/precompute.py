"""``python -m backend.nero.precompute``: results for the opening views, shipped in
``data/results``.

They are made by the same works as in the app, under the same keys, so the first view opens at once
and nothing is special about them. Files that are there already are kept.
"""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from typing import Final

from backend import catalog, devices
from backend.cache import ArrayStore, checked_key
from backend.crayon import opening as crayon_opening
from backend.fair import opening as fair_opening
from backend.gap import opening as gap_opening
from backend.insights import opening as insights_opening
from backend.jobs import JobRequest
from backend.metric_learning import opening as metric_opening
from backend.nero import projections, tasks
from backend.nero.orbits import families, find
from backend.nero.requests import OrbitRequest, ProjectionRequest
from backend.protocols import Arrays
from backend.settings import PROJECT
from backend.work import find as find_work
from backend.zoom import opening as zoom_opening

RESULTS: Final = PROJECT / "data" / "results"
BUDGET_BYTES: Final = 80_000_000
SLOW_S: Final = 0.05  # per input on one CPU thread; beyond, a whole orbit of every item takes hours
FEW: Final = 64
MANY: Final = 1_000  # elements; beyond, only models that a view opens with are shipped
log = logging.getLogger("loupe.precompute")


class Shipped(ArrayStore):
    """A store whose files lie side by side, as :class:`ArrayStore` looks for bundled ones."""

    def path(self, key: str) -> Path:
        """Where the result of ``key`` is or would be written."""
        return self.root / f"{checked_key(key)}.npz"


class Quiet:
    """A ticket that is never cancelled."""

    def __init__(self, store: ArrayStore) -> None:
        self.store = store

    def __call__(self, done: int, total: int) -> None:
        """Nothing to report to."""


def jobs() -> list[JobRequest]:
    """Every result that is shipped, orbits before the projections made from them."""
    orbits: list[JobRequest] = []
    placed: list[JobRequest] = []
    for task in tasks.names():
        for model in catalog.models_for(task):
            orbit = opening_orbit(task, model)
            is_compared = model in tasks.find(task).compare
            if not is_compared and find(orbit).size > MANY:  # 18 MB a model; a job of two minutes
                continue
            orbits.append(OrbitRequest(task, model, orbit).job())
            if task == "digits":  # the opening view shows the control; elsewhere it is a click away
                orbits.append(OrbitRequest(task, model, control=True).job())
            placed += [
                ProjectionRequest(task, model, orbit, method=method).job()
                for method in projections.METHODS
            ]
    pages = (
        zoom_opening,
        crayon_opening,
        fair_opening,
        insights_opening,
        gap_opening,
        metric_opening,
    )
    return [*orbits, *placed, *(job for page in pages for job in page.jobs())]


def opening_orbit(task: str, model: str) -> str:
    """The orbit whose result is shipped: the one a view opens with, or, for a model that takes
    long, the finest of at most ``FEW`` elements.
    """
    family = next(iter(families(tasks.find(task).domain).values()))
    if catalog.card(model).metrics.get("seconds_per_input", 0.0) <= SLOW_S:
        return family.orbit().key
    few = (family.orbit(level) for level in family.levels)
    return next(orbit.key for orbit in few if orbit.size <= FEW)


def main(folder: Path = RESULTS) -> None:
    """Computes what is missing, one result at a time, and removes what no longer belongs."""
    devices.let_threads_sleep()
    store = Shipped(folder, BUDGET_BYTES)
    wanted = jobs()
    ticket = Quiet(store)
    for job in wanted:
        if store.get(job.key) is None:
            log.info("%s", job.title)
            module, _, function = find_work(job.work).run.partition(":")
            arrays: Arrays = getattr(importlib.import_module(module), function)(job.params, ticket)
            store.put(job.key, arrays)
    names = {job.key for job in wanted}
    for path in folder.glob("*.npz"):
        if path.stem not in names:
            path.unlink()
    for path in folder.glob("*.npz"):
        path.chmod(0o644)  # files of the repository, not private ones of one machine
    folder.chmod(0o755)
    total = sum(path.stat().st_size for path in folder.glob("*.npz"))
    log.info("%d results, %.1f MB", len(names), total / 1e6)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    main()
