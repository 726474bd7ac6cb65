"""HTTP routes beside Dash: arrays, images, jobs, links, tables.

Every name from a URL is looked up by key or matched against its form before a disk is touched.
``<path:...>`` everywhere: what does not match would otherwise fall through to Dash's page route,
which answers 200.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from typing import Final

import numpy as np
import orjson
from flask import Blueprint, Flask, Response, current_app, redirect, request
from numpy.typing import NDArray
from werkzeug.wrappers import Response as BaseResponse

from backend import wire
from backend.cache import checked_key
from backend.errors import BackendError, BadRequest, NotFound
from backend.jobs import JobView
from components.json_body import json_body
from components.runtime import CONFIG, Services, services
from components.security import handle_errors
from components.tables import MIME, rendered, table

log = logging.getLogger(__name__)
DEVICE_S: Final = 2.0  # the browser asks again
IMMUTABLE: Final = "public, max-age=31536000, immutable"
IMAGE: Final = re.compile(r"([0-9a-f]{64})\.(webp|png)\Z")
MAX_RECENT: Final = 1000
routes = Blueprint("loupe", __name__)


def register(server: Flask, held: Services) -> None:
    """Make ``held`` the services of ``server`` and add the routes; failures answer JSON."""
    server.config[CONFIG] = held
    handle_errors(server)
    server.register_blueprint(routes)


@routes.get("/healthz")
def say_alive() -> Response:
    return _json({"status": "ok"})


@routes.get("/_device")
def say_device() -> Response:
    """Where models run; empty until the worker has loaded torch and can say."""
    known: dict[str, str] = current_app.extensions.setdefault("loupe-device", {})
    if not known:
        try:
            arrays = services().jobs.call("system.device", {}, timeout_s=DEVICE_S)
            known["text"] = arrays["text"].astype(np.uint8).tobytes().decode()
        except BackendError as error:  # a page that needs the device says what is wrong
            log.info("the device is not known yet: %s", error)
    return _json({"text": known.get("text", "")})


@routes.get("/_data/", defaults={"key": ""})
@routes.get("/_data/<path:key>")
def send_arrays(key: str) -> Response:
    """A stored result in the format of ``backend/wire.py``.

    Query: ``arrays=a,b`` only those; ``row=7`` only that row of their first axis; ``u16=a,b``
    those with 16 bits a number.
    """
    checked_key(key)
    named = {name: request.args.get(name, "") for name in ("arrays", "row", "u16")}
    tag = hashlib.sha256(orjson.dumps([key, named])).hexdigest()
    held = services()
    message = held.small.get(f"data:{tag}")
    if message is None:
        arrays = held.store.get(key)
        if arrays is None:
            raise NotFound("This result is not stored here.", "Run the job that makes it again.")
        message = wire.pack(_chosen(arrays, named), {"key": key}, u16=named["u16"].split(","))
        held.small.put(f"data:{tag}", message)
    response = Response(message, mimetype="application/octet-stream")
    response.set_etag(tag)
    return kept(response)


def _chosen(
    arrays: Mapping[str, NDArray[np.generic]], named: Mapping[str, str]
) -> dict[str, NDArray[np.generic]]:
    names = named["arrays"].split(",") if named["arrays"] else list(arrays)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise BadRequest(
            f"The result has no array {missing[0][:80]!r}.", f"It has {', '.join(arrays)}."
        )
    chosen = {name: arrays[name] for name in names}
    return {name: _row(name, array, named["row"]) for name, array in chosen.items()}


def _row(name: str, array: NDArray[np.generic], row: str) -> NDArray[np.generic]:
    if not row:
        return array
    count = array.shape[0] if array.ndim else 0
    if not (row.isascii() and row.isdigit() and len(row) < 10 and int(row) < count):
        allowed = f"{name} has rows 0 to {count - 1}." if count else f"{name} has no rows."
        raise BadRequest(f"row={row[:40]!r} is not a row of this result.", allowed)
    chosen: NDArray[np.generic] = array[int(row)]
    return chosen


@routes.get("/_media/", defaults={"name": ""})
@routes.get("/_media/<path:name>")
def send_image(name: str) -> Response:
    found = IMAGE.match(name)
    if not found:
        raise NotFound("There is no such image.", "A name is 64 hex digits and .webp or .png.")
    sha256, suffix = found.groups()
    data = services().media.read(sha256, suffix)
    response = Response(data, mimetype=f"image/{suffix}")
    response.set_etag(sha256)
    return kept(response)


@routes.get("/_jobs")
def list_jobs() -> Response:
    limit = request.args.get("limit", "100")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 6 and int(limit) > 0):
        raise BadRequest(f"limit={limit[:40]!r} is not a whole number above 0.")
    return _json({"jobs": services().jobs.recent(min(int(limit), MAX_RECENT))})


@routes.get("/_jobs/<path:job_id>")
def show_job(job_id: str) -> Response:
    job_id, is_log = job_id.removesuffix("/log"), job_id.endswith("/log")
    if is_log:
        return _json({"lines": services().jobs.log(job_id)})
    return _json(services().jobs.view(job_id))


@routes.post("/_jobs/<path:job_id>/cancel")
def cancel_job(job_id: str) -> Response:
    services().jobs.cancel(job_id)
    return _json(services().jobs.view(job_id))


@routes.post("/_jobs/<path:job_id>/rerun")
def run_job_again(job_id: str) -> Response:
    return _json({"id": services().jobs.rerun(job_id)})


@routes.post("/_links")
def make_link() -> Response:
    body = json_body()
    path, state = body.get("path"), body.get("state")
    if not isinstance(path, str) or not isinstance(state, dict):
        raise BadRequest("A link needs a path and a state.", '{"path": "/…", "state": {…}}')
    if not all(_is_plain(value) for value in state.values()):
        raise BadRequest("A state holds texts, numbers and lists of them.", "Reload the page.")
    return _json({"url": f"/s/{services().links.put(path, orjson.dumps(state).decode())}"})


def _is_plain(value: object) -> bool:
    parts = value if isinstance(value, list) else [value]
    return all(part is None or isinstance(part, str | int | float) for part in parts)


@routes.get("/_links/<path:link_id>")
def show_link(link_id: str) -> Response:
    link = services().links.get(link_id)
    return _json({"path": link.path, "state": orjson.loads(link.state)})


@routes.get("/s/<path:link_id>")
def follow_link(link_id: str) -> BaseResponse:
    return redirect(f"{services().links.get(link_id).path}?link={link_id}")


@routes.post("/_table/<path:name>")
def send_table(name: str) -> Response:
    name, _, suffix = name.rpartition(".")
    data = rendered(table(name, json_body()), suffix)
    response = Response(data, content_type=MIME[suffix])
    response.headers["Cache-Control"] = "no-store"
    if suffix != "json":
        response.headers.set("Content-Disposition", "attachment", filename=f"loupe-{name}.{suffix}")
    return response


def _json(value: Mapping[str, object] | JobView) -> Response:
    response = Response(orjson.dumps(value), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def kept(response: Response) -> Response:
    """What is named by its content may be kept for ever."""
    response.headers["Cache-Control"] = IMMUTABLE
    response.make_conditional(request)
    return response
