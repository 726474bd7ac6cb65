/* Metric learning: NR-Prec of each value of the property; a value's row selects its images. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;

    async function draw(given) {
        const isNew = m.turn("values"), lists = ["models", "nr_precision", "r_precision"];
        const held = await m.withOwn("values", "values", {}, m.run("values", "values", {}), given.loss, lists);
        if (!isNew()) return;
        const columns = [...held.property.data.keys()].filter((v) => held.property.data[v] === given.property);
        plot(held, columns, given);
        table(held, columns, given);
        m.honest("values", [`${m.now.told.shown.toLocaleString("en-US")} of ${m.data()}`, m.property(given.property).full, m.fold(given.loss), "ties in the order of the table", "measured here"]);
        m.say("values", "ready");
    }

    const at = ({data, shape}, row, v) => data[row * shape[1] + v];

    /** The other model that stands out: the second of the pair, unless it is the first. */
    const second = ({loss, other}) => (other === loss ? "none" : other);

    /** One line a model over the values; the chosen one and the second one in front. */
    function plot({models, value, images, nr_precision: nr}, columns, given) {
        const x = columns.map((v) => m.label(given.property, m.property(given.property).values.indexOf(value.data[v])));
        const traces = models.data.map((key, i) => {
            const isFirst = key === given.loss, isSecond = key === second(given), width = isFirst ? 3 : isSecond ? 2.5 : 1;
            return {x, y: columns.map((v) => at(nr, i, v)), customdata: columns.map((v) => images.data[v]), name: m.loss(key)?.title || key, mode: width > 1 ? "lines+markers" : "lines",
                line: {width, color: isFirst ? loupe.theme.models[0] : isSecond ? loupe.theme.models[1] : loupe.theme.models[7]}, opacity: width > 1 ? 1 : 0.3, showlegend: width > 1,
                hovertemplate: `${m.loss(key)?.title || key}<br>%{x}: %{y:.2f}, %{customdata} images<extra></extra>`};
        });
        traces.sort((a, b) => a.line.width - b.line.width);
        m.draw("values-graph", traces, {showlegend: true, legend: {orientation: "h", y: 1.12}, margin: {l: 48, r: 8, t: 30, b: 40}, hovermode: "closest", xaxis: {type: "category", title: {text: m.property(given.property).full, standoff: 4}}, yaxis: {title: {text: "NR-Prec of the value", standoff: 4}, rangemode: "tozero"}});
    }

    function table({models, value, images, nr_precision: nr, r_precision: r, chance}, columns, given) {
        const {el} = loupe.dom, i = models.data.indexOf(given.loss), j = models.data.indexOf(second(given));
        const total = columns.reduce((sum, v) => sum + images.data[v], 0);
        const mean = (row) => columns.reduce((sum, v) => sum + images.data[v] * (at(nr, row, v) || 0), 0) / total;
        const line = (v) => {
            const k = m.property(given.property).values.indexOf(value.data[v]);
            const pick = el("button", {type: "button", class: "metric-key-value", title: "Select its images", onclick: () => m.pick(given.property, k)}, m.label(given.property, k));
            return el("tr", {}, el("th", {scope: "row"}, pick), el("td", {}, images.data[v]), el("td", {}, m.number(at(nr, i, v))), el("td", {}, m.number(at(nr, j, v))), el("td", {}, m.number(at(r, i, v), 3)), el("td", {}, m.number(chance.data[v], 3)));
        };
        const first = m.loss(given.loss).title;
        m.at("values-view").replaceChildren(el("table", {class: "metric-table"}, el("thead", {}, el("tr", {}, ...[m.property(given.property).full, "images", first, m.loss(second(given)).title, "R-Prec", "chance"].map((text) => el("th", {scope: "col"}, text)))),
            el("tbody", {}, ...columns.map(line), el("tr", {"data-on": true}, el("th", {scope: "row"}, "all, NR-Prec"), el("td", {}, total), el("td", {}, m.number(mean(i))), el("td", {}, m.number(mean(j))), el("td"), el("td")))),
        el("p", {class: "metric-note"}, `R-Prec and chance are of ${first}. The second model is the second one of the likeness matrix.`));
    }

    loupe.metricPage.part("values", ({view, property, loss, other, distance}) => (view === "values" ? [property, loss, other, m.isOwn(loss) ? distance : ""].join() : null), draw);
})(window.loupe);
