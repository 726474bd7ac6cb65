"""Data sets rendered from the user's own meshes: properties chosen, images drawn, and measured."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.cache import ArrayStore, checked_key
from backend.errors import BadRequest, NotFound
from backend.metric_learning import cars, columns, mesh_files, meshes, properties, rendering
from backend.metric_learning.tickets import Ticket
from backend.protocols import JSON, Arrays

FEWEST, MOST = 10, 2_000
MOST_MESHES: Final = 12
SAVE_EVERY: Final = 10


def keep(store: ArrayStore, files: Sequence[tuple[str, bytes]], paint: str) -> dict[str, Any]:
    """Puts meshes into the store; ``{key, names, faces}``.

    Args:
        files: name and content of OBJ or GLB files.
        paint: what the names of materials contain that take the scene's colour; "" for all.

    Raises:
        BadRequest: there is none, there are too many, or one cannot be read.
    """
    if not 1 <= len(files) <= MOST_MESHES:
        raise BadRequest(f"{len(files)} meshes were given.", f"Give 1 to {MOST_MESHES}.")
    held: dict[str, meshes.Surface] = {}
    for name, data in files:
        short = name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0][:60] or "mesh"
        if short in held:
            raise BadRequest(f"Two meshes are called {short!r}.", "Rename one of them.")
        held[short] = mesh_files.read(data, name, paint.strip())
    arrays = meshes.stored(held)
    told = hashlib.sha256()
    for key, value in arrays.items():
        told.update(f"{key}{value.shape}".encode() + value.tobytes())
    store.put(told.hexdigest(), arrays)
    faces = [len(one.faces) for one in held.values()]
    return {"key": told.hexdigest(), "names": list(held), "faces": faces}


def generate(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``metric.generate``: renders of the user's meshes, and what a loss clusters them by.

    Returns:
        images (n, 128, 128, 3); names (p,) of the properties and property0 ... (n,) as texts;
        embeddings (n, d) by the loss or the user's model; measured (q,) and nr_precision,
        r_precision, chance (q,) of the properties that vary.
    """
    from backend.metric_learning import embedders  # loads torch, which the web process must not

    held = ticket.store.get(checked_key(str(params.get("meshes", ""))))
    if held is None or "names" not in held:
        raise NotFound("These meshes are no longer held here.", "Open them again.")
    models = {str(name): meshes.mesh(meshes.read_stored(held, str(name))) for name in held["names"]}
    table = cars.sample(
        list(models), _count(params), _seed(params), [str(one) for one in _varied(params)]
    )
    images = np.zeros((len(table), rendering.SIDE, rendering.SIDE, 3), np.uint8)
    for i, row in enumerate(table.to_dict(orient="records")):
        values = {name: float(row[name]) for name in cars.BY_NAME}
        images[i], _ = rendering.render(models[row[cars.MODEL]], values)
        if i % SAVE_EVERY == 0:
            ticket(i, len(table) + 1)
    model = embedders.of_params(params, ticket.store, ticket)
    x = model.embed(images)
    usable = [one for one in properties.table(table) if not one.problem]
    measured = columns.column(x, usable, model.distance) if usable else columns.nothing()
    kept: dict[str, NDArray[Any]] = {
        "images": images,
        "embeddings": x,
        "names": np.array(list(table.columns)),
        "measured": np.array([one.name for one in usable], dtype=np.str_),
    }
    for k, name in enumerate(table.columns):
        kept[f"property{k}"] = np.array([str(value) for value in table[name]])
    for name in ("nr_precision", "r_precision", "chance"):
        kept[name] = measured[name].to_numpy(np.float64)
    return kept


def archive(arrays: Arrays) -> bytes:
    """A generated data set as a zip: PNG images, ``properties.csv``, ``embeddings.npy``."""
    from PIL import Image

    names = [str(name) for name in arrays["names"]]
    columns = {name: arrays[f"property{k}"] for k, name in enumerate(names)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        frame = pd.DataFrame(columns)
        frame.insert(0, "file", [f"images/{i:05d}.png" for i in range(len(frame))])
        packed.writestr("properties.csv", frame.to_csv(index=False))
        array = io.BytesIO()
        np.save(array, arrays["embeddings"], allow_pickle=False)
        packed.writestr("embeddings.npy", array.getvalue())
        for i, image in enumerate(np.asarray(arrays["images"], np.uint8)):
            picture = io.BytesIO()
            Image.fromarray(image).save(picture, "PNG")
            packed.writestr(f"images/{i:05d}.png", picture.getvalue())
    return out.getvalue()


def _count(params: Mapping[str, JSON]) -> int:
    n = params.get("n")
    if type(n) is not int or not FEWEST <= n <= MOST:
        raise BadRequest(f"{str(n)[:40]} images cannot be drawn.", f"Give {FEWEST} to {MOST}.")
    return n


def _seed(params: Mapping[str, JSON]) -> int:
    seed = params.get("seed", 0)
    if type(seed) is not int or not 0 <= seed < 2**31:
        raise BadRequest(f"The seed {str(seed)[:40]} is no whole number from 0 on.")
    return seed


def _varied(params: Mapping[str, JSON]) -> Sequence[JSON]:
    varied = params.get("varied")
    if not isinstance(varied, list) or not varied:
        raise BadRequest("No property is to vary.", f"Choose some of {', '.join(cars.BY_NAME)}.")
    return varied
