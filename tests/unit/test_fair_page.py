"""The fair-retrieval page around the bundled drawings: pool, ways, routes, tables, bad input."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from dash import Dash, html
from flask.testing import FlaskClient

from backend.errors import BadRequest
from backend.fair import opening, survey, training_splits, ways, work
from backend.fair import pool as pools
from backend.fair.ways import Way
from backend.settings import Settings
from components import fair_layout, fair_routes, fair_state, fair_tables, routes
from components.runtime import BUNDLED, Services, create_services
from components.security import protect
from components.tables import TABLES
from models import cards
from tests.fake_work import WORKS

WORK = {"fair.answer": work.answer, "fair.encode": work.encode}


class Ticket:
    """Progress that goes nowhere."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __call__(self, done: int, total: int) -> None:
        assert 0 <= done <= total


class Encoder:
    """Vectors that depend on the text only; none for a text without letters."""

    def embed(self, texts: list[str]) -> np.ndarray:
        seeds = [sum(map(ord, text)) for text in texts]
        rows = np.stack([np.random.default_rng(seed).normal(size=256) for seed in seeds])
        rows[[not any(map(str.isalpha, text)) for text in texts]] = np.nan
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    state = {"LOUPE_STATE_DIR": str(tmp_path_factory.mktemp("state"))}
    held = create_services(Settings.from_env(state), WORKS)
    yield held
    held.close()


@pytest.fixture(scope="module")
def client(services: Services) -> FlaskClient:
    app = Dash("fair-routes-test")
    app.layout = html.Div()
    routes.register(app.server, services)
    fair_routes.register(app.server)
    protect(app, services.settings)
    fair_tables.register()
    return app.server.test_client()


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Surveys with few steps."""
    monkeypatch.setattr(survey, "DRAWS", 1)
    monkeypatch.setattr(survey, "STEPS", 3)
    monkeypatch.setattr(survey, "NOISES", (0.0, 2.0))
    monkeypatch.setattr(survey, "SHARES_DROPPED", (0.0, 0.5))


@pytest.fixture(autouse=True)
def in_process(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Works run here and now, and the encoder is a made-up one."""

    def call(name: str, params: dict[str, Any], timeout_s: float = 10.0) -> Any:
        return WORK[name](params, Ticket(services.store))

    monkeypatch.setattr(services.jobs, "call", call)
    monkeypatch.setattr(work, "_encoder", Encoder)
    fair_routes._encoded.cache_clear()


def asked(client: FlaskClient, status: int = 200, **values: Any) -> dict[str, Any]:
    response = client.post("/_fair/answer", json=values)
    assert response.status_code == status, response.text[:300]
    found: dict[str, Any] = orjson.loads(response.data)
    return found


def test_the_pool_is_balanced_as_drawn_and_as_skewed_as_asked():
    held = pools.people()
    assert len(held) == 1710
    assert len(held.activities) == 57
    for name in pools.ATTRIBUTES:
        signs = held.groups[name]
        assert (signs == 1).sum() == (signs == -1).sum()
        assert np.linalg.norm(held.prompts[name], axis=-1) == pytest.approx(1)
    rows = pools.kept(held, "gender", 0.75, seed=1)
    left = held.groups["gender"][rows]
    assert (left == 1).sum() == 570
    assert (left == -1).sum() == 171  # 3 of 10 in each activity: the nearest to a third
    assert (np.bincount(held.activity[rows]) > 20).all()  # every query stays possible
    assert (pools.kept(held, "tone", 0.5) == np.arange(1710)).all()
    with pytest.raises(BadRequest, match=r"0\.95"):
        pools.kept(held, "gender", 0.95)


def test_no_drawing_of_the_pool_has_the_tone_that_training_saw_in_its_styles():
    assert not any("unspecified" in looks or "OpenMoji" in looks for looks in pools.people().looks)


@pytest.mark.parametrize("scoring", ways.SCORINGS)
def test_every_scoring_ranks_all_rows(scoring):
    held, rows = pools.people(), np.arange(0, 1710, 3)
    found = ways.all_scores(held, "gender", rows, held.queries[:4], Way(scoring=scoring))
    assert found.shape == (4, len(rows))
    one = ways.scores(held, "gender", rows, ways.listed(held, "gender", 2), Way(scoring=scoring))
    if scoring != "random":
        assert one == pytest.approx(found[2], abs=1e-6)


def test_predictors_guess_better_than_chance_and_a_margin_and_noise_do_what_they_say():
    held, rows = pools.people(), np.arange(1710)
    query = ways.listed(held, "gender", 0)
    truth = held.groups["gender"]
    for predictor in ("mlp", "prompt", "words"):
        said = ways.predicted(held, "gender", rows, query, Way(predictor=predictor))
        both = truth != 0
        assert (said == truth)[both].mean() > 0.55
        wide = ways.predicted(held, "gender", rows, query, Way(predictor=predictor, margin=1.0))
        assert (wide == 0).sum() > (said == 0).sum()
        noisy = ways.predicted(held, "gender", rows, query, Way(predictor=predictor, noise=4.0))
        assert (noisy == truth)[both].mean() < (said == truth)[both].mean()


def test_true_groups_balance_and_the_truth_measures_what_a_predictor_selects(client):
    found = asked(client, query="cook", k=24, share=0.75, predictor="truth")
    minus, _, plus = found["after"]["counts"]
    assert minus == plus
    assert found["before"]["counts"][2] > found["before"]["counts"][0]
    assert found["after"]["counts"] == found["after"]["counts_predicted"]
    assert found["before"]["recall"] >= found["after"]["recall"] > 0.5
    guessed = asked(client, query="cook", k=24, share=0.75, predictor="mlp")
    assert guessed["after"]["counts"] != guessed["after"]["counts_predicted"]
    assert guessed["before"]["ids"] == found["before"]["ids"]
    assert sum(map(sum, guessed["predictor"]["confusion"])) == found["n"]


def test_p_zero_is_the_plain_ranking_and_k_may_be_odd(client):
    found = asked(client, query="judge", k=25, p=0)
    assert found["after"]["ids"] == found["before"]["ids"]
    odd = asked(client, query="judge", k=25, p=1)
    minus, _, plus = odd["after"]["counts"]
    assert abs(plus - minus) <= 1
    assert len(odd["after"]["ids"]) == 25


def test_a_typed_query_is_encoded_and_one_that_names_a_group_is_told(client):
    found = asked(client, typed="  someone   baking ")
    assert found["query"] == "someone baking"
    assert found["relevant"] is None
    assert found["neutral"]
    assert "recall" not in found["before"]
    assert not asked(client, typed="a male cook")["neutral"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"typed": "?!"}, "no word"),
        ({"query": "king"}, "'king' is no query"),
        ({"k": 0}, "k"),
        ({"k": 121}, "k"),
        ({"p": 1.5}, "p"),
        ({"share": 0.99}, "share"),
        ({"method": "magic"}, "method"),
        ({"own": "0" * 64}, "not stored"),
        ({"own": "../x"}, "no imported table"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(client, values, words):
    status = 404 if values.get("own") == "0" * 64 else 400
    assert words in asked(client, status, **values)["message"]


def imported(client: FlaskClient, text: str, name: str = "t.csv", status: int = 200, **more: str):
    data = {"table": (io.BytesIO(text.encode()), name), **more}
    response = client.post("/_fair/import", data=data, content_type="multipart/form-data")
    assert response.status_code == status, response.text[:300]
    return orjson.loads(response.data)


def test_scores_of_ones_own_are_balanced_by_their_predicted_groups(client):
    rows = [f"{i},{1 - i / 40},{'m' if i < 30 else 'f'},{'m' if i % 2 else 'f'}" for i in range(40)]
    held = imported(client, "id,score,group,predicted\n" + "\n".join(rows), plus="m", minus="f")
    assert (held["n"], held["counts"], held["has_predicted"]) == (40, [10, 0, 30], True)
    found = asked(client, own=held["own"], k=10, predictor="mlp")
    assert found["after"]["counts_predicted"] == [5, 0, 5]
    assert found["labels"]["0"] == "0"
    assert asked(client, own=held["own"], k=10)["after"]["counts"] == [5, 0, 5]
    assert "K = 60" in asked(client, 400, own=held["own"], k=60)["message"]
    assert "embeddings" in asked(client, 400, own=held["own"], method="mi", k=5)["message"]


@pytest.mark.parametrize(
    ("text", "name", "more", "words"),
    [
        ("score\n1", "t.csv", {}, "no column group"),
        ("score,group\n1,1\n2,1", "t.csv", {}, "no item of group -1"),
        ("score,group\nx,1\n2,-1", "t.csv", {}, "'x', not a number"),
        ("score,group\n1,7\n2,-1", "t.csv", {}, "'7' in the column group"),
        ("score,group\n1,a\n2,b", "t.csv", {"plus": "a"}, "One of two"),
        ("score,group", "t.csv", {}, "no rows"),
        ("nonsense", "t.parquet", {}, "not a readable table"),
    ],
)
def test_tables_that_cannot_be_used_are_a_sentence(client, text, name, more, words):
    assert words in imported(client, text, name, 400, **more)["message"]


def test_no_file_is_a_sentence(client):
    assert "No table" in client.post("/_fair/import", data={}).json["message"]


def test_the_survey_ranks_methods_as_their_arithmetic_must():
    held = pools.people()
    rows = pools.kept(held, "gender", 0.75)
    found = survey.surveyed(
        survey.Survey(held, "gender", rows, 10, Way(p=1.0)), lambda done, total: None
    )
    by_name = {row["method"]: row for row in found["methods"]}
    assert by_name["PBM, true groups"]["abs_bias"] < by_name["plain top K"]["abs_bias"]
    assert by_name["random"]["recall"] < by_name["plain top K"]["recall"]
    first, last = found["tradeoff"][0], found["tradeoff"][-1]
    assert first["abs_bias"] == pytest.approx(by_name["plain top K"]["abs_bias"])
    assert last["abs_bias"] == pytest.approx(by_name["PBM, true groups"]["abs_bias"])
    assert found["clip"][0]["recall"] == pytest.approx(by_name["plain top K"]["recall"])
    assert len(found["points"]) == 57


def test_the_page_opens_with_a_survey_that_is_shipped():
    values = fair_state.checked({})
    shipped = [job.key for job in opening.jobs()]
    assert fair_routes.survey_job(values).key in shipped
    assert fair_routes.survey_job({**values, "predictor": "mlp"}).key in shipped
    for key in shipped:
        assert (BUNDLED / f"{key}.npz").is_file(), "run python -m backend.nero.precompute"


def test_an_overview_is_a_job_until_it_is_stored(client, services, monkeypatch):
    monkeypatch.setattr(services.jobs, "submit", lambda request: "job-1")
    values = fair_state.checked({"k": 10})
    first = client.post("/_fair/overview", json={"k": 10, "visit": "v"}).json
    job = fair_routes.survey_job(values)
    assert (first["job"], first["result"]) == ("job-1", job.key)
    services.store.put(job.key, work.overview(job.params, Ticket(services.store)))
    found = client.post("/_fair/overview", json={"k": 10}).json
    assert set(found["figures"]) == {"tradeoff", "queries", "methods", "predictor"}


@pytest.mark.parametrize("name", list(fair_tables.MAKERS))
def test_every_card_has_its_table(client, name):
    response = client.post(f"/_table/{name}.json", json={"page": "fair", "values": {"k": 10}})
    assert response.status_code in (200, 404), response.text[:300]
    if response.status_code == 200:
        assert response.json["n"] > 3
    assert name in TABLES


def test_pictures_and_facts_of_the_pool_are_served(client):
    picture = client.get("/_fair/people.webp?v=1")
    assert picture.mimetype == "image/webp"
    assert "immutable" in picture.headers["Cache-Control"]
    found = client.get("/_fair/pool").json
    assert found["n"] == len(found["xy"]) == len(found["looks"]) == 1710


def test_a_link_that_says_nonsense_opens_the_default():
    values, notices = fair_state.opened({"own": "x", "k": "many"})
    assert (values["own"], values["k"]) == ("", 24)
    assert len(notices) == 2


def test_the_record_of_training_pictures_holds_the_shipped_encoder_and_falls_as_less_was_seen():
    card = cards.read_card(cards.CARDS / "people-clip.toml")
    rates = [one.precision_at_10 for one in training_splits.SPLITS]
    assert rates[0] == pytest.approx(card.metrics["precision_at_10"], abs=5e-4)
    assert rates == sorted(rates, reverse=True)
    text = str(fair_layout.cards())
    assert all(one.seen in text for one in training_splits.SPLITS)
