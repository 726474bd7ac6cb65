"""``python -m benchmarks.insights_report``: are planted effects recovered, what is to be trusted?
Writes ``docs/results/insights.md``; about half an hour on two cores.

Fixed before any run: seeds ``SEEDS``; the shipped settings; the split of the set; phrases count as
helping or hurting from an effect of 0.05 on the logit; test rows are read after the last epoch.
Upworthy's experiments are measured where ``../shared/data/upworthy`` lies, and nothing of them is
kept.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from backend.cache import ArrayStore
from backend.insights import (
    attributions,
    baselines,
    contents,
    evaluate,
    fitting,
    history_work,
    importer,
    models,
    parts,
    recommend,
    work,
)  # fmt: skip
from backend.insights.contents import Contents
from backend.insights.history import History
from backend.insights.models import InsightModel
from backend.insights.registry import ModelInfo
from benchmarks import insights_recovery as recovery

ROOT: Final = Path(__file__).resolve().parents[1]
RECORD: Final = ROOT / "docs" / "results" / "insights.md"
NUMBERS: Final = ROOT / "data" / "cache" / "insights-report"
UPWORTHY: Final = ROOT.parent / "shared" / "data" / "upworthy" / "experiments.parquet"
MAP: Final = "text=headline,experiment_id=clickability_test_id"
SEEDS: Final = (0, 1, 2)
TEXT_PAIRS, PICTURE_PAIRS = 100, 40  # on which all five methods are compared
REAL_PAIRS: Final = 30  # the same, of real headlines, whose encoder is slow
Numbers = dict[str, Any]


class Quiet:
    """A ticket that tells nobody."""

    store: ArrayStore

    def __call__(self, done: int, total: int) -> None:
        """Nothing to report to."""

    def log(self, text: str) -> None:
        """Nothing to write to."""


def fitted(held: Contents, options: fitting.Options) -> tuple[InsightModel, Any]:
    """A model, not stored, and the rates (n,) that it tells."""
    made = fitting.fit(held, options)
    names = ("title", "encoder", "loss", "seed", "metrics")
    told = {name: made.told[name] for name in names}
    info = ModelInfo(
        key="report", set_key=held.key, fingerprint="0" * 16, told=made.told, path=ROOT, **told
    )
    return fitting.model_of(made, info), made.rate


def campaigns(seed: int) -> Numbers:
    """Everything measured on the campaigns with one seed."""
    held = contents.load("campaigns")
    loss = fitting.default_loss(held)
    if seed == 0:
        model = models.load("campaigns")
        rate = fitting.predictions(model.net, held, model.design)
    else:
        model, rate = fitted(held, fitting.Options(loss=loss, seed=seed))
    ticket = Quiet()
    # Words by integrated gradients; pictures by Grad-CAM, which ranks kinds as well and is quick.
    wordy = work.attributed(replace(held, pictures=None), model, "integrated-gradients", ticket)
    shown = work.attributed(held, model, "grad-cam", ticket)
    found = {**wordy, **{name: shown[name] for name in ("image_rows", "maps", "image_error")}}
    history = History.of(held, dict(history_work.made(held, model, found, ticket)))
    ways = recovery.phrases_by_way(history)
    return {
        "phrases": {
            way: [float(np.nanmean(helping)), float(np.nanmean(hurting))]
            for way, (helping, hurting) in ways.items()
        },
        "clusters": recovery.clusters_by_way(history),
        "all": baselines.errors(held, rate).tolist(),
        "glm": baselines.errors(held, baselines.glm(held, model.design)).tolist(),
        "completeness": float(np.quantile(found["text_error"], 0.99)),
        "trust": {"text": by_method(held, model, "text", TEXT_PAIRS)},
    }


def by_method(held: Contents, model: InsightModel, modality: Any, count: int) -> Numbers:
    """rho of every method on the same held-out pairs, drawn with seed 0."""
    pairs = np.concatenate([held.pairs(split) for split in ("test", "out-of-domain")])
    chosen = np.random.default_rng(0).permutation(len(pairs))[:count]
    gained: dict[str, list[float]] = {method: [] for method in attributions.METHODS}
    for pair in pairs[chosen].tolist():
        opened = parts.open_rows(model, held, pair, modality)
        each = {
            method: attributions.attribute(model, opened, method, steps=work.HISTORY_STEPS)
            for method in attributions.METHODS
            if method != "pca"
        }
        each["pca"] = attributions.combined(list(each.values()), opened)
        for method, both in each.items():
            values = {row: one.values[modality] for row, one in zip(pair, both, strict=True)}
            if modality == "text":
                gained[method].append(history_work.text_gained(held, values, pair))
            else:
                gained[method].append(history_work.image_gained(held, model, values, pair))
    moved = held.success[pairs[chosen][:, 1]] - held.success[pairs[chosen][:, 0]]
    told: Numbers = {}
    for method, values in gained.items():
        found = evaluate.correlation(evaluate.Changes(np.array(values), moved))
        told[method] = [found.rho, found.rho_signed, found.share_positive]
    return told


def pictures() -> Numbers:
    """rho of every method on pictures, by the shipped model; Kernel SHAP makes it slow."""
    held = contents.load("campaigns")
    return {"trust": by_method(held, models.load("campaigns"), "image", PICTURE_PAIRS)}


def upworthy() -> Numbers:
    """Pairwise accuracy within held-out experiments over pairs whose headlines differ, and rho."""
    held = importer.read(importer.Upload.of(UPWORTHY), MAP)
    model, rate = fitted(held, fitting.Options("minilm", fitting.default_loss(held)))
    hits, n = within(held, rate)
    sys.stderr.write(f"{hits / n:.4f} of {n} pairs\n")
    trust = by_method(held, model, "text", REAL_PAIRS)
    return {"accuracy": hits / n, "pairs": n, "trust": {"text": trust}, **said(held, model)}


def said(held: Contents, model: InsightModel) -> Numbers:
    """The phrases recommended and discouraged: text, score, interval, contents, raw difference."""
    found = work.attributed(held, model, "integrated-gradients", Quiet())
    history = History.of(held, dict(history_work.made(held, model, found, Quiet())))
    listed = recommend.phrases(history, None)
    return {
        "explained": len(history.rows),
        **{
            end: [[one.text, one.score, *one.interval, one.support, one.raw] for one in ones]
            for end, ones in (("helping", listed.positive), ("hurting", listed.negative))
        },
    }


def within(held: Contents, rate: Any) -> tuple[int, int]:
    """Rightly ordered pairs of one test experiment whose texts differ, and all of them."""
    rows = held.rows("test")
    hits = n = 0
    order = rows[np.argsort(held.experiment[rows], kind="stable")]
    for group in np.split(order, np.flatnonzero(np.diff(held.experiment[order])) + 1):
        for k, a in enumerate(group):
            for b in group[:k]:
                if held.text(int(a)) != held.text(int(b)):
                    n += 1
                    hits += int(
                        np.sign(rate[a] - rate[b]) == np.sign(held.success[a] - held.success[b])
                    )
    return hits, n


def kept(name: str, make: Any) -> Numbers:
    """Numbers of an earlier run, or of this one."""
    path = NUMBERS / f"{name}.json"
    if not path.is_file():
        sys.stderr.write(f"{name} ...\n")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make(), indent=1), encoding="utf-8")
    found: Numbers = json.loads(path.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Runs what is missing and writes the record."""
    from benchmarks.insights_record import text

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="campaigns-0, campaigns-1, … or upworthy")
    parser.add_argument("--kept", action="store_true", help="write what there is, run nothing")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    jobs: dict[str, Any] = {f"campaigns-{s}": (lambda s=s: campaigns(s)) for s in SEEDS}
    jobs["pictures"] = pictures
    if UPWORTHY.is_file():
        jobs["upworthy"] = upworthy
    if asked.only:
        kept(asked.only, jobs[asked.only])
        return
    if asked.kept:
        jobs = {name: make for name, make in jobs.items() if (NUMBERS / f"{name}.json").is_file()}
    RECORD.write_text(text({name: kept(name, make) for name, make in jobs.items()}), "utf-8")


if __name__ == "__main__":
    main()
