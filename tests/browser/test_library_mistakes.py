"""Mistakes on the Library page: nothing typed is lost, and sentences name what is on the page."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.registry import adding, store
from components.runtime import Services
from tests import own_models as own
from tests.browser.driving import open_page, settle
from tests.browser.harness import running_app


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    """An app of its own, with a model and a set."""
    folder = tmp_path_factory.mktemp("library")
    with running_app(folder) as found:
        services = found[1]
        store.use(services.engine, services.settings)
        root = services.settings.roots[0]
        own.images(root / "rooms")
        lines = [f"rooms/{kind}/{i}.png,{kind}\n" for kind in own.CLASSES for i in range(6)]
        (root / "rooms.csv").write_text("file,kind\n" + "".join(lines))
        adding.add_set(str(root / "rooms"), "rooms", {"classes": "dark,bright"})
        classes = {"classes": "dark,bright"}
        adding.add_model(str(own.onnx_file(folder / "light.onnx")), "light", classes)
        yield found
    store.use(None)


def sent(form: Locator, said: str) -> None:
    """Presses Enter on the button of a form; the focus is there again once it has answered."""
    button = form.locator("button[type=submit]")
    button.press("Enter")
    expect(form.locator(".library-said")).to_contain_text(said, timeout=60_000)
    expect(button).to_be_focused()


def test_a_wrong_form_says_its_own_fields_and_keeps_them(
    page: Page, app_url: str, tmp_path: Path
) -> None:
    open_page(page, f"{app_url}/library")
    form = page.locator("#library-add-model")
    file, name = form.locator("input[type=file]"), form.get_by_label("Name")
    form.locator(".library-label", has_text="Name").click()
    expect(name).to_be_focused()
    name.fill("other")
    (tmp_path / "cut.onnx").write_bytes(b"no model")
    file.set_input_files(tmp_path / "cut.onnx")
    sent(form, "cut.onnx is not an ONNX file")
    file.set_input_files(own.onnx_file(tmp_path / "m.onnx"))
    form.get_by_label("Input").fill("3x64x64")
    sent(form, "“Input” says 3x64x64")
    expect(name).to_have_value("other")
    assert file.evaluate("(input) => input.files.length") == 1
    (tmp_path / "large.onnx").write_bytes(bytes(8_000_000))
    file.set_input_files(tmp_path / "large.onnx")
    sent(form, "larger than this server takes at once")


def test_a_taken_name_is_asked_about(page: Page, app_url: str, tmp_path: Path) -> None:
    open_page(page, f"{app_url}/library")
    form = page.locator("#library-add-model")
    form.locator("input[type=file]").set_input_files(own.onnx_file(tmp_path / "m.onnx"))
    form.get_by_label("Name").fill("light")
    form.get_by_label("Classes").fill("night, day")
    form.get_by_text("More", exact=True).click()
    form.get_by_label("Range of pixels").select_option("0..255")
    form.locator("button[type=submit]").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("There is a model light already.")
    page.keyboard.press("Escape")
    card = page.locator("#library-model-light")
    expect(card).to_contain_text("dark, bright")
    expect(form.get_by_label("Name")).to_have_value("light")
    form.locator("button[type=submit]").click()
    dialog.get_by_role("button", name="Replace light").click()
    expect(card).to_contain_text("night, day", timeout=60_000)
    expect(form.get_by_label("Range of pixels")).to_have_value("")  # it was of that file


def test_an_open_card_keeps_what_is_typed(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/library")
    card = page.locator("#library-model-light")
    card.get_by_role("button", name="Edit").click()
    card.get_by_label("Licence").fill("MIT, half ty")
    again = page.locator("#library-set-rooms").get_by_role("button", name="Index again")
    again.click()
    expect(page.locator("#library-set-rooms")).to_contain_text("unchanged", timeout=30_000)
    expect(card.get_by_label("Licence")).to_have_value("MIT, half ty")
    expect(card.get_by_label("Licence")).to_be_visible()
    card.get_by_role("button", name="Check again").press("Enter")
    expect(card.locator("form")).to_be_hidden(timeout=30_000)
    expect(card.get_by_role("button", name="Edit")).to_be_focused()


def test_a_look_leaves_nothing_behind(page: Page, app_url: str, traffic) -> None:
    open_page(page, f"{app_url}/library")
    form, preview = page.locator("#library-add-set"), page.locator("#library-preview")
    path, look = form.get_by_label("or a folder"), form.get_by_role("button", name="Look at it")
    path.fill("rooms.csv")
    look.click()
    expect(preview).to_contain_text("12 images, no labels (name their column under More)")
    image = form.locator("[name=image]")
    expect(image).to_have_attribute("placeholder", "guessed: file")
    path.fill("rooms")
    look.click()
    expect(preview).to_contain_text("12 images, 2 classes")
    expect(image).to_have_attribute("placeholder", "guessed")
    traffic.allow("400")
    path.fill("lost")
    look.click()
    expect(form.locator(".library-said")).to_contain_text("There is no 'lost'")
    expect(preview).to_be_empty()


def test_the_grid_of_a_set_that_is_gone(
    page: Page, app_url: str, services: Services, traffic, tmp_path: Path
) -> None:
    many = own.images(tmp_path / "many", count=200)
    adding.add_set(str(many), "many", {})
    traffic.allow("404")
    open_page(page, f"{app_url}/images?set=many&label=1&row=250")
    said = page.locator("#images-said")
    expect(said).to_contain_text("200 of 400 images")
    page.locator("#images-grid img").first.wait_for()
    adding.remove_set("many")
    page.locator("#images-grid").evaluate("(grid) => { grid.scrollTop = 1e6; }")
    expect(said).to_have_text("many was removed from the Library: choose another data set.")
    page.reload()
    expect(said).to_contain_text("12 of 12 images")  # not a class of the other set
    expect(page).to_have_url(re.compile("/images\\?set=rooms$"))


def test_another_set_is_shown_from_its_start(page: Page, app_url: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        for path in own.images(tmp_path / "more", count=8).rglob("*.png"):
            archive.write(path, path.relative_to(tmp_path))
    open_page(page, f"{app_url}/library")
    form = page.locator("#library-add-set")
    form.locator("input[type=file]").set_input_files(tmp_path / "more.zip")
    form.get_by_label("Name").fill("more")
    sent(form, "more is registered")
    open_page(page, f"{app_url}/images?set=rooms&label=1&row=8")
    said = page.locator("#images-said")
    expect(said).to_contain_text("6 of 12 images")
    page.get_by_label("Data set").first.click()
    page.get_by_role("option", name="more", exact=True).click()
    expect(said).to_contain_text("16 of 16 images")
    chosen = page.locator("#images-class")
    expect(chosen).to_have_value("-2")
    page.locator("#undo-button").click()  # the set and its class are one step
    expect(said).to_contain_text("6 of 12 images")
    expect(chosen).to_have_value("1")
    page.locator("#redo-button").click()
    expect(said).to_contain_text("16 of 16 images")
    settle(page)
    adding.remove_set("more")
