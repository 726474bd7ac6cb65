"""The HTML page that loads Dash: theme before the first paint, plot templates, favicon."""

from __future__ import annotations

from functools import cache
from typing import Final

import orjson
from dash import Dash

from components.theme import CURSOR, MODEL_COLOURS, RING, SCHEMES, template

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <meta name="color-scheme" content="light dark">
        <title>{%title%}</title>
        <link rel="icon" type="image/svg+xml" href="/assets/logo.svg">
        <link rel="preload" href="/assets/vendor/inter/inter-latin-wght-normal.woff2" as="font"
              type="font/woff2" crossorigin>
        <script src="/assets/00-first-paint.js"></script>
        <script type="application/json" id="loupe-theme">@THEME@</script>
        {%css%}
    </head>
    <body>
        {%app_entry%}
        <footer>
            {%config%}
            {%scripts%}
            {%renderer%}
        </footer>
        <noscript>Loupe needs JavaScript.</noscript>
    </body>
</html>"""


def page() -> str:
    """The index template for Dash."""
    theme = {
        "templates": {scheme: template(scheme) for scheme in SCHEMES},
        "models": MODEL_COLOURS,
        "cursor": CURSOR,
        "ring": RING,
    }
    text = orjson.dumps(theme).decode().replace("<", "\\u003c")
    return _PAGE.replace("@THEME@", text)


def keep_config(app: Dash) -> None:
    """Write Dash's description of the app for browsers once, and without the layout of every page.

    Those layouts are 750 kB with each page that is opened, for checks in the browser that
    ``tests/contract/test_pages.py`` makes instead; and annotators would see what they may not open.
    """
    app.config.suppress_callback_exceptions = True
    app._generate_config_html = cache(app._generate_config_html)  # type: ignore[method-assign]
