"""Files of the command line: tables and arrays out, arrays in. Nothing is unpickled."""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.files import write_atomic
from backend.protocols import JSON
from backend.settings import PROJECT, Settings

FORMATS: Final = {
    "json": "the table as a list of records",
    "csv": "the table as comma-separated text",
    "parquet": "the table as Parquet",
    "npz": "the arrays as a numpy archive",
}
TEXT: Final = ("json", "csv")
OUTPUT: Final = Path("-")
FORMULA: Final = re.compile(r"[=+\-@\t\r]")
SIGNED: Final = re.compile(r"[+-]\d[\d.,]*\s?[^\W\d]{0,4}[°%]?\Z")


def add_formats(command: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Adds ``--json FILE`` and its kin; text goes to standard output where no file is named."""
    for name in names:
        end: dict[str, Any] = {"nargs": "?", "const": OUTPUT} if name in TEXT else {}
        command.add_argument(
            f"--{name}", metavar="FILE", type=Path, help=f"write {FORMATS[name]}", **end
        )


def write(
    asked: argparse.Namespace,
    table: pd.DataFrame,
    arrays: Mapping[str, NDArray[Any]],
    document: Mapping[str, JSON] | None = None,
) -> list[Path]:
    """Writes what was asked for, each file whole or not at all, and returns the files.

    Args:
        document: what ``--json`` writes in place of the table.

    Raises:
        BadRequest: a folder does not exist.
        StorageFull: the disk refuses.
    """
    written = []
    for name in FORMATS:
        path: Path | None = getattr(asked, name, None)
        if path is None:
            continue
        data = _rendered(name, table, arrays)
        if name == "json" and document is not None:
            data = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode()
        if path == OUTPUT:
            sys.stdout.buffer.write(data + b"\n")
            written.append(path)
            continue
        if not path.resolve().parent.is_dir():
            raise BadRequest(f"The folder of --{name} {path} does not exist.", "Create it first.")
        write_atomic(path.resolve(), partial(_send, data=data))
        written.append(path)
    return written


def read_array(path: Path, what: str) -> NDArray[Any]:
    """The array in an ``.npy`` file.

    Raises:
        BadRequest: there is no such file, or it is not one plain array.
    """
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        raise BadRequest(f"{what} {path} cannot be read ({error.strerror}).") from error
    except (ValueError, EOFError, MemoryError, SyntaxError, KeyError) as error:
        raise BadRequest(
            f"{what} {path.name} is not a plain .npy array.", "Write it with numpy.save."
        ) from error
    return np.asarray(array)


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before text that a spreadsheet would run as a formula.

    Signed numbers with a unit, such as ``-45°``, are none.
    """
    held = table.copy()
    for column in held.columns:
        if not pd.api.types.is_numeric_dtype(held[column].dtype):
            held[column] = held[column].map(_plain_cell)
    return held


def _plain_cell(value: object) -> object:
    is_formula = isinstance(value, str) and FORMULA.match(value) and not SIGNED.match(value)
    return f"'{value}" if is_formula else value


def _send(out: BinaryIO, data: bytes) -> None:
    out.write(data)


def _rendered(name: str, table: pd.DataFrame, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    if name == "json":
        return str(table.to_json(orient="records", force_ascii=False, indent=1)).encode()
    if name == "csv":
        return str(without_formulas(table).to_csv(index=False)).encode()
    out = io.BytesIO()
    if name == "parquet":
        table.to_parquet(out, engine="pyarrow", index=False)
    else:
        np.savez(out, allow_pickle=False, **dict(arrays))
    return out.getvalue()


def results() -> ArrayStore:
    """The results of this machine, those that are shipped among them."""
    settings = Settings.from_env()
    bundled = [PROJECT / "data" / "results"]
    return ArrayStore(settings.state_dir / "results", settings.cache_bytes, bundled)
