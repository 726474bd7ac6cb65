"""The eleven properties of a rendered car, and values of them drawn independently.

Value sets of Kobs 2023, "Think outside the Black Box", table 7.2. Hue is an offset, saturation and
value are factors on a base paint of saturation and value 1/2, so that a factor of 2 is full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np
import pandas as pd

from backend.errors import BadRequest

STEPS: Final = tuple(k / 4 for k in range(9))
TURNS: Final = tuple(float(45 * k) for k in range(8))
HUES: Final = tuple(k / 10 for k in range(10))
MODEL: Final = "car_model"


@dataclass(frozen=True, slots=True)
class Knob:
    """One numeric property of a scene: its values in order, and how it is shown.

    Attributes:
        group: what the heat map's columns are gathered under.
        unit: "" where it has none.
    """

    name: str
    title: str
    group: str
    values: tuple[float, ...]
    unit: str = ""


KNOBS: Final = (
    Knob("car_rotation", "Rotation", "Car", TURNS, "°"),
    Knob("car_hue", "Hue", "Car colour", HUES),
    Knob("car_saturation", "Saturation", "Car colour", STEPS, "×"),
    Knob("car_value", "Value", "Car colour", STEPS, "×"),
    Knob("bg_hue", "Hue", "Background", HUES),
    Knob("bg_saturation", "Saturation", "Background", STEPS, "×"),
    Knob("bg_value", "Value", "Background", STEPS, "×"),
    Knob("camera_height", "Height", "Camera", (0.5, 1.5, 2.5, 3.5), "m"),
    Knob("sun_elevation", "Elevation", "Sun", (0.0, 45.0, 90.0), "°"),
    Knob("sun_rotation", "Rotation", "Sun", TURNS, "°"),
)
BY_NAME: Final = {knob.name: knob for knob in KNOBS}
NAMES: Final = (MODEL, *BY_NAME)
DEFAULTS: Final[dict[str, float]] = {
    "car_rotation": 45.0,
    "car_hue": 0.6,
    "car_saturation": 1.5,
    "car_value": 1.25,
    "bg_hue": 0.1,
    "bg_saturation": 0.5,
    "bg_value": 1.5,
    "camera_height": 1.5,
    "sun_elevation": 45.0,
    "sun_rotation": 45.0,
}
"""A scene in which everything can be seen."""


def title(name: str) -> str:
    """A property's name for people, with its group: ``Car colour: hue``."""
    if name == MODEL:
        return "Car model"
    if name not in BY_NAME:
        return name.replace("_", " ")
    knob = BY_NAME[name]
    return f"{knob.group} {knob.title.lower()}"


def combinations(models: int = 6) -> int:
    """How many different scenes there are."""
    return models * prod(len(knob.values) for knob in KNOBS)


def chosen_knobs(names: Sequence[str] = ()) -> tuple[Knob, ...]:
    """The knobs of these names; all unless given.

    Raises:
        BadRequest: there is no such property.
    """
    for name in names:
        if name not in BY_NAME:
            raise BadRequest(
                f"There is no property {name[:80]!r} to draw.", f"Allowed: {', '.join(BY_NAME)}."
            )
    return tuple(knob for knob in KNOBS if not names or knob.name in names)


def sample(
    models: Sequence[str],
    n: int,
    seed: int,
    varied: Sequence[str] = (),
    values: Mapping[str, Sequence[float]] | None = None,
) -> pd.DataFrame:
    """``n`` scenes, each property drawn uniformly and independently of the others.

    Args:
        models: names of the meshes to draw from.
        varied: the properties that vary; all unless given, the others stay at their default.
        values: other value sets than the usual ones.

    Raises:
        BadRequest: a property is unknown, a value set is empty, or nothing is asked for.
    """
    if not models or n < 1:
        raise BadRequest("A data set needs at least one mesh and one image.")
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {MODEL: np.asarray(models)[rng.integers(len(models), size=n)]}
    moving = {knob.name for knob in chosen_knobs(varied)}
    for knob in KNOBS:
        allowed = tuple((values or {}).get(knob.name, knob.values))
        if not allowed:
            raise BadRequest(f"{knob.name} has no value to draw.", "Give at least one.")
        drawn = np.asarray(allowed)[rng.integers(len(allowed), size=n)]
        columns[knob.name] = drawn if knob.name in moving else DEFAULTS[knob.name]
    return pd.DataFrame(columns)
