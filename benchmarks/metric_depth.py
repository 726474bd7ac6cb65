"""``python -m benchmarks.metric_depth``: what does training more of the network change?

One loss (Multi Similarity), fold 0, trained three ways on the same batches: as shipped, and with
the last one and the last two stages in full rank. Also says whether the shipped weights come out
again. Needs what ``make cars`` draws, of which only the images that the batches draw and the
bundled test images are looked at; writes ``data/metric/depth.json``, which
``python -m benchmarks.metric_report`` puts into the record.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from backend.metric_learning import cars, columns, neighbours, properties, shipped, training
from backend.metric_learning.distances import pairs
from models import metric_losses, metric_net
from models.cards import CARDS, read_card, weights_path
from models.metric_features import BATCH, tensor

OUT: Final = shipped.MEASURED / "depth.json"
LOSS, FOLD = "multi-similarity", 0
SHIPPED: Final = "last block, rank 8, as shipped"
CUTS: Final = {SHIPPED: 6, "last stage whole": 6, "last two stages whole": 5}
RATE: Final = 1e-3  # of whole stages; the only one tried


class Whole(nn.Module):
    """The last stages with all their weights, and a linear layer to 128 numbers of length 1; batch
    norms keep their statistics."""

    def __init__(self, held: nn.Module, first: int) -> None:
        super().__init__()
        stages = [copy.deepcopy(held.get_submodule(f"stage{i}")) for i in range(first + 1, 8)]
        self.stages = nn.Sequential(*stages).requires_grad_(True)
        with torch.random.fork_rng():
            torch.manual_seed(FOLD)
            self.head = nn.Linear(320, metric_net.DIMENSIONS)

    def train(self, mode: bool = True) -> Whole:
        """Trains with the statistics as they are."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def forward(self, features: Tensor) -> Tensor:
        """(n, c, h, w) features -> (n, 128) embeddings."""
        return functional.normalize(self.head(self.stages(features).mean(dim=(2, 3))))


def drawn() -> NDArray[np.int64]:
    """The training images that the batches of the fold draw."""
    told = training.training(training.IMAGES / "train" / "images.npy")
    rows = np.flatnonzero(told.group % training.FOLDS != FOLD)
    labels = np.unique(told.labels[rows], return_inverse=True)[1]
    return np.asarray(np.unique(rows[training.batches(labels, FOLD)]))


def features(split: str, rows: NDArray[np.int64]) -> dict[int, NDArray[np.float16]]:
    """What stages 5 and 6 answer about some images of a split; zeros for the others."""
    images, held = training.mapped(training.IMAGES / split / "images.npy"), metric_net.trunk()
    shapes = {5: (112, 8, 8), 6: (192, 4, 4)}
    n = int(rows.max()) + 1 if split == "test" else len(images)
    found = {cut: np.zeros((n, *shape), np.float16) for cut, shape in shapes.items()}
    with torch.inference_mode():
        for first in range(0, len(rows), BATCH):
            part = rows[first : first + BATCH]
            outputs = metric_net.stages(held, tensor(images[part]))
            for cut, whole in found.items():
                whole[part] = outputs[cut].numpy()
    return found


def trained(way: str, front: NDArray[np.float16]) -> tuple[nn.Module, float]:
    """A network trained one way, and the seconds of its training."""
    held, path = metric_net.trunk(), training.IMAGES / "train" / "depth.npy"
    np.save(path, front, allow_pickle=False)
    told = training.training(path)
    net = metric_net.new_tail(held, FOLD) if way == SHIPPED else Whole(held, CUTS[way])
    start = time.perf_counter()
    training.train(net.train(), LOSS, told, FOLD, training.RATE if way == SHIPPED else RATE)
    return net.eval(), time.perf_counter() - start


def measured(net: nn.Module, front: NDArray[np.float16]) -> dict[str, float]:
    """Retrieval of the car model and NR-Prec on the bundled test images."""
    x = training.embed(net, front)
    distance = metric_losses.BY_KEY[LOSS].distance
    (model,) = properties.table(shipped.table().iloc[: len(x)], [cars.MODEL])
    at_r, at_1 = neighbours.precisions(pairs(x, distance), model)
    table = columns.column(x, shipped.held_properties(len(x)), distance).set_index("property")
    nr = {f"nr_{name}": float(value) for name, value in table["nr_precision"].items()}
    return {"map_at_r": float(at_r.mean()), "precision_at_1": float(at_1.mean()), **nr}


def off(net: nn.Module) -> float:
    """The largest difference of a number from the shipped weights, in half precision."""
    stored = load_file(weights_path(read_card(CARDS / "metric-cars.toml")))
    return max(
        float((x.half().float() - stored[f"{LOSS}/{name}"].float()).abs().max())
        for name, x in net.state_dict().items()
    )


def main() -> None:
    """Trains, measures, and writes."""
    train = features("train", drawn())
    test = features("test", np.arange(shipped.SHOWN))
    told: dict[str, Any] = {"loss": LOSS, "fold": FOLD, "steps": training.STEPS, "rate": RATE}
    told |= {"n": shipped.SHOWN, "rows": []}
    for way, cut in CUTS.items():
        net, seconds = trained(way, train[cut])
        if way == SHIPPED:
            told["off_shipped"] = off(net)
        numbers = sum(x.numel() for x in net.parameters() if x.requires_grad)
        row = {"way": way, "numbers": numbers, "seconds": round(seconds, 1)}
        told["rows"].append({**row, **measured(net, test[cut])})
        sys.stdout.write(json.dumps(told["rows"][-1]) + "\n")
        sys.stdout.flush()
    OUT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
