"""Parts of pages that are always the same, made once and written as JSON once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, ParamSpec, cast

import orjson
from dash.development.base_component import Component

P = ParamSpec("P")
AS_DASH: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
WRITTEN: Final = "written_json"


def fixed(make: Callable[P, Component]) -> Callable[P, Component]:
    """``make``, whose answer for equal arguments is one component. It is shared: leave it as is.

    A page has up to a dozen cards, and menu, states and method of each are the same at every visit:
    making them took half the time of a page.
    """

    @lru_cache(maxsize=1024)
    def made(*args: P.args, **more: P.kwargs) -> Component:
        part = make(*args, **more)
        setattr(part, WRITTEN, orjson.Fragment(written(part.to_plotly_json())))
        return part

    return cast(Callable[P, Component], made)


def written(part: Any) -> bytes:
    """The JSON of a component and all below it."""
    return orjson.dumps(part, _plain, AS_DASH)


def _plain(part: Any) -> Any:
    if isinstance(part, Component):
        return getattr(part, WRITTEN, None) or part.to_plotly_json()
    raise TypeError(f"A page holds a {type(part).__name__}, which is not JSON.")
