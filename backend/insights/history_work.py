"""``insights.history``: words, phrases, patches and pairs of a set, from its attributions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch

from backend.insights import encoding, evaluate, patches, phrases, work
from backend.insights.contents import Contents
from backend.insights.models import InsightModel
from backend.insights.recommend import FEWEST
from backend.protocols import I64, JSON, Arrays, Progress
from models.insights_cells import CELLS
from models.insights_parts import CELL_WIDTH

BATCH: Final = 64
EDGE: Final = "\"'“”‘’.,;:!?()[]…*–—-"


def history(params: Mapping[str, JSON], ticket: work.Ticket) -> Arrays:
    """``insights.history``: see ``backend.insights.history.History`` for the arrays."""
    held, model = work.asked(params)
    found = work.stored(params, "attributions", ticket) or work.attribute(params, ticket)
    return made(held, model, found, ticket)


def made(held: Contents, model: InsightModel, found: Arrays, ticket: Progress) -> Arrays:
    """What :func:`history` returns, from attributions of contents that need not be stored."""
    rows = np.asarray(found["rows"], np.int64)
    offsets, values = np.asarray(found["word_offsets"]), np.asarray(found["word_values"])
    by_row = {int(row): values[offsets[k] : offsets[k + 1]] for k, row in enumerate(rows)}
    shown, maps = np.asarray(found["image_rows"], np.int64), np.asarray(found["maps"], np.float32)
    told: dict[str, Any] = {"rows": rows, "image_rows": shown}
    told |= occurrences(held, by_row, ticket)
    told |= patches_of(held, model, shown, maps, ticket)
    told |= pairs_of(held, model, by_row, dict(zip(shown.tolist(), maps, strict=True)))
    return told


def normal(word: str) -> str:
    """A word as it is counted: in small letters, without punctuation around it."""
    return word.lower().strip(EDGE)


def occurrences(held: Contents, by_row: Mapping[int, Any], ticket: Progress) -> dict[str, Any]:
    """Where each word and phrase of three contents or more stands, and the mean attribution of its
    words there.
    """
    seen: dict[str, dict[str, list[tuple[int, float]]]] = {
        "words": defaultdict(list), "phrases": defaultdict(list),
    }  # fmt: skip
    texts = [held.text(row) for row in by_row]
    for k, (row, found) in enumerate(zip(by_row, phrases.extract(texts), strict=True)):
        cut, values = encoding.cut(texts[k]), np.asarray(by_row[row], np.float64)
        for word, value in zip(cut.words, values, strict=True):
            if normal(word):
                seen["words"][normal(word)].append((row, float(value)))
        starts = np.array([a for a, _ in cut.spans] or [0])
        for one in found:
            first = int(np.searchsorted(starts, one.start, "right")) - 1
            last = int(np.searchsorted(starts, one.end - 1, "right"))
            mean = float(values[max(0, first) : last].mean())
            seen["phrases"][one.phrase].append((row, mean))
        if k % BATCH == 0:
            ticket(k, len(texts))
    told: dict[str, Any] = {}
    for name, places in seen.items():
        names = sorted(one for one, at in places.items() if len({r for r, _ in at}) >= FEWEST)
        told[f"{name}.names"] = np.array(names, dtype=np.str_) if names else np.zeros(0, "<U1")
        flat = [(k, row, value) for k, one in enumerate(names) for row, value in places[one]]
        told[f"{name}.of"] = np.array([one[0] for one in flat], np.int32)
        told[f"{name}.row"] = np.array([one[1] for one in flat], np.int32)
        told[f"{name}.value"] = np.array([one[2] for one in flat], np.float32)
    return told


def features_of(held: Contents, model: InsightModel, rows: I64) -> torch.Tensor:
    """The picture encoder's features (b, width, 16, 16) of contents with pictures."""
    assert held.pictures is not None
    pixels = encoding.pixels_tensor(held.pictures.images(rows))
    with torch.inference_mode():
        return model.net.image.features(model.net.image.centred(pixels))


def places_of(held: Contents, model: InsightModel, rows: I64) -> torch.Tensor:
    """What the picture encoder's layers tell of places (b, 40, 16, 16)."""
    assert held.pictures is not None
    pixels = encoding.pixels_tensor(held.pictures.images(rows))
    with torch.inference_mode():
        return model.net.image.places(model.net.image.centred(pixels))


def patches_of(
    held: Contents, model: InsightModel, rows: I64, maps: Any, ticket: Progress
) -> dict[str, Any]:
    """The strongest patches of every picture, their embeddings and clusters."""
    row_of: list[int] = []
    places: list[tuple[int, int]] = []
    values: list[float] = []
    embeddings: list[Any] = [np.zeros((0, CELL_WIDTH), np.float32)]
    for start in range(0, len(rows), BATCH):
        features = places_of(held, model, rows[start : start + BATCH])
        for k, own in enumerate(features, start):
            for row, column, value in patches.strongest(maps[k]):
                row_of.append(int(rows[k]))
                places.append((row, column))
                values.append(value)
                square = own[:, row : row + patches.SIDE, column : column + patches.SIDE]
                embeddings.append(square.mean((1, 2)).numpy()[None])
        ticket(start + len(features), len(rows))
    whole = np.concatenate(embeddings)
    scale = whole.std(0) + 1e-6 if len(whole) else np.ones(whole.shape[1])
    found = patches.clustered(np.asarray(whole / scale, np.float32))
    return {
        "patches.row": np.array(row_of, np.int64),
        "patches.place": np.array(places, np.int64).reshape(-1, 2),
        "patches.value": np.array(values, np.float64),
        "patches.cluster": found.owner,
        "patches.distance": found.distance,
        "patches.embedding": whole.astype(np.float16),
        "patches.tried": found.tried,
        "patches.inertia": found.inertia,
        "patches.chosen": np.array([found.chosen]),
    }


def pairs_of(
    held: Contents, model: InsightModel, by_row: Mapping[int, Any], maps: Mapping[int, Any]
) -> dict[str, Any]:
    """Algorithms 2 and 3 on control and best treatment of experiments the model has not seen."""
    whole = np.concatenate([held.pairs(split) for split in work.HELD_OUT])

    def kept(rows: Mapping[int, Any]) -> I64:
        both = [pair for pair in whole.tolist() if all(row in rows for row in pair)]
        return np.array(both, np.int64).reshape(-1, 2)

    told: dict[str, Any] = {}
    if any(any(one) for one in held.parts):
        told["text_pairs.rows"] = pairs = kept(by_row)
        gained = [text_gained(held, by_row, pair) for pair in pairs.tolist()]
        told["text_pairs.gained"] = np.array(gained, np.float64)
    if held.pictures is not None:
        pairs = kept(maps)
        small = (held.pictures.source_pixels[pairs] <= evaluate.MOST_PIXELS).all(1)
        told["image_pairs.rows"] = pairs[small]
        told["image_pairs.left_out"] = np.array([int((~small).sum())])
        found = [image_gained(held, model, maps, pair) for pair in pairs[small].tolist()]
        told["image_pairs.gained"] = np.array(found, np.float64)
    return told


def text_gained(held: Contents, by_row: Mapping[int, Any], pair: list[int]) -> float:
    """Attribution that the second arm's own words gain over the first arm's own."""
    arms = []
    for row in pair:
        words = [normal(word) for word in encoding.cut(held.text(row)).words]
        arms.append((words, by_row[row], float(held.success[row])))
    return evaluate.text_change(arms[0], arms[1])[0]


def image_gained(
    held: Contents, model: InsightModel, maps: Mapping[int, Any], pair: list[int]
) -> float:
    """The same for places of pictures that have no match in the other arm's."""
    features = features_of(held, model, np.array(pair)).permute(0, 2, 3, 1).numpy()
    arms = [
        (features[k], maps[row].reshape(CELLS, CELLS), float(held.success[row]))
        for k, row in enumerate(pair)
    ]
    return evaluate.image_change(arms[0], arms[1])[0]
