"""The works and what the page is told of them, end to end on a tiny set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.cache import ArrayStore
from backend.errors import BadRequest, NotFound
from backend.insights import (
    baselines,
    baselines_work,
    contents,
    history_work,
    models,
    quick_work,
    registry,
    requests,
    views,
    work,
)  # fmt: skip
from backend.jobs import JobRequest
from tests.insights_sets import fitted, info, tiny


class Ticket:
    """Progress that goes nowhere."""

    def __init__(self, store: ArrayStore) -> None:
        self.store = store

    def __call__(self, done: int, total: int) -> None:
        assert 0 <= done <= total

    def log(self, text: str) -> None:
        json.loads(text)


@pytest.fixture
def ticket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ticket:
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path))
    held = tiny()
    monkeypatch.setattr(contents, "load", lambda key: held)
    card = info(dict(fitted().info.told))
    monkeypatch.setattr(registry, "known", lambda set_key: [card])
    monkeypatch.setattr(registry, "find", lambda set_key, key="": card)
    monkeypatch.setattr(models, "load", lambda set_key, key="": fitted())
    monkeypatch.setattr(views, "_histories", {})
    return Ticket(ArrayStore(tmp_path / "results", 10**8))


def run(job: JobRequest, function: Any, ticket: Ticket) -> None:
    ticket.store.put(job.key, function(job.params, ticket))


def test_what_is_missing_names_its_job(ticket: Ticket) -> None:
    with pytest.raises(views.NotComputed) as raised:
        views.listing(ticket.store, "tiny")
    assert raised.value.job.work == "insights.predict"
    with pytest.raises(views.NotComputed) as raised:
        views.phrases(ticket.store, "tiny")
    assert raised.value.job.work == "insights.history"


def test_the_gallery_and_a_content(ticket: Ticket) -> None:
    run(requests.predict_job("tiny"), work.predict, ticket)
    held, model = tiny(), fitted()
    found = views.listing(ticket.store, "tiny", domain=0, sort="predicted", n=5)
    rates = [one["predicted"] for one in found["items"]]
    assert rates == sorted(rates, reverse=True)
    assert found["total"] == int((held.domain == 0).sum())
    row = found["items"][0]["row"]
    assert rates[0] == pytest.approx(float(model.predict(model.inputs(held, [row]))[0]), abs=1e-6)
    told = views.content(ticket.store, "tiny", "", row)
    assert told["fields"] == dict(zip(held.fields, held.parts[row], strict=True))
    assert told["low"] < told["predicted"] < told["high"]
    assert len(told["siblings"]) == 2
    json.dumps(told, allow_nan=False)
    with pytest.raises(BadRequest, match="no order"):
        views.listing(ticket.store, "tiny", sort="luck")
    with pytest.raises(BadRequest, match="no period"):
        views.listing(ticket.store, "tiny", since="tomorrow")
    with pytest.raises(NotFound, match="no domain 9"):
        views.listing(ticket.store, "tiny", domain=9)


def test_the_history_is_answered_from_artefacts(ticket: Ticket) -> None:
    job = requests.attributions_job("tiny", method="grad-cam")
    run(job, work.attribute, ticket)
    run(requests.history_job("tiny", method="grad-cam"), history_work.history, ticket)
    said = views.phrases(ticket.store, "tiny", method="grad-cam")
    assert said["positive"][0]["text"] == "free trial"
    assert said["negative"][0]["text"] == "hidden fees"
    assert said["ms"] < 1000
    words = views.phrases(ticket.store, "tiny", method="grad-cam", level="word")
    assert words["positive"][0]["text"] in ("free", "trial")
    shown = views.patches(ticket.store, "tiny", method="grad-cam")
    assert shown["elbow"]["chosen"] in shown["elbow"]["k"]
    for cluster in shown["positive"]:
        for patch in cluster["patches"]:
            x, y, w, h = patch["box"]
            assert 0 <= x <= x + w <= 1
            assert 0 <= y <= y + h <= 1
    for modality in ("text", "image"):
        told = views.trust(ticket.store, "tiny", method="grad-cam", modality=modality)
        assert told["n"] == {"text": 16, "image": 15}[modality]  # one lacks a picture
        assert told["score"] is None
        assert told["sentence"].startswith("Not enough pairs")
        assert {one["modality"] for one in told["methods"]} == {"text", "image"}
        json.dumps(told, allow_nan=False)


def test_pairs_stay_within_their_experiment_and_name_the_best_treatment() -> None:
    held = tiny()
    for control, best in held.pairs("test").tolist():
        assert held.experiment[control] == held.experiment[best]
        same = np.flatnonzero((held.experiment == held.experiment[control]) & ~held.is_control)
        assert best == same[np.argmax(held.success[same])]


def test_one_content_is_explained_edited_and_taken_apart(ticket: Ticket) -> None:
    draft = {"fields": {"headline": "Free trial", "button": ""}}
    params: dict[str, Any] = {"set": "tiny", "model": "", "row": 0, "draft": draft}
    arrays = work.content(params | {"method": "integrated-gradients"}, ticket)
    told = views.attribution_told(tiny(), 0, arrays, draft)
    gained = told["prediction"] - told["baseline"]
    assert sum(told["modalities"].values()) == pytest.approx(gained, abs=1e-6)
    assert [(one["field"], one["start"], one["end"]) for one in told["words"]] == [
        ("headline", 0, 4), ("headline", 5, 10),
    ]  # fmt: skip
    changed = views.whatif_told(work.change(params, ticket))
    assert changed["predicted"] == pytest.approx(told["prediction"], abs=1e-6)
    assert changed["delta"] == pytest.approx(changed["predicted"] - changed["draft"]["predicted"])
    parts = quick_work.interactions_of(params | {"players": 3}, ticket)
    table = views.interactions_told(tiny(), 0, parts, draft)
    total = table["baseline"] + table["rest"] + sum(table["row_own"]) + sum(table["column_own"])
    assert total + np.sum(table["table"]) == pytest.approx(table["prediction"], abs=1e-6)
    assert table["prediction"] == pytest.approx(told["prediction"], abs=1e-6)
    assert len(table["rows"]) == len(table["table"])
    assert len(table["columns"]) == len(table["table"][0])
    json.dumps([told, changed, table], allow_nan=False)


def test_a_content_without_words_is_explained(ticket: Ticket) -> None:
    draft = {"fields": {"headline": "", "button": ""}}
    params: dict[str, Any] = {"set": "tiny", "model": "", "row": 0, "draft": draft}
    told = views.attribution_told(tiny(), 0, work.content(params, ticket), draft)
    assert told["words"] == []
    parts = quick_work.interactions_of(params | {"players": 3}, ticket)
    table = views.interactions_told(tiny(), 0, parts, draft)
    assert [one["text"] for one in table["rows"]] == ["other words"]


def test_trials_and_wrong_requests(ticket: Ticket) -> None:
    asked = {"set": "tiny", "rows": [0, 1], "phrases": ["free trial", "hidden fees"]}
    found = quick_work.trial(asked, ticket)
    assert np.shape(found["after"]) == (2, 2)
    assert int(np.asarray(found["n_encoded"])[0]) == 4
    with pytest.raises(BadRequest, match="list of texts"):
        quick_work.trial({**asked, "phrases": "free"}, ticket)
    with pytest.raises(BadRequest, match="row='x'"):
        work.content({"set": "tiny", "row": "x"}, ticket)
    with pytest.raises(NotFound, match="no content 999"):
        work.change({"set": "tiny", "row": 999}, ticket)


def test_errors_against_baselines(ticket: Ticket) -> None:
    run(requests.predict_job("tiny"), work.predict, ticket)
    run(requests.baselines_job("tiny"), baselines_work.baselines_of, ticket)
    told = views.errors(ticket.store, "tiny")
    by = {one["model"]: one for one in told["rows"]}
    assert list(by) == ["glm", "mlp-features", "mlp-domain", "xgboost", "image", "text", "all"]
    held, model = tiny(), fitted()
    rows = held.rows("test")
    away = model.predict(model.inputs(held, rows)) - held.success[rows]
    assert by["all"]["in_rmse"] == pytest.approx(float(np.sqrt((away**2).mean())), abs=1e-6)
    assert by["all"]["out_rmse"] is None  # no domain is held out
    assert by["all"]["in_mae"] < by["glm"]["in_mae"]
    mine = [one for one in told["per_domain"] if one["domain"] == 0]
    inside = rows[held.domain[rows] == 0]
    glm = baselines.glm(held, model.design)
    wanted = np.sqrt(((glm[inside] - held.success[inside]) ** 2).mean())
    assert mine[0]["glm_rmse"] == pytest.approx(float(wanted))
    assert [one["model"] for one in told["reported"]] == list(by)
    json.dumps(told, allow_nan=False)


def test_a_model_is_fitted_by_a_job_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path))
    held = tiny(20)
    monkeypatch.setattr(contents, "load", lambda key: held)
    job = requests.fit_job("tiny", "mine", epochs=1)
    found = work.fit(job.params, Ticket(ArrayStore(tmp_path / "results", 10**8)))
    (known,) = registry.known("tiny")
    assert known.key == "mine"
    assert known.fingerprint == str(np.asarray(found["fingerprint"])[0])
    assert known.loss == "within"  # most contents stand in experiments
    assert views.models("tiny")[0]["key"] == "mine"
    assert models.load("tiny").info.fingerprint == known.fingerprint
    with pytest.raises(NotFound, match="no model 'other'"):
        registry.find("tiny", "other")
    with pytest.raises(BadRequest, match="cannot name a model"):
        requests.fit_job("tiny", "../x")
