"""The tables behind the cards of the Modality gap page, made from its view state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from backend.errors import BadRequest
from backend.gap import record, requests, views
from backend.protocols import JSON
from components import gap_asked as asked_for
from components import gap_layout as parts
from components.runtime import services
from components.tables import register_table

Asked = Mapping[str, Any]


def maps(asked: Asked) -> pd.DataFrame:
    """A row a drawn pair and space: places of image and text in the plane, and the gap."""
    held, settings = asked_for.shown(asked), asked_for.settings(asked)
    found, _ = views.layouts(services().store, held, settings)
    tables = []
    for space, one in zip(held, found, strict=True):
        gaps = np.linalg.norm(space.images[one.rows] - space.texts[one.rows], axis=1)
        tables.append(
            pd.DataFrame(
                {
                    "space": space.title,
                    "pair": one.rows,
                    "caption": [space.captions[row] for row in one.rows],
                    "image_x": one.images[:, 0],
                    "image_y": one.images[:, 1],
                    "text_x": one.texts[:, 0],
                    "text_y": one.texts[:, 1],
                    "gap": gaps,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def numbers(asked: Asked) -> pd.DataFrame:
    """A row a space and number, with its interval."""
    rows = []
    for space in asked_for.shown(asked):
        found = views.numbers(services().store, space)
        rows += [{"space": space.title, "n": found["n"], **row} for row in found["rows"]]
    return pd.DataFrame(rows)


def gaps(asked: Asked) -> pd.DataFrame:
    """A row a pair: its caption, and its gap in each space that has the same pairs as the first."""
    held = asked_for.shown(asked)
    same = [space for space in held if space.set_key == held[0].set_key]
    table = pd.DataFrame({"pair": np.arange(len(held[0])), "caption": held[0].captions})
    for space in same:
        name = f"gap, {space.title}"
        table[name] = views.numbers(services().store, space)["gaps"]
    return table


def swept(asked: Asked) -> pd.DataFrame:
    """A row a place of the slider."""
    held = asked_for.space(asked, "focus")
    rows = []
    for point in views.swept(services().store, held, 1)["points"]:
        row: dict[str, JSON] = {key: point[key] for key in ("delta", "gap", "loss", "accuracy")}
        for way, shares in point["recall"].items():
            row |= {f"{way}_recall_at_{k}": share for k, share in shares.items()}
        row |= {f"recall_of_{name}": share for name, share in point["by_group"].items()}
        rows.append(row)
    return pd.DataFrame(rows)


def pair(asked: Asked) -> pd.DataFrame:
    """Nearest neighbours of the chosen pair in the other modality."""
    held = asked_for.space(asked, "focus")
    found = views.neighbours(held, _chosen(asked))
    rows = [
        {"of": of, "pair": one["row"], "caption": held.captions[one["row"]],
         "cosine": one["cosine"], "is_right": one["right"]}
        for of, name in (("its image", "texts"), ("its text", "images"))
        for one in found[name]
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _chosen(asked: Asked) -> int:
    return max(0, asked_for.whole(asked, "pair", 0))


def found(asked: Asked) -> pd.DataFrame:
    """The images that the typed text finds.

    Raises:
        BadRequest: nothing was typed.
    """
    held = asked_for.space(asked, "focus")
    text = str(asked.get("text") or "").strip()
    if not text:
        raise BadRequest("There is no query.", "Type a few words under Retrieval.")
    params = {**requests.named(held), "text": text, "k": 50, "delta": float(asked.get("delta", 0))}
    arrays = services().jobs.call("gap.text", params, 60.0)
    rows = arrays["rows"].tolist()
    return pd.DataFrame(
        {
            "pair": rows,
            "caption": [held.captions[row] for row in rows],
            "cosine": arrays["cosines"],
        }
    )


def words(asked: Asked) -> pd.DataFrame:
    """The words that tell selections A and B apart."""
    held = asked_for.space(asked, "focus")
    return pd.DataFrame(views.words(held, asked.get("a") or [], asked.get("b") or []))


def models(asked: Asked) -> pd.DataFrame:
    """A row a model and seed of the record."""
    del asked
    return pd.DataFrame(record.runs())


MAKERS: Final[Mapping[str, Callable[[Asked], pd.DataFrame]]] = {
    parts.MAP: maps,
    parts.NUMBERS: numbers,
    parts.GAPS: gaps,
    parts.SLIDER: swept,
    parts.PAIR: pair,
    parts.FIND: found,
    parts.WORDS: words,
    parts.MODELS: models,
}


def register() -> None:
    """Offers every table of the page."""
    for name, make in MAKERS.items():
        register_table(name, partial(_from_state, make))


def _from_state(make: Callable[[Asked], pd.DataFrame], state: Mapping[str, JSON]) -> pd.DataFrame:
    values = state.get("values")
    return make(values if isinstance(values, Mapping) else {})
