"""The runs of one set: every training that was started, groups over seeds, missing controls, and
the tree of corrected models.

Read from the list of jobs and their results; nothing is computed anew. No torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from backend.cache import ArrayStore
from backend.crayon import methods
from backend.crayon.requests import RefineRequest
from backend.errors import BadRequest, NotFound
from backend.jobs import JobRunner, JobState, JobView

WORK: Final = "crayon.refine"
MOST: Final = 5000  # jobs that are looked through
NAN: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a finished run measured; NaN where it is not known.

    Attributes:
        relevant, irrelevant: items whose answers were used; pruned, neurons: of the last stage.
        wga_*, mga_*: worst and mean group accuracy on the test split, in [0, 1], before and after.
        wga_validation, mga_validation: after the last epoch.
        energy_*: mean share of the maps' energy on the object, over test items with mask and map.
        collapsed: every test item gets one class.
    """

    relevant: int = 0
    irrelevant: int = 0
    pruned: int = 0
    neurons: int = 0
    wga_before: float = NAN
    wga_after: float = NAN
    mga_before: float = NAN
    mga_after: float = NAN
    wga_validation: float = NAN
    mga_validation: float = NAN
    energy_before: float = NAN
    energy_after: float = NAN
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        key: of the result, and the ``parent`` of runs that go on from it.
        guidance: names the answers that were used; empty where the method uses none.
        created_s: seconds since 1970.
        is_stored: its result can still be read; ``numbers`` are NaN otherwise.
    """

    key: str
    job_id: str
    request: RefineRequest
    guidance: str
    transferred: bool
    created_s: float
    state: JobState
    is_stored: bool
    numbers: Numbers

    @property
    def source(self) -> str:
        """Whose answers: human, simulated, or empty where the method uses none."""
        return self.request.source if self.guidance else ""

    @property
    def title(self) -> str:
        """Method and seed, and that the answers were simulated."""
        told = f"{methods.TITLES[self.request.method]}, seed {self.request.seed}"
        return f"{told} (simulated answers)" if self.source == "simulated" else told


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation (n - 1) over ``count`` runs; NaN with none, or with one."""

    mean: float
    std: float
    count: int


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that differ in their seed only, finished and stored, in the order of their seeds."""

    runs: tuple[Run, ...]

    @property
    def request(self) -> RefineRequest:
        """The settings; the seed is that of the first run."""
        return self.runs[0].request

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds in ascending order."""
        return tuple(run.request.seed for run in self.runs)

    @property
    def collapsed(self) -> int:
        """How many runs give every item one class."""
        return sum(run.numbers.collapsed for run in self.runs)

    def spread(self, name: str) -> Spread:
        """Of one field of :class:`Numbers` over the runs."""
        return spread([float(getattr(run.numbers, name)) for run in self.runs])


@dataclass(frozen=True, slots=True)
class Missing:
    """A mandatory control that was not run as it must be.

    Attributes:
        seeds: those it lacks; requests: the runs to start, one a seed.
    """

    control: str
    sentence: str
    requests: tuple[RefineRequest, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds without this control."""
        return tuple(one.seed for one in self.requests)


@dataclass(frozen=True, slots=True)
class Node:
    """A model and what was made from it; ``run`` is None for the original."""

    key: str
    title: str
    run: Run | None
    children: tuple[Node, ...] = ()
    is_lost: bool = False


def of_set(jobs: JobRunner, store: ArrayStore, item_set: str) -> list[Run]:
    """All runs of a set, the newest first; of equal jobs the newest only."""
    return listed(jobs.recent(MOST, WORK), store, item_set)


def listed(jobs: Iterable[JobView], store: ArrayStore, item_set: str) -> list[Run]:
    """As :func:`of_set`, from job records, the newest first. Records of other works are left out,
    and so are those this version cannot read.
    """
    found: dict[str, Run] = {}
    for job in jobs:
        if job.work != WORK or job.params.get("item_set") != item_set or job.key in found:
            continue
        try:
            request = RefineRequest.of(job.params)
        except BadRequest:
            continue
        if request.method in methods.METHODS:
            found[job.key] = _run(job, request, store)
    return list(found.values())


def _run(job: JobView, request: RefineRequest, store: ArrayStore) -> Run:
    numbers, is_stored = Numbers(), False
    if job.state is JobState.DONE:
        try:
            numbers, is_stored = _numbers(store, job.key), store.has(job.key)
        except NotFound:
            is_stored = False
    return Run(
        key=job.key,
        job_id=job.id,
        request=request,
        guidance=str(job.params.get("guidance", "")),
        transferred=job.params.get("transferred") is True,
        created_s=job.submitted_at,
        state=job.state,
        is_stored=is_stored,
        numbers=numbers,
    )


@lru_cache(maxsize=4096)
def _numbers(store: ArrayStore, key: str) -> Numbers:
    found = store.get(key)
    if found is None:
        raise NotFound("This result is no longer stored.")
    mask, last = found["state.mask"], found["validation"][-1]

    def one(name: str) -> float:
        return float(np.asarray(found[name], np.float64).reshape(-1)[0])

    return Numbers(
        relevant=int(np.asarray(found["weights"][2], np.int64)),
        irrelevant=int(np.asarray(found["weights"][3], np.int64)),
        pruned=int((mask == 0).sum()),
        neurons=len(mask),
        wga_before=one("wga_before"),
        wga_after=one("wga_after"),
        mga_before=one("mga_before"),
        mga_after=one("mga_after"),
        wga_validation=float(np.asarray(last, np.float64)[0]),
        mga_validation=float(np.asarray(last, np.float64)[1]),
        energy_before=_mean(found["energy_before"]),
        energy_after=_mean(found["energy_after"]),
        collapsed=bool(one("collapsed")),
    )


def _mean(values: Any) -> float:
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else NAN


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation with n - 1 of the values that are not NaN."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return Spread(NAN, NAN, 0)
    std = float(np.std(known, ddof=1)) if len(known) > 1 else NAN
    return Spread(float(np.mean(known)), std, len(known))


def grouped(runs: Iterable[Run]) -> list[Group]:
    """Finished runs that are alike but for their seed: same settings, parent and answers.

    In the order of their first occurrence.
    """
    by: dict[tuple[object, ...], dict[int, Run]] = {}
    for run in runs:
        if run.is_stored:
            alike = (*_settings(run.request), run.guidance)
            by.setdefault(alike, {}).setdefault(run.request.seed, run)
    return [Group(tuple(held[seed] for seed in sorted(held))) for held in by.values()]


def _settings(request: RefineRequest) -> tuple[object, ...]:
    names = [name for name in RefineRequest.__dataclass_fields__ if name != "seed"]
    return tuple(getattr(request, name) for name in names)


def missing(group: Group, runs: Sequence[Run]) -> list[Missing]:
    """The mandatory controls that a group of a variant of Crayon lacks.

    A control counts for a seed when it has finished with the same epochs, learning rate, parent
    and seed, and, where it reads answers, with the same number of them.
    """
    found = []
    for control in methods.MANDATORY.get(group.request.method, ()):
        lacking = [run for run in group.runs if control_of(run, control, runs) is None]
        if lacking:
            seeds = ", ".join(str(run.request.seed) for run in lacking)
            asked = group.request
            sentence = (
                f"{methods.TITLES[control]}: not run at {asked.epochs} epochs, learning rate "
                f"{asked.lr:g}, seed {seeds}, from the same model."
            )
            wanted = tuple(matching(run.request, control) for run in lacking)
            found.append(Missing(control, sentence, wanted))
    return found


def matching(request: RefineRequest, control: str) -> RefineRequest:
    """The control's run that is comparable with this one."""
    values = {name: getattr(request, name) for name in RefineRequest.__dataclass_fields__}
    return RefineRequest(**(values | {"method": control})).canonical()


def control_of(run: Run, control: str, runs: Iterable[Run]) -> Run | None:
    """The finished run of ``control`` that is comparable with ``run``; None where there is none."""
    wanted = matching(run.request, control)
    for one in runs:
        if one.is_stored and one.request.canonical() == wanted and _same_answers(run, one):
            return one
    return None


def _same_answers(run: Run, control: Run) -> bool:
    a, b = run.numbers, control.numbers
    method = control.request.method
    if method in methods.USES_MAPS and (a.relevant, a.irrelevant) != (b.relevant, b.irrelevant):
        return False
    return method not in methods.USES_MASK or a.pruned == b.pruned


def gains(group: Group, runs: Sequence[Run], name: str = "wga_after") -> dict[str, Spread]:
    """By control: how much higher the group's runs are than that control at the same seed."""
    found = {}
    for control in methods.MANDATORY.get(group.request.method, ()):
        pairs = [(run, control_of(run, control, runs)) for run in group.runs]
        differences = [
            getattr(run.numbers, name) - getattr(other.numbers, name)
            for run, other in pairs
            if other is not None
        ]
        found[control] = spread(differences)
    return found


def tree(runs: Sequence[Run]) -> tuple[Node, ...]:
    """The original and, below each model, those corrected from it, the oldest first.

    Finished runs only. Where a parent is no longer stored, its name stands beside the original,
    marked lost, with its children below: they are still models.
    """
    held = [run for run in runs if run.is_stored]
    by: dict[str, list[Run]] = {}
    for run in sorted(held, key=lambda one: one.created_s):
        by.setdefault(run.request.parent, []).append(run)

    def below(key: str) -> tuple[Node, ...]:
        return tuple(Node(one.key, one.title, one, below(one.key)) for one in by.get(key, ()))

    known = {"", *(run.key for run in held)}
    lost = [key for key in by if key not in known]
    roots = [Node("", "Original", None, below(""))]
    roots += [Node(k, f"{k[:8]}, no longer stored", None, below(k), is_lost=True) for k in lost]
    return tuple(roots)
