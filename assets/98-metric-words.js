/* Metric learning: an embedding from prompts alone, and what it does to the query's neighbours. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;
    const COUNT = 9, DIMS = [8, 16, 32, 64, 128, 256, 384];
    let plain = null;

    const lines = ({prompts, notion}) => (prompts || m.now.told.notions[notion].join("\n"));

    /** The text box and the button; the box is written only where the state says something else. */
    function form(given) {
        const {el} = loupe.dom, host = m.at("prompts-place");
        let box = m.at("prompts");
        if (!box) {
            box = el("textarea", {id: `${m.P}-prompts`, class: "lp-field metric-prompts-box", rows: 12, maxlength: 20000, spellcheck: false});
            host.replaceChildren(box);
        }
        if (document.activeElement !== box) box.value = lines(given);
        const dims = el("select", {class: "lp-field", "aria-label": "Dimensions", onchange: (event) => m.set("dims", Number(event.target.value))}, ...DIMS.map((d) => el("option", {value: d, selected: d === given.dims}, `${d} dimensions`)));
        const learn = () => {
            const text = box.value.split("\n").map((line) => line.trim()).filter(Boolean).join("\n");
            const own = m.now.told.notions[m.value("notion")].join("\n");
            m.set("prompts", text === own ? "" : text);
        };
        m.at("words-learn").replaceChildren(el("button", {type: "button", class: "plot-card-button", onclick: learn}, "Embed by these words"), dims);
    }

    async function draw(given) {
        form(given);
        const isNew = m.turn("words");
        if (noted !== given.notion) {
            const first = noted === null;
            noted = given.notion;
            if (!first && given.prompts) { m.set("prompts", ""); return; }
        }
        plain = plain || loupe.wire.fetch("/_metric/vectors").then(({arrays}) => of(arrays.vectors));
        const vectors = await plain;
        const held = await m.run("words", "words", {prompts: lines(given).split("\n"), dimensions: given.dims});
        if (!isNew()) return;
        const words = of(held.embedding);
        bars(held);
        told(held);
        near(given, vectors, words);
        m.honest("words", [`${m.now.told.shown.toLocaleString("en-US")} of ${m.data()}`, `${lines(given).split("\n").length} prompts, ${given.dims} dimensions, seed 0`, `${held.losses.data.length} steps, reconstruction off by ${m.number((180 / Math.PI) * Math.min(...held.losses.data), 1)}°`, "all-MiniLM-L6-v2 and a linear map, not CLIP", "measured here"]);
        m.say("words", "ready");
    }
    let noted = null;

    function of({data, shape}) {
        const x = new Float32Array(data.length);
        for (let i = 0; i < x.length; i += 1) x[i] = data[i] / 127;
        return {x, n: shape[0], d: shape[1]};
    }

    function bars({properties, nr_plain: before, nr_words: after}) {
        const names = properties.data.map((name) => m.property(name).full);
        const bar = (data, name, colour) => ({type: "bar", orientation: "h", name, y: names, x: Array.from(data), marker: {color: colour}, hovertemplate: `${name}: %{x:.2f}<extra></extra>`});
        m.draw("words-graph", [bar(before.data, "plain", loupe.theme.models[7]), bar(after.data, "by the words", loupe.theme.models[0])], {barmode: "group", showlegend: true, legend: {orientation: "h", y: 1.08}, margin: {l: 8, r: 8, t: 24, b: 40}, xaxis: {title: {text: "NR-Prec", standoff: 4}}, yaxis: {automargin: true, autorange: "reversed"}});
    }

    function told({notions, map_plain: before, map_words: after}) {
        const {el} = loupe.dom;
        m.at("words-told").replaceChildren(el("table", {class: "metric-table"}, el("thead", {}, el("tr", {}, ...["MAP@R by", "plain", "by the words"].map((text) => el("th", {scope: "col"}, text)))),
            el("tbody", {}, ...notions.data.map((name, k) => el("tr", {"data-on": name === m.value("notion") && !m.value("prompts")}, el("th", {scope: "row"}, name), el("td", {}, m.number(before.data[k], 3)), el("td", {}, m.number(after.data[k], 3)))))));
    }

    function near({query, property}, vectors, words) {
        const {el} = loupe.dom;
        const row = (title, space) => {
            const found = m.nearest(space, "cosine", query, COUNT), tiles = el("div", {class: "metric-tiles"});
            loupe.metricNear.strip(tiles, query, property, found.rows, found.rows.map((i) => m.number(found.far[i], 3)));
            return el("div", {}, el("h3", {}, title), tiles);
        };
        m.at("words-near").replaceChildren(row("Nearest in the text tower's space", vectors), row("Nearest by the words", words));
    }

    loupe.metricPage.onLeave(() => { noted = null; });
    loupe.metricPage.part("words", ({view, notion, prompts, dims, query, property}) => (view === "words" ? [notion, prompts, dims, query, property].join("|") : null), draw);
})(window.loupe);
