"""``python -m backend metric render|embed|model|values|sweep|words``: rendered cars, and models on
them.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend import cli_files
from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.metric_learning import cars, own_models, shipped
from backend.metric_learning.distances import DISTANCES

U8 = NDArray[np.uint8]


def add(actions: Any) -> None:
    """Adds the actions to ``metric``."""
    one = actions.add_parser("render", help="scenes with independent properties, as images")
    one.add_argument("--n", type=int, default=200)
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--vary", default="", help="properties that vary; all unless given")
    one.add_argument("--meshes", type=Path, nargs="*", default=[], help=".obj or .glb files")
    one.add_argument("--paint", default="", help="materials that take the scene's colour")
    one.add_argument("--out", type=Path, required=True, metavar="FILE.npy")
    cli_files.add_formats(one, ("csv", "parquet"))
    one.set_defaults(run=render)
    one = actions.add_parser("embed", help="images to embeddings, by a bundled or your own model")
    one.add_argument("--images", type=Path, required=True, metavar="FILE.npy")
    one.add_argument("--loss", default="", help="a bundled model")
    one.add_argument(
        "--model", default="", help="your own: module:function, (n, 3, h, w) in [0, 1] -> (n, d)"
    )
    one.add_argument("--out", type=Path, required=True, metavar="FILE.npy")
    one.set_defaults(run=embed)
    one = actions.add_parser("model", help="a registered model's column: NR-Prec on the test cars")
    _model(one)
    cli_files.add_formats(one, ("json", "csv", "parquet", "npz"))
    one.set_defaults(run=model)
    one = actions.add_parser("values", help="NR-Prec of every value of every property")
    _model(one, "?")
    cli_files.add_formats(one, ("json", "csv", "parquet", "npz"))
    one.set_defaults(run=values)
    one = actions.add_parser("sweep", help="one property of one bundled car changed")
    one.add_argument("--image", type=int, default=0)
    one.add_argument("--property", default="car_rotation", choices=cars.NAMES)
    cli_files.add_formats(one, ("json", "csv", "parquet", "npz"))
    one.set_defaults(run=sweep)
    one = actions.add_parser("words", help="what an embedding from prompts clusters by")
    one.add_argument("--notion", default="", help="one of the bundled notions")
    one.add_argument("--prompts", nargs="*", default=[], help="your own prompts")
    one.add_argument("--dimensions", type=int, default=128)
    cli_files.add_formats(one, ("json", "csv", "parquet", "npz"))
    one.set_defaults(run=words)


def _model(command: argparse.ArgumentParser, count: str | None = None) -> None:
    command.add_argument("name", nargs=count, default="", help="of a registered model")
    command.add_argument("--answers", action="store_true", help="its answers, not its last layer")
    named = ", ".join(DISTANCES)
    command.add_argument("--distance", default="", help=f"one of {named}; euclidean unless given")


def render(asked: argparse.Namespace) -> None:
    """Writes images (n, 128, 128, 3) uint8 and their property table.

    Raises:
        BadRequest: a mesh, a property or a number is not usable.
    """
    from backend.metric_learning import mesh_files, meshes, rendering

    models = shipped.meshes()
    if asked.meshes:
        models = {
            path.stem: meshes.mesh(mesh_files.read(_bytes(path), path.name, asked.paint))
            for path in asked.meshes
        }
    varied = [name.strip() for name in asked.vary.split(",") if name.strip()]
    table = cars.sample(list(models), asked.n, asked.seed, varied)
    images = np.stack(
        [
            rendering.render(
                models[row[cars.MODEL]], {name: float(row[name]) for name in cars.BY_NAME}
            )[0]
            for row in table.to_dict(orient="records")
        ]
    )
    np.save(asked.out, images, allow_pickle=False)
    if not cli_files.write(asked, table, {}):
        sys.stdout.write(table.to_csv(index=False))


def embed(asked: argparse.Namespace) -> None:
    """Writes embeddings (n, d) float32.

    Raises:
        BadRequest: the images or the model are not usable.
    """
    images = cli_files.read_array(asked.images, "The images")
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise BadRequest(
            f"The images are {images.dtype} {images.shape}.", "Give uint8 (n, height, width, 3)."
        )
    if bool(asked.loss) == bool(asked.model):
        raise BadRequest("Say which model.", "Give --loss or --model.")
    found = _own(asked.model, images) if asked.model else _bundled(asked.loss, images)
    np.save(asked.out, found, allow_pickle=False)


def _bundled(loss: str, images: U8) -> NDArray[np.float32]:
    from backend.metric_learning import rendering, zoo

    if images.shape[1:3] != (rendering.SIDE, rendering.SIDE):
        raise BadRequest(
            f"The images are {images.shape[1]} x {images.shape[2]} pixels.",
            f"The bundled models take {rendering.SIDE} x {rendering.SIDE}.",
        )
    return np.asarray(zoo.embeddings(images, [loss])[0])


def _own(name: str, images: U8, batch: int = 64) -> NDArray[np.float32]:
    """Embeddings by a callable ``module:function`` on the Python path: numpy or torch out."""
    module, _, function = name.partition(":")
    try:
        model: Callable[[Any], Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadRequest(
            f"The model {name[:120]!r} cannot be imported ({error}).", "Give module:function."
        ) from error
    import torch

    from models.metric_features import tensor

    found = []
    with torch.inference_mode():
        for first in range(0, len(images), batch):
            found.append(np.asarray(model(tensor(images[first : first + batch])), np.float32))
    whole = np.concatenate(found)
    if whole.ndim != 2 or len(whole) != len(images):
        raise BadRequest(
            f"The model answered {whole.shape} to {len(images)} images.", "It must answer (n, d)."
        )
    return whole


def model(asked: argparse.Namespace) -> None:
    """Writes NR-Prec of every property by a registered model, as the page's heat map shows it."""
    held = _run("model", _own_model(asked))
    names = ("properties", "nr_precision", "nr_variance", "r_precision", "chance", "p_holm")
    _show(asked, pd.DataFrame({name: held[name] for name in names}), held)


def values(asked: argparse.Namespace) -> None:
    """Writes NR-Prec of every value by a registered model, or by all bundled networks.

    Raises:
        BadRequest: there is no such model or distance, or something is asked of none.
    """
    if not asked.name and (asked.answers or asked.distance):
        raise BadRequest(
            "Bundled networks have their own distances and one layer.",
            "Name a registered model, or leave --distance and --answers out.",
        )
    held = _run("values", _own_model(asked) if asked.name else {})
    columns = {name: held[name] for name in ("property", "value", "images", "chance")}
    frames = [
        pd.DataFrame({"model": str(key), **columns}).assign(
            nr_precision=held["nr_precision"][k], r_precision=held["r_precision"][k]
        )
        for k, key in enumerate(held["models"])
    ]
    _show(asked, pd.concat(frames, ignore_index=True), held)


def _own_model(asked: argparse.Namespace) -> dict[str, Any]:
    name = str(asked.name).removeprefix(own_models.PREFIX)  # as the page's links say it, too
    key = f"{own_models.PREFIX}{name}{own_models.ANSWERS if asked.answers else ''}"
    return {"model": key, "distance": asked.distance or "euclidean"}


def sweep(asked: argparse.Namespace) -> None:
    """Writes distance, swapped pairs and slope of every loss at every value."""
    held = _run("sweep", {"row": asked.image, "property": asked.property})
    rows = [
        {
            **{"loss": str(loss), "value": str(value), "change": float(held["steps"][j])},
            **{"distance": float(held["distances"][k, j]), "swapped": float(held["swaps"][k, j])},
            **dict(zip(("slope", "low", "high"), map(float, held["slopes"][k]), strict=True)),
        }
        for k, loss in enumerate(held["losses"])
        for j, value in enumerate(held["values"])
    ]
    _show(asked, pd.DataFrame(rows), held)


def words(asked: argparse.Namespace) -> None:
    """Writes NR-Prec of every property and MAP@R of every notion, plain and by the words.

    Raises:
        BadRequest: there is no such notion, or the prompts are not usable.
    """
    from backend.metric_learning.words import NOTIONS, prompts

    if bool(asked.notion) == bool(asked.prompts):
        raise BadRequest(
            "Say which notion.", f"Give --prompts, or --notion: one of {', '.join(NOTIONS)}."
        )
    given = list(asked.prompts) or prompts(asked.notion)
    held = _run("words", {"prompts": given, "dimensions": asked.dimensions})
    rows = [
        {"measure": measure, "of": str(name), "plain": float(a), "words": float(b)}
        for measure, names, short in (("NR-Prec", "properties", "nr"), ("MAP@R", "notions", "map"))
        for name, a, b in zip(
            held[names], held[f"{short}_plain"], held[f"{short}_words"], strict=True
        )
    ]
    _show(asked, pd.DataFrame(rows), held)


def _run(name: str, settings: dict[str, Any]) -> Any:
    """What the page's job of that name answers; what is stored is not computed again."""
    from backend.metric_learning import requests
    from backend.work import find

    made, held = requests.job(name, settings), Quiet(cli_files.results())
    found = held.store.get(made.key)
    if found is None:
        module, _, function = find(made.work).run.partition(":")
        found = getattr(importlib.import_module(module), function)(made.params, held)
        held.store.put(made.key, found)
    return found


@dataclass(frozen=True, slots=True)
class Quiet:
    """A ticket of nobody who waits, but for the terminal."""

    store: ArrayStore

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done} of {total}" + ("\n" if done == total else ""))


def _show(asked: argparse.Namespace, table: pd.DataFrame, arrays: Any) -> None:
    if not cli_files.write(asked, table, arrays):
        sys.stdout.write(table.to_string(index=False) + "\n")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadRequest(f"{path.name} cannot be read: {error.strerror}.") from error
