"""New texts and images put into the space of a bundled dual encoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import torch
from safetensors.torch import load_file

from backend.errors import BadRequest
from backend.gap import towers
from backend.gap.spaces import BUNDLED
from backend.protocols import F32, U8
from models.cards import CARDS, read_card, verify_weights, weights_path
from models.dual_encoder import Heads

MOST_CHARS: Final = 400


@lru_cache(maxsize=8)
def heads_of(key: str) -> Heads:
    """The trained heads of a bundled model, in eval mode, frozen.

    Raises:
        BadRequest: the space is an import, which has no encoder.
        WeightsMismatch: the file is missing or not the card's.
    """
    if key not in BUNDLED:
        raise BadRequest(
            "Imported embeddings have no encoder, so new texts and images cannot be put into them.",
            "Choose one of the bundled models.",
        )
    card = read_card(CARDS / f"{key}.toml")
    verify_weights(card)
    with torch.inference_mode(False):  # see towers.image_tower
        stored = {name: value.float() for name, value in load_file(weights_path(card)).items()}
        heads = Heads()
        heads.load_state_dict(stored)
    return heads.eval().requires_grad_(False)


def text_embeddings(key: str, texts: Sequence[str]) -> F32:
    """(n, 128) unit rows.

    Raises:
        BadRequest: a text is empty or too long, or the space has no encoder.
    """
    heads = heads_of(key)
    for text in texts:
        checked_text(text)
    with torch.inference_mode():
        found: F32 = heads.text(torch.from_numpy(towers.of_texts(texts))).numpy()
    return found


def image_embeddings(key: str, pictures: U8) -> F32:
    """(n, 128) unit rows of RGB bytes (n, h, w, 3)."""
    heads = heads_of(key)
    with torch.inference_mode():
        found: F32 = heads.image(torch.from_numpy(towers.of_images(pictures))).numpy()
    return found


def placed(key: str, images: F32, texts: F32) -> tuple[F32, F32]:
    """(n, 128) unit rows of what the towers make of pictures (n, 1280) and of texts (n, 384)."""
    heads = heads_of(key)
    with torch.inference_mode():
        put = heads.image(torch.from_numpy(images)), heads.text(torch.from_numpy(texts))
    return put[0].numpy(), put[1].numpy()


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
