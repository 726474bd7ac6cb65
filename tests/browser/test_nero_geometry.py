"""Where the elements of an orbit lie, as the browser works it out: points, cells, neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from backend.nero import orbits
from tests.browser import views_app
from tests.browser.views_app import orbit_spec

SHIFTS = orbits.translations(64, 8)
SQUARES = orbits.square_symmetries()
DISCS = orbits.axis_angle_disc(24, 13)
LINE = {"layout": "line", "size": 5, "identity": 2, "positions": [[10], [30], [50], [70], [95]]}
TALL = {"layout": "line", "size": 3, "identity": 0, "positions": [[3], [1], [2]]}  # not in order
SPECS: dict[str, dict[str, Any]] = {
    "circle": orbit_spec(orbits.rotations(12)),
    "line": LINE,
    "heatmap": orbit_spec(SHIFTS),
    "squares": orbit_spec(SQUARES),
    "discs": orbit_spec(DISCS),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with views_app.running_views() as address:
        yield address


@pytest.fixture
def geometry(page: Page, url: str) -> Page:
    """The page with the orbits of every layout as ``specs``."""
    page.goto(url)
    page.evaluate("(specs) => { window.specs = specs; window.L = loupe.neroLayouts; }", SPECS)
    return page


def shift(x_px: int, y_px: int) -> int:
    """Element of SHIFTS that moves the object by so much."""
    return (y_px // 8 + 8) * 16 + x_px // 8 + 8


def disc(plane: int, axis_deg: int, angle_deg: int) -> int:
    return (plane * 24 + axis_deg // 15) * 13 + angle_deg // 15


def test_every_element_is_the_nearest_to_itself(geometry: Page):
    for layout, spec in SPECS.items():
        found = geometry.evaluate(
            "(k) => specs[k].positions.map((p) => L.nearest(specs[k], p))", layout
        )
        assert (layout, found) == (layout, list(range(spec["size"])))


@pytest.mark.parametrize("layout", ["line", "heatmap", "squares"])
def test_cells_tile_the_plot_and_their_middles_find_them(geometry: Page, layout: str):
    cells, found = geometry.evaluate(
        """(k) => { const orbit = specs[k], ids = orbit.positions.map((_, e) => e);
        const cells = ids.map((e) => L.cell(orbit, e));
        return [cells, cells.map((c) => L.insideCell(orbit, (c.x0 + c.x1) / 2, (c.y0 + c.y1) / 2))];
        }""",
        layout,
    )
    assert sum((c["x1"] - c["x0"]) * (c["y1"] - c["y0"]) for c in cells) == pytest.approx(1)
    assert [f["element"] for f in found] == list(range(len(cells)))
    assert all(f["fx"] == pytest.approx(0.5) for f in found)
    assert all(f["fy"] == pytest.approx(0.5) for f in found)


NEAREST = [
    ("circle", [359], 0),
    ("circle", [16], 1),
    ("circle", [-29], 11),
    ("line", [-4], 0),
    ("line", [61], 3),
    ("line", [1000], 4),
    ("heatmap", [3, -5], shift(0, -8)),
    ("heatmap", [500, -500], shift(56, -64)),
    ("squares", [0, 0], 10),
    ("squares", [3, 3], 14),
    ("discs", [2, 352, 91], disc(2, 345, 90)),
    ("discs", [2, 353, 200], disc(2, 0, 180)),
]


def test_nearest(geometry: Page):
    asked = [[layout, at] for layout, at, _ in NEAREST]
    got = geometry.evaluate("(asked) => asked.map(([k, c]) => L.nearest(specs[k], c))", asked)
    assert list(zip(asked, got, strict=True)) == [([k, c], element) for k, c, element in NEAREST]


FRACTIONS = [
    ("heatmap", 0, 0, shift(-64, -64)),
    ("heatmap", 1, 0, shift(56, -64)),
    ("heatmap", 0.51, 0.49, shift(0, -8)),
    ("heatmap", -3, 9, shift(-64, 56)),
    ("squares", 0.6, 0.3, 0),  # the original: third column, second row
    ("squares", 0.99, 0.3, 8),
    ("squares", 0.3, 0.01, 2),
    ("line", 0.39, 0.7, 1),
]


def test_the_element_under_a_point(geometry: Page):
    got = geometry.evaluate(
        "(rows) => rows.map(([k, x, y]) => [k, x, y, L.atFraction(specs[k], x, y)])", FRACTIONS
    )
    assert got == [list(row) for row in FRACTIONS]


DISC_POINTS = [
    (0, 0, 0, False, disc(0, 0, 0)),
    (0, 100, 0, False, disc(0, 0, 180)),
    (1, 0, -53, False, disc(1, 90, 105)),  # up is 90 degrees; 0.53 · 187.5 = 99
    (1, 0, -51, False, disc(1, 90, 90)),
    (2, -40, 1, False, disc(2, 180, 75)),
    (2, 0, 101, False, -1),
    (2, 0, 101, True, disc(2, 270, 180)),
]


def test_the_element_under_a_point_of_a_disc(geometry: Page):
    got = geometry.evaluate(
        """(rows) => rows.map(([p, x, y, c]) =>
        [p, x, y, c, L.atDisc(specs.discs, p, x, y, 100, c)])""",
        DISC_POINTS,
    )
    assert got == [list(row) for row in DISC_POINTS]


def test_cells_of_a_disc_tile_it_and_hold_their_elements(geometry: Page):
    cells, places, found = geometry.evaluate(
        """() => { const orbit = specs.discs, ids = orbit.positions.map((_, e) => e);
        const places = ids.map((e) => L.onDisc(orbit, e));
        return [ids.map((e) => L.discCell(orbit, e)), places,
            places.map(({plane, x, y}) => L.atDisc(orbit, plane, x, -y, 1))]; }"""
    )

    def area(outline: list[list[float]]) -> float:
        x, y = np.array(outline).T
        return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)

    assert all(outline[0] == pytest.approx(outline[-1]) for outline in cells)
    # one centre (of 24 equal ones) and 24 x 12 cells; polygons are a little smaller than the disc
    plane = [area(cells[0])] + [area(cells[e]) for e in range(312) if e % 13]
    assert sum(plane) == pytest.approx(np.pi, rel=2e-3)
    assert min(plane) > 0
    assert all(cells[e] == cells[0] for e in range(0, 936, 13))
    assert [p["plane"] for p in places] == [e // 312 for e in range(936)]
    assert [e for e in range(936) if found[e] != e and e % 13] == []


STEPS = [
    ("circle", 0, "left", 11),
    ("circle", 11, "right", 0),
    ("circle", 3, "up", 3),
    ("line", 0, "left", 0),
    ("line", 3, "right", 4),
    ("line", 4, "right", 4),
    ("line", 2, "down", 2),
    ("heatmap", shift(0, 0), "left", shift(-8, 0)),
    ("heatmap", shift(0, 0), "up", shift(0, -8)),
    ("heatmap", shift(56, 0), "right", shift(56, 0)),
    ("heatmap", shift(0, 56), "down", shift(0, 56)),
    ("squares", 0, "left", 3),
    ("squares", 0, "right", 8),
    ("squares", 8, "right", 8),
    ("squares", 0, "up", 1),
    ("squares", 5, "down", 5),
    ("squares", 4, "left", 12),
    ("discs", disc(1, 345, 45), "right", disc(1, 0, 45)),
    ("discs", disc(1, 0, 45), "left", disc(1, 345, 45)),
    ("discs", disc(1, 30, 45), "up", disc(1, 30, 60)),
    ("discs", disc(1, 30, 180), "up", disc(1, 30, 180)),
    ("discs", disc(2, 30, 0), "down", disc(2, 30, 0)),
]


def test_stepping(geometry: Page):
    got = geometry.evaluate(
        "(rows) => rows.map(([k, e, d]) => [k, e, d, L.step(specs[k], e, d)])", STEPS
    )
    assert got == [list(row) for row in STEPS]


def test_a_line_is_stepped_in_the_order_of_its_values(geometry: Page):
    got = geometry.evaluate(
        """(tall) => [L.step(tall, 1, "right"), L.step(tall, 2, "right"), L.step(tall, 0, "right"),
        L.atFraction(tall, 0.1), L.grid(tall).values, L.directions(tall)]""",
        TALL,
    )
    assert got == [2, 0, 0, 1, [1, 2, 3], ["left", "right"]]


def test_other_discs_and_directions(geometry: Page):
    got = geometry.evaluate(
        """(e) => [L.toPlane(specs.discs, e, 2), L.toPlane(specs.discs, e, 9),
        L.rim_deg(specs.discs), L.directions(specs.discs).length]""",
        disc(0, 45, 90),
    )
    assert got == [disc(2, 45, 90), disc(2, 45, 90), 187.5, 4]


def test_the_law_of_the_square_is_the_backends(geometry: Page):
    products, inverses = geometry.evaluate(
        """() => { const all = [...Array(16).keys()], S = loupe.neroSquare;
        return [all.map((i) => all.map((j) => S.compose(i, j))), all.map(S.inverse)]; }"""
    )
    assert products == [[SQUARES.compose(i, j) for j in range(16)] for i in range(16)]
    assert inverses == [SQUARES.inverse(i) for i in range(16)]
