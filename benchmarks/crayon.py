"""How fast maps, pruning, answers and epochs are, against the plain ways. One thread throughout."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from captum.attr import LayerGradCam

from backend import migrations
from backend.crayon import examples, refinement, sets
from backend.crayon.answers import Answer, AnswerStore
from backend.crayon.gradcam import whole_set
from backend.crayon.originals import untrained
from backend.crayon.pruning import apply_mask, logits_without_each
from backend.database import open_engine
from benchmarks.table import Row, compare, seconds, wall
from models.guided_nets import GuidedNet

IMAGES: Final = 64
STORED: Final = 4_795  # answers that are there already, as many as Waterbirds has images
TIMED: Final = 200
MOST_P95_S: Final = 0.005


def rows() -> list[Row]:
    """All rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        net = untrained(sets.load("birds"), 0)
        net.eval().requires_grad_(False)
        return [whole_maps(net), each_neuron(net), durable(), epoch(net)]
    finally:
        torch.set_num_threads(threads)


def whole_maps(net: GuidedNet) -> Row:
    """Maps of a set against captum's LayerGradCam image by image with its defaults."""
    held = sets.load("birds")
    chosen = held.rows("training")[:IMAGES]
    x, y = examples.images(held, chosen), held.labels[chosen]
    captum = LayerGradCam(net, net.stage)
    found: list[np.ndarray] = [np.empty(0), np.empty(0)]

    def ours() -> None:
        found[0] = whole_set(net, lambda a, b: x[a:b], y, IMAGES)[0]

    def other() -> None:
        maps = []
        for i in range(IMAGES):
            one = x[i : i + 1].clone().requires_grad_()
            maps.append(captum.attribute(one, target=int(y[i])).detach().relu()[0, 0].numpy())
        found[1] = np.stack([m / m.max() if m.max() > 0 else m for m in maps])

    ours_s, other_s = compare(ours, other, 3)
    apart = float(np.abs(found[0] - found[1]).max())
    ratio = other_s / ours_s
    return Row(
        f"maps of {IMAGES} images of 128 px against captum's LayerGradCam one by one",
        f"{ours_s / IMAGES * 1e3:.2f} ms",
        f"{other_s / IMAGES * 1e3:.2f} ms",
        ratio,
        "≥ 4×",
        f"largest difference {apart:.1e}",
        ratio >= 4 and apart <= 1e-5,
    )


def each_neuron(net: GuidedNet) -> Row:
    """What pruning each of 512 neurons alone would do against one forward pass for each."""
    held = sets.load("birds")
    chosen = held.rows("training")[:IMAGES]
    inner = examples.inner(held, net, chosen)
    with torch.inference_mode():
        pooled = net.features(inner).mean(dim=(2, 3)).numpy()
    weight, bias = net.output.weight.numpy(), net.output.bias.numpy()
    neurons = len(net.mask)
    few = range(0, neurons, neurons // 8)
    found: list[np.ndarray] = [np.empty(0), np.empty(0)]

    def ours() -> None:
        found[0] = logits_without_each(pooled, weight, bias)

    def other() -> None:
        with torch.inference_mode():
            answers = []
            for k in few:
                apply_mask(net, np.arange(neurons) != k)
                answers.append(net.logits(net.features(inner)).numpy())
            found[1] = np.stack(answers, axis=1)
        apply_mask(net, np.ones(neurons, bool))

    ours_s, some_s = compare(ours, other, 3)
    other_s = some_s * neurons / len(few)
    apart = float(np.abs(found[0][:, list(few)] - found[1]).max())
    ratio = other_s / ours_s
    return Row(
        f"pruning each of {neurons} neurons alone, {IMAGES} images, against a forward pass of the "
        f"last stage each (timed for {len(few)} of them)",
        f"{ours_s * 1e3:.2f} ms",
        f"{other_s:.2f} s",
        ratio,
        "≥ 200×",
        f"largest difference {apart:.1e}",
        ratio >= 200 and apart <= 1e-6,
    )


def durable() -> Row:
    """An answer on disk among 4,795 against rewriting a JSON file of them all."""
    with tempfile.TemporaryDirectory() as name, _store(Path(name)) as store:
        made = [_answer(i) for i in range(STORED + TIMED + 2)]
        store.add(made[:STORED])
        path, held = Path(name) / "answers.json", [a.item_id for a in made[:STORED]]
        document = [{"item": i, "answer": "yes", "annotator": "anna", "ms": 800} for i in held]

        def rewrite() -> None:
            part = path.with_suffix(".part")
            with part.open("w", encoding="utf-8") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)

        waits = [wall(lambda a=a: store.add([a])) for a in made[STORED : STORED + TIMED]]
        others = [wall(rewrite) for _ in range(20)]
        count = len(store.everything())
    p95, ratio = float(np.quantile(waits, 0.95)), float(np.median(others) / np.median(waits))
    return Row(
        f"one answer on disk among {STORED} against rewriting a file of them",
        f"{np.median(waits) * 1e3:.2f} ms (p95 {p95 * 1e3:.2f} ms)",
        f"{np.median(others) * 1e3:.2f} ms",
        ratio,
        "≥ 5×, p95 ≤ 5 ms",
        f"{count - STORED} of {TIMED} there",
        ratio >= 5 and p95 <= MOST_P95_S and count == STORED + TIMED,
    )


def epoch(net: GuidedNet) -> Row:
    """An epoch of Crayon-Attention against one of plain fine-tuning."""
    held = sets.load("birds")
    chosen = held.rows("training")[: 4 * IMAGES]
    x = examples.inner(held, net, chosen).clone()
    train = refinement.Examples(x, held.labels[chosen], held.groups[chosen])
    m0, _ = whole_set(net, lambda a, b: x[a:b], train.y, len(train), is_inner=True)
    guide = refinement.Guidance(m0, np.resize(np.array([1, -1, 0]), len(train)).astype(np.int64))
    plan = refinement.Plan("attention", alpha=80.0, beta=80.0, epochs=1, batch=64)
    erm = replace(plan, method="erm")
    ours_s, other_s = compare(
        lambda: refinement.refine(net, train, plan, guide),
        lambda: refinement.refine(net, train, erm),
        3,
        clock=seconds,
    )
    ratio = ours_s / other_s
    return Row(
        f"an epoch of Crayon-Attention on {len(train)} images against plain fine-tuning",
        f"{ours_s:.2f} s",
        f"{other_s:.2f} s",
        1 / ratio,
        "at most 3 times as long",
        f"{ratio:.2f} times as long",
        ratio <= 3,
    )


def _answer(number: int) -> Answer:
    return Answer("bench", number, "birds", "ab", "map", number, "anna", "yes", ms=800)


@contextmanager
def _store(folder: Path) -> Iterator[AnswerStore]:
    engine = open_engine(f"sqlite:///{folder / 'answers.db'}")
    migrations.upgrade(engine)
    try:
        yield AnswerStore(engine)
    finally:
        engine.dispose()
