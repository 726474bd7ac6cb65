"""Values of a page's query: each kind of field, and sentences instead of exceptions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import BadRequest
from components import state

SCHEMA: dict[str, Any] = {
    "task": state.Choice("digits", ["digits", "fashion"]),
    "angle": state.Number(0, 0, 360),
    "item": state.Whole(3, 0, 499),
    "note": state.Text("", 20),
    "models": state.Many(("a",), ["a", "b", "c"], most=2),
    "rows": state.Ids(),
    "on": state.Flag(),
}


def test_no_query_gives_the_defaults() -> None:
    values, notices = state.read({}, SCHEMA)
    assert notices == []
    assert values == {
        "task": "digits",
        "angle": 0,
        "item": 3,
        "note": "",
        "models": ["a"],
        "rows": [],
        "on": False,
    }
    assert json.loads(json.dumps(values)) == values


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("task", "fashion", "fashion"),
        ("angle", "12.5", 12.5),
        ("angle", "1e2", 100),
        ("item", "0", 0),
        ("note", "a & b", "a & b"),
        ("note", "-", ""),
        ("models", "c,a", ["c", "a"]),
        ("models", "c,c", ["c"]),
        ("models", "-", []),
        ("rows", "5,5,2", [5, 2]),
        ("on", "1", True),
    ],
)
def test_usable_texts(key: str, text: str, value: object) -> None:
    values, notices = state.read({key: text}, SCHEMA)
    assert notices == []
    assert values[key] == value


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("angle", "abc", "angle=abc is not a number from 0 to 360; 0 is shown."),
        ("angle", "nan", "angle=nan is not a number from 0 to 360; 0 is shown."),
        ("angle", "inf", "angle=inf is not a number from 0 to 360; 0 is shown."),
        ("angle", "-1", "angle=-1 is not a number from 0 to 360; 0 is shown."),
        ("item", "1.5", "item=1.5 is not a whole number from 0 to 499; 3 is shown."),
        ("item", "٣٣", "item=٣٣ is not a whole number from 0 to 499; 3 is shown."),
        ("item", "9" * 5000, "… is not a whole number from 0 to 499; 3 is shown."),
        ("task", "no", "task=no is not one of digits, fashion; digits is shown."),
        ("models", "a,b,c", "models=a,b,c is not 0 to 2 of a, b, c; a is shown."),
        ("models", "a,z", "models=a,z is not 0 to 2 of a, b, c; a is shown."),
        ("rows", "1,x", "rows=1,x is not at most 5000 whole numbers"),
        ("note", "x" * 21, "is not a text of at most 20 characters; nothing is shown."),
        ("note", "a\x00b", "note=a·b is not a text"),
        ("on", "yes", "on=yes is not 1 or 0; 0 is shown."),
        ("who", "me", "“who” is not a setting of this page; it is ignored."),
    ],
)
def test_unusable_texts_become_sentences(key: str, text: str, sentence: str) -> None:
    values, notices = state.read({key: text}, SCHEMA)
    assert values == state.defaults(SCHEMA)
    assert len(notices) == 1
    assert sentence in notices[0]
    assert len(notices[0]) < 200


def test_the_selection_is_left_to_the_browser() -> None:
    assert state.read({"sel": "digits:1,2"}, SCHEMA)[1] == []


@given(st.dictionaries(st.sampled_from([*SCHEMA, "other"]), st.text(max_size=60)))
def test_nothing_a_user_types_raises(query: dict[str, str]) -> None:
    values, notices = state.read(query, SCHEMA)
    assert set(values) == set(SCHEMA)
    assert 0 <= float(str(values["angle"])) <= 360
    assert all(notice.endswith(".") for notice in notices)


@given(st.floats(0, 360).map(lambda value: float(f"{value:g}")))
def test_numbers_survive_the_trip(angle: float) -> None:
    text = state._written(angle)
    assert state.read({"angle": text}, SCHEMA)[0]["angle"] == angle


def test_a_key_written_twice_counts_as_written_last() -> None:
    values, notices = state.read({"task": ["x", "fashion"], "angle": ["1", "y"]}, SCHEMA)
    assert values["task"] == "fashion"
    assert notices == ["angle=y is not a number from 0 to 360; 0 is shown."]


def test_a_flood_of_bad_keys_is_a_few_sentences() -> None:
    _, notices = state.read({f"k{n}": "1" for n in range(2000)}, SCHEMA)
    assert len(notices) == 5
    assert notices[-1] == "1996 more parts of the address cannot be used."


@pytest.mark.parametrize("value", [{}, None, 7, ["a", {}], "fashion x", ["digits", "digits"]])
def test_values_of_a_forged_callback_are_a_sentence(value: object) -> None:
    schema = {"task": state.Choice("digits", ["digits", "fashion"])}
    state.check({"task": "fashion"}, schema)
    with pytest.raises(BadRequest, match=r"task=.* is not"):
        state.check({"task": value}, schema)
