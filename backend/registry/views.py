"""Which models fit which data, and which views take them: with the reason where one does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.registry import sets, store
from backend.registry.data_spec import PICTURES
from backend.registry.items import Size, key_of
from backend.registry.spec import PAIRS, TEXTS, ModelSpec, is_counted
from backend.registry.store import OwnModel, OwnSet
from models.cards import ModelCard

IMAGE_TASKS: Final = ("digits", "fashion", "imagenet")  # of bundled cards that classify images


@dataclass(frozen=True, slots=True)
class View:
    """One view of one model or data set.

    Attributes:
        name: of the page.
        href: where it opens; empty where it cannot.
        why: what is missing, and what to do; empty where it opens.
        command: to copy, where that is what is missing.
    """

    name: str
    href: str = ""
    why: str = ""
    command: str = ""


def misfit(classes: Sequence[str], wanted: Sequence[str]) -> str:
    """Why a model's classes do not answer about a set's; empty where they do.

    A model whose classes are only numbered fits every set with as many.
    """
    if tuple(classes) == tuple(wanted):
        return ""
    if len(classes) != len(wanted):
        return f"it has {len(classes)} classes and the data {len(wanted)}"
    if is_counted(classes):
        return ""
    if set(classes) == set(wanted):
        return "its classes are in another order: " + ", ".join(classes)[:120]
    odd = next(name for name in classes if name not in set(wanted))
    return f"its class {odd[:40]!r} is none of the data's"


def sizes_of(held: OwnSet) -> list[Size]:
    """The sizes at which models ask for a set: of every model whose classes fit, once each."""
    if not held.spec.classes or held.spec.kind not in PICTURES:
        return []
    found = [
        model.spec.input
        for model in store.listed().models.values()
        if not misfit(model.spec.classes, held.spec.classes)
    ]
    found += [size_of(card) for card in _bundled() if card.classes == held.spec.classes]
    return list(dict.fromkeys(found))


def size_of(card: ModelCard) -> Size:
    """Channels, height and width of what a model takes."""
    return card.input.channels, card.input.height, card.input.width


def cards_for(size: Size, classes: Sequence[str], *, with_bundled: bool) -> dict[str, ModelCard]:
    """The models by key that take this size and answer about these classes."""
    found: dict[str, ModelCard] = {}
    if with_bundled:
        found |= {
            card.key: card
            for card in _bundled()
            if size_of(card) == size and card.classes == tuple(classes)
        }
    for name, model in store.listed().models.items():
        if model.spec.input == size and not misfit(model.spec.classes, classes):
            found[name] = model.spec.card(model.fingerprint)
    return found


def _bundled() -> list[ModelCard]:
    from backend import catalog

    return [card for card in catalog.models().values() if card.task in IMAGE_TASKS]


def pairs() -> list[tuple[str, OwnSet, Size]]:
    """Every registered set at every size that a model takes: key, set, size."""
    return [
        (key_of(name, size), held, size)
        for name, held in store.listed().sets.items()
        for size in sizes_of(held)
    ]


def of_model(model: OwnModel) -> list[View]:
    """The views that a registered model opens in, and why the others do not."""
    if model.spec.task == TEXTS:
        name = model.spec.name
        return [View("NERO", f"/nero?task=texts&models={name}&focus={name}")]
    if model.spec.task == PAIRS:
        return [_gap(model.spec.name)]
    return [_nero_of_model(model.spec), *_others(model.spec, model.validation)]


def _gap(model: str) -> View:
    """A dual encoder opens on every registered set of pairs."""
    found = [f"{name}--{model}" for name, one in store.sets().items() if one.spec.kind == "pairs"]
    if found:
        return View("Modality gap", f"/modality-gap?spaces={','.join(found[:4])}&focus={found[0]}")
    why = "No set of images paired with texts is registered."
    return View("Modality gap", why=why, command="python -m backend data add FOLDER --name NAME")


def _nero_of_model(spec: ModelSpec) -> View:
    labelled = {
        name: held
        for name, held in store.sets().items()
        if held.spec.classes and held.spec.kind in PICTURES
    }
    for name, held in labelled.items():
        if not misfit(spec.classes, held.spec.classes):
            key = key_of(name, spec.input)
            return View("NERO", f"/nero?task={key}&models={spec.name}&focus={spec.name}")
    task = _bundled_task(spec)
    if task:
        return View("NERO", f"/nero?task={task}&models={spec.name}&focus={spec.name}")
    reasons = [
        f"{held.spec.told}: {misfit(spec.classes, held.spec.classes)}" for held in labelled.values()
    ]
    why = "No data set fits it" + (f" ({reasons[0]})" if reasons else "") + "."
    return View("NERO", why=why, command="python -m backend data add FOLDER --name NAME")


def _bundled_task(spec: ModelSpec) -> str:
    """The bundled task whose images and classes a model takes; empty where there is none."""
    from backend import datasets

    for task, key in (("digits", "digits"), ("fashion", "fashion"), ("photos", "photos")):
        info = datasets.bundled()[key]
        height, width, channels = info.shape
        is_fitting = spec.input == (channels, height, width)
        if is_fitting and not misfit(spec.classes, datasets.load(key).classes):
            return task
    return ""


def _others(spec: ModelSpec, validation: Mapping[str, Any]) -> list[View]:
    crayon = (
        "Its maps must have a closed form: one convolution trunk, one layer of neurons, one linear "
        "layer. Wrap it in models.guided_nets.GuidedNet and add it with its set."
    )
    return [
        View("Crayon", why=crayon, command="python -m backend crayon add FOLDER --name NAME"),
        _class_map(spec, validation),
        View("Metric learning", f"/metric-learning?loss=own:{spec.name}"),
        View("Insights", why="It takes a table of contents with a success column, not images."),
        _embeddings(spec, validation),
    ]


def _class_map(spec: ModelSpec, validation: Mapping[str, Any]) -> View:
    """Zoom-In takes any classifier for its class map (Grad-CAM) over a whole image."""
    if spec.layers and validation.get("has_gradients"):
        return View("Zoom-In (class map)", f"/zoom?cam={spec.name}&layers=cam,samples")
    why = "Its class map needs gradients and a layer with maps, which this kind of file hides."
    return View("Zoom-In", why=f"{why} Export the model with torch.export.")


def _embeddings(spec: ModelSpec, validation: Mapping[str, Any]) -> View:
    if validation.get("embedding_size"):
        return View(
            "Embeddings",
            why=f"Computed by command: {validation['embedding_size']} numbers per image.",
            command=f"python -m backend models embed {spec.name} --data NAME --npz out.npz",
        )
    return View("Embeddings", why="No layer that puts out a vector can be seen in its file.")


def of_set(held: OwnSet) -> list[View]:
    """The views that a registered data set opens in, and why the others do not."""
    if held.spec.kind not in PICTURES:
        kind = sets.KINDS[held.spec.kind]
        return [View(kind.view, sets.href_of(held.spec, held.summary))]
    sizes = sizes_of(held)
    nero = View(
        "NERO",
        why=_why_no_model(held),
        command="python -m backend models add FILE --name NAME",
    )
    if sizes:
        nero = View("NERO", f"/nero?task={key_of(held.spec.name, sizes[0])}")
    crayon = View(
        "Crayon",
        why="Crayon needs a network whose maps have a closed form, and groups by background.",
        command=f"python -m backend crayon add FOLDER --name {held.spec.name}",
    )
    return [nero, crayon]


def _why_no_model(held: OwnSet) -> str:
    if not held.spec.classes:
        return "Its images have no labels, so no model can be right or wrong about them."
    if len(held.spec.classes) < 2:
        return "It has one class only; a classifier tells at least two apart."
    reasons = [
        f"{name}: {misfit(model.spec.classes, held.spec.classes)}"
        for name, model in store.models().items()
    ]
    told = f" ({reasons[0]})" if reasons else ""
    return f"No registered model tells its {len(held.spec.classes)} classes apart{told}."
