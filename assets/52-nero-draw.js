/* NERO: fills the server's empty figures with the arrays of 50-nero-data.js and moves the marks.
 * A figure arrives with all its styling and traces named by meta.role and meta.model; here only
 * x, y, z, r, theta are set. Marks that follow the pointer (cursor, value rings, bars, red ring)
 * are moved in place, never through Dash. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const copy = (figure) => structuredClone(figure);
    const FEW_CLASSES = 20; // up to so many, every class has its own bar and row
    const closed = (values) => [...values, values[0]];
    const closedAngles = (orbit) => [...orbit.angles, 360];

    /** Base figure of a card, themed; `view` keeps zoom while the data version is the same. */
    function base(name) {
        const figure = copy(loupe.orbit.current.spec.figures[name]);
        figure.layout.template = loupe.theme.template();
        return figure;
    }

    function fillCurve(trace, values) {
        trace.theta = closedAngles(loupe.orbit.current);
        trace.r = closed(values);
    }

    /** Aggregate plot: subset curves, the selection's curves beside them, the control orbit. */
    function aggregate(rows, selectedRows, metric) {
        const orbit = loupe.orbit.current, figure = base("aggregate");
        for (const trace of figure.data) {
            const model = orbit.models.find((m) => m.key === (trace.meta || {}).model);
            if (!model) continue;
            const {role} = trace.meta;
            const shown = role === "selection" ? selectedRows : rows;
            if (!shown.length || (role === "control" && !model.controlMetric)) continue;
            fillCurve(trace, loupe.orbit.aggregate(model, shown, metric, role === "control"));
        }
        return figure;
    }

    /** Individual plot: the item's confidence, a band of mean ± 1 sd over the rows given. */
    function individual(row, bandRows) {
        const orbit = loupe.orbit.current, figure = base("individual");
        for (const trace of figure.data) {
            const model = orbit.models.find((m) => m.key === (trace.meta || {}).model);
            if (!model) continue;
            const {role} = trace.meta;
            if (role === "curve") fillCurve(trace, loupe.orbit.slice(model.metric, row));
            if (role === "control" && model.controlMetric) {
                fillCurve(trace, loupe.orbit.slice(model.controlMetric, row));
            }
            if (role === "band" && bandRows.length > 1) fillBand(trace, model, bandRows);
        }
        return figure;
    }

    function fillBand(trace, model, rows) {
        const {mean, sd} = loupe.orbit.spread(model.metric, rows);
        const clip = (value) => Math.min(1, Math.max(0, value));
        const high = closed(mean.map((m, g) => clip(m + sd[g])));
        const low = closed(mean.map((m, g) => clip(m - sd[g])));
        const angles = closedAngles(loupe.orbit.current);
        trace.theta = [...angles, ...[...angles].reverse()];
        trace.r = [...high, ...low.reverse()];
    }

    /** DR plot of rows placed at xy (rows, 2), coloured by `values`. */
    function projection(xy, rows, values, title) {
        const orbit = loupe.orbit.current, figure = base("projection");
        const [dots] = figure.data;
        const column = (k) => Float32Array.from(rows, (_, i) => xy[2 * i + k]);
        Object.assign(dots, {x: column(0), y: column(1),
            customdata: rows.map((row) => orbit.ids[row])});
        dots.marker.color = values;
        dots.marker.colorbar.title = {text: title, side: "right", font: {size: 11}};
        return figure;
    }

    /** Empty bars with the true class marked on the axis; moveBars() fills them. */
    function detail(row) {
        const orbit = loupe.orbit.current, figure = base("detail"), {classes} = orbit.spec.items;
        if (isFew()) {
            const truth = orbit.labels[row];
            Object.assign(figure.layout.xaxis, {tickmode: "array", tickvals: classes,
                ticktext: classes.map((name, k) => (k === truth ? `<b>▸${name}</b>` : name))});
        }
        return figure;
    }

    function confusion(model, rows) {
        const orbit = loupe.orbit.current, figure = base("confusion");
        const shares = loupe.orbit.confusion(model, rows, orbit.spec.items.classes.length);
        loupe.neroWords.describeConfusion(model, shares);
        let kept = shares.map((share, k) => [k, Math.max(...share)]).filter(([, top]) => top > 0);
        if (!isFew()) kept = kept.sort((a, b) => b[1] - a[1]).slice(0, 12);
        else kept = shares.map((share, k) => [k, 0]);
        figure.data[0].x = Array.from(orbit.angles);
        figure.data[0].y = kept.map(([k]) => orbit.spec.items.classes[k]);
        figure.data[0].z = kept.map(([k]) => Array.from(shares[k]));
        return figure;
    }

    const graph = (id) => document.querySelector(`#${id} .js-plotly-plot`);

    /** Green line of a polar plot, and a ring on each model's value [[model, value], …].
     *  The overlay of 53-nero-dial.js shows them, since redrawing a polar plot takes longer than a
     *  frame; the figure's own traces, hidden on screen by ownMarks(), keep them for exports. */
    function moveCursor(id, angle, values) {
        const gd = graph(id);
        if (!gd || !gd.data) return;
        const byModel = new Map(values.map(([model, value]) => [model.key, value]));
        for (const trace of gd.data) {
            const {role, model} = trace.meta || {};
            if (role === "cursor") trace.theta = [angle, angle];
            if (role === "value") Object.assign(trace, {theta: [angle], r: [byModel.get(model) ?? null]});
        }
        const rings = values.filter(([, value]) => Number.isFinite(value))
            .map(([model, value]) => [model.colour, value]);
        loupe.dial.paint(gd, angle, rings);
    }

    /** Hide what the overlay shows: the last traces of a polar plot. Plotly makes the elements anew
     *  at each drawing, so this is called after each. */
    function ownMarks(gd) {
        const roles = (gd.data || []).map((trace) => (trace.meta || {}).role);
        const count = roles.filter((role) => role === "cursor" || role === "value").length;
        const drawn = [...gd.querySelectorAll(".polarlayer .scatterlayer > .trace")];
        drawn.forEach((node, i) => node.classList.toggle("nero-mark", i >= drawn.length - count));
    }

    /** Probabilities of each model at one element as bars. While the angle moves (`isLive`) only the
     *  drawn shapes are changed; at rest Plotly draws, which also gives hover its values. */
    function moveBars(id, outputs, truth, isLive) {
        const gd = graph(id);
        if (!gd || !gd.data || gd.data.length !== outputs.length) return; // of other models
        const names = loupe.orbit.current.spec.items.classes, shown = barClasses(outputs);
        const mark = (k) => (k === truth && !isFew() ? `▸ ${names[k]}` : names[k]);
        const labels = shown.map(mark);
        const lengths = outputs.map(({values, classes}) => {
            const value = new Map(Array.from(classes, (k, i) => [Number(k), values[i]]));
            return shown.map((k) => value.get(k) ?? 0);
        });
        if (isLive && loupe.bars.move(gd, labels, lengths)) return;
        const asked = JSON.stringify([labels, lengths]);
        if (gd.__bars === asked && gd.data[0].__drawn) return;
        gd.__bars = asked;
        gd.data[0].__drawn = true; // a new figure brings new traces
        loupe.bars.draw(gd, labels, lengths);
    }

    const isFew = () => loupe.orbit.current.spec.items.classes.length <= FEW_CLASSES;

    /** All classes when they are few; otherwise the strongest of each model, strongest first. */
    function barClasses(outputs) {
        const count = loupe.orbit.current.spec.items.classes.length;
        if (isFew()) return Array.from({length: count}, (_, k) => k);
        const best = new Map();
        for (const {values, classes} of outputs) {
            Array.from(classes).forEach((k, i) =>
                best.set(Number(k), Math.max(best.get(Number(k)) || 0, values[i] || 0)));
        }
        return [...best].sort((a, b) => b[1] - a[1]).slice(0, 8).map(([k]) => k);
    }

    /** Red ring on the chosen row, the rest muted where something is selected. */
    function markProjection(id, row, rows, selectedRows) {
        const gd = graph(id);
        if (!gd || !gd.data || gd.data.length < 2 || !rows) return;
        const place = rows.indexOf(row), [dots] = gd.data;
        const x = place < 0 ? [null] : [dots.x[place]], y = place < 0 ? [null] : [dots.y[place]];
        const chosen = new Set(selectedRows);
        const points = rows.map((r, i) => (chosen.has(r) ? i : -1)).filter((i) => i >= 0);
        const asked = JSON.stringify([x, y, points]);
        if (gd.data[1].__asked === asked) return;
        gd.data[1].__asked = asked; // a new figure brings new traces
        window.Plotly.restyle(gd, {x: [dots.x, x], y: [dots.y, y],
            selectedpoints: [points.length ? points : null, null]}, [0, 1]);
    }

    /** Take a lasso's outline away: what it enclosed is no longer what is selected. */
    function dropOutline(id) {
        const gd = graph(id);
        if (!gd || !gd.layout || !(gd.layout.selections || []).length) return;
        gd.__dropped = performance.now(); // Plotly will say that nothing is selected: not the user's word
        window.Plotly.relayout(gd, {selections: []});
    }

    /** A double click also shows the whole map again. */
    function resetZoom(gd) {
        const {xaxis, yaxis} = loupe.orbit.current.spec.figures.projection.layout;
        window.Plotly.relayout(gd, {"xaxis.range": [...xaxis.range], "yaxis.range": [...yaxis.range]});
    }

    /** Vertical cursor line of the confusion map. */
    function moveLine(id, angle) {
        const gd = graph(id);
        if (!gd || !gd.layout || !gd.layout.shapes || gd.layout.shapes[0].x0 === angle) return;
        window.Plotly.relayout(gd, {"shapes[0].x0": angle, "shapes[0].x1": angle});
    }

    /** Call `action(gd)` once Plotly has drawn a graph: the script that does so may still load. */
    function whenDrawn(id, action, tries = 200) {
        const gd = graph(id);
        if (gd && gd.on) action(gd);
        else if (tries && document.getElementById(id)) {
            setTimeout(() => whenDrawn(id, action, tries - 1), 50);
        }
    }

    loupe.draw = {aggregate, individual, projection, detail, confusion, moveCursor, ownMarks, moveBars,
        markProjection, dropOutline, resetZoom, moveLine, graph, whenDrawn};
})(window.loupe);
