"""The numbers behind the plots as tables: what the table twins show and the command line writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.nero.result import OrbitResult
from backend.protocols import F32, I64

Results = Mapping[str, OrbitResult]
"""By the model's name; all of the same items and orbit."""
Rows = Sequence[int] | I64 | None


def aggregate(results: Results, rows: Rows = None) -> pd.DataFrame:
    """One row per model and angle: accuracy and mean confidence over ``rows``, and how many they
    are.
    """
    tables = []
    for model, result in results.items():
        count = len(result.rows(rows))
        tables.append(
            pd.DataFrame(
                {
                    "angle_deg": result.angles_deg,
                    "model": model,
                    "accuracy": result.aggregate("accuracy", rows),
                    "mean_confidence": result.aggregate("confidence", rows),
                    "n": count,
                }
            )
        )
    return _joined(tables)


def items(results: Results, rows: Rows = None) -> pd.DataFrame:
    """One row per item: what it is, and per model mean, variance, worst angle and the answer
    there.
    """
    first = _first(results)
    chosen = first.rows(rows)
    columns = _who(first, chosen)
    for model, result in results.items():
        metric = result.metric[chosen]
        worst = np.where(np.isfinite(metric), metric, np.inf).argmin(axis=1)
        there = result.predicted[chosen, worst]
        columns[f"{model}: mean"] = result.mean()[chosen]
        columns[f"{model}: variance"] = result.variance()[chosen]
        columns[f"{model}: worst angle_deg"] = result.angles_deg[worst]
        columns[f"{model}: answer there"] = _names(result, there)
    return pd.DataFrame(columns)


def orbit(results: Results, row: int) -> pd.DataFrame:
    """One row per model and angle of one item: confidence of the true class, and the answer."""
    tables = []
    for model, result in results.items():
        (chosen,) = result.rows([row])
        size = len(result.angles_deg)
        columns: dict[str, object] = {"angle_deg": result.angles_deg, "model": model}
        columns |= {name: [value] * size for name, value in _one(result, row).items()}
        columns["confidence"] = result.metric[chosen]
        columns["answer"] = _names(result, result.predicted[chosen])
        tables.append(pd.DataFrame(columns))
    return _joined(tables)


def outputs(results: Results, row: int, element: int) -> pd.DataFrame:
    """One row per class at one element of one item: every model's probability."""
    first = _first(results)
    if not 0 <= element < len(first.angles_deg):
        raise BadRequest(
            f"There is no element {element}.", f"They run from 0 to {len(first.angles_deg) - 1}."
        )
    (chosen,) = first.rows([row])
    tables = []
    for model, result in results.items():
        ids = result.class_ids[chosen]
        table = pd.DataFrame({"class_id": ids, model: result.outputs[chosen, element]})
        tables.append(table.set_index("class_id"))
    joined = pd.concat(tables, axis=1).sort_index().reset_index()
    joined.insert(1, "class", [first.classes[i] for i in joined["class_id"]])
    about = {**_one(first, row), "angle_deg": first.angles_deg[element]}
    for i, (name, value) in enumerate(about.items()):
        joined.insert(i, name, value)
    return joined


def confusion(result: OrbitResult, model: str, rows: Rows = None) -> pd.DataFrame:
    """One row per angle and class that occurs there: the share of ``rows`` called
    by it, and of those called by it wrongly, which is what the plot shows.
    """
    shares, wrong = result.confusion(rows), result.confusion(rows, wrong_only=True)
    element, found = np.nonzero(shares.T > 0)
    return pd.DataFrame(
        {
            "angle_deg": result.angles_deg[element],
            "model": model,
            "class_id": found,
            "class": [result.classes[i] for i in found],
            "share": shares[found, element],
            "wrong_share": wrong[found, element],
            "n": len(result.rows(rows)),
        }
    )


def projection(result: OrbitResult, model: str, xy: F32, rows: Rows = None) -> pd.DataFrame:
    """One row per point ``xy (n, 2)``: the item, where it lies, and the mean and variance that
    colour it.
    """
    chosen = result.rows(rows)
    if xy.shape != (len(chosen), 2):
        raise BadRequest(f"{len(chosen)} items and {len(xy)} points do not fit.")
    columns: dict[str, object] = dict(_who(result, chosen))
    columns |= {"model": model, "x": xy[:, 0], "y": xy[:, 1]}
    columns |= {"mean": result.mean()[chosen], "variance": result.variance()[chosen]}
    return pd.DataFrame(columns)


def _who(result: OrbitResult, rows: I64) -> dict[str, object]:
    return {
        "id": result.item_ids[rows],
        "name": [result.item_names[row] for row in rows],
        "label": _names(result, result.labels[rows]),
    }


def _one(result: OrbitResult, row: int) -> dict[str, object]:
    (chosen,) = result.rows([row])
    label = result.classes[result.labels[chosen]]
    return {"id": result.item_ids[chosen], "name": result.item_names[chosen], "label": label}


def _names(result: OrbitResult, classes: I64 | NDArray[np.int32]) -> list[str]:
    """Class names; empty where the model gave no answer."""
    return [result.classes[i] if i >= 0 else "" for i in classes]


def _first(results: Results) -> OrbitResult:
    if not results:
        raise BadRequest("No model is chosen.", "Choose at least one.")
    return next(iter(results.values()))


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    if not tables:
        raise BadRequest("No model is chosen.", "Choose at least one.")
    return pd.concat(tables, ignore_index=True)
