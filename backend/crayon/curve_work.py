"""``crayon.curve``: runs at growing numbers of answers, several seeds each."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from backend.crayon import aggregate, examples, refinement, work
from backend.crayon.curve import CurveRequest
from backend.crayon.pruning import apply_mask
from backend.protocols import JSON, Arrays
from models.guided_nets import GuidedNet

NUMBERS: Final = ("wga", "mga", "wga_validation", "mga_validation", "collapsed")


def curve(params: Mapping[str, JSON], ticket: work.Ticket) -> Arrays:
    """Every run of the curve. Draws are nested: at one seed a smaller one is part of a larger one.

    With 0 items it is the training without answers (of the pruned model, for
    ``pruning+attention``); with all of them it is the run ``crayon.refine`` makes.

    Returns:
        budgets (b,), seeds (s,), used (s, b, 2) relevant and irrelevant items; and of shape (s, b)
        wga, mga on the test split, read once a run after its last epoch, wga_validation,
        mga_validation (NaN without such a split), collapsed.
    """
    held, net = work.asked(params, ticket)
    asked = CurveRequest.of(params)
    train, guidance = work.training(held, net, asked.run, work.guide_of(params, ticket), ticket)
    test = examples.gathered(held, net, "test")
    is_validated = len(held.rows("validation")) > 0
    validation = examples.gathered(held, net, "validation") if is_validated else None
    budgets = asked.budgets
    seeds = [asked.run.seed + i for i in range(asked.seeds)]
    found = {name: np.full((len(seeds), len(budgets)), np.nan) for name in NUMBERS}
    used = np.zeros((len(seeds), len(budgets), 2), np.int64)
    for i, seed in enumerate(seeds):
        for k, count in enumerate(budgets):
            assert guidance.verdict is not None
            verdict = aggregate.budget(guidance.verdict, count, seed)
            drawn = replace(guidance, verdict=verdict)
            plan = work.plan_of(replace(asked.run, seed=seed), drawn)
            done = _one(net, train, plan, drawn)
            used[i, k] = [(verdict == 1).sum(), (verdict == -1).sum()]
            told = _measured(done, test, validation)
            for name, value in told.items():
                found[name][i, k] = value
            ticket.log(json.dumps({"items": count, "seed": seed, **told}))
            ticket(i * len(budgets) + k + 1, len(seeds) * len(budgets))
    return {"budgets": np.array(budgets), "seeds": np.array(seeds), "used": used, **found}


def _one(
    net: GuidedNet,
    train: refinement.Examples,
    plan: refinement.Plan,
    guide: refinement.Guidance,
) -> GuidedNet:
    assert guide.verdict is not None
    if guide.verdict.any():
        return refinement.refine(net, train, plan, guide).net
    start = net
    if guide.keep is not None:
        start = copy.deepcopy(net)
        apply_mask(start, guide.keep)
    return refinement.refine(start, train, replace(plan, method="erm")).net


def _measured(
    net: GuidedNet, test: refinement.Examples, validation: refinement.Examples | None
) -> dict[str, Any]:
    told = refinement.evaluate(net, test)
    found = {name: float(told[name][0]) for name in ("wga", "mga")}
    found["collapsed"] = int(told["collapsed"][0])
    if validation is not None:
        seen = refinement.evaluate(net, validation)
        found |= {f"{name}_validation": float(seen[name][0]) for name in ("wga", "mga")}
    return found
