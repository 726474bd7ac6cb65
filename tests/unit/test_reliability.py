"""The table of attacks and faults names tests that exist."""

from __future__ import annotations

import pytest

from tests.reliability import CASES, places
from tests.reliability_bare import BARE, Row

PLACES = places()
KINDS = {"P": 3, "U": 7, "M": 4, "X": 5, "C": 3, "A": 4, "R": 5, "F": 15, "S": 6}


@pytest.mark.parametrize("row", [*BARE, *CASES.values()], ids=lambda row: row.case)
def test_every_row_has_a_test_or_says_why_not(row: Row) -> None:
    assert row.tests or row.open
    assert [test for test in row.tests if not PLACES[test]] == []


def test_every_row_of_the_plan_is_there() -> None:
    assert list(CASES) == [f"{kind}{n}" for kind, last in KINDS.items() for n in range(1, last + 1)]
