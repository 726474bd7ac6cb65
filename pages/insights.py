"""Insights: which phrases and patches drive success, and what should I change?

One server callback says what a set holds; the browser fetches the rest from ``/_insights`` and
draws. Each card asks for its own result, and shows the job that makes a missing one.
"""

from __future__ import annotations

from dash import html
from dash import register_page as register_dash_page

from components import insights_layout as parts
from components import insights_spec, insights_state, insights_tables
from components.insights_state import PAGE
from components.one_question import question_stores, register_question
from components.state import stores

register_dash_page(
    __name__,
    path="/insights",
    name="Insights",
    order=25,
    title="Insights · Loupe",
    description=parts.QUESTION,
    icon="bulb",
)


def layout(**query: str) -> html.Div:
    """The whole page for one query; cheap, opens no set and no model."""
    values, notices = insights_state.opened(query)
    page = [parts.head(values), *parts.told(), parts.desk(values), parts.tabs(values), parts.own()]
    page += [*parts.unseen(values), stores(PAGE, insights_state.schema(), notices)]
    page += question_stores(PAGE)
    return html.Div(page, id="insights-page", className="lp-page insights-page")


register_question(PAGE, "insights", insights_spec.answer)
insights_tables.register()
