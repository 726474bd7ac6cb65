"""How fast points reach the browser, and how quick the pages stay while jobs run.

The server, its waitress and its worker are the real ones, in processes of their own; requests go
over loopback. Times are wall times, from the request to the last byte of the answer.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from backend import wire
from backend.settings import PROJECT
from benchmarks.server_app import KEY, POINTS, SLOW_S, points
from benchmarks.table import Row, compare, wall

HELLOS = 300
NAN = float("nan")


@dataclass(slots=True)
class Browser:
    """One kept-alive connection, as a browser holds."""

    port: int
    connection: http.client.HTTPConnection

    def get(self, path: str) -> bytes:
        self.connection.request("GET", path)
        return self._answer()

    def callback(self, output: str, prop: str, value: Any) -> bytes:
        body = {
            "output": f"{output}.{prop}",
            "outputs": {"id": output, "property": prop},
            "inputs": [{"id": "n", "property": "data", "value": value}],
            "changedPropIds": ["n.data"],
        }
        head = {"Content-Type": "application/json"}
        self.connection.request("POST", "/_dash-update-component", orjson.dumps(body), head)
        return self._answer()

    def _answer(self) -> bytes:
        response = self.connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {data[:200]!r}")
        return data


@contextlib.contextmanager
def served() -> Iterator[Browser]:
    """A running server and a connection to it."""
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-m", "benchmarks.server_app", state]
        server = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            yield browser(int(server.stdout.readline()))
        finally:
            server.kill()
            server.communicate()


def browser(port: int) -> Browser:
    return Browser(port, http.client.HTTPConnection("127.0.0.1", port, timeout=120))


def rows() -> list[Row]:
    """All rows; about a minute."""
    with served() as client:
        client.get("/_dash-layout")
        return [*_points(client), _later_change(client), *_quick_while_busy(client)]


def _points(client: Browser) -> list[Row]:
    url = f"/_data/{KEY}?arrays=x,y,label"
    figure = client.callback("lists", "figure", 0)
    trace = orjson.loads(figure)["response"]["lists"]["figure"]["data"][0]
    truth = points()
    rows = []
    for name, query in (("float32, exact", ""), ("16 bits a coordinate", "&u16=x,y")):
        message = client.get(url + query)
        arrays, _ = wire.unpack(message)
        error = max(float(np.abs(arrays[axis] - np.array(trace[axis])).max()) for axis in "xy")
        half_step = max(float(np.ptp(truth[axis])) for axis in "xy") / 65534 * 0.51
        is_same = bool(np.array_equal(arrays["label"], trace["marker"]["color"]))
        is_same &= error <= (half_step if query else 0.0)
        # A name that no array has makes each URL new: read from the disk and packed every time.
        fresh = (f"{url}{query or '&u16='},{n}" for n in itertools.count())
        ours, other = compare(
            lambda fresh=fresh: client.get(next(fresh)),  # type: ignore[misc]
            lambda: client.callback("lists", "figure", 0),
            rounds=3,
            clock=wall,
        )
        again_s = min(wall(lambda query=query: client.get(url + query)) for _ in range(5))  # type: ignore[misc]
        proof = f"labels equal, largest error {error:.1e} of {np.ptp(truth['x']):.2g}"
        proof += f" ({error / np.ptp(truth['x']) * 1000:.2g} px of 1000)" if query else ""
        times, sizes = other / ours, len(figure) / len(message)
        what = f"{POINTS:,} points, {name}"
        took = f"{_ms(ours)} from disk, {_ms(again_s)} again"
        lists, goal = f"lists {_ms(other)}", "≥ 8×" if query else ""
        is_fast, is_small = is_same and times >= 40, is_same and (sizes >= 8 or not query)
        rows += [
            Row(f"{what}: time", took, lists, times, "≥ 40×", proof, is_fast),
            Row(f"{what}: bytes", _kb(message), _kb(figure), sizes, goal, proof, is_small),
        ]
    return rows


def _later_change(client: Browser) -> Row:
    change = client.callback("patched", "figure", 7)
    ours, other = compare(
        lambda: client.callback("patched", "figure", 7),
        lambda: client.callback("lists", "figure", 0),
        rounds=3,
        clock=wall,
    )
    patch = orjson.loads(change)["response"]["patched"]["figure"]
    (operation,) = patch["operations"]
    is_right = operation["params"]["value"] == list(range(7, 207))
    return Row(
        "a later change: 200 points selected",
        f"{len(change)} B, {_ms(ours)}",
        f"whole figure {_ms(other)}",
        other / ours,
        "≤ 2 kB",
        "the patch names the 200 points",
        is_right and len(change) <= 2000,
    )


def _quick_while_busy(client: Browser) -> Iterator[Row]:
    idle = _hellos(client)
    _start(client, [["test.sleep", SLOW_S, n] for n in range(16)])
    queued = _hellos(client)
    states = [job["state"] for job in _jobs(client)]
    unfinished = sum(state in ("queued", "running") for state in states)
    computed = _hello_behind_slow_callbacks(client)
    p50, p95 = statistics.median(queued), _p95(queued)
    yield Row(
        "trivial callback while 16 jobs of 3 s queue and run",
        f"p50 {_ms(p50)}, p95 {_ms(p95)} (idle p50 {_ms(statistics.median(idle))})",
        f"16 callbacks that compute themselves: {_ms(computed)}",
        computed / p50,
        "p50 ≤ 20 ms",
        f"{unfinished} of {len(states)} unfinished, {len(queued)} right answers",
        p50 <= 0.020 and unfinished >= 14 and len(queued) == HELLOS,
    )
    for job in _jobs(client):
        client.connection.request("POST", f"/_jobs/{job['id']}/cancel")
        client.connection.getresponse().read()
    _start(client, [["test.burn", 60, 0]])
    while not any(job["work"] == "test.burn" and job["message"] == "busy" for job in _jobs(client)):
        time.sleep(0.01)
    busy = _hellos(client)
    p50, p95 = statistics.median(busy), _p95(busy)
    yield Row(
        "trivial callback while a job keeps all cores busy",
        f"p50 {_ms(p50)}, p95 {_ms(p95)}",
        f"idle p95 {_ms(_p95(idle))}",
        NAN,
        "p95 ≤ 150 ms",
        f"job {_jobs(client)[0]['state']}, {len(busy)} right answers",
        p95 <= 0.150 and _jobs(client)[0]["state"] == "running" and len(busy) == HELLOS,
    )


def _hellos(client: Browser) -> list[float]:
    """Seconds of each of many trivial callbacks that answered right."""
    times = []
    for n in range(HELLOS):
        start_s = time.perf_counter()
        answer = client.callback("hello", "data", n)
        if orjson.loads(answer)["response"]["hello"]["data"] == n:
            times.append(time.perf_counter() - start_s)
    return times


def _hello_behind_slow_callbacks(client: Browser) -> float:
    """Seconds of one trivial callback while 16 callbacks sleep in the server's own threads."""
    others = [browser(client.port) for _ in range(16)]
    threads = [threading.Thread(target=one.callback, args=("slow", "data", 1)) for one in others]
    for thread in threads:
        thread.start()
    time.sleep(0.3)  # all of them are in the server now
    start_s = time.perf_counter()
    client.callback("hello", "data", 1)
    waited_s = time.perf_counter() - start_s
    for thread in threads:
        thread.join()
    return waited_s


def _start(client: Browser, wanted: list[list[Any]]) -> None:
    client.callback("started", "data", wanted)


def _jobs(client: Browser) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = orjson.loads(client.get("/_jobs"))["jobs"]
    return jobs


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _ms(time_s: float) -> str:
    return f"{time_s * 1000:.3g} ms" if time_s < 1 else f"{time_s:.3g} s"


def _kb(data: bytes) -> str:
    return f"{len(data) / 1000:,.0f} kB"
