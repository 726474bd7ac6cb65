"""What the Zoom-In page tells the browser: which results to fetch, and the jobs that make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from backend import catalog
from backend.errors import BackendError
from backend.jobs import JobRequest
from backend.zoom import own, tiles
from backend.zoom.library import library
from backend.zoom.maps import SHOWN, AnswersRequest, CamRequest
from backend.zoom.requests import compare_job
from components import zoom_state
from components.runtime import services

NO_MODEL: Final = "No model that looks in two stages is registered."
NO_MODEL_HINT: Final = (
    "Restore models/weights/needle-zoom.safetensors, or train one: python -m models.train_zoom."
)
Part = dict[str, str | None]


def obtain(job: JobRequest) -> Part:
    """``{"result": key, "job": id}``; no job where the result lies in the store already."""
    if services().store.has(job.key):
        services().jobs.release(job.view)
        return {"result": job.key, "job": None}
    return {"result": job.key, "job": services().jobs.submit(job)}


def answer(values: Mapping[str, Any], visit: str, *, all_images: bool) -> dict[str, Any]:
    """Everything that the page needs for a state: the image, and each result with its job.

    What cannot be had is a sentence, for the whole (``message``, ``hint``) or for one part.
    """
    try:
        asked = zoom_state.checked(values)
        told: dict[str, Any] = {"image": image(asked["image"]), "asked": plain(asked)}
    except BackendError as error:
        return said(error)
    if told["image"]["state"] == "ready":
        told |= {"cam": _cam(asked, visit)} | _looks(asked, visit)
    if asked["model"]:
        told["model"] = model(asked["model"])
        told["answers"] = _answers(asked, visit, is_wanted=all_images)
    return told


def _looks(asked: Mapping[str, Any], visit: str) -> dict[str, Any]:
    """The look shown first, then its repetitions, then the other models: in this order they run."""
    if not asked["model"]:
        return {"message": NO_MODEL, "hint": NO_MODEL_HINT}
    try:
        one, many = zoom_state.look(asked), zoom_state.look(asked, asked["draws"])
        found: dict[str, Any] = {
            "look": obtain(one.job(f"zoom-look@{visit}")),
            "draws": obtain(many.job(f"zoom-draws@{visit}")),
        }
        compared = compare_job(asked["image"], asked["n"], asked["seed"], f"zoom-compare@{visit}")
        found["compare"] = {**obtain(compared), "titles": titles()}
    except BackendError as error:
        return said(error)
    return found


def _cam(asked: Mapping[str, Any], visit: str) -> dict[str, Any] | None:
    if not asked["cam"]:
        return None
    try:
        found = obtain(CamRequest(asked["image"], asked["cam"]).job(f"zoom-cam@{visit}"))
    except BackendError as error:
        return said(error)
    card = catalog.card(asked["cam"])
    return {**found, "title": card.title, "classes": list(card.classes)}


def _answers(asked: Mapping[str, Any], visit: str, *, is_wanted: bool) -> dict[str, Any]:
    """The looks at the whole list, where they are stored, asked for, or opened with."""
    request = AnswersRequest(
        asked["model"],
        asked["n"],
        asked["seed"],
        asked["policy"],
        float(asked["s1"]),
        float(asked["s2"]),
    )
    job = request.job(f"zoom-answers@{visit}")
    if is_wanted or zoom_state.is_opening(asked) or services().store.has(job.key):
        return {**obtain(job), "count": SHOWN}
    return {"result": job.key, "job": None, "count": SHOWN, "missing": True}


def image(key: str) -> dict[str, Any]:
    """What a viewer needs of one image. Raises ``NotFound``."""
    held = library(services().settings)
    found, truth = held.info(key), held.truth(key)
    return {
        **asdict(found),
        "tileSize": tiles.TILE_PX,
        "maxLevel": tiles.top_level(found.width, found.height) if found.width else 0,
        "truth": asdict(truth) if truth else None,
    }


def model(key: str) -> dict[str, Any]:
    """What the page says of a model. Raises ``NotFound``."""
    card = own.card(key)
    return {
        "key": key,
        "title": card.title,
        "classes": list(card.classes),
        "fingerprint": card.fingerprint[:8],
        "limits": card.limits,
    }


def titles() -> dict[str, dict[str, Any]]:
    """Title and classes of every model for large images, by key."""
    return {
        key: {"title": card.title, "classes": list(card.classes), "kind": card.architecture}
        for key, card in own.models().items()
    }


def plain(asked: Mapping[str, Any]) -> dict[str, Any]:
    """A checked state as JSON."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asked.items()}


def said(error: BackendError) -> dict[str, Any]:
    """A failure as the browser shows it."""
    return {"message": error.message, "hint": error.hint}
