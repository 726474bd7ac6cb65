"""The works of this package, run by the worker processes: parameters in, named arrays out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, Protocol, cast

import numpy as np

from backend.cache import ArrayStore
from backend.errors import BadRequest, NotFound
from backend.insights import attributions, changes, contents, fitting, models, parts, whatif
from backend.insights.attributions import Attribution, Method
from backend.insights.changes import Changes
from backend.insights.contents import Contents
from backend.insights.models import InsightModel
from backend.insights.parts import Which
from backend.protocols import I64, JSON, Arrays, Progress
from models.insights import Modality
from models.insights_cells import CELLS
from models.insights_parts import Encoder
from models.insights_training import Loss

BATCH: Final = 16
MOST_SLOW: Final = 1200  # contents that are explained where an encoder or a method is slow
HELD_OUT: Final = ("test", "out-of-domain")
HISTORY_STEPS: Final = (16, 32, 64)
SLOW: Final = ("kernel-shap", "feature-ablation", "pca")


class Ticket(Protocol):
    """What a work function is handed: progress with cancel, and earlier results."""

    @property
    def store(self) -> ArrayStore: ...

    def __call__(self, done: int, total: int) -> None: ...

    def log(self, text: str) -> None: ...


def asked(params: Mapping[str, JSON]) -> tuple[Contents, InsightModel]:
    """The set and the model of a job.

    Raises:
        NotFound: one of them is gone.
    """
    item_set = str(params["set"])
    return contents.load(item_set), models.load(item_set, str(params.get("model", "")))


def fit(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``insights.fit``: one model, kept under its name.

    Returns:
        metrics (k,) and their names (k,); fingerprint (1,).

    Raises:
        BadRequest: a setting is not usable, or there is too little to learn from.
    """
    held = contents.load(str(params["set"]))
    loss = str(params.get("loss") or fitting.default_loss(held))
    options = fitting.Options(
        cast(Encoder, params.get("encoder") or "words"),
        cast(Loss, loss),
        int(str(params.get("seed", 0))),
        int(str(params.get("epochs", 0))),
    ).checked()
    stages = 5

    def report(stage: str, done: int, total: int, value: float) -> None:
        place = ("image", "text", "domain", "features", "joint").index(stage)
        ticket(round(1000 * (place + done / total)), 1000 * stages)
        number = None if math.isnan(value) else round(value, 5)
        ticket.log(json.dumps({"stage": stage, "epoch": done, "of": total, "loss": number}))

    made = fitting.fit(held, options, report)
    info = models.store(str(params["name"]), made.to_bytes())
    return {
        "names": np.array(list(info.metrics)),
        "metrics": np.array(list(info.metrics.values()), np.float64),
        "fingerprint": np.array([info.fingerprint]),
    }


def predict(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``insights.predict``: rate, low, high (n,) of every content, 90 % interval; text, image (n,)
    what one modality alone says.
    """
    held, model = asked(params)
    found: dict[str, list[Any]] = {"rate": [], "text": [], "image": []}
    alone: tuple[Modality, ...] = ("text", "image")
    for start in range(0, len(held), models.BATCH):
        rows = np.arange(start, min(len(held), start + models.BATCH))
        inputs = model.inputs(held, rows)
        for name, rates in model.predict_all(inputs, alone).items():
            found[name].append(rates)
        ticket(int(rows[-1]) + 1, len(held))
    whole = {name: np.concatenate(values) for name, values in found.items()}
    low, high = model.interval(whole["rate"])
    return whole | {"low": low, "high": high}


def explained_rows(held: Contents, is_slow: bool) -> I64:
    """The contents that a history explains: all, or where that takes too long those of the pairs of
    held-out experiments first and then others at random.
    """
    if not is_slow or len(held) <= MOST_SLOW:
        return np.arange(len(held))
    pairs = np.concatenate([held.pairs(split).ravel() for split in HELD_OUT])
    order = np.concatenate([pairs, np.random.default_rng(0).permutation(len(held))])
    _, first = np.unique(order, return_index=True)
    chosen: I64 = np.sort(order[np.sort(first)][:MOST_SLOW])
    return chosen


def attribute(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``insights.attributions``: single-modality attributions of the history (section 3.4.3).

    Returns:
        rows (r,); word_offsets (r + 1,) and word_values of each row's words, by the text model;
        image_rows (p,) and maps (p, 16, 16) float16 by the picture model; text_error (r,) and
        image_error (p,) completeness errors.
    """
    held, model = asked(params)
    return attributed(held, model, str(params["method"]), ticket)


def attributed(held: Contents, model: InsightModel, name: str, ticket: Progress) -> Arrays:
    """What :func:`attribute` returns, of contents that need not be stored."""
    method = attributions.checked_method(name)
    rows = explained_rows(held, model.net.shape.encoder != "words" or method in SLOW)
    shown = np.zeros(0, np.int64)
    if held.pictures is not None:
        shown = explained_rows(held, True)
        shown = shown[held.pictures.has_image[shown]]
    total = len(rows) + len(shown)
    words: list[Any] = [np.zeros(0, np.float32)]
    errors: dict[str, list[float]] = {"text": [], "image": []}
    for start in range(0, len(rows), BATCH):
        for one in _explained(held, model, rows[start : start + BATCH], "text", method):
            words.append(one.values.get("text", np.zeros(len(one.words), np.float32)))
            errors["text"].append(one.completeness_error)
        ticket(min(start + BATCH, len(rows)), total)
    maps = np.zeros((len(shown), CELLS, CELLS), np.float16)
    for start in range(0, len(shown), BATCH):
        part = shown[start : start + BATCH]
        for k, one in enumerate(_explained(held, model, part, "image", method), start):
            maps[k] = one.values["image"]
            errors["image"].append(one.completeness_error)
        ticket(len(rows) + start + len(part), total)
    return {
        "rows": rows, "word_offsets": np.cumsum([len(values) for values in words]),
        "word_values": np.concatenate(words), "image_rows": shown, "maps": maps,
        "text_error": np.array(errors["text"]), "image_error": np.array(errors["image"]),
    }  # fmt: skip


def _explained(
    held: Contents, model: InsightModel, rows: I64, which: Which, method: Method
) -> list[Attribution]:
    opened = parts.open_rows(model, held, rows, which)
    return attributions.attribute(model, opened, method, steps=HISTORY_STEPS)


def draft_of(params: Mapping[str, JSON], held: Contents) -> Changes:
    """The draft of a quick request.

    Raises:
        BadRequest: it cannot be made of a content of this set.
    """
    return changes.checked(held, params.get("draft"))


def row_of(params: Mapping[str, JSON], held: Contents) -> int:
    """The content of a quick request.

    Raises:
        NotFound, BadRequest: there is none, or it is no number.
    """
    row = params.get("row")
    if type(row) is not int:
        raise BadRequest(f"row={str(row)[:40]!r} is not a whole number.")
    return held.checked_row(row)


def content(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``insights.content``: the attributions of one content or draft by the whole model.

    Returns:
        words (w,), spans (w, 2), word_values (w,); map (16, 16) where there is a picture; domain
        (1,); features (f,) and feature_names (f,); numbers (6,): prediction, low, high, baseline,
        completeness error, steps; flagged (1,).
    """
    held, model = asked(params)
    method = attributions.checked_method(str(params.get("method", attributions.METHODS[0])))
    opened = whatif.opened_draft(model, held, row_of(params, held), draft_of(params, held))
    (one,) = attributions.attribute(model, opened, method)
    return told(one, model)


def told(one: Attribution, model: InsightModel) -> dict[str, Any]:
    """One attribution as arrays."""
    low, high = model.interval(np.array([one.prediction]))
    numbers = (one.prediction, low[0], high[0], one.baseline, one.completeness_error, one.steps)
    found: dict[str, Any] = {
        "words": np.array(one.words, dtype=np.str_),
        "spans": np.array(one.spans, np.int64).reshape(-1, 2),
        "word_values": one.values.get("text", np.zeros(len(one.words), np.float32)),
        "domain": np.ravel(one.values.get("domain", np.zeros(1, np.float32))),
        "features": one.values.get("features", np.zeros(0, np.float32)),
        "feature_names": np.array(model.design.names, dtype=np.str_),
        "numbers": np.array(numbers, np.float64),
        "flagged": np.array([one.is_flagged]),
    }
    if "image" in one.values:
        found["map"] = one.values["image"]
    return found


def change(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``insights.whatif``: numbers (8,), the fields of ``whatif.Prediction`` in their order."""
    held, model = asked(params)
    found = whatif.predict(model, held, row_of(params, held), draft_of(params, held))
    return {
        "numbers": np.array(
            [found.rate, found.low, found.high, found.before, found.difference,
             found.difference_low, found.difference_high, found.took_ms]
        )
    }  # fmt: skip


def stored(params: Mapping[str, JSON], name: str, ticket: Ticket) -> Arrays | None:
    """An earlier result that a job builds on; ``None`` where it made room for others.

    Raises:
        NotFound: the job does not name it.
    """
    if name not in params:
        raise NotFound(f"The job names no {name}.", "Start it from the page again.")
    return ticket.store.get(str(params[name]))
