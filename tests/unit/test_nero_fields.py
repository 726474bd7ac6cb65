"""Fields under the symmetries of the square and of time: laws (N1 to N3), errors, consensus."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.nero import fields, orbits

ORBIT = orbits.square_symmetries()
ELEMENTS = range(16)


def noise(*shape: int, seed: int = 0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def radial(size: int = 8):
    """Arrows that point away from the middle, as long as they are far from it."""
    at = np.arange(size, dtype=np.float32) - (size - 1) / 2
    u, v = np.meshgrid(at, at)
    return np.stack([u, v])


def test_the_index_law_is_that_of_the_matrices():
    """N1: all 256 products."""
    for i in ELEMENTS:
        for j in ELEMENTS:
            k = ORBIT.compose(i, j)
            assert (fields.matrix(k) == fields.matrix(i) @ fields.matrix(j)).all(), (i, j)
            assert k // 8 == (i // 8 + j // 8) % 2
        assert ORBIT.compose(ORBIT.inverse(i), i) == ORBIT.compose(i, ORBIT.inverse(i)) == 0


def test_vectors_turn_as_seen_on_the_screen():
    """u points right and v down, so an arrow to the right that turns counter-clockwise points up:
    v = −1.
    """
    right, up = np.array([1, 0]), np.array([0, -1])
    assert (fields.matrix(2) @ right == up).all()
    assert (fields.matrix(4) @ right == -right).all()
    assert (fields.matrix(6) @ right == -up).all()
    assert (fields.matrix(3) @ right == -right).all()  # left–right
    assert (fields.matrix(7) @ right == right).all()  # top–bottom
    assert (fields.matrix(7) @ up == -up).all()
    assert (fields.matrix(1) @ right == up).all()  # the / diagonal swaps right and up
    assert (fields.matrix(5) @ right == -up).all()  # the \\ diagonal swaps right and down


def test_one_arrow_goes_where_the_picture_of_its_place_goes():
    """An arrow to the right in the top left corner, a quarter turn later: bottom left, upwards."""
    field = np.zeros((2, 4, 4), np.float32)
    field[:, 0, 0] = 3, 0
    turned = fields.act(field, 2)
    assert turned[:, 3, 0].tolist() == [0, -3]
    assert np.count_nonzero(turned) == 1
    marked = ORBIT.act(np.float32([field, field])[:, :2] / 3, np.array([2]))[0, 0, 0]
    assert marked[3, 0] == 1  # the action on frames moves the place alike
    back = fields.act(field, 8 + 2)
    assert back[:, 3, 0].tolist() == [0, 3]


@pytest.mark.parametrize("g", ELEMENTS)
def test_every_element_is_undone_by_its_inverse(g):
    """N3."""
    field = noise(3, 2, 6, 6)
    back = fields.act(fields.act(field, g), ORBIT.inverse(g))
    assert torch.equal(torch.from_numpy(back), torch.from_numpy(field))


def test_actions_compose_exactly():
    """N2 for fields and for frames: φ(i, φ(j, x)) = φ(i·j, x)."""
    field = torch.from_numpy(noise(2, 2, 6, 6))
    frames = np.random.default_rng(1).integers(0, 256, (2, 2, 6, 6)).astype(np.uint8)
    for j in ELEMENTS:
        moved = fields.act(field.numpy(), j)
        seen = ORBIT.act(frames, np.array([j]))[:, 0]
        for i in ELEMENTS:
            k = ORBIT.compose(i, j)
            twice = torch.from_numpy(fields.act(moved, i))
            assert torch.equal(twice, torch.from_numpy(fields.act(field.numpy(), k)))
            seen_twice = torch.from_numpy(ORBIT.act(seen, np.array([i]))[:, 0])
            assert torch.equal(seen_twice, torch.from_numpy(ORBIT.act(frames, np.array([k]))[:, 0]))


def test_a_radial_field_is_fixed_by_the_eight_and_negated_by_time():
    """N3."""
    field = radial()
    for g in range(8):
        assert np.array_equal(fields.act(field, g), field)
        assert np.array_equal(fields.act(field, g + 8), -field)
    turning = np.stack([-field[1], field[0]])  # a vortex: turns keep it, reflections reverse it
    for g in range(8):
        assert np.array_equal(fields.act(turning, g), -turning if g % 2 else turning)
    other = noise(2, 8, 8)
    assert np.array_equal(fields.act(other, 8), -other)


def test_the_action_keeps_what_is_unknown():
    field = noise(2, 4, 4)
    field[:, 0, 1] = np.nan
    turned = fields.act(field, 2)
    assert np.isnan(turned[:, 2, 0]).all()
    assert np.isnan(turned).sum() == 2


def test_errors_by_hand():
    wanted = np.zeros((1, 2, 1, 2), np.float32)
    got = np.array([[[[3.0, 0.0]], [[4.0, 0.0]]]], np.float32)  # error vectors (3, 4) and (0, 0)
    found = fields.errors(got, wanted)
    assert found["mse"].tolist() == [12.5]
    assert found["rmse"][0] == pytest.approx(12.5**0.5)
    assert found["aee"].tolist() == [2.5]
    assert found["mae"].tolist() == [1.75]
    assert fields.error_map(got, wanted).tolist() == [[[5.0, 0.0]]]


def test_places_that_nobody_knows_do_not_count():
    wanted, got = np.zeros((2, 2, 2, 2), np.float32), np.ones((2, 2, 2, 2), np.float32)
    wanted[0, :, 0, 0] = np.nan
    got[0, 0, 1, 1] = np.nan  # half a vector is none
    got[0, :, 0, 1] = 3, 4
    wanted[1] = np.nan
    found = fields.errors(got, wanted)
    assert found["mse"][0] == pytest.approx((25 + 2) / 2)
    assert all(np.isnan(values[1]) for values in found.values())
    assert np.isnan(fields.error_map(got, wanted)[0, 1, 1])


def test_errors_do_not_change_when_both_fields_move():
    a, b = noise(3, 2, 6, 6), noise(3, 2, 6, 6, seed=1)
    expected = fields.errors(a, b)
    for g in ELEMENTS:
        found = fields.errors(fields.act(a, g), fields.act(b, g))
        for name, values in found.items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-6)


def test_the_consensus_of_an_oracle_is_its_own_answer():
    """N8."""
    truth = noise(2, 2, 6, 6)
    value, used = fields.consensus(ORBIT, fields.along(truth, ORBIT))
    np.testing.assert_allclose(value, truth, atol=1e-6)
    assert used.tolist() == [16, 16]


def test_a_constant_bias_averages_out():
    """The source's limit of consensus: errors that do not turn with the frames cancel over D4."""
    truth = noise(1, 2, 6, 6)
    biased = fields.along(truth, ORBIT) + np.array([0.5, -2.0], np.float32)[:, None, None]
    value, _ = fields.consensus(ORBIT, biased)
    np.testing.assert_allclose(value, truth, atol=1e-6)


def test_a_random_error_shrinks_like_one_over_the_root_of_the_elements():
    truth = noise(40, 2, 8, 8)
    answers = fields.along(truth, ORBIT) + noise(40, 16, 2, 8, 8, seed=2)
    value, _ = fields.consensus(ORBIT, answers)
    assert np.std(value - truth) == pytest.approx(1 / 4, rel=0.03)


def test_missing_answers_are_left_out_of_the_consensus():
    truth = noise(2, 2, 4, 4)
    answers = fields.along(truth, ORBIT)
    answers[0, 3:7] = np.nan
    answers[1] = np.nan
    answers[0, 0, :, 1, 1] = np.nan
    value, used = fields.consensus(ORBIT, answers)
    np.testing.assert_allclose(value[0], truth[0], atol=1e-6)
    assert np.isnan(value[1]).all()
    assert used.tolist() == [12, 0]


def test_without_reversed_time_there_are_eight():
    eight = orbits.square_symmetries(False)
    truth = noise(1, 2, 4, 4)
    answers = fields.along(truth, eight)
    assert answers.shape == (1, 8, 2, 4, 4)
    np.testing.assert_allclose(fields.consensus(eight, answers)[0], truth, atol=1e-6)


def test_coarse_fields_are_means_of_cells():
    values = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert fields.coarse(values, 2).tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert np.array_equal(fields.coarse(values, 4), values)
    assert np.array_equal(fields.coarse(values, 9), values)
    values[0, 0] = np.nan
    assert fields.coarse(values, 2)[0, 0] == pytest.approx((1 + 4 + 5) / 3)
    values[:2, :2] = np.nan
    assert np.isnan(fields.coarse(values, 2)[0, 0])


def test_coarse_cells_share_what_lies_on_their_edges():
    row = np.array([0.0, 3.0, 6.0], np.float32)
    found = fields.coarse(np.stack([row] * 3), 2)
    np.testing.assert_allclose(found, [[1.0, 5.0]] * 2)  # (0 + 3/2) / 1.5 and (3/2 + 6) / 1.5
    field = noise(2, 2, 23, 23)
    for g in ELEMENTS:
        np.testing.assert_allclose(
            fields.coarse(fields.act(field, g), 16),
            fields.act(fields.coarse(field, 16), g),
            atol=1e-6,
        )
