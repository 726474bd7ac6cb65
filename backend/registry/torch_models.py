"""Registered models that PyTorch runs: files in, one module from [0, 1] to logits out."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from backend.errors import BadRequest
from backend.registry.answers import DETECTION
from backend.registry.kinds import check_transformers
from backend.registry.named import LIBRARIES, library
from backend.registry.spec import RANGES, ModelSpec
from models.load import ARCHITECTURES

BROKEN: Final = (RuntimeError, OSError, ValueError, KeyError, EOFError, TypeError, AttributeError)
"""What torch raises on files that are not what they claim to be."""
UNFIT: Final = (*BROKEN, AssertionError, IndexError, ArithmeticError)
"""What networks raise on arrays that they cannot take; guards of exported programs assert."""
LEAST_P: Final = 1e-12


class Scaled(nn.Module):
    """A user's network behind what it wants of pixels and what we want of answers.

    Args:
        inner: takes what the spec says, gives logits or probabilities ``(b, k)``.
        spec: range, mean, std, output and fixed batch.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, inner: Callable[[Tensor], Any], spec: ModelSpec) -> None:
        super().__init__()
        self.inner = inner
        self._low, high = RANGES[spec.range]
        self._span = high - self._low
        self.register_buffer("mean", _plane(spec.mean, 0.0), persistent=False)
        self.register_buffer("std", _plane(spec.std, 1.0), persistent=False)
        self._gives_probabilities = spec.output == "probabilities"
        self._batch = spec.batch

    def train(self, mode: bool = True) -> Scaled:
        """Stays in evaluation mode: exported programs have no other."""
        del mode
        self.training = False
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(b, k)`` of images ``(b, c, h, w)`` in [0, 1]."""
        scaled = (images * self._span + self._low - self.mean) / self.std
        answers = self._pieces(scaled) if self._batch else logits_in(self.inner(scaled))
        if self._gives_probabilities:
            return answers.clamp_min(LEAST_P).log()
        return answers

    def _pieces(self, images: Tensor) -> Tensor:
        """The answers of a program whose batch is fixed: pieces of that size, the last one filled
        up.
        """
        answers = []
        for piece in torch.split(images, self._batch):
            short = self._batch - len(piece)
            full = functional.pad(piece, (0, 0, 0, 0, 0, 0, 0, short)) if short else piece
            answers.append(logits_in(self.inner(full))[: len(piece)])
        return torch.cat(answers) if len(answers) > 1 else answers[0]


def logits_in(answer: Any) -> Tensor:
    """The tensor ``(b, k)`` in whatever a model returns: itself, ``.logits``, or the first of a
    tuple.

    Raises:
        BadRequest: there is none.
    """
    found = getattr(answer, "logits", None)
    if found is None and isinstance(answer, dict):
        found = answer.get("logits", next(iter(answer.values()), None))
    if found is None and isinstance(answer, tuple | list) and answer:
        found = answer[0]
    if found is None:
        found = answer
    if not isinstance(found, Tensor):
        raise BadRequest(
            f"The model answers with {type(answer).__name__}, in which there is no tensor.",
            "A classifier answers with one row of class scores per image.",
        )
    if found.ndim > 2 and found.shape[2:].numel() == 1:
        found = found.flatten(1)  # (b, k, 1, 1), as fully convolutional networks give
    if found.ndim != 2:
        raise BadRequest(
            f"The model answers with the shape {tuple(found.shape)}.",
            "A classifier answers (images, classes); export the part that ends there.",
        )
    return found.float()


def load(spec: ModelSpec) -> nn.Module:
    """The network of a spec, without :class:`Scaled`, frozen.

    Raises:
        BadRequest: the file cannot be read or does not fit the spec; says what to do.
    """
    loaders: dict[str, Callable[[ModelSpec], nn.Module]] = {
        "torch.export": _exported,
        "torchscript": _scripted,
        "safetensors": _by_factory,
        "transformers": _transformers,
    }
    loaders |= dict.fromkeys(LIBRARIES, _named)
    with warnings.catch_warnings():  # of torch about its own internals, and of a kind we accept
        warnings.simplefilter("ignore")
        module = loaders[spec.kind](spec)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module


def exported_program(path: Path) -> Any:
    """The program of a ``.pt2``.

    Raises:
        BadRequest: it is damaged or was written by another version of torch.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cast(Any, torch.export).load(str(path))
    except BROKEN as error:
        raise BadRequest(
            f"{path.name} cannot be opened by torch {torch.__version__}.",
            "It may be damaged or written by a newer torch: export it again with this version.",
        ) from error


def _exported(spec: ModelSpec) -> nn.Module:
    program = exported_program(Path(spec.path))
    try:
        return cast(nn.Module, torch.export.unflatten(program))  # keeps the names of layers
    except BROKEN:
        return cast(nn.Module, program.module())


def _scripted(spec: ModelSpec) -> nn.Module:
    path = Path(spec.path)
    try:
        loaded = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        return cast(nn.Module, loaded.eval())
    except BROKEN as error:
        raise BadRequest(
            f"{path.name} is not readable as TorchScript.", "Export it with torch.export."
        ) from error


def _by_factory(spec: ModelSpec) -> nn.Module:
    path = Path(spec.path)
    if not spec.factory:
        raise BadRequest(
            f"{path.name} holds weights only.",
            "Add --factory package.module:function, which makes the network for a number of "
            f"classes, or one of {', '.join(sorted(ARCHITECTURES))}.",
        )
    module = factory_of(spec.factory)(len(spec.classes))
    if not isinstance(module, nn.Module):
        raise BadRequest(
            f"{spec.factory} makes a {type(module).__name__}.", "It must return a torch.nn.Module."
        )
    try:
        missing, extra = module.load_state_dict(load_file(path), strict=False)
    except SafetensorError as error:
        raise BadRequest(f"{path.name} is not a readable safetensors file.") from error
    except RuntimeError as error:  # a shape that differs; torch says which on its second line
        detail = str(error).splitlines()[-1].strip()[:200]
        raise BadRequest(
            f"{path.name} does not fit {spec.factory} with {len(spec.classes)} classes.",
            f"{detail} Check --classes and the factory.",
        ) from error
    if missing or extra:
        what = f"lacks {missing[0]!r}" if missing else f"has {extra[0]!r} too"
        raise BadRequest(
            f"{path.name} does not fit {spec.factory}: it {what}.", "Check the factory."
        )
    return module.eval()


def factory_of(name: str) -> Callable[[int], Any]:
    """What makes a network for a number of classes: a bundled architecture, module:function, or a
    name in a library.

    Raises:
        BadRequest: it cannot be imported.
    """
    if ":" not in name:
        if name not in ARCHITECTURES:
            raise BadRequest(
                f"There is no bundled architecture {name[:60]!r}.",
                f"There are {', '.join(sorted(ARCHITECTURES))}; yours is package.module:function.",
            )
        return ARCHITECTURES[name]
    module, _, function = name.partition(":")
    if module in LIBRARIES:
        return library(module).factory(function)
    try:
        found = getattr(importlib.import_module(module), function, None)
    except ImportError as error:
        raise BadRequest(
            f"The factory's module {module[:60]!r} cannot be imported ({error}).",
            "Install it, or set PYTHONPATH to the folder that holds it.",
        ) from error
    if not callable(found):
        raise BadRequest(f"{module} has no function {function[:60]!r}.", "Check the spelling.")
    return cast(Callable[[int], Any], found)


def _named(spec: ModelSpec) -> nn.Module:
    return cast(nn.Module, library(spec.kind).network(spec.path))


def _transformers(spec: ModelSpec) -> nn.Module:
    path = Path(spec.path)
    check_transformers(path)
    try:
        from transformers import AutoModelForImageClassification, AutoModelForObjectDetection
    except ImportError as error:
        raise BadRequest(
            "The package transformers is not installed.", "Run `pip install transformers`."
        ) from error
    is_detector = spec.task == DETECTION
    reader = AutoModelForObjectDetection if is_detector else AutoModelForImageClassification
    try:
        module = reader.from_pretrained(path, local_files_only=True, use_safetensors=True)
    except (*BROKEN, ImportError) as error:  # ImportError: of a package that its backbone needs
        what = "a detector" if is_detector else "an image classifier"
        raise BadRequest(
            f"The folder {path.name!r} is not {what} of transformers.",
            str(error).splitlines()[0][:200],
        ) from error
    return cast(nn.Module, module.eval())


def _plane(values: tuple[float, ...], default: float) -> Tensor:
    return torch.tensor(values or (default,), dtype=torch.float32).reshape(1, -1, 1, 1)
