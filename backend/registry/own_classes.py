"""Which classes a set of boxes or of clouds has: the bundled models', its owner's, or its own.

The bundled models go by name, so a set that needs no further names keeps all of theirs, in their
order. Any other set has its own, and the models that answer about it are its owner's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.protocols import Arrays
from backend.registry.data_spec import SetSpec
from backend.registry.earlier import Earlier
from models.cards import Task
from models.class_names import class_names

TASKS: Final[dict[str, Task]] = {"boxes": "detection", "clouds": "points"}
CLASSES, SAID = "classes", "said"  # of the arrays that are kept of a set


def bundled(kind: str) -> tuple[str, ...]:
    """What the bundled models for boxes or clouds tell apart."""
    return class_names(TASKS[kind])


def chosen(kind: str, found: Sequence[str], said: Sequence[str]) -> tuple[str, ...]:
    """The classes of a set: the bundled ones where they are enough, else those of its owner. Clouds
    have those that their owner says in any case: networks of clouds know these and no others.

    Args:
        found: what the data itself names, in its order.
        said: what its owner says it is about, in order; empty where nothing was said.
    """
    wanted = tuple(dict.fromkeys(said or found))
    if said and kind == "clouds":
        return wanted
    return bundled(kind) if set(wanted) <= set(bundled(kind)) else wanted


def said(spec: SetSpec, earlier: Earlier) -> tuple[str, ...]:
    """What the owner said the classes are, not what an earlier index wrote into the spec."""
    before, is_sorted = earlier.arrays, tuple(sorted(spec.classes)) == spec.classes
    if spec.classes == bundled(spec.kind):  # which is what a set has of which nothing is said
        return _texts(before[SAID]) if CLASSES in before else ()
    if CLASSES in before:
        is_written = spec.classes == _texts(before[CLASSES])
        return _texts(before[SAID]) if is_written else spec.classes
    # Indexed before sets had classes of their own: then those that occurred were written.
    is_old = earlier.index is not None and is_sorted
    return () if is_old and set(spec.classes) <= set(bundled(spec.kind)) else spec.classes


def kept(classes: Sequence[str], told: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The arrays that :func:`said` and :func:`of_arrays` read."""
    return {CLASSES: np.array(classes, np.str_), SAID: np.array(told, np.str_)}


def of_arrays(kind: str, arrays: Arrays) -> tuple[str, ...]:
    """The classes that the kept arrays of a set are numbered by."""
    return _texts(arrays[CLASSES]) if CLASSES in arrays else bundled(kind)


def _texts(array: NDArray[Any]) -> tuple[str, ...]:
    return tuple(str(text) for text in array.tolist())
