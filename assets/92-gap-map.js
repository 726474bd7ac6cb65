/* Modality gap: the layouts side by side, with one selection and one chosen pair in all of them. Few points are a
 * figure of plotly's; many are drawn by 92-gap-points.js, the first picture at once and better ones as they come. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {PAGE, now, at, isHere, set, value, say, honest, named, ask, load, failed, query, pairs, thumb, number, percent, count, draw, drawn, plot} = loupe.gap;
    const PANELS = [0, 1, 2, 3], LINES = 0, IMAGES = 1, TEXTS = 2, CHOSEN = 3, KEYS = ["count", "seed", "neighbours", "spread"];
    let wanted = "", figures = []; // a figure a panel; null where points are drawn

    async function step(values, told) {
        controls(values);
        const mine = [values.spaces, ...KEYS.map((key) => values[key])].join(" ");
        if (mine === wanted) { mark(); rescale(values.scale); return; }
        wanted = mine;
        say("map", "loading", {keep: Boolean(figures.length)});
        const asked = Object.fromEntries(["spaces", ...KEYS].map((key) => [key, values[key]]));
        try {
            const found = await load("map", `/_gap/map?${query(asked)}`, () => mine === wanted);
            if (mine !== wanted || !isHere() || !found.maps) return;
            await Promise.all(told.spaces.map(pairs));
            await put(found, told);
            if (mine !== wanted || !isHere()) return;
            say("map", "ready");
            about(found, values, told);
            refine(found, mine, asked);
        } catch (error) {
            if (mine !== wanted) return;
            wanted = "";
            failed("map", error);
        }
    }

    function about(found, values, told) {
        const [{n, recall, kept, points}] = found.maps, near = kept.length ? `; ${percent(kept[1])} of them lie near here, ${percent(kept[0])} in the first picture` : "";
        const how = !points ? "" : found.refining.length ? "first picture from 1,000 landmarks" : `all points moved, ${percent(recall)} of the true neighbours known${near}`;
        honest("map", [`${count(n)} of ${count(told.spaces[0].n)} pairs`, `seed ${values.seed}`, `${values.neighbours} neighbours`, how, ...told.spaces.map(named), "measured here"]);
    }

    /** Better pictures are made meanwhile: each takes the place of the one before, with view and marks as they are. */
    function refine(found, mine, asked) {
        let shown = "";
        found.refining.forEach((job) => loupe.jobs.watch(job, async (view) => {
            const isDone = view.state === "done", isNew = isDone || (view.message.startsWith("picture") && view.message !== shown);
            if (mine !== wanted || !isHere() || !isNew) return;
            shown = view.message;
            const better = await ask(`/_gap/map?${query(asked)}`).catch(() => null);
            if (mine !== wanted || !isHere() || !better?.maps) return;
            await put(better, now.told);
            counted(better.refining.length ? view : null);
            if (isDone) about(better, loupe.state.current().values, now.told);
        }));
    }

    async function put(found, told) {
        now.maps = found;
        figures = found.maps.map(({figure}) => figure || null);
        at("map").style.setProperty("--panels", figures.length);
        const drawn = await Promise.all(PANELS.map((i) => {
            at(`place-${i}`).hidden = i >= figures.length;
            if (i >= figures.length) return null;
            const held = told.spaces[i], {el} = loupe.dom;
            at(`panel-${i}`).replaceChildren(el("b", {style: `--colour:${held.colour}`}, held.title), ` ${held.note}`);
            at(`place-${i}`).dataset.drawn = figures[i] ? "figure" : "points"; // of the graph itself Dash may make another element
            if (!figures[i]) return loupe.gapPoints.put(i, found.maps[i], {selected, choose: (row) => set("pair", row), hover, unhover});
            render(i);
            return figures[i].data[IMAGES].customdata;
        }));
        now.rows = drawn[0] || [];
        greyed();
        mark();
        if (value("pair") < 0 && now.rows.length) set("pair", now.rows[0]);
    }

    /** Lines and scales are those of figures; points have neither, and the boxes say so. */
    function greyed() {
        const isPoints = figures.every((one) => !one);
        at("layout")?.querySelectorAll("input[type=checkbox]").forEach((box) => {
            box.disabled = isPoints;
            box.closest("label").title = isPoints ? "So many pairs are drawn as points, without lines and each panel as large as it is. Draw fewer to have this." : "";
        });
    }

    let isOneScale = true;
    function rescale(isOne) {
        if (isOne === isOneScale) return;
        isOneScale = isOne;
        figures.forEach((figure, i) => { if (figure) render(i); });
    }

    const rowsOf = (figure) => Array.from(figure.data[IMAGES].customdata);
    const xy = (trace, i) => [trace.x[i], trace.y[i]];

    /** The figure with selection, lines and chosen pair as they are now; drawn anew only when it is new. */
    async function render(i) {
        const figure = figures[i];
        dress(figure, i);
        draw(`graph-${i}`, figure);
        const graph = await drawn(`graph-${i}`, figure);
        if (graph && figures[i] === figure && !graph.dataset.bound) bind(graph, i);
    }

    function selectedIds(i) {
        const {items, ids} = loupe.selection.current();
        return items === now.told?.spaces[i]?.set ? ids : [];
    }

    function selected(i, ids) {
        const held = now.told?.spaces[i];
        if (held) loupe.selection.set({items: held.set, ids}, PAGE);
    }

    function selectedIn(i) {
        const has = new Set(selectedIds(i));
        if (!has.size) return null;
        return rowsOf(figures[i]).flatMap((row, k) => (has.has(row) ? [k] : []));
    }

    function chosenIn(i) {
        const k = rowsOf(figures[i]).indexOf(Number(value("pair")));
        if (k < 0) return {x: [], y: []};
        const ends = [xy(figures[i].data[IMAGES], k), xy(figures[i].data[TEXTS], k)];
        return {x: ends.map(([x]) => x), y: ends.map(([, y]) => y)};
    }

    function dress(figure, i) {
        const points = selectedIn(i);
        [IMAGES, TEXTS].forEach((trace) => { figure.data[trace].selectedpoints = points; });
        figure.data[LINES].visible = value("lines") !== false;
        scale(figure);
        Object.assign(figure.data[CHOSEN], chosenIn(i));
    }

    /** One scale in all panels, or each as large as it is. */
    function scale(figure) {
        const isOne = value("scale") !== false, ends = [IMAGES, TEXTS].flatMap((trace) => [...figure.data[trace].x, ...figure.data[trace].y]);
        const reach = isOne ? now.maps.reach : 1.06 * ends.reduce((most, one) => Math.max(most, Math.abs(one)), 0.1);
        ["xaxis", "yaxis"].forEach((axis) => { figure.layout[axis].range = [-reach, reach]; });
        figure.layout.uirevision = `${wanted} ${isOne}`;
    }

    /** Selection, lines or the chosen pair changed: restyle in place. */
    function mark() {
        figures.forEach((figure, i) => {
            if (!figure) { loupe.gapPoints.mark(i, selectedIds(i), Number(value("pair"))); return; }
            const graph = plot(`graph-${i}`);
            dress(figure, i);
            if (!graph?.data || graph.data.length !== figure.data.length) return;
            const points = figure.data[IMAGES].selectedpoints, ring = figure.data[CHOSEN];
            window.Plotly.restyle(graph, {selectedpoints: [points, points]}, [IMAGES, TEXTS]);
            window.Plotly.restyle(graph, {visible: figure.data[LINES].visible}, [LINES]);
            window.Plotly.restyle(graph, {x: [ring.x], y: [ring.y]}, [CHOSEN]);
        });
        counted();
    }

    function counted(refining) {
        const line = at("chosen"), {items, ids} = loupe.selection.current();
        if (!line) return;
        const isShown = now.told?.spaces.some((one) => one.set === items) && ids.length;
        const better = refining ? `, ${percent(refining.fraction, 0)} of the moves made` : "";
        line.textContent = (isShown ? `${count(ids.length)} pairs selected${ids.length > 20000 ? ", too many for a link" : ""}` : "Lasso to select, press a point to choose its pair") + better;
    }

    function bind(graph, i) {
        graph.dataset.bound = "true";
        graph.on("plotly_click", ({points: [point]}) => { if (Number.isFinite(point?.customdata)) set("pair", point.customdata); });
        graph.on("plotly_selected", (event) => selected(i, [...new Set((event?.points || []).map((point) => point.customdata).filter(Number.isFinite))]));
        graph.on("plotly_deselect", () => selected(i, []));
        graph.on("plotly_hover", ({points: [point], event}) => { if (point) hover(i, point.customdata, point.curveNumber, event); });
        graph.on("plotly_unhover", unhover);
    }

    async function hover(i, row, trace, event) {
        const held = now.told?.spaces[i], {el} = loupe.dom;
        if (!held || !Number.isFinite(row)) return;
        const {captions} = await pairs(held);
        let tip = document.getElementById("modality-gap-tip");
        if (!tip) {
            tip = el("div", {id: "modality-gap-tip", class: "gap-tip", role: "tooltip"});
            document.body.append(tip);
        }
        const gap = now.gaps?.get(held.key)?.[row];
        tip.replaceChildren(thumb(held, row, 56), el("span", {}, el("b", {}, captions[row] || `pair ${row}`), el("span", {class: "lp-muted"}, trace === IMAGES ? "image" : "text"),
            gap === undefined ? null : el("span", {class: "lp-muted"}, `gap ${number(gap)}`)));
        tip.hidden = false;
        const x = Math.min(event.clientX + 14, innerWidth - 250), y = Math.min(event.clientY + 14, innerHeight - 90);
        tip.style.transform = `translate(${x}px, ${y}px)`;
    }

    function unhover() {
        const tip = document.getElementById("modality-gap-tip");
        if (tip) tip.hidden = true;
    }

    /** Neighbours and least distance: small fields over the panels, written when left. */
    function controls(values) {
        const {el} = loupe.dom, host = at("layout");
        if (!host.children.length) {
            const field = (key, label, more) => el("label", {}, label, el("input", {class: "lp-field", type: "number", "data-key": key, ...more,
                onchange: ({target}) => { if (target.checkValidity() && target.value !== "") set(key, Number(target.value)); else target.value = value(key); }}));
            const box = (key, label) => el("label", {}, el("input", {type: "checkbox", "data-key": key, onchange: ({target}) => set(key, target.checked)}), label);
            host.append(box("lines", "pair lines"), box("scale", "one scale"), field("neighbours", "UMAP neighbours", {min: 2, max: 200, step: 1}), field("spread", "least distance", {min: 0, max: 0.99, step: 0.01}));
        }
        host.querySelectorAll("input").forEach((input) => {
            if (input.type === "checkbox") input.checked = values[input.dataset.key] !== false;
            else if (document.activeElement !== input) input.value = values[input.dataset.key];
        });
    }

    loupe.selection.onChange(() => { if (isHere()) mark(); });
    document.addEventListener("loupe:gap-theme", () => figures.forEach((figure, i) => (figure ? draw(`graph-${i}`, figure) : loupe.gapPoints.redraw(i))));
    loupe.gapPage.onShow(step);
    loupe.gapPage.onLeave((card) => {
        if (card && card !== "map") return;
        wanted = "";
        figures = [];
        unhover();
    });
    loupe.gapMap = {mark};
})(window.loupe);
