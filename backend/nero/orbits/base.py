"""What every orbit offers: its elements, how they are laid out, and what they do to an input.

An orbit lists some elements of a group (or, where nothing can be undone, of a semigroup). It acts
on the inputs of one *domain*; what an element does to an output is the business of a task
(:mod:`backend.nero.tasks`), because one group acts differently on a label, a box or a field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest, NotFound
from backend.protocols import F32, I64

Layout = Literal["circle", "line", "heatmap", "squares", "discs"]
Domain = Literal["image", "scene", "frames", "points", "text"]
F64 = NDArray[np.float64]
COORDINATES: Final[Mapping[Layout, int]] = {
    "circle": 1,
    "line": 1,
    "heatmap": 2,
    "squares": 2,
    "discs": 3,
}
"""How many coordinates an element has on each layout."""
BLOCK: Final = 72  # elements made together unless an orbit knows better


class Orbit(Protocol):
    """What every orbit offers a view; elements are numbered from 0 to ``size - 1``."""

    @property
    def name(self) -> str:
        """What it does, for people."""
        ...

    @property
    def key(self) -> str:
        """``family-level``: equal keys mean equal elements in equal order; part of cache keys."""
        ...

    @property
    def layout(self) -> Layout:
        """The shape its elements are drawn on."""
        ...

    @property
    def domain(self) -> Domain:
        """What it acts on."""
        ...

    @property
    def size(self) -> int:
        """How many elements there are."""
        ...

    @property
    def identity_index(self) -> int:
        """The element that changes nothing."""
        ...

    @property
    def positions(self) -> F64:
        """Where the elements lie on the layout, ``(size, k)``.

        circle (1): angle in degrees; line (1): the parameter; heatmap (2): x, y; squares (2):
        column, row; discs (3): plane, axis angle in degrees, rotation angle in degrees.
        """
        ...

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the ``k`` coordinates, with units."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """What people call each element, such as ``"90°"`` or ``"+8, −4 px"``."""
        ...

    def inverse(self, i: int) -> int:
        """The element that undoes ``i``.

        Raises:
            BadRequest: it is not among the elements, or nothing undoes ``i``.
        """
        ...

    def compose(self, i: int, j: int) -> int:
        """The element that does what ``j`` and then ``i`` do.

        Raises:
            BadRequest: it is not among the elements.
        """
        ...

    def act(self, inputs: Any, elements: I64, out: F32 | None = None) -> Any:
        """Every input under some elements, ``(b, m, ...)`` for inputs ``(b, ...)``.

        Images are ``(b, c, h, w)``, uint8 or float32 in [0, 1], and come out as float32 in [0, 1],
        in ``out`` where one is given.
        """
        ...


@runtime_checkable
class HasControl(Protocol):
    """An orbit whose elements can be undone right away, to see what resampling alone costs."""

    def act_and_back(self, inputs: Any, elements: I64, out: F32 | None = None) -> Any:
        """Every element and then its inverse: what is left is interpolation."""
        ...


@runtime_checkable
class HasBlocks(Protocol):
    """An orbit that knows which elements are cheaper together."""

    def blocks(self, at_most: int) -> list[I64]:
        """All elements in groups of about ``at_most``."""
        ...


def blocks_of(orbit: Orbit, at_most: int) -> list[I64]:
    """All elements of an orbit in groups of about ``at_most``, each one once."""
    if isinstance(orbit, HasBlocks):
        return orbit.blocks(at_most)
    step = max(1, at_most)
    return [np.arange(i, min(orbit.size, i + step)) for i in range(0, orbit.size, step)]


def checked(i: int, size: int) -> int:
    """``i``, if it is an element.

    Raises:
        BadRequest: it is not.
    """
    if not 0 <= i < size:
        raise BadRequest(
            f"Element {i} is not on an orbit of {size}.", f"Elements run from 0 to {size - 1}."
        )
    return int(i)


def checked_all(elements: Any, size: int) -> I64:
    """Elements ``(m,)`` as int64, each of them on an orbit.

    Raises:
        BadRequest: one is not, or is not a whole number.
    """
    found = np.asarray(elements)
    if found.ndim != 1 or (found.dtype.kind not in "iu" and len(found)):
        raise BadRequest("Elements are a list of whole numbers.", "Such as [0, 1, 2].")
    for element in found[(found < 0) | (found >= size)]:
        checked(int(element), size)
    return found.astype(np.int64, copy=False)


def outside(name: str, what: str) -> NoReturn:
    """Says that an element is not among those of an orbit.

    Raises:
        BadRequest: always.
    """
    raise BadRequest(f"{what} is not among the elements of {name}.", "Choose another element.")


@dataclass(frozen=True, slots=True)
class Family:
    """A group with the samplings of it that a view offers.

    Attributes:
        key: short name used in links, without a hyphen.
        make: the orbit of one level.
        levels: what people call each level, by its key, finest first or in the order of a menu.
        default: the level that a view opens with.
        group: which kind of set it is, for the method card: "group", "semigroup" or, where
            elements cannot always be joined, "set".
        channels: of the images it can act on; 0 for any.
    """

    key: str
    title: str
    domain: Domain
    make: Callable[[str], Orbit]
    levels: Mapping[str, str]
    default: str
    group: Literal["group", "semigroup", "set"] = "group"
    channels: int = 0

    def orbit(self, level: str = "") -> Orbit:
        """The orbit of a level, the default one unless given.

        Raises:
            NotFound: there is no such level.
        """
        wanted = level or self.default
        if wanted not in self.levels:
            allowed = ", ".join(self.levels)
            raise NotFound(
                f"{self.title} has no sampling {wanted[:40]!r}.", f"Samplings are {allowed}."
            )
        return self.make(wanted)
