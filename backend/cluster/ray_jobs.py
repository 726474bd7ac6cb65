"""Shards on a Ray cluster: an actor for each device, results by content, and another try elsewhere
when a machine is lost.

Whoever can reach the ports of a Ray cluster can run code on it: keep it in a private network.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.cluster.parts import WORKS, Shard, shards
from backend.errors import BackendError, BadRequest
from backend.protocols import JSON, Progress
from backend.settings import PROJECT

log = logging.getLogger("loupe.cluster")
LOCAL: Final = "local"
TRIES: Final = 4  # of one shard; a shard that ends its actor so often is at fault itself
ALONE_S: Final = 120.0  # how long to wait for a first device
TURN_S: Final = 0.5


class Holder:
    """The actor: keeps what it has loaded, so that each model is loaded once on each device."""

    def __init__(self) -> None:
        from backend.devices import let_threads_sleep

        let_threads_sleep()

    def ready(self) -> bool:
        return True

    def part(
        self, work: str, params: dict[str, Any], start: int, stop: int, held: dict[str, Any]
    ) -> dict[str, Any]:
        """The arrays of a few rows; what a user did wrong comes back as a sentence."""
        try:
            arrays = WORKS[work].part(params, start, stop, held)
            return {name: np.asarray(array) for name, array in arrays.items()}
        except BackendError as error:
            return {"": (type(error).__name__, error.message, error.hint)}


def connect(address: str) -> Any:
    """Ray, connected to ``address``; ``local`` starts one on this machine.

    Raises:
        BadRequest: ray is not installed, or nothing answers at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise BadRequest(
            "LOUPE_RAY_ADDRESS is set, and the Python package ray is not installed.",
            "Run `.venv/bin/pip install -r requirements-cluster.txt`.",
        ) from error
    if not ray.is_initialized():
        env = {"env_vars": {"PYTHONPATH": str(PROJECT)}}
        try:
            ray.init(
                address=None if address == LOCAL else address,
                runtime_env=env,
                log_to_driver=False,
                logging_level=logging.WARNING,
                include_dashboard=False if address == LOCAL else None,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise BadRequest(
                f"No Ray cluster answers at LOUPE_RAY_ADDRESS={address!r}.",
                "Start one with `ray start --head`, or leave the setting empty.",
            ) from error
    return ray


def run(
    work: str,
    params: Mapping[str, JSON],
    store: ArrayStore,
    address: str,
    progress: Progress,
    rows: int = 0,
) -> dict[str, NDArray[Any]]:
    """The arrays of a job, its missing shards computed on the cluster.

    Each shard is in ``store`` as soon as it is done: a job that was cut off goes on where it was.

    Raises:
        BadRequest, NotFound: as the work itself.
        BackendError: a shard has failed on several machines.
        Cancelled: by ``progress``; what is under way is ended.
    """
    wanted = shards(work, params, rows)
    missing = deque(one for one in wanted if not store.has(one.key))
    done = len(wanted) - len(missing)
    progress(done, len(wanted))
    if missing:
        held = {name: np.asarray(a) for name, a in WORKS[work].held(params, store).items()}
        crew = _Crew(connect(address), work, dict(params), held)
        try:
            for shard, arrays in crew.answers(missing):
                store.put(shard.key, arrays)
                done += 1
                progress(done, len(wanted))
        finally:
            crew.leave()
    parts = [store.get(one.key) for one in wanted]
    if any(part is None for part in parts):
        raise BackendError("A part of the job is no longer stored.", "Raise LOUPE_CACHE_MB.")
    return WORKS[work].join([part for part in parts if part is not None])


def anywhere(
    work: str, params: Mapping[str, JSON], store: ArrayStore, progress: Progress
) -> dict[str, NDArray[Any]]:
    """The arrays of a job: by the cluster of ``LOUPE_RAY_ADDRESS``, else on this machine.

    Raises: as :func:`run`.
    """
    address = os.environ.get("LOUPE_RAY_ADDRESS", "")
    if address:
        return run(work, params, store, address, progress)
    one, cut = WORKS[work], shards(work, params)
    held, made = one.held(params, store), []
    for number, shard in enumerate(cut):
        progress(number, len(cut))
        made.append(one.part(params, shard.start, shard.stop, held))
    progress(len(cut), len(cut))
    return one.join(made)


class _Crew:
    """Actors on all devices of a cluster; those whose machine is lost are replaced."""

    def __init__(self, ray: Any, work: str, params: dict[str, Any], held: dict[str, Any]) -> None:
        self._ray = ray
        self._work = work
        self._params = params
        self._held = ray.put(held)  # one copy on each machine, whatever the number of shards
        self._busy: dict[Any, tuple[Any, Shard]] = {}  # what is waited for -> actor, shard
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._tries: dict[str, int] = {}

    def answers(self, missing: deque[Shard]) -> Any:
        """Yields shards with their arrays as they come."""
        waited_s = 0.0
        while missing or self._busy:
            self._hire(missing)
            self._assign(missing)
            pending = [*self._busy, *self._starting]
            ready, _ = self._ray.wait(pending, timeout=TURN_S) if pending else ([], [])
            waited_s = 0.0 if ready or self._busy else waited_s + TURN_S
            if waited_s > ALONE_S:
                raise BackendError("The cluster has no free device.", "Add a machine to it.")
            for one in ready:
                if one in self._starting:
                    self._welcome(one)
                else:
                    yield from self._taken(one, missing)

    def leave(self) -> None:
        """End every actor."""
        here = [actor for actor, _ in self._busy.values()]
        for actor in [*self._idle, *here, *self._starting.values()]:
            self._ray.kill(actor)

    def _hire(self, missing: deque[Shard]) -> None:
        """One actor a device: as many as the cluster has now, never more than shards."""
        held = self._ray.cluster_resources()
        gpus = int(held.get("GPU", 0))
        size = min(gpus or int(held.get("CPU", 0)), len(missing) + len(self._busy))
        here = len(self._busy) + len(self._idle) + len(self._starting)
        options = {"num_gpus": 1, "num_cpus": 1} if gpus else {"num_cpus": 1}
        for _ in range(size - here):
            actor = self._ray.remote(Holder).options(**options).remote()
            self._starting[actor.ready.remote()] = actor

    def _assign(self, missing: deque[Shard]) -> None:
        while missing and self._idle:
            actor, shard = self._idle.pop(), missing.popleft()
            rows = shard.start, shard.stop
            answer = actor.part.remote(self._work, self._params, *rows, self._held)
            self._busy[answer] = (actor, shard)

    def _welcome(self, one: Any) -> None:
        actor = self._starting.pop(one)
        try:
            self._ray.get(one)
            self._idle.append(actor)
        except self._ray.exceptions.RayError:
            log.warning("a device was lost before it could begin")

    def _taken(self, one: Any, missing: deque[Shard]) -> Any:
        actor, shard = self._busy.pop(one)
        try:
            arrays = self._ray.get(one)
        except self._ray.exceptions.RayError as error:
            self._retry(shard, missing, error)
            return
        self._idle.append(actor)
        if "" in arrays:
            _, message, hint = arrays[""]
            raise BadRequest(message, hint)
        yield shard, arrays

    def _retry(self, shard: Shard, missing: deque[Shard], error: Exception) -> None:
        tries = self._tries[shard.key] = self._tries.get(shard.key, 0) + 1
        log.warning("rows %d to %d were lost: %s", shard.start, shard.stop, type(error).__name__)
        if tries >= TRIES:
            raise BackendError(
                f"Rows {shard.start} to {shard.stop} failed {tries} times on the cluster.",
                "Look into the log of Ray for the reason.",
            ) from error
        missing.append(shard)
