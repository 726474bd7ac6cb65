"""What is measured of where the models look: maps, how alike they are, and backgrounds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend import metrics
from backend.metric_learning import (
    attribution,
    backgrounds,
    neighbours,
    properties,
    shipped,
    training,
    zoo,
)
from backend.metric_learning.distances import pairs
from data.sources import save_npz
from models import metric_features, metric_losses, metric_net
from models.metric_features import tensor

F32 = NDArray[np.float32]

COMPARED: Final = 12
"""Test images whose maps are compared; the first ``GALLERY`` of them are kept as pictures."""
GALLERY: Final = 12
SAMPLES: Final = 8
SMALL: Final = 64
REPEATS: Final = 2
CORRUPTED: Final = 600


def gallery() -> NDArray[np.int64]:
    """Rows of the compared images: test images that can be seen well, models in turn."""
    table = shipped.table().iloc[: shipped.SHOWN]
    seen = (table["car_value"] >= 0.75) & (table["bg_value"] >= 0.5)
    rows = [np.flatnonzero(seen & (table["car_model"] == name)) for name in shipped.meshes()]
    return np.array([rows[k % len(rows)][k // len(rows)] for k in range(COMPARED)])


def _said(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _told(done: int, total: int) -> None:
    sys.stdout.write(f"maps of {done} of {total} images\n")
    sys.stdout.flush()


def maps() -> None:
    """``maps.npz``: small maps of the gallery, matrices of likeness, and focus scores."""
    images = training.mapped(training.IMAGES / "test" / "images.npy")
    masks = training.mapped(training.IMAGES / "test" / "masks.npy")
    rows, losses = gallery(), list(zoo.tails())
    found = attribution.smoothgrad_of_tails(
        lambda x: metric_net.front(zoo.trunk(), x),
        [zoo.tail(loss) for loss in losses],
        [zoo.distance(loss) for loss in losses],
        tensor(images[rows]).numpy(),
        samples=SAMPLES,
        progress=_told,
    )
    plain = [k for k, loss in enumerate(losses) if not loss.endswith(training.BG)]
    plain.sort(key=lambda k: list(metric_losses.BY_KEY).index(losses[k]))
    shares = masks[rows].astype(np.float32) / 255
    focus = [
        [metrics.focus_score(share, one) for share, one in zip(shares, each, strict=True)]
        for each in found
    ]
    small = found[:, :GALLERY].reshape(len(losses), GALLERY, SMALL, 2, SMALL, 2).mean(axis=(3, 5))
    arrays = {
        "rows": rows,
        "losses": np.array(losses),
        "compared": np.array([losses[k] for k in plain]),
        "maps": np.round(small * 255).astype(np.uint8),
        "focus": np.array(focus, np.float32),
        **attribution.matrices(found[plain]),
    }
    save_npz(shipped.MEASURED / "maps.npz", arrays)


def robustness() -> None:
    """``robustness.parquet``: MAP@R of the car model on clean images and on changed backgrounds."""
    folder = training.IMAGES / "test"
    images = training.mapped(folder / "images.npy")[:CORRUPTED]
    masks = training.mapped(folder / "masks.npy")[:CORRUPTED].astype(np.float32) / 255
    behind = backgrounds.pool("test")
    for k in range(REPEATS):
        if not (folder / f"corrupted{k}-front.npy").exists():
            chosen = behind[backgrounds.drawn("test", CORRUPTED, k)]
            changed = backgrounds.corrupted(images, masks, chosen)
            metric_features.write(folder, f"corrupted{k}", changed, _said)
    (label,) = properties.table(shipped.table().iloc[:CORRUPTED], ["car_model"])
    folds = training.finished()
    rows = []
    for loss in training.ROBUST:
        for with_bg in (False, True):
            for fold in folds:
                tail = training.kept(loss, fold, with_bg)
                for name in ("plain", *(f"corrupted{k}" for k in range(REPEATS))):
                    front = training.mapped(folder / f"{name}-front.npy")[:CORRUPTED]
                    far = pairs(training.embed(tail, front), zoo.distance(loss))
                    at_r, at_1 = neighbours.precisions(far, label)
                    rows.append(
                        {
                            **{"loss": loss, "with_bg": with_bg, "fold": fold, "images": name},
                            **{"map_at_r": at_r.mean(), "precision_at_1": at_1.mean()},
                            "n": CORRUPTED,
                        }
                    )
    pd.DataFrame(rows).to_parquet(shipped.MEASURED / "robustness.parquet", index=False)


PARTS: Final[dict[str, Callable[[], None]]] = {"looks": maps, "robustness": robustness}
