"""Method cards of the Crayon page: what each view can and cannot show."""

from __future__ import annotations

from typing import Final

from components.method_card import MethodCard

SOURCE: Final = (
    "Lee, Payani and Chau, Effective Guidance for Model Attention with Simple Yes-no Annotations, "
    "IEEE BigData 2024"
)
URL: Final = "https://arxiv.org/abs/2410.22312"
OURS: Final = "Our addition, from the same outputs."

GROUPS: Final = MethodCard(
    shows="How often the model is right in each group, a group being a class together with the "
    "confounder, and how much of its map lies on the object there. The worst group is red; a group "
    "is called rare where its confounder seldom goes with its class in training.",
    cannot_show="Why a group is worse. A group may also be harder to see, and the map says where "
    "the model looks, not what it would do if that part were gone. Groups without items are left "
    "out: they have no accuracy.",
    how_to_read="The whisker is the 95 % interval of Wilson's score. Groups whose whiskers "
    "overlap may be equally good. The dashed line is the mean of the groups, each counting once.",
    equation="WGA = min over groups of accuracy; MGA = mean over groups; gap = MGA − WGA",
    source=SOURCE,
    source_url=URL,
)
CLASSES: Final = MethodCard(
    shows="What the answers say about the maps of each class: relevant, irrelevant, or not used, "
    "because too few annotators answered or they disagree.",
    cannot_show="Whether the answers are right. Human and simulated answers are counted "
    "separately and never mixed.",
    how_to_read="If one class is nearly all relevant and the other nearly all irrelevant, the "
    "answers tell the class, and training on them partly teaches labels, not attention.",
    source=SOURCE,
    source_url=URL,
)
GALLERY: Final = MethodCard(
    shows="Images with the Grad-CAM map of their true class: the highlight laid bare, in red, or "
    "the image alone.",
    cannot_show="More than the resolution of the map, a few cells a side, drawn large. Where the "
    "model looks is not why it answers.",
    how_to_read="Wrong answers come first, the surest of them before the others. A press selects "
    "an image, here and in every view of the same items.",
    equation="M = ReLU(Σₖ wₖ Aₖ) / max",
    source=SOURCE,
    source_url=URL,
)
SETTINGS: Final = MethodCard(
    shows="What will be trained, with which answers, and what it is expected to cost.",
    cannot_show="Whether it will help: that is what the controls are for. The estimate is the "
    "median time an epoch of finished runs on this machine.",
    how_to_read="The weight of one sample carries over from set to set; α and β are that weight "
    "times the number of relevant and irrelevant maps and do not.",
    equation="L = Σ CE + α/|R| Σ L_rel + β/|I| Σ L_irrel",
    source=SOURCE,
    source_url=URL,
)
CURVES: Final = MethodCard(
    shows="The three terms of the loss, a mean for each training item, and worst and mean group "
    "accuracy on the validation split, after each epoch.",
    cannot_show="The test split, which no setting may be chosen by. A falling attention loss does "
    "not say that the accuracy follows.",
    how_to_read="If the attention terms fall and the accuracy on validation drops to chance, the "
    "weights are too large: the model may answer one class only.",
    source=SOURCE,
    source_url=URL,
)
TREE: Final = MethodCard(
    shows="The original and every corrected model of this set, under the model it went on from.",
    cannot_show="Models whose results were removed to make room; their runs can be started again.",
    how_to_read="Choose a model to diagnose it, answer its maps, or go on from it. To roll back, "
    "choose an older one: nothing is lost.",
    source=OURS,
)
RUNS: Final = MethodCard(
    shows="Every finished run on the test split, with the controls that a claim needs at the same "
    "number of epochs: going on with training alone (ERM), shuffled answers, the last layer alone, "
    "a random mask.",
    cannot_show="Sets from elsewhere, and chance beyond the seeds that were run. One seed has no "
    "spread.",
    how_to_read="± is the standard deviation over seeds with n − 1. A method helps through its "
    "answers only if it beats ERM and shuffled answers at equal epochs. A collapsed model answers "
    "one class only; its worst group accuracy is 0.",
    source=SOURCE,
    source_url=URL,
)
CHANGE: Final = MethodCard(
    shows="Test images before and after a correction, the largest changes first, those that got "
    "worse before those that got better.",
    cannot_show="Whether a change is due to the answers: compare with the controls.",
    how_to_read="Left the map before, right after. Probability is of the true class, from the "
    "stored answer before and after.",
    source=OURS,
)
BUDGET: Final = MethodCard(
    shows="Worst group accuracy against the number of maps whose answers were used, a point for "
    "each run, with the mean and the spread over seeds.",
    cannot_show="More answers than were used. The extrapolation fits a straight line to the last "
    "two budgets and is honest only near them.",
    how_to_read="A flat end means that more answers of this kind will bring little.",
    source=SOURCE,
    source_url=URL,
)
ENERGY: Final = MethodCard(
    shows="Each run's mean energy on the object against its worst group accuracy, on the test "
    "split.",
    cannot_show="A cause: attention can move without the accuracy moving, and the other way round.",
    how_to_read="Up and to the right of the original, and of the controls, is what a correction "
    "should do. A cross is a collapsed model.",
    source=SOURCE,
    source_url=URL,
)
SWEEP: Final = MethodCard(
    shows="Worst group accuracy for each pair of per-sample weights that was run.",
    cannot_show="Weights between those that were run. Nothing may be chosen by this plot: it "
    "shows the test split.",
    how_to_read="Axes are logarithmic; a weight of 0 stands at the left or the bottom edge. "
    "A cross is a collapsed model.",
    source=SOURCE,
    source_url=URL,
)
REPORTED: Final = MethodCard(
    shows="The experiment run for this version with simulated annotators, and the tables of the "
    "paper, cell by cell.",
    cannot_show="Anything about your answers. The paper's cells come from other data, a ResNet50 "
    "and thousands of annotators.",
    how_to_read="Each table says whether it was measured here or reported by the authors. Never "
    "compare the authors' cells with ours.",
    source=SOURCE,
    source_url=URL,
)
