"""The Library page, and the way from a file of one's own to its orbits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from backend.registry import adding, store
from backend.settings import PROJECT
from components.runtime import Services
from tests import own_models as own
from tests.browser.driving import open_page, settle
from tests.browser.harness import running_app


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    """An app of its own: what is registered here is nobody else's."""
    with running_app(tmp_path_factory.mktemp("library")) as found:
        yield found
    store.use(None)


@pytest.fixture(autouse=True)
def empty(served: tuple[str, Services]):
    """Every test starts and ends with nothing registered."""
    services = served[1]
    store.use(services.engine, services.settings)
    yield
    for name in list(store.required().models(now=True)):
        adding.remove_model(name)
    for name in list(store.required().sets(now=True)):
        adding.remove_set(name)


def command(services: Services, *words: str) -> str:
    """What ``python -m backend …`` says, on the app's own state folder."""
    env = {"LOUPE_STATE_DIR": str(services.settings.state_dir), "PATH": "/usr/bin:/bin"}
    found = subprocess.run(
        [sys.executable, "-m", "backend", *words],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=env,
        check=True,
    )
    return found.stdout


def test_from_an_exported_classifier_and_a_folder_to_orbits(
    page: Page, app_url: str, services: Services, tmp_path: Path
) -> None:
    images, model = own.images(tmp_path / "rooms"), own.exported(tmp_path / "m.pt2")
    adding.add_set(str(images), "rooms", {"classes": "dark,bright"})
    told = command(
        services, "models", "add", str(model), "--name", "light", "--classes", "dark,bright"
    )
    assert "NERO: /nero?task=rooms--1x12x12&models=light&focus=light" in told
    open_page(page, f"{app_url}/library")
    card = page.locator("#library-model-light")
    expect(card).to_contain_text("Ran on 3 items")
    expect(card).to_contain_text("Open in Zoom-In (class map)")
    expect(card).to_contain_text("Not in Crayon, Insights")
    card.get_by_text("Open in NERO").click()
    expect(page.locator("#nero-task")).to_have_value("rooms")
    expect(page.locator("#nero-items .ag-center-cols-container .ag-row").first).to_be_visible(
        timeout=60_000
    )
    settle(page)
    curve = page.evaluate(
        "Array.from(document.querySelector('#nero-aggregate .js-plotly-plot')"
        ".data.find((trace) => trace.r?.length > 10).r)"
    )
    assert np.allclose(curve, 1.0)  # a turned bright picture stays bright
    page.reload()
    expect(page.locator("#nero-task")).to_have_value("rooms")


def test_add_edit_and_remove_on_the_page(page: Page, app_url: str, tmp_path: Path) -> None:
    open_page(page, f"{app_url}/library")
    expect(page.locator("#library-models")).to_contain_text("No model of yours")
    form = page.locator("#library-add-model")
    form.get_by_role("button", name="Check on three items").click()
    form.get_by_label("Name").fill("light")
    form.get_by_role("button", name="Check on three items").click()
    expect(form.locator(".library-said")).to_have_text("Choose a file first.")
    form.locator("input[type=file]").set_input_files(own.onnx_file(tmp_path / "m.onnx"))
    form.get_by_label("Classes").fill("dark, bright")
    form.get_by_role("button", name="Check on three items").click()
    card = page.locator("#library-model-light")
    expect(card).to_contain_text("logits, 2 classes: dark, bright", timeout=60_000)
    expect(card).to_contain_text("No data set fits it")
    np.savez(
        tmp_path / "rooms.npz",
        images=np.stack([np.full((12, 12), 20 * i, np.uint8) for i in range(12)]),
        labels=np.repeat([0, 1], 6),
    )
    data = page.locator("#library-add-set")
    data.locator("input[type=file]").set_input_files(tmp_path / "rooms.npz")
    data.get_by_label("Name").fill("rooms")
    data.get_by_label("Classes").fill("dark,bright")
    data.get_by_role("button", name="Index and add").click()
    expect(page.locator("#library-set-rooms")).to_contain_text("12, 12 × 12 px", timeout=30_000)
    expect(card.get_by_text("Open in NERO")).to_be_visible()
    card.get_by_role("button", name="Edit").click()
    edit = card.locator("form")
    edit.get_by_label("Std").fill("0")
    edit.get_by_role("button", name="Check again").click()
    expect(edit.locator(".library-said")).to_contain_text("all must be above 0", timeout=30_000)
    edit.get_by_label("Std").fill("0.5")
    edit.get_by_role("button", name="Check again").click()
    expect(card).to_contain_text("std 0.5", timeout=30_000)
    card.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove light").last.click()
    expect(page.locator("#library-models")).to_contain_text("No model of yours")


def test_look_before_adding_and_index_again(
    page: Page, app_url: str, services: Services, traffic
) -> None:
    root = services.settings.roots[0]
    own.images(root / "rooms")
    (root / "rooms.csv").write_text("file,kind\nrooms/dark/0.png,dark\nrooms/lost.png,dark\n")
    open_page(page, f"{app_url}/library")
    form = page.locator("#library-add-set")
    form.get_by_label("or a folder").fill("rooms.csv")
    form.get_by_role("button", name="Look at it first").click()
    preview = page.locator("#library-preview")
    expect(preview).to_contain_text("1 images, no labels")
    expect(preview).to_contain_text("Row 3: there is no file rooms/lost.png.")
    expect(preview).to_contain_text("Columns: file, kind.")
    traffic.allow("400")
    form.get_by_label("or a folder").fill("/etc")
    form.get_by_role("button", name="Look at it first").click()
    expect(form.locator(".library-said")).to_contain_text("LOUPE_ROOTS")
    form.get_by_label("or a folder").fill("rooms")
    form.get_by_label("Name").fill("rooms")
    form.get_by_role("button", name="Index and add").click()
    card = page.locator("#library-set-rooms")
    expect(card).to_contain_text("dark 6", timeout=30_000)
    expect(card.locator(".library-strip img").first).to_have_js_property("naturalWidth", 96)
    own.images(root / "rooms", count=8)
    card.get_by_role("button", name="Index again").click()
    expect(card).to_contain_text("dark 8", timeout=30_000)


def test_what_can_run_code_shows_the_command(
    page: Page, app_url: str, traffic, tmp_path: Path
) -> None:
    open_page(page, f"{app_url}/library")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy: python -m backend models add model.pt2").last.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "python -m backend models add model.pt2 --name mine"
    traffic.allow("400")
    (tmp_path / "m.pt2").write_bytes(b"x")
    form = page.locator("#library-add-model")
    form.locator("input[type=file]").set_input_files(tmp_path / "m.pt2")
    form.get_by_label("Name").fill("light")
    form.get_by_role("button", name="Check on three items").click()
    expect(form.locator(".library-said")).to_contain_text("python -m backend models add m.pt2")


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_nothing_is_wider_than_the_page(page: Page, app_url: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_page(page, f"{app_url}/library")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
