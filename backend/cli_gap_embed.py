"""``python -m backend gap embed``: pairs put into the space of a dual encoder of one's own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backend.errors import BadRequest


def add(actions: Any) -> None:
    """Adds the subcommand."""
    one = actions.add_parser("embed", help="images and texts embedded by a model of your own")
    one.add_argument("--model", type=Path, required=True, help="a transformers folder")
    one.add_argument("--pairs", type=Path, required=True, help=".csv with columns file, caption")
    one.add_argument("--npz", type=Path, required=True, help="written; the page imports it")
    one.set_defaults(run=embed)


def embed(asked: argparse.Namespace) -> None:
    """Embeds and writes ``image_emb``, ``text_emb`` and ``captions``.

    Raises:
        BackendError: the model, the table or a picture is not usable.
    """
    from backend.gap.adapters import TransformersEncoder
    from backend.uploads import decoded

    table = read(asked.pairs)
    encoder = TransformersEncoder(asked.model)
    pictures = []
    for name in table["file"]:
        path = asked.pairs.parent / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadRequest(f"{name} cannot be read ({error.strerror}).") from error
        pictures.append(np.asarray(decoded(data, "RGB")))
    captions = table["caption"].tolist()
    arrays = {
        "image_emb": encoder.images(pictures),
        "text_emb": encoder.texts(captions),
        "captions": np.array(captions),
    }
    np.savez(asked.npz, allow_pickle=False, **arrays)
    sys.stdout.write(f"{len(captions)} pairs by {encoder.title} in {asked.npz.name}\n")


def read(path: Path) -> pd.DataFrame:
    """The table of pairs.

    Raises:
        BadRequest: it cannot be read, or lacks a column or rows.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadRequest(f"{path.name} cannot be read as a table.") from error
    missing = {"file", "caption"} - set(table.columns)
    if missing or table.empty:
        raise BadRequest(
            f"{path.name} has {len(table)} rows and the columns {', '.join(table.columns)}.",
            "It needs rows with file (beside the table) and caption.",
        )
    return table
