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
  add("metric-learning", [
    { at: "#metric-learning-heat", title: "What each embedding clusters by", text: "Losses against properties: above 0, images of one value lie nearer together than chance. Faint cells are not significant. Press one, and once more for its values. Models of your own stand above, once registered." },
    { at: "#metric-learning-map", title: "The embedding itself", text: "Coloured by the property of that cell. Lasso images; they go to the selection." },
    { at: "#metric-learning-near", title: "Neighbours", text: "What is nearest to one image. Lit are the properties that they share." },
    { at: "#main [role=tablist]", title: "Why, and what to do", text: "Sweep one property, see where a loss looks, swap backgrounds, make an embedding from words, bring your own." },
  ]);
  add("modality-gap", [
    { at: "#modality-gap-map", title: "Images and texts in one space", text: "Lines join the pairs. Models stand side by side on aligned maps; an untrained one is among them." },
    { at: "#modality-gap-numbers", title: "Exact numbers", text: "Measured in the space itself, not on the map, with bootstrap intervals." },
    { at: "#modality-gap-slider", title: "Move the gap", text: "Drag: both clouds are pushed along the gap, and retrieval, zero-shot and loss follow at once." },
    { at: "#modality-gap-pair", title: "One pair", text: "Which word goes with which place of the picture, checked by deleting what is said to matter." },
    { at: "#modality-gap-find", title: "Retrieval", text: "Type a text to get pictures, or drop a picture to get texts." },
  ]);
  add("fair-retrieval", [
    { at: ".fair-limits", title: "What this is", text: "A method shown on drawn people, whose groups are known. It says nothing about real ones." },
    { at: "#fair-results", title: "Before and after", text: "The same neutral query by similarity alone, and balanced. Frames are groups; faint pictures are not what was asked for." },
    { at: "#fair-curves", title: "Down the list", text: "Bias against K. The green line is the K that is shown above." },
    { at: "#fair-tradeoff", title: "What balance costs", text: "Recall against bias over all queries, for every p." },
    { at: "#fair-predictor", title: "If groups must be guessed", text: "How often each predictor is right, and how that carries over to the balance." },
  ]);
  add("library", [
    { at: "#library-add-model", title: "A model of yours", text: "ONNX here; kinds that can run code by command, below. It answers on three items before it is kept." },
    { at: "#library-add-set", title: "Images of yours", text: "Arrays, a zip of class folders, or a folder on this machine. Bad rows, doubles and leaks between splits are told." },
    { at: "#library-models", title: "Where it opens", text: "Each card says what the model takes and gives, which views it opens in, and what the others lack." },
  ]);
  add("pinboard", [
    { at: "#pinboard-list", title: "What you found", text: "Pin any plot from its menu. Say what it shows, put pins in order, and open the live view from each." },
    { at: "#pinboard-import", title: "For others", text: "One HTML file to read, or a JSON file that another Loupe takes in." },
  ]);
})(window.loupe.tour);
