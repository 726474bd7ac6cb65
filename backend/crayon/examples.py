"""Sets and networks as training needs them: the trunk's activations, and cells of masks."""

from __future__ import annotations

import copy
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from backend import catalog
from backend.crayon import library, own_nets
from backend.crayon.baselines import hidden_region
from backend.crayon.refinement import Examples
from backend.crayon.sets import GuidedSet
from backend.errors import BadRequest, WeightsRefused
from backend.protocols import F32, I64, Arrays, Progress
from models.cards import WeightsMismatch
from models.guided_nets import GuidedNet
from models.load import load_module

BATCH = 64
STATE = "state."  # prefix of a corrected model's tensors among the arrays of its result


def original(key: str) -> GuidedNet:
    """The network of a card, in evaluation mode. Do not change it: it is shared.

    Raises:
        NotFound: no model has this key.
        BadRequest: it is no network whose attention can be corrected.
        WeightsRefused: its weights are missing, damaged or not those of the card.
    """
    is_own = key.startswith(f"crayon-{library.PREFIX}")
    card = library.card(key) if is_own else catalog.card(key)
    try:
        return _loaded(card.key, card.fingerprint, is_own)
    except WeightsMismatch as error:
        raise WeightsRefused(str(error), "Restore the file, or train the model again.") from error


@lru_cache(maxsize=4)
def _loaded(key: str, fingerprint: str, is_own: bool) -> GuidedNet:
    del fingerprint  # names the state of the weights
    net: object
    if is_own:
        net = own_nets.load(library.card(key), library.models_folder())
    else:
        net = load_module(catalog.card(key))
    if not isinstance(net, GuidedNet):
        raise BadRequest(f"The attention of {key} cannot be corrected here.", "Choose another.")
    return net


def corrected(key: str, arrays: Arrays) -> GuidedNet:
    """A corrected copy of a card's network, from the arrays of a result of ``crayon.refine``.

    Raises:
        BadRequest: the result holds no network, or one of another architecture.
    """
    net = copy.deepcopy(original(key))
    state = net.state_dict()
    stored = {n.removeprefix(STATE): v for n, v in arrays.items() if n.startswith(STATE)}
    fitting = stored.keys() <= state.keys() and bool(stored)
    if not fitting or any(stored[n].shape != tuple(state[n].shape) for n in stored):
        raise BadRequest("This result holds no model that fits.", "Choose a corrected model.")
    state |= {name: torch.from_numpy(np.array(value)) for name, value in stored.items()}
    net.load_state_dict(state)
    return net.eval().requires_grad_(False)


def kept_state(net: GuidedNet) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """What of a network differs from its original: everything but the frozen trunk."""
    return {
        f"{STATE}{name}": value.numpy()
        for name, value in net.state_dict().items()
        if not name.startswith("trunk.")
    }


def images(held: GuidedSet, rows: I64) -> Tensor:
    """Images ``(b, 3, h, w)`` float32 in [0, 1]."""
    pixels = torch.from_numpy(np.ascontiguousarray(held.read(rows.tolist())))
    return pixels.permute(0, 3, 1, 2).float() / 255.0


@torch.inference_mode()
def inner(
    held: GuidedSet,
    net: GuidedNet,
    rows: I64,
    progress: Progress | None = None,
    maps: F32 | None = None,
) -> Tensor:
    """The trunk's activations ``(n, c, h, w)`` float32; with ``maps``, of the images whose most
    attended region is set to mid-grey (for MaskTune).
    """
    net.eval()
    found = []
    for start in range(0, len(rows), BATCH):
        x = images(held, rows[start : start + BATCH])
        if maps is not None:
            part = torch.from_numpy(maps[start : start + BATCH])
            size = int(x.shape[2]), int(x.shape[3])
            x = torch.where(hidden_region(part, size), torch.full_like(x, 0.5), x)
        found.append(net.trunk(x.contiguous(memory_format=torch.channels_last)).contiguous())
        if progress is not None:
            progress(min(start + BATCH, len(rows)), len(rows))
    return torch.cat(found)


def gathered(
    held: GuidedSet, net: GuidedNet, split: str, progress: Progress | None = None
) -> Examples:
    """A split as :class:`Examples`; masks in the cells of the network's maps where known.

    Raises:
        BadRequest: the split has no item.
    """
    rows = held.rows(split)
    if not len(rows):
        raise BadRequest(f"{held.title} has no {split} items.", "Add some, and the set again.")
    x = inner(held, net, rows, progress)
    with torch.inference_mode():
        height, width = net.eval().features(x[:1]).shape[2:]
    masks = held.cover(rows.tolist(), (int(height), int(width))) if held.cover else None
    return Examples(x.clone(), held.labels[rows], held.groups[rows], masks)
