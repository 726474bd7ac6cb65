"""What can be asked for as a job, checked before it is sent: no torch, so the web process may use
it. Parameters carry the fingerprints of weights and image: a changed file never shows old answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from backend.errors import BadRequest, NotFound
from backend.jobs import JobRequest
from backend.protocols import JSON
from backend.zoom import own
from backend.zoom.library import Library, library
from backend.zoom.needles import LARGE_SIDES
from backend.zoom.policy import Policy, checked_policy

MOST_TILES: Final = 1024
MOST_DRAWS: Final = 200
MODEL: Final = "needle-zoom"
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class LookRequest:
    """Looking at one image, once or several times.

    Attributes:
        image: a key of the library; model: a key of a two-stage model for needles.
        n_tiles: draws of tiles (N). draws: looks with other seeds, from ``seed`` on.
        policy: "sample" or "topk". s1, s2: scales of the views; 0 keeps those of the training.
        region: x, y, width, height in pixels: look here instead of everywhere.

    Raises:
        NotFound: on construction, for an unknown image or model, or a set that is not built.
        BadRequest: a value is out of range, or the image cannot be used (yet).
    """

    image: str
    model: str = MODEL
    n_tiles: int = 16
    seed: int = 0
    draws: int = 1
    policy: Policy = "sample"
    s1: float = 0.0
    s2: float = 0.0
    region: Box | None = None

    def __post_init__(self) -> None:
        checked_model(self.model, is_two_stage=True)
        _whole("n_tiles", self.n_tiles, 1, MOST_TILES)
        _whole("seed", self.seed, 0, 2**31 - 1)
        _whole("draws", self.draws, 1, MOST_DRAWS)
        checked_policy(self.policy)
        for name, value in (("s1", self.s1), ("s2", self.s2)):
            if not (math.isfinite(value) and (value == 0 or 1 / 64 <= value <= 1)):
                raise BadRequest(
                    f"{name}={value:g} is not usable.", "Allowed are 0.015625 to 1, or 0."
                )
        if self.region is not None:
            x, y, width, height = (_whole("region", v, -(2**31), 2**31) for v in self.region)
            object.__setattr__(self, "region", (x, y, width, height))
        ready(library(), self.image)

    def params(self) -> dict[str, JSON]:
        """The request as JSON, with the fingerprints of weights and image."""
        return {
            "image": self.image,
            "model": self.model,
            "n_tiles": self.n_tiles,
            "seed": self.seed,
            "draws": self.draws,
            "policy": self.policy,
            "s1": float(self.s1),
            "s2": float(self.s2),
            "region": list(self.region) if self.region else None,
            "model_fingerprint": own.card(self.model).fingerprint,
            "image_fingerprint": library().info(self.image).fingerprint,
        }

    @classmethod
    def from_params(cls, params: Mapping[str, JSON]) -> LookRequest:
        """The request behind :meth:`params`.

        Raises:
            NotFound, BadRequest: as on construction; also when weights or image changed since.
        """
        region = params.get("region")
        try:
            request = cls(
                image=str(params["image"]),
                model=str(params["model"]),
                n_tiles=cast(int, params["n_tiles"]),
                seed=cast(int, params["seed"]),
                draws=cast(int, params["draws"]),
                policy=checked_policy(str(params["policy"])),
                s1=float(cast(float, params["s1"])),
                s2=float(cast(float, params["s2"])),
                region=cast(Box, tuple(cast(Sequence[int], region))) if region else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequest("The request does not say how to look at which image.") from error
        check_current(params, request.params())
        return request

    def job(self, view: str = "") -> JobRequest:
        """The request as a job; its key names the result."""
        title = library().info(self.image).title
        where = ", where you point" if self.region else ""
        if self.draws > 1:
            return JobRequest(
                "zoom.draws", self.params(), f"{title}: {self.draws} draws{where}", view
            )
        return JobRequest(
            "zoom.infer", self.params(), f"{title}: {self.n_tiles} tiles{where}", view
        )


def check_current(params: Mapping[str, JSON], present: Mapping[str, JSON]) -> None:
    """Returns if weights and image are those that were asked about.

    Raises:
        BadRequest: they changed.
    """
    for name in ("model_fingerprint", "image_fingerprint"):
        if name in present and params.get(name) != present[name]:
            what = "weights" if name.startswith("model") else "image"
            raise BadRequest(
                f"The {what} changed since this was asked.", "Open the page again and ask anew."
            )


def ready(held: Library, key: str) -> None:
    """Returns if an image can be looked at in full.

    Raises:
        NotFound: there is no such image, or it is not built. BadRequest: it needs its pyramid
            first, or cannot be used; says why.
    """
    info = held.info(key)
    if info.state == "build":
        raise NotFound(f"{info.title} is not built yet.", "Build it first.")
    if info.state == "pyramid":
        raise BadRequest(f"{info.title} has no pyramid yet.", "Build its pyramid first.")
    if info.state == "bad":
        raise BadRequest(f"{info.title} cannot be used. {info.note}")


def compare_job(image: str, n_tiles: int = 16, seed: int = 0, view: str = "") -> JobRequest:
    """All models for needles on one image, as ``zoom.compare``.

    Raises:
        NotFound, BadRequest: as :class:`LookRequest`.
    """
    ready(library(), image)
    info = library().info(image)
    params: dict[str, JSON] = {
        "image": image,
        "n_tiles": _whole("n_tiles", n_tiles, 1, MOST_TILES),
        "seed": _whole("seed", seed, 0, 2**31 - 1),
        "models": {key: card.fingerprint for key, card in own.models().items()},
        "image_fingerprint": info.fingerprint,
    }
    return JobRequest("zoom.compare", params, f"{info.title}: compared with the baselines", view)


def pyramid_job(image: str) -> JobRequest:
    """The pyramid of a file that has none, as ``zoom.pyramid``.

    Raises:
        NotFound: there is no such image. BadRequest: it cannot be used, or is no file.
    """
    info = library().info(image)
    if info.state == "bad":
        raise BadRequest(f"{info.title} cannot be used. {info.note}")
    if info.kind not in ("file", "set", "upload"):
        raise BadRequest(f"{info.title} needs no pyramid.", "Look at it as it is.")
    params: dict[str, JSON] = {"image": image, "image_fingerprint": info.fingerprint}
    return JobRequest("zoom.pyramid", params, f"{info.title}: building its pyramid")


def build_job(side_px: int) -> JobRequest:
    """A large needle image, as ``zoom.build``. Raises ``NotFound`` for other sides."""
    info = library().info(f"large:{side_px}")
    params: dict[str, JSON] = {"side_px": side_px, "image_fingerprint": info.fingerprint}
    megapixels = side_px * side_px / 1e6
    return JobRequest("zoom.build", params, f"{info.title}: building {megapixels:,.0f} megapixels")


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """Training on the user's images: a folder with one subfolder for each class.

    Attributes:
        folder: relative to an allowed folder. base: the two-stage model to start from.
        name: of the new model; letters, digits and hyphens.

    Raises:
        NotFound, BadRequest: on construction, for a value that is not usable.
    """

    folder: str
    name: str
    base: str = MODEL
    steps: int = 100
    n_tiles: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        checked_model(self.base, is_two_stage=True)
        key = self.name if self.name.startswith("own-") else f"own-{self.name}"
        if not own.KEY.match(key):
            raise BadRequest(
                f"{self.name[:80]!r} cannot be the name of a model.",
                "Use up to 60 small letters, digits and hyphens.",
            )
        object.__setattr__(self, "name", key)
        _whole("steps", self.steps, 1, 10_000)
        _whole("n_tiles", self.n_tiles, 1, 256)
        _whole("seed", self.seed, 0, 2**31 - 1)
        if not 0 < len(self.folder) <= 1000 or "\0" in self.folder:
            raise BadRequest("The request names no folder.", "Give one below an allowed folder.")

    def job(self) -> JobRequest:
        """The request as a job. It is run anew whenever it is asked for again with a new name."""
        params: dict[str, JSON] = {
            "folder": self.folder,
            "name": self.name,
            "base": self.base,
            "steps": self.steps,
            "n_tiles": self.n_tiles,
            "seed": self.seed,
            "model_fingerprint": own.card(self.base).fingerprint,
        }
        return JobRequest("zoom.train", params, f"Training {self.name} on {self.folder}")


def large_sides() -> tuple[int, ...]:
    """The sides of the large needle images."""
    return LARGE_SIDES


def checked_model(key: str, is_two_stage: bool = False) -> str:
    """The key, if such a model for needles is there.

    Raises:
        NotFound: there is no such model. BadRequest: it is of another kind.
    """
    card = own.card(key)
    fitting = [
        name
        for name, held in own.models().items()
        if not is_two_stage or held.architecture.startswith("ZoomNet")
    ]
    if card.key not in fitting:
        raise BadRequest(
            f"{key} does not look at large images in two stages.", f"Choose {', '.join(fitting)}."
        )
    return key


def _whole(name: str, value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRequest(
            f"{name}={str(value)[:40]} is not usable.", f"Allowed are {low:,} to {high:,}."
        )
    return value
