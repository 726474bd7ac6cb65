"""Home's part about the user's own models and data sets."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from backend.registry import store, views
from components.home_cards import section
from components.icons import icon

MOST = 6


def own_section() -> html.Section:
    """Links to what the user has registered, the newest first, and the way to the Library."""
    own = store.listed()
    held: list[Any] = [
        *(
            (one.added_at, one.spec.told, "data set", views.of_set(one))
            for one in own.sets.values()
        ),
        *(
            (one.added_at, one.spec.title or one.spec.name, "model", views.of_model(one))
            for one in own.models.values()
        ),
    ]
    held.sort(key=lambda row: -row[0])
    tiles = [_tile(title, kind, opened) for _, title, kind, opened in held[:MOST]]
    tiles.append(_door(bool(held or own.away)))
    return section("Yours", html.Div(tiles, className="lp-tiles"))


def _tile(title: str, kind: str, opened: list[views.View]) -> dcc.Link:
    first = next((view for view in opened if view.href), None)
    where = f"Open in {first.name}" if first else opened[0].why
    return dcc.Link(
        [
            icon("database" if kind == "data set" else "cpu"),
            html.Div([html.H3(title), html.P(f"Your {kind}. {where}", className="lp-muted")]),
        ],
        href=first.href if first else "/library",
        className="lp-card lp-view-card",
    )


def _door(has_some: bool) -> dcc.Link:
    told = "Models and data of yours, checked before any view shows them."
    return dcc.Link(
        [
            icon("plus"),
            html.Div(
                [
                    html.H3("Library" if has_some else "Bring your own"),
                    html.P(told, className="lp-muted"),
                ]
            ),
        ],
        href="/library",
        className="lp-card lp-view-card",
        id="home-own",
    )
