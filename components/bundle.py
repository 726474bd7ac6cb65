"""The app's own scripts and styles as one file each: a page asks for 20 files instead of 170.

The file is named by its contents, so browsers keep it for good. ``assets/`` stays as it is: Dash
lists its files, in the order of their names, and here their tags are written as one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from dash import Dash
from flask import Response, request

KEPT: Final = "public, max-age=31536000, immutable"
NAME: Final = re.compile(r"/assets/loupe-([0-9a-f]{16})\.(js|css)")
LISTED: Final = {  # as Dash writes them: a name and when the file was last changed
    "js": re.compile(r'<script src="/assets/([\w.-]+\.js)\?m=([\d.]+)"></script>\s*'),
    "css": re.compile(r'<link rel="stylesheet" href="/assets/([\w.-]+\.css)\?m=([\d.]+)">\s*'),
}
TAG: Final = {
    "js": '<script src="/assets/loupe-{}.js"></script>\n',
    "css": '<link rel="stylesheet" href="/assets/loupe-{}.css">\n',
}
MIME: Final = {"js": "text/javascript", "css": "text/css"}
# As with files of their own, one that fails is heard of and does not keep the others from running.
ALONE: Final = "try {{\n{}\n}} catch (error) {{ setTimeout(() => {{ throw error; }}); }}\n"
Joined = Callable[[str, tuple[tuple[str, str], ...]], tuple[str, str]]


def join(app: Dash, folder: Path) -> None:
    """Name and answer one file of all scripts and one of all styles in ``folder``."""
    listed = {"js": app._generate_scripts_html, "css": app._generate_css_dist_html}
    joined = lru_cache(maxsize=8)(partial(_joined, folder))
    app._generate_scripts_html = partial(_tags, listed["js"], joined, "js")  # type: ignore[method-assign]
    app._generate_css_dist_html = partial(_tags, listed["css"], joined, "css")  # type: ignore[method-assign]

    @app.server.before_request
    def send() -> Response | None:
        asked = NAME.fullmatch(request.path)
        if not asked:
            return None
        kind = asked[2]
        name, text = joined(kind, tuple(LISTED[kind].findall(listed[kind]())))
        response = Response(text, mimetype=MIME[kind])
        # A page from before a change gets what there is now, under a name that must not keep it.
        response.headers["Cache-Control"] = KEPT if name == asked[1] else "no-cache"
        return response


def _tags(listed: Callable[[], str], joined: Joined, kind: str) -> str:
    """Dash's tags with one in place of those of ``assets/``."""
    text = listed()
    files = LISTED[kind].findall(text)
    if not files:
        return text
    before, after = text[: text.index("/assets/")].rpartition("<")[0], LISTED[kind].sub("", text)
    name, _ = joined(kind, tuple(files))
    return before + TAG[kind].format(name) + after[len(before) :]


def _joined(folder: Path, kind: str, files: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """A name of the contents, and the contents; files are read again when one has changed."""
    parts = [(folder / name).read_text(encoding="utf-8") for name, _ in files]
    text = "\n".join(parts) if kind == "css" else "".join(ALONE.format(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16], text
