"""Tables of contents and their success, for Insights: which column means what is in the spec."""

from __future__ import annotations

from pathlib import Path

from backend.errors import BadRequest
from backend.insights import importer, library
from backend.insights.importer import Upload
from backend.protocols import U8, Progress
from backend.registry.data_spec import SetSpec
from backend.registry.earlier import Earlier
from backend.registry.reading import Listing
from backend.registry.sets import Content, sha_of

SHOWN_PX = 96


def listed(spec: SetSpec) -> Listing:
    """The first rows, all columns, and what is wrong; images are looked for, not opened."""
    told = importer.preview(_upload(spec), spec.columns)
    found = Listing(columns=told["columns"])
    mapping = told["mapping"]
    place = {name: number for number, name in enumerate(told["columns"])}
    for row, cells in enumerate(told["preview"], start=1):
        texts = [cells[place[name]] for name in mapping["text"]]
        found.names.append(" · ".join(texts)[:200] or cells[0])
        found.labels.append(cells[place[mapping["domain"]]] if mapping["domain"] else "")
        found.splits.append("")
        found.rows.append(row)
    count = told["rows"] - len(found.names)
    found.names += [""] * count
    found.labels += [""] * count
    found.splits += [""] * count
    found.problems = [(one["row"], one["sentence"].rstrip(".")) for one in told["problems"]]
    return found


def content(spec: SetSpec, progress: Progress, earlier: Earlier) -> Content:
    """All contents or none, read as a whole: Insights keeps a copy, under a key of its own."""
    del earlier
    made = library.add(_upload(spec), spec.columns, spec.told[: library.LONGEST_TITLE], progress)
    pictures = made.pictures

    def picture(row: int) -> U8:
        if pictures is None:
            raise BadRequest("There are no pictures.")
        return pictures.image(row, SHOWN_PX)

    return Content(
        [made.text(row).replace("\n", " · ")[:120] or made.ids[row] for row in range(len(made))],
        picture if pictures is not None else None,
        lambda row: sha_of(made.fingerprint, made.text(row), str(row)),
        [made.domains[number] for number in made.domain.tolist()],
        notes=list(made.notes),
        opens={"key": made.key},
    )


def files(spec: SetSpec) -> list[Path]:
    """The table, and the zip beside it or the images that it names.

    Raises:
        BadRequest: the table cannot be read.
    """
    upload, place = _upload(spec), _images(spec)
    is_folder = place.is_dir()
    names = importer.image_names(upload, spec.columns) if is_folder else []
    return [Path(spec.path), *((place / name for name in names) if is_folder else (place,))]


def is_held(key: str) -> bool:
    """Whether Insights still has the copy."""
    return key in library.titles()


def forget(key: str) -> None:
    """Removes the copy that Insights keeps. Raises NotFound."""
    library.remove(key)


def _upload(spec: SetSpec) -> Upload:
    """The table with its images: a folder or zip beside it, else whatever lies beside it.

    Raises:
        BadRequest: the images are named outside of the table's folder.
    """
    return Upload.of(Path(spec.path), _images(spec))


def _images(spec: SetSpec) -> Path:
    table = Path(spec.path)
    place = (table.parent / spec.images).resolve()
    if not place.is_relative_to(table.parent.resolve()):
        raise BadRequest(
            f"The images {spec.images[:60]!r} do not lie beside {table.name}.",
            "Put their folder or zip beside the table.",
        )
    return place
