"""What every registered orbit promises, at every level: a new family inherits all of it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from backend import plugins
from backend.errors import BadRequest, NotFound
from backend.nero import orbits
from tests.fakes import noise_images

plugins.load()  # so that families from outside can be held to the same promises
LEVELS = [
    pytest.param(f"{family.key}-{level}", id=f"{family.key}-{level}")
    for family in orbits.FAMILIES.values()
    for level in family.levels
]
RESAMPLED = {"rotation": 0.01, "scale": 0.02, "crop": 0.02}
"""Mean difference per pixel that interpolating twice instead of once may make on smooth images."""
ROUNDING = 3e-6
MOST_ELEMENTS = 4_096
SENTENCES = (
    "a small person walks to the big city",
    "Large animals often gather near the river bank",
    "one",
    "two words",
)


def family_of(key: str) -> str:
    return key.partition("-")[0]


@cache
def batch(key: str, smooth: bool = False):
    """Three inputs of an orbit's domain: noise, or blobs well inside the picture."""
    orbit, rng = orbits.find(key), np.random.default_rng(3)
    if orbit.domain == "text":
        return np.array(SENTENCES)
    if orbit.domain == "points":
        return rng.normal(size=(3, 40, 3)).astype(np.float32)
    if orbit.domain == "scene":
        return rng.integers(0, 256, (3, 3, 256, 260), dtype=np.uint8)
    if orbit.domain == "frames":
        return rng.integers(0, 256, (3, 2, 16, 16), dtype=np.uint8)
    channels = orbits.FAMILIES[family_of(key)].channels or 1
    side = 32 if key in ("shift-16", "shift-8") else 28
    return (
        blobs(side, channels)
        if smooth
        else noise_images(3, side, 3)[0].transpose(0, 3, 1, 2)[:, :channels]
    )


def blobs(side: int, channels: int):
    """Soft spots within a quarter of the side from the centre: twice as large they still fit."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    spots = [
        np.exp(-((x - a) ** 2 + (y - b) ** 2) / 8.0)
        for a, b in rng.uniform(-2, 2, (3 * channels, 2))
    ]
    images = np.round(np.array(spots) * 255).reshape(3, channels, side, side)
    return images.astype(np.uint8)


def some(orbit, count: int = 24):
    """Elements spread over the orbit, the identity and the ends among them."""
    spread = np.linspace(0, orbit.size - 1, min(count, orbit.size)).astype(int)
    return np.unique([*spread, orbit.identity_index])


def apart(one, other) -> float:
    """How far two answers are apart: 0 or 1 for texts, the mean over each input otherwise."""
    if np.asarray(one).dtype.kind == "U":
        return float((one != other).any())
    return float(np.abs(one - other).reshape(len(one), -1).mean(axis=1).max())


def as_given(inputs):
    """Inputs as what comes out of the identity."""
    if inputs.dtype == np.uint8:
        return inputs / np.float32(255)
    return inputs


@pytest.mark.parametrize("key", LEVELS)
def test_it_can_be_named_laid_out_and_listed(key):
    orbit = orbits.find(key)
    assert orbits.find(orbit.key).key == orbit.key == key
    assert orbit.domain == orbits.FAMILIES[family_of(key)].domain
    assert 1 < orbit.size <= MOST_ELEMENTS
    assert 0 <= orbit.identity_index < orbit.size
    assert orbit.positions.shape == (orbit.size, orbits.COORDINATES[orbit.layout])
    assert orbit.positions.dtype == np.float64
    assert np.isfinite(orbit.positions).all()
    assert len(np.unique(orbit.positions, axis=0)) == orbit.size
    assert len(orbit.axes) == orbit.positions.shape[1]
    assert all(orbit.axes)
    assert orbit.name
    assert len(orbit.labels) == len(set(orbit.labels)) == orbit.size
    assert all(orbit.labels)
    if orbit.layout == "line":
        assert (np.diff(orbit.positions[:, 0]) > 0).all()
    if orbit.layout == "circle":
        assert (orbit.positions >= 0).all()
        assert (orbit.positions < 360).all()


@pytest.mark.parametrize("key", LEVELS)
def test_the_identity_leaves_the_input_as_it_is(key):
    orbit, inputs = orbits.find(key), batch(key)
    out = orbit.act(inputs, np.array([orbit.identity_index]))[:, 0]
    if orbit.domain == "scene":  # the identity is the crop at the middle
        inputs = inputs[:, :, 64:192, 66:194]
    assert np.array_equal(out, as_given(inputs))


@pytest.mark.parametrize("key", LEVELS)
def test_every_element_but_the_identity_does_something(key):
    orbit, inputs = orbits.find(key), batch(key)
    identity = orbit.act(inputs, np.array([orbit.identity_index]))[:, 0]
    for i in some(orbit):
        moved = orbit.act(inputs, np.array([i]))[:, 0]
        # As written and sentence case may agree for one text, and not for all of them.
        is_identity = same(orbit, i, orbit.identity_index)
        assert np.array_equal(moved, identity) == is_identity, orbit.labels[i]


@pytest.mark.parametrize("key", LEVELS)
def test_outputs_are_of_the_promised_kind_and_the_same_each_time(key):
    orbit, inputs = orbits.find(key), batch(key)
    elements = some(orbit)
    before = inputs.copy()
    out = orbit.act(inputs, elements)
    assert out.shape[:2] == (len(inputs), len(elements))
    assert np.array_equal(inputs, before)
    assert np.array_equal(out, orbit.act(inputs, elements))
    assert np.array_equal(out, orbits.find(key).act(inputs, elements))
    if orbit.domain == "text":
        assert out.dtype.kind == "U"
        assert out.ndim == 2
        return
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    if orbit.domain != "points":
        assert 0 <= out.min() <= out.max() <= 1
        assert np.array_equal(out, orbit.act(as_given(inputs), elements))
    if orbit.domain == "image":
        assert out.shape[2:] == inputs.shape[1:]


@pytest.mark.parametrize("key", LEVELS)
def test_a_batch_is_a_loop(key):
    orbit, inputs = orbits.find(key), batch(key)
    elements = some(orbit, 6)
    together = orbit.act(inputs, elements)
    for b in range(len(inputs)):
        for k, element in enumerate(elements):
            alone = orbit.act(inputs[b : b + 1], np.array([element]))
            assert np.array_equal(alone[0, 0], together[b, k])


@pytest.mark.parametrize("key", LEVELS)
def test_an_array_that_is_given_is_filled(key):
    orbit, inputs = orbits.find(key), batch(key)
    elements = some(orbit, 5)
    wanted = orbit.act(inputs, elements)
    out = np.full(wanted.shape, "" if wanted.dtype.kind == "U" else np.nan, wanted.dtype)
    answer = orbit.act(inputs, elements, out=out)
    assert np.shares_memory(answer, out)
    assert np.array_equal(out, wanted)


@pytest.mark.parametrize("key", LEVELS)
def test_elements_that_are_not_there_are_refused_in_a_sentence(key):
    orbit, inputs = orbits.find(key), batch(key)
    for wrong in (-1, orbit.size):
        for ask in (
            lambda i: orbit.inverse(i),
            lambda i: orbit.compose(i, orbit.identity_index),
            lambda i: orbit.compose(orbit.identity_index, i),
            lambda i: orbit.act(inputs, np.array([i])),
        ):
            with pytest.raises(BadRequest, match=f"Element {wrong} is not on an orbit of") as found:
                ask(wrong)
            assert found.value.hint


def undone(orbit, i):
    """The inverse, or None where there is none: then the refusal is a sentence."""
    try:
        return orbit.inverse(i)
    except BadRequest as error:
        return refused(error)


def joined(orbit, i, j):
    """What ``j`` and then ``i`` do, or None where it is not listed."""
    try:
        return orbit.compose(i, j)
    except BadRequest as error:
        return refused(error)


def refused(error):
    assert error.message.endswith(".")
    assert error.hint


@pytest.mark.parametrize("key", LEVELS)
def test_the_inverse_undoes(key):
    orbit = orbits.find(key)
    is_resampled = family_of(key) in RESAMPLED
    e, inputs = orbit.identity_index, batch(key, is_resampled)
    assert undone(orbit, e) == e or orbit.layout == "discs"
    for i in some(orbit):
        back = undone(orbit, i)
        if back is None:
            continue
        assert same(orbit, joined(orbit, back, i), e)
        if undone(orbit, back) is not None:
            assert same(orbit, orbit.inverse(back), i)
        if orbit.domain == "scene":  # a crop cannot be moved again; its position can
            assert not (orbit.positions[i] + orbit.positions[back]).any()
            continue
        there = orbit.act(inputs, np.array([i]))[:, 0]
        again = orbit.act(there, np.array([back]))[:, 0]
        assert apart(again, as_given(inputs)) <= RESAMPLED.get(family_of(key), ROUNDING), i


def same(orbit, i, j) -> bool:
    """The same element; on discs some cells are the same rotation."""
    if orbit.layout == "discs":
        return bool(np.abs(orbit.matrices[i] - orbit.matrices[j]).max() < 1e-9)
    return i == j


def pairs_of(orbit, count=150):
    """Pairs of elements: drawn at random, and every one of a few with the identity."""
    rng = np.random.default_rng(orbit.size)
    drawn = [tuple(pair) for pair in rng.integers(0, orbit.size, (count, 2)).tolist()]
    e = orbit.identity_index
    return [*drawn, *((int(i), e) for i in some(orbit, 5)), *((e, int(i)) for i in some(orbit, 5))]


@pytest.mark.parametrize("key", LEVELS)
def test_composing_is_doing_one_after_the_other(key):
    orbit = orbits.find(key)
    inputs = batch(key, family_of(key) in RESAMPLED)
    limit = RESAMPLED.get(family_of(key), ROUNDING)
    for i, j in pairs_of(orbit):
        both = joined(orbit, i, j)
        if orbit.identity_index in (i, j):
            assert same(orbit, both, i if j == orbit.identity_index else j)
        if both is None:
            continue
        if orbit.domain == "scene":
            moved = orbit.positions[i] + orbit.positions[j]
            assert np.array_equal(moved, orbit.positions[both])
            continue
        first = orbit.act(inputs, np.array([j]))[:, 0]
        found = orbit.act(first, np.array([i]))[:, 0]
        wanted = orbit.act(inputs, np.array([both]))[:, 0]
        assert apart(found, wanted) <= limit, (orbit.labels[j], orbit.labels[i])


@pytest.mark.parametrize("key", LEVELS)
def test_composing_is_associative(key):
    orbit = orbits.find(key)
    rng = np.random.default_rng(1)
    tried = 0
    triples = rng.integers(0, orbit.size, (400, 3)).tolist()
    triples += [[orbit.identity_index, i, i] for i in some(orbit, 8).tolist()]
    for i, j, k in triples[:: 8 if orbit.layout == "discs" else 1]:
        inner, outer = joined(orbit, j, k), joined(orbit, i, j)
        if inner is None or outer is None:
            continue
        one, other = joined(orbit, i, inner), joined(orbit, outer, k)
        if one is not None and other is not None:
            assert same(orbit, one, other), (i, j, k)
            tried += 1
    assert tried


@pytest.mark.parametrize(
    "key", [p for p in LEVELS if orbits.FAMILIES[family_of(p.values[0])].group == "group"]
)
def test_a_group_says_how_to_undo_every_element(key):
    orbit = orbits.find(key)
    missing = [i for i in range(orbit.size) if undone(orbit, i) is None]
    if family_of(key) == "translations":  # shifts by the largest distance have one direction only
        low = orbit.positions.min()
        missing = [i for i in missing if low not in orbit.positions[i]]
    assert not missing


@pytest.mark.parametrize(
    "key",  # turns have refusals of their own, in test_orbits.py
    [
        p
        for p in LEVELS
        if orbits.FAMILIES[family_of(p.values[0])].domain == "image"
        and family_of(p.values[0]) != "rotation"
    ],
)
def test_what_is_no_batch_of_images_is_refused(key):
    orbit = orbits.find(key)
    for wrong in (np.zeros((2, 28, 28), np.uint8), np.array(["text"]), np.zeros((1, 3, 0, 28))):
        with pytest.raises(BadRequest):
            orbit.act(wrong, np.array([orbit.identity_index]))


def test_unknown_families_and_levels_are_sentences():
    with pytest.raises(NotFound, match="no orbit 'wobble'"):
        orbits.find("wobble")
    with pytest.raises(NotFound, match="no sampling '3'") as found:
        orbits.find("blur-3")
    assert "0.5" in found.value.hint
    assert orbits.find("blur").key == "blur-0.5"


# --- Laws of the single groups ---------------------------------------------------------------


def test_symmetries_of_the_square_are_two_by_two_matrices():
    """N1: all 256 products, with time as a sign."""
    quarter, flip = np.array([[0, -1], [1, 0]]), np.diag([1, -1])
    turns = [np.linalg.matrix_power(quarter, k) for k in range(4)]
    # Even i: 45 i degrees. Odd i: 45 (i + 1) degrees after a flip about the horizontal axis.
    planar = [turns[i // 2] if i % 2 == 0 else turns[(i + 1) // 2 % 4] @ flip for i in range(8)]
    elements = [(planar[i % 8], 1 - 2 * (i // 8)) for i in range(16)]
    orbit = orbits.square_symmetries()
    for i, (p, s) in enumerate(elements):
        for j, (q, t) in enumerate(elements):
            r, u = elements[orbit.compose(i, j)]
            assert np.array_equal(p @ q, r)
            assert s * t == u
        back, sign = elements[orbit.inverse(i)]
        assert np.array_equal(p @ back, np.eye(2))
        assert s * sign == 1


def test_an_object_moves_where_the_shift_says():
    """N7: +x to the right, +y down."""
    orbit = orbits.translations(64, 4)
    scene = np.zeros((1, 1, 256, 256), np.uint8)
    scene[0, 0, 64 + 50, 64 + 40] = 255  # row 50, column 40 of the middle crop
    for x, y in ((8, 0), (0, 8), (-12, 20)):
        element = np.flatnonzero((orbit.positions == (x, y)).all(axis=1))
        crop = orbit.act(scene, element)[0, 0, 0]
        assert np.argwhere(crop).tolist() == [[50 + y, 40 + x]]


def test_identities_of_the_discs():
    """N9: the four of the layout, on the rotations themselves."""
    orbit = orbits.axis_angle_disc(24, 13)
    cells = orbit.matrices.reshape(3, 24, 13, 3, 3)
    assert np.abs(cells[:, :, 0] - np.eye(3)).max() == 0  # 1: centres are the identity
    opposite = np.roll(cells, 12, axis=1)
    product = cells @ opposite
    assert np.abs(product - np.eye(3)).max() < 1e-12  # 2: opposite points undo each other
    assert np.abs(cells[:, :, 12] - opposite[:, :, 12]).max() < 1e-12  # 3: rims agree
    xy, xz, yz = cells
    for one, other in ((xy[0], xz[0]), (xy[6], yz[0]), (xz[6], yz[6])):  # 4: shared rays
        assert np.abs(one - other).max() < 1e-12
    assert np.abs(xy[0] - yz[0]).max() > 0.5  # and rays that are not shared do not


def test_a_circular_shift_goes_right_down_and_around():
    orbit = orbits.circular_shifts(7)
    image = np.zeros((1, 1, 28, 28), np.uint8)
    image[0, 0, 26, 1] = 255
    element = np.flatnonzero((orbit.positions == (1, 1)).all(axis=1))
    assert np.argwhere(orbit.act(image, element)[0, 0, 0]).tolist() == [[2, 5]]
    with pytest.raises(BadRequest, match="30 × 28 px"):
        orbit.act(np.zeros((1, 1, 28, 30), np.uint8), element)
