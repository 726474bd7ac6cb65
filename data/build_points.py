"""Builds data/points from Debian's sweethome3d-furniture: ``python -m data.build_points``.

Ten classes by name, corrected by eye; 2,048 points on the surface of each model; evaluation and
training apart by model, where near-duplicates count as one. ``--sheets FOLDER`` also draws every
class, for looking.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from backend.clouds import picture
from data.point_meshes import F64, I64, Entry, entries, sampled, triangles, unit_ball
from data.sources import DATA, debian_files, save_npz

PACKAGE: Final = "sweethome3d-furniture"
SHA256: Final = "3ccb90c63f9525e887a767b9cd5c8b6933b8b6b2973a615a5359ee68a2118668"
FOLDER: Final = DATA / "points"
POINTS: Final = 2048
EVALUATION: Final = 100
AT_MOST: Final = 0.4  # of a class goes into the evaluation set
SEED: Final = 0

# The first pattern that a name (in lower case) matches; None drops it.
RULES: Final[tuple[tuple[str, str | None], ...]] = (
    (r"indoor bike|fan$|lamp artwork|bedside|\bbat\b|remote|intercom|toilet|shower|brush", None),
    (r"^(female|male|boy|girl|sitting|lying|holding|mannequin)", "person"),
    (r"indoor plant", "plant"),
    (r"outdoor lamp", "lamp"),
    (r"window|\bdoor\b(?! cabinet)|doormat", None),
    (r"sedan|beetle|focus|peugeot|renault|\bsuv\b|chevrolet|\bvan\b|smart|\bbus\b", "vehicle"),
    (r"truck|seat leon|car model", "vehicle"),
    (r"chair|\bseat\b", "chair"),
    (r"sofa|couch|day bed", "sofa"),
    (r"\bbed\b|crib", "bed"),
    (r"(table|desk)\b(?!.*lamp)", "table"),
    (r"lamp|light|lantern|candle", "lamp"),
    (r"plant|tree|bamboo|ficus|palm|cactus|pine|maple|acacia|cypress|poplar|beech|yucca", "plant"),
    (r"tulip|lily|orchid|flowers|bush|spathi|peach|bonsai", "plant"),
    (r"cabinet|wardrobe|cupboard|bookcase|shelves|dresser|chest|locker|fridge|refrig", "storage"),
    (r"tv stand", "storage"),
    (r"\bcup\b|mug|glass$|bowl|bottle|vase|flacon|\bjar\b|pottery", "vessel"),
)
CLASSES: Final = tuple(sorted({label for _, label in RULES if label}))
# What the contact sheets of ``--sheets`` showed to be something else than the name says.
BY_EYE: Final[dict[str, str | None]] = {
    "BlendSwap-CC-0-4": "storage",  # bedside table: a closed box
    "BlendSwap-CC-BY-5": "storage",  # the same
    "Scopia-193": "storage",  # changing table: a chest of drawers
    "Scopia-6": "sofa",  # chair: two seats wide
    "BlendSwap-CC-0-118": None,  # folding chair without a back: a stool
    "BlendSwap-CC-0-37": None,  # relax chair: a lounger
    "BlendSwap-CC-BY-16": None,  # deck chair: a lounger
    "Scopia-99": None,  # beach chair: a lounger
    "Scopia-386": None,  # rattan table: a closed box
    "Scopia-289": None,  # convertible sofa, opened: a bed
    "BlendSwap-CC-0-142": None,  # cup cake
    "Scopia-355": None,  # fruits in a bowl
    "Scopia-60": None,  # vase: mostly its branches
    "Scopia-53": None,  # candle: a glass
    "Scopia-213": None,  # ceiling lamp: a plain disc
    "KatorLegaz-37": None,  # flashlight
    "KatorLegaz-38": None,  # fluorescent light: a bar
    "Scopia-352": None,  # bamboo, cut off
}
# Series of one model that the distance below does not find.
SERIES: Final = (
    ("KatorLegaz-59", "KatorLegaz-60", "KatorLegaz-61", "KatorLegaz-75"),  # concept sedans
    ("Scopia-362", "Scopia-363"),  # coconut tree, straight and bent
    ("Scopia-74", "Scopia-75"),  # sofa with two and three seats
    ("Scopia-93", "Scopia-94", "Scopia-64", "Scopia-67"),  # the same table in wood and glass
)
NEAR: Final = 1.25


def label_of(entry: Entry) -> str | None:
    """The class of a model, or None where it has none of the ten."""
    if entry.key in BY_EYE:
        return BY_EYE[entry.key]
    name = entry.name.lower()
    return next((label for pattern, label in RULES if re.search(pattern, name)), None)


def chamfer(first: F64, second: F64) -> float:
    """Mean distance from the points of one cloud (n, 3) to the nearest of the other, both ways."""
    there = cKDTree(first).query(second)[0].mean()
    back = cKDTree(second).query(first)[0].mean()
    return float(there + back) / 2


def groups(keys: list[str], clouds: list[F64], again: list[F64]) -> I64:
    """A group number (n,) for each model of a class: near-duplicates share one.

    Two models are near-duplicates if their clouds are hardly farther apart than two samples of
    one model are, or if they are in one of ``SERIES``.
    """
    noise = [chamfer(a, b) for a, b in zip(clouds, again, strict=True)]
    group = np.arange(len(keys))
    for i in range(len(keys)):
        for j in range(i):
            is_series = any(keys[i] in series and keys[j] in series for series in SERIES)
            is_near = chamfer(clouds[i], clouds[j]) < NEAR * (noise[i] + noise[j]) / 2
            if is_series or is_near:
                group[group == group[i]] = group[j]
    return group


def quotas(counts: dict[str, int]) -> dict[str, int]:
    """How many models of each class are for evaluation: evenly, but at most ``AT_MOST`` of it."""
    limits = {label: int(AT_MOST * count) for label, count in counts.items()}
    quota = dict.fromkeys(counts, 0)
    while sum(quota.values()) < min(EVALUATION, sum(limits.values())):
        open_ = [label for label in counts if quota[label] < limits[label]]
        least = min(open_, key=lambda label: (quota[label], -counts[label], label))
        quota[least] += 1
    return quota


def drawn(group: I64, quota: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which models (n,) of a class are for evaluation: whole groups, as many as fit the quota.

    Groups of more than two stay in training, so that no design decides a class's result.
    """
    is_held = np.zeros(len(group), bool)
    for number in rng.permutation(np.unique(group)):
        size = int((group == number).sum())
        if size <= 2 and is_held.sum() + size <= quota:
            is_held |= group == number
    return is_held


def note(entry: Entry, label: str, group: str, split: str) -> str:
    """A model's entry in models.toml."""
    values = {
        "key": entry.key,
        "name": entry.name,
        "class": label,
        "creator": entry.creator,
        "licence": entry.licence,
        "group": group,
        "split": split,
    }
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join(["[[model]]", *lines])


HEAD: Final = """# Written by data/build_points.py. Furniture models of the Debian package
# sweethome3d-furniture 1.8-1 (Sweet Home 3D), 2,048 points on the surface of each. The rows of
# evaluation.npz and of train.npz are the models of that split in this order. Models that share a
# group are near-duplicates.
"""


def sheet(path: Path, clouds: list[F64]) -> None:
    """A contact sheet of clouds, ten in a row, in the order of the catalogue."""
    side = 96
    page = np.zeros((-(-len(clouds) // 10) * side, 10 * side), np.uint8)
    for i, cloud in enumerate(clouds):
        row, column = divmod(i, 10)
        page[row * side : (row + 1) * side, column * side : (column + 1) * side] = picture(
            cloud.astype(np.float32), side
        )
    Image.fromarray(page).save(path)


def collected() -> dict[str, list[tuple[Entry, F64, F64]]]:
    """By class: each model with its cloud (POINTS, 3) and a second, independent one."""
    found: dict[str, list[tuple[Entry, F64, F64]]] = defaultdict(list)
    for number, entry in enumerate(entries(debian_files(PACKAGE, SHA256))):
        label = label_of(entry)
        if label is None:
            continue
        surface = triangles(entry)
        first, second = (unit_ball(sampled(surface, POINTS, [SEED, k, number])) for k in (0, 1))
        found[label].append((entry, first, second))
    return {label: found[label] for label in CLASSES}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sheets", type=Path, help="folder for a contact sheet of each class")
    sheets: Path | None = parser.parse_args().sheets
    found = collected()
    quota = quotas({label: len(models) for label, models in found.items()})
    rng = np.random.default_rng(SEED)
    kept: dict[str, list[tuple[str, int, F64]]] = {"evaluation": [], "train": []}
    for label, models in found.items():
        keys = [entry.key for entry, _, _ in models]
        group = groups(keys, [cloud for _, cloud, _ in models], [again for _, _, again in models])
        is_held = drawn(group, quota[label], rng)
        for i, (entry, cloud, _) in enumerate(models):
            split = "evaluation" if is_held[i] else "train"
            text = note(entry, label, keys[group[i]], split)
            kept[split].append((text, CLASSES.index(label), cloud))
        if sheets is not None:
            sheet(sheets / f"{label}.png", [cloud for _, cloud, _ in models])
        sys.stdout.write(f"{label}: {is_held.sum()} of {len(models)} for evaluation\n")
    for split, rows in kept.items():
        arrays: dict[str, NDArray[Any]] = {
            "points": np.stack([cloud for _, _, cloud in rows]).astype(np.float16),
            "labels": np.array([label for _, label, _ in rows], np.uint8),
        }
        save_npz(FOLDER / f"{split}.npz", arrays)
    notes = [text for rows in kept.values() for text, _, _ in rows]
    (FOLDER / "models.toml").write_text(HEAD + "\n" + "\n\n".join(notes) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
