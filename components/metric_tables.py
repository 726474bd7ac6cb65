"""The tables behind the cards of the metric-learning page, made from its view state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from backend.errors import BadRequest
from backend.metric_learning import requests, shipped, views
from backend.metric_learning.distances import pairwise
from backend.protocols import JSON
from components.metric_state import PAGE
from components.runtime import services
from components.tables import register_table

Asked = Mapping[str, Any]
NEAR: Final = 50


def heat(_asked: Asked) -> pd.DataFrame:
    """Every network's row of every property, on all test images, with what is reported beside."""
    frame, told = views.measured(), views.reported()
    pairs_ = zip(frame["loss"], frame["property"], strict=True)
    return frame.assign(reported_nr_precision=[told[loss][name] for loss, name in pairs_])


def places(asked: Asked) -> pd.DataFrame:
    """The bundled images: coordinates of the chosen projection, and their properties."""
    xy = np.asarray(views.space(asked["loss"])[asked["place"]], np.float32)
    frame = shipped.table().iloc[: shipped.SHOWN].reset_index(names="id")
    return frame.assign(x=xy[:, 0], y=xy[:, 1])


def near(asked: Asked) -> pd.DataFrame:
    """The nearest bundled images of the query with their distance and properties."""
    x, row = shipped.embedding(asked["loss"]), int(asked["query"])
    card = next(one for one in views.loss_titles() if one["key"] == asked["loss"])
    far = pairwise(x[row : row + 1], x, card["distance"])[0]
    far[row] = np.inf
    rows = np.argsort(far, kind="stable")[:NEAR]
    frame = shipped.table().iloc[rows].reset_index(names="id")
    frame.insert(1, "distance", far[rows])
    return frame


def _made(name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    arrays = services().store.get(requests.job(name, asked).key)
    if arrays is None:
        raise BadRequest("This is not computed yet.", "Wait for the card, then open the table.")
    return arrays


def sweep(asked: Asked) -> pd.DataFrame:
    """Distance and swaps of every loss at every value."""
    held = _made("sweep", {"row": asked["query"], "property": asked["property"]})
    rows: list[dict[str, JSON]] = []
    for k, loss in enumerate(held["losses"]):
        rows += [
            {
                **{"loss": str(loss), "value": str(value), "change": float(held["steps"][j])},
                "distance": float(held["distances"][k, j]),
                "pairs_swapped": float(held["swaps"][k, j]),
                **{f"slope{end}": float(held["slopes"][k, i]) for i, end in enumerate(ENDS)},
            }
            for j, value in enumerate(held["values"])
        ]
    return pd.DataFrame(rows)


ENDS: Final = ("", "_low", "_high")


def looks(asked: Asked) -> pd.DataFrame:
    """Focus score of every loss on the query."""
    held = views.kept_maps(int(asked["query"])) or _made("maps", {"row": asked["query"]})
    losses = [str(loss) for loss in held["losses"]]
    return pd.DataFrame({"loss": losses, "focus_score": held["focus"]})


def like(_asked: Asked) -> pd.DataFrame:
    """Every pair of losses: how alike their maps are here, and as reported for Cars196."""
    held = views.likeness()
    names = held["losses"]
    return pd.DataFrame(
        [
            {
                **{"first": a, "second": b},
                **{k: held[k][i][j] for k in ("pearson", "pearson_sd", "jsd", "jsd_sd")},
                "reported_pearson_cars196": held["reported"][i][j],
            }
            for i, a in enumerate(names)
            for j, b in enumerate(names)
            if i < j
        ]
    )


def pair(asked: Asked) -> pd.DataFrame:
    """The distance of the pair."""
    settings = {"row": asked["query"], "other": asked["partner"], "loss": asked["loss"]}
    held = _made("pair", settings)
    return pd.DataFrame([{**settings, "distance": float(held["distance"][0])}])


def swap(asked: Asked) -> pd.DataFrame:
    """The query before every background: distance to the clean one, and its neighbours."""
    held = _made("swap", {"row": asked["query"], "loss": robust(asked["loss"])})
    return pd.DataFrame(
        [
            {
                **{"model": str(model), "background": j},
                "distance": float(held["distances"][k, j]),
                "nearest": " ".join(str(row) for row in held["near"][k, j]),
            }
            for k, model in enumerate(held["models"])
            for j in range(held["distances"].shape[1])
        ]
    )


def robust(loss: str) -> str:
    """The loss itself, or the first that was trained on changed backgrounds."""
    return loss if loss in requests.ROBUST else requests.ROBUST[2]


def words(asked: Asked) -> pd.DataFrame:
    """NR-Prec of every property and MAP@R of every notion, before and after."""
    lines = asked["prompts"] or "\n".join(views.overview()["notions"][asked["notion"]])
    held = _made("words", {"prompts": lines.split("\n"), "dimensions": asked["dims"]})
    rows = [
        {"measure": measure, "of": str(name), "plain": float(a), "words": float(b)}
        for measure, names, short in (
            ("NR-Prec", "properties", "nr"),
            ("MAP@R", "notions", "map"),
        )
        for name, a, b in zip(
            held[names], held[f"{short}_plain"], held[f"{short}_words"], strict=True
        )
    ]
    return pd.DataFrame(rows)


def own(asked: Asked) -> pd.DataFrame:
    """What the user's embeddings cluster by."""
    distance = str(asked.get("own_distance") or "euclidean")
    held = _made("own", {"own": asked["own"], "distance": distance})
    columns = [key for key in held if key not in ("notes", "pca", "umap")]
    return pd.DataFrame({key: held[key] for key in columns})


def made(asked: Asked) -> pd.DataFrame:
    """What the chosen loss clusters the user's renders by."""
    key, varied, n, seed = str(asked["made"]).split(":")
    settings = {"meshes": key, "varied": varied.split(","), "n": int(n), "seed": int(seed)}
    held = _made("generate", {**settings, "loss": asked["loss"]})
    columns = ("nr_precision", "r_precision", "chance")
    return pd.DataFrame({"property": held["measured"], **{key: held[key] for key in columns}})


def register() -> None:
    """Offers every table."""
    makers = {
        **{"heat": heat, "map": places, "near": near, "sweep": sweep, "looks": looks},
        **{"like": like, "pair": pair, "swap": swap, "words": words, "own": own, "made": made},
        "ground": lambda asked: views.robustness(),
        "families": lambda asked: views.family_table(asked["unit"]),
    }
    for name, make in makers.items():
        register_table(f"{PAGE}-{name}", make)
