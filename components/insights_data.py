"""The HTTP routes that need contents only, no model: pictures, drafts, imports."""

from __future__ import annotations

from flask import Flask

from components import insights_drafts, insights_import, insights_pictures

PARTS = (insights_pictures, insights_drafts, insights_import)


def register(server: Flask) -> None:
    """Adds the routes of every part."""
    for part in PARTS:
        server.register_blueprint(part.blueprint)
