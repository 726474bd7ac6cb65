"""``python -m benchmarks.crayon_load http://127.0.0.1:8050``: 20 annotators answering at once.

Needs a running server whose maps of the set are computed. Each annotator answers twice a second and
fetches more items when five are left. Printed are the times from answer to next item and whether
every acknowledged answer is there once.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid
from typing import Any, Final

import numpy as np

PEOPLE: Final = 20
PER_SECOND: Final = 2.0
MOST_P95_S: Final = 0.15
AHEAD: Final = 5


class Annotator(threading.Thread):
    """One person who answers at a steady pace."""

    def __init__(self, base: str, item_set: str, name: str, count: int) -> None:
        super().__init__(name=name)
        self.base, self.item_set, self.count = base, item_set, count
        self.client = uuid.uuid4().hex
        self.waits: list[float] = []
        self.stored: list[int] = []

    def run(self) -> None:
        """Answers ``count`` items."""
        queued: list[dict[str, Any]] = self._next([])
        due = time.perf_counter()
        for sequence in range(self.count):
            if not queued:
                return
            item = queued.pop(0)
            start = time.perf_counter()
            row = {"sequence": sequence, "item_id": item["item_id"], "answer": "yes", "ms": 500}
            body = {"set": self.item_set, "as": self.name, "client": self.client, "answers": [row]}
            self.stored += ask(f"{self.base}/_crayon/answers", body)["stored"]
            if len(queued) < AHEAD:
                queued += self._next([one["item_id"] for one in queued])
            self.waits.append(time.perf_counter() - start)
            due += 1 / PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))

    def _next(self, queued: list[int]) -> list[dict[str, Any]]:
        query = {"set": self.item_set, "as": self.name, "exclude": ",".join(map(str, queued))}
        url = f"{self.base}/_crayon/next?{urllib.parse.urlencode(query)}&overlap=9"
        items: list[dict[str, Any]] = ask(url)["items"]
        return items


def ask(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON answer to a request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


def measured(base: str, item_set: str, count: int, people: int = PEOPLE) -> tuple[float, int, int]:
    """p95 of answer to next in seconds; answers acknowledged; answers lost or doubled."""
    tag = uuid.uuid4().hex[:8]
    team = [Annotator(base, item_set, f"load {tag} {i}", count) for i in range(people)]
    for one in team:
        one.start()
    for one in team:
        one.join()
    with urllib.request.urlopen(f"{base}/_crayon/export.jsonl", timeout=60) as reply:
        rows = [json.loads(line) for line in reply]
    wrong = 0
    for one in team:
        found = [row["sequence"] for row in rows if row["client"] == one.client]
        wrong += len(set(one.stored) ^ set(found)) + len(found) - len(set(found))
    waits = [wait for one in team for wait in one.waits]
    return float(np.quantile(waits, 0.95)), sum(len(one.stored) for one in team), wrong


def main() -> int:
    """Exit code: 0 if the promise holds."""
    parser = argparse.ArgumentParser(description="20 annotators at once")
    parser.add_argument("base")
    parser.add_argument("--set", default="birds")
    parser.add_argument("--answers", type=int, default=30, help="of each annotator")
    asked = parser.parse_args()
    p95, count, wrong = measured(asked.base, asked.set, asked.answers)
    sys.stdout.write(f"p95 {p95 * 1e3:.0f} ms, {count} acknowledged, {wrong} lost or doubled\n")
    return int(p95 > MOST_P95_S or wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
