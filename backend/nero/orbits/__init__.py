"""Orbits by name. A new one is a file here with a class and a line in ``FAMILIES``, or, from
outside, a :func:`register`.

``orbits.rotations(72)``, ``orbits.translations(max_px=64, step_px=4)`` and their kin make one in
Python; a view names it by ``family-level``, such as ``rotation-5`` (:func:`find`).
"""

from __future__ import annotations

import re
from typing import Final

from backend.errors import BadRequest, NotFound
from backend.nero.orbits.base import (
    BLOCK,
    COORDINATES,
    Domain,
    Family,
    HasControl,
    Layout,
    Orbit,
    blocks_of,
    checked,
    checked_all,
)
from backend.nero.orbits.blur import blurs
from backend.nero.orbits.brightness import brightness
from backend.nero.orbits.cases import cases
from backend.nero.orbits.circle import Circle
from backend.nero.orbits.contrast import contrast
from backend.nero.orbits.crop import crops
from backend.nero.orbits.discs import AxisAngleDisc, axis_angle_disc
from backend.nero.orbits.hue import hues
from backend.nero.orbits.jpeg import jpegs
from backend.nero.orbits.line import Line
from backend.nero.orbits.plane import Plane
from backend.nero.orbits.reflection import reflections
from backend.nero.orbits.rotations import Rotations, rotations
from backend.nero.orbits.scale import scales
from backend.nero.orbits.shift import circular_shifts
from backend.nero.orbits.squares import SquareSymmetries, square_symmetries
from backend.nero.orbits.synonyms import synonyms
from backend.nero.orbits.translations import CROP_PX, Translations, translations
from backend.nero.orbits.words import word_orders

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
        Family(
            "scale",
            "Scale",
            "image",
            lambda level: scales(int(level)),
            {str(n): f"½ to 2 · {2 * n + 1} factors" for n in (16, 8, 4)},
            "8",
        ),
        Family(
            "reflection",
            "Mirror images",
            "image",
            lambda level: reflections(),
            {"4": "left–right, top–bottom, both"},
            "4",
        ),
        Family(
            "shift",
            "Circular shift",
            "image",
            lambda level: circular_shifts(int(level)),
            {
                str(n): f"{n} × {n} · sides that are multiples of {n} px"
                for n in (28, 16, 14, 8, 7, 4)
            },
            "14",
        ),
        Family(
            "brightness",
            "Brightness",
            "image",
            lambda level: brightness(int(level)),
            {str(step): f"±50 % by {step} % · {100 // step + 1} offsets" for step in (2, 5, 10)},
            "5",
            "set",
        ),
        Family(
            "contrast",
            "Contrast",
            "image",
            lambda level: contrast(int(level)),
            {str(n): f"¼ to 4 · {4 * n + 1} factors" for n in (8, 4, 2)},
            "4",
            "set",
        ),
        Family(
            "hue",
            "Hue",
            "image",
            lambda level: hues(round(360 / float(level))),
            {str(step): f"{step}° · {360 // step} hues" for step in (5, 15, 30)},
            "15",
            channels=3,
        ),
        Family(
            "blur",
            "Blur",
            "image",
            lambda level: blurs(float(level)),
            {step: f"0 to 4 px by {step} px" for step in ("0.25", "0.5", "1")},
            "0.5",
            "semigroup",
        ),
        Family(
            "jpeg",
            "JPEG compression",
            "image",
            lambda level: jpegs(int(level)),
            {str(step): f"quality 100 to {step} by {step}, and none" for step in (5, 10)},
            "5",
            "set",
        ),
        Family(
            "crop",
            "Centre crop",
            "image",
            lambda level: crops(int(level)),
            {str(n): f"¼ to all · {2 * n + 1} fractions" for n in (16, 8, 4)},
            "8",
            "semigroup",
        ),
        Family(
            "words",
            "Word order",
            "text",
            lambda level: word_orders(int(level)),
            {"20": "20 orders", "11": "11 orders"},
            "11",
            "set",
        ),
        Family(
            "case",
            "Letter case",
            "text",
            lambda level: cases(),
            {"6": "6 ways of writing"},
            "6",
            "set",
        ),
        Family(
            "synonyms",
            "Synonyms",
            "text",
            lambda level: synonyms(int(level)),
            {"8": "up to 8 words, and all", "4": "up to 4 words, and all"},
            "4",
            "set",
        ),
    )
}


def register(family: Family) -> Family:
    """Adds a family of your own, for this process: it is then found, offered and run by its key.

    A worker is a process of its own; name your module in ``LOUPE_PLUGINS`` to have it imported
    wherever it is needed.

    Raises:
        BadRequest: the key is taken or not usable, or what it makes is no orbit.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", family.key) or family.key in FAMILIES:
        raise BadRequest(
            f"An orbit family cannot be called {family.key[:40]!r}.",
            f"Small letters and digits, and none of {', '.join(FAMILIES)}.",
        )
    for level in family.levels:
        _check(family, level)
    FAMILIES[family.key] = family
    return family


def _check(family: Family, level: str) -> None:
    """Returns if a level makes an orbit that can be named, laid out and walked."""
    made = family.orbit(level)
    for what, is_right in (
        ("key", made.key == f"{family.key}-{level}"),
        ("domain", made.domain == family.domain),
        ("layout", made.layout in COORDINATES),
        ("positions", made.positions.shape == (made.size, COORDINATES.get(made.layout, 0))),
        ("axes", len(made.axes) == made.positions.shape[-1]),
        ("labels", len(set(made.labels)) == made.size),
        ("identity_index", 0 <= made.identity_index < made.size),
    ):
        if not is_right:
            raise BadRequest(
                f"{family.title}, level {level!r}: {what} does not fit.",
                "See backend/nero/orbits/base.py for what an orbit must say of itself.",
            )


def find(key: str) -> Orbit:
    """The orbit behind ``family-level``, such as ``rotation-5``; a family alone is its default.

    Raises:
        NotFound: there is no such family or sampling.
    """
    family, _, level = key.partition("-")
    if family not in FAMILIES:
        raise NotFound(f"There is no orbit {key[:80]!r}.", f"Orbits are {', '.join(FAMILIES)}.")
    return FAMILIES[family].orbit(level)


def families(domain: Domain, channels: int = 0) -> dict[str, Family]:
    """The families that act on a domain, by key, in the order of a menu.

    Args:
        channels: of the images, where they are known: grey ones have no hue to turn.
    """
    return {
        key: family
        for key, family in FAMILIES.items()
        if family.domain == domain and (not channels or family.channels in (0, channels))
    }


__all__ = [
    "BLOCK",
    "COORDINATES",
    "CROP_PX",
    "FAMILIES",
    "STEPS_DEG",
    "AxisAngleDisc",
    "Circle",
    "Domain",
    "Family",
    "HasControl",
    "Layout",
    "Line",
    "Orbit",
    "Plane",
    "Rotations",
    "SquareSymmetries",
    "Translations",
    "axis_angle_disc",
    "blocks_of",
    "blurs",
    "brightness",
    "cases",
    "checked",
    "checked_all",
    "circular_shifts",
    "contrast",
    "crops",
    "families",
    "find",
    "hues",
    "jpegs",
    "reflections",
    "register",
    "rotations",
    "scales",
    "square_symmetries",
    "synonyms",
    "translations",
    "word_orders",
]
