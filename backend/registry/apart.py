"""Looking at a data set's files on the machines of a cluster, which must all see its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from backend.cache import ArrayStore
from backend.protocols import JSON, Arrays, Progress
from backend.registry import index, store
from backend.registry.gathered import Seen

WORK: Final = "registry.files"


def part(params: Mapping[str, JSON], start: int, stop: int) -> Arrays:
    """What files ``start`` to ``stop`` are; those that cannot be read have no thumbnail, and the
    machine that asks says why.
    """
    paths = cast(Sequence[str], params["paths"])[start:stop]
    looked = [index.looked_at(Path(path))[0] for path in paths]
    thumbs = [b"" if one is None else one.thumb for one in looked]
    return {
        "shas": np.array(["" if one is None else one.sha for one in looked], np.str_),
        "sizes": np.array([(0, 0) if one is None else one.size for one in looked], np.int32),
        "looks": np.stack([np.zeros(72, np.uint8) if one is None else one.look for one in looked]),
        "thumbs": np.frombuffer(b"".join(thumbs), np.uint8),
        "lengths": np.array([len(thumb) for thumb in thumbs], np.int64),
    }


def looked(asked: Mapping[int, Path], progress: Progress) -> dict[int, Callable[[], Seen]]:
    """What the readable ones of these files are by their stamps, from the cluster of
    ``LOUPE_RAY_ADDRESS``; nothing where none is set.

    Raises:
        BadRequest, BackendError: as :func:`backend.cluster.ray_jobs.run`.
    """
    settings = store.settings()
    if not settings.ray_address or not asked:
        return {}
    from backend.cluster import ray_jobs

    held = ArrayStore(settings.state_dir / "results", settings.cache_bytes)
    params: dict[str, JSON] = {
        "paths": [str(path) for path in asked.values()],
        "stamps": [f"{stamp:016x}" for stamp in asked],
    }
    made = ray_jobs.anywhere(WORK, params, held, progress)
    ends = np.cumsum(made["lengths"])
    return {
        stamp: partial(_seen, made, row, int(ends[row]))
        for row, stamp in enumerate(asked)
        if made["lengths"][row]
    }


def _seen(made: Mapping[str, Any], row: int, end: int) -> Seen:
    thumb = made["thumbs"][end - made["lengths"][row] : end].tobytes()
    width, height = made["sizes"][row].tolist()
    return Seen(str(made["shas"][row]), (width, height), made["looks"][row], thumb)
