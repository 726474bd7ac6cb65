"""Spaces of registered sets: ``NAME--ENCODER`` of paired images, ``NAME--own`` of embeddings."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import numpy as np

from backend.errors import NotFound
from backend.gap import bundled
from backend.gap.pairs import check
from backend.gap.spaces import BUNDLED, METHODS, TEMPERATURE, Space, concepts_of
from backend.registry import language, sets, store
from backend.registry.store import OwnSet
from models.cards import CARDS, read_card

KINDS: Final = ("pairs", "embeddings")
OWN: Final = "own"
NOTES: Final = {
    (True, False): "your pairs, a bundled encoder",
    (False, False): "your pairs, your encoder",
    (False, True): "registered embeddings",
}


def titles() -> dict[str, str]:
    """Titles of all spaces of registered sets by key."""
    found = {}
    for name, held in store.listed().sets.items():
        if held.spec.kind == "embeddings":
            found[f"{name}--{OWN}"] = held.spec.told
        elif held.spec.kind == "pairs":
            for key in held.summary["opens"]["spaces"].split(","):
                found[key] = _title(held, key.partition("--")[2])
            for model in language.placed_in(name):
                found[f"{name}--{model}"] = f"{held.spec.told}: {model}"
    return found


def load(key: str) -> Space:
    """The space called ``key``.

    Raises:
        NotFound: no such set is registered, or what was kept of it is gone.
    """
    name = key.partition("--")[0]
    held = store.required().set(name)
    if key not in titles():
        raise NotFound(f"There is no space {key[:40]!r} here.", f"There is {', '.join(titles())}.")
    model = store.listed().models.get(key.partition("--")[2])
    if model is None:
        return _loaded(key, held.fingerprint)
    methods = tuple(one for one in METHODS if one in model.validation.get("maps", ()))
    return _loaded(key, held.fingerprint, model.fingerprint, methods)


def _title(held: OwnSet, encoder: str) -> str:
    return f"{held.spec.told}: {bundled.VARIANTS[BUNDLED[encoder]]}"


@lru_cache(maxsize=8)
def _loaded(key: str, fingerprint: str, mark: str = "", methods: tuple[str, ...] = ()) -> Space:
    """``mark`` and ``methods`` are those of a registered model, where one made the space."""
    name, _, encoder = key.partition("--")
    arrays, is_bundled = sets.stored(name), encoder in BUNDLED
    pairs = check(arrays[f"images-{encoder}"], arrays[f"texts-{encoder}"])
    captions, labels = tuple(arrays["captions"].tolist()), tuple(arrays["labels"].tolist())
    card = read_card(CARDS / f"{encoder}.toml") if is_bundled else None
    identity = fingerprint + (card.fingerprint if card else mark)
    return Space(
        key=key,
        title=titles()[key],
        note=NOTES[is_bundled, encoder == OWN],
        set_key=f"registered {name} {fingerprint[:16]}",
        images=np.asarray(pairs.images),
        texts=np.asarray(pairs.texts),
        captions=captions,
        groups=labels if any(labels) else (),
        concepts=concepts_of(captions, len(captions)),
        labels=None,
        classes=None,
        class_names=(),
        temperature=1 / card.metrics["logit_scale"] if card else TEMPERATURE,
        encoder="" if encoder == OWN else encoder,
        fingerprint=hashlib.sha256(identity.encode()).hexdigest()[:16],
        methods=tuple(METHODS) if is_bundled else methods,
        ground="white" if is_bundled else "grey",
        thumbs=arrays.get("thumbs"),
    )
