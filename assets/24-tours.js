/* What the tours say: for each page, where to look first and what can be done there. */
(function ({ add }) {
  add("nero", [
    { at: "#nero-task, #nero-task-label", title: "What is asked", text: "Choose the task, the data and up to four models. Models of your own stand in the same lists." },
    { at: "#nero-aggregate", title: "All items, every transformation", text: "How right each model is as its input is turned or moved. A dent is a transformation it does not stand. Drag the dial to move every view with it." },
    { at: "#nero-projection", title: "Each item one dot", text: "Items whose answers change alike lie together. Lasso some: every other view and page follows the selection." },
    { at: "#nero-individual", title: "One item", text: "The same plot for the item that you clicked, all models over each other." },
    { at: "#nero-input", title: "What the model is given", text: "The transformed input itself, drawn as the model receives it." },
    { at: "#nero-worst", title: "Where it breaks", text: "Items that lose most; the arrow keys walk through them." },
  ]);
  add("zoom", [
    { at: "#zoom-images", title: "Large images", text: "Open one that is far larger than memory, by upload or by the path of a file that stays where it is." },
    { at: "#zoom-viewer", title: "Where the model looked", text: "Zoom with the wheel. Boxes are the pieces it read at full resolution; the layers show its attention at each stage." },
    { at: "#zoom-answer", title: "What it says", text: "The answer and how sure it is, over repeated draws." },
    { at: "#zoom-cost", title: "What that cost", text: "Pixels, memory and time against reading all of the image." },
    { at: "#zoom-pieces", title: "The pieces", text: "Each one that was read, with its weight. A click flies there." },
  ]);
  add("insights", [
    { at: "#insights-contents", title: "The history", text: "Contents of one market with predicted and measured success. The plus above brings your own table." },
    { at: "#insights-content", title: "What helps and what hurts", text: "Painted on the picture and on each word. Edit the text in place, or press a patch to swap it." },
    { at: "#insights-change", title: "What a change would do", text: "The new prediction with its interval, against the draft you began with. Save versions to compare them." },
    { at: "#insights-phrases", title: "Phrases with evidence", text: "Recommended and discouraged, with support and interval. Use one in the draft, or pin it to the brief." },
    { at: "#insights-brief-count", title: "The brief", text: "What you pinned, with a sentence of yours, as one file or on paper." },
  ]);
  add("crayon", [
    { at: "#crayon-tiles", title: "Is the model right for the wrong reason?", text: "Accuracy over all, and in the worst group: a gap means that it leans on something that should not matter." },
    { at: "#crayon-groups", title: "By group", text: "Which groups suffer. Numbers come with how many images they rest on." },
    { at: "#crayon-gallery", title: "Where it looks", text: "Images with the map of what decided. Filter by group or by what went wrong." },
    { at: "#crayon-page [role=tablist]", title: "Four steps", text: "Diagnose, ask people yes or no about attention, train with their answers, compare with the original." },
  ]);
})(window.loupe.tour);
