"""Runs a model on three items before it is registered: what is wrong is a sentence, not a trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from backend.errors import BackendError, BadRequest
from backend.protocols import F32, SupportsGradients
from backend.registry.building import build
from backend.registry.spec import MOST_CLASSES, ModelSpec, counted, is_counted

ITEMS: Final = 3
SEED: Final = 0
SAME: Final = 1e-3  # of probabilities: alone and in a batch
SURE: Final = 0.999
MOST_LAYERS: Final = 24
Notes = list[str]


@dataclass(slots=True)
class Report:
    """What three items found.

    Attributes:
        spec: with what the run has told: output, classes, layers, embedding.
        shape: of the answer to three images.
        seconds: for three images, after one to warm up.
        probabilities: ``(3, k)``.
        notes: sentences worth reading; none of them stops anything.
        has_gradients: whether saliency came out.
        embedding_size: length of the embedding; 0 where there is none.
        maps: by which words and places can be valued; of dual encoders.
        answers: in words, where they are no probabilities of classes.
    """

    spec: ModelSpec
    shape: tuple[int, ...] = ()
    seconds: float = 0.0
    probabilities: F32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    notes: Notes = field(default_factory=list)
    has_gradients: bool = False
    embedding_size: int = 0
    maps: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What is stored and shown."""
        names = self.spec.classes or ("the first text", "the second text", "the third text")
        top = self.probabilities.argmax(axis=1).tolist() if len(self.probabilities) else []
        return {
            "items": ITEMS,
            "shape": list(self.shape),
            "seconds": round(self.seconds, 5),
            "answers": list(self.answers) or [names[index] for index in top],
            "confidence": [round(float(row.max()), 4) for row in self.probabilities],
            "has_gradients": self.has_gradients,
            "embedding_size": self.embedding_size,
            "maps": list(self.maps),
            "notes": list(self.notes),
        }


def validated(spec: ModelSpec, images: F32 | None = None, device: str = "cpu") -> Report:
    """The spec completed and checked by running the model.

    Args:
        images: ``(3, c, h, w)`` in [0, 1]; of one's own set, else seeded noise and two plain
            pictures.

    Raises:
        BadRequest: the model does not answer as a classifier of such images does.
    """
    if not all(spec.input):
        raise BadRequest(
            f"The file does not say what images {spec.name} takes.",
            "Add --input channels x height x width, such as --input 3x224x224.",
        )
    batch = trial(spec.input) if images is None else images
    spec = _with_classes(spec, batch, device)
    report = Report(spec)
    raw = answers(spec, batch, device)
    check_finite(spec, raw)
    report.shape = raw.shape
    report.spec = spec = replace(spec, output=output_of(spec, raw))
    model = build(spec, "", device)
    model.predict(batch[:1])
    started = time.perf_counter()
    report.probabilities = model.predict(batch)
    report.seconds = time.perf_counter() - started
    check_alone(spec, model.predict, batch, report.probabilities)
    _look_inside(report, model, batch)
    _note(report, images is None)
    return report


def trial(size: tuple[int, int, int]) -> F32:
    """Three images: seeded noise, a ramp, and a disc on black."""
    channels, height, width = size
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    noise = np.random.default_rng(SEED).random((channels, height, width), np.float32)
    ramp = np.broadcast_to(columns / max(1, width - 1), (channels, height, width))
    disc = np.hypot(rows - height / 2, columns - width / 2) < min(height, width) / 4
    disc = np.broadcast_to(disc, (channels, height, width))
    return np.stack([noise, ramp, disc]).astype(np.float32)


def answers(spec: ModelSpec, batch: F32, device: str) -> F32:
    """What the model itself says ``(n, k)``, before any softmax."""
    if spec.kind in ("onnx", "callable"):
        from backend.registry.plain import PlainBackend

        model = build(spec, "", device)
        assert isinstance(model, PlainBackend)
        return model.answers(batch)
    return _torch_answers(spec, batch)


def _torch_answers(spec: ModelSpec, batch: F32) -> F32:
    import torch

    from backend.registry.torch_models import UNFIT, Scaled, load

    module = Scaled(load(spec), replace(spec, output="logits"))
    try:
        with torch.inference_mode():
            found: F32 = module(torch.from_numpy(batch)).numpy()
    except UNFIT as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise BadRequest(
            f"The model cannot take images of {spec.size}.",
            f"It says: {first[:200]} Check --input (channels x height x width).",
        ) from error
    return found


def _with_classes(spec: ModelSpec, batch: F32, device: str) -> ModelSpec:
    """The spec with as many classes as the model has outputs."""
    if spec.kind in ("onnx", "callable"):
        if not spec.classes:
            raise BadRequest(
                f"The number of classes of {spec.name} is not known.",
                "Add --classes 10, or their names in the order of the outputs.",
            )
        return spec
    check_counted(spec)
    count = _torch_answers(spec, batch).shape[1]
    if not 2 <= count <= MOST_CLASSES:
        raise BadRequest(
            f"The model answers with {count} numbers per image.",
            f"A classifier has 2 to {MOST_CLASSES} outputs, one for each class.",
        )
    if spec.classes and len(spec.classes) != count:
        raise BadRequest(
            f"--classes names {len(spec.classes)} classes, and the model has {count} outputs.",
            f"Write --classes {count}, or {count} names in the order of the outputs.",
        )
    return spec if spec.classes else replace(spec, classes=counted(count))


def check_counted(spec: ModelSpec) -> None:
    """Returns unless a factory has to be told a number of classes that nobody has said."""
    if spec.kind == "safetensors" and spec.answer.is_classed and not spec.classes:
        raise BadRequest(
            f"The factory of {spec.name} must be told the number of classes.", "Add --classes 10."
        )


def check_finite(spec: ModelSpec, raw: F32) -> None:
    if not np.isfinite(raw).all():
        raise BadRequest(
            f"{spec.name} answers {int((~np.isfinite(raw)).sum())} times with NaN or infinity.",
            "Check --mean, --std and --range, and that the weights are whole.",
        )


def output_of(spec: ModelSpec, raw: F32) -> Any:
    """Logits or probabilities, told from the answers where nobody has said it.

    Raises:
        BadRequest: the owner says probabilities, and they are none.
    """
    are = bool((raw >= -SAME).all() and np.abs(raw.sum(axis=1) - 1).max() < SAME)
    if spec.output == "probabilities" and not are:
        raise BadRequest(
            f"A row of {spec.name}'s answers sums to {raw.sum(axis=1)[0]:.4g}, not to 1.",
            "Say --output logits: a softmax is then applied once.",
        )
    if spec.output == "auto":
        return "probabilities" if are else "logits"
    return spec.output


def check_alone(spec: ModelSpec, predict: Callable[[F32], F32], batch: F32, found: F32) -> None:
    """Returns if items get the same numbers alone, among others, and a second time.

    Args:
        predict: items ``(n, ...)`` to finite numbers of them ``(n, ...)``.
        found: what it gave for ``batch``.

    Raises:
        BadRequest: they do not.
    """
    alone = np.concatenate([predict(batch[i : i + 1]) for i in range(len(batch))])
    apart = float(np.abs(alone - found).max())
    if apart > SAME:
        raise BadRequest(
            f"{spec.name} answers an item differently alone and among others (by {apart:.3f}).",
            "It is in training mode, or random: call model.eval() before exporting it.",
        )
    again = float(np.abs(predict(batch) - found).max())
    if again > SAME:
        raise BadRequest(
            f"{spec.name} answers the same items differently the second time (by {again:.3f}).",
            "Export it after model.eval(), so that dropout is off.",
        )


def _look_inside(report: Report, model: Any, batch: F32) -> None:
    """Gradients, layers whose output is a map, and the layer before the classes."""
    spec = report.spec
    if not isinstance(model, SupportsGradients):
        return
    targets = report.probabilities.argmax(axis=1).astype(np.int64)
    try:
        report.has_gradients = bool(np.isfinite(model.saliency(batch, targets)).all())
    except (RuntimeError, BackendError) as error:
        report.notes.append(f"It gives no gradients: {str(error).splitlines()[0][:120]}.")
    maps, vectors = _outputs(model, batch)
    _check_layers(spec, maps, vectors)
    embedding = spec.embedding or next(reversed(vectors), "")
    report.embedding_size = vectors.get(embedding, 0)
    layers = spec.layers or tuple(maps)[-MOST_LAYERS:]
    report.spec = replace(spec, layers=layers, embedding=embedding)


def _outputs(model: Any, batch: F32) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """Names of submodules that put out maps, and of those that put out vectors other than the
    answer.
    """
    import torch

    maps: dict[str, tuple[int, ...]] = {}
    vectors: dict[str, int] = {}
    inner = model._module.inner

    def watch(name: str, output: Any) -> None:
        if not isinstance(output, torch.Tensor):
            return
        if output.ndim == 4 and min(output.shape[2:]) > 1:
            maps[name] = tuple(output.shape[1:])
        elif output.ndim == 2 and output.shape[1] != len(model.card.classes):
            vectors[name] = int(output.shape[1])

    named = inner.named_modules() if isinstance(inner, torch.nn.Module) else ()
    handles = []
    for name, part in named:
        if name and not isinstance(part, torch.jit.ScriptModule):
            handles.append(
                part.register_forward_hook(lambda _m, _i, out, name=name: watch(name, out))
            )
    try:
        model.predict(batch[:1])
    finally:
        for handle in handles:
            handle.remove()
    return {f"inner.{k}": v for k, v in maps.items()}, {f"inner.{k}": v for k, v in vectors.items()}


def _check_layers(spec: ModelSpec, maps: Any, vectors: Any) -> None:
    for name in spec.layers:
        if name not in maps:
            raise BadRequest(
                f"{spec.name} has no layer {name[:60]!r} that puts out a map.",
                f"Layers with maps: {', '.join(maps) or 'none can be seen in this kind of file'}.",
            )
    if spec.embedding and spec.embedding not in vectors:
        raise BadRequest(
            f"{spec.name} has no layer {spec.embedding[:60]!r} that puts out a vector.",
            f"Layers with vectors: {', '.join(vectors) or 'none'}.",
        )


def _note(report: Report, is_made_up: bool) -> None:
    """What is worth a second look; nothing here is certain."""
    spec, found = report.spec, report.probabilities
    if spec.kind == "torchscript":
        from backend.registry.kinds import TO_CONVERT

        report.notes.append(TO_CONVERT)
    if float(np.abs(found - found[:1]).max()) < SAME:
        report.notes.append(
            "It answers three very different images alike: are the weights in it, and are mean, "
            "std and range right?"
        )
    if not is_made_up and float(found.max(axis=1).min()) > SURE and spec.range == "0..255":
        report.notes.append("It is very sure of everything: does it really take 0..255?")
    if is_counted(spec.classes):
        report.notes.append(
            "Its classes are only numbered: it fits every data set with as many, in their order."
        )
    if spec.batch:
        report.notes.append(
            f"Its file fixes {spec.batch} image(s) per call; a dynamic batch would be faster."
        )


def checked_images(images: Sequence[Any]) -> F32:
    """Three images of a set as a batch."""
    return np.stack([np.asarray(image, np.float32) for image in images])
