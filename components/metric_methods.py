"""Method cards of the metric-learning page: what each view can and cannot show."""

from __future__ import annotations

from typing import Final

from components.method_card import MethodCard

KOBS: Final = 'K. Kobs 2023, "Think outside the Black Box", chapter {}'

HEAT: Final = MethodCard(
    shows="How much the images of one property's value lie together in each embedding, in standard "
    "deviations above chance: mean over the folds. Underlined: above 2.576 in the mean, the "
    "source's rule; a dot: the permutation test (1,999 shufflings, the first fold's network on the "
    "1,500 bundled images), corrected after Holm over the eleven properties, is below 1 %.",
    cannot_show="A number that can be compared with other counts of images: NR-Prec grows with the "
    "root of n. The source's table rests on 100,000 renders of other cars and networks trained on "
    "photographs; compare orders, not sizes. 2.576 treats a mean of dependent scores as one normal "
    "score, so it is a rule, not a test.",
    how_to_read="0 is chance. An embedder of car models should cluster by the model only. κ = "
    "(R-Prec − chance) / (1 − chance) does not grow with n. The printed σ of the source lacks the "
    "square root: with it, the largest value is the number of values. Press a cell to see that "
    "embedding coloured by that property.",
    equation="NR-Prec = (1/n) Σ (hits − R p) / √(R p (1 − p))",
    source=KOBS.format(7),
)
MAP: Final = MethodCard(
    shows="The bundled test images in two dimensions, coloured by a property. The last line says "
    "how many of the 15 nearest neighbours are kept by the picture.",
    cannot_show="Distances between clusters and their sizes: UMAP and t-SNE keep neighbourhoods "
    "only. Judge by the heat map.",
    how_to_read="Draw a lasso to select images everywhere in Loupe; press a point to make it the "
    "query. Zoom in until few points are left, and they become pictures.",
    source="UMAP (McInnes 2018), t-SNE (van der Maaten 2008), PCA",
)
NEAR: Final = MethodCard(
    shows="The nearest images of the query under the loss's own distance, and which of its "
    "property values they share (lit).",
    cannot_show="The whole data set: neighbours are sought among the bundled images, whose "
    "embeddings are kept in 8 bits.",
    how_to_read="A frame is lit where the property of the heat map is shared. Hits of R is that "
    "query's term of R-Precision. Press a picture to make it the query.",
    equation="hits = |{i among the R nearest : a(i) = a(q)}|",
    source=KOBS.format(7),
)
SWEEP: Final = MethodCard(
    shows="The query drawn again with one property changed and all else equal: distance of each "
    "embedding from the unchanged image, pairs among its 20 nearest images that change their "
    "order, and the slope with its 95 % interval.",
    cannot_show="Other cars and scenes: it is one image. The slope is forced through the origin "
    "and takes the values for independent, which neighbouring angles are not.",
    how_to_read="A flat line: the model ignores the property here. Distances of different losses "
    "have different units unless the loss's distance is the same.",
    equation="slope = Σ x d / Σ x²",
    source=KOBS.format(7) + "; slope and swaps are Loupe's own",
)
LOOKS: Final = MethodCard(
    shows="Which pixels carry the embedding away from that of a black image, for every loss: "
    "SmoothGrad of the distance, absolute, mean over the colours, clipped above the 99th "
    "percentile, scaled to 0 to 1.",
    cannot_show="Causes, and anything finer than the network's gradient is stable. Eight noisy "
    "copies are averaged; a map of more would be smoother.",
    how_to_read="Bright: a small change there moves the embedding most. Below: the two losses of "
    "the chosen cell of the matrix, and their difference.",
    equation="(1/l) Σ ∂ d(x + N(0, σ²), black) / ∂ I",
    source=KOBS.format(9),
)
LIKE: Final = MethodCard(
    shows="How alike the maps of two losses are: Pearson's r, averaged over images by Fisher's z, "
    "or the Jensen–Shannon divergence to base 2.",
    cannot_show="Whether either looks at the right thing; that is the focus score. The reported "
    "matrix is of other networks on photographs (Cars196).",
    how_to_read="Press a cell to see the two maps of the query beside each other.",
    equation="tanh( mean atanh r )",
    source=KOBS.format(9) + " and appendix A",
)
PAIR: Final = MethodCard(
    shows="Which part of each of two images their distance rests on: the same maps, taken against "
    "the other image's embedding in place of the black one's.",
    cannot_show="Whether the part makes them near or far: signs are lost with the absolute value.",
    how_to_read="Press a neighbour with the second button, or here, to choose the partner.",
    equation="∂ d(A, B) / ∂ A,  ∂ d(A, B) / ∂ B",
    source=KOBS.format(9) + "; pairs are Loupe's own",
)
GROUND: Final = MethodCard(
    shows="Retrieval of the car model on clean images and before other backgrounds, and the share "
    "of attribution on the car beyond its area, for networks trained as usual and on changed "
    "backgrounds (BGAugment).",
    cannot_show="Real photographs. Backgrounds are crops of bundled photographs and drawn "
    "patterns; those to train and to test with share none. Each training image got one "
    "background, not a new one in every step as in the source.",
    how_to_read="A short line: little depends on the background. Focus 1: all on the car, 0: as "
    "its area, below 0: more on the background.",
    equation="focus = (a − f) / (1 − f)",
    source=KOBS.format(11),
)
SWAP: Final = MethodCard(
    shows="The query before backgrounds that no network was trained on: how far its embedding "
    "moves, and what it is then near to, without and with changed backgrounds in training.",
    cannot_show="An average: it is one image with four backgrounds.",
    how_to_read="A lit frame: the neighbour is the same car model.",
    equation="I' = M I + (1 − M) B",
    source=KOBS.format(11),
)
WORDS: Final = MethodCard(
    shows="The images embedded by a notion that was learned from prompts alone (InDiReCT): what "
    "changes from prompt to prompt is kept, the rest is suppressed.",
    cannot_show="What CLIP would do. Its place is taken by all-MiniLM-L6-v2 and a linear map from "
    "image features that was fitted to captions of the training cars, so words beyond those "
    "captions (colours, directions, heights, daylight, kinds of car) say little.",
    how_to_read="The neighbours below are those of the query before and after. MAP@R is measured "
    "on the notion's true values; NR-Prec says what the new embedding clusters by.",
    equation="min_U  mean arccos( t · norm(norm(t U) Uᵀ) )",
    source=KOBS.format(13),
)
FAMILIES: Final = MethodCard(
    shows="Each network's NR-Prec, ranking losses beside classification losses, and a two-sided "
    "Mann–Whitney test for every property, corrected after Holm.",
    cannot_show="What the source tested: it does not say whether a loss or a network is one "
    "observation. Networks of one loss are not independent, so the test over networks is bold.",
    how_to_read="p below 1 % after Holm is marked. With losses as units, 9 against 5 can reach "
    "0.001 at best before the correction.",
    source=KOBS.format(7),
)
MADE: Final = MethodCard(
    shows="Renders of meshes of your own, every chosen property drawn uniformly and independently, "
    "and what the chosen loss clusters them by.",
    cannot_show="Textures and glass: surfaces have one colour each. The networks were trained on "
    "cars; other things are far from what they know.",
    how_to_read="Each mesh is scaled to 4.4 m and stands on the ground. The download holds the "
    "images, the property table and the embeddings, for any model of yours.",
    source=KOBS.format(7),
)
MODELS: Final = MethodCard(
    shows="Registered models as embeddings of the 5,000 test cars: the output of the layer before "
    "the classes, where one can be seen, and the answers themselves. Measured ones are rows of the "
    "heat map and can be chosen everywhere on this page.",
    cannot_show="What a model was made for: cars drawn here may be far from its training images. "
    "Renders have 128 px and are scaled to the model's size; grey models see grey cars.",
    how_to_read="The first model waits until the cars are drawn; they are kept for the next. "
    "Numbers are of one network, so they have no spread, and are measured under the distance "
    "chosen above. Register a model in the Library or with python -m backend models add.",
    source=KOBS.format(7) + ", on models of your own",
)
VALUES: Final = MethodCard(
    shows="NR-Prec of the images of each value of the chosen property alone, for every embedding; "
    "the chosen one and the second one stand out. Weighted by the images of a value, their mean is "
    "the NR-Prec of the property.",
    cannot_show="All 5,000 images: these are the 1,500 bundled ones and the first fold, so "
    "numbers are about half of the heat map's. Rare values rest on few images.",
    how_to_read="A value far above the others is recognised by itself: one car among six, one "
    "turn among eight. Press a cell of the heat map once more to come here; press a value to "
    "select its images.",
    equation="(1/nᵥ) Σ over images of v of (hits − R p) / √(R p (1 − p))",
    source=KOBS.format(7) + "; the split by value is Loupe's own",
)
OWN: Final = MethodCard(
    shows="The same measures on embeddings of your own: an array (n, d) and a table with one row "
    "for each image.",
    cannot_show="Images: only numbers are opened. Up to 20,000 rows here; the command line takes "
    "more.",
    how_to_read="p comes from 1,999 shufflings of each property, corrected after Holm.",
    source=KOBS.format(7),
)
