"""What the Insights page shows, from stored results alone: plain values ready for JSON. No torch.

Success is a share from 0 to 1 everywhere. A result that is missing raises ``NotComputed``, whose
job makes it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.errors import BadRequest, NotFound
from backend.insights import contents, encoded_features, evaluate, recommend, registry, requests
from backend.insights.contents import SPLITS, Contents
from backend.insights.history import History, Pairs
from backend.insights.recommend import Cluster, Lists, Patch, Phrase
from backend.insights.told import attribution_told, interactions_told, whatif_told
from backend.jobs import JobRequest
from backend.protocols import I64
from models.insights_cells import IMAGE_PX

__all__ = ["attribution_told", "interactions_told", "whatif_told"]

F64 = NDArray[np.float64]
ALL: Final = -1  # domains
MOST_PAIRS: Final = 500
NULL_DRAWS: Final = 200
MOST_MEMBERS: Final = 12
FEW_MEMBERS: Final = 10
SORTS: Final = ("predicted", "actual", "error", "newest")
_histories: dict[tuple[int, str], History] = {}


class NotComputed(NotFound):
    """A result is not stored (any more); ``job`` makes it."""

    def __init__(self, job: JobRequest) -> None:
        super().__init__(f"{job.title}: not computed yet.", "Start the job.")
        self.job = job


def _stored(store: ArrayStore, job: JobRequest) -> dict[str, NDArray[np.generic]]:
    found = store.get(job.key)
    if found is None:
        raise NotComputed(job)
    return found


def history(store: ArrayStore, set_key: str, model: str, method: str) -> History:
    """The artefacts of a set, model and method; the last few are kept.

    Raises:
        NotComputed: they are not stored.
    """
    job = requests.history_job(set_key, model, method)
    held = contents.load(set_key)
    name = (id(store), job.key)
    if name not in _histories:
        _histories[name] = History.of(held, _stored(store, job))
        while len(_histories) > 6:
            _histories.pop(next(iter(_histories)))
    return _histories[name]


def models(set_key: str) -> list[dict[str, Any]]:
    """The models of a set, the one it opens with first."""
    found = registry.known(set_key)
    if not found:
        return []
    first = registry.find(set_key)
    order = [first, *(one for one in found if one.key != first.key)]
    names = ("key", "title", "fingerprint", "limits", "encoder", "loss", "seed")
    return [
        {**{name: getattr(one, name) for name in names}, "metrics": dict(one.metrics)}
        for one in order
    ]


def chosen(held: Contents, domain: int, since: str, until: str) -> I64:
    """The contents of a domain, -1 for all, and period.

    Raises:
        NotFound: there is no such domain.
        BadRequest: a date is not usable.
    """
    rows = held.rows(domain=None if domain == ALL else domain)
    try:
        if since:
            rows = rows[held.dates[rows] >= np.datetime64(since, "D")]
        if until:
            rows = rows[held.dates[rows] <= np.datetime64(until, "D")]
    except ValueError as error:
        raise BadRequest(
            f"{since[:20]!r} to {until[:20]!r} is no period.", "Dates are Y-M-D."
        ) from error
    return rows


def rates(
    store: ArrayStore, set_key: str, model: str = "", domain: int = ALL, since: str = "",
    until: str = "",
) -> tuple[I64, F64, F64]:  # fmt: skip
    """Rows (m,), predicted and actual success (m,) of a domain and period. Raises NotComputed."""
    held = contents.load(set_key)
    found = _stored(store, requests.predict_job(set_key, model))
    rows = chosen(held, domain, since, until)
    return rows, np.asarray(found["rate"], np.float64)[rows], held.success[rows]


def listing(
    store: ArrayStore, set_key: str, model: str = "", domain: int = ALL, since: str = "",
    until: str = "", sort: str = "predicted", offset: int = 0, n: int = 24,
) -> dict[str, Any]:  # fmt: skip
    """A page of contents. Raises NotComputed; BadRequest for an unknown order."""
    if sort not in SORTS:
        raise BadRequest(f"There is no order {sort[:40]!r}.", f"Orders are {', '.join(SORTS)}.")
    rows, predicted, actual = rates(store, set_key, model, domain, since, until)
    held = contents.load(set_key)
    dates = held.dates[rows].astype(np.int64).astype(np.float64)
    dates[np.isnat(held.dates[rows])] = -np.inf
    by = {"predicted": -predicted, "actual": -actual, "error": -np.abs(predicted - actual),
          "newest": -dates}  # fmt: skip
    order = np.argsort(by[sort], kind="stable")[offset : offset + n]
    items = [_item(held, int(rows[k])) | {"predicted": float(predicted[k])} for k in order]
    return {"total": len(rows), "items": items}


def _item(held: Contents, row: int) -> dict[str, Any]:
    date = held.dates[row]
    return {
        "row": row,
        "id": held.ids[row],
        "title": next((part for part in held.parts[row] if part), ""),
        "image": _has_image(held, row),
        "experiment": held.experiments[int(held.experiment[row])],
        "is_control": bool(held.is_control[row]),
        "actual": float(held.success[row]),
        "clicks": _number(held.clicks[row]),
        "impressions": _number(held.impressions[row]),
        "split": SPLITS[int(held.split[row])],
        "date": None if np.isnat(date) else str(date),
        "domain": int(held.domain[row]),
    }


def _has_image(held: Contents, row: int) -> bool:
    return held.pictures is not None and bool(held.pictures.has_image[row])


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def content(store: ArrayStore, set_key: str, model: str, row: int) -> dict[str, Any]:
    """One content with its prediction and the others of its experiment. Raises NotComputed."""
    held = contents.load(set_key)
    held.checked_row(row)
    found = _stored(store, requests.predict_job(set_key, model))
    rate = np.asarray(found["rate"], np.float64)
    same = np.flatnonzero(held.experiment == held.experiment[row])
    siblings = [
        {"row": int(k), "id": held.ids[k], "is_control": bool(held.is_control[k]),
         "predicted": float(rate[k]), "actual": float(held.success[k])}
        for k in same if k != row
    ]  # fmt: skip
    return _item(held, row) | {
        "fields": dict(zip(held.fields, held.parts[row], strict=True)),
        "features": encoded_features.features_of(held, row),
        "predicted": float(rate[row]),
        "low": float(found["low"][row]),
        "high": float(found["high"][row]),
        "siblings": siblings,
    }


def phrases(
    store: ArrayStore, set_key: str, model: str = "", domain: int = ALL,
    method: str = requests.DEFAULT_METHOD, level: str = "phrase", k: int = 10, since: str = "",
    until: str = "",
) -> dict[str, Any]:  # fmt: skip
    """What to say and what not to in a domain. Raises NotComputed."""
    found = history(store, set_key, model, method)
    start = time.perf_counter()
    rank = recommend.words if level == "word" else recommend.phrases
    lists = rank(found, None if domain == ALL else domain, k, since, until)
    told = _lists(lists, lambda one: _phrase(found.held, one))
    return told | {"ms": 1000 * (time.perf_counter() - start)}


def _lists(lists: Lists[Any], tell: Any) -> dict[str, Any]:
    return {
        "positive": [tell(one) for one in lists.positive],
        "negative": [tell(one) for one in lists.negative],
        "note": lists.note,
        "n_contents": lists.n_contents,
        "split_at_median": lists.split_at_median,
    }


def _phrase(held: Contents, one: Phrase) -> dict[str, Any]:
    names = ("row", "id", "title", "actual", "image")
    examples = [{name: _item(held, row)[name] for name in names} for row in one.examples]
    return {
        "text": one.text, "score": one.score, "low": one.interval[0], "high": one.interval[1],
        "n": one.support, "n_contents": one.support, "in_training": one.in_training,
        "raw_rate": one.raw, "examples": examples, "warnings": list(one.warnings),
    }  # fmt: skip


def patches(
    store: ArrayStore, set_key: str, model: str = "", domain: int = ALL,
    method: str = requests.DEFAULT_METHOD, k: int = 10, seed: int = 0, since: str = "",
    until: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Clusters of patches to use and to avoid in a domain, and an equal draw from each."""
    found = history(store, set_key, model, method)
    start = time.perf_counter()
    lists = recommend.clusters(found, None if domain == ALL else domain, k, since, until)
    rng = np.random.default_rng(seed)
    elbow = {
        "k": found.patches.tried.tolist(),
        "inertia": found.patches.inertia.tolist(),
        "chosen": found.patches.chosen,
    }
    told = _lists(lists, lambda one: _cluster(found.held, one))
    for end, ones in (("positive", lists.positive), ("negative", lists.negative)):
        drawn = recommend.equal_draw(ones, k, rng)
        told[f"{end}_drawn"] = [_patch(found.held, one) for one in drawn]
    return told | {"elbow": elbow, "ms": 1000 * (time.perf_counter() - start)}


def _cluster(held: Contents, one: Cluster) -> dict[str, Any]:
    warnings = ["The interval includes zero."] if one.interval[0] < 0 < one.interval[1] else []
    if one.support < FEW_MEMBERS:
        warnings.append(f"Only {one.support} patches.")
    return {
        "cluster": one.number, "score": one.score, "low": one.interval[0], "high": one.interval[1],
        "n": one.support, "n_contents": one.n_contents, "warnings": warnings,
        "patches": [_patch(held, patch) for patch in one.members[:MOST_MEMBERS]],
    }  # fmt: skip


def _patch(held: Contents, one: Patch) -> dict[str, Any]:
    return {
        "number": one.number, "row": one.row, "id": held.ids[one.row],
        "title": _item(held, one.row)["title"], "box": [v / IMAGE_PX for v in one.box],
        "value": one.score, "cluster": one.cluster,
    }  # fmt: skip


def trust(
    store: ArrayStore, set_key: str, model: str = "", domain: int = ALL,
    method: str = requests.DEFAULT_METHOD, modality: str = "text",
) -> dict[str, Any]:  # fmt: skip
    """The Trust Score of a method and modality, its pairs and null, and every method computed."""
    if modality not in ("text", "image"):
        raise BadRequest(f"There is no modality {modality[:40]!r}.", "text or image.")
    found = history(store, set_key, model, method)
    rows, moved = _changes(found, modality, domain)
    told = evaluate.trust(evaluate.correlation(moved))
    null: list[float] = []
    if told.correlation.rho is not None:
        null = evaluate.null_of(moved.d_c, moved.d_y, 1, NULL_DRAWS).tolist()
    pairs = [
        {"d_c": float(c), "d_y": float(y), "control": int(pair[0]), "treatment": int(pair[1])}
        for c, y, pair in zip(moved.d_c, moved.d_y, rows, strict=True)
    ][:MOST_PAIRS]
    return {
        "score": told.score, "sentence": told.sentence, "modality": modality,
        **_correlation(told.correlation), "null": null, "pairs": pairs,
        "methods": _methods(store, set_key, model, domain),
    }  # fmt: skip


def _changes(found: History, modality: str, domain: int) -> tuple[I64, evaluate.Changes]:
    held = found.held
    pairs: Pairs | None = found.text_pairs if modality == "text" else found.image_pairs
    rows = np.zeros((0, 2), np.int64) if pairs is None else pairs.rows
    gained = np.zeros(0) if pairs is None else pairs.gained
    if domain != ALL:
        kept = held.domain[rows[:, 0]] == domain
        rows, gained = rows[kept], gained[kept]
    return rows, evaluate.Changes(gained, held.success[rows[:, 1]] - held.success[rows[:, 0]])


def _correlation(found: evaluate.Correlation) -> dict[str, Any]:
    low, high = found.interval or (None, None)
    return {
        "rho": found.rho, "low": low, "high": high, "rho_signed": found.rho_signed,
        "share_positive": found.share_positive, "n": found.n, "p_null": found.p_null,
    }  # fmt: skip


def _methods(store: ArrayStore, set_key: str, model: str, domain: int) -> list[dict[str, Any]]:
    """Every method whose history is stored, in both modalities."""
    told = []
    for method, title in requests.METHODS.items():
        try:
            found = history(store, set_key, model, method)
        except NotComputed:
            continue
        for modality in ("text", "image"):
            _, moved = _changes(found, modality, domain)
            if len(moved.success):
                numbers = _correlation(evaluate.correlation(moved))
                told.append({"method": method, "title": title, "modality": modality, **numbers})
    return told


def errors(store: ArrayStore, set_key: str, model: str = "") -> dict[str, Any]:
    """Errors of this model and simpler ones, and what the source reports. Raises NotComputed."""
    from backend.insights import reported

    found: Mapping[str, Any] = _stored(store, requests.baselines_job(set_key, model))
    held = contents.load(set_key)
    names = [str(name) for name in found["columns"]]
    rows = []
    for k, key in enumerate(found["models"]):
        numbers = {name: _number(found["errors"][k, j]) for j, name in enumerate(names)}
        rows.append({"model": str(key), "title": str(found["titles"][k]), **numbers})
    domains = [
        {"domain": int(d), "title": held.domains[int(d)], "held_out": int(d) in held.held_out,
         "n": int(n), "rmse": _number(own[0]), "mae": _number(own[1]), "glm_rmse": _number(glm[0]),
         "glm_mae": _number(glm[1])}
        for d, n, own, glm in zip(
            found["domains"], found["domain_n"], found["domain_own"], found["domain_glm"],
            strict=True,
        )
    ]  # fmt: skip
    return {"rows": rows, "per_domain": domains, "reported": reported.TABLE_3_2}
