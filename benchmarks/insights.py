"""How fast attributions, trials and recommendations are, against the plain ways. One thread."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from backend.insights import attributions, contents, models, parts, recommend, trials
from backend.insights.history import History, Occurrences, Patches
from backend.insights.models import InsightModel
from backend.insights.parts import Opened
from benchmarks.table import Row, compare, seconds

CONTENTS: Final = 1_000
LOOPED: Final = 40  # contents of the loop, whose time is told for all
STEPS: Final = 16
BATCH: Final = 64
PHRASES: Final = 40
OCCURRENCES: Final = 75_000


def rows() -> list[Row]:
    """All rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = models.load("campaigns")
        return [*integrated(model), tried(model), recommended()]
    finally:
        torch.set_num_threads(threads)


def word_vectors(model: InsightModel, opened: Opened) -> Tensor:
    """(b, L, t, 384): what captum is given, as our own step to the encoder's width is its too."""
    text = model.net.text
    ids, mask, _ = parts.laid_out(model.net, opened.texts)
    return text.embed(ids.flatten(0, 1)).view(*ids.shape, -1) * mask[..., None]


def captums(model: InsightModel, opened: Opened, words: Tensor) -> Tensor:
    """Word-vector attributions (b, L, t) by captum with the same steps, all at once."""

    def rate(words: Tensor) -> Tensor:
        about = opened.of(torch.arange(len(words)) % len(opened))  # captum repeats step by step
        return parts.rate(model.net, {"text": model.net.text.entered(words)}, about)

    made = IntegratedGradients(rate).attribute(words, n_steps=STEPS, method="gausslegendre")
    return torch.as_tensor(made).detach().sum(-1)


def integrated(model: InsightModel) -> list[Row]:
    """Ours against captum in batches, and against a loop over contents."""
    held = contents.load("campaigns")
    chosen = np.arange(CONTENTS)
    batches = [
        parts.open_rows(model, held, chosen[k : k + BATCH], "text")
        for k in range(0, CONTENTS, BATCH)
    ]
    words = [word_vectors(model, batch) for batch in batches]
    alone = [parts.open_rows(model, held, [int(row)], "text") for row in chosen[:LOOPED]]

    def ours() -> list[Tensor]:
        return [attributions.gauss_legendre(model.net, b, STEPS)["text"] for b in batches]

    def theirs() -> list[Tensor]:
        return [captums(model, *one) for one in zip(batches, words, strict=True)]

    def looped() -> list[Tensor]:
        return [captums(model, one, word_vectors(model, one)) for one in alone]

    mine, other = ours(), theirs()
    away = max(
        float((a.float() - b.float()).norm() / b.float().norm())
        for a, b in zip(mine, other, strict=True)
    )
    found = []
    for batch in batches:
        found += attributions.attribute(model, batch, "integrated-gradients")
    complete = max(one.completeness_error for one in found)
    t_ours, t_theirs = compare(ours, theirs, rounds=3)
    t_loop = seconds(looped) * CONTENTS / LOOPED
    told = f"relative error {away:.1e}; completeness {100 * complete:.2g} %"
    is_right = away <= 1e-5 and complete <= 0.01
    name = f"integrated gradients of {CONTENTS:,} texts, {STEPS} steps"
    each, theirs_s = f"{t_ours:.2f} s", f"captum in batches {t_theirs:.2f} s"
    fast, loop = t_theirs / t_ours, t_loop / t_ours
    return [
        Row(name, each, theirs_s, fast, "≥ 0.95", told, is_right and fast >= 0.95),
        Row(name, each, f"captum one by one {t_loop:.2f} s", loop, "≥ 2.3", told,
            is_right and loop >= 2.3),
    ]  # fmt: skip


def tried(model: InsightModel) -> Row:
    """Phrases on contents, against an evaluation of every edited content."""
    held = contents.load("campaigns")
    chosen = np.arange(20)
    phrases = [f"free trial {k}" for k in range(PHRASES)]
    made = trials.phrases(model, held, chosen, phrases)

    def plain() -> None:
        for phrase in phrases:
            trials.phrases(model, held, chosen, [phrase])

    ours, other = compare(lambda: trials.phrases(model, held, chosen, phrases), plain)
    counted = len(chosen) + PHRASES
    return Row(
        f"{PHRASES} phrases on {len(chosen)} contents", f"{1000 * ours:.0f} ms",
        f"one phrase after another {1000 * other:.0f} ms", other / ours, "C + M encoder passes",
        f"{made.n_encoded} passes, not {len(chosen) * PHRASES}", made.n_encoded == counted,
    )  # fmt: skip


def recommended() -> Row:
    """Phrases and clusters of a domain from artefacts."""
    held = contents.load("campaigns")
    rng = np.random.default_rng(0)
    n = len(held)
    names = np.array([f"phrase {k}" for k in range(6_000)])
    seen = Occurrences(
        names, rng.integers(0, 6_000, OCCURRENCES), rng.integers(0, n, OCCURRENCES),
        rng.normal(size=OCCURRENCES),
    )  # fmt: skip
    count = 25_000
    shown = Patches(
        rng.integers(0, n, count), rng.integers(0, 13, (count, 2)), rng.normal(size=count),
        rng.integers(0, 20, count), rng.random(count), np.zeros((count, 1), np.float32),
        np.array([20]), np.ones(1), 20,
    )  # fmt: skip
    history = History(held, np.arange(n), seen, seen, shown, None, None)

    def answer() -> None:
        recommend.phrases(history, None)
        recommend.clusters(history, None)

    answer()
    took = min(seconds(answer) for _ in range(3))
    return Row(
        f"recommendations from artefacts of {n:,} contents", f"{1000 * took:.0f} ms", "—",
        float("nan"), "≤ 200 ms", f"{OCCURRENCES:,} occurrences, {count:,} patches", took <= 0.2,
    )  # fmt: skip
