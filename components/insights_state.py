"""What a link to the Insights page can say: contents, overlays, the present edit and the brief."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from backend.errors import BadRequest
from components.state import Choice, Field, Flag, Number, Schema, Text, Values, Whole, check, read

PAGE: Final = "insights"
VIEWS: Final = {
    "phrases": "Phrases",
    "patches": "Patches",
    "together": "Together",
    "trust": "Trust",
    "brief": "Brief",
}
SORTS: Final = {
    "predicted": "highest predicted first",
    "actual": "highest actual first",
    "error": "largest error first",
    "newest": "newest first",
}
METHODS: Final = {
    "pca": "PCA of the others",
    "integrated-gradients": "Integrated Gradients",
    "grad-cam": "Grad-CAM",
    "kernel-shap": "Kernel SHAP",
    "feature-ablation": "Feature ablation",
}
DEFAULT_SET: Final = "campaigns"
DEFAULT_METHOD: Final = "integrated-gradients"
ALL_DOMAINS: Final = "-1"
MOST_CONTENTS: Final = 10**7
EDIT_CHARS: Final = 120_000  # of an edit as JSON; a longer one is kept by saving it as a version
KEY: Final = re.compile(r"[A-Za-z0-9._-]{0,80}\Z")
DATE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})?\Z")
DOMAIN: Final = re.compile(r"-1\Z|\d{1,5}\Z")
FORMS: Final = (
    ("set", KEY, "the name of a set"),
    ("model", KEY, "the name of a model"),
    ("domain", DOMAIN, "the number of a domain"),
    ("since", DATE, "a date like 2026-01-31"),
    ("until", DATE, "a date like 2026-01-31"),
)


def schema() -> Schema:
    """Every key of the state, in the order of the page."""
    looked_at: dict[str, Field] = {
        "set": Text(DEFAULT_SET, 80),
        "model": Text("", 80),
        "domain": Text("0", 6),
        "since": Text("", 10),
        "until": Text("", 10),
        "method": Choice(DEFAULT_METHOD, list(METHODS)),
        "sort": Choice("predicted", list(SORTS)),
        "from": Whole(0, 0, MOST_CONTENTS),
        "content": Whole(-1, -1, MOST_CONTENTS),
    }
    painted: dict[str, Field] = {
        "plus": Flag(True),
        "minus": Flag(True),
        "grey": Flag(True),
        "opacity": Number(0.7, 0, 1),
        "threshold": Number(0.15, 0, 1),
    }
    told: dict[str, Field] = {
        "view": Choice("phrases", list(VIEWS)),
        "level": Choice("phrase", ("phrase", "word")),
        "modality": Choice("text", ("text", "image")),
        "metric": Choice("rmse", ("rmse", "mae")),
    }
    kept: dict[str, Field] = {
        "draft": Text("", 80),
        "edit": Text("", EDIT_CHARS),
        "brief": Text("", EDIT_CHARS),
    }
    return {**looked_at, **painted, **told, **kept}


def opened(query: Mapping[str, str]) -> tuple[Values, list[str]]:
    """Values and complaints of a page's query; a name or a date of another form is dropped."""
    values, notices = read(query, schema())
    for key, form, allowed in FORMS:
        if not form.match(str(values[key])):
            notices.append(f"{key}={str(values[key])[:40]} is not {allowed}; it is ignored.")
            values[key] = schema()[key].default
    return values, notices


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """A state that came from a browser, typed; what it leaves out has its default.

    Raises:
        BadRequest: a value is not what the schema allows.
    """
    shape = schema()
    found: dict[str, Any] = {}
    for key, kind in shape.items():
        text = written(values.get(key, kind.default))
        check({key: text}, shape)
        found[key] = kind.parse(text)
    for key, form, allowed in FORMS:
        if not form.match(found[key]):
            raise BadRequest(f"{key}={found[key][:40]!r} is not {allowed}.", "Choose it again.")
    return found


def edit_of(text: str) -> dict[str, Any]:
    """The edit that a state carries: ``{"fields", "features", "domain", "edits"}``, all optional.

    Raises:
        BadRequest: it is no JSON object.
    """
    if not text:
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest("The edit in this link is damaged.", "Undo, or reset the edit.") from error
    if not isinstance(found, dict):
        raise BadRequest("The edit in this link is damaged.", "Undo, or reset the edit.")
    return found


def written(value: object) -> str:
    """A value as the schema parses it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
