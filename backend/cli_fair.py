"""``python -m backend fair rerank|tradeoff|simulate``: balance the results of neutral queries."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backend import cli_files, fair
from backend.errors import BadRequest
from backend.fair import groups, metrics
from backend.fair.groups import I8
from backend.fair.table import COLUMNS, Scored, read
from backend.protocols import JSON


def add(commands: Any) -> None:
    """Adds the subcommands."""
    command = commands.add_parser("fair", help="balance a neutral query's results by group")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser("rerank", help="the first K results, balanced")
    _add_table(one)
    one.add_argument("--p", type=float, default=1.0, help="1 balances at every step, 0 never (1)")
    one.set_defaults(run=rerank)
    one = actions.add_parser("tradeoff", help="bias and recall between plain and balanced")
    _add_table(one)
    one.add_argument("--steps", type=int, default=11, help="how many values of p from 0 to 1 (11)")
    one.add_argument("--draws", type=int, default=20, help="selections for each p (20)")
    one.set_defaults(run=tradeoff)
    one = actions.add_parser("simulate", help="PBM and its baselines on a simulated pool")
    one.add_argument("--k", type=int, default=50, help="how many of the 100 relevant each (50)")
    one.add_argument("--pool", type=float, default=0.6, help="share of group +1 (0.6)")
    one.add_argument("--bias", type=float, default=0.2, help="how far queries lean to it (0.2)")
    one.add_argument("--seed", type=int, default=0)
    cli_files.add_formats(one, tuple(cli_files.FORMATS))
    one.set_defaults(run=simulate)


def rerank(asked: argparse.Namespace) -> None:
    """Balances and writes; without a file, the table goes to standard output.

    Raises:
        BackendError: an argument or the table is not usable.
    """
    held = read(asked.scores, asked.plus, asked.minus)
    groups.both(held.predicted)
    done = fair.select(held.scores, held.predicted, asked.k, asked.p, asked.seed)
    plain = fair.top_k(held.scores, asked.k)
    place = {item: rank for rank, item in enumerate(fair.top_k(held.scores, len(held.scores)))}
    table = pd.DataFrame(
        {
            "rank": range(1, asked.k + 1),
            "row": done.indices,
            "id": [held.ids[i] for i in done.indices],
            "score": held.scores[done.indices],
            "group": held.truth[done.indices],
            "predicted": held.predicted[done.indices],
            "plain_rank": [place[int(i)] + 1 for i in done.indices],
        }
    )
    document: dict[str, JSON] = {
        "k": asked.k,
        "p": asked.p,
        "seed": asked.seed,
        "pool": _counts(held.truth),
        "before": _result(held, plain),
        "after": _result(held, done.indices),
        "predictor": metrics.predictor(held.truth, held.predicted).document(),
        "note": done.note,
        "results": table.to_dict(orient="records"),
    }
    arrays = {"indices": done.indices, "plain_indices": plain}
    if not cli_files.write(asked, table, arrays, document):
        sys.stdout.write(table.to_string(index=False) + "\n")
    before, after = (fair.bias_at_k(held.truth[i], asked.k) for i in (plain, done.indices))
    sys.stderr.write(f"Bias@{asked.k}: {before:+.3f} before, {after:+.3f} after. {done.note}\n")


def tradeoff(asked: argparse.Namespace) -> None:
    """Writes bias and recall for each p.

    Raises:
        BackendError: an argument or the table is not usable.
    """
    if not 2 <= asked.steps <= 1_001 or not 1 <= asked.draws <= 10_000:
        raise BadRequest(
            f"{asked.steps} values of p with {asked.draws} draws are out of range.",
            "Allowed are 2 to 1,001 values and 1 to 10,000 draws.",
        )
    held = read(asked.scores, asked.plus, asked.minus)
    groups.both(held.predicted)
    rows = []
    for p in np.linspace(0, 1, asked.steps):
        taken = [
            fair.select(held.scores, held.predicted, asked.k, float(p), asked.seed + draw).indices
            for draw in range(asked.draws)
        ]
        biases = [fair.abs_bias_at_k(held.truth[i], asked.k) for i in taken]
        row: dict[str, Any] = {"p": float(p), "abs_bias": np.mean(biases), "sd": np.std(biases)}
        if held.relevant:
            row["recall"] = np.mean([fair.recall_at_k([i], [held.relevant]) for i in taken])
        row["mean_score"] = np.mean([held.scores[i].mean() for i in taken])
        rows.append(row)
    table = pd.DataFrame(rows)
    arrays = {name: table[name].to_numpy() for name in table}
    if not cli_files.write(asked, table, arrays):
        sys.stdout.write(table.to_string(index=False) + "\n")


def simulate(asked: argparse.Namespace) -> None:
    """Writes bias and recall of every method on a simulated pool.

    Raises:
        BackendError: an argument is not usable.
    """
    from backend.fair import comparison, synthetic

    if asked.seed < 0:
        raise BadRequest(f"Seed {asked.seed} is not usable.", "Allowed are whole numbers from 0.")
    space = synthetic.space(share_plus=asked.pool, model_bias=asked.bias, seed=asked.seed)
    table = pd.DataFrame(comparison.compared(space, asked.k, asked.seed))
    numbers = {name: table[name].to_numpy() for name in ("abs_bias", "bias", "recall")}
    if not cli_files.write(asked, table, numbers):
        sys.stdout.write(table.to_string(index=False) + "\n")
    sizes = f"{len(space.queries)} queries, {len(space.images):,} images"
    sys.stderr.write(f"Simulated: {sizes}, seed {asked.seed}.\n")


def _add_table(command: argparse.ArgumentParser) -> None:
    command.add_argument("--scores", type=Path, required=True, help=f".csv or .parquet: {COLUMNS}")
    command.add_argument("--k", type=int, required=True, help="how many results")
    command.add_argument("--plus", default="", help="name of group +1, where groups are words")
    command.add_argument("--minus", default="", help="name of group -1; all others are 0")
    command.add_argument("--seed", type=int, default=0)
    cli_files.add_formats(command, tuple(cli_files.FORMATS))


def _counts(signs: I8) -> dict[str, JSON]:
    return {f"{sign:+d}" if sign else "0": int((signs == sign).sum()) for sign in (1, -1, 0)}


def _result(held: Scored, taken: Any) -> dict[str, JSON]:
    found: dict[str, JSON] = {
        "bias": fair.bias_at_k(held.truth[taken], len(taken)),
        "abs_bias": fair.abs_bias_at_k(held.truth[taken], len(taken)),
        "groups": _counts(held.truth[taken]),
        "predicted_groups": _counts(held.predicted[taken]),
        "mean_score": float(held.scores[taken].mean()),
    }
    if held.relevant:
        found["recall"] = fair.recall_at_k([taken], [held.relevant])
    return found
