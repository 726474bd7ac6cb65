"""Builds data/texts/: definitions with their kind, and pairs of synonyms, both from WordNet 3.0.

Reproduce with ``python -m data.build_texts``; the source is Debian's wordnet-base.
"""

from __future__ import annotations

import csv
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data.sources import DATA, SourceError, debian_files, save_npz

SHA256: Final = "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752"
SEED: Final = 0
KINDS: Final = {  # number of WordNet's lexicographer file -> class
    5: "animal",
    8: "body part",
    12: "feeling",
    13: "food",
    15: "place",
    18: "person",
    20: "plant",
    21: "possession",
    25: "shape",
    28: "time",
}
PER_KIND: Final = 40  # for evaluation, and as many others for choosing the temperature
WORDS: Final = (7, 20)
# Words for people that insult, and bodies and substances better left alone in a demonstration.
LEFT_OUT: Final = re.compile(
    r"offensive|derogatory|disparag|contempt|slur|sexual|sex |genital|prostitut|slang|obscene|"
    r"vulgar|racial|negro|excre|penis|vagina|homosexual|drug|kill|murder|suicide|rape|corpse|"
    r"ethnic|jew|muslim|nazi|idiot|stupid",
    re.IGNORECASE,
)
# Pairs read by eye and left out: insults, other words that look the same ("one", "like", "plane" in
# geometry, "plant" as a factory), and pairs that only a thesaurus would exchange.
NOT_PAIRS: Final = (
    "abdomen accretion altercation applause aspect authority backing bang bar bastard batter "
    "being bellow boom brush building bullet bunch case cheap cheering clangor clutch "
    "concerned creed cry crop curse defeat die domain drift effort endeavor evidence "
    "examination expression fall feat figure fireplace frog grounds hallmark handbag hard "
    "hazard honor idiot inclination increase injury inscription involved jimdandy jumble "
    "ketosis lack like lodging luck madman majority mama manpower mark matter measure mention "
    "minute model nothing occupation one opportunity owner passage pectoral physique pitcher "
    "plane airplane plant play project promotion reference remainder respect rest round run "
    "scope second seriousness shackle shooting shop slump smuggler soldiery spell sphere "
    "stairs state stride striving study sum amount suds survey sweep tie necktie tons urge "
    "vote wage wages wait delay worry comparable militia material vacation answer family "
    "religion encroachment precedence impetus exercise attack early girl usage"
)
# More words that definitions use, chosen by hand; WordNet lists each pair under one meaning.
MORE_PAIRS: Final = (
    "amount sum,area region,begin start,big large,border edge,bright brilliant,"
    "buy purchase,characteristic feature,chief main,fast quick,form shape,frequently often,"
    "globular spherical,important significant,little small,make create,meal repast,"
    "normally usually,road route,section segment,slender thin,soil ground,stalk stem,tool "
    "instrument,various assorted,young immature,infant baby,anger ire,odor smell,damp moist,"
    "brave courageous,strange unusual,branch limb,inner interior,"
    "someone somebody,loss deprivation,grain cereal,bony boney,huge immense,"
    "liquid fluid,sorrow sadness,joy delight,affection fondness,boundary bound,bend curve,"
    "track path,summit top,bottom underside,hill mound,drink beverage,cost price,"
    "strong potent,weak feeble,clear clean,famous noted,usual common,"
    "strength force,enemy foe,town township,hairy hirsute,tough rugged,soft mild,especially "
    "particularly,nearly almost,prolonged extended,timid shy,gather collect,"
    "require need,get obtain,dwell inhabit,happen occur,permit allow,build construct,hold contain,"
    "seek search,flower bloom,similar alike,edible eatable,round circular,special particular,"
    "elongated elongate"
)
INFLECTED: Final = (  # forms of pairs of which the same holds
    "having possessing,used employed,containing holding,made produced,makes creates,forms shapes,"
    "regions areas,parts portions,animals beasts,places spots,flowers blooms,persons individuals"
)
PLAIN: Final = re.compile(r"[a-z][a-z' ,-]+")
WHOLE: Final = re.compile(r"[a-z]{3,}")
MARKER: Final = re.compile(r"\((a|p|ip)\)$")  # where an adjective may stand
NUMBERS: Final = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}
SIDE_PX: Final = 64


@dataclass(frozen=True, slots=True)
class Synset:
    """One meaning: its words in WordNet's order, how often each was seen, and what it means."""

    offset: int
    kind: int
    words: tuple[str, ...]
    counts: tuple[int, ...]
    gloss: str


def synsets(folder: Path, pos: str) -> Iterator[Synset]:
    """The meanings in one of WordNet's data files (format: wndb(5))."""
    number = NUMBERS[pos]
    seen = _counts(folder)
    for line in (folder / f"data.{pos}").read_text(encoding="latin-1").splitlines():
        if line.startswith("  "):
            continue
        head, _, gloss = line.partition(" | ")
        cells = head.split()
        count, kind = int(cells[3], 16), int(cells[1])
        words = [MARKER.sub("", cells[4 + 2 * i]) for i in range(count)]
        pairs = [(word, int(cells[5 + 2 * i], 16)) for i, word in enumerate(words)]
        keys = [f"{word.lower()}%{number}:{kind:02d}:{lex:02d}::" for word, lex in pairs]
        yield Synset(
            int(cells[0]),
            kind,
            tuple(word for word, _ in pairs),
            tuple(seen[key] for key in keys),
            gloss.strip(),
        )


def _counts(folder: Path) -> Counter[str]:
    lines = (folder / "cntlist.rev").read_text(encoding="latin-1").splitlines()
    return Counter({line.split()[0]: int(line.split()[2]) for line in lines})


def definitions(folder: Path) -> list[tuple[int, str, str, int]]:
    """Offset, word, definition and class number of every usable meaning, most familiar first."""
    classes, found, used = list(KINDS), [], set()
    for one in sorted(synsets(folder, "noun"), key=lambda s: (-s.counts[0], s.offset)):
        word, text = one.words[0], one.gloss.split(";")[0].split(":")[0].strip()
        is_long_enough = WORDS[0] <= len(text.split()) <= WORDS[1]
        is_plain = PLAIN.fullmatch(word) and PLAIN.fullmatch(text) and word not in text
        if one.kind not in KINDS or not is_plain or not is_long_enough or word in used:
            continue
        if LEFT_OUT.search(f"{word} {one.gloss}"):
            continue
        used.add(word)
        found.append((one.offset, word, text, classes.index(one.kind)))
    return found


def drawn(folder: Path) -> tuple[list[tuple[int, str, str, int]], list[tuple[int, str, str, int]]]:
    """Per class: from the 120 most familiar meanings, 40 for evaluation and 40 others."""
    rng = random.Random(SEED)
    everything, evaluation, others = definitions(folder), [], []
    for label in range(len(KINDS)):
        familiar = [row for row in everything if row[3] == label][:120]
        rng.shuffle(familiar)
        evaluation += sorted(familiar[:PER_KIND])
        others += sorted(familiar[PER_KIND : 2 * PER_KIND])
    return evaluation, others


def synonym_pairs(folder: Path) -> list[tuple[str, str]]:
    """Pairs of words for one meaning; each word is in one pair only, so pairs work both ways.

    The hand-picked ones come first, then words whose most frequent meaning is the same one.

    Raises:
        SourceError: a hand-picked pair shares no meaning, or a word is picked twice.
    """
    made = [(one, other) for one, other in (pair.split() for pair in MORE_PAIRS.split(","))]
    wrong = [pair for pair in made if not _shared(folder)[pair[0]] & _shared(folder)[pair[1]]]
    made += [(one, other) for one, other in (pair.split() for pair in INFLECTED.split(","))]
    used = {word for pair in made for word in pair}
    if wrong or len(used) < 2 * len(made):
        raise SourceError(f"These hand-picked synonyms are none, or a word comes twice: {wrong}.")
    left_out = set(NOT_PAIRS.split())
    for one, other in _frequent(folder):
        if not {one, other} & (used | left_out):
            used |= {one, other}
            made.append((one, other))
    return made


@cache
def _shared(folder: Path) -> dict[str, set[tuple[str, int]]]:
    """The meanings of every word of every part of speech."""
    meanings: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for pos in NUMBERS:
        for one in synsets(folder, pos):
            for word in one.words:
                meanings[word].add((pos, one.offset))
    return meanings


def _frequent(folder: Path) -> Iterator[tuple[str, str]]:
    """Adjectives and nouns whose most frequent meaning is the same, most frequent first."""
    every = [(pos, one) for pos in ("adj", "noun") for one in synsets(folder, pos)]
    best: dict[str, tuple[int, str, int]] = {}
    for pos, one in every:
        for word, count in zip(one.words, one.counts, strict=True):
            best[word] = max(best.get(word, (0, "", 0)), (count, pos, one.offset))
    for pos, one in sorted(every, key=lambda row: -sum(row[1].counts)):
        own = [
            word
            for word, count in zip(one.words, one.counts, strict=True)
            if count >= 2 and best[word][1:] == (pos, one.offset) and WHOLE.fullmatch(word)
        ]
        if len(own) >= 2 and own[0][:4] != own[1][:4]:
            yield own[0], own[1]


def thumbnail(text: str) -> np.ndarray:
    """The text in small letters, light on dark, cut off at the bottom: (64, 64) uint8."""
    image = Image.new("L", (SIDE_PX, SIDE_PX), 0)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(10)
    line, lines = "", []
    for word in text.split():
        if line and pen.textlength(f"{line} {word}", font=font) > SIDE_PX - 4:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    pen.multiline_text((2, 1), "\n".join([*lines, line][:6]), fill=255, font=font, spacing=0)
    return np.asarray(image)


def main() -> None:
    """Writes definitions.npz, calibration.npz and synonyms.csv."""
    folder = debian_files("wordnet-base", SHA256) / "usr/share/wordnet"
    parts = dict(zip(("definitions", "calibration"), drawn(folder), strict=True))
    for name, rows in parts.items():
        arrays = {
            "ids": np.array([row[0] for row in rows], np.int64),
            "words": np.array([row[1] for row in rows]),
            "texts": np.array([row[2] for row in rows]),
            "labels": np.array([row[3] for row in rows], np.int64),
        }
        if name == "definitions":
            arrays["images"] = np.stack([thumbnail(row[2]) for row in rows])
        save_npz(DATA / "texts" / f"{name}.npz", arrays)
    with (DATA / "texts" / "synonyms.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("word", "other"))
        writer.writerows(sorted(synonym_pairs(folder)))


if __name__ == "__main__":
    main()
