/* NERO detail view "boxes": the crop as each model gets it, with what it found. True box yellow,
 * consensus dashed green, at most three predictions in the model's colour: the more opaque the more
 * confident, the wider the better the overlap. The table has all of them, by rank. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {create, square, number, label, key} = loupe.neroView;
    const HEAD = ["#", "Class", "Conf.", "IOU"];
    const VERDICT = {true: "is-right", false: "is-wrong"}; // null: nobody knows the class
    const ROWS = 3; // always so many lines, so that nothing jumps
    const scene = () => loupe.neroScene;

    function build() {
        const {el} = loupe.dom;
        const parts = {panels: [], hot: null, grid: el("div", {class: "nero-panels"}),
            truth: key("truth", "true box"), consensus: key("consensus", "consensus"),
            line: key("boxes", "predictions: opacity is confidence, width is IOU")};
        parts.root = el("div", {class: "nero-column", role: "group"}, parts.grid,
            el("div", {class: "nero-keys"}, parts.truth, parts.consensus, parts.line));
        return parts;
    }

    function panel(model, parts, i) {
        const {el} = loupe.dom, {stage, canvas} = square({"aria-hidden": "true"});
        const body = el("tbody", {}), verdict = el("span", {class: "nero-verdict-words"});
        const table = el("table", {class: "nero-ranks", "aria-label": `Boxes of ${model.title}`},
            el("thead", {}, el("tr", {}, ...HEAD.map((name) => el("th", {scope: "col"}, name)))), body);
        const heat = (event) => {
            const row = event.target.closest ? event.target.closest("tr[data-rank]") : null;
            const hot = row && event.type !== "pointerleave" ? {i, rank: Number(row.dataset.rank)} : null;
            parts.hot = hot;
            if (parts.state) picture(parts, parts.state, i);
        };
        body.addEventListener("pointerover", heat);
        body.addEventListener("pointerleave", heat);
        return {canvas, body, verdict, root: el("figure", {class: "nero-panel", style: `--model: ${model.colour}`},
            el("figcaption", {}, el("span", {class: "nero-title", title: model.title}, model.title), verdict),
            el("div", {class: "nero-panel-body"}, stage, el("div", {class: "nero-scroll", tabindex: "0"}, table)))};
    }

    /** One panel a model; the same ones as long as the models are the same. */
    function panels(parts, models) {
        const asked = models.map(({title, colour}) => title + colour).join("\n");
        if (parts.asked === asked) return;
        parts.asked = asked;
        parts.hot = null;
        parts.panels = models.map((model, i) => panel(model, parts, i));
        parts.grid.replaceChildren(...parts.panels.map(({root}) => root));
    }

    function draw(parts, state) {
        parts.state = state;
        panels(parts, state.models);
        scene().keys(parts, state);
        state.models.forEach((_, i) => picture(parts, state, i)); // before the tables: they change the layout
        state.models.forEach((_, i) => table(parts.panels[i], scene().found(state, i), verdictOf(state, i)));
    }

    /** What is special about a model's answer: nothing there to find, or nothing found. */
    function verdictOf(state, i) {
        const found = scene().found(state, i), against = scene().reference(state, i);
        if (!found) return "";
        if (against && !against.seen) return "outside the crop";
        if (!found.length) return "no detection";
        const tie = found[1] && found[1].score === found[0].score ? " · tie, first counts" : "";
        return Number.isFinite(found[0].iou) ? `IOU ${number(found[0].iou)}${tie}` : "";
    }

    // --- the picture -------------------------------------------------------------------------------

    function picture(parts, state, i) {
        const {canvas} = parts.panels[i], {context, width} = loupe.neroCanvas.fit(canvas);
        if (!state.source || !width) return;
        const size = scene().WINDOW_PX, scale = width / size;
        const [left, top] = scene().corner(state.source, state.orbit, state.element);
        context.imageSmoothingQuality = "high";
        context.drawImage(loupe.neroCanvas.picture(state.source), left, top, size, size, 0, 0, width, width);
        const whole = scene().truths(state).map((row) => scene().inCrop(state, row));
        const agreed = scene().consensus(state, i);
        const scaled = (box) => box.map((v) => v * scale), {token, box} = loupe.neroCanvas;
        whole.forEach((row, k) => box(context, scaled(row.box),
            {colour: token(canvas, "--nero-truth"), width: k ? 1 : 2.5, opacity: k ? 0.7 : 1}));
        if (agreed) {
            box(context, scaled(scene().inCrop(state, agreed).box),
                {colour: token(canvas, "--nero-consensus"), dash: [6, 4], width: 2});
        }
        const found = scene().found(state, i) || [];
        const hot = parts.hot && parts.hot.i === i ? found.find(({rank}) => rank === parts.hot.rank) : null;
        predictions(context, hot ? [hot] : found.slice(0, scene().SHOWN), state.models[i].colour, scaled);
        const against = scene().reference(state, i);
        if (against && !against.seen) pointTo(context, against.box, scale, width);
        if (!found.length && view(state, i)) loupe.neroCanvas.plate(context, "No detection", width / 2, width / 2 - 10,
            {align: "center", size: 13});
    }

    const view = (state, i) => loupe.neroView.array(state, `boxes_${i}`);

    /** Weakest first, so that the strongest lies on top; each with its rank. */
    function predictions(context, rows, colour, scaled) {
        [...rows].reverse().forEach(({box, score, rank, iou}) => {
            const overlap = Number.isFinite(iou) ? iou : 0, place = scaled(box);
            const opacity = 0.3 + 0.7 * Math.min(1, Math.max(0, score));
            const style = {colour, opacity, width: 1.5 + 3 * overlap, halo: "rgb(255 255 255 / 60%)"};
            loupe.neroCanvas.box(context, place, style);
            const edge = context.canvas.clientWidth - 16;
            const [x, y] = [Math.min(edge, Math.max(2, place[0])), Math.min(edge, Math.max(2, place[1] - 18))];
            context.globalAlpha = Math.max(0.6, opacity);
            loupe.neroCanvas.plate(context, String(rank), x, y, {back: colour});
            context.globalAlpha = 1;
        });
    }

    /** The object is not in the crop: say so, with a mark at the rim on the side where it is. */
    function pointTo(context, [x0, y0, x1, y1], scale, width) {
        const inside = (v) => Math.min(width - 9, Math.max(9, v * scale));
        const [x, y] = [inside((x0 + x1) / 2), inside((y0 + y1) / 2)];
        const angle = Math.atan2((y0 + y1) / 2 * scale - y, (x0 + x1) / 2 * scale - x);
        context.save();
        context.translate(x, y);
        context.rotate(angle);
        Object.assign(context, {fillStyle: loupe.neroCanvas.token(context.canvas, "--nero-truth"),
            strokeStyle: "rgb(0 0 0 / 70%)", lineWidth: 1.5});
        context.beginPath();
        [[7, 0], [-5, -6], [-5, 6]].forEach(([px, py], k) => context[k ? "lineTo" : "moveTo"](px, py));
        context.closePath();
        context.stroke();
        context.fill();
        context.restore();
        loupe.neroCanvas.plate(context, "Object outside the crop", width / 2, y > width / 2 ? 8 : width - 28,
            {align: "center", size: 12});
    }

    // --- the table ---------------------------------------------------------------------------------

    /** All boxes by rank, as text; empty lines keep the height. */
    function table(panel, found, verdict) {
        const {el} = loupe.dom, rows = found || [];
        panel.verdict.textContent = verdict;
        const line = (row) => el("tr", {"data-rank": row.rank, class: row.rank > scene().SHOWN ? "is-more" : false},
            el("td", {}, String(row.rank)),
            el("td", {class: VERDICT[row.isRight], title: row.name}, row.name),
            el("td", {}, number(row.score)), el("td", {}, number(row.iou)));
        const empty = () => el("tr", {class: "is-empty"}, ...HEAD.map(() => el("td", {}, "–")));
        const lines = [...rows.map(line), ...Array.from({length: Math.max(0, ROWS - rows.length)}, empty)];
        panel.body.replaceChildren(...lines);
    }

    function words(state) {
        const told = state.models.map((model, i) => {
            const found = scene().found(state, i), against = scene().reference(state, i);
            if (!found) return `${model.title}: loading`;
            const where = against && !against.seen ? ", the object is outside the crop" : "";
            if (!found.length) return `${model.title}: no detection${where}`;
            const [best] = found, overlap = Number.isFinite(best.iou) ? `, IOU ${number(best.iou)}` : "";
            return `${model.title}: ${found.length} boxes, first ${best.name} with confidence `
                + `${number(best.score)}${overlap}${where}`;
        });
        return `Boxes at ${label(state)}. ${told.join("; ")}.`;
    }

    loupe.neroDetails.boxes = create({name: "boxes", height_px: 300, narrow_px: 320, build, draw, words});
})(window.loupe);
