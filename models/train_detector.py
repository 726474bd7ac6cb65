"""Trains the small detectors that differ in nothing but jitter, and writes their weights and cards.

``python -m models.train_detector --jitter 0|33|67|100 --seed 0`` (after ``python -m
data.build_scenes``) trains one; seed 0 is the one that is shipped. ``python -m
models.train_detector --cards`` then writes the cards from all runs that were made.

At a jitter of L % a training crop shows its object shifted by up to 0.64 L px in both directions,
uniformly; at 0 % it is always in the middle. All levels get the same budget: the same scenes in the
same order, mirrored and coloured alike, the same steps, optimiser and schedule, and at one seed the
same first weights. The evaluation scenes are read once, after the last step; how training crops are
varied was chosen on cut-outs and backgrounds of the training side that were held out for it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from models.cards import CARDS, MODELS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.convert_efficientnet import narrowed
from models.detector import (
    CELLS,
    CROP_PX,
    STRIDE_PX,
    CropDetector,
    boxes_of,
    decode,
    overlap,
)

LEVELS: Final = (0, 33, 67, 100)
MAX_SHIFT_PX: Final = 64
BATCH: Final = 48
STEPS: Final = 500
MAX_LR: Final = 4e-3
WEIGHT_DECAY: Final = 1e-2
BOX_WEIGHT: Final = 2.0
EVALUATION_STEP_PX: Final = 8
MIN_SCORE: Final = 0.1
DATA: Final = MODELS.parent / "data"
RUNS: Final = DATA / "cache" / "detector_runs"
CLASSES: Final = ("bird", "cow", "car", "apple", "sports ball")


def draw_shifts(n: int, level: int, draws: torch.Generator) -> Tensor:
    """The object's shift in each training crop, (n, 2) int64 px (x, y), uniform within the level.

    Args:
        level: 0 to 100 %; 0 gives no shift, 100 whole px from -64 to 64.
    """
    reach = round(MAX_SHIFT_PX * level / 100)
    return torch.randint(-reach, reach + 1, (n, 2), generator=draws)


def cut(scenes: NDArray[np.uint8], rows: Tensor, shifts_px: Tensor) -> Tensor:
    """Crops (n, 3, 128, 128) float32 in [0, 1] with the scene's middle shifted by (n, 2) px."""
    middle = (scenes.shape[1] - CROP_PX) // 2
    crops = np.empty((len(rows), CROP_PX, CROP_PX, 3), np.uint8)
    for k, (row, (x, y)) in enumerate(zip(rows.tolist(), shifts_px.tolist(), strict=True)):
        top, left = middle - y, middle - x  # the window moves against the object
        crops[k] = scenes[row, top : top + CROP_PX, left : left + CROP_PX]
    # Channels last in memory, which convolutions on a CPU prefer.
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255.0


def visible(boxes: Tensor, shifts_px: Tensor, scene_px: int) -> Tensor:
    """The part of each shifted object that is in its crop, (n, 4) px of the crop."""
    corner = (scene_px - CROP_PX) // 2 - shifts_px
    return (boxes - torch.cat([corner, corner], 1)).clamp(0, CROP_PX)


class Batches:
    """An endless run of training crops.

    Shifts come from a generator of their own, so that all levels at one seed see the same scenes,
    in the same order, mirrored and coloured alike.
    """

    def __init__(self, level: int, seed: int) -> None:
        cache = DATA / "cache"
        self.scenes = np.load(cache / "scenes_train_images.npy", mmap_mode="r", allow_pickle=False)
        self.boxes = torch.from_numpy(np.load(cache / "scenes_train_boxes.npy", allow_pickle=False))
        self.labels = torch.from_numpy(
            np.load(cache / "scenes_train_labels.npy", allow_pickle=False)
        )
        self.level = level
        self.draws = torch.Generator().manual_seed(seed)
        self.shifts = torch.Generator().manual_seed(seed + 1000)
        self.order = torch.empty(0, dtype=torch.int64)

    def next(self) -> tuple[Tensor, Tensor, Tensor]:
        """Crops (48, 3, 128, 128), visible boxes (48, 4) px and classes (48,)."""
        if len(self.order) < BATCH:
            self.order = torch.randperm(len(self.labels), generator=self.draws)
        rows, self.order = self.order[:BATCH], self.order[BATCH:]
        shifts = draw_shifts(BATCH, self.level, self.shifts)
        crops = cut(self.scenes, rows, shifts)
        boxes = visible(self.boxes[rows], shifts, self.scenes.shape[1])
        if torch.rand((), generator=self.draws) < 0.5:
            crops = crops.flip(3)
            boxes = torch.stack(
                [CROP_PX - boxes[:, 2], boxes[:, 1], CROP_PX - boxes[:, 0], boxes[:, 3]], 1
            )
        return self._coloured(crops), boxes, self.labels[rows]

    def _coloured(self, crops: Tensor) -> Tensor:
        """Other light, contrast and tint, some noise, and for every fifth crop other colours."""

        def draw(*shape: int) -> Tensor:
            return torch.rand(shape, generator=self.draws)

        orders = torch.rand((BATCH, 3), generator=self.draws).argsort(1)
        orders[draw(BATCH) > 0.2] = torch.arange(3)
        crops = crops.gather(1, orders[:, :, None, None].expand_as(crops))
        mean = crops.mean((1, 2, 3), keepdim=True)
        crops = mean + (crops - mean) * (0.6 + 0.7 * draw(BATCH, 1, 1, 1))
        crops = crops * (0.7 + 0.6 * draw(BATCH, 1, 1, 1)) * (0.85 + 0.3 * draw(BATCH, 3, 1, 1))
        noise = torch.randn(crops.shape, generator=self.draws)
        return (crops + 0.04 * draw(BATCH, 1, 1, 1) * noise).clamp(0, 1)


def targets(boxes: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """What the cells should say: heat (n, classes, 16, 16) and which cells answer for the box.

    The heat is 1 in the cell that holds the middle of the visible box and falls off like a
    Gaussian, wider for larger objects (Zhou et al. 2019); the cells (n, 16, 16) bool with a heat
    above 0.6 learn the box.
    """
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    cell = (middle / STRIDE_PX).floor().clamp(0, CELLS - 1)
    sigma = ((boxes[:, 2:] - boxes[:, :2]) / STRIDE_PX / 6).clamp(min=0.5)
    line = torch.arange(CELLS)
    x = (-((line - cell[:, :1]) ** 2) / (2 * sigma[:, :1] ** 2)).exp()
    y = (-((line - cell[:, 1:]) ** 2) / (2 * sigma[:, 1:] ** 2)).exp()
    bump = y[:, :, None] * x[:, None, :]
    heat = torch.zeros(len(boxes), classes, CELLS, CELLS)
    heat[torch.arange(len(boxes)), labels] = bump
    return heat, bump > 0.6


def loss_of(raw: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
    """Focal loss of the heat (Zhou et al. 2019) and GIOU loss of the boxes (Rezatofighi 2019)."""
    classes = raw.shape[1] - 4
    heat, owns = targets(boxes, labels, classes)
    logits = raw[:, :classes]
    p = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    is_middle = heat == 1
    hit = -functional.logsigmoid(logits) * (1 - p) ** 2 * is_middle
    miss = -functional.logsigmoid(-logits) * p**2 * (1 - heat) ** 4 * ~is_middle
    meant = boxes_of(raw).permute(0, 2, 3, 1)[owns]
    wanted = boxes[:, None, None].expand(-1, CELLS, CELLS, -1)[owns]
    hull = torch.cat(
        [torch.minimum(meant[:, :2], wanted[:, :2]), torch.maximum(meant[:, 2:], wanted[:, 2:])], 1
    )
    iou = overlap(meant, wanted)
    union = (areas(meant) + areas(wanted)) / (1 + iou)
    giou = iou - (areas(hull) - union) / areas(hull).clamp(min=1e-6)
    loss: Tensor = (hit + miss).sum() / len(raw) + BOX_WEIGHT * (1 - giou).mean()
    return loss


def areas(boxes: Tensor) -> Tensor:
    """Areas (n,) of boxes (n, 4), in square px."""
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)


def train(
    module: nn.Module, batches: Batches, steps: int, report: Callable[[str], object] = print
) -> None:
    """Runs exactly ``steps`` steps of AdamW under a one-cycle schedule; ends in eval mode.

    The network runs in bfloat16 (weights, losses and steps do not), which a CPU does faster.
    """
    optimiser = torch.optim.AdamW(module.parameters(), lr=MAX_LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, MAX_LR, total_steps=steps)
    module.train()
    for step in range(steps):
        crops, boxes, labels = batches.next()
        with torch.autocast("cpu", torch.bfloat16):
            raw = module(crops)
        loss = loss_of(raw.float(), boxes, labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % 50 == 0:
            report(f"step {step + 1}/{steps}: loss {loss.item():.3f}")
    module.eval()


def read_evaluation(path: Path) -> tuple[NDArray[np.uint8], Tensor, Tensor]:
    """Scenes (n, 256, 256, 3), boxes (n, 4) px of the scene and classes (n,)."""
    with np.load(path, allow_pickle=False) as file:
        packed, ends = file["webp"].tobytes(), [0, *file["ends"].tolist()]
        boxes, labels = torch.from_numpy(file["boxes"]), torch.from_numpy(file["labels"])
    spans = [packed[a:b] for a, b in itertools.pairwise(ends)]
    pictures = [np.asarray(Image.open(io.BytesIO(span)).convert("RGB")) for span in spans]
    return np.stack(pictures), boxes, labels


@torch.inference_mode()
def iou_maps(module: nn.Module, path: Path) -> tuple[Tensor, Tensor]:
    """IOU of the most confident box and whether its class is right, (n, 16, 16): y slow, x fast.

    Shifts go from -64 to 56 px in steps of 8. Where there is no box both are 0: it was missed.
    """
    scenes, boxes, labels = read_evaluation(path)
    line = torch.arange(-MAX_SHIFT_PX, MAX_SHIFT_PX, EVALUATION_STEP_PX)
    y, x = torch.meshgrid(line, line, indexing="ij")
    shifts = torch.stack([x.flatten(), y.flatten()], 1)
    overlaps, rights = [], []
    for row in range(len(scenes)):
        rows = torch.full((len(shifts),), row)
        parts = zip(torch.split(rows, 64), torch.split(shifts, 64), strict=True)
        crops = [cut(scenes, some, by) for some, by in parts]
        best = torch.cat([decode(module(crop), MIN_SCORE, 1)[:, 0] for crop in crops])
        truth = visible(boxes[row].expand(len(shifts), 4), shifts, scenes.shape[1])
        overlaps.append(overlap(best[:, :4], truth).nan_to_num(0.0))
        rights.append((best[:, 5] == labels[row]).float())
    side = len(line)
    return torch.stack(overlaps).view(-1, side, side), torch.stack(rights).view(-1, side, side)


def measure(module: nn.Module, path: Path) -> dict[str, float]:
    """What the mean IOU map over the evaluation scenes is like; see the names."""
    overlaps, rights = iou_maps(module, path)
    mean = overlaps.mean(0)
    middle = mean.shape[0] // 2
    return {
        "mean_iou": float(mean.mean()),
        "centre_iou": float(mean[middle, middle]),
        "highest_iou": float(mean.max()),
        "lowest_iou": float(mean.min()),
        "share_of_shifts_above_half_maximum": float((mean > mean.max() / 2).float().mean()),
        "centre_class_accuracy": float(rights[:, middle, middle].mean()),
    }


def run(level: int, seed: int, steps: int) -> dict[str, float]:
    """Trains one detector, measures it as it is stored, and notes what came out."""
    torch.manual_seed(seed)
    module: nn.Module = CropDetector(len(CLASSES))
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    start = time.perf_counter()
    train(module, Batches(level, seed), steps, lambda line: sys.stderr.write(line + "\n"))
    seconds = time.perf_counter() - start
    state = narrowed({k: v for k, v in module.state_dict().items()})
    module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    RUNS.mkdir(parents=True, exist_ok=True)
    if seed == 0:
        save_file(state, WEIGHTS / f"detector-j{level}.safetensors")
    metrics = measure(module, DATA / "scenes" / "eval.npz") | {
        "parameters": sum(p.numel() for p in module.parameters()),
        "steps": steps,
        "batch_size": BATCH,
        "seconds": round(seconds, 1),
    }
    (RUNS / f"j{level}-seed{seed}.json").write_text(json.dumps(metrics), encoding="utf-8")
    return metrics


def runs(level: int) -> dict[int, dict[str, float]]:
    """What was noted of each seed at a level."""
    found = {}
    for path in sorted(RUNS.glob(f"j{level}-seed*.json")):
        found[int(path.stem.split("seed")[1])] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write_card(level: int) -> ModelCard:
    """Writes ``models/cards/detector-j<level>.toml`` from the runs at that level."""
    noted = runs(level)
    metrics = dict(noted[0]) | {"seed": 0.0, "seeds_measured": float(len(noted))}
    for name in ("mean_iou", "centre_iou", "share_of_shifts_above_half_maximum"):
        values = [run[name] for run in noted.values()]
        metrics |= {
            f"{name}_over_seeds": float(np.mean(values)),
            f"{name}_lowest_seed": min(values),
            f"{name}_highest_seed": max(values),
        }
    shown = "the object always in the middle" if level == 0 else f"shifted by up to {level} %"
    key = f"detector-j{level}"
    path = WEIGHTS / f"{key}.safetensors"
    card = ModelCard(
        key=key,
        title=f"Detector, jitter {level} %",
        task="detection",
        summary=f"A small anchor-free detector of five things, trained on crops with {shown}"
        f"{'' if level == 0 else ' of 64 px, uniformly, both ways'}.",
        architecture="CropDetector",
        input=InputSpec(channels=3, height=CROP_PX, width=CROP_PX),
        classes=CLASSES,
        layers=("stem", "fine", "coarse", "join"),
        licence="Trained for Loupe; under Loupe's own licence",
        data="3,000 scenes composed from 38 cut-outs and 34 distractors of Tux Paint's stamps "
        "(GPL-2.0-or-later) on 38 pictures of plasma-workspace-wallpapers, mate-backgrounds, "
        "lomiri-wallpapers-16.04 and scikit-image (data/scenes/scenes.toml lists them); no cut-out "
        "and no background of the evaluation scenes is among them",
        command=f"python -m models.train_detector --jitter {level} --seed 0 (seeds 1 and 2 for the "
        "ranges), then python -m models.train_detector --cards",
        metrics=metrics,
        weights_file=path.name,
        weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        limits="Knows five things, cut out and pasted: crops of real photographs look different to "
        "it. It was trained on one object a crop and with few cut-outs of cars, apples, cows and "
        "balls, so the class is less reliable than the box. Metrics are of the 60 bundled scenes: "
        "IOU of the most confident box, a missed object counted as 0.",
    )
    (CARDS / f"{key}.toml").write_text(dump_card(card), encoding="utf-8")
    return card


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jitter", type=int, choices=LEVELS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cards", action="store_true", help="write the cards from the runs")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.jitter is not None:
        metrics = run(arguments.jitter, arguments.seed, arguments.steps)
        sys.stdout.write(f"j{arguments.jitter} seed {arguments.seed} {metrics}\n")
    if arguments.cards:
        for level in LEVELS:
            sys.stdout.write(f"{write_card(level).key}\n")


if __name__ == "__main__":
    main()
