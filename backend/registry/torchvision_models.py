"""Networks of torchvision, with weights that lie on this machine: nothing is downloaded, and
torchvision's own files, which are pickles, are not opened.

torchvision is optional, must fit torch, and is imported where it is used.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from backend.errors import BadRequest
from backend.registry.answers import CLASSIFICATION, DETECTION, MOTION
from backend.registry.spec import unlike

BROKEN: Final = (RuntimeError, ValueError, KeyError, OSError, SafetensorError)
SCALES_ITSELF: Final = ("googlenet", "inception_v3")
"""Their published weights expect the network to scale its input, which it does only if told to."""


def task_of(name: str) -> str:
    """What ``name`` answers: classes, boxes, or the flow between two images.

    Raises:
        BadRequest: torchvision is not installed, or does not know the name.
    """
    known, models = name.partition(".")[0], _library()
    modules = {
        CLASSIFICATION: models,
        DETECTION: models.detection,
        MOTION: models.optical_flow,
    }
    for task, module in modules.items():
        if known in models.list_models(module=module):
            return task
    raise BadRequest(
        f"torchvision has no classifier, detector or optical flow {known[:60]!r}.",
        "torchvision.models.list_models() lists them; segmentation and video have no view.",
    )


def told(name: str) -> dict[str, Any]:
    """Input, scaling and classes of ``name``, as torchvision tells them.

    Raises:
        BadRequest: as :func:`weights`, but for weights that are not here.
    """
    task = task_of(name)
    if task == MOTION:  # RAFT: two colour images from -1 to 1, of any side
        return {"usual": (3, 128, 128), "range": "-1..1"}
    entry = _entry(name)
    if task == DETECTION:  # they scale and normalise inside
        return {"classes": unlike(entry.meta["categories"])}
    preset = entry.transforms()
    size = preset.crop_size[0]
    return {
        "input": (3, size, size),
        "mean": tuple(preset.mean),
        "std": tuple(preset.std),
        "classes": tuple(entry.meta["categories"]),
    }


def weights(name: str) -> Path:
    """The file of the weights of ``name``: in the folder to which torchvision downloads, under
    the name that it gives them, as .safetensors.

    Raises:
        BadRequest: torchvision is not installed or does not know the name, or the file is not
            there; says how to make it.
    """
    entry = _entry(name)
    path = Path(torch.hub.get_dir()) / "checkpoints" / f"{Path(entry.url).stem}.safetensors"
    if not path.is_file():
        known = name.partition(".")[0]
        raise BadRequest(
            f"The weights of {name} are not on this machine as .safetensors, and Loupe neither "
            "downloads nor unpickles.",
            'Run `python -c "import safetensors.torch as s, torchvision.models as m; '
            f"s.save_model(m.get_model('{known}', weights='{entry.name}'), '{path}')\"`, or give a "
            f".safetensors of your own with --factory torchvision:{known}.",
        )
    return path


def network(name: str) -> nn.Module:
    """The network ``name`` with the weights of :func:`weights`.

    Raises:
        BadRequest: as :func:`weights`, or they do not fit.
    """
    path, known = weights(name), name.partition(".")[0]
    scales = {"transform_input": True} if known in SCALES_ITSELF else {}
    made = cast(nn.Module, _create(known, **scales))
    try:
        made.load_state_dict(load_file(path))
    except BROKEN as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[0][:200]
        raise BadRequest(
            f"The file {path.name} does not hold the weights of {name}.", said
        ) from error
    return made.eval()


def factory(name: str) -> partial[Any]:
    """What makes the network ``name``, without weights, for a number of classes.

    Raises:
        BadRequest: torchvision is not installed, or does not know the name.
    """
    task_of(name)
    return partial(_with_classes, name)


def _with_classes(name: str, classes: int) -> Any:
    return _create(name, **({"num_classes": classes} if classes else {}))


def _create(name: str, **how: Any) -> Any:
    if name in SCALES_ITSELF:  # theirs take half a minute
        how["init_weights"] = False
    if task_of(name) == DETECTION:  # which would download their backbones
        how["weights_backbone"] = None
    return _library().get_model(name, weights=None, **how)


def _library() -> Any:
    try:
        import torchvision
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        raise BadRequest(
            "The package torchvision is not installed, or does not fit torch.",
            f"Install the torchvision that fits torch {torch.__version__}.",
        ) from error
    return torchvision.models


def _entry(name: str) -> Any:
    """The published weights ``name`` (``resnet18``, ``resnet50.IMAGENET1K_V1``)."""
    known, _, version = name.partition(".")
    task_of(known)
    held = _library().get_model_weights(known)
    wanted = version or "DEFAULT"
    if wanted not in held.__members__:
        raise BadRequest(
            f"torchvision has no weights {name[:80]!r}.",
            f"There are {', '.join(held.__members__) or 'none'}, such as {known}."
            f"{next(iter(held.__members__), '')}.",
        )
    return held[wanted]
