"""Registered models as embeddings of the cars: which there are, and what names their results.

A model that shows a layer with vectors gives that layer's output. Every model also gives its
answers (logits), which is what an exported embedding network puts out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from backend.errors import BadRequest
from backend.protocols import JSON
from backend.registry import store
from backend.registry.answers import CLASSIFICATION
from backend.registry.kinds import FACTS
from backend.registry.spec import KIND_TITLES
from backend.registry.store import OwnModel

PREFIX: Final = "own:"
ANSWERS: Final = ":answers"
FAMILY: Final = "own"


@dataclass(frozen=True, slots=True)
class OwnEmbedding:
    """One way in which a registered model makes a vector of an image.

    Attributes:
        key: in links and jobs: ``own:NAME``, or ``own:NAME:answers``.
        layer: the submodule whose output is taken; empty for the answers.
        numbers: length of the vector.
        why_no_maps: why there is no attribution; empty where there is.
    """

    key: str
    name: str
    layer: str
    title: str
    format: str
    size: str
    numbers: int
    fingerprint: str
    why_no_maps: str

    def named(self) -> dict[str, JSON]:
        """What names a result of it, beside the data."""
        return {"model": self.key, "layer": self.layer, "fingerprint": self.fingerprint}

    def card(self, distance: str) -> dict[str, JSON]:
        """As the page lists it among the losses."""
        return {
            "key": self.key,
            "title": self.title,
            "year": 0,
            "family": FAMILY,
            "distance": distance,
            "format": self.format,
            "size": self.size,
            "numbers": self.numbers,
            "why_no_maps": self.why_no_maps,
        }


def listed() -> dict[str, OwnEmbedding]:
    """Every embedding of every registered classifier by key, the oldest model first; none while
    the database does not answer.
    """
    held = [model for model in store.listed().models.values() if model.spec.task == CLASSIFICATION]
    return {one.key: one for model in held for one in _embeddings(model)}


def is_own(key: object) -> bool:
    """Whether a key names a model of the user's."""
    return isinstance(key, str) and key.startswith(PREFIX)


def find(key: str) -> OwnEmbedding:
    """One embedding.

    Raises:
        BadRequest: no registered model gives it. StorageFull: the database does not answer.
    """
    held = listed()
    if key not in held:
        store.models()  # says so where they cannot be reached now
        known = ", ".join(held) or "none yet: python -m backend models add FILE --name NAME"
        raise BadRequest(f"There is no model of yours called {key[:80]!r}.", f"There is {known}.")
    return held[key]


def of_params(params: Mapping[str, JSON]) -> OwnEmbedding:
    """The embedding that a job names, if it is still the one that was asked for.

    Raises:
        BadRequest: it is gone, or was added again with other files since.
    """
    found = find(str(params.get("model", "")))
    if found.fingerprint != params.get("fingerprint") or found.layer != params.get("layer"):
        raise BadRequest(f"{found.title} has changed since this was asked for.", "Ask again.")
    return found


def _embeddings(model: OwnModel) -> Iterator[OwnEmbedding]:
    spec = model.spec
    numbers = {"": len(spec.classes)}
    if spec.embedding:
        numbers = {spec.embedding: int(model.validation.get("embedding_size") or 0), **numbers}
    for k, (layer, count) in enumerate(numbers.items()):
        yield OwnEmbedding(
            key=f"{PREFIX}{spec.name}{ANSWERS if k else ''}",
            name=spec.name,
            layer=layer,
            title=f"{spec.told}, answers" if k else spec.told,
            format=KIND_TITLES[spec.kind],
            size=spec.size,
            numbers=count,
            fingerprint=model.fingerprint,
            why_no_maps=_why_no_maps(model),
        )


def _why_no_maps(model: OwnModel) -> str:
    told = model.spec.told
    if not FACTS[model.spec.kind].has_gradients:
        kind = KIND_TITLES[model.spec.kind]
        return f"{told} is {kind}, which passes no gradients. Export it with torch.export for maps."
    if not model.validation.get("has_gradients"):
        return f"{told} passed no gradients when it was tried; see its card in the Library."
    return ""
