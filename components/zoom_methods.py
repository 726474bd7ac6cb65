"""Method cards of the Zoom-In page: what each view can and cannot show."""

from __future__ import annotations

from typing import Final

from backend.zoom.maps import NO_ROLLOUT
from components.method_card import MethodCard

SOURCE: Final = (
    "Zoom-In Network, in Advancing Vision Intelligence through the Development of Efficiency, "
    "Interpretability and Fairness in Deep Learning Models, dissertation, 2024, chapter 2"
)
OURS: Final = "Our addition, from the same outputs."

IMAGES: Final = MethodCard(
    shows="The images that can be looked at, the right answer where anybody knows it, and what the "
    "model answers after one look at each. N′ counts the different tiles that it looked into.",
    cannot_show="How sure an answer is: one look is one draw, and another may say something else. "
    "The needle images are simulated: real digits put into real photographs.",
    how_to_read="A cross is a wrong answer. A small N′ means that the first map is peaked; N′ "
    "close to N means that it is nearly even, and the network looked almost anywhere.",
    source=SOURCE,
)
VIEWER: Final = MethodCard(
    shows="Over the image: the first attention map over all tiles, the second map inside the tiles "
    "that were drawn, and the pieces that were read at full resolution, numbered as they were "
    "drawn. The thicker a frame, the more the piece weighs.",
    cannot_show="What the network would have seen in pieces that it did not draw. Attention is "
    "where it looks, not why it answers: a piece with much weight can speak against the answer. "
    "The class map of another classifier is computed on the whole image made small, so it knows "
    f"nothing of details. {NO_ROLLOUT}",
    how_to_read="Drag and scroll as on a map. Values below the range of a layer are cut away, "
    "those above it have the last colour. Each map is scaled to its own maximum. Draw a rectangle "
    "with Look here, and the network looks into that alone.",
    equation="y = g(Σ wᵢ f(xᵢ)), tiles ~ α, pieces ~ β without replacement",
    source=SOURCE,
)
ANSWER: Final = MethodCard(
    shows="What the network answers, and what other draws of tiles and pieces answer about the "
    "same image. Each dot is one draw; press it to see that draw.",
    cannot_show="Whether the answer is right, or what more images would say: all draws share the "
    "same weights and the same maps. The mean feature is unbiased over draws, the probability, "
    "which is not linear in it, is not.",
    how_to_read="The bar spans the middle 90 % of the draws. Where it crosses the middle, the "
    "answer depends on luck: raise N. Top-k draws nothing by chance, so there all draws agree.",
    source=OURS,
)
PIECES: Final = MethodCard(
    shows="The pieces that were read at full resolution, strongest effect first. The effect is the "
    "weight of a piece times what its features add to the logit of the class against the mean of "
    "the others. Effects and a constant sum to that difference exactly.",
    cannot_show="What the features stand for; and pieces act together, so the answer without one "
    "piece is not the answer minus its effect: the others would weigh more.",
    how_to_read="Plus speaks for the answer, minus against it. A click shows where the piece lies.",
    equation="eᵢ = wᵢ · (g_k − mean g_j) f(xᵢ)",
    source=OURS,
)
SHARE: Final = MethodCard(
    shows="How much of all effects, for and against, the strongest pieces hold.",
    cannot_show="Whether these are the right pieces. One strong piece may be the digit or a stain.",
    how_to_read="A steep start: few pieces decide. Close to the dotted line: no piece stands out.",
    source=OURS,
)
COST: Final = MethodCard(
    shows="The same image by every model for large images, measured here, one after another, with "
    "as many pieces each.",
    cannot_show="Other machines: time depends on what else runs. Memory is what tensors and parts "
    "of the image held at most, counted by operation, without the libraries themselves.",
    how_to_read="A model whose view of the whole image would not fit into memory has no numbers. "
    "Shares are of the largest in the column.",
    source=SOURCE,
)
TRAIN: Final = MethodCard(
    shows="Training the two-stage network on a folder of yours, from a bundled model, and how "
    "often it is right on a fifth of the images that it did not see.",
    cannot_show="How it does on images from elsewhere. Few images give an accuracy of few steps.",
    how_to_read="The folder lies below an allowed folder (LOUPE_IMAGE_ROOTS) and holds a subfolder "
    "for each class, with five images or more; the first class by name is the empty one.",
    source=SOURCE,
)
