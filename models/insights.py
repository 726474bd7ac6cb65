"""The success model of marketing contents: four encoders, concatenation, an MLP and one sigmoid.

Source: Advancing Vision Intelligence (dissertation, 2024), chapter 3, equations 3.2 to 3.4 and
table 3.1. Where the source is silent or contradicts itself:

- it names a sigmoid in equation 3.4 and in table 3.1; here it is applied once, to the output;
- a domain is a one-hot code; one that was not trained on has the zero vector, as a missing
  modality has;
- the MLPs of table 3.1 have 512 to 1,024 units (``PAPER``); those that are shipped are smaller,
  and several fusion MLPs over the same embeddings are averaged, so that their spread is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, cast

import torch
from torch import Tensor, nn

from models.insights_parts import (
    KINDS,
    PAPER_FUSION,
    PAPER_MLP,
    CellsEncoder,
    Encoder,
    Lines,
    MiniLmEncoder,
    Mlp,
    TextEncoder,
    WordsEncoder,
    pooled,
)
from models.text_encoder import MiniLM

Modality = Literal["image", "text", "domain", "features"]
MODALITIES: Final[tuple[Modality, ...]] = ("image", "text", "domain", "features")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is built from; kept with its weights as JSON.

    Attributes:
        n_domains: length of the one-hot code; n_features: columns of F after encoding.
        mlp: widths of MLP1 and MLP2; fusion: of MLP3 before its last layer of one unit.
        heads: how many fusion MLPs are averaged.
        image_width, text_width: of the embeddings; kinds: of places of pictures.
    """

    n_domains: int
    n_features: int
    encoder: Encoder = "words"
    mlp: tuple[int, ...] = (32, 16)
    fusion: tuple[int, ...] = (64, 32)
    heads: int = 5
    image_width: int = 16
    kinds: int = KINDS
    text_width: int = 64

    def to_json(self) -> dict[str, Any]:
        """Plain values, lists for tuples."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Shape:
        """From :meth:`to_json`."""
        lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        return cls(**{**values, **lists})


def paper(n_domains: int, n_features: int) -> Shape:
    """The MLPs of table 3.1 and one fusion MLP."""
    return replace(Shape(n_domains, n_features), mlp=PAPER_MLP, fusion=PAPER_FUSION, heads=1)


@dataclass(frozen=True, slots=True)
class Inputs:
    """n contents as tensors.

    Attributes:
        lines: their texts.
        pixels: (n, 3, 128, 128) float32 in [0, 1]; ``None`` where no content has a picture.
        has_image: (n,) bool.
        domain: (n, n_domains) float32, one-hot or zero.
        features: (n, n_features) float32, standardised; 0 is a missing or mean value.
    """

    lines: Lines
    pixels: Tensor | None
    has_image: Tensor
    domain: Tensor
    features: Tensor

    def __len__(self) -> int:
        return len(self.has_image)


class InsightNet(nn.Module):
    """``sigmoid(MLP3(concat(I, T, D, F)))``, the mean of several MLP3 before the sigmoid.

    ``single`` holds the head that each encoder is pre-trained with; encoder and head together are
    the single-modality model of section 3.4.3.
    """

    def __init__(self, shape: Shape, text: TextEncoder) -> None:
        super().__init__()
        self.shape = shape
        self.image = CellsEncoder(shape.image_width, shape.kinds)
        self.text = text
        self.domain = Mlp(shape.n_domains, shape.mlp)
        self.features = Mlp(max(shape.n_features, 1), shape.mlp)
        self.widths: dict[Modality, int] = {
            "image": self.image.width,
            "text": text.width,
            "domain": self.domain.width,
            "features": self.features.width,
        }
        self.single = nn.ModuleDict({m: nn.Linear(w, 1) for m, w in self.widths.items()})
        whole = sum(self.widths.values())
        self.fusion = nn.ModuleList(
            nn.Sequential(Mlp(whole, shape.fusion), nn.Linear((whole, *shape.fusion)[-1], 1))
            for _ in range(shape.heads)
        )

    def head_of(self, modality: Modality) -> nn.Linear:
        """The head that a modality's encoder is pre-trained with."""
        return cast(nn.Linear, self.single[modality])

    def last_layers(self) -> list[nn.Linear]:
        """The layers of one unit: of every single head and every fusion MLP."""
        fused = [cast(nn.Sequential, head)[-1] for head in self.fusion]
        return [cast(nn.Linear, layer) for layer in (*self.single.values(), *fused)]

    def adopt(self, modality: Modality) -> None:
        """Makes the linear fusion of a set with one modality that modality's own head."""
        start = 0
        for name in MODALITIES[: MODALITIES.index(modality)]:
            start += self.widths[name]
        head = self.head_of(modality)
        last = self.last_layers()[-1]
        with torch.no_grad():
            last.weight.zero_()
            last.weight[:, start : start + self.widths[modality]] = head.weight
            last.bias.copy_(head.bias)

    def module_of(self, modality: Modality) -> nn.Module:
        """The encoder of a modality."""
        return self.get_submodule(modality)

    def embed_text(self, lines: Lines, entered: Tensor | None = None) -> Tensor:
        """(n, width) of texts; zero for those without a line.

        Args:
            entered: (l, t, width) in place of what enters of ``lines.ids``.
        """
        if not len(lines.ids):
            return torch.zeros(lines.n, self.widths["text"])
        if entered is None:
            entered = self.text.entered(self.text.embed(lines.ids))
        tokens = self.text.tokens(entered, lines.mask)
        return pooled(self.text, self.text.line(tokens, lines.mask), lines.owner, lines.n)

    def embed_image(self, centred: Tensor | None, has_image: Tensor) -> Tensor:
        """(n, width) of pictures less the mean colour; zero where there is none."""
        if centred is None or not has_image.any():
            return torch.zeros(len(has_image), self.widths["image"])
        return self.image.pool(self.image.features(centred)) * has_image[:, None]

    def embed_domain(self, code: Tensor) -> Tensor:
        """(n, width) of domains; zero for an unknown one."""
        known = code.abs().sum(1, keepdim=True)
        return cast(Tensor, self.domain(code) * known)

    def embed_features(self, features: Tensor) -> Tensor:
        """(n, width) of categorical and numeric features; zero where the set has none."""
        if not self.shape.n_features:
            return features.new_zeros(len(features), self.widths["features"])
        return cast(Tensor, self.features(features))

    def embed(self, inputs: Inputs) -> dict[Modality, Tensor]:
        """The four embeddings of equation 3.2."""
        centred = None if inputs.pixels is None else self.image.centred(inputs.pixels)
        return {
            "image": self.embed_image(centred, inputs.has_image),
            "text": self.embed_text(inputs.lines),
            "domain": self.embed_domain(inputs.domain),
            "features": self.embed_features(inputs.features),
        }

    def head_logits(self, embeddings: Mapping[Modality, Tensor]) -> Tensor:
        """(n, heads) from the four embeddings: equation 3.3 for every fusion MLP."""
        whole = torch.cat([embeddings[modality] for modality in MODALITIES], 1)
        return torch.cat([head(whole) for head in self.fusion], 1)

    def rate(self, embeddings: Mapping[Modality, Tensor]) -> Tensor:
        """The success rate (n,) in (0, 1) from the four embeddings."""
        return torch.sigmoid(self.head_logits(embeddings).mean(1))

    def single_rate(self, modality: Modality, embedding: Tensor) -> Tensor:
        """The success rate (n,) that one modality's own head tells."""
        return torch.sigmoid(self.head_of(modality)(embedding)[:, 0])

    def forward(self, inputs: Inputs) -> Tensor:
        """The success rate (n,) in (0, 1)."""
        return self.rate(self.embed(inputs))


def built(shape: Shape, words: Callable[[], Tensor], minilm: Callable[[], MiniLM]) -> InsightNet:
    """A network with untrained heads. What is pretrained is read only when the shape needs it.

    Args:
        words: gives MiniLM's word vectors (30522, 384); minilm: gives MiniLM itself.
    """
    if shape.encoder == "words":
        return InsightNet(shape, WordsEncoder(words(), shape.text_width))
    return InsightNet(shape, MiniLmEncoder(minilm(), shape.text_width))
