"""What a registered data set is: where its images lie and which column says what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from backend.errors import BadRequest
from backend.registry.spec import checked_name, parse_classes

SetKind = Literal[
    "folder", "table", "arrays",
    "boxes", "clouds", "frames", "large", "contents", "pairs", "embeddings",
]  # fmt: skip
PICTURES: Final = ("folder", "table", "arrays")
"""Kinds of labelled images; the others are read by :mod:`backend.registry.sets`."""
IMAGES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
TABLES: Final = (".csv", ".parquet")
ARRAYS: Final = (".npy", ".npz")
LARGE: Final = (".tif", ".tiff", ".svs")
CLOUDS: Final = (".xyz", ".ply", ".obj", ".off")


@dataclass(frozen=True, slots=True)
class SetSpec:
    """One registered data set.

    Attributes:
        name: short name used in links.
        kind: a folder of images, a table of paths, arrays, or a kind of
            :mod:`backend.registry.sets`.
        path: the folder or file, absolute.
        classes: names in the order of a model's outputs; of a folder or table its own, sorted,
            unless given; of boxes and clouds see :mod:`backend.registry.own_classes`.
        image, label, split: names of the columns of a table or of the arrays of an ``.npz``;
            guessed where empty.
        caption: the column of the texts of paired images.
        labels: an ``.npy`` with the labels of an ``.npy`` of images.
        images: folder or zip of the images of a table of contents; the table's own where empty.
        columns: which column of a table of contents means what: ``text=headline+lede,arm=variant``.
        title, licence, source: for people.
    """

    name: str
    kind: SetKind
    path: str
    classes: tuple[str, ...] = ()
    image: str = ""
    label: str = ""
    split: str = ""
    caption: str = ""
    labels: str = ""
    images: str = ""
    columns: str = ""
    title: str = ""
    licence: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        checked_name(self.name, "data set")
        if self.kind not in get_args(SetKind):
            raise BadRequest(
                f"kind={str(self.kind)[:40]!r} is not known.",
                f"Allowed: {', '.join(get_args(SetKind))}.",
            )

    @property
    def told(self) -> str:
        """Its name for people."""
        return self.title or self.name

    def to_json(self) -> dict[str, Any]:
        """All fields, lists for tuples."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def changed(self, given: Mapping[str, Any]) -> SetSpec:
        """The spec with other values, as JSON, TOML or a form gives them.

        Raises:
            BadRequest: a field is not known or its value not usable.
        """
        return replace(self, **{name: _cast(name, value) for name, value in given.items()})


def from_json(given: Mapping[str, Any]) -> SetSpec:
    """The spec behind :meth:`SetSpec.to_json`.

    Raises:
        BadRequest: a field is not known, is missing, or its value not usable.
    """
    values = {name: _cast(name, value) for name, value in given.items()}
    missing = sorted({"name", "kind", "path"} - values.keys())
    if missing:
        raise BadRequest(f"The data set says no {missing[0]}.", "Needed are name, kind and path.")
    return SetSpec(**values)


def plain_kind(path: Path) -> SetKind:
    """What a path holds, told from its suffix alone; :mod:`backend.registry.telling` looks in.

    Raises:
        BadRequest: it is not there, or none of the kinds.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        return "folder"
    if not path.is_file():
        raise BadRequest(f"There is no file or folder {path.name!r}.", "Check the path.")
    if suffix in TABLES:
        return "table"
    if suffix in ARRAYS:
        return "arrays"
    if suffix in (".pkl", ".pickle"):
        raise BadRequest(
            f"{path.name} is a pickle, which runs code when it is opened.",
            "Save arrays with numpy.savez(file, images=..., labels=...) and add the .npz.",
        )
    if suffix in IMAGES:
        raise BadRequest(f"{path.name} is one image.", "Add the folder that it lies in.")
    if suffix == ".json":
        return "boxes"
    if suffix in LARGE:
        return "large"
    if suffix in (".xlsx", ".xls", ".tsv"):
        raise BadRequest(
            f"Tables of the form {suffix} are not read.", "Save the table as .csv or .parquet."
        )
    raise BadRequest(
        f"{path.name} is not a data set that can be read.",
        "A folder, a .csv or .parquet table, .npy/.npz arrays, or the .json of COCO's boxes.",
    )


def _cast(name: str, value: Any) -> Any:
    known = {field.name for field in fields(SetSpec)}
    if name not in known:
        raise BadRequest(
            f"{name[:40]!r} is not known of a data set.", f"Known are {', '.join(sorted(known))}."
        )
    if name == "classes":
        if isinstance(value, str | int):
            return parse_classes(str(value)) if str(value).strip() else ()
        return tuple(str(part) for part in value)
    if not isinstance(value, str):
        raise BadRequest(f"{name}={str(value)[:40]!r} is not a text.")
    return value
