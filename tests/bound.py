"""An app that owns its callbacks.

Dash keeps what ``dash.callback`` registers in lists of the process until some app answers its first
request: that app takes them all, whoever's they are. Tests make several apps in one process and
run in any order, so each app is asked once as soon as it is made.
"""

from __future__ import annotations

from dash import Dash


def bound(app: Dash) -> Dash:
    """The app after its first request; pages registered so far are its own."""
    assert app.server.test_client().get("/_dash-layout").status_code == 200
    return app
