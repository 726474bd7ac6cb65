"""What the metric-learning page is told about the bundled cars: the heat map and all beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd

from backend.errors import BadRequest
from backend.metric_learning import cars, shipped, significance, words
from backend.metrics import SIGNIFICANT
from models import metric_losses
from models.cards import CARDS, read_card

Measure = Literal["nr", "variance", "r", "kappa", "p"]
MEASURES: Final[dict[str, str]] = {
    "nr": "NR-Prec",
    "variance": "NR-Prec, printed σ",
    "r": "R-Precision",
    "kappa": "κ above chance",
    "p": "p, Holm",
}
SOURCE: Final = "Kobs 2023, table 7.3: 100,000 renders, networks trained on Cars196"
LOSSES: Final = tuple(metric_losses.BY_KEY)


@lru_cache(maxsize=1)
def overview() -> dict[str, Any]:
    """All of the page but embeddings and pictures, as JSON."""
    card = read_card(CARDS / "metric-cars.toml")
    return {
        "losses": [_loss(one) for one in metric_losses.ALL],
        "properties": [_property(name) for name in cars.NAMES],
        "cells": cells(),
        "reported": reported(),
        "reported_source": SOURCE,
        "families": {unit: records(family_table(unit)) for unit in ("fold", "loss")},
        "retrieval": records(retrieval()),
        "robustness": records(robustness()),
        "ground": _ground(),
        "notions": {name: words.prompts(name) for name in words.NOTIONS},
        "n": len(shipped.table()),
        "shown": shipped.SHOWN,
        "significant": SIGNIFICANT,
        "combinations": cars.combinations(),
        "weights": card.fingerprint,
        "data": fingerprint(),
        "gallery": shipped.arrays("maps")["rows"].tolist(),
        "kept": shipped.arrays("maps")["maps"].shape[1],
    }


def fingerprint() -> str:
    """Names the test images: of the table that they are drawn from."""
    return hashlib.sha256((shipped.CARS / "test.parquet").read_bytes()).hexdigest()[:16]


def _loss(card: metric_losses.LossCard) -> dict[str, Any]:
    return {
        "key": card.key,
        "title": card.title,
        "year": card.year,
        "family": card.family,
        "distance": card.distance,
    }


def _property(name: str) -> dict[str, Any]:
    (held,) = (one for one in shipped.held_properties() if one.name == name)
    knob = cars.BY_NAME.get(name)
    return {
        "name": name,
        "title": "Model" if knob is None else knob.title,
        "full": cars.title(name),
        "group": "Car" if knob is None else knob.group,
        "unit": "" if knob is None else knob.unit,
        "values": list(held.values),
        "is_ring": name in ("car_rotation", "sun_rotation", "car_hue", "bg_hue"),
    }


def measured() -> pd.DataFrame:
    """Every fold's row of every loss and property on all test images, networks on plain images."""
    frame = shipped.frame("nrprec")
    whole = frame[(frame["n"] == len(shipped.table())) & ~frame["with_bg"]]
    return whole.assign(kappa=(whole["r_precision"] - whole["chance"]) / (1 - whole["chance"]))


def cells() -> dict[str, dict[str, Any]]:
    """By loss and property: means over the folds, their spread, the folds, and p values.

    ``p`` is of the permutation test, after Holm's correction over the properties: of the first
    fold's network on the bundled images, in the precision in which they are bundled.
    """
    found: dict[str, dict[str, Any]] = {}
    frame = shipped.frame("nrprec")
    tested = frame[(frame["n"] == shipped.SHOWN) & ~frame["with_bg"]]
    p = tested.set_index(["loss", "property"])["p_holm"]
    for (loss, name), held in measured().groupby(["loss", "property"], sort=False):
        values = held.sort_values("fold")["nr_precision"]
        found.setdefault(str(loss), {})[str(name)] = {
            "nr": float(values.mean()),
            "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
            "folds": [float(value) for value in values],
            "variance": float(held["nr_variance"].mean()),
            "r": float(held["r_precision"].mean()),
            "chance": float(held["chance"].mean()),
            "kappa": float(held["kappa"].mean()),
            "p": float(p[loss, name]),
        }
    return found


def reported() -> dict[str, dict[str, float]]:
    """NR-Prec as the source reports it, by loss and property; never ours."""
    frame = pd.read_csv(shipped.MEASURED / "reported-nrprec.csv").set_index("loss")
    return {str(loss): {str(k): float(v) for k, v in row.items()} for loss, row in frame.iterrows()}


def reported_pearson() -> pd.DataFrame:
    """Mean correlation of the maps as the source reports it for Cars196, in shares."""
    frame = pd.read_csv(shipped.MEASURED / "reported-pearson-cars196.csv", index_col="loss")
    return frame / 100


def family_table(unit: Literal["loss", "fold"]) -> pd.DataFrame:
    """Mann-Whitney tests of ranking against classification losses, one row a property."""
    frame = measured()
    held = frame.loc[frame["family"] != "none"]
    return significance.families(held, unit=unit)


def retrieval() -> pd.DataFrame:
    """MAP@R and precision@1 of the car model by loss: means and spread over the folds."""
    frame = shipped.frame("retrieval")
    return _means(frame[~frame["with_bg"]], ["loss"])


def robustness() -> pd.DataFrame:
    """Clean and corrupted MAP@R, drop, and focus, with and without changed backgrounds."""
    frame = shipped.frame("robustness")
    clean = frame["images"] == "plain"
    keys = ["loss", "with_bg"]
    a = frame[clean].groupby(keys, sort=False)["map_at_r"].agg(["mean", "std"])
    b = frame[~clean].groupby([*keys, "fold"], sort=False)["map_at_r"].mean()
    b = b.groupby(keys, sort=False).agg(["mean", "std"])
    found = a.add_suffix("_clean").join(b.add_suffix("_corrupted")).reset_index()
    found["drop"] = 1 - found["mean_corrupted"] / found["mean_clean"]
    held = shipped.arrays("maps")
    names, focus = [str(name) for name in held["losses"]], held["focus"]
    rows = [
        focus[names.index(f"{row.loss}{'+bg' if row.with_bg else ''}")]
        for row in found.itertuples()
    ]
    return found.assign(
        focus=[float(row.mean()) for row in rows], focus_sd=[float(row.std()) for row in rows]
    )


def _ground() -> dict[str, int]:
    frame = shipped.frame("robustness")
    return {
        "images": int(frame["n"].iloc[0]),
        "folds": int(frame["fold"].nunique()),
        "drawings": int(frame["images"].nunique()) - 1,
    }


def _means(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    grouped = frame.groupby(keys, sort=False)[["map_at_r", "precision_at_1"]]
    return grouped.mean().join(grouped.std().add_suffix("_sd")).reset_index()


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON; what is not finite is None."""
    return [
        {
            str(k): None if isinstance(v, float) and not np.isfinite(v) else _plain(v)
            for k, v in row.items()
        }
        for row in frame.to_dict(orient="records")
    ]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def checked_loss(loss: object) -> str:
    """The key of a loss.

    Raises:
        BadRequest: there is none.
    """
    if loss not in LOSSES:
        raise BadRequest(f"There is no loss {str(loss)[:40]!r}.", f"There is {', '.join(LOSSES)}.")
    return str(loss)


def space(loss: str) -> Mapping[str, Any]:
    """Embeddings (n, 128) int8 and the places of every method (n, 2) of the bundled images."""
    checked_loss(loss)
    where = shipped.arrays("places")
    found = {name.partition("/")[2]: where[name] for name in where if name.startswith(f"{loss}/")}
    return {"embedding": shipped.arrays("embeddings")[loss], **found}


def codes() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Number of each property's value, (n, 11), in the order of the overview."""
    held = {one.name: one.codes for one in shipped.held_properties()}
    return np.stack([held[name] for name in cars.NAMES], axis=1).astype(np.uint8)


def likeness() -> dict[str, Any]:
    """The matrices of likeness, and the reported one, with the losses in their order."""
    held = shipped.arrays("maps")
    names = [str(name) for name in held["compared"]]
    given = reported_pearson().reindex(index=names, columns=names)
    return {
        "losses": names,
        "n": len(held["rows"]),
        **{k: held[k].tolist() for k in ("pearson", "pearson_sd", "jsd", "jsd_sd")},
        "reported": [[None if np.isnan(v) else float(v) for v in row] for row in given.to_numpy()],
    }


def kept_maps(row: int) -> Mapping[str, Any] | None:
    """The maps of an image of the gallery, as ``metric.maps`` makes them; None for another."""
    held = shipped.arrays("maps")
    at = np.flatnonzero(held["rows"][: held["maps"].shape[1]] == row)
    if not len(at):
        return None
    names = [str(name) for name in held["losses"]]
    rows = [names.index(str(name)) for name in held["compared"]]
    return {
        "losses": held["compared"],
        "maps": held["maps"][rows, at[0]],
        "focus": held["focus"][rows, at[0]],
    }


assert set(get_args(Measure)) == set(MEASURES)


def loss_titles() -> list[dict[str, Any]]:
    """Key, title, year, family and distance of every loss; opens no file."""
    return [_loss(card) for card in metric_losses.ALL]
