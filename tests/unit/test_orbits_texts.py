"""Orbits of texts against answers worked out by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.nero import orbits
from backend.nero.orbits.thesaurus import pairs

WORDS = "one two three four five"


def every(orbit, text):
    """The text under each element, by the element's name."""
    return dict(
        zip(orbit.labels, orbit.act([text], np.arange(orbit.size))[0].tolist(), strict=True)
    )


def test_word_orders():
    found = every(orbits.word_orders(11), WORDS)
    assert found["as written"] == WORDS
    assert found["reversed"] == "five four three two one"
    assert found["first word to the end"] == "two three four five one"
    assert found["last 2 words to the front"] == "four five one two three"
    assert found["1 swap"] != WORDS
    for text in every(orbits.word_orders(20), WORDS).values():
        assert Counter(text.split()) == Counter(WORDS.split())
    assert sum(a != b for a, b in zip(found["1 swap"].split(), WORDS.split(), strict=True)) == 2


def test_swaps_depend_on_the_draw_and_on_nothing_else():
    orbit = orbits.word_orders(20)
    long = " ".join(f"w{i}" for i in range(12))
    found = every(orbit, long)
    assert len({found["3 swaps"], found["3 swaps, draw 2"], found["3 swaps, draw 3"]}) == 3
    assert every(orbit, long) == found
    upper = every(orbit, long.upper())
    assert upper == {name: text.upper() for name, text in found.items()}


def test_turns_add_up_and_several_swaps_have_no_inverse():
    orbit = orbits.word_orders(11)
    place = orbit.labels.index
    one, two, back = (
        place(name)
        for name in ("first word to the end", "first 2 words to the end", "last word to the front")
    )
    assert orbit.compose(one, one) == two
    assert orbit.inverse(one) == back
    assert orbit.compose(one, back) == 0
    with pytest.raises(BadRequest, match="not among the elements"):
        orbit.inverse(place("4 swaps"))
    with pytest.raises(BadRequest, match="followed by"):
        orbit.compose(two, two)


def test_cases():
    found = every(orbits.cases(), "don't Panic, we're FINE")
    assert found == {
        "as written": "don't Panic, we're FINE",
        "lower case": "don't panic, we're fine",
        "UPPER CASE": "DON'T PANIC, WE'RE FINE",
        "Title Case": "Don't Panic, We're Fine",
        "Sentence case": "Don't panic, we're fine",
        "sWAPPED cASE": "DON'T pANIC, WE'RE fine",
    }


def test_synonyms_replace_the_first_listed_words_in_the_case_they_had():
    orbit = orbits.synonyms(4)
    text = "A small Person, HAPPY in the big city"
    found = every(orbit, text)
    assert found["1 word replaced"] == "A little Person, HAPPY in the big city"
    assert found["2 words replaced"] == "A little Individual, HAPPY in the big city"
    assert found["3 words replaced"] == "A little Individual, GLAD in the big city"
    assert found["all listed words replaced"] == "A little Individual, GLAD in the large metropolis"
    assert orbit.changed([text, "nothing here"]).tolist() == [[0, 1, 2, 3, 4, 5], [0] * 6]


def test_the_list_of_synonyms_pairs_each_word_once():
    table = pairs()
    assert len(table) > 600
    assert all(table[table[word]] == word != table[word] for word in table)


@pytest.mark.parametrize("wrong", ["a text", [1, 2], [None]])
def test_other_things_than_texts_are_refused(wrong):
    for orbit in (orbits.word_orders(), orbits.cases(), orbits.synonyms()):
        with pytest.raises(BadRequest, match="no texts"):
            orbit.act(wrong, np.array([0]))


@pytest.mark.parametrize(("make", "wrong"), [(orbits.word_orders, 12), (orbits.synonyms, 0)])
def test_lists_that_are_not_there_are_refused(make, wrong):
    with pytest.raises(BadRequest) as caught:
        make(wrong)
    assert caught.value.hint
