"""The caller's own images for the command line: an array, image files, or a folder of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend import cli_files
from backend.errors import BadRequest
from backend.items import ItemSet
from backend.protocols import I64, U8
from backend.uploads import BadImage, read_image

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def read_images(paths: Sequence[Path], held: ItemSet) -> NDArray[Any]:
    """Images ``(n, h, w[, 3])``: a ``.npy`` file as it is, other files fitted to those of ``held``.

    Raises:
        BadRequest: a file cannot be read as an image; names the file.
    """
    if len(paths) == 1 and paths[0].suffix == ".npy":
        images = cli_files.read_array(paths[0], "The image file")
        if images.ndim not in (3, 4):
            raise BadRequest(
                f"The images have the shape {images.shape}.", "It must be (n, height, width[, 3])."
            )
        return images
    files = [file for path in paths for file in _files(path)]
    if not files:
        raise BadRequest("There is no image in the folder.", f"Images end in {' '.join(SUFFIXES)}.")
    return np.stack([_fitted(file, held.shape) for file in files])


def read_labels(texts: Sequence[str], count: int, held: ItemSet) -> NDArray[Any]:
    """True classes ``(n,)``: a ``.npy`` file, or a class's name or number for each image.

    Raises:
        BadRequest: a text is no class, or they are neither one nor as many as the images.
    """
    if len(texts) == 1 and texts[0].endswith(".npy"):
        return cli_files.read_array(Path(texts[0]), "The label file")
    if len(texts) not in (1, count):
        raise BadRequest(f"There are {count} images and {len(texts)} labels.", "Give one for each.")
    labels: I64 = np.array([_class(text, held.classes) for text in texts], dtype=np.int64)
    return np.broadcast_to(labels, (count,))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)


def _fitted(file: Path, shape: tuple[int, int, int]) -> U8:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadRequest(f"{file.name} cannot be read: {error.strerror}.") from error
    try:
        return read_image(data, shape)
    except BadImage as error:
        raise BadImage(f"{file.name}: {error.message}", error.hint) from error


def _class(text: str, classes: Sequence[str]) -> int:
    if text in classes:
        return classes.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(classes):
        return int(text)
    raise BadRequest(f"{text[:80]!r} is not a class.", f"Classes are {', '.join(classes[:20])}.")
