"""One app for all attacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dash import Dash
from flask.testing import FlaskClient

from app import create_app
from backend.settings import Settings
from components.runtime import Services, create_services
from tests.bound import bound
from tests.fake_work import WORKS


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    env = {"LOUPE_STATE_DIR": str(tmp_path_factory.mktemp("state"))}
    services = create_services(Settings.from_env(env), WORKS)
    yield services
    services.close()


@pytest.fixture(scope="module")
def app(held: Services) -> Dash:
    return bound(create_app(held.settings, held))


@pytest.fixture
def client(app: Dash) -> FlaskClient:
    return app.server.test_client()
