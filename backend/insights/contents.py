"""Marketing contents ``X = {I, T, D, F}`` and their success rates (Neural Insights, B.2).

Rows count from 0. A content is a picture, a text of named parts, a domain and features, of which
any may be missing; contents of one experiment were shown at the same place in the same weeks. No
torch here: pages and routes read contents too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.errors import NotFound
from backend.protocols import I64, U8

SPLITS: Final = ("training", "validation", "test", "out-of-domain")
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
Dates = NDArray[np.datetime64]
Edit = Mapping[str, object]
"""``{op: "blank", box: [x, y, w, h]}`` or ``{op: "swap", box, from: row, from_box}``; shares of the
picture's sides."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A categorical feature: its values, and for each content the value's number, -1 missing."""

    values: tuple[str, ...]
    codes: I64


class Pictures(Protocol):
    """The pictures of a set of contents, square, read when they are asked for.

    Attributes:
        has_image: ``(n,)``; the others are drawn as zeros.
        source_pixels: ``(n,)`` int64 pixels of the original, 0 where there is none; for images the
            evaluation leaves out those above 5e6 (B.6.4).
        redraws: whether :meth:`draft` draws an edited text into the picture.
    """

    @property
    def has_image(self) -> Bools: ...
    @property
    def source_pixels(self) -> I64: ...
    @property
    def redraws(self) -> bool: ...

    def image(self, row: int, px: int = 128) -> U8:
        """One picture, ``(px, px, 3)`` RGB."""
        ...

    def images(self, rows: Sequence[int] | I64, px: int = 128) -> U8:
        """Some pictures, ``(b, px, px, 3)`` RGB."""
        ...

    def draft(
        self, row: int, parts: Sequence[str], edits: Sequence[Edit] = (), px: int = 128
    ) -> U8:
        """The picture with other words in it, where it can, and with edited places."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """One set of contents.

    Attributes:
        simulated: success was drawn from a formula, not measured; the screen says so.
        ids: ``(n)`` stable names; fields: names of a text's parts; parts: ``(n)`` texts by field,
            "" where one is missing.
        domains, domain: names, and ``(n,)`` int64; held_out: domains seen in no training.
        experiments, experiment: names, and ``(n,)`` int64; is_control: ``(n,)``, one each.
        dates: ``(n,)`` days, NaT where unknown.
        impressions, clicks: ``(n,)``, NaN where only a rate is known; success: in [0, 1] (3.1).
        numbers, choices: the features F by name; numbers are NaN where missing.
        split: ``(n,)`` int64, an index into SPLITS.
        notes: sentences on what was noticed when the set was read, for whoever uses it.
    """

    key: str
    title: str
    simulated: bool
    source: str
    licence: str
    fingerprint: str
    ids: tuple[str, ...]
    fields: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]
    domains: tuple[str, ...]
    domain: I64
    held_out: frozenset[int]
    experiments: tuple[str, ...]
    experiment: I64
    is_control: Bools
    dates: Dates
    impressions: F64
    clicks: F64
    success: F64
    numbers: Mapping[str, F64]
    choices: Mapping[str, Choice]
    split: I64
    pictures: Pictures | None = None
    notes: tuple[str, ...] = ()
    _row_by_id: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_row_by_id", {name: row for row, name in enumerate(self.ids)})

    def __len__(self) -> int:
        return len(self.ids)

    def text(self, row: int) -> str:
        """The whole text of a content: its parts that are not empty, one a line."""
        return "\n".join(part for part in self.parts[row] if part)

    def texts(self) -> tuple[str, ...]:
        """The texts of all contents."""
        return tuple(self.text(row) for row in range(len(self)))

    def row_of(self, name: str) -> int:
        """The row of an id.

        Raises:
            NotFound: there is no such content.
        """
        if name not in self._row_by_id:
            raise NotFound(f"There is no content {name[:60]!r} in {self.title}.")
        return self._row_by_id[name]

    def checked_row(self, row: int) -> int:
        """The row itself.

        Raises:
            NotFound: there is no such row.
        """
        if not 0 <= row < len(self):
            raise NotFound(
                f"There is no content {row} in {self.title}.", f"Rows are 0 to {len(self) - 1}."
            )
        return row

    def rows(self, split: str | None = None, domain: int | None = None) -> I64:
        """The rows of a split, of a domain, or of both.

        Raises:
            NotFound: there is no such split or domain.
        """
        kept = np.ones(len(self), bool)
        if split is not None:
            if split not in SPLITS:
                raise NotFound(
                    f"There is no split {split[:40]!r}.", f"Splits are {', '.join(SPLITS)}."
                )
            kept &= self.split == SPLITS.index(split)
        if domain is not None:
            if not 0 <= domain < len(self.domains):
                raise NotFound(
                    f"There is no domain {domain} in {self.title}.",
                    f"Domains are 0 to {len(self.domains) - 1}.",
                )
            kept &= self.domain == domain
        return np.flatnonzero(kept)

    def pairs(self, split: str | None = None) -> I64:
        """Control and best treatment of each experiment (B.6.4), ``(m, 2)`` rows.

        The best is the treatment of the highest success rate, the first of equals.
        """
        found = []
        for control, treatments in self._arms(split):
            best = treatments[int(np.argmax(self.success[treatments]))]
            found.append((control, int(best)))
        return np.array(found, np.int64).reshape(-1, 2)

    def all_pairs(self, split: str | None = None) -> I64:
        """Control and each treatment of each experiment, ``(q, 2)`` rows."""
        found = [(control, int(row)) for control, rows in self._arms(split) for row in rows]
        return np.array(found, np.int64).reshape(-1, 2)

    def _arms(self, split: str | None) -> list[tuple[int, I64]]:
        """Control and treatments of every experiment that has both."""
        rows = self.rows(split)
        order = rows[np.argsort(self.experiment[rows], kind="stable")]
        ends = np.flatnonzero(np.diff(self.experiment[order])) + 1
        arms = []
        for group in np.split(order, ends):
            controls = group[self.is_control[group]]
            treatments = group[~self.is_control[group]]
            if len(controls) and len(treatments):
                arms.append((int(controls[0]), treatments))
        return arms


def bundled() -> dict[str, str]:
    """Titles of the bundled sets by key."""
    return {"campaigns": "Campaigns (simulated)", "films": "Film titles and their ratings"}


def known() -> dict[str, str]:
    """Titles of the bundled sets and of the user's own by key."""
    from backend.insights import library  # it builds on this module

    return {**bundled(), **library.titles()}


def load(key: str) -> Contents:
    """A set, bundled or of the user's own, read once and kept.

    Raises:
        NotFound: there is none of that key.
        DamagedDataset: the file of a bundled set is missing or broken.
    """
    from backend.insights import bundled_sets, library  # they build on this module

    return library.load(key) if key.startswith(library.PREFIX) else bundled_sets.load(key)
