"""Images in ``.npy`` and ``.npz``, opened without unpickling and without filling the memory."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.protocols import U8
from backend.registry.data_spec import SetSpec
from backend.registry.kinds import members

IMAGES: Final = ("images", "x", "x_test", "data", "pixels", "arr_0")
LABELS: Final = ("labels", "y", "y_test", "targets", "label", "classes")
MOST_BYTES: Final = 4_000_000_000
_BROKEN: Final = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile)


def read(spec: SetSpec) -> tuple[U8, list[str]]:
    """Images ``(n, h, w)`` or ``(n, h, w, 3)`` uint8 and a label for each; empty where unknown.

    Raises:
        BadRequest: the file cannot be read, or its arrays do not fit.
    """
    path = Path(spec.path)
    if path.suffix.lower() == ".npz":
        images, labels = _of_archive(path, spec)
    else:
        images = _loaded(path)
        labels = _loaded(Path(spec.labels)) if spec.labels else None
    pixels = as_pixels(images, path.name)
    return pixels, _texts(labels, len(pixels), path.name, spec.classes)


def _of_archive(path: Path, spec: SetSpec) -> tuple[NDArray[Any], NDArray[Any] | None]:
    members(path)  # refuses what would fill the disk
    try:
        with np.load(path, allow_pickle=False) as file:
            names = list(file.files)
            image = _named(spec.image, IMAGES, names, "images", path.name)
            if image is None:
                raise BadRequest(
                    f"{path.name} has no array of images.",
                    f"Say which: --image NAME. It has {', '.join(names)[:200]}.",
                )
            label = _named(spec.label, LABELS, names, "labels", path.name)
            return file[image], file[label] if label else None
    except _BROKEN as error:
        raise _refused(path, error) from error


def _named(
    asked: str, guesses: tuple[str, ...], names: list[str], what: str, file: str
) -> str | None:
    if asked:
        if asked not in names:
            raise BadRequest(
                f"{file} has no array {asked[:60]!r} of {what}.", f"It has {', '.join(names)}."
            )
        return asked
    small = {name.lower(): name for name in names}
    return next((small[guess] for guess in guesses if guess in small), None)


def _loaded(path: Path) -> NDArray[Any]:
    if path.suffix.lower() != ".npy":
        raise BadRequest(f"{path.name} is not .npy.", "Save labels with numpy.save.")
    try:
        found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except _BROKEN as error:
        raise _refused(path, error) from error
    return found


def _refused(path: Path, error: Exception) -> BadRequest:
    if any(words in str(error) for words in ("allow_pickle", "Object arrays", "Python objects")):
        return BadRequest(
            f"{path.name} holds Python objects (a pickle), which are not read.",
            "Save arrays of numbers: numpy.stack the images, and labels as whole numbers or text.",
        )
    return BadRequest(f"{path.name} is damaged or was cut short.", "Save it again with numpy.")


def as_pixels(images: NDArray[Any], name: str) -> U8:
    """Images as bytes, channels last; the numbers of a float array in [0, 1] are rounded to bytes.

    Raises:
        BadRequest: the shape or the type is none of images.
    """
    if images.nbytes > MOST_BYTES:
        raise BadRequest(
            f"{name} has {images.nbytes / 1e9:.1f} GB of images.",
            f"Allowed are {MOST_BYTES / 1e9:.0f} GB; save them as a folder of image files.",
        )
    found = np.asarray(images)
    if found.ndim == 4 and found.shape[3] not in (1, 3) and found.shape[1] in (1, 3):
        found = found.transpose(0, 2, 3, 1)
    if found.ndim == 4 and found.shape[3] == 1:
        found = found[..., 0]
    if found.ndim not in (3, 4) or (found.ndim == 4 and found.shape[3] != 3) or not found.size:
        raise BadRequest(
            f"The images in {name} have the shape {images.shape}.",
            "Needed is (n, h, w) for grey, or (n, h, w, 3) or (n, 3, h, w) for colour.",
        )
    if found.dtype == np.uint8:
        return np.ascontiguousarray(found)
    if found.dtype.kind != "f":
        raise BadRequest(
            f"The images in {name} are {found.dtype}.", "Needed is uint8, or floats from 0 to 1."
        )
    low, high = float(found.min()), float(found.max())
    if not (low >= 0 and high <= 1):
        raise BadRequest(
            f"The images in {name} run from {low:.3g} to {high:.3g}.",
            "Save them as uint8, or as floats from 0 to 1 before any normalisation; the model's "
            "own mean and std belong to the model.",
        )
    return np.ascontiguousarray(np.round(found * 255).astype(np.uint8))


def _texts(
    labels: NDArray[Any] | None, count: int, name: str, classes: tuple[str, ...]
) -> list[str]:
    """Labels as class names: numbers are places among the classes where these are named."""
    if labels is None:
        return [""] * count
    flat = np.asarray(labels).reshape(-1)
    if len(flat) != count or np.ndim(labels) not in (1, 2):
        raise BadRequest(
            f"{name} has {count} images and labels of the shape {np.shape(labels)}.",
            "There must be one label for each image; one-hot rows: labels.argmax(1).",
        )
    if flat.dtype.kind == "U":
        return [str(label) for label in flat.tolist()]
    if flat.dtype.kind not in "iu":
        raise BadRequest(f"The labels in {name} are {flat.dtype}.", "Whole numbers or texts.")
    numbers = [int(label) for label in flat.tolist()]
    if not classes:
        return [str(label) if label >= 0 else "" for label in numbers]
    outside = next((label for label in numbers if label >= len(classes)), None)
    if outside is not None:
        raise BadRequest(
            f"Label {outside} in {name} is none of the {len(classes)} classes named.",
            f"Labels run from 0 to {len(classes) - 1}; -1 is unknown.",
        )
    return [classes[label] if label >= 0 else "" for label in numbers]
