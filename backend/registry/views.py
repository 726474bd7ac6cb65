"""Which models fit which data, and which views take them: with the reason where one does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from backend.registry import own_classes, sets, store
from backend.registry.answers import CLASSIFICATION, DETECTION, MOTION, PAIRS, TEXTS
from backend.registry.data_spec import PICTURES
from backend.registry.items import Size, key_of
from backend.registry.spec import ModelSpec, how_many, is_counted
from backend.registry.store import OwnModel, OwnSet
from models.cards import ModelCard, Task

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
        return f"it has {how_many(classes)} and the data {len(wanted)}"
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
        if model.spec.task == CLASSIFICATION and not misfit(model.spec.classes, held.spec.classes)
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
        is_classifier = model.spec.task == CLASSIFICATION and model.spec.input == size
        if is_classifier and not misfit(model.spec.classes, classes):
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


def fitting(task: str, key: str, bundled: Mapping[str, ModelCard]) -> dict[str, ModelCard]:
    """The models of detection, particle motion or points that fit the items of a key: registered
    ones that know their classes, some bundled ones, and registered detectors of other classes.
    """
    asked = asked_by(task, key)

    def is_strange(card: ModelCard) -> bool:
        return task != MOTION and bool(_misfit_of(task, card.classes, asked.classes))

    own = {
        name: held.spec.card(held.fingerprint)
        for name, held in store.listed().models.items()
        if held.spec.task == task and not why_not(held.spec, asked)
    }
    near = {name: card for name, card in own.items() if not is_strange(card)}
    theirs = {name: card for name, card in bundled.items() if not is_strange(card)}
    return {**near, **theirs, **own}


@dataclass(frozen=True, slots=True)
class Asked:
    """What items want of a model: the classes they have, and the side of their frames in px."""

    classes: tuple[str, ...] = ()
    side_px: int = 0


def asked_by(task: str, key: str) -> Asked:
    """What the items of a key want of a model of a task; of a bundled set or a registered one."""
    from backend import datasets
    from models.class_names import class_names

    held = store.listed().sets.get(sets.name_of(key))
    if task == MOTION:
        bundled = datasets.bundled()["piv"].shape[0]
        return Asked(side_px=held.summary["largest"][1] if held else bundled)
    if held is None:
        return Asked(class_names(cast(Task, task)))
    return Asked(own_classes.of_arrays(held.spec.kind, sets.kept(held.spec.name)))


def why_not(spec: ModelSpec, asked: Asked) -> str:
    """Why a registered model does not fit items; empty where it does.

    A detector of other classes does: where its boxes lie, and its consensus, do not ask for them.
    """
    if spec.task == DETECTION:
        return ""
    if spec.task != MOTION:
        return _misfit_of(spec.task, spec.classes, asked.classes)
    if spec.any_side or spec.input[1] == asked.side_px:
        return ""
    return f"it takes frames of {spec.input[1]} px and these have {asked.side_px} px"


def _misfit_of(task: str, classes: Sequence[str], wanted: Sequence[str]) -> str:
    """Boxes of a class that the data do not have are just wrong; one class in common is enough."""
    if task == DETECTION and set(classes) & set(wanted) and not is_counted(classes):
        return ""
    return misfit(classes, wanted)


def of_model(model: OwnModel) -> list[View]:
    """The views that a registered model opens in, and why the others do not."""
    if model.spec.task == TEXTS:
        name = model.spec.name
        return [View("NERO", f"/nero?task=texts&models={name}&focus={name}")]
    if model.spec.task == PAIRS:
        return [_gap(model.spec.name)]
    if model.spec.task != CLASSIFICATION:
        return [_nero_of_task(model.spec), *_of_classifiers()]
    return [_nero_of_model(model.spec), *_others(model.spec, model.validation)]


def _nero_of_task(spec: ModelSpec) -> View:
    """NERO on the first set of one's own that fits, else on the bundled one."""
    like = next(kind for kind in sets.KINDS.values() if kind.task == spec.task)
    own = [f"{name}--{like.suffix}" for name, held in store.sets().items() if kind_of(held) == like]
    asked = {key: asked_by(spec.task, key) for key in (*own, spec.task)}
    reasons = {key: why_not(spec, one) for key, one in asked.items()}
    if spec.task == DETECTION:  # first where its classes are
        odd = {key: _misfit_of(DETECTION, spec.classes, one.classes) for key, one in asked.items()}
        reasons = {key: reasons[key] for key in sorted(odd, key=lambda key: bool(odd[key]))}
    for key, why in reasons.items():
        if not why:
            return View("NERO", f"/nero?task={key}&models={spec.name}&focus={spec.name}")
    key, why = next(iter(reasons.items()))
    told = sets.name_of(key) or "the bundled set"
    return View(
        "NERO",
        why=f"No set of {like.noun} fits it ({told}: {why}).",
        command="python -m backend data add FOLDER --name NAME",
    )


def kind_of(held: OwnSet) -> sets.Kind | None:
    """What a registered set is to people; None where it is labelled images."""
    return sets.KINDS.get(held.spec.kind)


def _of_classifiers() -> list[View]:
    return [
        View("Zoom-In", why="Its class map takes classifiers of images."),
        View("Crayon, Metric learning", why="They take classifiers of images."),
    ]


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
    if (kind := kind_of(held)) is not None:
        return [_view_of_kind(held, kind)]
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


def _view_of_kind(held: OwnSet, kind: sets.Kind) -> View:
    key = f"{held.spec.name}--{kind.suffix}"
    if kind.task:
        from backend import catalog

        if not catalog.models_for(key):
            classes = f"its {how_many(held.spec.classes)}" if held.spec.classes else "its frames"
            return View(
                kind.view,
                why=f"No model is registered that answers about {classes}.",
                command=f"python -m backend models add FILE --name NAME --task {kind.task}",
            )
    return View(kind.view, sets.href_of(held.spec, held.summary))


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
    return f"No registered model tells its {how_many(held.spec.classes)} apart{told}."
