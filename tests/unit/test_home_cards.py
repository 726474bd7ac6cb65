"""The model cards of the home page: measured numbers, and a page that can open the model."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from dash import dcc

from backend import catalog
from backend.nero import tasks
from components import home_cards


def link(key: str) -> dcc.Link:
    (found,) = (
        part for part in home_cards.model_card(key)._traverse() if isinstance(part, dcc.Link)
    )
    return found


@pytest.mark.parametrize("key", home_cards.ordered_models())
def test_a_model_is_opened_where_it_can_answer(key: str):
    task = catalog.card(key).task
    where = urlsplit(link(key).href)
    if where.path == "/nero":
        asked = parse_qs(where.query)
        assert key in catalog.models_for(asked["task"][0])
    else:
        assert where.path == home_cards.OPENED[task][1]
        assert task not in tasks.names()


def test_a_card_shows_what_was_measured_and_nothing_else():
    text = str(home_cards.model_card("crayon-birds"))
    for part in ("Worst group", "28.0 %", "Mean of groups"):
        assert part in text
    assert "Upright" not in text
    assert "unknown" not in text
    assert "0.21 px" in str(home_cards.model_card("piv-net"))
    assert "99.2 %" in str(home_cards.model_card("digits-plain"))
