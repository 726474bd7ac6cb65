"""The features of a content by name, as forms and models read them. No torch."""

from __future__ import annotations

from backend.insights.contents import Contents


def features_of(held: Contents, row: int) -> dict[str, float | str]:
    """The features of a content by name, missing ones left out."""
    found: dict[str, float | str] = {
        name: float(values[row])
        for name, values in held.numbers.items()
        if values[row] == values[row]
    }
    for name, choice in held.choices.items():
        if choice.codes[row] >= 0:
            found[name] = choice.values[int(choice.codes[row])]
    return found
