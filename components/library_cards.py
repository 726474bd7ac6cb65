"""Cards of the Library page: a registered model, a registered data set, and what imports what."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component

from backend.registry import sets as sets_of_kinds
from backend.registry import store, views
from backend.registry.answers import CLASSIFICATION, POINTS, in_words
from backend.registry.spec import KIND_TITLES, ModelSpec, how_many
from backend.registry.store import OwnModel, OwnSet
from components.icons import icon
from components.library_forms import copyable, edit_form
from components.method_card import named

STRIP: Final = 10
SHOWN_PAIRS: Final = 6
SHOWN_PROBLEMS: Final = 8


def models(held: Mapping[str, OwnModel]) -> Component:
    """Every registered model, the newest first."""
    cards = [model_card(model) for model in reversed(list(held.values()))]
    return html.Div(cards or [_nothing("model")], className="library-cards")


def sets(held: Mapping[str, OwnSet]) -> Component:
    """Every registered data set, the newest first."""
    cards = [set_card(one) for one in reversed(list(held.values()))]
    return html.Div(cards or [_nothing("data set")], className="library-cards")


def _nothing(what: str) -> Component:
    command = {
        "model": "python -m backend models add model.pt2 --name mine",
        "data set": "python -m backend data add photos/ --name mine-too",
    }[what]
    told = html.P(f"No {what} of yours is registered yet. Add one here, or by command:")
    return html.Div([told, copyable(command)], className="lp-card lp-fact-card library-empty")


def model_card(held: OwnModel) -> html.Article:
    """What a model takes and gives, what running it found, and the views it opens in."""
    spec, found = held.spec, held.validation
    is_fixed = spec.answer.kinds == ("transformers",)  # of texts: nothing to be said about it
    facts = [("Kind", KIND_TITLES[spec.kind]), ("Takes", _takes(spec))]
    facts += [] if is_fixed else [("Answers", _gives(spec))]
    facts += [("Layers", _layers(held))] if spec.task == CLASSIFICATION else []
    return html.Article(
        [
            _title(spec.title or spec.name, spec.name, held.fingerprint, "weights and spec"),
            _facts(facts),
            _ran(found),
            _notes(found.get("notes", [])),
            _views(views.of_model(held)),
            _foot(
                "model",
                spec.name,
                f"Added {_moment(held.added_at)}",
                [] if is_fixed else [_button("Edit", "edit", spec.name, "adjustments")],
            ),
            html.Span(hidden=True) if is_fixed else edit_form(held.spec),
        ],
        className="lp-card lp-fact-card library-card",
        id=f"library-model-{spec.name}",
    )


def _takes(spec: ModelSpec) -> str:
    """The input and its scaling, in words."""
    if not any(spec.input):
        return spec.answer.takes
    scaling = "" if spec.task == POINTS else f", range {spec.range}"
    for name, values in (("mean", spec.mean), ("std", spec.std)):
        scaling += f", {name} {', '.join(f'{value:g}' for value in values)}" if values else ""
    sides = ", or of other sides" if spec.any_side else ""
    return f"{spec.size} ({in_words(spec.task, spec.input)}{sides}){scaling}"


def _gives(spec: ModelSpec) -> str:
    """What it answers, and about which classes."""
    told = f"{spec.answer.title}: "
    told += spec.answer.gives if spec.output == "auto" else spec.output
    if not spec.answer.is_classed:
        return told
    shown = ", ".join(spec.classes[:12]) + (", …" if len(spec.classes) > 12 else "")
    return f"{told}, {how_many(spec.classes)}: {shown}"


def _layers(held: OwnModel) -> str:
    size = held.validation.get("embedding_size", 0)
    told = f"{len(held.spec.layers)} with maps" if held.spec.layers else "none can be seen"
    gradients = "gradients" if held.validation.get("has_gradients") else "no gradients"
    return f"{told} · {gradients} · " + (f"embedding of {size}" if size else "no embedding")


def _ran(found: Mapping[str, Any]) -> Component:
    answers, sure = found.get("answers", []), found.get("confidence", [])
    shares = [f" ({share:.0%})" for share in sure] or [""] * len(answers)  # some say it themselves
    told = "; ".join(f"{name}{share}" for name, share in zip(answers, shares, strict=True))
    speed = 1000 * float(found.get("seconds", 0))
    return html.P(
        [
            icon("check"),
            f" Ran on {found.get('items', 0)} items in {speed:.1f} ms: {told}",
        ],
        className="lp-small library-ran",
    )


def _notes(notes: Sequence[str]) -> Component:
    return html.Ul([html.Li(note) for note in notes], className="lp-muted lp-small library-notes")


def set_card(held: OwnSet) -> html.Article:
    """How many images of what, what was wrong, what is double, and the views it opens in."""
    spec, found = held.spec, held.summary
    again = _button("Index again", "index", spec.name, "refresh")
    return html.Article(
        [
            _title(spec.told, spec.name, held.fingerprint, "contents, labels and order"),
            _strip(held),
            _look(held),
            _facts(_of_set(held)),
            _notes(found.get("notes", [])),
            _problems(found),
            _pairs(held),
            _views(views.of_set(held)),
            _foot("set", spec.name, _indexed(held), [again]),
        ],
        className="lp-card lp-fact-card library-card",
        id=f"library-set-{spec.name}",
    )


def _of_set(held: OwnSet) -> list[tuple[str, str]]:
    """What an index says of a set, part by part."""
    found, kind = held.summary, sets_of_kinds.KINDS.get(held.spec.kind)
    low, high = found["smallest"], found["largest"]
    size = f", {low[0]} × {low[1]} px" if low == high else f", up to {high[0]} × {high[1]} px"
    told = f"{found['items']:,}{size if high[0] else ''}"
    if held.spec.classes:
        told += f"; {found['unlabelled']:,} without a label"
    facts = [(kind.noun.capitalize() if kind else "Images", told)]
    facts += [("Kind", kind.title)] if kind else []
    facts += [("Classes", _per_class(held))] if held.spec.classes or not kind else []
    facts += (
        []
        if kind
        else [("Splits", ", ".join(f"{k} {v:,}" for k, v in found["splits"].items()) or "none")]
    )
    return [*facts, ("Double", _doubles(found["duplicates"]))]


def _per_class(held: OwnSet) -> str:
    counted = list(zip(held.spec.classes, held.summary["per_class"], strict=True))
    counted.sort(key=lambda one: not one[1])  # of COCO's 80 those that are there
    told = ", ".join(f"{name} {count:,}" for name, count in counted[:12])
    return f"{len(held.spec.classes)}: {told}" + (", …" if len(held.spec.classes) > 12 else "")


def _doubles(found: Mapping[str, Any]) -> str:
    told = f"{found['equal']:,} equal and {found['near']:,} nearly equal to an earlier one"
    if found["leaks"]:
        told += f"; {_pairs_of(found['leaks'])} in two splits"
    if found["conflicts"]:
        told += f"; {_pairs_of(found['conflicts'])} equal, of two labels"
    return told + ("; more were not counted" if found["is_cut"] else "")


def _pairs_of(count: int) -> str:
    return f"{count:,} pair{'' if count == 1 else 's'}"


def thumb_url(held: OwnSet, row: int) -> str:
    """Where the thumbnail of a row is."""
    return f"/_library/thumb/{held.spec.name}/{held.fingerprint[:16]}/{row}.webp"


def _strip(held: OwnSet) -> Component:
    if not held.summary["largest"][0]:  # numbers alone: nothing to be seen
        return html.Span(hidden=True)
    count = int(held.summary["items"])
    rows = np.unique(np.linspace(0, count - 1, min(STRIP, count)).astype(int)).tolist()
    images = [html.Img(src=thumb_url(held, row), alt="", width=44, height=44) for row in rows]
    return html.Div(
        images, className="library-strip", role="img", **named(aria_label="Some of its images")
    )


def _look(held: OwnSet) -> Component:
    """The way to all of its pictures."""
    if not held.summary["largest"][0]:
        return html.Span(hidden=True)
    href = f"/images?set={held.spec.name}"
    link = dcc.Link(["Look at all of them", icon("arrow-right")], href=href)
    return html.Div(link, className="lp-small library-open")


def _problems(found: Mapping[str, Any]) -> Component:
    count = int(found["problems"])
    if not count:
        return html.P([icon("check"), " No problems."], className="lp-small library-ran")
    rows = [html.Li(f"Row {row}: {text}.") for row, text in found["first_problems"]]
    more = [html.Li(f"… and {count - SHOWN_PROBLEMS:,} more.")] if count > SHOWN_PROBLEMS else []
    return html.Details(
        [
            html.Summary("1 row is left out" if count == 1 else f"{count:,} rows are left out"),
            html.Ul([*rows[:SHOWN_PROBLEMS], *more], className="lp-muted"),
        ],
        className="lp-small library-warned",
    )


def _pairs(held: OwnSet) -> Component:
    pairs = held.summary["duplicates"]["pairs"][:SHOWN_PAIRS]
    if not pairs or not held.summary["largest"][0]:
        return html.Span(hidden=True)
    told = [
        html.Figure(
            [
                *[
                    html.Img(src=thumb_url(held, row), alt="", width=44, height=44)
                    for row in p["rows"]
                ],
                html.Figcaption(_pair_words(p)),
            ],
            title=f"{p['names'][0]} and {p['names'][1]}",
        )
        for p in pairs
    ]
    return html.Details(
        [html.Summary("Pairs that look alike"), html.Div(told, className="library-pairs")],
        className="lp-small",
    )


def _pair_words(pair: Mapping[str, Any]) -> str:
    first, second = pair["splits"]
    kind = "equal" if pair["is_equal"] else "nearly equal"
    return f"{kind}, {first} and {second}" if first != second else kind


def _title(title: str, name: str, fingerprint: str, of: str) -> Component:
    mark = html.Span(
        fingerprint[:8],
        className="lp-mono lp-muted lp-small",
        title=f"Fingerprint of its {of}: {fingerprint[:16]}",
    )
    shown = [html.H3(title)] + (
        [html.Span(name, className="lp-mono lp-small")] if title != name else []
    )
    return html.Div([*shown, mark], className="library-title")


def _facts(facts: Sequence[tuple[str, str]]) -> Component:
    cells: list[Component] = []
    for name, text in facts:
        cells += [html.Dt(name), html.Dd(text)]
    return html.Dl(cells, className="library-facts lp-small")


def _views(opened: Sequence[views.View]) -> Component:
    """Links of the views that take it; the others greyed, with the reason to be read."""
    usable = [_view(view) for view in opened if view.href]
    missing = [view for view in opened if not view.href]
    first = [_view(view) for view in missing if not usable][:1]  # without any, the reason is open
    rest = missing[len(first) :]
    why = html.Details(
        [
            html.Summary("Not in " + ", ".join(view.name for view in rest)),
            html.Ul([_view(view) for view in rest]),
        ],
        className="library-greyed",
        hidden=not rest,
    )
    return html.Div([html.Ul([*usable, *first]), why], className="library-views lp-small")


def _view(view: views.View) -> Component:
    if view.href:
        link = dcc.Link(["Open in ", view.name, icon("arrow-right")], href=view.href)
        return html.Li(link, className="library-open")
    told: list[Any] = [html.B(view.name), f" {view.why}"]
    return html.Li(
        [html.Span(told), *([copyable(view.command)] if view.command else [])],
        className="library-greyed",
    )


def _moment(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_s))


def _indexed(held: OwnSet) -> str:
    """When its files were looked at, and how much of them had to be read for that."""
    read, count = int(held.summary["read"]), int(held.summary["items"])
    told = "all read" if read == count else f"{read:,} of {count:,} read" if read else "unchanged"
    return f"Indexed {_moment(held.added_at)}, {told}"


def _foot(kind: str, name: str, told: str, more: Sequence[Component]) -> Component:
    remove = _button("Remove", "remove", name, "trash", kind)
    return html.Div(
        [html.Span(told, className="lp-muted lp-small"), *more, remove],
        className="library-foot",
    )


def _button(label: str, action: str, name: str, icon_name: str, kind: str = "") -> Component:
    return html.Button(
        [icon(icon_name), label],
        type="button",
        className="lp-btn lp-btn-sm",
        **named(data_action=action, data_name=name, data_kind=kind, aria_label=f"{label} {name}"),
    )


def registered() -> tuple[Component, Component]:
    """Both lists as they are now."""
    own = store.listed(now=True)
    if own.away:
        return html.P(own.away, className="lp-muted"), html.P(own.away, className="lp-muted")
    return models(own.models), sets(own.sets)
