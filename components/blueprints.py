"""Every page's HTTP routes, added to the server in one place."""

from __future__ import annotations

from typing import Final

from flask import Flask

from components import (
    crayon_api,
    fair_routes,
    gap_routes,
    images_routes,
    insights_api,
    insights_data,
    library_routes,
    metric_routes,
    nero_routes,
    pin_routes,
    workspace_routes,
    zoom_actions,
    zoom_routes,
)

MODULES: Final = (
    nero_routes,
    zoom_routes,
    zoom_actions,
    crayon_api,
    gap_routes,
    fair_routes,
    insights_api,
    insights_data,
    images_routes,
    library_routes,
    metric_routes,
    pin_routes,
    workspace_routes,
)


def register(server: Flask) -> None:
    """Adds the routes of every page."""
    for module in MODULES:
        module.register(server)
