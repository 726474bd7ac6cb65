"""The app's services around an untrained network and a small part of the garments, for tests."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import orjson
import pytest
import torch
from flask import Flask

from backend import catalog
from backend.crayon import examples, sets, work
from backend.crayon.answers import TABLE
from backend.crayon.requests import maps_job, patches_job
from backend.settings import Settings
from components import crayon_routes, routes
from components.runtime import create_services
from models.cards import InputSpec, ModelCard
from models.guided_nets import GarmentNet
from tests.fake_work import WORKS

CARD = ModelCard(
    key="crayon-garments",
    title="Garments, original",
    task="crayon",
    summary="A test.",
    architecture="GarmentNet",
    input=InputSpec(3, 28, 28),
    classes=("pullover", "coat"),
    layers=("stage",),
    licence="a test's",
    data="none",
    command="none",
    metrics={},
    weights_file="none.safetensors",
    weights_sha256="ab" * 32,
    limits="none",
)


class Ticket:
    def __init__(self, store):
        self.store = store
        self.lines = []

    def log(self, text):
        self.lines.append(json.loads(text))

    def __call__(self, done, total):
        pass


def part_of_garments():
    """A part of the garments, so that a test takes seconds."""
    whole = sets.load("garments")
    rows = np.concatenate(
        [whole.rows(s)[:n] for s, n in zip(sets.SPLITS, (60, 24, 24), strict=True)]
    )
    return replace(
        whole,
        labels=whole.labels[rows],
        groups=whole.groups[rows],
        split=whole.split[rows],
        read=lambda r: whole.read(rows[list(r)].tolist()),
        cover=lambda r, shape: whole.cover(rows[list(r)].tolist(), shape),
    )


@contextmanager
def garments_bench(state, small):
    """Services whose set "garments" is ``small``, with its maps and patches computed."""
    torch.manual_seed(0)
    net = GarmentNet(2).eval().requires_grad_(False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalog.models(), CARD.key, CARD)
        patch.setattr(examples, "original", lambda key: net)
        patch.setattr(
            sets, "load", lambda key, load=sets.load: small if key == "garments" else load(key)
        )
        patch.setenv("LOUPE_STATE_DIR", str(state))
        services = create_services(Settings.from_env({"LOUPE_STATE_DIR": str(state)}), WORKS)
        ticket = Ticket(services.store)
        for job, run in ((maps_job, work.maps), (patches_job, work.patches)):
            made = job("garments")
            services.store.put(made.key, run(made.params, ticket))
        yield services
        services.close()


def forget(services):
    """No answers, no runs' answers: each test starts from the same."""
    with services.answers.engine.begin() as connection:
        connection.execute(TABLE.delete())
    return services


def client_of(services):
    """A client of the routes."""
    server = Flask("crayon-test")
    routes.register(server, services)
    crayon_routes.register(server)
    return server.test_client()


def told(response, status=200):
    """The JSON of a reply that must have this status."""
    assert response.status_code == status, response.get_data(as_text=True)
    return orjson.loads(response.get_data())
