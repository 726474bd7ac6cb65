"""What a draft changes in a content: its words, features, domain and places of its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from backend.errors import BadRequest
from backend.insights.checks import MOST_CHARACTERS, MOST_WORDS, as_number
from backend.insights.contents import Contents, Edit
from backend.insights.pictures import checked_edits
from backend.insights.table import cell_text

NAMES: Final = ("fields", "features", "domain", "edits")


@dataclass(frozen=True, slots=True)
class Changes:
    """Only what differs from the content.

    Attributes:
        fields: new texts by field; features: new values by name, None for missing.
        domain: another domain's number, or None.
        edits: see :data:`backend.insights.contents.Edit`.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, float | str | None] = field(default_factory=dict)
    domain: int | None = None
    edits: Sequence[Edit] = ()

    def parts(self, held: Contents, row: int) -> tuple[str, ...]:
        """The texts of a content after the change, by field."""
        old = zip(held.fields, held.parts[row], strict=True)
        return tuple(self.fields.get(name, text) for name, text in old)

    def told(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {"fields": dict(self.fields), "features": dict(self.features)}
        found["edits"] = [dict(edit) for edit in self.edits]
        return found if self.domain is None else found | {"domain": self.domain}


def checked(held: Contents, given: object) -> Changes:
    """Changes as they came from outside, if all of them can be made to a content of this set.

    Raises:
        BadRequest: one cannot; names it.
    """
    said = {} if given is None else given
    if not isinstance(said, Mapping) or not set(said) <= set(NAMES):
        raise BadRequest("The draft is not usable.", f"It names only {', '.join(NAMES)}.")
    domain = said.get("domain")
    if domain is not None and (type(domain) is not int or not 0 <= domain < len(held.domains)):
        raise BadRequest(
            f"There is no domain {str(domain)[:20]}.", f"Domains are 0 to {len(held.domains) - 1}."
        )
    return Changes(
        fields=_fields(held, said.get("fields") or {}),
        features=_features(held, said.get("features") or {}),
        domain=domain,
        edits=checked_edits(held, list(said.get("edits") or [])),
    )


def _fields(held: Contents, given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise BadRequest("The draft's fields are not usable.", "Reload the page.")
    found = {}
    for name, text in given.items():
        if name not in held.fields or not isinstance(text, str):
            raise BadRequest(
                f"{held.title} has no text {str(name)[:40]!r}.", f"It has {', '.join(held.fields)}."
            )
        words = len(text.split())
        if words > MOST_WORDS or len(text) > MOST_CHARACTERS:
            raise BadRequest(
                f"The {name} has {words:,} words and {len(text):,} characters.",
                f"Allowed are {MOST_WORDS:,} words and {MOST_CHARACTERS:,} characters.",
            )
        found[name] = cell_text(text)
    return found


def _features(held: Contents, given: object) -> dict[str, float | str | None]:
    if not isinstance(given, Mapping):
        raise BadRequest("The draft's features are not usable.", "Reload the page.")
    found: dict[str, float | str | None] = {}
    for name, value in given.items():
        if name in held.numbers:
            number = None if value in (None, "") else as_number(str(value))
            if number is None and value not in (None, ""):
                raise BadRequest(f"{name}={str(value)[:40]!r} is not a number.")
            found[name] = number
        elif name in held.choices:
            values = held.choices[name].values
            if value not in (None, "", *values):
                raise BadRequest(
                    f"{name}={str(value)[:40]!r} is not known.", f"Allowed: {', '.join(values)}."
                )
            found[name] = str(value) if value else None
        else:
            names = ", ".join([*held.numbers, *held.choices]) or "none"
            raise BadRequest(
                f"There is no feature {str(name)[:40]!r}.", f"Features of {held.title}: {names}."
            )
    return found
