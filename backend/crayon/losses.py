"""The loss terms of Crayon-Attention (equations 1 to 4 of the paper).

A map is max-normalised: values in [0, 1], its maximum 1 unless it is zero everywhere. ``m`` is the
map of the model being trained, ``m0`` that of the original model, which stays constant. The printed
equations do not say how the sums are scaled, so the scale is an option:

* ``reference``: divided by the sum of the weights, so each loss lies in [0, 1] at any map size. The
  authors' code for Waterbirds does this.
* ``none``: the plain sum; their code for Biased CelebA and Backgrounds.
* ``energy``: divided by the sum of ``m``: the share of the new map's energy, as in the pointing
  game of Score-CAM (Wang et al. 2020). In neither source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from torch import Tensor
from torch.nn import functional

from backend.errors import BadRequest

Norm = Literal["reference", "none", "energy"]
NORMS: Final[tuple[str, ...]] = get_args(Norm)
TINY: Final = 1e-10


def normalise_max(maps: Tensor, eps: float = TINY) -> Tensor:
    """Each map divided by its own maximum, ``(m + eps) / max(m + eps)``.

    Args:
        maps: ``(b, h, w)`` float, >= 0.

    Returns:
        ``(b, h, w)`` in (0, 1]; a map that is zero everywhere becomes one everywhere, as in the
        authors' code. It is differentiable, also there.
    """
    raised = maps + eps
    return raised / raised.amax(dim=(1, 2), keepdim=True)


def loss_rel(m: Tensor, m0: Tensor, norm: Norm = "reference") -> Tensor:
    """Equation 1: energy of the new map outside of what the original highlighted.

    ``sum_ij M_ij (1 - M0_ij)``, scaled as ``norm`` says.

    Args:
        m, m0: ``(b, h, w)`` float in [0, 1].

    Returns:
        ``(b,)``, >= 0, finite also where a map is all zero or all one (an empty sum over an empty
        weight counts as 0).

    Raises:
        BadRequest: the shapes differ or are not ``(b, h, w)``, or ``norm`` is unknown.
    """
    return _weighted(m, 1.0 - _checked(m, m0), norm)


def loss_irrel(m: Tensor, m0: Tensor, norm: Norm = "reference") -> Tensor:
    """Equation 2: energy of the new map inside of what the original highlighted.

    ``sum_ij M_ij M0_ij``, scaled as ``norm`` says. Arguments, result and errors as
    :func:`loss_rel`.
    """
    return _weighted(m, _checked(m, m0), norm)


def _checked(m: Tensor, m0: Tensor) -> Tensor:
    if m.ndim != 3 or m.shape != m0.shape:
        raise BadRequest(
            f"Maps of the shapes {tuple(m.shape)} and {tuple(m0.shape)} cannot be compared.",
            "Both must be (b, h, w); resize the original's maps to the new model's.",
        )
    return m0


def _weighted(m: Tensor, weight: Tensor, norm: Norm) -> Tensor:
    if norm not in NORMS:
        raise BadRequest(f"There is no norm {norm!r}.", f"Norms are {', '.join(NORMS)}.")
    total = (m * weight).sum(dim=(1, 2))
    if norm == "none":
        return total
    scale = (weight if norm == "reference" else m).sum(dim=(1, 2))
    return total / scale.clamp_min(TINY)


@dataclass(frozen=True, slots=True)
class Weights:
    """Strength of the attention terms, as the paper states it and as each sample feels it.

    Attributes:
        alpha, beta: weights of the relevant and the irrelevant term, >= 0.
        n_relevant, n_irrelevant: how many of the whole training set were so answered.
    """

    alpha: float
    beta: float
    n_relevant: int
    n_irrelevant: int

    @property
    def per_relevant(self) -> float:
        """alpha / |R|; 0 where nothing is relevant."""
        return self.alpha / self.n_relevant if self.n_relevant else 0.0

    @property
    def per_irrelevant(self) -> float:
        """beta / |I|; 0 where nothing is irrelevant."""
        return self.beta / self.n_irrelevant if self.n_irrelevant else 0.0


@dataclass(frozen=True, slots=True)
class Terms:
    """One batch's loss, its parts already weighted. Each is a scalar tensor."""

    prediction: Tensor
    relevant: Tensor
    irrelevant: Tensor

    @property
    def total(self) -> Tensor:
        return self.prediction + self.relevant + self.irrelevant


def crayon_loss(
    logits: Tensor,
    y: Tensor,
    m: Tensor,
    m0: Tensor,
    verdict: Tensor,
    weights: Weights,
    norm: Norm = "reference",
) -> Terms:
    """Equation 4 on one batch: summed cross-entropy (equation 3) plus the two attention terms.

    Items without a verdict count in the cross-entropy only. The weights use the counts of the whole
    training set, so they do not depend on how the batches fall.

    Args:
        logits: ``(b, c)``.
        y: ``(b,)`` int64 classes.
        m, m0: ``(b, h, w)`` max-normalised maps.
        verdict: ``(b,)`` int: 1 relevant, -1 irrelevant, 0 unused.

    Raises:
        BadRequest: as :func:`loss_rel`.
    """
    zero = logits.new_zeros(())
    prediction = functional.cross_entropy(logits, y, reduction="sum")
    relevant, irrelevant = verdict == 1, verdict == -1
    rel = irrel = zero
    if weights.per_relevant and bool(relevant.any()):
        rel = weights.per_relevant * loss_rel(m[relevant], m0[relevant], norm).sum()
    if weights.per_irrelevant and bool(irrelevant.any()):
        irrel = weights.per_irrelevant * loss_irrel(m[irrelevant], m0[irrelevant], norm).sum()
    return Terms(prediction, rel, irrel)
