"""Numbers that the source prints, shown as reported and never beside ours in one column.

Source: Advancing Vision Intelligence (dissertation, 2024), tables 3.2 and 3.3; its data are not
public.
"""

from __future__ import annotations

from typing import Final

NAMES: Final = ("in_rmse", "in_mae", "out_rmse", "out_mae")
CHANGES: Final = {
    "glm": ("0 %", "0 %", "0 %", "0 %"),
    "mlp-features": ("−42 %", "−31 %", "−44 %", "−35 %"),
    "mlp-domain": ("−54 %", "−33 %", "−50 %", "−29 %"),
    "xgboost": ("−38 %", "−9 %", "−41 %", "−24 %"),
    "image": ("−25 %", "19 % (as printed)", "−38 %", "−12 %"),
    "text": ("−59 %", "−64 %", "−59 %", "−66 %"),
    "all": ("−68 %", "−65 %", "−66 %", "−75 %"),
}
TABLE_3_2: Final = [
    {"model": model, **dict(zip(NAMES, changes, strict=True))} for model, changes in CHANGES.items()
]
"""Change of the error against the GLM."""
