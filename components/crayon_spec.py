"""What the Crayon page tells the browser: which results a state needs, and the jobs for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.crayon import diagnosis, requests, sets
from backend.errors import BackendError
from backend.jobs import JobRequest
from components import crayon_state
from components.runtime import services

Part = dict[str, str | None]


def obtain(job: JobRequest) -> Part:
    """``{"result": key, "job": id}``; no job where the result lies in the store already."""
    if services().store.has(job.key):
        services().jobs.release(job.view)
        return {"result": job.key, "job": None}
    return {"result": job.key, "job": services().jobs.submit(job)}


def answer(values: Mapping[str, Any], visit: str) -> dict[str, Any]:
    """The set, the model, and the results of both: maps at once, patches where they are asked for,
    and the maps that people see, ``seen``, where these are by another method.

    What cannot be had is a sentence, ``message`` and ``hint``.
    """
    try:
        asked = crayon_state.checked(values)
        told: dict[str, Any] = {"set": about(asked["set"]), "model": model(asked)}
        told["original"] = requests.fingerprint(asked["set"])
        view = f"crayon-maps@{visit}"
        told["map"] = obtain(requests.maps_job(asked["set"], asked["model"], view))
        if told["map"]["job"] is None:  # it reads the maps
            view = f"crayon-items@{visit}"
            told["items"] = obtain(diagnosis.items_job(asked["set"], asked["model"], view))
        if asked["step"] == "maps" and asked["saliency"] != requests.GRADCAM:
            view, method = f"crayon-seen@{visit}", asked["saliency"]
            told["seen"] = obtain(requests.maps_job(asked["set"], asked["model"], view, method))
        if asked["step"] in ("neurons", "refine"):
            view = f"crayon-patches@{visit}"
            told["patch"] = obtain(requests.patches_job(asked["set"], asked["model"], view))
    except BackendError as error:
        return {"message": error.message, "hint": error.hint}
    return told


def about(key: str) -> dict[str, Any]:
    """What the page says of a set. Raises ``NotFound``."""
    held = sets.load(key)
    return {
        "key": key,
        "title": held.title,
        "classes": list(held.classes),
        "groups": list(held.group_names),
        "question": held.question,
        "panels": list(held.panels),
        "counts": {split: len(held.rows(split)) for split in sets.SPLITS},
        "fingerprint": held.fingerprint[:8],
        "source": held.source,
        "has_masks": held.cover is not None,
    }


def model(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of the chosen model. Raises ``NotFound``."""
    card = requests.original_card(asked["set"])
    name = "Corrected model" if asked["model"] else card.title
    known = requests.fingerprint(asked["set"], asked["model"])
    return {"key": asked["model"], "title": name, "fingerprint": known[:8], "limits": card.limits}
