"""How fast clouds run along the discs, against the bare forward pass. One thread throughout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch

from backend import catalog, datasets
from backend.clouds import CloudItems
from backend.nero import evaluate, orbits
from backend.point_backend import PointBackend
from backend.protocols import F32, I64
from benchmarks.table import Row, compare
from models.point_transformer import LEVELS, structure

MODEL: Final = "points-rotated"
ORBIT: Final = orbits.axis_angle_disc(8, 13)  # three planes of 8 axes and 13 angles: 312 cells
BATCHES: Final = (1, 2, 4, 8, 16)
ROUND: Final = 10  # clouds of the hundred that are timed in one round
OWN: Final = 4  # clouds for the comparison with a structure of its own for each rotation


def rows() -> list[Row]:
    """All rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [nearly_free(), sharing()]
    finally:
        torch.set_num_threads(threads)


def nearly_free() -> Row:
    """A whole evaluation against the bare forward pass of the same prepared network.

    The bare pass has every rotated cloud ready, with its points chosen and neighbours found. The
    evaluation finds them itself, turns the clouds and measures; equal cells are asked once.
    """
    model, chosen = _model(), np.arange(ROUND) * 10
    clouds, tables = _ready(_clouds(chosen))
    best = min(BATCHES, key=lambda size: compare(_bare(model, clouds[:1], tables, size), _idle)[0])
    found: list[F32] = []
    answers: list[F32] = []

    def ours() -> None:
        found[:] = [evaluate(model, "points", ORBIT, chosen).outputs]

    ours_s, bare_s = compare(ours, _bare(model, clouds, tables, best, answers), 3)
    apart = float(np.abs(found[0] - np.stack(answers)).max())
    count = ROUND * ORBIT.size
    return Row(
        f"orbit of {ROUND} clouds of the 100 × {ORBIT.size} rotations, against its bare forward "
        f"pass (best batch: {best})",
        f"{ours_s / count * 1e3:.2f} ms",
        f"{bare_s / count * 1e3:.2f} ms",
        bare_s / ours_s,
        "≥ 0.9×",
        f"difference {apart:.0e}",
        bare_s / ours_s >= 0.9 and apart < 1e-5,
    )


def sharing() -> Row:
    """One structure for all rotations of a cloud against one for each of them."""
    model = _model()
    clouds = _clouds(np.arange(OWN) * 25)
    elements = np.arange(0, ORBIT.size, 12)
    found: list[F32] = []
    own: list[F32] = []

    def ours() -> None:
        found[:] = [model.turned(clouds, ORBIT.matrices[elements])]

    def each() -> None:
        own[:] = [np.stack([model.predict(turned) for turned in ORBIT.act(clouds, elements)])]

    ours_s, own_s = compare(ours, each, 3)
    apart = float(np.abs(found[0] - own[0]).max())
    count = OWN * len(elements)
    return Row(
        f"points and neighbours chosen once a cloud, {OWN} clouds × {len(elements)} rotations, "
        "against once a rotation",
        f"{ours_s / count * 1e3:.2f} ms",
        f"{own_s / count * 1e3:.2f} ms",
        own_s / ours_s,
        "≥ 2×",
        f"difference {apart:.0e}",
        own_s / ours_s >= 2 and apart < 1e-4,
    )


def _model() -> PointBackend:
    model = catalog.load_model(MODEL, "cpu")
    assert isinstance(model, PointBackend)
    return model


def _clouds(rows: I64) -> F32:
    held = datasets.load("furniture")
    assert isinstance(held, CloudItems)
    return held.inputs(rows)


def _ready(clouds: F32) -> tuple[torch.Tensor, list[list[torch.Tensor]]]:
    """Every rotation of clouds (b, p, 3), (b, 312, 512, 3), and each cloud's neighbours."""
    matrices = ORBIT.matrices.astype(np.float32).transpose(0, 2, 1)
    turned = np.empty((len(clouds), ORBIT.size, LEVELS[0], 3), np.float32)
    tables = []
    for i, cloud in enumerate(clouds):
        found = structure(cloud)
        turned[i] = cloud[found.kept] @ matrices
        tables.append([torch.from_numpy(table)[None] for table in found.neighbours])
    return torch.from_numpy(turned), tables


def _bare(
    model: PointBackend,
    clouds: torch.Tensor,
    tables: list[list[torch.Tensor]],
    size: int,
    answers: list[F32] | None = None,
) -> Callable[[], object]:
    """The forward pass alone, in batches of ``size``."""

    def run() -> None:
        kept = []
        with torch.inference_mode():
            for turned, own in zip(clouds, tables, strict=False):
                pieces = [
                    torch.softmax(model._network.along(piece, own), 1)
                    for piece in turned.split(size)
                ]
                kept.append(torch.cat(pieces).numpy())
        if answers is not None:
            answers[:] = kept

    return run


def _idle() -> None:
    """The other side of a comparison that has none."""
