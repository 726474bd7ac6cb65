/* Metric learning: where every loss looks, how alike they look, and what a pair's distance rests on. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;
    const {svg} = loupe.metricHeat;
    const SIDE = 64, CELL = 22, NAME = 134;
    let shown = null; // arrays of the query's maps

    const bytes = ({data}, i) => data.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE);

    async function draw(given) {
        const isNew = m.turn("looks"), {el} = loupe.dom, why = m.loss(given.loss).why_no_maps;
        const kept = m.now.told.gallery.indexOf(given.query);
        const settings = {row: given.query};
        const ours = kept >= 0 && kept < m.now.told.kept ? loupe.wire.fetch(`/_metric/maps/${given.query}`).then(({arrays}) => arrays) : m.run("looks", "maps", settings);
        const held = why ? await ours : await m.withOwn("looks", "maps", settings, ours, given.loss, ["losses", "maps", "focus"]);
        if (!isNew()) return;
        shown = held;
        const tiles = held.losses.data.map((key, i) => {
            const card = m.loss(key), canvas = m.painted(bytes(held.maps, i), SIDE);
            return el("button", {type: "button", class: "metric-tile metric-look", "data-on": key === given.loss, "data-second": key === given.other, "aria-label": `${card.title}: focus ${m.number(held.focus.data[i])}`, onclick: () => m.set("loss", key)},
                canvas, el("span", {class: "metric-tile-caption"}, card.title), el("span", {class: "metric-tile-caption"}, `focus ${m.number(held.focus.data[i])}`));
        });
        const others = m.now.told.gallery.slice(0, m.now.told.kept).map((row) => el("button", {type: "button", class: "metric-pick", "data-on": row === given.query, "aria-label": `Image ${row}`, onclick: () => m.set("query", row)}, el("img", {src: m.picture(row), alt: "", width: 40, height: 40})));
        m.at("maps").replaceChildren(el("div", {class: "metric-picks"}, el("span", {}, "At once:"), ...others),
            el("div", {class: "metric-tiles"}, el("div", {class: "metric-tile metric-look"}, el("img", {src: m.picture(given.query), alt: `Image ${given.query}`, width: 96, height: 96}), el("span", {class: "metric-tile-caption"}, `image ${given.query}`)), ...tiles),
            why ? el("p", {class: "metric-note"}, why) : "");
        two(given);
        m.honest("looks", [`image ${given.query}`, "SmoothGrad of 8 copies, noise 0.15, seed 0", m.fold(why ? "" : given.loss), "measured here"]);
        m.say("looks", "ready");
    }

    /** The maps of two losses over the image, and their difference. */
    function two({loss, other, query}) {
        const {el} = loupe.dom, i = shown.losses.data.indexOf(loss), j = shown.losses.data.indexOf(other);
        if (i < 0) { m.at("two").replaceChildren(); return; }
        const a = bytes(shown.maps, i), b = bytes(shown.maps, j);
        const over = (data, title) => el("figure", {}, el("div", {class: "metric-over"}, el("img", {src: m.picture(query), alt: "", width: 150, height: 150}), m.painted(data, SIDE, (v) => [...m.viridis(v / 255), Math.round(60 + 0.7 * v)])), el("figcaption", {}, title));
        const difference = m.painted(a.map((_, k) => k), SIDE);
        const context = difference.getContext("2d"), image = context.createImageData(SIDE, SIDE);
        a.forEach((v, k) => {
            const d = (v - b[k]) / 255, rgb = d > 0 ? [47, 111, 219] : [199, 106, 18];
            image.data.set([...rgb, Math.round(255 * Math.min(1, 1.6 * Math.abs(d)))], 4 * k);
        });
        context.putImageData(image, 0, 0);
        const r = pearson(a, b);
        m.at("two").replaceChildren(over(a, m.loss(loss).title), over(b, m.loss(other).title),
            el("figure", {}, el("div", {class: "metric-over metric-plain"}, difference), el("figcaption", {}, `${m.loss(loss).title} more (blue), ${m.loss(other).title} more (orange)`)),
            el("p", {class: "metric-note"}, `On this image the two maps have r = ${m.number(r)}.`));
    }

    function pearson(a, b) {
        const n = a.length, mean = (x) => x.reduce((sum, v) => sum + v, 0) / n, ma = mean(a), mb = mean(b);
        let ab = 0, aa = 0, bb = 0;
        for (let k = 0; k < n; k += 1) { ab += (a[k] - ma) * (b[k] - mb); aa += (a[k] - ma) ** 2; bb += (b[k] - mb) ** 2; }
        return ab / Math.sqrt(aa * bb);
    }

    function matrix({likeness, loss, other}) {
        const held = m.now.likeness, {losses} = held, grid = held[likeness], n = losses.length;
        const all = grid.flatMap((row, i) => row.filter((v, j) => i !== j && Number.isFinite(v))), low = Math.min(...all), high = Math.max(...all);
        const parts = [];
        losses.forEach((key, i) => {
            parts.push(svg("text", {x: NAME - 8, y: NAME + i * CELL + 15, class: "metric-row-name", "data-on": key === loss ? "" : undefined}, m.loss(key).title),
                svg("text", {x: 0, y: 0, transform: `translate(${NAME + i * CELL + 15},${NAME - 8}) rotate(-90)`, class: "metric-col-name", "data-on": key === other ? "" : undefined}, m.loss(key).title));
            losses.forEach((second, j) => {
                const v = grid[i][j], isSelf = i === j, share = likeness === "jsd" ? (high - v) / (high - low || 1) : (v - low) / (high - low || 1);
                const rgb = m.viridis(share), isOn = key === loss && second === other;
                const said = isSelf ? "" : likeness === "jsd" ? m.number(v, 3) : m.number(v);
                parts.push(svg("g", {class: "metric-pairing", "data-first": isSelf ? null : key, "data-second": isSelf ? null : second, role: isSelf ? null : "button", tabindex: isSelf ? null : isOn ? 0 : -1, "aria-label": `${m.loss(key).title} and ${m.loss(second).title}: ${said}`},
                    svg("rect", {x: NAME + j * CELL + 0.5, y: NAME + i * CELL + 0.5, width: CELL - 1, height: CELL - 1, rx: 2, fill: isSelf ? "transparent" : m.css(rgb), class: isOn ? "metric-cell-on" : null}),
                    svg("text", {x: NAME + j * CELL + CELL / 2, y: NAME + i * CELL + 15, style: `fill:${isSelf ? "none" : m.ink(rgb)}`, class: "metric-value metric-tiny"}, said.replace("0.", "."))));
            });
        });
        const side = NAME + n * CELL + 4;
        m.at("like-view").replaceChildren(svg("svg", {viewBox: `0 0 ${side} ${side}`, width: side, height: side, class: "metric-heat"}, ...parts));
        m.honest("like", likeness === "reported" ? ["reported in the paper for Cars196, not measured here", "mean over the test images"] : [`${held.n} renders`, "SmoothGrad of 8 copies", m.fold(), likeness === "jsd" ? "mean of the divergences, base 2" : "mean by Fisher's z", "measured here"]);
        m.say("like", "ready");
    }

    async function pair({query, partner, loss, distance}) {
        const isNew = m.turn("pair"), {el} = loupe.dom, why = m.loss(loss).why_no_maps;
        if (why) { m.say("pair", "empty", {message: why}); return; }
        const held = await m.space(loss);
        if (!isNew()) return;
        const near = m.nearest(held, m.loss(loss).distance, query, 8).rows;
        const other = partner >= 0 && partner !== query ? partner : near[0];
        const choose = el("div", {class: "metric-picks"}, el("span", {}, "Partner:"), ...near.map((row) => el("button", {type: "button", class: "metric-pick", "data-on": row === other, "aria-label": `Image ${row}`, onclick: () => m.set("partner", row)}, el("img", {src: m.picture(row), alt: "", width: 40, height: 40}))));
        const found = await m.run("pair", "pair", {row: query, other, loss, distance});
        if (!isNew()) return;
        const over = (row, i) => el("figure", {}, el("div", {class: "metric-over"}, el("img", {src: m.picture(row), alt: "", width: 150, height: 150}), m.painted(bytes(found.maps, i), SIDE, (v) => [...m.viridis(v / 255), Math.round(60 + 0.7 * v)])), el("figcaption", {}, `image ${row}`));
        m.at("pair-view").replaceChildren(choose, el("div", {class: "metric-two"}, over(query, 0), over(other, 1), el("p", {class: "metric-note"}, `Distance ${m.number(found.distance.data[0], 3)} by ${m.loss(loss).title}.`)));
        m.honest("pair", [m.loss(loss).title, "SmoothGrad of 8 copies against the other image", m.fold(loss), "measured here"]);
        m.say("pair", "ready");
    }

    function choose(target) {
        const cell = target.closest?.(".metric-pairing[data-first]");
        if (!cell) return;
        m.set("loss", cell.dataset.first);
        m.set("other", cell.dataset.second);
    }

    document.addEventListener("click", ({target}) => { if (m.at("like-view")?.contains(target)) choose(target); });
    document.addEventListener("keydown", (event) => {
        if (m.at("like-view")?.contains(event.target) && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); choose(event.target); }
    });
    const open = (view, keys) => (given) => (given.view === view ? keys(given).join() : null);
    loupe.metricPage.part("looks", open("looks", ({query, loss, other, distance}) => [query, loss, other, m.isOwn(loss) ? distance : ""]), draw);
    loupe.metricPage.part("like", open("looks", ({likeness, loss, other}) => [likeness, loss, other]), matrix);
    loupe.metricPage.part("pair", open("looks", ({query, partner, loss, distance}) => [query, partner, loss, m.isOwn(loss) ? distance : ""]), pair);
})(window.loupe);
