"""Crayon: yes/no answers about a model's own explanations, and the training they steer.

After Lee, Payani and Chau 2024, "Effective Guidance for Model Attention with Simple Yes-no
Annotations" (arXiv:2410.22312). Importing this package loads no torch, so the web process may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.crayon.refinement import Refined

__all__ = ["refine"]


def refine(*args: Any, **kwargs: Any) -> Refined:
    """Corrects a model by answers; see :func:`backend.crayon.refinement.refine`."""
    from backend.crayon import refinement  # torch is loaded by those who train only

    return refinement.refine(*args, **kwargs)
