"""``python -m backend crayon export|import|maps|embed|refine|add|original``: answers about maps,
corrections and own sets by command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend import cli_files, migrations
from backend.cache import ArrayStore
from backend.crayon import aggregate, exchange, library, sets
from backend.crayon.answers import Answer, AnswerStore
from backend.crayon.requests import RefineRequest, maps_job, original_job, own_model_key
from backend.database import open_engine
from backend.errors import BadRequest, StorageFull
from backend.files import refused
from backend.protocols import JSON
from backend.settings import Settings

SUFFIXES: Final = ("jsonl", "csv")


def add(commands: Any) -> None:
    """Adds the subcommands."""
    command = commands.add_parser("crayon", help="answers about a model's attention")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser("export", help="all stored answers to a .jsonl or .csv file")
    one.add_argument("file", type=Path)
    one.add_argument("--set", default="", help="of this set only")
    one.set_defaults(run=export)
    one = actions.add_parser("import", help="answers from such a file, or the study's .json arrays")
    one.add_argument("file", type=Path)
    one.add_argument("--set", default="study", help="name of the set a study's array is about")
    one.set_defaults(run=load)
    one = actions.add_parser("maps", help="a model's attention maps of a whole set to an .npz file")
    one.add_argument("--set", default="birds", help=f"one of {', '.join(sets.bundled())}")
    one.add_argument("--npz", type=Path, required=True)
    one.set_defaults(run=maps)
    one = actions.add_parser("embed", help="an embedding of each image of a set to an .npz file")
    one.add_argument("--set", default="birds", help=f"one of {', '.join(sets.bundled())}")
    one.add_argument("--npz", type=Path, required=True)
    one.set_defaults(run=embed)
    one = actions.add_parser("refine", help="correct a model by the stored answers")
    one.add_argument("--set", default="birds", help=f"one of {', '.join(sets.bundled())}")
    one.add_argument("--npz", type=Path, required=True)
    for name, kind in (("method", str), ("norm", str), ("source", str), ("epochs", int)):
        one.add_argument(f"--{name}", type=kind)
    for name in ("seed", "minimum", "budget"):
        one.add_argument(f"--{name}", type=int)
    one.add_argument("--lr", type=float)
    one.add_argument("--per-relevant", type=float, help="alpha / |R|")
    one.add_argument("--per-irrelevant", type=float, help="beta / |I|")
    one.set_defaults(run=refine)
    _add_own(actions)


def _add_own(actions: Any) -> None:
    one = actions.add_parser("add", help="remember a set of your own below LOUPE_IMAGE_ROOTS")
    one.add_argument("path", help="a folder; for the layout csv the table")
    one.add_argument("--layout", required=True, help=f"one of {', '.join(library.LAYOUTS)}")
    one.add_argument("--name", required=True)
    one.add_argument("--masks", default="", help="a folder with a PNG for every image")
    one.add_argument("--question", default="", help="asked about maps")
    one.set_defaults(run=add_set)
    one = actions.add_parser("original", help="train or name the model of a set of your own")
    one.add_argument("--set", required=True)
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--epochs", type=int, default=15)
    one.add_argument("--factory", default="", help="your model: module:function of a plugin")
    one.add_argument("--weights", type=Path, help="your model: its safetensors file")
    one.set_defaults(run=original)


def add_set(asked: argparse.Namespace) -> None:
    """Remembers a set and writes its key. Raises as :func:`library.add`."""
    held = library.add(asked.path, asked.layout, asked.name, asked.masks, asked.question)
    counts = ", ".join(f"{len(held.rows(split))} {split}" for split in sets.SPLITS)
    sys.stderr.write(f"{held.key}: {counts} items\n")


def original(asked: argparse.Namespace) -> None:
    """Trains the original model of an own set, or takes one of the user's.

    Raises:
        BadRequest: only one of --factory and --weights is given; as :func:`originals.adopt`.
    """
    from backend.crayon import originals

    if bool(asked.factory) != bool(asked.weights):
        raise BadRequest("--factory and --weights belong together.", "Give both, or neither.")
    if asked.factory:
        card = originals.adopt(asked.set, asked.factory, asked.weights)
    else:
        job = original_job(asked.set, asked.seed, asked.epochs)
        originals.original(job.params, _Ticket(cli_files.results()))
        card = library.card(own_model_key(asked.set))
    sys.stderr.write(f"{card.key}: {card.summary}\n")


def export(asked: argparse.Namespace) -> None:
    """Writes the answers.

    Raises:
        BadRequest: the file's name has another ending. StorageFull: it cannot be written.
    """
    suffix = asked.file.suffix.lstrip(".")
    if suffix not in SUFFIXES:
        raise BadRequest(f"{asked.file.name} is neither .jsonl nor .csv.", "Choose one of them.")
    with _answers() as store:
        held = store.everything(asked.set)
    text = exchange.to_jsonl(held) if suffix == "jsonl" else exchange.to_csv(held)
    try:
        asked.file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise refused("The answers could not be written", error) from error
    sys.stderr.write(f"{len(held)} answers written.\n")


def load(asked: argparse.Namespace) -> None:
    """Reads answers and stores those that are new.

    Raises:
        BadRequest: the file cannot be read, or a value in it is wrong; then nothing is stored.
    """
    suffix = asked.file.suffix.lstrip(".")
    if suffix == "json":
        rows = exchange.read_published(asked.file, asked.set)
        made = [Answer(**row) for row in rows]
        counts = {name: len(ids) for name, ids in aggregate.maps(rows).items()}
        sys.stderr.write(f"{counts}\n")
    else:
        try:
            text = asked.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadRequest(f"{asked.file.name} cannot be read.", "Give a UTF-8 file.") from error
        made = exchange.read(text, suffix)
    with _answers() as store:
        new = exchange.add(store, made)
    sys.stderr.write(f"{new} of {len(made)} answers are new.\n")


def maps(asked: argparse.Namespace) -> None:
    """Computes and writes the maps. Raises as :func:`maps_job` and the work."""
    from backend.crayon import work

    job = maps_job(asked.set)
    _write(asked.npz, work.maps(job.params, _Ticket(cli_files.results())))


def embed(asked: argparse.Namespace) -> None:
    """Writes ``embeddings`` (n, d) float32, on the cluster where one is set. Raises as the work."""
    from backend.cluster import ray_jobs

    store = cli_files.results()
    params: dict[str, JSON] = {"set": asked.set}
    _write(asked.npz, ray_jobs.anywhere("embeddings", params, store, _Ticket(store)))


def refine(asked: argparse.Namespace) -> None:
    """Corrects the model and writes the result. Raises as :class:`RefineRequest` and the work."""
    from backend.crayon import work

    given = {k: v for k, v in vars(asked).items() if v is not None}
    request = RefineRequest.of({**given, "item_set": asked.set})
    store = cli_files.results()
    with _answers() as answers:
        job = request.job(answers, store)
    found = work.refine(job.params, _Ticket(store))
    _write(asked.npz, found)
    for name in ("wga", "mga"):
        before, after = found[f"{name}_before"].item(), found[f"{name}_after"].item()
        sys.stderr.write(f"{name}: {before:.4f} before, {after:.4f} after\n")
    if request.source == "simulated":
        sys.stderr.write("The answers were simulated.\n")


class _Ticket:
    """Progress to standard error."""

    def __init__(self, store: ArrayStore) -> None:
        self.store = store

    def __call__(self, done: int, total: int) -> None:
        sys.stderr.write(f"\r{done} of {total}")
        sys.stderr.write("\n" if done == total else "")

    def log(self, text: str) -> None:
        """One epoch's numbers."""
        sys.stderr.write(f"{text}\n")


@contextmanager
def _answers() -> Iterator[AnswerStore]:
    engine = open_engine(Settings.from_env().database_url)
    try:
        migrations.upgrade(engine)
        yield AnswerStore(engine)
    finally:
        engine.dispose()


def _write(path: Path, arrays: Any) -> None:
    try:
        with path.open("wb") as out:
            np.savez_compressed(out, **arrays)
    except OSError as error:
        raise StorageFull(f"{path.name} could not be written.", "Choose another place.") from error
