"""Annotators simulated from masks. Their answers always carry the source ``simulated``."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.crayon.answers import SIMULATED, UNDONE, Answer, AnswerStore, Scope
from backend.errors import BadRequest
from backend.protocols import F32, I64

STRONG: Final = 0.5  # cells of at least this value are the strong highlight
MAINLY: Final = 0.5  # share of the strong highlight's energy on the object for a yes


def says_yes(maps: F32, masks: F32) -> NDArray[np.bool_]:
    """Whether the strong highlight is mainly on the object: the question of the study.

    Args:
        maps: ``(n, h, w)`` in [0, 1]; masks: ``(n, h, w)`` covered share of each cell.

    Returns:
        ``(n,)``; False for a map that is zero everywhere.
    """
    strong = np.where(maps >= STRONG, maps, 0.0)
    energy = strong.sum(axis=(1, 2))
    inside = (strong * masks).sum(axis=(1, 2))
    return np.asarray(inside > MAINLY * np.maximum(energy, 1e-12))


def patch_says_yes(patches: I64, masks: F32, share: float = MAINLY) -> NDArray[np.bool_]:
    """Whether each patch ``(p, 3)`` row, y, x lies on the object by ``share`` or more; ``(p,)``."""
    row, y, x = patches.T
    return np.asarray(masks[row, y, x] >= share)


def answers(
    truth: NDArray[np.bool_],
    ids: I64,
    scope: Scope,
    *,
    noise: float = 0.05,
    annotators: int = 2,
    seed: int = 0,
    item_hashes: tuple[str, ...] = (),
    map_hashes: tuple[str, ...] = (),
) -> list[Answer]:
    """Answers of simulated annotators, each of whom errs on ``noise`` of the items on their own.

    The same settings give the same answers under the same numbers, so storing them twice adds
    nothing.

    Raises:
        BadRequest: ``noise`` is not in [0, 0.5], or ``annotators`` not in 1 ... 9.
    """
    if not 0 <= noise <= 0.5:
        raise BadRequest(f"A noise rate of {noise} is not usable.", "Allowed are 0 to 0.5.")
    if not 1 <= annotators <= 9:
        raise BadRequest(f"{annotators} annotators cannot be simulated.", "Allowed are 1 to 9.")
    told = f"{scope}{noise}{annotators}{seed}{truth.tobytes().hex()}{ids.tolist()}"
    tag = hashlib.sha256(told.encode()).hexdigest()[:12]
    rng = np.random.default_rng(seed)
    made: list[Answer] = []
    for who in range(annotators):
        says = truth ^ (rng.random(len(truth)) < noise)
        for number, (item, yes) in enumerate(zip(ids.tolist(), says.tolist(), strict=True)):
            made.append(
                Answer(
                    **_common(scope, f"simulated {who + 1}"),
                    client=f"simulated-{tag}-{who + 1}",
                    sequence=number,
                    item_id=item,
                    answer="yes" if yes else "no",
                    item_hash=item_hashes[number] if item_hashes else "",
                    map_hash=map_hashes[number] if map_hashes else "",
                )
            )
    return made


def replaced(store: AnswerStore, made: Sequence[Answer], scope: Scope) -> int:
    """Makes simulated answers the ones that stand in a scope; returns how many rows were new.

    Older simulated answers are superseded and those that would still stand are taken back, so that
    two simulations never mix. Nothing is added where the same ones stand already. Human answers
    stay as they are.

    Raises:
        BadRequest, StorageFull: as :meth:`AnswerStore.add`.
    """
    wanted = {_voice(a): a for a in made}
    number, client = 0, f"simulated-{uuid.uuid4().hex}"
    while True:  # what is taken back may uncover an older one
        held = [a for a in store.current(scope) if a.source == SIMULATED]
        gone = [a for a in held if _voice(a) not in wanted]
        undoing = [
            replace(a, answer=UNDONE, client=client, sequence=number + i, undoes=a.id, id=0)
            for i, a in enumerate(gone)
        ]
        number += len(undoing)
        store.add(undoing)
        if not gone:
            break
    standing = {_voice(a): _said(a) for a in held}
    changed = [a for voice, a in wanted.items() if standing.get(voice) != _said(a)]
    rows = [replace(a, client=client, sequence=number + i) for i, a in enumerate(changed)]
    store.add(rows)
    return len(rows)


def _voice(answer: Answer) -> tuple[str, int]:
    return answer.annotator, answer.item_id


def _said(answer: Answer) -> tuple[str, str, str]:
    return answer.answer, answer.item_hash, answer.map_hash


def _common(scope: Scope, annotator: str) -> dict[str, Any]:
    return {
        "item_set": scope.item_set,
        "model": scope.model,
        "kind": scope.kind,
        "annotator": annotator,
        "source": "simulated",
    }
