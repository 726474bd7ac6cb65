"""What the Insights page tells the browser once a set: what it holds and which models know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backend.errors import BackendError
from backend.insights import contents, views
from backend.insights.contents import Contents
from components import insights_asked as asked_for


def answer(values: Mapping[str, Any], _visit: str) -> dict[str, Any]:
    """``{sets, set, models, model}``; what cannot be had is a ``message`` and a ``hint``."""
    try:
        held = asked_for.contents_of(values)
        chosen = asked_for.model_key(values)
        models = views.models(held.key)
    except BackendError as error:
        return {"message": error.message, "hint": error.hint}
    model = next((one for one in models if one["key"] == chosen or not chosen), None)
    sets = [{"key": key, "title": title} for key, title in contents.known().items()]
    return {"sets": sets, "set": about(held), "models": models, "model": model}


def about(held: Contents) -> dict[str, Any]:
    """What the page says of a set."""
    dates = held.dates[~np.isnat(held.dates)]
    counts = np.bincount(held.domain, minlength=len(held.domains))
    return {
        "key": held.key,
        "title": held.title,
        "simulated": held.simulated,
        "source": held.source,
        "fingerprint": held.fingerprint,
        "n": len(held),
        "fields": list(held.fields),
        "has_images": held.pictures is not None and bool(held.pictures.has_image.any()),
        "first": str(dates.min()) if len(dates) else "",
        "last": str(dates.max()) if len(dates) else "",
        "domains": [
            {"title": title, "n": int(counts[i]), "held_out": i in held.held_out}
            for i, title in enumerate(held.domains)
        ],
        "features": features(held),
        "notes": list(held.notes),
    }


def features(held: Contents) -> list[dict[str, Any]]:
    """The features F of a set as a form: choices first, then numbers with their range."""
    found: list[dict[str, Any]] = [
        {"key": name, "title": _title(name), "kind": "choice", "choices": list(one.values)}
        for name, one in held.choices.items()
    ]
    for name, values in held.numbers.items():
        known = values[np.isfinite(values)]
        ends = (float(known.min()), float(known.max())) if len(known) else (None, None)
        found.append(
            {
                "key": name,
                "title": _title(name),
                "kind": "number",
                "low": ends[0],
                "high": ends[1],
            }
        )
    return found


def _title(name: str) -> str:
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]
