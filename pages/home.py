"""Home: what is here, and what can I do with it?"""

from __future__ import annotations

from dash import html, register_page

register_page(__name__, path="/", name="Home", title="Home · Loupe", order=0, icon="home")


def layout(**_query: str) -> html.Div:
    """Placeholder."""
    return html.Div([html.H1("Loupe")], className="lp-page")
