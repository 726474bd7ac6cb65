"""For notebooks: what is selected in a Loupe that runs on this machine.

>>> from backend import client
>>> chosen = client.selection()      # doctest: +SKIP
>>> chosen.items, chosen.ids         # doctest: +SKIP
('digits', (3, 17, 42))
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from backend.errors import BackendError, BadRequest
from backend.selections import Selection, from_json
from backend.settings import LOCAL_HOSTS

URL: Final = "http://127.0.0.1:8050"
TIMEOUT_S: Final = 5.0


def selection(url: str = URL, *, cookie: str = "") -> Selection:
    """What is selected in the running app: data set, ids, and the link of the page.

    Args:
        url: where it runs; only this machine is asked.
        cookie: of a login, where the app has logins: ``session=…`` from the browser.

    Raises:
        BadRequest: the address is on another machine.
        BackendError: nothing answers there, or it wants a login.
    """
    return from_json(_asked(url, cookie)["current"])


def shelf(url: str = URL, *, cookie: str = "") -> dict[str, Selection]:
    """The named selections of the shelf. Raises as :func:`selection`."""
    return {one["name"]: from_json(one) for one in _asked(url, cookie)["shelf"]}


def _asked(url: str, cookie: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname not in LOCAL_HOSTS:
        raise BadRequest(f"{url[:80]!r} is not on this machine.", f"Such as {URL}.")
    asked = urllib.request.Request(f"{parts.scheme}://{parts.netloc}/_workspace/selection")
    if cookie:
        asked.add_header("Cookie", cookie)
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:
            found: dict[str, Any] = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        error.close()
        hint = "Log in there, and give the cookie of that login." if error.code == 401 else ""
        raise BackendError(f"Loupe at {url} answered {error.code}.", hint) from error
    except (OSError, ValueError) as error:
        raise BackendError(f"No Loupe answers at {url}.", "Start it with make run.") from error
    return found
