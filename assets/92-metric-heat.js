/* Metric learning: the table of losses and properties, as one drawing that can be saved. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;
    const NS = "http://www.w3.org/2000/svg";
    const NAME = 142, CELL = 36, ROW = 22, HEAD = 44;
    const FAMILIES = {own: "your models", ranking: "ranking", classification: "classification", none: "not trained"};

    function svg(tag, attributes, ...children) {
        const made = document.createElementNS(NS, tag);
        Object.entries(attributes || {}).forEach(([key, v]) => { if (v !== undefined && v !== null) made.setAttribute(key, v); });
        made.append(...children.filter((child) => child !== null && child !== undefined));
        return made;
    }

    /** Rows in order: by family with its mean after it, or by the chosen property. */
    function rows({sort, property}) {
        const {losses} = m.now.told;
        const strength = (one) => measured(one.key, property).nr ?? -Infinity;
        if (sort === "value") return [...losses].sort((a, b) => strength(b) - strength(a)).map((one) => ({kind: "loss", ...one}));
        const found = [];
        Object.keys(FAMILIES).forEach((family) => {
            const held = losses.filter((one) => one.family === family);
            found.push(...held.map((one) => ({kind: "loss", ...one})));
            if (held.length > 1 && family !== "own") found.push({kind: "mean", key: family, title: `mean ${FAMILIES[family]}`, family, of: held.map((one) => one.key)});
        });
        return found;
    }

    const measured = (loss, name) => m.now.told.cells[loss]?.[name] || {};
    const mean = (all) => all.reduce((sum, v) => sum + v, 0) / all.length;

    function cellOf(row, name, measure) {
        const keys = row.kind === "mean" ? row.of : [row.key];
        return {
            here: mean(keys.map((key) => measured(key, name)[measure])),
            reported: mean(keys.map((key) => m.now.told.reported[key]?.[name])),
            nr: mean(keys.map((key) => measured(key, name).nr)),
            sd: row.kind === "mean" ? null : measured(row.key, name).sd,
            p: Math.max(...keys.map((key) => measured(key, name).p)),
            r: mean(keys.map((key) => measured(key, name).r)),
            chance: mean(keys.map((key) => measured(key, name).chance)),
        };
    }

    /** The share of the colour scale: of the root, so that small values can be told apart. */
    const shade = (v, top) => Math.sqrt(Math.max(0, v) / top);

    const text = (v, measure) => (measure === "p" ? m.pvalue(v).replace("< 0.001", "<.001").replace("0.", ".") : measure === "r" || measure === "kappa" ? m.number(v, 3).replace("0.", ".") : m.number(v, Math.abs(v) >= 9.95 ? 1 : 2));

    function tops({source, measure}, shown) {
        const all = shown.filter((row) => row.kind === "loss").flatMap((row) => m.now.told.properties.map(({name}) => cellOf(row, name, measure)));
        const best = (key) => Math.max(1e-9, ...all.map((cell) => cell[key]).filter(Number.isFinite));
        return {here: measure === "p" ? 1 : best("here"), reported: source === "measured" ? 1 : best("reported")};
    }

    function heads(left) {
        const {properties} = m.now.told, found = [];
        let at = 0;
        while (at < properties.length) {
            const {group} = properties[at];
            let end = at;
            while (end < properties.length && properties[end].group === group) end += 1;
            const wide = (end - at) * CELL;
            found.push(svg("text", {x: left + at * CELL + wide / 2, y: 14, class: "metric-head-group"}, group),
                svg("line", {x1: left + at * CELL + 3, x2: left + at * CELL + wide - 3, y1: 20, y2: 20, class: "metric-rule"}));
            at = end;
        }
        properties.forEach((one, k) => {
            const label = {Saturation: "Sat.", Rotation: "Rot.", Elevation: "Elev."}[one.title] || one.title;
            found.push(svg("text", {x: left + k * CELL + CELL / 2, y: 36, class: "metric-head-name", "data-on": one.name === m.value("property") ? "" : undefined}, label));
        });
        return found;
    }

    function cell(row, one, x, y, given, top) {
        const held = cellOf(row, one.name, given.measure);
        const isReported = given.source === "reported", v = isReported ? held.reported : held.here;
        const measure = isReported ? "nr" : given.measure;
        const isThere = Number.isFinite(v), rgb = !isThere ? null : measure === "p" ? m.viridis(1 - Math.min(1, v)) : m.viridis(shade(v, isReported ? top.reported : top.here));
        const isOn = row.kind === "loss" && row.key === given.loss && one.name === given.property;
        const tall = given.source === "both" ? 34 : ROW;
        const parts = [svg("rect", {x: x + 0.5, y: y + 0.5, width: CELL - 1, height: tall - 1, rx: 2, fill: isThere ? m.css(rgb) : "var(--lp-raised)", class: isOn ? "metric-cell-on" : null})];
        const ink = isThere ? m.ink(rgb) : "var(--lp-muted)", sure = (isReported ? v : held.nr) > m.now.told.significant;
        parts.push(svg("text", {x: x + CELL / 2, y: y + 15, style: `fill:${ink}`, class: "metric-value", "text-decoration": sure ? "underline" : null, "font-weight": row.kind === "mean" ? 650 : null}, text(v, measure)));
        if (!isReported && held.p < 0.01) parts.push(svg("circle", {cx: x + CELL - 5, cy: y + 5, r: 1.6, fill: ink}));
        if (given.source === "both") parts.push(svg("text", {x: x + CELL / 2, y: y + 28, style: `fill:${ink}`, class: "metric-value metric-beside"}, m.number(held.reported, held.reported >= 9.95 ? 1 : 2)));
        const isOwn = row.family === "own", n = m.now.told.n.toLocaleString("en-US");
        const spread = isOwn ? ` (one network, n = ${n})` : held.sd === null || !Number.isFinite(held.sd) ? "" : ` ± ${m.number(held.sd)} over 3 folds`;
        const said = !isThere ? (isOwn && !isReported ? "not measured yet; press to measure it" : "not reported") : isReported ? `reported ${m.number(v)} (n = 100,000)` : `NR-Prec ${m.number(held.nr)}${spread}; R-Precision ${m.number(held.r, 3)}, chance ${m.number(held.chance, 3)}; p by shuffling after Holm (n = 1,500) ${m.pvalue(held.p)}; ${isOwn ? "nothing reported" : `reported ${m.number(held.reported)}`}`;
        const made = svg("g", {class: "metric-cell", "data-loss": row.kind === "loss" ? row.key : null, "data-property": one.name, tabindex: row.kind === "loss" ? (isOn ? 0 : -1) : null, role: row.kind === "loss" ? "button" : null, "aria-label": `${row.title}, ${one.full}: ${said}`}, ...parts, svg("title", {}, `${row.title} · ${one.full}\n${said}`));
        return made;
    }

    function draw(given) {
        const shown = rows(given), {properties} = m.now.told, top = tops(given, shown);
        const tall = given.source === "both" ? 34 : ROW, height = HEAD + shown.length * tall + 8, width = NAME + properties.length * CELL + 2;
        const parts = [...heads(NAME)];
        shown.forEach((row, i) => {
            const y = HEAD + i * tall;
            parts.push(svg("text", {x: NAME - 8, y: y + 15, class: `metric-row-name${row.kind === "mean" ? " metric-mean" : ""}`, "data-on": row.key === given.loss ? "" : undefined}, row.title));
            if (given.source === "both" && row.kind === "loss") parts.push(svg("text", {x: NAME - 8, y: y + 28, class: "metric-row-name metric-beside-name"}, "reported"));
            properties.forEach((one, k) => parts.push(cell(row, one, NAME + k * CELL, y, given, top)));
        });
        const made = svg("svg", {viewBox: `0 0 ${width} ${height}`, width, height, class: "metric-heat", role: "group", "aria-label": "Losses by properties"}, ...parts);
        const host = m.at("heat-view"), focused = host.contains(document.activeElement);
        host.replaceChildren(made);
        if (focused) made.querySelector('[tabindex="0"]')?.focus();
        const isReported = given.source === "reported";
        m.honest("heat", isReported ? ["reported in the paper, not measured here", m.now.told.reported_source]
            : ["measured here", `n = ${m.data()}`, "mean of 3 folds", `weights ${m.now.told.weights.slice(0, 8)}`, m.now.told.losses.some((one) => m.isOwn(one.key)) ? `your models: one network each, ${given.distance.replace("_", " ")} distance` : "", given.source === "both" ? "below each: reported at n = 100,000, other data and networks" : ""]);
        m.say("heat", "ready");
    }

    function choose(target) {
        const held = target.closest?.(".metric-cell[data-loss]");
        if (!held) return;
        const {loss, property} = held.dataset;
        if (m.value("loss") === loss && m.value("property") === property) { values(); return; }
        if (m.value("loss") !== loss) m.set("loss", loss);
        if (m.value("property") !== property) m.set("property", property);
    }

    /** The chosen cell once more: what it is made of, value by value. */
    function values() {
        m.set("view", "values");
        m.at("values")?.scrollIntoView({block: "nearest"});
    }

    const MOVES = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
    function move(event) {
        const held = event.target.closest?.(".metric-cell[data-loss]");
        if (!held) return;
        if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            choose(held);
            return;
        }
        if (!MOVES[event.key]) return;
        event.preventDefault();
        const cells = [...held.closest("svg").querySelectorAll(".metric-cell[data-loss]")], wide = m.now.told.properties.length;
        const [down, right] = MOVES[event.key], i = cells.indexOf(held), column = (i % wide) + right;
        if (column < 0 || column >= wide) return;
        const next = cells[i + down * wide + right];
        if (!next) return;
        held.setAttribute("tabindex", -1);
        next.setAttribute("tabindex", 0);
        next.focus();
    }

    document.addEventListener("click", ({target}) => { if (m.at("heat-view")?.contains(target)) choose(target); });
    document.addEventListener("keydown", (event) => { if (m.at("heat-view")?.contains(event.target)) move(event); });
    loupe.metricPage.part("heat", ({loss, property, measure, source, sort}) => [loss, property, measure, source, sort, m.now.version].join(), draw);
    loupe.metricHeat = {svg};
})(window.loupe);
