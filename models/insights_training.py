"""Training of the success model: each encoder alone, then all together on frozen pictures.

Source: Advancing Vision Intelligence (dissertation, 2024), sections 3.3 and 3.6.1. Its batch sizes,
rates and epochs are ``PAPER``; ``SMALL`` is what one core trains the shipped models with. The
weights kept are those of the epoch with the lowest loss on the validation rows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, cast

import torch
from torch import Tensor, nn

from models.insights import MODALITIES, InsightNet, Modality
from models.insights_parts import Lines, WordsEncoder

Loss = Literal["mse", "binomial", "within"]
LOSSES: Final[tuple[Loss, ...]] = ("mse", "binomial", "within")
Stage = Literal["image", "text", "domain", "features", "joint"]
DROP: Final = 0.1  # how often a modality is left out in joint training, as if it were missing
LEVEL: Final = 0.2  # weight of the mean of an experiment beside the differences within it
RIDGE: Final[Mapping[str, float]] = {"image": 400.0, "text": 15.0}
EVALUATION_BATCH: Final = 128


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings of Adam for one stage."""

    batch: int
    lr: float
    epochs: int
    betas: tuple[float, float] = (0.9, 0.999)


PAPER: Final[Mapping[Stage, Preset]] = {
    "image": Preset(32, 1e-3, 50),
    "text": Preset(8, 1e-3, 50),
    "domain": Preset(512, 5e-4, 50),
    "features": Preset(512, 5e-4, 50),
    "joint": Preset(32, 1e-3, 50),
}
SMALL: Final[Mapping[Stage, Preset]] = {
    "image": Preset(32, 2e-3, 16),
    "text": Preset(32, 2e-3, 20),
    "domain": Preset(128, 2e-3, 20),
    "features": Preset(128, 2e-3, 20),
    "joint": Preset(64, 2e-3, 25),
}


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be predicted, of all rows; ``rate`` = clicks / impressions, eq. 3.1.

    Attributes:
        impressions: (n,) float32, 1 where unknown.
        group: (n,) int64 number of the experiment; each its own where there is none.
    """

    rate: Tensor
    impressions: Tensor
    group: Tensor

    def of(self, rows: Tensor) -> Target:
        """The same of some rows."""
        return Target(self.rate[rows], self.impressions[rows], self.group[rows])


class Rows(Protocol):
    """Access to the modalities of contents by row."""

    has_image: Tensor
    domain: Tensor
    features: Tensor

    def lines(self, rows: Tensor) -> Lines: ...
    def pixels(self, rows: Tensor) -> Tensor | None: ...


Report = Callable[[Stage, int, int, float], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """One training run over ``training`` rows, watched on ``validation`` rows."""

    training: Tensor
    validation: Tensor
    presets: Mapping[Stage, Preset]
    loss: Loss = "mse"
    seed: int = 0
    report: Report = lambda stage, epoch, epochs, value: None


def loss_of(logits: Tensor, target: Target, weights: Tensor, kind: Loss) -> Tensor:
    """The loss of logits (b, h) of h networks; 1 is about that of the mean rate.

    ``mse`` is equation 3.4 over the variance of the rates; ``binomial`` the likelihood of the
    clicks; ``within`` compares log rates with the mean of their experiment, so that what all arms
    share (topic, season, place) does not drown the differences.

    Args:
        weights: (b, h), 1 for plain.
    """
    rate, shown = target.rate[:, None], target.impressions[:, None]
    if kind == "mse":
        spread = target.rate.var(correction=0).clamp(min=1e-8)
        return (weights * (torch.sigmoid(logits) - rate) ** 2).mean() / spread
    if kind == "binomial":
        losses = nn.functional.binary_cross_entropy_with_logits(
            logits, rate.expand_as(logits), reduction="none"
        )
        return (weights * losses * shown / shown.mean()).mean() / rate.mean().clamp(min=1e-4)
    wanted = log_rate(target)
    found, mean_found = _centred(logits, target.group)
    asked, mean_asked = _centred(wanted, target.group)
    spread = asked.var(correction=0).clamp(min=1e-4)
    inner = (weights * (found - asked) ** 2).mean() / spread
    shift = (weights * (mean_found - mean_asked) ** 2).mean()
    return inner + LEVEL * shift / mean_asked.var(correction=0).clamp(min=0.05)


def log_rate(target: Target) -> Tensor:
    """Logits (n, 1) of the rates; that of half a click where there was none."""
    floor = 0.5 / target.impressions.clamp(min=2)
    return torch.logit(torch.maximum(target.rate, floor).clamp(max=1 - 1e-4))[:, None]


def _centred(values: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
    """Values (b, h) less the mean of their group, and that mean (b, h)."""
    _, place = torch.unique(group, return_inverse=True)
    n = int(place.max()) + 1
    total = values.new_zeros(n, values.shape[1]).index_add(0, place, values)
    mean = (total / torch.bincount(place, minlength=n)[:, None])[place]
    return values - mean, mean


def batches(
    rows: Tensor, group: Tensor, size: int, generator: torch.Generator, *, whole: bool
) -> Iterator[Tensor]:
    """Rows in random order, ``size`` at a time; with ``whole``, experiments are never cut.

    A last batch of one row is left out: batch norm has no variance of it.
    """
    if not whole:
        for part in torch.split(rows[torch.randperm(len(rows), generator=generator)], size):
            if len(part) > 1:
                yield part
        return
    order = torch.argsort(group[rows], stable=True)
    _, counts = torch.unique_consecutive(group[rows][order], return_counts=True)
    groups = torch.split(rows[order], counts.tolist())
    held: list[Tensor] = []
    for k in torch.randperm(len(groups), generator=generator).tolist():
        held.append(groups[k])
        if sum(map(len, held)) >= size:
            yield torch.cat(held)
            held = []
    if sum(map(len, held)) > 1:
        yield torch.cat(held)


def embed(net: InsightNet, modality: Modality, data: Rows, rows: Tensor) -> Tensor:
    """The embedding of one modality of some rows."""
    if modality == "text":
        return net.embed_text(data.lines(rows))
    if modality == "domain":
        return net.embed_domain(data.domain[rows])
    if modality == "features":
        return net.embed_features(data.features[rows])
    pixels = data.pixels(rows)
    return net.embed_image(
        None if pixels is None else net.image.centred(pixels), data.has_image[rows]
    )


def embedded(net: InsightNet, modality: Modality, data: Rows, rows: Tensor) -> Tensor:
    """The same of many rows, in eval mode and without gradients."""
    net.eval()
    with torch.inference_mode():
        parts = [embed(net, modality, data, part) for part in torch.split(rows, EVALUATION_BATCH)]
    return torch.cat(parts).clone()


def pretrain(net: InsightNet, modality: Modality, data: Rows, target: Target, plan: Plan) -> float:
    """Phase 1: one encoder with its own head; MLP3 is untouched. Tells the validation loss."""
    preset = plan.presets[modality]
    generator = torch.Generator().manual_seed(plan.seed)
    modules = nn.ModuleList([net.module_of(modality), net.single[modality]])
    optimiser = torch.optim.Adam(modules.parameters(), lr=preset.lr, betas=preset.betas)

    def logits(rows: Tensor, *, training: bool) -> Tensor:
        return cast(Tensor, net.single[modality](embed(net, modality, data, rows)))

    return _descend(net, modules, optimiser, logits, target, plan, modality, generator)


def joint(
    net: InsightNet, data: Rows, target: Target, plan: Plan, texts: Tensor | None = None
) -> float:
    """Phase 2: text, domain and features go on, MLP3 begins, the picture's weights are frozen.

    Each fusion MLP sees the experiments weighted by its own Poisson draw, a bootstrap.

    Args:
        texts: embeddings (n, width) of all rows of an encoder that is frozen; made unless given.
    """
    preset = plan.presets["joint"]
    generator = torch.Generator().manual_seed(plan.seed + 1)
    every = torch.cat([plan.training, plan.validation])
    frozen: dict[Modality, Tensor] = {"image": _by_row(net, "image", data, every)}
    trained: list[nn.Module] = [net.domain, net.features, net.fusion]
    if isinstance(net.text, WordsEncoder):
        trained.append(net.text)
    else:
        frozen["text"] = _by_row(net, "text", data, every) if texts is None else texts
    modules = nn.ModuleList(trained)
    optimiser = torch.optim.Adam(modules.parameters(), lr=preset.lr, betas=preset.betas)

    def logits(rows: Tensor, *, training: bool) -> Tensor:
        found = {
            m: frozen[m][rows] if m in frozen else embed(net, m, data, rows) for m in MODALITIES
        }
        if training:
            kept = torch.rand(len(rows), len(MODALITIES), generator=generator) >= DROP
            found = {m: found[m] * kept[:, k : k + 1] for k, m in enumerate(MODALITIES)}
        return net.head_logits(found)

    return _descend(net, modules, optimiser, logits, target, plan, "joint", generator)


def _by_row(net: InsightNet, modality: Modality, data: Rows, rows: Tensor) -> Tensor:
    """Embeddings in a table that is indexed by row; rows not asked for are zero."""
    table = torch.zeros(len(data.has_image), net.widths[modality])
    table[rows] = embedded(net, modality, data, rows)
    return table


def _descend(
    net: InsightNet,
    modules: nn.Module,
    optimiser: torch.optim.Optimizer,
    logits: Callable[..., Tensor],
    target: Target,
    plan: Plan,
    stage: Stage,
    generator: torch.Generator,
) -> float:
    """Adam over batches, the state of the best epoch kept in ``modules``."""
    preset, heads = plan.presets[stage], net.shape.heads if stage == "joint" else 1
    n_groups = int(target.group.max()) + 1
    draws = torch.ones(n_groups, heads)
    if heads > 1:
        draws = torch.poisson(draws, generator=generator)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, preset.epochs)
    best, best_state = float("inf"), copy.deepcopy(modules.state_dict())
    for epoch in range(preset.epochs):
        net.eval()
        modules.train()
        for rows in batches(
            plan.training, target.group, preset.batch, generator, whole=plan.loss == "within"
        ):
            part = target.of(rows)
            loss = loss_of(logits(rows, training=True), part, draws[part.group], plan.loss)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        schedule.step()
        value = validation_loss(net, logits, target, plan)
        plan.report(stage, epoch + 1, preset.epochs, value)
        if value < best:
            best, best_state = value, copy.deepcopy(modules.state_dict())
    modules.load_state_dict(best_state)
    net.eval()
    return best


def validation_loss(
    net: InsightNet, logits: Callable[..., Tensor], target: Target, plan: Plan
) -> float:
    """The loss of the mean logits on the validation rows; on the training rows without any."""
    rows = plan.validation if len(plan.validation) > 1 else plan.training
    net.eval()
    with torch.inference_mode():
        parts = torch.split(rows, EVALUATION_BATCH)
        found = torch.cat([logits(part, training=False).mean(1, keepdim=True) for part in parts])
        loss = loss_of(found, target.of(rows), torch.ones_like(found), plan.loss)
    return float(loss)


def fit_projection(
    net: InsightNet, modality: Literal["image", "text"], raw: Tensor, target: Target, loss: Loss
) -> None:
    """Phase 1 of an encoder whose features are frozen: its linear map and head, in closed form.

    The first direction is the ridge regression of the log rates on the features, both less the
    means of their experiment where the loss is ``within``; the others are principal components.

    Args:
        raw: (n, k) frozen features of the training rows; target: of the same rows.
    """
    wanted = log_rate(target)[:, 0]
    x, y = raw.double(), wanted[:, None].double()
    if loss == "within":
        x, y = _centred(x, target.group)[0], _centred(y, target.group)[0]
    else:
        x, y = x - x.mean(0), y - y.mean()
    gram = x.T @ x + RIDGE[modality] * torch.eye(x.shape[1], dtype=x.dtype)
    slope = torch.linalg.solve(gram, x.T @ y)[:, 0]
    project = cast(Any, net.module_of(modality)).project.weight
    _, _, axes = torch.svd_lowrank(x, q=len(project), niter=2)
    scale = float((x @ slope).std().clamp(min=1e-6))
    rows = [slope / scale, *(axis / (x @ axis).std().clamp(min=1e-6) for axis in axes.T[:-1])]
    middle = float((raw.double() @ (slope / scale)).mean())
    head = net.head_of(modality)
    with torch.no_grad():
        project.copy_(torch.stack(rows).float())
        head.weight.zero_()
        head.weight[0, 0] = scale
        head.bias.fill_(float(wanted.mean()) - scale * middle)
