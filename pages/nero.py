"""NERO: how does the model answer along the orbit of an input?

Server callbacks only say which results the views need (keys, and jobs where they must be computed
first); the browser fetches the arrays and draws. What moves with the pointer never leaves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast
from uuid import uuid4

from dash import ClientsideFunction, Input, Output, State, callback, clientside_callback, dcc, html
from dash import register_page as register_dash_page

from backend import catalog, datasets
from backend.errors import BackendError
from backend.items import ItemSet
from backend.nero import tasks
from backend.nero.projections import TITLES
from backend.nero.requests import ProjectionRequest
from components import nero_layout as parts
from components import nero_spec, nero_tables
from components.nero_layout import PAGE, graph_of
from components.nero_spec import PROJECTION_SEED, STEPS_DEG
from components.selection import SELECTION, announce
from components.state import (
    Choice,
    Many,
    Number,
    Schema,
    Values,
    Whole,
    check,
    control,
    hidden,
    read,
    register_page_state,
    stores,
    unfolded,
)

register_dash_page(
    __name__,
    path="/nero",
    name="NERO",
    order=10,
    title="NERO · Loupe",
    description="How does the model answer along the orbit of an input?",
    icon="rotate-clockwise",
)

ORBITS, READY, PLACES, PLACED = "nero-orbits", "nero-ready", "nero-places", "nero-placed"
VISIT, AGAIN = "nero-visit", "nero-again"  # this opening of the page; a press of Retry
DEFAULT_TASK: Final = "digits"


TASK_SHAPE: Final[Schema] = {"task": Choice(DEFAULT_TASK, tasks.names())}


def schema(task: str) -> Schema:
    """What a link to this page can say, for one task."""
    items = datasets.load(tasks.find(task).item_set)
    models = nero_spec.ordered_models(task)
    compare = [key for key in tasks.find(task).compare if key in models] or models[:1]
    subsets = ["all", "selection", *(f"class:{k}" for k in sorted(set(items.labels.tolist())))]
    return {
        **TASK_SHAPE,
        "models": Many(compare, models, least=1, most=6),
        "step": Choice("5", [str(step) for step in STEPS_DEG]),
        "orbit": Choice("rotation", [option["value"] for option in parts.ORBITS]),
        "subset": Choice("all", subsets),
        "metric": Choice("accuracy", ["accuracy", "confidence"]),
        "method": Choice("pca", list(TITLES)),
        "colour": Choice("mean", ["mean", "variance"]),
        "focus": Choice(compare[0], models),
        "item": Whole(nero_spec.telling_item(items), 0, 2**53),
        "angle": Number(nero_spec.TELLING_ANGLE_DEG, 0, 360),
    }


def layout(**query: str) -> html.Div:
    """The whole page for one query; cheap, reads nothing but cards and the items' labels."""
    task = unfolded(query)[0].get("task", DEFAULT_TASK)  # it may lie behind a link
    known = task if task in tasks.names() else DEFAULT_TASK
    shape = schema(known)
    values, notices = read(query, shape)
    values["task"] = known
    items = datasets.load(tasks.find(known).item_set)
    if values["item"] not in items.ids:
        notices.append(f"item={values['item']} is not in {items.title}; another one is shown.")
        values["item"] = shape["item"].default
    focused = cast(list[str], values["models"])
    if values["focus"] not in focused:
        values["focus"] = focused[0]
    unseen = [hidden(PAGE, key, values[key]) for key in ("task", "item")]
    parts_of_page = [_head(values), _views(values, items), *unseen, *_stores(shape, notices)]
    return html.Div(parts_of_page, className="lp-page")


TRY: Final = (
    "drag the green line and watch where the models part; then lasso dots of the orbit map."
)


def _head(values: Values) -> html.Header:
    models = [
        {"value": key, "label": catalog.card(key).title}
        for key in nero_spec.ordered_models(str(values["task"]))
    ]
    steps = nero_spec.step_options(STEPS_DEG)
    tip = html.P([html.B("Try this first: "), TRY], className="nero-try")
    title = [html.H1("NERO"), html.P("How does the model answer along the orbit of an input?"), tip]
    toolbar = parts.toolbar(values, nero_spec.task_options(), models, steps)
    return html.Header([html.Div(title), toolbar], className="nero-head")


def _views(values: Values, items: ItemSet) -> html.Div:
    """Overview left, detail right; then what follows from the same numbers."""
    reductions = [{"value": method, "label": title} for method, title in TITLES.items()]
    cards = [
        parts.overview(values, nero_spec.subset_options(items)),
        parts.scatter(values, reductions),
        parts.single(values),
        parts.image(values),
        parts.bars(),
        parts.confusions(),
        parts.worst(),
        parts.similar(),
    ]
    return html.Div(cards, className="nero-views")


_STORES: Final = (ORBITS, READY, PLACES, PLACED, AGAIN, announce(PAGE), announce("nero-similar"))


def _stores(shape: Schema, notices: Sequence[str]) -> list[Any]:
    """Small JSON only: keys, ids and versions; never an array."""
    made = [dcc.Store(id=name) for name in _STORES]
    made.append(dcc.Store(id=VISIT, data=uuid4().hex))
    return [stores(PAGE, shape, notices), *made]


def _now(key: str) -> Input:
    return Input(control(PAGE, key), "value")


register_page_state(PAGE)
nero_tables.register()


def _clientside(function: str, *wiring: Any, namespace: str = "nero", **options: Any) -> None:
    clientside_callback(ClientsideFunction(namespace, function), *wiring, **options)


SELECTED: Final = Input(SELECTION, "data")
LOADED: Final = Input(READY, "data")
_clientside("visit", Input(VISIT, "data"))
_clientside("load", Output(READY, "data"), Input(ORBITS, "data"), State(parts.TASK, "value"))
_clientside(
    "aggregate",
    Output(graph_of(parts.AGGREGATE), "figure"),
    LOADED,
    _now("subset"),
    _now("metric"),
    SELECTED,
)
_clientside("placed", Output(PLACED, "data"), Input(PLACES, "data"))
_clientside(
    "projection",
    Output(graph_of(parts.PROJECTION), "figure"),
    LOADED,
    Input(PLACED, "data"),
    _now("colour"),
    _now("focus"),
)
_clientside(
    "individual",
    Output(graph_of(parts.INDIVIDUAL), "figure"),
    LOADED,
    _now("item"),
    SELECTED,
    _now("subset"),
)
_clientside("bars", Output(graph_of(parts.DETAIL), "figure"), LOADED, _now("item"))
_clientside("item", LOADED, _now("item"))
_clientside("angle", LOADED, _now("angle"))
_clientside(
    "confusion",
    Output(graph_of(parts.CONFUSION), "figure"),
    LOADED,
    _now("focus"),
    _now("subset"),
    SELECTED,
)
_clientside(
    "worst",
    Output("nero-items", "columnDefs"),
    Output("nero-items", "rowData"),
    LOADED,
    _now("focus"),
    _now("subset"),
    SELECTED,
)
_clientside("attach", LOADED, namespace="nero_gestures")
_clientside(
    "lasso",
    Output(announce(PAGE), "data"),
    Input(graph_of(parts.PROJECTION), "selectedData"),
    State(ORBITS, "data"),
    namespace="nero_gestures",
    prevent_initial_call=True,
)
for button in ("previous", "next"):
    _clientside(button, Input(f"nero-{button}", "n_clicks"), namespace="nero_gestures")
_clientside("order", Input("nero-order", "value"), namespace="nero_gestures")
_clientside("open", Input("nero-items", "selectedRows"), namespace="nero_gestures")
_clientside("similar", LOADED, _now("item"), _now("focus"), namespace="nero_gestures")
_clientside(
    "take",
    Output(announce("nero-similar"), "data"),
    Input("nero-take", "n_clicks"),
    namespace="nero_gestures",
    prevent_initial_call=True,
)
CHOSEN: Final = (parts.TASK, "value")
_clientside(
    "openTask", Input(*CHOSEN), State(control(PAGE, "task"), "value"), namespace="nero_gestures"
)
_clientside("followTask", _now("task"), State(*CHOSEN), namespace="nero_gestures")


@callback(
    Output(ORBITS, "data"),
    Output(control(PAGE, "focus"), "data"),
    Output(control(PAGE, "focus"), "value"),
    _now("models"),
    _now("step"),
    _now("orbit"),
    Input(AGAIN, "data"),
    State(control(PAGE, "task"), "value"),
    State(control(PAGE, "focus"), "value"),
    State(VISIT, "data"),
)
def show_orbits(
    models: list[str], step: str, orbit: str, _again: object, task: str, focus: str, visit: str
) -> tuple[dict[str, Any], list[dict[str, str]], str]:
    """Which orbit results the page needs: keys, jobs for the missing ones, empty figures."""
    check({"task": task}, TASK_SHAPE)
    check({"step": step, "orbit": orbit}, schema(task))
    with_control = orbit == "control"
    spec = nero_spec.comparison(
        task, models, step_deg=int(step), with_control=with_control, visit=visit
    )
    chosen = [{"value": m["key"], "label": m["title"]} for m in spec["models"]]
    return spec, chosen, focus if focus in models or not models else models[0]


@callback(
    Output(PLACES, "data"),
    LOADED,
    _now("method"),
    _now("focus"),
    _now("subset"),
    State(control(PAGE, "step"), "value"),
    State(control(PAGE, "task"), "value"),
    State(SELECTION, "data"),
    State(VISIT, "data"),
)
def show_places(
    ready: Mapping[str, Any] | None,
    method: str,
    focus: str,
    subset: str,
    step: str,
    task: str,
    selection: Mapping[str, Any],
    visit: str,
) -> dict[str, Any] | None:
    """Where the map's dots lie: the key of the projection, and its job where it is missing."""
    if not ready:
        return None
    check({"task": task}, TASK_SHAPE)
    check({"step": step, "method": method, "focus": focus, "subset": subset}, schema(task))
    try:
        rows = nero_spec.projection_subset(task, subset, selection)
        request = ProjectionRequest(task, focus, int(step), rows, method, PROJECTION_SEED)
        found = nero_spec.obtain(request, f"nero-map@{visit}")
    except BackendError as error:
        return {"message": error.message, "hint": error.hint}
    return {**found, "name": TITLES[method], "seed": PROJECTION_SEED}


__all__ = ["Values", "layout"]
