"""Classifiers of point clouds behind the :class:`backend.protocols.ModelBackend` protocol.

What of a cloud depends on distances only (which points are kept, who is whose neighbour) is the
same however the cloud is turned. :meth:`PointBackend.turned` works it out once for a whole orbit.
"""

from __future__ import annotations

import threading
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend.clouds import check_clouds
from backend.errors import BadRequest, DeviceFull
from backend.protocols import F32
from backend.torch_backend import Calls, is_out_of_memory
from models.cards import ModelCard
from models.load import load_module
from models.point_transformer import LEVELS, PointTransformer, fused, structure

CPU_BATCH: Final = 8  # clouds in one pass: what they need stays in the cache
GPU_BATCH: Final = 512


def build(card: ModelCard, device: str) -> PointBackend:
    """The backend of a card.

    Raises:
        WeightsMismatch: the weights are missing or not the card's.
    """
    return PointBackend(cast(PointTransformer, load_module(card)), card, device)


class PointBackend:
    """One network on one device, prepared for inference; safe to call from several threads.

    Args:
        module: maps clouds to logits; in eval mode. It is not changed.
        card: what it is.
        device: a resolved device.
        batch: clouds per forward pass.
    """

    def __init__(
        self,
        module: PointTransformer,
        card: ModelCard,
        device: str = "cpu",
        *,
        batch: int | None = None,
    ) -> None:
        self.card = card
        self.device = device
        self.calls = Calls()
        self.preferred_batch = batch or (CPU_BATCH if device == "cpu" else GPU_BATCH)
        self._fitting = self.preferred_batch
        self._lock = threading.Lock()
        self._network = fused(module).to(device)

    def predict(self, batch: F32) -> F32:
        """Class probabilities ``(b, k)``, rows sum to 1, for clouds ``(b, p, 3)``.

        Each cloud has neighbours of its own. The order of its points does not matter.

        Raises:
            BadItems: the clouds have another shape or type, fewer than 256 points, or coordinates
                that are not finite.
            DeviceFull: a single cloud does not fit into memory.
        """
        if not len(batch):
            return np.empty((0, len(self.card.classes)), np.float32)
        check_clouds(batch)
        found = [structure(cloud) for cloud in batch]
        kept = np.stack([cloud[each.kept] for cloud, each in zip(batch, found, strict=True)])
        tables = [np.stack(level) for level in zip(*(f.neighbours for f in found), strict=True)]
        return self._answers(torch.from_numpy(kept), [torch.from_numpy(t) for t in tables])

    def turned(self, clouds: F32, matrices: NDArray[np.float64]) -> F32:
        """Probabilities ``(b, m, k)`` for clouds ``(b, p, 3)``, each under rotations ``(m, 3, 3)``.

        Points and neighbours are chosen once a cloud, upright; every rotation has the same ones.

        Raises:
            BadItems, DeviceFull: as :meth:`predict` does.
            BadRequest: the matrices have another shape.
        """
        check_clouds(clouds)
        if matrices.ndim != 3 or matrices.shape[1:] != (3, 3):
            raise BadRequest(
                f"Rotations have the shape {matrices.shape}.", "It must be (rotations, 3, 3)."
            )
        out = np.empty((len(clouds), len(matrices), len(self.card.classes)), np.float32)
        across = matrices.astype(np.float32).transpose(0, 2, 1)
        for i, cloud in enumerate(clouds):
            found = structure(cloud)
            tables = [torch.from_numpy(table)[None] for table in found.neighbours]
            points = torch.from_numpy(np.matmul(cloud[found.kept], across))
            out[i] = self._answers(points, tables)
        return out

    def _answers(self, clouds: Tensor, tables: list[Tensor]) -> F32:
        """Clouds (b, 512, 3) with tables of neighbours, one for all or one for each, in pieces.

        A piece that does not fit into memory is halved, and the smaller size is kept.
        """
        out = np.empty((len(clouds), len(self.card.classes)), np.float32)
        held = [table.to(self.device) for table in tables]
        start = 0
        while start < len(clouds):
            stop = min(len(clouds), start + self._fitting)
            own = [table if len(table) == 1 else table[start:stop] for table in held]
            try:
                out[start:stop] = self._forward(clouds[start:stop], own)
            except RuntimeError as error:  # torch.OutOfMemoryError is one too
                if not is_out_of_memory(error):
                    raise
                self._halve(stop - start)
                continue
            start = stop
        return out

    def _forward(self, clouds: Tensor, tables: list[Tensor]) -> F32:
        with torch.inference_mode():
            scores = self._network.along(clouds.to(self.device), tables)
            probabilities = torch.softmax(scores.float(), dim=1)
        with self._lock:
            self.calls.batches += 1
            self.calls.images += len(clouds)
        return cast(F32, probabilities.cpu().numpy())

    def _halve(self, failed: int) -> None:
        """Goes on with half the batch that did not fit; a batch of one has no half."""
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        if failed <= 1:
            raise DeviceFull(
                f"A single cloud of {LEVELS[0]} points does not fit into the memory of "
                f"{self.device}.",
                "Free memory on the device, or run with LOUPE_DEVICE=cpu.",
            )
        self._fitting = min(self._fitting, failed // 2)
