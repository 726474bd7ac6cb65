"""What a registered model says of a registered set, for :mod:`backend.registry.computed`."""

from __future__ import annotations

from typing import Any

import numpy as np

from backend import catalog
from backend.errors import BadRequest
from backend.items import to_batch
from backend.protocols import I64, Progress, SupportsGradients
from backend.registry import adding, items, store
from backend.registry.items import RegisteredItems

BATCH = 64


def computed(kind: str, model: str, data: str, progress: Progress) -> tuple[I64, dict[str, Any]]:
    """Rows and arrays: ``probabilities`` (n, k), ``maps`` (n, h, w), ``embeddings`` (n, d), or the
    scores ``confidence``, ``margin`` and ``entropy`` (n,).

    Raises:
        NotFound: model or set is not registered.
        BadRequest: the model cannot take the set, or gives no gradients or embedding.
    """
    if kind == "embeddings":
        found = adding.embedded(model, data, progress)
        return found["ids"], {"embeddings": found["embeddings"]}
    held = items.load(items.key_of(data, store.required().model(model).spec.input))
    answer = catalog.load_model(model)
    shares = _in_parts(held, answer.predict, progress)
    if kind == "predictions":
        return held.ids, {"probabilities": shares}
    if kind == "scores":
        first, second = np.sort(shares, axis=1)[:, [-1, -2]].T
        entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)
        return held.ids, {"confidence": first, "margin": first - second, "entropy": entropy}
    if not isinstance(answer, SupportsGradients):
        raise BadRequest(f"{model} gives no gradients.", "Export it with torch.export.")
    answers = shares.argmax(axis=1).astype(np.int64)
    maps = [
        answer.saliency(to_batch(held.images(rows)), answers[rows]) for rows in _parts(len(held))
    ]
    return held.ids, {"maps": np.concatenate(maps)}


def _parts(count: int) -> list[I64]:
    return [np.arange(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]


def _in_parts(held: RegisteredItems, ask: Any, progress: Progress) -> Any:
    found = []
    for rows in _parts(len(held)):
        progress(int(rows[0]), len(held))
        found.append(ask(to_batch(held.images(rows))))
    progress(len(held), len(held))
    return np.concatenate(found)
