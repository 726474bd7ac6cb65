"""HTTP routes of contents' pictures: whole, drawn with a draft's changes, or a patch of one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

import orjson
from flask import Blueprint, Response, request

from backend.errors import BadRequest, NotFound
from backend.insights import changes, contents
from backend.insights.contents import Contents, Pictures
from backend.insights.pictures import box_of, cut
from backend.media import encoded
from backend.protocols import U8
from components.runtime import services

KEPT: Final = "public, max-age=31536000, immutable"
SIZES: Final = (64, 96, 128, 256, 512)
LONGEST_DRAFT: Final = 60_000  # characters in the address
blueprint = Blueprint("insights_pictures", __name__, url_prefix="/_insights")


@blueprint.get("/image/<item_set>/<int:row>.webp")
def image(item_set: str, row: int) -> Response:
    """The picture of a content: ``?px=128&v=fingerprint``."""
    held = contents.load(item_set)
    found, px = _pictures(held, row), _size()
    return _sent(held, f"{row}:{px}", lambda: found.image(row, px))


@blueprint.get("/drawn/<item_set>/<int:row>.webp")
def drawn(item_set: str, row: int) -> Response:
    """The picture with a draft's changes: ``?draft=JSON&px=&v=``.

    Words are drawn anew where the set is drawn here; in other pictures only edits show.
    """
    held = contents.load(item_set)
    found, px, text = _pictures(held, row), _size(), request.args.get("draft", "{}")
    if len(text) > LONGEST_DRAFT:
        raise BadRequest("The draft is too long to draw.", "Shorten its texts.")
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest("The draft is not JSON.", "Reload the page.") from error
    made = changes.checked(held, said)
    name = hashlib.sha256(orjson.dumps(made.told(), option=orjson.OPT_SORT_KEYS)).hexdigest()
    parts = made.parts(held, row)
    return _sent(held, f"{row}:{px}:{name}", lambda: found.draft(row, parts, made.edits, px))


@blueprint.get("/patch/<item_set>/<int:row>.webp")
def patch(item_set: str, row: int) -> Response:
    """A part of a picture: ``?box=x,y,w,h&px=&v=``, the box in shares of the sides."""
    held = contents.load(item_set)
    found, px, text = _pictures(held, row), _size(), request.args.get("box", "")
    box = box_of(text.split(","), "the patch")
    return _sent(held, f"{row}:{px}:{box}", lambda: cut(found.image(row, 512), box, px))


def _pictures(held: Contents, row: int) -> Pictures:
    held.checked_row(row)
    if held.pictures is None or not held.pictures.has_image[row]:
        raise NotFound(f"Content {held.ids[row][:60]} has no picture.")
    return held.pictures


def _size() -> int:
    text = request.args.get("px", "128")
    if text not in map(str, SIZES):
        raise BadRequest(
            f"px={text[:20]!r} is not a size here.", f"Sizes are {', '.join(map(str, SIZES))}."
        )
    return int(text)


def _sent(held: Contents, what: str, draw: Callable[[], U8]) -> Response:
    """A picture, drawn once; kept for good where the address names what it was drawn from."""
    tag = f"insights:{held.key}:{held.fingerprint}:{request.endpoint}:{what}"
    data = services().small.get(tag)
    if data is None:
        data = encoded(draw(), lossless=False)
        services().small.put(tag, data)
    answer = Response(data, mimetype="image/webp")
    is_named = request.args.get("v") == held.fingerprint
    answer.headers["Cache-Control"] = KEPT if is_named else "no-store"
    return answer
