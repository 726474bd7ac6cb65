"""Contents as tensors: words and their places, pictures, the code of a domain, the columns of F.

What is learned from the training rows only (means, levels, names of domains) is in ``Design``, so
that contents of another table are encoded alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from backend.insights.contents import Contents
from backend.insights.encoded_features import features_of
from backend.protocols import F32, I64, U8
from models.cards import CARDS, read_card
from models.insights import Inputs
from models.insights_cells import IMAGE_PX
from models.insights_parts import Encoder, Lines
from models.text_encoder import MiniLM, load_encoder, load_tokenizer

LINE_TOKENS: Final = 64  # longer lines go on in another one
TEXT_TOKENS: Final = 256  # what is read of a text
WORD: Final = re.compile(r"\S+")
CARD: Final = "text-minilm"


@dataclass(frozen=True, slots=True)
class Text:
    """One text, cut.

    Attributes:
        words, spans: what stands between spaces, and from which to which character.
        lines: for each line its tokens and for each token the number of its word, -1 for marks.
        n_unread: words beyond the first 256 tokens; they count as absent.
    """

    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    lines: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    n_unread: int = 0


@cache
def tokenizer() -> Tokenizer:
    """MiniLM's tokenizer, which cuts nothing off."""
    found = load_tokenizer(read_card(CARDS / f"{CARD}.toml"))
    found.no_truncation()
    return found


@cache
def minilm() -> MiniLM:
    """MiniLM with its weights, frozen."""
    found = load_encoder(read_card(CARDS / f"{CARD}.toml"))
    assert isinstance(found, MiniLM)  # the card names it
    return found


@cache
def word_vectors() -> Tensor:
    """MiniLM's word vectors (30522, 384) less their mean over the vocabulary."""
    table: Tensor = minilm().embeddings.word_embeddings.weight.detach()
    return table - table.mean(0)


def cut(text: str) -> Text:
    """Words, lines and tokens of a text; the first 256 tokens are kept."""
    spans = tuple((m.start(), m.end()) for m in WORD.finditer(text))
    starts = np.array([start for start, _ in spans], np.int64)
    lines: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    left, at, last = TEXT_TOKENS, 0, -1
    for line in text.split("\n"):
        told = tokenizer().encode(line, add_special_tokens=False)
        ids, offsets = told.ids[:left], told.offsets[:left]
        owner = [int(np.searchsorted(starts, at + a, "right")) - 1 for a, _ in offsets]
        for k in range(0, len(ids), LINE_TOKENS):
            part = slice(k, k + LINE_TOKENS)
            lines.append((tuple(ids[part]), tuple(owner[part])))
        last = owner[-1] if owner else last
        left -= len(ids)
        at += len(line) + 1
    words = tuple(text[a:b] for a, b in spans)
    is_whole = left > 0
    return Text(words, spans, tuple(lines), 0 if is_whole else max(0, len(words) - 1 - last))


def batched(texts: Sequence[Text], encoder: Encoder = "words") -> tuple[Lines, I64]:
    """The lines of some texts in one tensor, and the number of the word of each token.

    Returns:
        Lines of n contents; (l, t) int64 number of the word within its own text, -1 for none.
    """
    has_marks = encoder == "minilm"
    rows = [(k, line) for k, text in enumerate(texts) for line in text.lines]
    longest = max((len(line[0]) for _, line in rows), default=0) + 2 * has_marks
    ids = np.zeros((len(rows), longest), np.int64)
    mask, words = np.zeros(ids.shape, bool), np.full(ids.shape, -1, np.int64)
    begin, end = tokenizer().token_to_id("[CLS]"), tokenizer().token_to_id("[SEP]")
    for k, (_, (tokens, owners)) in enumerate(rows):
        n = len(tokens)
        ids[k, has_marks : n + has_marks] = tokens
        words[k, has_marks : n + has_marks] = owners
        if has_marks:
            ids[k, 0], ids[k, n + 1] = begin or 0, end or 0
        mask[k, : n + 2 * has_marks] = True
    owner = torch.tensor([k for k, _ in rows], dtype=torch.int64)
    return Lines(torch.from_numpy(ids), torch.from_numpy(mask), owner, len(texts)), words


@dataclass(frozen=True, slots=True)
class Design:
    """How domains and features become numbers.

    Attributes:
        domains: names by place in the code; others have the zero vector.
        numbers: (name, mean, deviation) of numeric features; a missing value is the mean.
        choices: (name, values, shares) of categorical ones; a missing value is the shares.
    """

    domains: tuple[str, ...]
    numbers: tuple[tuple[str, float, float], ...]
    choices: tuple[tuple[str, tuple[str, ...], tuple[float, ...]], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The features, numeric ones first."""
        return tuple(one[0] for one in (*self.numbers, *self.choices))

    @property
    def columns(self) -> I64:
        """(c,) the feature that each column belongs to."""
        own = list(range(len(self.numbers)))
        for k, (_, values, _) in enumerate(self.choices):
            own += [len(self.numbers) + k] * len(values)
        return np.array(own, np.int64)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Design:
        """From :meth:`to_json`, also after JSON has made tuples lists."""
        numbers = tuple((str(a), float(b), float(c)) for a, b, c in values["numbers"])
        choices = tuple((str(a), tuple(b), tuple(c)) for a, b, c in values["choices"])
        return cls(tuple(values["domains"]), numbers, choices)


def design_of(held: Contents, rows: I64) -> Design:
    """The design that the training rows of a set tell."""
    numbers = []
    for name, values in held.numbers.items():
        seen = values[rows][np.isfinite(values[rows])]
        mean, deviation = (float(seen.mean()), float(seen.std())) if len(seen) else (0.0, 0.0)
        numbers.append((name, mean, deviation or 1.0))
    choices = []
    for name, choice in held.choices.items():
        codes = choice.codes[rows]
        counts = np.bincount(codes[codes >= 0], minlength=len(choice.values))
        shares = counts / max(1, counts.sum())
        choices.append((name, choice.values, tuple(float(share) for share in shares)))
    seen_domains = sorted({int(held.domain[row]) for row in rows})
    domains = tuple(held.domains[d] for d in seen_domains)
    return Design(domains, tuple(numbers), tuple(choices))


def domain_code(design: Design, names: Sequence[str]) -> F32:
    """(n, d) one-hot, zero for domains that were not trained on."""
    place = {name: k for k, name in enumerate(design.domains)}
    code = np.zeros((len(names), len(design.domains)), np.float32)
    for k, name in enumerate(names):
        if name in place:
            code[k, place[name]] = 1.0
    return code


def feature_columns(design: Design, values: Sequence[Mapping[str, float | str]]) -> F32:
    """(n, c) columns of F of contents whose features are given by name; what lacks is 0.

    A value that was not seen in training counts as missing.
    """
    made = np.zeros((len(values), len(design.columns)), np.float32)
    for k, row in enumerate(values):
        at = 0
        for name, mean, deviation in design.numbers:
            value = row.get(name)
            if isinstance(value, int | float) and np.isfinite(value):
                made[k, at] = (value - mean) / deviation
            at += 1
        for name, levels, shares in design.choices:
            if row.get(name) in levels:
                code = np.array([level == row[name] for level in levels], np.float32)
                made[k, at : at + len(levels)] = code - np.array(shares, np.float32)
            at += len(levels)
    return made


def pixels_tensor(pixels: U8) -> Tensor:
    """(n, h, w, 3) uint8 as (n, 3, h, w) float32 in [0, 1]."""
    planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return torch.from_numpy(planes).float() / 255.0


def inputs(
    held: Contents, rows: Sequence[int] | I64, design: Design, encoder: Encoder = "words"
) -> Inputs:
    """Some contents of a set as tensors."""
    chosen = np.asarray(rows, np.int64)
    lines, _ = batched([cut(held.text(int(row))) for row in chosen], encoder)
    has_image = np.zeros(len(chosen), bool)
    pixels = None
    if held.pictures is not None:
        has_image = held.pictures.has_image[chosen]
        if has_image.any():
            pixels = pixels_tensor(held.pictures.images(chosen, IMAGE_PX))
    names = [held.domains[int(held.domain[row])] for row in chosen]
    columns = feature_columns(design, [features_of(held, int(row)) for row in chosen])
    return Inputs(
        lines,
        pixels,
        torch.from_numpy(has_image),
        torch.from_numpy(domain_code(design, names)),
        torch.from_numpy(columns),
    )
