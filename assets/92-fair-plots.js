/* Fair retrieval: plots that the server lays out, the predictor's table, and what a press on a point does. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, setProps, set, honest, percent, names, about, onAnswer} = loupe.fair;
    const GRAPHS = {curves: "fair-curves-graph", quantiles: "fair-quantiles-graph", tradeoff: "fair-tradeoff-graph", queries: "fair-queries-graph",
        methods: "fair-methods-graph", predictor: "fair-predictor-graph"};

    function draw(figures) {
        Object.entries(figures).forEach(([name, figure]) => {
            if (!at(GRAPHS[name])) return;
            now.figures[name] = figure;
            const made = structuredClone(figure);
            made.layout.template = loupe.theme.template();
            setProps(GRAPHS[name], {figure: made});
        });
        setTimeout(bind, 300);
    }

    /** A press on the trade-off takes its p, on a query opens it. */
    function bind() {
        [["tradeoff", (point) => { if (typeof point.customdata === "number") { set("method", "pbm"); set("p", point.customdata); } }],
            ["queries", (point) => { if (typeof point.customdata === "string") { set("typed", ""); set("query", point.customdata); } }]].forEach(([name, act]) => {
            const graph = at(GRAPHS[name])?.querySelector(".js-plotly-plot");
            if (!graph?.on || graph.dataset.bound) return;
            graph.dataset.bound = "true";
            graph.on("plotly_click", ({points: [point]}) => { if (point) act(point); });
        });
    }

    function predictor(told) {
        const {el} = loupe.dom, {confusion, sensitivity_plus: plus, sensitivity_minus: minus, ratio, f1} = told.predictor, order = [2, 0, 1];
        const head = el("tr", {}, el("th", {}, "true ↓ predicted →"), ...order.map((i) => el("th", {scope: "col"}, names()[i])));
        const rows = order.map((i) => {
            const total = confusion[i].reduce((a, b) => a + b, 0) || 1;
            return el("tr", {}, el("th", {scope: "row"}, names()[i]), ...order.map((j) => el("td", {style: `--share:${confusion[i][j] / total}`, "data-right": i === j ? "" : null}, confusion[i][j].toLocaleString("en-US"))));
        });
        const number = (label, value) => el("span", {}, el("i", {}, label), el("b", {}, value));
        const shown = (value) => (Number.isFinite(value) ? value.toFixed(2) : "–");
        at("fair-confusion").replaceChildren(el("table", {class: "fair-table"}, el("thead", {}, head), el("tbody", {}, ...rows)),
            el("div", {class: "fair-numbers"}, number(`recognised: ${names()[2]}`, percent(plus)), number(`recognised: ${names()[0]}`, percent(minus)), number("ratio", shown(ratio)), number("F1", shown(f1))));
    }

    onAnswer((values, told) => {
        draw(told.figures);
        predictor(told);
        at("fair-splits").toggleAttribute("hidden", Boolean(values.own));
        honest("fair-curves", [`“${told.query}”`, `first ${told.before.curve.length} of ${told.n.toLocaleString("en-US")}`, ...about()]);
        honest("fair-quantiles", [`“${told.query}”`, `${told.n.toLocaleString("en-US")} pictures in ${told.quantiles.bias.length} parts`, `ρ ${told.correlation.toFixed(2)}`, ...about()]);
        honest("fair-predictor", [`${told.n.toLocaleString("en-US")} pictures`, "measured here", ...about()]);
        if (now.survey && !values.own) loupe.fairPlots.chosen(values);
    });

    /** The figures over all queries. */
    function survey(values, told) {
        draw(told.figures);
        const line = [`${told.queries.length} queries`, `${told.n.toLocaleString("en-US")} pictures`, `K = ${values.k}`, "measured here", ...about()];
        ["fair-tradeoff", "fair-queries", "fair-methods"].forEach((card) => honest(card, line));
    }

    /** Another query is ringed without asking again. */
    function chosen({query}) {
        const figure = now.figures.queries, row = now.survey.points.find((one) => one.query === query);
        if (!figure || !row || figure.data.length < 3) return;
        Object.assign(figure.data[2], {x: [row.correlation, row.correlation_after], y: [row.bias, row.bias_after], name: query});
        draw({queries: figure});
    }

    if (loupe.theme) loupe.theme.onChange(() => { if (isHere()) draw({...now.figures}); });
    loupe.fairPlots = {survey, chosen};
})(window.loupe);
