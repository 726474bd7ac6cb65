"""How well the planted effects of the campaigns are recovered, by which way of ranking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from backend.insights import recommend, truth
from backend.insights.contents import Contents
from backend.insights.history import History, Occurrences

F64 = NDArray[np.float64]
K: Final = 10
EFFECT: Final = 0.05  # of a phrase on the logit, from which it counts as helping or hurting
SHUFFLES: Final = 20


def effect_of(text: str, domain: int) -> float:
    """The planted effect of the phrase that most of whose words ``text`` has; 0 for none."""
    known = truth.load()
    words = set(text.split())
    best, most = 0.0, 0.5
    for k, name in enumerate(known.phrases):
        own = set(name.split())
        shared = len(own & words) / len(own | words)
        effect = float(known.phrase_effects[k, domain])
        if shared >= most and len(own & words) > 1 and np.isfinite(effect):
            best, most = effect, shared + 1e-9
    return best


def precision(texts: Sequence[str], domain: int, sign: int) -> float:
    """The share of phrases whose planted effect has this sign and matters."""
    if not texts:
        return float("nan")
    return float(np.mean([sign * effect_of(text, domain) > EFFECT for text in texts]))


def ranked(history: History, domain: int, score: F64) -> tuple[list[str], list[str]]:
    """The ten best and worst phrases of a domain by another score (p,), chosen as ours are."""
    seen = history.phrases
    values = score[seen.of]
    other = Occurrences(seen.names, seen.of, seen.row, values)
    made = History(history.held, history.rows, other, other, history.patches, None, None)
    found = recommend.phrases(made, domain, K)
    return [one.text for one in found.positive], [one.text for one in found.negative]


def raw_rates(history: History, domain: int) -> F64:
    """(p,) mean success of the contents of a domain that have each phrase."""
    seen, held = history.phrases, history.held
    here = held.domain[seen.row] == domain
    found, _ = recommend.means(seen.of[here], held.success[seen.row[here]], len(seen.names))
    return np.nan_to_num(found, nan=float(held.success.mean()))


def tfidf(history: History) -> F64:
    """(p,) what ridge regression on TF-IDF of one and two words, fitted to the training rows,
    says of each phrase.
    """
    held: Contents = history.held
    rows = held.rows("training")
    texts = [held.text(int(row)) for row in rows]
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model = Ridge(alpha=1.0).fit(vectors.fit_transform(texts), held.success[rows])
    names = vectors.transform([str(name) for name in history.phrases.names])
    return np.asarray(model.predict(names), np.float64)


def phrases_by_way(history: History) -> dict[str, tuple[F64, F64]]:
    """Precision@10 of helping and hurting phrases (domains,) by way of ranking."""
    held = history.held
    domains = range(len(held.domains))
    rng = np.random.default_rng(0)
    regression = tfidf(history)
    ways: dict[str, Callable[[int], F64]] = {
        "raw click rate": lambda d: raw_rates(history, d),
        "TF-IDF ridge": lambda d: regression,
    }
    found: dict[str, tuple[F64, F64]] = {}
    both = []
    for d in domains:
        lists = recommend.phrases(history, d, K)
        ends = (lists.positive, lists.negative)
        texts = [[one.text for one in end] for end in ends]
        both.append((precision(texts[0], d, 1), precision(texts[1], d, -1)))
    found["attributions"] = (np.array(both)[:, 0], np.array(both)[:, 1])
    for name, score in ways.items():
        rows = [ranked(history, d, score(d)) for d in domains]
        made = [(precision(p, d, 1), precision(n, d, -1)) for d, (p, n) in enumerate(rows)]
        found[name] = (np.array(made)[:, 0], np.array(made)[:, 1])
    drawn = []
    for _ in range(SHUFFLES):
        score = rng.random(len(history.phrases.names))
        rows = [ranked(history, d, score) for d in domains]
        drawn.append([(precision(p, d, 1), precision(n, d, -1)) for d, (p, n) in enumerate(rows)])
    chance = np.nanmean(np.array(drawn), 0)
    found["random"] = (chance[:, 0], chance[:, 1])
    return found


def true_values(history: History) -> F64:
    """(p,) the planted effect on the logit of what each patch shows; 0 for nothing."""
    known, patches = truth.load(), history.patches
    found = np.zeros(len(patches.row))
    side = 3 / 16
    for k, (row, (r, c)) in enumerate(zip(patches.row, patches.place, strict=True)):
        name = truth.kind_at(int(row), (c / 16, r / 16, side, side))
        if name in known.pictures:
            domain = int(history.held.domain[row])
            found[k] = np.nan_to_num(known.picture_effects[known.pictures.index(name), domain])
    return found


def clusters_by_way(history: History) -> dict[str, float]:
    """Rank correlation, over clusters in domains, of a score with the mean planted effect."""
    held, patches = history.held, history.patches
    effects = true_values(history)
    rows: dict[str, list[float]] = {"truth": [], "attributions": [], "raw click rate": []}
    for d in range(len(held.domains)):
        here = held.domain[patches.row] == d
        for cluster in range(int(patches.cluster.max()) + 1):
            mine = here & (patches.cluster == cluster)
            if mine.sum() < recommend.FEWEST:
                continue
            rows["truth"].append(float(effects[mine].mean()))
            rows["attributions"].append(float(patches.value[mine].mean()))
            rows["raw click rate"].append(float(held.success[patches.row[mine]].mean()))
    ranks = {name: np.argsort(np.argsort(values)) for name, values in rows.items()}
    ways = ("attributions", "raw click rate")
    return {w: float(np.corrcoef(ranks[w], ranks["truth"])[0, 1]) for w in ways}
