/* Zoom-In: training on one's own images, and the page's keys. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, ask, percent} = loupe.zoom;

    const text = (id) => (at(id)?.value || "").trim();

    function tell(message, isBad) {
        const place = at("zoom-train-note");
        if (!place) return;
        place.textContent = message;
        place.classList.toggle("zoom-bad", Boolean(isBad));
    }

    /** A job with progress; the model is there once the page is opened again. */
    async function train() {
        const titles = now.told?.compare?.titles || {}, shown = text("zoom-train-base");
        const base = Object.keys(titles).find((key) => titles[key].title === shown) || now.told?.model?.key || shown;
        const body = {folder: text("zoom-train-folder"), name: text("zoom-train-name"), base,
            steps: Number(text("zoom-train-steps")), n_tiles: 16, seed: 0};
        if (!body.name) return tell("The model has no name. Use small letters, digits and hyphens.", true);
        try {
            const {job, result, model} = await ask("/_zoom/train", {method: "POST", body: JSON.stringify(body),
                headers: {"Content-Type": "application/json"}});
            tell(`Training ${model}…`);
            const view = await loupe.zoom.until(job, ({fraction, left_s: left}) => {
                const time = Number.isFinite(left) && left !== null ? `, ${loupe.dom.duration(left)} left` : "";
                tell(`Training ${model}: ${percent(fraction || 0)}${time}`);
            });
            if (view.state !== "done") return tell([view.error_message || "The training was cancelled.", view.error_hint].filter(Boolean).join(" "), true);
            const {arrays} = await loupe.wire.fetch(`/_data/${result}`);
            const right = arrays.held_out_right.data;
            tell(`${model} is trained: right on ${right.reduce((sum, one) => sum + one, 0)} of ${right.length} images that it did not see. Reload the page to choose it.`);
        } catch (error) {
            tell([error.message, error.hint].filter(Boolean).join(" "), true);
        }
        return null;
    }

    document.addEventListener("click", (event) => {
        if (event.target.closest?.("#zoom-train-start")) train();
    });

    const add = (key, label, run, when) => loupe.keys.add({scope: "zoom", key, label, run, when});
    ["First map α", "Second maps β", "Pieces", "Truth", "Class map"].forEach((name, i) =>
        add(String(i + 1), `Layer on or off: ${name}`, () => loupe.zoomControls.toggle(loupe.zoomLayers.LAYERS[i])));
    add("p", "Hold to peek: hide all layers", () => loupe.zoomControls.peek(true));
    add("PageDown", "Next image", () => loupe.zoomList.step(1));
    add("PageUp", "Previous image", () => loupe.zoomList.step(-1));
    add("]", "Next piece, by its effect", () => loupe.zoomPieces.step(1));
    add("[", "Previous piece", () => loupe.zoomPieces.step(-1));
    add("h", "Whole image", () => loupe.zoomViewer.home());
    add("+", "Closer", () => loupe.zoomViewer.zoomBy(1.6));
    add("-", "Further away", () => loupe.zoomViewer.zoomBy(1 / 1.6));
    add("f", "Full screen", () => loupe.zoomControls.full());
    add("l", "Look here: draw a rectangle", () => loupe.zoomControls.aim(!loupe.zoomControls.isAiming()));
    add("Shift+L", "Look into what is in view", () => {
        const box = loupe.zoomViewer.seen();
        if (box && now.image) loupe.zoomControls.region(box);
    });
    add("e", "Look everywhere again", () => loupe.zoomControls.everywhere());
    add("Escape", "Draw no rectangle", () => loupe.zoomControls.aim(false), () => loupe.zoomControls.isAiming());
})(window.loupe);
