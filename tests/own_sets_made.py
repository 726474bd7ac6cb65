"""Tiny data sets of every kind, written to a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests import own_models

GROUPS_HEAD = "image,label,group,split\n"


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    """A colourful picture of noise in blocks of 16 px."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (height // 16, width // 16, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST)


def folder(root: Path) -> Path:
    return own_models.images(root / "rooms")


def table(root: Path) -> Path:
    own_models.images(root / "rooms")
    rows = [f"rooms/{kind}/{i}.png,{kind}" for kind in ("dark", "bright") for i in range(6)]
    (root / "rooms.csv").write_text("file,label\n" + "\n".join(rows))
    return root / "rooms.csv"


def arrays(root: Path) -> Path:
    images = np.stack([np.full((12, 12), 20 * i, np.uint8) for i in range(12)])
    np.savez(root / "rooms.npz", images=images, labels=np.repeat(["dark", "bright"], 6))
    return root / "rooms.npz"


def boxes(root: Path) -> Path:
    """COCO's own JSON beside two photographs, one of them with a bird in its middle."""
    (root / "photos").mkdir(exist_ok=True)
    for i in range(2):
        noise(480, 640, i).save(root / "photos" / f"{i}.png")
    told = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 640, "height": 480} for i in (0, 1)],
        "annotations": [{"id": 7, "image_id": 0, "category_id": 16, "bbox": [300, 220, 40, 40]}],
        "categories": [{"id": 16, "name": "bird"}],
    }
    (root / "instances.json").write_text(json.dumps(told))
    return root / "instances.json"


def clouds(root: Path) -> Path:
    """A cloud of a class that the bundled models know, and one without a label."""
    rng = np.random.default_rng(0)
    for place in ("chair/a.xyz", "b.xyz"):
        (root / "clouds" / place).parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(root / "clouds" / place, rng.normal(size=(300, 3)))
    return root / "clouds"


def frames(root: Path) -> Path:
    rng = np.random.default_rng(0)
    (root / "flow").mkdir(exist_ok=True)
    for i in range(6):
        pixels = rng.integers(0, 255, (96, 96), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "flow" / f"{i}.png")
    return root / "flow"


def large(root: Path) -> Path:
    (root / "slides").mkdir(exist_ok=True)
    noise(1024, 1280).save(root / "slides" / "a.tif")
    return root / "slides"


def contents(root: Path) -> Path:
    rows = [
        f"{i // 2},{'control' if i % 2 == 0 else 'new'},Save {i} today,1000,{20 + i}"
        for i in range(12)
    ]
    (root / "ads.csv").write_text("experiment,arm,headline,impressions,clicks\n" + "\n".join(rows))
    return root / "ads.csv"


def pairs(root: Path) -> Path:
    (root / "pets").mkdir(exist_ok=True)
    for i in range(12):
        noise(64, 96, i).save(root / "pets" / f"{i}.png")
        (root / "pets" / f"{i}.txt").write_text(f"a picture of thing {i}\n")
    return root / "pets"


def embeddings(root: Path) -> Path:
    rng = np.random.default_rng(0)
    both = rng.normal(size=(2, 20, 8)).astype(np.float32)
    captions = np.array([f"pair {i}" for i in range(20)])
    np.savez(root / "both.npz", image_emb=both[0], text_emb=both[1], captions=captions)
    return root / "both.npz"


def picture(path: Path, place: int, size: tuple[int, int] = (40, 32)) -> None:
    """A bright square at a place on grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((size[1], size[0], 3), 60, np.uint8)
    image[8:16, place : place + 8] = (240, 200, 20)
    Image.fromarray(image).save(path)


def dogs(root: Path, count: int = 12, name: str = "dogs") -> Path:
    """A table of images whose object lies left or right, with masks."""
    rows = []
    for i in range(count):
        place = (6, 26)[i % 2]
        picture(root / name / f"img/{i}.jpg", place)
        mask = np.zeros((32, 40), np.uint8)
        mask[8:16, place : place + 8] = 255
        (root / name / "masks/img").mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(root / name / f"masks/img/{i}.png")
        split = ("train", "train", "val", "test")[(i // 2) % 4]
        kind = ("cat", "dog")[i % 2]
        rows.append(f"img/{i}.jpg,{kind},{kind} indoors,{split}\n")
    (root / name / "table.csv").write_text(GROUPS_HEAD + "".join(rows))
    return root / name


KINDS: dict[str, Callable[[Path], Path]] = {
    make.__name__: make
    for make in (
        folder, table, arrays, boxes, clouds, frames, large, contents, pairs, embeddings,
    )
}  # fmt: skip
TOLD: dict[str, dict[str, str]] = {"frames": {"kind": "frames"}}
"""What the owner must say beside the path."""
