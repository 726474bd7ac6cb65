"""All HTTP routes of the Modality gap page, in one place for the app."""

from __future__ import annotations

from flask import Flask

from components import gap_asking, gap_views


def register(server: Flask) -> None:
    """Adds the routes of every part."""
    for part in (gap_views, gap_asking):
        server.register_blueprint(part.blueprint)
