"""Every kind of data set: added by its path, indexed, opened from its card, and drawn."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from backend.registry import adding, computed, sets, store
from components.runtime import Services
from tests import own_answers as answers
from tests import own_models as own
from tests import own_sets_made as made
from tests.browser.driving import open_page, settle
from tests.browser.harness import running_app

DRAWN = {
    "NERO": "#nero-items .ag-center-cols-container .ag-row",
    "Zoom-In": "#zoom-list [data-key^='set:mine/'][aria-selected='true'] img",
    "Insights": "button:has-text('Fit a model')",
    "Modality gap": "#modality-gap-one h3",
}
KINDS = [kind for kind in made.KINDS if kind != "folder"]  # from a classifier on: test_library


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    """An app of its own, with a model for the sets of labelled images."""
    folder = tmp_path_factory.mktemp("kinds")
    with running_app(folder) as found:
        model = own.onnx_file(folder / "m.onnx")
        adding.add_model(str(model), "light", {"classes": "bright,dark"})
        yield found
    store.use(None)


@pytest.mark.parametrize("kind", KINDS)
def test_added_indexed_opened_and_drawn(
    page: Page, app_url: str, services: Services, kind: str
) -> None:
    root = services.settings.roots[0] / kind
    root.mkdir(parents=True, exist_ok=True)  # a second try finds the first one's
    path = made.KINDS[kind](root).relative_to(services.settings.roots[0])
    open_page(page, f"{app_url}/library")
    form = page.locator("#library-add-set")
    form.get_by_label("or a folder").fill(path.as_posix())
    form.get_by_label("Kind").select_option(made.TOLD.get(kind, {}).get("kind", ""))
    form.get_by_label("Name").fill("mine")
    form.get_by_role("button", name="Look at it first").click()
    expect(page.locator("#library-preview p").first).to_contain_text(
        "kind " if kind in sets.KINDS else "classes"
    )
    form.get_by_role("button", name="Index and add").click()
    link = page.locator("#library-set-mine .library-views a").first
    expect(link).to_be_visible(timeout=60_000)
    view = link.inner_text().removeprefix("Open in ")
    link.click()
    expect(page.locator(DRAWN[view]).first).to_be_visible(timeout=60_000)
    settle(page)  # what the page still asks of the set is not to find it gone
    adding.remove_set("mine")


def model_of(task: str, folder: Path) -> tuple[Path, Path, str]:
    """A network of a task, data that it answers about, and its classes."""
    if task == "detection":
        path = made.boxes(folder)
        path.write_text(path.read_text().replace("bird", "lamp"))
        crop = torch.zeros(2, 3, 128, 128)
        return answers.onnx_file(folder / "m.onnx", answers.Anchors(), crop), path, "lamp, moon"
    if task == "piv":
        pair = torch.zeros(2, 2, 96, 96)
        return answers.onnx_file(folder / "m.onnx", answers.Drift(), pair), made.frames(folder), ""
    for place, name in enumerate(answers.SHAPES):
        (folder / "solids" / name).mkdir(parents=True)
        np.save(folder / "solids" / name / "one.npy", answers.clouds()[place])
    cloud = torch.rand(2, 1024, 3)
    path = answers.onnx_file(folder / "m.onnx", answers.Tall(), cloud)
    return path, folder / "solids", "flat, tall"


@pytest.fixture
def left_empty(services: Services):
    """What a test of these registers is gone after it, however it ends."""
    yield
    if "own-model" in store.required().models(now=True):
        adding.remove_model("own-model")
    if "own-data" in store.required().sets(now=True):
        adding.remove_set("own-data")


@pytest.mark.usefixtures("left_empty")
@pytest.mark.parametrize("task", ["detection", "piv", "points"])
def test_models_of_other_tasks_answer_about_data_of_ones_own(
    page: Page, app_url: str, services: Services, task: str, tmp_path: Path
) -> None:
    model, data, classes = model_of(task, tmp_path)
    adding.add_set(str(data), "own-data", {"kind": "frames"} if task == "piv" else {})
    open_page(page, f"{app_url}/library")
    if task != "piv":  # about motion the bundled models answer too
        expect(page.locator("#library-set-own-data")).to_contain_text("No model is registered")
    form = page.locator("#library-add-model")
    form.locator("input[type=file]").set_input_files(model)
    form.get_by_label("Name").fill("own-model")
    form.get_by_label("It answers about").select_option(task)
    form.get_by_label("Classes").fill(classes)
    form.get_by_role("button", name="Check on three items").click()
    card = page.locator("#library-model-own-model")
    expect(card).to_contain_text("Ran on 3 items", timeout=60_000)
    expect(card).to_contain_text("Not in Zoom-In, Crayon, Metric learning")
    card.get_by_role("button", name="Edit").click()
    expect(card.get_by_label("Classes")).to_have_count(0 if task == "piv" else 1)
    card.get_by_text("Open in NERO").click()
    expect(page.locator("#nero-task")).to_have_value("own-data")
    expect(page.locator(DRAWN["NERO"]).first).to_be_visible(timeout=60_000)
    expect(page.locator("#nero-aggregate")).to_contain_text("own-model")
    settle(page)


def test_all_images_are_looked_at_filtered_and_selected(
    page: Page, app_url: str, services: Services
) -> None:
    folder = own.images(services.settings.roots[0] / "rooms", count=30)
    shutil.copy(folder / "dark" / "0.png", folder / "bright" / "same.png")
    adding.add_set(str(folder), "rooms", {})
    open_page(page, f"{app_url}/library")
    page.locator("#library-set-rooms").get_by_text("Look at all of them").click()
    cells = page.locator("#images-grid .images-cell")
    expect(cells.first.locator("img")).to_have_js_property("naturalWidth", 96)
    expect(page.locator("#images-said")).to_contain_text("61 of 61 images")
    page.get_by_label("Class").select_option(label="dark (30)")
    expect(page.locator("#images-said")).to_contain_text("30 of 61 images")
    expect(page).to_have_url(re.compile("label=1"))
    cells.nth(1).click()
    cells.nth(3).click(modifiers=["Shift"])
    expect(page.locator("#shelf-button-count")).to_have_text("3")
    expect(page.locator("#images-one")).to_contain_text("dark/11.png")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#shelf-button-count")).to_have_text("4")
    page.get_by_label("Marked", exact=True).first.click()
    page.get_by_role("option", name="Selected", exact=True).click()
    expect(page.locator("#images-said")).to_contain_text("4 of 61 images")
    page.locator("#images-grid").focus()
    page.keyboard.press("Escape")
    expect(page.locator("#images-said")).to_contain_text("0 of 61 images")
    grid = page.locator("#images-grid")
    expect(grid).to_have_attribute("data-empty", re.compile("Nothing is selected"))
    page.keyboard.press("ArrowRight")  # there is nowhere to go, and nothing to complain about
    page.keyboard.press("Enter")
    open_page(page, f"{app_url}/images?set=rooms&marks=wrong")
    expect(grid).to_have_attribute("data-empty", re.compile("No predictions are imported"))
    open_page(page, f"{app_url}/images?set=rooms&marks=conflict")
    expect(page.locator("#images-said")).to_contain_text("2 of 61 images")
    expect(cells.locator(".images-mark").first).to_have_attribute("title", re.compile("label"))
    expect(page.locator("#images-map")).to_be_hidden()
    a_lasso_in_an_imported_projection_filters(page, app_url, folder)
    page.locator("#images-views").get_by_role("link", name="Open in NERO").click()
    expect(page.locator("#nero-task")).to_have_value("rooms")
    expect(page.locator("#shelf-button-count")).to_have_text("30")  # what is selected goes along
    settle(page)
    adding.remove_set("rooms")


def a_lasso_in_an_imported_projection_filters(page: Page, app_url: str, folder: Path) -> None:
    """Of 61 rows 60 have a place: two heaps, the first half of them at the left."""
    rows = np.arange(60)
    place = {"x": np.where(rows < 30, 0.0, 10.0) + rows % 5, "y": (rows % 7).astype(float)}
    path = computed.write(folder.parent / "map.npz", "scores", "rooms", "UMAP", rows, place)
    key = computed.take_in(path.with_suffix(".npz")).key
    open_page(page, f"{app_url}/images?set=rooms&with={key}")
    expect(page.locator("#images-map-key")).to_have_text("brightdark")
    box = page.locator("#images-map-points").bounding_box()
    assert box
    left, top = box["x"] + 3, box["y"] + 3
    page.mouse.move(left, top)
    page.mouse.down()
    across, down = left + box["width"] / 2, top + box["height"] - 6
    for x, y in ((left, down), (across, down), (across, top), (left, top)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    expect(page.locator("#images-said")).to_contain_text("30 of 61 images")
    expect(page).to_have_url(re.compile("marks=selected"))
    expect(page.locator("#shelf-button-count")).to_have_text("30")


def test_no_label_has_a_colour_of_its_own(page: Page, app_url: str, services: Services) -> None:
    root = services.settings.roots[0] / "many"
    own.images(root, count=10)
    labels = [*(f"class {i}" for i in range(9)), ""]
    rows = [f"many/dark/{i}.png,{label}" for i, label in enumerate(labels)]
    table = root.parent / "many.csv"
    table.write_text("\n".join(["file,label", *rows]))
    adding.add_set(str(table), "many", {})
    place = {"x": np.arange(10.0), "y": np.arange(10.0)}
    path = computed.write(root.parent / "m.npz", "scores", "many", "UMAP", np.arange(10), place)
    key = computed.take_in(path.with_suffix(".npz")).key
    open_page(page, f"{app_url}/images?set=many&with={key}")
    legend = page.locator("#images-map-key span")
    told = [*(f"class {i}" for i in range(6)), "the other 3 classes", "no label"]
    expect(legend).to_have_text(told)
    shown = "spans => spans.map(span => getComputedStyle(span.firstChild).backgroundColor)"
    light = legend.evaluate_all(shown)
    assert len(set(light)) == 8
    page.evaluate("loupe.theme.set('dark')")
    expect(legend.last.locator("i")).not_to_have_css("background-color", light[-1])
    dark = legend.evaluate_all(shown)
    assert dark[:-1] == light[:-1]
    page.evaluate("loupe.theme.set('auto')")
    adding.remove_set("many")
