"""HTTP routes of the Modality gap page that ask a worker at once, and the import."""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from flask import Blueprint, Response, request
from werkzeug.datastructures import FileStorage

from backend.errors import BadRequest
from backend.gap import importer, requests, spaces, views
from backend.registry.uploading import below_roots
from backend.uploads import decoded
from components import gap_asked as asked_for
from components.json_body import json_body
from components.runtime import services

SLOW_S: Final = 60.0  # the first query loads both towers
SIDE_PX: Final = 160
MOST_IMAGE: Final = 12_000_000
SUFFIXES: Final = (".npy", ".npz")
blueprint = Blueprint("gap_asking", __name__, url_prefix="/_gap")


@blueprint.get("/at")
def send_place() -> Response:
    """One place of the slider: ``{delta, gap, loss, accuracy, recall, by_group, ms}``."""
    asked = asked_for.arguments()
    held, delta = asked_for.space(asked), asked_for.number(asked, "delta", 0.0)
    start = time.perf_counter()
    params = {**requests.named(held), "delta": delta}
    arrays = services().jobs.call("gap.at", params, SLOW_S)
    (point,) = views.shifts(arrays)
    return asked_for.reply({**point, "ms": 1000 * (time.perf_counter() - start)})


@blueprint.post("/text")
def find_images() -> Response:
    """The images nearest to a text: ``{space, text, k, delta}`` to ``{items: [{row, cosine}]}``."""
    return _found(json_body(), "gap.text", {})


@blueprint.post("/image")
def find_texts() -> Response:
    """The captions nearest to an image: form with ``image``, ``space``, ``k``, ``delta``."""
    file = request.files.get("image")
    data = file.read() if file is not None else b""
    if not data:
        raise BadRequest("No image was given.", "Drop a PNG, JPEG, WebP or BMP.")
    if len(data) > MOST_IMAGE:
        raise BadRequest(
            f"The image has {len(data) / 1e6:.1f} MB.",
            f"Allowed are {MOST_IMAGE / 1e6:.0f} MB; a smaller copy finds the same.",
        )
    asked = dict(request.form)
    held = asked_for.space(asked)
    side = SIDE_PX if held.thumbs is None else held.thumbs.shape[1]  # as its own pictures were
    return _found(asked, "gap.image", {"image": _kept(data, side)})


def _kept(data: bytes, side: int) -> str:
    """The key under which a dropped picture lies in the store, on white, as a square."""
    from PIL import ImageOps

    picture = decoded(data, "RGB")
    square = ImageOps.pad(picture, (side, side), color="white")
    pixels = np.asarray(square, np.uint8)
    key = hashlib.sha256(b"gap image 1" + pixels.tobytes()).hexdigest()
    if not services().store.has(key):
        services().store.put(key, {"pixels": pixels})
    return key


def _found(asked: dict[str, Any], work: str, more: dict[str, Any]) -> Response:
    held = asked_for.space(asked)
    k, delta = asked_for.whole(asked, "k", 12), asked_for.number(asked, "delta", 0.0)
    params = {**requests.named(held), "k": k, "delta": delta, **more}
    if work == "gap.text":
        params["text"] = str(asked.get("text", ""))
    arrays = services().jobs.call(work, params, SLOW_S)
    rows, cosines = arrays["rows"].tolist(), arrays["cosines"].tolist()
    items = [{"row": r, "cosine": c} for r, c in zip(rows, cosines, strict=True)]
    return asked_for.reply({"items": items, "space": held.key})


@blueprint.post("/import")
def bring_in() -> Response:
    """Paired arrays: form with ``images`` (and ``texts``, ``captions``), ``title``, ``normalise``;
    ``path`` instead of ``images`` names a file of this machine below LOUPE_ROOTS, of any size.

    ``{space, title, n, width}``.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = request.form.get("path", "").strip()
        if path:
            first: Path | None = _below(path)
        else:
            first = _saved(request.files.get("images"), Path(folder), SUFFIXES)
        texts = _saved(request.files.get("texts"), Path(folder), (".npy",))
        captions = _saved(request.files.get("captions"), Path(folder), (".txt", ".csv"))
        if first is None:
            raise BadRequest(
                "No arrays were given.",
                "Choose a .npy of shape (2, n, d), an .npz, or images and texts apart.",
            )
        normalise = request.form.get("normalise") in ("1", "on", "true")
        found = importer.read(first, texts, captions, normalise)
    title = request.form.get("title") or first.stem
    key = spaces.put(found, title, services().store)
    held = spaces.load(key, services().store)
    return asked_for.reply(
        {"space": key, "title": held.title, "n": len(held), "width": held.images.shape[1]}
    )


def _saved(file: FileStorage | None, folder: Path, suffixes: tuple[str, ...]) -> Path | None:
    """The upload as a file that keeps its name for the messages; None where there is none."""
    if file is None or not file.filename:
        return None
    name = Path(file.filename.replace("\\", "/")).name[-80:]
    _check_suffix(name, suffixes)
    place = folder / (file.name or "file")
    place.mkdir()
    path = place / name
    file.save(path)
    return path


def _check_suffix(name: str, suffixes: tuple[str, ...]) -> None:
    if Path(name).suffix.lower() not in suffixes:
        raise BadRequest(f"{name} cannot be read here.", f"Allowed are {', '.join(suffixes)}.")


def _below(path: str) -> Path:
    """A file of this machine below LOUPE_ROOTS. Raises :class:`BadRequest`."""
    found = below_roots(path, services().settings.roots)
    _check_suffix(found.name, SUFFIXES)
    return found
