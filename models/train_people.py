"""Trains "CLIP-style, small" on drawn pictures with their names, and embeds the pool of people.

``python -m models.train_people --seeds 0 1 2``; seed 0 is shipped. Training sees emoji that show no
people in three styles, people of one style, and the yellow people of the pool's two styles; the
pool (``data/people``) has the same activities and figures in five skin tones. What a caption leaves
open counts as right: "cook" describes every cook, so a neutral caption is no evidence against
either gender.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from data import build_people as people
from data.sources import CACHE, save_npz
from models.cards import CARDS, WEIGHTS, InputSpec, ModelCard, dump_card, load_cards
from models.efficientnet_lite import EfficientNetLite0
from models.load import load_module
from models.people_clip import GROUPS, INPUT_PX, GroupMlp, PeopleClip, picture_features
from models.people_prompts import WORDS, prompts_of
from models.text_encoder import load_encoder, load_tokenizer
from models.text_zero_shot import ZeroShot

KEY: Final = "people-clip"
STEPS: Final = 700
BATCH: Final = 256
PEOPLE_SHARE: Final = 0.4  # of a batch
RATE: Final = 1e-3
LOGIT_SCALE: Final = 20.0
GROUP_STEPS: Final = 600
SAID: Final = 0.5  # how often a caption names the gender, and how often the tone
TONE_GROUP: Final = (0, 1, 1, 0, -1, -1)  # light tones +1, dark ones -1, else not applicable


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures with what is known of them.

    Attributes:
        features: (n, 1432); concept: (n,) number of the caption without attributes.
        gender: (n,) -1, 0, +1; named: (n,) whether a gender can be named (a man or a woman).
        tone: (n,) 0 unspecified to 5 dark; is_person: (n,).
    """

    features: Tensor
    concept: Tensor
    gender: Tensor
    tone: Tensor
    is_person: Tensor
    captions: tuple[str, ...]


def captioned(caption: str, gender: int, tone: int) -> str:
    """A caption with the gender (0: not said) and the tone (0: not said)."""
    word = {1: "man", -1: "woman", 0: ""}[gender]
    if word:
        rest = caption.removeprefix("person ")
        caption = f"{word} {rest}"
    return f"{caption}, {people.TONES[tone]} skin" if tone else caption


def gathered(tower: EfficientNetLite0) -> Pictures:
    """The pictures of training; their features are kept in ``data/cache``."""
    drawn = people.training()
    captions = sorted({one.caption for one, _, _ in drawn})
    number = {caption: i for i, caption in enumerate(captions)}
    path = CACHE / "people-features.npz"
    if path.exists():
        features = np.load(path, allow_pickle=False)["features"]
    else:
        features = featured(tower, np.stack([np.asarray(picture) for _, _, picture in drawn]))
        np.savez(path, allow_pickle=False, features=features)
    return Pictures(
        torch.from_numpy(features),
        torch.tensor([number[one.caption] for one, _, _ in drawn]),
        torch.tensor([people.GENDERS.get(one.gender, 0) for one, _, _ in drawn]),
        torch.tensor([one.tone for one, _, _ in drawn]),
        torch.tensor([bool(one.gender) for one, _, _ in drawn]),
        tuple(captions),
    )


def featured(tower: EfficientNetLite0, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (n, 1432) of uint8 pictures (n, h, w, 3)."""
    found = [
        picture_features(tower, torch.from_numpy(part).permute(0, 3, 1, 2).float() / 255)
        for part in np.array_split(pixels, max(1, len(pixels) // 256))
    ]
    return torch.cat(found).numpy()


def vectors(texts: ZeroShot, held: Pictures) -> dict[tuple[int, int, int], Tensor]:
    """MiniLM's vector of every caption that training can draw, by concept, gender and tone."""
    drawable = {(int(c), 0, 0) for c in held.concept}
    for c, g, t in torch.stack([held.concept, held.gender, held.tone], 1)[held.is_person].tolist():
        drawable |= {(c, g, 0), (c, 0, t), (c, g, t)}
    keys = sorted(drawable)
    found = texts.embed([captioned(held.captions[c], g, t) for c, g, t in keys])
    return dict(zip(keys, found, strict=True))


def fit(held: Pictures, texts: ZeroShot, seed: int) -> PeopleClip:
    """Heads trained with the symmetric contrastive loss, several captions of which may be right."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    model = PeopleClip()
    model.mean.copy_(held.features.mean(0))
    model.scale.copy_(held.features.std(0).clamp_min(1e-3))
    said = vectors(texts, held)
    facts = torch.stack([held.concept, held.gender, held.tone], 1)
    persons, others = (np.flatnonzero(held.is_person.numpy() == flag) for flag in (True, False))
    params = [*model.picture.parameters(), *model.text.parameters()]
    optimiser = torch.optim.AdamW(params, RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, STEPS, pct_start=0.1)
    for _ in range(STEPS):
        n_people = int(BATCH * PEOPLE_SHARE)
        rows = np.concatenate(
            [draw.choice(persons, n_people), draw.choice(others, BATCH - n_people)]
        )
        spoken = torch.tensor(_spoken(facts[rows].numpy(), draw))
        words = torch.stack([said[tuple(key)] for key in spoken.tolist()])
        cosines = model.pictures(held.features[rows]) @ model.texts(words).T
        loss = contrastive(cosines, fitting(facts[rows], spoken))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return model.eval()


def _spoken(facts: NDArray[np.int64], draw: np.random.Generator) -> NDArray[np.int64]:
    """For each picture what a caption says: concept, gender or 0, tone or 0."""
    says = draw.random((len(facts), 2)) < SAID
    return np.concatenate([facts[:, :1], facts[:, 1:] * says], axis=1)


def fitting(facts: Tensor, spoken: Tensor) -> Tensor:
    """(b, b) whether the caption of each column is right for the picture of each row."""
    found = facts[:, None, 0] == spoken[None, :, 0]
    for place in (1, 2):
        found &= (spoken[None, :, place] == 0) | (spoken[None, :, place] == facts[:, None, place])
    return found


def contrastive(cosines: Tensor, is_right: Tensor) -> Tensor:
    """Symmetric cross-entropy; where several are right, each gets an equal share."""
    loss = torch.zeros(())
    for logits, right in ((cosines, is_right), (cosines.T, is_right.T)):
        shares = right.float() / right.float().sum(1, keepdim=True).clamp_min(1)
        loss = loss - (shares * functional.log_softmax(LOGIT_SCALE * logits, 1)).sum(1).mean() / 2
    return loss


def fit_groups(head: GroupMlp, embedded: Tensor, groups: Tensor, seed: int) -> None:
    """Trains a classifier of groups on embeddings; noise on them stands for new activities."""
    torch.manual_seed(seed)
    targets = groups + 1
    optimiser = torch.optim.AdamW(head.parameters(), 2e-3, weight_decay=1e-2)
    for _ in range(GROUP_STEPS):
        rows = torch.randint(len(embedded), (BATCH,))
        noisy = functional.normalize(embedded[rows] + 0.02 * torch.randn(BATCH, embedded.shape[1]))
        loss = functional.cross_entropy(head(noisy), targets[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def trained(held: Pictures, texts: ZeroShot, seed: int) -> PeopleClip:
    """Heads, then the classifiers on frozen embeddings of the training people."""
    model = fit(held, texts, seed)
    # Of the pool's styles only yellow people are seen here, so a classifier of tones that had them
    # would learn to tell the style.
    for head, rows in ((model.gender, held.is_person), (model.tone, held.tone > 0)):
        with torch.inference_mode():
            embedded = model.pictures(held.features[rows])
        attribute = "gender" if head is model.gender else "tone"
        fit_groups(head, embedded.clone(), groups_of(held, attribute)[rows], seed)
    return model.eval()


@dataclass(frozen=True, slots=True)
class Embedded:
    """The pool through one trained model; see ``backend/fair/pool.py`` for the arrays."""

    arrays: Mapping[str, NDArray[np.generic]]
    metrics: dict[str, float]


def embedded(
    model: PeopleClip, texts: ZeroShot, held: Pictures, features: Tensor, table: pd.DataFrame
) -> Embedded:
    """Embeddings of the pool and of its queries and prompts, with what was measured on them."""
    names = sorted(set(table["activity"]))
    with torch.inference_mode():
        images = model.pictures(features)
        queries = model.texts(texts.embed(names))
        arrays = {"images": images, "queries": queries}
        for place, (attribute, pair) in enumerate(WORDS.items()):
            arrays[f"{attribute}_words"] = model.texts(texts.embed(list(pair)))
            prompts = [prompts_of(name)[2 * place : 2 * place + 2] for name in names]
            flat = model.texts(texts.embed([one for two in prompts for one in two]))
            arrays[f"{attribute}_prompts"] = flat.reshape(len(names), 2, -1)
            arrays[f"{attribute}_logits"] = model.get_submodule(attribute)(images)
            arrays[f"{attribute}_information"] = information(model, held, attribute)
    numbers = {name: value.float().numpy().astype(np.float16) for name, value in arrays.items()}
    return Embedded(numbers, measured(arrays, table, names))


def information(model: PeopleClip, held: Pictures, attribute: str, bins: int = 8) -> Tensor:
    """(d,) mutual information of each dimension with the group over the people of training, nats.

    The same estimate as ``backend/fair/baselines.py`` makes; the pool that is audited has no part
    in it.
    """
    rows = model.pictures(held.features[held.is_person]).numpy()
    signs = groups_of(held, attribute)[held.is_person].numpy()
    rows, plus = rows[signs != 0], signs[signs != 0] > 0
    places = np.argsort(np.argsort(rows, axis=0, kind="stable"), axis=0) * bins // len(rows)
    found = np.zeros(rows.shape[1])
    for part in range(bins):
        for side in (plus, ~plus):
            joint = ((places == part) & side[:, None]).mean(axis=0)
            apart = (places == part).mean(axis=0) * side.mean()
            found += np.where(joint > 0, joint * np.log(np.maximum(joint, 1e-12) / apart), 0)
    return torch.from_numpy(found)


def groups_of(held: Pictures, attribute: str) -> Tensor:
    """(n,) -1, 0 or +1 of pictures of training."""
    return held.gender if attribute == "gender" else torch.tensor(TONE_GROUP)[held.tone]


def measured(arrays: dict[str, Tensor], table: pd.DataFrame, names: list[str]) -> dict[str, float]:
    """Recall of the neutral queries and accuracy of the classifiers on the pool, all unseen."""
    activity = torch.tensor([names.index(name) for name in table["activity"]])
    cosines = arrays["queries"] @ arrays["images"].T
    found = {}
    for k in (10, 36):
        best = activity[cosines.topk(k, dim=1).indices]
        right = best == torch.arange(len(names))[:, None]
        found[f"precision_at_{k}"] = float(right.float().mean())
    tones = torch.tensor([TONE_GROUP[people.TONES.index(tone)] for tone in table["tone"]])
    genders = torch.tensor([people.GENDERS[gender] for gender in table["gender"]])
    for attribute, truth in (("gender", genders), ("tone", tones)):
        said = arrays[f"{attribute}_logits"].argmax(1) - 1
        found[f"{attribute}_accuracy"] = float((said == truth).float().mean())
        for name, sign in (("plus", 1), ("minus", -1)):
            found[f"{attribute}_sensitivity_{name}"] = float(
                (said == sign)[truth == sign].float().mean()
            )
    return found


def mapped(images: NDArray[np.generic]) -> NDArray[np.float16]:
    """(n, 2) UMAP of the pool, seeded, from -1 to 1."""
    from umap import UMAP

    rows = images.astype(np.float32)
    xy = UMAP(n_neighbors=20, min_dist=0.15, metric="cosine", random_state=0).fit_transform(rows)
    low, high = xy.min(0), xy.max(0)
    placed: NDArray[np.float16] = ((xy - low) / (high - low) * 2 - 1).astype(np.float16)
    return placed


def pool_pixels(table: pd.DataFrame) -> NDArray[np.uint8]:
    """(n, 64, 64, 3) the pictures of the pool as they are bundled."""
    sheet = np.asarray(Image.open(people.FOLDER / "people.webp").convert("RGB"))
    side, columns = people.SIDE_PX, people.COLUMNS
    grid = sheet.reshape(-1, side, columns, side, 3).swapaxes(1, 2)
    return grid.reshape(-1, side, side, 3)[: len(table)]


def card_of(found: dict[str, float], sha256: str, model: PeopleClip) -> ModelCard:
    """The model card."""
    parameters = sum(one.numel() for one in model.parameters())
    return ModelCard(
        key=KEY,
        title="CLIP-style, small",
        task="people",
        summary="Heads on frozen towers, EfficientNet-Lite0 for pictures and all-MiniLM-L6-v2 for "
        "texts, trained with the symmetric contrastive loss; and a classifier of drawn gender and "
        "one of drawn skin tone on the pictures' embeddings, three hidden layers each.",
        architecture="PeopleClip",
        input=InputSpec(3, INPUT_PX, INPUT_PX),
        classes=tuple(f"group {sign:+d}" for sign in GROUPS),
        layers=("picture", "text", "gender", "tone"),
        licence="as this repository",
        data="Emoji of Noto Emoji (Apache-2.0), Twemoji (CC-BY-4.0) and OpenMoji (CC-BY-SA-4.0) "
        "with their Unicode names: all that show no people, people of OpenMoji, yellow people of "
        "the other two; measured on those in five skin tones, data/people",
        command="python -m models.train_people --seeds 0",
        metrics={**found, "parameters": float(parameters)},
        weights_file=f"{KEY}.safetensors",
        weights_sha256=sha256,
        limits="Drawings of two styles in English; weak on anything else, photographs above all. "
        "Gender and skin tone are what the drawers meant by a Unicode sequence; the classifiers "
        "know drawings and must not be used on pictures of people.",
    )


def main() -> None:
    """Trains every seed, prints what was measured, ships the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    asked = parser.parse_args()
    cards = load_cards()
    tower = load_module(cards["imagenet-lite0"])
    if not isinstance(tower, EfficientNetLite0):
        raise TypeError(f"{type(tower).__name__} is not the tower that was expected.")
    card = cards["text-minilm"]
    texts = ZeroShot(load_encoder(card), load_tokenizer(card), 1.0)
    held = gathered(tower)
    table = pd.read_parquet(people.FOLDER / "people.parquet")
    features = torch.from_numpy(featured(tower, pool_pixels(table)))
    for place, seed in enumerate(asked.seeds):
        model = trained(held, texts, seed)
        found = embedded(model, texts, held, features, table)
        told = ", ".join(f"{name} {value:.3f}" for name, value in found.metrics.items())
        sys.stdout.write(f"seed {seed}: {told}\n")
        folder = people.FOLDER if place == 0 else CACHE / f"people-seed-{seed}"
        folder.mkdir(exist_ok=True)
        xy = mapped(found.arrays["images"])
        save_npz(folder / "embeddings.npz", {**found.arrays, "xy": xy})
        if place == 0:
            ship(model, found.metrics)


def ship(model: PeopleClip, found: dict[str, float]) -> None:
    """Writes weights, in half precision, and their card."""
    path = WEIGHTS / f"{KEY}.safetensors"
    save_file({name: value.half().contiguous() for name, value in model.state_dict().items()}, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    (CARDS / f"{KEY}.toml").write_text(dump_card(card_of(found, sha256, model)), encoding="utf-8")


if __name__ == "__main__":
    main()
