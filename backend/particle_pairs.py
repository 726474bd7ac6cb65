"""Sets of pairs of particle images: synthetic ones with their exact fields, recorded ones without.

Needs numpy and Pillow only. What people see of a pair is its two frames side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from backend.items import BadItems, ItemSet, rows_within, seal, told_columns
from backend.protocols import F32, I64, U8, Arrays
from backend.uploads import BadImage, decoded
from models.cards import Task

LEAST_PX: Final = 64
MOST_PX: Final = 512  # beyond, an orbit of a network would take minutes
MULTIPLE_PX: Final = 4  # of sides, for the coarsest level of the network
LEAST_CONTRAST: Final = 4  # grey values between darkest and brightest
ORDINALS: Final = ("first", "second")
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class ParticlePairs:
    """Pairs held in memory; an ``ItemSet`` with ``inputs`` and ``truth``.

    Attributes:
        frames: ``(n, 2, s, s)`` uint8, s a multiple of 4 from 64 to 512.
        fields: ``(n, 2, s/2, s/2)`` displacements in px per pair at the centres of blocks of 2 × 2
            px, u right, v down; NaN where nobody knows. None where nobody knows any.
        labels: ``(n,)`` int64, the family of the flow, an index into ``classes``; -1 unknown.
        extra: further columns for tables, each ``(n,)``.

    Raises:
        BadItems: on construction, if a frame is unusable or the parts do not fit together.
    """

    key: str
    title: str
    frames: U8
    fields: NDArray[np.floating[Any]] | None
    labels: I64
    ids: I64
    names: tuple[str, ...]
    classes: tuple[str, ...]
    source: str
    licence: str
    extra: Arrays = field(default_factory=dict)
    fingerprint: str = field(init=False)
    task: ClassVar[Task] = "piv"

    def __post_init__(self) -> None:
        check_frames(self.frames)
        n = len(self.frames)
        if self.fields is not None:
            check_fields(self.fields, self.frames)
        _check_columns(self, n)
        object.__setattr__(self, "fingerprint", seal(self, "frames", "fields", "labels", "ids"))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture of two frames."""
        side = self.frames.shape[-1]
        return side, 2 * side, 1

    @property
    def columns(self) -> Arrays:
        """``label`` and ``source`` as text, and the extra columns."""
        return told_columns(self, self.extra)

    def image(self, row: int) -> U8:
        """Both frames of one pair side by side, ``(s, 2·s)``.

        Raises:
            BadItems: there is no such row.
        """
        picture: U8 = self.images([row])[0]
        return picture

    def images(self, rows: Sequence[int] | I64) -> U8:
        """Both frames of some pairs side by side, in that order, ``(b, s, 2·s)``; a copy.

        Raises:
            BadItems: there is no such row.
        """
        return side_by_side(self.inputs(rows))

    def inputs(self, rows: Sequence[int] | I64) -> U8:
        """The frames of some pairs, in that order, ``(b, 2, s, s)``; a copy.

        Raises:
            BadItems: there is no such row.
        """
        frames: U8 = self.frames[rows_within(rows, self)]
        return frames

    def truth(self, rows: Sequence[int] | I64) -> F32 | None:
        """The fields of some pairs, in that order, ``(b, 2, s/2, s/2)``; None where nobody knows.

        Raises:
            BadItems: there is no such row.
        """
        index = rows_within(rows, self)
        return None if self.fields is None else self.fields[index].astype(np.float32)


def side_by_side(frames: U8) -> U8:
    """Frames (n, 2, s, s) as pictures (n, s, 2·s), the first on the left."""
    return np.concatenate([frames[:, 0], frames[:, 1]], axis=2)


def bundled(
    arrays: Mapping[str, NDArray[Any]], families: tuple[str, ...], **told: str
) -> ParticlePairs:
    """The set behind the arrays of ``data/piv/eval.npz``; ``told`` are its key, title, source and
    licence.
    """
    family = arrays["family"].astype(np.int64)
    ids = np.arange(len(family), dtype=np.int64)
    number = [int((family[:i] == kind).sum()) + 1 for i, kind in enumerate(family)]
    speed = np.linalg.norm(arrays["fields"].astype(np.float32), axis=1)
    return ParticlePairs(
        frames=arrays["frames"],
        fields=arrays["fields"],
        labels=family,
        ids=ids,
        names=tuple(f"{families[k]} #{i}" for k, i in zip(family, number, strict=True)),
        classes=families,
        extra={"largest_displacement_px": np.round(speed.max((1, 2)), 2)},
        **told,
    )


def recorded(files: Sequence[tuple[str, bytes]]) -> tuple[U8, tuple[str, ...], str]:
    """Pairs of recorded frames out of image files, in the order given: a, b, a, b, …

    The symmetries of the square need a square: the largest in the middle is used, cut to a multiple
    of 4 px and to at most 512. Nothing is resized, for that would change the displacements.

    Returns:
        frames (n, 2, s, s) uint8, the names of the pairs, and a note of what was cut.

    Raises:
        BadImage: a file cannot be read as an image.
        BadItems: a frame is missing, is black, or has another size than its partner.
    """
    if not files or len(files) % 2:
        raise BadItems(
            f"{len(files)} frames do not make up pairs.", "Give two files for each pair."
        )
    pairs = [_pair(*files[i : i + 2]) for i in range(0, len(files), 2)]
    side = min(min(pair.shape[1:]) for pair in pairs)
    side = min(MOST_PX, side - side % MULTIPLE_PX)
    if side < LEAST_PX:
        height, width = min((pair.shape[1:] for pair in pairs), key=min)
        raise BadItems(
            f"The frames have only {width} × {height} px.", f"Allowed are {LEAST_PX} px a side."
        )
    frames = np.stack([middle(pair, side) for pair in pairs])
    for (name, _), frame in zip(files, frames.reshape(-1, side, side), strict=True):
        check_contrast(frame, name[:80])
    names = tuple(f"{a} → {b}" for (a, _), (b, _) in zip(files[::2], files[1::2], strict=True))
    sizes = sorted({f"{pair.shape[2]} × {pair.shape[1]}" for pair in pairs})
    whole = sizes == [f"{side} × {side}"]
    note = "" if whole else f"Of {', '.join(sizes)} px the middle {side} × {side} px are used."
    return frames, names, note


def recorded_pair(
    first: tuple[str, bytes], second: tuple[str, bytes], key: str = "recorded"
) -> ParticlePairs:
    """One recorded pair as a set without truth. Raises as :func:`recorded`."""
    frames, names, note = recorded([first, second])
    return ParticlePairs(
        key=key,
        title=f"Recorded: {names[0]}",
        frames=frames,
        fields=None,
        labels=np.full(1, -1, np.int64),
        ids=np.zeros(1, np.int64),
        names=names,
        classes=(),
        source=f"Recorded frames; nobody knows the true field. {note}".strip(),
        licence="the user's own",
    )


def read_own(files: Sequence[tuple[str, bytes]], base: ItemSet) -> dict[str, NDArray[Any]]:
    """Files that a user has opened, as pairs in the order of their names: what a set of one's own
    holds (``backend.own_sets``). Raises as :func:`recorded`.
    """
    del base  # recorded frames keep their own size
    frames, names, note = recorded(sorted(files))
    told = f" (middle {frames.shape[-1]} px)" if note else ""
    return {
        "pixels": side_by_side(frames),
        "inputs": frames,
        "names": np.array([name + told for name in names]),
    }


def middle(frames: U8, side: int) -> U8:
    """The middle (..., side, side) of frames (..., h, w)."""
    top, left = (frames.shape[-2] - side) // 2, (frames.shape[-1] - side) // 2
    return frames[..., top : top + side, left : left + side]


def _pair(first: tuple[str, bytes], second: tuple[str, bytes]) -> U8:
    frames = []
    for name, data in (first, second):
        try:
            frames.append(np.array(decoded(data, "L"), dtype=np.uint8))
        except BadImage as error:
            raise BadImage(f"{name[:80]}: {error.message}", error.hint) from error
    a, b = frames
    if a.shape != b.shape:
        raise BadItems(
            f"The two frames have different sizes: {a.shape[1]} × {a.shape[0]} px and "
            f"{b.shape[1]} × {b.shape[0]} px.",
            "Both frames of a pair must have the same size.",
        )
    return np.stack(frames)


def check_frames(frames: NDArray[Any]) -> None:
    """Returns if ``frames`` are pairs of square frames that hold something.

    Raises:
        BadItems: they have another shape or type, or a frame is black.
    """
    is_pairs = frames.ndim == 4 and frames.shape[1] == 2 and frames.shape[2] == frames.shape[3]
    if frames.dtype != np.uint8 or not is_pairs or not len(frames):
        raise BadItems(
            f"The frames have the shape {frames.shape} and the type {frames.dtype}.",
            "Needed is uint8 of (pairs, 2, side, side).",
        )
    side = frames.shape[-1]
    if side % MULTIPLE_PX or not LEAST_PX <= side <= MOST_PX:
        raise BadItems(
            f"The frames are {side} px wide.",
            f"Allowed are multiples of {MULTIPLE_PX} from {LEAST_PX} to {MOST_PX}.",
        )
    for row, pair in enumerate(frames):
        for ordinal, frame in zip(ORDINALS, pair, strict=True):
            check_contrast(frame, f"The {ordinal} frame of pair {row}")


def check_contrast(frame: U8, name: str) -> None:
    """Returns if anything can be seen in a frame (h, w).

    Raises:
        BadItems: nothing can.
    """
    darkest, brightest = int(frame.min()), int(frame.max())
    if brightest - darkest < LEAST_CONTRAST:
        what = "is black" if brightest < LEAST_CONTRAST else f"is {darkest} of 255 throughout"
        raise BadItems(f"{name} {what}: no particle can be seen.", "Choose another frame.")


def check_fields(fields: NDArray[Any], frames: U8) -> None:
    """Returns if ``fields`` can be the truth of ``frames``.

    Raises:
        BadItems: they have another shape or type, or a value is infinite.
    """
    half = frames.shape[-1] // 2
    wanted = (len(frames), 2, half, half)
    if fields.shape != wanted or fields.dtype.kind != "f":
        raise BadItems(
            f"The fields have the shape {fields.shape} and the type {fields.dtype}.",
            f"Needed are floats of {wanted}: u and v at the centres of blocks of 2 × 2 px.",
        )
    if np.isinf(fields).any():
        raise BadItems("A displacement of the fields is infinite.", "Mark unknown places by NaN.")


def _check_columns(items: ParticlePairs, n: int) -> None:
    for name, length in (("labels", len(items.labels)), ("ids", len(items.ids))):
        if length != n or getattr(items, name).dtype != np.int64:
            raise BadItems(f"There are {length} {name} for {n} pairs.", f"Needed is int64 of {n}.")
    if len(items.names) != n:
        raise BadItems(f"There are {len(items.names)} names for {n} pairs.")
    outside = items.labels[(items.labels < -1) | (items.labels >= len(items.classes))]
    if len(outside):
        raise BadItems(f"Label {outside[0]} is none of the {len(items.classes)} families.")
    if len(np.unique(items.ids)) != n:
        raise BadItems("An id appears twice.", "Each pair needs its own id.")
    for name, column in items.extra.items():
        if column.shape != (n,):
            raise BadItems(f"Column {name!r} has the shape {column.shape}; {(n,)} is needed.")
