"""``python -m backend insights fit|score|attribute|recommend``: success models by command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from backend import cli_files
from backend.errors import BadRequest
from backend.insights import contents, importer, requests
from backend.insights.contents import SPLITS, Contents

if TYPE_CHECKING:
    from backend.insights.history import History
    from backend.insights.models import InsightModel

LEVELS: Final = ("phrase", "word", "patch")
FORMATS: Final = ("json", "csv", "parquet")


def add(commands: Any) -> None:
    """Adds the subcommands."""
    command = commands.add_parser("insights", help="which phrases and patches go with success")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = _action(actions, "fit", fit, "fit a success model to a table of contents")
    one.add_argument("--encoder", default="", help="words or minilm; minilm without pictures")
    one.add_argument("--loss", default="", help="mse, binomial or within; within for experiments")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--epochs", type=int, default=0, help="of every stage")
    one = _action(actions, "score", score, "predict the success of contents")
    cli_files.add_formats(one, FORMATS)
    one = _action(actions, "attribute", attribute, "what each word adds to the prediction")
    one.add_argument("--method", default=requests.DEFAULT_METHOD, help=_methods())
    one.add_argument("--rows", type=int, default=100, help="the first so many contents")
    cli_files.add_formats(one, FORMATS)
    one = _action(actions, "recommend", recommend, "what helps and hurts in a domain")
    one.add_argument("--method", default=requests.DEFAULT_METHOD, help=_methods())
    one.add_argument("--domain", default="", help="its name; all unless given")
    one.add_argument("--level", choices=LEVELS, default="phrase")
    one.add_argument("--k", type=int, default=10)
    cli_files.add_formats(one, FORMATS)


def _methods() -> str:
    return f"one of {', '.join(requests.METHODS)}"


def _action(actions: Any, name: str, run: Any, told: str) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = actions.add_parser(name, help=told)
    one.add_argument("--table", type=Path, help="a .csv or .parquet file, a content a row")
    one.add_argument("--map", default="", help="text=headline,experiment_id=test,features=a+b")
    one.add_argument("--images", type=Path, help="a folder or zip of the table's images")
    one.add_argument("--set", default="", help=f"in place of a table: {', '.join(_sets())}, …")
    one.add_argument("--model", default="", help="name of the model; a set has its own")
    one.set_defaults(run=run)
    return one


def _sets() -> tuple[str, ...]:
    return tuple(contents.bundled())


def fit(asked: argparse.Namespace) -> None:
    """Fits a model and keeps it under its name.

    Raises:
        BadRequest: nothing to fit to, no name, or a setting or the table is not usable.
    """
    from backend.insights import fitting, models, registry

    name = registry.checked_name(asked.model)
    held = _contents(asked)
    has_pictures = held.pictures is not None
    options = fitting.Options(
        asked.encoder or ("words" if has_pictures else "minilm"),
        asked.loss or fitting.default_loss(held),
        asked.seed,
        asked.epochs,
    ).checked()
    info = models.store(name, fitting.fit(held, options, _report).to_bytes())
    sys.stderr.write(f"\n{name}: {info.title}\n")
    for metric, value in info.metrics.items():
        sys.stderr.write(f"{metric}: {value:.5g}\n")
    if held.simulated:
        sys.stderr.write("The success of these contents is simulated.\n")


def _report(stage: str, done: int, total: int, value: float) -> None:
    sys.stderr.write(f"\r{stage} {done} of {total}    ")


def score(asked: argparse.Namespace) -> None:
    """Writes predicted success and its 90 % interval, a row a content. Raises as :func:`fit`."""
    held, model = _contents(asked), _model(asked)
    parts = [np.arange(k, min(len(held), k + 128)) for k in range(0, len(held), 128)]
    rate = np.concatenate([model.predict(model.inputs(held, rows)) for rows in parts])
    low, high = model.interval(rate)
    table = pd.DataFrame(
        {
            "content_id": held.ids,
            "experiment_id": [held.experiments[int(e)] for e in held.experiment],
            "domain": [held.domains[int(d)] for d in held.domain],
            "split": [SPLITS[int(s)] for s in held.split],
            "predicted": rate,
            "low": low,
            "high": high,
            "actual": held.success,
        }
    )
    _write(asked, held, table)


def attribute(asked: argparse.Namespace) -> None:
    """Writes the attribution of every word by the whole model, a row a word. Raises as fit."""
    from backend.insights import attributions, parts

    method = attributions.checked_method(asked.method)
    held, model = _contents(asked), _model(asked)
    made: list[dict[str, Any]] = []
    count = min(len(held), asked.rows)
    for start in range(0, count, 16):
        rows = np.arange(start, min(count, start + 16))
        found = attributions.attribute(model, parts.open_rows(model, held, rows), method)
        for row, one in zip(rows.tolist(), found, strict=True):
            shared = {
                "content_id": held.ids[row],
                "prediction": one.prediction,
                "baseline": one.baseline,
                "completeness_error": one.completeness_error,
            }
            sums = {m: float(v.sum()) for m, v in one.values.items() if m != "text"}
            made += [shared | {"part": m, "what": m, "value": value} for m, value in sums.items()]
            words = zip(one.words, one.values.get("text", ()), strict=False)
            made += [shared | {"part": "text", "what": w, "value": float(v)} for w, v in words]
        sys.stderr.write(f"\r{start + len(rows)} of {count}")
    sys.stderr.write("\n")
    _write(asked, held, pd.DataFrame(made))


def recommend(asked: argparse.Namespace) -> None:
    """Writes what helps and hurts in a domain, a row a phrase, word or cluster of patches.

    Raises:
        NotFound: there is no such domain. As :func:`fit`.
    """
    from backend.insights import recommend as ranks

    history = _history(asked)
    held = history.held
    domain = None
    if asked.domain:
        if asked.domain not in held.domains:
            raise BadRequest(
                f"There is no domain {asked.domain[:60]!r}.", f"There is {', '.join(held.domains)}."
            )
        domain = held.domains.index(asked.domain)
    rank: Any = {"phrase": ranks.phrases, "word": ranks.words, "patch": ranks.clusters}[asked.level]
    lists = rank(history, domain, asked.k)
    made = []
    for kind, ones in (("positive", lists.positive), ("negative", lists.negative)):
        for place, one in enumerate(ones, 1):
            told = {"kind": kind, "rank": place, "what": getattr(one, "text", "")}
            if asked.level == "patch":
                told["what"] = f"cluster {one.number}, content {held.ids[one.members[0].row]}"
            low, high = one.interval
            numbers = {"score": one.score, "low": low, "high": high, "support": one.support}
            made.append(told | numbers | {"warnings": " ".join(getattr(one, "warnings", ()))})
    sys.stderr.write(f"{lists.note}\n")
    _write(asked, held, pd.DataFrame(made))


def _history(asked: argparse.Namespace) -> History:
    from backend.insights import history_work, work
    from backend.insights.history import History

    held, model = _contents(asked), _model(asked)
    found = work.attributed(held, model, requests.checked_method(asked.method), _progress)
    return History.of(held, dict(history_work.made(held, model, found, _progress)))


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done} of {total}")
    sys.stderr.write("\n" if done == total else "")


def _contents(asked: argparse.Namespace) -> Contents:
    """The set or table that is asked for.

    Raises:
        BadRequest: neither or both are named, or the table has problems; names the rows.
    """
    if bool(asked.set) == (asked.table is not None):
        raise BadRequest("Name a table or a set.", "--table FILE, or --set campaigns.")
    if asked.set:
        return contents.load(asked.set)
    held = importer.read(importer.Upload.of(asked.table, asked.images), asked.map)
    for note in held.notes:
        sys.stderr.write(f"{note}\n")
    return held


def _model(asked: argparse.Namespace) -> InsightModel:
    from backend.insights import models

    if not asked.model and not asked.set:
        raise BadRequest("Name a model.", "--model NAME, as it was fitted.")
    return models.load(asked.set, asked.model)


def _write(asked: argparse.Namespace, held: Contents, table: pd.DataFrame) -> None:
    if not any(getattr(asked, name, None) for name in FORMATS):
        raise BadRequest("Nothing was asked for.", "Add --json or --csv, with a file or without.")
    cli_files.write(asked, table, {})
    if held.simulated:
        sys.stderr.write("The success of these contents is simulated.\n")
