"""Measures the trained embeddings: ``python -m backend.metric_learning.precompute``.

Needs what ``python -m data.build_cars`` drew and ``python -m backend.metric_learning.training``
trained. Writes ``data/metric`` and the weights that are bundled; ``--part`` does one part again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.metric_learning import (
    cars,
    columns,
    neighbours,
    properties,
    shipped,
    significance,
    training,
)
from backend.metric_learning.distances import pairs
from backend.metric_learning.training import BG, FOLDS, IMAGES
from data.sources import save_npz
from models import metric_losses, metric_net
from models.cards import CARDS, WEIGHTS, InputSpec, ModelCard, dump_card, file_sha256

F32 = NDArray[np.float32]
MODELS: Final = IMAGES / "models"


def trained() -> Iterator[tuple[str, int, bool]]:
    """Loss, fold, and whether trained on changed backgrounds, of every network that is kept."""
    for with_bg in (False, True):
        for card in metric_losses.ALL:
            for fold in range(FOLDS):
                if (MODELS / f"{card.key}{BG if with_bg else ''}-{fold}.json").exists():
                    yield card.key, fold, with_bg


def sensitivity() -> None:
    """``nrprec.parquet``: every network on all test images; those that are bundled also as bundled,
    with the test by shuffling."""
    frames = []
    for loss, fold, with_bg in trained():
        name = f"{loss}{BG if with_bg else ''}-{fold}"
        path = MODELS / f"{name}-sensitivity.parquet"
        if not path.exists():
            _sensitivity(loss, fold, with_bg, training.mapped(MODELS / f"{name}.npy")).to_parquet(
                path
            )
            sys.stdout.write(f"NR-Prec of {name}\n")
            sys.stdout.flush()
        frames.append(pd.read_parquet(path))
    whole = pd.concat(frames, ignore_index=True)
    whole.to_parquet(shipped.MEASURED / "nrprec.parquet", index=False)


def _sensitivity(loss: str, fold: int, with_bg: bool, x: F32) -> pd.DataFrame:
    card, frames = metric_losses.BY_KEY[loss], []
    small = shipped.packed(x[: shipped.SHOWN]).astype(np.float32) / shipped.SCALE
    for part in (x, small) if fold == 0 else (x,):
        held = list(shipped.held_properties(len(part)))
        found = columns.column(part, held, card.distance, len(part) == shipped.SHOWN)
        found["p_normal"] = [significance.normal_p(nr) for nr in found["nr_precision"]]
        found.insert(0, "family", card.family)
        found.insert(0, "loss", loss)
        frames.append(found.assign(fold=fold, with_bg=with_bg))
    return pd.concat(frames, ignore_index=True)


def retrieval() -> None:
    """``retrieval.parquet``: MAP@R and precision@1 of the car model."""
    (label,) = properties.table(shipped.table(), [cars.MODEL])
    rows = []
    for loss, fold, with_bg in trained():
        x = training.mapped(MODELS / f"{loss}{BG if with_bg else ''}-{fold}.npy")
        far = pairs(x, metric_losses.BY_KEY[loss].distance)
        at_r, at_1 = neighbours.precisions(far, label)
        told = json.loads((MODELS / f"{loss}{BG if with_bg else ''}-{fold}.json").read_text())
        rows.append(told | {"map_at_r": float(at_r.mean()), "precision_at_1": float(at_1.mean())})
    pd.DataFrame(rows).to_parquet(shipped.MEASURED / "retrieval.parquet", index=False)


def embeddings() -> None:
    """``embeddings.npz``: the first fold's embeddings of the bundled images, in 8 bits."""
    names = [f"{loss}{BG if with_bg else ''}" for loss, fold, with_bg in trained() if fold == 0]
    found = {
        name: shipped.packed(training.mapped(MODELS / f"{name}-0.npy")[: shipped.SHOWN])
        for name in names
    }
    save_npz(shipped.MEASURED / "embeddings.npz", found)


def weights() -> None:
    """The bundled weights file: fold 0 of every loss, and of those trained on backgrounds."""
    from safetensors.torch import load_file, save_file

    found = {}
    for loss, fold, with_bg in trained():
        if fold == 0:
            name = f"{loss}{BG if with_bg else ''}"
            for key, x in load_file(MODELS / f"{name}-0.safetensors").items():
                found[f"{name}/{key}"] = x
    save_file(found, WEIGHTS / "metric-cars.safetensors")


def card() -> None:
    """The card of the weights file, with what was measured of its networks."""
    frame = pd.read_parquet(shipped.MEASURED / "retrieval.parquet")
    first = frame[(frame["fold"] == 0) & ~frame["with_bg"]].set_index("loss")
    path = WEIGHTS / "metric-cars.safetensors"
    path.chmod(0o644)  # a file of the repository, not a private one
    metrics_ = {"test_n": float(len(shipped.table()))}
    for key in metric_losses.BY_KEY:
        metrics_[f"map_at_r_{key.replace('-', '_')}"] = round(float(first["map_at_r"][key]), 4)
    metrics_["map_at_r_best"] = max(metrics_[f"map_at_r_{k}"] for k in TRAINED)
    made = ModelCard(
        key="metric-cars",
        title="Embeddings of cars",
        task="metric",
        summary=SUMMARY,
        architecture="MetricNet",
        input=InputSpec(3, metric_net.SIDE, metric_net.SIDE),
        classes=("embedding",),
        layers=("stage6", "stage7"),
        licence="Apache-2.0",
        data=DATA,
        command="python -m backend.metric_learning.training && "
        "python -m backend.metric_learning.precompute",
        metrics=metrics_,
        weights_file=path.name,
        weights_sha256=file_sha256(path),
        limits=LIMITS,
    )
    (CARDS / "metric-cars.toml").write_text(dump_card(made), encoding="utf-8")


TRAINED: Final = tuple(card.key.replace("-", "_") for card in metric_losses.LOSSES)
SUMMARY: Final = (
    "EfficientNet-Lite0 whose last block and a linear layer to 128 numbers were trained with each "
    "of fourteen losses of deep metric learning, and once not trained (None); five of them again "
    "on changed backgrounds (+bg). One file holds all twenty; fold 0 of 3."
)
DATA: Final = (
    "5,040 renders of twelve 3D models in three body shapes each (Sweet Home 3D's furniture, CC0 "
    "and CC-BY), two thirds of the models a fold; the frozen stages keep ImageNet weights "
    "(Apache-2.0)."
)
LIMITS: Final = (
    "60 steps of 64 images, six stages frozen, one learning rate for all that was chosen on one "
    "loss, the losses' own numbers not tuned: these networks compare losses under equal, small "
    "means. They know renders of cars before plain backgrounds and nothing else."
)


def maps() -> None:
    """``places.npz``: where PCA, UMAP and t-SNE put the bundled images, in 16 bits."""
    from backend.metric_learning.places import places

    found: dict[str, NDArray[Any]] = {}
    for card in metric_losses.ALL:
        path = MODELS / f"{card.key}-places.npz"
        if not path.exists():
            save_npz(path, places(shipped.embedding(card.key)))
        with np.load(path, allow_pickle=False) as held:
            for method, xy in held.items():
                found[f"{card.key}/{method}"] = xy.astype(np.float16)
    save_npz(shipped.MEASURED / "places.npz", found)


def texts() -> None:
    """``words.npz``: the bundled images in the space of the text tower."""
    from backend.metric_learning import words

    table = pd.read_parquet(shipped.CARS / "train.parquet")
    lines: list[str] = []
    for row in table.to_dict(orient="records"):
        said = words.aspects(
            row, KINDS[row["car_model"].removesuffix(" long").removesuffix(" tall")]
        )
        lines += [template.format(said[name]) for name, (template, _) in words.NOTIONS.items()]
    unique = sorted(set(lines))
    vectors = dict(zip(unique, words.encoded(unique), strict=True))
    each = np.array([vectors[line] for line in lines]).reshape(len(table), len(words.NOTIONS), -1)
    fitted = words.ridge(_pooled("train"), each.mean(axis=1))
    found = words.projected(_pooled("test")[: shipped.SHOWN], fitted)
    save_npz(shipped.MEASURED / "words.npz", {"vectors": shipped.packed(found)})


def _pooled(split: str) -> F32:
    return np.asarray(training.mapped(IMAGES / split / "plain-pooled.npy"), np.float32)


KINDS: Final = {
    "Concept Sedan 01": "sedan", "Concept Sedan 01b": "sedan", "Concept Sedan 02": "sedan",
    "Concept Sedan 02 Sport": "sports car", "Renault Scenic": "minivan",
    "Chevrolet": "sports car", "Van": "van", "Car model": "vintage car", "Truck": "truck",
    "Bus": "bus", "City bus": "bus", "Fork lift": "fork lift",
}  # fmt: skip
"""What the training cars are called in captions."""

PARTS: Final = {
    "weights": weights,
    "retrieval": retrieval,
    "card": card,
    "texts": texts,
    "embeddings": embeddings,
    "sensitivity": sensitivity,
    "maps": maps,
}


def opening() -> None:
    """The results that the page opens with, into ``data/results``."""
    import importlib

    from backend.metric_learning import opening as wanted
    from backend.nero.precompute import BUDGET_BYTES, RESULTS, Quiet, Shipped
    from backend.work import find

    store = Shipped(RESULTS, BUDGET_BYTES)
    for job in wanted.jobs():
        if store.get(job.key) is None:
            module, _, function = find(job.work).run.partition(":")
            made = getattr(importlib.import_module(module), function)(job.params, Quiet(store))
            store.put(job.key, made)
        store.path(job.key).chmod(0o644)
    RESULTS.chmod(0o755)


def main() -> None:
    """Command line."""
    from backend.metric_learning import looks

    parts = {**PARTS, **looks.PARTS, "opening": opening}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--part", choices=list(parts), action="append")
    asked = parser.parse_args()
    shipped.MEASURED.mkdir(exist_ok=True)
    for name in asked.part or list(parts):
        parts[name]()


if __name__ == "__main__":
    main()
