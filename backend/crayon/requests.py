"""What the Crayon page, its routes and the command line ask for, checked before a job starts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

import numpy as np

from backend import catalog
from backend.cache import ArrayStore, key_of
from backend.crayon import aggregate, methods, sets
from backend.crayon.answers import AnswerStore, Scope
from backend.errors import BadRequest, NotFound
from backend.jobs import JobRequest
from backend.protocols import JSON, Arrays

ORIGINALS: Final = {"birds": "crayon-birds", "garments": "crayon-garments"}


def fingerprint(item_set: str, parent: str = "") -> str:
    """What answers name the model by: of the original's weights, or of a corrected model's result.

    Raises:
        NotFound: there is no such set or model.
    """
    return parent[:16] if parent else catalog.card(model_key(item_set)).fingerprint


def model_key(item_set: str) -> str:
    """The key of the original model of a set.

    Raises:
        NotFound: there is no such set, or its model is not installed.
    """
    sets.load(item_set)
    key = ORIGINALS[item_set]
    if key not in catalog.models():
        raise NotFound(
            f"The original model of {sets.bundled()[item_set]} is not installed.",
            f"Train it: python -m backend.crayon.originals --set {item_set}",
        )
    return key


def maps_job(item_set: str, parent: str = "", view: str = "") -> JobRequest:
    """``crayon.maps``: maps and answers of a model on a whole set. Raises as :func:`model_key`."""
    title = f"{sets.load(item_set).title}: attention maps"
    return JobRequest("crayon.maps", named(item_set, parent), title, view)


def patches_job(item_set: str, parent: str = "", view: str = "") -> JobRequest:
    """``crayon.patches``: concept patches of a model. Raises as :func:`model_key`."""
    title = f"{sets.load(item_set).title}: concept patches"
    return JobRequest("crayon.patches", named(item_set, parent), title, view)


def named(item_set: str, parent: str) -> dict[str, JSON]:
    """What a job about a model of a set is named by. Raises as :func:`model_key`."""
    card = catalog.card(model_key(item_set))
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
        answers_of: fingerprint of the model whose maps were answered; the trained one unless given.
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
            unread += ["per_relevant", "per_irrelevant", "norm", "budget", "answers_of"]
            if self.method not in methods.USES_MASK:
                unread += ["source", "minimum"]
        if self.method in methods.LAST_ONLY:
            unread.append("freeze_norm")
        if self.method not in methods.BASELINES:
            unread.append("strength")
        defaults: dict[str, Any] = {one.name: one.default for one in fields(self)}
        return replace(self, **{name: defaults[name] for name in unread})

    def guidance(self, answers: AnswerStore, store: ArrayStore) -> tuple[Arrays, dict[str, JSON]]:
        """Verdicts of the training rows and the mask, as the method needs; and what was used."""
        if self.source not in ("human", "simulated"):
            raise BadRequest(f"source={self.source[:40]!r} is not known.", "human or simulated.")
        model = fingerprint(self.item_set, self.parent)
        guide: dict[str, Any] = {}
        told: dict[str, JSON] = {"transferred": False, "model": model}
        held = sets.load(self.item_set)
        if self.method in methods.USES_MAPS:
            scope = Scope(self.item_set, self.answers_of or model)
            rows, told["transferred"] = answers.for_model(scope, model, source=self.source)
            verdict = aggregate.verdicts(rows, np.arange(len(held)), self.minimum)
            guide["verdict"] = verdict[held.rows("training")]
        if self.method in methods.USES_MASK:
            scope = Scope(self.item_set, model, "patch")
            rows, _ = answers.for_model(scope, model, source=self.source)
            found = store.get(patches_job(self.item_set, self.parent).key)
            if found is None:
                raise NotFound("The patches are no longer stored.", "Compute the patches again.")
            guide["keep"] = aggregate.neurons(rows, found["owners"])
        return guide, told

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
