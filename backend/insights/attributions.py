"""What each word, place, domain and feature adds to a predicted success rate, by five methods.

Source: Advancing Vision Intelligence (dissertation, 2024), section 3.4.2. Integrated gradients are
computed here, in batches over contents and steps that stop once they add up; they equal captum's
for equal steps (``tests/unit/test_insights_attributions.py``). Kernel SHAP and ablation are
captum's. Where the source is silent: baselines are zero (``parts.py``), maps are rescaled by a
factor so that they add up to prediction less baseline, and where that is impossible the rest is
spread evenly and the map is flagged; the PCA map is the first singular vector of the four maps,
each of length 1, its sign that of their mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend.errors import BadRequest
from backend.insights import parts as taken
from backend.insights import perturbations
from backend.insights.models import InsightModel
from backend.insights.parts import Opened
from backend.protocols import F32, I64
from models.insights import InsightNet, Modality
from models.insights_cells import CELL_PX

Method = Literal["integrated-gradients", "grad-cam", "kernel-shap", "feature-ablation", "pca"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
TITLES: Final[Mapping[str, str]] = {
    "integrated-gradients": "Integrated gradients",
    "grad-cam": "Grad-CAM",
    "kernel-shap": "Kernel SHAP",
    "feature-ablation": "Feature ablation",
    "pca": "PCA of the four",
}
STEPS: Final = (8, 16, 32, 64, 128)
COMPLETE: Final = 0.01  # of prediction less baseline: integration stops there
PASSES: Final = 128  # contents x steps at a time
SMALLEST: Final = 1e-4  # a difference in success rate that an error is still told in shares of
TOO_SMALL: Final = 5e-2  # |sum| / sum of |values| below which a factor would blow the map up

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """What the parts of one content add to its predicted success rate.

    Attributes:
        values: text (words,), image (16, 16), domain (), features (f,); success rate, their sum is
            ``prediction - baseline``.
        completeness_error: |sum before rescaling - (prediction - baseline)| in shares of the
            latter (of 0.0001 where it is smaller).
        is_flagged: a factor could not rescale the map, so the rest was spread evenly.
        steps: of the integration; 0 for other methods.
    """

    values: Mapping[Modality, F32]
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    prediction: float
    baseline: float
    completeness_error: float
    method: Method
    is_flagged: bool = False
    steps: int = 0
    extra: Mapping[str, float] = field(default_factory=dict)

    @property
    def positive(self) -> dict[Modality, F32]:
        """The positive contribution maps."""
        return {m: np.maximum(v, 0) for m, v in self.values.items()}

    @property
    def negative(self) -> dict[Modality, F32]:
        """The negative contribution maps, as absolute values; positive - negative = values."""
        return {m: np.maximum(-v, 0) for m, v in self.values.items()}


def checked_method(name: str) -> Method:
    """The name itself.

    Raises:
        BadRequest: there is no such method.
    """
    for method in METHODS:
        if method == name:
            return method
    raise BadRequest(f"There is no method {name[:40]!r}.", f"There is {', '.join(METHODS)}.")


def attribute(
    model: InsightModel,
    contents: Opened,
    method: Method,
    seed: int = 0,
    steps: Sequence[int] = STEPS,
) -> list[Attribution]:
    """The attributions of some contents.

    Args:
        seed: of Kernel SHAP's draws; steps: of integrated gradients, tried one after another.
    """
    net = model.net
    with torch.no_grad():
        prediction = taken.rate(net, contents.parts, contents).double()
        zero = {m: baseline_of(m, x, contents) for m, x in contents.parts.items()}
        baseline = taken.rate(net, zero, contents).double()
    if method == "pca":
        others: list[Method] = [name for name in METHODS if name != "pca"]
        return combined([attribute(model, contents, m, seed, steps) for m in others], contents)
    taken_steps = torch.zeros(len(contents), dtype=torch.int64)
    if method == "integrated-gradients":
        raw, taken_steps = integrated(net, contents, prediction - baseline, steps)
    elif method == "grad-cam":
        raw = grad_cam(net, contents)
    else:
        raw = perturbations.raw(net, contents, method, model.design.columns, seed)
    told = _gathered(raw, contents, model)
    numbers = zip(told, prediction.tolist(), baseline.tolist(), taken_steps.tolist(), strict=True)
    return [
        _scaled(values, contents, k, rate, zero_rate, method, count)
        for k, (values, rate, zero_rate, count) in enumerate(numbers)
    ]


def baseline_of(modality: Modality, x: Tensor, contents: Opened) -> Tensor:
    """Zero; MiniLM's marks stay, as a text without words has them too."""
    if modality != "text":
        return torch.zeros_like(x)
    return x * (contents.mask & (contents.word < 0))[..., None]


def integrated(
    net: InsightNet, contents: Opened, difference: Tensor, steps: Sequence[int] = STEPS
) -> tuple[dict[Modality, Tensor], Tensor]:
    """Integrated gradients, of the shape of the parts, summed over what is smaller than a word or a
    cell of 8 px; and the steps each content took.

    Contents whose attributions do not add up to 1 % of ``difference`` (b,) take more steps.
    """
    todo = torch.arange(len(contents))
    found: dict[Modality, Tensor] = {}
    used = torch.full((len(contents),), steps[-1])
    for count in steps:
        made = gauss_legendre(net, contents.of(todo), count)
        for m, values in made.items():
            found.setdefault(m, values.new_zeros(len(contents), *values.shape[1:]))[todo] = values
        total = sum(values.flatten(1).double().sum(1) for values in made.values())
        wanted = difference[todo]
        error = (total - wanted).abs() / wanted.abs().clamp(min=SMALLEST)
        used[todo] = count
        todo = todo[error > COMPLETE]
        if not len(todo):
            break
    return found, used


def gauss_legendre(net: InsightNet, contents: Opened, steps: int) -> dict[Modality, Tensor]:
    """Integrated gradients with a fixed number of Gauss-Legendre steps.

    Returns:
        text (b, L, t), image (b, 16, 16), domain (b, d), features (b, c).
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    alphas = torch.tensor((nodes + 1) / 2, dtype=torch.float32)
    shares = torch.tensor(weights / 2, dtype=torch.float32)
    size = max(1, PASSES // max(1, len(contents)))
    total: dict[Modality, Tensor] = {}
    start = {m: baseline_of(m, x, contents) for m, x in contents.parts.items()}
    for part in torch.split(torch.arange(steps), size):
        about = contents.repeated(len(part))
        alpha = alphas[part].repeat(len(contents))
        share = shares[part].repeat(len(contents))
        path: dict[Modality, Tensor] = {}
        for m, x in contents.parts.items():
            many = x.repeat_interleave(len(part), 0)
            low = start[m].repeat_interleave(len(part), 0)
            shape = (-1,) + (1,) * (many.dim() - 1)
            path[m] = (low + (many - low) * alpha.view(shape)).requires_grad_(True)
        names = tuple(path)
        slopes = torch.autograd.grad(
            taken.rate(net, path, about).sum(), [path[m] for m in names], allow_unused=True
        )
        for m, slope in zip(names, slopes, strict=True):
            if slope is None:
                slope = torch.zeros_like(path[m])
            shape = (-1,) + (1,) * (slope.dim() - 1)
            mean = (slope * share.view(shape)).view(-1, len(part), *slope.shape[1:]).sum(1)
            total[m] = total.get(m, 0) + mean
    return {m: _reduced(m, (contents.parts[m] - start[m]) * total[m]) for m in total}


def grad_cam(net: InsightNet, contents: Opened) -> dict[Modality, Tensor]:
    """Grad-CAM without its ReLU, so that what hurts is kept.

    The layers are the last features of cells and of tokens; domain and features, which have no map,
    get gradient times input.
    """
    parts, hooks = dict(contents.parts), []
    held: dict[Modality, Tensor] = {}
    layers_of: dict[Modality, nn.Module] = {"image": net.image.seen, "text": net.text.seen}

    def keep(name: Modality, output: Tensor) -> Tensor:
        held[name] = output.detach().requires_grad_(True)
        return held[name]

    for name, module in layers_of.items():
        if name in parts:
            hooks.append(module.register_forward_hook(lambda _m, _i, o, n=name: keep(n, o)))
    plain: list[Modality] = [m for m in ("domain", "features") if m in parts]
    for m in plain:
        parts[m] = parts[m].clone().requires_grad_(True)
    try:
        total = taken.rate(net, parts, contents).sum()
    finally:
        for hook in hooks:
            hook.remove()
    seen = {**held, **{m: parts[m] for m in plain}}
    slopes = torch.autograd.grad(total, list(seen.values()))
    return {m: _cam(m, seen[m], slope, contents) for m, slope in zip(seen, slopes, strict=True)}


def _cam(modality: Modality, layer: Tensor, slope: Tensor, contents: Opened) -> Tensor:
    """The map of one layer: its channels weighted by their mean gradient."""
    layer = layer.detach()
    if modality == "image":
        return (layer * slope.mean((2, 3), keepdim=True)).sum(1)
    if modality != "text":
        return layer * slope
    layer, slope = layer.flatten(2), slope.flatten(2)
    has_line = contents.mask.any(2)
    mask = contents.mask[has_line]
    mean = slope.sum(1, keepdim=True) / mask.sum(1)[:, None, None]
    found = contents.mask.new_zeros(contents.mask.shape, dtype=torch.float32)
    found[has_line] = (layer * mean).sum(2) * mask
    return found


def _reduced(modality: Modality, values: Tensor) -> Tensor:
    """Sums over the numbers of a word vector, or over the pixels and colours of a cell."""
    if modality == "text":
        return values.sum(-1)
    if modality == "image":
        b, _, h, w = values.shape
        cells = values.sum(1).view(b, h // CELL_PX, CELL_PX, w // CELL_PX, CELL_PX)
        return cells.sum((2, 4))
    return values


def _gathered(
    raw: Mapping[Modality, Tensor], contents: Opened, model: InsightModel
) -> list[dict[Modality, F64]]:
    """Per content: text by word, image by cell, domain as one number, features by feature."""
    names, columns = model.design.names, model.design.columns
    found: list[dict[Modality, F64]] = []
    for k, text in enumerate(contents.texts):
        own: dict[Modality, F64] = {}
        for m, values in raw.items():
            numbers = np.asarray(values[k].detach().double().numpy())
            if m == "text":
                word = contents.word[k].numpy().ravel()
                inside = word >= 0
                flat = numbers.ravel()[inside]
                own[m] = _sums(word[inside], flat, len(text.words))
            elif m == "domain":
                own[m] = np.array(numbers.sum())
            elif m == "features":
                own[m] = _sums(columns, numbers, len(names))
            elif bool(contents.has_image[k]):
                own[m] = numbers
        found.append(own)
    return found


def _sums(owner: I64, values: F64, count: int) -> F64:
    """(count,) the sum of what each owner has."""
    return np.bincount(owner, values, minlength=count).astype(np.float64)


def _scaled(
    values: Mapping[Modality, F64],
    contents: Opened,
    k: int,
    prediction: float,
    baseline: float,
    method: Method,
    steps: int = 0,
) -> Attribution:
    """The attribution with values that add up to ``prediction - baseline``."""
    difference = prediction - baseline
    total = float(sum(v.sum() for v in values.values()))
    error = abs(total - difference) / max(abs(difference), SMALLEST)
    made, is_flagged = rescaled(values, difference)
    text = contents.texts[k]
    return Attribution(
        {m: np.asarray(v, np.float32) for m, v in made.items()},
        text.words, text.spans, prediction, baseline, error, method, is_flagged, steps,
    )  # fmt: skip


def rescaled(values: Mapping[Modality, F64], difference: float) -> tuple[dict[Modality, F64], bool]:
    """Values that add up to ``difference``, and whether an even spread was needed for it."""
    total = float(sum(v.sum() for v in values.values()))
    size = float(sum(np.abs(v).sum() for v in values.values()))
    if abs(total) > TOO_SMALL * size and total * difference > 0:
        return {m: v * (difference / total) for m, v in values.items()}, False
    if total == difference:
        return dict(values), False
    count = sum(v.size for v in values.values())
    rest = (difference - total) / max(1, count)
    return {m: v + rest for m, v in values.items()}, True


def pca_map(maps: Sequence[F64]) -> F64:
    """The first singular vector of maps (k,) each, every map brought to length 1 first.

    Nothing is subtracted, so that equal maps give that map; a map of zeros says nothing. The sign
    is that of the mean of the maps.
    """
    whole = np.stack([np.asarray(m, np.float64).ravel() for m in maps])
    norm = np.linalg.norm(whole, axis=1, keepdims=True)
    whole = np.divide(whole, norm, out=np.zeros_like(whole), where=norm > 0)
    if not whole.any():
        return np.zeros(whole.shape[1])
    _, size, axes = np.linalg.svd(whole, full_matrices=False)
    mean = whole.mean(0)
    sign = 1.0 if axes[0] @ mean >= 0 else -1.0
    return np.asarray(sign * size[0] * axes[0] / np.sqrt(len(whole)), np.float64)


def combined(by_method: Sequence[Sequence[Attribution]], contents: Opened) -> list[Attribution]:
    """The PCA of what several methods say of the same contents."""
    found = []
    for k, same in enumerate(zip(*by_method, strict=True)):
        first = same[0]
        sizes = {m: v.shape for m, v in first.values.items()}
        flat = [np.concatenate([np.zeros(0), *map(np.ravel, one.values.values())]) for one in same]
        both = pca_map(flat) if flat[0].size else np.zeros(0)
        values: dict[Modality, F64] = {}
        at = 0
        for m, shape in sizes.items():
            count = int(np.prod(shape, dtype=np.int64))
            values[m] = both[at : at + count].reshape(shape)
            at += count
        found.append(_scaled(values, contents, k, first.prediction, first.baseline, "pca"))
    return found
