"""A process that stores answers one after the other and says so, until it is killed."""

from __future__ import annotations

import sys

from backend.crayon.answers import Answer, AnswerStore
from backend.database import open_engine

if __name__ == "__main__":
    url, client = sys.argv[1:]
    store = AnswerStore(open_engine(url))
    number = 0
    while True:
        store.add([Answer(client, number, "birds", "ab", "map", number, "anna", "yes")])
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += 1
