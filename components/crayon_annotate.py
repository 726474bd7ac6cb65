"""The annotation panels of the Crayon page."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component


def map_panel() -> Component:
    """Where maps are answered about."""
    return html.Div(id="crayon-annotate-maps", className="crayon-annotate")


def patch_panel() -> Component:
    """Where patches of neurons are answered about."""
    return html.Div(id="crayon-annotate-neurons", className="crayon-annotate")
