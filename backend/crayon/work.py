"""The works of this package, run by the worker processes: parameters in, named arrays out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np
import torch

from backend.cache import ArrayStore
from backend.crayon import aggregate, examples, methods, refinement, saliency, sets
from backend.crayon.gradcam import whole_set
from backend.crayon.patches import concept_patches
from backend.crayon.pruning import accuracy_without_each
from backend.crayon.requests import GRADCAM, RefineRequest, model_key
from backend.errors import NotFound
from backend.protocols import JSON, Arrays
from models.guided_nets import GuidedNet

SLOW_BATCH: Final = 16  # images at a time where a map needs many passes


class Ticket(Protocol):
    """What a work function is handed: progress with cancel, and earlier results."""

    @property
    def store(self) -> ArrayStore: ...

    def __call__(self, done: int, total: int) -> None: ...

    def log(self, text: str) -> None: ...


def maps(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``crayon.maps``: a model's maps of the true class on a whole set, by ``saliency``.

    Returns:
        maps (n, h, w) float32 max-normalised and probabilities (n, c) float32, in the set's order.
    """
    held, net = asked(params, ticket)
    rows, method = np.arange(len(held)), str(params.get("saliency", GRADCAM))
    found, probabilities = whole_set(
        net,
        lambda a, b: examples.images(held, rows[a:b]),
        held.labels,
        len(held),
        progress=ticket if method == GRADCAM else None,
    )
    if method != GRADCAM:
        for start in range(0, len(held), SLOW_BATCH):
            part = rows[start : start + SLOW_BATCH]
            target = torch.from_numpy(held.labels[part])
            made = saliency.maps(net, examples.images(held, part), target, method)
            found[part] = made.detach().numpy()
            ticket(min(start + SLOW_BATCH, len(held)), len(held))
    return {"maps": found, "probabilities": probabilities}


def patches(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``crayon.patches``: where each neuron reacts most among the training images.

    Returns:
        patches (p, 3) item id, row and column of the grid; owners (k, 3) patch numbers; activations
        (k, 3); shape (2,) of the grid; alone (k,) training accuracy if that neuron alone were
        pruned; accuracy (1,) with none pruned.
    """
    held, net = asked(params, ticket)
    rows = held.rows("training")
    x = examples.inner(held, net, rows, ticket)
    pooled = []

    def batches() -> Any:
        for part in torch.split(x, examples.BATCH):
            with torch.inference_mode():
                features = net.features(part)
            pooled.append((features.mean(dim=(2, 3)) * net.mask).numpy())
            yield features.numpy()

    found = concept_patches(batches())
    distinct, owners = found.unique()
    distinct[:, 0] = rows[distinct[:, 0]]
    mean, y = np.concatenate(pooled), held.labels[rows]
    weight, bias = net.output.weight.detach().numpy(), net.output.bias.detach().numpy()
    whole = ((mean @ weight.T + bias).argmax(1) == y).mean()
    return {
        "patches": distinct,
        "owners": owners,
        "activations": found.activations,
        "shape": np.array(found.shape),
        "alone": accuracy_without_each(mean, weight, bias, y),
        "accuracy": np.array([whole]),
    }


def refine(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``crayon.refine``: one training run.

    Returns:
        curves (epochs, 3) prediction, relevant, irrelevant loss per item; validation (epochs, 2)
        worst and mean group accuracy; weights (4,) alpha, beta, |R|, |I|; and of the test set
        rows (t,), maps_before and maps_after (t, h, w), pred_before and pred_after (t,),
        truth_before and truth_after (t,) probability of the true class, energy_before and
        energy_after (t,), group_before and group_after (g,) NaN for groups without items,
        wga_*, mga_* (1,), collapsed (1,);
        ``state.*`` the corrected weights.
    """
    held, net = asked(params, ticket)
    request = RefineRequest.of(params)
    train, guidance = training(held, net, request, guide_of(params, ticket), ticket)
    if guidance.verdict is not None and request.budget:
        verdict = aggregate.budget(guidance.verdict, request.budget, request.seed)
        guidance = replace(guidance, verdict=verdict)
    plan = plan_of(request, guidance)
    is_validated = len(held.rows("validation")) > 0
    validation = examples.gathered(held, net, "validation") if is_validated else None

    def report(epoch: int, epochs: int, numbers: dict[str, float]) -> None:
        ticket.log(json.dumps({"epoch": epoch, "epochs": epochs, **numbers}))
        ticket(epoch, epochs)

    done = refinement.refine(net, train, plan, guidance, validation, report=report)
    test = examples.gathered(held, net, "test")
    weights = (done.weights.alpha, done.weights.beta, done.weights.n_relevant)
    return {
        "curves": done.curves,
        "validation": done.validation,
        "weights": np.array([*weights, done.weights.n_irrelevant], np.float64),
        "rows": held.rows("test"),
        **_compared(held, net, done.net, test),
        **examples.kept_state(done.net),
    }


def _compared(
    held: sets.GuidedSet, before: GuidedNet, after: GuidedNet, test: refinement.Examples
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, net in (("before", before), ("after", after)):
        told = refinement.evaluate(net, test)
        found[f"maps_{name}"] = told["maps"]
        found[f"pred_{name}"] = told["probabilities"].argmax(1)
        found[f"truth_{name}"] = told["probabilities"][np.arange(len(test)), test.y]
        found[f"group_{name}"] = np.full(len(held.group_names), np.nan)
        found[f"group_{name}"][np.unique(test.group)] = told["group_accuracy"]
        for number in ("energy", "wga", "mga"):
            found[f"{number}_{name}"] = told[number]
        found["collapsed"] = told["collapsed"]
    return found


def guide_of(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """The stored verdicts and mask of a job.

    Raises:
        NotFound: they made room for other results.
    """
    guide = ticket.store.get(str(params["guidance"])) if params.get("guidance") else {}
    if guide is None:
        raise NotFound("The answers of this run are no longer stored.", "Start it again.")
    return guide


def training(
    held: sets.GuidedSet, net: GuidedNet, request: RefineRequest, guide: Arrays, ticket: Ticket
) -> tuple[refinement.Examples, refinement.Guidance]:
    """The training split and what guides it; no budget is drawn yet.

    Raises:
        BadRequest: the set has fewer than two classes.
    """
    sets.checked_counts(held)
    train = examples.gathered(held, net, "training", ticket)
    rows = held.rows("training")
    m0 = verdict = None
    if request.method in (*methods.USES_MAPS, "masktune"):
        job = request.answered_maps()
        stored = ticket.store.get(job.key)
        m0 = np.array((stored or maps(job.params, ticket))["maps"][rows], np.float32)
    if request.method == "masktune":
        hidden = examples.inner(held, net, rows, ticket, m0).clone()
        train = refinement.Examples(train.x, train.y, train.group, train.masks, hidden)
    if "verdict" in guide:
        verdict = np.array(guide["verdict"], np.int64)
    keep = np.array(guide["keep"], bool) if "keep" in guide else None
    return train, refinement.Guidance(m0, verdict, keep)


def plan_of(request: RefineRequest, guidance: refinement.Guidance) -> refinement.Plan:
    """The plan of a run; weights per sample become those of equation 4."""
    plan = refinement.Plan(
        method=request.method,
        norm=request.norm,
        epochs=request.epochs,
        lr=request.lr,
        seed=request.seed,
        strength=request.strength,
        freeze_norm=request.freeze_norm,
    )
    if guidance.verdict is None:
        return plan
    strengths = request.per_relevant, request.per_irrelevant
    return refinement.per_sample(plan, *strengths, guidance.verdict)


def asked(params: Mapping[str, JSON], ticket: Ticket) -> tuple[sets.GuidedSet, GuidedNet]:
    """The set and the model of a job, original or corrected.

    Raises:
        NotFound: the corrected model is no longer stored.
    """
    item_set, parent = str(params.get("set", params.get("item_set"))), str(params.get("parent", ""))
    held, key = sets.load(item_set), model_key(item_set)
    if not parent:
        return held, examples.original(key)
    stored = ticket.store.get(parent)
    if stored is None:
        raise NotFound("This corrected model is no longer stored.", "Run its job again.")
    return held, examples.corrected(key, stored)
