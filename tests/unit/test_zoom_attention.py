"""Drawing tiles and places: reproducible, within the map, with the right multiplicities."""

from __future__ import annotations

import pytest
import torch

from backend.errors import BadRequest
from backend.zoom.attention import expected_distinct, sample_subtiles, sample_tiles

ALPHA = torch.tensor([[0.6, 0.25], [0.15, 0.0]])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_hits_add_up_and_empty_tiles_are_never_hit() -> None:
    for seed in range(50):
        drawn = sample_tiles(ALPHA, 10, seeded(seed))
        assert int(drawn.hits.sum()) == 10
        assert 3 not in drawn.tiles.tolist()
        assert len(set(drawn.tiles.tolist())) == len(drawn.tiles)


def test_equal_seeds_draw_alike_and_others_differ() -> None:
    one, same, other = (sample_tiles(ALPHA, 10, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(one.tiles, same.tiles)
    assert torch.equal(one.hits, same.hits)
    assert one.hits.tolist() != other.hits.tolist() or one.tiles.tolist() != other.tiles.tolist()


def test_frequencies_are_those_of_the_map() -> None:
    drawn = sample_tiles(ALPHA, 1024, seeded(5))
    share = dict(zip(drawn.tiles.tolist(), (drawn.hits / 1024).tolist(), strict=True))
    assert share[0] == pytest.approx(0.6, abs=0.06)


def test_topk_gives_each_tile_its_expected_number() -> None:
    drawn = sample_tiles(ALPHA, 10, seeded(), "topk")
    assert drawn.tiles.tolist() == [0, 1, 2]
    assert drawn.hits.tolist() == [6, 3, 1] or drawn.hits.tolist() == [6, 2, 2]
    assert int(drawn.hits.sum()) == 10


def test_the_expected_number_of_distinct_tiles_for_a_flat_map() -> None:
    assert expected_distinct(torch.full((100,), 0.01), 10) == pytest.approx(9.56, abs=0.01)
    assert expected_distinct(torch.full((1024,), 1 / 1024), 100) == pytest.approx(95.3, abs=0.1)


def test_places_are_different_and_their_weights_sum_to_one() -> None:
    beta = torch.softmax(torch.arange(12.0) / 4, 0).view(3, 4)
    drawn = sample_subtiles(beta, 5, seeded())
    assert len(set(drawn.places.tolist())) == 5
    assert drawn.weights.sum().item() == pytest.approx(1.0)
    torch.testing.assert_close(drawn.probabilities, beta.flatten().double()[drawn.places])


def test_more_draws_than_places_give_the_exact_mean() -> None:
    beta = torch.tensor([0.5, 0.3, 0.2, 0.0])
    drawn = sample_subtiles(beta, 7, seeded())
    weights = dict(zip(drawn.places.tolist(), drawn.weights.tolist(), strict=True))
    assert weights == pytest.approx({0: 0.5, 1: 0.3, 2: 0.2})


def test_places_outside_the_image_are_never_drawn() -> None:
    beta = torch.full((4,), 0.25)
    allowed = torch.tensor([True, False, True, False])
    assert set(sample_subtiles(beta, 2, seeded(), allowed=allowed).places.tolist()) <= {0, 2}
    with pytest.raises(BadRequest, match="outside the image"):
        sample_subtiles(beta, 1, seeded(), allowed=torch.zeros(4, dtype=torch.bool))


def test_topk_takes_the_most_probable_places() -> None:
    drawn = sample_subtiles(torch.tensor([0.1, 0.6, 0.3]), 2, seeded(), "topk")
    assert drawn.places.tolist() == [1, 2]
    assert drawn.weights.tolist() == pytest.approx([2 / 3, 1 / 3])


@pytest.mark.parametrize("alpha", [torch.tensor([0.5, 0.2]), torch.tensor([1.5, -0.5])])
def test_a_map_that_is_no_distribution_is_refused(alpha: torch.Tensor) -> None:
    with pytest.raises(BadRequest, match="not a distribution"):
        sample_tiles(alpha, 3, seeded())


@pytest.mark.parametrize("count", [0, -1, 1025, 10**9])
def test_numbers_out_of_range_are_refused(count: int) -> None:
    with pytest.raises(BadRequest, match="1 to 1024"):
        sample_tiles(ALPHA, count, seeded())


def test_unknown_policies_are_refused() -> None:
    with pytest.raises(BadRequest, match="sample, topk"):
        sample_tiles(ALPHA, 3, seeded(), "best")  # type: ignore[arg-type]
