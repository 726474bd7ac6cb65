"""Words, phrases, clusters and patches that went with success in a domain, from stored artefacts.

Source: Advancing Vision Intelligence (dissertation, 2024), section 3.4.3 and equation 3.6: the rank
score is the mean attribution over the history of a domain. Where the source is silent: a phrase
needs three contents; intervals are bootstrapped over experiments, since contents of one experiment
share most of their parts; of phrases that contain each other only the stronger is listed; with
fewer than twice k, positive and negative are split at the median. No torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from backend.errors import NotFound
from backend.insights.history import History, Occurrences
from backend.protocols import I64
from models.insights_cells import CELL_PX

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
FEWEST: Final = 3  # contents of a phrase
FEW_CONTENTS: Final = 20  # of a domain, below which a note warns
DRAWS: Final = 400
EXAMPLES: Final = 5
LEAKAGE: Final = 0.5  # share of training contents from which a warning is given
CAUTION: Final = "Correlation only: an experiment of your own decides."


@dataclass(frozen=True, slots=True)
class Phrase:
    """One word or phrase.

    Attributes:
        score: mean attribution, in success rate; interval: 95 %.
        support: contents that have it; in_training: those of them that the model was fitted on.
        raw: mean success of those contents less that of the domain.
        examples: rows, the highest attribution first (the lowest for what is discouraged).
        warnings: sentences.
    """

    text: str
    score: float
    interval: tuple[float, float]
    support: int
    in_training: int
    raw: float
    examples: tuple[int, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch: its number in the history, its content, box x, y, width, height in pixels of 128,
    and its attribution."""

    number: int
    row: int
    box: tuple[int, int, int, int]
    score: float
    cluster: int


@dataclass(frozen=True, slots=True, eq=False)
class Members(Sequence[Patch]):
    """Patches by their numbers (m,) in a history, made when asked for: clusters have thousands."""

    history: History
    numbers: I64

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, at: int) -> Patch: ...

    @overload
    def __getitem__(self, at: slice) -> Members: ...

    def __getitem__(self, at: int | slice) -> Patch | Members:
        if isinstance(at, slice):
            return Members(self.history, self.numbers[at])
        return _patch(self.history, int(self.numbers[at]))


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster of patches in a domain; members: patches, nearest to the centre first."""

    number: int
    score: float
    interval: tuple[float, float]
    support: int
    n_contents: int
    members: Members


One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Lists(Generic[One]):
    """What to use and what to avoid, the strongest first; note: how the lists came about."""

    positive: tuple[One, ...]
    negative: tuple[One, ...]
    note: str
    n_contents: int
    split_at_median: bool = False


def in_domain(history: History, domain: int | None, since: str = "", until: str = "") -> Bools:
    """(n,) the explained contents of a domain and period; ``None`` for all domains.

    Raises:
        NotFound: there is no such domain.
    """
    held = history.held
    kept = np.zeros(len(held), bool)
    kept[history.rows] = True
    if domain is not None:
        if not 0 <= domain < len(held.domains):
            raise NotFound(
                f"There is no domain {domain}.", f"Domains are 0 to {len(held.domains) - 1}."
            )
        kept &= held.domain == domain
    if since:
        kept &= held.dates >= np.datetime64(since, "D")
    if until:
        kept &= held.dates <= np.datetime64(until, "D")
    return kept


def phrases(
    history: History, domain: int | None, k: int = 10, since: str = "", until: str = ""
) -> Lists[Phrase]:
    """The k phrases of the highest and of the lowest mean attribution in a domain."""
    return _ranked(history, history.phrases, in_domain(history, domain, since, until), k)


def words(
    history: History, domain: int | None, k: int = 10, since: str = "", until: str = ""
) -> Lists[Phrase]:
    """The same for single words."""
    return _ranked(history, history.words, in_domain(history, domain, since, until), k)


def means(of: I64, value: F64, count: int) -> tuple[F64, I64]:
    """Mean (count,) of the values of each number (NaN for none), and how many there are."""
    n = np.bincount(of, minlength=count)
    total = np.bincount(of, value, minlength=count)
    return np.divide(total, n, out=np.full(count, np.nan), where=n > 0), n.astype(np.int64)


def _ranked(history: History, seen: Occurrences, kept: Bools, k: int) -> Lists[Phrase]:
    here = np.flatnonzero(kept[seen.row])
    of, row, value = seen.of[here], seen.row[here], seen.value[here]
    count = len(seen.names)
    score, _ = means(of, value, count)
    distinct = np.unique(of * len(history.held) + row)
    support = np.bincount(distinct // len(history.held), minlength=count)
    n_contents = int(kept.sum())
    usable = np.flatnonzero(support >= FEWEST)
    order = usable[np.argsort(-score[usable], kind="stable")]
    by_name = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[by_name], np.arange(count + 1))
    context = _Context(history, kept, seen, of, row, value, score, by_name, starts)
    best, worst, is_split = _ends(order, k, context.repeats)
    positive = tuple(context.told(int(name), 1) for name in best)
    negative = tuple(context.told(int(name), -1) for name in worst)
    return Lists(positive, negative, _note(n_contents, len(usable), is_split), n_contents, is_split)


def _ends(
    order: I64, k: int, repeats: Callable[[int, Sequence[int]], bool]
) -> tuple[list[int], list[int], bool]:
    """Up to k from either end of an order; at most half each, so that the two never share one."""
    is_split = len(order) < 2 * k
    half = len(order) // 2
    ends: list[list[int]] = []
    for part in (order[: half + len(order) % 2], order[::-1][:half]):
        chosen: list[int] = []
        for name in part:
            if len(chosen) == k:
                break
            if not repeats(int(name), chosen):
                chosen.append(int(name))
        ends.append(chosen)
    return ends[0], ends[1], is_split


def _note(n_contents: int, n_usable: int, is_split: bool) -> str:
    told = [f"{n_contents} contents, {n_usable} candidates in at least {FEWEST} of them."]
    if n_contents < FEW_CONTENTS:
        told.append(f"Fewer than {FEW_CONTENTS} contents: hardly more than anecdotes.")
    if is_split:
        told.append("There are few, so helping and hurting are split at the median.")
    return " ".join([*told, CAUTION])


@dataclass(frozen=True, slots=True, eq=False)
class _Context:
    """The occurrences of a domain, sorted by name."""

    history: History
    kept: Bools
    seen: Occurrences
    of: I64
    row: I64
    value: F64
    score: F64
    by_name: I64
    starts: I64

    def places(self, name: int) -> I64:
        """Occurrences of a name."""
        return self.by_name[self.starts[name] : self.starts[name + 1]]

    def repeats(self, name: int, chosen: Sequence[int]) -> bool:
        """Whether a phrase contains one that is listed, or is contained in it."""
        text = f" {self.seen.names[name]} "
        others = (f" {self.seen.names[one]} " for one in chosen)
        return any(text in other or other in text for other in others)

    def told(self, name: int, sign: int) -> Phrase:
        """One phrase with its evidence."""
        held = self.history.held
        at = self.places(name)
        rows, values = self.row[at], self.value[at]
        distinct = np.unique(rows)
        in_training = int((held.split[distinct] == 0).sum())
        order = np.argsort(-sign * values, kind="stable")
        examples = tuple(dict.fromkeys(int(rows[j]) for j in order))[:EXAMPLES]
        raw = float(held.success[distinct].mean() - held.success[self.kept].mean())
        score, interval = float(self.score[name]), bootstrap(values, held.experiment[rows])
        warnings = []
        if in_training > LEAKAGE * len(distinct):
            warnings.append(
                f"{in_training} of {len(distinct)} contents were in training: partly memory."
            )
        if raw * score < 0:
            warnings.append("The raw success rate points the other way.")
        if interval[0] < 0 < interval[1]:
            warnings.append("The interval includes zero.")
        if score * sign < 0:
            warnings.append("Listed by its rank only: its score has the other sign.")
        text = str(self.seen.names[name])
        return Phrase(
            text, score, interval, len(distinct), in_training, raw, examples, tuple(warnings)
        )


def bootstrap(values: F64, experiment: I64, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of values, experiments drawn whole; that of one is the value."""
    _, place = np.unique(experiment, return_inverse=True)
    n = np.bincount(place).astype(np.float64)
    total = np.bincount(place, values)
    drawn = np.random.default_rng(seed).integers(0, len(n), (DRAWS, len(n)))
    found = total[drawn].sum(1) / n[drawn].sum(1)
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def clusters(
    history: History, domain: int | None, k: int = 10, since: str = "", until: str = ""
) -> Lists[Cluster]:
    """The k clusters of patches of the highest and of the lowest mean attribution in a domain."""
    kept = in_domain(history, domain, since, until)
    held, patches = history.held, history.patches
    here = np.flatnonzero(kept[patches.row])
    count = int(patches.cluster.max()) + 1 if len(patches.cluster) else 0
    score, support = means(patches.cluster[here], patches.value[here], count)
    usable = np.flatnonzero(support >= FEWEST)
    order = usable[np.argsort(-score[usable], kind="stable")]
    best, worst, is_split = _ends(order, k, lambda name, chosen: False)

    def told(number: int) -> Cluster:
        mine = here[patches.cluster[here] == number]
        near = mine[np.argsort(patches.distance[mine], kind="stable")]
        rows = patches.row[mine]
        interval = bootstrap(patches.value[mine], held.experiment[rows])
        return Cluster(
            number, float(score[number]), interval, len(mine), len(np.unique(rows)),
            Members(history, near),
        )  # fmt: skip

    n_contents = int(kept.sum())
    note = _note(n_contents, len(usable), is_split)
    positive, negative = tuple(map(told, best)), tuple(map(told, worst))
    return Lists(positive, negative, note, n_contents, is_split)


def _patch(history: History, number: int) -> Patch:
    from backend.insights.patches import SIDE

    patches = history.patches
    row, column = (int(v) for v in patches.place[number])
    box = (column * CELL_PX, row * CELL_PX, SIDE * CELL_PX, SIDE * CELL_PX)
    value = float(patches.value[number])
    return Patch(number, int(patches.row[number]), box, value, int(patches.cluster[number]))


def patches(
    history: History, domain: int | None, k: int = 10, seed: int = 0, since: str = "",
    until: str = "",
) -> Lists[Patch]:  # fmt: skip
    """About k patches to use and to avoid: as many at random from each cluster of either end."""
    found = clusters(history, domain, k, since, until)
    rng = np.random.default_rng(seed)
    ends = (found.positive, found.negative)
    positive, negative = (equal_draw(one, k, rng) for one in ends)
    return Lists(positive, negative, found.note, found.n_contents, found.split_at_median)


def equal_draw(chosen: Sequence[Cluster], k: int, rng: np.random.Generator) -> tuple[Patch, ...]:
    """The same number of patches from each cluster, at least one, all of a smaller cluster."""
    if not chosen:
        return ()
    each = max(1, k // len(chosen))
    drawn: list[Patch] = []
    for cluster in chosen:
        count = min(each, len(cluster.members))
        picked = rng.choice(len(cluster.members), count, replace=False)
        drawn += [cluster.members[int(j)] for j in picked]
    return tuple(drawn)
