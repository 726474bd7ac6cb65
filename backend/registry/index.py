"""The index of a data set: for every image its hash, size, thumbnail and look, made once.

Only what is new or changed since the last time is read again. The index lies in the state folder;
the images stay where they are.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from backend.errors import BackendError, BadRequest
from backend.files import private_folder, write_atomic
from backend.once import alone
from backend.protocols import U8, Progress
from backend.registry import arrays, reading, sets, store
from backend.registry.data_spec import PICTURES, SetSpec
from backend.registry.earlier import STAMPS, Earlier, stamp_of, whole
from backend.registry.gathered import FIELDS, LOOK, Gathered, Index, Rows, Seen
from backend.uploads import BROKEN, FORMATS, MAX_PIXELS, MODES, flattened

THUMB_PX: Final = 96
THREADS: Final = 2
CHUNK: Final = 256
SHOWN_PROBLEMS: Final = 50
WHOLE_PX: Final = 4_000_000  # of files that are decoded whole
WHOLE: Final = "whole"  # in a summary: the stamp of a set that is read as one


def folder(name: str) -> Path:
    """Where the index and the prepared pixels of a set lie."""
    return store.home() / "sets" / name


def load(name: str) -> Index:
    """The stored index of a set, read once and kept until it changes. Do not write into it.

    Raises:
        BadRequest: it is gone; the set must be indexed again.
    """
    path = folder(name) / "index.npz"
    try:
        return _loaded(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise BadRequest(
            f"The index of {name} is gone.",
            f"Run `python -m backend data index {name}`, or Index again on the Library page.",
        ) from error


@alone  # a page asks for ten thumbnails at once: each thread would read the index
@lru_cache(maxsize=4)
def _loaded(path: Path, changed_ns: int) -> Index:
    del changed_ns  # another index under the same name
    with np.load(path, allow_pickle=False) as file:
        held = {key: file[key] for key in FIELDS if key != "marks"}
        # Indexes of earlier versions have no marks: then nothing is marked.
        blank = np.zeros(len(held["names"]), np.uint8)
        marks = file["marks"] if "marks" in file.files else blank
    thumbs = np.load(path.with_name("thumbs.npy"), mmap_mode="r", allow_pickle=False)
    if len(thumbs) != held["starts"][-1]:
        raise ValueError("the thumbnails are those of another index")  # it was left half written
    return Index(**held, thumbs=thumbs, marks=marks)


def known(spec: SetSpec) -> Earlier:
    """What the last index of a set knew; nothing where it is gone or was left half written."""
    try:
        old = load(spec.name)
    except BackendError:
        return Earlier()
    if old.stamps.ndim != 1:  # an index of an earlier version
        return Earlier()
    if spec.kind in PICTURES:
        return Earlier(old)
    arrays = sets.kept(spec.name)
    is_whole = STAMPS in arrays and np.array_equal(arrays[STAMPS], old.stamps)
    return Earlier(old, arrays) if is_whole else Earlier()


def build(
    spec: SetSpec, progress: Progress, earlier: Earlier | None = None
) -> tuple[SetSpec, str, dict[str, Any]]:
    """Indexes a set and stores that; the spec with its classes, its fingerprint and its summary.

    Args:
        earlier: as :func:`known` found it, unless it is to be asked here.

    Raises:
        BadRequest: nothing of it can be used. Cancelled: by ``progress``.
    """
    with closing(Gathered(store.home() / "sets")) as gathered:
        return _built(spec, gathered, progress, earlier or known(spec))


def _built(
    spec: SetSpec, gathered: Gathered, progress: Progress, earlier: Earlier
) -> tuple[SetSpec, str, dict[str, Any]]:
    stamp = whole(spec)  # before anything is read: what changes meanwhile is read the next time
    more: dict[str, Any] = {WHOLE: f"{stamp:016x}"} if stamp else {}
    told: tuple[str, ...] = ()
    if spec.kind not in PICTURES:
        content = sets.content(spec, progress, earlier)
        index, texts = _of_content(content, gathered, earlier)
        sets.keep(spec.name, {**content.arrays, STAMPS: index.stamps})
        more |= {"opens": dict(content.opens), "notes": content.notes}
        problems, told = content.problems, content.classes
    elif spec.kind == "arrays":
        index, problems, texts = _of_arrays(spec, gathered, progress)
    else:
        index, problems, texts = _of_files(spec, gathered, progress, earlier)
    fresh = sum(one not in earlier for one in index.stamps.tolist())
    classes = told or reading.classes_of(spec, texts)
    place = {label: number for number, label in enumerate(classes)}
    index.labels = np.array([place.get(text, -1) for text in texts], np.int64)
    spec = spec.changed({"classes": list(classes)})
    digest = hashlib.sha256(json.dumps([list(classes), spec.kind]).encode())
    for array in (index.names, index.hashes, index.labels):
        digest.update(json.dumps(array.tolist()).encode())
    summary = {**_summary(index, classes, problems, fresh), **more}
    held = {key: getattr(index, key) for key in FIELDS}
    private_folder(folder(spec.name))
    gathered.store(folder(spec.name) / "thumbs.npy")
    write_atomic(folder(spec.name) / "index.npz", partial(_send_all, held))
    return spec, digest.hexdigest(), summary


def _send_all(held: Mapping[str, NDArray[Any]], out: BinaryIO) -> None:
    np.savez(out, allow_pickle=False, **dict(held))


def _summary(
    index: Rows, classes: Sequence[str], problems: Sequence[tuple[int, str]], fresh: int
) -> dict[str, Any]:
    from backend.registry.duplicates import report

    doubles, index.marks = report(index)
    counts = np.bincount(index.labels[index.labels >= 0], minlength=len(classes))
    return {
        "items": len(index.names),
        "read": fresh,
        "unlabelled": int((index.labels < 0).sum()),
        "per_class": counts.tolist(),
        "splits": _counts(index.splits),
        "smallest": index.sizes.min(axis=0).tolist(),
        "largest": index.sizes.max(axis=0).tolist(),
        "problems": len(problems),
        "first_problems": [list(problem) for problem in problems[:SHOWN_PROBLEMS]],
        "duplicates": doubles,
    }


def _counts(texts: NDArray[Any]) -> dict[str, int]:
    values, counts = np.unique(texts, return_counts=True)
    told = {str(v): int(c) for v, c in zip(values, counts, strict=True)}
    return {} if list(told) == [""] else told


def _of_files(
    spec: SetSpec, gathered: Gathered, progress: Progress, earlier: Earlier
) -> tuple[Rows, list[tuple[int, str]], list[str]]:
    from backend.registry import apart

    found = reading.listed(spec)
    problems, kept = list(found.problems), []
    stamps = [stamp_of(spec.kind, [path]) for path in found.paths]
    files = dict(zip(stamps, found.paths, strict=True))
    elsewhere = apart.looked(
        {stamp: path for stamp, path in files.items() if stamp not in earlier}, progress
    )

    def look(row: int) -> tuple[Seen | None, str]:
        stamp = stamps[row]
        one = elsewhere[stamp]() if stamp in elsewhere else earlier.seen(stamp)
        return (one, "") if one is not None else looked_at(found.paths[row])

    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(found.paths), CHUNK):
            progress(start, len(found.paths))
            rows = range(start, min(start + CHUNK, len(found.paths)))
            for row, (one, wrong) in zip(rows, pool.map(look, rows), strict=True):
                if one is None:
                    problems.append((found.rows[row], f"{found.names[row][:80]}: {wrong}"))
                    continue
                kept.append(row)
                gathered.add(one)
    progress(len(found.paths), len(found.paths))
    if not kept:
        raise BadRequest("None of the images can be read.", problems[0][1])
    names, splits = ([column[row] for row in kept] for column in (found.names, found.splits))
    index = gathered.rows(names, splits, [stamps[row] for row in kept])
    return index, problems, [found.labels[row] for row in kept]


def _of_arrays(
    spec: SetSpec, gathered: Gathered, progress: Progress
) -> tuple[Rows, list[tuple[int, str]], list[str]]:
    pixels, texts = arrays.read(spec)
    n = len(pixels)
    _gather(n, lambda row: _seen_pixels(pixels[row]), gathered, progress)
    names = [f"{text or 'image'} #{row}" for row, text in enumerate(texts)]
    return gathered.rows(names, [""] * n, [0] * n), [], texts


def _of_content(
    content: sets.Content, gathered: Gathered, earlier: Earlier
) -> tuple[Rows, list[str]]:
    """The rows of another kind by their pictures; without pictures by their content alone."""
    n, picture = len(content.names), content.picture
    stamps = content.stamps or [0] * n
    nothing = Seen("", (0, 0), np.zeros(LOOK[0] * LOOK[1], np.uint8), b"")

    def look(row: int) -> Seen:
        one = earlier.seen(stamps[row])
        if one is not None:
            return one
        one = _seen_pixels(picture(row)) if picture else nothing
        return replace(one, sha=content.sha(row)[:16])

    _gather(n, look, gathered)
    return gathered.rows(content.names, [""] * n, stamps), content.labels or [""] * n


def _gather(
    n: int, look: Callable[[int], Seen], gathered: Gathered, progress: Progress | None = None
) -> None:
    """Takes every row as ``look`` sees it; no more than a chunk of them is held at a time."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, n, CHUNK):
            if progress:
                progress(start, n)
            for one in pool.map(look, range(start, min(start + CHUNK, n))):
                gathered.add(one)
    if progress:
        progress(n, n)


def looked_at(path: Path) -> tuple[Seen | None, str]:
    """What an image is, or why it cannot be used."""
    try:
        data = path.read_bytes()
        size, small = _small(data)
        held = io.BytesIO()
        small.save(held, "WEBP", quality=75, method=0)
        look = _look(np.asarray(small))
    except BadRequest as error:
        return None, error.message
    except UnidentifiedImageError:
        return None, "no image that can be read here"
    except (*BROKEN, pyvips.Error) as error:
        return None, f"damaged or no image ({_first_line(error)})"
    sha = hashlib.sha256(data).hexdigest()[:16]
    return Seen(sha, size, look, held.getvalue()), ""


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["it ends too early"])[0][:80]


def _small(data: bytes) -> tuple[tuple[int, int], Image.Image]:
    """Width and height of an image, and what it looks like within 96 px, upright on black.

    Pillow starts several times faster than libvips on small files, and reads JPEGs at a fraction of
    their size; libvips reads other large files in strips.

    Raises:
        BadRequest: the image is too large, or of another colour mode; nothing was decoded.
    """
    box = (THUMB_PX, THUMB_PX)
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise BadRequest(f"{width} x {height} pixels are too many")
        if picture.mode not in MODES and picture.mode != "CMYK":
            raise BadRequest(f"the colour mode {picture.mode} is not read")
        if picture.format != "JPEG" and width * height > WHOLE_PX:
            return (width, height), _by_strips(data)
        picture.draft("RGB", (2 * THUMB_PX, 2 * THUMB_PX))
        upright = flattened(ImageOps.exif_transpose(picture), "RGB")
        return (width, height), ImageOps.contain(upright, box, Image.Resampling.BICUBIC)


def _by_strips(data: bytes) -> Image.Image:
    small = pyvips.Image.thumbnail_buffer(data, THUMB_PX, height=THUMB_PX, size="both")
    flat = small.flatten(background=0) if small.hasalpha() else small
    return Image.fromarray(flat.colourspace("srgb").numpy()[..., :3])


def _seen_pixels(pixels: U8) -> Seen:
    picture = Image.fromarray(pixels)
    small = picture.copy()
    small.thumbnail((THUMB_PX, THUMB_PX))
    held = io.BytesIO()
    small.save(held, "WEBP", lossless=max(picture.size) <= THUMB_PX, quality=75, method=0)
    sha = hashlib.sha256(f"{pixels.shape}".encode() + np.ascontiguousarray(pixels).tobytes())
    return Seen(
        sha.hexdigest()[:16],
        picture.size,
        _look(np.asarray(small)),
        held.getvalue(),
    )


def _look(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """The means of 8 × 9 fields of a small picture ``(h, w[, c])`` in grey, ``(72,)``."""
    grey = pixels.reshape(*pixels.shape[:2], -1)[..., :3].mean(axis=2, dtype=np.float32)
    rows, columns = _fields(LOOK[1], grey.shape[0]), _fields(LOOK[0], grey.shape[1])
    look: NDArray[np.uint8] = np.round(rows @ grey @ columns.T).astype(np.uint8).reshape(-1)
    return look


@lru_cache(maxsize=256)
def _fields(count: int, length: int) -> NDArray[np.float32]:
    """``(count, length)``: what each of ``count`` fields takes of ``length`` pixels in a row; a
    picture with fewer pixels gives each to several fields.
    """
    times = 1 if length >= count else -(-count // length)
    starts = np.arange(count + 1) * length * times // count
    taken = np.zeros((count, length * times), np.float32)
    for field in range(count):
        taken[field, starts[field] : starts[field + 1]] = 1 / (starts[field + 1] - starts[field])
    fields: NDArray[np.float32] = taken.reshape(count, length, times).sum(axis=2)
    return fields
