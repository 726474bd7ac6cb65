"""The networks themselves: symmetry by construction, shapes and rotation, on random weights."""

from __future__ import annotations

import pytest
import torch

from models.digit_cnn import DigitCNN
from models.efficientnet_lite import ConvNorm, EfficientNetLite0
from models.p4_cnn import P4CNN, GroupConv, LiftingConv
from models.rotation import rotate
from models.train_digits import BATCH, SHIFT_PX, Batches, shift


def random_images(n: int, side: int = 28) -> torch.Tensor:
    return torch.rand(n, 1, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_oriented_network_ignores_quarter_turns(seed: int, turns: int) -> None:
    torch.manual_seed(seed)
    module = P4CNN().eval()
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            # Statistics as after training: zero means would hide a mix-up of orientations.
            part.running_mean = torch.randn(part.num_features)
            part.running_var = torch.rand(part.num_features) + 0.5
    x = random_images(4)
    with torch.inference_mode():
        straight, turned = module(x), module(torch.rot90(x, turns, (2, 3)))
    assert straight.std(0).max() > 1e-3  # not just a constant
    torch.testing.assert_close(turned, straight, rtol=1e-4, atol=1e-5)


def test_the_plain_network_does_not_ignore_them() -> None:
    torch.manual_seed(0)
    module = DigitCNN().eval()
    x = random_images(4)
    with torch.inference_mode():
        gap = (module(torch.rot90(x, 1, (2, 3))) - module(x)).abs().max()
    assert gap > 1e-4


def test_lifting_turns_maps_and_moves_them_one_orientation_on() -> None:
    conv = LiftingConv(1, 2, 3)
    x = random_images(1, 8)
    with torch.inference_mode():
        straight = conv(x).view(2, 4, 8, 8)
        turned = conv(torch.rot90(x, 1, (2, 3))).view(2, 4, 8, 8)
    torch.testing.assert_close(turned, torch.rot90(straight, 1, (2, 3)).roll(1, 1))


def test_group_convolution_keeps_that_symmetry() -> None:
    conv = GroupConv(2, 3, 3, padding=1)
    x = torch.rand(1, 2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    moved = torch.rot90(x, 1, (3, 4)).roll(1, 2)
    with torch.inference_mode():
        straight = conv(x.flatten(1, 2)).view(3, 4, 8, 8)
        turned = conv(moved.flatten(1, 2)).view(3, 4, 8, 8)
    torch.testing.assert_close(turned, torch.rot90(straight, 1, (2, 3)).roll(1, 1))


def test_the_oriented_network_has_no_more_parameters_than_the_plain_one() -> None:
    def count(module: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    assert count(P4CNN()) <= count(DigitCNN()) == 144_506


def test_efficientnet_keeps_tensorflow_padding() -> None:
    """Stride 2, kernel 3, even side: the odd pixel is padded at the end, so output (0, 0) starts
    at input (0, 0) and a lone bright corner pixel is seen by the kernel's first weight only."""
    layer = ConvNorm(1, 1, 3, stride=2, linear=True).eval()
    layer.conv.weight = torch.nn.Parameter(torch.arange(1.0, 10.0).view(1, 1, 3, 3))
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 0, 0] = 1.0
    with torch.inference_mode():
        out = layer(x)
    assert out.shape == (1, 1, 2, 2)
    assert out[0, 0, 0, 0] == pytest.approx(1.0, abs=1e-3)
    assert out[0, 0].count_nonzero() == 1


def test_efficientnet_maps_have_the_published_sizes() -> None:
    module = EfficientNetLite0(5).eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert module.stem(x).shape == (1, 32, 32, 32)
        assert module(x).shape == (1, 5)
    assert sum(p.numel() for p in EfficientNetLite0().parameters()) == 4_652_008


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4])
def test_right_angles_move_pixels_counter_clockwise(turns: int) -> None:
    x = random_images(2, 6)
    turned = rotate(x, torch.tensor([90.0 * turns]))
    torch.testing.assert_close(turned, torch.rot90(x, turns, (2, 3)), rtol=0, atol=1e-5)


def test_each_image_gets_its_own_angle_and_zeros_come_in() -> None:
    x = torch.ones(2, 1, 9, 9)
    turned = rotate(x, torch.tensor([0.0, 45.0]))
    torch.testing.assert_close(turned[0], x[0])
    assert turned[1, 0, 0, 0] == 0.0
    assert turned[1, 0, 4, 4] == pytest.approx(1.0)


def test_rotation_refuses_rectangles() -> None:
    with pytest.raises(ValueError, match="4 x 5"):
        rotate(torch.zeros(1, 1, 4, 5), torch.zeros(1))


def test_shift_moves_whole_pixels() -> None:
    x = torch.zeros(2, 1, 6, 6, dtype=torch.uint8)
    x[:, 0, 3, 3] = 9
    moved = shift(x, torch.tensor([[SHIFT_PX, SHIFT_PX], [SHIFT_PX + 2, SHIFT_PX - 1]]))
    assert torch.equal(moved[0], x[0])
    assert moved[1, 0].nonzero().tolist() == [[1, 4]]


def test_plain_and_rotated_training_see_the_same_batches() -> None:
    images = torch.zeros(BATCH * 2, 1, 6, 6, dtype=torch.uint8)
    images[:, 0, 2:4, 2:4] = torch.arange(BATCH * 2, dtype=torch.uint8)[:, None, None]
    labels = torch.arange(BATCH * 2)
    runs = [Batches(images, labels, is_rotated, seed=3) for is_rotated in (False, True)]
    for _ in range(3):
        (plain, first), (turned, second) = (run.next() for run in runs)
        assert torch.equal(first, second)
        assert plain.shape == turned.shape == (BATCH, 1, 6, 6)
        assert not torch.equal(plain, turned)
