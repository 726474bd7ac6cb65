"""The tables behind the cards of the metric-learning page, made from its view state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from backend.errors import BadRequest
from backend.metric_learning import own_models, own_views, requests, shipped, views
from backend.metric_learning.distances import pairwise
from backend.protocols import F32, JSON
from components import metric_state
from components.metric_state import PAGE
from components.runtime import services
from components.tables import register_table

Asked = Mapping[str, Any]
NEAR: Final = 50
UNREADY: Final = "This is not computed yet."
WAIT: Final = "Wait for the card, then open the table."


def heat(asked: Asked) -> pd.DataFrame:
    """Every network's row of every property, on all test images, with what is reported beside;
    below them the user's models that are measured."""
    frame, told = views.measured(), views.reported()
    pairs_ = zip(frame["loss"], frame["property"], strict=True)
    frame = frame.assign(reported_nr_precision=[told[loss][name] for loss, name in pairs_])
    own = [card for card in _cards(asked) if card["cells"]]
    rows = [
        {
            **{"family": own_models.FAMILY, "loss": card["key"], "property": name},
            **{"nr_precision": cell["nr"], "nr_variance": cell["variance"]},
            **{"r_precision": cell["r"], "chance": cell["chance"], "kappa": cell["kappa"]},
            **{"n": len(shipped.table()), "p_holm": cell["p"]},
        }
        for card in own
        for name, cell in card["cells"].items()
    ]
    return pd.concat([frame, pd.DataFrame(rows)], ignore_index=True) if rows else frame


def models(asked: Asked) -> pd.DataFrame:
    """The user's models, and what of them is measured."""
    rows = [
        {
            **{key: card[key] for key in ("key", "title", "format", "size", "numbers", "distance")},
            "maps": card["why_no_maps"] or "yes",
            **{name: cell["nr"] for name, cell in (card["cells"] or {}).items()},
        }
        for card in _cards(asked)
    ]
    return pd.DataFrame(rows)


def _cards(asked: Asked) -> list[dict[str, Any]]:
    return own_views.cards(services().store, str(asked.get("distance") or "euclidean"))


def _embedding(asked: Asked) -> F32:
    found = own_views.embedding(services().store, asked["loss"], _distance(asked))
    if found is None:
        raise BadRequest(UNREADY, WAIT)
    return found


def _distance(asked: Asked) -> str:
    """The distance of the chosen loss, or the one that is set for the user's models."""
    own = {card["key"]: card["distance"] for card in views.loss_titles()}
    return str(own.get(asked["loss"]) or asked.get("distance") or "euclidean")


def _model(asked: Asked) -> dict[str, Any]:
    """What a job must be told of a model of the user's; nothing of a bundled loss."""
    if not own_models.is_own(asked["loss"]):
        return {}
    return {"model": asked["loss"], "distance": _distance(asked)}


def places(asked: Asked) -> pd.DataFrame:
    """The bundled images: coordinates of the chosen projection, and their properties."""
    if not own_models.is_own(asked["loss"]):
        xy = np.asarray(views.space(asked["loss"])[asked["place"]], np.float32)
    elif asked["place"] == "pca":
        xy = np.asarray(_made("model", _model(asked))["pca"], np.float32)
    else:
        xy = np.asarray(_made("place", {**_model(asked), "method": asked["place"]})["xy"])
    frame = shipped.table().iloc[: shipped.SHOWN].reset_index(names="id")
    return frame.assign(x=xy[:, 0], y=xy[:, 1])


def near(asked: Asked) -> pd.DataFrame:
    """The nearest bundled images of the query with their distance and properties."""
    x, row = _embedding(asked), int(asked["query"])
    far = pairwise(x[row : row + 1], x, _distance(asked))[0]
    far[row] = np.inf
    rows = np.argsort(far, kind="stable")[:NEAR]
    frame = shipped.table().iloc[rows].reset_index(names="id")
    frame.insert(1, "distance", far[rows])
    return frame


def values(asked: Asked) -> pd.DataFrame:
    """NR-Prec of every value of the property, of every bundled loss and the chosen model."""
    held = [_made("values", {})]
    held += [_made("values", _model(asked))] if _model(asked) else []
    rows: list[dict[str, JSON]] = []
    for one in held:
        chosen = np.flatnonzero(one["property"] == asked["property"])
        rows += [
            {
                **{"model": str(name), "property": asked["property"]},
                **{"value": str(one["value"][v]), "images": int(one["images"][v])},
                "nr_precision": float(one["nr_precision"][k, v]),
                "r_precision": float(one["r_precision"][k, v]),
                "chance": float(one["chance"][v]),
            }
            for k, name in enumerate(one["models"])
            for v in chosen
        ]
    return pd.DataFrame(rows)


def _made(name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    arrays = services().store.get(requests.job(name, asked).key)
    if arrays is None:
        raise BadRequest(UNREADY, WAIT)
    return arrays


def sweep(asked: Asked) -> pd.DataFrame:
    """Distance and swaps of every loss at every value."""
    settings = {"row": asked["query"], "property": asked["property"]}
    rows: list[dict[str, JSON]] = []
    for held in _with_own("sweep", settings, asked):
        rows += [
            {
                **{"loss": str(loss), "value": str(value), "change": float(held["steps"][j])},
                "distance": float(held["distances"][k, j]),
                "pairs_swapped": float(held["swaps"][k, j]),
                **{f"slope{end}": float(held["slopes"][k, i]) for i, end in enumerate(ENDS)},
            }
            for k, loss in enumerate(held["losses"])
            for j, value in enumerate(held["values"])
        ]
    return pd.DataFrame(rows)


def _with_own(name: str, settings: dict[str, Any], asked: Asked) -> list[Mapping[str, Any]]:
    """A result of the bundled losses, and the same of the chosen model of the user's."""
    own = _model(asked)
    return [_made(name, settings)] + ([_made(name, {**settings, **own})] if own else [])


ENDS: Final = ("", "_low", "_high")


def looks(asked: Asked) -> pd.DataFrame:
    """Focus score of every loss on the query."""
    held = [views.kept_maps(int(asked["query"])) or _made("maps", {"row": asked["query"]})]
    own = _model(asked)
    if own and not own_models.find(own["model"]).why_no_maps:
        held.append(_made("maps", {"row": asked["query"], **own}))
    losses = [str(loss) for one in held for loss in one["losses"]]
    return pd.DataFrame(
        {"loss": losses, "focus_score": np.concatenate([one["focus"] for one in held])}
    )


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
    other = asked["partner"] if asked["partner"] >= 0 else int(near(asked)["id"].iloc[0])
    settings = {"row": asked["query"], "other": other, "loss": asked["loss"]}
    held = _made("pair", {**settings, "distance": _distance(asked)})
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
    if not asked["own"]:
        raise BadRequest("No embeddings of yours are measured yet.", "Give some in the tab.")
    distance = str(asked.get("distance") or "euclidean")
    held = _made("own", {"own": asked["own"], "distance": distance})
    columns = [key for key in held if key not in ("notes", "pca", "umap")]
    return pd.DataFrame({key: held[key] for key in columns})


def made(asked: Asked) -> pd.DataFrame:
    """What the chosen loss clusters the user's renders by."""
    if not asked["made"]:
        raise BadRequest("No renders of yours are measured yet.", "Make some in the tab Your own.")
    key, varied, n, seed = str(asked["made"]).split(":")
    settings = {"meshes": key, "varied": varied.split(","), "n": int(n), "seed": int(seed)}
    held = _made("generate", {**settings, "loss": asked["loss"], "distance": _distance(asked)})
    columns = ("nr_precision", "r_precision", "chance")
    return pd.DataFrame({"property": held["measured"], **{key: held[key] for key in columns}})


def register() -> None:
    """Offers every table."""
    makers = {
        **{"heat": heat, "map": places, "near": near, "sweep": sweep, "looks": looks},
        **{"like": like, "pair": pair, "swap": swap, "words": words, "own": own, "made": made},
        **{"models": models, "values": values},
        "ground": lambda asked: views.robustness(),
        "families": lambda asked: views.family_table(asked["unit"]),
    }
    for name, make in makers.items():
        register_table(f"{PAGE}-{name}", partial(_from_state, make))


def _from_state(make: Callable[[Asked], pd.DataFrame], state: Mapping[str, JSON]) -> pd.DataFrame:
    values = state.get("values")
    return make(metric_state.checked(values if isinstance(values, Mapping) else {}))
