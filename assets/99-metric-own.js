/* Metric learning: families of losses, and embeddings of the user's own. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;
    let about = null;

    // ---- families

    function families({unit}) {
        const {el} = loupe.dom, {losses, properties, cells} = m.now.told, tests = m.now.told.families[unit];
        const trace = (family, colour, shift) => {
            const x = [], y = [], text = [];
            losses.filter((one) => one.family === family).forEach((one) => properties.forEach((held, k) => {
                const cell = cells[one.key][held.name], found = unit === "fold" ? cell.folds : [cell.nr];
                found.forEach((v) => { x.push(v); y.push(k + shift); text.push(one.title); });
            }));
            return {x, y, text, name: family, mode: "markers", marker: {size: 6, color: colour, opacity: 0.75}, hovertemplate: "%{text}: %{x:.2f}<extra></extra>"};
        };
        const y = properties.map((_, k) => k);
        m.draw("families-graph", [trace("ranking", loupe.theme.models[0], -0.15), trace("classification", loupe.theme.models[2], 0.15), trace("none", loupe.theme.models[7], 0)],
            {showlegend: true, legend: {orientation: "h", y: 1.06}, margin: {l: 8, r: 8, t: 24, b: 40}, hovermode: "closest", xaxis: {title: {text: "NR-Prec", standoff: 4}}, yaxis: {tickvals: y, ticktext: properties.map((one) => one.full), automargin: true, range: [properties.length - 0.5, -0.5], showgrid: false}});
        const row = (test) => el("tr", {"data-on": test.p_holm < 0.01}, el("th", {scope: "row"}, m.property(test.property).full), el("td", {}, m.number(test.ranking_mean)), el("td", {}, m.number(test.classification_mean)), el("td", {}, m.number(test.u, 0)), el("td", {}, m.pvalue(test.p)), el("td", {}, m.pvalue(test.p_holm)));
        m.at("families-view").replaceChildren(el("table", {class: "metric-table"}, el("thead", {}, el("tr", {}, ...["Property", "ranking", "classif.", "U", "p", "p, Holm"].map((text) => el("th", {scope: "col"}, text)))), el("tbody", {}, ...tests.map(row))),
            el("p", {class: "metric-note"}, "The source reports a difference for every property but car model and sun rotation, at 1 %; it does not say over which units."));
        m.honest("families", [`${tests[0].ranking_n} against ${tests[0].classification_n} ${unit === "fold" ? "networks" : "losses"}`, `n = ${m.data()}`, "two-sided Mann–Whitney", "measured here"]);
        m.say("families", "ready");
    }

    // ---- the user's own

    function form() {
        const {el} = loupe.dom, host = m.at("own-form");
        if (host.firstChild) return;
        const file = (name, label, accept) => el("label", {class: "metric-file"}, label, el("input", {type: "file", name, accept, required: true, class: "lp-field"}));
        const made = el("form", {class: "metric-form", onsubmit: (event) => { event.preventDefault(); send(made); }}, file("embeddings", "Embeddings (.npy, n × d)", ".npy"), file("properties", "Properties (.csv or .parquet, a row an image)", ".csv,.parquet"), el("button", {class: "plot-card-button"}, "Measure"));
        made.addEventListener("dragover", (event) => event.preventDefault());
        made.addEventListener("drop", (event) => {
            event.preventDefault();
            [...event.dataTransfer.files].forEach((one) => {
                const field = made.elements[one.name.toLowerCase().endsWith(".npy") ? "embeddings" : "properties"], held = new DataTransfer();
                held.items.add(one);
                field.files = held.files;
            });
        });
        host.replaceChildren(made, el("p", {class: "metric-note"}, "Or drop both files here. The distance is the one chosen above. Nothing is unpickled, and nothing leaves this machine. The same from the command line: python -m backend metric nr-precision --embeddings e.npy --properties p.csv"));
    }

    async function send(made) {
        const body = new FormData();
        ["embeddings", "properties"].forEach((name) => body.append(name, made.elements[name].files[0]));
        try {
            about = await m.ask("/_metric/own", body);
            if (m.value("own") === about.key) loupe.metricPage.run();
            m.set("own", about.key);
        } catch (error) {
            loupe.notify({kind: "error", title: "These files cannot be used", message: error.message, hint: error.hint});
        }
    }

    async function own(given) {
        form();
        if (!given.own) {
            m.say("own", "ready");
            m.at("own-view").replaceChildren();
            return;
        }
        const isNew = m.turn("own"), {el} = loupe.dom;
        const {distance} = given, held = await m.run("own", "own", {own: given.own, distance});
        if (!isNew()) return;
        const names = held.properties.data, of = (key, k) => held[key].data[k];
        const row = (name, k) => el("tr", {"data-on": of("p_holm", k) < 0.01}, el("th", {scope: "row"}, name), el("td", {}, m.number(of("nr_precision", k))), el("td", {}, m.number(of("nr_variance", k))), el("td", {}, m.number(of("r_precision", k), 3)), el("td", {}, m.number(of("chance", k), 3)), el("td", {}, m.pvalue(of("p_permutation", k))), el("td", {}, m.pvalue(of("p_holm", k))));
        m.at("own-view").replaceChildren(el("table", {class: "metric-table"}, el("thead", {}, el("tr", {}, ...["Property", "NR-Prec", "printed σ", "R-Prec", "chance", "p", "p, Holm"].map((text) => el("th", {scope: "col"}, text)))), el("tbody", {}, ...names.map(row))), ...held.notes.data.map((text) => el("p", {class: "metric-note"}, text)));
        const n = held.umap.shape[0], x = Array.from({length: n}, (_, i) => held.umap.data[2 * i]), y = Array.from({length: n}, (_, i) => held.umap.data[2 * i + 1]);
        m.draw("own-graph", [{type: "scattergl", mode: "markers", x, y, marker: {size: 5, color: loupe.theme.models[0], opacity: 0.6}, hovertemplate: "row %{pointNumber}<extra></extra>"}], {margin: {l: 4, r: 4, t: 4, b: 4}, xaxis: {visible: false}, yaxis: {visible: false}});
        m.honest("own", [`${n.toLocaleString("en-US")} embeddings of your own`, `${distance.replace("_", " ")} distance`, "1,999 shufflings, seed 0", "UMAP, 15 neighbours", `data ${given.own.slice(0, 8)}`]);
        m.say("own", "ready");
    }

    loupe.metricPage.part("families", ({view, unit}) => (view === "families" ? unit : null), families);
    loupe.metricPage.part("own", ({view, own: key, distance}) => (view === "own" ? [key, distance].join() : null), own);
})(window.loupe);
