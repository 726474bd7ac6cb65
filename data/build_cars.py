"""Builds data/cars from Debian's sweethome3d-furniture: ``python -m data.build_cars``.

Draws 5,000 scenes of six test models and 5,040 of twelve other models in three body shapes each
(about ten minutes on one core), all eleven properties independent of each other. The images go to
``data/cache/cars``; the meshes, the tables, a report of their independence and small pictures of
the first 1,500 test scenes are committed.
"""

from __future__ import annotations

import argparse
import io
import sys
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from PIL import Image

from backend.metric_learning import cars, meshes, properties, rendering
from backend.metric_learning.meshes import Mesh
from data.car_meshes import CARS, catalogue, surfaces
from data.sources import CACHE, DATA, save_npz

FOLDER: Final = DATA / "cars"
IMAGES: Final = CACHE / "cars"
TEST, TRAIN, SHOWN = 5_000, 5_040, 1_500
SHAPES: Final = (("", 1.0, 1.0), (" long", 1.0, 0.88), (" tall", 0.86, 1.1))
SEEDS: Final = {"test": 7, "train": 8}


def bodies(split: str, held: dict[str, meshes.Surface]) -> dict[str, Mesh]:
    """The meshes of a split; training models come in three shapes."""
    found: dict[str, Mesh] = {}
    for car in CARS:
        if car.split != split:
            continue
        one = meshes.mesh(held[car.name])
        shapes = SHAPES if split == "train" else SHAPES[:1]
        for suffix, along, up in shapes:
            found[car.name + suffix] = one if not suffix else meshes.stretched(one, along, up)
    return found


def draw(split: str, table: pd.DataFrame, models: dict[str, Mesh]) -> None:
    """Draws a table's scenes into ``images.npy`` (n, 128, 128, 3) and ``masks.npy`` (n, 128, 128),
    both uint8."""
    folder = IMAGES / split
    folder.mkdir(parents=True, exist_ok=True)
    side = rendering.SIDE
    images = open_memmap(folder / "images.npy", "w+", np.uint8, (len(table), side, side, 3))
    masks = open_memmap(folder / "masks.npy", "w+", np.uint8, (len(table), side, side))
    for i, row in enumerate(table.to_dict(orient="records")):
        values = {name: float(row[name]) for name in cars.BY_NAME}
        images[i], share = rendering.render(models[row[cars.MODEL]], values)
        masks[i] = np.round(share * 255)
        if i % 500 == 0:
            sys.stdout.write(f"{split}: {i} of {len(table)}\n")
            sys.stdout.flush()


def pictures(split: str, count: int) -> dict[str, NDArray[Any]]:
    """The first images as WebP, one after another, and where each begins."""
    images = np.load(IMAGES / split / "images.npy", mmap_mode="r")[:count]
    packed: list[bytes] = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "WEBP", quality=72, method=6)
        packed.append(buffer.getvalue())
    ends = np.cumsum([0, *(len(one) for one in packed)]).astype(np.int64)
    return {"webp": np.frombuffer(b"".join(packed), np.uint8), "ends": ends}


def credits() -> str:
    """Who made which car, as TOML."""
    held = catalogue()
    lines = [
        "# Written by data/build_cars.py. Cars of the Debian package sweethome3d-furniture 1.8-1.",
        "# Each was scaled to its length, its points rounded to 1.2 cm, its textures left out, and",
        "# the materials named as paint take the colour of the scene.",
    ]
    for car in CARS:
        entry = held[car.key]
        lines += ["", "[[car]]", f'name = "{car.name}"', f'key = "{car.key}"']
        lines += [f'title = "{entry.name}"', f'creator = "{entry.creator}"']
        lines += [f'licence = "{entry.licence}"', f'split = "{car.split}"']
        lines += [f"length_m = {car.length_m}", f"paint = {list(car.paint)}".replace("'", '"')]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", choices=("tables", "pictures"), help="leave the drawing out")
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    held = surfaces()
    save_npz(
        FOLDER / "meshes.npz",
        meshes.stored({c.name: held[c.name] for c in CARS if c.split == "test"}),
    )
    (FOLDER / "cars.toml").write_text(credits(), encoding="utf-8")
    for split, count in (("test", TEST), ("train", TRAIN)):
        models = bodies(split, held)
        table = cars.sample(list(models), count, SEEDS[split])
        table.to_parquet(FOLDER / f"{split}.parquet", index=False)
        found = properties.independence(properties.table(table))
        found.to_csv(FOLDER / f"independence-{split}.csv", index=False, float_format="%.6g")
        if asked.only is None:
            draw(split, table, models)
    if asked.only != "tables":
        save_npz(FOLDER / "pictures.npz", pictures("test", SHOWN))


if __name__ == "__main__":
    main()
