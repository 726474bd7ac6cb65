"""Whether a request has the form of one of this app's callbacks.

Callbacks are an open HTTP interface. Dash takes what it is sent and fails somewhere inside; here a
request must name exactly the components of the callback, in their order, before Dash sees it. The
values are the callback's own business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

ONE: Final = (["MATCH"],)
SEVERAL: Final = (["ALL"], ["ALLSMALLER"])
ADDRESS: Final = "_pages_location"  # Dash's own, whose callback chooses the page


class Slot(NamedTuple):
    """A property of a component, or of several where the id has a wildcard for that."""

    component: str | dict[str, Any]
    name: str

    @classmethod
    def of(cls, component: str, name: str) -> Slot:
        parsed = json.loads(component) if component.startswith("{") else component
        return cls(parsed, _clean(name))

    @property
    def is_several(self) -> bool:
        return isinstance(self.component, dict) and any(
            part in SEVERAL for part in self.component.values()
        )


def fits(known: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether ``body`` is a request for ``known``, a row of Dash's callback map."""
    changed = body.get("changedPropIds", [])
    return (
        _fill(_slots(known["inputs"]), body.get("inputs", []))
        and _fill(_slots(known["state"]), body.get("state", []))
        and _fills_outputs(known, body.get("outputs"))
        and isinstance(changed, list)
        and all(isinstance(item, str) for item in changed)
        and all(_is_address(given) for given in body.get("inputs", []))
    )


def _slots(specs: Sequence[Mapping[str, str]]) -> list[Slot]:
    return [Slot.of(spec["id"], spec["property"]) for spec in specs]


def _fills_outputs(known: Mapping[str, Any], given: object) -> bool:
    if known["no_output"]:
        return True
    output = known["output"]
    many = isinstance(output, list | tuple)
    slots = [
        Slot.of(one.component_id_str(), one.component_property)
        for one in (output if many else [output])
    ]
    return _fill(slots, given if many else [given])


def _fill(slots: Sequence[Slot], given: object) -> bool:
    """Whether ``given`` names the slots, in their order."""
    if not isinstance(given, list) or len(given) != len(slots):
        return False
    return all(
        isinstance(value, list) and all(_is(slot, one) for one in value)
        if slot.is_several
        else _is(slot, value)
        for slot, value in zip(slots, given, strict=True)
    )


def _is(slot: Slot, value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("property"), str):
        return False
    given = value.get("id")
    if _clean(value["property"]) != slot.name:
        return False
    if isinstance(slot.component, str) or not isinstance(given, dict):
        return bool(given == slot.component)
    return given.keys() == slot.component.keys() and all(
        isinstance(given[key], str | int | float)
        if part in SEVERAL or part in ONE
        else given[key] == part
        for key, part in slot.component.items()
    )


def _is_address(given: object) -> bool:
    """Whether Dash's router can read the address, if ``given`` is a part of one."""
    if not isinstance(given, dict) or given.get("id") != ADDRESS:
        return True
    value = given.get("value")
    start = "/" if given.get("property") == "pathname" else ""
    return isinstance(value, str) and value.startswith(start)


def _clean(name: str) -> str:
    """A property without the mark that Dash adds to one of several callbacks with one output."""
    return name.partition("@")[0]
