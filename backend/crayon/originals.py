"""Trains the original, confounded models: ``python -m backend.crayon.originals --set birds``; those
of the user's own sets as a job, ``crayon.original``.

The last stage is trained on the biased training split with plain cross-entropy; for the birds on
the frozen first five stages of EfficientNet-Lite0 with its ImageNet weights. The test split is read
once, after the last epoch. Where the worst group is not 15 points below the mean, the set is too
easy to show anything, and the card says so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from safetensors.torch import load_file, save

from backend.crayon import examples, library, own_nets, refinement, sets
from backend.crayon.requests import ORIGINALS, own_model_key
from backend.errors import BadRequest
from backend.files import write_atomic
from backend.protocols import JSON, Arrays
from models.cards import CARDS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.guided_nets import BirdNet, GarmentNet, GuidedNet

TRUNK_FILE: Final = "efficientnet_lite0.safetensors"
GAP: Final = 0.15
PLANS: Final = {
    "birds": refinement.Plan("erm", epochs=15, lr=1e-3, batch=128),
    "garments": refinement.Plan("erm", epochs=15, lr=1e-3, batch=64),
}


def untrained(held: sets.GuidedSet, seed: int) -> GuidedNet:
    """The network before training: pretrained trunk, last stage at random."""
    torch.manual_seed(seed)
    if held.key == "garments":
        return GarmentNet(2)
    net = BirdNet(len(held.classes))
    stored = load_file(WEIGHTS / TRUNK_FILE)
    trunk = {name: stored[name].float() for name in net.trunk.state_dict()}
    own = net.trunk.state_dict()
    net.trunk.load_state_dict({name: value.to(own[name].dtype) for name, value in trunk.items()})
    return net


def train(
    item_set: str, seed: int = 0, epochs: int = 0, report: refinement.Report | None = None
) -> tuple[GuidedNet, dict[str, float]]:
    """The trained network and its numbers on the test split, accuracies in [0, 1]; without a test
    split, no accuracies.

    Args:
        epochs: as planned for the set unless given.
    """
    held = sets.checked_counts(sets.load(item_set))
    net = untrained(held, seed)
    gathered = examples.gathered(held, net, "training")
    plan = replace(PLANS.get(item_set, PLANS["birds"]), seed=seed)
    plan = replace(plan, epochs=epochs or plan.epochs)
    start = time.perf_counter()
    done = refinement.refine(net, gathered, plan, report=report)
    seconds = time.perf_counter() - start
    metrics = _measured(held, done.net)
    metrics |= {"seed": seed, "epochs": plan.epochs, "seconds": round(seconds, 1)}
    return done.net, {name: float(value) for name, value in metrics.items()}


def _measured(held: sets.GuidedSet, net: GuidedNet) -> dict[str, float]:
    if not len(held.rows("test")):
        return {}
    told = refinement.evaluate(net, examples.gathered(held, net, "test"))
    present = sorted(set(held.groups[held.rows("test")].tolist()))
    names = [f"group_{i}_accuracy" for i in present]
    metrics = dict(zip(names, told["group_accuracy"].tolist(), strict=True))
    worst, mean = float(told["wga"][0]), float(told["mga"][0])
    return metrics | {"worst_group_accuracy": worst, "mean_group_accuracy": mean}


def write(item_set: str, net: GuidedNet, metrics: dict[str, float], seed: int) -> ModelCard:
    """Writes weights and card: of a bundled set beside the others, else into the state folder.

    Raises:
        StorageFull: they cannot be written.
    """
    held, is_own = sets.load(item_set), item_set not in ORIGINALS
    key = own_model_key(item_set) if is_own else ORIGINALS[item_set]
    weights, cards = (library.models_folder(),) * 2 if is_own else (WEIGHTS, CARDS)
    # The trunk's weights are stored in half precision already; the trained ones stay whole.
    state = {
        name: (v.half() if name.startswith("trunk.") and v.ndim == 4 else v).contiguous()
        for name, v in net.state_dict().items()
    }
    content = save(state)
    write_atomic(weights / f"{key}.safetensors", lambda out: out.write(content))
    card = ModelCard(
        key=key,
        title=f"{held.title}, original",
        task="crayon",
        summary=_summary(metrics, is_own),
        architecture=type(net).__name__,
        input=InputSpec(3, *held.shape),
        classes=held.classes,
        layers=("stage",),
        licence="Trained for Loupe; trunk of the birds' model Apache-2.0 (EfficientNet-Lite0)",
        data=f"The training split of {held.title}: {held.source}",
        command=f"python -m backend.crayon.originals --set {item_set} --seed {seed}",
        metrics=metrics,
        weights_file=f"{key}.safetensors",
        weights_sha256=hashlib.sha256(content).hexdigest(),
        limits="Wrong on purpose: it relies on the confounder. Made to be corrected, not used.",
    )
    if is_own:
        card = replace(card, command="crayon.original", limits="Known on this set only.")
    text = dump_card(card).encode()
    write_atomic(cards / f"{key}.toml", lambda out: out.write(text))
    return card


def _summary(metrics: dict[str, float], is_own: bool) -> str:
    if is_own and "worst_group_accuracy" not in metrics:
        return "Fine-tuned here on your training split; there is no test split to know it by."
    gap = metrics["mean_group_accuracy"] - metrics["worst_group_accuracy"]
    verdict = "as it should be" if gap >= GAP else "too little: this model is not confounded enough"
    how = "Fine-tuned on a training set in which the confounder goes with the class in 95 % of the "
    how = "Fine-tuned here on your training split" if is_own else f"{how}images"
    return f"{how}; its worst group lies {100 * gap:.0f} points below the mean, {verdict}."


def original(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``crayon.original``: trains and keeps the original model of an own set.

    Returns:
        accuracy (2,) worst and mean of the test groups, NaN without a test split; loss (epochs,).

    Raises:
        BadRequest, NotFound, StorageFull, Cancelled: nothing is written then.
    """
    item_set, seed = str(params["set"]), cast(int, params["seed"])
    losses: list[float] = []

    def report(epoch: int, epochs: int, numbers: dict[str, float]) -> None:
        losses.append(numbers["prediction"])
        ticket.log(json.dumps({"epoch": epoch, "epochs": epochs, **numbers}))
        ticket(epoch, epochs)

    net, metrics = train(item_set, seed, cast(int, params["epochs"]), report)
    write(item_set, net, metrics, seed)
    names = ("worst_group_accuracy", "mean_group_accuracy")
    found = [metrics.get(name, float("nan")) for name in names]
    return {"accuracy": np.array(found), "loss": np.array(losses, np.float32)}


def adopt(item_set: str, factory: str, weights: Path) -> ModelCard:
    """Takes a model of the user's as the original of an own set, after one forward pass.

    Args:
        factory: ``module:function`` of a module in LOUPE_PLUGINS; takes the number of classes.

    Raises:
        BadRequest: as :func:`own_nets.from_file`; or it does not take the set's images.
        StorageFull: the copy cannot be written.
    """
    held = sets.load(item_set)
    if item_set in ORIGINALS:
        raise BadRequest("The models of the bundled sets stay.", "Name a set of yours.")
    net = own_nets.from_file(factory, len(held.classes), weights)
    try:
        with torch.inference_mode():
            logits = net(examples.images(held, np.array([0])))
    except RuntimeError as error:
        size = " x ".join(map(str, held.shape))
        raise BadRequest(
            f"The model does not take RGB images of {size}.", str(error)[:200]
        ) from error
    if logits.shape[1] != len(held.classes):
        raise BadRequest(f"It gives {logits.shape[1]} classes; {len(held.classes)} are needed.")
    key, content = own_model_key(item_set), weights.read_bytes()
    card = ModelCard(
        key=key,
        title=f"{held.title}, your model",
        task="crayon",
        summary="A model of the user's.",
        architecture=factory,
        input=InputSpec(3, *held.shape),
        classes=held.classes,
        layers=("stage",),
        licence="The user's own",
        data="Unknown",
        command="python -m backend crayon original",
        metrics=_measured(held, net),
        weights_file=f"{key}.safetensors",
        weights_sha256=hashlib.sha256(content).hexdigest(),
        limits="Known on this set only.",
    )
    folder, text = library.models_folder(), dump_card(card).encode()
    write_atomic(folder / f"{key}.safetensors", lambda out: out.write(content))
    write_atomic(folder / f"{key}.toml", lambda out: out.write(text))
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
