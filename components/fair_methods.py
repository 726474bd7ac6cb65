"""Method cards of the fair-retrieval page: what each view can and cannot show."""

from __future__ import annotations

from typing import Final

from components.method_card import MethodCard

SOURCE: Final = "Post-hoc bias mitigation (PBM), chapter 4 of the dissertation this page follows"

RESULTS: Final = MethodCard(
    shows="The first K results of one neutral query, by similarity alone and by the chosen method. "
    "The border of a picture is its true group; a dot marks another predicted one. A faint picture "
    "is of another activity.",
    cannot_show="What is fair. Equal numbers of two groups is one aim of several, and the groups "
    "are what the artists meant by a Unicode sequence, two of many. Nothing here is measured on "
    "people, and nothing here should be used to judge them.",
    how_to_read="Scroll a grid: the bar above it tells the groups among what you have seen so far. "
    "PBM takes the best of both groups together, unless a picture of neither is more similar than "
    "the pair on average. It selects by the predicted group; the bias is measured by the true one.",
    equation="B = |#{g = +1} − #{g = −1}| / K",
    source=SOURCE,
)
CURVES: Final = MethodCard(
    shows="The bias among the first 1, 2, 3, … results, before and after; above zero the first "
    "group has more. The shares of the three groups are in the table and above each grid.",
    cannot_show="Anything about other queries. At an odd K two groups cannot be equal.",
    how_to_read="The dotted line is the bias of the pool itself: a ranking that does not know "
    "groups ends up there, not at zero. The vertical line is K.",
    equation="Bias@K = (1/K) Σ g(v)",
    source=SOURCE,
)
TRADEOFF: Final = MethodCard(
    shows="AbsBias@K and Recall@K over all queries as p goes from 0, the plain ranking, to 1, PBM "
    "at every step; and as MI-clip drops more dimensions.",
    cannot_show="How much recall a user would miss. The pool is small, and every picture of the "
    "activity counts as equally right.",
    how_to_read="Left is balanced, up is complete. Press a point of the curve to take its p.",
    equation="Recall@K = Σ_c |V_c,K ∩ V*_c| / Σ_c |V*_c|",
    source=SOURCE,
)
QUANTILES: Final = MethodCard(
    shows="All pictures of the pool in order of similarity, cut into equal parts, and the bias in "
    "each part, with a straight line through them.",
    cannot_show="Causes. A slope can come from the texts, from the pictures, or from both.",
    how_to_read="A slope is the model's leaning, the height is the pool's imbalance: two different "
    "biases. The shaded strip holds the K results.",
    equation="Spearman's ρ of similarity and group over the pool",
    source=SOURCE,
)
QUERIES: Final = MethodCard(
    shows="A pair of points a query: how similarity correlates with the group over the whole pool, "
    "against the bias of the first K, before and after.",
    cannot_show="Which of the two matters to a reader, who sees only the first K.",
    how_to_read="Debiasing features moves points to the left or right towards ρ = 0 and leaves the "
    "bias near that of the pool; PBM moves them to zero bias. Press a point to open its query.",
    source=SOURCE,
)
METHODS: Final = MethodCard(
    shows="Every method over all queries of the list: bias and recall, measured by true groups.",
    cannot_show="The originals of the simplified baselines, which need training on private data. "
    "One seed is drawn here; docs/results/fair-retrieval.md has several.",
    how_to_read="Left is less biased; the number at the right is recall. MI-clip drops single "
    "dimensions; the debiased prompt takes the direction of the group words out of the query.",
    source=SOURCE,
)
PREDICTOR: Final = MethodCard(
    shows="True groups against predicted ones over the whole pool, how often each group is "
    "recognised, and what PBM's bias becomes when noise is put on the predictor's evidence.",
    cannot_show="How a predictor would do on anything but these drawings. What an encoder that "
    "had seen less finds is below the table, for the queries only: no predictor was kept of it.",
    how_to_read="A ratio of sensitivities near 1 is even-handed. The margin calls weak evidence "
    "“not applicable”, in standard deviations of the evidence over the pool.",
    equation="ρ = sensitivity(+1) / sensitivity(−1)",
    source=SOURCE,
)
MAP: Final = MethodCard(
    shows="UMAP of the embeddings of all pictures of the pool, coloured by the true group, "
    "before the pool is skewed.",
    cannot_show="Distances: UMAP keeps neighbours, not sizes of gaps. Nearby is similar.",
    how_to_read="Draw a lasso to mark pictures here and in both grids; shift and drag to move, "
    "wheel to zoom. Where the colours mix, the embedding hardly tells the groups.",
    source="McInnes et al. 2018; 20 neighbours, minimal distance 0.15, cosine, seed 0",
)
