"""Registered detectors: crops in, boxes out, in whichever form their networks write them
(:mod:`backend.registry.box_forms`).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch.nn import functional

from backend.detectors import check_crops, check_windows
from backend.nero.boxes import BOXES, CROP_PX
from backend.protocols import F32, I64, U8
from backend.registry import box_forms
from backend.registry.networks import InPieces, Network
from backend.registry.outputs import Named
from backend.registry.spec import ModelSpec
from models.cards import ModelCard


class OwnDetector:
    """A registered detector; see :mod:`backend.detectors` for its answers.

    Args:
        spec: its form of an answer may be ``auto``.
        ask: the spec's network.
    """

    def __init__(self, spec: ModelSpec, card: ModelCard, ask: Network) -> None:
        self.card = card
        self.device = ask.device
        self._ask = InPieces(ask, spec, partial(box_forms.read, spec))
        self._size = spec.input[1:]

    def predict(self, batch: F32) -> F32:
        """Boxes ``(b, 10, 6)`` in px of crops ``(b, 3, 128, 128)`` in [0, 1].

        Raises:
            BadRequest: the crops have another form, or the answers cannot be read as boxes.
        """
        check_crops(batch, self.card.key)
        if not len(batch):
            return np.empty((0, BOXES, 6), np.float32)
        step = self._ask.size
        pieces = (batch[start : start + step] for start in range(0, len(batch), step))
        return self._in_crops(np.concatenate([self._ask(self._enlarged(one)) for one in pieces]))

    def predict_windows(self, scene: U8 | F32, corners: I64) -> F32:
        """Boxes ``(m, 10, 6)`` of the crops of a scene ``(3, h, w)`` at ``(m, 2)`` corners, row and
        column; never more than one piece of crops exists.

        Raises:
            BadRequest: as :meth:`predict`, or a crop leaves the scene.
        """
        check_windows(scene, corners)
        whole = scene.astype(np.float32) / (255.0 if scene.dtype == np.uint8 else 1.0)
        step, found = self._ask.size, [np.empty((0, BOXES, 6), np.float32)]
        for start in range(0, len(corners), step):
            group = corners[start : start + step].tolist()
            crops = [whole[:, y : y + CROP_PX, x : x + CROP_PX] for y, x in group]
            found.append(self.predict(np.stack(crops).astype(np.float32)))
        return np.concatenate(found)

    def named(self, crops: F32) -> Named:
        """The network's own answers to crops, at most as many as go in one piece."""
        return box_forms.of_crops(self._ask.named(self._enlarged(crops)))

    def _enlarged(self, crops: F32) -> F32:
        """Crops at the size that the network takes."""
        if self._size == (CROP_PX, CROP_PX):
            return crops
        tensor = torch.from_numpy(np.ascontiguousarray(crops))
        made: F32 = functional.interpolate(
            tensor, self._size, mode="bilinear", align_corners=False, antialias=True
        ).numpy()
        return made.clip(0, 1)

    def _in_crops(self, boxes: F32) -> F32:
        """Boxes in px of the input as boxes in px of the crop."""
        height, width = self._size
        boxes[..., :4] *= np.float32(CROP_PX) / np.array([width, height] * 2, np.float32)
        return boxes
