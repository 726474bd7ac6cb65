"""What more answers would bring: by hand, and unknown where it is unknown."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backend.crayon.curve import CurveRequest, bands, estimate
from backend.errors import BadRequest

X = [0, 10, 50, 100, 200, 400]


def lines(slopes):
    """0.2 + slope ln(items); 0 items lie where they want."""
    return [[0.9, *(0.2 + slope * np.log(X[1:]))] for slope in slopes]


def test_the_estimate_is_the_slope_of_the_upper_points():
    found = estimate(X, lines([0.05, 0.06, 0.07]), 50)
    step = math.log(450 / 400)
    assert found.gain == pytest.approx(0.06 * step)
    # Student's t with 2 degrees of freedom: 4.302653; standard deviation 0.01 over 3 seeds.
    half = 4.302653 * 0.01 / math.sqrt(3) * step
    assert found.high - found.gain == pytest.approx(half, rel=1e-5)
    assert found.is_known
    assert "50 more answered items would bring about +0.7 points" in found.sentence


def test_the_points_below_an_eighth_do_not_count():
    y = np.array(lines([0.05, 0.06, 0.07]))
    y[:, :2] = 0
    assert estimate(X, y).gain == pytest.approx(0.06 * math.log(450 / 400))


def test_a_loss_is_told_as_one():
    assert "would cost about -" in estimate(X, lines([-0.05, -0.06, -0.07])).sentence


@pytest.mark.parametrize(
    ("x", "slopes", "why"),
    [
        (X, [0.05, -0.06, 0.01], "the estimate is"),
        (X, [0.05, 0.06], "of 2 seeds"),
        ([0, 400], [0.05] * 3, "1 points of 3 seeds"),
        ([0], [0.05] * 3, "0 points"),
    ],
)
def test_unknown_is_said(x, slopes, why):
    held = [row[:1] + row[-(len(x) - 1) :] if len(x) > 1 else row[:1] for row in lines(slopes)]
    found = estimate(x, held)
    assert not found.is_known
    assert "unknown" in found.sentence
    assert why in found.sentence


def test_shapes_and_bands():
    with pytest.raises(BadRequest, match="make no estimate"):
        estimate([0, 1], [[0.1, 0.2, 0.3]])
    told = bands({"budgets": np.array([0, 5]), "wga": np.array([[0.1, 0.2], [0.3, 0.2]])}, "wga")
    assert told["mean"].tolist() == pytest.approx([0.2, 0.2])
    assert told["std"].tolist() == pytest.approx([math.sqrt(0.02), 0.0])
    assert told["count"] == 2


def test_requests_from_json():
    made = CurveRequest.of({"item_set": "birds", "epochs": 3, "seeds": 4, "budgets": [5, 10]})
    assert (made.run.epochs, made.seeds, made.budgets) == (3, 4, (5, 10))
    for wrong in ({"seeds": "3"}, {"budgets": "5"}, {"budgets": [0.5]}):
        with pytest.raises(BadRequest):
            CurveRequest.of({"item_set": "birds", **wrong})
