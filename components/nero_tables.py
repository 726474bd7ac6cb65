"""The tables behind the NERO page's plots: what the page shows, from its view state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from backend import catalog, datasets
from backend.errors import BadRequest, NotFound
from backend.nero import tables, tasks
from backend.nero.requests import OrbitRequest, ProjectionRequest
from backend.nero.result import OrbitResult
from backend.protocols import JSON
from components import nero_layout as parts
from components.nero_spec import PROJECTION_SEED, projection_subset
from components.runtime import services
from components.tables import register_table

RELOAD: Final = "Wait until the plots are drawn, or reload the page."


@dataclass(frozen=True, slots=True)
class View:
    """The page's view state, as far as its tables need it; ``rows`` are those of the subset."""

    task: str
    models: list[str]
    step_deg: float
    focus: str
    method: str
    subset: Any
    row: int
    angle_deg: float

    @classmethod
    def of(cls, state: Mapping[str, JSON]) -> View:
        """Read what ``loupe.state.current()`` sent.

        Raises:
            BadRequest: a value is missing or of another kind.
            NotFound: the task or the item does not exist.
        """
        values: Any = state.get("values")
        try:
            task, models = str(values["task"]), [str(key) for key in values["models"]]
            items = datasets.load(tasks.find(task).item_set)
            subset = projection_subset(task, str(values["subset"]), _mapping(state, "selection"))
            row = np.flatnonzero(items.ids == int(values["item"]))
            view = cls(
                task,
                models,
                float(values["step"]),
                str(values["focus"]),
                str(values["method"]),
                subset,
                int(row[0]) if len(row) else -1,
                float(values["angle"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequest("This view cannot be read as a table.", "Reload the page.") from error
        if view.row < 0:
            raise NotFound(f"There is no item {values['item']} in {items.title}.")
        return view

    def rows(self) -> list[int]:
        """Rows of the task's set that the subset holds."""
        labels = datasets.load(tasks.find(self.task).item_set).labels
        if self.subset == "all":
            return list(range(len(labels)))
        if "class" in self.subset:
            return [int(row) for row in np.flatnonzero(labels == self.subset["class"])]
        return [int(row) for row in self.subset["rows"]]

    def result(self, model: str) -> OrbitResult:
        """The stored orbit of one model.

        Raises:
            NotFound: it is not computed yet.
        """
        arrays = services().store.get(OrbitRequest(self.task, model, self.step_deg).job().key)
        if arrays is None:
            raise NotFound("These numbers are not computed yet.", RELOAD)
        return OrbitResult.from_arrays(arrays)

    def results(self) -> dict[str, OrbitResult]:
        return {catalog.card(key).title: self.result(key) for key in self.models}

    def placed(self) -> pd.DataFrame:
        request = ProjectionRequest(
            self.task, self.focus, self.step_deg, self.subset, self.method, PROJECTION_SEED
        )
        arrays = services().store.get(request.job().key)
        if arrays is None:
            raise NotFound("This map is not computed yet.", RELOAD)
        title, rows = catalog.card(self.focus).title, arrays["rows"].astype(np.int64)
        xy = arrays["xy"].astype(np.float32)
        return tables.projection(self.result(self.focus), title, xy, rows)

    def outputs(self) -> pd.DataFrame:
        size = len(next(iter(self.results().values())).angles_deg)
        element = round(self.angle_deg / 360 * size) % size
        return tables.outputs(self.results(), self.row, element)

    def confusion(self) -> pd.DataFrame:
        title = catalog.card(self.focus).title
        return tables.confusion(self.result(self.focus), title, self.rows())


def _mapping(state: Mapping[str, JSON], key: str) -> Mapping[str, JSON]:
    found = state.get(key)
    return found if isinstance(found, Mapping) else {}


MAKERS: Final[Mapping[str, Callable[[View], pd.DataFrame]]] = {
    parts.AGGREGATE: lambda view: tables.aggregate(view.results(), view.rows()),
    parts.PROJECTION: View.placed,
    parts.INDIVIDUAL: lambda view: tables.orbit(view.results(), view.row),
    parts.DETAIL: View.outputs,
    parts.CONFUSION: View.confusion,
    parts.WORST: lambda view: tables.items(view.results(), view.rows()),
}


def register() -> None:
    """Offer a table for each plot under the name of its card."""
    for name, make in MAKERS.items():
        register_table(name, partial(_made, make))


def _made(make: Callable[[View], pd.DataFrame], state: Mapping[str, JSON]) -> pd.DataFrame:
    return make(View.of(state))
