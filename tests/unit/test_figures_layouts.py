"""Orbit plots of every layout: what goes in comes out in the right cell, bright is good."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import pytest

from backend.nero import orbits
from backend.nero.orbits.line import Line
from backend.nero.orbits.squares import oriented
from backend.nero.tasks.base import Metric
from components import theme
from components.figures import orbit_layouts as figures
from components.figures import orbit_svg as svg
from components.figures.orbit_shared import VIRIDIS

IOU = Metric("iou", "IOU", 0, 1, True)
RMSE = Metric("rmse", "RMSE", 0, None, False, "px")
SHIFTS = orbits.translations(64, 16)  # 8 × 8
SQUARES = orbits.square_symmetries()
DISCS = orbits.axis_angle_disc(4, 3)  # axes 0, 90, 180, 270; turns 0, 90, 180
SCALES = Line("scale-5", "scale", "scale (×)", "×", (0.25, 0.5, 1.0, 2.0, 4.0), 1.0)
LEVELS = Line("blur-4", "blur", "blur (px)", " px", (0.0, 1.0, 2.0, 3.0), 0.0)
DEEP, BRIGHT = VIRIDIS[0], VIRIDIS[-1]


@dataclass(frozen=True, slots=True)
class Wordings(Line):
    @property
    def domain(self):
        return "text"

    @property
    def labels(self):
        return ("as written", "lower case", "a <b> & a very long wording indeed")


WORDS = Wordings("word-3", "wording", "wording", "", (0.0, 1.0, 2.0), 0.0)
ALL = [SHIFTS, SQUARES, DISCS, SCALES, WORDS, orbits.rotations(8)]


def curve(index=0, **values):
    return figures.ModelMaps(f"m{index}", f"Model {index}", index, **values)


def by_role(figure, role, model=None):
    found = [t for t in figure.data if t.meta["role"] == role]
    return [t for t in found if model is None or t.meta.get("model") == model]


def pictures(figure, name):
    return [image for image in figure.layout.images if image.name.startswith(name)]


def ramp(orbit):
    """A different value at every element, in [0, 1]."""
    return np.linspace(0, 1, orbit.size, dtype=np.float32)


# --- maps -----------------------------------------------------------------------------------------


def test_each_cell_of_a_map_is_its_shift_and_says_so():
    (cells,) = by_role(
        figures.aggregate(SHIFTS, [curve(values=ramp(SHIFTS))], IOU, view="v"), "cells"
    )
    for element, (x, y) in enumerate(SHIFTS.positions):
        row, column = list(cells.y).index(y), list(cells.x).index(x)
        assert cells.z[row][column] == pytest.approx(ramp(SHIFTS)[element])
        assert cells.text[row][column] == SHIFTS.labels[element]
    assert cells.text[4][5] == "+16, 0 px"  # right by one step of 16 px, hand-counted


def test_y_of_a_map_goes_down_and_cells_are_square():
    layout = figures.aggregate(SHIFTS, [curve()], IOU, view="v").layout
    assert layout.yaxis.range[0] > layout.yaxis.range[1]
    assert tuple(layout.xaxis.range) == (-72, 56)  # half a cell beyond the outer shifts
    assert (layout.yaxis.scaleanchor, layout.yaxis.scaleratio) == ("x", 1)


def test_undefined_cells_stay_empty_and_a_key_says_what_they_are():
    values = ramp(SHIFTS)
    values[10] = np.nan
    figure = figures.aggregate(SHIFTS, [curve(values=values)], IOU, view="v")
    (cells,) = by_role(figure, "cells")
    assert np.isnan(cells.z[1][2])
    assert np.isnan(np.asarray(cells.z, float)).sum() == 1
    assert cells.hoverongaps is False
    (key,) = [note for note in figure.layout.annotations if note.name == "key"]
    assert (key.visible, key.text) == (True, "□ not defined")
    complete = figures.aggregate(SHIFTS, [curve(values=ramp(SHIFTS))], IOU, view="v")
    assert complete.layout.annotations[0].visible is False


def test_cells_without_an_answer_are_hatched_where_they_lie():
    marked = np.zeros(SHIFTS.size, bool)
    marked[[0, 17]] = True  # column 0, row 0; column 1, row 2
    figure = figures.individual(SHIFTS, [curve(values=ramp(SHIFTS), marked=marked)], IOU, view="v")
    (picture,) = pictures(figure, "hatching")
    assert re.findall(r"M(\d+) (\d+)l", picture.source) == [("2", "8"), ("12", "28")]
    assert (picture.x, picture.y, picture.sizex, picture.sizey) == (-72, -72, 128, 128)
    assert by_role(figure, "cells")[0].text[0][0].endswith("(no answer)")
    assert "no answer" in figure.layout.annotations[0].text


@pytest.mark.parametrize(("n", "places"), [(1, 1), (2, 2), (3, 3), (4, 4), (6, 6)])
def test_every_model_has_a_panel_of_its_own_and_none_overlap(n, places):
    figure = figures.aggregate(SHIFTS, [curve(k) for k in range(n)], IOU, view="v")
    axes = [figure.layout[f"xaxis{k + 1 if k else ''}"].domain for k in range(n)]
    downs = [figure.layout[f"yaxis{k + 1 if k else ''}"].domain for k in range(n)]
    assert len({t.xaxis for t in by_role(figure, "cells")}) == places
    for i in range(n):
        for k in range(i):
            beside = axes[i][0] >= axes[k][1] or axes[k][0] >= axes[i][1]
            beneath = downs[i][0] >= downs[k][1] or downs[k][0] >= downs[i][1]
            assert beside or beneath
    assert len(by_role(figure, "cursor")) == n


# --- colour ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("metric", "is_reversed"), [(IOU, False), (RMSE, True)])
def test_bright_is_good_for_scores_and_for_errors(metric, is_reversed):
    for orbit in (SHIFTS, SQUARES, DISCS):
        figure = figures.aggregate(orbit, [curve(values=ramp(orbit))], metric, view="v")
        assert figure.layout.coloraxis.reversescale is is_reversed
        stops = [stop for _, stop in figure.layout.coloraxis.colorscale]
        assert (stops[0], stops[-1]) == (DEEP, BRIGHT)
    assert svg.colour(0.0, (0, 1), is_reversed) == (BRIGHT if is_reversed else DEEP)
    assert svg.colour(1.0, (0, 1), is_reversed) == (DEEP if is_reversed else BRIGHT)


def test_one_range_for_all_models_up_to_the_80th_percentile():
    good, bad = np.full(16, 0.5, np.float32), np.full(16, 4.0, np.float32)
    bad[3] = np.nan
    figure = figures.aggregate(
        SQUARES, [curve(0, values=good), curve(1, values=bad)], RMSE, view="v"
    )
    assert figure.layout.coloraxis.cmin == 0
    assert figure.layout.coloraxis.cmax == 4.0  # 16 of 31 values are small, the 80th is large
    assert {t.coloraxis for t in by_role(figure, "cells")} == {"coloraxis"}
    assert figures.shared_range(RMSE, [np.arange(11.0)]) == (0, 8)
    assert figures.shared_range(RMSE, [np.full(3, np.nan)]) is None
    assert figures.shared_range(RMSE, [np.zeros(4)]) == (0, 1)  # never empty
    assert figures.shared_range(IOU, [np.arange(11.0)]) == (0, 1)


# --- squares --------------------------------------------------------------------------------------


def test_sixteen_squares_lie_in_the_sources_arrangement():
    values = np.arange(16, dtype=np.float32)
    (cells,) = by_role(figures.aggregate(SQUARES, [curve(values=values)], RMSE, view="v"), "cells")
    z = np.asarray(cells.z, float)
    assert z.shape == (7, 7)  # four squares and three gaps each way
    assert np.isnan(z[1::2]).all()
    assert np.isnan(z[:, 1::2]).all()
    source = [[10, 2, 1, 9], [11, 3, 0, 8], [12, 4, 7, 15], [13, 5, 6, 14]]  # 2' 2 1 1' ...
    np.testing.assert_array_equal(z[::2, ::2], source)
    assert cells.text[2][4] == "original"
    assert cells.text[0][0] == "turn 90°, time reversed"


def test_detailed_squares_tile_the_maps_without_mixing_them():
    maps = np.arange(16 * 2 * 3, dtype=np.float32).reshape(16, 2, 3)
    figure = figures.individual(
        SQUARES, [curve(values=maps.mean(axis=(1, 2)), maps=maps)], RMSE, view="v"
    )
    (cells,) = by_role(figure, "cells")
    z = np.asarray(cells.z, float)
    assert z.shape == (4 * 3 - 1, 4 * 4 - 1)
    np.testing.assert_array_equal(z[3:5, 8:11], maps[0])  # row 1, column 2: the original
    np.testing.assert_array_equal(z[9:11, 12:15], maps[14])  # row 3, column 3
    assert len(cells.x) == z.shape[1] + 1
    assert len(cells.y) == z.shape[0] + 1
    assert cells.x[0] == pytest.approx(0.02)
    assert cells.x[-1] == pytest.approx(3.98)
    assert by_role(figure, "numbers")[0].x is None


def test_averaged_squares_have_their_numbers_in_readable_ink():
    values = np.linspace(0, 1, 16, dtype=np.float32)
    values[5] = np.nan
    figure = figures.aggregate(SQUARES, [curve(values=values)], RMSE, view="v", value_range=(0, 1))
    (numbers,) = by_role(figure, "numbers")
    assert numbers.text[0] == "0.00"
    assert numbers.text[5] == "–"
    assert numbers.textfont.color[0] == "#12161b"  # a small error is bright: dark ink
    assert numbers.textfont.color[15] == "#ffffff"
    many = [curve(k, values=values) for k in range(3)]
    assert not by_role(figures.aggregate(SQUARES, many, RMSE, view="v"), "numbers")


@pytest.mark.parametrize("element", range(16))
def test_a_glyph_is_turned_as_the_element_turns_a_picture(element):
    """The drawn transform takes the strokes of F where ``oriented`` takes its pixels."""
    drawn = svg.glyphs(SQUARES).replace("%3C", "<").replace("%3E", ">")
    transforms = re.findall(r"rotate\((-?\d+)\)( scale\(1 -1\))? translate", drawn)
    degrees, flip = transforms[element]
    picture = np.zeros((5, 5), np.uint8)
    picture[:, 1], picture[0, 1:4], picture[2, 1:3] = 1, 1, 1  # an F
    quarters = round(-int(degrees) / 90)  # SVG turns clockwise for positive degrees
    expected = np.rot90(picture[::-1] if flip else picture, quarters)
    np.testing.assert_array_equal(oriented(picture, element % 8), expected)


def test_reversed_time_has_a_prime():
    drawn = svg.glyphs(SQUARES).replace("%3C", "<").replace("%3E", ">")
    letters = drawn.split("<rect")[1:]
    assert len(letters) == 16
    assert [letter.count("M107 12") for letter in letters] == [0] * 8 + [1] * 8


# --- discs ----------------------------------------------------------------------------------------


def sectors(picture):
    """``{first corner or "centre": colour}`` of a disc's sectors."""
    text = picture.source.replace("%3C", "<").replace("%3E", ">").replace("%23", "#")
    found = {}
    for fill, d in re.findall(r"<path fill='(#\w+)' stroke='#\w+' d='([^']*)'", text):
        for sector in d.split("Z")[:-1]:
            found[sector] = fill
    return found


def test_a_disc_has_a_sector_for_every_turn_about_every_axis_and_one_centre():
    figure = figures.aggregate(DISCS, [curve(values=ramp(DISCS))], IOU, view="v")
    assert [image.name for image in pictures(figure, "disc")] == [f"disc m0 {p}" for p in range(3)]
    for plane, picture in enumerate(pictures(figure, "disc")):
        assert len(sectors(picture)) == 1 + 4 * 2
        (points,) = [t for t in by_role(figure, "cells") if t.meta["plane"] == plane]
        assert len(points.x) == 1 + 4 * 2
        assert points.text[0].startswith(("xy", "xz", "yz")[plane])


def test_the_points_over_a_disc_carry_value_name_and_place():
    figure = figures.aggregate(DISCS, [curve(values=ramp(DISCS))], IOU, view="v")
    points = by_role(figure, "cells")[1]
    at = list(points.text).index("xz, axis 90°, turned by 180°")
    element = DISCS.labels.index("xz, axis 90°, turned by 180°")
    assert points.customdata[at] == pytest.approx(ramp(DISCS)[element])
    x, y = points.meta["centre"]
    assert points.x[at] - x == pytest.approx(0, abs=1e-12)
    assert points.y[at] - y == pytest.approx(180 / 225)  # the rim lies half a step further out


def test_equal_rotations_have_equal_colours_on_all_discs():
    """Values that depend on the rotation alone: one centre, shared axes, opposite rims."""
    turned = DISCS.matrices[:, 0, 0] * 0.4 + DISCS.matrices[:, 1, 2] * 0.2 + 0.4
    figure = figures.aggregate(DISCS, [curve(values=turned.astype(np.float32))], IOU, view="v")
    found = [sectors(picture) for picture in pictures(figure, "disc")]
    centre = svg._sector(0, 45, 0, 200).removesuffix("Z")
    assert len({disc[centre] for disc in found}) == 1
    xy, xz, yz = found
    by_axis = {axis: svg._sector(axis, 45, 600, 1000)[:-1] for axis in (0, 90, 180, 270)}
    assert xy[by_axis[0]] == xz[by_axis[0]] == xy[by_axis[180]]  # a half turn about +x or −x
    assert xy[by_axis[90]] == yz[by_axis[0]]  # about +y
    assert xz[by_axis[90]] == yz[by_axis[90]]  # about +z
    assert xy[by_axis[0]] != xy[by_axis[90]]  # or nothing would be shown by the above


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_no_two_discs_touch_and_all_are_in_view(n):
    figure = figures.aggregate(DISCS, [curve(k) for k in range(n)], IOU, view="v")
    centres = np.array([t.meta["centre"] for t in by_role(figure, "cells")])
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2) + 9 * np.eye(3 * n)
    assert gaps.min() > 2  # two radii
    for axis, (low, high) in zip(
        "xy", np.stack([centres.min(0) - 1, centres.max(0) + 1], 1), strict=True
    ):
        shown = figure.layout[f"{axis}axis"].range
        assert shown[0] < low
        assert shown[1] > high
    for picture, (x, y) in zip(pictures(figure, "disc"), centres, strict=True):
        assert (picture.x + 1, picture.y - 1) == pytest.approx((x, y))


def test_undefined_sectors_are_not_drawn():
    values = ramp(DISCS)
    values[4] = np.nan  # plane xy, axis 90°, turned by 90°
    figure = figures.aggregate(DISCS, [curve(values=values)], IOU, view="v")
    assert [len(sectors(picture)) for picture in pictures(figure, "disc")] == [8, 9, 9]


def test_a_plane_switch_shows_the_models_side_by_side():
    curves = [curve(k) for k in range(2)]
    figure = figures.aggregate(DISCS, curves, IOU, view="v", planes=(2,))
    assert [t.meta["plane"] for t in by_role(figure, "cells")] == [2, 2]
    rims = [note.text for note in figure.layout.annotations if note.text.startswith("+")]
    assert rims == ["+y", "+z"] * 2


# --- lines ----------------------------------------------------------------------------------------


def test_a_line_overlays_its_models_with_colour_and_dash():
    curves = [curve(0, values=ramp(SCALES)), curve(1, values=ramp(SCALES)[::-1])]
    first, second = by_role(figures.aggregate(SCALES, curves, IOU, view="v"), "curve")
    np.testing.assert_array_equal(first.x, SCALES.values)
    np.testing.assert_array_equal(first.y, ramp(SCALES))
    assert (first.line.color, second.line.color) == theme.MODEL_COLOURS[:2]
    assert first.line.dash != second.line.dash
    assert first.marker.symbol != second.marker.symbol
    assert list(first.text) == ["0.25×", "0.5×", "1×", "2×", "4×"]


def test_geometric_values_take_a_log_axis_and_even_ones_do_not():
    assert figures.aggregate(SCALES, [curve()], IOU, view="v").layout.xaxis.type == "log"
    assert figures.aggregate(LEVELS, [curve()], IOU, view="v").layout.xaxis.type is None
    assert not figures.is_geometric(np.array([1.0, 2.0, 3.0]))
    assert not figures.is_geometric(np.array([0.0, 1.0, 2.0]))
    assert not figures.is_geometric(np.array([2.0, 2.0, 2.0]))


def test_wordings_stand_on_the_axis_safely():
    axis = figures.aggregate(WORDS, [curve()], IOU, view="v").layout.xaxis
    assert axis.ticktext[0] == "as written"
    assert axis.ticktext[2] == "a &lt;b&gt; &amp; a very long…"
    assert tuple(axis.tickvals) == (0, 1, 2)


def test_the_unchanged_element_is_marked_and_the_cursor_starts_there():
    figure = figures.individual(SCALES, [curve()], IOU, view="v")
    (cursor,) = by_role(figure, "cursor")
    assert (tuple(cursor.x), cursor.line.color) == ((1, 1), theme.CURSOR)
    assert figure.layout.shapes[0].x0 == 1
    assert figure.layout.annotations[0].x == 0  # a log axis counts exponents there


def test_band_and_rings_are_for_one_item_and_the_selection_is_for_many():
    values = ramp(LEVELS)
    shown = curve(values=values, low=values - 0.1, high=values + 0.1)
    one = figures.individual(LEVELS, [shown], IOU, view="v")
    (band,) = by_role(one, "band")
    np.testing.assert_allclose(band.y, [*(values + 0.1), *(values - 0.1)[::-1]])
    assert by_role(one, "value")
    assert not by_role(one, "selection")
    many = figures.aggregate(LEVELS, [shown], IOU, view="v", with_control=True)
    assert by_role(many, "selection")
    assert by_role(many, "control")
    assert not by_role(many, "band")


# --- all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orbit", ALL, ids=lambda orbit: orbit.key)
@pytest.mark.parametrize("kind", ["aggregate", "individual"])
def test_one_entry_point_for_every_layout(orbit, kind):
    curves = [curve(k, values=ramp(orbit)) for k in range(3)]
    figure = figures.orbit_figure(orbit, curves, IOU, kind=kind, view="set 4")
    assert figure.layout.uirevision == "set 4"
    assert by_role(figure, "cursor")
    shown = {t.meta["model"] for t in figure.data if t.meta["role"] in ("cells", "curve")}
    assert shown == {"m0", "m1", "m2"}


@pytest.mark.parametrize("orbit", ALL[:-1], ids=lambda orbit: orbit.key)
def test_hover_names_the_element_the_metric_and_the_model(orbit):
    figure = figures.aggregate(orbit, [curve()], RMSE, view="v")
    templates = {t.hovertemplate for t in figure.data if t.meta["role"] in ("cells", "curve")}
    (template,) = templates
    assert re.fullmatch(
        r"%\{text\}: RMSE %\{\w+:\.3f\} px<extra>%\{fullData.name\}</extra>", template
    )


@pytest.mark.parametrize("orbit", ALL, ids=lambda orbit: orbit.key)
def test_empty_figures_are_small_on_the_wire(orbit):
    figure = figures.individual(orbit, [curve(k) for k in range(2)], IOU, view="v")
    figure.layout.template = None
    sent = json.dumps(figure.to_plotly_json(), default=list)
    assert len(sent) < 16_000


def test_names_cannot_become_markup():
    evil = figures.ModelMaps("m", "<b>x</b>", 0)
    figure = figures.aggregate(SHIFTS, [evil], IOU, view="v")
    headings = [note.text for note in figure.layout.annotations if "■" in note.text]
    assert headings == [
        f"<span style='color:{theme.MODEL_COLOURS[0]}'>■</span> &lt;b&gt;x&lt;/b&gt;"
    ]
