"""The caller's own files for the command line, whatever kind of input a task takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from backend import cli_images, datasets, own_sets
from backend.errors import BadRequest
from backend.items import ItemSet
from backend.nero import tasks

HELP: Final = (
    "your own files: images (.npy (n, h, w[, 3]) uint8, files or a folder), photographs (files, "
    "or a folder with images/ and labels/ as YOLO writes it), frames of pairs in order, or clouds "
    "of points"
)


def items(task: str, paths: Sequence[Path], labels: Sequence[str] | None, rows: str) -> Any:
    """What the files hold, as :func:`backend.nero.evaluate` takes it.

    Without truth, only what needs none can be measured: consensus or agreement.

    Raises:
        BadRequest: a file is not usable, or labels were given where they have no meaning.
    """
    found = tasks.find(task)
    if found.domain == "image" and (labels is not None or _is_array(paths)):
        return _images(task, paths, labels, rows)
    if labels is not None:
        raise BadRequest(f"{task} takes no --labels.", "True answers stand beside the files.")
    held = _annotated(found.domain, paths)
    if held is None:
        held = own_sets.opened(task, _files(paths))
    if rows != "all":
        raise BadRequest("--items chooses rows of bundled sets.", "Name only the files you want.")
    return held


def _images(task: str, paths: Sequence[Path], labels: Sequence[str] | None, rows: str) -> Any:
    """Labelled images, or arrays: (images, labels)."""
    from backend.cli_nero import span

    if labels is None:
        raise BadRequest("--images and --labels belong together.", "Arrays need both.")
    held = datasets.load(tasks.find(task).item_set)
    images = cli_images.read_images(paths, held)
    known = cli_images.read_labels(labels, len(images), held)
    chosen = span(rows, len(images))
    return images[chosen], known[chosen] if known.shape[:1] == images.shape[:1] else known


def _is_array(paths: Sequence[Path]) -> bool:
    return len(paths) == 1 and paths[0].suffix == ".npy"


def _annotated(domain: str, paths: Sequence[Path]) -> ItemSet | None:
    """Photographs with boxes beside them; None where there are none."""
    is_folder = domain == "scene" and len(paths) == 1 and (paths[0] / "labels").is_dir()
    if not is_folder:
        return None
    from backend.coco import load_folder

    found = load_folder(paths[0])
    if found.scenes is None:
        raise BadRequest(
            f"None of the {found.objects} objects in {paths[0].name} can be shifted within its "
            "picture.",
            f"{found.too_small_or_large} are too small or too large, {found.at_the_border} too "
            "near to the border.",
        )
    return found.scenes


def _files(paths: Sequence[Path]) -> list[tuple[str, bytes]]:
    """Names and contents of files, folders opened up in the order of their names."""
    inside = [
        file
        for path in paths
        for file in (sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path])
    ]
    if not inside:
        raise BadRequest("There is no image in the folder.", "Name a folder that holds files.")
    try:
        return [(file.name, file.read_bytes()) for file in inside]
    except OSError as error:
        name = Path(str(error.filename)).name
        raise BadRequest(f"{name} cannot be read: {error.strerror}.") from error
