"""What the metric-learning page asks the worker for, checked before a job starts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from backend.errors import BadRequest
from backend.jobs import JobRequest
from backend.metric_learning import cars, own_models, places, shipped, views, words
from backend.metric_learning.distances import named
from backend.protocols import JSON
from models.cards import CARDS, read_card

ROBUST: Final = ("contrastive", "triplet", "multi-similarity", "arcface", "normalized-softmax")


def job(name: str, asked: Mapping[str, Any]) -> JobRequest:
    """The job behind one of the page's cards.

    Raises:
        BadRequest: there is no such card, or a value is not usable.
    """
    if name not in MAKERS:
        raise BadRequest(f"There is nothing called {name[:40]!r} here.", f"{', '.join(MAKERS)}.")
    made: JobRequest = MAKERS[name](asked)
    return made


def sweep_job(asked: Mapping[str, Any]) -> JobRequest:
    """``metric.sweep``: one property of one image. Raises ``BadRequest``."""
    name = asked.get("property")
    if name not in cars.NAMES:
        raise BadRequest(f"There is no property {str(name)[:40]!r}.", ", ".join(cars.NAMES))
    row = _row(asked, "row")
    title = f"Sweep of {cars.title(str(name)).lower()}, image {row}"
    params = {"row": row, "property": str(name), **_weights(asked.get("model"), asked)}
    return JobRequest("metric.sweep", params, title)


def maps_job(asked: Mapping[str, Any]) -> JobRequest:
    """``metric.maps``: where every loss looks in an image. Raises ``BadRequest``."""
    row = _row(asked, "row")
    params = {"row": row, **_weights(asked.get("model"), asked, with_maps=True)}
    return JobRequest("metric.maps", params, f"Attribution, image {row}")


def pair_job(asked: Mapping[str, Any]) -> JobRequest:
    """``metric.pair``: maps of two images against each other. Raises ``BadRequest``."""
    row, other = _row(asked, "row"), _row(asked, "other")
    if row == other:
        raise BadRequest("A pair needs two different images.", "Choose another neighbour.")
    params = {"row": row, "other": other, **_loss_or_model(asked, with_maps=True)}
    return JobRequest("metric.pair", params, f"Pair of images {row} and {other}")


def model_job(asked: Mapping[str, Any]) -> JobRequest:
    """``metric.model``: a registered model's column of the heat map. Raises ``BadRequest``."""
    own = own_models.find(str(asked.get("model", "")))
    return JobRequest("metric.model", _weights(own.key, asked), f"{own.title} on the test cars")


def place_job(asked: Mapping[str, Any]) -> JobRequest:
    """``metric.place``: a registered model's embedding on a plane. Raises ``BadRequest``."""
    own, method = own_models.find(str(asked.get("model", ""))), asked.get("method")
    if method not in places.METHODS:
        raise BadRequest(f"There is no map {str(method)[:40]!r}.", f"{', '.join(places.METHODS)}.")
    params = {"method": str(method), **_weights(own.key, asked)}
    return JobRequest("metric.place", params, f"{places.METHODS[str(method)]} of {own.title}")


def values_job(asked: Mapping[str, Any]) -> JobRequest:
    """``metric.values``: NR-Prec by each value, of all losses or of a registered model.

    Raises ``BadRequest``.
    """
    params = _weights(asked.get("model"), asked)
    return JobRequest("metric.values", params, "NR-Prec by each value")


def swap_job(asked: Mapping[str, Any]) -> JobRequest:
    """``metric.swap``: one image before other backgrounds. Raises ``BadRequest``."""
    row, loss = _row(asked, "row"), asked.get("loss")
    if loss not in ROBUST:
        raise BadRequest(
            f"{str(loss)[:40]!r} was not trained on changed backgrounds.", ", ".join(ROBUST)
        )
    params = {"row": row, "loss": str(loss), **_names()}
    return JobRequest("metric.swap", params, f"Image {row} before other backgrounds")


def words_job(asked: Mapping[str, Any]) -> JobRequest:
    """``metric.words``: an embedding from prompts. Raises ``BadRequest``."""
    given = asked.get("prompts")
    if not isinstance(given, list):
        raise BadRequest("The prompts are not a list of texts.", "Give one prompt a line.")
    dims = asked.get("dimensions", words.DIMENSIONS)
    if type(dims) is not int or not 2 <= dims <= 384:
        raise BadRequest(f"{str(dims)[:40]} dimensions are not possible.", "Give 2 to 384.")
    found: list[JSON] = list(words.checked(given))
    params: dict[str, JSON] = {"prompts": found, "dimensions": dims, "seed": 0}
    return JobRequest("metric.words", {**params, **_names()}, f"A notion from {len(found)} prompts")


def own_job(asked: Mapping[str, Any]) -> JobRequest:
    """``metric.own``: embeddings of the user's. Raises ``BadRequest``."""
    distance = named(str(asked.get("distance", "euclidean")))
    params: dict[str, JSON] = {"own": str(asked.get("own", ""))[:64], "distance": distance}
    return JobRequest("metric.own", params, f"Your embeddings, {distance} distance")


def generate_job(asked: Mapping[str, Any]) -> JobRequest:
    """``metric.generate``: renders of the user's meshes. Raises ``BadRequest``."""
    varied, n, seed = asked.get("varied"), asked.get("n"), asked.get("seed", 0)
    if not isinstance(varied, list) or not varied:
        raise BadRequest("No property is to vary.", f"Choose some of {', '.join(cars.BY_NAME)}.")
    cars.chosen_knobs([str(one) for one in varied])
    if type(n) is not int or not 10 <= n <= 2_000:
        raise BadRequest(f"{str(n)[:40]} images cannot be drawn.", "Give 10 to 2000.")
    if type(seed) is not int or not 0 <= seed < 2**31:
        raise BadRequest(f"The seed {str(seed)[:40]} is no whole number from 0 on.")
    params: dict[str, JSON] = {
        "meshes": str(asked.get("meshes", ""))[:64],
        "varied": [str(one) for one in varied],
        "n": n,
        "seed": seed,
        **_loss_or_model(asked),
    }
    return JobRequest("metric.generate", params, f"{n} renders of your meshes")


MAKERS: Final[dict[str, Any]] = {
    "sweep": sweep_job,
    "maps": maps_job,
    "pair": pair_job,
    "model": model_job,
    "place": place_job,
    "values": values_job,
    "swap": swap_job,
    "words": words_job,
    "own": own_job,
    "generate": generate_job,
}


def _weights(model: object, asked: Mapping[str, Any], with_maps: bool = False) -> dict[str, JSON]:
    """What names the weights, the images and, of a model of the user's, the distance.

    Raises:
        BadRequest: there is no such model or distance; with maps also: it passes no gradients.
    """
    if model is None:
        return _names()
    own = own_models.find(str(model))
    if with_maps and own.why_no_maps:
        raise BadRequest(own.why_no_maps)
    distance = named(str(asked.get("distance", "euclidean")))
    return {**own.named(), "distance": distance, "data": data_name()}


def _loss_or_model(asked: Mapping[str, Any], with_maps: bool = False) -> dict[str, JSON]:
    """As :func:`_weights`, for what works on one model: the key ``loss`` names either kind."""
    if own_models.is_own(asked.get("loss")):
        return _weights(asked["loss"], asked, with_maps)
    return {"loss": views.checked_loss(asked.get("loss")), **_names()}


def _names() -> dict[str, JSON]:
    """What names the weights and the images a result rests on."""
    return {"weights": read_card(CARDS / "metric-cars.toml").fingerprint, "data": data_name()}


@lru_cache(maxsize=1)
def data_name() -> str:
    """Names the test table and the meshes it is drawn from."""
    told = hashlib.sha256()
    for name in ("test.parquet", "meshes.npz"):
        told.update((shipped.CARS / name).read_bytes())
    return told.hexdigest()[:16]


def _row(asked: Mapping[str, Any], name: str) -> int:
    row = asked.get(name)
    if type(row) is not int or not 0 <= row < shipped.SHOWN:
        raise BadRequest(
            f"{name}={str(row)[:40]!r} is no image.", f"Give 0 to {shipped.SHOWN - 1}."
        )
    return row
