"""What a link to the Zoom-In page can say, and the question that it asks of the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.errors import BadRequest
from backend.protocols import JSON
from backend.zoom import opening, own
from backend.zoom.maps import classifiers
from backend.zoom.policy import POLICIES
from backend.zoom.requests import MODEL, Box, LookRequest
from components.state import Choice, Many, Schema, Text, Whole, check

PAGE: Final = "zoom"
LAYERS: Final = ("alpha", "beta", "samples", "truth", "cam")
SHOWN_FIRST: Final = ("alpha", "samples")
SCALES: Final = {
    "0": "as trained",
    "0.0625": "1/16",
    "0.125": "1/8",
    "0.25": "1/4",
    "0.5": "1/2",
    "1": "1",
}
ASKED: Final = (
    *("image", "model", "n", "seed", "draw", "draws"),
    *("policy", "s1", "s2", "region", "cam"),
)
"""The keys whose change asks the models anew; the others are about how it is shown."""
MOST_KEY: Final = 1000  # characters of an image's key


def two_stage() -> dict[str, str]:
    """Titles of the models that look in two stages, by key; the bundled one first."""
    found = {
        key: card.title
        for key, card in own.models().items()
        if card.architecture.startswith("ZoomNet")
    }
    return {key: found[key] for key in sorted(found, key=lambda key: (key != MODEL, key))}


def cam_titles() -> dict[str, str]:
    """Titles of the classifiers whose class maps can be a layer; photographs' first."""
    held = classifiers()
    order = sorted(held, key=lambda key: (held[key].task != "imagenet", key))
    return {key: held[key].title for key in order}


def schema() -> Schema:
    """Every key of the state. ``style`` holds what differs from each layer's first look."""
    models, maps = list(two_stage()) or [""], ["", *cam_titles()]
    return {
        "image": Text(opening.IMAGE, MOST_KEY),
        "model": Choice(models[0], models),
        "n": Whole(16, 1, 256),
        "seed": Whole(0, 0, 2**30),
        "draw": Whole(0, 0, 199),
        "draws": Whole(opening.DRAWS, 2, 200),
        "policy": Choice(POLICIES[0], POLICIES),
        "s1": Choice("0", list(SCALES)),
        "s2": Choice("0", list(SCALES)),
        "region": Text("", 60),
        "cam": Choice("", maps),
        "layers": Many(list(SHOWN_FIRST), LAYERS),
        "style": Text("", 200),
        "view": Text("", 60),
        "piece": Whole(-1, -1, 2**20),
    }


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The asked part of a state that came from a browser, typed.

    Raises:
        BadRequest: a value is missing or not what the schema allows.
    """
    shape = schema()
    found: dict[str, Any] = {}
    for key in ASKED:
        value = values.get(key)
        text = "" if value is None else str(value)
        if isinstance(value, float) and value.is_integer():
            text = str(int(value))
        check({key: text}, shape)
        found[key] = shape[key].parse(text)
    found["region"] = region(found["region"])
    return found


def region(text: str) -> Box | None:
    """The rectangle "x,y,width,height" of a state; ``None`` where there is none.

    Raises:
        BadRequest: it is no rectangle of whole pixels.
    """
    if not text:
        return None
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise BadRequest(
            f"region={text[:40]} is no rectangle.", "Give x,y,width,height in whole pixels."
        ) from error
    return x, y, width, height


def look(asked: Mapping[str, Any], draws: int = 1) -> LookRequest:
    """The look that a checked state asks for: one of its draws in full, or all of them.

    Raises:
        NotFound, BadRequest: as the request does.
    """
    seed = asked["seed"] + (asked["draw"] if draws == 1 else 0)
    return LookRequest(
        image=asked["image"],
        model=asked["model"],
        n_tiles=asked["n"],
        seed=seed,
        draws=draws,
        policy=asked["policy"],
        s1=float(asked["s1"]),
        s2=float(asked["s2"]),
        region=asked["region"],
    )


def is_opening(asked: Mapping[str, Any]) -> bool:
    """Whether the settings are those that the page opens with, whatever the image."""
    shape = schema()
    ways: tuple[str, ...] = ("model", "n", "seed", "policy", "s1", "s2")
    given: dict[str, JSON] = {key: asked[key] for key in ways}
    return all(given[key] == shape[key].default for key in ways)
