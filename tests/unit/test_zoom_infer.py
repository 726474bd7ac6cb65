"""Looking at an image: exact where it must be, reproducible, within the image, and counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.errors import BadRequest
from backend.protocols import U8
from backend.zoom import ZoomResult, draws, infer
from backend.zoom.meter import Meter
from backend.zoom.result import share_in_view
from backend.zoom.source import ArraySource
from backend.zoom.views import Views, scales
from models.zoom_net import Form, Geometry, ZoomNet
from models.zoom_training import zoom_pass

SIZES = Geometry(tile_px=16, cell_px=4, view_px=8, subtile_px=6)


def tiny(form: Form = "lenet", seed: int = 0) -> ZoomNet:
    torch.manual_seed(seed)
    return ZoomNet(2, form, SIZES).eval()


def picture(height: int = 64, width: int = 64, seed: int = 0) -> U8:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def views(net: ZoomNet, image: U8) -> Views:
    return Views(net, ArraySource(image), scales(net), Meter())


@pytest.mark.parametrize("form", ["lenet", "resnet"])
def test_the_first_map_in_strips_is_that_of_the_whole_view(
    form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, image = tiny(form), picture(128, 96)
    with torch.inference_mode():
        whole = views(net, image).alpha()
        monkeypatch.setattr("backend.zoom.views.STRIP_PX", 1)  # one row of tiles at a time
        strips = views(net, image).alpha()
    torch.testing.assert_close(strips, whole, rtol=0, atol=1e-6)
    assert whole.shape == (8, 6)
    assert whole.sum().item() == pytest.approx(1.0, abs=1e-6)


def test_training_and_inference_see_the_same_maps() -> None:
    net, image = tiny(), picture()
    batch = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    with torch.inference_mode():
        trained = zoom_pass(net, batch, 40, torch.Generator().manual_seed(0))
    done = infer(net, image, 40)
    # The app's views are rounded to whole grey values, as images are.
    np.testing.assert_allclose(done.alpha.ravel(), trained.alpha[0].numpy(), atol=2e-3)
    row = [tuple(box[:2]) for box in done.tiles.tolist()]
    for (_, tile), beta in zip(trained.tiles.tolist(), trained.betas, strict=True):
        corner = (tile % 4 * 16, tile // 4 * 16)
        if corner in row:
            mine = done.betas[row.index(corner)].ravel()
            np.testing.assert_allclose(mine, beta.numpy(), atol=5e-3)


def test_equal_seeds_give_equal_results() -> None:
    net, image = tiny(), picture()
    one, same, other = (infer(net, image, 6, seed) for seed in (3, 3, 4))
    for name, array in one.arrays().items():
        if name != "cost":
            np.testing.assert_array_equal(array, same.arrays()[name])
    assert one.cost[[1, 3]].tolist() == same.cost[[1, 3]].tolist()
    assert one.subtiles.tolist() != other.subtiles.tolist()


def test_weights_and_contributions_add_up_to_the_answer() -> None:
    done = infer(tiny(), picture(), 12)
    assert done.weights.sum() == pytest.approx(1.0, abs=1e-5)
    assert int(done.hits.sum()) == 12
    margin = done.contributions.sum(0) + done.bias
    assert margin[1] == pytest.approx(done.logits[1] - done.logits[0], abs=1e-5)
    assert margin[0] == pytest.approx(-margin[1], abs=1e-5)
    share = done.cumulative_share()
    assert share[-1] == pytest.approx(1.0)
    assert (np.diff(share) >= -1e-7).all()
    first = done.by_contribution()[0]
    strongest = abs(done.contributions[first, done.predicted])
    assert strongest == np.abs(done.contributions[:, done.predicted]).max()
    joint = done.tile_probabilities[done.tile_of] * np.array(
        [done.betas[t, i, j] for t, (i, j) in zip(done.tile_of, done.places, strict=True)]
    )
    np.testing.assert_allclose(done.probabilities, joint, rtol=1e-4)


def test_the_mean_over_seeds_approaches_the_exact_attention_weighted_mean() -> None:
    """logit differences are linear in the mean feature, so they are unbiased; 400 seeds here."""
    net, image = tiny(seed=1), picture(32, 32)
    with torch.inference_mode():
        at = views(net, image)
        alpha = at.alpha().flatten()
        exact = torch.zeros(32)
        for tile in range(4):
            box = at.tile_box(tile)
            beta = at.beta(box).flatten()
            centres = [at.centre(box, place) for place in range(len(beta))]
            exact += alpha[tile] * (beta @ at.features(centres))
        wanted = net.g(exact).numpy()
    many = draws(net, image, 3, 200, 0).answers
    many = np.concatenate([many, draws(net, image, 3, 200, 200).answers])
    logits = np.log(many[:, 1] / many[:, 0])
    error = logits.std() / len(logits) ** 0.5
    assert logits.mean() == pytest.approx(wanted[1] - wanted[0], abs=float(4 * error) + 1e-6)


def test_repeated_draws_begin_with_the_single_look_and_can_be_replayed() -> None:
    net, image = tiny(), picture()
    many = draws(net, image, 5, 8, seed=10)
    np.testing.assert_array_equal(many.answers[0], infer(net, image, 5, 10).answer)
    np.testing.assert_array_equal(many.answers[6], infer(net, image, 5, int(many.seeds[6])).answer)
    low, mean, high = many.interval(1)
    assert low <= mean <= high
    assert 0.5 <= many.agreement() <= 1


@pytest.mark.parametrize("corner", [(0, 0), (0, 60), (44, 0), (44, 60)])
def test_a_bright_corner_is_looked_at_without_reading_outside(corner: tuple[int, int]) -> None:
    """50 x 66 pixels: the last tiles reach past the border, and no place outside is drawn."""
    image = np.zeros((50, 66, 3), np.uint8)
    y, x = corner
    image[y : y + 6, x : x + 6] = 255
    done = infer(tiny(), image, 200)
    assert done.alpha.shape == (4, 5)
    centres = done.subtiles[:, :2] + SIZES.subtile_px // 2
    assert (centres >= 0).all()
    assert (centres < [66, 50]).all()
    tile = done.tiles[done.tile_of]
    assert ((centres >= tile[:, :2]) & (centres < tile[:, :2] + tile[:, 2:])).all()


def test_look_here_takes_the_rectangle_as_the_only_tile() -> None:
    done = infer(tiny(), picture(), 9, region=(10, 20, 30, 24))
    assert done.alpha.tolist() == [[1.0]]
    assert done.tiles.tolist() == [[10, 20, 30, 24]]
    assert done.betas.shape == (1, 12, 15)
    assert len(done.subtiles) == 9
    centres = done.subtiles[:, :2] + SIZES.subtile_px // 2
    assert ((centres >= [10, 20]) & (centres < [40, 44])).all()


def test_look_here_is_cut_to_the_image() -> None:
    assert infer(tiny(), picture(), 4, region=(40, 40, 100, 100)).tiles[0].tolist() == [
        40, 40, 24, 24,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "region", [(0, 0, 3, 40), (64, 0, 20, 20), (-50, 0, 60, 60), (0, 0, -1, 9)]
)
def test_look_here_needs_some_of_the_image(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadRequest, match="too little of the image"):
        infer(tiny(), picture(), 4, region=region)


def test_topk_does_not_depend_on_the_seed() -> None:
    net, image = tiny(), picture()
    one, other = (infer(net, image, 8, seed, policy="topk") for seed in (0, 1))
    np.testing.assert_array_equal(one.subtiles, other.subtiles)
    assert one.weights.sum() == pytest.approx(1.0, abs=1e-5)


def test_other_scales_change_the_views_only() -> None:
    done = infer(tiny(), picture(), 4, s1=0.5, s2=0.25)
    assert done.alpha.shape == (4, 4)
    assert done.betas.shape[1:] == (4, 4)


@pytest.mark.parametrize(("s1", "s2"), [(0.0, None), (1.5, None), (None, float("nan"))])
def test_scales_without_a_pixel_are_refused(s1: float | None, s2: float | None) -> None:
    with pytest.raises(BadRequest, match="Allowed are"):
        infer(tiny(), picture(), 4, s1=s1, s2=s2)


def test_results_survive_storage() -> None:
    done = infer(tiny(), picture(), 6)
    again = ZoomResult.from_arrays(done.arrays())
    assert again.predicted == done.predicted
    assert again.peak_bytes == done.peak_bytes
    with pytest.raises(BadRequest, match="alpha"):
        ZoomResult.from_arrays({"answer": done.answer})


def test_flops_are_those_of_the_formula() -> None:
    """C_in k² H_out W_out C_out of a, b on each distinct tile, f on each distinct piece."""
    done = infer(tiny(), picture(), 5, seed=2)
    a_or_b = 27 * 8 + 72 * 8 + 72
    f = 3 * 49 * 32 + 3 * 9 * 32 * 32
    pieces = len({tuple(box) for box in done.subtiles.tolist()})
    expected = 16 * 16 * a_or_b + done.distinct * 64 * a_or_b + pieces * 36 * f
    assert done.flops == expected


def test_memory_does_not_grow_with_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips, one tile at a time: 16 times the pixels, the same peak of tensors within 20 %."""
    monkeypatch.setattr("backend.zoom.views.STRIP_PX", 2048)
    net = tiny()
    small, large = picture(512, 512), np.tile(picture(512, 512), (4, 4, 1))
    peaks = [infer(net, image, 8).peak_bytes for image in (small, large)]
    # The map itself, 8 bytes a tile and a few copies, is all that grows.
    assert peaks[1] <= 1.2 * peaks[0] + 3 * 8 * (2048 // 16) ** 2
    assert peaks[1] < large.size / 10


def test_progress_is_told_and_can_stop_it() -> None:
    told: list[tuple[int, int]] = []
    draws(tiny(), picture(), 4, 3, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_share_of_attention_in_view() -> None:
    alpha = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    assert share_in_view(alpha, (0, 0, 32, 32), 16) == pytest.approx(1.0)
    assert share_in_view(alpha, (8, 0, 8, 16), 16) == pytest.approx(0.05)
    assert share_in_view(alpha, (100, 0, 8, 16), 16) == 0


@pytest.mark.parametrize("count", [0, 201])
def test_numbers_of_draws_out_of_range_are_refused(count: int) -> None:
    with pytest.raises(BadRequest, match="1 to 200"):
        draws(tiny(), picture(), 4, count)
