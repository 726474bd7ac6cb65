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
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from backend.errors import BackendError, BadRequest
from backend.files import private_folder, write_atomic
from backend.protocols import U8, Progress
from backend.registry import arrays, reading, sets, store
from backend.registry.data_spec import PICTURES, SetSpec
from backend.registry.gathered import FIELDS, LOOK, Gathered, Rows, Seen
from backend.uploads import BROKEN, FORMATS, MAX_PIXELS, MODES, flattened

THUMB_PX: Final = 96
THREADS: Final = 2
CHUNK: Final = 256
SHOWN_PROBLEMS: Final = 50
WHOLE_PX: Final = 4_000_000  # of files that are decoded whole


@dataclass(slots=True)
class Index(Rows):
    """What is known of every image.

    Attributes:
        thumbs: WebP bytes one after the other, read from disk as they are used.
    """

    thumbs: NDArray[np.uint8]

    def thumb(self, row: int) -> bytes:
        """The thumbnail of a row as WebP."""
        return self.thumbs[self.starts[row] : self.starts[row + 1]].tobytes()


Known = Mapping[tuple[str, float, float], Callable[[], Seen]]  # by name, time of change and size


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


@lru_cache(maxsize=4)
def _loaded(path: Path, changed_ns: int) -> Index:
    del changed_ns  # another index under the same name
    with np.load(path, allow_pickle=False) as file:
        held = {key: file[key] for key in FIELDS if key != "marks"}
        # Indexes of earlier versions have no marks: then nothing is marked.
        blank = np.zeros(len(held["names"]), np.uint8)
        marks = file["marks"] if "marks" in file.files else blank
    thumbs = np.load(path.with_name("thumbs.npy"), mmap_mode="r", allow_pickle=False)
    return Index(**held, thumbs=thumbs, marks=marks)


def build(spec: SetSpec, progress: Progress) -> tuple[SetSpec, str, dict[str, Any]]:
    """Indexes a set and stores that; the spec with its classes, its fingerprint and its summary.

    Raises:
        BadRequest: nothing of it can be used. Cancelled: by ``progress``.
    """
    with closing(Gathered(store.home() / "sets")) as gathered:
        return _built(spec, gathered, progress)


def _built(
    spec: SetSpec, gathered: Gathered, progress: Progress
) -> tuple[SetSpec, str, dict[str, Any]]:
    more: Mapping[str, Any] = {}
    if spec.kind not in PICTURES:
        content = sets.content(spec, progress)
        sets.keep(spec.name, content.arrays)
        more = {"opens": dict(content.opens), "notes": content.notes}
        index, texts = _of_content(content, gathered)
        problems, fresh = content.problems, len(index.names)
    elif spec.kind == "arrays":
        index, problems, texts, fresh = _of_arrays(spec, gathered, progress)
    else:
        index, problems, texts, fresh = _of_files(spec, gathered, progress)
    classes = reading.classes_of(spec, texts)
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
    spec: SetSpec, gathered: Gathered, progress: Progress
) -> tuple[Rows, list[tuple[int, str]], list[str], int]:
    from backend.registry import apart

    found = reading.listed(spec)
    old = _known(spec.name)
    problems, kept = list(found.problems), []
    stamps = [_stamp(path) for path in found.paths]
    named = zip(found.names, stamps, found.paths, strict=True)
    files = {(name, *stamp): path for name, stamp, path in named}
    elsewhere = apart.looked({key: files[key] for key in files if key not in old}, progress)
    old, fresh = {**old, **elsewhere}, len(elsewhere)
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(found.paths), CHUNK):
            progress(start, len(found.paths))
            rows = range(start, min(start + CHUNK, len(found.paths)))
            asked = [(found.paths[r], old.get((found.names[r], *stamps[r]))) for r in rows]
            for row, (one, is_new, wrong) in zip(rows, pool.map(_looked_at, asked), strict=True):
                if one is None:
                    problems.append((found.rows[row], f"{found.names[row][:80]}: {wrong}"))
                    continue
                kept.append(row)
                gathered.add(one)
                fresh += is_new
    progress(len(found.paths), len(found.paths))
    if not kept:
        raise BadRequest("None of the images can be read.", problems[0][1])
    index = gathered.rows([found.names[r] for r in kept], [found.splits[r] for r in kept])
    index.stamps = np.array([stamps[r] for r in kept], np.float64).reshape(-1, 2)
    return index, problems, [found.labels[r] for r in kept], fresh


def _of_arrays(
    spec: SetSpec, gathered: Gathered, progress: Progress
) -> tuple[Rows, list[tuple[int, str]], list[str], int]:
    pixels, texts = arrays.read(spec)
    _gather(len(pixels), lambda row: _seen_pixels(pixels[row]), gathered, progress)
    names = [f"{text or 'image'} #{row}" for row, text in enumerate(texts)]
    return gathered.rows(names, [""] * len(names)), [], texts, len(names)


def _of_content(content: sets.Content, gathered: Gathered) -> tuple[Rows, list[str]]:
    """The rows of another kind by their pictures; without pictures by their content alone."""
    n, picture = len(content.names), content.picture
    nothing = Seen("", (0, 0), np.zeros(LOOK[0] * LOOK[1], np.uint8), b"")
    _gather(n, lambda row: _seen_pixels(picture(row)) if picture else nothing, gathered)
    index = gathered.rows(content.names, [""] * n)
    index.hashes = np.array([sha[:16] for sha in content.shas], np.str_)
    return index, content.labels or [""] * n


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


def _known(name: str) -> Known:
    """What an earlier index says of files; each is read from it when it is asked for."""
    try:
        old = load(name)
    except BackendError:
        return {}
    named = zip(old.names.tolist(), old.stamps.tolist(), strict=True)
    return {
        (name, changed, size): partial(_seen_before, old, row)
        for row, (name, (changed, size)) in enumerate(named)
    }


def _seen_before(old: Index, row: int) -> Seen:
    width, height = old.sizes[row].tolist()
    return Seen(str(old.hashes[row]), (width, height), old.looks[row], old.thumb(row))


def _stamp(path: Path) -> tuple[float, float]:
    try:
        stat = path.stat()
    except OSError:
        return 0.0, 0.0
    return stat.st_mtime, float(stat.st_size)


def _looked_at(asked: tuple[Path, Callable[[], Seen] | None]) -> tuple[Seen | None, bool, str]:
    """What an image is, whether it was read for that, or why it cannot be used."""
    path, known = asked
    if known is not None:
        return known(), False, ""
    try:
        data = path.read_bytes()
        size, small = _small(data)
        held = io.BytesIO()
        small.save(held, "WEBP", quality=75, method=0)
        look = _look(np.asarray(small))
    except BadRequest as error:
        return None, True, error.message
    except UnidentifiedImageError:
        return None, True, "no image that can be read here"
    except (*BROKEN, pyvips.Error) as error:
        return None, True, f"damaged or no image ({_first_line(error)})"
    sha = hashlib.sha256(data).hexdigest()[:16]
    return Seen(sha, size, look, held.getvalue()), True, ""


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
