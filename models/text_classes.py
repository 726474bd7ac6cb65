"""The kinds of things that definitions are of, and what a text encoder is told of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PROMPTS: Final[Mapping[str, str]] = {
    "animal": "animals",
    "body part": "body parts",
    "feeling": "feelings and emotions",
    "food": "foods and drinks",
    "place": "spatial position",
    "person": "people",
    "plant": "plants",
    "possession": "possession and transfer of possession",
    "shape": "two and three dimensional shapes",
    "time": "time and temporal relations",
}
"""What WordNet's manual says of each of its lexicographer files (lexnames(5)), word for word after
"nouns denoting": nobody tuned the prompts to the items.
"""
