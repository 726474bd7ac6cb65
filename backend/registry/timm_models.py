"""Networks of timm, with weights that lie on this machine: nothing is downloaded or unpickled.

timm is optional, and needs a torchvision that fits torch; both are imported where they are used.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import nn

from backend.errors import BadRequest
from backend.registry.answers import CLASSIFICATION
from backend.registry.spec import counted

WEIGHTS: Final = "model.safetensors"  # as timm names them on the Hub
FAILED: Final = (RuntimeError, ValueError, KeyError, AttributeError, OSError)


def task_of(name: str) -> str:
    """Every network of timm classifies images."""
    del name
    return CLASSIFICATION


def told(name: str) -> dict[str, Any]:
    """Input, scaling and classes of ``name``, as timm tells them; empty where it does not.

    Raises:
        BadRequest: as :func:`weights`, but for weights that are not here.
    """
    config = _config(name)
    return {
        "input": tuple(config.input_size),
        "mean": tuple(config.mean),
        "std": tuple(config.std),
        "classes": _classes(config),
    }


def weights(name: str) -> Path:
    """The file of the weights of ``name`` in the cache of the Hugging Face Hub.

    Raises:
        BadRequest: timm is not installed or does not know the name, or the file is not there.
    """
    from huggingface_hub import try_to_load_from_cache

    config = _config(name)
    found = try_to_load_from_cache(config.hf_hub_id, WEIGHTS) if config.hf_hub_id else None
    if not isinstance(found, str):
        raise BadRequest(
            f"The weights of {name} are not on this machine, and Loupe downloads nothing.",
            f"Run `hf download {config.hf_hub_id} {WEIGHTS}`, or give a .safetensors of your own "
            f"with --factory timm:{config.architecture}."
            if config.hf_hub_id
            else f"Give a .safetensors of your own with --factory timm:{name}.",
        )
    return Path(found)


def network(name: str) -> nn.Module:
    """The network ``name`` with the weights of :func:`weights`.

    Raises:
        BadRequest: as :func:`weights`, or they do not fit.
    """
    overlay = {"file": str(weights(name)), "source": "file"}
    try:
        made = _library().create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except FAILED as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[0][:200]
        raise BadRequest(f"timm cannot load the weights of {name}.", said) from error
    return cast(nn.Module, made.eval())


def factory(name: str) -> partial[Any]:
    """What makes the network ``name``, without weights, for a number of classes.

    Raises:
        BadRequest: timm is not installed, or does not know the name.
    """
    _config(name)
    create = _library().create_model
    return partial(_with_classes, create, name)


def _with_classes(create: Any, name: str, classes: int) -> Any:
    return create(name, pretrained=False, num_classes=classes)


def _library() -> Any:
    try:
        import timm
    except ImportError as error:
        package = (error.name or "timm").partition(".")[0]
        if package == "timm":
            raise BadRequest(
                "The package timm is not installed.", "Run `pip install timm`."
            ) from error
        raise BadRequest(
            f"timm needs the package {package}, which is not installed.",
            f"Install the {package} that fits torch {torch.__version__}.",
        ) from error
    return timm


def _config(name: str) -> Any:
    timm = _library()
    if not timm.is_model(name):  # nor an address such as hf-hub:..., which would be downloaded
        raise BadRequest(f"timm has no model {name[:60]!r}.", "timm.list_models() lists them.")
    try:
        found = timm.models.get_pretrained_cfg(name)
    except RuntimeError as error:  # a tag that it does not know
        raise BadRequest(
            f"timm has no weights {name[:80]!r}.", "timm.list_pretrained() lists them."
        ) from error
    if found is None:
        raise BadRequest(
            f"timm has no weights of {name[:60]}.",
            f"Give a .safetensors of your own with --factory timm:{name[:60]}.",
        )
    return found


def _classes(config: Any) -> tuple[str, ...]:
    """The names of ImageNet's classes where the head is theirs; two that are called alike are told
    apart by their synsets.
    """
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(config.to_dict())
    if subset != "imagenet-1k":
        return counted(config.num_classes)
    info = ImageNetInfo(subset)
    synonyms = [info.index_to_description(row) for row in range(config.num_classes)]
    names = [name.partition(",")[0] for name in synonyms]
    often = Counter(names)
    return tuple(
        name if often[name] == 1 else f"{name} ({info.index_to_label_name(row)})"
        for row, name in enumerate(names)
    )
