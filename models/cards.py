"""Model cards: what a bundled model is, where its weights come from, and what it cannot do.

Reading a card needs no torch, so pages can list the models before any of them is loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

Task = Literal[
    "digits",
    "fashion",
    "imagenet",
    "detection",
    "piv",
    "points",
    "texts",
    "needles",
    "crayon",
    "insights",
    "classification",
    "metric",
    "pairs",
    "people",
]

MODELS = Path(__file__).resolve().parent
CARDS = MODELS / "cards"
WEIGHTS = MODELS / "weights"


class CardError(ValueError):
    """A card file does not say what it must; the message names file, field and what is allowed."""


class WeightsMismatch(ValueError):
    """A weights file is missing or is not the one its card describes."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The images a model takes: (n, channels, height, width) float32 with values in [0, 1]."""

    channels: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What one ``models/cards/<key>.toml`` says.

    Attributes:
        key: short name used in links; equal to the file's name without ``.toml``.
        title: name shown to people.
        task: which data set the model answers about.
        summary: one or two sentences: what it is and how it was trained.
        architecture: name of a factory in ``models.load.ARCHITECTURES``.
        input: size of the images it takes.
        classes: class names in the order of the outputs. The file may name a text file in
        ``models/`` instead,
            one class per line.
        layers: names of submodules whose outputs are worth looking at, from input to output.
        licence: of the weights.
        data: what it was trained on, with source and licence.
        command: the command that made the weights file.
        metrics: measured numbers; accuracies are fractions in [0, 1] on the bundled evaluation set.
        weights_file: name of the safetensors file in ``models/weights/``, or ``package:path`` of
        one that an installed package brings; empty for a method that has no weights.
        weights_sha256: of that file, 64 lower-case hex digits; empty where there is none.
        limits: what the model cannot do, in words for its users.
    """

    key: str
    title: str
    task: Task
    summary: str
    architecture: str
    input: InputSpec
    classes: tuple[str, ...]
    layers: tuple[str, ...]
    licence: str
    data: str
    command: str
    metrics: Mapping[str, float]
    weights_file: str
    weights_sha256: str
    limits: str

    @property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the weights' sha256: equal fingerprints answer alike.

        Where there are no weights of our own, of the architecture, command and summary as well,
        which must say the method's settings.
        """
        if self.weights_file and ":" not in self.weights_file:
            return self.weights_sha256[:16]
        told = self.weights_sha256
        told += "\n".join((self.architecture, self.command, self.summary))
        return hashlib.sha256(told.encode()).hexdigest()[:16]


TEXT_FIELDS = (
    "key",
    "title",
    "summary",
    "architecture",
    "licence",
    "data",
    "command",
    "weights_file",
    "limits",
)
WEIGHTS_FILE = re.compile(r"(\w+:(\w+/)*)?[\w.-]+\.safetensors")
HEX = frozenset("0123456789abcdef")


def load_cards(folder: Path = CARDS) -> dict[str, ModelCard]:
    """All cards of a folder by key, in the order of their file names.

    Raises:
        CardError: the folder or a file is missing, or a card is malformed.
    """
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise CardError(f"No model card (*.toml) was found in the folder {folder.name!r}.")
    return {path.stem: read_card(path) for path in paths}


def read_card(path: Path) -> ModelCard:
    """The card in one file.

    Raises:
        CardError: the file cannot be read, is not TOML, or a field is missing, unknown or wrong.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CardError(f"{path.name}: the card could not be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CardError(f"{path.name}: the card is not valid TOML ({error}).") from error
    wanted = {field.name for field in fields(ModelCard)}
    for name in sorted(wanted - raw.keys()):
        raise _wrong(path, name, "is missing", f"needed are {', '.join(sorted(wanted))}")
    for name in sorted(raw.keys() - wanted):
        raise _wrong(path, name, "is not known", f"allowed are {', '.join(sorted(wanted))}")
    for name in TEXT_FIELDS:
        _check_text(path, name, raw[name])
    if raw["key"] != path.stem:
        raise _wrong(
            path, "key", f"is {raw['key']!r}", f"it must be the file's name, {path.stem!r}"
        )
    if raw["task"] not in get_args(Task):
        raise _wrong(
            path, "task", f"is {raw['task']!r}", f"allowed are {', '.join(get_args(Task))}"
        )
    values = {name: raw[name] for name in (*TEXT_FIELDS, "task")}
    return ModelCard(
        **values,
        input=_input(path, raw["input"]),
        classes=_classes(path, raw["classes"]),
        layers=_names(path, "layers", raw["layers"]),
        metrics=_metrics(path, raw["metrics"]),
        weights_sha256=_sha256(path, raw["weights_sha256"], raw["weights_file"]),
    )


def dump_card(card: ModelCard, classes_file: str = "") -> str:
    """The card as TOML text that ``read_card`` reads back to an equal card.

    Args:
        classes_file: name of a text file in ``models/`` to point to instead of listing the classes.
    """
    lines = []
    for field in fields(ModelCard):
        value = getattr(card, field.name)
        if field.name in ("input", "metrics"):
            continue
        if field.name == "classes" and classes_file:
            value = classes_file
        # TOML's basic strings and arrays of them are written as JSON writes them.
        text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
        lines.append(f"{field.name} = {text}")
    lines += ["", "[input]"]
    lines += [f"{field.name} = {getattr(card.input, field.name)}" for field in fields(InputSpec)]
    lines += ["", "[metrics]"]
    lines += [f"{name} = {float(value)!r}" for name, value in card.metrics.items()]
    return "\n".join(lines) + "\n"


def weights_path(card: ModelCard, folder: Path = WEIGHTS) -> Path:
    """Where the card's weights lie; in the folder of a package where the card names one."""
    package, _, inside = card.weights_file.rpartition(":")
    if not package:
        return folder / card.weights_file
    found = importlib.util.find_spec(package)  # finds it without loading it
    places = found.submodule_search_locations if found is not None else None
    return Path(places[0]) / inside if places else folder / package / inside


def verify_weights(card: ModelCard, folder: Path = WEIGHTS) -> None:
    """Returns if the weights file is there and is the one the card describes, or none is needed.

    Raises:
        WeightsMismatch: it is missing, or its sha256 differs.
    """
    if not card.weights_file:
        return
    path = weights_path(card, folder)
    if not path.is_file():
        raise WeightsMismatch(
            f"The weights of {card.key!r} are missing: no file {card.weights_file}."
        )
    found = file_sha256(path)
    if found != card.weights_sha256:
        raise WeightsMismatch(
            f"{card.weights_file} is not the file described in the card of {card.key!r}: "
            f"its sha256 begins with {found[:16]}, the card says {card.weights_sha256[:16]}."
        )


def file_sha256(path: Path) -> str:
    """The sha256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wrong(path: Path, name: str, problem: str, allowed: str) -> CardError:
    return CardError(f"{path.name}: field {name!r} {problem}; {allowed}.")


def _check_text(path: Path, name: str, value: Any) -> None:
    if name == "weights_file" and value == "":
        return  # a method without weights
    if not isinstance(value, str) or not value.strip():
        raise _wrong(path, name, f"is {value!r}", "it must be a text that is not empty")
    if name == "weights_file" and not WEIGHTS_FILE.fullmatch(value):
        raise _wrong(
            path,
            name,
            f"is {value!r}",
            "it must be a bare file name ending in .safetensors, or package:path of one",
        )


def _input(path: Path, value: Any) -> InputSpec:
    names = [field.name for field in fields(InputSpec)]
    allowed = f"it must be a table of {', '.join(names)}, whole numbers from 1 to 4096"
    if not isinstance(value, dict) or sorted(value) != sorted(names):
        raise _wrong(path, "input", f"is {value!r}", allowed)
    for size in value.values():
        if type(size) is not int or not 1 <= size <= 4096:
            raise _wrong(path, "input", f"is {value!r}", allowed)
    return InputSpec(**value)


def _names(path: Path, name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) and v for v in value):
        raise _wrong(path, name, f"is {value!r}", "it must be a list of names with at least one")
    if len(set(value)) != len(value):
        twice = next(v for v in value if value.count(v) > 1)
        raise _wrong(path, name, f"names {twice!r} twice", "each name may appear once")
    return tuple(value)


def _classes(path: Path, value: Any) -> tuple[str, ...]:
    if not isinstance(value, str):
        return _names(path, "classes", value)
    source = MODELS / value
    if Path(value).name != value or not value.endswith(".txt") or not source.is_file():
        raise _wrong(
            path,
            "classes",
            f"is {value!r}",
            "it must be a list of names or the name of a .txt file in models/",
        )
    return _names(path, "classes", source.read_text(encoding="utf-8").splitlines())


def _metrics(path: Path, value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise _wrong(path, "metrics", f"is {value!r}", "it must be a table of numbers")
    for name, number in value.items():
        if type(number) not in (int, float):
            raise _wrong(path, f"metrics.{name}", f"is {number!r}", "it must be a number")
        if name.endswith("accuracy") and not 0.0 <= number <= 1.0:
            raise _wrong(path, f"metrics.{name}", f"is {number!r}", "accuracies lie from 0 to 1")
    return {name: float(number) for name, number in value.items()}


def _sha256(path: Path, value: Any, weights_file: str) -> str:
    if not weights_file:
        if value != "":
            raise _wrong(
                path, "weights_sha256", f"is {value!r}", "it must be empty without weights"
            )
        return ""
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= HEX:
        raise _wrong(path, "weights_sha256", f"is {value!r}", "it must be 64 lower-case hex digits")
    return value
