"""A classifier in PyTorch behind the :class:`backend.protocols.ModelBackend` protocol: numpy in,
numpy out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from backend.devices import has_fast_bf16
from backend.errors import BadRequest, DeviceFull
from backend.folding import prepared
from backend.protocols import F32, I64
from models.cards import ModelCard

# Convex mixtures of pixels may pass the ends of [0, 1] by rounding; byte images (0..255) must not.
RANGE_SLACK: Final = 1e-3
OUT_OF_MEMORY: Final = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "DefaultCPUAllocator",
)
GPU_PIXELS: Final = 1 << 24  # pixels in one batch on an accelerator: 64 MB of input
CPU_PIXELS: Final = 224 * 224  # on the CPU the activations of a batch should stay in the cache


@dataclass(slots=True)
class Calls:
    """How often the network really ran. A view of a computed orbit must leave these unchanged."""

    batches: int = 0
    images: int = 0


class TorchBackend:
    """One network on one device, prepared for inference; safe to call from several threads.

    Batch norm is folded into the convolutions, weights are channels-last, and probabilities leave
    through one softmax. The network given must return logits; it is not changed.

    Args:
        module: maps (b, c, h, w) float32 in [0, 1] to logits (b, k); in eval mode.
        card: what it takes and what its outputs mean.
        device: a resolved device, see :func:`backend.devices.resolve`.
        batch: images per forward pass; measured sizes by device and image size unless given.
        bf16: run in bfloat16 where the device gains from it (results change by about 1 %).
        is_prepared: run the module as it is; programs that others exported cannot be changed.
    """

    def __init__(
        self,
        module: nn.Module,
        card: ModelCard,
        device: str = "cpu",
        *,
        batch: int | None = None,
        bf16: bool = False,
        is_prepared: bool = False,
    ) -> None:
        self.card = card
        self.device = device
        self.calls = Calls()
        self.uses_bf16 = bf16 and has_fast_bf16(device)
        self.preferred_batch = batch or _preferred_batch(card, device)
        self._fitting = self.preferred_batch
        self._lock = threading.Lock()
        self._module = module.eval().to(device)
        as_it_is = self._module, torch.contiguous_format
        self._network, self._layout = as_it_is if is_prepared else prepared(self._module)

    def predict(self, batch: F32) -> F32:
        """Class probabilities ``(b, k)``, rows sum to 1, for images ``(b, c, h, w)`` in [0, 1].

        Any number of images may come at once: they pass in pieces of ``preferred_batch``. A piece
            that does not
        fit into memory is halved, and the smaller size is kept.

        Raises:
            BadRequest: the batch does not have the card's channels and size, is not float32 or
                leaves [0, 1].
            DeviceFull: a single image does not fit into memory.
        """
        self._check(batch)
        images = torch.from_numpy(np.ascontiguousarray(batch))
        out = np.empty((len(batch), len(self.card.classes)), np.float32)
        start = 0
        while start < len(batch):
            piece = images[start : start + self._fitting]
            try:
                out[start : start + len(piece)] = self._forward(piece)
            except RuntimeError as error:  # torch.OutOfMemoryError is one too
                if not is_out_of_memory(error):
                    raise
                self._halve(len(piece))
                continue
            start += len(piece)
        return out

    def saliency(self, batch: F32, targets: I64) -> F32:
        """|d logit[target] / d pixel|, maximum over channels: ``(b, h, w)``, >= 0, raw units.

        Raises:
            BadRequest: as for :meth:`predict`, or a target is not a class.
        """
        self._check(batch)
        k = len(self.card.classes)
        if targets.shape != (len(batch),) or (
            len(batch) and not 0 <= targets.min() <= targets.max() < k
        ):
            raise BadRequest(
                "Saliency wants one class per image.",
                f"Classes of {self.card.key} run from 0 to {k - 1}.",
            )
        with torch.enable_grad():
            pixels = torch.tensor(batch, device=self.device, requires_grad=True)
            chosen = self._module(pixels).gather(
                1, torch.tensor(targets, device=self.device)[:, None]
            )
            # Images do not see each other, so one backward pass of the sum gives every gradient.
            (gradient,) = torch.autograd.grad(chosen.sum(), pixels)
        return cast(F32, gradient.abs().amax(1).cpu().numpy())

    def class_activation(self, batch: F32, targets: I64, layer: str) -> F32:
        """Grad-CAM: where ``layer`` speaks for a class, ``(b, rows, columns)``, >= 0, raw units.

        The layer's channels weighted by the mean gradient of the class's logit, negative sums cut
        off.

        Raises:
            BadRequest: as for :meth:`saliency`; the card names no such layer, or its output is no
                map.
        """
        self._check(batch)
        if layer not in self.card.layers or targets.shape != (len(batch),):
            raise BadRequest(
                f"{self.card.key} has no layer {layer!r}.", f"It has {', '.join(self.card.layers)}."
            )
        seen: list[Tensor] = []
        handle = self._module.get_submodule(layer).register_forward_hook(
            lambda _module, _inputs, output: seen.append(output)
        )
        try:
            with torch.enable_grad():
                pixels = torch.tensor(batch, device=self.device, requires_grad=True)
                picked = torch.tensor(targets, device=self.device)[:, None]
                total = self._module(pixels).gather(1, picked).sum()
                if not seen or seen[0].ndim != 4:
                    raise BadRequest(f"The output of {layer} is no map.", "Choose another layer.")
                (gradient,) = torch.autograd.grad(total, seen[0])
        finally:
            handle.remove()
        weights = gradient.mean((2, 3), keepdim=True)
        return cast(F32, (weights * seen[0].detach()).sum(1).relu().cpu().numpy())

    def embed(self, batch: F32, layer: str) -> F32:
        """What ``layer`` puts out, a vector for each image: ``(b, d)``.

        Raises:
            BadRequest: as :meth:`predict`, or the layer puts out no vectors.
        """
        self._check(batch)
        with torch.inference_mode():
            found = self.vectors(torch.from_numpy(batch).to(self.device), layer)
        return cast(F32, found.float().cpu().numpy())

    def vectors(self, images: Tensor, layer: str = "") -> Tensor:
        """What ``layer`` puts out for images ``(b, c, h, w)`` on this device: ``(b, d)`` with its
        gradient. Without a layer: the logits.

        Raises:
            BadRequest: the layer puts out no vectors.
        """
        if not layer:
            return cast(Tensor, self._module(images))
        seen: list[Tensor] = []
        handle = self._module.get_submodule(layer).register_forward_hook(
            lambda _module, _inputs, output: seen.append(output)
        )
        try:
            self._module(images)
        finally:
            handle.remove()
        found = torch.cat(seen)[: len(images)] if seen else torch.empty(0)
        if found.ndim != 2 or len(found) != len(images):
            raise BadRequest(f"{layer} puts out no vectors.", "Choose another layer.")
        return found

    @contextmanager
    def recording(self, layer: str) -> Iterator[list[Tensor]]:
        """Collects what ``layer`` puts out while the block runs; the hook is gone afterwards, come
        what may.

        Raises:
            BadRequest: the card does not name such a layer.
        """
        if layer not in self.card.layers:
            raise BadRequest(
                f"{self.card.key} has no layer {layer!r}.", f"It has {', '.join(self.card.layers)}."
            )
        seen: list[Tensor] = []
        handle = self._module.get_submodule(layer).register_forward_hook(
            lambda _module, _inputs, output: seen.append(output.detach())
        )
        try:
            yield seen
        finally:
            handle.remove()

    def _forward(self, piece: Tensor) -> F32:
        with (
            torch.inference_mode(),
            torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.uses_bf16),
        ):
            moved = piece.to(self.device).to(memory_format=self._layout)
            probabilities = torch.softmax(self._network(moved).float(), dim=1)
        with self._lock:
            self.calls.batches += 1
            self.calls.images += len(piece)
        return cast(F32, probabilities.cpu().numpy())

    def _halve(self, failed: int) -> None:
        """Goes on with half the batch that did not fit; a batch of one has no half."""
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        if failed <= 1:
            size = f"{self.card.input.height} × {self.card.input.width}"
            raise DeviceFull(
                f"A single image of {size} pixels does not fit into the memory of {self.device}.",
                "Free memory on the device, or run with LOUPE_DEVICE=cpu.",
            )
        self._fitting = min(self._fitting, failed // 2)

    def _check(self, batch: F32) -> None:
        spec = self.card.input
        size = f"(n, {spec.channels}, {spec.height}, {spec.width})"
        wanted = f"{self.card.key} takes float32 {size} from 0 to 1."
        if batch.ndim != 4 or batch.shape[1:] != (spec.channels, spec.height, spec.width):
            raise BadRequest(f"Images of shape {batch.shape} do not fit.", wanted)
        if batch.dtype != np.float32:
            raise BadRequest(f"Images of type {batch.dtype} do not fit.", wanted)
        # NaN fails both comparisons, so this tests for finite values too.
        if batch.size and not (batch.min() >= -RANGE_SLACK and batch.max() <= 1 + RANGE_SLACK):
            raise BadRequest("Pixel values are not all from 0 to 1.", wanted)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch failed for lack of memory; on the CPU only the words of the error say so."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY)


def _preferred_batch(card: ModelCard, device: str) -> int:
    """Images per forward pass: on the CPU few enough for the cache, elsewhere enough to fill the
    device.
    """
    pixels = card.input.height * card.input.width
    if device == "cpu":
        return max(4, min(64, CPU_PIXELS // pixels))
    return max(16, min(2048, GPU_PIXELS // (pixels * card.input.channels)))
