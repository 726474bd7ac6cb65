"""Writes ``docs/results/modality-gap.md``: every number of the Modality gap page, on real
embeddings of others and on our own models over seeds.

Run as ``python -m benchmarks.gap_report`` (about five minutes on one core). Reads
``../shared/data/modality-gap`` and ``../shared/data/cifar10`` where they are; without them their
sections say so.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from backend.gap import bundled, heads, record, slider, spaces, token_maps, towers, work
from backend.gap.encoder import encoder_of
from backend.gap.importer import read
from backend.gap.measures import GapReport, measure
from backend.gap.retrieval import zero_shot
from backend.gap.slider import Slider
from backend.protocols import F32
from backend.settings import PROJECT

SHARED: Final = PROJECT.parent / "shared" / "data"
OUT: Final = PROJECT / "docs" / "results" / "modality-gap.md"
REAL: Final = {
    "clip": "CLIP, trained",
    "clip_random": "CLIP, random",
    "convirt": "ConVIRT, trained",
    "convirt_random": "ConVIRT, random",
}
PER_CLASS: Final = 50
CHECKED: Final = 24
HEAD: Final = """# Modality gap: results

Written by `python -m benchmarks.gap_report`; do not edit by hand. Everything was measured here
unless it says "reported". Intervals are 95 %; ± is the standard deviation over seeds 0, 1 and 2.

"""


def main() -> None:
    """Measures and writes."""
    torch.set_num_threads(1)
    parts = [real(), own(), seeds(), photographs(), maps(), reported()]
    OUT.write_text(HEAD + "\n".join(parts), encoding="utf-8")
    sys.stdout.write(f"{OUT.relative_to(PROJECT)} written\n")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def told(report: GapReport) -> list[list[str]]:
    """Name, value and interval of each number."""
    rows = []
    for name in work.NAMES:
        value, ends = float(getattr(report, name)), report.intervals.get(name)
        digits = 1 if "rank" in name else 3
        within = f" ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})" if ends else ""
        rows.append([name.replace("_", " "), f"{value:.{digits}f}{within}"])
    return rows


def side_by_side(titles: Sequence[str], reports: Sequence[GapReport]) -> str:
    """One table of several reports."""
    columns = [told(report) for report in reports]
    rows = [[line[0][0], *(cell[1] for cell in line)] for line in zip(*columns, strict=True)]
    return table(["number", *titles], rows)


def moved(held: Slider) -> list[str]:
    """What a shift does: as it is, by the whole gap, and at its best."""
    gap = held.at(0.0).gap
    points = held.sweep(slider.places(gap, 41))
    best = slider.best(points, 1)
    return [
        f"{p.delta:+.3f}: {p.gap:.3f}, {100 * p.recall['text_to_image'][1]:.1f} / "
        f"{100 * p.recall['image_to_text'][1]:.1f} %, {p.loss:.3f}"
        + (f", {100 * p.accuracy:.1f} %" if p.accuracy is not None else "")
        for p in (held.at(0.0), held.at(gap), best)
    ]


SHIFTED: Final = ["", "as it is", "by the whole gap", "at the best R@1, text to image"]
LEGEND: Final = (
    "Each cell: shift: centroid gap, R@1 text to image / image to text, contrastive loss{more}. "
    "The best shift is chosen on the pairs it is measured on.\n"
)


def real() -> str:
    """Real embeddings of others: 500 pairs of each model."""
    text = "## Real embeddings of others\n\n"
    folder = SHARED / "modality-gap"
    if not folder.is_dir():
        return text + "The files were not there when this was written.\n"
    text += (
        "500 pairs in 512 dimensions of each model, from the authors' repository of “Mind the "
        "Gap” (Liang et al. 2022, MIT); not bundled. Loaded by the importer of the page.\n\n"
    )  # fmt: skip
    pairs = {key: read(folder / f"{key}.npy").pairs for key in REAL}
    reports = [measure(held.images, held.texts) for held in pairs.values()]
    text += side_by_side(list(REAL.values()), reports)
    rows = [
        [REAL[key], *moved(Slider(held.images, held.texts, temperature=0.01))]
        for key, held in pairs.items()
    ]
    return f"{text}\n{LEGEND.format(more='')}\n{table(SHIFTED, rows)}"


def own() -> str:
    """The bundled models of seed 0, as the page shows them."""
    held = [spaces.load(key) for key in spaces.BUNDLED]
    text = "## The bundled models (CLIP-style, small), seed 0\n\n"
    text += f"{len(held[0])} test pairs whose concepts were not trained on.\n\n"
    reports = [measure(space.images, space.texts) for space in held]
    text += side_by_side([space.title for space in held], reports)
    rows = []
    for space in held:
        made = Slider(
            space.images, space.texts, concepts=space.concepts, groups=space.groups,
            labels=space.labels, classes=space.classes, temperature=space.temperature,
        )  # fmt: skip
        rows.append([space.title, *moved(made)])
    return f"{text}\n{LEGEND.format(more=', zero-shot top-1')}\n{table(SHIFTED, rows)}"


def seeds() -> str:
    """The variants over seeds, and which orderings of the study were found here."""
    found = record.measured()
    rows = [
        [
            row["title"],
            *(
                f"{unit * row['values'][name][0]:.{d}f} ± {unit * row['values'][name][1]:.{d}f}"
                for name, _, d, unit in COLUMNS
            ),
        ]
        for row in found["rows"]
    ]
    names = {row["variant"]: row["values"] for row in found["rows"]}
    text = (
        "## Losses over seeds\n\nShares in %. All variants of a seed start from the same heads and "
        "see the same batches. Frozen: both towers; trained: the heads and the logit scale. In the "
        "rows RankCLIP, -C and -I the terms of a list are averaged, as the released code divides "
        "by the batch; “summed as printed” adds them up.\n\n"
    )  # fmt: skip
    text += table(["model", *(label for _, label, _, _ in COLUMNS)], rows)
    lines = [ordering(names, *one) for one in ORDERINGS]
    return text + "\nOrderings of the study, found here or not:\n\n" + "\n".join(lines) + "\n"


COLUMNS: Final = (
    ("centroid_gap", "centroid gap", 3, 1), ("alignment", "S_A", 3, 1),
    ("uniformity", "S_U", 3, 1), ("margin", "margin", 3, 1),
    ("separability", "separability", 3, 1),
    ("text_to_image_recall_at_1", "t→i R@1", 1, 100),
    ("text_to_image_recall_at_5", "R@5", 1, 100), ("text_to_image_recall_at_10", "R@10", 1, 100),
    ("image_to_text_recall_at_1", "i→t R@1", 1, 100),
    ("image_to_text_recall_at_5", "R@5", 1, 100), ("image_to_text_recall_at_10", "R@10", 1, 100),
    ("zero_shot_top_1", "zero-shot T1", 1, 100), ("zero_shot_top_3", "T3", 1, 100),
    ("zero_shot_top_5", "T5", 1, 100), ("linear_probe", "linear probe", 1, 100),
)  # fmt: skip
ORDERINGS: Final = (
    ("RankCLIP's gap is smaller than CLIP's", "rankclip", "clip", "centroid_gap", -1),
    ("CLIP aligns best (S_A above RankCLIP's)", "clip", "rankclip", "alignment", 1),
    ("RankCLIP's zero-shot accuracy is higher", "rankclip", "clip", "zero_shot_top_1", 1),
    ("RankCLIP's gap is smaller, summed as printed", "rankclip-sum", "clip", "centroid_gap", -1),
    ("Its zero-shot accuracy is higher, summed", "rankclip-sum", "clip", "zero_shot_top_1", 1),
)


def ordering(names: dict[str, Any], text: str, a: str, b: str, what: str, sign: int) -> str:
    """One line: found, not found, or within the spread of the seeds."""
    (one, s), (other, t) = names[a][what], names[b][what]
    by, spread = sign * (one - other), float(np.hypot(s, t))
    verdict = "no difference beyond the spread of seeds" if abs(by) <= spread else (
        "found" if by > 0 else "not found: the opposite"
    )  # fmt: skip
    return f"- {text}: {verdict} ({one:.3f} ± {s:.3f} against {other:.3f} ± {t:.3f})."


def photographs() -> str:
    """Zero-shot on CIFAR-10, which the models were not made for."""
    text = "## Zero-shot on photographs\n\n"
    path = SHARED / "cifar10" / "test-first-half.zip"
    if not path.is_file():
        return text + "CIFAR-10 was not there when this was written.\n"
    names, pictures, labels = cifar(path)
    prompts = [f"a picture of {'an' if name[0] in 'aeiou' else 'a'} {name}" for name in names]
    features = torch.from_numpy(towers.of_images(pictures))
    texts = torch.from_numpy(towers.of_texts(prompts))
    rows = []
    for key in spaces.BUNDLED:
        trained = heads.heads_of(key)
        with torch.inference_mode():
            images: F32 = trained.image(features).numpy()
            classes: F32 = trained.text(texts).numpy()
        scores = zero_shot(images, labels, classes, (1, 3, 5))
        rows.append([spaces.load(key).title, *(f"{100 * v:.1f}" for v in scores.at.values())])
    text += (
        f"CIFAR-10 test images (Krizhevsky 2009), {PER_CLASS} of each class, not bundled; one "
        "prompt, “a picture of a …”. The models know drawings and stamps; chance is 10, 30 and "
        "50 %.\n\n"
    )  # fmt: skip
    return text + table(["model", "top-1 %", "top-3 %", "top-5 %"], rows)


def cifar(path: Path) -> tuple[list[str], Any, Any]:
    """Class names, RGB bytes (n, 32, 32, 3) and labels (n,)."""
    with zipfile.ZipFile(path) as packed:
        files = sorted(n for n in packed.namelist() if n.lower().endswith((".jpg", ".png")))
        names = sorted({Path(name).parent.name for name in files})
        pictures, labels = [], []
        for label, kind in enumerate(names):
            for name in [n for n in files if Path(n).parent.name == kind][:PER_CLASS]:
                with packed.open(name) as file, Image.open(file) as picture:
                    pictures.append(np.asarray(picture.convert("RGB")))
                labels.append(label)
    return names, np.stack(pictures), np.array(labels)


def maps() -> str:
    """How often the maps of words and places pass their check."""
    held, encoder = spaces.load(spaces.DEFAULT[0]), encoder_of(spaces.DEFAULT[0])
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(held), CHECKED, replace=False)
    rows = []
    for method, title in spaces.METHODS.items():
        falls, wins, words = [], [], []
        for row in chosen:
            (picture,) = bundled.pictures(np.array([row]))
            found = token_maps.token_map(encoder, picture, held.captions[row], method)
            falls.append(float((found.random - found.deleted)[1]))
            wins.append(bool(found.deleted[1] < found.random[1]))
            dropped = found.cosine - found.without
            words.append(int(np.argmax(found.parts)) == int(np.argmax(dropped)))
        rows.append(
            [title, f"{np.mean(falls):+.3f}", f"{100 * np.mean(wins):.0f} %",
             f"{100 * np.mean(words):.0f} %"]
        )  # fmt: skip
    heads = [
        "method",
        "fall of the cosine beyond random orders, a fifth of the drawn places deleted",
        "pairs in which it falls further",
        "strongest word is the one whose loss costs most",
    ]
    text = (
        f"## Maps of words and places, checked by deletion\n\n{held.title}, {CHECKED} drawn test "
    )
    text += "pairs, seed 0. By occlusion the last column holds by construction.\n\n"
    return text + table(heads, rows)


def reported() -> str:
    """The tables of the study, marked as what they are."""
    held = record.reported()
    text = f"## Reported\n\n{held['note']}\n"
    for one in held["tables"]:
        rows = [[str(cell) for cell in row] for row in one["rows"]]
        text += f"\n{one['title']}, reported:\n\n{table(['', *one['columns']], rows)}"
    return text


if __name__ == "__main__":
    main()
