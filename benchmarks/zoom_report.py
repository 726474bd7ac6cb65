"""``python -m benchmarks.zoom_report``: what the two-stage network finds and costs, written to
docs/results/zoom.md.

Everything is measured here from the shipped weights; nothing is copied from the source. Where a
statement of the source does not hold for our models, the report says so.
"""

from __future__ import annotations

import sys
from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from backend import catalog
from backend.settings import PROJECT
from backend.zoom import draws, infer, needles
from backend.zoom.attention import expected_distinct
from backend.zoom.compare import look
from backend.zoom.estimator import combine_without_replacement
from backend.zoom.library import library
from backend.zoom.making import make_large
from backend.zoom.source import ArraySource

PATH = PROJECT / "docs" / "results" / "zoom.md"
MODELS = ("needle-zoom", "needle-ats", "needle-cnn")
ZOOM = "needle-zoom"
TILES, DRAWS, SHOWN = 16, 20, 40
HEAD = """# What the Zoom-In network finds, and what it costs

Written by `python -m benchmarks.zoom_report`; do not edit by hand. Simulated needles: a handwritten
digit, or none, and up to three pieces of clothing in a photograph of 1,024 px; photographs, digits
and clothes of the evaluation were not trained on. Statements are those of the source (a
dissertation of 2024, chapter 2); the numbers are ours. One thread.
"""


def accuracy() -> list[str]:
    """The cards' numbers: equal images, equal steps, the same f and g."""
    lines = [
        "| model | first seed | mean of 3 seeds | range | attention and needle (Spearman) "
        "| pieces and needle (Spearman) | needle seen by a piece | of its strokes |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key in MODELS:
        found = catalog.card(key).metrics
        spread = f"{found['lowest_accuracy']:.1%} to {found['highest_accuracy']:.1%}"
        rest = [
            f"{found[name]:.3f}" if name in found else "–"
            for name in ("mean_attention_spearman", "mean_subtile_spearman")
        ]
        rest += [
            f"{found[name]:.0%}" if name in found else "–"
            for name in ("mean_needle_hit", "mean_needle_recall")
        ]
        lines.append(
            f"| {key} | {found['accuracy']:.1%} | {found['mean_accuracy']:.1%} | {spread} | "
            f"{' | '.join(rest)} |"
        )
    count = int(catalog.card(ZOOM).metrics["evaluation_images"])
    lines.append(
        f"\n{count} images, half with a digit: chance is 50 %, and a run of that size is uncertain "
        f"by ±{1.96 * 50 / count**0.5:.0f} points (95 %). Attention columns: over positive images, "
        "tiles of 128 px and drawn pieces of 32 px; means of the seeds. The source reports 0.357 "
        "for its own pieces."
    )
    return lines


def cost() -> list[str]:
    """The three ways of looking at one image, at three sizes."""
    lines = [
        "| image | model | tensors at the peak | multiply-adds | time | pixels read |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    held = library()
    make_large(held, 4096, lambda done, total: None)
    sources = {"1,024 px": held.open("needle:1"), "4,096 px": held.open("large:4096")}
    for name, source in sources.items():
        for key in MODELS:
            look(key, source, TILES)
            done = look(key, source, TILES)
            share = done.pixels_read / (source.width * source.height)
            lines.append(
                f"| {name} | {key} | {done.peak_bytes / 1e6:.1f} MB | {done.flops / 1e9:.2f} G | "
                f"{done.seconds * 1e3:.0f} ms | {share:.1%} |"
            )
    return lines


def estimator() -> list[str]:
    """The corrected mean and the printed one on five items, every draw enumerated."""
    beta = torch.tensor([0.35, 0.3, 0.2, 0.1, 0.05], dtype=torch.float64)
    values = torch.tensor([[1.0], [2.0], [4.0], [8.0], [16.0]], dtype=torch.float64)
    exact = float((beta @ values).item())
    lines = ["| draws | corrected | as printed | plain mean |", "| --- | --- | --- | --- |"]
    for count in (1, 2, 3, 5):
        means = np.zeros(3)
        for order in permutations(range(5), count):
            chance, left = 1.0, 1.0
            for i in order:
                chance *= float(beta[i]) / left
                left -= float(beta[i])
            rows, chances = values[list(order)], beta[list(order)]
            corrected = float(combine_without_replacement(rows, chances).item())
            means += chance * np.array([corrected, _printed(rows, chances), float(rows.mean())])
        lines.append(f"| {count} | " + " | ".join(f"{mean / exact:.3f}" for mean in means) + " |")
    lines.append("\nExpectations over all draws, divided by the exact mean: 1 is unbiased.")
    return lines


def _printed(rows: Tensor, chances: Tensor) -> float:
    """(2.9) as it stands, its second term inside the inner sum."""
    total = 0.0
    for i in range(len(rows)):
        for j in range(i):
            left = 1 - float(chances[:i].sum())
            total += float((chances[j] + left) * rows[j, 0])
    return total / len(rows)


def repeated() -> list[str]:
    """How much the answer depends on the draw, over the first evaluation images."""
    agreement, spread, right, distinct, flat = [], [], [], [], []
    for row in range(SHOWN):
        source = ArraySource(needles.ITEMS.image(row))
        done = draws(ZOOM, source, TILES, DRAWS)
        label = needles.ITEMS.scene(row).label
        low, _, high = done.interval(label)
        agreement.append(done.agreement())
        spread.append(high - low)
        right.append((done.answers.argmax(1) == label).mean())
        distinct.append(done.distinct.mean())
        flat.append(expected_distinct(torch.from_numpy(done.first.alpha), TILES))
    uniform = expected_distinct(torch.full((64,), 1 / 64), TILES)
    return [
        f"- {np.mean(agreement):.0%} of {DRAWS} draws agree with the most frequent answer on "
        f"average; on {np.mean(np.array(agreement) == 1):.0%} of {SHOWN} images all do.",
        f"- The middle 90 % of the draws span {np.mean(spread):.2f} of probability on average.",
        f"- A single draw is right on {np.mean(right):.1%} of these images.",
        f"- {np.mean(distinct):.1f} distinct tiles of {TILES} draws (a flat map of 64 tiles would "
        f"give {uniform:.1f}; these maps should give {np.mean(flat):.1f}). "
        "The source finds N' about N / 2.",
    ]


def large() -> list[str]:
    """The one needle of the large images: does attention find it?"""
    held = library()
    lines = [
        "| image | tiles | attention on the needle's tile | its rank | seen in 20 looks | answer |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for side in needles.LARGE_SIDES:
        make_large(held, side, lambda done, total: None)
        source, truth = held.open(f"large:{side}"), held.truth(f"large:{side}")
        assert truth is not None
        done = infer(ZOOM, source, TILES)
        tile = int(done.tiles[0][2])
        x, y, width, height = truth.boxes[0]
        row, column = (y + height // 2) // tile, (x + width // 2) // tile
        weight = float(done.alpha[row, column])
        rank = int((done.alpha > weight).sum()) + 1
        hits = 0
        for seed in range(DRAWS):
            boxes = infer(ZOOM, source, TILES, seed).subtiles
            inside = (boxes[:, 0] < x + width) & (boxes[:, 0] + boxes[:, 2] > x)
            inside &= (boxes[:, 1] < y + height) & (boxes[:, 1] + boxes[:, 3] > y)
            hits += int(inside.any())
        answer = float(done.answer[1])
        lines.append(
            f"| {side:,} px | {done.alpha.size:,} | {weight:.4f} | {rank} | {hits} of {DRAWS} | "
            f"a digit: {answer:.2f} |"
        )
    lines.append(
        "\nAt the scale of the training the map has as many tiles as the image has room for; the "
        "same needle then competes with all of them, and 16 draws are few. More draws, or a "
        "rectangle of one's own, are the remedy; the table says how far the network carries as it "
        "is."
    )
    return lines


def main() -> None:
    """Writes the report."""
    torch.set_num_threads(1)
    parts = [HEAD, "## Accuracy at an equal budget\n", *accuracy(), "", "## Cost\n", *cost(), ""]
    parts += ["## The estimator\n", *estimator(), "", "## Other draws\n", *repeated(), ""]
    parts += ["## Large images\n", *large(), ""]
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text("\n".join(parts), encoding="utf-8")
    sys.stderr.write(f"Wrote {PATH.relative_to(PROJECT)}.\n")


if __name__ == "__main__":
    main()
