"""The tables behind the Zoom-In page's plots: what the page shows, from its view state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.errors import NotFound
from backend.jobs import JobRequest
from backend.protocols import JSON
from backend.zoom import own
from backend.zoom.library import library
from backend.zoom.maps import AnswersRequest
from backend.zoom.requests import compare_job
from backend.zoom.result import ZoomResult
from components import zoom_layout as parts
from components import zoom_state
from components.runtime import services
from components.tables import register_table

Asked = Mapping[str, Any]
COSTS: Final = ("peak_bytes", "multiply_adds", "seconds", "pixels_read")


def images(asked: Asked) -> pd.DataFrame:
    """Every listed image, with its answer where there is one."""
    rows = library(services().settings).listing()
    frame = pd.DataFrame(
        [
            {
                "image": info.key,
                "title": info.title,
                "width": info.width,
                "height": info.height,
                "truth": info.classes[info.label] if info.label is not None else None,
                "state": info.state,
                "note": info.note,
            }
            for info in rows
        ]
    )
    try:
        request = AnswersRequest(
            asked["model"], asked["n"], asked["seed"], asked["policy"],
            float(asked["s1"]), float(asked["s2"]),
        )  # fmt: skip
        arrays = _stored(request.job())
    except NotFound:
        return frame
    classes = own.card(asked["model"]).classes
    best = arrays["answers"].argmax(1)
    known = {
        f"needle:{row}": (classes[int(k)], float(arrays["answers"][row, k]), int(distinct))
        for row, (k, distinct) in enumerate(zip(best, arrays["distinct"], strict=True))
    }
    for place, name in enumerate(("answer", "probability", "distinct_tiles")):
        frame[name] = [known[key][place] if key in known else None for key in frame["image"]]
    return frame


def tiles(asked: Asked) -> pd.DataFrame:
    """The tiles that were looked into."""
    done = _look(asked)
    frame = _boxes(done.tiles)
    frame.insert(0, "tile", np.arange(1, len(done.tiles) + 1))
    frame["times_drawn"] = done.hits
    frame["alpha"] = done.tile_probabilities
    frame["largest_beta"] = done.betas.max(axis=(1, 2))
    return frame


def pieces(asked: Asked) -> pd.DataFrame:
    """The pieces, strongest effect on the answered class first."""
    done, classes = _look(asked), own.card(asked["model"]).classes
    order = done.by_contribution()
    frame = _boxes(done.subtiles[order])
    frame.insert(0, "drawn", order + 1)
    frame["tile"] = done.tile_of[order] + 1
    frame["probability"] = done.probabilities[order]
    frame["weight"] = done.weights[order]
    for k, name in enumerate(classes):
        frame[f"effect on {name}"] = done.contributions[order, k]
    return frame


def draws(asked: Asked) -> pd.DataFrame:
    """Every draw: its seed, its answer, and how many tiles it looked into."""
    arrays = _stored(zoom_state.look(asked, asked["draws"]).job())
    frame = pd.DataFrame({"seed": arrays["draw_seeds"], "distinct_tiles": arrays["draw_distinct"]})
    for k, name in enumerate(own.card(asked["model"]).classes):
        frame[f"probability of {name}"] = arrays["draw_answers"][:, k]
    return frame


def share(asked: Asked) -> pd.DataFrame:
    """What the strongest pieces hold."""
    shares = _look(asked).cumulative_share()
    return pd.DataFrame({"top_pieces": np.arange(1, len(shares) + 1), "share": shares})


def cost(asked: Asked) -> pd.DataFrame:
    """Every model's cost and answer for the image."""
    arrays = _stored(compare_job(asked["image"], asked["n"], asked["seed"]))
    keys = arrays["keys"].astype(np.uint8).tobytes().decode().split("\n")
    cards = own.models()
    frame = pd.DataFrame({"model": keys, "title": [cards[key].title for key in keys]})
    for i, name in enumerate(COSTS):
        frame[name] = arrays["cost"][:, i]
    frame["answer"] = [_said(row, cards[key].classes) for row, key in zip(
        arrays["answers"], keys, strict=True)]  # fmt: skip
    return frame


def _said(row: NDArray[Any], classes: tuple[str, ...]) -> str | None:
    return None if np.isnan(row).all() else classes[int(np.nanargmax(row))]


def _look(asked: Asked) -> ZoomResult:
    return ZoomResult.from_arrays(_stored(zoom_state.look(asked).job()))


def _stored(job: JobRequest) -> dict[str, NDArray[Any]]:
    arrays = services().store.get(job.key)
    if arrays is None:
        raise NotFound("This is not computed yet.", "Wait until it is drawn, then ask again.")
    return arrays


def _boxes(boxes: NDArray[np.int64]) -> pd.DataFrame:
    return pd.DataFrame(boxes, columns=["x", "y", "width", "height"])


MAKERS: Final[Mapping[str, Callable[[Asked], pd.DataFrame]]] = {
    parts.IMAGES: images,
    parts.VIEWER: tiles,
    parts.ANSWER: draws,
    parts.COST: cost,
    parts.SHARE: share,
    parts.PIECES: pieces,
}


def register() -> None:
    """Offer a table for each plot under the name of its card."""
    for name, make in MAKERS.items():
        register_table(name, partial(_made, make))


def _made(make: Callable[[Asked], pd.DataFrame], state: Mapping[str, JSON]) -> pd.DataFrame:
    values = state.get("values")
    return make(zoom_state.checked(values if isinstance(values, Mapping) else {}))
