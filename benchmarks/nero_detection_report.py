"""``python -m benchmarks.nero_detection_report``: what NERO finds in detectors, as Markdown.

:func:`section` is part of docs/results/nero.md. Everything is measured from the shipped weights on
the bundled scenes, except the three seeds, which are in the cards. :func:`photographs` measures the
COCO detector on COCO128 where that lies beside the repository; it takes a quarter of an hour, so
``--photographs`` writes it to a file of its own, out of which the report takes it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final, cast

import numpy as np

from backend import catalog, devices
from backend.coco import load_folder
from backend.nero import OrbitResult, evaluate, orbits
from backend.nero.consensus import consensus, correlation
from backend.protocols import F32
from backend.settings import PROJECT

OURS: Final = ("detector-j0", "detector-j33", "detector-j67", "detector-j100")
CENTERNET: Final = "detector-centernet"
ORBIT: Final = orbits.translations(64, 8)
COARSE: Final = orbits.translations(64, 16)
COCO128: Final = PROJECT.parent / "shared" / "data" / "coco128"
PHOTOGRAPHS: Final = PROJECT / "docs" / "results" / "nero-photographs.md"
KEYS: Final = ("car", "bottle", "cup", "chair", "book")  # those of the source
SCENES: Final = 40
HEAD: Final = """## Object detection

60 composed scenes (cut-outs on photographs; no detector of ours has seen any of them), 12 of each
of five classes. Shifts of the object by up to 64 px both ways within a crop of 128 px. IOU is that
of the most confident box, whatever its class; a missed object counts as 0.
"""


def section(found: Mapping[str, OrbitResult]) -> str:
    """The part of the report on detection, from the results of the models by key."""
    return "\n\n".join((HEAD.rstrip(), seeds(), by_model(found), statements(found)))


def seeds() -> str:
    """What the cards say of the seeds at each level of jitter."""
    lines = [
        "Over the seeds of each level (mean, and lowest to highest), 16 × 16 shifts by 8 px:",
        "",
        "| jitter | seeds | shifts above half of the highest IOU | mean IOU | IOU without shift |",
        "| --- | --- | --- | --- | --- |",
    ]
    for key in OURS:
        metrics = catalog.card(key).metrics
        cells = [
            spread(metrics, name, form)
            for name, form in (
                ("share_of_shifts_above_half_maximum", "{:.0%}"),
                ("mean_iou", "{:.2f}"),
                ("centre_iou", "{:.2f}"),
            )
        ]
        level = key.removeprefix("detector-j")
        lines.append(f"| {level} % | {metrics['seeds_measured']:.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(metrics: Mapping[str, float], name: str, form: str) -> str:
    """A mean over seeds with its range."""
    parts = (metrics[f"{name}_{end}"] for end in ("over_seeds", "lowest_seed", "highest_seed"))
    mean, low, high = (form.format(value) for value in parts)
    return f"{mean} ({low} to {high})"


def by_model(found: Mapping[str, OrbitResult]) -> str:
    """One line a model: its plots by truth and by consensus."""
    lines = [
        "| model | shifts | mean IOU | without shift | × confidence | recall | AP | any box "
        "| agrees with its consensus | correlation, median |",
        "| --- |" + " --- |" * 9,
    ]
    for key, result in found.items():
        means = {name: float(np.nanmean(values)) for name, values in result.metrics.items()}
        home = float(np.nanmean(result.metric[:, result.identity_index]))
        cells = [f"{result.metric.shape[1]}", f"{means['iou']:.2f}", f"{home:.2f}"]
        cells += [f"{means[name]:.2f}" for name in ("iou_conf", "recall", "ap")]
        cells += [f"{means['found']:.1%}", f"{np.nanmean(consensus(result).metric):.2f}"]
        cells.append(f"{np.nanmedian(correlation(result)):.2f}")
        lines.append(f"| {key} | {' | '.join(cells)} |")
    return "\n".join(lines)


def half_maximum(result: OrbitResult) -> float:
    """The share of shifts at which the aggregate IOU is above half of its highest value."""
    mean: F32 = result.aggregate("iou")
    return float((mean > mean.max() / 2).mean())


def statements(found: Mapping[str, OrbitResult]) -> str:
    """The statements of the source about detection, with our numbers."""
    widths = [half_maximum(found[key]) for key in OURS]
    shown = ", ".join(f"{width:.0%}" for width in widths)
    dark = {key: ranking(found[key]) for key in found}
    rows = [
        ("the bright peak is the wider the more jitter there was", widths == sorted(widths), shown),
        ("at 100 % it is a plateau: above half its height at 90 % of the shifts",
         widths[-1] >= 0.9, f"{widths[-1]:.0%}"),
        ("some dark places hold a good box that is not the surest (Fig. 5.11)",
         dark["detector-j100"] > 0,
         ", ".join(f"{key}: {share:.1%} of the crops" for key, share in dark.items())),
        ("plots by consensus and by truth agree", all(
            np.nanmedian(correlation(result)) > 0.5 for result in found.values()),
         "median correlation over the items, above"),
    ]  # fmt: skip
    lines = ["| statement | holds | measured |", "| --- | --- | --- |"]
    lines += [f"| {what} | {'yes' if holds else 'no'} | {how} |" for what, holds, how in rows]
    return "\n".join(lines)


def ranking(result: OrbitResult) -> float:
    """The share of crops whose surest box has an IOU below 0.3 while another has one above 0.6."""
    from backend import datasets
    from backend.items import TaskItems
    from backend.nero import boxes

    truth = cast(TaskItems, datasets.load("scenes")).truth(np.arange(len(result.item_ids)))
    assert truth is not None  # scenes that were composed know their boxes
    visible = boxes.seen(truth[:, :1, :4], result.positions)[:, :, 0]
    overlap = boxes.iou(result.payload["boxes"][..., :4], visible[:, :, None])
    best = np.fmax.reduce(overlap, axis=-1)
    return float(((result.metric < 0.3) & (best > 0.6)).mean())


def photographs(limit: int = SCENES) -> str:
    """The COCO detector on real photographs with real boxes, where they are there."""
    if not COCO128.is_dir():
        return ""
    found = load_folder(COCO128, KEYS)
    if found.scenes is None:
        return ""
    chosen = np.unique(np.linspace(0, len(found.scenes) - 1, limit).astype(np.int64))
    held = found.scenes.chosen(chosen)
    result = evaluate(CENTERNET, "detection", COARSE, held)
    against = consensus(result)
    mean: F32 = result.aggregate("iou").reshape(8, 8)
    lines = [
        "## The COCO detector on real photographs",
        "",
        f"COCO128 (not bundled): {found.objects} annotated objects of the classes "
        f"{', '.join(KEYS)} in 128 photographs. {len(found.scenes)} pass the filters, "
        f"{found.at_the_border} lie too close to the border, {found.too_small_or_large} cover less "
        f"than 1 % or more than 50 % of a crop. {len(held)} of them, evenly spaced, 64 shifts by "
        "16 px. The photographs are of COCO's training split: the detector may have seen them.",
        "",
        f"Mean IOU with the key object {np.nanmean(result.metric):.2f} "
        f"(without shift {np.nanmean(result.metric[:, result.identity_index]):.2f}), "
        f"recall {np.nanmean(result.metrics['recall']):.2f}, "
        f"AP {np.nanmean(result.metrics['ap']):.2f}, any box in "
        f"{np.nanmean(result.metrics['found']):.1%} of the crops. The surest box is often on "
        "another thing than the key object: photographs hold many.",
        "",
        f"By consensus: mean IOU {np.nanmean(against.metric):.2f}; correlation with the plot by "
        f"truth, median over the scenes {np.nanmedian(correlation(result)):.2f}, quartiles "
        f"{np.nanquantile(correlation(result), 0.25):.2f} and "
        f"{np.nanquantile(correlation(result), 0.75):.2f}.",
        "",
        "Aggregate IOU, rows from 64 px up to 48 px down, columns from 64 px left to 48 px right:",
        "",
        as_table(mean),
        "",
        "The same by consensus:",
        "",
        as_table(against.aggregate("iou").reshape(8, 8)),
    ]
    return "\n".join(lines)


def as_table(values: F32) -> str:
    """Numbers (8, 8) as Markdown."""
    steps = [str(16 * k - 64) for k in range(8)]
    lines = ["| px | " + " | ".join(steps) + " |", "| --- |" + " --- |" * 8]
    lines += [
        f"| {step} | " + " | ".join(f"{value:.2f}" for value in row) + " |"
        for step, row in zip(steps, values, strict=True)
    ]
    return "\n".join(lines)


def results() -> dict[str, OrbitResult]:
    """Every detector on the bundled scenes; the slow one at a coarser step."""
    found = {key: evaluate(key, "detection", ORBIT) for key in OURS}
    return found | {CENTERNET: evaluate(CENTERNET, "detection", COARSE)}


def main() -> None:
    """Prints the part on scenes; with ``--photographs`` writes the other one to its file."""
    devices.let_threads_sleep()
    if "--photographs" not in sys.argv:
        sys.stdout.write(f"{section(results())}\n")
    elif found := photographs():
        PHOTOGRAPHS.write_text(f"{found}\n", encoding="utf-8")
    else:
        sys.stderr.write(f"COCO128 is not at {COCO128}.\n")


if __name__ == "__main__":
    main()
