"""Simpler models of the same success rates: what the whole model is compared with.

Source: Advancing Vision Intelligence (dissertation, 2024), table 3.2. All are fitted to training
rows. The GLM is binomial regression of clicks on the columns of F.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from backend.insights import encoded_features, encoding
from backend.insights.contents import Contents
from backend.insights.models import InsightModel
from backend.insights.prepared import Prepared, target
from models.insights import Modality, Shape, built
from models.insights_training import SMALL, Plan, embedded, pretrain

F64 = NDArray[np.float64]
TITLES: Final = {
    "glm": "GLM on features",
    "mlp-features": "MLP on features",
    "mlp-domain": "MLP on the domain",
    "xgboost": "XGBoost on features",
    "image": "Picture only",
    "text": "Text only",
    "all": "All together",
}


def columns(held: Contents, design: encoding.Design) -> F64:
    """(n, c) the columns of F of a whole set."""
    told = [encoded_features.features_of(held, row) for row in range(len(held))]
    return np.asarray(encoding.feature_columns(design, told), np.float64)


def glm(held: Contents, design: encoding.Design) -> F64:
    """Success rates (n,) of a binomial regression on the features; the mean rate without any."""
    rows, x = held.rows("training"), columns(held, design)
    rate = np.clip(held.success[rows], 1e-6, 1 - 1e-6)
    if not x.shape[1]:
        return np.full(len(held), float(rate.mean()))
    shown = np.where(np.isfinite(held.impressions[rows]), held.impressions[rows], 1.0)
    weights = np.concatenate([rate * shown, (1 - rate) * shown]) / shown.mean()
    hits = np.repeat([1, 0], len(rows))
    model = LogisticRegression(C=10.0, max_iter=500)
    model.fit(np.tile(x[rows], (2, 1)), hits, sample_weight=weights)
    return np.asarray(model.predict_proba(x)[:, 1], np.float64)


def xgboost(held: Contents, design: encoding.Design, seed: int = 0) -> F64 | None:
    """Success rates (n,) of boosted trees on the features; ``None`` where it is not installed."""
    x = columns(held, design)
    if importlib.util.find_spec("xgboost") is None or not x.shape[1]:
        return None
    from xgboost import XGBRegressor

    rows = held.rows("training")
    settings: dict[str, Any] = {"n_estimators": 200, "max_depth": 4, "learning_rate": 0.05}
    model = XGBRegressor(**settings, subsample=0.8, n_jobs=1, random_state=seed)
    model.fit(x[rows], held.success[rows])
    return np.asarray(model.predict(x), np.float64)


def mlp(held: Contents, model: InsightModel, modality: Modality) -> F64:
    """Success rates (n,) of one MLP with its head, fitted to the mean squared error (eq. 3.4)."""
    shape = Shape(len(model.design.domains), len(model.design.columns))
    torch.manual_seed(model.info.seed)
    net = built(shape, lambda: torch.zeros(1, 1), encoding.minilm)
    bare = replace(held, pictures=None, parts=tuple(("",) * len(held.fields) for _ in held.ids))
    every = np.arange(len(held))
    data = Prepared(bare, every, model.design, "words")
    training, validation = (
        torch.from_numpy(held.rows(split)) for split in ("training", "validation")
    )
    plan = Plan(training, validation, SMALL, "mse", model.info.seed)
    rate = float(held.success[held.rows("training")].mean())
    with torch.no_grad():
        net.head_of(modality).bias.fill_(float(np.log(rate / (1 - rate))))
    pretrain(net, modality, data, target(held), plan)
    found = embedded(net, modality, data, torch.from_numpy(every))
    with torch.inference_mode():
        return np.asarray(net.single_rate(modality, found).numpy(), np.float64)


def errors(held: Contents, rate: F64) -> F64:
    """(6,) RMSE and MAE in and out of domain, pairwise accuracy in and out; NaN where no rows."""
    told = np.full(6, np.nan)
    for k, split in enumerate(("test", "out-of-domain")):
        rows = held.rows(split)
        if not len(rows):
            continue
        away = rate[rows] - held.success[rows]
        told[2 * k], told[2 * k + 1] = np.sqrt((away**2).mean()), np.abs(away).mean()
        pairs = held.all_pairs(split)
        if len(pairs):
            ours = np.sign(np.diff(rate[pairs], axis=1))
            told[4 + k] = (ours == np.sign(np.diff(held.success[pairs], axis=1))).mean()
    return told
