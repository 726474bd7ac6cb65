"""Where models run: resolved once, said in a sentence when it is not there. Imports torch only
when asked.
"""

from __future__ import annotations

import os
from typing import Final

from backend.errors import BadRequest

NAMES: Final = ("auto", "cpu", "cuda", "mps")


def available() -> list[str]:
    """The devices of this machine, fastest first; ``cpu`` is always among them."""
    import torch

    found = (
        [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def resolve(name: str = "auto") -> str:
    """The device behind a setting: ``cpu``, ``cuda:0`` or ``mps``.

    Raises:
        BadRequest: the name is unknown, or this machine has no such device.
    """
    if name not in NAMES:
        raise BadRequest(f"Device {name!r} is not known.", f"Allowed are {', '.join(NAMES)}.")
    found = available()
    if name == "auto":
        return found[0]
    for device in found:
        if device.split(":")[0] == name:
            return device
    raise BadRequest(
        f"Device {name!r} was asked for, but this machine has none.",
        f"It has {', '.join(found)}; LOUPE_DEVICE=auto takes the best of them.",
    )


def set_threads(count: int = 0) -> int:
    """Fixes the threads of a forward pass on the CPU and returns their number; 0 takes every
    usable core.
    """
    import torch

    threads = count or len(os.sched_getaffinity(0))
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads


def let_threads_sleep() -> None:
    """Makes waiting threads of a forward pass sleep instead of spinning; call it before torch is
    loaded.

    On a busy machine spinning made small batches nine times slower. OpenMP reads this when it
    starts.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def describe(device: str) -> str:
    """The device in words for the header, such as ``CPU, 2 threads, AVX2, no fast bf16``."""
    import torch

    if device.startswith("cuda"):
        return f"GPU, {torch.cuda.get_device_name(device)}"
    if device == "mps":
        return "GPU, Apple (MPS)"
    level = torch.backends.cpu.get_cpu_capability()
    half = "fast bf16" if has_fast_bf16(device) else "no fast bf16"
    return f"CPU, {torch.get_num_threads()} threads, {level}, {half}"


def has_fast_bf16(device: str) -> bool:
    """Whether bfloat16 speeds a forward pass up here; emulated bfloat16 slows it down."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return device == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
