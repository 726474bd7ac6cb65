"""The tables behind the cards of the fair-retrieval page, made from its view state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import pandas as pd

from backend.errors import NotFound
from backend.fair import pool as pools
from backend.protocols import JSON
from components import fair_layout as parts
from components import fair_routes, fair_state
from components.fair_state import PAGE
from components.tables import register_table

Asked = Mapping[str, Any]
SIDES: Final = ("before", "after")


def results(asked: Asked) -> pd.DataFrame:
    """Both grids, a row a picture in its place."""
    found = fair_routes.answered(asked)
    held, labels = pools.people(), found.get("labels")
    rows = []
    for side in SIDES:
        one = found[side]
        for place, item in enumerate(one["ids"]):
            named = {"item": labels.get(str(item), "")} if labels else _looks(held, item)
            rows.append(
                {
                    "side": side,
                    "place": place + 1,
                    "id": item,
                    **named,
                    "similarity": one["scores"][place],
                    "group": one["groups"][place],
                    "predicted": one["predicted"][place],
                }
            )
    return pd.DataFrame(rows)


def _looks(held: pools.Pool, item: int) -> dict[str, str]:
    return {"activity": held.activities[held.activity[item]], "drawn": held.looks[item]}


def curves(asked: Asked) -> pd.DataFrame:
    """Bias and shares of the groups among the first K, before and after."""
    found = fair_routes.answered(asked)
    rows: dict[str, Any] = {"k": range(1, len(found["before"]["curve"]) + 1)}
    for side in SIDES:
        rows[f"bias_{side}"] = found[side]["curve"]
        for place, name in enumerate(("minus", "none", "plus")):
            rows[f"share_{name}_{side}"] = [one[place] for one in found[side]["shares"]]
    return pd.DataFrame(rows)


def quantiles(asked: Asked) -> pd.DataFrame:
    """Bias in each part of the pool."""
    held = fair_routes.answered(asked)["quantiles"]
    return pd.DataFrame({"percentile": held["percentile"], "bias": held["bias"]})


def predictor(asked: Asked) -> pd.DataFrame:
    """True by predicted groups, then the quality of the predictor, a row a number."""
    held = fair_routes.answered(asked)["predictor"]
    rows = [
        {"what": f"true {true:+d}, predicted {said:+d}", "value": held["confusion"][i][j]}
        for i, true in enumerate(held["order"])
        for j, said in enumerate(held["order"])
    ]
    names = ("sensitivity_plus", "sensitivity_minus", "ratio", "f1")
    return pd.DataFrame([*rows, *({"what": name, "value": held[name]} for name in names)])


def pool_map(asked: Asked) -> pd.DataFrame:
    """Every picture of the pool with its place on the map."""
    held = pools.people()
    return pd.DataFrame(
        {
            "id": range(len(held)),
            "activity": [held.activities[i] for i in held.activity],
            "drawn": held.looks,
            "group": held.groups[asked["attribute"]],
            "x": held.xy[:, 0],
            "y": held.xy[:, 1],
        }
    )


def _of_survey(name: str, asked: Asked) -> pd.DataFrame:
    """A part of the survey of all queries.

    Raises:
        NotFound: it is still being made.
    """
    found = fair_routes.surveyed(asked)
    if found is None:
        raise NotFound("All queries are still being compared.", "Wait for the job to end.")
    return pd.DataFrame(found[name])


def tradeoff(asked: Asked) -> pd.DataFrame:
    """Bias and recall along p, then along the dimensions that MI-clip drops."""
    along, clip = (_of_survey(name, asked) for name in ("tradeoff", "clip"))
    return pd.concat([along.assign(method="PBM"), clip.assign(method="MI-clip")])


MAKERS: Final[Mapping[str, Callable[[Asked], pd.DataFrame]]] = {
    parts.RESULTS: results,
    "fair-curves": curves,
    "fair-quantiles": quantiles,
    "fair-tradeoff": tradeoff,
    "fair-queries": partial(_of_survey, "points"),
    "fair-methods": partial(_of_survey, "methods"),
    parts.PREDICTOR: predictor,
    parts.MAP: pool_map,
}


def register() -> None:
    """Offer a table for each card under its name."""
    for name, make in MAKERS.items():
        register_table(name, partial(_made, make))


def _made(make: Callable[[Asked], pd.DataFrame], state: Mapping[str, JSON]) -> pd.DataFrame:
    values = state.get("values") if state.get("page", PAGE) == PAGE else {}
    return make(fair_state.checked(values if isinstance(values, Mapping) else {}))
