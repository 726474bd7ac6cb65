"""What a link to the Crayon page can say, and the training run that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.crayon import methods, requests, sets
from backend.errors import BadRequest
from components import identity
from components.state import Choice, Field, Flag, Number, Schema, Text, Values, Whole, check, read

PAGE: Final = "crayon"
STEPS: Final = {
    "diagnose": "Diagnose",
    "maps": "Annotate maps",
    "neurons": "Annotate neurons",
    "refine": "Refine",
    "compare": "Compare",
}
ORDERS: Final = ("random", "disagreement", "rarity", "effect")
SORTS: Final = {
    "wrong": "wrong first",
    "unsure": "least confident first",
    "energy": "least energy on the object first",
    "item": "as in the set",
}
NORMS: Final = {
    "reference": "by the original's map",
    "none": "none",
    "energy": "by the new map's energy",
}
"""How the two attention terms are scaled; names as in ``backend.crayon.losses.NORMS``."""
RATES: Final = ("0.00001", "0.00003", "0.0001", "0.0003", "0.001", "0.003", "0.01")
CHANGES: Final = ("probability", "energy", "class")
MOST_SEEDS: Final = 10
KEY_CHARS: Final = 64  # of a result's key


def schema() -> Schema:
    """Every key of the state, in the order of the steps."""
    shown: dict[str, Field] = {
        "set": Choice("birds", list(sets.known())),
        "model": Text("", KEY_CHARS),
        "step": Choice("diagnose", list(STEPS)),
        "as": Text("", 40),
        "calm": Flag(),
        "order": Choice("random", ORDERS),
        "saliency": Choice(requests.GRADCAM, list(requests.SALIENCY)),
        "overlap": Whole(2, 1, 9),
        "split": Choice("test", sets.SPLITS),
        "sort": Choice("wrong", list(SORTS)),
        "group": Whole(-1, -1, 63),
        "look": Choice("red", ("overlay", "red", "original")),
        "from": Whole(0, 0, 10**6),
    }
    run: dict[str, Field] = {
        "method": Choice("attention", methods.METHODS),
        "relevant": Number(1.0, 0, 1e6),
        "irrelevant": Number(1.0, 0, 1e6),
        "strength": Number(1.0, 0, 1e6),
        "norm": Choice("reference", list(NORMS)),
        "epochs": Whole(10, 1, 200),
        "lr": Choice("0.0001", RATES),
        "seed": Whole(0, 0, 2**30),
        "seeds": Whole(3, 1, MOST_SEEDS),
        "source": Choice("human", ("human", "simulated")),
        "minimum": Whole(2, 1, 9),
        "budget": Whole(0, 0, 10**6),
        "frozen": Flag(),
        "controls": Flag(True),
        "transfer": Flag(),
    }
    compared: dict[str, Field] = {
        "run": Text("", KEY_CHARS),
        "change": Choice("probability", CHANGES),
        "flip": Choice("all", ("all", "lost", "won", "kept")),
        "after": Whole(0, 0, 10**6),
    }
    return {**shown, **run, **compared}


def opened(query: Mapping[str, str]) -> tuple[Values, list[str]]:
    """Values and complaints of a page's query. A link that only names an annotator opens where
    that person answers, with nothing else around it."""
    values, notices = read(query, schema())
    if values["as"] and "step" not in query and "link" not in query:
        values |= {"step": "maps", "calm": True}
    return identity.view_of_annotator(values), notices


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """A state that came from a browser, typed; what it leaves out has its default.

    Raises:
        BadRequest: a value is not what the schema allows.
    """
    shape = schema()
    found: dict[str, Any] = {}
    for key, kind in shape.items():
        value = values.get(key, kind.default)
        check({key: written(value)}, shape)
        found[key] = kind.parse(written(value))
    if found["model"] and not is_key(found["model"]):
        raise BadRequest(f"model={found['model']} is no corrected model.", "Choose one again.")
    return found


def run_settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """A checked state as the fields of ``RefineRequest`` and the number of seeds."""
    transferred = asked["transfer"] and asked["model"]
    return {
        "item_set": asked["set"],
        "parent": asked["model"],
        "method": asked["method"],
        "per_relevant": asked["relevant"],
        "per_irrelevant": asked["irrelevant"],
        "strength": asked["strength"],
        "norm": asked["norm"],
        "epochs": asked["epochs"],
        "lr": float(asked["lr"]),
        "seed": asked["seed"],
        "seeds": max(3, asked["seeds"]),  # what a band needs
        "source": asked["source"],
        "minimum": asked["minimum"],
        "freeze_norm": asked["frozen"],
        "saliency": asked["saliency"],
        "answers_of": requests.fingerprint(asked["set"]) if transferred else "",
    }


def is_key(text: str) -> bool:
    """Whether a text can be the key of a result."""
    return len(text) == KEY_CHARS and all(char in "0123456789abcdef" for char in text)


def written(value: object) -> str:
    """A value as the schema parses it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
