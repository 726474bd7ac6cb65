"""``python -m backend models add|remove|show|embed`` and ``data add|remove|index|show``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from backend.errors import BadRequest
from backend.registry import adding, sets, store, views
from backend.registry.answers import ANSWERS
from backend.registry.data_spec import SetKind
from backend.registry.spec import how_many
from backend.registry.validate import ITEMS, Report

MODEL_FIELDS: Final = {
    "task": f"what it answers: {', '.join(ANSWERS)}; told from the file where it says it",
    "input": "channels x height x width, such as 3x224x224, of clouds 1024x3; read from the file "
    "where it says it",
    "range": "what black and white are before mean and std: 0..1 (default), -1..1 or 0..255",
    "mean": "subtracted per channel, such as 0.485,0.456,0.406",
    "std": "divided by per channel",
    "classes": "their number, or names in the order of the outputs, such as cat,dog",
    "output": "logits or probabilities, of detectors boxes, anchors or queries; found by running "
    "it unless given",
    "layers": "submodules whose maps can be looked at; found unless given",
    "embedding": "submodule whose output stands for the image; found unless given",
    "factory": "package.module:function that makes the network, for .safetensors",
    "title": "name for people",
    "licence": "of the weights",
    "data": "what it was trained on",
}
SET_FIELDS: Final = {
    "kind": f"told from the path unless given: {', '.join(get_args(SetKind))}",
    "classes": "names in the order of a model's outputs; its own, sorted, unless given",
    "image": "column or array of the images; guessed unless given",
    "label": "column or array of the labels; guessed unless given",
    "split": "column that says train or test; guessed unless given",
    "caption": "column of the texts of paired images; guessed unless given",
    "images": "folder or zip of a table's images, beside the table",
    "columns": "what columns of contents mean: text=headline+lede,experiment_id=test",
    "labels": "an .npy of labels beside an .npy of images",
    "title": "name for people",
    "licence": "of the images",
    "source": "where they come from",
}


def add_models(actions: Any) -> None:
    """Adds what can be done with models."""
    one = actions.add_parser("add", help="register a model of your own; it is run on three items")
    one.add_argument(
        "path", help=".pt2, .onnx, .safetensors, TorchScript, a folder, timm:NAME, torchvision:NAME"
    )
    one.add_argument("--name", required=True, help="short name used in links")
    one.add_argument("--try-on", default="", help="a registered data set to try it on")
    _fields(one, MODEL_FIELDS)
    one.set_defaults(run=_add_model)
    one = actions.add_parser("edit", help="change what is said of a registered model")
    one.add_argument("name")
    _fields(one, MODEL_FIELDS)
    one.set_defaults(run=_edit_model)
    one = actions.add_parser("show", help="its spec, what running it found, and its views")
    one.add_argument("name")
    one.set_defaults(run=_show_model)
    one = actions.add_parser("remove", help="forget a model; its file stays")
    one.add_argument("name")
    one.set_defaults(run=_remove_model)
    one = actions.add_parser("embed", help="its embeddings of a registered data set")
    one.add_argument("name")
    one.add_argument("--data", required=True)
    one.add_argument("--npz", type=Path, required=True)
    one.set_defaults(run=_embed)


def add_data(actions: Any) -> None:
    """Adds what can be done with data sets."""
    one = actions.add_parser("add", help="register and index a data set of your own")
    one.add_argument("path", help="a folder, a .csv or .parquet, .npy or .npz, or COCO's .json")
    one.add_argument("--name", required=True, help="short name used in links")
    _fields(one, SET_FIELDS)
    one.set_defaults(run=_add_set)
    one = actions.add_parser("index", help="read what is new or changed")
    one.add_argument("name")
    one.set_defaults(run=_index_set)
    one = actions.add_parser("show", help="its spec, problems, duplicates and views")
    one.add_argument("name")
    one.set_defaults(run=_show_set)
    one = actions.add_parser("remove", help="forget a data set; its files stay")
    one.add_argument("name")
    one.set_defaults(run=_remove_set)


def _fields(command: argparse.ArgumentParser, fields: Mapping[str, str]) -> None:
    for name, what in fields.items():
        command.add_argument(f"--{name}", dest=f"field_{name}", metavar="…", help=what)


def _given(asked: argparse.Namespace, fields: Mapping[str, str]) -> dict[str, Any]:
    said = {name: getattr(asked, f"field_{name}") for name in fields}
    return {name: _read(name, value) for name, value in said.items() if value is not None}


def _read(name: str, value: str) -> str:
    """A value, or for classes the lines of a text file that is named instead."""
    path = Path(value)
    if name == "classes" and path.suffix == ".txt":
        if not path.is_file():
            raise BadRequest(f"There is no file {path.name!r} of classes.", "One name a line.")
        return ",".join(path.read_text(encoding="utf-8").split("\n"))
    return value


def _add_model(asked: argparse.Namespace) -> None:
    report = adding.add_model(asked.path, asked.name, _given(asked, MODEL_FIELDS), asked.try_on)
    tell_model(report)


def tell_model(report: Report) -> None:
    """What running it found, and where it opens."""
    spec, told = report.spec, report.to_json()
    classes = f", {how_many(spec.classes)}" if spec.answer.is_classed else ""
    form = "" if spec.output == "auto" else f" as {spec.output}"
    lines = [
        f"{spec.name}: {spec.kind}, takes {spec.size}{classes}, answers about "
        f"{spec.answer.title}{form}; {ITEMS} items in {1000 * report.seconds:.1f} ms.",
        f"Answers to the {ITEMS} items: {', '.join(told['answers'])}.",
        *report.notes,
    ]
    _say(lines, views.of_model(store.required().model(spec.name)))


def _say(lines: list[str], opened: list[views.View]) -> None:
    for view in opened:
        if view.href:
            lines.append(f"{view.name}: {view.href}")
    if not any(view.href for view in opened):
        lines += [f"{view.name}: {view.why} {view.command}".strip() for view in opened[:1]]
    sys.stdout.write("\n".join(lines) + "\n")


def _edit_model(asked: argparse.Namespace) -> None:
    given = _given(asked, MODEL_FIELDS)
    if not given:
        raise BadRequest("Nothing is to be changed.", "Name a field, such as --classes cat,dog.")
    tell_model(adding.edit_model(asked.name, given))


def _show_model(asked: argparse.Namespace) -> None:
    held = store.required().model(asked.name)
    told = {
        **held.spec.to_json(),
        "fingerprint": held.fingerprint[:16],
        "validation": dict(held.validation),
        "views": [_view(view) for view in views.of_model(held)],
    }
    sys.stdout.write(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def _view(view: views.View) -> dict[str, str]:
    told = {"name": view.name, "href": view.href, "why": view.why, "command": view.command}
    return {key: text for key, text in told.items() if text}


def _remove_model(asked: argparse.Namespace) -> None:
    adding.remove_model(asked.name)
    sys.stdout.write(f"{asked.name} is forgotten; its file stays where it is.\n")


def _embed(asked: argparse.Namespace) -> None:
    found = adding.embedded(asked.name, asked.data, _progress)
    sys.stderr.write("\n")
    np.savez(asked.npz, allow_pickle=False, **found)
    sys.stdout.write(f"{found['embeddings'].shape} to {asked.npz}\n")


def _add_set(asked: argparse.Namespace) -> None:
    summary = adding.add_set(asked.path, asked.name, _given(asked, SET_FIELDS), _progress)
    tell_set(asked.name, summary)


def _index_set(asked: argparse.Namespace) -> None:
    tell_set(asked.name, adding.index_again(asked.name, _progress))


def tell_set(name: str, summary: Mapping[str, Any]) -> None:
    """What the index found, and where the set opens."""
    sys.stderr.write("\n")
    held = store.required().set(name)
    again = summary["duplicates"]
    kind = sets.KINDS.get(held.spec.kind)
    lines = [
        f"{name}: {summary['items']} {kind.noun if kind else 'images'} in "
        f"{how_many(held.spec.classes)}, "
        f"{summary['read']} read now, {summary['unlabelled']} without a label.",
        f"{again['equal']} equal and {again['near']} nearly equal to an earlier one; "
        f"{again['leaks']} pairs across splits; {again['conflicts']} pairs with two labels.",
    ]
    lines += summary.get("notes", ())
    lines += [f"row {row}: {text}." for row, text in summary["first_problems"][:10]]
    if summary["problems"] > 10:
        lines.append(f"… and {summary['problems'] - 10} more rows that are left out.")
    _say(lines, views.of_set(held))


def _show_set(asked: argparse.Namespace) -> None:
    held = store.required().set(asked.name)
    told = {
        **held.spec.to_json(),
        "fingerprint": held.fingerprint[:16],
        "summary": dict(held.summary),
        "views": [_view(view) for view in views.of_set(held)],
    }
    sys.stdout.write(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def _remove_set(asked: argparse.Namespace) -> None:
    adding.remove_set(asked.name)
    sys.stdout.write(f"{asked.name} is forgotten; its files stay where they are.\n")


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done} of {total}")
    sys.stderr.flush()
