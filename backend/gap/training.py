"""Trains the heads of the bundled dual encoders and measures them over seeds.

Run as ``python -m backend.gap.training`` (``make train-pairs``). The towers are frozen; their
features come from :mod:`backend.gap.towers`. All variants of a seed start from the same heads and
see the same batches. A batch holds one picture of a concept at most, so that no caption is its own
negative.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend.gap import bundled, towers
from backend.gap.measures import GapReport, measure
from backend.gap.retrieval import linear_probe, recall_at, zero_shot
from backend.protocols import F32, I64
from models.dual_encoder import Heads
from models.losses import LAMBDA, Places, rankclip_loss

LAMBDAS: Final[Mapping[str, tuple[float, float]]] = {
    "clip": (0.0, 0.0),
    "rankclip": (LAMBDA, LAMBDA),
    "rankclip-c": (0.0, LAMBDA),
    "rankclip-i": (LAMBDA, 0.0),
}
"""In-modal and cross-modal weight of each trained variant."""
SUMMED: Final = "rankclip-sum"
"""RankCLIP with the terms of a list summed as printed; measured, not bundled."""
PLACES: Final[Places] = "mean"
"""Terms of a list are averaged, as the released code divides by the batch; see models.losses."""
BATCH: Final = 256
EPOCHS: Final = 60
RATE: Final = 1e-3
DECAY: Final = 0.1
WARM_UP: Final = 50  # steps
log = logging.getLogger("loupe.pairs")


@dataclass(frozen=True, slots=True)
class Features:
    """Frozen features of all pairs: images (n, 1280), texts (n, 384), classes (16, 384)."""

    images: Tensor
    texts: Tensor
    classes: Tensor
    table: bundled.PairTable


def gathered() -> Features:
    """The features, computed where they are not cached."""
    images, texts = towers.features()
    prompts = [bundled.PROMPT_OF.format(text) for text in bundled.PROMPTS.values()]
    classes = towers.of_texts(prompts)
    return Features(
        torch.from_numpy(images), torch.from_numpy(texts), torch.from_numpy(classes),
        bundled.table(),
    )  # fmt: skip


def first_heads(seed: int) -> Heads:
    """Untrained heads."""
    torch.manual_seed(seed)
    return Heads()


def batches(table: bundled.PairTable, rng: np.random.Generator) -> list[I64]:
    """One epoch: a picture of every concept that trains, drawn anew, in batches."""
    rows = table.rows("train")
    rows = rng.permutation(rows)
    _, first = np.unique(np.asarray(table.concepts)[rows], return_index=True)
    drawn = rng.permutation(rows[first])
    return [drawn[i : i + BATCH] for i in range(0, len(drawn) - BATCH + 1, BATCH)]


def train(held: Features, variant: str, seed: int, epochs: int = EPOCHS) -> Heads:
    """Heads trained with the variant's loss; the scores of the ranking terms are cosines times the
    logit scale, each list ranked by the other and the other by it.
    """
    within, across = LAMBDAS["rankclip" if variant == SUMMED else variant]
    places: Places = "sum" if variant == SUMMED else PLACES
    heads = first_heads(seed)
    rng = np.random.default_rng(seed)
    steps = epochs * len(batches(held.table, np.random.default_rng(seed)))
    optimiser = torch.optim.AdamW(_groups(heads), lr=RATE, betas=(0.9, 0.999))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps))
    heads.train()
    for _ in range(epochs):
        for rows in batches(held.table, rng):
            chosen = torch.from_numpy(rows)
            images, texts = heads(held.images[chosen], held.texts[chosen])
            loss = rankclip_loss(
                images, texts, temperature=1 / heads.scale, lambda_in=within, lambda_cross=across,
                places=places, symmetric=True, scale=heads.scale,
            )  # fmt: skip
            optimiser.zero_grad()
            loss.total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimiser.step()
            schedule.step()
    return heads.eval()


def _groups(heads: Heads) -> list[dict[str, object]]:
    """Matrices decay, biases and the scale do not."""
    named = list(heads.parameters())
    return [
        {"params": [p for p in named if p.ndim > 1], "weight_decay": DECAY},
        {"params": [p for p in named if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _rate(step: int, steps: int) -> float:
    """Linear to 1, then a half cosine to 0."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    done = (step - WARM_UP) / max(1, steps - WARM_UP)
    return float(0.5 * (1 + np.cos(np.pi * min(1.0, done))))


def embedded(held: Features, heads: Heads, rows: NDArray[np.int64]) -> tuple[F32, F32, F32]:
    """Images and texts of some pairs and the class texts, unit rows."""
    with torch.inference_mode():
        images, texts = heads(held.images[rows], held.texts[rows])
        classes = heads.text(held.classes)
    return images.numpy(), texts.numpy(), classes.numpy()


def evaluated(held: Features, heads: Heads, split: str = "test") -> dict[str, float]:
    """Retrieval, zero-shot, linear probe and the gap on a split, shares in [0, 1]."""
    table = held.table
    rows = table.rows(split)
    images, texts, classes = embedded(held, heads, rows)
    _, concepts = np.unique(np.asarray(table.concepts)[rows], return_inverse=True)
    labels = table.labels()
    found: dict[str, float] = {}
    for name, ask, pool in (("text_to_image", texts, images), ("image_to_text", images, texts)):
        scores = recall_at(ask, pool, (1, 5, 10), concepts, concepts)
        found |= {f"{name}_recall_at_{k}": value for k, value in scores.at.items()}
    scores = zero_shot(images, labels[rows], classes, (1, 3, 5))
    found |= {f"zero_shot_top_{k}": value for k, value in scores.at.items()}
    train_rows = table.rows("train")
    known = embedded(held, heads, train_rows)[0]
    found["linear_probe"] = linear_probe(known, labels[train_rows], images, labels[rows])
    return found | _gap(measure(images, texts, bootstrap=0), float(heads.scale.detach()))


def _gap(report: GapReport, scale: float) -> dict[str, float]:
    names = (
        "centroid_gap", "alignment", "uniformity", "unmatched_cosine", "margin", "mean_pair_gap",
        "separability", "effective_rank_images", "effective_rank_texts",
    )  # fmt: skip
    return {name: float(getattr(report, name)) for name in names} | {"logit_scale": scale}


def run(
    held: Features, variants: Sequence[str], seeds: Sequence[int], epochs: int = EPOCHS
) -> Iterator[tuple[str, int, Heads, dict[str, float], float]]:
    """(variant, seed, heads, measured, seconds) one after the other."""
    for seed in seeds:
        for variant in variants:
            start = time.perf_counter()
            random = variant == "random"
            heads = first_heads(seed).eval() if random else train(held, variant, seed, epochs)
            seconds = time.perf_counter() - start
            found = evaluated(held, heads)
            log.info("%s seed %d %.0f s %s", variant, seed, seconds, found)
            yield variant, seed, heads, found, seconds


def main() -> None:
    """Trains everything and writes weights, cards, embeddings and the record."""
    from backend.gap.training_record import write

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    held = gathered()
    write(held, list(run(held, (*bundled.VARIANTS, SUMMED), asked.seeds, asked.epochs)))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    main()
