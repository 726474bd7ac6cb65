"""The tables behind the plots of the Crayon page: what it shows, from its view state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from backend.crayon import diagnosis, runs, sets
from backend.protocols import JSON
from components import (
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


def _runs(asked: Asked) -> list[runs.Run]:
    return runs.of_set(services().jobs, services().store, asked["set"])


MAKERS: Final[Mapping[str, Callable[[Asked], pd.DataFrame]]] = {
    crayon_diagnose.GROUPS: groups,
    crayon_diagnose.CLASSES: classes,
    crayon_diagnose.GALLERY: gallery,
    crayon_refine.CURVES: curves,
    crayon_refine.TREE: models,
}


def register() -> None:
    """Offer a table for each plot under the name of its card."""
    for name, make in MAKERS.items():
        register_table(name, partial(_made, make))


def _made(make: Callable[[Asked], pd.DataFrame], state: Mapping[str, JSON]) -> pd.DataFrame:
    values = state.get("values")
    return make(crayon_state.checked(values if isinstance(values, Mapping) else {}))
