"""What a request to the Modality gap routes asks about, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
from flask import Response, request

from backend.errors import BadRequest
from backend.gap import spaces
from backend.gap.requests import MapSettings
from backend.gap.spaces import Space
from backend.gap.views import NotComputed
from backend.jobs import JobRequest
from components import gap_state
from components.runtime import services

Args = Mapping[str, Any]


def arguments() -> dict[str, Any]:
    """The query of the present request."""
    return {key: value for key, value in request.args.items()}


def space(asked: Args, name: str = "space") -> Space:
    """The space that is named.

    Raises:
        NotFound: there is none.
    """
    return spaces.load(str(asked.get(name) or ""), services().store)


def shown(asked: Args) -> list[Space]:
    """The spaces that stand side by side.

    Raises:
        BadRequest, NotFound: a name cannot be one, or there is no such space.
    """
    return [spaces.load(key, services().store) for key in gap_state.keys_of(asked.get("spaces"))]


def settings(asked: Args) -> MapSettings:
    """How pairs are drawn and laid out.

    Raises:
        BadRequest: a number is no number or out of range.
    """
    base = MapSettings()
    return MapSettings(
        count=whole(asked, "count", base.count),
        seed=whole(asked, "seed", base.seed),
        neighbours=whole(asked, "neighbours", base.neighbours),
        min_dist=number(asked, "spread", base.min_dist),
    ).checked()


def whole(asked: Args, name: str, default: int) -> int:
    """A whole number.

    Raises:
        BadRequest: it is none.
    """
    text = str(asked.get(name, default))
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 11):
        raise BadRequest(f"{name}={text[:40]!r} is not a whole number.")
    return int(text)


def number(asked: Args, name: str, default: float) -> float:
    """A finite number.

    Raises:
        BadRequest: it is none.
    """
    try:
        found = float(asked.get(name, default))
    except (TypeError, ValueError):
        found = float("nan")
    if not np.isfinite(found):
        raise BadRequest(f"{name}={str(asked.get(name))[:40]!r} is not a number.")
    return found


def method(asked: Args) -> str:
    """How words and places are valued.

    Raises:
        BadRequest: there is no such method.
    """
    name = str(asked.get("maps") or "occlusion")
    if name not in spaces.METHODS:
        raise BadRequest(
            f"There is no method {name[:40]!r}.", f"There is {', '.join(spaces.METHODS)}."
        )
    return name


def thumbs_of(held: Space) -> str:
    """Where the browser gets small pictures: ``sheet``, ``own`` or ``""``."""
    if held.key in spaces.BUNDLED:
        return "sheet"
    return "own" if held.thumbs is not None else ""


def told(make: Callable[[], Mapping[str, Any]], name: str, visit: str) -> Response:
    """The JSON of ``make``; where a result is missing, ``{result, job, title}`` of what makes it.

    Args:
        name: of the view that waits: its newest request wins over its older ones.
        visit: of the page, so that two tabs do not cancel each other's jobs.
    """
    try:
        return reply(make())
    except NotComputed as missing:
        job = submitted(missing.job, name, visit)
        return reply({"result": missing.job.key, "job": job, "title": missing.job.title})


def submitted(job: JobRequest, name: str, visit: str) -> str:
    """Id of the job, which a newer one of the same view of a page takes the place of."""
    return services().jobs.submit(replace(job, view=f"gap-{name}@{visit[:64]}" if visit else ""))


def reply(value: Mapping[str, object]) -> Response:
    """JSON that nobody keeps; what is not finite is null."""
    answer = Response(
        orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), mimetype="application/json"
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer
