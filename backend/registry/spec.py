"""What a registered model takes and gives: typed, checked, written as JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from typing import Any, Final, Literal, cast, get_args

from backend.errors import BadRequest
from backend.registry.answers import (
    ANSWERS,
    CLASSIFICATION,
    MOTION,
    POINTS,
    Answer,
    Output,
    Shape,
    check_shape,
    points_of,
    written,
)
from models.cards import InputSpec, ModelCard, Task

Kind = Literal[
    "torch.export",
    "torchscript",
    "safetensors",
    "onnx",
    "transformers",
    "timm",
    "torchvision",
    "callable",
]
Range = Literal["0..1", "-1..1", "0..255"]
RANGES: Final[dict[str, tuple[float, float]]] = {
    "0..1": (0.0, 1.0),
    "-1..1": (-1.0, 1.0),
    "0..255": (0.0, 255.0),
}
NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
LONGEST_NAME: Final = 40
SIZE: Final = re.compile(r"(?:(\d{1,4})x)?(\d{1,4})x(\d{1,4})\Z")
MOST_CLASSES: Final = 30_000
MOST_VALUES: Final = 1 << 27  # numbers that go into a network in one call: half a gigabyte
NOTHING: Final = "none"  # said of a field that is to be emptied
FACTORY: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One registered model.

    Attributes:
        name: short name used in links, such as ``flower-cnn``.
        kind: how it is loaded.
        path: its file or folder, absolute; its name in a library; or a served function's address.
        input: channels, height and width; of clouds 1, points and 3 or 1, 3 and points; (0, 0, 0)
            where nobody has said it yet. See :mod:`backend.registry.answers`.
        range: what the model wants black and white to be, before ``mean`` and ``std``.
        mean, std: per channel, in units of ``range``; empty where the model wants none.
        classes: names in the order of the outputs; ``0``, ``1``, … where nobody has named them.
        output: whether rows are logits or probabilities, or how boxes lie; ``auto`` until it has
            run.
        layers: submodules whose maps can be looked at; may be empty.
        embedding: the submodule whose output stands for the image; may be empty.
        factory: ``package.module:function`` or a bundled architecture, for safetensors.
        batch: items per call where the file fixes it; 0 where any number goes.
        any_side: whether frames of other sides than ``input`` do as well; found by running it.
        task: what it answers, one of :data:`backend.registry.answers.ANSWERS`.
        title, licence, data: for people; ``data`` says what it was trained on.
    """

    name: str
    kind: Kind
    path: str
    input: Shape = (0, 0, 0)
    range: Range = "0..1"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    output: Output = "auto"
    layers: tuple[str, ...] = ()
    embedding: str = ""
    factory: str = ""
    batch: int = 0
    any_side: bool = False
    task: str = CLASSIFICATION
    title: str = ""
    licence: str = ""
    data: str = ""

    def __post_init__(self) -> None:
        checked_name(self.name, "model")
        _one_of("task", self.task, tuple(ANSWERS))
        _one_of("kind", self.kind, get_args(Kind))
        _one_of("range", self.range, get_args(Range))
        _one_of("output", self.output, self.answer.outputs)
        if self.kind not in self.answer.kinds:
            raise BadRequest(
                f"A model of kind {KIND_TITLES[self.kind]} cannot answer about "
                f"{self.answer.title}.",
                f"Kinds that can: {', '.join(KIND_TITLES[kind] for kind in self.answer.kinds)}.",
            )
        if any(self.input):
            check_shape(self.task, self.input)
        if self.batch * math.prod(self.input) > MOST_VALUES:
            raise BadRequest(
                f"The file fixes {self.batch} items of {self.size} a call, which is too much.",
                "Export it with a free batch, or one of 1.",
            )
        self._check_scaling()
        if len(set(self.classes)) != len(self.classes):
            twice = next(name for name in self.classes if self.classes.count(name) > 1)
            raise BadRequest(f"The class {twice!r} is named twice.", "Each name may appear once.")
        if self.factory and not (FACTORY.match(self.factory) or self.factory.isidentifier()):
            raise BadRequest(
                f"factory={self.factory[:80]!r} is not usable.", "Write package.module:function."
            )

    def _check_scaling(self) -> None:
        channels = 3 if self.task == POINTS else self.input[0]
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values and channels and len(values) not in (1, channels):
                raise BadRequest(
                    f"{name} has {len(values)} numbers and the input {channels} channels.",
                    f"Give {'1 number' if channels == 1 else f'1 or {channels} numbers'}.",
                )
        if not all(map(isfinite, (*self.mean, *self.std))):
            raise BadRequest("mean or std is not finite.", "Give plain numbers: 0.5.")
        if (least := min(self.std, default=1)) <= 0:
            raise BadRequest(f"std holds {least:g}.", "It divides: all must be above 0.")

    @property
    def told(self) -> str:
        """Its name for people."""
        return self.title or self.name

    @property
    def answer(self) -> Answer:
        """What models of its task take and give."""
        return ANSWERS[self.task]

    @property
    def size(self) -> str:
        """``1x28x28``; of clouds ``1024x3``."""
        return written(self.task, self.input)

    @property
    def missing(self) -> str:
        """What is not known yet and is needed to run it; empty where nothing is."""
        if self.answer.kinds == ("transformers",):  # takes no arrays
            return ""
        if not all(self.input):
            return "input size"
        least = {CLASSIFICATION: 2, POINTS: 2, MOTION: 0}.get(self.task, 1)
        return "classes" if len(self.classes) < least else ""

    @property
    def has_names(self) -> bool:
        """Whether its classes have names that say more than their number."""
        return not is_counted(self.classes)

    def to_json(self) -> dict[str, Any]:
        """All fields, lists for tuples."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def changed(self, given: Mapping[str, Any]) -> ModelSpec:
        """The spec with other values, as JSON or a form gives them.

        Raises:
            BadRequest: a field is not known or its value not usable.
        """
        return replace(self, **{name: _cast(name, value) for name, value in given.items()})

    def card(self, fingerprint: str) -> ModelCard:
        """How the rest of the app sees the model."""
        channels, height, width = self.input
        if self.task == POINTS:  # as the cards of the bundled ones have it
            channels, height, width = 3, points_of(self.input), 1
        told = self.answer.gives if self.output == "auto" else self.output
        return ModelCard(
            key=self.name,
            title=self.told,
            task=cast(Task, self.task),
            summary=f"Your own: {KIND_TITLES[self.kind]}, answers {told}.",
            architecture=self.factory or KIND_TITLES[self.kind],
            input=InputSpec(channels, height, width),
            classes=self.classes,
            layers=self.layers,
            licence=self.licence or "not said",
            data=self.data or "not said",
            command=f"python -m backend models add … --name {self.name}",
            metrics={},
            weights_file="own.safetensors",
            weights_sha256=fingerprint,
            limits="Nobody has written down what it cannot do.",
        )


KIND_TITLES: Final[dict[str, str]] = {
    "torch.export": "torch.export (.pt2)",
    "torchscript": "TorchScript",
    "safetensors": "safetensors and a factory",
    "onnx": "ONNX",
    "transformers": "transformers folder",
    "timm": "timm",
    "torchvision": "torchvision",
    "callable": "Python function",
}


def from_json(given: Mapping[str, Any]) -> ModelSpec:
    """The spec behind :meth:`ModelSpec.to_json`.

    Raises:
        BadRequest: a field is not known, is missing, or its value is not usable.
    """
    values = {name: _cast(name, value) for name, value in given.items()}
    missing = sorted({"name", "kind", "path"} - values.keys())
    if missing:
        raise BadRequest(f"The model says no {missing[0]}.", "Needed are name, kind and path.")
    return ModelSpec(**values)


def checked_name(name: str, what: str) -> str:
    """The name, if links can hold it.

    Raises:
        BadRequest: it has other characters, or is too long.
    """
    if not NAME.match(name) or len(name) > LONGEST_NAME:
        raise BadRequest(
            f"A {what} cannot be called {name[:60]!r}.",
            f"Small letters, digits and single hyphens, at most {LONGEST_NAME}: flower-cnn.",
        )
    return name


def parse_input(text: str) -> Shape:
    """``1x28x28`` as channels, height and width; ``1024x3`` as 1, points and 3.

    Raises:
        BadRequest: it is none.
    """
    found = SIZE.match(text.strip().lower().replace("×", "x").replace(",", "x").replace(" ", ""))
    if not found:
        raise BadRequest(
            f"input={text[:40]!r} is not usable.", "Write channels x height x width: 3x224x224."
        )
    first, second, third = (int(part or 1) for part in found.groups())
    return first, second, third


def parse_classes(text: str) -> tuple[str, ...]:
    """``10`` as ``0`` to ``9``, or ``cat,dog`` as names; detectors may know a single one.

    Raises:
        BadRequest: there is none, or there are too many.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) == 1 and parts[0].isascii() and parts[0].isdigit():
        count = int(parts[0][:7])
        if 1 <= count <= MOST_CLASSES:
            return counted(count)
        parts = []
    if not 1 <= len(parts) <= MOST_CLASSES:
        raise BadRequest(
            f"classes={text[:40]!r} is not usable.",
            "Give their number (10), or their names in the order of the outputs (cat,dog).",
        )
    return tuple(parts)


def counted(count: int) -> tuple[str, ...]:
    """``0`` to ``count - 1``: the names of classes that nobody has named."""
    return tuple(str(index) for index in range(count))


def how_many(classes: Sequence[str]) -> str:
    """``1 class`` or ``10 classes``."""
    return f"{len(classes)} class{'' if len(classes) == 1 else 'es'}"


def is_counted(classes: Sequence[str]) -> bool:
    """Whether the names say no more than the place among the outputs."""
    return tuple(classes) == counted(len(classes))


def unlike(names: Sequence[str]) -> tuple[str, ...]:
    """Class names of which no two are alike: a later one gets its place behind it."""
    return tuple(
        f"{name} {place}" if name in names[:place] else name for place, name in enumerate(names)
    )


def parse_numbers(name: str, text: str) -> tuple[float, ...]:
    """``0.485,0.456,0.406`` as the numbers of a field.

    Raises:
        BadRequest: one is none.
    """
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise BadRequest(
            f"{name}={text[:60]!r} holds no numbers.", "Write 0.5 or 0.5,0.5,0.5."
        ) from error


def _cast(name: str, value: Any) -> Any:
    """A field's value from JSON, TOML or a text."""
    known = {field.name for field in fields(ModelSpec)}
    if name not in known:
        raise BadRequest(
            f"{name[:40]!r} is not known of a model.", f"Known are {', '.join(sorted(known))}."
        )
    if name == "input":
        if not isinstance(value, str) and not any(value):
            return (0, 0, 0)  # nobody has said it, or there is none: a model of texts
        return parse_input(value if isinstance(value, str) else "x".join(map(str, value)))
    if name == "classes":
        is_text = isinstance(value, str | int)
        return parse_classes(str(value)) if is_text else tuple(str(part) for part in value)
    if value == NOTHING and name in ("mean", "std", "title", "data", "licence"):
        return () if name in ("mean", "std") else ""
    if name in ("mean", "std"):
        return parse_numbers(name, value if isinstance(value, str) else ",".join(map(str, value)))
    if name == "layers":
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(str(part).strip() for part in parts if str(part).strip())
    if name == "any_side":
        return bool(value)
    if name == "batch":
        if isinstance(value, bool) or not str(value).isdigit():
            raise BadRequest(f"batch={value!r} is not a whole number.", "0 stands for any number.")
        return int(value)
    if not isinstance(value, str):
        raise BadRequest(f"{name}={str(value)[:40]!r} is not a text.")
    return value


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise BadRequest(
            f"{name}={str(value)[:40]!r} is not known.", f"Allowed: {', '.join(allowed)}."
        )


def shaped(values: Sequence[int]) -> Shape:
    """Three whole numbers as a shape, whatever sequence they come in."""
    return cast(Shape, tuple(int(value) for value in values))
