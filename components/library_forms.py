"""Forms of the Library page. They are plain HTML: the browser sends them and watches the job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

from dash import html
from dash.development.base_component import Component

from backend.registry.answers import ANSWERS, POINTS, Output
from backend.registry.data_spec import SetKind
from backend.registry.sets import KINDS
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
    ("a torchvision model", "models add torchvision:resnet18 --name mine"),
    ("a detector", "models add yolo.onnx --name mine --task detection --classes names.txt"),
    ("an estimator of motion", "models add flow.pt2 --name mine --task piv"),
    ("a network of clouds", "models add points.pt2 --name mine --task points --input 1024x3"),
    ("a folder of images", "data add photos/ --name mine"),
    ("pairs of frames", "data add frames/ --name flow --kind frames"),
    ("a table of image paths", "data add table.csv --name mine --image path --label kind"),
)
OFFERED: Final = (
    "=what the file says, or classes of images",
    *(f"{name}={answer.title}" for name, answer in ANSWERS.items() if "onnx" in answer.kinds),
)
FORMS: Final = tuple(form for form in get_args(Output) if form != "auto")
PICTURES: Final = (
    ("Labelled images", "class folders, or train/ and test/ of class folders", "NERO, Crayon"),
    ("Labelled images", "a table with a column of paths, and perhaps label and split", "NERO"),
    ("Labelled images", ".npz with images and labels", "NERO"),
)
GROUPS: Final = (
    "Images with groups",
    "Waterbirds, CelebA, ImageNet-9, or a CSV",
    "Crayon, its own page",
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
            _select("task", "It answers about", OFFERED, "Told from files of Ultralytics, too"),
            _field("classes", "Classes", "cat, dog — or 10", "In the order of the outputs"),
            _field("input", "Input", "read from the file", "3x224x224; of clouds 1024x3"),
            _details(
                [
                    _select("range", "Range of pixels", ["", *RANGES], "0..1 unless the file says"),
                    _field("mean", "Mean", "0.485, 0.456, 0.406", "Subtracted, per channel"),
                    _field("std", "Std", "0.229, 0.224, 0.225", "Divided by, per channel"),
                    _select("output", "Answers as", ["", *FORMS], "Found by running"),
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


def set_form() -> Component:
    """A data set from the browser: arrays or an archive, or a folder that the owner has allowed."""
    allowed = "Below a folder of LOUPE_ROOTS, or data in the state folder"
    path = _field("path", "or a folder or table on this machine", "flowers/", allowed)
    look = html.Button("Look at it first", type="button", id="library-look", className="lp-btn")
    return html.Form(
        [
            html.H3("Add a data set"),
            _file("file", "A table, arrays, or a zip of any folder of the kinds below", DATA),
            path,
            _field("name", "Name", "flowers", "Small letters, digits, hyphens", required=True),
            _field("classes", "Classes", "its own, sorted", "In the order of the model's outputs"),
            _select("kind", "Kind", ["", *get_args(SetKind)], "Told from the file or folder"),
            _details(
                [
                    _field("image", "Image column or array", "guessed", ""),
                    _field("label", "Label column or array", "guessed", ""),
                    _field("split", "Split column", "guessed", ""),
                    _field("caption", "Caption column", "guessed", "Of images paired with texts"),
                    _field(
                        "columns",
                        "Columns of contents",
                        "text=headline,arm=variant",
                        "Guessed where not said",
                    ),
                    _field("images", "Images of contents", "pictures/", "Beside the table"),
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
    shown = ", ".join(spec.classes[:6])
    classes = _field("classes", "Classes", shown, "In the order of the outputs")
    pixels = _select("range", "Range of pixels", ["", *RANGES], f"now {spec.range}")
    return html.Form(
        [
            *([classes] if spec.answer.is_classed else []),
            *([] if spec.task == POINTS else [pixels]),
            _field("mean", "Mean", numbers["mean"] or "none", "Subtracted; none empties it"),
            _field("std", "Std", numbers["std"] or "none", "Divided by; none empties it"),
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


def kinds_of_data() -> Component:
    """What a data set may be, how it lies on disk, and where it opens."""
    told = [*PICTURES, *((kind.title, kind.layout, kind.view) for kind in KINDS.values()), GROUPS]
    rows = [html.Tr([html.Td(cell) for cell in row]) for row in told]
    head = html.Thead(html.Tr([html.Th(name) for name in ("Data", "As", "Opens in")]))
    return html.Section(
        [
            html.H2("Kinds of data"),
            html.P(
                "The kind is told from the file or folder; say it where that goes wrong.",
                className="lp-muted",
            ),
            html.Table([head, html.Tbody(rows)], className="lp-small"),
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
    return html.Div([html.Code(command, tabIndex=0), button], className="library-command")


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
