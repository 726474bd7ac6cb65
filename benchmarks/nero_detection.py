"""How fast a detector walks along the shifts of a scene. One thread on a CPU, and the GPU if any.

The per-crop loop is what one would write: cut a crop, make a tensor of it, ask the network as it
comes, read the boxes. The bare forward pass is the prepared network on crops that lie ready, with
nothing read out of its answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch

from backend import datasets
from backend.detectors import TorchDetector, build
from backend.nero import evaluate, orbits
from backend.nero.boxes import MIN_SCORE
from backend.nero.orbits import CROP_PX
from backend.protocols import F32, U8
from backend.scenes import SceneItems
from benchmarks.table import Row, compare, wall
from models.cards import load_cards
from models.detector import decode
from models.load import load_module

ORBIT = orbits.translations(64, 4)
MODEL: Final = "detector-j100"
BATCHES: Final = (8, 16, 32, 64)


def rows() -> list[Row]:
    """All rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        return [row for device in devices for row in (loop(device), bare(device))]
    finally:
        torch.set_num_threads(threads)


def held() -> SceneItems:
    """The bundled scenes."""
    found = datasets.load("scenes")
    assert isinstance(found, SceneItems)
    return found


def one_scene() -> U8:
    """A scene (3, 256, 256)."""
    return np.ascontiguousarray(held().inputs([0])[0])


def loop(device: str) -> Row:
    """1,024 shifts of one scene, against a loop over the crops."""
    card, scene = load_cards()[MODEL], one_scene()
    corners = ORBIT.corners(*scene.shape[1:])
    model = build(card, device)
    network = load_module(card).to(device)
    answers: dict[str, F32] = {}

    def ours() -> None:
        answers["ours"] = model.predict_windows(scene, corners)

    def one_by_one() -> None:
        found = []
        with torch.inference_mode():
            for top, left in corners:
                crop = scene[:, top : top + CROP_PX, left : left + CROP_PX]
                batch = torch.from_numpy(crop.astype(np.float32) / 255)[None].to(device)
                found.append(decode(network(batch), MIN_SCORE)[0].cpu().numpy())
        answers["loop"] = np.stack(found)

    ours_s, loop_s = timed(device, ours, one_by_one)
    # Where two cells are equally sure to the last bit, rounding decides which comes first.
    apart = np.abs(answers["ours"][:, 0, :4] - answers["loop"][:, 0, :4]).max(axis=1)
    same = float((np.isnan(apart) | (apart < 0.05)).mean())
    return Row(
        f"detector over {ORBIT.size} shifts of one scene on {device}, against a loop of crops",
        f"{ours_s:.2f} s",
        f"{loop_s:.2f} s",
        loop_s / ours_s,
        "≥ 3×",
        f"surest box within 0.05 px in {same:.1%} of the crops",
        loop_s / ours_s >= 3 and same >= 0.995,
    )


def bare(device: str) -> Row:
    """A whole evaluation of one scene, metrics and consensus included, against bare passes."""
    scene = one_scene()
    model = build(load_cards()[MODEL], device)
    crops = ORBIT.act(scene[None], np.arange(ORBIT.size))[0]
    ready = torch.from_numpy(crops).to(device).to(memory_format=torch.channels_last)

    def forward(size: int) -> Callable[[], None]:
        def run() -> None:
            with torch.inference_mode():
                for piece in torch.split(ready, size):
                    passed(model, piece)
            if device != "cpu":
                torch.cuda.synchronize()

        return run

    sizes = BATCHES if device == "cpu" else (128, 512, 1024)
    best = min(sizes, key=lambda size: timed(device, forward(size), forward(size), 2)[0])
    ours_s, bare_s = timed(device, lambda: evaluate(model, "detection", ORBIT, [0]), forward(best))
    return Row(
        f"orbit of {ORBIT.size} shifts on {device}, against its bare forward pass (batch {best})",
        f"{ORBIT.size / ours_s:.0f} crops/s",
        f"{ORBIT.size / bare_s:.0f} crops/s",
        bare_s / ours_s,
        "≥ 0.9×",
        "metrics and consensus included",
        bare_s / ours_s >= 0.9,
    )


def passed(model: TorchDetector, piece: torch.Tensor) -> torch.Tensor:
    """One pass through a prepared network."""
    raw: torch.Tensor = model._network(model._centred(piece))
    return raw


def timed(
    device: str, ours: Callable[[], object], other: Callable[[], object], rounds: int = 4
) -> tuple[float, float]:
    """Best times of both; on a GPU what counts is the clock on the wall."""
    return compare(ours, other, rounds) if device == "cpu" else compare(ours, other, rounds, wall)
