"""The tables behind the plots of the Crayon page: what it shows, from its view state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from backend.crayon import change, curve, diagnosis, methods, reported, runs, sets
from backend.protocols import JSON
from components import (
    crayon_compare,
    crayon_compared,
    crayon_diagnose,
    crayon_refine,
    crayon_runs,
    crayon_state,
    crayon_views,
)
from components.runtime import services
from components.tables import register_table

Asked = Mapping[str, Any]


def groups(asked: Asked) -> pd.DataFrame:
    """One row a group of the split."""
    told = crayon_views.items_of(asked["set"], asked["model"])
    frame = pd.DataFrame(diagnosis.by_group(sets.load(asked["set"]), told, asked["split"]))
    return frame.rename(columns={"low": "low_95", "high": "high_95", "energy": "mean_energy"})


def classes(asked: Asked) -> pd.DataFrame:
    """One row a class: how its answered maps were judged."""
    told = crayon_views.classes(asked["set"], asked["model"], asked["source"], asked["minimum"])
    frame = pd.DataFrame(told["table"], columns=["relevant", "irrelevant", "not_used"])
    frame.insert(0, "class", told["classes"])
    frame["source"] = asked["source"]
    return frame


def gallery(asked: Asked) -> pd.DataFrame:
    """Every image of the gallery, in its order, not one page of it only."""
    held = sets.load(asked["set"])
    told = crayon_views.items_of(asked["set"], asked["model"])
    rows = diagnosis.ordered(held, told, asked["split"], asked["group"], asked["sort"])
    truth = held.labels[rows]
    return pd.DataFrame(
        {
            "item": rows,
            "name": [held.names[row] if held.names else "" for row in rows],
            "group": [held.group_names[g] for g in held.groups[rows]],
            "truth": [held.classes[y] for y in truth],
            "answer": [held.classes[int(y)] for y in told["pred"][rows]],
            "right": told["pred"][rows] == truth,
            "probability": told["confidence"][rows].astype(np.float64),
            "probability_of_truth": told["truth"][rows].astype(np.float64),
            "energy": told["energy"][rows].astype(np.float64),
        }
    )


def curves(asked: Asked) -> pd.DataFrame:
    """Loss by term and validation accuracy of every finished run of the set, epoch by epoch."""
    frames = []
    for run in _runs(asked):
        if not run.is_stored:
            continue
        found = crayon_views.read(services().store, run.key)
        frame = pd.DataFrame(found["curves"], columns=["prediction", "relevant", "irrelevant"])
        frame["validation_wga"], frame["validation_mga"] = found["validation"].T
        frame.insert(0, "epoch", np.arange(1, len(frame) + 1))
        frame.insert(0, "seed", run.request.seed)
        frame.insert(0, "method", run.request.method)
        frame.insert(0, "run", run.key[:12])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"run": []})


def models(asked: Asked) -> pd.DataFrame:
    """Every run of the set with its settings, answers used, numbers and state."""
    return pd.DataFrame([crayon_runs.told(run) for run in _runs(asked)])


def compared(asked: Asked) -> pd.DataFrame:
    """One row a group of runs that differ in their seed only."""
    frame = pd.DataFrame(crayon_compared.rows(runs.grouped(_runs(asked))))
    texts = [name for name in frame.columns if name.endswith("_text")]
    return frame.drop(columns=texts).rename(columns={"id": "first_run"})


def changed(asked: Asked) -> pd.DataFrame:
    """Every test item before and after the chosen run, in the order of the gallery."""
    held = sets.load(asked["set"])
    run = crayon_views.read(services().store, chosen(asked))
    places = change.ordered(held, run, asked["change"], asked["flip"])
    rows = np.asarray(run["rows"])[places]
    frame = pd.DataFrame(
        {
            "item": rows,
            "group": [held.group_names[g] for g in held.groups[rows]],
            "truth": [held.classes[y] for y in held.labels[rows]],
        }
    )
    for side in ("before", "after"):
        frame[f"answer_{side}"] = [held.classes[int(y)] for y in run[f"pred_{side}"][places]]
        frame[f"energy_{side}"] = run[f"energy_{side}"][places].astype(np.float64)
        if f"truth_{side}" in run:
            truth = run[f"truth_{side}"][places].astype(np.float64)
            frame[f"probability_of_truth_{side}"] = truth
    return frame


def chosen(asked: Asked) -> str:
    """The run whose changes are shown: the chosen one, else the newest of Crayon, else the newest.

    Raises:
        NotFound: nothing has finished.
    """
    stored = [run for run in _runs(asked) if run.is_stored]
    mine = [run for run in stored if run.request.method in methods.VARIANTS]
    found = asked["run"] or next((run.key for run in (*mine, *stored)), "")
    return crayon_compared.run_key(found)


def learning(asked: Asked) -> pd.DataFrame:
    """The stored curve under the settings of the page: a row a seed and number of maps."""
    request = curve.CurveRequest.of(crayon_state.run_settings(asked))
    job = request.job(services().answers, services().store)
    found = crayon_views.read(services().store, job.key)
    n, m = found["wga"].shape
    frame = pd.DataFrame(
        {"seed": np.repeat(found["seeds"], m), "maps": np.tile(found["budgets"], n)}
    )
    for name in ("wga", "mga", "wga_validation", "mga_validation", "collapsed"):
        frame[name] = found[name].reshape(-1)
    return frame


def reported_numbers(_asked: Asked) -> pd.DataFrame:
    """The paper's tables, a row a cell, each with its mark."""
    return pd.DataFrame(
        [
            {
                "table": table.title,
                "row": row.name,
                "annotation": row.annotation,
                "column": title,
                "value": value.mean,
                "std": value.std,
                "unit": table.unit,
                "mark": table.mark,
            }
            for table in (*reported.experiment().values(), *reported.tables().values())
            for row in table.rows
            for title, value in zip(table.column_titles, row.values, strict=True)
            if value is not None
        ]
    )


def _runs(asked: Asked) -> list[runs.Run]:
    return runs.of_set(services().jobs, services().store, asked["set"])


MAKERS: Final[Mapping[str, Callable[[Asked], pd.DataFrame]]] = {
    crayon_diagnose.GROUPS: groups,
    crayon_diagnose.CLASSES: classes,
    crayon_diagnose.GALLERY: gallery,
    crayon_refine.CURVES: curves,
    crayon_refine.TREE: models,
    crayon_compare.RUNS: compared,
    crayon_compare.CHANGE: changed,
    crayon_compare.BUDGET: learning,
    crayon_compare.ENERGY: models,
    crayon_compare.SWEEP: models,
    crayon_compare.REPORTED: reported_numbers,
}


def register() -> None:
    """Offer a table for each plot under the name of its card."""
    for name, make in MAKERS.items():
        register_table(name, partial(_made, make))


def _made(make: Callable[[Asked], pd.DataFrame], state: Mapping[str, JSON]) -> pd.DataFrame:
    values = state.get("values")
    return make(crayon_state.checked(values if isinstance(values, Mapping) else {}))
