"""Logs as text or as JSON, one object a line, with the id of the request they belong to.

Nothing personal is written: no names, no addresses, no queries, no bodies.
"""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar
from typing import Final

import orjson

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
TEXT: Final = "%(asctime)s %(levelname)s {name}: %(message)s"
EXTRA: Final = "loupe"  # attribute of a record that holds more fields


class JsonLines(logging.Formatter):
    """``{"at", "level", "name", "message", "request"?, "trace"?, …}``"""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told: dict[str, object] = {
            "at": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "process": self._process,
            "name": record.name,
            "message": record.getMessage(),
        }
        if REQUEST_ID.get():
            told["request"] = REQUEST_ID.get()
        told |= getattr(record, EXTRA, {})
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(told, default=str).decode()


def configure(level: str, form: str, process: str = "web") -> None:
    """Log to standard error in ``form``, ``text`` or ``json``."""
    handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(JsonLines(process))
    else:
        name = "%(name)s" if process == "web" else f"{process} worker"
        handler.setFormatter(logging.Formatter(TEXT.format(name=name)))
    logging.basicConfig(level=level, handlers=[handler])
