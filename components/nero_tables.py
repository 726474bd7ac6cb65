"""The tables behind the NERO page's plots: what the page shows, from its view state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from backend import catalog
from backend.errors import BadRequest, NotFound
from backend.nero import tables, tasks
from backend.nero.consensus import consensus
from backend.nero.orbits import Orbit
from backend.nero.requests import OrbitRequest
from backend.nero.result import OrbitResult
from backend.protocols import JSON
from components import nero_layout as parts
from components import nero_payload, nero_spec, nero_state
from components.nero_state import Place
from components.runtime import services
from components.tables import register_table

RELOAD: Final = "Wait until the plots are drawn, or reload the page."


@dataclass(frozen=True, slots=True)
class View:
    """The page's view state, as far as its tables need it."""

    where: Place
    models: list[str]
    step: str
    focus: str
    method: str
    subset: str
    metric: str
    side: str
    row: int
    place: float
    selection: Mapping[str, JSON]

    @classmethod
    def of(cls, state: Mapping[str, JSON]) -> View:
        """Read what ``loupe.state.current()`` sent.

        Raises:
            BadRequest: a value is missing or of another kind.
            NotFound: the task or the item does not exist.
        """
        values: Any = state.get("values")
        try:
            tasks.find(str(values["task"]))
            where = nero_state.place(values)
            row = np.flatnonzero(where.items.ids == int(values["item"]))
            is_round = where.family.orbit(str(values["step"])).layout == "circle"
            view = cls(
                where,
                [str(key) for key in values["models"]],
                str(values["step"]),
                str(values["focus"]),
                str(values["method"]),
                str(values["subset"]),
                str(values.get("metric", "")),
                str(values.get("consensus", "truth")),
                int(row[0]) if len(row) else -1,
                float(values["angle"] if is_round else values.get("element", -1)),
                _mapping(state, "selection"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequest("This view cannot be read as a table.", "Reload the page.") from error
        if view.row < 0:
            raise NotFound(f"There is no item {values['item']} in {where.items.title}.")
        return view

    @property
    def orbit(self) -> Orbit:
        """The orbit shown."""
        return self.where.family.orbit(self.step)

    @property
    def element(self) -> int:
        """The computed element at or nearest to the cursor."""
        orbit = self.orbit
        if orbit.layout == "circle":
            return round(self.place / 360 * orbit.size) % orbit.size
        known = 0 <= self.place < orbit.size
        return int(self.place) if known else nero_spec.telling_element(orbit)

    @property
    def single(self) -> Any:
        """What plots of one item show: the name of its metric, and which end is good."""
        told = {m["name"]: m for m in nero_spec.metrics(self.where)}
        chosen = told.get(self.metric) or next(iter(told.values()))
        return told.get(str(chosen["single"]), chosen)

    def rows(self) -> list[int]:
        """Rows of the set that the subset holds."""
        subset = nero_spec.projection_subset(self.where.items, self.subset, self.selection)
        labels = np.asarray(self.where.items.labels)
        if subset == "all":
            return list(range(len(labels)))
        if "class" in subset:
            return [int(row) for row in np.flatnonzero(labels == subset["class"])]
        return [int(row) for row in subset["rows"]]

    def key(self, model: str) -> str:
        """The key of one model's stored orbit."""
        request = OrbitRequest(self.where.task, model, self.orbit.key, dataset=self.where.items.key)
        return request.job().key

    def result(self, model: str) -> OrbitResult:
        """The stored orbit of one model, by truth or consensus as the page shows it.

        Raises:
            NotFound: it is not computed yet.
        """
        arrays = services().store.get(self.key(model))
        if arrays is None:
            raise NotFound("These numbers are not computed yet.", RELOAD)
        result = OrbitResult.from_arrays(arrays)
        return consensus(result) if self.side == "consensus" else result

    def results(self) -> dict[str, OrbitResult]:
        """Those of all models, by title; with both sides, each one twice."""
        found = {catalog.card(key).title: self.result(key) for key in self.models}
        if self.side != "both":
            return found
        sides = (("Truth: ", lambda result: result), ("Consensus: ", consensus))
        return {
            f"{name}{title}": side(result)
            for title, result in found.items()
            for name, side in sides
        }

    def placed(self) -> pd.DataFrame:
        """Where the dots of the map lie."""
        curves = {"metric": self.single["name"], "consensus": self.side}
        request = nero_spec.curves_of(
            self.where, self.focus, self.step, self.subset, self.method, curves, self.selection
        )
        arrays = services().store.get(request.job().key)
        if arrays is None:
            raise NotFound("This map is not computed yet.", RELOAD)
        title, rows = catalog.card(self.focus).title, arrays["rows"].astype(np.int64)
        xy = arrays["xy"].astype(np.float32)
        return tables.projection(self.result(self.focus), title, xy, rows, self.single["name"])

    def outputs(self) -> pd.DataFrame:
        """What each model answers at the cursor."""
        if nero_state.answers_classes(self.where.task):
            return tables.outputs(self.results(), self.orbit, self.row, self.element)
        held = [services().store.get(self.key(model)) or {} for model in self.models]
        found = nero_payload.of_results(held, self.row)
        if not found:
            item = int(self.where.items.ids[self.row])
            found = nero_payload.computed(
                self.where.task, self.models, item, self.orbit.key, self.where.items.key
            )
        titles = [catalog.card(key).title for key in self.models]
        return _payload_table(found, titles, self.element, self.where.items.classes)

    def groups(self) -> pd.DataFrame:
        """What items turn into, or how the kinds of items fare."""
        if not nero_state.answers_classes(self.where.task):
            return tables.by_class(self.results(), self.rows(), self.single["name"])
        title = catalog.card(self.focus).title
        return tables.confusion(self.result(self.focus), self.orbit, title, self.rows())

    def worst(self) -> pd.DataFrame:
        """Every item with its worst element."""
        single = self.single
        return tables.items(
            self.results(), self.orbit, self.rows(), single["name"], single["higher_is_better"]
        )

    def similar(self) -> pd.DataFrame:
        """The items that fare alike."""
        title = catalog.card(self.focus).title
        return tables.similar(self.result(self.focus), self.orbit, title, self.row)


def _payload_table(
    found: Mapping[str, Any], titles: list[str], element: int, classes: Any
) -> pd.DataFrame:
    """Boxes or vectors of one element, whichever the outputs are."""
    if "boxes_0" in found:
        boxes = {title: found[f"boxes_{i}"][element] for i, title in enumerate(titles)}
        return tables.boxes(boxes, classes)
    fields = {title: found[f"field_{i}"][element] for i, title in enumerate(titles)}
    if "truth" in found and np.ndim(found["truth"]) == 4:
        fields["truth"] = found["truth"][element]
    return tables.vectors(fields)


def _mapping(state: Mapping[str, JSON], key: str) -> Mapping[str, JSON]:
    found = state.get(key)
    return found if isinstance(found, Mapping) else {}


MAKERS: Final[Mapping[str, Callable[[View], pd.DataFrame]]] = {
    parts.AGGREGATE: lambda view: tables.aggregate(view.results(), view.orbit, view.rows()),
    parts.PROJECTION: View.placed,
    parts.INDIVIDUAL: lambda view: tables.orbit(view.results(), view.orbit, view.row),
    parts.DETAIL: View.outputs,
    parts.CONFUSION: View.groups,
    parts.WORST: View.worst,
    parts.SIMILAR: View.similar,
}


def register() -> None:
    """Offer a table for each plot under the name of its card."""
    for name, make in MAKERS.items():
        register_table(name, partial(_made, make))


def _made(make: Callable[[View], pd.DataFrame], state: Mapping[str, JSON]) -> pd.DataFrame:
    return make(View.of(state))
