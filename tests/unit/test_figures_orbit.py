"""Figures are pure: what goes in comes out, in the right trace, with the right colour."""

from __future__ import annotations

import json

import numpy as np
import pytest

from components import theme
from components.figures import orbit as figures
from components.figures import orbit_groups

ANGLES = np.arange(0, 360, 90, dtype=np.float32)
VALUES = np.array([1.0, 0.25, 0.5, 0.75], dtype=np.float32)


def by_role(figure, role, model=None):
    found = [t for t in figure.data if t.meta["role"] == role]
    return [t for t in found if model is None or t.meta.get("model") == model]


def curve(key="a", index=0, **values):
    return figures.ModelCurve(key, key.upper(), index, **values)


def test_aggregate_closes_the_circle_and_keeps_values_and_colour():
    figure = figures.aggregate(ANGLES, [curve(values=VALUES), curve("b", 1)], view="v")
    (line,) = by_role(figure, "curve", "a")
    np.testing.assert_array_equal(line.theta, [0, 90, 180, 270, 0])
    np.testing.assert_array_equal(line.r, [*VALUES, VALUES[0]])
    assert line.line.color == theme.MODEL_COLOURS[0]
    (other,) = by_role(figure, "curve", "b")
    assert other.r is None
    assert other.line.color == theme.MODEL_COLOURS[1]
    assert other.line.dash != line.line.dash  # not by colour alone


def test_radius_is_fixed_and_angles_run_counter_clockwise_from_the_right():
    polar = figures.aggregate(ANGLES, [curve()], view="v").layout.polar
    assert tuple(polar.radialaxis.range) == (0, 1)
    assert (polar.angularaxis.rotation, polar.angularaxis.direction) == (0, "counterclockwise")


def test_control_orbit_only_where_asked_for():
    assert not by_role(figures.aggregate(ANGLES, [curve()], view="v"), "control")
    assert by_role(figures.aggregate(ANGLES, [curve()], view="v", with_control=True), "control")


def test_band_goes_out_along_the_high_side_and_back_along_the_low_one():
    band = figures.individual(
        ANGLES, [curve(values=VALUES, low=VALUES - 0.1, high=VALUES + 0.1)], view="v"
    )
    (ribbon,) = by_role(band, "band")
    assert len(ribbon.r) == len(ribbon.theta) == 10
    assert ribbon.r[1] == pytest.approx(0.35)
    assert ribbon.r[-2] == pytest.approx(0.15)
    assert ribbon.fill == "toself"


def test_cursor_is_green_from_the_centre_to_the_rim():
    (cursor,) = by_role(figures.individual(ANGLES, [curve()], view="v"), "cursor")
    assert (tuple(cursor.r), cursor.line.color) == ((0, 1), theme.CURSOR)


def test_detail_has_a_bar_for_every_class_and_model():
    probabilities = np.full(10, 0.1, dtype=np.float32)
    figure = figures.detail(
        [str(k) for k in range(10)], [curve(values=probabilities), curve("b", 1)], view="v"
    )
    assert len(figure.data) == 2
    assert list(figure.data[0].x) == [str(k) for k in range(10)]
    np.testing.assert_array_equal(figure.data[0].y, probabilities)


def test_projection_carries_integer_ids_and_switches_to_gl_for_many_points():
    few, many = np.zeros((3, 2), np.float32), np.zeros((figures.GL_FROM + 1, 2), np.float32)
    ids = np.array([7, 8, 9])
    figure = figures.projection(few, np.zeros(3, np.float32), item_ids=ids, view="v")
    assert figure.data[0].type == "scatter"
    np.testing.assert_array_equal(figure.data[0].customdata, ids)
    assert figure.data[1].meta["role"] == "ring"
    assert figure.data[1].marker.color == theme.RING
    assert figures.projection(many, many[:, 0], view="v").data[0].type == "scattergl"


def test_confusion_keeps_rows_in_the_order_of_the_classes():
    shares = np.eye(3, 4, dtype=np.float32)
    heat = orbit_groups.confusion(ANGLES, ["x", "y", "z"], shares, view="v").data[0]
    np.testing.assert_array_equal(heat.z, shares)
    assert list(heat.y) == ["x", "y", "z"]
    assert heat.zmin == 0  # a share: the scale starts at a true zero


def test_kinds_have_a_box_for_each_model_in_its_colour():
    means = np.array([0.1, 0.9, 0.5], np.float32)
    curves = [curve(), curve("b", 1)]
    figure = orbit_groups.by_class(curves, ["car", "cup", "car"], [means, means / 2], view="v")
    assert [list(trace.y) for trace in figure.data] == [["car", "cup", "car"]] * 2
    np.testing.assert_array_equal(figure.data[1].x, means / 2)
    assert [trace.marker.color for trace in figure.data] == list(theme.MODEL_COLOURS[:2])
    assert [trace.name for trace in figure.data] == ["A", "B"]


def test_empty_figures_are_small_on_the_wire():
    curves = [curve(str(i), i) for i in range(3)]
    for figure in (
        figures.aggregate(ANGLES, curves, view="v"),
        figures.individual(ANGLES, curves, view="v"),
        figures.projection(np.empty((0, 2), np.float32), np.empty(0, np.float32), view="v"),
    ):
        figure.layout.template = None
        assert len(json.dumps(figure.to_plotly_json(), default=list)) < 5_000


@pytest.mark.parametrize("view", ["digits 5", "digits 10"])
def test_zoom_survives_while_the_data_version_is_the_same(view):
    assert figures.aggregate(ANGLES, [curve()], view=view).layout.uirevision == view
