"""Writes docs/results/fair-retrieval.md: methods over encoder seeds and pools, whatever comes out.

``python -m benchmarks.fair_report``; encoders of further seeds are those that ``python -m
models.train_people --seeds 0 1 2`` leaves in ``data/cache``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.fair import diagnose, metrics, survey, ways
from backend.fair.pool import FOLDER, NAMES, Attribute, Pool, kept, people
from backend.fair.survey import METHODS, Survey
from backend.fair.training_splits import NO_ACTIVITY, OTHER_STYLE
from backend.fair.ways import Way
from backend.settings import PROJECT

RECORD: Final = PROJECT / "docs" / "results" / "fair-retrieval.md"
CACHE: Final = PROJECT / "data" / "cache"
K: Final = 24
SHARES: Final = (0.5, 0.75)
DRAWS: Final = (0, 1)
PREDICTORS: Final = ("words", "prompt", "mlp")
HEAD: Final = """# What balancing does on drawn people

Written by `python -m benchmarks.fair_report`; do not edit by hand. 1,710 people emoji of two styles
in five skin tones, 57 neutral queries, K = {k}, the encoder "CLIP-style, small" trained here from
{seeds} random starts ({names}); pools and draws of {draws} seeds each. Bias is measured by the
attributes that the artists drew, which are binary here and no statement about people. The encoder
knows the activities from another style and from yellow figures, so recall is that of known
activities: one that had seen people in the other style only put right ones on {style} of the first
ten places, one that had never seen the activities on {unseen} (one seed each, earlier runs, not
shipped). Means over seeds; in brackets the smallest and the largest.
"""


def main() -> int:
    """Exit code: 0."""
    pools = [people(folder) for folder in folders()]
    names = ", ".join(pool.fingerprint[:8] for pool in pools)
    style, unseen = (f"{100 * one.precision_at_10:.0f} %" for one in (OTHER_STYLE, NO_ACTIVITY))
    head = {"k": K, "seeds": len(pools), "names": names, "draws": len(DRAWS)}
    parts = [HEAD.format(**head, style=style, unseen=unseen)]
    found: dict[tuple[str, float], list[list[dict[str, Any]]]] = {}
    for attribute in ("gender", "tone"):
        for share in SHARES:
            runs = [
                [_audit(pool, attribute, share, seed, *method) for method in METHODS]
                for pool in pools
                for seed in DRAWS
            ]
            found[attribute, share] = runs
            parts.append(_table(attribute, share, runs))
        parts.append(_predictors(pools, attribute))
    parts.append(_orderings(found))
    parts.append(_two_biases(pools[0]))
    RECORD.write_text("\n".join(parts), encoding="utf-8")
    sys.stdout.write(f"{RECORD.relative_to(PROJECT)} written\n")
    return 0


def folders() -> list[Path]:
    """Where the embeddings of each encoder are; the first is shipped."""
    return [FOLDER, *sorted(CACHE.glob("people-seed-*"))]


def _audit(
    pool: Pool,
    attribute: Attribute,
    share: float,
    seed: int,
    name: str,
    scoring: ways.Scoring,
    p: float,
    predictor: ways.Predictor,
) -> dict[str, Any]:
    way = Way(scoring=scoring, p=p, predictor=predictor, seed=seed)
    held = Survey(pool, attribute, kept(pool, attribute, share, seed), K, way)
    return {"method": name, **survey.audited(held, way)}


def _spread(values: Sequence[float], form: str = ".3f") -> str:
    return f"{np.mean(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def _table(attribute: str, share: float, runs: list[list[dict[str, Any]]]) -> str:
    names = NAMES[attribute]
    title = f"{names[2]} and {names[0]}: {share:.0%} and {1 - share:.0%} of the pool"
    lines = [f"## {title[0].upper()}{title[1:]}", "", "| method | AbsBias@K | Bias@K | Recall@K |"]
    lines.append("| --- | --- | --- | --- |")
    for place, (name, *_) in enumerate(METHODS):
        column = [run[place] for run in runs]
        cells = [_spread([row[key] for row in column]) for key in ("abs_bias", "bias", "recall")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _predictors(pools: list[Pool], attribute: Attribute) -> str:
    lines = [f"## Predictors of {attribute}, over the whole pool", ""]
    lines.append("| predictor | sensitivity +1 | sensitivity −1 | ratio | F1 |")
    lines.append("| --- | --- | --- | --- | --- |")
    for predictor in PREDICTORS:
        found = []
        for pool in pools:
            rows = np.arange(len(pool))
            way = Way(predictor=predictor)
            for query in range(0, len(pool.activities), 8):
                said = ways.predicted(
                    pool, attribute, rows, ways.listed(pool, attribute, query), way
                )
                found.append(metrics.predictor(pool.groups[attribute], said))
        cells = [
            _spread([one.sensitivity_plus for one in found], ".2f"),
            _spread([one.sensitivity_minus for one in found], ".2f"),
            _spread([one.ratio for one in found], ".2f"),
            _spread([one.f1 for one in found], ".2f"),
        ]
        lines.append(f"| {predictor} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _orderings(found: dict[tuple[str, float], list[list[dict[str, Any]]]]) -> str:
    """How often the source's statements hold here."""
    pairs = [
        ("PBM with true groups is less biased than the plain ranking", 7, 1),
        ("PBM with the MLP is less biased than the plain ranking", 6, 1),
        ("PBM with zero-shot prompts is less biased than the plain ranking", 5, 1),
        ("PBM with zero-shot words is less biased than the plain ranking", 4, 1),
        ("MI-clip is less biased than the plain ranking", 2, 1),
        ("the debiased prompt is less biased than the plain ranking", 3, 1),
        ("MI-clip + PBM is less biased than PBM alone (MLP)", 8, 6),
    ]
    lines = ["## Statements of the source, counted here", ""]
    lines += [f"| statement | {' | '.join(f'{a}, {s:.0%}' for a, s in found)} |"]
    lines.append(f"| --- |{' --- |' * len(found)}")
    for text, ours, other in pairs:
        cells = []
        for runs in found.values():
            hits = sum(run[ours]["abs_bias"] < run[other]["abs_bias"] for run in runs)
            cells.append(f"{hits} of {len(runs)}")
        lines.append(f"| {text} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _two_biases(pool: Pool) -> str:
    """Correlation over the pool against the bias of the first K, as the imbalance grows."""
    lines = ["## The model's leaning and the pool's imbalance, drawn gender, shipped encoder", ""]
    lines.append("| share of +1 | mean absolute ρ | bias of the pool | Bias@K, plain |")
    lines.append("| --- | --- | --- | --- |")
    for share in (0.3, 0.5, 0.7, 0.9):
        rows = kept(pool, "gender", share)
        held = Survey(pool, "gender", rows, K, Way())
        scores = held.scores(Way())
        rho = [abs(diagnose.similarity_correlation(line, held.truth)) for line in scores]
        plain = diagnose.audit(scores, held.truth, K)
        cells = (f"{np.mean(rho):.3f}", f"{held.truth.mean():+.3f}", f"{plain.bias:+.3f}")
        lines.append(f"| {share:.0%} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
