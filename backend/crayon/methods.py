"""The methods by name and what each needs: for pages too, so without torch."""

from __future__ import annotations

from typing import Final

VARIANTS: Final = ("attention", "pruning", "pruning+attention")
CONTROLS: Final = ("erm", "shuffled", "last-layer", "random-mask")
BASELINES: Final = ("jtt", "masktune", "rrr", "gradmask", "box")
METHODS: Final = (*VARIANTS, *CONTROLS, *BASELINES)
USES_MAPS: Final = ("attention", "pruning+attention", "shuffled")
USES_MASK: Final = ("pruning", "pruning+attention", "random-mask")
LAST_ONLY: Final = ("pruning", "last-layer", "random-mask")
NEEDS_MASKS: Final = ("rrr", "gradmask", "box")

MANDATORY: Final = {
    "attention": ("erm", "shuffled", "last-layer"),
    "pruning": ("erm", "last-layer", "random-mask"),
    "pruning+attention": ("erm", "shuffled", "last-layer", "random-mask"),
}
"""Without these nobody can tell whether the answers helped or training longer did."""

TITLES: Final = {
    "attention": "Crayon-Attention",
    "pruning": "Crayon-Pruning",
    "pruning+attention": "Crayon-Pruning+Attention",
    "erm": "Control: training goes on without answers (ERM)",
    "shuffled": "Control: the answers shuffled over the items",
    "last-layer": "Control: last layer only, nothing pruned",
    "random-mask": "Control: as many neurons pruned, drawn at random",
    "jtt": "JtT: what the original gets wrong weighs more (no annotation)",
    "masktune": "MaskTune: trained on images whose attended region is hidden (no annotation)",
    "rrr": "RRR: gradients off the object are penalised (masks)",
    "gradmask": "GradMask: the contrast's gradients off the object are penalised (masks)",
    "box": "Bounding box: map energy outside of boxes is penalised (boxes)",
}
