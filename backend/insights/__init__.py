"""Marketing insights: which phrases and patches go with success, and how far to trust that.

Source: Advancing Vision Intelligence (dissertation, 2024), chapter 3. Importing this package loads
no torch, so the web process may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.insights.attributions import Attribution
    from backend.insights.contents import Contents
    from backend.insights.models import InsightModel

__all__ = ["attribute"]


def attribute(
    model: InsightModel, content: tuple[Contents, int], method: str = "integrated-gradients"
) -> Attribution:
    """What each word, place, domain and feature of a content adds to its predicted success.

    Args:
        model: from ``backend.insights.models.load``.
        content: a set and a row of it.
        method: one of ``backend.insights.attributions.METHODS``.

    Raises:
        NotFound: there is no such row. BadRequest: there is no such method.
    """
    from backend.insights import attributions, parts  # torch is loaded by those who explain only

    held, row = content
    opened = parts.open_rows(model, held, [held.checked_row(row)])
    return attributions.attribute(model, opened, attributions.checked_method(method))[0]
