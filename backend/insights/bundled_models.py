"""Fits the bundled models: ``python -m backend.insights.bundled_models --set campaigns``.

Writes ``models/weights/insights-<set>.safetensors`` and its card. What it measures is of test rows,
which are read once, after the fit.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from typing import Final

import torch

from backend.files import write_atomic
from backend.insights import contents, fitting
from backend.insights.registry import BUNDLED, LIMITS
from models.cards import CARDS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.insights_cells import IMAGE_PX

SETS: Final = ("campaigns", "films")


def card(set_key: str, made: fitting.Fitted, sha: str, command: str) -> ModelCard:
    """What the card of a fitted model says."""
    held = contents.load(set_key)
    key = f"{BUNDLED}{set_key}"
    numbers = sum(p.numel() for p in made.net.parameters())
    return ModelCard(
        key=key,
        title=f"Success of {held.title.lower()}",
        task="insights",
        summary="Word vectors with a convolution over neighbours, kinds of places of pictures, two "
        "MLPs and five fusion MLPs, each encoder first alone. Tells the success rate of a content.",
        architecture="InsightNet",
        input=InputSpec(3, IMAGE_PX, IMAGE_PX),
        classes=("success rate",),
        layers=("image.seen", "text.seen"),
        licence=f"Apache-2.0; fitted to {held.title} ({held.licence})",
        data=f"{held.source.rstrip('.')}; word "
        "vectors of all-MiniLM-L6-v2 (Apache-2.0), not in the file; places of pictures distilled "
        "from EfficientNet-Lite0 (Apache-2.0).",
        command=command,
        metrics={**made.told["metrics"], "parameters": float(numbers)},
        weights_file=f"{key}.safetensors",
        weights_sha256=sha,
        limits=LIMITS,
    )


def main() -> None:
    """Writes one model and its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=SETS, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    held = contents.load(asked.set)
    options = fitting.Options(loss=fitting.default_loss(held), seed=asked.seed)

    def report(stage: str, done: int, total: int, value: float) -> None:
        sys.stderr.write(f"{stage} {done}/{total} {value:.4f}\n")

    made = fitting.fit(held, options, report)
    data = made.to_bytes()
    path = WEIGHTS / f"{BUNDLED}{asked.set}.safetensors"
    write_atomic(path, lambda out: out.write(data))
    command = f"python -m backend.insights.bundled_models --set {asked.set} --seed {asked.seed}"
    told = card(asked.set, made, hashlib.sha256(data).hexdigest(), command)
    (CARDS / f"{told.key}.toml").write_text(dump_card(told), encoding="utf-8")
    sys.stderr.write(f"{made.told['metrics']}\n")


if __name__ == "__main__":
    main()
