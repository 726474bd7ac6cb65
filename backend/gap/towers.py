"""Features of the frozen towers for the bundled pairs: made once, kept in ``data/cache``.

Run as ``python -m backend.gap.towers`` (about four minutes on one core).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
import torch
from tokenizers import Tokenizer

from backend.gap import bundled
from backend.protocols import F32, U8
from backend.settings import PROJECT
from models.cards import CARDS, read_card
from models.dual_encoder import image_features, scaled
from models.efficientnet_lite import EfficientNetLite0
from models.load import load_module
from models.text_encoder import MiniLM, load_encoder, load_tokenizer

BATCH: Final = 64
FILE: Final = PROJECT / "data" / "cache" / "pair-features.npz"
log = logging.getLogger("loupe.towers")


@cache
def image_tower() -> EfficientNetLite0:
    """EfficientNet-Lite0 with its ImageNet weights, frozen."""
    with torch.inference_mode(False):  # first asked for inside it, no gradient would pass later
        tower = load_module(read_card(CARDS / "imagenet-lite0.toml"))
    assert isinstance(tower, EfficientNetLite0)
    return tower


@cache
def text_tower() -> MiniLM:
    """all-MiniLM-L6-v2, frozen."""
    with torch.inference_mode(False):
        tower = load_encoder(read_card(CARDS / "text-minilm.toml"))
    assert isinstance(tower, MiniLM)
    return tower


@cache
def tokenizer() -> Tokenizer:
    """What cuts texts into MiniLM's tokens."""
    return load_tokenizer(read_card(CARDS / "text-minilm.toml"))


def of_texts(texts: Sequence[str]) -> F32:
    """(n, 384) rows of length 1."""
    found = np.empty((len(texts), 384), np.float32)
    tower, cut = text_tower(), tokenizer()  # outside: weights made there could take no gradient
    with torch.inference_mode():
        for i, text in enumerate(texts):  # one by one: padding would change the sums
            ids = torch.tensor([cut.encode(text).ids])
            found[i] = tower(ids, torch.ones_like(ids, dtype=torch.bool))[0].numpy()
    return found


def of_images(pictures: U8) -> F32:
    """(n, 1280) of RGB bytes (n, h, w, 3)."""
    tower, found = image_tower(), []
    with torch.inference_mode():
        for start in range(0, len(pictures), BATCH):
            part = scaled(torch.from_numpy(pictures[start : start + BATCH]))
            found.append(image_features(tower, part).half().float().numpy())
    return np.concatenate(found)


def features() -> tuple[F32, F32]:
    """Images (n, 1280) and texts (n, 384) of all bundled pairs, from the cache if it fits them."""
    held = bundled.table()
    if FILE.is_file():
        with np.load(FILE, allow_pickle=False) as kept:
            if kept["ids"].tolist() == list(held.ids):
                return kept["images"].astype(np.float32), kept["texts"]
    pictures = bundled.pictures(np.arange(len(held)))
    images = of_images(pictures)
    texts = of_texts(held.captions)
    FILE.parent.mkdir(exist_ok=True)
    made = {"ids": np.array(held.ids), "images": images.astype(np.float16), "texts": texts}
    np.savez(FILE, allow_pickle=False, **made)
    return images, texts


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    made = features()
    log.info("images %s, texts %s", made[0].shape, made[1].shape)
