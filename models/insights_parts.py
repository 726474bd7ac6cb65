"""The encoders of a marketing content: pictures by cells, text by lines, categories by MLPs.

Source: Advancing Vision Intelligence (dissertation, 2024), chapter 3, table 3.1. Its ResNet-18 and
BERT are swapped for encoders that one core can train: kinds of places that a small convolutional
net tells apart, and word vectors with one convolution over neighbours, or MiniLM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.text_encoder import WIDTH, MiniLM

Encoder = Literal["words", "minilm"]


WORDS_SCALE: Final = 1 / 16  # of the sum over words: a text of 16 words has the size of a mean
CELL_WIDTH: Final = 40
KINDS: Final = 192  # of places of pictures
NEAR: Final = 0.1  # a distance that counts as none; places are about 6 apart
PAPER_MLP: Final = (512, 1024, 1024, 512)  # MLP1 and MLP2 of table 3.1
PAPER_FUSION: Final = (512, 1024, 1024)  # MLP3 of table 3.1, before fc-1


@dataclass(frozen=True, slots=True)
class Lines:
    """The texts of n contents, cut into lines that are encoded one by one.

    Attributes:
        ids: (l, t) int64 tokens, 0 where a line is shorter.
        mask: (l, t) bool, where there is a token that counts.
        owner: (l,) int64, the content of each line, ascending.
        n: number of contents; one without a line has no text.
    """

    ids: Tensor
    mask: Tensor
    owner: Tensor
    n: int


class Mlp(nn.Sequential):
    """Fully connected layers, each with batch norm and ELU: (b, into) -> (b, widths[-1])."""

    def __init__(self, into: int, widths: Sequence[int]) -> None:
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Linear(into, width), nn.BatchNorm1d(width), nn.ELU()]
            into = width
        super().__init__(*layers)
        self.width = into


def cell_layers() -> nn.Sequential:
    """A small net (b, 3, h, w) -> (b, 40, h / 8, w / 8) whose places see 24 px across.

    It was trained to tell what EfficientNet-Lite0's third stage tells of a place
    (``backend.insights.distilling``), at a fifteenth of the cost.
    """
    return nn.Sequential(
        nn.Conv2d(3, 32, 4, 4), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 48, 3, 1, 1), nn.BatchNorm2d(48), nn.ReLU(),
        nn.Conv2d(48, 96, 2, 2), nn.BatchNorm2d(96), nn.ReLU(),
        nn.Conv2d(96, 96, 3, 1, 1), nn.BatchNorm2d(96), nn.ReLU(),
        nn.Conv2d(96, CELL_WIDTH, 1),
    )  # fmt: skip


class CellsEncoder(nn.Module):
    """A picture as how much it has of each of some kinds of places, and a linear map of that.

    Kinds are K-means centres of the places of the training pictures; a place belongs to those it
    is nearer to than on average (the triangle code of Coates and Ng 2011, AISTATS, section 3.2).
    Being local, a patch can be encoded on its own, so that C patches on M contents cost C + M
    passes. Only the linear map and the centres are learned from success rates and pictures here.
    """

    mean: Tensor
    origin: Tensor
    centres: Tensor
    middle: Tensor
    scale: Tensor

    def __init__(self, width: int = 16, kinds: int = KINDS) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("mean", torch.full((3,), 0.5))
        self.register_buffer("origin", torch.full((3,), 0.5))  # the mean its layers were trained at
        self.register_buffer("centres", torch.randn(kinds, CELL_WIDTH))
        self.register_buffer("middle", torch.zeros(kinds))
        self.register_buffer("scale", torch.ones(kinds))
        self.layers = cell_layers()
        self.project = nn.Linear(kinds, width, bias=False)
        self.seen = nn.Identity()  # the layer of Grad-CAM

    def centred(self, pixels: Tensor) -> Tensor:
        """Pixels (b, 3, h, w) in [0, 1] less the mean colour, so zero is that colour."""
        return pixels - self.mean[:, None, None]

    def places(self, centred: Tensor) -> Tensor:
        """(b, 3, h, w) -> (b, 40, h / 8, w / 8) what the layers tell of each place."""
        return cast(Tensor, self.layers(centred + (self.mean - self.origin)[:, None, None]))

    def features(self, centred: Tensor) -> Tensor:
        """(b, 3, h, w) -> (b, kinds, h / 8, w / 8), all >= 0."""
        places = self.places(centred)
        products = functional.conv2d(places, self.centres[:, :, None, None])
        lengths = (places**2).sum(1, keepdim=True)
        squares = lengths + (self.centres**2).sum(1)[:, None, None] - 2 * products
        away = torch.sqrt(squares.clamp(min=0) + NEAR**2)
        return cast(Tensor, self.seen(torch.relu(away.mean(1, keepdim=True) - away)))

    def raw(self, features: Tensor) -> Tensor:
        """(b, kinds) how much of each kind features (b, kinds, h, w) have, standardised."""
        return (features.mean((2, 3)) - self.middle) / self.scale

    def pool(self, features: Tensor) -> Tensor:
        """The embedding (b, width) of features (b, kinds, h, w)."""
        return cast(Tensor, self.project(self.raw(features)))


class WordsEncoder(nn.Module):
    """A line as the sum of its words, each seen with its two neighbours.

    The word vectors are MiniLM's, frozen and not part of the state.
    """

    pools = "sum"
    table: Tensor

    def __init__(self, table: Tensor, width: int = 64) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("table", table, persistent=False)
        self.project = nn.Linear(table.shape[1], width, bias=False)
        self.local = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.seen = nn.Identity()  # the layer of Grad-CAM

    def embed(self, ids: Tensor) -> Tensor:
        """Word vectors (l, t, 384), of length 1, of tokens (l, t)."""
        return functional.normalize(functional.embedding(ids, self.table), dim=-1)

    def entered(self, embedded: Tensor) -> Tensor:
        """(l, t, width) of word vectors (l, t, 384): linear, so zero stays zero.

        What a word adds to a prediction is therefore the same counted here or on its vector, and a
        path of integrated gradients passes the widest layer once instead of at every step.
        """
        return cast(Tensor, self.project(embedded))

    def tokens(self, entered: Tensor, mask: Tensor) -> Tensor:
        """Features (l, t, width) of each token, zero where ``mask`` is False."""
        x = entered * mask[..., None]
        near = functional.elu(self.local(x.transpose(1, 2))).transpose(1, 2)
        return cast(Tensor, self.seen((x + near) * mask[..., None]))

    def line(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Vectors (l, width) of lines."""
        return tokens.sum(1) * WORDS_SCALE


class MiniLmEncoder(nn.Module):
    """A line as what MiniLM's layers hold of it, frozen, and a linear map that is fitted.

    A line is the mean of its tokens after layers 0, 2, 4, 5 and 6 and their largest values after
    the last, each of length 1. Lower layers keep the wording, upper ones the meaning: on headline
    experiments this told more than the last mean alone. MiniLM's weights are not in the state.
    """

    pools = "mean"
    depths = (0, 2, 4, 5, 6)
    raw_width = (len(depths) + 1) * WIDTH

    def __init__(self, net: MiniLM, width: int = 16) -> None:
        super().__init__()
        self.width = width
        self.held = [net.eval().requires_grad_(False)]  # in a list: no part of the state
        self.project = nn.Linear(self.raw_width, width, bias=False)
        self.seen = nn.Identity()  # the layer of Grad-CAM

    def embed(self, ids: Tensor) -> Tensor:
        """Word vectors (l, t, 384) of tokens (l, t)."""
        return cast(Tensor, self.held[0].embeddings.word_embeddings(ids))

    def entered(self, embedded: Tensor) -> Tensor:
        """Word vectors as they are: what follows them is not linear."""
        return embedded

    def tokens(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """What the layers hold (l, t, 5, 384) of each token, zero where ``mask`` is False."""
        net = self.held[0]
        start = net.embeddings
        places = start.position_embeddings.weight[: embedded.shape[1]]
        x = start.LayerNorm(embedded + places + start.token_type_embeddings.weight[0])
        found = [x]
        for layer in net.encoder["layer"].children():
            x = layer(x, mask[:, None, None, :])
            found.append(x)
        stacked = torch.stack([found[k] for k in self.depths], 2)
        return cast(Tensor, self.seen(stacked * mask[:, :, None, None]))

    def line(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """What is frozen of lines: (l, 2304)."""
        count = mask.sum(1).clamp(min=1)[:, None, None]
        means = functional.normalize(tokens.sum(1) / count, dim=-1)
        outside = torch.where(mask, 0.0, -torch.inf)[..., None]
        largest = functional.normalize((tokens[:, :, -1] + outside).amax(1), dim=-1)
        return torch.cat([means.flatten(1), largest], 1)


TextEncoder = WordsEncoder | MiniLmEncoder


def pooled(text: TextEncoder, lines: Tensor, owner: Tensor, n: int) -> Tensor:
    """Embeddings (n, width) of contents from vectors of their lines; zero for none."""
    total = lines.new_zeros(n, lines.shape[1]).index_add(0, owner, lines)
    if isinstance(text, WordsEncoder):
        return total
    counts = torch.bincount(owner, minlength=n).clamp(min=1)
    return cast(Tensor, text.project(total / counts[:, None]))
