"""Detectors behind the :class:`backend.protocols.ModelBackend` protocol: crops in, boxes out.

An answer is ``(b, 10, 6)`` float32, for each crop rows of x0, y0, x1, y1 in px of the crop, score
and class (the number in the card), the surest first and of equally sure ones the one that the model
gave first; NaN rows where there are fewer. Where the network's output is not finite the first row's
score is -inf, which says that the crop was not answered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend.errors import BadRequest, DeviceFull
from backend.folding import prepared
from backend.nero.boxes import BOXES, BROKEN, CROP_PX, MIN_SCORE
from backend.protocols import F32, I64, U8, ModelBackend
from backend.torch_backend import RANGE_SLACK, Calls, is_out_of_memory
from models.cards import ModelCard
from models.centernet import CropCenterNet
from models.detector import CropDetector, decode
from models.load import load_module

CPU_BATCH: Final = 16  # crops in one pass, few enough that what they need stays in the cache
GPU_BATCH: Final = 512
READ_VALUES: Final = 1 << 19  # outputs of the network, 2 MB, that are read in one go
Decode = Callable[[Tensor], Tensor]
Prepare = Callable[[Tensor], Tensor]


@runtime_checkable
class SupportsWindows(ModelBackend, Protocol):
    """A model that cuts its crops out of a scene itself: the scene goes to the device once."""

    def predict_windows(self, scene: U8 | F32, corners: I64) -> F32:
        """Answers ``(m, 10, 6)`` for the crops of a scene ``(3, h, w)`` whose top left corners are
        ``(m, 2)`` rows and columns.
        """
        ...


class _Answer(nn.Module):
    """What a crop detector does with crops that are centred already."""

    def __init__(self, detector: CropDetector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, crops: Tensor) -> Tensor:
        return self.detector.answer(crops)


def _as_it_is(pixels: Tensor) -> Tensor:
    return pixels


class TorchDetector:
    """One network on one device, prepared for inference; safe to call from several threads.

    Args:
        network: (b, 3, 128, 128) float32 in [0, 1] to whatever ``decode`` reads; in eval mode.
        decode: the network's output to boxes (b, 10, 6) as above.
        card: what it is.
        device: a resolved device.
        batch: crops per forward pass.
    """

    def __init__(
        self,
        network: nn.Module,
        decode: Decode,
        card: ModelCard,
        device: str = "cpu",
        *,
        batch: int | None = None,
    ) -> None:
        self.card = card
        self.device = device
        self.calls = Calls()
        self.preferred_batch = batch or (CPU_BATCH if device == "cpu" else GPU_BATCH)
        self._lock = threading.Lock()
        self._decode = decode
        self._centred: Prepare = _as_it_is
        if isinstance(network, CropDetector):
            self._centred, network = CropDetector.centred, _Answer(network)
        self._network, self._layout = prepared(network.eval().to(device))

    def predict(self, batch: F32) -> F32:
        """Boxes ``(b, 10, 6)`` of crops ``(b, 3, 128, 128)`` in [0, 1].

        Raises:
            BadRequest: the crops have another shape or type, or leave [0, 1].
            DeviceFull: a single crop does not fit into memory.
        """
        check_crops(batch, self.card.key)
        crops = torch.from_numpy(np.ascontiguousarray(batch))
        pieces = torch.split(crops, self.preferred_batch)
        return self._answers(self._centred(piece.to(self.device)) for piece in pieces)

    def predict_windows(self, scene: U8 | F32, corners: I64) -> F32:
        """Boxes ``(m, 10, 6)`` of the crops of a scene at ``(m, 2)`` corners, row and column.

        The scene goes to the device once. The crops are views of it that share its memory, gathered
        a batch at a time, so that never more than one batch of crops exists.

        Args:
            scene: (3, h, w), uint8 or float32 in [0, 1].

        Raises:
            BadRequest: the scene has another shape, or a crop would leave it.
            DeviceFull: a single crop does not fit into memory.
        """
        check_windows(scene, corners)
        held = torch.from_numpy(np.ascontiguousarray(scene)).to(self.device)
        is_bytes = held.dtype == torch.uint8
        # Channels last, once for the scene: crops are then whole rows to copy.
        whole = held.permute(1, 2, 0).contiguous().float() / (255.0 if is_bytes else 1.0)
        return self._answers(self._gathered(self._centred(whole), corners))

    def _gathered(self, scene: Tensor, corners: I64) -> Iterator[Tensor]:
        """Crops (b, 3, 128, 128) of a scene (h, w, 3), all batches in the same memory."""
        size = min(self.preferred_batch, len(corners))
        held = torch.empty(size, CROP_PX, CROP_PX, 3, device=scene.device)
        for start in range(0, len(corners), size or 1):
            group = corners[start : start + size].tolist()
            views = [scene[top : top + CROP_PX, left : left + CROP_PX] for top, left in group]
            yield torch.stack(views, out=held[: len(group)]).permute(0, 3, 1, 2)

    def _answers(self, pieces: Iterable[Tensor]) -> F32:
        """Boxes of crops that come in batches; the network's outputs are read many at a time."""
        found, waiting, held = [], [], 0
        try:
            with torch.inference_mode():
                for crops in pieces:
                    waiting.append(self._network(crops.to(memory_format=self._layout)))
                    held += waiting[-1].numel()
                    self._count(len(crops))
                    if held > READ_VALUES:
                        found.append(self._read(torch.cat(waiting)))
                        waiting, held = [], 0
                if waiting:
                    found.append(self._read(torch.cat(waiting)))
        except RuntimeError as error:  # torch.OutOfMemoryError is one too
            if not is_out_of_memory(error):
                raise
            raise DeviceFull(
                f"{self.preferred_batch} crops do not fit into the memory of {self.device}.",
                "Free memory on the device, or run with LOUPE_DEVICE=cpu.",
            ) from error
        return np.concatenate(found) if found else np.empty((0, BOXES, 6), np.float32)

    def _read(self, raw: Tensor) -> F32:
        boxes = self._decode(raw)
        # Weights or pixels that are not finite must not read as "nothing there".
        boxes[~torch.isfinite(raw.flatten(1).sum(1)), 0, 4] = BROKEN
        return cast(F32, boxes.float().cpu().numpy())

    def _count(self, crops: int) -> None:
        with self._lock:
            self.calls.batches += 1
            self.calls.images += crops


def build(card: ModelCard, device: str) -> TorchDetector:
    """The detector of a card.

    Raises:
        WeightsMismatch: its weights are missing or do not match the card.
    """
    module = load_module(card)
    batch = None
    if isinstance(module, CropCenterNet):
        # Sixteen times the pixels, so that much fewer crops fit at once.
        batch = 1 if device == "cpu" else GPU_BATCH // 16
    read = decoder_of(module)
    assert read is not None, f"{card.architecture} is no detector"
    return TorchDetector(module, read, card, device, batch=batch)


def decoder_of(network: nn.Module) -> Decode | None:
    """How the output of a network of this repository becomes boxes (b, 10, 6); None for others."""
    if isinstance(network, CropCenterNet):
        return partial(_large_boxes, network)
    if isinstance(network, CropDetector):
        return lambda raw: decode(raw, MIN_SCORE, BOXES)
    return None


def _large_boxes(network: CropCenterNet, raw: Tensor) -> Tensor:
    return network.decode(raw, MIN_SCORE, BOXES)


def check_crops(batch: NDArray[Any], key: str) -> None:
    """Returns if crops are float32 (n, 3, 128, 128) in [0, 1].

    Raises:
        BadRequest: they are not.
    """
    wanted = f"{key} takes float32 (n, 3, {CROP_PX}, {CROP_PX}) from 0 to 1."
    if batch.ndim != 4 or batch.shape[1:] != (3, CROP_PX, CROP_PX):
        raise BadRequest(f"Crops of shape {batch.shape} do not fit.", wanted)
    if batch.dtype != np.float32:
        raise BadRequest(f"Crops of type {batch.dtype} do not fit.", wanted)
    # NaN fails both comparisons, so this tests for finite values too.
    if batch.size and not (batch.min() >= -RANGE_SLACK and batch.max() <= 1 + RANGE_SLACK):
        raise BadRequest("Pixel values are not all from 0 to 1.", wanted)


def check_windows(scene: NDArray[Any], corners: I64) -> None:
    """Returns if all crops lie in the scene.

    Raises:
        BadRequest: the scene is none, or a crop leaves it.
    """
    if scene.ndim != 3 or scene.shape[0] != 3 or scene.dtype not in (np.uint8, np.float32):
        raise BadRequest(
            f"A scene of shape {scene.shape} and type {scene.dtype} does not fit.",
            "Needed is (3, height, width), uint8 or float32 from 0 to 1.",
        )
    height, width = scene.shape[1:]
    is_out = (corners < 0) | (corners + CROP_PX > np.array([height, width]))
    if is_out.any():
        row, column = corners[is_out.any(axis=1)][0]
        raise BadRequest(
            f"A crop at row {row}, column {column} leaves the scene of {width} × {height} px.",
            f"Crops are {CROP_PX} px wide and high.",
        )


def from_torchvision(
    model: Callable[[list[Tensor]], Sequence[Mapping[str, Tensor]]],
    labels: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> Callable[[F32], F32]:
    """A detector of torchvision's kind as a function from crops to answers (b, 10, 6).

    Such a model takes a list of pictures (3, h, w) in [0, 1] and gives for each a dict of ``boxes``
    (n, 4) in px, ``scores`` (n,) and ``labels`` (n,). Torchvision itself is not needed here.

    Args:
        labels: the model's class names by label, such as ``weights.meta["categories"]`` of
            torchvision, with its "__background__" first.
        classes: the names whose numbers the answers shall have, such as ``item_set.classes``;
            another name becomes -1, which is no class of the items. Labels are kept unless given.

    Raises:
        BadRequest: when called, if the model answers in another form; the sentence says which.
    """
    places = {name: i for i, name in enumerate(classes)}
    numbers = np.array([places.get(name, -1) for name in labels], np.float32)

    def call(batch: F32) -> F32:
        pictures = list(torch.from_numpy(np.ascontiguousarray(batch)))
        with torch.inference_mode():
            answers = model(pictures)
        if len(answers) != len(pictures):
            raise BadRequest(
                f"The model answered {len(pictures)} crops with {len(answers)} sets of boxes.",
                "There must be one for each crop.",
            )
        rows = [as_rows(answer) for answer in answers]
        if len(numbers):
            for row in rows:
                row[:, 5] = named(row[:, 5], numbers)
        return np.stack([surest(row) for row in rows])

    return call


def as_rows(answer: Mapping[str, Tensor]) -> F32:
    """One crop's answer ``(n, 6)`` out of torchvision's dict.

    Raises:
        BadRequest: a part is missing, or the parts do not fit together.
    """
    missing = [name for name in ("boxes", "scores", "labels") if name not in answer]
    if missing:
        raise BadRequest(
            f"The model's answer has no {missing[0]!r}.",
            "It must hold boxes (n, 4), scores (n,) and labels (n,).",
        )
    boxes, scores, labels = (
        np.asarray(answer[name].detach().cpu().float().numpy())
        for name in ("boxes", "scores", "labels")
    )
    n = len(scores)
    if boxes.shape != (n, 4) or scores.shape != (n,) or labels.shape != (n,):
        raise BadRequest(
            f"The model answered with boxes {boxes.shape}, scores {scores.shape} and labels "
            f"{labels.shape}.",
            "Needed are (n, 4), (n,) and (n,).",
        )
    return np.concatenate([boxes, scores[:, None], labels[:, None]], 1).astype(np.float32)


def named(labels: F32, numbers: F32) -> F32:
    """Labels ``(n,)`` as the numbers that their names have.

    Raises:
        BadRequest: the model gave a label that has no name.
    """
    outside = labels[(labels < 0) | (labels >= len(numbers))]
    if len(outside):
        raise BadRequest(
            f"The model gave the label {outside[0]:g}.",
            f"There are names for the labels 0 to {len(numbers) - 1}.",
        )
    return numbers[labels.astype(np.int64)]


def surest(rows: F32) -> F32:
    """The ten surest of ``(n, 6)`` rows in order, equal ones in the model's order, NaN below."""
    order = np.argsort(-rows[:, 4], kind="stable")[:BOXES]
    kept = np.full((BOXES, 6), np.nan, np.float32)
    kept[: len(order)] = rows[order]
    return kept
