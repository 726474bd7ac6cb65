"""A dual encoder of one's own on pairs of one's own: Modality gap, and a pool of Fair retrieval."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from backend.gap import spaces
from backend.registry import adding, store
from components.runtime import Services
from tests import own_models as own
from tests.browser.harness import running_app

PATIENCE_MS = 90_000  # a worker starts and imports transformers, and two cores may be busy
PAGE = "modality-gap"
KEY = "pets--tiny"
CAPTIONS = [" ".join(both) for both in itertools.product(("a", "red", "blue"), own.WORDS[4:])][:14]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    """An app of its own, with pictures of noise, their captions, and a tiny random CLIP."""
    folder = tmp_path_factory.mktemp("dual")
    with running_app(folder) as found:
        pets = folder / "pets"
        for label in ("early", "late"):
            (pets / label).mkdir(parents=True)
        rng = np.random.default_rng(0)
        for i, caption in enumerate(CAPTIONS):
            noise = rng.integers(0, 60 + 14 * i, (96, 64, 3), dtype=np.uint8)
            place = pets / ("early" if i < 8 else "late")
            Image.fromarray(noise).save(place / f"{i:02d}.png")
            (place / f"{i:02d}.txt").write_text(caption)
        adding.add_set(str(pets), "pets", {})
        adding.add_model(str(own.language_folder(folder / "clip", "CLIP")), "tiny", {})
        yield found
    store.use(None)


def opened(page: Page, address: str) -> None:
    page.goto(address)
    for name in ("map", "numbers", "pair"):
        card = page.locator(f"#{PAGE}-{name}")
        expect(card).to_have_attribute("data-state", "ready", timeout=PATIENCE_MS)


def nearest(pool: np.ndarray, row: np.ndarray) -> list[str]:
    """The best cosines as the page writes them."""
    best = np.sort(pool @ row)[::-1][:12]
    return [f"{one:.2f}".replace("-", "−") for one in best]


def test_a_text_finds_images_and_a_picture_finds_captions(
    page: Page, app_url: str, services: Services
):
    opened(page, f"{app_url}/modality-gap?spaces={KEY}&focus={KEY}&pair=0")
    held = spaces.load(KEY)
    page.locator(f"#{PAGE}-ask").scroll_into_view_if_needed()
    found = page.locator(f"#{PAGE}-found")
    expect(found).to_contain_text("an example", timeout=PATIENCE_MS)
    tries = page.locator(f"#{PAGE}-ask .gap-examples button")
    assert set(tries.all_inner_texts()) <= set(CAPTIONS)  # nothing about apples and angry faces
    page.get_by_label("Text to find images with").fill(CAPTIONS[5])
    page.get_by_role("button", name="Find images").click()
    expect(found).to_contain_text(f"Images nearest to “{CAPTIONS[5]}”", timeout=PATIENCE_MS)
    assert found.locator("b").all_inner_texts() == nearest(held.images, held.texts[5])
    expect(found.locator("img.gap-thumb").first).to_have_js_property("naturalWidth", 128)
    honesty = page.locator(f"#{PAGE}-find .plot-card-honesty")
    expect(honesty).to_contain_text("tiny, your own model")

    path = Path(services.settings.state_dir) / "pets" / "early" / "03.png"
    page.locator(f"#{PAGE}-file").set_input_files(path)
    expect(found).to_contain_text("Captions nearest to 03.png", timeout=PATIENCE_MS)
    assert found.locator("li b").all_inner_texts() == nearest(held.texts, held.images[3])


def test_words_and_places_come_with_their_check_by_each_method(page: Page, app_url: str):
    opened(page, f"{app_url}/modality-gap?spaces={KEY}&focus={KEY}&pair=7")
    words = page.locator(f"#{PAGE}-tokens .gap-word")
    expect(words).to_have_text(["all words", *CAPTIONS[7].split()], timeout=PATIENCE_MS)
    check = page.locator(f"#{PAGE}-check")
    expect(check).to_contain_text("Check by deletion")
    honesty = page.locator(f"#{PAGE}-pair .plot-card-honesty")
    expect(honesty).to_contain_text("occlusion, painted grey")
    how = page.get_by_label("How words and places are valued")
    for method, told in (("gradient", "gradient × input"), ("integrated", "integrated gradients")):
        how.select_option(method)
        expect(honesty).to_contain_text(f"{told}, from grey", timeout=PATIENCE_MS)
        expect(words).to_have_count(3, timeout=PATIENCE_MS)
        expect(check).to_contain_text("Check by deletion")


def test_what_does_not_apply_is_greyed_and_said(page: Page, app_url: str):
    held = store.required().model("tiny")
    told = {**held.validation, "maps": ["occlusion"]}
    store.required().put_model(held.spec, held.fingerprint, told)
    try:
        opened(page, f"{app_url}/modality-gap?spaces={KEY}&focus={KEY}&pair=7&maps=gradient")
        words = page.locator(f"#{PAGE}-tokens")
        expect(words).to_contain_text("No slope passes through this model")
        expect(words).to_contain_text("Choose occlusion")
        how = page.get_by_label("How words and places are valued")
        greyed = how.locator("option:disabled")
        expect(greyed).to_have_text(["by integrated gradients", "by gradient × input"])
        how.select_option("occlusion")
        expect(words.locator("button")).to_have_count(3, timeout=PATIENCE_MS)
    finally:
        store.required().put_model(held.spec, held.fingerprint, held.validation)


def test_a_text_over_the_pairs_is_a_pool_of_fair_retrieval(page: Page, app_url: str):
    page.goto(f"{app_url}/fair-retrieval?k=6")
    page.wait_for_selector("#fair-after .fair-tile", timeout=PATIENCE_MS)
    page.locator("#fair-own").click()
    dialog = page.locator("#fair-own-dialog")
    dialog.get_by_label("Pairs and their encoder").select_option(KEY)
    expect(dialog.locator("select[name=plus]")).to_have_value("early")
    dialog.get_by_label("Query").fill("a dog")
    dialog.get_by_role("button", name="Ask").click()
    expect(dialog).to_be_hidden(timeout=PATIENCE_MS)
    tiles = page.locator("#fair-after .fair-tile img")
    expect(tiles).to_have_count(6, timeout=PATIENCE_MS)
    expect(tiles.first).to_have_js_property("naturalWidth", 128)
    assert page.evaluate("loupe.fair.now.told.after.counts") == [3, 0, 3]
    expect(page.locator("#fair-after .fair-tile").first).to_have_attribute(
        "title", re.compile("early|late")
    )
