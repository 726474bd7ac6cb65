"""What a job hands to the functions that do its work."""

from __future__ import annotations

from typing import Protocol

from backend.cache import ArrayStore


class Ticket(Protocol):
    """Progress with cancel, and earlier results."""

    @property
    def store(self) -> ArrayStore: ...

    def __call__(self, done: int, total: int) -> None: ...
