"""What puts new texts and images into a space: the protocol, and which encoder a space has.

There are two: the bundled heads (:mod:`backend.gap.heads`), and a registered ``transformers``
folder (:mod:`backend.gap.adapters`). Whoever asks does not know which one answers.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from torch import Tensor

from backend.errors import BadRequest
from backend.gap.spaces import BUNDLED
from backend.protocols import F32, U8

MOST_CHARS: Final = 400
MOST_WORDS: Final = 12
"""Words of a caption that are valued; more make no picture that can be read."""
KEPT: Final = 2
"""Registered models that a worker holds: each may have a gigabyte."""
_loading = threading.Lock()


class PairEncoder(Protocol):
    """Puts pictures and texts into one space."""

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    def images(self, pictures: Sequence[U8]) -> F32:
        """RGB bytes (h, w, 3) each to unit rows (n, d)."""
        ...

    def texts(self, texts: Sequence[str]) -> F32:
        """Texts to unit rows (n, d)."""
        ...


@dataclass(frozen=True, slots=True)
class Pieces:
    """A caption in pieces.

    Attributes:
        words: (w,) in order, at most MOST_WORDS; those that the model does not read are left out.
        spans: (w,) where the tokens of each begin and end.
        ids: (t,) every token of the caption; content: (t,) which of them stand for text.
    """

    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    ids: tuple[int, ...]
    content: tuple[bool, ...]


class Encoder(PairEncoder, Protocol):
    """A dual encoder that can be asked about parts of a picture and of a text.

    Pixels lie in [0, 1] and are those of a square picture before the model's own normalisation.
    What takes tensors lets gradients through; all tensors that are returned lie on the CPU.
    """

    @property
    def empty(self) -> Tensor:
        """(3, 1, 1) colour of a place that is not given."""
        ...

    @property
    def nothing(self) -> Tensor:
        """(e,) vector of a word that is not given."""
        ...

    def pixels(self, picture: U8) -> Tensor:
        """RGB bytes (h, w, 3) to (1, 3, s, s)."""
        ...

    def of_pixels(self, pixels: Tensor) -> Tensor:
        """(b, 3, s, s) to unit rows (b, d)."""
        ...

    def pieces(self, caption: str) -> Pieces:
        """Words and tokens of a caption.

        Raises:
            BadRequest: it cannot be told where its words lie.
        """
        ...

    def of_ids(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Tokens of texts to unit rows (n, d)."""
        ...

    def table(self, ids: Sequence[int]) -> Tensor:
        """The word vectors (t, e) that tokens stand for."""
        ...

    def of_vectors(self, vectors: Tensor, ids: Sequence[int]) -> Tensor:
        """Texts given as word vectors (b, t, e), in place of those of ``ids`` (t,), to unit rows
        (b, d).
        """
        ...


def encoder_of(key: str) -> Encoder:
    """The encoder that a space names: a bundled one or a registered model, loaded once.

    Raises:
        BadRequest: the space has none, or the files of a registered model are no longer those that
            were added, or cannot be opened.
        NotFound: the model is registered no more, or its files are gone.
        WeightsMismatch: the weights of a bundled one are missing or not the card's.
    """
    if not key:
        raise BadRequest(
            "Imported embeddings have no encoder, so new texts and images cannot be put into them.",
            "Choose one of the bundled models, or a registered one.",
        )
    if key in BUNDLED:
        from backend.gap import heads  # it loads towers, which a model of one's own needs not

        return heads.HeadsEncoder(key)
    from backend import catalog
    from backend.registry import store

    fingerprint = store.required().model(key).fingerprint
    with _loading:  # two threads asking at once must not load twice
        return _registered(key, fingerprint, catalog.default_device())


@lru_cache(maxsize=KEPT)
def _registered(name: str, fingerprint: str, device: str) -> Encoder:
    from backend.gap.adapters import TransformersEncoder
    from backend.registry import building

    del fingerprint  # added again with other weights: another model
    return TransformersEncoder(Path(building.unchanged(name).spec.path), device)


def checked_text(text: str) -> str:
    """The text without spaces around it.

    Raises:
        BadRequest: nothing is left of it, or it is too long.
    """
    text = text.strip()
    if not text:
        raise BadRequest("There is no query.", "Type a few words, such as: a red apple.")
    if len(text) > MOST_CHARS:
        raise BadRequest(
            f"The query has {len(text):,} characters.", f"Allowed are up to {MOST_CHARS}."
        )
    return text
