"""Images of the Zoom-In page over HTTP: lists, tiles, parts, uploads.

Whatever depends on an image's content carries its fingerprint in the URL, so that a browser may
keep it for ever; with another fingerprint the answer is 404. ``image`` is a key of the library.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any, Final

import orjson
from flask import Blueprint, Flask, Response, request

from backend.errors import BadRequest, NotFound
from backend.media import encoded
from backend.zoom import images, tiles
from backend.zoom.library import ImageInfo, Library, library, preview_of
from backend.zoom.source import ImageSource
from backend.zoom.uploads import Uploads
from components.runtime import services

IMMUTABLE: Final = "public, max-age=31536000, immutable"
MARK: Final = re.compile(r"[0-9a-f]{16}\Z")
NUMBER: Final = re.compile(r"-?[0-9]{1,9}\Z")
TILE: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,7})_([0-9]{1,7})\.jpg\Z")
LARGEST_VIEW_PX: Final = 2048
blueprint = Blueprint("zoom", __name__, url_prefix="/_zoom")
_tiles = tiles.TileStore()


def register(server: Flask) -> None:
    server.register_blueprint(blueprint)


@blueprint.get("/list")
def listing() -> Response:
    """Every image: see ``ImageInfo``."""
    return _json({"images": [asdict(info) for info in _library().listing()]})


@blueprint.get("/info")
def info() -> Response:
    """One image, with what a viewer needs (tileSize, maxLevel) and where the needle is."""
    key = _key()
    found = _library().info(key)
    truth = _library().truth(key)
    return _json(
        {
            **asdict(found),
            "tileSize": tiles.TILE_PX,
            "maxLevel": tiles.top_level(found.width, found.height),
            "truth": asdict(truth) if truth else None,
        }
    )


@blueprint.get("/tile/<mark>/<path:address>")
def tile(mark: str, address: str) -> Response:
    """``/_zoom/tile/<fingerprint>/<level>/<column>_<row>.jpg?image=<key>``."""
    found = TILE.match(address)
    if not found:
        raise NotFound("There is no such tile.", "A tile is level/column_row.jpg.")
    level, column, row = (int(part) for part in found.groups())
    source = _source(mark)
    return _kept(_tiles.tile(source, tiles.Address(level, column, row)), mark)


@blueprint.get("/view/<mark>.jpg")
def view(mark: str) -> Response:
    """The whole image, no side longer than ``px`` (at most 2,048); also before its pyramid is
    built, as soon as the job has read it once."""
    known = _current(mark)
    px = _number("px", 16, LARGEST_VIEW_PX)
    pixels = preview_of(_library(), known.key, px)
    return _kept(images.as_jpeg(pixels), f"{mark}-{px}")


@blueprint.get("/crop/<mark>.jpg")
def crop(mark: str) -> Response:
    """The part at ``x``, ``y`` of ``w`` times ``h`` pixels (at most 1,024) at full resolution."""
    reach = 2**31
    x, y = _number("x", -reach, reach), _number("y", -reach, reach)
    w, h = _number("w", 1, tiles.LARGEST_CROP_PX), _number("h", 1, tiles.LARGEST_CROP_PX)
    return _kept(tiles.crop(_source(mark), x, y, w, h), f"{mark}-{x}-{y}-{w}-{h}")


@blueprint.get("/mask/<mark>.png")
def mask(mark: str) -> Response:
    """The needle's strokes, white on black, where they are known."""
    known = _current(mark)
    strokes = _library().mask(known.key)
    if strokes is None:
        raise NotFound("Nobody knows where the object is in this image.")
    return _kept(encoded(strokes, suffix="png"), mark, "image/png")


@blueprint.post("/upload")
def begin_upload() -> Response:
    return _json({"ticket": Uploads(_library()).begin()})


@blueprint.put("/upload/<ticket>")
def append_upload(ticket: str) -> Response:
    """One part (the body), which begins at byte ``start``; parts come in order."""
    start = _number("start", 0, 2**31 * 10)
    return _json({"bytes": Uploads(_library()).append(ticket, start, request.get_data())})


@blueprint.post("/upload/<ticket>/finish")
def finish_upload(ticket: str) -> Response:
    """The key of the image; ``name`` is what the user called the file."""
    key = Uploads(_library()).finish(ticket, request.args.get("name", "")[:200])
    return _json(asdict(_library().info(key)))


def _library() -> Library:
    return library(services().settings)


def _key() -> str:
    key = request.args.get("image", "")
    if not 0 < len(key) <= 4200:
        raise BadRequest("The request names no image.", "Give image=<key>.")
    return key


def _current(mark: str) -> ImageInfo:
    """The image asked about, if it still has this fingerprint. Raises ``NotFound``."""
    found = _library().info(_key())
    if not MARK.match(mark) or found.fingerprint != mark:
        raise NotFound("The image changed, or was never this one.", "Open it again.")
    return found


def _source(mark: str) -> ImageSource:
    """The opened image, if it still has this fingerprint. Raises ``NotFound``."""
    source = _library().open(_key())
    if not MARK.match(mark) or source.fingerprint != mark:
        raise NotFound("The image changed, or was never this one.", "Open it again.")
    return source


def _number(name: str, low: int, high: int) -> int:
    text = request.args.get(name, "")
    value = int(text) if NUMBER.match(text) or (text.isdigit() and len(text) < 12) else None
    if value is None or not low <= value <= high:
        raise BadRequest(
            f"{name}={text[:40]!r} is not usable.", f"Allowed are whole numbers {low} to {high}."
        )
    return value


def _kept(data: bytes, tag: str, mimetype: str = "image/jpeg") -> Response:
    response = Response(data, mimetype=mimetype)
    response.headers["Cache-Control"] = IMMUTABLE
    response.set_etag(tag)
    return response


def _json(value: Any) -> Response:
    response = Response(orjson.dumps(value), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
