"""The views that the tests of NERO's tasks run on, and how they look at what is drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from backend.nero import orbits, tasks
from components.runtime import Services
from tests.browser.driving import open_page, settle
from tests.browser.test_nero import GRAPH, evaluate

SKELETON = [
    f"nero-{name}"
    for name in (
        *("aggregate", "projection", "individual", "input", "detail"),
        *("confusion", "worst", "similar"),
    )
]


@dataclass(frozen=True)
class Case:
    """A view of the page: its task, its orbit (the default one unless named) and its layout."""

    task: str
    layout: str
    orbit: str = ""
    step: str = ""
    models: str = ""

    def __str__(self) -> str:
        return f"{self.task}-{self.orbit or self.layout}"

    @property
    def query(self) -> str:
        parts = {"task": self.task, "orbit": self.orbit, "step": self.step, "models": self.models}
        return "?" + "&".join(f"{name}={text}" for name, text in parts.items() if text)

    @property
    def elements(self) -> Any:
        family = self.orbit or next(iter(orbits.families(tasks.find(self.task).domain)))
        return orbits.find(f"{family}-{self.step}" if self.step else family)

    @property
    def kind(self) -> str:
        return tasks.find(self.task).kind


DIGITS = Case("digits", "circle")
LINE = Case("digits", "line", "jpeg", "10", "digits-plain")
MAP = Case("digits", "heatmap", "shift", "4", "digits-plain")
SCENES = Case("detection", "heatmap")
PAIRS = Case("piv", "squares")
CLOUDS = Case("points", "discs")
TEXTS = Case("texts", "line")
CASES = [DIGITS, LINE, MAP, SCENES, PAIRS, CLOUDS, TEXTS]
CELLS = [case for case in CASES if case.layout != "circle"]
MOVING = [case for case in CASES if case.kind != "invariant"]
every = pytest.mark.parametrize("case", CASES, ids=str)


def ready(page: Page) -> None:
    """Every plot is drawn and the item's outputs are there."""
    page.wait_for_function(
        """() => !document.querySelector('.plot-card[data-state=loading], [data-state=job]')
        && loupe.nero?.now?.payload && loupe.nero.now.placed""",
        timeout=240_000,
    )
    settle(page, 60)


def open_case(page: Page, app_url: str, case: Case, more: str = "") -> None:
    open_page(page, f"{app_url}/nero{case.query}{more}")
    ready(page)


def stored(services: Services, page: Page, place: int = 0) -> dict[str, np.ndarray]:
    """The result that the page shows of one of its models."""
    key = evaluate(page, f"loupe.orbit.current.models[{place}].result")
    arrays = services.store.get(key)
    assert arrays is not None
    return arrays


def point_of(page: Page, element: int) -> tuple[float, float]:
    """Where an element lies in the individual plot, in px of the window."""
    page.locator("#nero-dial").scroll_into_view_if_needed()
    found = page.evaluate(
        """(element) => {
        const gd = document.querySelector('#nero-individual-graph .js-plotly-plot');
        const {orbit} = loupe.orbit.current.spec, box = gd.getBoundingClientRect();
        const layout = loupe.layouts.of(orbit), hits = [];
        // The cell at the middle of a disc is hardly wider than two px.
        for (const step of [2, 0.5]) {
            for (let y = box.top + 1; y < box.bottom && !(step < 1 && hits.length); y += step) {
                for (let x = box.left + 1; x < box.right; x += step) {
                    const at = layout.hit(gd, orbit, {clientX: x, clientY: y});
                    if (at === element) hits.push([x, y]);
                }
            }
            if (hits.length) break;
        }
        return hits.length ? hits[Math.floor(hits.length / 2)] : null; }""",
        element,
    )
    assert found is not None, f"element {element} is nowhere in the plot"
    return found[0], found[1]


def another(case: Case) -> int:
    """An element that is neither the one a view opens on nor the identity."""
    orbit = case.elements
    if case.layout == "discs":
        place = [1.0, 45.0 if orbit.n_axes % 8 == 0 else 60.0, 120.0]
        return int(np.abs(orbit.positions - place).sum(axis=1).argmin())
    return (orbit.identity_index + max(1, orbit.size // 3)) % orbit.size


def shown_values(page: Page, role: str = "cells") -> list[Any]:
    """What the aggregate plot draws of its first model, flat; gaps are None."""
    return page.evaluate(
        """(role) => {
        const {data} = document.querySelector('#nero-aggregate-graph .js-plotly-plot');
        const key = loupe.orbit.current.models[0].key;
        const mine = data.filter(({meta}) => meta?.role === role && meta.model === key);
        const flat = mine.flatMap((t) => Array.from(t.customdata || t.z || t.r || t.y));
        return flat.flatMap((v) => (v?.length === undefined ? [v] : Array.from(v)))
            .map((v) => (Number.isFinite(v) ? v : null)); }""",
        role,
    )


def answers(page: Page, services: Services, case: Case, element: int) -> None:
    """The detail card shows what is stored (or was computed for the item) at an element."""
    row = evaluate(page, "loupe.nero.now.row")
    payload = evaluate(
        page,
        "Object.fromEntries(Object.entries(loupe.nero.now.payload.arrays)"
        ".filter(([name]) => /_0$/.test(name))"
        ".map(([name, {data, shape}]) => [name, {data: Array.from(data), shape}]))",
    )
    held = {name: np.reshape(v["data"], v["shape"]) for name, v in payload.items() if v["data"]}
    arrays = stored(services, page)
    if "outputs_0" in held:
        np.testing.assert_array_equal(held["outputs_0"], arrays["outputs"][row])
        heights = evaluate(page, f"Array.from({GRAPH.format('detail')}.data[0].y)")
        np.testing.assert_allclose(heights, arrays["outputs"][row, element], atol=1e-6)
    elif "boxes_0" in held:
        wanted = arrays["payload_boxes"][row, element]
        kept = wanted[np.isfinite(wanted[:, 0])]
        told = page.locator("#nero-detail .nero-ranks").first.locator("tr[data-rank]")
        scores = told.evaluate_all("rows => rows.map(r => Number(r.cells[2].textContent))")
        np.testing.assert_allclose(scores, kept[: len(scores), 4], atol=0.0051)
        assert len(scores) == len(kept)
    else:
        error = held["error_0"][element]
        caption = page.locator("#nero-detail figcaption .nero-verdict-words").first
        mean = re.search(r"[\d.]+", caption.inner_text())
        assert mean is not None
        assert float(mean.group()) == pytest.approx(float(error.mean()), abs=0.0051)
