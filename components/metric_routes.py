"""HTTP routes of the metric-learning page: the heat map, embeddings, pictures, jobs, imports."""

from __future__ import annotations

from typing import Any, Final

import orjson
from flask import Blueprint, Flask, Response, request

from backend import wire
from backend.cache import checked_key
from backend.errors import BadRequest, NotFound
from backend.metric_learning import generate, imports, own_views, requests, shipped, views
from components.json_body import json_body
from components.routes import IMMUTABLE
from components.runtime import services

blueprint = Blueprint("metric_learning", __name__, url_prefix="/_metric")
SMALL_ROW: Final = 6  # digits


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.get("/overview")
def send_overview() -> Response:
    """Losses, properties, the heat map, families, robustness: see ``views.overview``."""
    return _reply(views.overview())


@blueprint.get("/models")
def send_models() -> Response:
    """The user's models, and what was measured of them; ``?distance=`` names the distance."""
    distance = request.args.get("distance", "euclidean")
    return _reply({"models": own_views.cards(services().store, distance)})


@blueprint.get("/likeness")
def send_likeness() -> Response:
    """The matrices of how alike the losses look."""
    return _reply(views.likeness())


@blueprint.get("/space/<loss>")
def send_space(loss: str) -> Response:
    """Embeddings (n, 128) int8 over 127 and two coordinates of every projection (n, 2)."""
    return _arrays(views.space(loss))


@blueprint.get("/vectors")
def send_vectors() -> Response:
    """``vectors`` (n, 384) int8 over 127: the bundled images in the text tower's space."""
    return _arrays({"vectors": shipped.arrays("words")["vectors"]})


@blueprint.get("/codes")
def send_codes() -> Response:
    """``codes`` (n, 11): the number of each property's value of every bundled image."""
    return _arrays({"codes": views.codes()})


@blueprint.get("/picture/<row>.webp")
def send_picture(row: str) -> Response:
    """A small picture of one bundled image."""
    answer = Response(shipped.picture(_whole(row)), mimetype="image/webp")
    answer.headers["Cache-Control"] = IMMUTABLE
    return answer


@blueprint.get("/maps/<row>")
def send_maps(row: str) -> Response:
    """The shipped maps of an image of the gallery; ``{"absent": true}`` for another."""
    found = views.kept_maps(_whole(row))
    return _reply({"absent": True}) if found is None else _arrays(found)


@blueprint.post("/start/<name>")
def start(name: str) -> Response:
    """``{result}``, and ``{job, title}`` where it is still to be computed. Body: the settings."""
    body = json_body()
    made = requests.job(name, body)
    told: dict[str, Any] = {"result": made.key, "title": made.title}
    if services().store.get(made.key) is None:
        told["job"] = services().jobs.submit(made)
    return _reply(told)


@blueprint.post("/own")
def keep_own() -> Response:
    """Keeps embeddings of the user's: the files ``embeddings`` (.npy) and ``properties``."""
    x, table = request.files.get("embeddings"), request.files.get("properties")
    if x is None or table is None or not x.filename or not table.filename:
        raise BadRequest(
            "Two files are needed.", "Give embeddings (.npy) and properties (.csv or .parquet)."
        )
    return _reply(imports.keep(services().store, x.read(), table.read(), table.filename))


@blueprint.post("/meshes")
def keep_meshes() -> Response:
    """Keeps meshes of the user's: the files ``mesh`` (.obj, .glb) and the text ``paint``."""
    files = [(str(one.filename), one.read()) for one in request.files.getlist("mesh")]
    paint = request.form.get("paint", "")[:80]
    return _reply(generate.keep(services().store, files, paint))


@blueprint.get("/generated/<key>.zip")
def send_generated(key: str) -> Response:
    """A generated data set: images, properties, embeddings."""
    arrays = services().store.get(checked_key(key))
    if arrays is None or "images" not in arrays or "measured" not in arrays:
        raise NotFound("This data set is no longer held here.", "Generate it again.")
    answer = Response(generate.archive(arrays), mimetype="application/zip")
    answer.headers.set("Content-Disposition", "attachment", filename="loupe-renders.zip")
    return answer


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= SMALL_ROW):
        raise BadRequest(f"{text[:40]!r} is no image.", f"Give 0 to {shipped.SHOWN - 1}.")
    return int(text)


def _arrays(arrays: Any) -> Response:
    answer = Response(wire.pack(arrays), mimetype="application/octet-stream")
    answer.headers["Cache-Control"] = "no-cache"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def _reply(value: Any) -> Response:
    text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    answer = Response(text, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
