"""The page for an address that is none of ours."""

from __future__ import annotations

from dash import dcc, html, register_page

from components.icons import icon
from components.method_card import named

register_page(__name__, name="Not found", title="Not found · Loupe")


def layout(**_query: str) -> html.Div:
    """What happened, and where to go."""
    return html.Div(
        [
            html.Span(className="lp-logo lp-lost-logo", **named(aria_hidden="true")),
            html.H1("Nothing here"),
            html.P(
                "This address is not a page of Loupe. A link may have been cut off when it was "
                "copied, or the page has another name now.",
                className="lp-lede",
            ),
            html.Div(
                [
                    dcc.Link([icon("home"), "Home"], href="/", className="lp-btn lp-btn-main"),
                    dcc.Link([icon("list-check"), "Jobs"], href="/jobs", className="lp-btn"),
                ],
                className="lp-actions",
            ),
        ],
        className="lp-page lp-lost",
    )
