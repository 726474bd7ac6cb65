"""Data sets of other kinds than labelled images: read, shown row by row, and opened in their view.

A kind is a module with ``listed`` (what is there and what is wrong, nothing decoded) and
``content`` (everything, as the index and the view take it; what :mod:`backend.registry.earlier`
knows is not read again); those that NERO turns also have ``items``. To add one: write the module,
and a line in :data:`KINDS`.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest, NotFound
from backend.files import private_folder, write_atomic
from backend.protocols import I64, U8, Arrays, Progress
from backend.registry.data_spec import SetSpec
from backend.registry.earlier import Earlier
from backend.registry.reading import Listing

PART: Final = "content-"  # of the files that a set's arrays are kept in, one each
LIKE: Final = (3, 224, 224)  # of a large set a view gets as much as of images of this size


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind is to people, and where it opens.

    Attributes:
        title, noun: "Photographs with boxes", "scenes".
        layout: how it must lie on disk.
        columns: headings of a preview's rows: the name, then label or caption.
        view: name of the page; href: its address, with ``{name}`` and what the content says of
            where it ``opens``.
        task: the bundled task of NERO whose models answer about it; empty for other pages.
        suffix: what follows ``--`` in the key of its items.
    """

    title: str
    noun: str
    layout: str
    columns: tuple[str, ...]
    view: str
    href: str
    task: str = ""
    suffix: str = ""


@dataclass(slots=True)
class Content:
    """What was read of a set, row by row.

    Attributes:
        names: (n,). labels: class names, empty where unknown; ``[]`` where there are none at all.
        picture: what people see of a row, ``(h, w)`` or ``(h, w, 3)``; None where there is nothing.
        sha: of a row's content; 16 hex digits of it are kept.
        stamps: (n,) of the files behind each row, by which the next index knows it again; empty
            where rows have none of their own. A row of a known stamp is never asked for its
            picture or its sha.
        problems: ``(row, sentence)`` of what was left out; notes: sentences about the whole.
        arrays: kept for the view. opens: what the address of the view needs.
        classes: all that labels can be, in order; empty where they are those that occur.
    """

    names: list[str]
    picture: Callable[[int], U8] | None
    sha: Callable[[int], str]
    labels: list[str] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    opens: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """What every set of items says of itself; ``rows`` are those that a view gets."""

    key: str
    title: str
    source: str
    licence: str
    rows: I64
    names: tuple[str, ...]


KINDS: Final[dict[str, Kind]] = {
    "boxes": Kind(
        "Photographs with boxes",
        "scenes",
        "a folder as COCO128 lies (images/, labels/, .yaml), or COCO's .json beside the images",
        ("Photograph", "Boxes"),
        "NERO",
        "/nero?task={name}--scenes",
        "detection",
        "scenes",
    ),
    "clouds": Kind(
        "Clouds of points",
        "clouds",
        "a folder of .off, .ply, .obj, .xyz, .npy, perhaps in class folders; or .npz with points",
        ("Cloud", "Label"),
        "NERO",
        "/nero?task={name}--points",
        "points",
        "points",
    ),
    "frames": Kind(
        "Pairs of particle images",
        "pairs",
        "a folder of frames in order (say kind frames), or .npz with frames and perhaps fields",
        ("Pair", ""),
        "NERO",
        "/nero?task={name}--frames",
        "piv",
        "frames",
    ),
    "large": Kind(
        "Images of many megapixels",
        "images",
        "a folder of .tif, .svs; or of any images (say kind large)",
        ("Image", "Size"),
        "Zoom-In",
        "/zoom?image={first}",
    ),
    "contents": Kind(
        "Contents and their success",
        "contents",
        "a .csv or .parquet with texts, impressions and clicks (or success), images beside it",
        ("Content", "Domain"),
        "Insights",
        "/insights?set={key}",
    ),
    "pairs": Kind(
        "Images paired with texts",
        "pairs",
        "a folder of images with a .txt of the same name each, or a table with image and caption",
        ("Image", "Caption"),
        "Modality gap",
        "/modality-gap?spaces={spaces}&focus={focus}",
    ),
    "embeddings": Kind(
        "Paired embeddings",
        "pairs",
        ".npz with image_emb and text_emb, or .npy (2, n, d)",
        ("Pair", "Caption"),
        "Modality gap",
        "/modality-gap?spaces={name}--own&focus={name}--own",
    ),
}
TASKS: Final = {kind.suffix: kind.task for kind in KINDS.values() if kind.task}
KEY: Final = re.compile(rf"([a-z0-9-]+?)--({'|'.join(TASKS)})\Z")


def sha_of(*parts: NDArray[Any] | str) -> str:
    """64 hex digits of the content of a row."""
    digest = hashlib.sha256()
    for part in parts:
        told = part if isinstance(part, str) else f"{part.dtype.str}{part.shape}"
        digest.update(told.encode())
        if not isinstance(part, str):
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _module(kind: str) -> Any:
    return importlib.import_module(f"backend.registry.sets.{kind}")


def listed(spec: SetSpec) -> Listing:
    """What a set holds, before it is added. Raises BadRequest."""
    found: Listing = _module(spec.kind).listed(spec)
    return found


def content(spec: SetSpec, progress: Progress, earlier: Earlier) -> Content:
    """Everything in a set, without reading again what an ``earlier`` index knows.

    Raises:
        BadRequest: nothing of it can be used. Cancelled: by ``progress``.
    """
    found: Content = _module(spec.kind).content(spec, progress, earlier)
    if not found.names:
        why = found.problems[0][1] if found.problems else "there is nothing in it"
        raise BadRequest(f"Nothing in {spec.told} can be used: {why}.")
    return found


def href_of(spec: SetSpec, summary: Mapping[str, Any]) -> str:
    """Where a set opens."""
    return KINDS[spec.kind].href.format(name=spec.name, **summary["opens"])


def task_of(key: str) -> str:
    """The bundled task whose models answer about a key of items; empty where it is none."""
    found = KEY.match(key)
    return TASKS[found[2]] if found else ""


def name_of(key: str) -> str:
    """The name of the set in a key of items; empty where it is none."""
    found = KEY.match(key)
    return found[1] if found else ""


def task_keys() -> list[str]:
    """Keys of every registered set that NERO turns."""
    from backend.registry import store

    return [
        f"{name}--{KINDS[held.spec.kind].suffix}"
        for name, held in store.listed().sets.items()
        if held.spec.kind in KINDS and KINDS[held.spec.kind].task
    ]


def items(key: str) -> Any:
    """The items behind a key, read once and kept.

    Raises:
        NotFound: no such set is registered, or its index is gone.
    """
    from backend.registry import store

    held = store.required().set(name_of(key))
    if KINDS.get(held.spec.kind) is None or KINDS[held.spec.kind].suffix != key.split("--")[-1]:
        raise NotFound(f"There is no data set {key[:80]!r}.")
    return _items(key, held.fingerprint)


@lru_cache(maxsize=4)
def _items(key: str, fingerprint: str) -> Any:
    from backend.registry import index, store
    from backend.registry.items import SEED, drawn

    held = store.required().set(name_of(key))
    known, arrays = index.load(held.spec.name), stored(held.spec.name)
    rows, total = drawn(known.labels, LIKE), len(known.names)
    part = f"{len(rows)} of {total}, seed {SEED}: " if len(rows) < total else ""
    head = Head(
        key,
        held.spec.told,
        part + (held.spec.source or f"Your own {KINDS[held.spec.kind].noun}, {held.spec.name}."),
        held.spec.licence or "not said",
        rows,
        tuple(str(name) for name in known.names[rows]),
    )
    return _module(held.spec.kind).items(head, arrays)


def keep(name: str, arrays: Arrays) -> None:
    """Writes down what a view needs of a set, in place of what was kept before."""
    from backend.registry import index

    folder = private_folder(index.folder(name))
    for path in folder.glob(f"{PART}*.npy"):
        path.unlink()
    keep_also(name, arrays)


def keep_also(name: str, arrays: Arrays) -> None:
    """Writes further arrays beside those of :func:`keep`, over any of the same names."""
    from backend.registry import index

    for key, array in arrays.items():
        write_atomic(index.folder(name) / f"{PART}{key}.npy", partial(_send, array))


def _send(array: NDArray[Any], out: BinaryIO) -> None:
    np.save(out, array, allow_pickle=False)


def stored(name: str) -> dict[str, NDArray[Any]]:
    """The arrays of :func:`keep`, read from disk as they are used.

    Raises:
        NotFound: they are gone.
    """
    found = kept(name)
    if not found:
        raise NotFound(f"What was kept of {name} is gone.", "Index it again.")
    return found


def kept(name: str) -> dict[str, NDArray[Any]]:
    """As :func:`stored`; nothing where they are gone or one of them is broken."""
    from backend.registry import index

    try:
        return {
            path.stem.removeprefix(PART): np.load(path, mmap_mode="r", allow_pickle=False)
            for path in sorted(index.folder(name).glob(f"{PART}*.npy"))
        }
    except (OSError, ValueError, EOFError):
        return {}
