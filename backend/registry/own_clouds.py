"""Registered classifiers of clouds of points: clouds in, probabilities out."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.clouds import check_clouds
from backend.errors import BadRequest
from backend.protocols import F32, I64
from backend.registry.answers import points_of
from backend.registry.networks import InPieces, Network
from backend.registry.outputs import Named
from backend.registry.plain import softmax
from backend.registry.spec import ModelSpec
from models.cards import ModelCard

SEED: Final = 0


class OwnPoints:
    """A registered network of clouds; it shares the choice of points over the turns of a cloud.

    Args:
        spec: its input says how many points, and whether they come as rows or as columns.
        ask: the spec's network.
    """

    def __init__(self, spec: ModelSpec, card: ModelCard, ask: Network) -> None:
        self.card, self.spec = card, spec
        self.device = ask.device
        self._ask = InPieces(ask, spec, partial(scores_in, len(spec.classes)))

    def predict(self, batch: F32) -> F32:
        """Class probabilities ``(b, k)``, rows sum to 1, for clouds ``(b, p, 3)``.

        Raises:
            BadItems: the clouds have another form.
            BadRequest: they have fewer points than the model takes, or the answer is none.
        """
        if not len(batch):
            return np.empty((0, len(self.card.classes)), np.float32)
        check_clouds(batch)
        answers = self.answers(batch)
        return answers if self.spec.output == "probabilities" else softmax(answers)

    def turned(self, clouds: F32, matrices: NDArray[np.float64]) -> F32:
        """Probabilities ``(b, m, k)`` for clouds ``(b, p, 3)``, each under rotations ``(m, 3, 3)``.

        Raises as :meth:`predict`.
        """
        across = matrices.astype(np.float32).transpose(0, 2, 1)
        found = [self.predict(np.matmul(cloud, across)) for cloud in clouds]
        shape = (len(clouds), len(across), len(self.card.classes))
        return np.reshape(found, shape).astype(np.float32)

    def answers(self, clouds: F32) -> F32:
        """What the network itself says ``(b, k)``: logits or probabilities."""
        kept = clouds[:, chosen(clouds.shape[1], points_of(self.spec.input))]
        return self._ask(kept.transpose(0, 2, 1) if self.spec.input[1] == 3 else kept)


def chosen(held: int, wanted: int) -> I64:
    """Places ``(wanted,)`` of the points that a network gets of ``held``: drawn with seed 0, so
    that they are the same ones however the cloud is turned.

    Raises:
        BadRequest: there are too few.
    """
    if held < wanted:
        raise BadRequest(
            f"The model takes {wanted} points, and these clouds have {held}.",
            "Sample more points of them, or register a model that takes fewer.",
        )
    drawn = np.random.default_rng(SEED).permutation(held)[:wanted]
    return np.sort(drawn).astype(np.int64)


def scores_in(classes: int, named: Named, count: int) -> F32:
    """The rows of scores ``(count, k)`` in an answer: called logits, or the first of that form.

    Args:
        classes: k; 0 where it is not known yet.

    Raises:
        BadRequest: there is none.
    """
    tables = {
        name: array.reshape(len(array), -1)
        for name, array in named.items()
        if array.ndim >= 2 and 0 < array.size == array.shape[0] * array.shape[1]
    }
    fits = {
        name: table
        for name, table in tables.items()
        if len(table) == count and (table.shape[1] == classes if classes else table.shape[1] > 1)
    }
    if not fits:
        shapes = ", ".join(str(array.shape) for array in list(named.values())[:4])
        wanted = f"({count}, {classes or 'classes'})"
        raise BadRequest(
            f"The model answers {count} clouds with {shapes}.",
            f"It must be {wanted}: one row of class scores for each. Check --classes.",
        )
    return fits.get("logits", next(iter(fits.values())))
