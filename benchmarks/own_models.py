"""Bundled weights registered as a user's own, against the bundled models that they are: what it
costs that a registered network is asked as it is, whatever kind it is of.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any, Final
from unittest import mock

import numpy as np

from backend import catalog, datasets
from backend.nero import evaluation, orbits
from backend.protocols import F32
from backend.registry import adding, store
from benchmarks.table import Row, seconds
from models.cards import WEIGHTS

ROUNDS: Final = 3
APART: Final = 0.02  # of answers: the same network, with or without its norms folded in
GIVEN: Final[dict[str, dict[str, Any]]] = {
    "detector-j0": {"task": "detection", "factory": "CropDetector"},
    "piv-net": {"task": "piv", "factory": "PivNet"},
    "points-plain": {"task": "points", "factory": "PointTransformer", "input": "2048x3"},
}


def rows() -> list[Row]:
    """The table of this benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"LOUPE_STATE_DIR": folder, "LOUPE_DEVICE": "cpu"}
        with mock.patch.dict(os.environ, env):
            store.use(None)
            found = [_row(key) for key in GIVEN]
            store.use(None)
    return found


def _row(key: str) -> Row:
    card = catalog.models()[key]
    name = f"own-{key}"
    given = {**GIVEN[key], **({} if card.task == "piv" else {"classes": list(card.classes)})}
    adding.add_model(str(WEIGHTS / card.weights_file), name, given)
    what, ask = _asked(card.task)
    apart = float(np.nanmax(np.abs(ask(name) - ask(key))))  # and warms both up
    ours, theirs = [], []
    for _ in range(ROUNDS):  # in turns
        ours.append(seconds(lambda: ask(name)))
        theirs.append(seconds(lambda: ask(key)))
    ratio = min(theirs) / min(ours)
    return Row(
        f"{what}: weights of {key} registered as one's own, against the bundled model",
        f"{1000 * min(ours):.0f} ms",
        f"{1000 * min(theirs):.0f} ms",
        ratio,
        "the same answers",
        f"answers differ by at most {apart:.4f}",
        apart < APART,
    )


def _asked(task: str) -> tuple[str, Callable[[str], F32]]:
    """What is computed, and how: a model's key to numbers of its answers."""
    if task == "detection":
        scenes, orbit = datasets.load("scenes").chosen([0, 1]), orbits.translations()  # type: ignore[attr-defined]  # scenes have it
        return "2 scenes at 1,024 shifts", lambda key: evaluation.evaluate(
            key, "detection", orbit, scenes
        ).metrics["iou"]
    if task == "piv":
        frames = datasets.load("piv").inputs(np.arange(32)).astype(np.float32) / 255  # type: ignore[attr-defined]  # pairs have it
        return "32 pairs of frames", lambda key: catalog.load_model(key, "cpu").predict(frames)
    clouds = datasets.load("furniture").inputs(np.arange(4))  # type: ignore[attr-defined]  # clouds have it
    matrices = orbits.axis_angle_disc(4, 5).matrices

    def turned(key: str) -> F32:
        model: Any = catalog.load_model(key, "cpu")
        found: F32 = model.turned(clouds, matrices)
        return found

    return f"4 clouds under {len(matrices)} rotations", turned
