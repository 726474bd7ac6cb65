"""What an operator watches: request ids, times, counts, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

import hmac
import logging
import random
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from dash import Dash
from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from backend import doctor
from backend.errors import NotFound
from backend.logs import EXTRA, REQUEST_ID
from backend.settings import LOCAL_HOSTS
from components.runtime import Services, services

log = logging.getLogger("loupe.request")
blueprint = Blueprint("observe", __name__)
HEADER: Final = "X-Request-ID"
GIVEN: Final = re.compile(r"[A-Za-z0-9-]{8,64}\Z")
SLOW_S: Final = 1.0
NAME: Final = "loupe-metrics"
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10)
CALLBACK: Final = "/_dash-update-component"


class Metrics:
    """Counts and times of one app."""

    def __init__(self, held: Services) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter(
            "loupe_requests", "Requests answered", labels, registry=self.registry
        )
        self.seconds = Histogram(
            "loupe_request_seconds",
            "Time until the answer was made",
            ("route", "callback"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        ProcessCollector(namespace="loupe_web", registry=self.registry)
        self.registry.register(Standing(held))


class Standing(Collector):
    """What is read when somebody asks: queue, workers, stores, disk."""

    def __init__(self, held: Services) -> None:
        self._held = held

    def collect(self) -> Iterable[Metric]:
        standing = self._held.jobs.standing()
        queue = GaugeMetricFamily("loupe_jobs", "Jobs by lane and state", labels=("lane", "state"))
        memory = GaugeMetricFamily(
            "loupe_worker_resident_bytes", "Memory of the worker of a lane", labels=("lane",)
        )
        for lane, one in standing.items():
            queue.add_metric((lane, "queued"), one.queued)
            queue.add_metric((lane, "running"), one.running)
            memory.add_metric((lane,), doctor.resident_bytes(one.pid) if one.pid else 0)
        yield queue
        yield memory
        disk = GaugeMetricFamily("loupe_disk_bytes", "Bytes on disk", labels=("what",))
        for what, value in self._disk().items():
            disk.add_metric((what,), value)
        yield disk

    def _disk(self) -> dict[str, int]:
        settings = self._held.settings
        return {
            "free": doctor.free_bytes(settings.state_dir),
            "results": _folder_bytes(settings.state_dir / "results"),
            "results_budget": settings.cache_bytes,
        }


def register(app: Dash, held: Services) -> None:
    """Give every request an id and count it; add ``/readyz`` and ``/metrics``."""
    server: Flask = app.server
    metrics = Metrics(held)
    server.extensions[NAME] = metrics
    server.register_blueprint(blueprint)
    server.config["loupe-access-log"] = held.settings.log_format == "json"

    @server.before_request
    def begin() -> None:
        given = request.headers.get(HEADER, "")
        g.began_s = time.perf_counter()
        g.request_id = (
            given if GIVEN.match(given) else f"{random.getrandbits(64):016x}"
        )  # names a line of the log, guards nothing
        REQUEST_ID.set(g.request_id)

    @server.after_request
    def end(response: Response) -> Response:
        if "began_s" in g:
            _count(metrics, response)
        return response


def _count(metrics: Metrics, response: Response) -> None:
    took_s = time.perf_counter() - g.began_s
    route = str(request.url_rule) if request.url_rule else "none"
    method = request.method if request.method in ("GET", "POST", "PUT", "HEAD") else "other"
    metrics.requests.labels(method, route, str(response.status_code)).inc()
    known = g.get("callback", "")  # set once the callback is known to be one of ours
    metrics.seconds.labels(route, known[:80]).observe(took_s)
    response.headers[HEADER] = g.request_id
    told = {"route": route, "method": method, "status": response.status_code}
    told |= {"ms": round(1000 * took_s, 1), "callback": known[:80]}
    level = logging.WARNING if response.status_code >= 500 or took_s > SLOW_S else logging.DEBUG
    if current_app.config.get("loupe-access-log"):
        level = max(level, logging.INFO)
    text = "%s %s answered %d in %.0f ms"
    log.log(level, text, method, route, response.status_code, 1000 * took_s, extra={EXTRA: told})


@blueprint.get("/readyz")
def say_ready() -> tuple[dict[str, object], int]:
    """200 once requests can be served: database, state folder and disk; 503 says what is not."""
    held = services()
    checks = doctor.serving(held.settings, held.engine)
    bad = [one for one in checks if not one.is_good]
    # No details: whoever may not log in learns which part, and no paths and hosts.
    return {"ready": not bad, "failing": [one.name for one in bad]}, 503 if bad else 200


@blueprint.get("/metrics")
def send_metrics() -> Response:
    """For Prometheus on this machine, or with the token of ``LOUPE_METRICS_TOKEN``."""
    token = services().settings.metrics_token
    given = request.headers.get("Authorization", "")
    has_token = bool(token) and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    is_here = request.remote_addr in LOCAL_HOSTS and "X-Forwarded-For" not in request.headers
    if not has_token and not (is_here and not token):
        raise NotFound("There is no such page.")
    metrics: Metrics = current_app.extensions[NAME]
    return Response(generate_latest(metrics.registry), content_type=CONTENT_TYPE_LATEST)


def _folder_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*.npz"):
        try:
            total += path.stat().st_size
        except OSError:  # evicted meanwhile
            continue
    return total
