"""What programs that export ONNX write beside the network: Ultralytics names the task, the classes
and the size of images.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from backend.errors import BadRequest
from backend.registry.answers import CLASSIFICATION, DETECTION
from backend.registry.spec import unlike

WITHOUT_VIEW: Final = ("segment", "pose", "obb")
TASKS: Final = {"detect": DETECTION, "classify": CLASSIFICATION}


def task_in(path: Path) -> str:
    """What an ONNX file says that it answers; else classes of images.

    Raises:
        BadRequest: it cannot be opened, or says that it answers what no view takes.
    """
    from backend.registry.onnx_model import session

    said = session(path).get_modelmeta().custom_metadata_map
    if said.get("task") in WITHOUT_VIEW:
        raise BadRequest(
            f"{path.name} says that it answers {said['task']}, for which there is no view.",
            f"Views take {' and '.join(TASKS)} of Ultralytics.",
        )
    return TASKS.get(str(said.get("task", "")), CLASSIFICATION)


def told(said: Mapping[str, str]) -> dict[str, Any]:
    """Classes and usual input of the metadata of an ONNX file; empty where they say none."""
    names, size = _literal(said.get("names", "")), _literal(said.get("imgsz", ""))
    found: dict[str, Any] = {}
    if isinstance(names, dict) and names.keys() == set(range(len(names))) and names:
        found["classes"] = unlike([str(names[place]) for place in range(len(names))])
    if isinstance(size, list | tuple) and len(size) == 2 and all(type(v) is int for v in size):
        found["usual"] = (3, *size)
    return found


def _literal(text: str) -> Any:
    """A literal of Python, as they write it; None where it is none. Nothing is run."""
    try:
        return ast.literal_eval(text) if text else None
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
