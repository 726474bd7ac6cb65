"""An app with a login and a client for each role, for all tests of teams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dash import Dash
from flask.testing import FlaskClient

from backend.team.people import ROLES
from tests.team_app import (
    Held,
    logged_in,
    team_app,
)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    with team_app(tmp_path_factory.mktemp("team")) as found:
        yield found


@pytest.fixture(scope="module")
def app(held: Held) -> Dash:
    return held[0]


@pytest.fixture(scope="module")
def clients(held: Held) -> dict[str, FlaskClient]:
    make_patient(held)
    return {role: logged_in(held[0], role) for role in ROLES}


@pytest.fixture(autouse=True)
def _patient(held: Held) -> None:
    make_patient(held)


def make_patient(held: Held) -> None:
    """Whole budgets again: each test begins with them."""
    team = held[1].team
    assert team is not None
    for bucket in (team.guesses, team.from_one, team.about_one, team.writes):
        bucket._held.clear()
