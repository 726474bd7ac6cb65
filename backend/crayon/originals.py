"""Trains the original, confounded models: ``python -m backend.crayon.originals --set birds``.

The last stage is trained on the biased training split with plain cross-entropy; for the birds on
the frozen first five stages of EfficientNet-Lite0 with its ImageNet weights. The test split is read
once, after the last epoch. Where the worst group is not 15 points below the mean, the set is too
easy to show anything, and the card says so.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from dataclasses import replace
from typing import Final

import torch
from safetensors.torch import load_file, save_file

from backend.crayon import examples, refinement, sets
from backend.crayon.requests import ORIGINALS
from models.cards import CARDS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.guided_nets import BirdNet, GarmentNet, GuidedNet

TRUNK_FILE: Final = "efficientnet_lite0.safetensors"
GAP: Final = 0.15
PLANS: Final = {
    "birds": refinement.Plan("erm", epochs=15, lr=1e-3, batch=128),
    "garments": refinement.Plan("erm", epochs=15, lr=1e-3, batch=64),
}


def untrained(item_set: str, seed: int) -> GuidedNet:
    """The network before training: pretrained trunk, last stage at random."""
    torch.manual_seed(seed)
    if item_set == "garments":
        return GarmentNet(2)
    net = BirdNet(2)
    stored = load_file(WEIGHTS / TRUNK_FILE)
    trunk = {name: stored[name].float() for name in net.trunk.state_dict()}
    own = net.trunk.state_dict()
    net.trunk.load_state_dict({name: value.to(own[name].dtype) for name, value in trunk.items()})
    return net


def train(item_set: str, seed: int = 0) -> tuple[GuidedNet, dict[str, float]]:
    """The trained network and its numbers on the test split, accuracies in [0, 1]."""
    held = sets.load(item_set)
    net = untrained(item_set, seed)
    gathered = examples.gathered(held, net, "training")
    plan = replace(PLANS[item_set], seed=seed)
    start = time.perf_counter()
    done = refinement.refine(net, gathered, plan)
    seconds = time.perf_counter() - start
    told = refinement.evaluate(done.net, examples.gathered(held, net, "test"))
    names = [f"group_{i}_accuracy" for i in range(len(held.group_names))]
    metrics = dict(zip(names, told["group_accuracy"].tolist(), strict=True))
    metrics |= {"worst_group_accuracy": told["wga"][0], "mean_group_accuracy": told["mga"][0]}
    metrics |= {"seed": seed, "epochs": plan.epochs, "seconds": round(seconds, 1)}
    return done.net, {name: float(value) for name, value in metrics.items()}


def write(item_set: str, net: GuidedNet, metrics: dict[str, float], seed: int) -> ModelCard:
    """Writes weights and card."""
    held, key = sets.load(item_set), ORIGINALS[item_set]
    path = WEIGHTS / f"{key}.safetensors"
    # The trunk's weights are stored in half precision already; the trained ones stay whole.
    state = {
        name: (v.half() if name.startswith("trunk.") and v.ndim == 4 else v).contiguous()
        for name, v in net.state_dict().items()
    }
    save_file(state, path)
    gap = metrics["mean_group_accuracy"] - metrics["worst_group_accuracy"]
    verdict = "as it should be" if gap >= GAP else "too little: this model is not confounded enough"
    card = ModelCard(
        key=key,
        title=f"{held.title}, original",
        task="crayon",
        summary="Fine-tuned on a training set in which the confounder goes with the class in 95 % "
        f"of the images; its worst group lies {100 * gap:.0f} points below the mean, {verdict}.",
        architecture=type(net).__name__,
        input=InputSpec(3, *held.shape),
        classes=held.classes,
        layers=("stage",),
        licence="Trained for Loupe; trunk of the birds' model Apache-2.0 (EfficientNet-Lite0)",
        data=f"The training split of {held.title}: {held.source}",
        command=f"python -m backend.crayon.originals --set {item_set} --seed {seed}",
        metrics=metrics,
        weights_file=path.name,
        weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        limits="Wrong on purpose: it relies on the confounder. Made to be corrected, not used.",
    )
    (CARDS / f"{key}.toml").write_text(dump_card(card), encoding="utf-8")
    return card


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--set", choices=list(ORIGINALS), required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    net, metrics = train(asked.set, asked.seed)
    card = write(asked.set, net, metrics, asked.seed)
    sys.stdout.write(f"{card.key} {dict(card.metrics)}\n")


if __name__ == "__main__":
    main()
