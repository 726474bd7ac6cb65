"""umap-learn, with its compiled code kept on disk.

It compiles its loops at the first layout of every process, which takes 10 s of a core. numba can
keep what it compiled, as it does for our own kernels; umap-learn does not ask for that, so we do.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Final

MODULES: Final = ("umap.umap_", "umap.utils", "umap.distances", "umap.layouts")
_kept: set[str] = set()


def layout(**options: Any) -> Any:
    """A ``umap.UMAP`` with these options."""
    import umap

    for name in MODULES:
        if name in sys.modules and name not in _kept:
            _keep(name)
            _kept.add(name)
    return umap.UMAP(**options)


def _keep(name: str) -> None:
    """Lets numba keep what it compiles of a module; where no folder can be written, it does not."""
    from numba.core.dispatcher import Dispatcher

    for function in vars(sys.modules[name]).values():
        if isinstance(function, Dispatcher) and function.py_func.__module__ == name:
            with contextlib.suppress(RuntimeError):
                function.enable_caching()
