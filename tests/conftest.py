"""For every test: threads of a forward pass sleep while they wait, as in the app's workers; and an
order of files that leaves no process of ``make test`` alone with a long one at the end.
"""

from __future__ import annotations

from itertools import zip_longest

import pytest

from backend.devices import let_threads_sleep

let_threads_sleep()  # before anything loads torch

LONG = ("tests/browser/test_own_kinds.py", "tests/browser/test_access.py")
"""Files of few tests that take longest of all."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; browser files in turn with others, as a browser waits where those compute.

    ``--no-loadscope-reorder`` makes xdist keep to it: by itself it begins with the files that hold
    most tests and ends with those of a browser, which have few and take longest. Within a file
    pytest-randomly has shuffled the tests.
    """
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    ranked = sorted(files, key=lambda name: (name not in LONG, -len(files[name])))
    browser = [name for name in ranked if "/browser/" in name]
    others = [name for name in ranked if "/browser/" not in name]
    order = [name for pair in zip_longest(browser, others) for name in pair if name]
    items[:] = [item for name in order for item in files[name]]
