/* Metric learning: one property of the query changed, drawn and measured. Drawn only while its tab is open. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;
    const SIDE = 128;

    async function draw(given) {
        const isNew = m.turn("sweep");
        const settings = {row: given.query, property: given.property};
        const held = await m.withOwn("sweep", "sweep", settings, m.run("sweep", "sweep", settings), given.loss, ["losses", "distances", "swaps", "slopes"]);
        if (!isNew()) return;
        strip(held);
        plot(held, given);
        slopes(held, given);
        m.honest("sweep", [`image ${given.query}`, `${m.property(given.property).full} changed, all else equal`, "measured here", m.fold(given.loss), `swaps among the 20 nearest of ${m.now.told.shown.toLocaleString("en-US")}`]);
        m.say("sweep", "ready");
    }

    function strip({images, values, own}) {
        const {el} = loupe.dom, size = SIDE * SIDE * 3;
        m.at("strip").replaceChildren(...values.data.map((text, k) => {
            const canvas = m.rendered(images.data.subarray(k * size, (k + 1) * size), SIDE);
            canvas.setAttribute("role", "img");
            canvas.setAttribute("aria-label", text);
            return el("figure", {"data-own": k === own.data[0]}, canvas, el("figcaption", {}, text));
        }));
    }

    /** Distances of every loss, each over its own largest, so that one axis serves all; the chosen one in front. */
    function plot({distances, values, losses}, {loss, property}) {
        const k = values.data.length;
        const traces = losses.data.map((key, i) => {
            const ys = Array.from(distances.data.subarray(i * k, (i + 1) * k)), card = m.loss(key), isOn = key === loss;
            const colour = card.family === "ranking" ? loupe.theme.models[0] : card.family === "classification" ? loupe.theme.models[2] : card.family === "own" ? loupe.theme.models[3] : loupe.theme.models[7];
            const top = Math.max(...ys.map(Math.abs)) || 1;
            return {x: values.data, y: ys.map((v) => v / top), customdata: ys, name: card.title, mode: isOn ? "lines+markers" : "lines", line: {color: colour, width: isOn ? 3 : 1}, opacity: isOn ? 1 : 0.4,
                hovertemplate: `${card.title}<br>%{x}: %{customdata:.3g}<extra></extra>`};
        });
        traces.sort((a, b) => a.line.width - b.line.width);
        m.draw("sweep-graph", traces, {margin: {l: 48, r: 8, t: 8, b: 40}, hovermode: "closest", xaxis: {type: "category", title: {text: m.property(property).full, standoff: 4}}, yaxis: {title: {text: "distance / its largest", standoff: 4}, rangemode: "tozero"}});
    }

    function slopes({slopes: found, swaps, losses, values, distances}, {loss}) {
        const {el} = loupe.dom, k = values.data.length;
        const row = (key, i) => {
            const [slope, low, high] = found.data.subarray(3 * i, 3 * i + 3);
            const flipped = swaps.data.subarray(i * k, (i + 1) * k).reduce((sum, v) => sum + v, 0) / (k - 1);
            const far = Math.max(...distances.data.subarray(i * k, (i + 1) * k));
            return el("tr", {"data-on": key === loss}, el("th", {scope: "row"}, m.loss(key).title), el("td", {}, m.number(far, 3)), el("td", {}, Number.isFinite(slope) ? `${m.number(slope, 4)} [${m.number(low, 4)}, ${m.number(high, 4)}]` : "–"), el("td", {}, `${Math.round(100 * flipped)} %`));
        };
        m.at("slopes").replaceChildren(el("table", {class: "metric-table"}, el("thead", {}, el("tr", {}, ...["Loss", "farthest", "slope a unit [95 %]", "pairs swapped"].map((text) => el("th", {scope: "col"}, text)))), el("tbody", {}, ...losses.data.map(row))));
    }

    loupe.metricPage.part("sweep", ({view, query, property, loss, distance}) => (view === "sweep" ? [query, property, loss, m.isOwn(loss) ? distance : ""].join() : null), draw);
})(window.loupe);
