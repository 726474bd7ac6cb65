"""What a link to the metric-learning page can say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from backend.errors import BadRequest
from backend.metric_learning import cars, own_models, shipped, views, words
from backend.metric_learning.distances import DISTANCES
from components.state import Choice, Field, Schema, Text, Values, Whole, check, read

PAGE: Final = "metric-learning"
SOURCES: Final = {"measured": "Measured here", "reported": "Reported", "both": "Both"}
SORTS: Final = {"family": "by family", "value": "by the property"}
PLACES: Final = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
VIEWS: Final = {
    "sweep": "Sweep",
    "values": "By value",
    "looks": "Where it looks",
    "ground": "Background",
    "words": "Words",
    "families": "Families",
    "own": "Your own",
}
LIKENESS: Final = {"pearson": "Pearson", "jsd": "JSD", "reported": "Pearson, reported"}
DISTANCE_TITLES: Final = {key: f"{key.replace('_', ' ')} distance" for key in DISTANCES}
UNITS: Final = {"fold": "a network", "loss": "a loss"}
KEY: Final = re.compile(r"([0-9a-f]{64})?\Z")
MADE: Final = re.compile(r"([0-9a-f]{64}:[a-z_,]{1,200}:\d{1,5}:\d{1,10})?\Z")
PROMPT_CHARS: Final = 20_000
LOSS, OTHER, PROPERTY = "multi-similarity", "arcface", "car_model"


def schema() -> Schema:
    """Every key of the state, in the order of the page."""
    losses = list(views.LOSSES)
    models = [*losses, *own_models.listed()]
    last = shipped.SHOWN - 1
    overview: dict[str, Field] = {
        "loss": Choice(LOSS, models),
        "property": Choice(PROPERTY, list(cars.NAMES)),
        "measure": Choice("nr", list(views.MEASURES)),
        "source": Choice("measured", list(SOURCES)),
        "sort": Choice("family", list(SORTS)),
        "place": Choice("umap", list(PLACES)),
        "query": Whole(0, 0, last),
        "distance": Choice("euclidean", list(DISTANCES)),
    }
    detail: dict[str, Field] = {
        "view": Choice("sweep", list(VIEWS)),
        "other": Choice(OTHER, losses),
        "likeness": Choice("pearson", list(LIKENESS)),
        "partner": Whole(-1, -1, last),
        "notion": Choice("car colour", list(words.NOTIONS)),
        "prompts": Text("", PROMPT_CHARS),
        "dims": Whole(128, 2, 384),
        "unit": Choice("fold", list(UNITS)),
        "own": Text("", 64),
        "made": Text("", 400),
    }
    return {**overview, **detail}


def opened(query: Mapping[str, str]) -> tuple[Values, list[str]]:
    """Values and complaints of a page's query."""
    values, notices = read(query, schema())
    if not KEY.match(str(values["own"])):
        notices.append(f"own={str(values['own'])[:40]} is no name of embeddings; it is ignored.")
        values["own"] = ""
    if not MADE.match(str(values["made"])):
        notices.append(f"made={str(values['made'])[:40]} is no data set; it is ignored.")
        values["made"] = ""
    return values, notices


def checked(values: Mapping[str, object]) -> Values:
    """A state that came from a browser, typed; what it leaves out has its default.

    Raises:
        BadRequest: a value is not what the schema allows.
    """
    shape, found = schema(), Values()
    for key, kind in shape.items():
        value = values.get(key)
        text = str(kind.default if value is None else value)
        lines = text.replace("\n", " ") if key == "prompts" else text  # they are one a line
        check({key: lines}, shape)
        found[key] = text if key == "prompts" else kind.parse(text)
    for key, form in (("own", KEY), ("made", MADE)):
        if not form.match(str(found[key])):
            raise BadRequest(
                f"{key}={str(found[key])[:40]!r} is nothing of yours.", "Open it again."
            )
    return found
