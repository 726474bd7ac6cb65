"""What a link to the fair-retrieval page can say: query, pool, and how results are balanced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from backend.errors import BadRequest
from components.state import Choice, Field, Number, Schema, Text, Values, Whole, check, read

PAGE: Final = "fair"
QUERY: Final = "cook"
ATTRIBUTES: Final = {"gender": "Drawn gender", "tone": "Drawn skin tone"}
PREDICTORS: Final = {
    "truth": "True attributes",
    "mlp": "Supervised MLP",
    "prompt": "Zero-shot prompt",
    "words": "Zero-shot words",
}
METHODS: Final = {
    "pbm": "PBM",
    "mi": "MI-clip, simplified",
    "debias": "Debiased prompt, simplified",
    "mi-pbm": "MI-clip + PBM",
    "debias-pbm": "Debiased prompt + PBM",
    "random": "Random selection",
}
KEY: Final = re.compile(r"([0-9a-f]{64})?\Z")
MOST_K: Final = 120


def schema() -> Schema:
    """Every key of the state, in the order of the page."""
    fields: dict[str, Field] = {
        "query": Text(QUERY, 60),
        "typed": Text("", 200),
        "attribute": Choice("gender", list(ATTRIBUTES)),
        "share": Number(0.75, 0.1, 0.9),
        "method": Choice("pbm", list(METHODS)),
        "predictor": Choice("truth", list(PREDICTORS)),
        "k": Whole(24, 1, MOST_K),
        "p": Number(1, 0, 1),
        "margin": Number(0, 0, 2),
        "dropped": Whole(64, 0, 240),
        "seed": Whole(0, 0, 9999),
        "own": Text("", 64),
    }
    return fields


def opened(query: Mapping[str, str]) -> tuple[Values, list[str]]:
    """Values and complaints of a page's query."""
    values, notices = read(query, schema())
    if not KEY.match(str(values["own"])):
        notices.append("own is not the name of an imported table; the drawn people are shown.")
        values["own"] = ""
    return values, notices


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """A state that came from a browser, typed; what it leaves out has its default.

    Raises:
        BadRequest: a value is not what the schema allows.
    """
    shape = schema()
    found: dict[str, Any] = {}
    for key, kind in shape.items():
        text = _written(values.get(key, kind.default))
        check({key: text}, shape)
        found[key] = kind.parse(text)
    if not KEY.match(found["own"]):
        raise BadRequest(f"own={found['own'][:20]!r} is no imported table.", "Import it again.")
    return found


def _written(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def params(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the workers are asked, from a checked state."""
    method = str(values["method"])
    scoring = {"pbm": "plain"}.get(method, method.removesuffix("-pbm"))
    is_balanced = method == "pbm" or method.endswith("-pbm")
    names = ("attribute", "share", "predictor", "margin", "dropped", "seed", "k")
    numbers = {name: float(values[name]) for name in ("share", "margin")}
    return {
        **{name: values[name] for name in names},
        **numbers,
        "scoring": scoring,
        "p": float(values["p"]) if is_balanced else 0.0,
    }
