"""What can go wrong on the Zoom-In page: files, paths, links, models. All of it is a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from backend.zoom import images, opening, own
from backend.zoom.library import library
from components.runtime import Services
from tests.browser.driving import Traffic, open_page, settle
from tests.browser.zoom_cases import MODEL, now, open_zoom, ready, zoom_app


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Services]]:
    with zoom_app(tmp_path_factory.mktemp("zoom")) as found:
        yield found


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "No path is given"),
        ("../../etc/passwd", "allowed folder"),
        ("nothing.png", "nothing.png"),
        ("broken.png", "broken.png"),
    ],
)
def test_a_path_that_cannot_be_opened(
    page: Page, app_url: str, traffic: Traffic, path: str, sentence: str
):
    open_zoom(page, app_url)
    traffic.allow("/_zoom/info")
    traffic.allow("Failed to load resource")
    page.locator("#zoom-path").fill(path)
    page.locator("#zoom-path").press("Enter")
    note = page.locator("#zoom-note")
    expect(note).to_have_class(re.compile("zoom-bad"))
    expect(note).to_contain_text(sentence)
    assert now(page, "image.key") == opening.IMAGE


def test_a_path_and_an_upload_open(page: Page, app_url: str, tmp_path: Path):
    open_zoom(page, app_url)
    page.locator("#zoom-path").fill("mine.png")
    page.locator("#zoom-path").press("Enter")
    page.wait_for_function("() => loupe.zoom.now.image?.key === 'file:mine.png'")
    ready(page)
    expect(page.locator("#zoom-answer")).to_contain_text("Nobody knows the truth here")
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (200, 260, 3), np.uint8)).save(tmp_path / "up.png")
    with page.expect_file_chooser() as chooser:
        page.locator("#zoom-upload").click()
    chooser.value.set_files(tmp_path / "up.png")
    page.wait_for_function("() => loupe.zoom.now.image?.kind === 'upload'")
    ready(page)
    expect(page.locator("#zoom-list [aria-selected=true]")).to_be_in_viewport()


def test_an_upload_that_is_no_image(page: Page, app_url: str, traffic: Traffic, tmp_path: Path):
    open_zoom(page, app_url)
    traffic.allow("/_zoom/upload")
    traffic.allow("Failed to load resource")
    (tmp_path / "notes.png").write_text("not an image")
    with page.expect_file_chooser() as chooser:
        page.locator("#zoom-upload").click()
    chooser.value.set_files(tmp_path / "notes.png")
    note = page.locator("#zoom-note")
    expect(note).to_have_class(re.compile("zoom-bad"))
    expect(note).not_to_have_text("")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("&n=0", "n=0 is not a whole number from 1 to 256"),
        ("&policy=all", "policy=all is not one of sample, topk"),
        ("&layers=alpha,nothing", "layers=alpha,nothing is not"),
        ("&flavour=vanilla", "“flavour” is not a setting of this page"),
    ],
)
def test_unusable_links_open_with_a_sentence(page: Page, app_url: str, query: str, sentence: str):
    open_zoom(page, app_url, query)
    expect(page.locator(".mantine-Notification-root").first).to_contain_text(sentence)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("&image=needle:99999", "There is no row 99999"),
        ("&image=file:../secret.png", "allowed folder"),
        ("&image=file:broken.png", "cannot be used"),
        ("&region=1,2", "region=1,2 is no rectangle"),
        ("&image=large:4096", "not built yet"),
    ],
)
def test_what_cannot_be_shown_says_why(page: Page, app_url: str, query: str, sentence: str):
    open_page(page, f"{app_url}/zoom?model={MODEL}{query}")
    card = page.locator("#zoom-viewer")
    expect(card).to_have_attribute("data-state", re.compile("failed|empty"))
    expect(card.locator(".plot-card-notice")).to_contain_text(sentence)


def test_a_rectangle_outside_the_image_is_refused(page: Page, app_url: str):
    open_page(page, f"{app_url}/zoom?model={MODEL}&region=5000,5000,100,100")
    card = page.locator("#zoom-answer")
    expect(card).to_have_attribute("data-state", "failed", timeout=60_000)
    expect(card).to_contain_text("holds too little of the image")


def test_without_a_model_the_image_is_shown_and_the_page_says_so(
    page: Page, app_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(own, "models", dict)
    open_page(page, f"{app_url}/zoom")
    expect(page.locator("#zoom-answer")).to_contain_text("No model that looks in two stages")
    expect(page.locator("#zoom-viewer")).to_have_attribute("data-state", "ready")
    page.wait_for_function("() => loupe.zoomViewer.place()")


def test_training_says_what_is_missing(page: Page, app_url: str, traffic: Traffic):
    open_zoom(page, app_url)
    traffic.allow("/_zoom/train")
    traffic.allow("Failed to load resource")
    note = page.locator("#zoom-train-note")
    page.locator("#zoom-train-start").click()
    expect(note).to_contain_text("The model has no name")
    page.locator("#zoom-train-name").fill("Not A Name")
    page.locator("#zoom-train-folder").fill("nowhere")
    page.locator("#zoom-train-start").click()
    expect(note).to_contain_text("cannot be the name of a model")
    page.locator("#zoom-train-name").fill("mine")
    page.locator("#zoom-train-start").click()
    expect(note).to_contain_text("holds no images", timeout=60_000)
    settle(page)


def test_a_file_without_levels_gets_its_pyramid_and_gets_it_again(
    page: Page, app_url: str, services: Services, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(images, "is_small", lambda *_: False)
    open_zoom(page, app_url)
    held = library(services.settings)
    for _ in range(2):
        page.evaluate("() => loupe.zoomList.choose('file:mine.png')")
        page.wait_for_function(
            """() => loupe.zoom.now.image?.key === 'file:mine.png'
            && loupe.zoom.now.image.state === 'ready'""",
            timeout=60_000,
        )
        ready(page)
        page.evaluate("() => loupe.zoomList.choose('needle:1')")
        page.wait_for_function("() => loupe.zoom.now.image?.key === 'needle:1'")
        ready(page)
        path = held.pyramid_path(held.info("file:mine.png").fingerprint)
        assert path.is_file()
        path.unlink()  # as when room is made for others
