/* Metric learning: the embedding as a plot. A lasso selects everywhere; few points become pictures. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;
    const MOST_THUMBS = 36, THUMB = 40;
    const ITEMS = "cars";
    let drawn = null; // {space, place, loss}

    const graph = () => m.at("map-graph")?.querySelector(".js-plotly-plot");

    async function draw(given) {
        const isNew = m.turn("map"), held = await m.space(given.loss);
        if (!isNew()) return;
        const xy = await m.places(given.loss, held, given.place);
        if (!isNew()) return;
        const n = held.n, x = new Float32Array(n), y = new Float32Array(n);
        for (let i = 0; i < n; i += 1) { x[i] = xy[2 * i]; y[i] = xy[2 * i + 1]; }
        const colours = m.palette(given.property), selected = chosen();
        const points = {type: "scattergl", mode: "markers", x, y, hoverinfo: "none",
            marker: {size: 6, color: Array.from({length: n}, (_, i) => colours[m.code(i, given.property)]), opacity: 0.85},
            selectedpoints: selected.length ? selected : undefined, unselected: {marker: {opacity: 0.12}}};
        const ring = {type: "scatter", mode: "markers", x: [x[given.query]], y: [y[given.query]], hoverinfo: "skip",
            marker: {size: 15, color: "rgba(0,0,0,0)", line: {color: loupe.theme.ring, width: 2.5}}};
        drawn = {x, y, loss: given.loss, place: given.place};
        m.draw("map-graph", [points, ring], {uirevision: `${given.loss} ${given.place}`, margin: {l: 4, r: 4, t: 4, b: 4}, dragmode: "lasso", hovermode: "closest",
            xaxis: {visible: false, range: [-1.06, 1.06]}, yaxis: {visible: false, range: [-1.06, 1.06]}});
        key(given, colours);
        const card = m.loss(given.loss);
        m.honest("map", [`${n.toLocaleString("en-US")} of ${m.data()}`, card.title, m.fold(given.loss), `${m.value("place") === "tsne" ? "t-SNE, perplexity 30" : m.value("place") === "umap" ? "UMAP, 15 neighbours" : "first two components"}`, given.place === "pca" ? "" : "seed 0"]);
        m.say("map", "ready");
        setTimeout(bind, 60);
    }

    const chosen = () => {
        const held = loupe.selection.current();
        return held.items === ITEMS ? held.ids : [];
    };

    /** What the colours stand for; a press selects the images of that value. */
    function key({property}, colours) {
        const {el} = loupe.dom, held = m.property(property);
        m.at("map-key").replaceChildren(el("b", {}, held.full), ...held.values.map((_, k) => el("button", {type: "button", class: "metric-key-value", onclick: () => m.pick(property, k)},
            el("i", {style: `background:${colours[k]}`}), m.label(property, k))));
    }

    const pick = (ids) => m.setProps({type: "selection-event", view: `${m.P}-map`}, {data: {items: ITEMS, ids, by: `${m.P}-map`}});

    /** Selects the images of one value of a property, in every view. */
    m.pick = (property, k) => pick(Array.from({length: m.now.told.shown}, (_, i) => i).filter((i) => m.code(i, property) === k));

    let bound = null;
    function bind() {
        const plot = graph();
        if (!plot || plot === bound || !plot.on) { if (!plot && m.isHere()) setTimeout(bind, 100); return; }
        bound = plot;
        plot.on("plotly_click", ({points}) => { const [p] = points; if (p.curveNumber === 0) m.set("query", p.pointNumber); });
        plot.on("plotly_selected", (event) => pick(event ? event.points.filter((p) => p.curveNumber === 0).map((p) => p.pointNumber) : []));
        plot.on("plotly_deselect", () => pick([]));
        plot.on("plotly_relayout", thumbs);
        plot.on("plotly_hover", ({points}) => hover(points[0]));
        plot.on("plotly_unhover", () => hover(null));
        thumbs();
    }

    function place(plot, x, y) {
        const {xaxis, yaxis} = plot._fullLayout;
        return [xaxis.l2p(x) + xaxis._offset, yaxis.l2p(y) + yaxis._offset];
    }

    const thumb = (plot, i, kind) => {
        const [left, top] = place(plot, drawn.x[i], drawn.y[i]);
        return loupe.dom.el("img", {src: m.picture(i), alt: "", class: kind, style: `left:${left - THUMB / 2}px;top:${top - THUMB / 2}px`, width: THUMB, height: THUMB});
    };

    /** Pictures in place of points, once few of them are in view. */
    function thumbs() {
        const plot = graph(), host = m.at("map-thumbs");
        if (!plot?._fullLayout || !drawn || !host) return;
        const [x0, x1] = plot._fullLayout.xaxis.range, [y0, y1] = plot._fullLayout.yaxis.range;
        const seen = [];
        for (let i = 0; i < drawn.x.length && seen.length <= MOST_THUMBS; i += 1) if (drawn.x[i] > x0 && drawn.x[i] < x1 && drawn.y[i] > y0 && drawn.y[i] < y1) seen.push(i);
        host.replaceChildren(...(seen.length > MOST_THUMBS ? [] : seen.map((i) => thumb(plot, i, "metric-thumb"))));
    }

    function hover(point) {
        const plot = graph(), host = m.at("map-thumbs");
        host?.querySelector(".metric-peek")?.remove();
        if (!point || point.curveNumber !== 0 || !plot) return;
        const [left, top] = place(plot, drawn.x[point.pointNumber], drawn.y[point.pointNumber]);
        const near = left > plot.clientWidth - 150 ? left - 136 : left + 12;
        host.append(loupe.dom.el("figure", {class: "metric-peek", style: `left:${near}px;top:${Math.max(0, Math.min(plot.clientHeight - 132, top - 60))}px`},
            loupe.dom.el("img", {src: m.picture(point.pointNumber), alt: "", width: 96, height: 96}),
            loupe.dom.el("figcaption", {}, `${m.property(m.value("property")).full}: ${m.label(m.value("property"), m.code(point.pointNumber, m.value("property")))}`)));
    }

    loupe.selection.onChange(() => {
        if (!m.isHere() || !m.now.codes || !drawn) return;
        draw(loupe.state.current().values).catch((error) => m.failed("map", error));
    });
    loupe.metricPage.onLeave(() => { bound = null; });
    loupe.metricPage.part("map", ({loss, property, place: where, query, distance}) => [loss, property, where, query, m.isOwn(loss) ? distance : ""].join(), draw);
})(window.loupe);
