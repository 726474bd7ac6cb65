/* NERO detail view "arrows": for each model the error map of the chosen element, bright where the
 * error is low, under the arrows of the truth (black) and of the prediction (the model's colour). A
 * window of 8 x 8 arrows is drawn larger beside it; a click moves it. The window stays with the flow:
 * in another orientation it is where the same part of the flow has gone. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {create, array, number, label, key, ownKeys, square} = loupe.neroView;
    const FAR = 4; // steps with Shift
    const data = () => loupe.neroField;
    const group = () => loupe.neroSquare;

    function build(context, redraw) {
        const {el} = loupe.dom;
        const parts = {panels: [], middle: [0.5, 0.5], state: null, redraw, low: el("span", {}), high: el("span", {}),
            grid: el("div", {class: "nero-panels nero-panels-wide"})};
        parts.bar = el("canvas", {class: "nero-bar", width: "64", height: "1", "aria-hidden": "true"});
        rainbow(parts.bar);
        parts.root = el("div", {class: "nero-column", role: "group"}, parts.grid,
            el("div", {class: "nero-keys"}, key("black", "truth"), key("model", "prediction"),
                el("span", {class: "nero-key"}, "error", parts.low, parts.bar, parts.high)));
        return parts;
    }

    /** The scale of the map: bright is a low error. */
    function rainbow(canvas) {
        const context = canvas.getContext("2d");
        for (let x = 0; x < canvas.width; x++) {
            context.fillStyle = `rgb(${loupe.neroCanvas.viridis(1 - x / (canvas.width - 1)).join(" ")})`;
            context.fillRect(x, 0, 1, 1);
        }
    }

    function panel(model, parts) {
        const {el} = loupe.dom, near = square({"aria-hidden": "true"});
        const whole = square({tabindex: "0", role: "img", class: "is-cross",
            "aria-label": `Error map of ${model.title}`});
        const caption = el("span", {class: "nero-verdict-words"}), sizes = [el("span", {}), el("span", {})];
        const place = (event) => {
            const box = whole.canvas.getBoundingClientRect();
            lookAt(parts, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
        };
        loupe.neroPointer.drag(whole.canvas, {start: (event) => { place(event); return true; }, move: place});
        ownKeys(whole.canvas, (direction, isFar) => nudge(parts, direction, isFar ? FAR : 1));
        const sized = (size) => el("div", {class: "nero-arrow-key"}, el("i", {class: "nero-arrow"}), size);
        return {whole: whole.canvas, near: near.canvas, caption, sizes,
            root: el("figure", {class: "nero-panel", style: `--model: ${model.colour}`},
                el("figcaption", {}, el("span", {class: "nero-title", title: model.title}, model.title), caption),
                el("div", {class: "nero-pair"}, el("div", {}, whole.stage, sized(sizes[0])),
                    el("div", {}, near.stage, sized(sizes[1]))))};
    }

    function panels(parts, models) {
        const asked = models.map(({title, colour}) => title + colour).join("\n");
        if (parts.asked === asked) return;
        parts.asked = asked;
        parts.panels = models.map((model) => panel(model, parts));
        parts.grid.replaceChildren(...parts.panels.map(({root}) => root));
    }

    // --- the window --------------------------------------------------------------------------------

    /** Move the window's middle to a point of the map as shown, 0..1 from the top left. */
    function lookAt(parts, fx, fy) {
        if (!parts.state) return;
        const back = group().inverse(parts.state.element);
        parts.middle = group().point(Math.min(1, Math.max(0, fx)), Math.min(1, Math.max(0, fy)), back);
        paint(parts);
    }

    function nudge(parts, direction, by) {
        const {size} = data().sizes(parts.state), corner = windowOf(parts), half = data().WINDOW / 2;
        const [dx, dy] = {left: [-by, 0], right: [by, 0], up: [0, -by], down: [0, by]}[direction];
        const middle = (v, d) => Math.min(size - half, Math.max(half, v + half + d)) / size;
        lookAt(parts, middle(corner[0], dx), middle(corner[1], dy));
    }

    /** First column and row of the window in the orientation shown. */
    function windowOf(parts) {
        const {size} = data().sizes(parts.state), {WINDOW} = data();
        const middle = group().point(...parts.middle, parts.state.element);
        return middle.map((v) => Math.min(size - WINDOW, Math.max(0, Math.round(v * size - WINDOW / 2))));
    }

    // --- drawing -----------------------------------------------------------------------------------

    function draw(parts, state) {
        parts.state = state;
        panels(parts, state.models);
        paint(parts);
    }

    function paint(parts) {
        const {state} = parts;
        if (!state.models.some((_, i) => array(state, `field_${i}`))) return;
        const range = data().range(state);
        parts.low.textContent = `${number(range[0])} px`;
        parts.high.textContent = `≥ ${number(range[1])} px`;
        state.models.forEach((model, i) => {
            const parts_ = parts.panels[i], seen = data().seen(state, i);
            if (!seen) return;
            parts_.caption.textContent = `mean error ${number(data().mean(seen.error.values))} px`;
            whole(parts, parts_, seen, range, model.colour);
            near(parts, parts_, seen, range, model.colour);
        });
    }

    /** The map as pixels; missing errors are left clear. */
    function map(error, [low, high]) {
        const image = new ImageData(error.width, error.height);
        error.values.forEach((value, i) => {
            if (!Number.isFinite(value)) return;
            const [r, g, b] = loupe.neroCanvas.viridis(1 - (value - low) / (high - low || 1));
            image.data.set([r, g, b, 255], 4 * i);
        });
        return image;
    }

    /** Arrows of a part of the field: every `stride`-th from (x0, y0), `count` of them each way. */
    function pick(field, size, [x0, y0], count, stride, cell, zoom) {
        const list = [], area = size * size;
        for (let row = 0; row < count; row++) {
            for (let column = 0; column < count; column++) {
                const i = (y0 + row * stride) * size + x0 + column * stride, u = field[i], v = field[area + i];
                if (!Number.isFinite(u) || !Number.isFinite(v)) continue;
                const [x, y, dx, dy] = [(column + 0.5) * cell, (row + 0.5) * cell, u * zoom, v * zoom];
                list.push([x - dx / 2, y - dy / 2, dx, dy]);
            }
        }
        return list;
    }

    function layers(context, seen, colour, places, width) {
        const {arrows} = loupe.neroCanvas;
        if (seen.against) {
            arrows(context, places(seen.against), {colour: "#000", width, halo: "rgb(255 255 255 / 65%)"});
        }
        arrows(context, places(seen.field), {colour, width: width * 2.1, opacity: 0.5});
    }

    function whole(parts, panel_, seen, range, colour) {
        const {context, width} = loupe.neroCanvas.fit(panel_.whole), {size} = seen, {WINDOW} = data();
        if (!width) return;
        panel_.image = map(seen.error, range);
        context.imageSmoothingEnabled = false;
        context.drawImage(loupe.neroCanvas.picture(panel_.image), 0, 0, width, width);
        const stride = Math.max(1, Math.ceil(size * 11 / width)), count = Math.floor(size / stride);
        const cell = width / (size / stride), zoom = cell / data().longest(parts.state);
        const first = Math.floor((size - (count - 1) * stride - 1) / 2);
        const shift = (first + 0.5) * width / size - cell / 2;
        context.save();
        context.translate(shift, shift);
        layers(context, seen, colour, (field) => pick(field, size, [first, first], count, stride, cell, zoom), 1.1);
        context.restore();
        const [x, y] = windowOf(parts).map((v) => v * width / size), side = Math.min(WINDOW, size) * width / size;
        loupe.neroCanvas.box(context, [x, y, x + side, y + side], {colour: "#fff", width: 1.75});
        reference(parts, panel_.sizes[0], zoom);
    }

    function near(parts, panel_, seen, range, colour) {
        const {context, width} = loupe.neroCanvas.fit(panel_.near), {size, error} = seen;
        if (!width) return;
        const corner = windowOf(parts), count = Math.min(data().WINDOW, size), cell = width / count;
        const [x, y] = corner.map((v) => v / size), part = count / size;
        context.fillStyle = "#fff"; // arrows are what counts here: the map is only a tint, in both themes
        context.fillRect(0, 0, width, width);
        context.globalAlpha = 0.5;
        context.imageSmoothingEnabled = false;
        context.drawImage(loupe.neroCanvas.picture(panel_.image), x * error.width, y * error.height,
            part * error.width, part * error.height, 0, 0, width, width);
        context.globalAlpha = 1;
        const zoom = cell / data().longest(parts.state);
        layers(context, seen, colour, (field) => pick(field, size, corner, count, 1, cell, zoom), 1.8);
        reference(parts, panel_.sizes[1], zoom);
    }

    /** How long an arrow of a round number of px is drawn here. */
    function reference(parts, words, zoom) {
        const px = data().round(data().longest(parts.state));
        words.textContent = `${Number(px.toPrecision(2))} px`;
        words.previousSibling.style.width = `${(px * zoom).toFixed(1)}px`;
    }

    function words(state) {
        const told = state.models.map((model, i) => {
            const seen = data().seen(state, i);
            const told = seen ? `mean error ${number(data().mean(seen.error.values))} px` : "loading";
            return `${model.title}: ${told}`;
        });
        const against = state.mode === "consensus" ? "the consensus" : "the truth";
        return `Error maps and arrows at ${label(state)}, compared with ${against}. ${told.join("; ")}. `
            + "Arrow keys on a map move the window of eight by eight arrows.";
    }

    let mounted = null;
    loupe.neroDetails.arrows = {...create({name: "arrows", height_px: 260, narrow_px: 440, draw, words,
        build: (context, redraw) => (mounted = build(context, redraw))}),
        /** Move the window to a point of the map as shown, 0..1 from the top left. */
        lookAt: (fx, fy) => mounted && lookAt(mounted, fx, fy),
        /** First column and row of the window in the orientation shown. */
        corner: () => mounted && mounted.state && windowOf(mounted)};
})(window.loupe);
