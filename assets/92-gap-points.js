/* Modality gap: panels of very many points. The arrays come as they are stored; the browser centres and turns them.
 *
 *   await loupe.gapPoints.put(i, map, hands)   draws a map in panel i; resolves to its rows. hands: selected, choose, hover, unhover
 *   loupe.gapPoints.mark(i, ids, pair)         a selection of pairs, and rings around the chosen one
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {PAGE, at, isHere} = loupe.gap;
    const panels = new Map(); // number -> {plot, host, rows, key, kinds}

    /** Both modalities in one list, images first, as (stored - middle) @ turn. */
    function placed({images, texts}, {middle: [a, b], turn: [[p, q], [r, s]]}) {
        const m = images.shape[0], x = new Float32Array(2 * m), y = new Float32Array(2 * m);
        [images.data, texts.data].forEach((data, half) => {
            for (let i = 0; i < m; i += 1) {
                const u = data[2 * i] - a, v = data[2 * i + 1] - b;
                x[half * m + i] = u * p + v * r;
                y[half * m + i] = u * q + v * s;
            }
        });
        return {x, y, kinds: new Uint8Array(2 * m).fill(1, m)};
    }

    const colours = () => ["--gap-image", "--gap-text"].map((name) => getComputedStyle(at("page")).getPropertyValue(name).trim());

    async function put(i, {space, points}, hands) {
        const {arrays} = await loupe.wire.fetch(`/_data/${points.key}?arrays=rows,images,texts&u16=images,texts`);
        const host = at(`points-${i}`);
        if (!host || !isHere()) return [];
        let held = panels.get(i);
        const isKept = held?.host === host && held.space === space && held.rows.length === arrays.rows.data.length;
        if (held?.host !== host) {
            held?.plot.destroy();
            held = {host, plot: loupe.scatter.create(host, {label: "Joint UMAP: lasso to select", colours: colours(),
                onSelect: ({rows}) => chosen(i, rows, hands), onHover: (met) => hover(i, met, hands)})};
            panels.set(i, held);
        }
        Object.assign(held, {space, rows: arrays.rows.data});
        held.plot.setPoints({...placed(arrays, points), isKept});
        return held.rows;
    }

    /** Pairs by rows of the plot, in which texts follow images. One point alone is a pair that was pressed. */
    function chosen(i, rows, {selected, choose}) {
        const {rows: drawn} = panels.get(i), m = drawn.length, has = new Uint8Array(m), ids = [];
        for (let k = 0; k < rows.length; k += 1) has[rows[k] % m] = 1;
        for (let k = 0; k < m; k += 1) if (has[k]) ids.push(drawn[k]);
        if (rows.length === 1) choose(ids[0]);
        else selected(i, ids);
    }

    function hover(i, met, hands) {
        if (!met) { hands.unhover(); return; }
        const {rows, host} = panels.get(i), box = host.getBoundingClientRect(), m = rows.length;
        hands.hover(i, rows[met.row % m], met.row < m ? 1 : 2, {clientX: box.left + met.x, clientY: box.top + met.y});
    }

    /** Where each pair of a sorted list stands among the drawn ones, or -1. */
    function positions(rows, ids) {
        const isAll = rows.length && rows[rows.length - 1] === rows.length - 1;
        if (isAll) return ids.map((id) => (id < rows.length ? id : -1));
        const where = new Map(Array.from(rows, (row, k) => [row, k]));
        return ids.map((id) => where.get(id) ?? -1);
    }

    function mark(i, ids, pair) {
        const held = panels.get(i);
        if (!held) return;
        const m = held.rows.length, found = positions(held.rows, ids).filter((k) => k >= 0), [one] = positions(held.rows, [pair]);
        held.plot.mark(found.concat(found.map((k) => k + m)));
        held.plot.ring(one < 0 ? [] : [one, one + m]);
    }

    function redraw(i) { panels.get(i)?.plot.colours(colours()); }

    loupe.gapPage.onLeave((card) => {
        if (card) return;
        panels.forEach(({plot}) => plot.destroy());
        panels.clear();
    });
    loupe.gapPoints = {put, mark, redraw, plot: (i) => panels.get(i)?.plot};
})(window.loupe);
