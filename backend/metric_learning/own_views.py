"""What the page is told of the user's models: which there are, and what was measured of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from backend.cache import ArrayStore
from backend.metric_learning import own_models, requests, shipped
from backend.protocols import F32, Arrays


def cards(store: ArrayStore, distance: str) -> list[dict[str, Any]]:
    """Every registered model as the page lists it among the losses, the oldest first; ``cells`` as
    in :func:`backend.metric_learning.views.cells`, None where it is not measured yet.

    Raises:
        BadRequest: there is no such distance.
    """
    found: list[dict[str, Any]] = []
    for own in own_models.listed().values():
        held = store.get(requests.job("model", {"model": own.key, "distance": distance}).key)
        found.append({**own.card(distance), "cells": held and cells(held)})
    return found


def cells(held: Arrays) -> dict[str, dict[str, Any]]:
    """A result of ``metric.model`` as the heat map takes it, by property."""
    found: dict[str, dict[str, Any]] = {}
    for k, name in enumerate(held["properties"]):
        nr, variance, r, chance, p = (
            float(np.asarray(held[key], np.float64)[k])
            for key in ("nr_precision", "nr_variance", "r_precision", "chance", "p_holm")
        )
        found[str(name)] = {
            **{"nr": nr, "sd": None, "folds": [nr], "variance": variance, "r": r},
            **{"chance": chance, "kappa": (r - chance) / (1 - chance), "p": p},
        }
    return found


def embedding(store: ArrayStore, key: str, distance: str) -> F32 | None:
    """Embeddings of the bundled images by a bundled loss or a model of the user's; None where the
    latter is not measured yet.

    Raises:
        BadRequest: there is no such model.
    """
    if not own_models.is_own(key):
        return shipped.embedding(key)
    held = store.get(requests.job("model", {"model": key, "distance": distance}).key)
    return None if held is None else np.asarray(held["embedding"], np.float32)
