"""The two steps of the Crayon page in which people answer: about maps, and about neurons.

Only places are made here; ``assets/75-crayon-*.js`` fill them in. Both steps have the same parts,
told apart by ``data-kind`` of their root.
"""

from __future__ import annotations

from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from components.icons import icon
from components.method_card import named

ANSWERS: Final = {"no": "No", "maybe": "Cannot tell", "yes": "Yes"}
"""From left to right: as one swipes. The keys are written by the script, which can change them."""
REASONS: Final = {
    "unclear": "Unclear",
    "nothing highlighted": "Nothing highlighted",
    "several objects": "Several objects",
    "not visible": "Not visible",
    "other": "Other",
}
"""As ``backend.crayon.answers.REASONS``."""


def map_panel() -> Component:
    """Step 2: is the strong highlight mainly on the object?"""
    return _panel("map")


def patch_panel() -> Component:
    """Step 3: is what a neuron reacts to part of the object?"""
    return _panel("patch")


def _panel(kind: str) -> Component:
    neuron = [_part("neuron", html.Div, role="status")] if kind == "patch" else []
    desk = html.Div(
        [_top(kind), _question(), _stage(), _why(), *neuron, _hands(), _strip()],
        className="annotate-desk",
    )
    return html.Div(
        [_name_form(kind), desk, _below()],
        id=f"crayon-annotate-{kind}",
        className="annotate",
        **named(data_kind=kind, data_state="loading"),
    )


def _part(name: str, tag: Any = html.Div, children: Any = None, **attributes: Any) -> Component:
    """A place that a script knows by its name within the panel."""
    made: Component = tag(
        children, className=f"annotate-{name}", **named(data_part=name), **attributes
    )
    return made


def _button(name: str, text: str, icon_name: str, title: str = "") -> Component:
    label = html.Span(text)
    keys = html.Kbd(className="lp-kbd", **named(data_keyof=name))
    return html.Button(
        [icon(icon_name), label, keys],
        type="button",
        className="annotate-tool",
        title=title or text,
        **named(data_do=name),
    )


def _name_form(kind: str) -> Component:
    """Asked once, in place, where a link names nobody."""
    field = html.Label(
        [
            html.Span("Your name, so that answers can be told apart"),
            html.Div(
                id=f"crayon-name-{kind}",
                className="annotate-name-field",
                **named(data_part="name-field"),
            ),
        ]
    )
    said = _part("name-said", html.P, role="alert")
    return _part("name", html.Div, [field, said], hidden=True)


def _top(kind: str) -> Component:
    bar = _part("bar", html.Div, html.Span(), **named(aria_hidden="true"))
    what = "maps" if kind == "map" else "patches"
    progress = _part("progress", html.Div, f"Loading {what}…")
    saved = _part("saved", html.Div, role="status", **named(aria_live="polite"))
    line = html.Div([progress, saved], className="annotate-line")
    return html.Div([bar, line, _part("banner", html.P, hidden=True)], className="annotate-top")


def _question() -> Component:
    return _part("question", html.H2, **named(aria_live="polite", aria_atomic="true"))


def _stage() -> Component:
    views = _part("views", html.Div)
    label = _part("swipe", html.Div, **named(aria_hidden="true"))
    empty = _part("empty", html.Div, role="status")
    return _part(
        "stage",
        html.Div,
        [views, label, empty],
        tabIndex=0,
        role="group",
        **named(aria_label="What is asked about. Press and hold: without the highlight."),
    )


def _why() -> Component:
    return html.Div(
        [_part("why", html.Span), _part("said", html.Span, role="status")],
        className="annotate-about",
    )


def _hands() -> Component:
    """The answers; reasons for skipping take their place while one is chosen."""
    answers = [
        html.Button(
            [html.Span(text), html.Kbd(className="lp-kbd", **named(data_keyof=name))],
            type="button",
            className="annotate-answer",
            **named(data_answer=name),
        )
        for name, text in ANSWERS.items()
    ]
    chips = [
        html.Button(text, type="button", className="annotate-chip", **named(data_reason=reason))
        for reason, text in REASONS.items()
    ]
    back = html.Button(
        "Do not skip", type="button", className="annotate-chip", **named(data_do="unskip")
    )
    tools = [
        _button("undo", "Undo", "arrow-back-up", "Take the last answer back"),
        _button("skip", "Skip", "chevron-right", "Skip this one, with a reason"),
        _button("peek", "Peek", "eye", "Hold: without the highlight"),
        _button("stop", "Keep as it is", "x", "Leave this answer unchanged"),
    ]
    return html.Div(
        [
            _part("answers", html.Div, answers, role="group", **named(aria_label="Your answer")),
            _part("reasons", html.Div, [html.Span("Why?"), *chips, back], hidden=True),
            _part("tools", html.Div, tools),
        ],
        className="annotate-hands",
    )


def _strip() -> Component:
    title = html.H3("Your last ten")
    listed = _part("strip", html.Ol, **named(aria_label="Your last ten answers; press to change"))
    return html.Div([title, listed], className="annotate-last")


def _below() -> Component:
    """What is needed now and then: folded, drawn when it is opened."""
    parts = {
        "people": "Order and people",
        "agreement": "Agreement",
        "simulated": "Simulated annotators",
        "files": "Export and import",
        "keys": "Keys",
    }
    folds = [
        html.Details(
            [html.Summary(title), _part(name, html.Div)],
            className="annotate-fold",
            **named(data_fold=name),
        )
        for name, title in parts.items()
    ]
    return html.Div(folds, className="annotate-below")
