"""Forms of the Library page. They are plain HTML: the browser sends them and watches the job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from backend.registry.spec import RANGES, ModelSpec
from backend.registry.uploading import DATA, MODELS
from components.icons import icon
from components.library_routes import ARCHITECTURES
from components.method_card import named

OWNER: Final = (
    ("torch.export", "models add model.pt2 --name mine"),
    (
        "weights with a factory of yours",
        "models add w.safetensors --name mine --factory pkg.nets:make --classes 10 --input 3x64x64",
    ),
    ("a transformers folder", "models add folder/ --name mine"),
    ("TorchScript", "models add old.pt --name mine --input 3x224x224"),
    ("a timm model", "models add timm:resnet18 --name mine"),
    ("a folder of images", "data add photos/ --name mine"),
    ("a table of image paths", "data add table.csv --name mine --image path --label kind"),
)
ELSEWHERE: Final = (
    (
        "Clouds of points (xyz, csv, npy, ply, obj)",
        "NERO, task Points in space",
        "/nero?task=points",
    ),
    ("Pairs of particle images", "NERO, task Particle motion", "/nero?task=piv"),
    (
        "Photographs with boxes (YOLO, by command: nero --images)",
        "NERO, Object detection",
        "/nero?task=detection",
    ),
    ("Images of many megapixels", "Zoom-In", "/zoom"),
    ("Contents with their success (CSV, Parquet, zip of pictures)", "Insights", "/insights"),
    ("Images with groups: Waterbirds, CelebA, ImageNet-9, CSV", "Crayon", "/crayon"),
)


def model_form() -> Component:
    """A model from the browser: kinds that run no code when they are opened."""
    return html.Form(
        [
            html.H3("Add a model"),
            _file(
                "file", "ONNX file in one piece, or safetensors of an architecture below", MODELS
            ),
            _field("name", "Name", "flower-cnn", "Small letters, digits, hyphens", required=True),
            _field("classes", "Classes", "cat, dog — or 10", "In the order of the outputs"),
            _field("input", "Input", "read from the file", "channels x height x width"),
            _details(
                [
                    _select("range", "Range of pixels", ["", *RANGES], "0..1 unless the file says"),
                    _field("mean", "Mean", "0.485, 0.456, 0.406", "Subtracted, per channel"),
                    _field("std", "Std", "0.229, 0.224, 0.225", "Divided by, per channel"),
                    _select(
                        "output", "Answers", ["", "logits", "probabilities"], "Found by running"
                    ),
                    _select("factory", "Architecture", ["", *ARCHITECTURES], "For safetensors"),
                    _field("data", "Trained on", "", "For people"),
                    _field("licence", "Licence", "", "Of the weights"),
                ]
            ),
            _submit("Check on three items and add"),
        ],
        id="library-add-model",
        className="lp-card lp-fact-card library-form",
        **_action("/_library/model"),
    )


def set_form(roots: Sequence[Path]) -> Component:
    """A data set from the browser: arrays or an archive, or a folder that the owner has allowed."""
    allowed = "Below: " + (", ".join(str(root) for root in roots) or "none for your role")
    path = _field("path", "or a folder or table on this machine", "flowers/", allowed)
    look = html.Button("Look at it first", type="button", id="library-look", className="lp-btn")
    return html.Form(
        [
            html.H3("Add a data set"),
            _file("file", "Arrays (images and labels), or a zip of class folders", DATA),
            path,
            _field("name", "Name", "flowers", "Small letters, digits, hyphens", required=True),
            _field("classes", "Classes", "its own, sorted", "In the order of the model's outputs"),
            _details(
                [
                    _field("image", "Image column or array", "guessed", ""),
                    _field("label", "Label column or array", "guessed", ""),
                    _field("split", "Split column", "guessed", ""),
                    _field("source", "Source", "", "Where the images come from"),
                    _field("licence", "Licence", "", "Of the images"),
                ]
            ),
            html.Div(id="library-preview", className="lp-small library-preview"),
            _submit("Index and add", [look]),
        ],
        id="library-add-set",
        className="lp-card lp-fact-card library-form",
        **_action("/_library/set"),
    )


def edit_form(spec: ModelSpec) -> Component:
    """What can be corrected of a registered model."""
    numbers = {name: ", ".join(f"{v:g}" for v in getattr(spec, name)) for name in ("mean", "std")}
    return html.Form(
        [
            _field(
                "classes", "Classes", ", ".join(spec.classes[:6]), "In the order of the outputs"
            ),
            _select("range", "Range of pixels", ["", *RANGES], f"now {spec.range}"),
            _field("mean", "Mean", numbers["mean"] or "none", "Subtracted, per channel"),
            _field("std", "Std", numbers["std"] or "none", "Divided by, per channel"),
            _field("title", "Title", spec.title or spec.name, "For people"),
            _field("data", "Trained on", spec.data, "For people"),
            _field("licence", "Licence", spec.licence, "Of the weights"),
            _submit("Check again and keep"),
        ],
        className="library-form library-edit",
        hidden=True,
        **_action(f"/_library/model/{spec.name}"),
        **named(data_edit=spec.name),
    )


def by_command() -> Component:
    """What only the owner of the machine may add, with the commands."""
    rows = [
        html.Li([html.Span(what), copyable(f"python -m backend {command}")])
        for what, command in OWNER
    ]
    why = (
        "Opening these can run code or read this machine's files, so the browser does not take "
        "them. The owner adds them by command, or all at once from a loupe.toml:"
    )
    project = copyable("python -m backend project load loupe.toml")
    return html.Section(
        [html.H2("By command"), html.P(why, className="lp-muted"), project, html.Ul(rows)],
        className="lp-card lp-fact-card library-owner",
    )


def elsewhere() -> Component:
    """Which page imports what else."""
    rows = [
        html.Tr([html.Td(what), html.Td(html.A(page, href=href))]) for what, page, href in ELSEWHERE
    ]
    return html.Section(
        [
            html.H2("Other kinds of data"),
            html.P("Each is opened on the page that works on it.", className="lp-muted"),
            html.Table(html.Tbody(rows), className="lp-small"),
        ],
        className="lp-card lp-fact-card library-elsewhere",
    )


def copyable(command: str) -> Component:
    """A command with a button that copies it."""
    button = html.Button(
        icon("copy"),
        type="button",
        className="lp-iconbtn lp-iconbtn-sm library-copy",
        title="Copy the command",
        **named(aria_label=f"Copy: {command}", data_copy=command),
    )
    return html.Div([html.Code(command), button], className="library-command")


def _action(url: str) -> dict[str, Any]:
    return named(data_url=url)


def _file(name: str, label: str, suffixes: Sequence[str]) -> Component:
    box = html.Div(
        className="library-file", **named(data_accept=",".join(suffixes), data_field=name)
    )
    return html.Div([html.Span(label, className="library-label"), box])


def _field(name: str, label: str, hint: str, note: str, *, required: bool = False) -> Component:
    """A text field; the browser puts the input in, so that what is typed is nobody's state."""
    attributes = named(data_field=name, data_hint=hint, data_label=label)
    attributes |= named(data_required="true") if required else {}
    return html.Div(
        [
            html.Span(label, className="library-label"),
            html.Div(className="library-input", **attributes),
            html.Span(note, className="lp-muted lp-small"),
        ]
    )


def _select(name: str, label: str, options: Sequence[str], note: str) -> Component:
    attributes = named(data_field=name, data_label=label, data_options="|".join(options))
    return html.Div(
        [
            html.Span(label, className="library-label"),
            html.Div(className="library-input", **attributes),
            html.Span(note, className="lp-muted lp-small"),
        ]
    )


def _details(fields: Sequence[Component]) -> Component:
    return html.Details([html.Summary("More"), html.Div(list(fields))], className="lp-small")


def _submit(label: str, more: Sequence[Component] = ()) -> Component:
    button = html.Button(label, type="submit", className="lp-btn lp-btn-main")
    said = html.P("", className="lp-small library-said", role="status")
    return html.Div([html.Div([button, *more], className="lp-actions"), said])
