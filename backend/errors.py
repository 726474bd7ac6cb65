"""Failures a user is told about: a sentence that names the value, a hint that says what to do.

Everything that raises one of these is expected; the app shows ``message`` and ``hint`` as they are.
Any other exception is a defect: the one handler in the app logs it and shows a reference number.
"""

from __future__ import annotations


class BackendError(Exception):
    """A sentence for the user, and what to do about it.

    Attributes:
        message: what is wrong, with which value. One sentence, no paths, no internals.
        hint: what is allowed or what to do next; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class BadRequest(BackendError):
    """A value that came from outside (URL, form, command line, file) is not usable."""


class NotFound(BackendError):
    """The named model, data set, item, job, link or array does not exist (any more)."""


class DeviceFull(BackendError):
    """Even a batch of one does not fit into the device's memory."""


class WeightsRefused(BackendError):
    """A weights file is missing, damaged or not the one its card describes."""


class StorageFull(BackendError):
    """The disk refused a write: it is full or read-only."""


class Cancelled(Exception):
    """Raised inside a job's work function after Cancel was pressed; never a failure."""
