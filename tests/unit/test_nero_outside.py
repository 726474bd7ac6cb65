"""A group, a model and a task from outside plug in: no page and no core file is touched."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from backend import catalog, plugins
from backend.errors import BadRequest, NotFound
from backend.nero import evaluate, orbits, tasks
from backend.nero.requests import OrbitRequest
from backend.nero.tasks import Classification, Metric
from tests import fakes

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "adding-an-orbit.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _registries(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(orbits, "FAMILIES", dict(orbits.FAMILIES))
    monkeypatch.setattr(tasks, "TASKS", dict(tasks.TASKS))
    held = dict(catalog.models())
    yield
    catalog.models().clear()
    catalog.models().update(held)
    catalog._outside.clear()
    catalog._loaded.cache_clear()


@dataclass(frozen=True, slots=True)
class Negatives(orbits.Line):
    """As is, and black for white: the group of two."""

    def inverse(self, i):
        return orbits.checked(i, 2)

    def compose(self, i, j):
        return orbits.checked(i, 2) ^ orbits.checked(j, 2)

    def act(self, inputs, elements, out=None):
        scaled = inputs / np.float32(255 if inputs.dtype == np.uint8 else 1)
        answer = np.stack([scaled if e == 0 else 1 - scaled for e in elements], axis=1)
        if out is None:
            return answer
        out[:] = answer
        return out


def negative(level: str = "2", **changes):
    made = Negatives(f"negative-{level}", "negatives", "negative", "", (0.0, 1.0), 0.0)
    return replace(made, **changes)


FAMILY = orbits.Family("negative", "Negative", "image", negative, {"2": "2 ways"}, "2")


@dataclass
class Dark:
    """Says 0 for dark images and 1 for light ones."""

    card: object
    device: str = "cpu"

    def predict(self, batch):
        light = (batch.mean(axis=(1, 2, 3)) > 0.5).astype(np.float32)
        rest = np.zeros((len(batch), 8), np.float32)
        return np.concatenate([1 - light[:, None], light[:, None], rest], axis=1)


def test_a_group_a_model_and_a_task_meet_in_evaluation_requests_and_the_page(monkeypatch, tmp_path):
    orbits.register(FAMILY)
    task = tasks.register(Classification("lightness", "Lightness", "digits", ("dark",)))
    card = replace(fakes.card("dark"), task="lightness")
    catalog.register(card, lambda card, device: Dark(card, device))

    result = evaluate("dark", "lightness", orbits.find("negative"), range(4))
    assert result.aggregate("agreement").tolist() == [1, 0]  # a digit is mostly dark
    assert result.elements == ("0", "1")

    request = OrbitRequest("lightness", "dark", "negative", items=(0, 1))
    assert request.orbit == "negative-2"
    assert OrbitRequest.from_params(request.params()) == request
    assert task.domain == "image"
    assert list(catalog.models_for("lightness")) == ["dark"]

    spec = page_spec(monkeypatch)
    assert spec["orbit"]["family"] == "negative"
    assert spec["orbit"]["labels"] == ["0", "1"]
    assert [model["key"] for model in spec["models"]] == ["dark"]
    assert [metric["name"] for metric in spec["metrics"]] == ["confidence", "accuracy", "agreement"]
    assert spec["views"] == {"input": "image", "detail": "bars"}


def page_spec(monkeypatch):
    """What the page would tell the browser, with a queue that starts nothing."""
    from components import nero_spec, nero_state

    monkeypatch.setattr(nero_spec, "obtain", lambda request, view: {"result": "r", "job": None})
    monkeypatch.setattr(nero_spec, "_atlas", lambda key: {"url": "", "columns": 1})
    where = nero_state.place({"task": "lightness", "orbit": "negative"})
    assert where.task == "lightness"
    assert "negative" in [option["value"] for option in nero_state.orbit_options("lightness")]
    return nero_spec.comparison(where, ["dark"], step="2", with_control=False, visit="v")


@pytest.mark.parametrize(
    ("family", "what"),
    [
        (replace(FAMILY, key="rotation"), "cannot be called 'rotation'"),
        (replace(FAMILY, key="Two-Fold"), "cannot be called 'Two-Fold'"),
        (replace(FAMILY, key="other"), "key does not fit"),
        (replace(FAMILY, domain="text"), "domain does not fit"),
        (replace(FAMILY, make=lambda level: negative(values=(0.0, 0.0))), "labels does not fit"),
    ],
)
def test_what_is_no_family_is_refused(family, what):
    before = dict(orbits.FAMILIES)
    with pytest.raises(BadRequest, match=what) as caught:
        orbits.register(family)
    assert caught.value.hint
    assert before == orbits.FAMILIES


def test_a_task_needs_a_name_of_its_own_and_a_metric():
    with pytest.raises(BadRequest, match="cannot be called 'digits'"):
        tasks.register(tasks.find("digits"))

    @dataclass(frozen=True, slots=True)
    class Blank(Classification):
        @property
        def metrics(self):
            return {"error": Metric("error", "error", 0.0, 1.0, False)}

    with pytest.raises(BadRequest, match="opens with the metric 'accuracy' and has error"):
        tasks.register(Blank("blank", "Blank", "digits"))
    with pytest.raises(NotFound, match="no task 'blank'"):
        tasks.find("blank")


def test_a_model_needs_a_key_of_its_own():
    with pytest.raises(BadRequest, match="a model 'digits-plain' already"):
        catalog.register(catalog.card("digits-plain"), lambda card, device: Dark(card, device))


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)


def test_the_example_of_the_document_runs_and_keeps_the_contract(tmp_path):
    """In a process of its own, as a plug-in: the contract tests pick it up by its name."""
    (example,) = blocks()
    definition = example.split("result = evaluate")[0]
    (tmp_path / "my_gamma.py").write_text(definition, encoding="utf-8")
    (tmp_path / "whole.py").write_text(example, encoding="utf-8")
    env = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "LOUPE_PLUGINS": "my_gamma", "PATH": ""}
    env |= {"OMP_NUM_THREADS": "1", "LOUPE_TORCH_THREADS": "1"}
    told = run([str(tmp_path / "whole.py")], {**env, "LOUPE_PLUGINS": ""})
    assert re.fullmatch(r"\[(\s*\d\.\d*){9}\]\s*", told)
    contract = ["-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    told = run([*contract, "tests/contract/test_orbit_families.py", "-k", "gamma"], env)
    assert "failed" not in told
    assert int(re.search(r"(\d+) passed", told)[1]) >= 24


def run(arguments, env) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_plug_ins_are_imported_and_missing_ones_are_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine_one.py").write_text("loaded = True", encoding="utf-8")
    assert plugins.load({}) == ()
    assert plugins.load({"LOUPE_PLUGINS": " mine_one , "}) == ("mine_one",)
    assert sys.modules["mine_one"].loaded
    for wrong in ("no_such_module_here", ".relative"):
        with pytest.raises(BadRequest, match="LOUPE_PLUGINS names"):
            plugins.load({"LOUPE_PLUGINS": wrong})


def test_grey_items_are_not_offered_the_hue():
    assert "hue" in orbits.families("image")
    assert "hue" in orbits.families("image", 3)
    assert "hue" not in orbits.families("image", 1)
