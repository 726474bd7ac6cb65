"""What the Crayon page, its routes and the command line ask for, checked before a job starts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

import numpy as np

from backend import catalog
from backend.cache import ArrayStore, key_of
from backend.crayon import aggregate, library, methods, sets, shown
from backend.crayon.answers import AnswerStore, Scope
from backend.errors import BadRequest, NotFound
from backend.jobs import JobRequest
from backend.protocols import JSON, Arrays
from models.cards import ModelCard

GRADCAM: Final = "gradcam"
SALIENCY: Final = {
    GRADCAM: "Grad-CAM",
    "integrated-gradients": "integrated gradients",
    "score-cam": "Score-CAM",
}
ORIGINALS: Final = {"birds": "crayon-birds", "garments": "crayon-garments"}


def fingerprint(item_set: str, parent: str = "") -> str:
    """What answers name the model by: of the original's weights, or of a corrected model's result.

    Raises:
        NotFound: there is no such set or model.
    """
    return parent[:16] if parent else original_card(item_set).fingerprint


def model_key(item_set: str) -> str:
    """The key of the original model of a set.

    Raises:
        NotFound: there is no such set, or its model is not installed.
    """
    return original_card(item_set).key


def original_card(item_set: str) -> ModelCard:
    """The card of the original model of a set. Raises as :func:`model_key`."""
    held = sets.load(item_set)
    if item_set not in ORIGINALS:
        return library.card(own_model_key(item_set))
    key = ORIGINALS[item_set]
    if key not in catalog.models():
        raise NotFound(
            f"The original model of {held.title} is not installed.",
            f"Train it: python -m backend.crayon.originals --set {item_set}",
        )
    return catalog.card(key)


def own_model_key(item_set: str) -> str:
    """The key of the original model of an own set."""
    return f"crayon-{item_set}"


def original_job(item_set: str, seed: int = 0, epochs: int = 15, view: str = "") -> JobRequest:
    """``crayon.original``: trains the original model of an own set.

    Raises:
        NotFound: there is no such set.
        BadRequest: it is a bundled one, it cannot be trained on, or a number is out of range.
    """
    if item_set in sets.bundled():
        raise BadRequest("The models of the bundled sets are installed.", "Choose a set of yours.")
    held = sets.checked_counts(sets.load(item_set))
    if not 0 <= seed < 2**31 or not 1 <= epochs <= 200:
        raise BadRequest(f"seed={seed}, epochs={epochs} is not usable.", "Epochs are 1 to 200.")
    params: dict[str, JSON] = {"set": item_set, "items": held.fingerprint, "seed": seed}
    title = f"{held.title}: the original model"
    return JobRequest("crayon.original", params | {"epochs": epochs}, title, view)


def checked_saliency(name: str) -> str:
    """The name itself, if maps can be made by that method.

    Raises:
        BadRequest: they cannot; says what can.
    """
    if name == "attention-rollout":
        raise BadRequest(
            "Attention rollout needs a transformer's attention layers; the models here are "
            "convolutional networks.",
            f"Choose {', '.join(SALIENCY)}.",
        )
    if name not in SALIENCY:
        raise BadRequest(f"There is no saliency {name[:40]!r}.", f"There is {', '.join(SALIENCY)}.")
    return name


def maps_job(
    item_set: str, parent: str = "", view: str = "", saliency: str = GRADCAM
) -> JobRequest:
    """``crayon.maps``: maps and answers of a model on a whole set. Raises as :func:`model_key`.

    Args:
        saliency: one of SALIENCY; another method's maps are other maps, with other hashes.
    """
    title = f"{sets.load(item_set).title}: attention maps"
    params = named(item_set, parent)
    if checked_saliency(saliency) != GRADCAM:
        params["saliency"], title = saliency, f"{title}, {SALIENCY[saliency]}"
    return JobRequest("crayon.maps", params, title, view)


def patches_job(item_set: str, parent: str = "", view: str = "") -> JobRequest:
    """``crayon.patches``: concept patches of a model. Raises as :func:`model_key`."""
    title = f"{sets.load(item_set).title}: concept patches"
    return JobRequest("crayon.patches", named(item_set, parent), title, view)


def named(item_set: str, parent: str) -> dict[str, JSON]:
    """What a job about a model of a set is named by. Raises as :func:`model_key`."""
    card = original_card(item_set)
    held = sets.load(item_set)
    weights = card.fingerprint
    return {"set": item_set, "items": held.fingerprint, "weights": weights, "parent": parent}


def stored(guide: Arrays, store: ArrayStore) -> str:
    """The key under which verdicts and mask are kept, made from their content; empty for none."""
    if not guide:
        return ""
    whole = b"".join(np.ascontiguousarray(guide[name]).tobytes() for name in sorted(guide))
    key = key_of("crayon.guidance", 1, sha256=hashlib.sha256(whole).hexdigest())
    if not store.has(key):
        store.put(key, guide)
    return key


@dataclass(frozen=True, slots=True)
class RefineRequest:
    """One training run under answers.

    Attributes:
        item_set: the set; ``parent`` the key of a corrected model's result to go on from.
        per_relevant, per_irrelevant: weights of one relevant and one irrelevant sample, alpha / |R|
            and beta / |I|: these carry over between sets, alpha and beta do not.
        source: whose answers: human or simulated; they are never mixed.
        minimum: annotators an item needs.
        budget: how many items' answers are used, drawn by ``seed``; 0 means all.
        answers_of: the model whose maps were answered, by the fingerprint of the original or the
            key of a corrected model's result; the trained one unless given.
        saliency: the method of the maps that were answered; they are the training's targets.
    """

    item_set: str
    method: str = "attention"
    per_relevant: float = 1.0
    per_irrelevant: float = 1.0
    norm: str = "reference"
    epochs: int = 10
    lr: float = 1e-4
    seed: int = 0
    strength: float = 1.0
    freeze_norm: bool = False
    parent: str = ""
    source: str = "human"
    minimum: int = 2
    budget: int = 0
    answers_of: str = ""
    saliency: str = GRADCAM

    def job(self, answers: AnswerStore, store: ArrayStore, view: str = "") -> JobRequest:
        """The run as a job. The verdicts are stored by what they are, so other answers give
        another result.

        Raises:
            NotFound: no such set, model or parent; no answers where the method needs them.
            BadRequest: a setting is not usable; patch answers of another model.
        """
        plain = self.canonical()
        if plain != self:
            return plain.job(answers, store, view)
        guide, told = self.guidance(answers, store)
        params: dict[str, JSON] = {**named(self.item_set, self.parent), **asdict(self), **told}
        params["guidance"] = stored(guide, store)
        title = f"{sets.load(self.item_set).title}: {self.method}, seed {self.seed}"
        return JobRequest("crayon.refine", params, title, view)

    def canonical(self) -> RefineRequest:
        """The same run with every setting that its method does not read at its default, so that
        one control serves all the runs it is compared with.
        """
        unread: list[str] = []
        if self.method not in methods.USES_MAPS:
            unread += ["per_relevant", "per_irrelevant", "norm", "budget", "answers_of", "saliency"]
            if self.method not in methods.USES_MASK:
                unread += ["source", "minimum"]
        if self.method in methods.LAST_ONLY:
            unread.append("freeze_norm")
        if self.method not in methods.BASELINES:
            unread.append("strength")
        defaults: dict[str, Any] = {one.name: one.default for one in fields(self)}
        return replace(self, **{name: defaults[name] for name in unread})

    def guidance(self, answers: AnswerStore, store: ArrayStore) -> tuple[Arrays, dict[str, JSON]]:
        """Verdicts of the training rows and the mask, as the method needs; and what was used.

        Raises as :meth:`job`.
        """
        model = fingerprint(self.item_set, self.parent)
        guide: dict[str, Any] = {}
        told: dict[str, JSON] = {"transferred": False, "model": model}
        held = sets.load(self.item_set)
        if self.method in methods.USES_MAPS:
            rows, told["transferred"], _ = self.map_answers(answers, store)
            verdict = aggregate.verdicts(rows, np.arange(len(held)), self.minimum)
            guide["verdict"] = verdict[held.rows("training")]
        if self.method in methods.USES_MASK:
            scope = Scope(self.item_set, model, "patch")
            patch_rows, _ = answers.for_model(scope, model, source=self._whose())
            found = store.get(patches_job(self.item_set, self.parent).key)
            if found is None:
                raise NotFound("The patches are no longer stored.", "Compute the patches again.")
            guide["keep"] = aggregate.neurons(patch_rows, found["owners"])
        return guide, told

    def map_answers(
        self, answers: AnswerStore, store: ArrayStore
    ) -> tuple[list[shown.Row], bool, shown.Checked]:
        """Answers about maps that this run may use, whether they are transferred, and the counts
        of those it may not: answers to another method's maps, or to maps that have changed.

        Raises:
            NotFound: there is none, or the maps they are about are not stored.
            BadRequest: the source is unknown.
        """
        held, model = sets.load(self.item_set), fingerprint(self.item_set, self.parent)
        scope = Scope(self.item_set, self.answers_of[:16] or model)
        rows, is_transferred = answers.for_model(scope, model, source=self._whose())
        found = store.get(self.answered_maps().key)
        if found is None and any(row["map_hash"] for row in rows):
            raise NotFound("The maps these answers are about are not stored.", "Compute them.")
        maps = np.asarray(found["maps"], np.float32) if found else None
        kept, counts = shown.checked(rows, held, maps)
        if not kept:
            raise NotFound(f"No answer is about these maps. {counts.sentence}", "Annotate some.")
        return kept, is_transferred, counts

    def answered_maps(self) -> JobRequest:
        """The job of the maps that were answered: they are the targets of the training.

        Raises:
            NotFound: ``answers_of`` names a corrected model by its fingerprint only.
        """
        own, original = (fingerprint(self.item_set, p) for p in (self.parent, ""))
        where = {"": self.parent, original: "", own: self.parent}
        if self.answers_of in where:
            return maps_job(self.item_set, where[self.answers_of], saliency=self.saliency)
        if len(self.answers_of) != 64:
            raise NotFound(
                f"The model {self.answers_of[:16]!r} is not known.",
                "Name a corrected model by the key of its result.",
            )
        return maps_job(self.item_set, self.answers_of, saliency=self.saliency)

    def _whose(self) -> str:
        if self.source not in ("human", "simulated"):
            raise BadRequest(f"source={self.source[:40]!r} is not known.", "human or simulated.")
        return self.source

    @classmethod
    def of(cls, values: Mapping[str, JSON]) -> RefineRequest:
        """From JSON; what is not a field is ignored.

        Raises:
            BadRequest: a value is of another kind.
        """
        made: dict[str, Any] = {}
        for one in fields(cls):
            if one.name not in values:
                continue
            value = values[one.name]
            kinds: dict[str, Any] = {
                "str": str, "int": int, "float": (int, float), "bool": bool
            }  # fmt: skip
            is_wrong = not isinstance(value, kinds[str(one.type)])
            if is_wrong or (isinstance(value, bool) and one.type != "bool"):
                raise BadRequest(f"{one.name}={str(value)[:40]!r} is not usable.")
            made[one.name] = value
        if "item_set" not in made:
            raise BadRequest("The request names no set.", "item_set is needed.")
        return cls(**made)
