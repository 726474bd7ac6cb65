"""NERO: how does the model answer along the orbit of an input?

Server callbacks only say which results the views need (keys, and jobs where they must be computed
first); the browser fetches the arrays and draws. What moves with the pointer never leaves it. The
page asks tasks and orbits what they can do, and never which ones they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from dash import ClientsideFunction, Input, Output, State, callback, clientside_callback, dcc, html
from dash import register_page as register_dash_page

from backend.errors import BackendError
from backend.nero import tasks
from backend.nero.projections import TITLES
from components import nero_layout as parts
from components import nero_spec, nero_state, nero_tables, nero_toolbar
from components.nero_layout import PAGE, graph_of
from components.nero_spec import PROJECTION_SEED
from components.nero_state import Place
from components.selection import SELECTION, announce
from components.state import (
    Schema,
    Values,
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
MEASURED: Final = "nero-measured"  # the arrays of the chosen metric are in the browser
CURVES: Final = "nero-curves"  # what the map is made of: written only when that changes
VISIT, AGAIN = "nero-visit", "nero-again"  # this opening of the page; a press of Retry
UNSEEN: Final = ("task", "set", "item", "element", "averaged")


def layout(**query: str) -> html.Div:
    """The whole page for one query; cheap, reads nothing but cards and the items' labels."""
    query = nero_state.renamed(query)
    where = nero_state.place(unfolded(query)[0])  # it may lie behind a link
    shape = nero_state.schema(where)
    values, notices = read(query, shape)
    values["task"] = where.task
    if values["item"] not in where.items.ids:
        notices.append(
            f"item={values['item']} is not in {where.items.title}; another one is shown."
        )
        values["item"] = shape["item"].default
    models = nero_state.chosen_models(values)
    if values["focus"] not in models:
        values["focus"] = models[0]
    unseen = [hidden(PAGE, key, values[key]) for key in UNSEEN]
    found = [nero_toolbar.head(values, where), _views(values, where), *unseen]
    return html.Div([*found, *_stores(shape, notices)], className="lp-page")


def _views(values: Values, where: Place) -> html.Div:
    """Overview left, detail right; then what follows from the same numbers."""
    reductions = [{"value": method, "label": title} for method, title in TITLES.items()]
    offered = [{"value": m["name"], "label": m["label"]} for m in nero_spec.metrics(where)]
    maps = any(
        family.orbit().layout == "squares" for family in nero_state.families(where.task).values()
    )
    cards = [
        parts.overview(values, nero_state.subset_options(where.items), offered),
        parts.scatter(values, reductions),
        parts.single(
            values,
            nero_toolbar.sides(values, where),
            nero_toolbar.averaged(values, is_offered=maps),
        ),
        parts.image(values),
        parts.outputs(),
        parts.groups(has_classes=nero_state.answers_classes(where.task)),
        parts.worst(),
        parts.similar(),
    ]
    views, orbit = tasks.find(where.task).views, where.family.orbit(str(values["step"]))
    turned = str(nero_spec.is_turned_here(orbit)).lower()
    attributes: dict[str, Any] = {"data-input": views.input, "data-detail": views.detail}
    attributes |= {"data-layout": orbit.layout, "data-turned": turned}
    return html.Div(cards, className="nero-views", id="nero-views", **attributes)


_STORES: Final = (
    ORBITS,
    READY,
    MEASURED,
    CURVES,
    PLACES,
    PLACED,
    AGAIN,
    announce(PAGE),
    announce("nero-similar"),
)


def _stores(shape: Schema, notices: Sequence[str]) -> list[Any]:
    """Small JSON only: keys, ids and versions; never an array."""
    made = [dcc.Store(id=name) for name in _STORES]
    made.append(dcc.Store(id=VISIT, data=uuid4().hex))
    return [stores(PAGE, shape, notices), *made]


def _now(key: str) -> Input:
    return Input(control(PAGE, key), "value")


def _held(key: str) -> State:
    return State(control(PAGE, key), "value")


register_page_state(PAGE)
nero_tables.register()


def _clientside(function: str, *wiring: Any, namespace: str = "nero", **options: Any) -> None:
    clientside_callback(ClientsideFunction(namespace, function), *wiring, **options)


def _figure(card: str) -> Output:
    return Output(graph_of(card), "figure")


def _gesture(function: str, *wiring: Any, **options: Any) -> None:
    _clientside(function, *wiring, namespace="nero_gestures", **options)


SELECTED: Final = Input(SELECTION, "data")
LOADED: Final = Input(READY, "data")
VALUES: Final = Input(MEASURED, "data")
_clientside("visit", Input(VISIT, "data"))
_clientside("load", Output(READY, "data"), Input(ORBITS, "data"), State(nero_toolbar.TASK, "value"))
_clientside(
    "measure",
    Output(MEASURED, "data"),
    Output(CURVES, "data"),
    LOADED,
    _now("metric"),
    _now("consensus"),
)
_clientside(
    "aggregate", _figure(parts.AGGREGATE), VALUES, _now("subset"), SELECTED, _now("averaged")
)
_clientside("placed", Output(PLACED, "data"), Input(PLACES, "data"))
_clientside(
    "projection",
    _figure(parts.PROJECTION),
    VALUES,
    Input(PLACED, "data"),
    _now("colour"),
    _now("focus"),
)
_clientside(
    "individual",
    _figure(parts.INDIVIDUAL),
    VALUES,
    _now("item"),
    SELECTED,
    _now("subset"),
    _now("averaged"),
)
_clientside("outputs", _figure(parts.DETAIL), LOADED, _now("item"))
_clientside("item", LOADED, _now("item"))
_clientside("place", LOADED, _now("angle"), _now("element"))
_clientside("groups", _figure(parts.CONFUSION), VALUES, _now("focus"), _now("subset"), SELECTED)
_clientside(
    "worst",
    Output("nero-items", "columnDefs"),
    Output("nero-items", "rowData"),
    VALUES,
    _now("focus"),
    _now("subset"),
    SELECTED,
)
_gesture("attach", LOADED)
_gesture(
    "lasso",
    Output(announce(PAGE), "data"),
    Input(graph_of(parts.PROJECTION), "selectedData"),
    State(ORBITS, "data"),
    prevent_initial_call=True,
)
for button in ("previous", "next"):
    _gesture(button, Input(f"nero-{button}", "n_clicks"))
_gesture("order", Input("nero-order", "value"))
_gesture("open", Input("nero-items", "selectedRows"))
_gesture("similar", VALUES, _now("item"), _now("focus"))
_gesture(
    "take",
    Output(announce("nero-similar"), "data"),
    Input("nero-take", "n_clicks"),
    prevent_initial_call=True,
)
CHOSEN: Final = (nero_toolbar.TASK, "value")
_gesture("openTask", Input(*CHOSEN), _held("task"))
_gesture("followTask", _now("task"), _now("set"), State(*CHOSEN), State(ORBITS, "data"))
_gesture("average", Input(nero_toolbar.AVERAGED, "checked"), _held("averaged"))
_gesture("followAverage", _now("averaged"), State(nero_toolbar.AVERAGED, "checked"))


@callback(
    Output(ORBITS, "data"),
    Output(control(PAGE, "focus"), "data"),
    Output(control(PAGE, "focus"), "value"),
    Output(control(PAGE, "step"), "data"),
    Output(control(PAGE, "step"), "value"),
    _now("models"),
    _now("step"),
    _now("orbit"),
    Input(AGAIN, "data"),
    _held("task"),
    _held("set"),
    _held("focus"),
    State(VISIT, "data"),
)
def show_orbits(
    models: list[str],
    step: str,
    orbit: str,
    _again: object,
    task: str,
    held: str,
    focus: str,
    visit: str,
) -> tuple[dict[str, Any], list[dict[str, str]], str, list[dict[str, str]], str]:
    """Which orbit results the page needs: keys, jobs for the missing ones, empty figures."""
    check({"task": task}, nero_state.task_shape())
    where = nero_state.place({"task": task, "set": held, "orbit": orbit})
    shape = nero_state.schema(where)
    # A family that was chosen this moment may not have the sampling of the one before.
    step = step if step in where.family.levels else where.family.default
    check({"step": step, "orbit": orbit, "set": held}, shape)
    _, with_control = nero_spec.family_of(orbit)
    spec = nero_spec.comparison(where, models, step=step, with_control=with_control, visit=visit)
    chosen = [{"value": m["key"], "label": m["title"]} for m in spec["models"]]
    focus = focus if focus in models or not models else models[0]
    return spec, chosen, focus, nero_state.step_options(where.family), step


@callback(
    Output(PLACES, "data"),
    Input(CURVES, "data"),
    _now("method"),
    _now("focus"),
    _now("subset"),
    _held("step"),
    _held("orbit"),
    _held("task"),
    _held("set"),
    State(SELECTION, "data"),
    State(VISIT, "data"),
)
def show_places(
    curves: Mapping[str, Any] | None,
    method: str,
    focus: str,
    subset: str,
    step: str,
    orbit: str,
    task: str,
    held: str,
    selection: Mapping[str, Any],
    visit: str,
) -> dict[str, Any] | None:
    """Where the map's dots lie: the key of the projection, and its job where it is missing."""
    if not curves:
        return None
    check({"task": task}, nero_state.task_shape())
    where = nero_state.place({"task": task, "set": held, "orbit": orbit})
    shape = nero_state.schema(where)
    check({"step": step, "method": method, "focus": focus, "subset": subset}, shape)
    check({"metric": curves.get("metric"), "consensus": curves.get("consensus")}, shape)
    try:
        request = nero_spec.curves_of(where, focus, step, subset, method, curves, selection)
        found = nero_spec.obtain(request, f"nero-map@{visit}")
    except BackendError as error:
        return {"message": error.message, "hint": error.hint}
    return {**found, "name": TITLES[method], "seed": PROJECTION_SEED}


__all__ = ["Values", "layout"]
