"""``python -m backend gap measure|sweep|shift|retrieve|embed``: images and texts in one space."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend import cli_files, cli_gap_embed
from backend.errors import BadRequest
from backend.protocols import JSON

if TYPE_CHECKING:
    from backend.gap.measures import GapReport


def add(commands: Any) -> None:
    """Adds the subcommands."""
    command = commands.add_parser("gap", help="how far apart images and texts lie in one space")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser("measure", help="gap, alignment, uniformity, separability, rank")
    _add_pairs(one)
    one.add_argument("--bootstrap", type=int, default=200, help="draws for the intervals (200)")
    one.add_argument("--seed", type=int, default=0)
    cli_files.add_formats(one, tuple(cli_files.FORMATS))
    one.set_defaults(run=measure)
    one = actions.add_parser("sweep", help="retrieval and loss along the gap vector")
    _add_pairs(one)
    one.add_argument("--deltas", type=float, nargs="+", help="distances; -1 to 2 gaps unless given")
    one.add_argument("--places", type=int, default=41, help="how many distances (41)")
    one.add_argument("--top", type=int, nargs="+", default=[1, 5, 10], help="K of recall@K")
    one.add_argument("--sample", type=int, default=5_000, help="pairs drawn where there are more")
    one.add_argument("--seed", type=int, default=0)
    cli_files.add_formats(one, tuple(cli_files.FORMATS))
    one.set_defaults(run=sweep)
    one = actions.add_parser("shift", help="the embeddings, moved towards each other")
    _add_pairs(one)
    one.add_argument("--delta", type=float, required=True, help="distance in the embedding space")
    cli_files.add_formats(one, ("npz",))
    one.set_defaults(run=shift)
    one = actions.add_parser("retrieve", help="recall@K in both directions")
    _add_pairs(one)
    one.add_argument("--top", type=int, nargs="+", default=[1, 5, 10], help="K of recall@K")
    cli_files.add_formats(one, tuple(cli_files.FORMATS))
    one.set_defaults(run=retrieve)
    cli_gap_embed.add(actions)


def measure(asked: argparse.Namespace) -> None:
    """Measures and writes; without a file, the numbers go to standard output.

    Raises:
        BackendError: an argument or a file is not usable.
    """
    from backend import gap

    images, texts = read_pairs(asked)
    report = gap.measure(
        images,
        texts,
        normalise=asked.normalise,
        bootstrap=asked.bootstrap,
        seed=asked.seed,
        progress=_report,
    )
    table = pd.DataFrame({"pair": range(report.n), "gap": report.pair_gaps})
    if not cli_files.write(asked, table, {"pair_gaps": report.pair_gaps}, report.document()):
        sys.stdout.write(summary(report) + "\n")


def sweep(asked: argparse.Namespace) -> None:
    """Moves the gap and writes what holds at each place.

    Raises:
        BackendError: an argument or a file is not usable.
    """
    from backend import gap
    from backend.gap import slider
    from backend.gap.pairs import check

    pairs = check(*read_pairs(asked), asked.normalise)
    if not 2 <= asked.sample <= slider.MOST_PAIRS:
        raise BadRequest(
            f"A sample of {asked.sample} pairs is out of range.",
            f"Allowed are 2 to {slider.MOST_PAIRS:,}.",
        )
    _check_tops(asked.top, min(asked.sample, len(pairs)))
    if len(pairs) > asked.sample:
        rows = np.random.default_rng(asked.seed).choice(len(pairs), asked.sample, replace=False)
        sys.stderr.write(f"{asked.sample:,} of {len(pairs):,} pairs, seed {asked.seed}.\n")
        pairs = pairs.take(np.sort(rows))
    held = gap.Slider(pairs.images, pairs.texts, tops=asked.top, normalise=asked.normalise)
    deltas = asked.deltas or slider.places(held.at(0).gap, asked.places)
    points = held.sweep(deltas)
    top = slider.best(points, held.tops[-1])
    table = pd.DataFrame([point.record() for point in points])
    document: dict[str, JSON] = {
        "n": len(pairs),
        "seed": asked.seed,
        "points": [point.record() for point in points],
        "best": top.record(),
        "best_by": f"text_to_image_recall_at_{held.tops[-1]}",
    }
    arrays = {name: table[name].to_numpy() for name in table}
    if not cli_files.write(asked, table, arrays, document):
        sys.stdout.write(table.to_string(index=False) + "\n")
    sys.stderr.write(
        f"Best text-to-image recall@{held.tops[-1]}: "
        f"{top.recall['text_to_image'][held.tops[-1]]:.3f} at delta {top.delta:.3f} "
        f"(unmoved: {held.at(0).recall['text_to_image'][held.tops[-1]]:.3f}).\n"
    )


def shift(asked: argparse.Namespace) -> None:
    """Writes the moved embeddings.

    Raises:
        BackendError: an argument or a file is not usable, or no file was named.
    """
    from backend import gap

    if asked.npz is None:
        raise BadRequest("The moved embeddings need a file.", "Name one with --npz.")
    images, texts = gap.shift(*read_pairs(asked), asked.delta, asked.normalise)
    cli_files.write(asked, pd.DataFrame(), {"images": images, "texts": texts})


def retrieve(asked: argparse.Namespace) -> None:
    """Writes recall@K of texts for images and of images for texts.

    Raises:
        BackendError: an argument or a file is not usable.
    """
    from backend import gap
    from backend.gap.pairs import check

    pairs = check(*read_pairs(asked), asked.normalise)
    _check_tops(asked.top, len(pairs))
    there = gap.recall_at(pairs.texts, pairs.images, asked.top)
    back = gap.recall_at(pairs.images, pairs.texts, asked.top)
    table = pd.DataFrame(
        {
            "k": list(there.at),
            "text_to_image": list(there.at.values()),
            "image_to_text": list(back.at.values()),
            "chance": [k / len(pairs) for k in there.at],
        }
    )
    arrays = {"text_to_image_ranks": there.ranks, "image_to_text_ranks": back.ranks}
    if not cli_files.write(asked, table, arrays):
        sys.stdout.write(table.to_string(index=False) + "\n")


def read_pairs(asked: argparse.Namespace) -> tuple[NDArray[Any], NDArray[Any]]:
    """The two arrays that the command names.

    Raises:
        BadRequest: a file is not usable, or not exactly one way of naming them was used.
    """
    if asked.pairs is not None:
        if asked.images is not None or asked.texts is not None:
            raise BadRequest("Give either --pairs or --images and --texts, not both.")
        from backend.gap.importer import read_both

        return read_both(asked.pairs)
    if asked.images is None or asked.texts is None:
        raise BadRequest(
            "Both modalities are needed.", "Give --images and --texts, or --pairs with both."
        )
    return (
        cli_files.read_array(asked.images, "The file of images"),
        cli_files.read_array(asked.texts, "The file of texts"),
    )


def summary(report: GapReport) -> str:
    """The numbers with their intervals, a line each."""
    lines = [f"{report.n:,} pairs in {report.width} dimensions"]
    shown = [name for name in report.document() if isinstance(getattr(report, name, None), float)]
    for name in shown:
        ends = report.intervals.get(name)
        spread = f"  [{ends[0]:.4f}, {ends[1]:.4f}]" if ends else ""
        lines.append(f"{name:<24}{getattr(report, name):9.4f}{spread}")
    if not report.is_uniformity_exact:
        lines.append(f"uniformity from {report.uniformity_pairs:,} drawn unmatched pairs")
    return "\n".join(lines)


def _add_pairs(command: argparse.ArgumentParser) -> None:
    command.add_argument("--images", type=Path, help=".npy of image embeddings (n, d)")
    command.add_argument("--texts", type=Path, help=".npy of text embeddings (n, d)")
    command.add_argument(
        "--pairs",
        type=Path,
        help="both in one file: .npy (2, n, d), or .npz with image_emb, text_emb",
    )
    command.add_argument("--normalise", action="store_true", help="scale every row to length 1")


def _check_tops(tops: list[int], most: int) -> None:
    for k in tops:
        if not 1 <= k <= most:
            raise BadRequest(f"K = {k} is out of range.", f"Allowed are 1 to {most:,} pairs.")


def _report(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {total}" + ("\n" if done == total else ""))
