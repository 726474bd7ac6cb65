"""InDiReCT: an embedding from words alone (Kobs 2023, "Think outside the Black Box", chapter 13).

Directions along which prompts vary are kept, the others suppressed. Images must lie in the space of
the text tower for that: here a ridge regression, fitted to captions of the training cars, takes the
pooled features of the image network to all-MiniLM-L6-v2. It stands in for CLIP and knows the words
of its captions best.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.protocols import Progress

if TYPE_CHECKING:
    import pandas as pd

F32 = NDArray[np.float32]

DIMENSIONS: Final = 128
RATE, PATIENCE, MOST_STEPS = 0.01, 100, 3_000
SPREAD: Final = 0.1  # of the first numbers: the source does not say whether SD or variance
MOST_PROMPTS: Final = 600
MOST_CHARS: Final = 200
COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "black": (0, 0, 0), "silver": (192, 192, 192), "gray": (128, 128, 128),
    "white": (255, 255, 255), "maroon": (128, 0, 0), "red": (255, 0, 0),
    "purple": (128, 0, 128), "fuchsia": (255, 0, 255), "green": (0, 128, 0),
    "lime": (0, 255, 0), "olive": (128, 128, 0), "yellow": (255, 255, 0), "navy": (0, 0, 128),
    "blue": (0, 0, 255), "teal": (0, 128, 128), "aqua": (0, 255, 255), "orange": (255, 165, 0),
    "brown": (139, 69, 19),
}  # fmt: skip
DIRECTIONS: Final = (
    "the front", "the front left", "the left side", "the rear left",
    "the rear", "the rear right", "the right side", "the front right",
)  # fmt: skip
HEIGHTS: Final = {0.5: "the ground", 1.5: "eye level", 2.5: "above", 3.5: "high above"}
SUNS: Final = {0.0: "at sunset", 45.0: "in the afternoon", 90.0: "at noon"}
KINDS: Final = (
    "hatchback", "sedan", "convertible", "sports car", "SUV", "city car", "van", "minivan",
    "bus", "truck", "vintage car", "fork lift",
)  # fmt: skip
NOTIONS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "car colour": ("a {} car", tuple(COLOURS)),
    "background colour": ("a car in front of a {} background", tuple(COLOURS)),
    "viewing direction": ("a car seen from {}", DIRECTIONS),
    "camera height": ("a car photographed from {}", tuple(HEIGHTS.values())),
    "daylight": ("a car {}", tuple(SUNS.values())),
    "kind of car": ("a photo of a {}", KINDS),
}
"""Template and aspects of the notions that can be chosen; prompts may be typed as well."""


def prompts(notion: str) -> list[str]:
    """The prompts of a notion.

    Raises:
        BadRequest: there is no such notion.
    """
    if notion not in NOTIONS:
        raise BadRequest(f"There is no notion {notion[:80]!r}.", f"There is {', '.join(NOTIONS)}.")
    template, aspects = NOTIONS[notion]
    return [template.format(aspect) for aspect in aspects]


def checked(given: Sequence[object]) -> list[str]:
    """Prompts without the empty ones.

    Raises:
        BadRequest: they are fewer than two different ones, too many, or too long.
    """
    found = list(dict.fromkeys(" ".join(str(one).split()) for one in given))
    found = [one for one in found if one]
    if len(found) < 2:
        raise BadRequest("A notion needs two different prompts at least.", "Give one a line.")
    if len(found) > MOST_PROMPTS or max(len(one) for one in found) > MOST_CHARS:
        raise BadRequest(
            "These prompts are too many or too long.",
            f"Give at most {MOST_PROMPTS} prompts of at most {MOST_CHARS} characters.",
        )
    return found


@dataclass(frozen=True, slots=True)
class Notion:
    """A learned projection: ``u`` (r, r') and the reconstruction loss of every step, in radians."""

    u: F32
    losses: NDArray[np.float64]

    def __call__(self, vectors: F32) -> F32:
        """Vectors ``(n, r)`` in the notion's space, ``(n, r')`` of length 1."""
        moved = _unit(np.asarray(vectors, np.float32)) @ self.u
        return _unit(moved)


def learn(
    texts: F32, dimensions: int = DIMENSIONS, seed: int = 0, progress: Progress | None = None
) -> Notion:
    """Learns a notion from text vectors ``(n, r)``: kept is what is needed to tell them apart.

    Minimises the mean angle between each vector and its reconstruction from ``dimensions`` numbers
    on the sphere; stops after 100 steps without improvement.

    Raises:
        BadRequest: fewer than two vectors, or a number of dimensions that is not 2 to r.
    """
    import torch

    t = torch.from_numpy(_unit(np.asarray(texts, np.float32)))
    if len(t) < 2 or not 2 <= dimensions <= t.shape[1]:
        raise BadRequest(
            f"{len(t)} prompts in {dimensions} dimensions cannot be learned from.",
            f"Give two prompts at least, and 2 to {t.shape[1]} dimensions.",
        )
    draws = np.random.default_rng(seed).normal(0, SPREAD, (t.shape[1], dimensions))
    u = torch.tensor(draws, dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.Adam([u], lr=RATE)
    losses: list[float] = []
    best, kept, since = np.inf, u.detach().clone(), 0
    normalize = torch.nn.functional.normalize
    while since < PATIENCE and len(losses) < MOST_STEPS:
        again = normalize(normalize(t @ u) @ u.T)
        loss = torch.arccos((t * again).sum(dim=1).clamp(-1 + 1e-6, 1 - 1e-6)).mean()
        value = float(loss.detach())
        losses.append(value)
        if value < best - 1e-6:
            best, kept, since = value, u.detach().clone(), 0
        else:
            since += 1
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        optimizer.step()
        if progress is not None and len(losses) % 25 == 0:
            progress(len(losses), MOST_STEPS)
    return Notion(kept.numpy(), np.array(losses))


def encoded(texts: Sequence[str], batch: int = 64) -> F32:
    """Vectors ``(n, 384)`` of length 1 of all-MiniLM-L6-v2."""
    import torch

    from models.cards import CARDS, read_card
    from models.text_encoder import load_encoder, load_tokenizer

    card = read_card(CARDS / "text-minilm.toml")
    encoder, tokenizer = load_encoder(card), load_tokenizer(card)
    found = []
    for first in range(0, len(texts), batch):
        lines = [one.ids for one in tokenizer.encode_batch(list(texts[first : first + batch]))]
        width = max(len(line) for line in lines)
        ids = torch.zeros(len(lines), width, dtype=torch.int64)
        for row, line in zip(ids, lines, strict=True):
            row[: len(line)] = torch.tensor(line)
        mask = torch.tensor([[k < len(line) for k in range(width)] for line in lines])
        with torch.inference_mode():
            found.append(encoder(ids, mask).numpy())
    return np.concatenate(found)


def colour_name(rgb: Sequence[float]) -> str:
    """The nearest of the named colours to RGB in [0, 1]."""
    wanted = 255 * np.asarray(rgb, np.float64)
    return min(COLOURS, key=lambda name: float(((COLOURS[name] - wanted) ** 2).sum()))


def named_colour(hue: float, saturation: float, value: float) -> str:
    """Name of the paint of a scene: see :func:`backend.metric_learning.rendering.colour`."""
    return colour_name(colorsys.hsv_to_rgb(hue % 1, min(saturation / 2, 1.0), min(value / 2, 1.0)))


def aspects(row: dict[str, Any], kind: str = "car") -> dict[str, str]:
    """What is said of a scene, by notion."""
    paint = named_colour(row["car_hue"], row["car_saturation"], row["car_value"])
    behind = named_colour(row["bg_hue"], row["bg_saturation"], row["bg_value"])
    return {
        "car colour": paint,
        "background colour": behind,
        "viewing direction": DIRECTIONS[round(row["car_rotation"] / 45) % 8],
        "camera height": HEIGHTS[row["camera_height"]],
        "daylight": SUNS[row["sun_elevation"]],
        "kind of car": kind,
    }


def labels(table: pd.DataFrame) -> dict[str, list[str]]:
    """The aspects of every scene of a table, by notion; the kind of car is left out."""
    rows = [aspects(row) for row in table.to_dict(orient="records")]
    return {name: [row[name] for row in rows] for name in NOTIONS if name != "kind of car"}


def ridge(x: F32, y: F32, strength: float = 1.0) -> tuple[F32, F32, F32]:
    """``(mean, scale, weight)`` that take features ``(n, d)`` to targets ``(n, r)`` linearly:
    ``[(x - mean) / scale, 1] @ weight``."""
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-4
    z = np.c_[(x - mean) / scale, np.ones(len(x))].astype(np.float64)
    gram = z.T @ z + strength * len(x) / 100 * np.eye(z.shape[1])
    return mean, scale, np.asarray(np.linalg.solve(gram, z.T @ y), np.float32)


def projected(x: F32, fitted: tuple[F32, F32, F32]) -> F32:
    """Features ``(n, d)`` in the space of the text tower, of length 1."""
    mean, scale, weight = fitted
    return _unit(np.c_[(x - mean) / scale, np.ones(len(x), np.float32)] @ weight)


def _unit(x: F32) -> F32:
    size = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.asarray(x / np.maximum(size, 1e-12), np.float32)
