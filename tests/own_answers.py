"""Tiny detectors, estimators of motion and classifiers of clouds, of every kind and form."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.piv_net import PivNet

LIGHTS = ("lamp", "moon")
SHAPES = ("flat", "tall")
BOX = (40.0, 30.0, 72.0, 70.0)  # of the bright block in :func:`crops`, px
QUERIES = 3


def spot(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Middle, width and height (b, 4) in px of what is bright in (b, 3, h, w), and a score (b,).

    A block of equal brightness has a standard deviation of its width through the root of 12.
    """
    mass = torch.relu(pictures.mean(1) - 0.5)
    total = mass.sum((1, 2))
    parts = []
    for axis in (1, 2):
        line = mass.sum(axis)
        places = torch.arange(line.shape[1], device=line.device) + 0.5
        middle = (line * places).sum(1) / (total + 1e-6)
        spread = (line * (places - middle[:, None]) ** 2).sum(1) / (total + 1e-6)
        parts.append((middle, (12 * spread + 1e-9).sqrt()))
    (x, width), (y, height) = parts
    share = total / (pictures.shape[2] * pictures.shape[3])
    return torch.stack([x, y, width, height], 1), (30 * share).clamp(max=0.9)


class Boxes(nn.Module):
    """Final boxes (b, 2, 6), the second a row of zeros."""

    def forward(self, pictures: Tensor) -> Tensor:
        place, score = spot(pictures)
        corners = torch.cat([place[:, :2] - place[:, 2:] / 2, place[:, :2] + place[:, 2:] / 2], 1)
        row = torch.cat([corners, score[:, None], torch.zeros_like(score)[:, None]], 1)
        return torch.stack([row, torch.zeros_like(row)], 1)


class Dicts(nn.Module):
    """As torchvision's: for each picture boxes, scores and labels; none where it is dark."""

    def forward(self, pictures: Any) -> list[dict[str, Tensor]]:
        table = Boxes()(torch.stack(list(pictures)))
        kept = [rows[rows[:, 4] > 0.1] for rows in table]
        return [
            {"boxes": rows[:, :4], "scores": rows[:, 4], "labels": rows[:, 5].long()}
            for rows in kept
        ]


class Anchors(nn.Module):
    """As YOLO's from version 8: (b, 4 + 2, 12), the second anchor nearly the first, less sure."""

    def forward(self, pictures: Tensor) -> Tensor:
        place, score = spot(pictures)
        zeros = torch.zeros_like(score)
        sure = torch.cat([place, torch.stack([score, zeros], 1)], 1)
        near = torch.cat([place + 1, torch.stack([score * 0.9, zeros], 1)], 1)
        rest = torch.zeros_like(sure)[:, :, None].repeat(1, 1, 10)
        return torch.cat([near[:, :, None], sure[:, :, None], rest], 2)


class WithObjectness(nn.Module):
    """As YOLO's up to version 7: (b, 12, 5 + 2)."""

    def forward(self, pictures: Tensor) -> Tensor:
        found = Anchors()(pictures).transpose(1, 2)
        return torch.cat([found[..., :4], torch.ones_like(found[..., :1]), found[..., 4:]], 2)


class Queries(nn.Module):
    """As DETR's: logits (b, 3, 2 + 1) with nothing last, boxes as fractions."""

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        place, score = spot(pictures)
        sides = torch.tensor([pictures.shape[3], pictures.shape[2]] * 2, device=place.device)
        lamp = torch.log(score + 1e-9)
        none = torch.log(1 - score)
        first = torch.stack([lamp, torch.full_like(lamp, -30.0), none], 1)
        nothing = torch.stack([torch.full_like(lamp, -30.0)] * 2 + [torch.zeros_like(lamp)], 1)
        boxes = torch.stack([place / sides] * QUERIES, 1)
        return {"logits": torch.stack([first, nothing, nothing], 1), "pred_boxes": boxes}


FORMS: dict[str, Callable[[], nn.Module]] = {
    "boxes": Boxes,
    "dicts": Dicts,
    "anchors": Anchors,
    "objectness": WithObjectness,
    "queries": Queries,
}


class Drift(nn.Module):
    """The way of the brightness' middle between two frames (b, 2, h, w), everywhere alike."""

    def forward(self, frames: Tensor) -> Tensor:
        first, _ = spot(frames[:, :1] + 0.5)
        second, _ = spot(frames[:, 1:] + 0.5)
        move = (second - first)[:, :2, None, None]
        return move + torch.zeros_like(frames)


class Refined(nn.Module):
    """As RAFT: two colour images from -1 to 1, and a list of ever better fields."""

    def forward(self, first: Tensor, second: Tensor) -> list[Tensor]:
        frames = torch.cat([first[:, :1], second[:, :1]], 1) / 2 + 0.5
        best = Drift()(frames)
        return [best * 0.5, best]


class Tall(nn.Module):
    """Tells tall clouds (b, p, 3) from flat ones by their extent in z."""

    def forward(self, clouds: Tensor) -> Tensor:
        spread = clouds[..., 2].abs().mean(1) - 0.3
        return torch.stack([-9 * spread, 9 * spread], 1)


class TallColumns(nn.Module):
    """The same of (b, 3, p), with features beside the answer, as PointNet has them."""

    def forward(self, clouds: Tensor) -> tuple[Tensor, Tensor]:
        rows = clouds.transpose(1, 2)
        return torch.log_softmax(Tall()(rows), 1), torch.zeros(3, 3)


class InOrder(nn.Module):
    """Looks at the first points of a cloud only."""

    def forward(self, clouds: Tensor) -> Tensor:
        return Tall()(clouds[:, :100] * torch.linspace(0, 9, 100)[:, None])


class Same(nn.Module):
    """What goes in comes out."""

    def forward(self, given: Tensor) -> Tensor:
        return given + 0


class Changed(nn.Module):
    """Boxes with one thing wrong."""

    def forward(self, pictures: Tensor) -> Tensor:
        return self.wrong(Boxes()(pictures))

    def wrong(self, rows: Tensor) -> Tensor:
        raise NotImplementedError


class Fractions(Changed):
    """Boxes in fractions of the picture."""

    def wrong(self, rows: Tensor) -> Tensor:
        return rows / torch.tensor([200, 200, 200, 200, 1, 1])


class Unsure(Changed):
    """Confidences of 7."""

    def wrong(self, rows: Tensor) -> Tensor:
        return rows + torch.tensor([0, 0, 0, 0, 7, 0])


class Beyond(Changed):
    """A class that there is not."""

    def wrong(self, rows: Tensor) -> Tensor:
        return rows + torch.tensor([0, 0, 0, 0, 0, 5])


class Undefined(Changed):
    """Boxes that are not finite."""

    def wrong(self, rows: Tensor) -> Tensor:
        return rows / (rows[..., 5:] * 0)


class Weighted(nn.Module):
    """Any of these with a weight, so that there is something to be stored."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.one = nn.Parameter(torch.ones(1))

    def forward(self, *inputs: Tensor) -> Any:
        return self.inner(*(part * self.one for part in inputs))


def detector(classes: int) -> nn.Module:
    """A factory for weights of their own."""
    del classes
    return Weighted(Boxes())


def drift(classes: int) -> nn.Module:
    """A factory of an estimator of motion; there are no classes."""
    assert classes == 0
    return Weighted(Drift())


def backwards(classes: int) -> nn.Module:
    """The bundled network of particles, from the second frame to the first."""
    return _changed(lambda field: -field)


def swapped(classes: int) -> nn.Module:
    """The bundled network of particles, with v first."""
    return _changed(lambda field: field.flip(1))


def upwards(classes: int) -> nn.Module:
    """The bundled network of particles, with v upwards."""
    return _changed(lambda field: field * torch.tensor([1.0, -1.0])[:, None, None])


def doubled(classes: int) -> nn.Module:
    """The bundled network of particles in half pixels."""
    return _changed(lambda field: field * 2)


def _changed(change: Callable[[Tensor], Tensor]) -> nn.Module:
    class Other(PivNet):
        def forward(self, frames: Tensor) -> Tensor:
            return change(super().forward(frames))

    return Other()


def tall(classes: int) -> nn.Module:
    """A factory of a classifier of clouds."""
    assert classes == 2
    return Weighted(Tall())


def crops(px: int = 128) -> np.ndarray:
    """Two crops (2, 3, px, px): the block of :data:`BOX`, and darkness."""
    made = np.zeros((2, 3, 128, 128), np.float32)
    x0, y0, x1, y1 = map(int, BOX)
    made[0, :, y0:y1, x0:x1] = 1
    return made[..., :px, :px]


def frames(side: int = 128, move: tuple[int, int] = (3, -2)) -> np.ndarray:
    """A pair of frames (1, 2, side, side): a block that moves by so many px."""
    made = np.zeros((1, 2, side, side), np.float32)
    u, v = move
    made[0, 0, 30:40, 30:44] = 1
    made[0, 1, 30 + v : 40 + v, 30 + u : 44 + u] = 1
    return made


def clouds() -> np.ndarray:
    """A flat and a tall cloud (2, 2048, 3)."""
    rng = np.random.default_rng(0)
    made = rng.uniform(-1, 1, (2, 2048, 3)).astype(np.float32)
    made[0, :, 2] *= 0.1
    made[1, :, :2] *= 0.1
    return made


def exported(path: Path, module: nn.Module, *examples: Tensor, fixed: bool = False) -> Path:
    """A ``.pt2`` with a free batch."""
    shapes = None if fixed else tuple({0: torch.export.Dim("batch")} for _ in examples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module.eval(), examples, dynamic_shapes=shapes)
        torch.export.save(program, path)
    return path


def scripted(path: Path, module: nn.Module, *examples: Tensor) -> Path:
    """A TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module.eval(), examples, strict=False).save(str(path))
    return path


def weights(path: Path, module: nn.Module) -> Path:
    """The weights alone."""
    save_file(module.state_dict(), path)
    return path


def onnx_file(path: Path, module: nn.Module, *examples: Tensor, said: Any = None) -> Path:
    """An ``.onnx`` with a free batch, and perhaps metadata."""
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            examples,
            str(path),
            dynamic_shapes=tuple({0: torch.export.Dim("batch")} for _ in examples),
            external_data=False,
            verbose=False,
        )
    if said:
        model = onnx.load(path)
        for key, value in said.items():
            model.metadata_props.add(key=key, value=value)
        onnx.save(model, path)
    return path


def yolos_folder(folder: Path) -> Path:
    """A random detector of transformers with two classes."""
    from transformers import YolosConfig, YolosForObjectDetection

    torch.manual_seed(0)
    config = YolosConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[64, 64],
        patch_size=16,
        num_detection_tokens=5,
        id2label={0: "lamp", 1: "moon"},
        label2id={"lamp": 0, "moon": 1},
    )
    YolosForObjectDetection(config).eval().save_pretrained(folder)
    return folder
