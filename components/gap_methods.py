"""Method cards of the Modality gap page: what each view can and cannot show."""

from __future__ import annotations

from typing import Final

from components.method_card import MethodCard

LIANG: Final = "Liang, Zhang, Kwon, Yeung and Zou, Mind the Gap, NeurIPS 2022"
LIANG_URL: Final = "https://arxiv.org/abs/2203.02053"
RANK: Final = "Zhang, Zhao, Chen, Feng, Ding and Sun, RankCLIP, 2024"
RANK_URL: Final = "https://arxiv.org/abs/2404.09387"

MAP: Final = MethodCard(
    shows="Some of the pairs in one plane: one UMAP a model, of images and texts together. A line "
    "joins an image with its own text.",
    cannot_show="Distances. UMAP keeps neighbourhoods, so the white space between two clouds says "
    "nothing about its width; the numbers and the histogram, which are taken in the space itself, "
    "do. Another seed gives another picture.",
    how_to_read="Two clouds that do not mix and long lines: a gap. Mixed clouds and short lines: "
    "none. Panels have one scale, and each is turned onto the first, never stretched. Press a "
    "point to choose a pair, lasso to select in all panels.",
    source=RANK,
    source_url=RANK_URL,
)
NUMBERS: Final = MethodCard(
    shows="Exact numbers in the embedding space over all pairs, with 95 % intervals from drawing "
    "the pairs anew (200 times, seed 0).",
    cannot_show="Why there is a gap. A linear classifier that tells images from texts at 100 % "
    "shows that they are apart, not by how much.",
    how_to_read="Centroid gap: distance of the mean image from the mean text. Alignment S_A: mean "
    "cosine of matched pairs. Uniformity S_U: near 0 means that unmatched ones are about "
    "orthogonal, more negative that they are alike. Margin: matched minus unmatched cosine, what "
    "retrieval lives on.",
    equation="Δ = ‖mean v − mean t‖;  S_A = mean v·t;  S_U = log mean exp(−vᵢ·tₖ), i ≠ k",
    source=LIANG,
    source_url=LIANG_URL,
)
GAPS: Final = MethodCard(
    shows="How far each image lies from its own text, and the cosines of images with texts of "
    "other pairs.",
    cannot_show="Which pairs they are; drag over a range of the first plot to select them.",
    how_to_read="Dashed lines are means. Both plots use the same bins for every model. 1.41 is the "
    "distance of two directions that have nothing to do with each other.",
    equation="g = ‖v − t‖ = √(2 − 2 cos), 0 to 2",
    source=RANK,
    source_url=RANK_URL,
)
SLIDER: Final = MethodCard(
    shows="What retrieval, zero-shot accuracy and CLIP's loss become when images move against the "
    "gap vector and texts along it, each by half of the shift, and all are scaled to length 1 "
    "again.",
    cannot_show="What training another gap would do: only the finished embeddings are moved. The "
    "best shift is chosen on the pairs that it is measured on, so it flatters itself a little.",
    how_to_read="0 is the model as it is; the dashed line is the whole gap, where the centres "
    "meet. The star marks the highest text-to-image recall. The loss is over 512 pairs at the "
    "model's own temperature.",
    equation="v′ ∝ v − (δ/2) g,  t′ ∝ t + (δ/2) g,  g = Δ / ‖Δ‖",
    source=LIANG,
    source_url=LIANG_URL,
)
PAIR: Final = MethodCard(
    shows="What each word of the caption and each place of the picture adds to their cosine, and "
    "what a word and a place do together. By occlusion: without the word, with the place painted "
    "over: white for the bundled models, whose pictures lie on white, grey for a model of yours "
    "(the mean colour of its preparation). By gradient × input: slopes at the finished pair, "
    "measured from a masked word and from that colour. By integrated gradients: the mean of such "
    "slopes at 8 places of the way from there.",
    cannot_show="A sure explanation. Occlusion asks about pictures with holes, which the model "
    "never saw; gradient × input is of first order, and as the towers saturate it often fails the "
    "check. The check below says how well the map did here.",
    how_to_read="Blue raises the cosine, orange lowers it. Press a word to see its places. Check: "
    "the places are painted over, most relevant first; the cosine should fall faster than in "
    "random orders.",
    equation="R(word, place) = (v − v₋place) · (t − t₋word);  or  Σ ∂(v · J Δe)/∂x · (x − empty)",
    source="Loupe's own; gradient × input after Shrikumar et al. 2016, integrated after "
    "Sundararajan et al. 2017",
)
FIND: Final = MethodCard(
    shows="The images nearest to a text, or the captions nearest to an image, by cosine in the "
    "chosen space, with the shift of the slider applied.",
    cannot_show="Anything beyond the shown pairs. The bundled models are small and know drawings "
    "with short English captions; a query of other things still gets its nearest neighbours. A "
    "registered model answers for its own spaces, from squares on white as its pairs were.",
    how_to_read="Type a few words, or drop a picture. Cosines of one query can be compared with "
    "each other, not with those of another model.",
    equation="cos = v · t",
    source="Loupe's own",
)
WORDS: Final = MethodCard(
    shows="The words that are used more in the captions of one selection than in the other, by "
    "log-odds with a Dirichlet prior.",
    cannot_show="Meaning: words are counted as written. Few captions give few clear words.",
    how_to_read="z beyond ±1.96 is hardly chance for one word; of 20, one reaches it by chance.",
    equation="z = (log odds A − log odds B) / standard error",
    source="Monroe, Colaresi and Quinn, Fightin' Words, Political Analysis 2008",
)
MODELS: Final = MethodCard(
    shows="The models of the bundled pairs over their seeds, measured here on pairs whose concepts "
    "were not trained on; below, numbers reported in the RankCLIP study.",
    cannot_show="What the reported models would do here, or ours there: other data, towers and "
    "sizes. Ours are CLIP-style and small, with frozen towers.",
    how_to_read="Mean and standard deviation over seeds; differences within them are nothing.",
    source=RANK,
    source_url=RANK_URL,
)
