"""What the shipped weights show along the orbit, as measured orderings; and flat memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from backend.nero import evaluate, orbits
from backend.settings import PROJECT
from benchmarks import nero_report

ORBIT = orbits.rotations(72)
TENTH = np.arange(0, 500, 10)


@pytest.fixture(scope="module")
def found():
    """Shipped results where they fit the weights; else five of each digit, computed here."""
    shipped = nero_report.shipped("digits")
    models = ("digits-plain", "digits-rotated", "digits-p4")
    return {key: shipped.get(key) or evaluate(key, "digits", ORBIT, TENTH) for key in models}


def test_augmentation_raises_the_mean_over_the_orbit(found):
    """N11."""
    plain, rotated = (
        found[key].aggregate("accuracy") for key in ("digits-plain", "digits-rotated")
    )
    assert rotated.mean() > plain.mean() + 0.2
    near = nero_report.is_near(found["digits-plain"])
    assert plain[near].mean() > plain.mean() + 0.2


def test_augmentation_flattens_the_curves(found):
    variances = [found[key].variance().mean() for key in ("digits-plain", "digits-rotated")]
    assert variances[1] < variances[0] / 2


def test_the_plain_model_takes_a_turned_6_for_a_9(found):
    plain, rotated = found["digits-plain"], found["digits-rotated"]
    for label, becomes in ((6, 9), (9, 6)):
        turned = nero_report.share(plain, label, becomes, 170.0)
        assert turned > nero_report.share(plain, label, becomes, 0.0) + 0.3
        assert turned > nero_report.share(rotated, label, becomes, 170.0) + 0.3


def test_the_equivariant_model_repeats_every_quarter_turn(found):
    metric = found["digits-p4"].metric
    assert np.abs(metric - np.roll(metric, 18, axis=1)).max() < 1e-4
    plain = found["digits-plain"].metric
    assert np.abs(plain - np.roll(plain, 18, axis=1)).max() > 0.5


def test_interpolation_alone_costs_little():
    """The dips of the plain model are not made by resampling."""
    rows = TENTH[::2]
    orbit = evaluate("digits-plain", "digits", orbits.rotations(8), rows)
    control = evaluate("digits-plain", "digits", orbits.rotations(8), rows, control=True)
    assert control.aggregate("confidence").min() > 0.8
    assert orbit.aggregate("confidence").min() < control.aggregate("confidence").min() - 0.3


def test_the_report_is_there_and_names_every_statement():
    text = (PROJECT / "docs" / "results" / "nero.md").read_text(encoding="utf-8")
    for words in ("repeat after half a turn", "calls a 6 a 9", "every quarter turn"):
        assert words in text


def test_memory_does_not_grow_with_the_items():
    """A fresh process for each size; the answers themselves are 1.5 MB per 500 items."""
    few, many = (
        float(
            subprocess.run(
                [sys.executable, "-m", "benchmarks.nero", str(count)],
                check=True,
                capture_output=True,
                text=True,
                cwd=PROJECT,
            ).stdout
        )
        for count in (50, 2000)
    )
    assert many - few < 80
