"""Fits a success model to a set of contents and measures it on the rows it has not seen."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.insights import encoding, evaluate
from backend.insights import pictures_code as pictures
from backend.insights.contents import Contents
from backend.insights.models import InsightModel, half_width, serialised
from backend.insights.prepared import Prepared, target
from backend.protocols import I64
from models.insights import MODALITIES, InsightNet, Modality, Shape, built
from models.insights_parts import Encoder, MiniLmEncoder
from models.insights_training import (
    LOSSES,
    SMALL,
    Loss,
    Plan,
    Preset,
    Report,
    Stage,
    embedded,
    fit_projection,
    joint,
    pretrain,
)  # fmt: skip

FEWEST: Final = 20  # training contents
Seen = dict[str, torch.Tensor]
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of a fit.

    Attributes:
        encoder: words (small, fast attributions) or minilm (more exact on real headlines).
        loss: see ``models.insights_training.loss_of``.
        epochs: of every stage; 0 for the shipped numbers.
    """

    encoder: Encoder = "words"
    loss: Loss = "mse"
    seed: int = 0
    epochs: int = 0

    def checked(self) -> Options:
        """Itself.

        Raises:
            BadRequest: a value is not usable.
        """
        if self.encoder not in ("words", "minilm"):
            raise BadRequest(f"There is no encoder {self.encoder!r}.", "words or minilm.")
        if self.loss not in LOSSES:
            raise BadRequest(f"There is no loss {self.loss!r}.", f"There is {', '.join(LOSSES)}.")
        if not 0 <= self.epochs <= 200 or not 0 <= self.seed < 2**31:
            raise BadRequest(
                f"epochs={self.epochs}, seed={self.seed} is not usable.", "Epochs are 0 to 200."
            )
        return self

    def presets(self) -> dict[Stage, Preset]:
        """Settings of each stage."""
        return {k: replace(p, epochs=self.epochs or p.epochs) for k, p in SMALL.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A network, what it was fitted with, how it did, and the rates (n,) that it tells."""

    net: InsightNet
    design: encoding.Design
    told: dict[str, Any]
    rate: F64

    def to_bytes(self) -> bytes:
        """As ``backend.insights.models.read`` reads it."""
        return serialised(self.net, self.design, self.told)


def default_loss(held: Contents) -> Loss:
    """``within`` where most contents stand in experiments, so that what all arms of one share
    (audience, season, place) is not taken for their doing; else ``mse``, as in the source.
    """
    _, place, counts = np.unique(held.experiment, return_inverse=True, return_counts=True)
    return "within" if (counts[place] > 1).mean() > 0.5 else "mse"


def fit(held: Contents, options: Options, report: Report = lambda *_: None) -> Fitted:
    """A model of a set.

    Raises:
        BadRequest: a setting is not usable, or there are too few contents or no differences.
    """
    options.checked()
    training, validation = held.rows("training"), held.rows("validation")
    if len(training) < FEWEST:
        raise BadRequest(
            f"{held.title} has {len(training)} contents to learn from; {FEWEST} are needed.",
            "Import more contents of more experiments.",
        )
    if np.ptp(held.success[training]) == 0:
        raise BadRequest("All contents have the same success rate.", "Import measured rates.")
    start = time.perf_counter()
    design = encoding.design_of(held, training)
    data = Prepared(held, np.concatenate([training, validation]), design, options.encoder)
    wanted = target(held)
    there = _there(held, data)
    net = _untrained(data, options, float(held.success[training].mean()), there)
    plan = Plan(
        torch.from_numpy(training), torch.from_numpy(validation), options.presets(),
        options.loss, options.seed, report,
    )  # fmt: skip
    seen: Seen = {}
    for modality in there:
        if modality == "image":
            pictures.fit_kinds(net, data, training, options.seed, report)
            rows, raw = pictures.raw(net, data, training)
            fit_projection(net, "image", raw, wanted.of(rows), options.loss)
        elif modality == "text" and isinstance(net.text, MiniLmEncoder):
            raw = raw_text(net, data, plan.training, report, seen)
            fit_projection(net, "text", raw, wanted.of(plan.training), options.loss)
        else:
            pretrain(net, modality, data, wanted, plan)
    if there == ["text"] and net.shape.fusion == ():
        net.adopt("text")
    else:
        joint(net, data, wanted, plan, text_table(net, data, report, seen))
    net.eval().requires_grad_(False)
    seconds = round(time.perf_counter() - start, 1)
    rate = predictions(net, held, design, seen)
    return Fitted(net, design, _told(held, rate, options) | {"seconds": seconds}, rate)


def _untrained(data: Prepared, options: Options, rate: float, there: list[Modality]) -> InsightNet:
    """Before training; MiniLM's texts alone need no MLP3, which on real headlines lost a point."""
    encoding.word_vectors()  # making MiniLM draws from the generator as well
    torch.manual_seed(options.seed)
    n_columns = len(data.design.columns)
    width = 16 if options.encoder == "minilm" else 64
    shape = Shape(len(data.design.domains), n_columns, options.encoder, text_width=width)
    if there == ["text"] and options.encoder == "minilm":
        shape = replace(shape, fusion=(), heads=1)
    net = built(shape, encoding.word_vectors, encoding.minilm)
    net.image.mean.copy_(data.mean_colour())
    bias = math.log(rate / (1 - rate)) if 0 < rate < 1 else 0.0
    with torch.no_grad():
        for head in net.last_layers():
            head.weight.mul_(0.1)
            head.bias.fill_(bias)
    return net


def _there(held: Contents, data: Prepared) -> list[Modality]:
    """The modalities that the set has."""
    found: list[Modality] = ["image"] if bool(data.has_image.any()) else []
    if any(any(parts) for parts in held.parts):
        found.append("text")
    if len(data.design.domains) > 1:
        found.append("domain")
    if len(data.design.columns):
        found.append("features")
    return found


def raw_text(
    net: InsightNet, data: Prepared, rows: torch.Tensor, report: Report, seen: Seen | None = None
) -> torch.Tensor:
    """MiniLM's frozen features (n, 2304) of the texts of some rows; equal texts are read once.

    Args:
        seen: features by text that are known already; those that are read are added.
    """
    text = net.text
    assert isinstance(text, MiniLmEncoder)
    texts = [data.held.text(int(row)) for row in rows]
    found: Seen = {} if seen is None else seen
    order = sorted(set(texts) - set(found), key=len)
    with torch.inference_mode():
        for k in range(0, len(order), 64):
            part = order[k : k + 64]
            lines, _ = encoding.batched([encoding.cut(one) for one in part], "minilm")
            tokens = text.tokens(text.entered(text.embed(lines.ids)), lines.mask)
            vectors = text.line(tokens, lines.mask)
            total = torch.zeros(len(part), text.raw_width).index_add(0, lines.owner, vectors)
            counts = torch.bincount(lines.owner, minlength=len(part)).clamp(min=1)
            found |= dict(zip(part, total / counts[:, None], strict=True))
            report("text", min(k + 64, len(order)), len(order), math.nan)
    return torch.stack([found[one] for one in texts]).clone()


def _told(held: Contents, rate: F64, options: Options) -> dict[str, Any]:
    """The header of the file: settings, interval, and errors by split."""
    told: dict[str, Any] = {
        "set": held.key,
        "items": held.fingerprint,
        "title": f"{held.title}: {options.encoder}, seed {options.seed}",
        "encoder": options.encoder,
        "loss": options.loss,
        "seed": options.seed,
        "simulated": held.simulated,
    }
    rows = held.rows("validation")
    shown = np.where(np.isfinite(held.impressions), held.impressions, np.inf)
    half = half_width(held.success[rows], rate[rows], shown[rows])
    told["half_logit"] = half if math.isfinite(half) else None
    told["metrics"] = measured(held, rate)
    return told


def text_table(net: InsightNet, data: Prepared, report: Report, seen: Seen) -> torch.Tensor | None:
    """Embeddings (n, width) of the prepared texts by row; ``None`` where the encoder trains on."""
    if not isinstance(net.text, MiniLmEncoder):
        return None
    table = torch.zeros(len(data.held), net.text.width)
    with torch.inference_mode():
        table[data.rows] = net.text.project(raw_text(net, data, data.rows, report, seen))
    return table.clone()


def predictions(
    net: InsightNet, held: Contents, design: encoding.Design, seen: Seen | None = None
) -> F64:
    """Success rates (n,) of a whole set.

    Args:
        seen: MiniLM's features of texts that are known already.
    """
    rows = np.arange(len(held))
    data = Prepared(held, rows, design, net.shape.encoder)
    every = torch.from_numpy(rows)
    texts = text_table(net, data, lambda *_: None, {} if seen is None else seen)
    with torch.inference_mode():
        found = {
            m: texts if m == "text" and texts is not None else embedded(net, m, data, every)
            for m in MODALITIES
        }
        return np.asarray(net.rate(found).numpy(), np.float64)


def measured(held: Contents, rate: F64) -> dict[str, float]:
    """RMSE, MAE and pairwise accuracy on the test rows, in and out of domain; sizes as well."""
    found: dict[str, float] = {}
    for split, name in (("test", "test"), ("out-of-domain", "out")):
        rows: I64 = held.rows(split)
        if not len(rows):
            continue
        away = rate[rows] - held.success[rows]
        found[f"{name}_n"] = float(len(rows))
        found[f"{name}_rmse"] = float(np.sqrt((away**2).mean()))
        found[f"{name}_mae"] = float(np.abs(away).mean())
        pairs = held.all_pairs(split)
        if len(pairs):
            hits = [
                evaluate.pairwise_accuracy(rate[list(pair)], held.success[list(pair)])
                for pair in pairs
            ]
            found[f"{name}_pairwise"] = float(np.mean(hits))
            found[f"{name}_pairs"] = float(len(pairs))
            differs = [held.text(int(a)) != held.text(int(b)) for a, b in pairs]
            if any(differs):
                found[f"{name}_pairwise_of_other_texts"] = float(np.mean(np.array(hits)[differs]))
    return found


def model_of(fitted: Fitted, info: Any) -> InsightModel:
    """The model as it will be read from its file."""
    half = fitted.told["half_logit"]
    return InsightModel(fitted.net, fitted.design, info, math.inf if half is None else half)
