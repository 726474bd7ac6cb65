"""Pages that ask the server one question: what there is. The browser fetches all else by itself.

Such a page has four stores: its question, what it was told, a name of this visit, and one that is
there because Dash starts a callback of a page that mounts only if it has an output there. Its
script (``dash_clientside.<namespace>``) has the functions ``visit``, ``ask`` and ``show``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from dash import ClientsideFunction, Input, Output, State, callback, clientside_callback, dcc

from components.state import register_page_state, view_state

Answer = Callable[[Mapping[str, Any], str], Mapping[str, Any]]
"""From a question and the name of a visit to what the page is told."""


def question_stores(page: str) -> list[dcc.Store]:
    """The stores of one visit."""
    held = [dcc.Store(id=f"{page}-{name}") for name in ("question", "told", "ready")]
    return [*held, dcc.Store(id=f"{page}-visit", data=uuid4().hex)]


def register_question(page: str, namespace: str, answer: Answer) -> None:
    """Wires a page's state, its script and its only server callback.

    A question carries a ``token``, which its answer repeats, so that an older one is known.
    """
    register_page_state(page)
    told, visit = f"{page}-told", f"{page}-visit"
    for function, *wiring in (
        ("visit", Output(f"{page}-ready", "data"), Input(visit, "data")),
        ("ask", Input(view_state(page), "data")),
        ("show", Input(told, "data")),
    ):
        clientside_callback(ClientsideFunction(namespace, function), *wiring)

    @callback(
        Output(told, "data"),
        Input(f"{page}-question", "data"),
        State(visit, "data"),
        prevent_initial_call=True,
    )
    def tell(question: Mapping[str, Any] | None, visit: str) -> dict[str, Any]:
        held = dict(question) if isinstance(question, Mapping) else {}
        token = held.pop("token", None)
        return {**answer(held, str(visit)[:64]), "token": token}
