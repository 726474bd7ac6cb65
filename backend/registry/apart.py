"""Looking at a data set's files on the machines of a cluster, which must all see its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from backend.cache import ArrayStore
from backend.protocols import JSON, Arrays, Progress
from backend.registry import index, store

WORK: Final = "registry.files"
Stamp = tuple[str, float, float]  # name, time of change, size


def part(params: Mapping[str, JSON], start: int, stop: int) -> Arrays:
    """What files ``start`` to ``stop`` are; those that cannot be read have no thumbnail, and the
    machine that asks says why.
    """
    paths = cast(Sequence[str], params["paths"])[start:stop]
    looked = [index._looked_at((Path(path), None))[0] for path in paths]
    thumbs = [b"" if one is None else one.thumb for one in looked]
    return {
        "shas": np.array(["" if one is None else one.sha for one in looked], np.str_),
        "sizes": np.array([(0, 0) if one is None else one.size for one in looked], np.int32),
        "looks": np.stack([np.zeros(72, np.uint8) if one is None else one.look for one in looked]),
        "thumbs": np.frombuffer(b"".join(thumbs), np.uint8),
        "lengths": np.array([len(thumb) for thumb in thumbs], np.int64),
    }


def looked(asked: Mapping[Stamp, Path], progress: Progress) -> dict[Stamp, index._Seen]:
    """What the readable ones of these files are, by the cluster of ``LOUPE_RAY_ADDRESS``; nothing
    where none is set.

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
        "stamps": [[changed, size] for _, changed, size in asked],
    }
    made = ray_jobs.anywhere(WORK, params, held, progress)
    return dict(_seen(list(asked), made))


def _seen(stamps: Sequence[Stamp], made: Mapping[str, Any]) -> list[tuple[Stamp, index._Seen]]:
    ends = np.cumsum(made["lengths"])
    found = []
    for row, stamp in enumerate(stamps):
        if not made["lengths"][row]:
            continue
        thumb = made["thumbs"][ends[row] - made["lengths"][row] : ends[row]].tobytes()
        width, height = made["sizes"][row].tolist()
        seen = index._Seen(str(made["shas"][row]), (width, height), made["looks"][row], thumb)
        found.append((stamp, seen))
    return found
