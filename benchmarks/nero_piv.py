"""How fast window cross-correlation runs along the 16 symmetries, against OpenPIV on its windows,
and how long the views of one pair take. One thread throughout.

OpenPIV is GPLv3 and no part of the product: ``pip install -r requirements-bench.txt`` adds it for
this comparison; without it the rows say that they were skipped.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Final

import cv2
import numpy as np
import torch

from backend import catalog, datasets
from backend.nero import orbits, tasks
from backend.nero.evaluation import along
from backend.protocols import F32
from benchmarks.table import Row, compare
from models import cross_correlation
from models.cross_correlation import WINDOWS, Windows

ORBIT: Final = orbits.square_symmetries()
PAIRS: Final = 12  # of the 120, so that a round takes seconds; two of each family
PIECE: Final = 8  # pairs in one batch, as the product takes them
ROUNDS: Final = 3
SOURCE_WINDOWS: Final = Windows(32, 40, 24)  # 32 px, 16 px overlap, 40 px search area


def rows() -> list[Row]:
    """All rows."""
    threads, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        return [
            against_openpiv(WINDOWS),
            against_openpiv(SOURCE_WINDOWS),
            one_pair("piv-farneback"),
            one_pair("piv-correlation"),
        ]
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv_threads)


def against_openpiv(windows: Windows) -> Row:
    """The vectors of every window of some pairs under every element."""
    overlap = windows.search_px - windows.step_px
    name = (
        f"cross-correlation of {PAIRS} pairs × {ORBIT.size} elements, windows of "
        f"{windows.window_px} px in {windows.search_px} px, overlap {overlap} px, against OpenPIV"
    )
    goal = "≥ 3×, same to 0.1 px in the median"
    if importlib.util.find_spec("openpiv") is None:
        why = "not measured: OpenPIV (GPLv3, requirements-bench.txt) is not installed"
        return Row(name, "", "", float("nan"), goal, why, True)
    frames = moved(PAIRS)
    grey = np.round(frames * 255).astype(np.int32)
    found: list[F32] = []
    theirs: list[F32] = []
    ours_s, openpiv_s = compare(
        lambda: found.append(_ours(frames, windows)),
        lambda: theirs.append(_openpiv(grey, windows, overlap)),
        ROUNDS,
    )
    apart = np.abs(found[-1] - theirs[-1])
    median = float(np.nanmedian(apart))
    same = float((apart <= 0.1).mean())
    return Row(
        name,
        f"{ours_s:.2f} s",
        f"{openpiv_s:.2f} s",
        openpiv_s / ours_s,
        goal,
        f"median difference {median:.0e} px, {same:.2%} within 0.1 px",
        openpiv_s / ours_s >= 3 and median <= 0.1,
    )


def _ours(frames: F32, windows: Windows) -> F32:
    """Vectors (b, 2, rows, columns)."""
    with torch.inference_mode():
        pieces = [
            cross_correlation.displacements(torch.from_numpy(frames[i : i + PIECE]), windows)
            for i in range(0, len(frames), PIECE)
        ]
        return torch.cat(pieces).numpy()


def _openpiv(grey: np.ndarray[Any, np.dtype[np.int32]], windows: Windows, overlap: int) -> F32:
    """The same by OpenPIV, a pair at a time as its own examples do, without signal-to-noise."""
    from openpiv import pyprocess

    vectors = [
        pyprocess.extended_search_area_piv(
            first,
            second,
            window_size=windows.window_px,
            overlap=overlap,
            dt=1.0,
            search_area_size=windows.search_px,
            sig2noise_method=None,
        )[:2]
        for first, second in grey
    ]
    return np.array(vectors, np.float32)


def one_pair(key: str) -> Row:
    """What the page asks for when a pair is opened: all elements, maps, arrows, consensus."""
    task, held = tasks.find("piv"), datasets.load("piv")
    source = task.gather(held)
    catalog.load_model(key, "cpu")
    predict = task.predictor(catalog.load_model(key, "cpu"), None, source)

    def work() -> None:
        outputs = along(task, predict, ORBIT, source.read(0, 1))
        task.detail(ORBIT, outputs, source.truth(0, 1))

    ours_s, _ = compare(work, lambda: None, ROUNDS)
    return Row(
        f"opening one pair, {ORBIT.size} elements by {key}, with maps and consensus",
        f"{ours_s * 1e3:.0f} ms",
        "",
        float("nan"),
        "≤ 300 ms",
        f"{held.inputs([0]).shape[-1]} px frames",
        ours_s <= 0.3,
    )


def moved(count: int) -> F32:
    """Frames (count · 16, 2, 128, 128) of evenly chosen pairs under every element."""
    held = datasets.load("piv")
    chosen = np.arange(count) * len(held) // count
    frames = ORBIT.act(held.inputs(chosen), np.arange(ORBIT.size))
    return frames.reshape(-1, *frames.shape[2:])
