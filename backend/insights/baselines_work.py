"""``insights.baselines``: errors of simpler models beside the whole one's, and by domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from backend.insights import baselines, work
from backend.protocols import JSON, Arrays

COLUMNS: Final = ("in_rmse", "in_mae", "out_rmse", "out_mae", "pairwise_in", "pairwise_out")


def baselines_of(params: Mapping[str, JSON], ticket: work.Ticket) -> Arrays:
    """``insights.baselines``.

    Returns:
        models (k,), titles (k,), columns (6,), errors (k, 6) NaN where undefined or not installed;
        domains (d,), domain_n (d,), domain_own (d, 2) and domain_glm (d, 2): RMSE and MAE on test
        rows of each domain.
    """
    held, model = work.asked(params)
    found = work.stored(params, "predictions", ticket) or work.predict(params, ticket)
    rates: dict[str, Any] = {"glm": baselines.glm(held, model.design)}
    ticket(1, 5)
    if len(model.design.columns):
        rates["mlp-features"] = baselines.mlp(held, model, "features")
    ticket(2, 5)
    if len(model.design.domains) > 1:
        rates["mlp-domain"] = baselines.mlp(held, model, "domain")
    ticket(3, 5)
    rates["xgboost"] = baselines.xgboost(held, model.design, model.info.seed)
    ticket(4, 5)
    if held.pictures is not None:
        rates["image"] = np.asarray(found["image"], np.float64)
    if any(any(parts) for parts in held.parts):
        rates["text"] = np.asarray(found["text"], np.float64)
    rates["all"] = np.asarray(found["rate"], np.float64)
    nothing = np.full(len(COLUMNS), np.nan)
    rows = [nothing if rate is None else baselines.errors(held, rate) for rate in rates.values()]
    ticket(5, 5)
    return {
        "models": np.array(list(rates)),
        "titles": np.array([baselines.TITLES[name] for name in rates]),
        "columns": np.array(COLUMNS),
        "errors": np.stack(rows),
        **_by_domain(held, rates["all"], rates["glm"]),
    }


def _by_domain(held: Any, own: Any, glm: Any) -> dict[str, Any]:
    unseen = np.isin(held.split, (2, 3))  # test rows, in and out of domain
    domains, counts, errors = [], [], []
    for domain in range(len(held.domains)):
        rows = np.flatnonzero(unseen & (held.domain == domain))
        if not len(rows):
            continue
        away = [rate[rows] - held.success[rows] for rate in (own, glm)]
        domains.append(domain)
        counts.append(len(rows))
        errors.append([(np.sqrt((a**2).mean()), np.abs(a).mean()) for a in away])
    whole = np.array(errors, np.float64).reshape(-1, 2, 2)
    return {
        "domains": np.array(domains, np.int64), "domain_n": np.array(counts, np.int64),
        "domain_own": whole[:, 0], "domain_glm": whole[:, 1],
    }  # fmt: skip
