"""The metric-learning page: from a cell of the heat map to pictures, a sweep and words."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from backend.metric_learning import embedders, own_models, requests, shipped
from backend.registry import adding
from components.runtime import Services
from tests import own_models as own_files

PATIENCE_MS = 90_000  # a worker starts, and two cores may be busy
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"


def card(page: Page, name: str, state: str = "ready") -> None:
    expect(page.locator(f"#metric-learning-{name}")).to_have_attribute(
        "data-state", state, timeout=PATIENCE_MS
    )


def opened(page: Page, address: str) -> None:
    page.goto(address)
    for name in ("heat", "map", "near"):
        card(page, name)


def test_a_cell_leads_to_the_embedding_its_neighbours_and_a_sweep(
    page: Page, app_url: str, callbacks: list[str]
):
    opened(page, f"{app_url}/metric-learning")
    assert len(callbacks) <= 2
    cells = page.locator("#metric-learning-heat-view .metric-cell[data-loss]")
    assert cells.count() == 165
    before = len(callbacks)
    page.locator('.metric-cell[data-loss="arcface"][data-property="car_rotation"]').click()
    expect(page.locator("#metric-learning-map-key b")).to_have_text("Car rotation")
    expect(page.locator("#metric-learning-near-view .metric-said p")).to_contain_text(
        "share car rotation"
    )
    page.wait_for_url("**loss=arcface**")
    assert len(callbacks) == before  # nothing was asked of the server's callbacks
    tiles = page.locator("#metric-learning-near-view .metric-tile")
    assert tiles.count() == 13
    tiles.nth(2).click()
    page.wait_for_url("**query=**")
    card(page, "sweep")
    expect(page.locator("#metric-learning-strip figure")).to_have_count(8, timeout=PATIENCE_MS)
    assert page.locator("#metric-learning-slopes tbody tr").count() == 15
    page.get_by_text("Reported", exact=True).first.click()
    honesty = page.locator("#metric-learning-heat .plot-card-honesty")
    expect(honesty).to_contain_text("reported in the paper, not measured here")
    expect(page.locator("#metric-learning-heat-view")).to_contain_text("59.8")


def test_neighbours_in_the_browser_are_those_of_the_server(page: Page, app_url: str):
    opened(page, f"{app_url}/metric-learning?loss=snr&query=7")
    rows = page.evaluate(
        """async () => { const m = loupe.metric, held = await m.space("snr");
        return m.nearest(held, "snr", 7, 20).rows; }"""
    )
    answer = page.request.post(
        f"{app_url}/_table/metric-learning-near.json",
        data={"values": {"loss": "snr", "query": 7}},
    ).json()
    ids = [row[answer["columns"].index("id")] for row in answer["rows"]][:20]
    assert rows == ids


def test_a_key_selects_everywhere_and_keys_alone_reach_a_cell(page: Page, app_url: str):
    opened(page, f"{app_url}/metric-learning")
    page.locator("#metric-learning-map-key button").first.click()
    expect(page.locator("#shelf-button-count")).not_to_have_text("0")
    page.locator('#metric-learning-heat-view [tabindex="0"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#metric-learning-map-key b")).to_have_text("Car rotation")


def test_tabs_are_filled(page: Page, app_url: str):
    query = page.request.get(f"{app_url}/_metric/overview").json()["gallery"][0]
    opened(page, f"{app_url}/metric-learning?view=looks&query={query}")
    for name in ("looks", "like", "pair"):
        card(page, name)
    page.locator('.metric-pairing[data-first="snr"][data-second="none"]').click()
    expect(page.locator("#metric-learning-two figcaption").first).to_have_text("SNR Contrastive")
    page.get_by_role("tab", name="Background").click()
    for name in ("ground", "focus", "swap"):
        card(page, name)


def test_words_reorder_retrieval_and_own_embeddings_are_measured(page: Page, app_url: str):
    opened(page, f"{app_url}/metric-learning?view=words&notion=background+colour")
    card(page, "words")
    assert page.locator("#metric-learning-words-near .metric-tiles").count() == 2
    expect(page.locator("#metric-learning-words-told tr[data-on] th")).to_have_text(
        "background colour"
    )
    page.get_by_role("tab", name="Your own").click()
    rng = np.random.default_rng(0)
    labels = np.arange(15) % 3  # so few that the map is PCA: compiling UMAP takes a minute
    out = io.BytesIO()
    np.save(out, np.eye(3)[labels] + 0.01 * rng.normal(size=(15, 3)))
    table = "kind\n" + "\n".join(f"k{k}" for k in labels)
    form = page.locator("#metric-learning-own-form")
    form.locator('[name="embeddings"]').set_input_files(
        {"name": "e.npy", "mimeType": "application/octet-stream", "buffer": out.getvalue()}
    )
    form.locator('[name="properties"]').set_input_files(
        {"name": "p.csv", "mimeType": "text/csv", "buffer": table.encode()}
    )
    form.get_by_role("button", name="Measure").click()
    expect(page.locator("#metric-learning-own-view tbody tr")).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.locator("#metric-learning-own-view")).to_contain_text("kind")


def test_a_registered_model_becomes_a_row_and_opens_by_value(
    page: Page, app_url: str, services: Services, tmp_path: Path
):
    adding.add_model(str(own_files.onnx_file(tmp_path / "lamp.onnx")), "lamp", {})
    try:
        # Drawing 5,000 cars takes minutes, so what the model would answer is put in its place.
        brightness = shipped.table()["bg_value"].to_numpy(np.float32)
        noise = np.random.default_rng(0).normal(0, 0.2, (len(brightness), 2))
        x = (brightness[:, None] + noise).astype(np.float32)
        key = embedders.vectors_key(own_models.find("own:lamp"), requests.data_name())
        services.store.put(key, {"vectors": x})
        opened(page, f"{app_url}/metric-learning?view=own&place=pca")
        row = page.locator('.metric-cell[data-loss="own:lamp"][data-property="bg_value"]')
        expect(row).to_have_attribute("aria-label", re.compile("not measured yet"))
        page.get_by_role("button", name="Measure lamp").click()
        expect(row).to_have_attribute(
            "aria-label", re.compile(r"NR-Prec \d\d"), timeout=PATIENCE_MS
        )
        card(page, "map")
        row.click()
        expect(page.locator("#metric-learning-map-key b")).to_have_text("Background value")
        row.click()
        card(page, "values")
        head = page.locator("#metric-learning-values-view thead th").nth(2)
        expect(head).to_have_text("lamp")
        page.get_by_role("tab", name="Where it looks").click()
        card(page, "pair", "empty")
        expect(page.locator("#metric-learning-pair")).to_contain_text("passes no gradients")
    finally:
        adding.remove_model("lamp")


def test_no_width_scrolls_sideways_and_a_bad_link_is_said(page: Page, app_url: str):
    page.goto(f"{app_url}/metric-learning?view=families&loss=nonsense")
    expect(page.get_by_text("loss=nonsense").first).to_be_visible(timeout=PATIENCE_MS)
    card(page, "families")
    for width in (1920, 1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"{OVERFLOW} <= 0")
