"""Reading point clouds from files, which are untrusted bytes: npy, xyz, csv, ply and obj."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.clouds import LEAST_POINTS, CloudItems, check_clouds, normalised
from backend.items import BadItems
from backend.protocols import F32

POINTS: Final = 2048  # of a cloud that are kept
MOST_POINTS: Final = 2_000_000
MOST_CLOUDS: Final = 1000
SEED: Final = 0
Rows = NDArray[np.float64]


class BadCloud(BadItems):
    """A file cannot be used as a cloud of points."""


def read_clouds(data: bytes, name: str) -> F32:
    """The clouds of a file ``(n, 2048, 3)`` float32: one, or as many as an npy file holds.

    Clouds are moved to their mean and scaled into the unit ball, as the bundled ones were. Of more
    than 2,048 points so many are drawn at random with a fixed seed; of fewer, points are repeated.
    The z axis must point up: nothing is turned.

    Args:
        data: the file's bytes.
        name: its name; the suffix says how to read it. npy: a number array (points, 3) or
            (clouds, points, 3). xyz and csv: a line of x, y, z for each point, further columns are
            left out, a first line of names and lines that begin with # are skipped. ply: ascii,
            with the vertex properties x, y and z. obj and off: the corners of the model, not its
            faces.

    Raises:
        BadCloud: another suffix, a damaged file, the wrong number of columns, no point, fewer than
            256, or a coordinate that is not finite.
    """
    suffix = PurePath(name).suffix.lower().lstrip(".")
    if suffix not in _READERS:
        raise BadCloud(f"{_shown(name)} is no file of points.", f"Use {', '.join(_READERS)}.")
    try:
        clouds = _READERS[suffix](data)
        return prepared(clouds)
    except BadItems as error:
        raise BadCloud(f"{_shown(name)}: {error.message}", error.hint) from error


def own_clouds(files: Sequence[tuple[str, bytes]], classes: tuple[str, ...]) -> CloudItems:
    """A set of what files hold, with the classes of a model; nobody knows what the clouds are.

    Raises:
        BadCloud: a file is not usable, or there is none.
    """
    if not files:
        raise BadCloud("There is no file.", f"Give {', '.join(_READERS)}.")
    read = [(name, read_clouds(data, name)) for name, data in files]
    points = np.concatenate([clouds for _, clouds in read])
    if len(points) > MOST_CLOUDS:
        raise BadCloud(f"There are {len(points)} clouds.", f"Allowed are {MOST_CLOUDS}.")
    names = [
        _shown(name) if len(clouds) == 1 else f"{_shown(name)}, cloud {i}"
        for name, clouds in read
        for i in range(len(clouds))
    ]
    return CloudItems(
        key="own",
        title="Your own clouds",
        points=points,
        labels=np.full(len(points), -1, np.int64),
        ids=np.arange(len(points), dtype=np.int64),
        names=tuple(names),
        classes=classes,
        source="Files opened here; nobody has labelled them.",
        licence="the user's own",
    )


def prepared(clouds: NDArray[np.floating]) -> F32:
    """Clouds (n, p, 3) checked, thinned to POINTS points, centred and scaled.

    Raises:
        BadCloud: they are too few, too many, or not finite.
    """
    if not clouds.size:
        raise BadCloud("There is no point in it.", f"At least {LEAST_POINTS} points are needed.")
    if len(clouds) > MOST_CLOUDS or clouds.shape[1] > MOST_POINTS:
        raise BadCloud(
            f"It holds {len(clouds)} clouds of {clouds.shape[1]} points.",
            f"Allowed are {MOST_CLOUDS} clouds of {MOST_POINTS} points.",
        )
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which is refused
        check_clouds(clouds.astype(np.float32))
    count = clouds.shape[1]
    rng = np.random.default_rng(SEED)
    rows = rng.permutation(count)[:POINTS] if count > POINTS else np.arange(POINTS) % count
    return normalised(clouds)[:, rows]


def _npy(data: bytes) -> NDArray[np.floating]:
    try:
        array: Any = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise BadCloud(
            "It is damaged, or holds something else than numbers.", "Save it with numpy.save."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise BadCloud("It does not hold an array of numbers.", "Save it with numpy.save.")
    clouds: NDArray[Any] = array[None] if array.ndim == 2 else array
    if clouds.ndim != 3 or clouds.shape[2] != 3:
        raise BadCloud(
            f"Its array has the shape {array.shape}.",
            "Needed is (points, 3) or (clouds, points, 3).",
        )
    return clouds.astype(np.float64)


def _columns(data: bytes) -> Rows:
    """The first three columns of lines of numbers, (1, p, 3)."""
    lines = [line.replace(",", " ").replace(";", " ").split() for line in _lines(data)]
    lines = [line for line in lines if line]
    if lines and not _is_number(lines[0][0]):
        lines = lines[1:]  # names of columns
    return _numbers(lines)


def _ply(data: bytes) -> Rows:
    """The vertices of an ascii PLY file, (1, p, 3)."""
    end = data.find(b"end_header")
    head = data[: max(end, 0)].decode("latin-1").split("\n")
    words = [line.split() for line in head if line.strip()]
    if end < 0 or words[0] != ["ply"]:
        raise BadCloud("It does not begin with a PLY header.", "Save it as ascii PLY.")
    if ["format", "ascii", "1.0"] not in words:
        raise BadCloud("It is a binary PLY file.", "Save it as ascii PLY.")
    count, properties = _vertices(words)
    body = _lines(data[end:])[1:]
    if len(body) < count:
        raise BadCloud(f"It promises {count} points and holds {len(body)} lines.")
    places = [properties.index(axis) for axis in "xyz"]
    lines = [line.split() for line in body[:count]]
    short = next((line for line in lines if len(line) < len(properties)), None)
    if short is not None:
        raise BadCloud(f"A point has {len(short)} values instead of {len(properties)}.")
    return _numbers([[line[place] for place in places] for line in lines])


def _vertices(words: list[list[str]]) -> tuple[int, list[str]]:
    """The number of vertices that a PLY header promises, and the names of their properties."""
    starts = [i for i, line in enumerate(words) if line[0] == "element"]
    if not starts or words[starts[0]][1:2] != ["vertex"] or not words[starts[0]][-1].isdigit():
        raise BadCloud("Its first element is not vertex.", "Points must come first.")
    stop = starts[1] if len(starts) > 1 else len(words)
    properties = [line[-1] for line in words[starts[0] + 1 : stop] if line[0] == "property"]
    missing = [axis for axis in "xyz" if axis not in properties]
    if missing:
        raise BadCloud(f"Its vertices have no {missing[0]}.", "Needed are x, y and z.")
    return int(words[starts[0]][-1]), properties


def _obj(data: bytes) -> Rows:
    """The vertices of an OBJ file, (1, p, 3)."""
    lines = [line.split()[1:] for line in _lines(data) if line.startswith("v ")]
    return _numbers(lines)


def _off(data: bytes) -> Rows:
    """The vertices of an OFF file, (1, p, 3); the counts may stand on the line of the name."""
    words = " ".join(_lines(data)).split(None, 1)
    if len(words) < 2 or not words[0].upper().startswith("OFF"):
        raise BadCloud("It does not begin with OFF.", "Save it as a plain OFF file.")
    numbers = (words[0][3:] + " " + words[1]).split()
    if not numbers[0].isdigit() or int(numbers[0]) > MOST_POINTS:
        raise BadCloud("It does not say how many points it has.", "Save it as a plain OFF file.")
    count, body = int(numbers[0]), numbers[3:]
    if len(body) < 3 * count:
        raise BadCloud(f"It promises {count} points and holds {len(body) // 3}.")
    return _numbers([body[3 * i : 3 * i + 3] for i in range(count)])


def _numbers(lines: list[list[str]]) -> Rows:
    if not lines:
        raise BadCloud("There is no point in it.", f"At least {LEAST_POINTS} points are needed.")
    if len(lines) > MOST_POINTS:
        raise BadCloud(f"It holds {len(lines)} points.", f"Allowed are {MOST_POINTS}.")
    for number, line in enumerate(lines):
        if len(line) < 3 or len(line) != len(lines[0]):
            raise BadCloud(
                f"Point {number} has {len(line)} columns.",
                "Every line needs x, y and z, and all lines equally many columns.",
            )
    try:
        rows = np.array([line[:3] for line in lines], dtype=np.float64)
    except ValueError as error:
        raise BadCloud(f"A coordinate is not a number ({error}).", "Use decimal points.") from error
    return rows[None]


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", errors="replace").lstrip("\ufeff")
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shown(name: str) -> str:
    """The end of a file's name, short enough for a sentence."""
    return PurePath(name).name[-80:] or "The file"


_READERS: Final[dict[str, Callable[[bytes], NDArray[np.floating]]]] = {
    "npy": _npy,
    "xyz": _columns,
    "csv": _columns,
    "ply": _ply,
    "obj": _obj,
    "off": _off,
}
