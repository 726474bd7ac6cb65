"""The pinboard: plots kept with a sentence, in an order of one's own; and the same as a file.

A pin has the link of its view, so the numbers stay live, and the picture of the moment.
"""

from __future__ import annotations

import base64
import binascii
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import uuid4

from PIL import Image
from sqlalchemy import Engine, LargeBinary, Text, delete, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from backend import documents
from backend.database import answering
from backend.errors import BadRequest, NotFound
from backend.uploads import decoded

SCHEMA: Final = "loupe.pinboard"
VERSION: Final = 1
LONGEST: Final = {"sentence": 500, "title": 200, "honesty": 500, "url": 8000}
FIELDS: Final = ("sentence", "title", "honesty", "url", "pinned_at", "picture")
MOST: Final = 200
PICTURE_BYTES: Final = 4_000_000
UNREAD, UNWRITTEN = "The pinboard cannot be read", "The pinboard cannot be written"


class Tables(DeclarativeBase):
    """The table changes by written steps only; see :mod:`backend.migrations`."""


class PinRow(Tables):
    """One pin."""

    __tablename__ = "pins"

    id: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[float]
    sentence: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    honesty: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    picture: Mapped[bytes] = mapped_column(LargeBinary)
    pinned_at: Mapped[float]


@dataclass(frozen=True, slots=True)
class Pin:
    """A plot that somebody kept.

    Attributes:
        sentence: what its owner says about it.
        title, honesty: of the plot: its name, and n, models, data and seed.
        url: path and query of the view.
        picture: WebP of the moment it was pinned, bytes.
    """

    id: str
    sentence: str
    title: str
    honesty: str
    url: str
    picture: bytes
    pinned_at: float


@dataclass(frozen=True, slots=True)
class PinStore:
    """Reads and writes pins. Each write is on disk when the method returns.

    Raises:
        StorageFull: by every method, when the database cannot be read or written.
    """

    engine: Engine

    def all(self) -> list[Pin]:
        """Every pin in its owner's order."""
        with answering(UNREAD), Session(self.engine) as session:
            rows = session.scalars(select(PinRow).order_by(PinRow.place)).all()
            return [_pin(row) for row in rows]

    def get(self, pin_id: str) -> Pin:
        """One pin. Raises NotFound."""
        with answering(UNREAD), Session(self.engine) as session:
            row = session.get(PinRow, pin_id)
            if row is None:
                raise NotFound("There is no such pin.", "It may have been removed; reload.")
            return _pin(row)

    def add(self, given: Mapping[str, Any], png: bytes) -> Pin:
        """Pins a plot at the end of the board.

        Raises:
            BadRequest: a text is too long, the link leads elsewhere, the picture is none, or the
                board is full.
        """
        if len(self.all()) >= MOST:
            raise BadRequest(f"The board has {MOST} pins.", "Export it and remove some.")
        return self._put([_row(given, png)])[0]

    def _put(self, rows: Sequence[PinRow]) -> list[Pin]:
        """Writes all of them or none."""
        pins = [_pin(row) for row in rows]
        with answering(UNWRITTEN), Session(self.engine) as session, session.begin():
            session.add_all(rows)
        return pins

    def say(self, pin_id: str, sentence: str) -> None:
        """Changes the sentence of a pin. Raises NotFound, BadRequest."""
        _text("sentence", sentence)
        with answering(UNWRITTEN), Session(self.engine) as session, session.begin():
            row = session.get(PinRow, pin_id)
            if row is None:
                raise NotFound("There is no such pin.", "It may have been removed; reload.")
            row.sentence = sentence.strip()

    def move(self, pin_id: str, by: int) -> None:
        """Swaps a pin with the one before (-1) or behind (1) it; at an end it stays."""
        order = [pin.id for pin in self.all()]
        if pin_id not in order:
            raise NotFound("There is no such pin.", "It may have been removed; reload.")
        at = order.index(pin_id)
        to = min(max(at + (1 if by > 0 else -1), 0), len(order) - 1)
        with answering(UNWRITTEN), Session(self.engine) as session, session.begin():
            one, other = session.get(PinRow, order[at]), session.get(PinRow, order[to])
            if one is not None and other is not None:
                one.place, other.place = other.place, one.place

    def remove(self, pin_id: str) -> None:
        """Takes a pin off the board. Raises NotFound."""
        self.get(pin_id)
        with answering(UNWRITTEN), Session(self.engine) as session, session.begin():
            session.execute(delete(PinRow).where(PinRow.id == pin_id))

    def exported(self) -> dict[str, Any]:
        """The board as JSON: schema, version and pins, with equal text for equal boards."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "pins": [
                {
                    name: value
                    for name, value in asdict(pin).items()
                    if name not in ("id", "picture")
                }
                | {"picture": base64.b64encode(pin.picture).decode()}
                for pin in self.all()
            ],
        }

    def imported(self, data: bytes) -> int:
        """Adds the pins of a file behind those that are there; how many.

        Raises:
            BadRequest: it is no such file, of a newer version, or a pin in it is not usable;
                nothing is added then.
        """
        whole = documents.read(data, SCHEMA, VERSION, "pinboard")
        return self.take_in(checked(whole.get("pins")))

    def take_in(self, pins: Sequence[Mapping[str, Any]]) -> int:
        """Adds pins as :func:`checked` gives them behind those that are there; how many.

        Raises:
            BadRequest: a text or a picture is not usable or the board is full; nothing is added.
        """
        if len(self.all()) + len(pins) > MOST:
            raise BadRequest(f"The board takes {MOST} pins.", "Remove some first.")
        rows = [_row(pin, _picture(k, pin["picture"])) for k, pin in enumerate(pins, start=1)]
        return len(self._put(rows))


def checked(pins: Any) -> Sequence[Mapping[str, Any]]:
    """The list of pins of a file.

    Raises:
        BadRequest: it is no list, or a pin lacks a field.
    """
    if not isinstance(pins, list):
        raise BadRequest("The pinboard has no list of pins.")
    for number, pin in enumerate(pins, start=1):
        missing = set(FIELDS) - pin.keys() if isinstance(pin, dict) else set(FIELDS)
        if missing:
            raise BadRequest(f"Pin {number} says no {sorted(missing)[0]}.")
        if not isinstance(pin["pinned_at"], int | float):
            raise BadRequest(f"Pin {number} says no time.", "pinned_at is seconds since 1970.")
    return pins


def _row(given: Mapping[str, Any], png: bytes) -> PinRow:
    """A pin that is not yet on the board. Raises BadRequest as :meth:`PinStore.add`."""
    texts, picture = _texts(given), _webp(png)
    return PinRow(
        id=uuid4().hex,
        place=time.time(),
        picture=picture,
        pinned_at=float(given.get("pinned_at") or time.time()),
        **texts,
    )


def _picture(number: int, text: Any) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise BadRequest(f"The picture of pin {number} is not base64.") from error


def _webp(data: bytes) -> bytes:
    """A picture from outside, decoded with care and written again."""
    if len(data) > PICTURE_BYTES:
        raise BadRequest(f"The picture has {len(data) / 1e6:.1f} MB.", "Allowed are 4 MB.")
    out = io.BytesIO()
    picture: Image.Image = decoded(data, "RGB")
    picture.save(out, "WEBP", quality=90, method=4)
    return out.getvalue()


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    texts = {name: _text(name, given.get(name, "")) for name in LONGEST}
    url = texts["url"]
    if not url.startswith("/") or url.startswith(("//", "/\\")):
        raise BadRequest(f"{url[:80]!r} is not a page of this app.", "It starts with one /.")
    return texts


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST[name]:
        raise BadRequest(f"{name} is too long or no text.", f"Up to {LONGEST[name]} characters.")
    return value.strip()


def _pin(row: PinRow) -> Pin:
    return Pin(row.id, row.sentence, row.title, row.honesty, row.url, row.picture, row.pinned_at)
