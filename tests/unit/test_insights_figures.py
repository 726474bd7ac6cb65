"""Figures of the Insights page: what is drawn, what is left out, and what cannot mislead."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components.figures import (
    insights_clusters,
    insights_contents,
    insights_errors,
    insights_trust,
)
from components.theme import RING

IDS = np.array([7, 8, 9])


def row(method: str, modality: str, rho: float | None, low: float = -1.0, high: float = 1.0):
    return {
        "method": method,
        "title": method.upper(),
        "modality": modality,
        "rho": rho,
        "low": low,
        "high": high,
        "n": 40,
    }


def test_contents_without_a_result_are_not_points_and_both_axes_are_the_same():
    predicted, actual = np.array([0.1, 0.2, 0.3]), np.array([0.05, math.nan, 0.25])
    figure = insights_contents.scatter(IDS, predicted, actual, view="v")
    points = figure.data[insights_contents.POINTS]
    assert points.customdata.tolist() == [7, 9]
    assert figure.layout.xaxis.range == figure.layout.yaxis.range
    low, high = figure.layout.xaxis.range
    assert low < 0.05
    assert high > 0.3
    assert figure.data[insights_contents.DIAGONAL].x == figure.data[insights_contents.DIAGONAL].y
    assert figure.data[insights_contents.OPEN].x == ()


def test_many_contents_are_drawn_by_webgl_and_few_are_not():
    n = insights_contents.GL_FROM + 1
    rates = np.linspace(0, 1, n)
    assert insights_contents.scatter(np.arange(n), rates, rates, view="").data[0].type == (
        "scattergl"
    )
    assert insights_contents.scatter(IDS, rates[:3], rates[:3], view="").data[0].type == "scatter"


def test_no_contents_at_all_still_make_a_figure():
    none = np.array([])
    figure = insights_contents.scatter(none.astype(np.int64), none, none, view="")
    assert tuple(figure.layout.xaxis.range) == (0, 1)


def test_pairs_are_told_apart_by_direction_with_shape_as_well_as_colour():
    figure = insights_trust.pairs(np.array([0.4, -0.1, 0.0]), np.array([0.04, 0.01, 0.02]), view="")
    right, wrong = figure.data
    assert (len(right.x), len(wrong.x)) == (1, 2)
    assert wrong.customdata.tolist() == [1, 2]
    assert right.marker.symbol != wrong.marker.symbol


def test_the_null_shows_the_found_correlation_and_says_nothing_where_it_is_undefined():
    values = np.array([-0.1, 0.0, 0.1, math.nan])
    found = insights_trust.null(values, 0.6, (0.4, 0.7), view="")
    assert len(found.data[0].x) == 3
    line, band = found.layout.shapes
    assert (line.x0, line.line.color) == (0.6, RING)
    assert (band.x0, band.x1) == (0.4, 0.7)
    assert found.layout.xaxis.range[1] > 0.7
    undefined = insights_trust.null(values, math.nan, (math.nan, math.nan), view="")
    assert undefined.layout.shapes == ()


def test_methods_share_their_line_and_undefined_ones_have_no_mark():
    rows = [row("ig", "text", 0.5, 0.4, 0.7), row("pca", "text", None), row("ig", "image", 0.2)]
    figure = insights_trust.methods(rows, view="", chosen="ig")
    assert [trace.name for trace in figure.data] == ["text", "image"]
    text, image = figure.data
    assert text.x == (0.5,)
    assert text.error_x.array == pytest.approx((0.2,))
    assert text.error_x.arrayminus == pytest.approx((0.1,))
    assert round(text.y[0]) == round(image.y[0]) == 0
    assert figure.layout.yaxis.ticktext == ("<b>IG</b>", "PCA")


def errors_row(model: str, **values: float | None):
    empty = dict.fromkeys(("in_rmse", "out_rmse", "in_mae", "out_mae"))
    return {"model": model, "title": model, **empty, **values}


def test_errors_are_changes_against_the_reference():
    rows = [errors_row("glm", in_rmse=0.2, out_rmse=0.4), errors_row("ours", in_rmse=0.1)]
    figure = insights_errors.errors(rows, metric="rmse", reference="glm", view="")
    inside, outside = figure.data
    assert inside.x == pytest.approx((0.0, -0.5))
    assert outside.x == (0.0, None)


@pytest.mark.parametrize(
    ("value", "base"), [(None, 1.0), (1.0, None), (1.0, 0.0), (math.nan, 1.0), (1.0, math.inf)]
)
def test_a_change_against_nothing_is_not_a_number(value, base):
    assert insights_errors.change(value, base) is None


def test_the_elbow_rings_the_chosen_number():
    figure = insights_clusters.elbow([2, 3, 4], [9.0, 4.0, 3.0], 3, view="")
    line, chord, ring = figure.data
    assert line.y == (9.0, 4.0, 3.0)
    assert (chord.x, chord.y) == ((2, 4), (9.0, 3.0))
    assert (ring.x, ring.y) == ((3,), (4.0,))
    assert insights_clusters.elbow([], [], 0, view="").data[1].x == ()
