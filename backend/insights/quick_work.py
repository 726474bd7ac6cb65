"""Works that answer at once about one content: its interactions, and trials of phrases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from backend.errors import BadRequest
from backend.insights import attributions, interactions, patches, phrases, trials, whatif, work
from backend.protocols import I64, JSON, Arrays
from models.insights_cells import CELL_PX, IMAGE_PX

MOST_CANDIDATES: Final = 200


def interactions_of(params: Mapping[str, JSON], ticket: work.Ticket) -> Arrays:
    """``insights.interactions``: phrases and patches of one content or draft, and their table.

    Returns:
        texts (t,) of the phrases, boxes (i, 4) of the patches in shares of the sides; own_text
        (t + 1,), own_image (i + 1,), pair (t + 1, i + 1), the last of each for the rest; numbers
        (3,): baseline, base and prediction. base, which has domain and features but neither text
        nor picture, + own_text + own_image + pair add up to the prediction.
    """
    held, model = work.asked(params)
    row, players = work.row_of(params, held), params.get("players", 4)
    if type(players) is not int or not 2 <= players <= interactions.MOST:
        raise BadRequest(f"players={str(players)[:40]!r} is not usable.", "2 to 6.")
    draft = work.draft_of(params, held)
    opened = whatif.opened_draft(model, held, row, draft)
    (one,) = attributions.attribute(model, opened, "grad-cam")
    parts = draft.parts(held, row)
    text = "\n".join(part for part in parts if part)
    values = np.asarray(one.values.get("text", np.zeros(0)), np.float64)
    chosen = strongest_phrases(text, one.spans, values, players - 1)
    places: list[tuple[int, int]] = []
    if "image" in one.values:
        places = [(r, c) for r, c, _ in patches.strongest(one.values["image"], players - 1)]
    made = interactions.table(model, opened, [words for _, words in chosen], places)
    side = patches.SIDE * CELL_PX / IMAGE_PX
    boxes = [(c * CELL_PX / IMAGE_PX, r * CELL_PX / IMAGE_PX, side, side) for r, c in places]
    return {
        "texts": np.array([name for name, _ in chosen], dtype=np.str_).reshape(-1),
        "boxes": np.array(boxes, np.float64).reshape(-1, 4),
        "own_text": made.main_text, "own_image": made.main_image, "pair": made.pair,
        "numbers": np.array([one.baseline, made.base, made.prediction]),
    }  # fmt: skip


def strongest_phrases(
    text: str, spans: tuple[tuple[int, int], ...], values: Any, count: int
) -> list[tuple[str, I64]]:
    """The phrases, or words where no phrase covers them, whose attributions are largest; disjoint.

    Returns:
        Text and numbers of the words of each, in the order of the text.
    """
    (found,) = phrases.extract([text])
    starts = np.array([a for a, _ in spans] or [0])
    units: list[tuple[str, I64]] = [
        (text[a:b], np.array([k])) for k, (a, b) in enumerate(spans[: len(values)])
    ]
    for one in found:
        first = max(0, int(np.searchsorted(starts, one.start, "right")) - 1)
        last = int(np.searchsorted(starts, one.end - 1, "right"))
        units.append((text[one.start : one.end], np.arange(first, min(last, len(values)))))
    units.sort(key=lambda unit: -abs(float(values[unit[1]].sum())))
    taken: set[int] = set()
    chosen: list[tuple[str, I64]] = []
    for name, words in units:
        if len(chosen) < count and len(words) and not taken & set(words.tolist()):
            chosen.append((name, words))
            taken |= set(words.tolist())
    return sorted(chosen, key=lambda unit: int(unit[1][0]))


def trial(params: Mapping[str, JSON], ticket: work.Ticket) -> Arrays:
    """``insights.trial``: phrases tried on contents as lines of their own.

    Returns:
        before (m,), after (m, c) success rates; n_encoded (1,) encoder passes, m + c.
    """
    held, model = work.asked(params)
    rows, candidates = params.get("rows"), params.get("phrases")
    if not isinstance(rows, list) or not all(type(row) is int for row in rows):
        raise BadRequest("rows is a list of whole numbers.")
    if not isinstance(candidates, list) or not all(isinstance(one, str) for one in candidates):
        raise BadRequest("phrases is a list of texts.")
    if len(candidates) > MOST_CANDIDATES:
        raise BadRequest(f"{len(candidates)} phrases are too many.", f"At most {MOST_CANDIDATES}.")
    chosen = [held.checked_row(int(str(row))) for row in rows]
    made = trials.phrases(model, held, chosen, [str(one) for one in candidates])
    return {
        "before": made.before, "after": made.after, "n_encoded": np.array([made.n_encoded]),
    }  # fmt: skip
