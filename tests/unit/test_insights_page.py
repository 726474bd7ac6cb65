"""What the Insights page says and refuses: its address, its form, its layout, its answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from dash.development.base_component import Component

from backend.errors import BadRequest, NotFound
from components import insights_asked, insights_layout, insights_spec, insights_state
from components.insights_state import METHODS, SORTS, VIEWS
from components.state import defaults
from tests.insights_bench import contents


def values(**more: Any) -> dict[str, Any]:
    return {**defaults(insights_state.schema()), **more}


def test_a_link_without_a_query_opens_with_both_overlays_and_the_first_content():
    opened, notices = insights_state.opened({})
    assert notices == []
    assert opened["plus"] is opened["minus"] is True
    assert (opened["set"], opened["domain"], opened["content"]) == ("campaigns", "0", -1)


@pytest.mark.parametrize(
    ("query", "key", "kept"),
    [
        ({"set": "../etc"}, "set", "campaigns"),
        ({"since": "yesterday"}, "since", ""),
        ({"domain": "music"}, "domain", "0"),
        ({"method": "guess"}, "method", "integrated-gradients"),
        ({"opacity": "7"}, "opacity", 0.7),
    ],
)
def test_what_a_link_cannot_say_is_a_sentence_and_the_default_stays(query, key, kept):
    opened, notices = insights_state.opened(query)
    assert opened[key] == kept
    assert key in notices[0]


def test_a_state_from_a_browser_is_typed():
    held = insights_state.checked({"content": "7", "plus": False, "opacity": 0.5, "domain": "-1"})
    assert (held["content"], held["plus"], held["opacity"]) == (7, False, 0.5)
    assert held["sort"] == "predicted"


@pytest.mark.parametrize(
    "given", [{"set": "a/b"}, {"until": "2026"}, {"content": "x"}, {"view": "all"}, {"domain": "x"}]
)
def test_a_forged_state_is_refused(given):
    with pytest.raises(BadRequest):
        insights_state.checked(given)


def test_an_edit_in_a_link_is_read_or_refused():
    assert insights_state.edit_of("") == {}
    assert insights_state.edit_of('{"fields": {"headline": "\\ud83d\\udc4b"}}') == {
        "fields": {"headline": "👋"}
    }
    for damaged in ("{", "[]", "1"):
        with pytest.raises(BadRequest):
            insights_state.edit_of(damaged)


def parts_of(component: Any) -> list[Component]:
    return [part for part in component._traverse() if isinstance(part, Component)]


def test_every_tab_has_its_panel_and_every_key_its_control_once():
    held = values()
    page = [insights_layout.head(held), insights_layout.tabs(held)]
    page += [insights_layout.desk(held), *insights_layout.unseen(held)]
    found = [part for top in page for part in [top, *parts_of(top)]]
    ids = [part.id for part in found if isinstance(getattr(part, "id", None), dict)]
    keys = [one["key"] for one in ids if one.get("type") == "control"]
    assert sorted(keys) == sorted(held)
    panels = [part.value for part in found if type(part).__name__ == "TabsPanel"]
    assert panels == list(VIEWS)


def test_a_set_is_told_as_a_form_with_its_ranges():
    told = insights_spec.about(contents())
    assert told["simulated"] is True
    assert told["has_images"] is True
    assert (told["first"], told["last"]) == ("2026-01-01", "2026-02-01")
    assert told["domains"][1] == {"title": "Ads", "n": 2, "held_out": True}
    colour, length = told["features"]
    assert (colour["kind"], colour["choices"]) == ("choice", ["red", "blue"])
    assert (length["kind"], length["low"], length["high"]) == ("number", 2.0, 3.0)
    assert orjson.dumps(told)


def test_a_set_without_dates_numbers_or_pictures_is_told_as_well():
    dates = np.full(6, np.datetime64("NaT"), "M8[D]")
    numbers = {"length": np.full(6, np.nan)}
    told = insights_spec.about(contents(dates=dates, numbers=numbers, pictures=None))
    assert (told["first"], told["has_images"]) == ("", False)
    assert told["features"][1]["low"] is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ({}, None),
        ({"fields": {}, "features": {}, "edits": []}, None),
        ({"fields": {"headline": ""}}, {"headline": ""}),
    ],
)
def test_an_edit_that_changes_nothing_is_none(given, kept):
    found = insights_asked.draft(given, contents())
    assert (found and found["fields"]) == kept


@pytest.mark.parametrize(
    "given",
    [
        "text",
        {"fields": {"footer": "x"}},
        {"features": {"colour": "green"}},
        {"features": {"length": "long"}},
        {"edits": [{"op": "melt", "box": [0, 0, 1, 1]}]},
        {"edits": [{"op": "blank", "box": [0.5, 0, 1, 1]}]},
    ],
)
def test_an_edit_that_cannot_be_made_is_a_sentence(given):
    with pytest.raises(BadRequest) as refused:
        insights_asked.draft(given, contents())
    assert refused.value.message.endswith(".")


def test_a_domain_a_period_and_a_row_must_exist():
    held = contents()
    assert insights_asked.domain({"domain": "1"}, held) == 1
    assert insights_asked.domain({}, held) == -1
    with pytest.raises(BadRequest, match="no domain 2"):
        insights_asked.domain({"domain": "2"}, held)
    with pytest.raises(BadRequest, match="ends on 2026-01-01, before it begins"):
        insights_asked.period({"since": "2026-02-01", "until": "2026-01-01"})
    assert insights_asked.period({"until": "2026-01-01"}) == {"since": "", "until": "2026-01-01"}
    with pytest.raises(NotFound):
        insights_asked.row({"row": "6"}, held)
    with pytest.raises(BadRequest, match="not a whole number"):
        insights_asked.row({"row": "1e3"}, held)


def test_names_of_methods_and_orders_are_those_of_the_menus():
    assert insights_asked.method({}) == "integrated-gradients"
    with pytest.raises(BadRequest, match="not known"):
        insights_asked.method({"method": "guess"})
    assert insights_asked.one_of({}, "sort", tuple(SORTS), "newest") == "newest"
    assert set(METHODS) >= {"pca", "grad-cam", "kernel-shap", "feature-ablation"}
