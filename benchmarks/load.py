"""``python -m benchmarks.load``: people who browse, people who answer, and one heavy job at once.

Starts a server of its own on a free port, with an empty state folder. Every acknowledged answer is
looked for afterwards. ``--record`` writes its part of docs/results/load.md with the conditions.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from backend.doctor import resident_bytes
from backend.settings import PROJECT

REPORT: Final = PROJECT / "docs" / "results" / "load.md"
PAGES: Final = (
    "/", "/nero", "/zoom", "/crayon", "/insights", "/metric-learning", "/modality-gap",
    "/fair-retrieval", "/images", "/library", "/pinboard", "/jobs",
)  # fmt: skip
ROUTER: Final = ".._pages_content.children..._pages_store.data.."
THINK_S: Final = (1.0, 4.0)  # between two clicks of somebody who browses
ANSWER_S: Final = 2.0  # of an annotator
ARRIVAL_S: Final = 20.0  # people come one after another, and so does what is made at first use
HEAVY: Final = {"item_set": "garments", "method": "attention", "source": "simulated", "epochs": 200}


class Refused(Exception):
    """An answer other than 2xx, or none."""


@dataclass
class Connection:
    """One kept-alive connection of HTTP/1.1."""

    host: str
    port: int
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def ask(self, path: str, body: object = None) -> bytes:
        """The body of the answer. Raises :class:`Refused`."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        assert self.reader
        data = b"" if body is None else orjson.dumps(body)
        head = (
            f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}"
        )
        head += f"\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        self.writer.write(head.encode() + data)
        await self.writer.drain()
        status, headers = await self._head()
        content = await self._body(headers)
        if "close" in headers.get("connection", "").lower():
            self.close()
        if not 200 <= status < 400:
            raise Refused(f"{status} for {path.partition('?')[0]}: {content[:120]!r}")
        return content

    async def _head(self) -> tuple[int, dict[str, str]]:
        assert self.reader
        raw = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in raw[1:] if line)
        return int(raw[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}

    async def _body(self, headers: dict[str, str]) -> bytes:
        assert self.reader
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        parts = []
        while size := int((await self.reader.readline()).strip() or b"0", 16):
            parts.append(await self.reader.readexactly(size))
            await self.reader.readline()
        await self.reader.readline()
        return b"".join(parts)

    def close(self) -> None:
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None


@dataclass
class Seen:
    """What happened, for all people together."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    acknowledged: set[tuple[str, int]] = field(default_factory=set)
    memory: list[tuple[float, int]] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    async def timed(self, kind: str, one: Connection, path: str, body: object = None) -> bytes:
        start_s = time.perf_counter()
        try:
            content = await one.ask(path, body)
        except (Refused, OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.errors.append(f"{kind}: {error}")
            one.close()
            return b""
        self.seconds[kind].append(time.perf_counter() - start_s)
        return content


def router(path: str) -> dict[str, Any]:
    """The callback with which a browser opens a page."""
    inputs = [("pathname", path), ("search", "")]
    return {
        "output": ROUTER,
        "outputs": [
            {"id": "_pages_content", "property": "children"},
            {"id": "_pages_store", "property": "data"},
        ],
        "inputs": [{"id": "_pages_location", "property": p, "value": v} for p, v in inputs],
        "changedPropIds": ["_pages_location.pathname"],
    }


def question(page: str, rng: random.Random) -> dict[str, Any] | None:
    """The one question that a page asks for what its state needs; None if it asks otherwise."""
    states = {
        "crayon": {"set": rng.choice(["birds", "garments"]), "step": "diagnose", "token": 1},
        "zoom": {"set": "needles", "token": 1},
        "insights": {"set": rng.choice(["campaigns", "films"]), "token": 1},
    }
    if page not in states:
        return None
    return {
        "output": f"{page}-told.data",
        "outputs": {"id": f"{page}-told", "property": "data"},
        "inputs": [{"id": f"{page}-question", "property": "data", "value": states[page]}],
        "state": [{"id": f"{page}-visit", "property": "data", "value": f"load{rng.random()}"}],
        "changedPropIds": [f"{page}-question.data"],
    }


async def browse(
    seen: Seen, address: tuple[str, int], results: list[str], rng: random.Random
) -> None:
    """Opens a page, asks for what it shows, looks, goes on."""
    await asyncio.sleep(rng.uniform(0, ARRIVAL_S))
    one = Connection(*address)
    while True:
        page = rng.choice(PAGES)
        await seen.timed("page", one, page)
        await seen.timed("callback", one, "/_dash-update-component", router(page))
        if asked := question(page.strip("/"), rng):
            await seen.timed("callback", one, "/_dash-update-component", asked)
        await seen.timed("result", one, f"/_data/{rng.choice(results)}")
        await seen.timed("jobs", one, "/_jobs?limit=20")
        await asyncio.sleep(rng.uniform(*THINK_S))


async def annotate(seen: Seen, address: tuple[str, int], name: str, rng: random.Random) -> None:
    """Answers about maps of the birds at a person's pace; corrects answers once none is left."""
    await asyncio.sleep(rng.uniform(0, ARRIVAL_S))
    one, sequence, done = Connection(*address), 0, [0]
    while True:
        told = await seen.timed("next", one, f"/_crayon/next?set=birds&as={name}&overlap=9&n=10")
        found = [item["item_id"] for item in orjson.loads(told)["items"]] if told else []
        for item_id in found or rng.choices(done, k=10):
            row = {"sequence": sequence, "item_id": item_id, "answer": rng.choice(["yes", "no"])}
            body = {"set": "birds", "kind": "map", "as": name, "client": name, "answers": [row]}
            if await seen.timed("answer", one, "/_crayon/answers", body):
                seen.acknowledged.add((name, sequence))
                done.append(item_id)
            sequence += 1
            await asyncio.sleep(rng.uniform(0.5, 1.5) * ANSWER_S)


async def watch(seen: Seen, pid: int) -> None:
    """Memory of the web process, every second."""
    start_s = time.perf_counter()
    while True:
        seen.memory.append((time.perf_counter() - start_s, resident_bytes(pid)))
        await asyncio.sleep(1)


@contextmanager
def server(folder: Path) -> Iterator[tuple[int, tuple[str, int]]]:
    """Process number and address of the app, started as users start it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
    env = {**os.environ, "PORT": str(port), "LOUPE_STATE_DIR": str(folder), "LOUPE_LOG": "WARNING"}
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=PROJECT, env=env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        if not process.stdout.readline().startswith("Loupe is at"):
            raise SystemExit("The server did not start.")
        yield process.pid, ("127.0.0.1", port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


async def heavy(seen: Seen, address: tuple[str, int]) -> None:
    """One training run of 200 epochs after the other, each with another seed."""
    one, seed = Connection(*address), 0
    simulated = {"set": "garments", "kind": "map", "noise": 0.05, "annotators": 2}
    await one.ask("/_crayon/simulate", simulated)
    while True:
        told = orjson.loads(await one.ask("/_crayon/refine", HEAVY | {"seed": seed}))
        for job in (row["job"] for row in told["jobs"]):
            while (state := await state_of(one, job)) in ("queued", "running"):
                await asyncio.sleep(1)
            seen.jobs.append(state)
            if state != "done":
                seen.errors.append(f"job: {state}")
        seed += 1


async def state_of(one: Connection, job: str) -> str:
    """State of a job."""
    return str(orjson.loads(await one.ask(f"/_jobs/{job}"))["state"])


@asynccontextmanager
async def people(
    seen: Seen, pid: int, address: tuple[str, int], asked: argparse.Namespace
) -> AsyncIterator[None]:
    """Everybody at once, as long as the block lasts."""
    results = sorted(path.stem for path in (PROJECT / "data" / "results").glob("*.npz"))[:40]
    rngs = [random.Random(n) for n in range(asked.browsing + asked.annotators)]
    tasks = [asyncio.create_task(watch(seen, pid))]
    if not asked.without_job:
        tasks.append(asyncio.create_task(heavy(seen, address)))
    tasks += [
        asyncio.create_task(browse(seen, address, results, r)) for r in rngs[: asked.browsing]
    ]
    for number, rng in enumerate(rngs[asked.browsing :]):
        tasks.append(asyncio.create_task(annotate(seen, address, f"load{number}", rng)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        early = (one for one in ended if not isinstance(one, asyncio.CancelledError))
        seen.errors += [f"gave up: {one!r}" for one in early]


async def run(asked: argparse.Namespace, folder: Path) -> tuple[Seen, set[tuple[str, int]]]:
    """What was seen, and which acknowledged answers are gone."""
    seen = Seen()
    with server(folder) as (pid, address):
        one = Connection(*address)
        async with people(seen, pid, address, asked):
            await asyncio.sleep(asked.seconds)
        exported = (await one.ask("/_crayon/export.jsonl")).splitlines()
        stored = {(row["client"], row["sequence"]) for row in map(orjson.loads, exported)}
        one.close()
    return seen, seen.acknowledged - stored


def growth(memory: list[tuple[float, int]]) -> float:
    """Growth of memory over the second half, in percent of where it began, by the fitted line."""
    at, size = np.array(memory, dtype=np.float64).T
    half = at >= at[-1] / 2
    slope, start = np.polyfit(at[half] - at[half][0], size[half], 1)
    return float(100 * slope * (at[-1] - at[half][0]) / start)


def report(seen: Seen, lost: set[tuple[str, int]], asked: argparse.Namespace) -> str:
    """One part of the record as Markdown, under its title."""
    cores, busy = os.cpu_count(), os.getloadavg()[2]
    lines = [
        f"## {asked.seconds} s",
        "",
        f"{asked.browsing} people browse {len(PAGES)} pages, {asked.annotators} answer, and one "
        f"training run follows the other; people come during the first {ARRIVAL_S:.0f} s.",
        "",
        "| what | requests | median | p95 | p99 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, times in sorted(seen.seconds.items()):
        p50, p95, p99 = (1000 * np.percentile(times, q) for q in (50, 95, 99))
        lines.append(f"| {kind} | {len(times)} | {p50:.0f} ms | {p95:.0f} ms | {p99:.0f} ms |")
    sizes = [size for _, size in seen.memory]
    lines += [
        "",
        f"- Errors: {len(seen.errors)}" + (f" (first: {seen.errors[0]})" if seen.errors else ""),
        f"- Acknowledged answers: {len(seen.acknowledged)}, lost: {len(lost)}",
        f"- Memory of the web process: {min(sizes) / 1e6:.0f} to {max(sizes) / 1e6:.0f} MB, "
        f"{growth(seen.memory):+.1f} % over the second half",
        f"- Training runs that ended meanwhile: {len(seen.jobs)}"
        + (f" ({', '.join(sorted(set(seen.jobs)))})" if seen.jobs else ""),
        f"- Conditions: {time.strftime('%d %B %Y')}, {cores} cores ({cpu()}), load of the machine "
        f"over 15 minutes {busy:.1f} at the end"
        + (", the clients on the same cores." if busy < 2 * (cores or 1) else ": **other people's "
           "work ran on the same cores**, so these times are an upper bound, not the app's own."),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def recorded(before: str, part: str) -> str:
    """The record with this part in the place of the one under the same title, or as the last."""
    title = part.partition("\n")[0]
    head, *parts = re.split(r"^(?=## )", before, flags=re.MULTILINE)
    titles = [one.partition("\n")[0] for one in parts]
    if title in titles:
        parts[titles.index(title)] = part + "\n"
    else:
        parts.append(part + "\n")
    return head + "".join(parts).rstrip() + "\n"


def cpu() -> str:
    """Name of the processor."""
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def main() -> int:
    """Runs, prints, and returns 1 if an answer was lost or a request failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--browsing", type=int, default=50)
    parser.add_argument("--annotators", type=int, default=20)
    parser.add_argument("--without-job", action="store_true")
    parser.add_argument("--record", action="store_true", help="write docs/results/load.md")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="loupe-load-") as folder:
        seen, lost = asyncio.run(run(asked, Path(folder)))
    text = report(seen, lost, asked)
    sys.stdout.write(text)
    for error in sorted(set(seen.errors))[:10]:
        sys.stdout.write(f"! {error}\n")
    if asked.record:
        REPORT.write_text(recorded(REPORT.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 1 if lost or seen.errors else 0


if __name__ == "__main__":
    sys.exit(main())
