"""One look at every needle image that the list shows, as one job."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backend.protocols import JSON, Arrays, Progress
from backend.zoom.library import library
from backend.zoom.maps import SHOWN, AnswersRequest


def work(params: Mapping[str, JSON], ticket: Progress) -> Arrays:
    """``zoom.answers``: ``answers (i, k)``, probabilities, and ``distinct (i,)``, tiles looked
    into, of the first needle images in their order.

    Raises:
        Cancelled: after Cancel. NotFound, BadRequest, WeightsRefused: as ``infer`` does.
    """
    from backend.zoom.inference import infer

    request = AnswersRequest.from_params(params)
    answers, distinct = [], []
    for row in range(SHOWN):
        ticket(row, SHOWN)
        done = infer(
            request.model,
            library().open(f"needle:{row}"),
            request.n_tiles,
            request.seed,
            policy=request.policy,
            s1=request.s1 or None,
            s2=request.s2 or None,
        )
        answers.append(done.answer)
        distinct.append(done.distinct)
    return {"answers": np.stack(answers), "distinct": np.array(distinct, np.int64)}
