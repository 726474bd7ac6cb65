"""The numbers behind the plots as tables: what the table twins show and the command line writes.

Every table names elements as people call them and by their coordinates, and has a column for every
metric of the task; nothing here knows a task or an orbit by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.nero import curves
from backend.nero.orbits import Layout, Orbit
from backend.nero.result import OrbitResult
from backend.protocols import F32, I64

Results = Mapping[str, OrbitResult]
"""By the model's name; all of the same items and orbit."""
Rows = Sequence[int] | I64 | None
COORDINATES: Final[Mapping[Layout, tuple[str, ...]]] = {
    "circle": ("angle_deg",),
    "line": ("value",),
    "heatmap": ("x", "y"),
    "squares": ("column", "row"),
    "discs": ("plane", "axis_deg", "rotation_deg"),
}


def places(orbit: Orbit) -> dict[str, Any]:
    """What elements are called and where they lie: ``element`` and the layout's coordinates."""
    found: dict[str, Any] = {"element": list(orbit.labels)}
    for k, name in enumerate(COORDINATES[orbit.layout]):
        found[name] = orbit.positions[:, k]
    return found


def aggregate(results: Results, orbit: Orbit, rows: Rows = None) -> pd.DataFrame:
    """One row per model and element: each metric's mean over ``rows``, and how many they are."""
    tables = []
    for model, result in results.items():
        columns: dict[str, Any] = {**places(orbit), "model": model}
        columns |= {name: result.aggregate(name, rows) for name in result.metrics}
        tables.append(pd.DataFrame({**columns, "n": len(result.rows(rows))}))
    return _joined(tables)


def items(
    results: Results, orbit: Orbit, rows: Rows = None, by: str = "", higher_is_better: bool = True
) -> pd.DataFrame:
    """One row per item: what it is, and per model mean, variance and worst element of a metric.

    Args:
        by: the metric; the main one unless given.
        higher_is_better: whether the worst value is the lowest.
    """
    first = _first(results)
    chosen = first.rows(rows)
    columns = _who(first, chosen)
    for model, result in results.items():
        metric = _metric(result, by)[chosen]
        gaps = np.inf if higher_is_better else -np.inf
        filled = np.where(np.isfinite(metric), metric, gaps)
        worst = filled.argmin(axis=1) if higher_is_better else filled.argmax(axis=1)
        columns[f"{model}: mean"] = curves.mean(metric, axis=1)
        columns[f"{model}: variance"] = curves.variance(metric)
        columns[f"{model}: worst at"] = [orbit.labels[element] for element in worst]
        columns[f"{model}: value there"] = metric[np.arange(len(metric)), worst]
        if "predicted" in result.payload:
            columns[f"{model}: answer there"] = _names(result, result.predicted[chosen, worst])
    return pd.DataFrame(columns)


def orbit(results: Results, elements: Orbit, row: int) -> pd.DataFrame:
    """One row per model and element of one item: every metric, and the class where there is one."""
    tables = []
    for model, result in results.items():
        (chosen,) = result.rows([row])
        columns: dict[str, Any] = {**places(elements), "model": model}
        columns |= {name: [value] * elements.size for name, value in _one(result, row).items()}
        columns |= {name: values[chosen] for name, values in result.metrics.items()}
        if "predicted" in result.payload:
            columns["answer"] = _names(result, result.predicted[chosen])
        tables.append(pd.DataFrame(columns))
    return _joined(tables)


def outputs(results: Results, elements: Orbit, row: int, element: int) -> pd.DataFrame:
    """One row per class at one element of one item: every model's probability."""
    first = _first(results)
    if not 0 <= element < elements.size:
        raise BadRequest(
            f"There is no element {element}.", f"They run from 0 to {elements.size - 1}."
        )
    (chosen,) = first.rows([row])
    tables = []
    for model, result in results.items():
        ids = result.class_ids[chosen]
        table = pd.DataFrame({"class_id": ids, model: result.outputs[chosen, element]})
        tables.append(table.set_index("class_id"))
    joined = pd.concat(tables, axis=1).sort_index().reset_index()
    joined.insert(1, "class", [first.classes[i] for i in joined["class_id"]])
    about = {**_one(first, row), **{name: held[element] for name, held in places(elements).items()}}
    for i, (name, value) in enumerate(about.items()):
        joined.insert(i, name, value)
    return joined


def confusion(result: OrbitResult, elements: Orbit, model: str, rows: Rows = None) -> pd.DataFrame:
    """One row per element and class that occurs there: the share of ``rows`` called
    by it, and of those called by it wrongly, which is what the plot shows.
    """
    shares, wrong = result.confusion(rows), result.confusion(rows, wrong_only=True)
    element, found = np.nonzero(shares.T > 0)
    where = {name: np.asarray(held)[element] for name, held in places(elements).items()}
    return pd.DataFrame(
        {
            **where,
            "model": model,
            "class_id": found,
            "class": [result.classes[i] for i in found],
            "share": shares[found, element],
            "wrong_share": wrong[found, element],
            "n": len(result.rows(rows)),
        }
    )


def by_class(results: Results, rows: Rows = None, by: str = "") -> pd.DataFrame:
    """One row per class and model: its items' means over the orbit, summed up."""
    tables = []
    for model, result in results.items():
        chosen = result.rows(rows)
        means = curves.mean(_metric(result, by)[chosen], axis=1)
        table = pd.DataFrame({"class": _names(result, result.labels[chosen]), "mean": means})
        told = table.groupby("class")["mean"].describe().reset_index()
        told = told.rename(columns={"count": "n", "50%": "median", "25%": "low_quarter"})
        told = told.rename(columns={"75%": "high_quarter", "std": "sd"})
        told.insert(1, "model", model)
        told["n"] = told["n"].astype(int)
        tables.append(told)
    return _joined(tables)


def projection(
    result: OrbitResult, model: str, xy: F32, rows: Rows = None, by: str = ""
) -> pd.DataFrame:
    """One row per point ``xy (n, 2)``: the item, where it lies, and the mean and variance that
    colour it.
    """
    chosen = result.rows(rows)
    if xy.shape != (len(chosen), 2):
        raise BadRequest(f"{len(chosen)} items and {len(xy)} points do not fit.")
    values = _metric(result, by)[chosen]
    columns: dict[str, Any] = dict(_who(result, chosen))
    columns |= {"model": model, "x": xy[:, 0], "y": xy[:, 1]}
    columns |= {"mean": curves.mean(values, axis=1), "variance": curves.variance(values)}
    return pd.DataFrame(columns)


def similar(
    result: OrbitResult, elements: Orbit, model: str, row: int, k: int = 24
) -> pd.DataFrame:
    """The items whose curve is nearest to that of ``row``, nearest first; on a circle turned."""
    is_round = elements.layout == "circle"
    rows, shifts, distances = result.similar(row, k, allow_rotation=is_round)
    columns: dict[str, Any] = {**_who(result, rows), "model": model}
    if is_round:
        columns["turned_deg"] = shifts * 360 / elements.size
    return pd.DataFrame({**columns, "distance": distances})


def boxes(results: Mapping[str, F32], classes: Sequence[str]) -> pd.DataFrame:
    """One row per model and box ``(b, 6)``: corners in crop px, score and class, by rank."""
    tables = []
    for model, found in results.items():
        kept = found[np.isfinite(found[:, 0])]
        names = [classes[int(c)] if 0 <= c < len(classes) else "" for c in kept[:, 5]]
        columns: dict[str, Any] = {"model": model, "rank": np.arange(1, len(kept) + 1)}
        columns |= {"class": names, "confidence": kept[:, 4]}
        columns |= {f"{name}_px": kept[:, k] for k, name in enumerate(("x0", "y0", "x1", "y1"))}
        tables.append(pd.DataFrame(columns))
    return _joined(tables)


def vectors(results: Mapping[str, F32]) -> pd.DataFrame:
    """One row per source and arrow of fields ``(2, h, w)``: u to the right, v down, in px."""
    tables = []
    for source, field in results.items():
        row, column = np.indices(field.shape[1:]).reshape(2, -1)
        u, v = field.reshape(2, -1)
        tables.append(
            pd.DataFrame({"source": source, "row": row, "column": column, "u_px": u, "v_px": v})
        )
    return _joined(tables)


def _metric(result: OrbitResult, by: str) -> F32:
    if by and by not in result.metrics:
        raise BadRequest(f"There is no metric {by!r}.", f"Metrics are {', '.join(result.metrics)}.")
    return result.metrics[by] if by else result.metric


def _who(result: OrbitResult, rows: I64) -> dict[str, Any]:
    return {
        "id": result.item_ids[rows],
        "name": [result.item_names[row] for row in rows],
        "label": _names(result, result.labels[rows]),
    }


def _one(result: OrbitResult, row: int) -> dict[str, Any]:
    (chosen,) = result.rows([row])
    (label,) = _names(result, result.labels[[chosen]])
    return {"id": result.item_ids[chosen], "name": result.item_names[chosen], "label": label}


def _names(result: OrbitResult, classes: I64 | NDArray[np.int32]) -> list[str]:
    """Class names; empty where there is no answer or nobody knows."""
    return [result.classes[i] if 0 <= i < len(result.classes) else "" for i in classes]


def _first(results: Results) -> OrbitResult:
    if not results:
        raise BadRequest("No model is chosen.", "Choose at least one.")
    return next(iter(results.values()))


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    if not tables:
        raise BadRequest("No model is chosen.", "Choose at least one.")
    return pd.concat(tables, ignore_index=True)
