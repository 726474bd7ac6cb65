"""The app that the tests of the Zoom-In page run on: a tiny model and two images of the user's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page
from safetensors.torch import save_file

from backend.zoom import own
from components.runtime import Services
from models.cards import InputSpec, ModelCard, dump_card
from models.needle_scenes import CLASSES
from models.zoom_net import ZoomNet
from tests.browser.driving import open_page, settle
from tests.browser.harness import running_app

MODEL = "own-tiny"
READY = """() => ['viewer', 'answer', 'cost', 'share', 'pieces', 'images'].every((name) =>
    document.getElementById('zoom-' + name)?.dataset.state === 'ready')
    && loupe.zoom.now.draws && loupe.zoomViewer.place()"""
INKED = """() => { const c = document.querySelector('.zoom-overlay');
    const {data} = c.getContext('2d').getImageData(0, 0, c.width, c.height);
    let n = 0; for (let i = 3; i < data.length; i += 4) n += data[i] > 0; return n; }"""
STILL = """() => { const at = JSON.stringify(loupe.zoomViewer.seen());
    const was = window.__at; window.__at = at; return was === at; }"""


@contextmanager
def zoom_app(folder: Path) -> Iterator[tuple[str, Services]]:
    """Address and services of an app whose state folder holds the model and the images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOUPE_STATE_DIR", str(folder))
        write_model()
        images = folder / "images"
        images.mkdir(parents=True)
        rng = np.random.default_rng(0)
        Image.fromarray(rng.integers(0, 255, (300, 500, 3), np.uint8)).save(images / "mine.png")
        (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more of it")
        with running_app(folder) as served:
            yield served


def write_model() -> None:
    """A two-stage network that was never trained, as a model of the user's."""
    torch.manual_seed(0)
    place = own.folder()
    place.mkdir(parents=True)
    weights = place / f"{MODEL}.safetensors"
    save_file(ZoomNet(2).state_dict(), weights)
    card = ModelCard(
        key=MODEL, title="Tiny", task="needles", summary="Untrained.", architecture="ZoomNet",
        input=InputSpec(3, 1024, 1024), classes=CLASSES, layers=("a",), licence="none", data="none",
        command="none", metrics={}, weights_file=weights.name,
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(), limits="Knows nothing.",
    )  # fmt: skip
    (place / f"{MODEL}.toml").write_text(dump_card(card), encoding="utf-8")


def open_zoom(page: Page, url: str, query: str = "") -> None:
    """Open the page on the tiny model and wait until everything is drawn."""
    open_page(page, f"{url}/zoom?model={MODEL}{query}")
    ready(page)


def ready(page: Page) -> None:
    page.wait_for_function(READY, timeout=120_000)
    settle(page, 90)


def rest(page: Page) -> None:
    """Wait until the viewer does not move any more."""
    page.evaluate("() => { window.__at = null; }")
    page.wait_for_function(STILL, polling=120)


def now(page: Page, path: str) -> Any:
    """A value of what the page shows, such as ``look.answer``."""
    return page.evaluate(f"() => loupe.zoom.now.{path}")


def inked(page: Page) -> int:
    """How many pixels of the layers are painted."""
    found: int = page.evaluate(INKED)
    return found


def wait_inked(page: Page, test: str) -> None:
    """Wait until the number ``n`` of painted pixels passes a test; layers follow a frame later."""
    page.wait_for_function(f"() => {{ const n = ({INKED})(); return {test}; }}")


def on_screen(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the image is in the window."""
    place = page.evaluate(
        """([x, y]) => { const {left, top, scale} = loupe.zoomViewer.place();
        const box = document.getElementById('zoom-osd').getBoundingClientRect();
        return [box.left + left + x * scale, box.top + top + y * scale]; }""",
        [x, y],
    )
    return place[0], place[1]
