"""From single answers to verdicts: which maps steer the training, which neurons stay.

An answer is a row ``{"item_id", "annotator", "answer"}`` with the answer ``yes``, ``no``, ``maybe``
or ``skip``; later rows of the same annotator about the same item replace earlier ones. A row may
carry ``source`` (human, simulated, published or adjudicated).

An adjudication decides alone, whatever the others said: yes and no as a verdict, maybe and skip
that the item is not used; of several about one item the last row. It is no blind answer, so
agreement leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest

ANSWERS: Final = ("yes", "no", "maybe", "skip")
VALUE: Final = {"yes": 1.0, "no": 0.0, "maybe": 0.5}
YES_ABOVE: Final = 0.7
NO_BELOW: Final = 0.5
ANNOTATORS: Final = 2  # as in the study: each map went to two people
PUBLISHED, ADJUDICATED = "published", "adjudicated"

Row = Mapping[str, Any]
Voice = tuple[str, bool]  # name, and whether as adjudicator


def maps(
    answers: Iterable[Row], minimum: int = ANNOTATORS, *, pool: bool = False
) -> dict[str, list[Any]]:
    """Verdicts on maps, by the rule of the study: the mean answer (yes 1, maybe 1/2, no 0) above
    0.7 is relevant, below 0.5 irrelevant, else the item is not used.

    Two equal answers therefore decide, two different ones do not, and neither does a single one.

    Args:
        minimum: annotators an item needs; 1 lets a single one decide. An answer with the source
            ``published`` is a verdict of several people already and decides alone.
        pool: let human and simulated answers decide together.

    Returns:
        ``relevant``, ``irrelevant`` and ``unused``: item ids in the order in which they first
        occur; each item with an answer is in one of them.

    Raises:
        BadRequest: a row lacks a field or has an unknown answer; or human and simulated answers
            are mixed and ``pool`` is False.
    """
    held = _latest(answers, pool)
    found: dict[str, list[Any]] = {"relevant": [], "irrelevant": [], "unused": []}
    for item, by in held.items():
        decided = _adjudicated(by)
        voices = [decided] if decided else list(by.values())
        values = [VALUE[answer] for answer, _ in voices if answer in VALUE]
        is_settled = any(source in (PUBLISHED, ADJUDICATED) for _, source in voices)
        mean = sum(values) / len(values) if values else 0.5
        if len(values) < minimum and not (is_settled and values):
            found["unused"].append(item)
        elif mean > YES_ABOVE:
            found["relevant"].append(item)
        elif mean < NO_BELOW:
            found["irrelevant"].append(item)
        else:
            found["unused"].append(item)
    return found


def verdicts(
    answers: Iterable[Row], ids: Sequence[Any] | NDArray[Any], minimum: int = ANNOTATORS
) -> NDArray[np.int64]:
    """Verdicts in the order of ``ids``: ``(n,)`` int64, 1 relevant, -1 irrelevant, 0 unused.

    Raises:
        BadRequest: as :func:`maps`; or an answer is about an item that is not in ``ids``.
    """
    where = {int(item): row for row, item in enumerate(np.asarray(ids).tolist())}
    found = maps(answers, minimum)
    out = np.zeros(len(where), np.int64)
    for name, value in (("relevant", 1), ("irrelevant", -1), ("unused", 0)):
        for item in found[name]:
            if item not in where:
                raise BadRequest(
                    f"There is an answer about item {item!r}, which is not in this set.",
                    "Import answers of this set, or open the set they are about.",
                )
            out[where[item]] = value
    return out


def budget(verdict: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """``count`` of the verdicts drawn at random, the other items unused; smaller draws of a seed
    are parts of larger ones. 0 gives the training without answers, the number of verdicts the
    whole. Only items with a verdict are drawn, so ``count`` is the number that is used.
    """
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(verdict))[:count]
    out = np.zeros_like(verdict)
    out[chosen] = verdict[chosen]
    return out


def neurons(answers: Iterable[Row], owners: NDArray[Any], *, pool: bool = False) -> NDArray[Any]:
    """The mask of the neurons that stay, by the majority of their patches (section III-C).

    A patch counts +1 for yes and -1 for no (several annotators: the sign of their sum); a neuron
    stays if the sum over its patches is >= 0, so a tie or a neuron nobody was asked about stays.

    Args:
        answers: rows whose ``item_id`` is a patch number.
        owners: ``(k, p)`` patch numbers of each neuron, the same one several times after
            de-duplication; -1 for none.

    Returns:
        ``(k,)`` bool, True for neurons that stay.

    Raises:
        BadRequest: as :func:`maps`; or an answer is about a patch that no neuron owns.
    """
    vote = patches(answers, pool=pool)
    known = set(np.unique(owners).tolist())
    for patch in vote:
        if patch not in known:
            raise BadRequest(
                f"There is an answer about patch {patch}, which belongs to no neuron.",
                "Patch answers hold for the model they were given for only.",
            )
    score = np.array([[vote.get(int(patch), 0) for patch in row] for row in owners])
    keep: NDArray[Any] = score.reshape(len(owners), -1).sum(axis=1) >= 0
    return keep


def patches(answers: Iterable[Row], *, pool: bool = False) -> dict[int, int]:
    """The vote on each answered patch: 1 yes, -1 no, 0 undecided. Raises as :func:`maps`."""
    votes = {}
    for patch, by in _latest(answers, pool).items():
        decided = _adjudicated(by)
        voices = [decided] if decided else by.values()
        total = sum({"yes": 1, "no": -1}.get(answer, 0) for answer, _ in voices)
        votes[int(patch)] = int(np.sign(total))
    return votes


def cohen_kappa(a: Sequence[Any], b: Sequence[Any]) -> float:
    """Agreement of two annotators on the same items beyond chance (Cohen 1960), in [-1, 1].

    ``(p_o - p_e) / (1 - p_e)``; NaN where both gave one and the same answer throughout, as chance
    alone would then agree always, and for no item.

    Raises:
        BadRequest: the lengths differ.
    """
    if len(a) != len(b):
        raise BadRequest(f"{len(a)} and {len(b)} answers cannot be compared.", "Pair them.")
    if not len(a):
        return float("nan")
    kinds = sorted({*a, *b}, key=str)
    observed = float(np.mean([x == y for x, y in zip(a, b, strict=True)]))
    share = [[float(np.mean([x == kind for x in side])) for kind in kinds] for side in (a, b)]
    chance = sum(p * q for p, q in zip(*share, strict=True))
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")


def fleiss_kappa(counts: NDArray[Any]) -> float:
    """Agreement of several annotators beyond chance (Fleiss 1971), in [-1, 1].

    Args:
        counts: ``(n, k)`` how many annotators gave item ``i`` answer ``j``; every item needs the
            same number of them, at least 2.

    Returns:
        NaN where all answers are alike, or without items.

    Raises:
        BadRequest: items differ in their number of answers, or have fewer than 2.
    """
    table = np.asarray(counts, np.float64)
    if not table.size:
        return float("nan")
    raters = table.sum(axis=1)
    if raters[0] < 2 or (raters != raters[0]).any():
        raise BadRequest(
            "Fleiss' kappa needs the same number of answers, at least 2, for every item.",
            "Compare the items only that as many annotators have answered.",
        )
    r = raters[0]
    within = ((table**2).sum(axis=1) - r) / (r * (r - 1))
    chance = float(((table.sum(axis=0) / table.sum()) ** 2).sum())
    return float((within.mean() - chance) / (1 - chance)) if chance < 1 else float("nan")


def agreement(answers: Iterable[Row]) -> dict[str, Any]:
    """How well annotators agree about the items several of them answered with yes or no.

    Returns:
        ``pairs``: ``[{"a", "b", "items", "kappa"}]`` (Cohen); ``fleiss`` over the items with the
        commonest number of answers and ``fleiss_items``, ``fleiss_annotators``; ``disputed``: ids
        with both yes and no that nobody has adjudicated, ``settled``: ids that somebody has. A
        kappa that is not defined is None.

    Raises:
        BadRequest: a row lacks a field or has an unknown answer.
    """
    latest = _latest(answers, pool=True)
    held = {
        item: {
            who: a for (who, decides), (a, _) in by.items() if a in ("yes", "no") and not decides
        }
        for item, by in latest.items()
    }
    settled = [item for item, by in latest.items() if _adjudicated(by)]
    disputed = [item for item, by in held.items() if len(set(by.values())) > 1]
    people = sorted({who for by in held.values() for who in by})
    pairs = []
    for i, a in enumerate(people):
        for b in people[i + 1 :]:
            both = [(by[a], by[b]) for by in held.values() if a in by and b in by]
            if both:
                kappa = cohen_kappa([x for x, _ in both], [y for _, y in both])
                pairs.append({"a": a, "b": b, "items": len(both), "kappa": _told(kappa)})
    shared = [list(by.values()) for by in held.values() if len(by) > 1]
    sizes = [len(values) for values in shared]
    common = max(set(sizes), key=lambda size: (sizes.count(size), -size)) if sizes else 0
    table = [[v.count("yes"), v.count("no")] for v in shared if len(v) == common]
    return {
        "pairs": pairs,
        "fleiss": _told(fleiss_kappa(np.array(table))) if table else None,
        "fleiss_items": len(table),
        "fleiss_annotators": common,
        "disputed": [item for item in disputed if item not in set(settled)],
        "settled": settled,
    }


def _told(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _adjudicated(by: Mapping[Voice, tuple[str, str]]) -> tuple[str, str] | None:
    """The last adjudication about an item."""
    found = [voice for voice in by.values() if voice[1] == ADJUDICATED]
    return found[-1] if found else None


def _latest(answers: Iterable[Row], pool: bool) -> dict[Any, dict[Voice, tuple[str, str]]]:
    """The last answer of each annotator about each item, as (answer, source), in the order of the
    last ones; a person's adjudication stands beside the same person's blind answer.
    """
    held: dict[Any, dict[Voice, tuple[str, str]]] = {}
    sources: set[str] = set()
    for row in answers:
        try:
            item, who, answer = row["item_id"], str(row["annotator"]), row["answer"]
        except KeyError as error:
            raise BadRequest(
                f"An answer has no {error.args[0]!r}.",
                "Each needs item_id, annotator and answer.",
            ) from error
        if answer not in ANSWERS:
            raise BadRequest(
                f"The answer {str(answer)[:40]!r} is not known.",
                f"Answers are {', '.join(ANSWERS)}.",
            )
        source = str(row.get("source", "human"))
        sources.add(source)
        voice = (who, source == ADJUDICATED)
        by = held.setdefault(item, {})
        by.pop(voice, None)
        by[voice] = (answer, source)
    if "simulated" in sources and len(sources) > 1 and not pool:
        raise BadRequest(
            "Human and simulated answers are mixed.", "Choose one source, or pool them on purpose."
        )
    return held
