"""One way to ask bundled networks and the user's own: images in, embeddings out, gradients too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from backend import catalog
from backend.cache import ArrayStore, key_of
from backend.errors import BadRequest
from backend.metric_learning import own_models, renders, shipped, views, zoo
from backend.metric_learning.own_models import OwnEmbedding
from backend.protocols import JSON, Progress
from backend.registry.plain import PlainBackend
from backend.torch_backend import TorchBackend
from models import metric_net
from models.metric_features import tensor

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

BATCH: Final = 32
VERSION: Final = 1
GREY: Final = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True, slots=True)
class Embedder:
    """A model as this page asks it.

    Attributes:
        distance: its own, under which its neighbours are sought.
        embed: images ``(n, 128, 128, 3)`` uint8 -> ``(n, d)`` float32.
        graded: ``(n, 3, 128, 128)`` in [0, 1] -> ``(n, d)``, passing gradients.
        others: the embeddings ``(1500, d)`` of the bundled images.
    """

    key: str
    distance: str
    embed: Callable[[U8], F32]
    graded: Callable[[Tensor], Tensor]
    others: Callable[[], F32]


def bundled(loss: str) -> Embedder:
    """A network of ours, loaded when it is first asked.

    Raises:
        BadRequest: there is no such loss.
    """
    views.checked_loss(loss)
    return Embedder(
        loss,
        zoo.distance(loss),
        lambda images: zoo.embeddings(images, [loss])[0],
        lambda x: zoo.tail(loss)(metric_net.front(zoo.trunk(), x)),
        lambda: shipped.embedding(loss),
    )


def of_params(params: Mapping[str, JSON], store: ArrayStore, progress: Progress) -> Embedder:
    """The model that a job names: ``loss`` for one of ours, ``model`` for one of the user's.

    Raises:
        BadRequest: there is none, or it has changed. NotFound: its file is gone.
    """
    if not own_models.is_own(params.get("model")):
        return bundled(str(params.get("loss", "")))
    own = own_models.of_params(params)
    return Embedder(
        own.key,
        str(params["distance"]),
        lambda images: embedded(own, images),
        graded(own),
        lambda: vectors(own, str(params["data"]), store, progress)[: shipped.SHOWN],
    )


def vectors(own: OwnEmbedding, data: str, store: ArrayStore, progress: Progress) -> F32:
    """Embeddings ``(5000, d)`` of all test images by a model of the user's, kept by content.

    Raises:
        Cancelled: by ``progress``; the images drawn so far are kept.
    """
    key = vectors_key(own, data)
    held = store.get(key)
    if held is not None:
        return np.asarray(held["vectors"], np.float32)
    parts, found = renders.parts(len(shipped.table())), []
    for k, rows in enumerate(parts):
        progress(k, len(parts))
        found.append(embedded(own, renders.drawn(rows, store, data)))
    whole = np.concatenate(found)
    if not np.isfinite(whole).all():
        raise BadRequest(
            f"{own.title} answers with NaN or infinity for some of the cars.",
            "Check its mean, std and range in the Library.",
        )
    store.put(key, {"vectors": whole})
    return whole


def vectors_key(own: OwnEmbedding, data: str) -> str:
    """Where :func:`vectors` keeps them."""
    return key_of("metric.vectors", VERSION, data=data, **own.named())


def embedded(own: OwnEmbedding, images: U8) -> F32:
    """Embeddings ``(n, d)`` of images ``(n, 128, 128, 3)``, brought to the model's size."""
    model, found = catalog.load_model(own.name), []
    size = model.card.input
    for first in range(0, len(images), BATCH):
        fitted = fit(tensor(images[first : first + BATCH]), size.channels, size.height, size.width)
        batch = np.ascontiguousarray(fitted.clamp(0, 1).numpy())
        if isinstance(model, TorchBackend):
            found.append(model.embed(batch, own.layer))
        else:
            found.append(_plain(model).answers(batch))
    return np.concatenate(found)


def graded(own: OwnEmbedding) -> Callable[[Tensor], Tensor]:
    """``(n, 3, 128, 128) -> (n, d)`` of a model of the user's; it says why where it cannot."""

    def answer(x: Tensor) -> Tensor:
        model = catalog.load_model(own.name)
        if own.why_no_maps or not isinstance(model, TorchBackend):
            raise BadRequest(own.why_no_maps or f"{own.title} passes no gradients.")
        size = model.card.input
        fitted = fit(x, size.channels, size.height, size.width)
        return model.vectors(fitted.to(model.device), own.layer).cpu()

    return answer


def fit(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    """Images ``(n, 3, h, w)`` at a model's channels and size: grey by weights of the eye, scaled
    bilinearly with antialiasing."""
    if channels == 1:
        x = (x * torch.tensor(GREY)[:, None, None]).sum(dim=1, keepdim=True)
    if x.shape[2:] == (height, width):
        return x
    return functional.interpolate(x, (height, width), mode="bilinear", antialias=True)


def _plain(model: object) -> PlainBackend:
    if not isinstance(model, PlainBackend):
        raise BadRequest("This model gives classes only, and no vectors.")
    return model
