"""Which kind of thing a picture of the pairs shows, told by where its makers filed it.

The kinds are the classes of the zero-shot test. A folder that is not listed is left out; "" leaves
out a part of a listed folder.
"""

from __future__ import annotations

from typing import Final

EMOJI_KINDS: Final = {
    **dict.fromkeys(
        (
            "face-affection", "face-concerned", "face-costume", "face-glasses", "face-hand",
            "face-hat", "face-negative", "face-neutral-skeptical", "face-sleepy", "face-smiling",
            "face-tongue", "face-unwell",
        ),
        "face",
    ),
    **dict.fromkeys(("cat-face", "monkey-face"), "animal"),
    **dict.fromkeys(("heart", "emotion"), "heart or feeling"),
    **dict.fromkeys(
        (
            "hand-fingers-closed", "hand-fingers-open", "hand-fingers-partial", "hand-prop",
            "hand-single-finger", "hands", "body-parts",
        ),
        "part of the body",
    ),
    **dict.fromkeys(
        (
            "family", "person", "person-activity", "person-fantasy", "person-gesture",
            "person-resting", "person-role", "person-sport", "person-symbol",
        ),
        "person",
    ),
    **dict.fromkeys(
        (
            "animal-amphibian", "animal-bird", "animal-bug", "animal-mammal", "animal-marine",
            "animal-reptile",
        ),
        "animal",
    ),
    **dict.fromkeys(("plant-flower", "plant-other"), "plant"),
    **dict.fromkeys(
        ("food-asian", "food-fruit", "food-prepared", "food-sweet", "food-vegetable", "drink"),
        "food or drink",
    ),
    **dict.fromkeys(
        ("place-building", "place-religious", "place-geographic", "place-other"), "place"
    ),
    **dict.fromkeys(("transport-air", "transport-ground", "transport-water"), "vehicle"),
    "sky & weather": "sky or weather",
    "time": "clock",
    **dict.fromkeys(("sport", "game", "award-medal", "event"), "sport, game or feast"),
    **dict.fromkeys(("musical-instrument", "music", "sound"), "music"),
    "clothing": "clothing",
    **dict.fromkeys(
        (
            "tool", "household", "office", "book-paper", "computer", "light & video", "lock",
            "mail", "medical", "money", "other-object", "phone", "science", "writing", "dishware",
            "arts & crafts", "hotel",
        ),
        "tool or object",
    ),
    **dict.fromkeys(
        (
            "arrow", "av-symbol", "gender", "geometric", "math", "other-symbol", "punctuation",
            "religion", "transport-sign", "warning", "zodiac", "currency",
        ),
        "sign",
    ),
}  # fmt: skip

STAMPS: Final = {
    "animals": "animal",
    "clothes": "clothing",
    "food": "food or drink",
    "hobbies": "tool or object",
    "hobbies/music": "music",
    "household": "tool or object",
    "medical": "tool or object",
    "naturalforces": "sky or weather",
    "people/body_parts": "part of the body",
    "people/cartoon": "person",
    "plants": "plant",
    "seasonal": "sport, game or feast",
    "space": "sky or weather",
    "sports": "sport, game or feast",
    "symbols/chess": "sport, game or feast",
    "symbols/faces": "face",
    "symbols/music": "music",
    "town/houses": "place",
    "town/monuments": "place",
    "town/cartoon": "place",
    "town/roadsigns": "sign",
    "vehicles": "vehicle",
}

CLIP_ART: Final = {
    "animals": "animal",
    "buildings": "place",
    "buildings/furniture": "tool or object",
    "computer/hardware": "tool or object",
    "education": "tool or object",
    "electronics": "tool or object",
    "food": "food or drink",
    "geography": "sky or weather",
    "office": "tool or object",
    "people/bodypart": "part of the body",
    "people/clothing": "clothing",
    "people/smilies": "face",
    "plants": "plant",
    "plants/flowers": "plant",
    "plants/trees": "plant",
    "recreation/holiday": "sport, game or feast",
    "recreation/music": "music",
    "recreation/party": "sport, game or feast",
    "recreation/sports": "sport, game or feast",
    "recreation/toys": "sport, game or feast",
    "science": "tool or object",
    "signs_and_symbols/weather": "sky or weather",
    "tools": "tool or object",
    "tools/weapons": "",
    "transportation": "vehicle",
    "transportation/aiga-symbols": "sign",
    "transportation/roadsigns": "sign",
}
