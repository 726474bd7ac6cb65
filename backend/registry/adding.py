"""Adding to the registry and removing from it: for the command line, ``loupe.toml`` and jobs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from backend import catalog, datasets
from backend.errors import BackendError, BadRequest, NotFound
from backend.items import to_batch
from backend.protocols import F32, Progress
from backend.registry import (
    building,
    earlier,
    guess,
    index,
    items,
    kinds,
    language,
    own_classes,
    sets,
    store,
    telling,
    validate,
    views,
)
from backend.registry.answers import CLASSIFICATION, DETECTION, PAIRS, POINTS, TEXTS
from backend.registry.data_spec import SetSpec
from backend.registry.earlier import Earlier
from backend.registry.named import is_named
from backend.registry.spec import KIND_TITLES, ModelSpec, from_json
from backend.registry.store import OwnSet
from backend.registry.validate import Report
from backend.scenes import CROP_PX


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""
    del done, total


def model_spec(path: str, name: str, given: Mapping[str, Any]) -> tuple[ModelSpec, list[str]]:
    """The spec of a file, a folder or a name such as ``timm:NAME``, completed from the file itself,
    and what was guessed.

    Raises:
        BadRequest: the path is not a model, or a value is not usable.
    """
    store.refuse_taken(name, catalog.models(), "model")
    if is_named(path):
        kind, _, place = path.partition(":")
    else:
        kind, place = kinds.kind_of(Path(path)), str(Path(path).resolve())
    if given.get("factory") and kind != "safetensors":
        raise BadRequest(
            f"A factory is for safetensors, and this is {KIND_TITLES[kind]}.",
            "Leave --factory away: the file holds its network itself.",
        )
    told = {**given, "name": name, "kind": kind, "path": place}
    if not told.get("task"):
        told["task"] = guess.task_in(kind, place, str(given.get("factory", "")))
    return guess.guessed(from_json(told))


def add_model(path: str, name: str, given: Mapping[str, Any], data: str = "") -> Report:
    """Registers a model that has answered on three items.

    Args:
        given: fields of the spec that its owner says.
        data: a registered set whose first three images are tried; made-up ones unless given.

    Raises:
        BadRequest: it cannot be read, or does not answer as its task wants it.
    """
    spec, guesses = model_spec(path, name, given)
    report = validated(spec, data)
    report.notes[:0] = [f"From the file: {text}." for text in guesses]
    fingerprint = building.fingerprint(report.spec)
    if spec.task == PAIRS:  # before it is known: nobody is to see another model's vectors as its
        language.place_all(report.spec)
    store.required().put_model(report.spec, fingerprint, report.to_json())
    return report


def validated(spec: ModelSpec, data: str = "") -> Report:
    """The model tried on three items, of a registered set where one is named.

    Raises:
        BadRequest: it does not answer as its task wants it, or the set is of another kind.
    """
    if spec.task in (PAIRS, TEXTS):
        return language.validated(spec)
    if spec.task == CLASSIFICATION:
        return validate.validated(spec, _trial(data, spec) if data else None)
    from backend.registry import trials  # imports torch

    return trials.validated(spec, _trial(data, spec) if data else None)


def edit_model(name: str, given: Mapping[str, Any]) -> Report:
    """Changes what a registered model's spec says, after it has answered with that.

    Raises:
        NotFound, BadRequest: as :func:`add_model`.
    """
    held = store.required().model(name)
    if held.spec.task in (PAIRS, TEXTS):
        raise BadRequest(f"{name} has nothing to be changed.", "Add it again.")
    refused = {"name", "kind", "path"} & given.keys()
    if refused:
        raise BadRequest(f"{refused.pop()} cannot be changed.", "Add the model again.")
    # Layers and output were found with the old values: they are found again.
    again = {"output": "auto", "layers": [], "embedding": "", "any_side": False}
    report = validated(held.spec.changed({**again, **given}))
    fingerprint = building.fingerprint(report.spec)
    store.required().put_model(report.spec, fingerprint, report.to_json())
    return report


def remove_model(name: str) -> None:
    """Forgets a model; its own file stays, an uploaded copy goes. Raises NotFound."""
    held = store.required().model(name)
    store.required().remove_model(name)
    _remove_upload(held.spec.path)


def add_set(
    path: str, name: str, given: Mapping[str, Any], progress: Progress = quiet
) -> Mapping[str, Any]:
    """Registers and indexes a data set, and decodes it for the models that fit; its summary.

    Raises:
        BadRequest: it cannot be read. Cancelled: by ``progress``.
    """
    store.refuse_taken(name, datasets.bundled(), "data set")
    spec = telling.spec_of(name, Path(path), dict(given))
    if spec.labels:
        spec = spec.changed({"labels": str(Path(spec.labels).resolve())})
    return _indexed(spec, progress)


def index_again(name: str, progress: Progress = quiet) -> Mapping[str, Any]:
    """Reads what is new or changed in a registered set. Raises as :func:`add_set`."""
    held = store.required().set(name)
    if not _is_unchanged(held):
        return _indexed(held.spec, progress)
    progress(1, 1)
    summary = {**held.summary, "read": 0}
    _put(held.spec, held.fingerprint, summary)
    return summary


def _is_unchanged(held: OwnSet) -> bool:
    """Whether a set that is read as one has the files it had, and what was made of it is there."""
    stamp = earlier.whole(held.spec)
    if not stamp or held.summary.get(index.WHOLE) != f"{stamp:016x}":
        return False
    if held.spec.kind == "contents":
        from backend.registry.sets import contents  # pandas

        if not contents.is_held(str(held.summary["opens"]["key"])):
            return False
    return index.known(held.spec).index is not None


def _indexed(spec: SetSpec, progress: Progress) -> Mapping[str, Any]:
    asked = spec
    tells_itself = ("arrays", *own_classes.TASKS)  # what was said from what was found
    if spec.kind not in tells_itself and _are_own_names(spec):
        asked = spec.changed({"classes": []})  # a new class folder is a new class
    before, known = store.sets().get(spec.name), index.known(spec)
    made, fingerprint, summary = index.build(asked, progress, known)
    if (
        before
        and before.spec.kind == "contents"
        and before.summary.get("opens") != summary.get("opens")
    ):
        _forget_contents(before.summary)
    _put(made, fingerprint, summary, known)
    return summary


def _put(
    spec: SetSpec, fingerprint: str, summary: Mapping[str, Any], known: Earlier = earlier.NOTHING
) -> None:
    """Writes a set down as it was indexed, and makes of it what views would wait for."""
    store.required().put_set(spec, fingerprint, summary)
    if spec.kind == "pairs":
        language.place_set(spec.name, known)
    for size in views.sizes_of(store.required().set(spec.name)):
        items.prepare(spec.name, size)


def _are_own_names(spec: SetSpec) -> bool:
    """Whether a set's classes are those that an earlier index found in it."""
    held = store.sets().get(spec.name)
    return held is not None and tuple(sorted(spec.classes)) == spec.classes


def remove_set(name: str) -> None:
    """Forgets a data set and its index; its own files stay. Raises NotFound."""
    held = store.required().set(name)
    store.required().remove_set(name)
    shutil.rmtree(index.folder(name), ignore_errors=True)
    if held.spec.kind == "contents":
        _forget_contents(held.summary)
    _remove_upload(held.spec.path)


def _forget_contents(summary: Mapping[str, Any]) -> None:
    from backend.registry.sets import contents

    with suppress(NotFound):  # removed there already
        contents.forget(str(summary["opens"]["key"]))


def _remove_upload(path: str) -> None:
    """Deletes an uploaded copy that no other entry uses: a file may be registered twice."""
    from backend.registry.uploading import folder

    where = Path(path)
    if not where.is_relative_to(folder()):
        return
    own = folder() / where.relative_to(folder()).parts[0]
    registry = store.required()
    used = [model.spec.path for model in registry.models(now=True).values()]
    for held in registry.sets(now=True).values():
        used += [held.spec.path, held.spec.labels, held.spec.images]
    if any(Path(place).is_relative_to(own) for place in used if place):
        return
    if own.is_dir():
        shutil.rmtree(own, ignore_errors=True)
    else:
        own.unlink(missing_ok=True)


def _trial(data: str, spec: ModelSpec) -> F32:
    """Three items of a registered set, spread over it, as the model is asked about them."""
    if spec.task == CLASSIFICATION:
        held: Any = items.load(items.key_of(data, spec.input))
        return to_batch(held.images(_spread(held)))
    kind = sets.KINDS.get(store.required().set(data).spec.kind)
    if kind is None or kind.task != spec.task:
        raise BadRequest(
            f"{data} holds {kind.noun if kind else 'images'}, and {spec.name} is of the task "
            f"{spec.task} ({spec.answer.title}).",
            "Name a set of that kind, or none.",
        )
    held = sets.items(f"{data}--{kind.suffix}")
    found: F32 = np.asarray(held.inputs(_spread(held)), np.float32)
    if spec.task == POINTS:
        return found
    if spec.task == DETECTION:
        top, left = ((side - CROP_PX) // 2 for side in found.shape[2:])
        found = found[:, :, top : top + CROP_PX, left : left + CROP_PX]
    return found / np.float32(255)


def _spread(held: Any) -> list[int]:
    rows: list[int] = np.linspace(0, len(held) - 1, validate.ITEMS).astype(int).tolist()
    return rows


def embedded(name: str, data: str, progress: Progress = quiet) -> dict[str, Any]:
    """The embedding layer's output for a registered set: ``embeddings`` (n, d) float32, with
    ``ids``, ``labels``, ``classes`` and ``names``.

    Raises:
        BadRequest: the model has no such layer, or cannot take the set.
    """
    from backend.torch_backend import TorchBackend

    held = store.required().model(name)
    model = catalog.load_model(name)
    if not held.spec.embedding or not isinstance(model, TorchBackend):
        raise BackendError(
            f"{name} has no layer that puts out a vector.",
            "ONNX and served functions show none; export the model with torch.export.",
        )
    found = items.load(items.key_of(data, held.spec.input))
    made = []
    for start in range(0, len(found), 64):
        progress(start, len(found))
        rows = np.arange(start, min(start + 64, len(found)))
        made.append(model.embed(to_batch(found.images(rows)), held.spec.embedding))
    progress(len(found), len(found))
    return {
        "embeddings": np.concatenate(made),
        "ids": found.ids,
        "labels": found.labels,
        "classes": np.array(found.classes),
        "names": np.array(found.names),
    }
