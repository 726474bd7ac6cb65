"""Sets of labelled texts: what a model reads is the text; what people see first is a picture of
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.items import ArrayItems, BadItems, rows_within
from backend.protocols import I64


@dataclass(frozen=True, slots=True)
class TextItems(ArrayItems):
    """Texts with their classes; an ``ItemSet`` whose images show the first lines of each.

    Attributes:
        texts: (n,) what a model reads.

    Raises:
        BadItems: on construction, if arrays, names, labels and texts do not fit together.
    """

    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ArrayItems.__post_init__(self)
        if len(self.texts) != len(self.pixels):
            raise BadItems(f"There are {len(self.texts)} texts for {len(self.pixels)} pictures.")
        blank = [i for i, text in enumerate(self.texts) if not text.strip()]
        if blank:
            raise BadItems(f"The text of row {blank[0]} is empty.", "Every item needs some words.")
        digest = hashlib.sha256("\0".join((self.fingerprint, *self.texts)).encode())
        object.__setattr__(self, "fingerprint", digest.hexdigest()[:16])

    def inputs(self, rows: Sequence[int] | I64) -> NDArray[np.str_]:
        """The texts of some rows, in that order, ``(b,)``.

        Raises:
            BadItems: there is no such row.
        """
        return np.array(self.texts, np.str_)[rows_within(rows, self)]

    def truth(self, rows: Sequence[int] | I64) -> I64:
        """The classes of some rows, in that order, ``(b,)``.

        Raises:
            BadItems: there is no such row.
        """
        labels: I64 = self.labels[rows_within(rows, self)]
        return labels


def bundled(
    arrays: Mapping[str, NDArray[Any]],
    classes: tuple[str, ...],
    *,
    key: str,
    title: str,
    source: str,
    licence: str,
) -> TextItems:
    """The set of a bundled file: definitions, called by the word that they define.

    Args:
        arrays: ids, words, texts, labels and images, as ``data/build_texts.py`` writes them.
    """
    words, labels = arrays["words"], arrays["labels"]
    return TextItems(
        key=key,
        title=title,
        task="texts",
        pixels=arrays["images"],
        labels=labels,
        ids=arrays["ids"],
        classes=classes,
        source=source,
        licence=licence,
        names=tuple(words.tolist()),
        texts=tuple(arrays["texts"].tolist()),
        extra={"text": arrays["texts"], "words": _lengths(arrays["texts"])},
    )


def _lengths(texts: NDArray[np.str_]) -> I64:
    return np.array([len(text.split()) for text in texts.tolist()], np.int64)
