"""``python -m backend zoom``: where a model looks in a large image, from the command line."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from backend import cli_files
from backend.errors import BadRequest, NotFound
from backend.protocols import JSON
from backend.settings import Settings
from backend.zoom import images, own
from backend.zoom.library import Coarse, Library
from backend.zoom.policy import POLICIES
from backend.zoom.source import ImageSource

if TYPE_CHECKING:
    from backend.zoom.inference import Draws
    from backend.zoom.result import ZoomResult


def add(commands: Any) -> None:
    """Adds the subcommand."""
    command = commands.add_parser(
        "zoom", help="look into a large image in two stages and write what was looked at"
    )
    command.add_argument(
        "--image", required=True, help="an image file, or a key such as needle:1 or large:4096"
    )
    command.add_argument("--model", default="needle", help="a model's key (needle: needle-zoom)")
    command.add_argument("--tiles", type=int, default=16, help="draws of tiles, N (16)")
    command.add_argument("--draws", type=int, default=1, help="looks with other seeds (1)")
    command.add_argument("--seed", type=int, default=0, help="seed of the first look (0)")
    command.add_argument("--policy", choices=POLICIES, default="sample")
    command.add_argument("--s1", type=float, help="scale of the first view")
    command.add_argument("--s2", type=float, help="scale of the views of tiles")
    command.add_argument(
        "--region", type=int, nargs=4, metavar=("X", "Y", "W", "H"), help="look here, in pixels"
    )
    command.add_argument("--build", action="store_true", help="build what is missing first")
    cli_files.add_formats(command, tuple(cli_files.FORMATS))
    command.set_defaults(run=run)


def run(asked: argparse.Namespace) -> None:
    """Looks and writes; without a file, a summary goes to standard output.

    Raises:
        BackendError: an argument or a file is not usable.
    """
    from backend.zoom.inference import draws

    key = model_key(asked.model)
    source = _source(asked.image, asked.build)
    done = draws(
        key,
        source,
        asked.tiles,
        asked.draws,
        asked.seed,
        policy=asked.policy,
        s1=asked.s1,
        s2=asked.s2,
        region=tuple(asked.region) if asked.region else None,
        progress=_report,
    )
    sys.stderr.write("\n")
    classes = own.card(key).classes
    table = pieces(done.first, done.first.predicted)
    arrays = {**done.first.arrays(), "draw_answers": done.answers, "draw_seeds": done.seeds}
    if not cli_files.write(asked, table, arrays, document(key, done, table)):
        shown = table.sort_values("contribution", key=abs, ascending=False).head(10)
        sys.stdout.write(shown.to_string(index=False) + "\n")
    sys.stderr.write(summary(done, classes) + "\n")


def pieces(done: ZoomResult, label: int) -> pd.DataFrame:
    """One row for each piece looked at: where, how likely, how heavy, what it did for a class."""
    return pd.DataFrame(
        {
            "order": range(len(done.subtiles)),
            "x": done.subtiles[:, 0],
            "y": done.subtiles[:, 1],
            "width": done.subtiles[:, 2],
            "height": done.subtiles[:, 3],
            "tile_x": done.tiles[done.tile_of, 0],
            "tile_y": done.tiles[done.tile_of, 1],
            "tile_hits": done.hits[done.tile_of],
            "probability": done.probabilities,
            "weight": done.weights,
            "contribution": done.contributions[:, label],
        }
    )


def document(key: str, done: Draws, table: pd.DataFrame) -> dict[str, JSON]:
    """Answer, draws, cost and pieces as JSON."""
    first, classes = done.first, own.card(key).classes
    low, mean, high = done.interval(first.predicted)
    return {
        "model": key,
        "answer": classes[first.predicted],
        "probabilities": dict(zip(classes, first.answer.tolist(), strict=True)),
        "draws": {
            "seeds": done.seeds.tolist(),
            "probabilities": done.answers.tolist(),
            "interval_90": {"low": low, "mean": mean, "high": high},
            "agreement": float(done.agreement()),
        },
        "distinct_tiles": first.distinct,
        "cost": {
            "peak_bytes": first.peak_bytes,
            "flops": first.flops,
            "seconds": first.seconds,
            "pixels_read": first.pixels_read,
        },
        "pieces": json.loads(table.to_json(orient="records")),
    }


def summary(done: Draws, classes: tuple[str, ...]) -> str:
    """Answer, interval and cost in one line."""
    first = done.first
    low, mean, high = done.interval(first.predicted)
    spread = f", {mean:.3f} ({low:.3f} to {high:.3f}) over {len(done.seeds)} draws"
    return (
        f"{classes[first.predicted]}: {first.answer[first.predicted]:.3f}"
        f"{spread if len(done.seeds) > 1 else ''}; {first.distinct} distinct tiles of "
        f"{first.alpha.size}, {first.pixels_read:,} pixels read, "
        f"{first.flops / 1e9:.2f} G multiply-adds, {first.peak_bytes / 1e6:.1f} MB, "
        f"{first.seconds:.2f} s"
    )


def model_key(name: str) -> str:
    """The key of a two-stage model: itself, or ``needle`` for ``needle-zoom``.

    Raises:
        NotFound: there is no such model.
    """
    fitting = [key for key, card in own.models().items() if card.architecture.startswith("ZoomNet")]
    for key in fitting:
        if name in (key, key.rpartition("-")[0], key.rpartition("-")[2]):
            return key
    raise NotFound(
        f"There is no model {name!r} that zooms in.", f"Models are {', '.join(fitting)}."
    )


def _source(name: str, builds: bool) -> ImageSource:
    """The image; a path given here is its owner's, so its folder is allowed."""
    settings = Settings.from_env()
    kind = name.partition(":")[0]
    if kind in ("needle", "large"):
        library, key = Library(settings), name
    else:
        path = Path(name).expanduser().absolute()
        library = Library(replace(settings, image_roots=(path.parent,)))
        key = f"file:{path.name}"
        if not path.is_file():
            raise BadRequest(f"There is no image {name}.", "Give a file, or a key like needle:1.")
    try:
        return library.open(key)
    except (Coarse, NotFound) as error:
        if not builds or (isinstance(error, NotFound) and kind != "large"):
            hint = "Add --build to do that now." if kind == "large" or not builds else ""
            if isinstance(error, Coarse) or kind == "large":
                raise BadRequest(error.message, hint) from error
            raise
    _build(library, key)
    return library.open(key)


def _build(library: Library, key: str) -> None:
    from backend.zoom.making import make_large, make_pyramid

    kind, name = library.split(key)
    if kind == "large":
        make_large(library, int(name), _report)
    else:
        make_pyramid(
            library, images.open_file(library.path(key), library.settings.image_bytes), _report
        )
    sys.stderr.write("\n")


def _report(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done} of {total}")
    sys.stderr.flush()
