"""What the answering steps of the Crayon page ask of the server beside the answers themselves."""

from __future__ import annotations

import pytest

from backend.crayon import requests
from backend.crayon.answers import REASONS, Answer
from components import crayon_annotate, crayon_votes
from tests.crayon_bench import client_of, forget, garments_bench, part_of_garments, told


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with garments_bench(tmp_path_factory.mktemp("state"), part_of_garments()) as services:
        yield services


@pytest.fixture
def bench(shared):
    return forget(shared)


def test_votes_are_of_people_and_an_adjudication_wins(bench):
    model = requests.fingerprint("garments")

    def said(who, patch, answer, source="human"):
        name = f"{who[:3]}-{source}"
        return Answer(name, patch, "garments", model, "patch", patch, who, answer, source)

    bench.answers.add(
        [
            *(said("anna", 0, "yes"), said("anna", 1, "no"), said("anna", 2, "maybe")),
            *(said("ben", 1, "no"), said("ben", 0, "no"), said("ben", 0, "yes", "adjudicated")),
            *(
                said("simulated 1", 3, "no", "simulated"),
                said("simulated 1", 1, "yes", "simulated"),
            ),
        ]
    )
    http = client_of(bench)
    http.application.register_blueprint(crayon_votes.blueprint)
    found = told(http.get("/_crayon/votes?set=garments"))
    assert found == {"votes": {"0": 1, "1": -1, "2": 0}}
    found = told(http.get("/_crayon/votes?set=garments&source=simulated"))
    assert found == {"votes": {"1": 1, "3": -1}}
    wrong = told(http.get("/_crayon/votes?set=garments&source=parrots"), 400)
    assert "parrots" in wrong["message"]


def test_reasons_are_those_the_store_knows():
    assert ("", *crayon_annotate.REASONS) == REASONS


def test_both_panels_have_every_part_the_scripts_fill():
    needed = {
        *("name", "name-field", "name-said", "bar", "progress", "saved", "banner", "question"),
        *(
            "stage",
            "views",
            "swipe",
            "empty",
            "why",
            "said",
            "answers",
            "reasons",
            "tools",
            "strip",
        ),
        *("people", "agreement", "simulated", "files", "keys"),
    }
    for panel, more in (
        (crayon_annotate.map_panel(), set()),
        (crayon_annotate.patch_panel(), {"neuron"}),
    ):
        parts = [getattr(one, "data-part", None) for one in panel._traverse()]
        found = [name for name in parts if name]
        assert len(found) == len(set(found))
        assert set(found) == needed | more
