"""What a request to the Insights routes asks about: set, model, content, and an edit of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson
from flask import Response, request

from backend.errors import BadRequest
from backend.insights import contents
from backend.insights.contents import Contents
from backend.insights.views import NotComputed
from components.insights_state import DATE, DOMAIN, KEY, METHODS
from components.runtime import services

JSON_KEYS: Final = ("fields", "features", "edits")
MOST_CHARS: Final = 200_000  # of one field of a draft
MOST_EDITS: Final = 64
OPERATIONS: Final = ("blank", "swap")
AGAIN: Final = "Reload the page."
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
    """An edit of a content as it came from a browser, checked; None where there is none.

    Raises:
        BadRequest: it names a field or a feature that the set has not, or a place off the picture.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping) or not set(given) <= {*JSON_KEYS, "domain"}:
        raise BadRequest("An edit has fields, features and edits.", AGAIN)
    if not isinstance(given.get("edits", []), list):
        raise BadRequest("The edits of a picture are a list.", AGAIN)
    edits = [_place(one) for one in given.get("edits", [])]
    if len(edits) > MOST_EDITS:
        raise BadRequest(f"{len(edits)} places are changed.", f"Change at most {MOST_EDITS}.")
    found = {
        "fields": _fields(given.get("fields", {}), held),
        "features": _features(given.get("features", {}), held),
        "edits": edits,
    }
    return found if any(found.values()) else None


def _fields(given: object, held: Contents) -> dict[str, str]:
    found = {}
    for name, text in _pairs(given, "fields"):
        if name not in held.fields or not isinstance(text, str):
            raise BadRequest(f"There is no text part {name[:40]!r}.", f"{', '.join(held.fields)}.")
        if len(text) > MOST_CHARS:
            raise BadRequest(
                f"The {name} has {len(text):,} characters.", f"At most {MOST_CHARS:,} are read."
            )
        found[name] = text
    return found


def _features(given: object, held: Contents) -> dict[str, str | float]:
    found: dict[str, str | float] = {}
    for name, value in _pairs(given, "features"):
        if name in held.choices:
            allowed = held.choices[name].values
            if value not in allowed:
                text = f"{name}={str(value)[:40]!r} is not a value of this set."
                raise BadRequest(text, f"{', '.join(allowed)}.")
            found[name] = str(value)
        elif name in held.numbers:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadRequest(f"{name}={str(value)[:40]!r} is not a number.", "Type a number.")
            if not math.isfinite(value):
                raise BadRequest(f"{name} is not finite.", "Type a number.")
            found[name] = float(value)
        else:
            raise BadRequest(f"There is no feature {name[:40]!r} in {held.title}.", AGAIN)
    return found


def _pairs(given: object, name: str) -> list[tuple[str, Any]]:
    if not isinstance(given, Mapping):
        raise BadRequest(f"The {name} of an edit are an object.", AGAIN)
    return [(str(key), value) for key, value in given.items()]


def _place(given: object) -> dict[str, Any]:
    """One changed place of a picture; boxes are ``[x, y, w, h]`` in shares of its sides."""
    if not isinstance(given, Mapping) or given.get("op") not in OPERATIONS:
        raise BadRequest("A place of a picture is blanked or swapped.", AGAIN)
    found: dict[str, Any] = {"op": given["op"], "box": _box(given.get("box"))}
    if given["op"] == "swap":
        found["from_box"] = _box(given.get("from_box"))
        found["from"] = whole(given, "from", -1, 0, 10**9)
    return found


def _box(given: object) -> list[float]:
    is_box = isinstance(given, list) and len(given) == 4
    if is_box and all(type(one) in (int, float) and math.isfinite(one) for one in given):  # type: ignore[attr-defined]
        x, y, w, h = (float(one) for one in given)  # type: ignore[attr-defined]
        if min(x, y) >= 0 and min(w, h) > 0 and max(x + w, y + h) <= 1 + 1e-6:
            return [x, y, w, h]
    raise BadRequest("A place lies off the picture.", "A box is x, y, w, h from 0 to 1.")


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
        return reply(
            {"result": job.key, "job": services().jobs.submit(job), "title": job.title}
        )


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
