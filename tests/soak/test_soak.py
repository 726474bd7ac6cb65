"""What takes minutes: 10,000 forged requests, 50 kills under load, memory over 2,000 requests."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import orjson
import pytest
from dash import Dash

from app import create_app
from backend.crayon.answers import AnswerStore
from backend.database import open_engine
from backend.doctor import resident_bytes
from backend.settings import Settings
from components.runtime import create_services
from tests.bound import bound
from tests.fake_work import WORKS
from tests.unit.test_forged import checked, honest, twisted
from tests.unit.test_serve import children, is_alive, served
from tests.waiting import until

FORGED = 10_000
KILLS = int(os.environ.get("LOUPE_KILLS", "50"))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    env = {"LOUPE_STATE_DIR": str(tmp_path_factory.mktemp("state"))}
    services = create_services(Settings.from_env(env), WORKS)
    yield bound(create_app(services.settings, services))
    services.close()


def test_ten_thousand_forged_requests(app: Dash) -> None:
    client, rng = app.server.test_client(), random.Random(7)
    served_here = [output for output, known in app.callback_map.items() if "callback" in known]
    for number in range(FORGED // 2):
        body = honest(app, served_here[number % len(served_here)], rng)
        checked(client, body)
        checked(client, twisted(body, rng))


def test_memory_is_flat_over_mixed_requests(app: Dash) -> None:
    client, rng = app.server.test_client(), random.Random(8)
    outputs = [output for output, known in app.callback_map.items() if "callback" in known]
    paths = ["/healthz", "/_jobs", "/", "/_data/x", "/_dash-layout", "/metrics", "/nope"]

    def ask(count: int) -> None:
        for number in range(count):
            if number % 3:
                client.get(paths[number % len(paths)])
            else:
                checked(client, honest(app, outputs[number % len(outputs)], rng))

    ask(1000)
    before = resident_bytes()
    ask(2000)
    assert resident_bytes() <= 1.05 * before


def test_web_and_worker_killed_at_random_lose_no_acknowledged_answer(tmp_path: Path) -> None:
    """Each round: three annotators answer, a worker is killed, the server goes on; the server is
    killed, and the next one has every answer. ``LOUPE_KILLS`` is the number of rounds.
    """
    rng = random.Random(9)
    acknowledged: set[tuple[str, int]] = set()
    for kill in range(KILLS):
        with served(tmp_path) as (server, url):
            workers = until(lambda: children(server.pid), 60)
            clients = [f"round{kill}-{n}" for n in range(3)]
            threads = [
                threading.Thread(target=answer, args=(url, name, acknowledged)) for name in clients
            ]
            for thread in threads:
                thread.start()
            for pid in (rng.choice(workers), server.pid):
                before = len(acknowledged)
                until(lambda: len(acknowledged) > before, 60)  # noqa: B023
                time.sleep(rng.uniform(0, 1.0))
                os.kill(pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
            workers += children(server.pid)
        until(lambda: not any(is_alive(pid) for pid in workers))  # noqa: B023
        engine = open_engine(f"sqlite:///{tmp_path / 'loupe.db'}")
        stored = {(one.client, one.sequence) for one in AnswerStore(engine).everything()}
        engine.dispose()
        assert acknowledged <= stored
    assert len(acknowledged) > KILLS
    sys.stdout.write(f"{2 * KILLS} kills, {len(acknowledged)} acknowledged answers, none lost\n")


def answer(url: str, client: str, acknowledged: set[tuple[str, int]]) -> None:
    """Answers until nobody replies; remembers what was acknowledged."""
    sequence = 0
    while True:
        row = {"sequence": sequence, "item_id": sequence % 2000, "answer": "yes"}
        body = {"set": "birds", "kind": "map", "as": "anna", "client": client, "answers": [row]}
        request = urllib.request.Request(
            f"{url}/_crayon/answers", orjson.dumps(body), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                acknowledged |= {(client, n) for n in orjson.loads(reply.read())["stored"]}
        except (OSError, HTTPException, ValueError):  # the latter two: cut off in the middle
            return
        sequence += 1
