/* NERO: the bars of the outputs. Plotly draws them at rest; while the angle moves, the shapes that
 * it drew are given new lengths, because drawing anew takes most of a frame. Few classes stand side
 * by side under their names; of many, the strongest lie in rows, whose names fit at the left. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const LONGEST = 24; // letters of a class name beside its row
    const short = (name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);
    const isRows = (gd) => gd.data[0].orientation === "h";
    const places = (labels) => labels.map((_, i) => i);

    /** Let Plotly draw: labels (c,), lengths (m, c). */
    function draw(gd, labels, lengths) {
        const traces = lengths.map((_, i) => i);
        if (!isRows(gd)) {
            window.Plotly.restyle(gd, {x: lengths.map(() => labels), y: lengths}, traces);
            return;
        }
        const data = {x: lengths, y: lengths.map(() => places(labels)), customdata: lengths.map(() => labels)};
        const axis = {"yaxis.tickvals": places(labels), "yaxis.ticktext": labels.map(short)};
        window.Plotly.update(gd, data, axis, traces);
    }

    /** Give the drawn shapes other lengths; false where there is nothing drawn that fits. */
    function move(gd, labels, lengths) {
        const rows = isRows(gd), drawn = [...gd.querySelectorAll(".barlayer .trace.bars")];
        const paths = drawn.map((trace) => trace.querySelectorAll(".point > path"));
        const fits = paths.length === lengths.length && paths.every((p) => p.length === labels.length);
        const names = rows ? [...gd.querySelectorAll(".yaxislayer-above .ytick text")] : [];
        if (!fits || (rows && names.length !== labels.length)) return false;
        lengths.forEach((values, i) => {
            gd.data[i][rows ? "x" : "y"] = values;
            values.forEach((value, k) => paths[i][k].setAttribute("d", shape(gd, i, k, value, rows)));
        });
        // Rows keep their places; what stands there has another name at another angle.
        names.forEach((text, k) => { if (text.textContent !== short(labels[k])) text.textContent = short(labels[k]); });
        if (rows) gd.data.forEach((trace) => { trace.customdata = labels; });
        gd.__bars = null;
        return true;
    }

    /** Outline of the bar of model `i`, class `k`: Plotly's grouping, from the layout's gaps. */
    function shape(gd, i, k, value, rows) {
        const {xaxis, yaxis, bargap, bargroupgap} = gd._fullLayout;
        const slot = (1 - bargap) / gd.data.length, start = k - (1 - bargap) / 2 + i * slot;
        const [low, high] = [start + slot * bargroupgap / 2, start + slot * (1 - bargroupgap / 2)];
        const end = Number.isFinite(value) ? value : 0;
        if (rows) {
            const [x0, x1, y0, y1] = [xaxis.c2p(0), xaxis.c2p(end), yaxis.c2p(low), yaxis.c2p(high)];
            return `M${x0},${y0}V${y1}H${x1}V${y0}Z`;
        }
        const [x0, x1, y0, y1] = [xaxis.c2p(low), xaxis.c2p(high), yaxis.c2p(0), yaxis.c2p(end)];
        return `M${x0},${y0}V${y1}H${x1}V${y0}Z`;
    }

    loupe.bars = {draw, move};
})(window.loupe);
