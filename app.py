"""Wires Loupe together: ``create_app(settings)`` for tests and servers, ``python app.py`` to run.

Dash is imported inside the functions: worker processes import this file again when they start, and
must not pay for a web framework.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dash import Dash

    from backend.settings import Settings
    from components.runtime import Services

HERE = Path(__file__).resolve().parent


def create_app(settings: Settings, services: Services | None = None) -> Dash:
    """A new app with its own services; nothing runs and nothing listens yet."""
    from backend import plugins
    from components import (
        blueprints,
        bundle,
        index,
        login,
        notices,
        observe,
        routes,
        runtime,
        security,
        shell,
        theme,
    )

    app = _dash(index.page(), notices.on_error)
    plugins.load()
    theme.register_templates()
    held = services or runtime.create_services(settings)
    observe.register(app, held)
    security.protect(app, settings, login.register(app, settings, held))
    routes.register(app.server, held)
    blueprints.register(app.server)
    shell.register(app)
    index.keep_config(app)
    bundle.join(app, HERE / "assets")
    app.layout = partial(shell.layout, settings)
    return app


def _dash(page: str, on_error: Callable[[Exception], None]) -> Dash:
    from dash import Dash

    return Dash(
        __name__,
        use_pages=True,
        pages_folder=str(HERE / "pages"),
        assets_folder=str(HERE / "assets"),
        assets_ignore="^openseadragon",  # the page that needs it loads it
        title="Loupe",
        update_title=None,  # type: ignore[arg-type]  # no "Updating..." flicker in the tab
        index_string=page,
        on_error=on_error,
    )


if __name__ == "__main__":
    from components.serve import main

    main(create_app)
