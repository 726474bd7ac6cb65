"""How a dual encoder of one's own is given pictures, told from the files beside its weights.

The library's own preparation wants torchvision, so the steps are done here: scaled, cut about the
centre, and normalised, each only where the model asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from backend.errors import BadRequest
from backend.protocols import U8

SQUASHED: Final = ("siglip", "align")  # scaled to the square where nothing else is said
CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)
HALF: Final = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Preparation:
    """How pictures become input.

    Attributes:
        side: in px of the square that the model sees; mean, std: by channel, of values in [0, 1].
        is_squashed: scaled to a square whatever the shape; else by the shorter side, and cut.
        scaled: side in px before the centre is cut out; 0: as ``side``.
        resample: how it is scaled, in PIL's numbers.
    """

    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_squashed: bool
    scaled: int = 0
    resample: int = Image.Resampling.BICUBIC

    def __call__(self, pictures: Sequence[U8]) -> torch.Tensor:
        """RGB bytes (h, w, 3) each to (n, 3, side, side) float32."""
        return self.normalised(torch.cat([self.pixels(picture) for picture in pictures]))

    def pixels(self, picture: U8) -> torch.Tensor:
        """RGB bytes (h, w, 3), scaled, as (1, 3, h', w') float32 in [0, 1]; of a square all of it.

        What is cut off a picture that is no square is gone here already.
        """
        image = Image.fromarray(picture).convert("RGB")
        longest = self.scaled or self.side
        if self.is_squashed:
            size = (longest, longest)
        else:
            scale = longest / min(image.size)
            size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling(self.resample))
        left, top = (image.width - longest) // 2, (image.height - longest) // 2
        image = image.crop((left, top, left + longest, top + longest))
        values = np.asarray(image, np.float32) / 255.0
        return torch.from_numpy(values.transpose(2, 0, 1)[None].copy())

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the model takes of (b, 3, s, s) in [0, 1]: the centre, less mean, by deviation."""
        start = (pixels.shape[-1] - self.side) // 2
        seen = pixels[..., start : start + self.side, start : start + self.side]
        mean, std = (
            torch.tensor(one, dtype=seen.dtype, device=seen.device).view(-1, 1, 1)
            for one in (self.mean, self.std)
        )
        return (seen - mean) / std


def preparation(folder: Path, kind: str, config: Mapping[str, Any]) -> Preparation:
    """What ``preprocessor_config.json`` (or ``processor_config.json``) says, else what is usual
    for the kind of model.
    """
    held = _said(folder)
    size, crop = held.get("size"), held.get("crop_size")
    vision = config.get("vision_config") or {}
    is_cut = bool(held.get("do_center_crop", crop is not None)) and crop is not None
    scaled = side_of(size or crop or vision.get("image_size"))
    is_square = isinstance(size, dict) and "height" in size
    mean, std = _normal(held, kind)
    return Preparation(
        side=min(side_of(crop), scaled) if is_cut else scaled,
        mean=mean,
        std=std,
        is_squashed=is_square or kind in SQUASHED,
        scaled=scaled,
        resample=_resample(held),
    )


def side_of(given: Any) -> int:
    """The side of a square in px from any of the forms in which configurations write it."""
    if isinstance(given, dict):
        given = given.get("height") or given.get("shortest_edge")
    if isinstance(given, list | tuple):
        given = given[0] if given else 0
    return int(given or 224)


def _normal(held: Mapping[str, Any], kind: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of values in [0, 1] that do what the configuration says of bytes."""
    usual = (HALF, HALF) if kind in SQUASHED else (CLIP_MEAN, CLIP_STD)
    if not held:
        return usual
    mean = tuple(held.get("image_mean") or usual[0])
    std = tuple(held.get("image_std") or usual[1])
    if not held.get("do_normalize", True):
        mean, std = (0.0,) * 3, (1.0,) * 3
    factor = float(held.get("rescale_factor") or 1 / 255) if held.get("do_rescale", True) else 1.0
    white = 255 * factor
    less = 1.0 if held.get("rescale_offset") else 0.0  # ALIGN's way to put bytes into [-1, 1]
    return tuple((less + one) / white for one in mean), tuple(one / white for one in std)


def _resample(held: Mapping[str, Any]) -> int:
    known = [int(one) for one in Image.Resampling]
    given = held.get("resample")
    return given if given in known else int(Image.Resampling.BICUBIC)


def _said(folder: Path) -> dict[str, Any]:
    if (folder / "preprocessor_config.json").is_file():
        return read_json(folder / "preprocessor_config.json")
    if (folder / "processor_config.json").is_file():  # where newer versions write all of it
        held = read_json(folder / "processor_config.json").get("image_processor")
        return held if isinstance(held, dict) else {}
    return {}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a model's folder.

    Raises:
        BadRequest: the file cannot be read, or holds none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadRequest(
            f"{path.parent.name} holds no readable {path.name}.", "Write it with save_pretrained."
        ) from error
    if not isinstance(found, dict):
        raise BadRequest(f"{path.name} of {path.parent.name} is no JSON object.")
    return found
