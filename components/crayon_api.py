"""All HTTP routes of the Crayon page, in one place for the app."""

from __future__ import annotations

from flask import Flask

from components import (
    crayon_actions,
    crayon_compared,
    crayon_routes,
    crayon_runs,
    crayon_views,
    crayon_votes,
)

PARTS = (
    crayon_routes,
    crayon_actions,
    crayon_votes,
    crayon_views,
    crayon_runs,
    crayon_compared,
)


def register(server: Flask) -> None:
    """Adds the routes of every part."""
    for part in PARTS:
        server.register_blueprint(part.blueprint)
