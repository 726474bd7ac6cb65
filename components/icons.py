"""Icons as CSS masks, so that they take the colour of the text around them.

The vendored SVG files are folded into one stylesheet (one request instead of fifty):
``python -m components.icons`` writes it again after a file was added.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from dash import html

ASSETS: Final = Path(__file__).resolve().parent.parent / "assets"
FOLDER: Final = ASSETS / "vendor" / "icons"
STYLESHEET: Final = ASSETS / "01-icons.css"
HIDDEN: Final[dict[str, Any]] = {"aria-hidden": "true"}


def names() -> list[str]:
    """Names of the vendored icons, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.svg"))


@cache
def _known() -> frozenset[str]:
    """A page has a hundred icons: asking the disk for each took a fifth of the time to make one."""
    return frozenset(names())


def icon(name: str, class_name: str = "") -> html.Span:
    """A 16 px icon in the colour of the text. Decoration only: the control around it has the name.

    Raises:
        ValueError: there is no such file in ``assets/vendor/icons``.
    """
    if name not in _known():
        raise ValueError(f"No icon named {name!r} in assets/vendor/icons.")
    classes = f"lp-icon lp-icon-{name} {class_name}".strip()
    return html.Span(className=classes, **HIDDEN)


def stylesheet() -> str:
    """The text of ``assets/01-icons.css``: one class per vendored icon."""
    rules = [
        "/* Written by `python -m components.icons` from assets/vendor/icons (Tabler, MIT). */",
        ".lp-icon{display:inline-block;flex:none;width:16px;height:16px;vertical-align:-3px;"
        "background:currentColor;-webkit-mask:var(--lp-icon) center/contain no-repeat;"
        "mask:var(--lp-icon) center/contain no-repeat}",
    ]
    for name in names():
        svg = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        rules.append(f'.lp-icon-{name}{{--lp-icon:url("{_data_url(svg)}")}}')
    return "\n".join(rules) + "\n"


def _data_url(svg: str) -> str:
    """The drawing alone: comments, classes and the empty bounding path cost bytes."""
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s+class="[^"]*"', "", svg)
    svg = re.sub(r'<path stroke="none"[^>]*/>', "", svg)
    svg = svg.replace("currentColor", "#000").replace('stroke-width="2"', 'stroke-width="1.75"')
    svg = re.sub(r"\s+", " ", svg).replace("> <", "><").strip()
    return "data:image/svg+xml," + quote(svg, safe=" =:/'+,-.()<>").replace('"', "'")


if __name__ == "__main__":
    STYLESHEET.write_text(stylesheet(), encoding="utf-8")
