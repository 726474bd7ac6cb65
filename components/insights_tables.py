"""The tables behind the cards of the Insights page, made from its view state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import orjson
import pandas as pd

from backend.errors import BadRequest
from backend.insights import contents, views
from backend.protocols import JSON
from components import insights_advice as advice
from components import insights_asked as asked_for
from components import insights_asking as asking
from components import insights_brief as brief
from components import insights_desk as desk
from components import insights_evidence as evidence
from components import insights_state
from components.insights_state import PAGE
from components.runtime import services
from components.tables import register_table

Asked = Mapping[str, Any]
WHOLE: Final = 10**7  # rows of a table: all of them
MOST_ADVICE: Final = 50


def _where(asked: Asked) -> dict[str, Any]:
    held = contents.load(asked["set"])
    return {
        "set_key": held.key,
        "model": asked["model"],
        "domain": asked_for.domain(asked, held),
        **asked_for.period(asked),
    }


def listed(asked: Asked) -> pd.DataFrame:
    """Every content of the domain and period, in the order of the list."""
    found = views.listing(services().store, **_where(asked), sort=asked["sort"], offset=0, n=WHOLE)
    return pd.DataFrame(found["items"]).drop(columns=["image"], errors="ignore")


def _call(work: str, asked: Asked, **more: JSON) -> tuple[Any, int, Any, Any]:
    """Set, row, answer and draft of a question about the open content."""
    held = contents.load(asked["set"])
    draft = asked_for.draft(insights_state.edit_of(asked["edit"]) or None, held)
    row = held.checked_row(max(0, asked["content"]))
    params = {"set": held.key, "model": asked["model"], "row": row, "draft": draft, **more}
    return held, row, services().jobs.call(work, params, asking.SLOW_S), draft


def painted(asked: Asked) -> pd.DataFrame:
    """Words, cells of the picture, domain and features of the open content with their values."""
    held, row, arrays, draft = _call("insights.content", asked, method=asked["method"])
    found = views.attribution_told(held, row, arrays, draft)
    rows = [
        {"part": one["field"], "what": one["text"], "start": one["start"], "value": one["value"]}
        for one in found["words"]
    ]
    if found["map"]:
        _, columns = found["map"]["shape"]
        rows += [
            {"part": "picture", "what": f"cell {i // columns}, {i % columns}", "value": value}
            for i, value in enumerate(found["map"]["values"])
        ]
    sums = [(name, found["modalities"].get(name)) for name in ("domain", "features")]
    rows += [{"part": name, "what": name, "value": value} for name, value in sums if value]
    rows += [{"part": "baseline", "what": "baseline", "value": found["baseline"]}]
    return pd.DataFrame(rows)


def changed(asked: Asked) -> pd.DataFrame:
    """The prediction as it was and as edited, a row a number."""
    _, _, arrays, _ = _call("insights.whatif", asked)
    found = views.whatif_told(arrays)
    rows = {"draft": found["draft"]["predicted"], **found}
    names = ("draft", "predicted", "low", "high", "delta", "delta_low", "delta_high")
    return pd.DataFrame([{"what": name, "value": rows[name]} for name in names])


def phrases(asked: Asked) -> pd.DataFrame:
    """The recommended and the discouraged, up to fifty of each."""
    found = views.phrases(
        services().store,
        **_where(asked),
        method=asked["method"],
        level=asked["level"],
        k=MOST_ADVICE,
    )
    return _both(found, ("examples", "warnings"))


def patches(asked: Asked) -> pd.DataFrame:
    """Groups of patches, up to fifty of each sign."""
    found = views.patches(services().store, **_where(asked), method=asked["method"], k=MOST_ADVICE)
    return _both(found, ("patches", "warnings"))


def _both(found: Mapping[str, Any], nested: tuple[str, ...]) -> pd.DataFrame:
    rows = []
    for kind in ("positive", "negative"):
        for one in found[kind]:
            plain = {key: value for key, value in one.items() if key not in nested}
            warnings = " ".join(one.get("warnings", []))
            rows.append({"kind": kind, **plain, "warnings": warnings})
    return pd.DataFrame(rows, columns=None if rows else ["kind", "score"])


def together(asked: Asked) -> pd.DataFrame:
    """A row a phrase and patch: what the pair adds; then what each adds alone."""
    held, row, arrays, draft = _call("insights.interactions", asked, players=asking.PLAYERS)
    found = views.interactions_told(held, row, arrays, draft)
    names = [f"patch {i + 1}" for i in range(len(found["columns"]))]
    rows = [
        {"phrase": one["text"], "patch": names[c], "value": found["table"][r][c]}
        for r, one in enumerate(found["rows"])
        for c in range(len(names))
    ]
    rows += [
        {"phrase": one["text"], "patch": "", "value": found["row_own"][r]}
        for r, one in enumerate(found["rows"])
    ]
    rows += [
        {"phrase": "", "patch": name, "value": found["column_own"][c]}
        for c, name in enumerate(names)
    ]
    rest = [("domain and features", found["rest"]), ("baseline", found["baseline"])]
    rows += [{"phrase": name, "patch": "", "value": value} for name, value in rest]
    return pd.DataFrame(rows)


def _trust(asked: Asked) -> dict[str, Any]:
    where = _where(asked)
    return views.trust(
        services().store,
        where["set_key"],
        where["model"],
        where["domain"],
        asked["method"],
        asked["modality"],
    )


def trust(asked: Asked) -> pd.DataFrame:
    """Score and correlation, a row a number, then the correlations of the shuffled pairs."""
    found = _trust(asked)
    names = ("score", "rho", "low", "high", "rho_signed", "share_positive", "n", "p_null")
    rows = [{"what": name, "value": found[name]} for name in names]
    rows += [{"what": "rho of shuffled pairs", "value": value} for value in found["null"]]
    return pd.DataFrame(rows)


def pairs(asked: Asked) -> pd.DataFrame:
    """Every pair of control and best treatment that is shown."""
    return pd.DataFrame(
        _trust(asked)["pairs"], columns=["control", "treatment", "d_c", "d_y"]
    ).rename(columns={"d_c": "attribution_gained", "d_y": "success_gained"})


def compared(asked: Asked) -> pd.DataFrame:
    """Correlation of each method and modality."""
    return pd.DataFrame(_trust(asked)["methods"])


def errors(asked: Asked) -> pd.DataFrame:
    """Errors and pairwise accuracy of each model."""
    return pd.DataFrame(views.errors(services().store, asked["set"], asked["model"])["rows"])


def briefed(asked: Asked) -> pd.DataFrame:
    """The picked insights with their notes.

    Raises:
        BadRequest: the brief in the link is damaged.
    """
    try:
        held = orjson.loads(asked["brief"] or "{}")
    except orjson.JSONDecodeError as error:
        raise BadRequest("The brief in this link is damaged.", "Pin the insights again.") from error
    pins = held.get("pins", []) if isinstance(held, dict) else []
    names = ("kind", "text", "cluster", "domain", "score", "low", "high", "n", "note")
    rows = [{name: one.get(name) for name in names} for one in pins if isinstance(one, dict)]
    return pd.DataFrame(rows, columns=list(names))


MAKERS: Final[Mapping[str, Callable[[Asked], pd.DataFrame]]] = {
    desk.CONTENTS: listed,
    desk.CONTENT: painted,
    desk.CHANGE: changed,
    advice.PHRASES: phrases,
    advice.PATCHES: patches,
    advice.TOGETHER: together,
    evidence.TRUST: trust,
    evidence.PAIRS: pairs,
    evidence.COMPARED: compared,
    evidence.ERRORS: errors,
    brief.BRIEF: briefed,
}


def register() -> None:
    """Offer a table for each card under its name."""
    for name, make in MAKERS.items():
        register_table(name, partial(_made, make))


def _made(make: Callable[[Asked], pd.DataFrame], state: Mapping[str, JSON]) -> pd.DataFrame:
    values = state.get("values") if state.get("page", PAGE) == PAGE else {}
    return make(insights_state.checked(values if isinstance(values, Mapping) else {}))
