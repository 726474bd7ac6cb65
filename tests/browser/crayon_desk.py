"""The app on which people answer in tests; its maps and patches are made up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page

from backend.crayon import requests, sets
from backend.crayon.answers import Answer, Scope
from components.runtime import Services
from tests.browser.harness import running_app

SET = "garments"
READY = """() => { const round = window.loupe?.crayonPanel?.round();
    return Boolean(round?.now && round.told) && loupe.crayonStage.isSeen(round); }"""
SAVED = "() => loupe.crayonSender.status().waiting === 0"


@contextmanager
def desk_app(folder: Path) -> Iterator[tuple[str, Services]]:
    """Address and services of an app with maps and patches of the garments in its store."""
    with running_app(folder) as (url, services):
        held, rng = sets.load(SET), np.random.default_rng(0)
        maps = rng.random((len(held), 7, 7)).astype(np.float32)
        maps /= maps.max(axis=(1, 2), keepdims=True)
        probabilities = np.full((len(held), len(held.classes)), 1 / len(held.classes), np.float32)
        found = {"maps": maps, "probabilities": probabilities}
        services.store.put(requests.maps_job(SET).key, found)
        others = requests.maps_job(SET, saliency="score-cam").key
        services.store.put(others, {**found, "maps": maps[:, ::-1]})
        services.store.put(requests.patches_job(SET).key, patches(held.rows("training")))
        yield url, services


def patches(rows: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Four neurons with seven distinct patches; the first is owned by two."""
    places = np.array([[rows[i], i, i] for i in range(7)])
    owners = np.array([[0, 1, 2], [0, 3, 4], [5, 6, 3], [1, 2, 4]])
    return {
        "patches": places,
        "owners": owners,
        "activations": np.ones((4, 3), np.float32),
        "shape": np.array((7, 7)),
        "alone": np.array([0.9, 0.91, 0.85, 0.9]),
        "accuracy": np.array([0.9]),
    }


def scope(kind: str = "map") -> Scope:
    return Scope(SET, requests.fingerprint(SET), kind)


def standing(services: Services, who: str, kind: str = "map") -> list[Answer]:
    """The answers of a person that stand."""
    return services.answers.current(scope(kind), who)


def rows(services: Services, who: str) -> list[Answer]:
    """Every row of a person, in the order of storing."""
    return [a for a in services.answers.everything() if a.annotator == who]


def newcomer(services: Services, name: str) -> str:
    """A name that nobody has answered under, also when a test runs once more."""
    return f"{name}-{len(services.answers.everything())}"


def open_desk(page: Page, url: str, who: str, query: str = "") -> None:
    """Open the page by a person's link and wait until the first item is on screen."""
    page.goto(f"{url}/crayon?set={SET}&as={who}{query}")
    ready(page)


def ready(page: Page) -> None:
    page.wait_for_function(READY, timeout=60_000)


def saved(page: Page) -> None:
    page.wait_for_function(SAVED)


def asked(page: Page) -> int:
    """The item that is on screen."""
    found: int = page.evaluate("() => loupe.crayonPanel.round().now.item.item_id")
    return found


def press(page: Page, key: str) -> int:
    """Answer what is on screen by a key; returns which item that was."""
    page.wait_for_function(READY, timeout=60_000)
    item = asked(page)
    page.keyboard.press(key)
    return item
