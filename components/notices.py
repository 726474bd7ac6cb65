"""Short messages to the user, and the one handler of errors in callbacks."""

from __future__ import annotations

import logging
from secrets import token_hex
from typing import Final, Literal, TypedDict

import dash
import dash_mantine_components as dmc

from backend.errors import BackendError

log = logging.getLogger("loupe.notices")

NOTICES: Final = "app-notices"
Kind = Literal["info", "ok", "warning", "error"]
_COLOUR: Final[dict[Kind, str]] = {
    "info": "loupe",
    "ok": "green",
    "warning": "yellow",
    "error": "red",
}


class Notice(TypedDict):
    """What ``dmc.NotificationContainer`` shows; ``id`` keeps equal notices from piling up."""

    action: str
    id: str
    title: str
    message: str
    color: str
    autoClose: int | bool


def notice(title: str, message: str, hint: str = "", kind: Kind = "info") -> Notice:
    """A notice as data. Errors stay until closed; the rest leaves after eight seconds."""
    return {
        "action": "show",
        "id": f"{kind}:{title}:{message}"[:120],
        "title": title,
        "message": f"{message}\n{hint}".strip(),
        "color": _COLOUR[kind],
        "autoClose": False if kind == "error" else 8000,
    }


def show(title: str, message: str, hint: str = "", kind: Kind = "info") -> None:
    """Show a notice from inside a callback, beside whatever the callback returns."""
    dash.set_props(NOTICES, {"sendNotifications": [notice(title, message, hint, kind)]})


def on_error(error: Exception) -> None:
    """Turn what a callback raised into a notice; its outputs stay as they are.

    A ``BackendError`` is a sentence for the user. Anything else is a defect: it is logged with its
    traceback under a reference number, and only the number is shown.
    """
    if isinstance(error, BackendError):
        show("That did not work", error.message, error.hint, "error")
        return
    reference = token_hex(2)
    log.error("ref %s", reference, exc_info=error)
    show(
        f"Something went wrong (ref {reference})",
        "The rest of the page still works.",
        "If it happens again, report this number: the log of the server has the details.",
        "error",
    )


def container() -> dmc.NotificationContainer:
    """The place where notices appear: bottom right, above everything else."""
    return dmc.NotificationContainer(
        id=NOTICES, position="bottom-right", limit=4, containerWidth=380, zIndex=500
    )
