"""Turns of the colour circle: saturation and value stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.errors import BadRequest
from backend.nero.orbits.circle import Circle
from backend.nero.orbits.pixels import moved
from backend.protocols import F32, I64, U8


@dataclass(frozen=True, slots=True)
class Hues(Circle):
    """The cyclic group of ``n`` equal turns of the hue of HSV: red to green is +120°.

    Exact in the range of colours, so that nothing is clipped. Grey has no hue, and grey pictures
    are refused rather than shown a flat line that says nothing of the model.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """Such as ``"hue +120°"``."""
        return tuple(f"hue +{turn:g}°" for turn in self.positions[:, 0])

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Recoloured images ``(b, m, 3, h, w)``.

        Raises:
            BadRequest: they are grey.
        """
        if np.ndim(inputs) == 4 and inputs.shape[1] != 3:
            raise BadRequest(
                f"Images of {inputs.shape[1]} channel have no hue to turn.", "Choose colour images."
            )
        return moved(self, inputs, elements, out, self._turn)

    def _turn(self, images: F32, element: int) -> F32:
        sixth, low, span = _hue(images)
        turned = sixth + np.float32(6 * element / self.n)
        out = np.empty_like(images)
        for channel, start in enumerate((5, 3, 1)):
            k = (start + turned) % 6
            out[:, channel] = low + span * (1 - np.clip(np.minimum(k, 4 - k), 0, 1))
        return np.clip(out, 0, 1)


def _hue(images: F32) -> tuple[F32, F32, F32]:
    """Hue in sixths of a turn, smallest channel and chroma of RGB images, ``(b, h, w)`` each."""
    red, green, blue = images[:, 0], images[:, 1], images[:, 2]
    high, low = images.max(axis=1), images.min(axis=1)
    span = high - low
    safe = np.where(span == 0, np.float32(1), span)
    hue = np.where(high == green, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    return np.where(high == red, (green - blue) / safe, hue), low, span


def hues(n: int = 24) -> Hues:
    """Equal turns around the colour circle.

    Raises:
        BadRequest: it is not a whole number from 1 to 360.
    """
    if type(n) is not int or not 1 <= n <= 360:
        raise BadRequest(f"{n!r} is not a number of turns.", "Allowed are whole numbers 1 to 360.")
    return Hues(f"hue-{360 / n:g}", f"turns of the hue by {360 / n:g}°", "turn of the hue (°)", n)
