"""What a task supplies: items, its action on outputs, its metrics, its consensus and its views.

The evaluation, tables, caches and the page ask these questions and never which task it is. Adding a
task is a file here and a line in :mod:`backend.nero.tasks`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.nero.items import Items
from backend.nero.orbits import Domain, Orbit
from backend.protocols import F32, I64, Arrays, ModelBackend

Kind = Literal["invariant", "equivariant", "covariant"]
Array = NDArray[Any]
Predictor = Callable[[Any], F32]
"""Checked inputs ``(b, ...)`` to dense outputs ``(b, ...)``; NaN where there is no answer."""
BATCH: Final = 64  # inputs per call of a plain function; backends know their own best size


@dataclass(frozen=True, slots=True)
class Metric:
    """A number per item and element, its range, and which end of it is good.

    ``high`` is None where the range comes from the data: from ``low`` to the 80th percentile of
    all models' values, one range for all of them.
    """

    name: str
    title: str
    low: float
    high: float | None
    higher_is_better: bool
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Views:
    """Names of the browser modules that draw an input and the outputs of one element."""

    input: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """What the model says about each item on the whole, made from its answers along the orbit.

    Attributes:
        value: (b, ...) in the task's own form of a truth.
        used: (b,) how many elements' answers went into it; the others had none.
        metrics: (b, e) by name, like the metrics of the task, with the consensus as the truth.
    """

    value: F32
    used: I64
    metrics: dict[str, F32]


class Task(Protocol):
    """What evaluation and views ask of a task."""

    @property
    def name(self) -> str:
        """Short name used in links."""
        ...

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    @property
    def kind(self) -> Kind:
        """What an ideal model does when the input moves."""
        ...

    @property
    def domain(self) -> Domain:
        """What its inputs are; every orbit of this domain can be walked."""
        ...

    @property
    def item_set(self) -> str:
        """Key of the data set it opens on."""
        ...

    @property
    def compare(self) -> tuple[str, ...]:
        """Keys of the models a view opens with, in the order of their colours."""
        ...

    @property
    def metrics(self) -> dict[str, Metric]:
        """By name; the first is the individual one."""
        ...

    @property
    def summary(self) -> str:
        """Name of the metric that the aggregate opens with."""
        ...

    @property
    def views(self) -> Views:
        """How one element looks."""
        ...

    def gather(self, items: Any) -> Items:
        """The items behind what a caller may give: "all", rows, an item set, or own arrays.

        Raises:
            BadRequest: they are not usable.
        """
        ...

    def predictor(self, model: Any, batch_size: int | None, source: Items) -> Predictor:
        """A model (key, backend or callable) reduced to what the loop needs.

        Raises:
            BadRequest: it is no model, or was made for other items.
        """
        ...

    def run(
        self, predict: Predictor, orbit: Orbit, inputs: Any, elements: I64, *, control: bool
    ) -> F32:
        """Outputs ``(b, m, ...)`` of inputs ``(b, ...)`` under some elements."""
        ...

    def act_output(self, orbit: Orbit, element: int, outputs: F32) -> F32:
        """φ̃(g, y) for outputs ``(b, ...)``: the identity for invariant tasks."""
        ...

    def measure(self, orbit: Orbit, outputs: F32, truth: Any) -> dict[str, F32]:
        """l(h(φ(g, x)), φ̃(g, y)) by metric: ``(b, e)``, NaN where it is not defined.

        Args:
            outputs: (b, e, ...) of all elements.
            truth: of these items, as :attr:`Items.truth` gives it; None where nobody knows it.
        """
        ...

    def consensus(self, orbit: Orbit, outputs: F32) -> Consensus | None:
        """⟨φ̃(g⁻¹, h(φ(g, x)))⟩ over the orbit; None for invariant tasks (Zhao 2024, eq. 5.2)."""
        ...

    def payload(self, outputs: F32) -> dict[str, Array]:
        """What is kept of outputs ``(b, e, ...)`` for the views of one item; may be nothing."""
        ...

    def detail(self, orbit: Orbit, outputs: F32, truth: Any) -> Arrays:
        """What the views of one item need, from outputs ``(1, e, ...)`` computed for it alone.

        Only asked where :meth:`payload` keeps nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class BaseTask:
    """What most tasks do alike."""

    name: str
    title: str
    item_set: str
    compare: tuple[str, ...] = field(default=())

    def run(
        self, predict: Predictor, orbit: Orbit, inputs: Any, elements: I64, *, control: bool
    ) -> F32:
        """The elements made in one array and asked in one go."""
        act = cast(Any, orbit).act_and_back if control else orbit.act  # of orbits with a control
        moved = act(inputs, elements)
        answers = predict(moved.reshape(-1, *moved.shape[2:]))
        return answers.reshape(*moved.shape[:2], *answers.shape[1:])

    def payload(self, outputs: F32) -> dict[str, Array]:
        """Nothing: the views of an item are computed when it is opened."""
        del outputs
        return {}

    def detail(self, orbit: Orbit, outputs: F32, truth: Any) -> Arrays:
        """Nothing beyond the payload."""
        del orbit, outputs, truth
        return {}


def loaded(model: Any) -> ModelBackend | Callable[[Any], Any]:
    """A backend or a callable behind a model's key, a backend or a callable.

    Raises:
        BadRequest: it is none of these.
        NotFound: there is no model of this key.
    """
    if isinstance(model, str):
        from backend import catalog

        return catalog.load_model(model)
    if isinstance(model, ModelBackend):
        return model
    if not callable(model):
        raise BadRequest(
            f"{type(model).__name__} is not a model.", "Give a key, a backend or a callable."
        )
    return tensor_in(model)


def tensor_in(model: Callable[..., Any]) -> Callable[..., Any]:
    """A torch module wants a tensor; every other callable gets the numpy array."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return model

    def call(*batches: Array) -> Any:
        with torch.inference_mode():
            return model(*(torch.from_numpy(batch) for batch in batches))

    return call


def to_numpy(answer: Any) -> F32:
    """A model's answer, a tensor on whatever device or an array, as float32 of its own."""
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu().numpy()
    return np.array(answer, dtype=np.float32, ndmin=1)


def in_batches(ask: Predictor, batch: Array, size: int) -> F32:
    """Answers to a batch asked in pieces of ``size``."""
    pieces: Sequence[F32] = [ask(batch[i : i + size]) for i in range(0, len(batch), size)]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
