"""The text of ``docs/results/insights.md``, from the numbers of the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from backend.insights.attributions import TITLES

HEAD: Final = """# Insights, measured

Written by `python -m benchmarks.insights_report`; do not edit by hand. The success of the campaigns
is **simulated**: what was planted is known, so recovery can be scored. Means over the seeds, their
range in brackets; 4,766 contents, split 50 : 10 : 40 by experiment, two domains of twelve held out.
Success rates are about 0.08. Correlation is not cause.

"""
UPWORTHY: Final = """## Real headlines

Upworthy Research Archive, 15,616 contents of 3,358 experiments, split 50 : 10 : 40 by experiment;
fitted as `python -m backend insights fit --table experiments.parquet
--map text=headline,experiment_id=clickability_test_id --model NAME` does. Nothing of it is bundled.
Of {pairs:,} pairs within held-out experiments whose headlines differ, **{accuracy:.3f}** are
ordered rightly (chance 0.5; ridge regression on the last layer of MiniLM alone, on a 70 : 30 split,
0.597; the aim was 0.62).

"""


def text(found: Mapping[str, Any]) -> str:
    """The whole record."""
    runs = [one for name, one in found.items() if name.startswith("campaigns")]
    told = HEAD + _phrases(runs) + _clusters(runs) + _errors(runs)
    told += "## Trust in the methods, campaigns\n\n"
    told += _trust([run["trust"]["text"] for run in runs], "text")
    if "pictures" in found:
        told += _trust([found["pictures"]["trust"]], "image")
    if "upworthy" in found:
        real = found["upworthy"]
        told += UPWORTHY.format(**real) + _trust([real["trust"]["text"]], "text")
        told += _said(real, "helping") + _said(real, "hurting")
    return told.rstrip() + "\n"


def _span(values: Sequence[float | None], digits: int = 2) -> str:
    known = [value for value in values if value is not None and np.isfinite(value)]
    if not known:
        return "undefined"
    mean = f"{np.mean(known):.{digits}f}"
    return mean if len(known) == 1 else f"{mean} [{min(known):.{digits}f}, {max(known):.{digits}f}]"


def _phrases(runs: Sequence[Any]) -> str:
    rows = [
        f"| {way} | {_span([run['phrases'][way][0] for run in runs])} "
        f"| {_span([run['phrases'][way][1] for run in runs])} |"
        for way in runs[0]["phrases"]
    ]
    return "\n".join(
        ["## Planted phrases", "", "Precision@10 of the phrases recommended and discouraged in a "
         "domain, mean of twelve domains. All ways choose among the same phrases.", "",
         "| ranked by | helping | hurting |", "| --- | --- | --- |", *rows, "", ""]
    )  # fmt: skip


def _clusters(runs: Sequence[Any]) -> str:
    rows = [
        f"| {way} | {_span([run['clusters'][way] for run in runs])} |"
        for way in runs[0]["clusters"]
    ]
    return "\n".join(
        ["## Planted pictures", "", "Rank correlation of the score of a cluster of patches in a "
         "domain with the mean planted effect of what its patches show.", "",
         "| scored by | ρ |", "| --- | --- |", *rows, "", ""]
    )  # fmt: skip


def _errors(runs: Sequence[Any]) -> str:
    names = ("RMSE in domain", "MAE in domain", "RMSE out of domain", "MAE out of domain",
             "pairwise accuracy in", "pairwise accuracy out")  # fmt: skip
    rows = []
    for k, name in enumerate(names):
        own, glm = ([run[which][k] for run in runs] for which in ("all", "glm"))
        change = [100 * (a - b) / b for a, b in zip(own, glm, strict=True)]
        rows.append(f"| {name} | {_span(own, 4)} | {_span(glm, 4)} | {_span(change, 0)} % |")
    return "\n".join(
        ["## Errors against the GLM", "", "The aim out of domain was −40 % or better. The GLM sees "
         "the features only; in most pairs they are equal, which counts as wrong.", "",
         "| | whole model | GLM | change |", "| --- | --- | --- | --- |", *rows, "", ""]
    )  # fmt: skip


def _said(real: Any, end: str) -> str:
    """Phrases of real headlines, in percentage points of the click rate."""
    rows = [
        f"| {name} | {_points(score)} | {_points(low)} to {_points(high)} | {n} | {_points(raw)} |"
        for name, score, low, high, n, raw in real[end]
    ]
    name = "recommended" if end == "helping" else "discouraged"
    return "\n".join(
        [f"Phrases {name}, over {real['explained']:,} explained headlines of all splits "
         "(integrated gradients; percentage points). Correlation only.", "",
         f"| {name} | mean attribution | 95 % interval | headlines | raw difference |",
         "| --- | --- | --- | --- | --- |", *rows, "", ""]
    )  # fmt: skip


def _points(rate: float) -> str:
    return f"{100 * rate:+.3f}".replace("-", "−")


def _trust(runs: Sequence[Any], modality: str) -> str:
    rows = [
        f"| {TITLES[method]} | {_span([run[method][0] for run in runs])} "
        f"| {_span([run[method][1] for run in runs])} "
        f"| {_span([run[method][2] for run in runs])} |"
        for method in runs[0]
    ]
    name = "Text (algorithm 2)" if modality == "text" else "Pictures (algorithm 3)"
    head = f"| {name} | ρ | ρ, signed | right direction |"
    return "\n".join([head, "| --- | --- | --- | --- |", *rows, "", ""])
