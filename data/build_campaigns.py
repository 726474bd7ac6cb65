"""Builds the simulated campaigns: ``data/campaigns/campaigns.npz`` and ``truth.npz``, bundled.

Run as ``python -m data.build_campaigns``. What contents are made of stands in
``data/campaigns/campaigns.toml``; what each part does is drawn here under a fixed seed and written
to ``truth.npz``, which only benchmarks and tests read. Success is simulated:

    logit = base + domain + audience + season + device + sum of phrases + button + sum of pictures
            + ribbon + interactions,     clicks ~ Binomial(impressions, sigmoid(logit))

An experiment is a control and two to five treatments that change one to three of its parts. Its
audience is known to nobody, and "copied" phrases and pictures are used where the audience clicks
anyway: they go with success and do nothing. Palette, arrangement and photograph do nothing, either.
"""

from __future__ import annotations

import io
import json
import tomllib
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.insights import drawing
from backend.insights.splits import by_experiment
from data.build_birds import EMOJI, EMOJI_SHA256
from data.build_photos import open_photo
from data.sources import DATA, npm_files, save_npz

FOLDER: Final = DATA / "campaigns"
SEED: Final = 20261128
EXPERIMENTS: Final = 88  # of each domain
TREATMENTS: Final = (2, 5)
PHOTO_PX: Final = 256
BASE: Final = -2.75
SPREAD: Final = {"domain": 0.12, "audience": 0.15, "season": 0.06, "phrase": 0.05, "picture": 0.04}
PHRASE_EFFECT: Final = {"helping": (0.10, 0.36), "neutral": (-0.03, 0.03), "hurting": (-0.36, -0.1)}
PICTURE_EFFECT: Final = {
    "helping": (0.08, 0.26), "neutral": (-0.03, 0.03), "hurting": (-0.28, -0.1),
}  # fmt: skip
BUTTON_EFFECT: Final = {"helping": 0.12, "neutral": 0.0, "hurting": -0.15}
RIBBON_EFFECT: Final = (0.0, 0.05, 0.15)
INTERACTION: Final = (0.22, 0.34)
DEVICES: Final = {"desktop": -0.06, "mobile": 0.06, "both": 0.0}
FIRST_DAY, WEEKS = "2024-01-01", 100
IMPRESSIONS: Final = (2_000, 20_000)
TOGETHER: Final = 0.35  # how often a phrase of an interaction brings its picture along


@dataclass(frozen=True, slots=True)
class Stock:
    """What contents are made of: names, kinds and drawn effects by domain (NaN: not used there)."""

    notes: dict[str, Any]
    phrases: tuple[str, ...]
    phrase_kind: tuple[str, ...]
    phrase_effect: NDArray[np.float64]
    pictures: tuple[str, ...]
    picture_kind: tuple[str, ...]
    picture_effect: NDArray[np.float64]
    buttons: tuple[str, ...]
    button_effect: NDArray[np.float64]
    interactions: tuple[tuple[int, int, float], ...]
    sprites: tuple[tuple[str, str], ...]  # kind, short name
    photos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """The parts of one content, as numbers of the stock."""

    headline: tuple[int, ...]
    body: tuple[int, ...]
    headline_form: int
    body_form: int
    topic: int
    button: int
    icons: tuple[tuple[int, int], ...]  # picture and sprite
    ribbon: int
    product: int
    palette: int
    layout: int
    photo: int
    colour: int
    places: tuple[
        tuple[int, int, int, int], ...
    ]  # place, jitter in x and y, size; as many as icons

    @property
    def pictures(self) -> tuple[int, ...]:
        """The kinds of its small pictures."""
        return tuple(picture for picture, _ in self.icons)


def notes() -> dict[str, Any]:
    """What ``data/campaigns/campaigns.toml`` says."""
    return tomllib.loads((FOLDER / "campaigns.toml").read_text(encoding="utf-8"))


def stock(rng: np.random.Generator) -> Stock:
    """Names from the notes, effects drawn."""
    said = notes()
    domains = said["domain"]
    named: list[tuple[str, str, float, list[int]]] = []  # phrase, kind, effect, domains
    for kind in ("helping", "neutral", "hurting"):
        everywhere = list(range(len(domains)))
        for text in said["phrases"][kind]:
            named.append((text, kind, rng.uniform(*PHRASE_EFFECT[kind]), everywhere))
        for number, domain in enumerate(domains):
            for text in domain[kind]:
                named.append((text, kind, rng.uniform(*PHRASE_EFFECT[kind]), [number]))
    named += [(t, "copied", 0.0, list(range(len(domains)))) for t in said["phrases"]["copied"]]
    effect = np.full((len(named), len(domains)), np.nan)
    for row, (_, kind, value, where) in enumerate(named):
        spread = 0.0 if kind == "copied" else SPREAD["phrase"]
        effect[row, where] = value + spread * rng.standard_normal(len(where))
    kinds = [(k, group) for k in said["pictures"] for group in said["pictures"][k]]
    drawn = [rng.uniform(*PICTURE_EFFECT.get(kind, (0, 0))) for kind, _ in kinds]
    noise = rng.standard_normal((len(kinds), len(domains)))
    noise *= np.array([[0.0 if kind == "copied" else SPREAD["picture"]] for kind, _ in kinds])
    phrases, pictures = tuple(n[0] for n in named), tuple(group[0] for _, group in kinds)
    buttons = [(text, kind) for kind in said["buttons"] for text in said["buttons"][kind]]
    sprites = [(group[0], name) for _, group in kinds for name in group[1:]]
    sprites += [("product", name) for domain in domains for name in domain["products"]]
    together = tuple(
        (phrases.index(i["phrase"]), pictures.index(i["picture"]), i["sign"] * value)
        for i in said["interaction"]
        for value in [rng.uniform(*INTERACTION)]
    )
    return Stock(
        notes=said,
        phrases=phrases,
        phrase_kind=tuple(n[1] for n in named),
        phrase_effect=effect,
        pictures=pictures,
        picture_kind=tuple(kind for kind, _ in kinds),
        picture_effect=np.array(drawn)[:, None] + noise,
        buttons=tuple(text for text, _ in buttons),
        button_effect=np.array([BUTTON_EFFECT[kind] for _, kind in buttons]),
        interactions=together,
        sprites=tuple(sprites),
        photos=tuple(sorted({name for domain in domains for name in domain["photos"]})),
    )


class Generator:
    """Draws the drafts of one domain's experiments."""

    def __init__(self, held: Stock, domain: int, rng: np.random.Generator) -> None:
        self.held, self.domain, self.rng = held, domain, rng
        self.said = held.notes["domain"][domain]
        known = np.flatnonzero(~np.isnan(held.phrase_effect[:, domain]))
        self.copied = [i for i in known if held.phrase_kind[i] == "copied"]
        self.phrases = [i for i in known if held.phrase_kind[i] != "copied"]
        self.icons = [i for i, kind in enumerate(held.picture_kind) if kind != "copied"]
        self.crowns = [i for i, kind in enumerate(held.picture_kind) if kind == "copied"]
        self.products = [
            i for i, (kind, name) in enumerate(held.sprites)
            if kind == "product" and name in self.said["products"]
        ]  # fmt: skip

    def control(self, audience: float) -> Draft:
        """A content at random; copied parts come with an audience that clicks anyway."""
        rng, forms = self.rng, self.held.notes["templates"]
        words = rng.permutation(self.phrases)[:5].tolist()
        count = int(rng.integers(1, 3))
        headline, body = tuple(words[:count]), tuple(words[count : count + rng.integers(1, 4)])
        if rng.random() < _sigmoid(audience / 0.05 - 2.0):
            body = (*body[:-1], int(rng.choice(self.copied)))
        icons = self._icons((*headline, *body), int(rng.integers(1, 4)))
        if rng.random() < _sigmoid(audience / 0.05 - 2.0):
            icons = (*icons[:-1], self._icon(int(rng.choice(self.crowns))))
        photos = [self.held.photos.index(name) for name in self.said["photos"]]
        return Draft(
            headline=headline,
            body=body,
            headline_form=int(rng.integers(len(forms["headline"]))),
            body_form=int(rng.integers(len(forms["body_one"]))),
            topic=int(rng.integers(len(self.said["topics"]))),
            button=int(rng.integers(len(self.held.buttons))),
            icons=icons,
            ribbon=int(rng.choice(3, p=[0.6, 0.2, 0.2])),
            product=int(rng.choice(self.products)),
            palette=int(rng.integers(len(drawing.PALETTES))),
            layout=int(rng.integers(len(drawing.ARRANGEMENTS))),
            photo=int(rng.choice(photos)),
            colour=int(rng.integers(len(drawing.BUTTONS))),
            places=self._places(),
        )

    def treatment(self, draft: Draft) -> Draft:
        """The draft with one to three of its parts changed."""
        moves = ("headline", "body", "icon", "icons", "button", "ribbon", "palette", "layout")
        for move in self.rng.choice(moves, int(self.rng.integers(1, 4)), replace=False):
            draft = self._changed(draft, str(move))
        return draft

    def _changed(self, draft: Draft, move: str) -> Draft:
        rng, used = self.rng, {*draft.headline, *draft.body}
        if move in ("headline", "body"):
            fresh = int(rng.choice([i for i in self.phrases if i not in used]))
            words = list(getattr(draft, move))
            words[int(rng.integers(len(words)))] = fresh
            return replace(draft, **{move: tuple(words)})
        if move in ("icon", "icons"):
            count = 4 if move == "icon" else int(rng.integers(1, 4))
            icons = self._icons((*draft.headline, *draft.body), count)
            if move == "icon":  # one place shows something else
                fresh = next(i for i in icons if i[0] not in draft.pictures)
                icons = (fresh, *draft.icons[1:])
            return replace(draft, icons=icons)
        counts = {
            "button": len(self.held.buttons), "ribbon": 3, "palette": len(drawing.PALETTES),
            "layout": len(drawing.ARRANGEMENTS),
        }  # fmt: skip
        others = [i for i in range(counts[move]) if i != getattr(draft, move)]
        return replace(draft, **{move: int(rng.choice(others))})

    def _icons(self, words: tuple[int, ...], count: int) -> tuple[tuple[int, int], ...]:
        """Pictures of different kinds; phrases of an interaction often bring theirs along."""
        found = [
            picture
            for phrase, picture, _ in self.held.interactions
            if phrase in words and self.rng.random() < TOGETHER
        ]
        found += [i for i in self.rng.permutation(self.icons).tolist() if i not in found]
        return tuple(self._icon(picture) for picture in found[:count])

    def _icon(self, picture: int) -> tuple[int, int]:
        """A kind of picture and one of its sprites."""
        kind = self.held.pictures[picture]
        sprites = [i for i, (name, _) in enumerate(self.held.sprites) if name == kind]
        return picture, int(self.rng.choice(sprites))

    def _places(self) -> tuple[tuple[int, int, int, int], ...]:
        rng, count = self.rng, len(drawing.ARRANGEMENTS[0].places)
        order = rng.permutation(count)[: drawing.MOST_ICONS].tolist()
        dx, dy = rng.integers(-1, 2, (2, len(order))).tolist()
        return tuple(zip(order, dx, dy, rng.integers(19, 23, len(order)).tolist(), strict=True))

    def parts(self, draft: Draft) -> tuple[str, str, str]:
        """Headline, body and label of the button."""
        forms, topic = self.held.notes["templates"], self.said["topics"][draft.topic]
        pool = forms["headline"] if len(draft.headline) == 1 else forms["headline_two"]
        body = forms[("body_one", "body_two", "body_three")[len(draft.body) - 1]]
        texts = (pool[draft.headline_form % len(pool)], body[draft.body_form % len(body)])
        filled = []
        for text, words in zip(texts, (draft.headline, draft.body), strict=True):
            named = dict(zip("abc", (self.held.phrases[i] for i in words), strict=False))
            done = text.format(topic=topic, **named)
            filled.append(done[0].upper() + done[1:])
        return (filled[0], filled[1], self.held.buttons[draft.button])

    def recipe(self, draft: Draft) -> list[int]:
        """The row that :mod:`backend.insights.drawing` draws."""
        row = [-1] * drawing.COLUMNS
        row[: drawing.ICONS] = [
            draft.palette,
            draft.layout,
            draft.photo,
            draft.product,
            draft.ribbon,
            draft.colour,
        ]
        corners = drawing.ARRANGEMENTS[draft.layout].places
        for number, (_, sprite_number) in enumerate(draft.icons):
            place, dx, dy, size = draft.places[number]
            x, y = corners[place]
            start = drawing.ICONS + 4 * number
            row[start : start + 4] = [sprite_number, round(x + dx), round(y + dy), size]
        return row

    def effect(self, draft: Draft) -> float:
        """What the parts of a draft add to the logit."""
        held, d = self.held, self.domain
        words = (*draft.headline, *draft.body)
        total = sum(float(held.phrase_effect[i, d]) for i in words)
        total += sum(float(held.picture_effect[i, d]) for i in draft.pictures)
        total += float(held.button_effect[draft.button]) + RIBBON_EFFECT[draft.ribbon]
        for phrase, picture, value in held.interactions:
            total += value if phrase in words and picture in draft.pictures else 0.0
        return total


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def _padded(rows: list[tuple[int, ...]], width: int) -> NDArray[np.int16]:
    return np.array([[*row, *[-1] * (width - len(row))] for row in rows], np.int16)


def simulated(held: Stock, rng: np.random.Generator) -> dict[str, list[Any]]:
    """All contents, one list a column."""
    columns: dict[str, list[Any]] = {}
    for domain, said in enumerate(held.notes["domain"]):
        maker = Generator(held, domain, rng)
        base = BASE + SPREAD["domain"] * rng.standard_normal()
        for number in range(EXPERIMENTS):
            audience = SPREAD["audience"] * float(rng.standard_normal())
            week, device = int(rng.integers(WEEKS)), str(rng.choice(list(DEVICES)))
            season = SPREAD["season"] * float(np.sin(2 * np.pi * week / 52))
            control = maker.control(audience)
            arms = int(rng.integers(TREATMENTS[0], TREATMENTS[1] + 1))
            drafts = [control, *(maker.treatment(control) for _ in range(arms))]
            for arm, draft in enumerate(drafts):
                logit = base + audience + season + DEVICES[device] + maker.effect(draft)
                impressions = int(np.exp(rng.uniform(*np.log(IMPRESSIONS))))
                row = {
                    "id": f"{said['key']}-{number:03d}-{'abcdef'[arm]}",
                    "experiment": domain * EXPERIMENTS + number,
                    "domain": domain,
                    "is_control": arm == 0,
                    "week": week,
                    "device": list(DEVICES).index(device),
                    "parts": maker.parts(draft),
                    "recipe": maker.recipe(draft),
                    "impressions": impressions,
                    "clicks": int(rng.binomial(impressions, _sigmoid(logit))),
                    "logit": logit,
                    "audience": audience,
                    "season": season,
                    "base": base,
                    "phrases": (*draft.headline, *draft.body),
                    "pictures": draft.pictures,
                    "button": draft.button,
                }
                for name, value in row.items():
                    columns.setdefault(name, []).append(value)
    return columns


def sprite(folder_table: list[dict[str, Any]], name: str) -> Image.Image:
    """An emoji as RGBA at its 64 px."""
    folder = npm_files(*EMOJI, EMOJI_SHA256)
    file = next(e["image"] for e in folder_table if e["short_name"] == name)
    return Image.open(folder / "img/google/64" / file).convert("RGBA")


def photograph(name: str) -> Image.Image:
    """A centred square of a photograph that is bundled elsewhere, PHOTO_PX a side."""
    path = DATA / "needles" / f"{name}.jpg"
    if path.exists():
        picture = Image.open(path).convert("RGB")
    else:
        listed = tomllib.loads((DATA / "photos" / "photos.toml").read_text(encoding="utf-8"))
        entry = next(e for e in listed["photo"] if e["name"] == name)
        picture = open_photo(entry["package"], entry["member"], entry["sha256"])
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    return picture.resize((PHOTO_PX, PHOTO_PX), Image.Resampling.LANCZOS, box=box)


def webp(pictures: list[Image.Image], quality: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The pictures as WebP files one after the other, and where each ends."""
    files = []
    for picture in pictures:
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=quality, method=6, exact=False)
        files.append(buffer.getvalue())
    ends = np.cumsum([len(file) for file in files]).astype(np.int64)
    return np.frombuffer(b"".join(files), np.uint8), ends


def bundle(held: Stock, columns: dict[str, list[Any]]) -> dict[str, NDArray[Any]]:
    """What the app reads: nothing in it tells an effect."""
    table = json.loads((npm_files(*EMOJI, EMOJI_SHA256) / "emoji.json").read_text(encoding="utf-8"))
    sprites, sprite_ends = webp([sprite(table, name) for _, name in held.sprites], 90)
    photos, photo_ends = webp([photograph(name) for name in held.photos], 80)
    domain = np.array(columns["domain"], np.int64)
    experiment = np.array(columns["experiment"], np.int64)
    closed = [i for i, d in enumerate(held.notes["domain"]) if d.get("held_out")]
    same = ["\n".join(p) + str(r) for p, r in zip(columns["parts"], columns["recipe"], strict=True)]
    days = np.datetime64(FIRST_DAY) + 7 * np.array(columns["week"], np.int64)
    return {
        "ids": np.array(columns["id"]),
        "parts": np.array(columns["parts"]),
        "domains": np.array([d["title"] for d in held.notes["domain"]]),
        "domain": domain.astype(np.int16),
        "held_out": np.array(closed, np.int64),
        "experiment": experiment.astype(np.int32),
        "is_control": np.array(columns["is_control"], bool),
        "days": days.astype("datetime64[D]").astype(np.int64),
        "impressions": np.array(columns["impressions"], np.int32),
        "clicks": np.array(columns["clicks"], np.int32),
        "devices": np.array(list(DEVICES)),
        "device": np.array(columns["device"], np.int8),
        "split": by_experiment(experiment, domain, frozenset(closed), same).astype(np.int8),
        "recipes": np.array(columns["recipe"], np.int16),
        "sprites": sprites,
        "sprite_ends": sprite_ends,
        "sprite_kinds": np.array([kind for kind, _ in held.sprites]),
        "photos": photos,
        "photo_ends": photo_ends,
    }


def truth(held: Stock, columns: dict[str, list[Any]]) -> dict[str, NDArray[Any]]:
    """What only benchmarks and tests read."""
    pairs = np.array([(phrase, picture) for phrase, picture, _ in held.interactions], np.int16)
    return {
        "phrases": np.array(held.phrases),
        "phrase_kinds": np.array(held.phrase_kind),
        "phrase_effects": held.phrase_effect,
        "pictures": np.array(held.pictures),
        "picture_kinds": np.array(held.picture_kind),
        "picture_effects": held.picture_effect,
        "buttons": np.array(held.buttons),
        "button_effects": held.button_effect,
        "ribbon_effects": np.array(RIBBON_EFFECT),
        "device_effects": np.array(list(DEVICES.values())),
        "interactions": pairs,
        "interaction_effects": np.array([value for *_, value in held.interactions]),
        "content_phrases": _padded(columns["phrases"], 5),
        "content_pictures": _padded(columns["pictures"], 3),
        "content_button": np.array(columns["button"], np.int8),
        "logit": np.array(columns["logit"]),
        "audience": np.array(columns["audience"]),
        "season": np.array(columns["season"]),
        "base": np.array(columns["base"]),
    }


def main() -> None:
    """Writes both files."""
    rng = np.random.default_rng(SEED)
    held = stock(rng)
    columns = simulated(held, rng)
    save_npz(FOLDER / "campaigns.npz", bundle(held, columns))
    save_npz(FOLDER / "truth.npz", truth(held, columns))


if __name__ == "__main__":
    main()
