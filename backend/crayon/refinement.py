"""Fine-tuning under answers: the three variants of Crayon, their controls and the baselines.

Every method starts from the same original model, sees the same batches in the same order at one
seed, and trains for the same number of epochs. The frozen trunk's activations are the inputs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend.crayon import baselines
from backend.crayon.gradcam import closed_form, whole_set
from backend.crayon.losses import NORMS, Norm, Terms, Weights, crayon_loss, normalise_max
from backend.crayon.methods import (
    BASELINES,
    LAST_ONLY,
    METHODS,
    NEEDS_MASKS,
    USES_MAPS,
    USES_MASK,
)
from backend.crayon.metrics import energy_in_mask, group_accuracy, is_collapsed
from backend.crayon.pruning import apply_mask, random_mask
from backend.crayon.transfer import resized
from backend.errors import BadRequest
from backend.protocols import F32, I64
from models.guided_nets import GuidedNet


@dataclass(frozen=True, slots=True)
class Examples:
    """Items as the trained part sees them.

    Attributes:
        x: ``(n, c, h, w)`` float32 or float16, the trunk's activations.
        y, group: ``(n,)`` int64.
        masks: ``(n, h, w)`` share of each map cell that the object covers; None where unknown.
        hidden: as ``x``, of the images with their most attended region masked; for MaskTune.
    """

    x: Tensor
    y: I64
    group: I64
    masks: F32 | None = None
    hidden: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, slots=True)
class Guidance:
    """What the answers say about the training set.

    Attributes:
        m0: ``(n, h, w)`` maps of the original model.
        verdict: ``(n,)`` int64: 1 relevant, -1 irrelevant, 0 unused.
        keep: ``(k,)`` bool: neurons that stay.
        patch_model: fingerprint of the model whose patches were answered; empty: not checked.
    """

    m0: F32 | None = None
    verdict: I64 | None = None
    keep: NDArray[Any] | None = None
    patch_model: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """One training run.

    Attributes:
        alpha, beta: weights of the two attention terms, as in equation 4.
        strength: of a baseline's own term or up-weighting.
        freeze_norm: keep the statistics of batch norm (the authors let them move).
    """

    method: str = "attention"
    alpha: float = 0.0
    beta: float = 0.0
    norm: str = "reference"
    epochs: int = 10
    lr: float = 1e-4
    weight_decay: float = 1e-4
    batch: int = 128
    seed: int = 0
    strength: float = 1.0
    freeze_norm: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadRequest(
                f"There is no method {self.method[:40]!r}.", f"Methods are {', '.join(METHODS)}."
            )
        if self.norm not in NORMS:
            raise BadRequest(f"There is no norm {self.norm[:40]!r}.", f"Norms are {NORMS}.")
        limits: dict[str, tuple[float, float]] = {
            "alpha": (0, 1e12),
            "beta": (0, 1e12),
            "epochs": (1, 200),
            "batch": (2, 4096),
        }
        limits |= {"lr": (1e-9, 1), "weight_decay": (0, 1), "seed": (0, 2**31)}
        limits |= {"strength": (0, 1e9)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadRequest(
                    f"{name}={value!r} is not usable.", f"Allowed are {low:g} to {high:g}."
                )


@dataclass(frozen=True, slots=True)
class Refined:
    """A corrected model.

    Attributes:
        net: the network, in evaluation mode.
        curves: ``(epochs, 3)`` mean loss per item: prediction, relevant, irrelevant (or the
            baseline's own term in the second column).
        validation: ``(epochs, 2)`` worst and mean group accuracy, NaN without a validation set.
        weights: alpha, beta and the counts, so the per-sample weights.
    """

    net: GuidedNet
    curves: F32
    validation: F32
    weights: Weights


Report = Callable[[int, int, dict[str, float]], None]


def refine(
    original: GuidedNet,
    train: Examples,
    plan: Plan,
    guidance: Guidance | None = None,
    validation: Examples | None = None,
    *,
    model: str = "",
    report: Report | None = None,
) -> Refined:
    """A corrected copy of ``original``, which stays as it is.

    Args:
        model: fingerprint of ``original``, compared with that of the patch answers.
        report: called after every epoch with epoch, epochs and the epoch's numbers; may raise
            ``Cancelled``.

    Raises:
        BadRequest: the method needs answers, masks or maps that are not given, only one class is
            there, or the patch answers are about another model.
    """
    guide = _checked(train, plan, guidance or Guidance(), model)
    torch.manual_seed(plan.seed)
    net = copy.deepcopy(original)
    guide = _fitted(net, train, guide)
    if plan.method in USES_MASK:  # pruning always comes before attention
        assert guide.keep is not None
        is_control = plan.method == "random-mask"
        apply_mask(net, random_mask(guide.keep, plan.seed) if is_control else guide.keep)
    step = _Step.of(original, train, plan, guide)
    optimiser = torch.optim.Adam(_trained(net, plan), lr=plan.lr, weight_decay=plan.weight_decay)
    draws = torch.Generator().manual_seed(plan.seed)
    curves = np.zeros((plan.epochs, 3), np.float32)
    held = np.full((plan.epochs, 2), np.nan, np.float32)
    for epoch in range(plan.epochs):
        curves[epoch] = _epoch(net, train, plan, step, optimiser, draws)
        if validation is not None:
            held[epoch] = _groups(net, validation)
        if report is not None:
            names = ("prediction", "relevant", "irrelevant", "wga", "mga")
            values = [*curves[epoch].tolist(), *held[epoch].tolist()]
            told = {n: v for n, v in zip(names, values, strict=True) if v == v}
            report(epoch + 1, plan.epochs, told)
    return Refined(net.eval().requires_grad_(False), curves, held, step.weights)


@dataclass(frozen=True, slots=True)
class _Step:
    """What one batch's loss needs besides the batch."""

    weights: Weights
    m0: Tensor | None = None
    verdict: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    item_weights: Tensor | None = None

    @classmethod
    def of(cls, original: GuidedNet, train: Examples, plan: Plan, guide: Guidance) -> _Step:
        verdict = np.zeros(len(train), np.int64)
        if plan.method in USES_MAPS and guide.verdict is not None:
            verdict = guide.verdict
            if plan.method == "shuffled":
                verdict = np.random.default_rng(plan.seed).permutation(verdict)
        counts = int((verdict == 1).sum()), int((verdict == -1).sum())
        weights = Weights(plan.alpha, plan.beta, *counts)
        m0 = torch.from_numpy(guide.m0) if guide.m0 is not None else None
        heavier = None
        if plan.method == "jtt":
            heavier = baselines.misclassified(original, train.x, train.y, plan.strength)
        return cls(weights, m0, torch.from_numpy(verdict), heavier)


def _epoch(
    net: GuidedNet,
    train: Examples,
    plan: Plan,
    step: _Step,
    optimiser: torch.optim.Optimizer,
    draws: torch.Generator,
) -> NDArray[np.float32]:
    net.train()
    if plan.freeze_norm or plan.method in LAST_ONLY:
        net.stage.eval()
    total = np.zeros(3)
    y = torch.from_numpy(train.y)
    for rows in torch.split(torch.randperm(len(train), generator=draws), plan.batch):
        if len(rows) < 2:  # batch norm cannot learn from one item
            continue
        terms = _terms(net, train, plan, step, rows, y[rows])
        optimiser.zero_grad()
        terms.total.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        optimiser.step()
        parts = (terms.prediction, terms.relevant, terms.irrelevant)
        total += [float(part.detach()) for part in parts]
    return (total / len(train)).astype(np.float32)


def _terms(
    net: GuidedNet, train: Examples, plan: Plan, step: _Step, rows: Tensor, y: Tensor
) -> Terms:
    if plan.method in BASELINES:
        return baselines.terms(net, train, plan, rows, y, step.item_weights)
    x = train.x[rows].float()
    if plan.method in LAST_ONLY:
        with torch.no_grad():
            features = net.features(x)
    else:
        features = net.features(x)
    logits = net.logits(features)
    zero = torch.zeros((len(rows), 1, 1))
    m = m0 = zero
    verdict = step.verdict[rows]
    if step.m0 is not None and step.weights.alpha + step.weights.beta > 0 and bool(verdict.any()):
        m, m0 = normalise_max(closed_form(net, features, y)), step.m0[rows]
    norm = cast(Norm, plan.norm)  # a plan refuses other names
    return crayon_loss(logits, y, m, m0, verdict, step.weights, norm)


def _trained(net: GuidedNet, plan: Plan) -> list[nn.Parameter]:
    net.requires_grad_(False)
    net.output.requires_grad_(True)
    if plan.method not in LAST_ONLY:
        net.stage.requires_grad_(True)
    return [p for p in net.parameters() if p.requires_grad]


def evaluate(net: GuidedNet, held: Examples) -> dict[str, NDArray[Any]]:
    """What a corrected model does on a set.

    Returns:
        ``maps`` (n, h, w) of the true class, ``probabilities`` (n, c), ``group_accuracy`` (g,) in
        the order of the group numbers, ``wga``, ``mga`` (1,), ``energy`` (n,) share of the map
        on the object (NaN where unknown) and ``collapsed`` (1,) 1 where all get one class.
    """
    maps, probabilities = whole_set(
        net, lambda a, b: held.x[a:b].float(), held.y, len(held), is_inner=True
    )
    pred = probabilities.argmax(1)
    accuracy = np.array(list(group_accuracy(pred, held.y, held.group).values()))
    energy = np.full(len(held), np.nan)
    if held.masks is not None:
        energy = energy_in_mask(maps, held.masks)
    return {
        "maps": maps,
        "probabilities": probabilities,
        "group_accuracy": accuracy,
        "wga": np.array([accuracy.min()]),
        "mga": np.array([accuracy.mean()]),
        "energy": energy,
        "collapsed": np.array([is_collapsed(pred)], np.int64),
    }


def per_sample(plan: Plan, relevant: float, irrelevant: float, verdict: I64) -> Plan:
    """The plan whose per-sample weights are ``relevant`` and ``irrelevant``."""
    counts = int((verdict == 1).sum()), int((verdict == -1).sum())
    return replace(plan, alpha=relevant * counts[0], beta=irrelevant * counts[1])


def _groups(net: GuidedNet, held: Examples) -> tuple[float, float]:
    found = evaluate(net, held)
    return float(found["wga"][0]), float(found["mga"][0])


def _checked(train: Examples, plan: Plan, guide: Guidance, model: str) -> Guidance:
    if len(np.unique(train.y)) < 2:
        raise BadRequest("The training set has one class only.", "A classifier needs two or more.")
    if plan.method in USES_MAPS:
        _check_maps(train, guide)
    if plan.method in USES_MASK:
        if guide.keep is None:
            raise BadRequest(
                f"{plan.method} needs answers about neurons.", "Annotate neurons first."
            )
        if guide.patch_model and model and guide.patch_model != model:
            raise BadRequest(
                "The patch answers are about another model's neurons.",
                "Prune the original first; attention comes after it.",
            )
    if plan.method in NEEDS_MASKS and train.masks is None:
        raise BadRequest(f"{plan.method} needs masks, which this set has not.", "Use another.")
    if plan.method == "masktune" and train.hidden is None:
        raise BadRequest("MaskTune needs the images with their attended regions hidden.")
    return guide


def _fitted(net: GuidedNet, train: Examples, guide: Guidance) -> Guidance:
    """The guidance with maps of the size that ``net`` makes; those of another model may differ."""
    if guide.m0 is None:
        return guide
    with torch.inference_mode():
        height, width = net.eval().features(train.x[:1].float()).shape[2:]
    if guide.m0.shape[1:] == (height, width):
        return guide
    return replace(guide, m0=resized(guide.m0, (height, width)))


def _check_maps(train: Examples, guide: Guidance) -> None:
    if guide.m0 is None or guide.verdict is None:
        raise BadRequest("This method needs the original's maps and answers about them.")
    if not len(guide.m0) == len(guide.verdict) == len(train):
        raise BadRequest(
            f"{len(guide.m0)} maps and {len(guide.verdict)} verdicts do not fit {len(train)} items."
        )
    if not (guide.verdict != 0).any():
        raise BadRequest(
            "No answer can be used: every item has too few answers, or answers that differ.",
            "Annotate more items, or let one annotator decide.",
        )
