"""All HTTP routes of the Insights page, in one place for the app."""

from __future__ import annotations

from flask import Flask

from components import insights_asking, insights_views

PARTS = (insights_views, insights_asking)


def register(server: Flask) -> None:
    """Adds the routes of every part."""
    for part in PARTS:
        part.register(server)
