"""What one inference costs: convolution arithmetic and memory, counted operation by operation."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_aten = torch.ops.aten
# Inside inference_mode the first names are seen, elsewhere what they are made of.
CONVOLUTIONS = (_aten.conv2d.default, _aten.convolution.default)
PRODUCTS = (_aten.linear.default, _aten.addmm.default, _aten.mm.default)


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what happens while it is entered.

    Attributes:
        flops: multiply-adds of convolutions and linear layers, each counted once, no bias:
            ``C_in k² H_out W_out C_out``, equation (2.10) of the source.
        peak_bytes: the most that tensors made meanwhile, and images read (:meth:`read`), held at
            one moment. Weights and a kernel's own scratch memory do not count.
        pixels_read: pixels handed over by the image, at whatever scale.
        seconds: wall time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0
        self.peak_bytes = 0
        self.pixels_read = 0
        self.seconds = 0.0
        self._held: dict[int, int] = {}
        self._bytes = 0
        self._since_s = 0.0

    def __enter__(self) -> Meter:
        self._since_s = time.perf_counter()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self.seconds += time.perf_counter() - self._since_s

    def elapsed_s(self) -> float:
        """Wall time up to now, while the meter is entered."""
        return self.seconds + time.perf_counter() - self._since_s

    def read(self, pixels: int, held: Tensor) -> None:
        """Count an image part that was read into ``held``."""
        self.pixels_read += pixels
        self._keep(held)

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in CONVOLUTIONS:
            weight = cast(Tensor, args[1])
            self.flops += cast(Tensor, out).numel() * weight[0].numel()
        elif func in PRODUCTS:
            left = cast(Tensor, args[1] if func is _aten.addmm.default else args[0])
            self.flops += cast(Tensor, out).numel() * left.shape[-1]
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._keep(tensor)
        return out

    def _keep(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._held:
            return
        self._held[key] = size
        self._bytes += size
        self.peak_bytes = max(self.peak_bytes, self._bytes)
        weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self._bytes -= self._held.pop(key, 0)
