"""What the worker measures of a registered model: its column, its map, its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.metric_learning import columns, embedders, own_models, places, shipped
from backend.metric_learning.tickets import Ticket
from backend.protocols import JSON, Arrays
from models import metric_losses

F32 = NDArray[np.float32]
LOSSES: Final = tuple(metric_losses.BY_KEY)


def model(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``metric.model``: a registered model on all test images, as the heat map shows it.

    Returns:
        embedding (1500, d) float32 and pca (1500, 2) of the bundled images; properties (p,);
        nr_precision, nr_variance, r_precision, chance (p,) of all images; p_holm (p,) of the
        bundled ones.
    """
    x, distance = _vectors(params, ticket), str(params["distance"])
    whole = columns.column(x, shipped.held_properties(len(x)), distance)
    shown = x[: shipped.SHOWN]
    tested = columns.column(shown, shipped.held_properties(len(shown)), distance, with_null=True)
    return {
        "embedding": shown,
        "pca": places.places(_seen(shown, distance), ("pca",))["pca"],
        "properties": np.array(whole["property"].tolist()),
        **{name: whole[name].to_numpy(np.float64) for name in columns.NUMBERS},
        "p_holm": tested["p_holm"].to_numpy(np.float64),
    }


def place(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``metric.place``: ``xy`` (1500, 2), the bundled images by a registered model on a plane."""
    method = str(params.get("method", ""))
    if method not in places.METHODS:
        raise BadRequest(f"There is no map {method[:40]!r}.", f"{', '.join(places.METHODS)}.")
    x = _vectors(params, ticket)[: shipped.SHOWN]
    return {"xy": places.places(_seen(x, str(params["distance"])), (method,))[method]}


def values(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``metric.values``: NR-Prec of every value of every property on the bundled images, of a
    registered model or of all bundled networks.

    Returns:
        models (m,); property and value (v,) texts, images (v,); nr_precision and r_precision
        (m, v), NaN where a value has one image; chance (v,).
    """
    tables: dict[str, pd.DataFrame] = {}
    names = [params.get("model")] if own_models.is_own(params.get("model")) else LOSSES
    for k, name in enumerate(names):
        asked = {**params, "loss": str(name)}
        held = embedders.of_params(asked, ticket.store, ticket)
        tables[held.key] = columns.by_value(
            held.others(), shipped.held_properties(shipped.SHOWN), held.distance
        )
        ticket(k + 1, len(names))
    first = next(iter(tables.values()))
    measured: dict[str, NDArray[Any]] = {
        name: np.stack([table[name].to_numpy(np.float32) for table in tables.values()])
        for name in ("nr_precision", "r_precision")
    }
    return {
        "models": np.array(list(tables)),
        "property": np.array(first["property"].tolist()),
        "value": np.array(first["value"].tolist()),
        "images": first["images"].to_numpy(np.int32),
        "chance": first["chance"].to_numpy(np.float32),
        **measured,
    }


def _vectors(params: Mapping[str, JSON], ticket: Ticket) -> F32:
    own = own_models.of_params(params)
    return embedders.vectors(own, str(params["data"]), ticket.store, ticket)


def _seen(x: F32, distance: str) -> F32:
    """What a plane should show: directions where only they count."""
    if distance != "cosine":
        return x
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), np.float32)
