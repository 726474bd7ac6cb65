"""Orbits by name. A new one is a file here with a class and a line in ``FAMILIES``.

``orbits.rotations(72)``, ``orbits.translations(max_px=64, step_px=4)`` and their kin make one in
Python; a view names it by ``family-level``, such as ``rotation-5`` (:func:`find`).
"""

from __future__ import annotations

from typing import Final

from backend.errors import NotFound
from backend.nero.orbits.base import (
    BLOCK,
    Domain,
    Family,
    HasControl,
    Layout,
    Orbit,
    blocks_of,
    checked,
)
from backend.nero.orbits.discs import AxisAngleDisc, axis_angle_disc
from backend.nero.orbits.rotations import Rotations, rotations
from backend.nero.orbits.squares import SquareSymmetries, square_symmetries
from backend.nero.orbits.translations import CROP_PX, Translations, translations

STEPS_DEG: Final = tuple(step for step in range(1, 91) if 360 % step == 0)

FAMILIES: Final[dict[str, Family]] = {
    family.key: family
    for family in (
        Family(
            "rotation",
            "Rotation",
            "image",
            lambda level: rotations(step_deg=float(level)),
            {str(step): f"{step}° · {360 // step} angles" for step in STEPS_DEG},
            "5",
        ),
        Family(
            "translations",
            "Shift of the crop",
            "scene",
            lambda level: translations(64, int(level)),
            {str(step): f"{step} px · {128 // step} × {128 // step}" for step in (4, 8, 16, 32)},
            "4",
        ),
        Family(
            "squares",
            "Symmetries of the square",
            "frames",
            lambda level: square_symmetries(level == "16"),
            {"16": "16, with time reversal", "8": "8, in space only"},
            "16",
        ),
        Family(
            "discs",
            "Rotation in space",
            "points",
            lambda level: axis_angle_disc(*(int(part) for part in level.split("x"))),
            {"24x13": "15° · 3 × 24 × 13", "12x7": "30° · 3 × 12 × 7"},
            "24x13",
        ),
    )
}


def find(key: str) -> Orbit:
    """The orbit behind ``family-level``, such as ``rotation-5``; a family alone is its default.

    Raises:
        NotFound: there is no such family or sampling.
    """
    family, _, level = key.partition("-")
    if family not in FAMILIES:
        raise NotFound(f"There is no orbit {key[:80]!r}.", f"Orbits are {', '.join(FAMILIES)}.")
    return FAMILIES[family].orbit(level)


def families(domain: Domain) -> dict[str, Family]:
    """The families that act on a domain, by key, in the order of a menu."""
    return {key: family for key, family in FAMILIES.items() if family.domain == domain}


__all__ = [
    "BLOCK",
    "CROP_PX",
    "FAMILIES",
    "STEPS_DEG",
    "AxisAngleDisc",
    "Domain",
    "Family",
    "HasControl",
    "Layout",
    "Orbit",
    "Rotations",
    "SquareSymmetries",
    "Translations",
    "axis_angle_disc",
    "blocks_of",
    "checked",
    "families",
    "find",
    "rotations",
    "square_symmetries",
    "translations",
]
