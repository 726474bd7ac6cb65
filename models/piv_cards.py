"""Cards of the estimators of particle motion that are not trained; writes them with what they
measure.

``python -m models.piv_cards`` (after ``python -m data.build_piv``). Their settings were chosen on
other synthetic pairs of the same families; the evaluation set is read once, here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models import cross_correlation, farneback
from models.cards import CARDS, MODELS, InputSpec, ModelCard, dump_card
from models.piv_flows import FAMILIES, SIZE_PX
from models.piv_measure import Estimator, along_symmetries

EVAL_FILE = MODELS.parent / "data" / "piv" / "eval.npz"
COMMAND = "python -m models.piv_cards"
WINDOWS = cross_correlation.WINDOWS


@dataclass(frozen=True, slots=True)
class Method:
    """An estimator without weights, and what its card says."""

    key: str
    title: str
    architecture: str
    estimate: Estimator
    summary: str
    layer: str
    licence: str
    limits: str


def correlate(frames: NDArray[np.float32]) -> NDArray[Any]:
    """:func:`models.cross_correlation.estimate` from numpy to numpy."""
    with torch.inference_mode():
        return np.asarray(cross_correlation.estimate(torch.from_numpy(frames)).numpy())


METHODS = (
    Method(
        key="piv-correlation",
        title="PIV, window cross-correlation",
        architecture="CrossCorrelation",
        estimate=correlate,
        summary=f"Windows of {WINDOWS.window_px} px looked for in areas of {WINDOWS.search_px} px "
        f"every {WINDOWS.step_px} px by FFT, Gaussian 3-point peak; vectors that differ from the "
        f"median of their neighbours by more than {cross_correlation.OUTLIER:g} × (their median "
        f"deviation + {cross_correlation.NOISE_PX:g} px) are replaced by it; natural cubic splines "
        "between windows. No training.",
        layer="displacements",
        licence="Written for Loupe; under Loupe's own licence",
        limits=f"Averages over a window, so eddies smaller than about {2 * WINDOWS.window_px} px "
        f"are blurred; displacements beyond {WINDOWS.window_px // 2} px lose most of their "
        f"particles. Within {WINDOWS.search_px // 2} px of the border the field is only continued. "
        "The second frame's area is larger than the first one's window, so it is not quite "
        "symmetric in time.",
    ),
    Method(
        key="piv-farneback",
        title="PIV, Farnebäck's optical flow",
        architecture="Farneback",
        estimate=farneback.farneback,
        summary="OpenCV's dense optical flow by polynomial expansion (Farnebäck 2003): "
        f"{farneback.LEVELS} levels of scale {farneback.PYRAMID_SCALE:g}, a box window of "
        f"{farneback.WINDOW_PX} px, {farneback.ITERATIONS} iterations, polynomials over "
        f"{farneback.POLY_PX} px with σ = {farneback.POLY_SIGMA:g} px; carried to the time between "
        f"the frames by {farneback.HALF_STEPS} fixed-point steps. No training.",
        layer="flow",
        licence="OpenCV, Apache-2.0",
        limits="Assumes that brightness is kept and motion is smooth: particles that leave the "
        "sheet of light and jumps at walls are blurred. OpenCV works on the first frame's pixels, "
        "so it is not exactly symmetric in time.",
    ),
)


def write_card(method: Method) -> ModelCard:
    """Measures a method on the evaluation set, writes its card and returns it."""
    with np.load(EVAL_FILE, allow_pickle=False) as file:
        frames, fields = file["frames"], file["fields"].astype(np.float32)
    curve = along_symmetries(method.estimate, frames, fields)
    card = ModelCard(
        key=method.key,
        title=method.title,
        task="piv",
        summary=method.summary,
        architecture=method.architecture,
        input=InputSpec(channels=2, height=SIZE_PX, width=SIZE_PX),
        classes=FAMILIES,
        layers=(method.layer,),
        licence=method.licence,
        data="None: it is not trained. Its settings were chosen on 36 synthetic pairs of the same "
        "six families that are not in the evaluation set",
        command=COMMAND,
        metrics={
            "rmse_px": curve.at_identity,
            "orbit_rmse_px": curve.mean,
            "variance_px2": curve.variance,
        },
        weights_file="",
        weights_sha256="",
        limits=method.limits,
    )
    (CARDS / f"{method.key}.toml").write_text(dump_card(card), encoding="utf-8")
    return card


def main() -> None:
    """Writes the cards."""
    torch.set_num_threads(1)
    for method in METHODS:
        card = write_card(method)
        sys.stdout.write(f"{card.key} {dict(card.metrics)}\n")


if __name__ == "__main__":
    main()
