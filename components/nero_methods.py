"""Method cards of the NERO page: what each plot can and cannot show, on any layout."""

from __future__ import annotations

from typing import Final

from components.method_card import MethodCard

SOURCE: Final = (
    "Non-Equivariance Revealed on Orbits (NERO), in Z. Zhao, dissertation, "
    "University of Chicago, 2024, chapter 5"
)
OURS: Final = "Our addition to the source's plots, from the same outputs."
BRIGHT: Final = (
    "On maps, squares and discs bright is good, for errors as well, whose colours run the "
    "other way round; an even picture is an equivariant model, dark spots are where it "
    "fails. One range of colours holds for all models; where a metric has no upper end, it "
    "ends at the 80th percentile of all of them, so the brightest errors are cut off and "
    "not compared."
)
CONSENSUS: Final = (
    "By consensus: every output of the orbit is moved back and averaged, and that average, the "
    "model's own, stands in for the truth. A model that is wrong in an equivariant way agrees with "
    "its own consensus and looks perfect; a constant error of a vector averages out over turns."
)

AGGREGATE: Final = MethodCard(
    shows="The metric averaged over the chosen items at every element of the orbit, for "
    "each model. Its shape, where it is not flat, is where the models depart from what the "
    "transformed truth asks for.",
    cannot_show="Single items: two sets of items with opposite dents average to a flat plot; the "
    "orbit map beside it brings them back. Flat does not prove equivariance: a model that always "
    "gives the same wrong answer, or whose vectors are off by the same constant, is flat as well. "
    "And an equivariant model need not be quite flat where borders cut off or resampling blurs. "
    + CONSENSUS,
    how_to_read="On a circle the angle is the rotation of the input, counter-clockwise, and the "
    "distance from the centre is the metric; a circle is invariance, a dent an angle where "
    "the model breaks. On a line the height is the metric. Dotted curves are the current "
    "selection; thin ones, where they are switched on, the orbit that only resamples: there "
    "and back, so its distance from "
    f"flat is what interpolation alone costs. {BRIGHT}",
    equation="A_S(g) = mean over x in S of l(h(φ(g, x)), φ̃(g, y))",
    source=SOURCE,
)
PROJECTION: Final = MethodCard(
    shows="Each dot is one item. Its position comes from all values under its individual plot, "
    "reduced to two dimensions, so items that fail at similar places on the orbit lie together.",
    cannot_show="Distances in the plane are not distances between orbits: every reduction loses "
    "something; the trustworthiness in the line above says how well neighbours are kept (1 is "
    "perfect). Axes have no meaning of their own. Orbits of the same shape but turned are "
    "different points: they are not aligned.",
    how_to_read="Colour is the mean (bright: good along the whole orbit) or the variance "
    "(bright: the answer depends on the place). Drag to lasso, click to choose an item; the arrows "
    "below step from the worst to the best.",
    equation="v_x = (l(h(φ(g₁, x)), φ̃(g₁, y)), …, l(h(φ(gₙ, x)), φ̃(gₙ, y))), reduced to ℝ²",
    source=SOURCE,
)
INDIVIDUAL: Final = MethodCard(
    shows="The metric of one item at every element of its orbit, for each model; with both sides "
    "chosen, measured by the truth and by the model's own consensus beside each other.",
    cannot_show="Why the model answers so, and what happens between the computed elements: nothing "
    "is interpolated. " + CONSENSUS,
    how_to_read="The green mark is the chosen element; drag it, or press anywhere in the plot. The "
    "ribbon around curves is mean ± one standard deviation over the selection (or the "
    "subset, where nothing is selected). Squares show where in the picture the error lies "
    "unless averages are "
    f"asked for. {BRIGHT} Hatched cells are those at which the model gave no answer.",
    equation="NERO(g) = l(h(φ(g, x)), φ̃(g, y))",
    source=SOURCE,
)
INPUT: Final = MethodCard(
    shows="The input as the models see it at the chosen element.",
    cannot_show="A real recording under another pose: turning and scaling resample, so lines are "
    "softened and what comes from outside the frame is black; the orbit that only resamples shows "
    "what that alone costs. Shifts of a crop and symmetries of the square move pixels and "
    "mix none.",
    how_to_read="Drag in the picture where it says so, or use the arrow keys. Dragging a cloud of "
    "points turns the camera, never the points.",
    equation="φ(g, x)",
    source=SOURCE,
)
DETAIL: Final = MethodCard(
    shows="What each model answers at the chosen element: probabilities of classes, boxes by their "
    "confidence, or arrows over the true ones.",
    cannot_show="Calibration: a confidence of 0.9 need not mean nine right answers in ten.",
    how_to_read="Colours are models. The true class is marked with ▸, the true box is yellow, true "
    "arrows are black; a consensus is green and dashed. Boxes are fainter the less confident and "
    "thicker the better they overlap.",
    equation="h(φ(g, x))",
    source=SOURCE,
)
CONFUSION: Final = MethodCard(
    shows="Of the items in the subset, the share that the chosen model calls by each wrong class "
    "along the orbit: what a 6 turns into, and where.",
    cannot_show="Right answers: those are left out, so that the errors have the whole scale. Where "
    "the orbit is no sequence, elements equally far from the identity are taken together.",
    how_to_read="Rows are the classes answered, columns the elements; bright is frequent.",
    equation="C_k(g) = share of x in S with argmax h(φ(g, x)) = k ≠ y",
    source=OURS,
)
BY_CLASS: Final = MethodCard(
    shows="The mean over the whole orbit of every item, as a box for each kind of item and model: "
    "which kinds are hard, and how much their items differ.",
    cannot_show="Where on the orbit they are hard: choose one kind in the first card and its own "
    "aggregate is drawn. Few items make wide boxes; how many there are stands in the table.",
    how_to_read="The line in a box is the median item, the box holds the middle half, dots are far "
    "outside it.",
    source=OURS,
)
WORST: Final = MethodCard(
    shows="Every item of the subset with the mean and variance of its orbit and the element at "
    "which the chosen model fares worst.",
    cannot_show="Whether the truth is right: a bad mean may be a mislabelled item.",
    how_to_read="Sorted from the worst mean; click a row to open the item everywhere.",
    source=OURS,
)
SIMILAR: Final = MethodCard(
    shows="The items whose orbit is closest to the chosen one's; on a circle after the best turn.",
    cannot_show="That the inputs look alike: only the models' answers are compared.",
    how_to_read="Under each picture the remaining distance (root mean square difference of the "
    "metric), and on a circle the turn that matches best.",
    equation="d(x, x') = ‖v_x − v_x'‖ / √n, on a circle min over s of ‖v_x − shift_s(v_x')‖ / √n",
    source=OURS,
)
