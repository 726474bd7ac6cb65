"""Answering on the Crayon page: by key, offline, in two tabs, with a finger. No answer is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from backend.crayon import requests
from backend.crayon.panels import map_hash
from components.runtime import Services
from tests.browser.crayon_desk import (
    SET,
    asked,
    desk_app,
    newcomer,
    open_desk,
    press,
    ready,
    rows,
    saved,
)
from tests.browser.crayon_desk import standing as standing_of
from tests.browser.driving import Traffic

KEYS = {"a": "yes", "x": "no", "Space": "maybe"}
STANDING = "#crayon-annotate-map [data-part=progress] b"
STATUS = "#crayon-annotate-map [data-part=saved] > :first-child"
ASKS_ANOTHER = "item => loupe.crayonPanel.round().now?.item.item_id !== item"
QUEUE = """async () => {
    const {open, drain} = loupe.crayonQueue, held = new Map();
    const storage = {get length() { return held.size; }, key: (i) => [...held.keys()][i],
        getItem: (key) => held.get(key) ?? null, removeItem: (key) => held.delete(key),
        setItem(key, value) { if (this.isFull) throw new Error("full"); held.set(key, value); }};
    const scope = {set: "s", parent: "", kind: "map", as: "anna"}, sent = [];
    let queue = open(storage, "one");
    for (let i = 0; i < 4; i += 1) queue.put({...scope, item_id: i, answer: "yes"});
    queue.put({...scope, type: "undo", of: {client: "one", sequence: 2}, item_id: 2});
    queue = open(storage, "one"); // as after a reload
    const next = queue.put({...scope, item_id: 9, answer: "no"}).sequence;
    const post = async ({type, rows}) => {
        sent.push(rows.map((row) => row.sequence));
        const isBad = type === "answer" && rows.some((row) => row.sequence === 2);
        if (isBad) return {ok: false, status: 400, message: "no such item"};
        return {ok: true, stored: rows.map((row) => row.sequence)};
    };
    await drain(queue, post);
    const refused = queue.refused().map(({row, message}) => [row.sequence, message]);
    storage.isFull = true;
    queue.put({...scope, item_id: 10, answer: "no"});
    const unkept = queue.unkept();
    storage.isFull = false;
    const full = {ok: false, status: 507, message: "The disk is full."};
    const stops = await drain(queue, async () => full);
    return {next, sent, refused, unkept, left: queue.size(), stops: stops.message};
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Services]]:
    with desk_app(tmp_path_factory.mktemp("desk")) as found:
        yield found


def standing(services: Services, who: str) -> list[tuple[int, str]]:
    return [(a.item_id, a.answer) for a in standing_of(services, who)]


def test_thirty_answers_by_keyboard_five_undone_all_found_again(
    page: Page, app_url: str, services: Services, callbacks: list[str]
):
    who = newcomer(services, "anna")
    open_desk(page, app_url, who)
    assert page.evaluate("() => loupe.crayonPanel.round().deck.size()") >= 10
    callbacks.clear()
    given = []
    for i in range(30):
        key = list(KEYS)[i % 3]
        given.append((press(page, key), KEYS[key]))
    assert len(dict(given)) == 30
    for back in range(1, 6):
        page.keyboard.press("Backspace")
        assert asked(page) == given[-back][0]
    saved(page)
    assert callbacks == []  # answering needs no callback
    took_ms = page.evaluate("() => loupe.crayonPanel.timings")
    assert len(took_ms) == 30
    # To the frame that shows the next item; others may be using the machine, so not the median.
    assert np.quantile(took_ms, 0.25) <= 100
    assert standing(services, who) == given[:25]
    stored = rows(services, who)
    assert [a.answer for a in stored] == [answer for _, answer in given] + ["undone"] * 5
    assert [a.undoes for a in stored[30:]] == [a.id for a in reversed(stored[25:30])]
    assert len({a.client for a in stored}) == 1
    assert all(a.item_hash and a.map_hash and a.ms >= 0 for a in stored)

    page.reload()
    ready(page)
    expect(page.locator(STANDING)).to_have_text("25 of 1600")
    expect(page.locator("#crayon-annotate-map [data-part=strip] li")).to_have_count(10)
    assert asked(page) not in dict(given[:25])
    page.keyboard.press("Backspace")  # undo goes on where it was before the reload
    ready(page)
    assert asked(page) == given[24][0]
    page.keyboard.press("s")
    page.keyboard.press("2")
    edited, was = given[20]
    now = "no" if was != "no" else "yes"
    page.locator(f"[data-edit='{edited}']").click()
    expect(page.locator("#crayon-annotate-map [data-part=why]")).to_contain_text("to change it")
    page.keyboard.press("x" if now == "no" else "a")
    saved(page)
    held = dict(standing(services, who))
    assert held == dict(given[:24]) | {given[24][0]: "skip", edited: now}
    skipped = next(a for a in standing_of(services, who) if a.answer == "skip")
    assert skipped.reason == "nothing highlighted"


def test_offline_answers_wait_and_are_sent_once_in_order(
    page: Page, app_url: str, services: Services, traffic: Traffic
):
    for part in ("503", "ERR_INTERNET_DISCONNECTED", "ERR_FAILED"):
        traffic.allow(part)
    who = newcomer(services, "ben")
    open_desk(page, app_url, who)
    lost = []

    def lose_reply(route: Route) -> None:
        """The server stores the answers, and nobody hears of it."""
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/_crayon/answers", lose_reply)
    given = [press(page, "a")]
    page.wait_for_function("() => loupe.crayonSender.status().waiting === 0")
    assert lost == [200]
    page.context.set_offline(True)
    try:
        given += [press(page, "x") for _ in range(6)]
        page.keyboard.press("Backspace")
        given[-1] = press(page, "Space")
        expect(page.locator(STATUS)).to_have_text("Offline: 8 answers queued here")
        assert standing(services, who) == [(given[0], "yes")]
        page.close()
    finally:
        page.context.set_offline(False)
    again = page.context.new_page()
    traffic.watch(again)
    open_desk(again, app_url, who)
    saved(again)
    expect(again.locator(STANDING)).to_have_text("7 of 1600")
    answers = ["yes", *["no"] * 5, "maybe"]
    assert standing(services, who) == list(zip(given, answers, strict=True))
    stored = rows(services, who)
    assert [a.answer for a in stored] == ["yes", *["no"] * 6, "undone", "maybe"]
    assert len({(a.client, a.sequence) for a in stored}) == len(stored)
    assert [a.sequence for a in stored] == sorted(a.sequence for a in stored)
    again.close()


def test_two_tabs_never_share_a_number_and_two_people_are_settled(
    page: Page, app_url: str, services: Services, traffic: Traffic
):
    who = newcomer(services, "cleo")
    open_desk(page, app_url, who)
    found = page.evaluate(QUEUE)
    assert found["next"] == 64  # numbers are reserved in blocks, so none is given twice
    assert found["sent"] == [[0, 1, 2, 3], [0], [1], [2], [3], [64]]
    assert found["refused"] == [
        [2, "no such item"],
        [4, "It takes back an answer that was refused."],
    ]
    assert (found["unkept"], found["left"], found["stops"]) == (1, 1, "The disk is full.")
    other = page.context.new_page()
    traffic.watch(other)
    open_desk(other, app_url, who)
    for _ in range(4):
        for tab in (page, other):
            item = press(tab, "a")
            for one in (page, other):
                one.wait_for_function(ASKS_ANOTHER, arg=item)
    for tab in (page, other):
        saved(tab)
    stored = rows(services, who)
    assert len(stored) == 8
    assert len({a.client for a in stored}) == 2
    assert len({a.item_id for a in stored}) == 8  # what one tab has asked, the other does not ask
    other.close()

    opposite = {"yes": "no", "no": "yes"}
    for i, a in enumerate(stored[:2]):
        other_person = replace(a, annotator="emil", answer=opposite[a.answer], client=f"{who}-emil")
        services.answers.add([replace(other_person, sequence=i, id=0)])
    page.locator("#crayon-annotate-map [data-fold=keys] summary").click()
    page.locator("#crayon-annotate-map [data-fold=keys] tr", has_text="Yes").locator(
        "button"
    ).click()
    page.keyboard.press("j")  # from now on the key for yes
    page.locator("#crayon-annotate-map [data-fold=agreement] summary").click()
    page.get_by_role("button", name="Settle them").click()
    expect(page.locator("#crayon-annotate-map [data-part=progress]")).to_contain_text("settled")
    assert "emil" not in page.locator("#crayon-annotate-map .annotate-desk").inner_text()
    item = press(page, "j")
    expect(page.locator("#crayon-annotate-map [data-part=said]")).to_contain_text(
        re.compile(rf"#{item} settled as “yes” \(.+: (yes|no), .+: (yes|no)")
    )
    saved(page)
    decided = [a for a in rows(services, who) if a.source == "adjudicated"]
    assert [(a.item_id, a.answer) for a in decided] == [(item, "yes")]
    page.evaluate("() => loupe.crayonHands.forget()")


def test_a_phone_fits_everything_and_takes_swipes(
    browser: Browser, app_url: str, services: Services
):
    context = browser.new_context(
        viewport={"width": 390, "height": 664}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    who = newcomer(services, "dora")
    open_desk(page, app_url, who)
    for name in ("question", "stage", "answers", "tools"):
        box = page.locator(f"#crayon-annotate-map [data-part={name}]").bounding_box()
        assert box is not None
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= 390, name
        assert box["y"] + box["height"] <= 664, name
    session = context.new_cdp_session(page)
    stage = page.locator("#crayon-annotate-map [data-part=stage]").bounding_box()
    assert stage is not None
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": px, "y": py} for px, py in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    given = []
    for dx, dy, answer in ((110, 0, "yes"), (-110, 0, "no"), (0, -110, "maybe"), (30, 0, "")):
        ready(page)
        given += [(asked(page), answer)] if answer else []
        touch("touchStart", (x, y))
        touch("touchMove", (x + dx / 2, y + dy / 2))
        touch("touchMove", (x + dx, y + dy))
        label = page.locator("#crayon-annotate-map [data-part=swipe]")
        expect(label).to_have_text(
            re.compile({"no": "No", "maybe": "Cannot tell"}.get(answer, "Yes"))
        )
        touch("touchEnd")
    saved(page)
    assert standing(services, who) == given  # the short drag was no answer
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    touch("touchStart", (x, y))
    peeked = page.locator("#crayon-annotate-map[data-peek=true]")
    expect(peeked).to_have_count(1)
    expect(page.locator("[data-panel=overlay] .annotate-peeked")).to_be_visible()
    touch("touchEnd")
    expect(peeked).to_have_count(0)
    assert complaints == []

    open_desk(page, app_url, who, "&step=neurons&calm=1")
    neuron = page.locator("#crayon-annotate-patch [data-part=neuron]")
    expect(neuron).to_contain_text("0 of 4 neurons would be pruned")
    for _ in range(7):
        page.locator("#crayon-annotate-patch [data-answer=no]").tap()
    expect(neuron).to_contain_text("4 of 4 neurons would be pruned")
    saved(page)
    assert len(standing_of(services, who, "patch")) == 7
    context.close()


def test_maps_by_another_method_are_asked_about_and_trained_on(
    page: Page, app_url: str, services: Services
):
    who = newcomer(services, "otto")
    open_desk(page, app_url, who)
    page.locator("#crayon-annotate-map [data-fold=people] summary").click()
    menu = page.get_by_label("Maps by")
    assert menu.locator("option:disabled").all_inner_texts() == [
        "attention rollout: needs a transformer"
    ]
    menu.select_option("score-cam")
    page.wait_for_url("**saliency=score-cam**")
    picture = page.locator("#crayon-annotate-map [data-part=views] img").first
    expect(picture).to_have_attribute("src", re.compile("saliency=score-cam"))
    ready(page)
    item, _ = press(page, "a"), saved(page)
    shown = services.store.get(requests.maps_job(SET, saliency="score-cam").key)
    assert shown is not None
    assert rows(services, who)[0].map_hash == map_hash(shown["maps"][item])
