/* Metric learning: how much rests on the background, and one car before others. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;
    const SIDE = 128;

    const robust = (loss) => (m.now.told.robustness.some((row) => row.loss === loss) ? loss : m.now.told.robustness[0].loss);

    /** Clean and corrupted MAP@R, joined by a line; one row a loss, with BGAugment below. */
    function overall() {
        const rows = m.now.told.robustness, names = rows.map((row) => `${m.loss(row.loss).title}${row.with_bg ? " + BGAugment" : ""}`);
        const colour = (row) => loupe.theme.models[row.with_bg ? 3 : 2];
        const y = rows.map((_, i) => i);
        const lines = rows.map((row, i) => ({x: [row.mean_corrupted, row.mean_clean], y: [i, i], mode: "lines", line: {color: colour(row), width: 3}, opacity: 0.5, hoverinfo: "skip"}));
        const dots = (key, symbol, name) => ({x: rows.map((row) => row[`mean_${key}`]), y, error_x: {type: "data", array: rows.map((row) => row[`std_${key}`]), thickness: 1, width: 3}, mode: "markers", name, marker: {size: 10, symbol, color: rows.map(colour)},
            customdata: rows.map((row) => 100 * row.drop), hovertemplate: `${name}: %{x:.3f} (drop %{customdata:.0f} %)<extra></extra>`});
        m.draw("ground-graph", [...lines, dots("clean", "circle", "clean"), dots("corrupted", "diamond-open", "other backgrounds")],
            {margin: {l: 8, r: 12, t: 8, b: 44}, xaxis: {title: {text: "MAP@R (● clean, ◇ other backgrounds)", standoff: 6}}, yaxis: {tickvals: y, ticktext: names, range: [rows.length - 0.4, -0.6], automargin: true, showgrid: false}, hovermode: "closest"});
        m.honest("ground", [`${m.now.told.ground.images.toLocaleString("en-US")} renders`, `mean and spread of ${m.now.told.ground.folds} folds`, `${m.now.told.ground.drawings} drawings of backgrounds`, "measured here"]);
        m.say("ground", "ready");
        m.draw("focus-graph", [{type: "bar", orientation: "h", x: rows.map((row) => row.focus), y, marker: {color: rows.map(colour)}, error_x: {type: "data", array: rows.map((row) => row.focus_sd), thickness: 1, width: 3}, hovertemplate: "focus %{x:.2f}<extra></extra>"}],
            {margin: {l: 8, r: 12, t: 8, b: 44}, xaxis: {title: {text: "focus score (0: as the car's area, 1: all on the car)", standoff: 6}}, yaxis: {tickvals: y, ticktext: names, range: [rows.length - 0.4, -0.6], automargin: true, showgrid: false}, bargap: 0.4});
        m.honest("focus", [`${m.now.likeness.n} renders, mean and spread over them`, m.fold(), "masks from the renderer", "measured here"]);
        m.say("focus", "ready");
    }

    async function swap({query, loss}) {
        const isNew = m.turn("swap"), {el} = loupe.dom, chosen = robust(loss);
        const held = await m.run("swap", "swap", {row: query, loss: chosen});
        if (!isNew()) return;
        const [, k] = held.distances.shape, size = SIDE * SIDE * 3, near = held.near.shape[2];
        const rows = Array.from({length: k}, (_, j) => {
            const canvas = m.rendered(held.images.data.subarray(j * size, (j + 1) * size), SIDE);
            const lists = held.models.data.map((name, i) => {
                const from = (i * k + j) * near, found = Array.from(held.near.data.subarray(from, from + near));
                const same = found.filter((row) => m.code(row, "car_model") === m.code(query, "car_model")).length;
                return el("div", {class: "metric-swap-list"}, el("span", {class: "metric-tile-caption"}, `${i ? "+ BGAugment" : m.loss(chosen).title}: ${same} of ${near} the same model${j ? `, moved ${m.number(held.distances.data[i * k + j], 3)}` : ""}`),
                    el("div", {class: "metric-picks"}, ...found.map((row) => el("button", {type: "button", class: "metric-pick", "data-on": m.code(row, "car_model") === m.code(query, "car_model"), "aria-label": `Image ${row}`, onclick: () => m.set("query", row)}, el("img", {src: m.picture(row), alt: "", width: 44, height: 44})))));
            });
            canvas.setAttribute("role", "img");
            canvas.setAttribute("aria-label", j ? `background ${j}` : "clean");
            return el("div", {class: "metric-swap-row"}, canvas, el("div", {}, ...lists));
        });
        m.at("swap-view").replaceChildren(...rows);
        m.honest("swap", [`image ${query}`, m.loss(chosen).title + (chosen === loss ? "" : ` (${m.loss(loss).title} was not trained on changed backgrounds)`), `among ${m.now.told.shown.toLocaleString("en-US")}`, m.fold(), "measured here"]);
        m.say("swap", "ready");
    }

    loupe.metricPage.part("ground", ({view}) => (view === "ground" ? "on" : null), overall);
    loupe.metricPage.part("swap", ({view, query, loss}) => (view === "ground" ? [query, loss].join() : null), swap);
})(window.loupe);
