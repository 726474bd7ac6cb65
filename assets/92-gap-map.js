/* Modality gap: the layouts side by side, with one selection and one chosen pair in all of them. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {PAGE, now, at, isHere, set, value, say, honest, named, load, failed, query, pairs, thumb, number, count, draw, drawn, plot} = loupe.gap;
    const PANELS = [0, 1, 2, 3], LINES = 0, IMAGES = 1, TEXTS = 2, CHOSEN = 3, KEYS = ["count", "seed", "neighbours", "spread"];
    let wanted = "", figures = [];

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
            put(found, told);
            say("map", "ready");
            const [{n}] = found.maps, all = told.spaces[0].n;
            honest("map", [`${count(n)} of ${count(all)} pairs`, `seed ${values.seed}`, `${values.neighbours} neighbours`, ...told.spaces.map(named), "measured here"]);
        } catch (error) {
            if (mine !== wanted) return;
            wanted = "";
            failed("map", error);
        }
    }

    function put(found, told) {
        now.maps = found;
        figures = found.maps.map(({figure}) => figure);
        now.rows = [...figures[0].data[IMAGES].customdata];
        at("map").style.setProperty("--panels", figures.length);
        PANELS.forEach((i) => {
            at(`place-${i}`).hidden = i >= figures.length;
            if (i >= figures.length) return;
            const held = told.spaces[i], {el} = loupe.dom;
            at(`panel-${i}`).replaceChildren(el("b", {style: `--colour:${held.colour}`}, held.title), ` ${held.note}`);
            render(i);
        });
        counted();
        if (value("pair") < 0 && now.rows.length) set("pair", now.rows[0]);
    }

    let isOneScale = true;
    function rescale(isOne) {
        if (isOne === isOneScale) return;
        isOneScale = isOne;
        figures.forEach((_figure, i) => render(i));
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

    function selectedIn(i) {
        const {items, ids} = loupe.selection.current();
        if (items !== now.told?.spaces[i]?.set || !ids.length) return null;
        const has = new Set(ids);
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

    function counted() {
        const line = at("chosen"), {items, ids} = loupe.selection.current();
        if (!line) return;
        const isShown = now.told?.spaces.some((one) => one.set === items) && ids.length;
        line.textContent = isShown ? `${count(ids.length)} pairs selected` : "Lasso to select, press a point to choose its pair";
    }

    function bind(graph, i) {
        graph.dataset.bound = "true";
        graph.on("plotly_click", ({points: [point]}) => { if (Number.isFinite(point?.customdata)) set("pair", point.customdata); });
        graph.on("plotly_selected", (event) => {
            const held = now.told?.spaces[i];
            if (!held) return;
            const ids = [...new Set((event?.points || []).map((point) => point.customdata).filter(Number.isFinite))];
            loupe.selection.set({items: held.set, ids}, PAGE);
        });
        graph.on("plotly_deselect", () => loupe.selection.set({items: now.told?.spaces[i]?.set || "", ids: []}, PAGE));
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
    document.addEventListener("loupe:gap-theme", () => figures.forEach((figure, i) => draw(`graph-${i}`, figure)));
    loupe.gapPage.onShow(step);
    loupe.gapPage.onLeave((card) => {
        if (card && card !== "map") return;
        wanted = "";
        figures = [];
        unhover();
    });
    loupe.gapMap = {mark};
})(window.loupe);
