"""The works of this package, run by the worker processes: parameters in, named arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast

import numpy as np

from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.protocols import JSON, Arrays
from backend.zoom import images, needles, own
from backend.zoom.library import library
from backend.zoom.making import make_large, make_pyramid
from backend.zoom.requests import LookRequest, check_current


class Ticket(Protocol):
    """What a work function is handed: progress with cancel, and earlier results."""

    @property
    def store(self) -> ArrayStore: ...

    def __call__(self, done: int, total: int) -> None: ...


def infer(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``zoom.infer``: see :meth:`ZoomResult.arrays`.

    Raises:
        Cancelled: after Cancel. BackendError: as :func:`backend.zoom.infer` does.
    """
    from backend.zoom.inference import infer as look

    request = LookRequest.from_params(params)
    done = look(
        request.model,
        library().open(request.image),
        request.n_tiles,
        request.seed,
        policy=request.policy,
        s1=request.s1 or None,
        s2=request.s2 or None,
        region=request.region,
        progress=ticket,
    )
    return done.arrays()


def draws(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``zoom.draws``: the first look as ``zoom.infer`` gives it, and ``draw_answers (d, k)``,
    ``draw_distinct (d,)``, ``draw_seeds (d,)`` of all of them.
    """
    from backend.zoom.inference import draws as looks

    request = LookRequest.from_params(params)
    done = looks(
        request.model,
        library().open(request.image),
        request.n_tiles,
        request.draws,
        request.seed,
        policy=request.policy,
        s1=request.s1 or None,
        s2=request.s2 or None,
        region=request.region,
        progress=ticket,
    )
    return {
        **done.first.arrays(),
        "draw_answers": done.answers,
        "draw_distinct": done.distinct,
        "draw_seeds": done.seeds,
    }


def compare(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``zoom.compare``: every model for needles, in the order of their keys.

    Returns:
        answers (m, k), NaN beyond a model's own classes; cost (m, 4): peak bytes, multiply-adds,
        seconds, pixels read. All NaN for a model whose view of this image does not fit into
        memory. ``keys`` as UTF-8 bytes, one line each.
    """
    from backend.zoom.compare import look

    cards = own.models()
    key, keys = str(params.get("image")), list(cards)
    held = {name: card.fingerprint for name, card in cards.items()}
    if params.get("models") != held:
        raise BadRequest("The weights changed since this was asked.", "Ask anew.")
    check_current(params, {"image_fingerprint": library().info(key).fingerprint})
    source = library().open(key)
    answers, costs = [], []
    most = max(len(card.classes) for card in cards.values())
    for i, name in enumerate(keys):
        ticket(i, len(keys))
        try:
            done = look(name, source, cast(int, params["n_tiles"]), cast(int, params["seed"]))
        except BadRequest:
            answers.append(np.full(most, np.nan, np.float32))
            costs.append([np.nan] * 4)
        else:
            missing = np.full(most - len(done.answer), np.nan, np.float32)
            answers.append(np.concatenate([done.answer, missing]))
            costs.append([done.peak_bytes, done.flops, done.seconds, done.pixels_read])
    text = "\n".join(keys).encode()
    return {
        "answers": np.stack(answers),
        "cost": np.array(costs, np.float64),
        "keys": np.frombuffer(text, np.uint8),
    }


def build_pyramid(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``zoom.pyramid``: low resolution first, then the pyramid; both are kept as files.

    Returns:
        size (2,), width and height.

    Raises:
        Cancelled, NotFound, StorageFull; BadRequest: the file cannot be used, or changed.
    """
    held = library()
    path = held.path(str(params.get("image")))
    file, header, mark = images.open_file(path, held.settings.image_bytes)
    check_current(params, {"image_fingerprint": mark})
    make_pyramid(held, (file, header, mark), ticket)
    return {"size": np.array([header.width, header.height])}


def build_large(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``zoom.build``: a large needle image, made block row by block row.

    Returns:
        boxes (n, 4) int64, where the digits are: x, y, width, height.

    Raises:
        Cancelled, NotFound, StorageFull, BadRequest: the set is not the one asked for.
    """
    side = params.get("side_px")
    scene = needles.large_scene(side if isinstance(side, int) else 0)
    mark = needles.large_fingerprint(scene.side_px)
    check_current(params, {"image_fingerprint": mark})
    make_large(library(), scene.side_px, ticket)
    return {"boxes": np.array(scene.boxes(), np.int64).reshape(-1, 4)}


def train(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``zoom.train``: a model of the user's; see :func:`backend.zoom.training.train`."""
    from backend.zoom import training

    base = str(params.get("base"))
    check_current(params, {"model_fingerprint": own.card(base).fingerprint})
    _, arrays = training.train(library(), params, ticket)
    return arrays
