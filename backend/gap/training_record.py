"""Writes what training made: weights, cards, embeddings of the test pairs, and the record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from safetensors.torch import save

from backend.gap import bundled
from backend.gap.training import (
    BATCH,
    DECAY,
    EPOCHS,
    LAMBDAS,
    PLACES,
    RATE,
    Features,
    embedded,
    first_heads,
)
from models.cards import CARDS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.dual_encoder import IMAGE_PX, Heads

RECORD: Final = bundled.FOLDER / "measured.json"
LICENCE: Final = (
    "Trained for Loupe; the towers that it needs are Apache-2.0 (EfficientNet-Lite0 and "
    "all-MiniLM-L6-v2)"
)
LIMITS: Final = (
    "CLIP-style, small. Knows drawings: emoji, stamps and clip art with short English captions; on "
    "photographs it is weak. Both towers are frozen, so it tells apart only what they tell apart."
)
Run = tuple[str, int, Heads, dict[str, float], float]


def write(held: Features, runs: Sequence[Run]) -> None:
    """Weights, card and embeddings of the first seed of each variant; the record of all."""
    record: dict[str, Any] = {
        "settings": {
            "batch": BATCH, "epochs": EPOCHS, "rate": RATE, "weight_decay": DECAY,
            "places": PLACES, "decay": "weight", "symmetric": True,
            "lambdas": {name: list(pair) for name, pair in LAMBDAS.items()},
        },
        "pairs": {split: len(held.table.rows(split)) for split in bundled.SPLITS},
        "runs": [
            {"variant": v, "seed": s, "seconds": round(t, 1), **found} for v, s, _, found, t in runs
        ],
    }  # fmt: skip
    written: set[str] = set()
    for variant, seed, heads, found, seconds in runs:
        if variant in written or variant not in bundled.VARIANTS:
            continue
        written.add(variant)
        stored = _halved(heads)
        write_embeddings(held, variant, stored)
        _write_model(variant, seed, stored, found, seconds)
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _halved(heads: Heads) -> Heads:
    """The heads as they are stored, in half precision, so that embeddings are those of the file."""
    made = first_heads(0)
    state = {name: value.half().float() for name, value in heads.state_dict().items()}
    made.load_state_dict(state)
    return made.eval()


def write_embeddings(held: Features, variant: str, heads: Heads) -> None:
    """Test pairs and class texts in half precision."""
    images, texts, classes = embedded(held, heads, held.table.rows("test"))
    named = {"images": images, "texts": texts, "classes": classes}
    arrays = {name: array.astype(np.float16) for name, array in named.items()}
    with (bundled.FOLDER / f"embeddings-{variant}.npz").open("wb") as out:
        np.savez(out, allow_pickle=False, **arrays)


def _write_model(
    variant: str, seed: int, heads: Heads, found: dict[str, float], seconds: float
) -> None:
    content = save({k: v.half().contiguous() for k, v in heads.state_dict().items()})
    key = f"pairs-{variant}"
    (WEIGHTS / f"{key}.safetensors").write_bytes(content)
    metrics = {
        **{name: round(value, 6) for name, value in found.items()},
        "text_to_image_recall": round(found["text_to_image_recall_at_1"], 6),
        "accuracy": round(found["zero_shot_top_1"], 6),
        "parameters": float(sum(p.numel() for p in heads.parameters())),
        "seed": float(seed),
        "seconds": round(seconds, 1),
    }
    card = ModelCard(
        key=key,
        title=f"{bundled.VARIANTS[variant]}, CLIP-style, small",
        task="pairs",
        summary=_summary(variant),
        architecture="PairHeads",
        input=InputSpec(3, IMAGE_PX, IMAGE_PX),
        classes=tuple(bundled.PROMPTS),
        layers=("image", "text"),
        licence=LICENCE,
        data=f"The training split of the bundled pairs: {bundled.SOURCE}",
        command=f"python -m backend.gap.training --seeds {seed}",
        metrics=metrics,
        weights_file=f"{key}.safetensors",
        weights_sha256=hashlib.sha256(content).hexdigest(),
        limits=LIMITS,
    )
    (CARDS / f"{key}.toml").write_text(dump_card(card), encoding="utf-8")


def _summary(variant: str) -> str:
    towers = "Two small heads over frozen towers (EfficientNet-Lite0, MiniLM) to 128 dimensions"
    if variant == "random":
        return f"{towers}. The heads are untrained: what a gap looks like before any training."
    within, across = LAMBDAS[variant]
    terms = [name for name, weight in (("in-modal", within), ("cross-modal", across)) if weight]
    extra = f" with the {' and '.join(terms)} ranking terms of RankCLIP" if terms else ""
    return f"{towers}. Trained with CLIP's contrastive loss{extra}."
