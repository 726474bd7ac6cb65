"""Colours, type and plot templates: the one place that decides how Loupe looks in Python.

The same values are written as CSS tokens in ``assets/00-tokens.css``; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from components.icons import icon

__all__ = [
    "CURSOR",
    "FONT",
    "MODEL_COLOURS",
    "RING",
    "SCHEMES",
    "Scheme",
    "icon",
    "mantine_theme",
    "model_colour",
    "register_templates",
    "template",
    "translucent",
]

Scheme = Literal["light", "dark"]

FONT: Final = "'Inter Variable', system-ui, sans-serif"

MODEL_COLOURS: Final = (
    "#2f6fdb",  # first model: blue
    "#c2218f",  # second model: magenta
    "#c76a12",
    "#0e8a76",
    "#7d5fd3",
    "#8a673f",
    "#2a8cb5",
    "#757d88",
)
"""Model A, model B, then a colour-blind-safe continuation; at least 3:1 on both surfaces."""

CURSOR: Final = "#1f9d47"
"""The chosen element of an orbit: the line or dot that the user moves."""

RING: Final = "#dd3d2d"
"""The ring around the chosen item."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Neutral colours of one scheme, as in ``assets/00-tokens.css``."""

    background: str
    surface: str
    raised: str
    line: str
    grid: str
    text: str
    muted: str
    accent: str


SCHEMES: Final[Mapping[Scheme, Surface]] = {
    "light": Surface(
        background="#f4f5f7",
        surface="#ffffff",
        raised="#f8f9fa",
        line="#dfe2e7",
        grid="#e8eaee",
        text="#1a1e24",
        muted="#5a6370",
        accent="#0b7285",
    ),
    "dark": Surface(
        background="#101317",
        surface="#171b20",
        raised="#1e2329",
        line="#2c333b",
        grid="#262c33",
        text="#e4e7eb",
        muted="#98a2ae",
        accent="#45b8cb",
    ),
}


def model_colour(index: int) -> str:
    """Colour of the ``index``-th model of a comparison, ``#rrggbb``; repeats after the last."""
    return MODEL_COLOURS[index % len(MODEL_COLOURS)]


def translucent(colour: str, opacity: float) -> str:
    """``#rrggbb`` with an opacity in [0, 1], as CSS ``rgba(...)``."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def _axis(tone: Surface) -> dict[str, Any]:
    return {
        "gridcolor": tone.grid,
        "linecolor": tone.line,
        "zerolinecolor": tone.line,
        "tickcolor": tone.line,
        "tickfont": {"color": tone.muted, "size": 11},
        "title": {"font": {"color": tone.muted, "size": 12}},
        "automargin": True,
    }


def template(scheme: Scheme) -> dict[str, Any]:
    """Plotly layout template of one scheme: transparent paper, our font, quiet grid."""
    tone = SCHEMES[scheme]
    axis = _axis(tone)
    round_axis = {key: value for key, value in axis.items() if key not in _NOT_POLAR}
    return {
        "layout": {
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 12, "color": tone.text},
            "colorway": list(MODEL_COLOURS),
            "margin": {"l": 44, "r": 12, "t": 12, "b": 36},
            "xaxis": axis,
            "yaxis": axis,
            "polar": {
                "bgcolor": "rgba(0,0,0,0)",
                "angularaxis": round_axis,
                "radialaxis": round_axis,
            },
            "legend": {"font": {"size": 12}, "bgcolor": "rgba(0,0,0,0)"},
            "hoverlabel": {
                "bgcolor": tone.raised,
                "bordercolor": tone.line,
                "font": {"family": FONT, "size": 12, "color": tone.text},
            },
            "modebar": {
                "bgcolor": "rgba(0,0,0,0)",
                "color": tone.muted,
                "activecolor": tone.accent,
            },
            "colorscale": {"sequential": "Viridis", "sequentialminus": "Cividis"},
            "dragmode": "pan",
        }
    }


_NOT_POLAR: Final = ("title", "zerolinecolor", "automargin")


def register_templates() -> None:
    """Make ``template="loupe-light"`` and ``"loupe-dark"`` known to plotly."""
    import plotly.graph_objects as go
    import plotly.io as pio

    for scheme in SCHEMES:
        pio.templates[f"loupe-{scheme}"] = go.layout.Template(template(scheme))


def mantine_theme() -> dict[str, Any]:
    """Theme object of ``MantineProvider``: dense sizes, 4 px grid, one accent called ``loupe``."""
    return {
        "fontFamily": FONT,
        "fontFamilyMonospace": "ui-monospace, 'SF Mono', 'DejaVu Sans Mono', monospace",
        "primaryColor": "loupe",
        "primaryShade": {"light": 8, "dark": 5},
        "defaultRadius": "sm",
        "cursorType": "pointer",
        "focusRing": "auto",
        "respectReducedMotion": True,
        "colors": {"loupe": list(_ACCENT), "dark": list(_DARK), "gray": list(_GREY)},
        "fontSizes": {"xs": "11px", "sm": "12px", "md": "13px", "lg": "15px", "xl": "18px"},
        "spacing": {"xs": "4px", "sm": "8px", "md": "12px", "lg": "16px", "xl": "24px"},
        "radius": {"xs": "2px", "sm": "4px", "md": "6px", "lg": "8px", "xl": "12px"},
        "headings": {"fontFamily": FONT, "fontWeight": "600"},
        "components": {name: {"defaultProps": {"size": "xs"}} for name in _DENSE},
    }


_DENSE: Final = (
    "ActionIcon",
    "Autocomplete",
    "Button",
    "Checkbox",
    "Chip",
    "MultiSelect",
    "NumberInput",
    "Radio",
    "SegmentedControl",
    "Select",
    "Switch",
    "TagsInput",
    "TextInput",
    "Textarea",
)
_ACCENT: Final = (
    "#e8f6f9",
    "#d3ebf0",
    "#a6d6e0",
    "#76c1cf",
    "#5abdcf",
    "#45b8cb",
    "#2a9db1",
    "#15879b",
    "#0b7285",
    "#055a6a",
)
_DARK: Final = (
    "#e4e7eb",
    "#c3c9d0",
    "#98a2ae",
    "#6d7783",
    "#2c333b",
    "#262c33",
    "#1e2329",
    "#171b20",
    "#101317",
    "#0a0c0f",
)
_GREY: Final = (
    "#f8f9fa",
    "#f4f5f7",
    "#e8eaee",
    "#dfe2e7",
    "#c8cdd4",
    "#a3abb6",
    "#737d8a",
    "#5a6370",
    "#333a43",
    "#1a1e24",
)
