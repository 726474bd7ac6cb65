"""What the views of one item need: outputs of every model, truth, consensus, and the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from backend.items import ItemSet, TaskItems
from backend.nero import orbits
from backend.nero.requests import item_params
from backend.protocols import JSON
from components.nero_spec import image_url
from components.runtime import services

Payload = dict[str, NDArray[Any]]
CLASSES: Final = ("outputs", "class_ids")
PREFIX: Final = "payload_"


def of_results(results: Sequence[Mapping[str, NDArray[Any]]], row: int) -> Payload:
    """One row of what stored results hold, ``<name>_<place of the model>``; may be nothing."""
    arrays: Payload = {}
    for i, result in enumerate(results):
        kept = {name: result[name] for name in CLASSES if name in result}
        kept |= {
            name.removeprefix(PREFIX): values
            for name, values in result.items()
            if name.startswith(PREFIX)
        }
        arrays |= {f"{name}_{i}": values[row] for name, values in kept.items()}
        if kept and "consensus_value" in result:
            arrays[f"consensus_{i}"] = result["consensus_value"][row]
    return arrays


def computed(task: str, models: Sequence[str], item: int, orbit: str, dataset: str) -> Payload:
    """The same from the models, which are asked along the orbit for this item alone.

    Raises:
        NotFound, BadRequest: a part of the question is not usable.
    """
    params = item_params(task, models, item, orbit, dataset)
    arrays = dict(services().jobs.call("nero.item", params))
    # One truth for all models: every model's answer carries it.
    if "truth_0" in arrays:
        arrays["truth"] = arrays["truth_0"]
        arrays = {name: held for name, held in arrays.items() if not name.startswith("truth_")}
    return arrays


def of_item(items: ItemSet, row: int, orbit: str) -> tuple[Payload, dict[str, JSON]]:
    """The input of a row as arrays or as a picture, and the true box where there is one."""
    arrays: Payload = {}
    domain = orbits.find(orbit).domain if orbit else "image"
    given = cast(TaskItems, items)  # of every domain but the image, which asks for pictures only
    if domain == "scene" and (known := given.truth([row])) is not None:
        arrays["truth"] = np.asarray(known)[0, 0]  # the object that the crop is about
    meta: dict[str, JSON] = {"image_url": None, "is_picture": False}
    if domain == "points":
        arrays["points"] = np.asarray(given.inputs([row])[0], np.float32)
    elif domain == "frames":
        meta["image_url"] = _side_by_side(given.inputs([row])[0])
    elif domain == "text":
        texts = orbits.find(orbit).act(given.inputs([row]), np.arange(orbits.find(orbit).size))
        arrays["texts"] = np.asarray([str(text) for text in np.ravel(texts)])
    else:
        meta = {"image_url": image_url(items, row), "is_picture": True}
    return arrays, meta


def _side_by_side(frames: NDArray[Any]) -> str:
    """Where a pair of frames ``(2, s, s)`` is, as one picture."""
    scaled = frames if frames.dtype == np.uint8 else np.round(frames * 255).astype(np.uint8)
    name = services().media.put_image(np.concatenate(list(scaled), axis=1))
    return f"/_media/{name}.webp"
