"""What else can be asked about images: class maps of any classifier, answers about the whole set.

No torch, so the web process may use it; ``gradcam.py`` and ``answers.py`` do the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from backend import catalog
from backend.errors import BadRequest
from backend.jobs import JobRequest
from backend.protocols import JSON
from backend.registry import store
from backend.zoom import own
from backend.zoom.library import library
from backend.zoom.policy import Policy, checked_policy
from backend.zoom.requests import LookRequest, check_current, ready
from models.cards import ModelCard

NO_ROLLOUT: Final = (
    "Attention rollout needs a transformer for images; none is registered here, so there is none."
)
SHOWN: Final = 40
"""Images of the needle set that the list shows and that are asked about together."""


def classifiers() -> dict[str, ModelCard]:
    """Image classifiers with a layer to look into, by key: those of the catalogue for images of
    one or three channels, whose class maps can be computed, and the user's own."""
    own_cards = {
        name: held.spec.card(held.fingerprint)
        for name, held in store.listed().models.items()
        if held.spec.layers and held.validation.get("has_gradients")
    }
    return own_cards | {
        key: card
        for key, card in catalog.models().items()
        if card.task not in catalog.BUILDERS and card.layers and card.input.channels in (1, 3)
    }


@dataclass(frozen=True, slots=True)
class CamRequest:
    """Where a classifier finds its class in an image, made small as a whole.

    Attributes:
        image: a key of the library; model: a key of :func:`classifiers`.

    Raises:
        NotFound: on construction, for an unknown image. BadRequest: the model is no image
            classifier, or the image cannot be used (yet).
    """

    image: str
    model: str

    def __post_init__(self) -> None:
        if self.model not in classifiers():
            catalog.card(self.model)  # says so where the user's own cannot be reached now
            raise BadRequest(
                f"{self.model[:80]!r} is no classifier of images with layers to look into.",
                f"Choose {', '.join(classifiers())}. {NO_ROLLOUT}",
            )
        ready(library(), self.image)

    def params(self) -> dict[str, JSON]:
        """The request as JSON, with the fingerprints of weights and image."""
        return {
            "image": self.image,
            "model": self.model,
            "model_fingerprint": catalog.card(self.model).fingerprint,
            "image_fingerprint": library().info(self.image).fingerprint,
        }

    @classmethod
    def from_params(cls, params: Mapping[str, JSON]) -> CamRequest:
        """The request behind :meth:`params`. Raises as on construction, or for a change since."""
        request = cls(str(params.get("image")), str(params.get("model")))
        check_current(params, request.params())
        return request

    def job(self, view: str = "") -> JobRequest:
        """The request as a job; its key names the result."""
        title = f"{library().info(self.image).title}: class map of {self.model}"
        return JobRequest("zoom.gradcam", self.params(), title, view)


@dataclass(frozen=True, slots=True)
class AnswersRequest:
    """One look at each of the first needle images, for the list.

    Attributes, Raises: as :class:`LookRequest`.
    """

    model: str
    n_tiles: int = 16
    seed: int = 0
    policy: Policy = "sample"
    s1: float = 0.0
    s2: float = 0.0

    def __post_init__(self) -> None:
        self.look(0)

    def look(self, row: int) -> LookRequest:
        """The look at one of the images."""
        return LookRequest(
            f"needle:{row}",
            self.model,
            self.n_tiles,
            self.seed,
            policy=self.policy,
            s1=self.s1,
            s2=self.s2,
        )

    def params(self) -> dict[str, JSON]:
        """The request as JSON, with the fingerprints of weights and images."""
        return {
            "model": self.model,
            "n_tiles": self.n_tiles,
            "seed": self.seed,
            "policy": self.policy,
            "s1": float(self.s1),
            "s2": float(self.s2),
            "count": SHOWN,
            "model_fingerprint": own.card(self.model).fingerprint,
            "image_fingerprint": library().info("needle:0").fingerprint,
        }

    @classmethod
    def from_params(cls, params: Mapping[str, JSON]) -> AnswersRequest:
        """The request behind :meth:`params`. Raises as on construction, or for a change since."""
        try:
            request = cls(
                str(params["model"]),
                cast(int, params["n_tiles"]),
                cast(int, params["seed"]),
                checked_policy(str(params["policy"])),
                float(cast(float, params["s1"])),
                float(cast(float, params["s2"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequest("The request does not say how to look.") from error
        check_current(params, request.params())
        return request

    def job(self, view: str = "") -> JobRequest:
        """The request as a job; its key names the result."""
        title = f"Needle images: one look at each of {SHOWN}"
        return JobRequest("zoom.answers", self.params(), title, view)
