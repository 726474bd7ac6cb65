"""What the Insights page, its routes and the command line ask for, checked before a job starts."""

from __future__ import annotations

from typing import Final

from backend.errors import BadRequest
from backend.insights import contents, registry
from backend.insights.registry import ModelInfo
from backend.jobs import JobRequest
from backend.protocols import JSON

METHODS: Final = {
    "integrated-gradients": "integrated gradients",
    "grad-cam": "Grad-CAM",
    "kernel-shap": "Kernel SHAP",
    "feature-ablation": "feature ablation",
    "pca": "PCA of the four",
}
DEFAULT_METHOD: Final = "integrated-gradients"


def checked_method(name: str) -> str:
    """The name itself.

    Raises:
        BadRequest: there is no such method.
    """
    if name not in METHODS:
        raise BadRequest(f"There is no method {name[:40]!r}.", f"There is {', '.join(METHODS)}.")
    return name


def named(item_set: str, model: ModelInfo) -> dict[str, JSON]:
    """What a job about a model of a set is named by."""
    held = contents.load(item_set)
    return {
        "set": item_set,
        "items": held.fingerprint,
        "model": model.key,
        "weights": model.fingerprint,
    }


def predict_job(item_set: str, model: str = "", view: str = "") -> JobRequest:
    """``insights.predict``: the success of every content of a set.

    Raises:
        NotFound: there is no such set or model.
    """
    info = registry.find(item_set, model)
    title = f"{contents.load(item_set).title}: predicted success"
    return JobRequest("insights.predict", named(item_set, info), title, view)


def attributions_job(
    item_set: str, model: str = "", method: str = DEFAULT_METHOD, view: str = ""
) -> JobRequest:
    """``insights.attributions``: what words and places add, over a set. Raises as predict_job."""
    info = registry.find(item_set, model)
    params = named(item_set, info) | {"method": checked_method(method)}
    title = f"{contents.load(item_set).title}: {METHODS[method]}"
    return JobRequest("insights.attributions", params, title, view)


def history_job(
    item_set: str, model: str = "", method: str = DEFAULT_METHOD, view: str = ""
) -> JobRequest:
    """``insights.history``: words, phrases, patches and pairs of a set. Raises as predict_job."""
    job = attributions_job(item_set, model, method)
    params = {**job.params, "attributions": job.key}
    title = f"{contents.load(item_set).title}: phrases and patches"
    return JobRequest("insights.history", params, title, view)


def baselines_job(item_set: str, model: str = "", view: str = "") -> JobRequest:
    """``insights.baselines``: errors of simpler models beside this one's. Raises as predict_job."""
    job = predict_job(item_set, model)
    params = {**job.params, "predictions": job.key}
    title = f"{contents.load(item_set).title}: errors against baselines"
    return JobRequest("insights.baselines", params, title, view)


def fit_job(
    item_set: str, name: str = "", encoder: str = "words", loss: str = "", seed: int = 0,
    epochs: int = 0, view: str = "",
) -> JobRequest:  # fmt: skip
    """``insights.fit``: a model of a set, kept under a name.

    Args:
        name: the set's own key unless given; loss: chosen by what the set has unless given.

    Raises:
        NotFound: there is no such set.
        BadRequest: the name is not usable.
    """
    held = contents.load(item_set)
    params: dict[str, JSON] = {
        "set": item_set,
        "items": held.fingerprint,
        "name": registry.checked_name(name or f"{item_set}-{encoder}-{seed}"[:60]),
        "encoder": encoder,
        "loss": loss,
        "seed": seed,
        "epochs": epochs,
    }
    return JobRequest("insights.fit", params, f"{held.title}: fit a model", view)
