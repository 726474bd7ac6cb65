"""The parts of the Zoom-In page: images left, the viewer in the middle, what it says right.

Lists, layers and pieces are drawn in the browser (``assets/6x-zoom-*.js``) into places made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import dash_mantine_components as dmc
import numpy as np
from dash import dcc, html
from dash.development.base_component import Component

from components import zoom_methods as methods
from components.figures.zoom_share import cumulative
from components.icons import icon
from components.method_card import named
from components.nero_figures import plain
from components.nero_layout import NO_FIGURE
from components.plot_card import plot_card
from components.state import Values, control
from components.zoom_state import PAGE, SCALES, cam_titles, two_stage

IMAGES, VIEWER, ANSWER = "zoom-images", "zoom-viewer", "zoom-answer"
PIECES, SHARE, COST, TRAIN = "zoom-pieces", "zoom-share", "zoom-cost", "zoom-train"
SHARE_GRAPH: Final = "zoom-share-graph"
QUESTION: Final = "Where in a huge image did the model look, and was that enough?"
TRY: Final = "press one of the dots under Answer: another draw may look, and answer, elsewhere."
LIST_PX, VIEWER_PX = 640, 640
ACCEPTED: Final = ".tif,.tiff,.jpg,.jpeg,.png,.webp,.jp2,.svs,.ndpi,.mrxs,image/*"


def head(values: Values) -> html.Header:
    """Title, question, and the settings of a look."""
    tip = html.P([html.B("Try this first: "), TRY], className="nero-try")
    title = html.Div([html.H1("Zoom-In"), html.P(QUESTION), tip])
    return html.Header([title, _toolbar(values)], className="nero-head zoom-head")


def _toolbar(values: Values) -> Component:
    models = [{"value": key, "label": text} for key, text in two_stage().items()]
    scales = [{"value": key, "label": text} for key, text in SCALES.items()]
    policies = [{"value": "sample", "label": "Sample"}, {"value": "topk", "label": "Top-k"}]
    switch = dmc.SegmentedControl(
        id=control(PAGE, "policy"),
        value=values["policy"],
        data=policies,
        **named(aria_label="How tiles and pieces are picked"),
    )
    controls = [
        _select("model", "Model", models, values, 208),
        html.Div([html.Span("Picked by", className="zoom-label"), switch]),
        _number("n", "N tiles", values, 1, 256, 76),
        _number("seed", "Seed", values, 0, 2**30, 84),
        _number("draws", "Draws", values, 2, 200, 76),
        _select("s1", "s1, first view", scales, values, 108),
        _select("s2", "s2, second view", scales, values, 108),
    ]
    label = named(aria_label="How the model looks")
    return html.Div(controls, className="nero-toolbar zoom-toolbar", role="group", **label)


def _select(
    key: str, label: str, data: Sequence[Mapping[str, str]], values: Values, width_px: int
) -> Component:
    select: Component = dmc.Select(
        id=control(PAGE, key),
        label=label,
        data=list(data),
        value=values[key],
        allowDeselect=False,
        placeholder="none registered",
        w=width_px,
    )
    return select


def _number(key: str, label: str, values: Values, low: int, high: int, width_px: int) -> Component:
    number: Component = dmc.NumberInput(
        id=control(PAGE, key),
        label=label,
        value=values[key],
        min=low,
        max=high,
        step=1,
        allowDecimal=False,
        allowNegative=False,
        clampBehavior="strict",
        w=width_px,
    )
    return number


def images() -> Component:
    """The list, with the doors for one's own images above it."""
    path = html.Form(
        [
            dmc.TextInput(
                id="zoom-path",
                placeholder="Path below an allowed folder",
                size="xs",
                **named(aria_label="Path of an image below an allowed folder"),
            ),
            _button("zoom-open-path", "Open", "Open the image at this path"),
        ],
        id="zoom-path-form",
        className="zoom-path",
    )
    doors = [
        _button("zoom-upload", "Upload…", "Upload an image of your own", "file-export"),
        _button("zoom-ask-all", "Ask about all", "One look at each needle image", "refresh"),
    ]
    note = html.P(id="zoom-note", className="zoom-note", role="status")
    listed = html.Div(
        id="zoom-list", className="zoom-list", role="listbox", tabIndex=0,
        **named(aria_label="Images", data_not_drawn="true"),
    )  # fmt: skip
    return plot_card(
        IMAGES,
        "Images",
        "Which image, and what does the model say about each?",
        html.Div([listed, note], className="zoom-fill"),
        table=IMAGES,
        method=methods.IMAGES,
        controls=[html.Div(doors, className="zoom-row"), path],
        min_height_px=LIST_PX - 72,
        state="loading",
        is_picture=False,
    )


def _button(element_id: str, text: str, title: str, icon_name: str = "") -> Component:
    children: list[Any] = [icon(icon_name), text] if icon_name else [text]
    return html.Button(
        children,
        id=element_id,
        type="submit" if element_id == "zoom-open-path" else "button",
        className="plot-card-button",
        title=title,
    )


def _icon_button(element_id: str, name: str, label: str, keys: str = "") -> Component:
    return html.Button(
        icon(name),
        id=element_id,
        type="button",
        className="lp-iconbtn lp-iconbtn-sm",
        title=f"{label} ({keys})" if keys else label,
        **named(aria_label=label),
    )


def viewer() -> Component:
    """The tiled viewer, its layers beneath it."""
    buttons = [
        _icon_button("zoom-plus", "plus", "Closer", "+"),
        _icon_button("zoom-minus", "minus", "Further away", "-"),
        _icon_button("zoom-home", "home", "Whole image", "H"),
        _icon_button("zoom-full", "external-link", "Full screen", "F"),
        _button("zoom-peek", "Peek", "Hold to hide all layers (hold P)", "eye"),
        _button("zoom-look", "Look here", "Draw a rectangle to look into (L)", "target"),
        _button("zoom-everywhere", "Look everywhere", "Forget the rectangle", "x"),
    ]
    place = named(aria_label="The image with its layers")
    stage = html.Div(
        [
            html.Div(id="zoom-osd", className="zoom-osd", **place),
            html.Div(id="zoom-scale", className="zoom-scale", **named(aria_hidden="true")),
            html.Div(id="zoom-wait", className="zoom-wait", hidden=True),
        ],
        id="zoom-stage",
        className="zoom-stage",
    )
    status = html.Div(id="zoom-status", className="zoom-status")
    layers = html.Div(
        id="zoom-layers", className="zoom-layers", role="group", **named(aria_label="Layers")
    )
    return plot_card(
        VIEWER,
        "Viewer",
        "Where did the model look?",
        html.Div([stage, status, layers], className="zoom-fill"),
        table=VIEWER,
        method=methods.VIEWER,
        controls=html.Div(buttons, className="zoom-row"),
        min_height_px=VIEWER_PX,
        state="loading",
    )


def answer() -> Component:
    """The answer, and the answers of other draws."""
    return plot_card(
        ANSWER,
        "Answer",
        "Would other draws say the same?",
        html.Div(id="zoom-answer-view", className="zoom-answer"),
        table=ANSWER,
        method=methods.ANSWER,
        min_height_px=196,
        state="loading",
        is_picture=False,
    )


def cost() -> Component:
    """What the look cost, beside the baselines."""
    return plot_card(
        COST,
        "Cost",
        "What did that cost, beside one stage and a plain CNN?",
        html.Div(id="zoom-cost-view", className="zoom-cost"),
        table=COST,
        method=methods.COST,
        min_height_px=208,
        state="loading",
        is_picture=False,
    )


def share() -> Component:
    """How few pieces hold the answer."""
    config: Any = {"displaylogo": False, "displayModeBar": False, "responsive": True}
    graph = dcc.Graph(id=SHARE_GRAPH, figure=NO_FIGURE, config=config, className="zoom-graph")
    return plot_card(
        SHARE,
        "Concentration",
        "How many pieces hold the answer?",
        graph,
        table=SHARE,
        method=methods.SHARE,
        min_height_px=190,
        state="loading",
    )


@cache  # as long to make as the rest of the page
def empty_share() -> dict[str, Any]:
    """The figure of :func:`share` as JSON values, which the browser fills in; shared, so do not
    change it.
    """
    return plain(cumulative(np.zeros(0, np.float32), view=PAGE))


def pieces() -> Component:
    """What was read at full resolution, strongest effect first."""
    return plot_card(
        PIECES,
        "Pieces",
        "Which pieces decided?",
        html.Div(
            id="zoom-gallery", className="zoom-gallery", role="listbox",
            **named(aria_label="Pieces, strongest effect first"),
        ),
        table=PIECES,
        method=methods.PIECES,
        min_height_px=264,
        state="loading",
    )  # fmt: skip


def train() -> Component:
    """Training on the user's own images."""
    first = next(iter(two_stage()), "")
    models = [{"value": key, "label": text} for key, text in two_stage().items()]
    field = "zoom-field"
    form = [
        dmc.TextInput(
            id="zoom-train-folder", label="Folder", placeholder="slides", className=field
        ),
        dmc.TextInput(id="zoom-train-name", label="Name", placeholder="my-model", className=field),
        dmc.Select(
            id="zoom-train-base", label="Starts from", data=models, value=first,
            allowDeselect=False, className=field,
        ),
        dmc.NumberInput(
            id="zoom-train-steps", label="Steps", value=100, min=1, max=10_000,
            allowDecimal=False, className=field,
        ),
        _button("zoom-train-start", "Train", "Start training as a job", "brain"),
        html.P(id="zoom-train-note", className="zoom-note", role="status"),
    ]  # fmt: skip
    return plot_card(
        TRAIN,
        "Your own images",
        "Can the network learn what I look for?",
        html.Div(form, className="zoom-train"),
        method=methods.TRAIN,
        honesty="Trained and measured here, on your images only.",
        min_height_px=188,
        is_picture=False,
    )


def cam_data() -> list[dict[str, str]]:
    """What the menu of class maps offers: value and label."""
    return [{"value": key, "label": text} for key, text in cam_titles().items()]
