"""Method cards of the NERO page: what each plot can and cannot show."""

from __future__ import annotations

from typing import Final

from components.method_card import MethodCard

SOURCE: Final = (
    "Non-Equivariance Revealed on Orbits (NERO), in Z. Zhao, dissertation, "
    "University of Chicago, 2024, chapter 5"
)

AGGREGATE: Final = MethodCard(
    shows="The metric averaged over the chosen items at every element of the orbit, one curve a "
    "model. A circle means that turning the input does not change the average answer; a dent "
    "points at the angles where the models break.",
    cannot_show="Single items: two sets of items with opposite dents average to a circle; the "
    "scatter beside it brings them back. A flat curve does not prove invariance either: a model "
    "that always gives the same wrong answer is flat at zero.",
    how_to_read="Angle is the rotation of the input, counter-clockwise; the distance from the "
    "centre is the metric, 0 to 1. Dotted curves are the current selection, or, where it is "
    "switched on, the orbit that only resamples: rotated there and back, so its distance from a "
    "circle is what interpolation alone costs.",
    equation="A_S(g) = mean over x in S of l(h(φ(g, x)), y)",
    source=SOURCE,
)
PROJECTION: Final = MethodCard(
    shows="Each dot is one item. Its position comes from all values under its individual plot, "
    "reduced to two dimensions, so items that fail at similar angles lie together.",
    cannot_show="Distances in the plane are not distances between orbits: every reduction loses "
    "something; the trustworthiness in the line above says how well neighbours are kept (1 is "
    "perfect). Axes have no meaning of their own. Orbits of the same shape but turned are "
    "different points: they are not aligned.",
    how_to_read="Colour is the mean (bright: right along the whole orbit) or the variance "
    "(bright: the answer depends on the angle). Drag to lasso, click to choose an item.",
    equation="v_x = (l(h(φ(g₁, x)), y), …, l(h(φ(gₙ, x)), y)), reduced to ℝ²",
    source=SOURCE,
)
INDIVIDUAL: Final = MethodCard(
    shows="The probability that each model gives to the true class of one item, at every angle.",
    cannot_show="Why the model answers so, and what happens between the computed angles: values "
    "there are computed when you type an angle, never interpolated.",
    how_to_read="A circle at the rim is a model that does not care about the angle. The green "
    "line is the chosen angle; drag it. The ribbon is mean ± one standard deviation over the "
    "selection (or the subset, where nothing is selected).",
    equation="NERO(g) = p(y | φ(g, x))",
    source=SOURCE,
)
INPUT: Final = MethodCard(
    shows="The image as the models see it at the chosen angle: turned about its centre with "
    "bilinear resampling; what comes from outside the frame is black.",
    cannot_show="A real photograph taken with a turned camera: corners are lost and lines are "
    "softened by the resampling. The resample-only orbit shows what that alone costs.",
    how_to_read="Drag around the centre, or use the arrow keys, to turn it.",
    equation="φ(g, x)(u) = x(R(−θ) u), bilinear, zero outside",
    source=SOURCE,
)
DETAIL: Final = MethodCard(
    shows="The probability of every class at the chosen angle, for each model.",
    cannot_show="Calibration: a probability of 0.9 need not mean nine right answers in ten.",
    how_to_read="Groups are classes, colours are models; the true class is marked with ▸.",
    equation="p(k | φ(g, x))",
    source=SOURCE,
)
CONFUSION: Final = MethodCard(
    shows="Of the items in the subset, the share that the chosen model calls by each wrong class, "
    "at every angle: what a 6 turns into, and where.",
    cannot_show="Right answers: those are left out, so that the errors have the whole scale.",
    how_to_read="Rows are the classes answered, columns the angles; bright is frequent.",
    equation="C_k(g) = share of x in S with argmax h(φ(g, x)) = k ≠ y",
    source="Our addition to the source's plots, from the same outputs.",
)
WORST: Final = MethodCard(
    shows="Every item of the subset with the mean and variance of its orbit and the angle at "
    "which the chosen model is least sure of the truth.",
    cannot_show="Whether the label is right: a low mean may be a mislabelled item.",
    how_to_read="Sorted from the worst mean; click a row to open the item everywhere.",
    source="Our addition to the source's plots, from the same outputs.",
)
SIMILAR: Final = MethodCard(
    shows="The items whose orbit, turned by the best angle, is closest to the chosen one's.",
    cannot_show="That the images look alike: only the models' answers are compared.",
    how_to_read="Under each image: the turn that matches best and the remaining distance "
    "(root mean square difference of confidence, 0 to 1).",
    equation="d(x, x') = min over s of ‖v_x − shift_s(v_x')‖ / √n",
    source="Our addition to the source's plots, from the same outputs.",
)
