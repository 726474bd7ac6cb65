/* Metric learning: the registered models, what is measured of them, and the button that does it. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;
    const STRONGEST = 3;

    function draw() {
        const {el} = loupe.dom, held = m.now.told.losses.filter((one) => m.isOwn(one.key));
        if (!held.length) {
            m.at("models-view").replaceChildren(el("p", {class: "metric-note"}, "No model is registered yet. Add one in the ", el("a", {href: "/library"}, "Library"), ", or with python -m backend models add FILE --name NAME; then open this page again."));
        } else {
            const row = (one) => el("tr", {"data-on": one.key === m.value("loss")}, el("th", {scope: "row"}, one.title), el("td", {}, one.format), el("td", {}, one.size), el("td", {}, one.numbers), el("td", {title: one.why_no_maps || null}, one.why_no_maps ? "no" : "yes"), el("td", {}, told(one)), el("td", {}, button(one)));
            m.at("models-view").replaceChildren(el("table", {class: "metric-table"}, el("thead", {}, el("tr", {}, ...["Model", "format", "takes", "numbers", "maps", "clusters by (NR-Prec)", ""].map((text) => el("th", {scope: "col"}, text)))), el("tbody", {}, ...held.map(row))),
                ...[...new Set(held.map((one) => one.why_no_maps).filter(Boolean))].map((text) => el("p", {class: "metric-note"}, text)));
        }
        m.honest("models", [`${held.length} embeddings of registered models`, `${m.now.told.n.toLocaleString("en-US")} renders ${m.now.told.data.slice(0, 8)}`, `${m.value("distance").replace("_", " ")} distance`]);
        m.say("models", "ready");
    }

    /** The strongest properties of a measured model. */
    function told({cells}) {
        if (!cells) return "not measured under this distance";
        return Object.entries(cells).sort(([, a], [, b]) => b.nr - a.nr).slice(0, STRONGEST).map(([name, cell]) => `${m.property(name).full} ${m.number(cell.nr)}`).join(", ");
    }

    const button = (one) => loupe.dom.el("button", {type: "button", class: "plot-card-button", "aria-label": `${one.cells ? "Show" : "Measure"} ${one.title}`, onclick: () => m.set("loss", one.key)}, one.cells ? "Show" : "Measure");

    loupe.metricPage.part("models", ({view, loss}) => (view === "own" ? [loss, m.now.version].join() : null), draw);
})(window.loupe);
