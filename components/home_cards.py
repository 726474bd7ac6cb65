"""Cards of the home page: views, models, data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component

from backend import catalog
from backend.datasets import BundledInfo, load
from backend.media import MediaStore
from backend.nero import tasks
from backend.protocols import U8
from backend.small_cache import SmallCache
from components.icons import icon

SHEET_PX = 44
SHEET_COUNT = 10
MEASURED: Final = {
    "upright_accuracy": "Upright",
    "orbit_accuracy": "Over all rotations",
    "worst_group_accuracy": "Worst group",
    "mean_group_accuracy": "Mean of groups",
    "accuracy": "Accuracy",
    "needle_hit": "Needle hit",
    "centre_iou": "IoU, centred",
    "mean_iou": "IoU over all shifts",
    "rmse_px": "Error",
    "orbit_rmse_px": "Error over the orbit",
    "disc_mean": "Over the disc",
    "test_pairwise": "Pairs ordered rightly",
    "map_at_r_none": "MAP@R, not trained",
    "map_at_r_best": "MAP@R, best loss",
    "text_to_image_recall": "Text to image, first hit",
    "precision_at_10": "Right among the first 10",
    "gender_accuracy": "Drawn gender recognised",
}
"""What a card's metrics are called; the first two that a card has are shown."""
OPENED: Final = {
    "crayon": ("Crayon", "/crayon"),
    "people": ("Fair retrieval", "/fair-retrieval"),
    "insights": ("Insights", "/insights"),
    "metric": ("Metric learning", "/metric-learning"),
    "needles": ("Zoom-In", "/zoom"),
    "pairs": ("Modality gap", "/modality-gap"),
}
"""Page and address of the tasks that are not NERO's."""


def view_card(page: Mapping[str, Any]) -> dcc.Link:
    """One view: its name and its question."""
    return dcc.Link(
        [
            icon(page.get("icon") or "circle-dashed"),
            html.Div([html.H3(page["name"]), html.P(page["description"], className="lp-muted")]),
        ],
        href=page["path"],
        className="lp-card lp-view-card",
    )


def model_card(key: str) -> html.Article:
    """One model: what it is, how well it does, which weights, and the page that opens it."""
    card = catalog.card(key)
    metrics = card.metrics
    size = f"{card.input.width} × {card.input.height}"
    facts = [card.architecture, _count(metrics.get("parameters")), size]
    page, href = _opened(key)
    shown = [name for name in MEASURED if name in metrics][:2]
    return html.Article(
        [
            html.H3(card.title),
            html.P(card.summary, className="lp-muted lp-small lp-two-lines", title=card.summary),
            *(_measured(name, float(metrics[name])) for name in shown),
            html.P(" · ".join(fact for fact in facts if fact), className="lp-muted lp-small"),
            html.Div(
                [
                    html.Span(
                        card.fingerprint[:8],
                        className="lp-mono lp-muted lp-small",
                        title=f"Fingerprint of the weights: {card.fingerprint}",
                    ),
                    dcc.Link(
                        f"Open in {page}",
                        href=href,
                        className="lp-small",
                        title=f"Open {card.title} in {page}",
                    ),
                ],
                className="lp-card-foot",
            ),
        ],
        className="lp-card lp-fact-card",
    )


def ordered_models() -> list[str]:
    """Every model's key: task by task, the models that a task compares first."""
    compared = [key for name in tasks.names() for key in tasks.find(name).compare]
    return [
        *(k for k in compared if k in catalog.models()),
        *(k for k in catalog.models() if k not in compared),
    ]


def _opened(key: str) -> tuple[str, str]:
    """Name and address of the page on which a model answers."""
    task = catalog.card(key).task
    if task in OPENED:
        page, path = OPENED[task]
        return (
            page,
            f"{path}?set={quote(key.removeprefix('crayon-'))}" if task == "crayon" else path,
        )
    return "NERO", f"/nero?task={_task_of(key)}&models={quote(key)}&focus={quote(key)}"


def _task_of(key: str) -> str:
    """The NERO task whose data set the model answers about; the first where none does."""
    fitting = (name for name in tasks.names() if key in catalog.models_for(name))
    return next(fitting, tasks.names()[0])


def _count(value: float | None) -> str:
    """The number of parameters in words; empty where the card does not say it."""
    if not value:
        return ""
    return f"{value / 1e6:.1f} M parameters" if value >= 1e6 else f"{value:,.0f} parameters"


def _measured(name: str, value: float) -> html.Div:
    """A metric of a card: a share in [0, 1] as a bar, an error as it is."""
    label = html.Span(MEASURED[name])
    if name.endswith("_px"):
        number = html.Span(f"{value:.2f} px", className="lp-number")
        return html.Div([label, html.Span(), number], className="lp-measured")
    return html.Div(
        [
            label,
            html.Span(html.Span(style={"width": f"{value:.1%}"}), className="lp-bar"),
            html.Span(f"{100 * value:.1f} %", className="lp-number"),
        ],
        className="lp-measured",
    )


def dataset_card(info: BundledInfo, image_url: str) -> html.Article:
    """One data set: how many images of what size, from where, and what they look like."""
    height, width, channels = info.shape
    colour = "grey" if channels == 1 else "colour"
    return html.Article(
        [
            html.H3(info.title),
            html.Img(
                src=image_url,
                alt=f"Some of the images of {info.title}",
                width=SHEET_PX * SHEET_COUNT,
                height=SHEET_PX,
                className="lp-sheet",
            ),
            html.P(f"{info.count} images · {width} × {height} {colour}", className="lp-small"),
            html.P(info.source, className="lp-muted lp-small"),
            html.P(info.licence, className="lp-muted lp-small"),
        ],
        className="lp-card lp-fact-card",
    )


def sheet_url(key: str, media: MediaStore, small: SmallCache) -> str:
    """URL of a strip of ten images of a data set, made once and kept."""
    name = f"home-sheet:{load(key).fingerprint}"
    held = small.get(name)
    if held is None:
        held = media.put_image(_sheet(key)).encode()
        small.put(name, held)
    return f"/_media/{held.decode()}.webp"


def _sheet(key: str) -> U8:
    """Ten images side by side, evenly spread over the set: ``(88, 880, 3)``, drawn at half size."""
    from PIL import Image

    items = load(key)
    rows = np.linspace(0, len(items.ids) - 1, SHEET_COUNT).astype(int)
    side = 2 * SHEET_PX
    tiles: Sequence[U8] = [
        np.asarray(
            Image.fromarray(items.image(int(row)).squeeze())
            .convert("RGB")
            .resize((side, side), Image.Resampling.BICUBIC)
        )
        for row in rows
    ]
    return np.concatenate(tiles, axis=1)


def section(title: str, content: Component, note: str = "") -> html.Section:
    """A titled part of a page."""
    head: list[Component] = [html.H2(title)]
    if note:
        head.append(html.P(note, className="lp-muted lp-small"))
    return html.Section([html.Div(head, className="lp-section-head"), content])
