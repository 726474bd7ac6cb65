"""What the header says about the device until the worker that holds it has answered.

``assets/14-device.js`` asks once and puts the exact answer in; the web process has no torch.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

from backend.settings import Settings

_NVIDIA: Final = Path("/proc/driver/nvidia")
_NAMES: Final = {"cuda": "GPU (CUDA)", "mps": "GPU (Apple)"}


def device_text(settings: Settings) -> str:
    """``CPU · 2 threads``, ``GPU (CUDA)``, or ``Device: auto`` where only the worker can know."""
    if settings.device in _NAMES:
        return _NAMES[settings.device]
    may_have_gpu = _NVIDIA.exists() or platform.system() in ("Darwin", "Windows")
    if settings.device == "auto" and may_have_gpu:
        return "Device: auto"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = settings.torch_threads or cores or 1
    return f"CPU · {threads} thread{'' if threads == 1 else 's'}"
