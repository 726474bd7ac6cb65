"""What the page can open: the bundled models' embeddings of the test pairs, and imported arrays.

A space has a key. ``pairs-clip`` and its like are bundled; ``own-<64 hex digits>`` lies in the
store of results under the sha256 of what is in it. Spaces of one ``set_key`` have the same pairs in
the same order, so that a selection in one holds in the other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.errors import BadRequest, NotFound
from backend.gap import bundled
from backend.gap.importer import Imported
from backend.gap.pairs import Pairs
from backend.protocols import F32, I64, U8
from models.cards import CARDS, read_card

OWN: Final = re.compile(r"own-([0-9a-f]{64})\Z")
BUNDLED: Final = {f"pairs-{name}": name for name in bundled.VARIANTS}
PAIRS: Final = "pairs"
MOST_PAIRS: Final = 1_000_000  # what the page lays out and lists
TEMPERATURE: Final = 0.01
DEFAULT: Final = ("pairs-rankclip", "pairs-clip", "pairs-random")
METHODS: Final = {
    "occlusion": "occlusion",
    "integrated": "integrated gradients",
    "gradient": "gradient × input",
}
"""By which words and places can be valued; see :mod:`backend.gap.token_maps`."""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Images and texts of n pairs in one space, with what is known about the pairs.

    Attributes:
        key, title: name in links, name for people; note: what it is, in a few words.
        set_key: equal where the pairs are the same.
        images, texts: (n, d) float32.
        captions: (n,), "" where unknown; groups: (n,) names, empty where there are none.
        concepts: (n,) equal where pairs answer each other's queries.
        labels, classes: (n,) class of each image and (c, d) texts of the classes, or None.
        class_names: (c,).
        temperature: of CLIP's loss.
        encoder: what puts new texts and images into the space, the key of a bundled model or the
            name of a registered one; "" none.
        methods: by which words and places can be valued, of METHODS.
        ground: what a place that is left out is painted with, in a word.
        fingerprint: of weights and pairs.
        thumbs: (n, h, w, 3) bytes, or None where there are none or the bundled sheets have them.
    """

    key: str
    title: str
    note: str
    set_key: str
    images: F32
    texts: F32
    captions: tuple[str, ...]
    groups: tuple[str, ...]
    concepts: I64
    labels: I64 | None
    classes: F32 | None
    class_names: tuple[str, ...]
    temperature: float
    encoder: str
    fingerprint: str
    methods: tuple[str, ...] = ()
    ground: str = "white"
    thumbs: U8 | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def has_encoder(self) -> bool:
        """Whether new texts and images can be put into the space."""
        return bool(self.encoder)

    @property
    def pairs(self) -> Pairs:
        """The embeddings as the measures take them; they were checked when the space was made."""
        return Pairs(self.images, self.texts)

    def distinct_texts(self) -> I64:
        """The first pair of each caption, in order; every pair where captions are unknown."""
        return _first_of(self.captions)

    def row(self, number: int) -> int:
        """The row itself.

        Raises:
            NotFound: there is no such pair.
        """
        if not 0 <= number < len(self):
            raise NotFound(f"There is no pair {number:,}.", f"There are 0 to {len(self) - 1:,}.")
        return number


def load(key: str, store: ArrayStore | None = None) -> Space:
    """The space called ``key``.

    Raises:
        NotFound: there is none.
    """
    if key in BUNDLED:
        return _bundled(key)
    if "--" in key:
        from backend.gap import registered  # it builds on this module

        return registered.load(key)
    found = OWN.match(key)
    if found and store is not None and store.has(found[1]):
        return _own(key, store)
    raise NotFound(
        f"There is no space {key[:40]!r} here.",
        f"Bundled are {', '.join(BUNDLED)}; imported arrays must be imported again.",
    )


@lru_cache(maxsize=8)
def _bundled(key: str) -> Space:
    variant, held, card = BUNDLED[key], bundled.table(), read_card(CARDS / f"{key}.toml")
    arrays, rows = bundled.embeddings(BUNDLED[key]), held.rows("test")
    concepts = np.unique(np.asarray(held.concepts)[rows], return_inverse=True)[1]
    return Space(
        key=key,
        title=bundled.VARIANTS[variant],
        note="CLIP-style, small; " + ("heads untrained" if variant == "random" else "trained here"),
        set_key=PAIRS,
        images=arrays["images"],
        texts=arrays["texts"],
        captions=tuple(held.captions[row] for row in rows),
        groups=tuple(held.sources[row] for row in rows),
        concepts=concepts.astype(np.int64),
        labels=held.labels()[rows],
        classes=arrays["classes"],
        class_names=tuple(bundled.PROMPTS),
        temperature=1 / card.metrics["logit_scale"],
        encoder=key,
        fingerprint=card.fingerprint,
        methods=tuple(METHODS),
    )


def put(found: Imported, title: str, store: ArrayStore) -> str:
    """The key of imported pairs, stored where they were not.

    Raises:
        BadRequest: there are more pairs than the page can show.
        StorageFull: the disk refuses.
    """
    pairs = found.pairs
    if len(pairs) > MOST_PAIRS:
        raise BadRequest(
            f"{len(pairs):,} pairs are more than this page can lay out.",
            f"Give up to {MOST_PAIRS:,} of them; python -m backend gap measure takes any number.",
        )
    images, texts = pairs.block(0, len(pairs))
    about = {
        "title": title.strip()[:80] or "Imported pairs",
        "captions": list(found.captions or ()),
        "labels": list(found.labels or ()),
    }
    text = json.dumps(about, ensure_ascii=False).encode()
    arrays: dict[str, NDArray[Any]] = {
        "images": images,
        "texts": texts,
        "about": np.frombuffer(text, np.uint8),
    }
    if found.thumbs is not None:
        arrays["thumbs"] = found.thumbs
    key = _name_of(arrays)
    if not store.has(key):
        store.put(key, arrays)
    return f"own-{key}"


def _name_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256(b"gap pairs 1")
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name} {array.shape} {array.dtype}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


@lru_cache(maxsize=4)
def _own(key: str, store: ArrayStore) -> Space:
    """Imported pairs, mapped: they were checked and scaled when they were put."""
    arrays = store.mapped(key.removeprefix("own-"))
    if arrays is None or "about" not in arrays:
        raise NotFound("These pairs are no longer stored.", "Import them again.")
    about: dict[str, Any] = json.loads(arrays["about"].astype(np.uint8).tobytes())
    images, texts = (cast(F32, arrays[name]) for name in ("images", "texts"))
    n, captions = len(images), tuple(about["captions"])
    known = hashlib.sha256("\n".join(captions).encode()).hexdigest()[:16] if captions else ""
    thumbs = arrays.get("thumbs")
    return Space(
        key=key,
        title=about["title"],
        note="imported embeddings",
        set_key=f"own {n} {known}",
        images=images,
        texts=texts,
        captions=captions or ("",) * n,
        groups=tuple(about["labels"]),
        concepts=concepts_of(captions, n),
        labels=None,
        classes=None,
        class_names=(),
        temperature=TEMPERATURE,
        encoder="",
        fingerprint=key[4:20],
        thumbs=None if thumbs is None else thumbs.astype(np.uint8, copy=False),
    )


@lru_cache(maxsize=8)
def _first_of(captions: tuple[str, ...]) -> I64:
    if not all(captions):
        return np.arange(len(captions))
    return np.sort(np.unique(np.asarray(captions), return_index=True)[1])


def concepts_of(captions: tuple[str, ...], n: int) -> I64:
    """Pairs with the same caption answer each other's queries; without captions each its own."""
    if not captions or not all(captions):
        return np.arange(n)
    return np.unique(np.asarray(captions), return_inverse=True)[1].astype(np.int64)
