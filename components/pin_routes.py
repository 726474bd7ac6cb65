"""HTTP routes of the pinboard."""

from __future__ import annotations

import base64
import binascii
import html
import time
from collections.abc import Mapping
from typing import Any, Final

import orjson
from flask import Blueprint, Flask, Response, request

from backend.errors import BadRequest
from backend.pins import Pin, PinStore
from components.json_body import json_body
from components.runtime import services

HEAD: Final = "data:image/png;base64,"
STYLE: Final = (
    "body{font:14px system-ui,sans-serif;color:#1a1e24;background:#f4f5f7;max-width:960px;"
    "margin:32px auto;padding:0 16px}section{background:#fff;border:1px solid #dfe2e7;"
    "border-radius:6px;padding:16px;margin:16px 0}img{max-width:100%}p.s{font-size:16px;"
    "font-weight:600}p.h{color:#5a6370;font-size:12px;overflow-wrap:anywhere}"
)
blueprint = Blueprint("pins", __name__, url_prefix="/_pins")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


def store() -> PinStore:
    """The board of this installation."""
    return PinStore(services().engine)


@blueprint.post("/add")
def add() -> Response:
    """A plot of the open page: ``{sentence, title, honesty, url, png}``, the last a data URL."""
    body = json_body()
    png = body.get("png")
    if not isinstance(png, str) or not png.startswith(HEAD):
        raise BadRequest("The plot came without a picture.", "Reload the page and pin it again.")
    try:
        data = base64.b64decode(png.removeprefix(HEAD), validate=True)
    except binascii.Error as error:
        raise BadRequest("The picture is not base64.", "Reload the page.") from error
    given = {name: body.get(name, "") for name in ("sentence", "title", "honesty", "url")}
    return _reply({"id": store().add(given, data).id})


@blueprint.post("/<pin_id>/say")
def say(pin_id: str) -> Response:
    """Another sentence: ``{sentence}``."""
    store().say(pin_id, str(json_body().get("sentence", "")))
    return _reply({})


@blueprint.post("/<pin_id>/<any(up,down,remove):what>")
def change(pin_id: str, what: str) -> Response:
    """Moves a pin by one, or takes it off."""
    if what == "remove":
        store().remove(pin_id)
    else:
        store().move(pin_id, -1 if what == "up" else 1)
    return _reply({})


@blueprint.get("/<pin_id>.webp")
def picture(pin_id: str) -> Response:
    """The picture of a pin."""
    answer = Response(store().get(pin_id).picture, mimetype="image/webp")
    answer.headers["Cache-Control"] = "private, max-age=86400"
    return answer


@blueprint.get("/pinboard.json")
def export_json() -> Response:
    """The board as a file that :func:`import_json` reads."""
    data = orjson.dumps(store().exported(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    return _file(data, "application/json", "pinboard.json")


@blueprint.get("/pinboard.html")
def export_html() -> Response:
    """The board as one HTML file that needs nothing else."""
    return _file(written(store().all()).encode(), "text/html", "pinboard.html")


@blueprint.post("/import")
def import_json() -> Response:
    """Adds the pins of a file: ``{"pins": n}``."""
    file = request.files.get("file")
    if file is None:
        raise BadRequest("No file was given.", "Choose a pinboard.json.")
    return _reply({"pins": store().imported(file.read())})


def written(pins: list[Pin]) -> str:
    """Pins as one page: sentence, picture, what the plot says of itself, and its link."""
    parts = []
    for pin in pins:
        image = base64.b64encode(pin.picture).decode()
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(pin.pinned_at))
        parts.append(
            f'<section><p class="s">{html.escape(pin.sentence or pin.title)}</p>'
            f'<img alt="{html.escape(pin.title)}" src="data:image/webp;base64,{image}">'
            f'<p class="h">{html.escape(pin.title)} · {html.escape(pin.honesty)}<br>'
            f"pinned {day} · {html.escape(pin.url)}</p></section>"
        )
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Pinboard · Loupe</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<style>{STYLE}</style></head><body><h1>Pinboard</h1>{''.join(parts)}</body></html>"
    )


def _file(data: bytes, mime: str, name: str) -> Response:
    answer = Response(data, mimetype=mime)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers.set("Content-Disposition", "attachment", filename=f"loupe-{name}")
    return answer


def _reply(told: Mapping[str, Any]) -> Response:
    answer = Response(orjson.dumps(dict(told)), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
