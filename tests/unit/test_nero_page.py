"""The NERO page's layout without a browser: state of a link, words, sizes before anything loads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import plotly.utils
import pytest
from dash import Dash

from app import create_app
from backend.settings import Settings
from components.figures import orbit as figures
from components.runtime import Services, create_services


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    folder: Path = tmp_path_factory.mktemp("loupe")
    settings = Settings.from_env({"LOUPE_STATE_DIR": str(folder), "LOUPE_DEVICE": "cpu"})
    services: Services = create_services(settings)
    yield create_app(settings, services)
    services.close()


def page_json(app: Dash, **query: str) -> str:
    """The whole layout as it travels to the browser."""
    import dash

    layout = dash.page_registry["pages.nero"]["layout"]
    with app.server.app_context():
        return json.dumps(layout(**query), cls=plotly.utils.PlotlyJSONEncoder)


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
