"""Which role may ask for which route. What is not named here is closed to annotators, open for
reading to viewers, and open for writing to analysts; so a new route cannot escape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from backend.team.people import ADMIN
from components.identity import EVERYONE, READERS, WORKERS

PUBLIC: Final = frozenset(
    {
        "/login",
        "/join/<token>",
        "/_auth/start",
        "/_auth/back",
        "/healthz",
        "/readyz",
        "/metrics",  # asks for its own token
        "/assets/<path:filename>",
        "/_favicon.ico",
        "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>",
    }
)
"""Rules that need no login: code and style of the app, and what a login needs itself."""

ANNOTATORS: Final = frozenset(
    {
        ("GET", "/"),
        ("GET", "/<path:path>"),  # sent to their queue, see ``login.py``
        ("GET", "/_dash-layout"),
        ("GET", "/_dash-dependencies"),
        ("GET", "/_reload-hash"),
        ("POST", "/_dash-update-component"),  # callbacks: CALLBACKS
        ("GET", "/_device"),
        ("GET", "/_jobs"),  # theirs: none
        ("GET", "/_crayon/sets"),
        ("GET", "/_crayon/next"),
        ("GET", "/_crayon/recent"),
        ("GET", "/_crayon/progress"),
        ("GET", "/_crayon/votes"),
        ("POST", "/_crayon/answers"),
        ("POST", "/_crayon/undo"),
        ("GET", "/_crayon/picture/<item_set>/<kind>/<int:number>/<name>.webp"),
        ("POST", "/logout"),
    }
)
VIEWERS_POST: Final = frozenset(
    {
        *("/_dash-update-component", "/_table/<path:name>", "/_links", "/_nero/open", "/logout"),
        *("/_crayon/plan", "/_crayon/curve", "/_metric/start/<name>", "/_gap/text", "/_gap/words"),
        *("/_fair/overview", "/_fair/answer", "/_insights/predict", "/_insights/attribution"),
        "/_insights/interactions",
        "/_workspace/selection",
    }
)
"""Posts that change nothing but a link's row; what they would compute the jobs refuse."""
WORKERS_GET: Final = frozenset(
    {"/_crayon/export.<suffix>", "/_crayon/folders", "/_invites", "/_workspace/project.json"}
)
"""Reads that show people's names or folders of the machine."""
ADMINS: Final = "/_team"
CALLBACKS: Final = ("crayon-told.data",)
"""Callbacks that an annotator's page makes, beside the one that chooses the page."""
PAGES: Final = ".._pages_content.children..._pages_store.data.."
QUEUE: Final = "/crayon"


def allowed(rule: str, method: str) -> Sequence[str]:
    """Roles that may ask for ``rule`` (as written in the URL map) by ``method``."""
    method = "GET" if method in ("HEAD", "OPTIONS") else method
    if rule.startswith(ADMINS):
        return (ADMIN,)
    if (method, rule) in ANNOTATORS:
        return EVERYONE if method == "GET" or rule in VIEWERS_POST else _but_viewers()
    if method == "GET":
        return WORKERS if rule in WORKERS_GET else READERS
    return READERS if rule in VIEWERS_POST else WORKERS


def _but_viewers() -> tuple[str, ...]:
    return tuple(role for role in EVERYONE if role != "viewer")


def annotators_callback(body: object) -> bool:
    """Whether an annotator may make this callback; its form is checked afterwards."""
    if not isinstance(body, Mapping) or not isinstance(body.get("inputs"), list):
        return False
    output = body.get("output")
    if output in CALLBACKS:
        return True
    inputs = [one for one in body["inputs"] if isinstance(one, Mapping)]
    named = {str(one.get("property")): one.get("value") for one in inputs}
    return output == PAGES and named.get("pathname") == QUEUE
