"""Modality gap: how far apart do images and texts lie, and does it matter?

One server callback says which spaces there are; the browser fetches the rest from ``/_gap``. Each
card asks for its own result, and shows the job that makes a missing one.
"""

from __future__ import annotations

from dash import dcc, html
from dash import register_page as register_dash_page

from components import gap_layout as parts
from components import gap_spec, gap_state, gap_tables, selection
from components.gap_state import PAGE
from components.one_question import question_stores, register_question
from components.state import stores

register_dash_page(
    __name__,
    path="/modality-gap",
    name="Modality gap",
    order=45,
    title="Modality gap · Loupe",
    description=parts.QUESTION,
    icon="arrows-left-right",
)


def layout(**query: str) -> html.Div:
    """The whole page for one query; cheap, opens no space."""
    values, notices = gap_state.opened(query)
    page = [parts.head(values), parts.said(), parts.desk(), parts.numbers(), parts.slider()]
    page += [parts.tabs(values), parts.own(), *parts.unseen(values)]
    page += [stores(PAGE, gap_state.schema(), notices), *question_stores(PAGE)]
    page.append(dcc.Store(id=selection.announce(PAGE)))
    return html.Div(page, id=f"{PAGE}-page", className="lp-page gap-page")


register_question(PAGE, "gap", lambda question, visit: gap_spec.answer(question))
gap_tables.register()
