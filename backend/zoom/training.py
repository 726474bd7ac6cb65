"""Training the two-stage network on a user's images: a folder with one subfolder for each class.

Starts from a bundled model's features, because a few hundred images do not teach them; the two
attention maps start from it too. One image at a time is in memory. A fifth of each class, chosen
by the seed, is held out and read once, after the last step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from backend.errors import BadRequest
from backend.files import private_folder
from backend.protocols import JSON, Arrays, Progress
from backend.zoom import files, own
from backend.zoom.backend import load_network
from backend.zoom.inference import infer
from backend.zoom.library import Library
from models.cards import InputSpec, ModelCard, dump_card
from models.zoom_net import FEATURES, ZoomNet
from models.zoom_training import zoom_loss

LARGEST_PX: Final = 25_000_000
LEAST_IMAGES: Final = 5
LEARNING_RATE: Final = 5e-4
AT_ONCE: Final = 4
CLIP: Final = 5.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """Image files and their classes.

    Attributes:
        keys: keys of the library; labels: index into ``classes`` of each.
    """

    keys: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]


def labelled(library: Library, folder: str) -> Labelled:
    """The images below ``folder`` (in an allowed folder) by the names of its subfolders.

    The first class by name counts as the one with nothing to be found.

    Raises:
        BadRequest: not two classes or more of at least five images each.
    """
    found: dict[str, list[str]] = {}
    for root in library.roots:
        base = (root / folder).resolve()
        if folder and base.is_dir() and base.is_relative_to(root.resolve()):
            for path in sorted(base.glob("*/*")):
                if path.suffix.lower() in files.SUFFIXES:
                    key = f"file:{path.relative_to(root.resolve())}"
                    found.setdefault(path.parent.name, []).append(key)
            break
    if len(found) < 2 or min(map(len, found.values())) < LEAST_IMAGES:
        told = ", ".join(f"{name}: {len(keys)}" for name, keys in found.items()) or "no images"
        raise BadRequest(
            f"The folder {folder[:80]!r} holds {told}.",
            "Needed are two subfolders or more, one for each class, with five images or more each, "
            "below an allowed folder.",
        )
    classes = tuple(sorted(found))
    pairs = [(key, classes.index(name)) for name, keys in found.items() for key in keys]
    return Labelled(tuple(key for key, _ in pairs), tuple(label for _, label in pairs), classes)


def split(labels: Sequence[int], seed: int) -> tuple[list[int], list[int]]:
    """Rows to train on and rows held out: a fifth of each class, at least one."""
    rng = np.random.default_rng(seed)
    held: set[int] = set()
    for label in sorted(set(labels)):
        rows = [row for row, other in enumerate(labels) if other == label]
        held |= set(rng.permutation(rows)[: max(1, len(rows) // 5)].tolist())
    return [row for row in range(len(labels)) if row not in held], sorted(held)


def train(
    library: Library, params: Mapping[str, JSON], progress: Progress
) -> tuple[ModelCard, Arrays]:
    """Trains, measures, and writes card and weights into the state folder.

    Args:
        params: folder, base (a bundled model), name, steps, n_tiles, seed.

    Returns:
        The card; and ``loss (steps,)``, ``held_out_right (h,)`` uint8, ``accuracy (1,)``.

    Raises:
        Cancelled: nothing is written then. BadRequest, NotFound, StorageFull.
    """
    data = labelled(library, str(params["folder"]))
    seed, steps, n_tiles = (cast(int, params[name]) for name in ("seed", "steps", "n_tiles"))
    net = started(str(params["base"]), len(data.classes), seed)
    training, held = split(data.labels, seed)
    losses = _fit(library, net, data, training, (steps, n_tiles, seed), progress)
    right = []
    for row in held:
        progress(steps, steps + 1)
        answer = infer(net, library.open(data.keys[row]), n_tiles, seed).predicted
        right.append(answer == data.labels[row])
    card = _written(library, net, data, params, float(np.mean(right)), len(training))
    arrays: Arrays = {
        "loss": np.array(losses, np.float32),
        "held_out_right": np.array(right, np.uint8),
        "accuracy": np.array([np.mean(right)], np.float32),
    }
    return card, arrays


def started(base: str, classes: int, seed: int) -> ZoomNet:
    """A network with the maps and features of a bundled model and a new last layer.

    Raises:
        NotFound, BadRequest, WeightsRefused: the base is not a two-stage model.
    """
    known = load_network(base)
    if not isinstance(known, ZoomNet):
        raise BadRequest(f"{base} does not look in two stages.", "Choose needle-zoom.")
    torch.manual_seed(seed)
    net = ZoomNet(classes, known.form, known.geometry)
    state = {name: value.clone() for name, value in known.state_dict().items()}
    head = nn.Linear(FEATURES, classes)
    state |= {"g.weight": head.weight.detach(), "g.bias": head.bias.detach()}
    net.load_state_dict(state)
    return net


def _fit(
    library: Library,
    net: ZoomNet,
    data: Labelled,
    rows: list[int],
    plan: tuple[int, int, int],
    progress: Progress,
) -> list[float]:
    steps, n_tiles, seed = plan
    rng, draws = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    by_class = {label: [r for r in rows if data.labels[r] == label] for label in set(data.labels)}
    losses: list[float] = []
    net.train()
    for step in range(steps):
        progress(step, steps + 1)
        total = 0.0
        for _ in range(AT_ONCE):  # one image in memory, the classes equally often
            label = int(rng.integers(len(by_class)))
            row = int(rng.choice(by_class[label]))
            image = whole_tiles(library, data.keys[row], net.geometry.tile_px)
            is_contrastive = step >= steps // 4
            loss = zoom_loss(net, image, torch.tensor([label]), n_tiles, draws, is_contrastive)
            (loss / AT_ONCE).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach()) / AT_ONCE
        torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(total)
    net.eval()
    return losses


def whole_tiles(library: Library, key: str, tile_px: int) -> Tensor:
    """An image (1, 3, h, w) uint8, black added to make whole tiles.

    Raises:
        BadRequest: it is too large to be trained on in one piece.
    """
    source = library.open(key)
    if source.width * source.height > LARGEST_PX:
        raise BadRequest(
            f"{key.partition(':')[2]} has {source.width} x {source.height} pixels.",
            f"Train on images of up to {LARGEST_PX // 1_000_000} million pixels; look at larger "
            "ones afterwards.",
        )
    width, height = (-(-side // tile_px) * tile_px for side in (source.width, source.height))
    pixels = source.read(0, 0, width, height, width, height)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]


def _written(
    library: Library,
    net: ZoomNet,
    data: Labelled,
    params: Mapping[str, JSON],
    accuracy: float,
    count: int,
) -> ModelCard:
    key, place = str(params["name"]), private_folder(own.folder(library.settings))
    path = place / f"{key}.safetensors"
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, path)
    card = ModelCard(
        key=key,
        title=f"{key.removeprefix('own-')} (yours)",
        task="needles",
        summary=f"Trained here on {count} images of {params['folder']}, from {params['base']}.",
        architecture="ZoomNet" if net.form == "lenet" else "ZoomNetRes",
        input=InputSpec(3, 1024, 1024),
        classes=data.classes,
        layers=("a", "b", "f"),
        licence="The user's own",
        data=f"{len(data.keys)} images of the user",
        command="zoom.train",
        metrics={"accuracy": accuracy, "evaluation_images": float(len(data.keys) - count)},
        weights_file=path.name,
        weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        limits="Known only on the held-out images of the same folder.",
    )
    (place / f"{key}.toml").write_text(dump_card(card), encoding="utf-8")
    return card
