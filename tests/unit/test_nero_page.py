"""The NERO page's layout without a browser: state of a link, words, sizes before anything loads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dash import Dash
from plotly.io.json import to_json_plotly

from app import create_app
from backend import catalog
from backend.nero import orbits, tasks
from backend.settings import Settings
from components import nero_spec, nero_state
from components.figures import orbit as figures
from components.runtime import Services, create_services
from tests.bound import bound


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    folder: Path = tmp_path_factory.mktemp("loupe")
    settings = Settings.from_env({"LOUPE_STATE_DIR": str(folder), "LOUPE_DEVICE": "cpu"})
    services: Services = create_services(settings)
    yield bound(create_app(settings, services))
    services.close()


def page_json(app: Dash, **query: str) -> str:
    """The whole layout as it travels to the browser."""
    import dash

    layout = dash.page_registry["pages.nero"]["layout"]
    with app.server.app_context():
        return json.dumps(json.loads(to_json_plotly(layout(**query))))


def test_every_card_starts_by_loading_and_every_graph_with_an_empty_figure(app: Dash):
    text = page_json(app)
    assert text.count('"data-state": "loading"') == 8
    assert text.count('"figure": {"data": []') == 5  # {} makes plotly.js complain


def test_the_photographs_page_speaks_of_no_digits(app: Dash):
    text = page_json(app, task="photos")
    assert "Handwritten digits" in text  # the other data set on offer
    visible = text.replace("Handwritten digits", "").replace('"digits"', "")  # its name and key
    assert "digit" not in visible.lower()


def test_the_task_is_part_of_the_state_and_chosen_beside_it(app: Dash):
    text = page_json(app, task="photos")
    assert '"id": "nero-task"' in text
    assert text.count('"key": "task"') == 1


def ids(text: str) -> list[str]:
    """Ids of the page's own parts in the order of the document."""
    import re

    return re.findall(r'"id": "(nero-[a-z-]+)"', text)


@pytest.mark.parametrize("task", [name for name in tasks.names() if catalog.models_for(name)])
def test_every_task_has_the_same_skeleton(app: Dash, task: str):
    text = page_json(app, task=task)
    assert ids(text) == ids(page_json(app))
    assert tasks.find(task).kind in text


def test_consensus_is_offered_where_outputs_move_and_refused_with_a_reason(app: Dash):
    for task in ("digits", "detection"):
        text = page_json(app, task=task)
        is_invariant = tasks.find(task).kind == "invariant"
        assert ("There is no consensus here." in text) is is_invariant
        assert (
            '"disabled": true' in text.partition('"key": "consensus"')[2][:400]
        ) or not is_invariant
    assert (
        page_json(app, task="digits", consensus="consensus").count("consensus=consensus is not")
        == 1
    )


def test_averages_are_offered_where_there_are_maps_of_places(app: Dash):
    for task, is_offered in (("piv", True), ("digits", False), ("detection", False)):
        text = page_json(app, task=task)
        assert "Show averaged NERO" in text
        hidden = '"className": "nero-averaged", "hidden": true' in text
        assert hidden is not is_offered


def test_old_links_still_say_control(app: Dash):
    assert nero_state.renamed({"orbit": "control"})["orbit"] == "rotation+control"
    assert "is not one of" not in page_json(app, orbit="control", step="10")


def test_samplings_belong_to_the_family(app: Dash):
    assert "step=5 is not one of" in page_json(app, orbit="blur", step="5")
    assert "step=1 is not one of" not in page_json(app, orbit="blur", step="1")


@pytest.mark.parametrize("task", tasks.names())
def test_metrics_name_what_is_stored(task: str):
    where = nero_state.place({"task": task})
    told = nero_spec.metrics(where)
    main = told[0]
    assert (main["array"], main["single"]) == ("metric", main["name"])
    assert [m["name"] for m in told] == list(tasks.find(task).metrics)
    for metric in told[1:]:
        derived = nero_state.answers_classes(task)
        assert metric["array"] == (None if derived else f"metric_{metric['name']}")
        assert (metric["consensus"] is None) is (tasks.find(task).kind == "invariant")
    summary = next(m for m in told if m["name"] == tasks.find(task).summary)
    assert summary["single"] == main["name"]  # a share of one item is 0 or 1


@pytest.mark.parametrize("key", list(orbits.FAMILIES))
def test_an_orbit_opens_away_from_where_nothing_changes(key: str):
    orbit = orbits.find(key)
    element = nero_spec.telling_element(orbit)
    assert 0 <= element < orbit.size
    assert element != orbit.identity_index


@pytest.mark.parametrize(
    ("name", "label"), [("iou", "IOU"), ("iou_conf", "IOU conf"), ("accuracy", "Accuracy")]
)
def test_short_names_of_metrics(name: str, label: str):
    assert nero_spec.label(name) == label


@pytest.mark.parametrize("few", [True, False])
def test_bars_of_many_classes_lie_in_rows(few: bool):
    curve = figures.ModelCurve("a", "Model A", 0, np.array([0.25, 0.75], np.float32))
    figure = figures.detail(["x", "y"] if few else [], [curve], view="v")
    assert (figure.data[0].orientation == "h") is not few
    values = figure.data[0].y if few else figure.data[0].x
    np.testing.assert_allclose(values, [0.25, 0.75])


def test_exported_figures_name_their_models():
    curves = [figures.ModelCurve(key, f"Model {key}", i) for i, key in enumerate("ab")]
    angles = np.arange(0, 360, 90, dtype=np.float32)
    for figure in (
        figures.aggregate(angles, curves, view="v", with_control=True),
        figures.individual(angles, curves, view="v", with_control=True),
    ):
        assert figure.layout.showlegend
        assert not figure.layout.margin.autoexpand  # the key must not move the disc
        named = [trace.name for trace in figure.data if trace.showlegend]
        assert named == ["Model a", "Model b"]
