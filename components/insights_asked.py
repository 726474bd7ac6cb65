"""What a request to the Insights routes asks about: set, model, content, and an edit of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from flask import Response, request

from backend.errors import BadRequest
from backend.insights import changes, contents
from backend.insights.contents import Contents
from backend.insights.views import NotComputed
from components.insights_state import DATE, DOMAIN, KEY, METHODS
from components.runtime import services

Args = Mapping[str, Any]


def arguments() -> dict[str, Any]:
    """The query of the present request."""
    return {key: value for key, value in request.args.items()}


def contents_of(asked: Args) -> Contents:
    """The set that is named.

    Raises:
        BadRequest: its name cannot be one.
        NotFound: there is none.
    """
    return contents.load(_text(asked, "set", KEY))


def model_key(asked: Args) -> str:
    """Key of the model; "" for the set's own. Raises ``BadRequest``."""
    return _text(asked, "model", KEY)


def method(asked: Args) -> str:
    """The attribution method.

    Raises:
        BadRequest: there is none of that name.
    """
    return one_of(asked, "method", tuple(METHODS), "integrated-gradients")


def domain(asked: Args, held: Contents) -> int:
    """Number of a domain of the set, -1 for all.

    Raises:
        BadRequest: the set has no such domain.
    """
    number = int(_text(asked, "domain", DOMAIN, "-1"))
    if number >= len(held.domains):
        raise BadRequest(
            f"{held.title} has no domain {number}.", f"It has 0 to {len(held.domains) - 1}."
        )
    return number


def period(asked: Args) -> dict[str, str]:
    """``since`` and ``until``, "" where open.

    Raises:
        BadRequest: one is no date, or they are the wrong way round.
    """
    found = {name: _text(asked, name, DATE) for name in ("since", "until")}
    if found["since"] and found["until"] and found["since"] > found["until"]:
        raise BadRequest(
            f"The period ends on {found['until']}, before it begins on {found['since']}.",
            "Choose a later end.",
        )
    return found


def row(asked: Args, held: Contents, name: str = "row") -> int:
    """The row of a content. Raises ``BadRequest`` where it is no number, ``NotFound`` else."""
    return held.checked_row(whole(asked, name, 0, 0, 10**9))


def one_of(asked: Args, name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of a few texts.

    Raises:
        BadRequest: another one.
    """
    text = asked.get(name) or default
    if text not in allowed:
        raise BadRequest(f"{name}={str(text)[:40]!r} is not known.", f"{', '.join(allowed)}.")
    return str(text)


def whole(asked: Args, name: str, default: int, low: int, high: int) -> int:
    """A whole number within bounds.

    Raises:
        BadRequest: it is none, or out of bounds.
    """
    text = str(asked.get(name, default))
    digits = text.removeprefix("-")
    is_number = digits.isascii() and digits.isdigit() and len(digits) < 11
    if not is_number or not low <= int(text) <= high:
        raise BadRequest(f"{name}={text[:40]!r} is not a whole number from {low} to {high}.")
    return int(text)


def draft(given: object, held: Contents) -> dict[str, Any] | None:
    """An edit of a content as it came from a browser, checked; None where it changes nothing.

    Raises:
        BadRequest: it names a field or a feature that the set has not, or a place off the picture.
    """
    made = changes.checked(held, given).told()
    return made if any(value or value == 0 for value in made.values()) else None


def told(make: Callable[[], Mapping[str, Any]], name: str, visit: str) -> Response:
    """The JSON of ``make``; where a result is missing, ``{result, job, title}`` of what makes it.

    Args:
        name: of the view that waits: its newest request wins over its older ones.
        visit: of the page, so that two tabs do not cancel each other's jobs.
    """
    try:
        return reply(make())
    except NotComputed as missing:
        job = replace(missing.job, view=f"insights-{name}@{visit[:64]}" if visit else "")
        return reply({"result": job.key, "job": services().jobs.submit(job), "title": job.title})


def reply(value: Mapping[str, object]) -> Response:
    """JSON that nobody keeps; what is not finite is null."""
    answer = Response(
        orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), mimetype="application/json"
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _text(asked: Args, name: str, form: Any, default: str = "") -> str:
    text = str(asked.get(name) or default)
    if not form.match(text):
        raise BadRequest(f"{name}={text[:40]!r} is not usable here.", "Open the page again.")
    return text
