/* Metric learning: the neighbours of the query, with what they share. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;
    const COUNT = 12, SHORT = ["Model", "Rot.", "H", "S", "V", "H", "S", "V", "Height", "Elev.", "Rot."];

    /** One image with the properties it shares with the query lit. `onPick` is what a press does. */
    function tile(row, query, property, caption, onPick) {
        const {el} = loupe.dom, isQuery = row === query, {properties} = m.now.told;
        const shares = (name) => m.code(row, name) === m.code(query, name);
        const dots = el("span", {class: "metric-dots", "aria-hidden": "true"}, ...properties.map((one, k) => el("i", {"data-on": shares(one.name) && !isQuery, "data-chosen": one.name === property, title: `${one.full}: ${m.label(one.name, m.code(row, one.name))}`}, SHORT[k][0])));
        const told = properties.filter((one) => shares(one.name)).map((one) => one.full).join(", ");
        return el("button", {type: "button", class: "metric-tile", "data-query": isQuery, "data-hit": !isQuery && shares(property), onclick: () => onPick(row),
            "aria-label": isQuery ? `Query, image ${row}` : `Image ${row}, ${caption}; shares ${told || "nothing"}`, title: isQuery ? `Image ${row}` : `Image ${row}. Shares ${told || "nothing"}`},
        el("img", {src: m.picture(row), alt: "", width: 96, height: 96, loading: "lazy"}), el("span", {class: "metric-tile-caption"}, caption), dots);
    }

    const query = (row) => m.set("query", row);

    /** A strip of neighbours into `host`: the query first. */
    function strip(host, row, property, rows, captions, onPick = query) {
        host.replaceChildren(tile(row, row, property, "query", onPick), ...rows.map((near, i) => tile(near, row, property, captions[i], onPick)));
    }

    async function draw(given) {
        const isNew = m.turn("near");
        if (m.isOwn(given.loss) && !m.cells(given.loss)) m.say("near", "loading", {keep: true, message: "This model is being measured."});
        const held = await m.space(given.loss);
        if (!isNew()) return;
        const {el} = loupe.dom, card = m.loss(given.loss), row = given.query, {property} = given;
        const found = m.nearest(held, card.distance, row, COUNT), offset = found.far[row];
        const same = found.order.filter((i) => m.code(i, property) === m.code(row, property)).length;
        const hits = found.order.slice(0, same).filter((i) => m.code(i, property) === m.code(row, property)).length;
        const p = (same + 1) / held.n, z = (hits - same * p) / Math.sqrt(same * p * (1 - p));
        const host = m.at("near-view"), tiles = el("div", {class: "metric-tiles"});
        strip(tiles, row, property, found.rows, found.rows.map((i) => m.number(found.far[i] - (card.distance === "dot" ? offset : 0), 3)));
        const said = same ? `Of the ${same} nearest, ${hits} share ${m.property(property).full.toLowerCase()} ${m.label(property, m.code(row, property))}: R-Precision ${m.number(hits / same, 3)}, chance ${m.number(p, 3)}, z ${m.number(z, 1)}.` : "No other image has this value.";
        const random = el("button", {type: "button", class: "plot-card-button", onclick: () => query(Math.floor(Math.random() * m.now.told.shown))}, "Another image");
        host.replaceChildren(tiles, el("div", {class: "metric-said"}, el("p", {role: "status"}, said), random));
        m.honest("near", [`${held.n.toLocaleString("en-US")} of ${m.data()}`, `${card.title}, ${card.distance.replace("_", " ")} distance`, m.fold(given.loss), "ties in the order of the table"]);
        m.say("near", "ready");
    }

    loupe.metricNear = {tile, strip};
    loupe.metricPage.part("near", ({loss, property, query: row, distance}) => [loss, property, row, m.isOwn(loss) ? distance : ""].join(), draw);
})(window.loupe);
