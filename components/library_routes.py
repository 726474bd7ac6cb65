"""HTTP routes of the Library page: what the browser may bring in, thumbnails, removing."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final

import orjson
from flask import Blueprint, Flask, Response, request

from backend.errors import BadRequest, NotFound
from backend.jobs import JobRequest
from backend.protocols import JSON
from backend.registry import adding, index, store, uploading
from backend.registry.spec import checked_name
from components.json_body import json_body
from components.runtime import services

ARCHITECTURES: Final = (
    *("DigitCNN", "P4CNN", "EfficientNetLite0"),
    *("CropDetector", "PivNet", "PointTransformer"),
)
"""Networks of this repository whose weights may come from the browser."""
MODEL_FIELDS: Final = (
    "task",
    "input",
    "range",
    "mean",
    "std",
    "classes",
    "output",
    "title",
    "licence",
    "data",
    "factory",
)
SET_FIELDS: Final = (
    *("kind", "classes", "image", "label", "split", "caption", "images", "columns"),
    *("title", "licence", "source"),
)
NAME: Final = re.compile(r"[a-z0-9-]{1,40}")
blueprint = Blueprint("library", __name__, url_prefix="/_library")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.post("/model")
def add_model() -> Response:
    """A file and a form as a job that runs the model on three items: ``{"job", "result"}``."""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise BadRequest("No file was given.", "Choose an .onnx or .safetensors file.")
    given = _fields(request.form, MODEL_FIELDS)
    name = _name("model", store.required().models(now=True))
    if "factory" in given and given["factory"] not in ARCHITECTURES:
        raise BadRequest(
            f"The architecture {given['factory'][:60]!r} is not taken from the browser.",
            f"Taken are {', '.join(ARCHITECTURES)}; others by command, with --factory.",
        )
    path = uploading.keep(file.filename, file.read(), uploading.MODELS)
    return _submit(
        "registry.model",
        {"path": str(path), "name": name, "given": given},
        f"Check {name} on three items",
    )


@blueprint.post("/model/<name>")
def edit_model(name: str) -> Response:
    """Other values for a registered model, as a job that runs it with them."""
    store.required().model(name)
    body = json_body()
    fixed = ("factory", "task")
    given = _fields(body, tuple(field for field in MODEL_FIELDS if field not in fixed))
    if not given:
        raise BadRequest("Nothing is to be changed.", "Change a field first.")
    return _submit(
        "registry.model", {"path": "", "name": name, "given": given}, f"Check {name} again"
    )


@blueprint.post("/set")
def add_set() -> Response:
    """Arrays, an archive of images, or a path below the allowed folders, as a job."""
    file = request.files.get("file")
    name = _name("data set", store.required().sets(now=True))
    if file is not None and file.filename:
        path = uploading.keep(file.filename, file.read(), uploading.DATA)
    else:
        path = uploading.below_roots(request.form.get("path", ""), services().settings.roots)
    given = _fields(request.form, SET_FIELDS)
    params: dict[str, JSON] = {"path": str(path), "name": name, "given": given}
    return _submit("registry.set", params, f"Index {name}")


@blueprint.post("/preview")
def preview() -> Response:
    """What a path below the allowed folders holds, before it is added."""
    body = json_body()
    path = uploading.below_roots(str(body.get("path", "")), services().settings.roots)
    params: dict[str, JSON] = {"path": str(path), "given": _fields(body, SET_FIELDS)}
    arrays = services().jobs.call("registry.preview", params)
    return Response(bytes(arrays["text"].astype("u1")), mimetype="application/json")


@blueprint.post("/set/<name>/index")
def index_again(name: str) -> Response:
    """What is new or changed in a registered set, as a job."""
    store.required().set(name)
    return _submit("registry.set", {"path": "", "name": name, "given": {}}, f"Index {name} again")


@blueprint.post("/<any(model,set):kind>/<name>/remove")
def remove(kind: str, name: str) -> Response:
    """Forgets a model or a data set; its own files stay."""
    (adding.remove_model if kind == "model" else adding.remove_set)(name)
    return _reply({"removed": name})


@blueprint.get("/thumb/<name>/<sha>/<int:row>.webp")
def thumb(name: str, sha: str, row: int) -> Response:
    """One thumbnail of a registered set; named by its content, so browsers keep it."""
    if not NAME.fullmatch(name):
        raise NotFound("There is no such image.")
    held = store.required().set(name)
    known = index.load(name)
    if row >= len(known.names) or not held.fingerprint.startswith(sha):
        raise NotFound("There is no such image.", "The set was indexed again; reload the page.")
    answer = Response(known.thumb(row), mimetype="image/webp")
    answer.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return answer


def _name(what: str, taken: Mapping[str, object]) -> str:
    """The name in a form, looked at before its file is kept.

    Raises:
        BadRequest: it cannot be one, or it is in use and the form does not say that it is to
            stand for something else from now on.
    """
    name = checked_name(request.form.get("name", "").strip(), what)
    if name in taken and not request.form.get("replace"):
        raise BadRequest(
            f"There is a {what} {name!r} already.", "Choose another name, or remove that one first."
        )
    return name


def _submit(work: str, params: dict[str, JSON], title: str) -> Response:
    # The same file may be checked again with other packages installed: never an old answer.
    asked = JobRequest(work, {**params, "asked_at": time.time()}, title, "")
    return _reply({"job": services().jobs.submit(asked)})


def _fields(form: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """The fields of a form that say something."""
    given: dict[str, str] = {}
    for name in names:
        value = form.get(name, "")
        if not isinstance(value, str) or len(value) > 20_000:
            raise BadRequest(f"{name} is not a text of usable length.")
        if value.strip():
            given[name] = value.strip()
    return given


def _reply(told: Mapping[str, Any]) -> Response:
    answer = Response(orjson.dumps(dict(told)), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
