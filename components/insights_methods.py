"""Method cards of the Insights page: what each view can and cannot show."""

from __future__ import annotations

from typing import Final

from components.method_card import MethodCard

SOURCE: Final = "Neural Insights, chapter 3 of the dissertation this page follows"
OURS: Final = "Loupe's own"

CONTENTS: Final = MethodCard(
    shows="Every content of the domain and period: the success that the model predicts against "
    "the success that was measured.",
    cannot_show="How a content would do elsewhere. A measured rate of few impressions is noisy: "
    "its distance from the diagonal may be chance.",
    how_to_read="On the diagonal, prediction and measurement agree. Press a point or a picture to "
    "open that content.",
    equation="Y = clicks / impressions",
    source=SOURCE,
)
CONTENT: Final = MethodCard(
    shows="Which words and which places of the picture raise (blue) or lower (orange, underlined) "
    "the predicted success of this very content.",
    cannot_show="Why people click. An attribution explains the model, and the model learned from "
    "correlations; what it has never seen vary, it cannot value.",
    how_to_read="The values of all words, places and features add up to the prediction minus the "
    "baseline, in percentage points. The completeness error says how far they were from doing so "
    "before they were rescaled. Type in the text to try another wording.",
    equation="Σ c(xᵢ) = C(X) − baseline",
    source=SOURCE,
)
CHANGE: Final = MethodCard(
    shows="The success predicted for the content as edited, with its interval, and the difference "
    "to the content as it was.",
    cannot_show="What an experiment would measure. The interval covers the model's own error on "
    "contents it did not see, not a change of season, audience or fashion.",
    how_to_read="Only a difference whose interval leaves zero out is worth a test. Versions keep "
    "an edit under a name.",
    source=SOURCE,
)
PHRASES: Final = MethodCard(
    shows="Words and noun phrases by their mean attribution over the contents of this domain and "
    "period, the highest and the lowest.",
    cannot_show="A cause: a phrase may stand where something else works. Phrases of few contents "
    "move with each of them; that is what the interval is for.",
    how_to_read="The dot is the mean, the bar its 95 % bootstrap interval, n the number of "
    "contents. Press a phrase to see where it stands and what those contents achieved.",
    equation="r(x) = (1/N) Σ c(x)",
    source=SOURCE,
)
PATCHES: Final = MethodCard(
    shows="The places of the pictures with the highest and the lowest attribution, grouped by what "
    "they look like. An equal number is drawn from each group, so that they are not all alike.",
    cannot_show="A cause, and anything smaller than a patch. Groups come from K-means: another "
    "number of groups would cut differently.",
    how_to_read="Each card is a group: its mean attribution with the interval, how many patches "
    "and contents it rests on, and real examples. With fewer than 20 groups, they are split at the "
    "median.",
    equation="r(cluster) = mean attribution of its patches",
    source=SOURCE,
)
TOGETHER: Final = MethodCard(
    shows="What each phrase and each patch of this content adds alone, and what each pair of them "
    "adds on top.",
    cannot_show="Interactions of three or more, which are shared among their pairs.",
    how_to_read="All cells, the own parts and the rest add up to the predicted success. A large "
    "cell means that phrase and patch are worth more, or less, together.",
    equation="baseline + Σ own + Σ pairs + rest = prediction",
    source=OURS,
)
TRUST: Final = MethodCard(
    shows="Whether attribution that a change of content gained went with success that the "
    "experiment measured, over pairs of control and best treatment.",
    cannot_show="That a single insight is right, and that it causes anything. A score of few pairs "
    "says little; below the least number there is none.",
    how_to_read="The score is ρ from 0 to 1 as 0 to 100. Compare it with shuffled pairs (grey): "
    "inside them, it is chance.",
    equation="ρ = cov(d_C, d_Y) / (σ(d_C) σ(d_Y))",
    source=SOURCE,
)
PAIRS: Final = MethodCard(
    shows="A point a pair of experiment arms: attribution gained by what differs, signed by the "
    "measured change, against the size of that change.",
    cannot_show="What else differed between the arms than words or pictures.",
    how_to_read="Points right of the dotted line got the direction right. A rising cloud means "
    "that larger attributions went with larger gains. Press a point to open its treatment.",
    equation="d_C = sign(ΔY) (Σ c(new) − Σ c(old)), d_Y = |ΔY|",
    source=SOURCE,
)
METHODS: Final = MethodCard(
    shows="The correlation of each attribution method with measured success, with its interval, "
    "for texts and for pictures.",
    cannot_show="Which method is right for one content. Methods whose intervals overlap cannot be "
    "told apart here.",
    how_to_read="Right of zero is better than chance. The method in use is in bold.",
    source=SOURCE,
)
ERRORS: Final = MethodCard(
    shows="Errors of the success model beside simpler ones, in domains it was trained on and in "
    "domains it has never seen, as a change against the linear model.",
    cannot_show="Errors on your next campaign, if it is unlike all of these.",
    how_to_read="Left of zero is better than the linear model on hand-made features. Pairwise "
    "accuracy, in the table, is the share of arms that are ordered rightly; chance is 50 %.",
    equation="RMSE = √ mean (ŷ − Y)²",
    source=SOURCE,
)
BRIEF: Final = MethodCard(
    shows="The insights you picked, with your words, as a page to print or send.",
    cannot_show="More than was picked: each line keeps its support, interval and warning.",
    how_to_read="Use Pin beside a phrase, a patch or a version. The exported page needs no "
    "network and prints on paper.",
    source=OURS,
)
