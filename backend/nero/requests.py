"""What can be asked for as a job, checked before it is sent: no torch, so the web process may use
it.

Parameters carry the fingerprints of weights and data: new weights make a new key, never an old
answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from backend import catalog, datasets
from backend.errors import BadRequest
from backend.jobs import JobRequest
from backend.nero import orbits, tasks
from backend.nero.evaluation import check_orbit
from backend.nero.items import checked_rows
from backend.nero.projections import METHODS, TITLES
from backend.protocols import JSON

MOST_MODELS: Final = 12


@dataclass(frozen=True, slots=True)
class OrbitRequest:
    """One model's answers for items of a set along an orbit.

    Attributes:
        orbit: ``family-level``; the default of the task's domain unless given.
        control: undo each element at once, to see what interpolation alone costs.
        dataset: key of the item set; the task's own unless given.
        items: "all" or rows of the set.

    Raises:
        NotFound: on construction, for an unknown task, model, orbit or set.
        BadRequest: the model was made for another task, the orbit acts on something else, or a
            row is not usable.
    """

    task: str
    model: str
    orbit: str = ""
    control: bool = False
    dataset: str = ""
    items: str | tuple[int, ...] = "all"

    def __post_init__(self) -> None:
        task = tasks.find(self.task)
        object.__setattr__(self, "dataset", self.dataset or task.item_set)
        held = datasets.load(self.dataset)
        checked_model(self.task, self.model)
        family = self.orbit or next(iter(orbits.families(task.domain)))
        elements = orbits.find(family)
        check_orbit(task, elements, self.control)
        object.__setattr__(self, "orbit", elements.key)
        if self.items != "all":
            if isinstance(self.items, str):
                raise BadRequest(
                    f"items={self.items!r} is not usable.", 'Give "all" or a list of rows.'
                )
            rows = checked_rows(self.items, len(held.ids), self.task)
            object.__setattr__(self, "items", tuple(rows.tolist()))

    @property
    def elements(self) -> orbits.Orbit:
        """The orbit asked for."""
        return orbits.find(self.orbit)

    def params(self) -> dict[str, JSON]:
        """The request as JSON, with the fingerprints of weights and data."""
        return {
            "task": self.task,
            "model": self.model,
            "orbit": self.orbit,
            "control": self.control,
            "dataset": self.dataset,
            "items": "all" if self.items == "all" else list(self.items),
            "model_fingerprint": catalog.card(self.model).fingerprint,
            "data_fingerprint": datasets.load(self.dataset).fingerprint,
        }

    @classmethod
    def from_params(cls, params: Mapping[str, JSON]) -> OrbitRequest:
        """The request behind :meth:`params`.

        Raises:
            NotFound, BadRequest: as on construction; also when weights or data changed since it
                was asked.
        """
        items = params.get("items", "all")
        request = cls(
            task=_text(params, "task"),
            model=_text(params, "model"),
            orbit=_text(params, "orbit"),
            control=params.get("control") is True,
            dataset=_text(params, "dataset"),
            items=items if isinstance(items, str) else tuple(cast(Sequence[int], items)),
        )
        for name in ("model_fingerprint", "data_fingerprint"):
            if params.get(name) != request.params()[name]:
                raise BadRequest(
                    f"The {name.split('_')[0]} of this request is no longer the installed one.",
                    "Open the page again to ask for the present one.",
                )
        return request

    def job(self, view: str = "") -> JobRequest:
        """The request as a job; its key names the result."""
        elements = self.elements
        what = f"{elements.name}{', there and back' if self.control else ''}"
        title = f"{catalog.card(self.model).title}: {self.task}, {what}, {elements.size} elements"
        return JobRequest("nero.orbit", self.params(), title, view)


@dataclass(frozen=True, slots=True)
class ProjectionRequest:
    """One model's orbit curves as points in the plane.

    Attributes:
        orbit, dataset: as in :class:`OrbitRequest`.
        subset: "all", ``{"class": 3}`` or ``{"rows": [...]}`` of the task's set.
        method: pca, ica, isomap, tsne or umap.
        metric: of the curves; the task's individual one unless given.
        consensus: curves measured by the model's own consensus instead of the truth.

    Raises:
        NotFound, BadRequest: as for :class:`OrbitRequest`; also for an unknown method, class,
            metric or seed, for a task without consensus, and for fewer than 3 items.
    """

    task: str
    model: str
    orbit: str = ""
    subset: JSON = "all"
    method: str = "pca"
    seed: int = 0
    dataset: str = ""
    metric: str = ""
    consensus: bool = False

    def __post_init__(self) -> None:
        self._check_curves()
        whole = self.orbit_request
        object.__setattr__(self, "orbit", whole.orbit)
        object.__setattr__(self, "dataset", whole.dataset)
        if self.method not in METHODS:
            raise BadRequest(
                f"There is no projection {self.method!r}.", f"Projections are {', '.join(METHODS)}."
            )
        if isinstance(self.seed, bool) or not 0 <= self.seed < 2**32:
            raise BadRequest(
                f"Seed {self.seed!r} is not usable.", "Allowed are whole numbers from 0."
            )
        count = len(self.rows())
        if count < 3:
            raise BadRequest(f"{count} items cannot be laid out in a plane.", "Select at least 3.")

    def _check_curves(self) -> None:
        task = tasks.find(self.task)
        if self.metric == next(iter(task.metrics)):
            object.__setattr__(self, "metric", "")  # one name for one thing, so that keys are equal
        if self.metric and self.metric not in task.metrics:
            raise BadRequest(
                f"There is no metric {self.metric[:80]!r}.",
                f"Metrics are {', '.join(task.metrics)}.",
            )
        if self.consensus and task.kind == "invariant":
            raise BadRequest(f"{task.title} has no consensus.", "Ask for the truth.")

    @property
    def orbit_request(self) -> OrbitRequest:
        """The orbit whose curves are laid out: always of the whole set."""
        return OrbitRequest(self.task, self.model, self.orbit, dataset=self.dataset)

    def rows(self) -> list[int]:
        """The rows of the task's set that are laid out."""
        held = datasets.load(self.dataset)
        if self.subset == "all":
            return list(range(len(held.ids)))
        if isinstance(self.subset, Mapping) and list(self.subset) == ["class"]:
            wanted = self.subset["class"]
            return [row for row, label in enumerate(held.labels.tolist()) if label == wanted]
        if isinstance(self.subset, Mapping) and list(self.subset) == ["rows"]:
            rows = cast(Sequence[int], self.subset["rows"])
            return [int(row) for row in checked_rows(rows, len(held.ids), self.task)]
        raise BadRequest(
            f"The subset {str(self.subset)[:80]!r} is not usable.",
            'Give "all", {"class": number} or {"rows": [numbers]}.',
        )

    def params(self) -> dict[str, JSON]:
        """The request as JSON."""
        return {
            "orbit": self.orbit_request.params(),
            "subset": self.subset,
            "method": self.method,
            "seed": self.seed,
            "metric": self.metric,
            "consensus": self.consensus,
        }

    @classmethod
    def from_params(cls, params: Mapping[str, JSON]) -> ProjectionRequest:
        """The request behind :meth:`params`. Raises as on construction."""
        orbit = params.get("orbit")
        if not isinstance(orbit, Mapping):
            raise BadRequest("The request names no orbit.")
        whole = OrbitRequest.from_params(orbit)
        seed = params.get("seed", 0)
        return cls(
            whole.task,
            whole.model,
            whole.orbit,
            params.get("subset", "all"),
            _text(params, "method"),
            seed if isinstance(seed, int) else -1,
            whole.dataset,
            _text(params, "metric") if "metric" in params else "",
            params.get("consensus") is True,
        )

    def job(self, view: str = "") -> JobRequest:
        """The request as a job; its key names the result."""
        title = (
            f"{catalog.card(self.model).title}: {TITLES[self.method]} of {len(self.rows())} curves"
        )
        return JobRequest("nero.projection", self.params(), title, view)


def at_params(
    task: str, models: Sequence[str], item: int, angle_deg: float, dataset: str = ""
) -> dict[str, JSON]:
    """Parameters of ``nero.at``: several models, one item (its id), one angle.

    Raises:
        NotFound: an unknown task, model or item.
        BadRequest: a model of another task, no model or too many, or an angle that is no angle.
    """
    if tasks.find(task).domain != "image":
        raise BadRequest(f"{task} has no angles between its elements.", "Images have.")
    asked = item_params(task, models, item, "", dataset)
    if not (math.isfinite(angle_deg) and -360 <= angle_deg <= 360):
        raise BadRequest(f"angle={angle_deg} is not usable.", "Allowed are numbers from 0 to 360.")
    return {**asked, "angle_deg": float(angle_deg)}


def item_params(
    task: str, models: Sequence[str], item: int, orbit: str, dataset: str = ""
) -> dict[str, JSON]:
    """Parameters of ``nero.item``: several models, one item (its id), a whole orbit.

    Raises:
        NotFound: an unknown task, model, orbit or item.
        BadRequest: a model of another task, no model or too many.
    """
    if not 1 <= len(models) <= MOST_MODELS:
        raise BadRequest(f"{len(models)} models cannot be asked.", f"Name 1 to {MOST_MODELS}.")
    asked = [OrbitRequest(task, model, orbit, dataset=dataset) for model in models]
    orbit, dataset = asked[0].orbit, asked[0].dataset
    if item not in datasets.load(dataset).ids:
        raise BadRequest(f"There is no item {item} in {task}.", "Choose an item from the page.")
    return {
        "task": task,
        "models": list(models),
        "item": int(item),
        "orbit": orbit,
        "dataset": dataset,
    }


def input_params(
    task: str, item: int, orbit: str, element: int, dataset: str = ""
) -> dict[str, JSON]:
    """Parameters of ``nero.input``: one item (its id) under one element of an orbit of images.

    Raises:
        NotFound: an unknown task, orbit or set.
        BadRequest: no such item or element, or the orbit acts on something else.
    """
    found = tasks.find(task)
    elements = orbits.find(orbit)
    check_orbit(found, elements)
    orbits.checked(element, elements.size)
    key = dataset or found.item_set
    if item not in datasets.load(key).ids:
        raise BadRequest(f"There is no item {item} in {task}.", "Choose an item from the page.")
    return {"task": task, "item": item, "orbit": elements.key, "element": element, "dataset": key}


def checked_model(task: str, model: str) -> str:
    """The model's key, if it was made for the task.

    Raises:
        NotFound: there is no such model.
        BadRequest: it was made for another task.
    """
    catalog.card(model)
    fitting = catalog.models_for(task)
    if model not in fitting:
        raise BadRequest(
            f"{model} was not made for {task}.", f"Models for it are {', '.join(fitting)}."
        )
    return model


def _text(params: Mapping[str, JSON], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise BadRequest(f"{name}={str(value)[:80]!r} is not a text.")
    return value
