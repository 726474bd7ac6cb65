"""What the shapes of inputs and outputs say about a network, task by task; 0 is a free side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from backend.errors import BadRequest
from backend.registry.answers import DETECTION, MOTION, POINTS
from backend.registry.spec import MOST_CLASSES, ModelSpec, counted

Sides = tuple[int, ...]
Reader = Callable[[ModelSpec, Sequence[Sides], Sequence[Sides]], dict[str, Any]]
GREY, COLOUR = 1, 3
STACKED: Final = (2, 6)  # channels of two frames in one array


def told(spec: ModelSpec, given: Sequence[Sides], answers: Sequence[Sides]) -> dict[str, Any]:
    """Input (``usual`` where its sides are free), fixed batch and number of classes of a network's
    shapes.

    Raises:
        BadRequest: it takes something else than models of its task do.
    """
    readers = {DETECTION: _of_crops, MOTION: _of_frames, POINTS: _of_clouds}
    read: Reader = readers.get(spec.task, _of_images)
    return read(spec, given, answers)


def _of_images(spec: ModelSpec, given: Sequence[Sides], answers: Sequence[Sides]) -> dict[str, Any]:
    found = _picture(spec, given, "An image classifier takes (images, channels, height, width).")
    answer = answers[0] if answers else ()
    count = answer[1] if len(answer) >= 2 else 0
    if 2 <= count <= MOST_CLASSES and all(side == 1 for side in answer[2:]):
        found["classes"] = counted(count)
    return found


def _of_crops(spec: ModelSpec, given: Sequence[Sides], answers: Sequence[Sides]) -> dict[str, Any]:
    wanted = "A detector takes (crops, 3, height, width): export it with such an example."
    found = _picture(spec, given, wanted)
    tables = [answer for answer in answers if len(answer) == 3]
    if len(answers) == 1 and tables and tables[0][2] != 6:  # the grid of YOLO
        rows, columns = tables[0][1:]
        count = (rows - 4 if 0 < rows < columns or not columns else columns - 5) if rows else 0
        if 1 <= count <= MOST_CLASSES:
            found["classes"] = counted(count)
    return found


def _of_frames(spec: ModelSpec, given: Sequence[Sides], answers: Sequence[Sides]) -> dict[str, Any]:
    del answers
    wanted = "Needed are two frames: one array (pairs, 2, side, side), or two of (pairs, 1, …)."
    if len(given) not in (1, 2) or any(len(shape) != 4 for shape in given):
        raise BadRequest(f"{spec.name} takes arrays of {_list(given)}.", wanted)
    channels = given[0][1]
    allowed = STACKED if len(given) == 1 else (GREY, COLOUR)
    if channels and channels not in allowed:
        raise BadRequest(f"{spec.name} takes {len(given)} array(s) of {channels} channels.", wanted)
    found: dict[str, Any] = {"batch": given[0][0]}
    if all(given[0][1:]):
        found["input"] = given[0][1:]
    elif channels:
        found["usual"] = (channels, *spec.answer.usual[1:])
    return found


def _of_clouds(spec: ModelSpec, given: Sequence[Sides], answers: Sequence[Sides]) -> dict[str, Any]:
    if len(given) != 1 or len(given[0]) != 3 or 3 not in given[0][1:]:
        raise BadRequest(
            f"{spec.name} takes arrays of {_list(given)}.",
            "A classifier of clouds takes one: (clouds, points, 3) or (clouds, 3, points).",
        )
    batch, rows, columns = given[0]
    usual = max(spec.answer.usual)
    shape = (1, rows or usual, 3) if columns == COLOUR else (1, 3, columns or usual)
    is_fixed = rows and columns
    found: dict[str, Any] = {"batch": batch, "input" if is_fixed else "usual": shape}
    count = answers[0][1] if answers and len(answers[0]) == 2 else 0
    if 2 <= count <= MOST_CLASSES:
        found["classes"] = counted(count)
    return found


def _picture(spec: ModelSpec, given: Sequence[Sides], wanted: str) -> dict[str, Any]:
    """Input and batch of one array of images, channels first."""
    if len(given) != 1:
        raise BadRequest(
            f"{spec.name} takes {len(given)} arrays.",
            f"{wanted} Export a module whose forward has one argument.",
        )
    shape = given[0]
    if len(shape) != 4:
        raise BadRequest(f"{spec.name} takes an array of {len(shape)} axes {shape}.", wanted)
    if shape[1] not in (0, GREY, COLOUR) and shape[3] in (GREY, COLOUR):
        raise BadRequest(
            f"{spec.name} takes images with the channels last: {shape}.",
            "Export it channels first: with tf2onnx add --inputs-as-nchw; in torch permute inside.",
        )
    return {"batch": shape[0]} | ({"input": shape[1:]} if all(shape[1:]) else {})


def _list(shapes: Sequence[Sides]) -> str:
    return " and ".join(map(str, shapes)) or "no shape"
