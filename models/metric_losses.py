"""The fourteen losses of deep metric learning that are compared, and what belongs to each.

Family, year and distance after Kobs 2023, "Think outside the Black Box", table 7.1. The losses
themselves come from pytorch-metric-learning; this module loads it only where one is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:  # the web process, which lists the losses, must not load torch
    from torch import nn

Family = Literal["ranking", "classification", "none"]
PROXIES: Final = "proxies"


@dataclass(frozen=True, slots=True)
class LossCard:
    """One loss.

    Attributes:
        key: in tables, links and file names.
        distance: the name in :data:`backend.metric_learning.distances.DISTANCES` that its
            neighbours are searched with.
    """

    key: str
    title: str
    year: int
    family: Family
    distance: str


LOSSES: Final = (
    LossCard("contrastive", "Contrastive", 2006, "ranking", "euclidean"),
    LossCard("triplet", "Triplet", 2006, "ranking", "euclidean"),
    LossCard("ntxent", "NTXent", 2016, "ranking", "cosine"),
    LossCard("margin", "Margin", 2017, "ranking", "euclidean"),
    LossCard("margin-class", "Margin / class", 2017, "ranking", "euclidean"),
    LossCard("fastap", "FastAP", 2019, "ranking", "squared_euclidean"),
    LossCard("snr", "SNR Contrastive", 2019, "ranking", "snr"),
    LossCard("multi-similarity", "Multi Similarity", 2019, "ranking", "cosine"),
    LossCard("multi-similarity-miner", "Multi Similarity + Miner", 2019, "ranking", "cosine"),
    LossCard("proxynca", "ProxyNCA", 2017, "classification", "squared_euclidean"),
    LossCard("normalized-softmax", "Normalized Softmax", 2017, "classification", "dot"),
    LossCard("cosface", "CosFace", 2018, "classification", "cosine"),
    LossCard("arcface", "ArcFace", 2019, "classification", "cosine"),
    LossCard("softtriple", "SoftTriple", 2019, "classification", "cosine"),
)
NONE: Final = LossCard("none", "None", 0, "none", "euclidean")
ALL: Final = (*LOSSES, NONE)
BY_KEY: Final = {card.key: card for card in ALL}


def make(key: str, classes: int, dimensions: int) -> nn.Module:
    """The loss ``(embeddings, labels) -> scalar`` as a module; its own parameters are trained too.

    Numbers are the library's own but for ProxyNCA's scale: nothing was tuned.

    Raises:
        KeyError: there is no such loss.
    """
    from pytorch_metric_learning import losses, miners, regularizers
    from torch import Tensor, nn

    class Mined(nn.Module):
        """Multi Similarity on the pairs that its miner keeps."""

        def __init__(self) -> None:
            super().__init__()
            self.loss, self.miner = losses.MultiSimilarityLoss(), miners.MultiSimilarityMiner()

        def forward(self, x: Tensor, labels: Tensor) -> Any:
            return self.loss(x, labels, self.miner(x, labels))

    size = {"num_classes": classes, "embedding_size": dimensions}
    makers: dict[str, Callable[[], Any]] = {
        "contrastive": losses.ContrastiveLoss,
        "triplet": losses.TripletMarginLoss,
        "ntxent": losses.NTXentLoss,
        "margin": lambda: losses.MarginLoss(learn_beta=True),
        "margin-class": lambda: losses.MarginLoss(learn_beta=True, num_classes=classes),
        "fastap": losses.FastAPLoss,
        "snr": lambda: losses.SignalToNoiseRatioContrastiveLoss(
            embedding_regularizer=regularizers.ZeroMeanRegularizer(), embedding_reg_weight=0.1
        ),
        "multi-similarity": losses.MultiSimilarityLoss,
        "multi-similarity-miner": Mined,
        "proxynca": lambda: losses.ProxyNCALoss(**size, softmax_scale=8),
        "normalized-softmax": lambda: losses.NormalizedSoftmaxLoss(**size),
        "cosface": lambda: losses.CosFaceLoss(**size),
        "arcface": lambda: losses.ArcFaceLoss(**size),
        "softtriple": lambda: losses.SoftTripleLoss(**size),
    }
    made: nn.Module = makers[key]()
    return made
