/* NERO: fills the server's empty figures with the arrays of 50-nero-data.js and moves the marks.
 * A figure arrives with all its styling and traces named by meta.role and meta.model; orbit plots are
 * filled by the module of their layout (52-nero-layouts.js). Marks that follow the pointer (cursor,
 * value rings, bars, red ring) are moved in place, never through Dash. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const copy = (figure) => structuredClone(figure);
    const BESIDE = "~consensus"; // behind a model's key: its second plot, measured by consensus
    const FEW_CLASSES = 20; // up to so many, every class has its own bar and row

    /** Base figure of a card, themed; `view` keeps zoom while the data version is the same. */
    function base(name) {
        const figure = copy(loupe.orbit.current.spec.figures[name]);
        figure.layout.template = loupe.theme.template();
        const isLine = loupe.orbit.current.spec.orbit.layout === "line" && figure.layout.yaxis;
        if (isLine && figure.layout.legend) figure.layout.margin.autoexpand = false; // the page has its own key
        return figure;
    }

    const module = () => loupe.layouts.of(loupe.orbit.current.spec.orbit);
    const isBeside = () => loupe.orbit.current.side === "both" && Boolean(loupe.orbit.current.shown.consensus);

    /** One range of values for all models, so that they can be compared. */
    function rangeOf(metric, arrays) {
        return loupe.layouts.range(metric, arrays.filter(Boolean));
    }

    /** A metric under its short name: plots have no room for what it means in full. */
    const short = (metric) => ({...metric, title: metric.label});

    const identityOf = ({key, title, colour}) => ({key, title, colour});

    /** Aggregate plot: subset curves, the selection's curves beside them, the control orbit. */
    function aggregate(rows, selectedRows, averaged) {
        const {models, shown, spec} = loupe.orbit.current, mean = loupe.orbit.aggregate;
        const filled = models.map((model) => ({...identityOf(model), values: mean(model, rows),
            selection: selectedRows.length ? mean(model, selectedRows) : undefined,
            control: model.undone ? mean(model.undone, rows) : undefined}));
        const range = rangeOf(shown, filled.map(({values}) => values));
        return module().fillAggregate(base("aggregate"), spec.orbit, filled, {range, metric: short(shown), averaged});
    }

    /** Individual plot: the item's values, a band of mean ± 1 sd over the rows given. `payload` is what
     *  loupe.orbit.item gave, where it is there: it has marks and maps of single elements. */
    function individual(row, bandRows, averaged, payload) {
        const {models, spec} = loupe.orbit.current, metric = loupe.orbit.single(), by = loupe.orbit.by();
        const one = (model, i, side) => ({...identityOf(model),
            values: loupe.orbit.slice(loupe.orbit.valuesOf(model, metric, side), row),
            ...extras(payload, i, side, averaged)});
        let filled = models.map((model, i) => ({...one(model, i, by), ...band(model, metric, by, bandRows, spec),
            control: model.undone ? loupe.orbit.slice(loupe.orbit.valuesOf(model.undone, metric, by), row) : undefined}));
        if (isBeside()) {
            filled = models.flatMap((model, i) => [{...one(model, i, "truth"), title: `Truth: ${model.title}`},
                {...one(model, i, "consensus"), key: model.key + BESIDE, title: `Consensus: ${model.title}`}]);
        }
        const range = rangeOf(metric, filled.map(({values, maps}) => (maps ? maps.data : values)));
        loupe.nero.now.range = range;
        return module().fillIndividual(base(isBeside() ? "beside" : "individual"), spec.orbit, filled,
            {range, metric: short(metric), averaged, marked: "no answer"});
    }

    /** Mean ± 1 sd, kept within the metric's own range. */
    function band(model, metric, by, rows, spec) {
        if (rows.length < 2 || !["circle", "line"].includes(spec.orbit.layout)) return {};
        const {mean, sd} = loupe.orbit.spread(loupe.orbit.valuesOf(model, metric, by), rows);
        const clip = (value) => Math.min(metric.high ?? Infinity, Math.max(metric.low, value));
        return {low: mean.map((m, g) => clip(m - sd[g])), high: mean.map((m, g) => clip(m + sd[g]))};
    }

    /** What a payload says of single elements: those without an answer, and errors at each place. */
    function extras(payload, i, side, averaged) {
        const {arrays} = payload || {}, {e} = loupe.orbit.current, more = {};
        if (!arrays) return more;
        const boxes = arrays[`boxes_${i}`];
        if (boxes) {
            const size = boxes.data.length / e;
            more.marked = Array.from({length: e}, (_, g) => Number.isNaN(boxes.data[g * size]));
        }
        const maps = arrays[`${side === "consensus" ? "consensus_" : ""}error_${i}`];
        if (maps && !averaged) more.maps = {data: maps.data, h: maps.shape[1], w: maps.shape[2]};
        return more;
    }

    /** Decimals by which the ticks of such values differ; two are enough for most. */
    function digits(values) {
        let low = Infinity, high = -Infinity;
        values.forEach((value) => { if (value < low) low = value; if (value > high) high = value; });
        return high > low ? Math.min(5, Math.max(2, 1 - Math.floor(Math.log10(high - low)))) : 2;
    }

    /** DR plot of rows placed at xy (rows, 2), coloured by `values`; bright is good, as in every map. */
    function projection(xy, rows, values, title, isReversed) {
        const orbit = loupe.orbit.current, figure = base("projection");
        const [dots] = figure.data;
        const column = (k) => Float32Array.from(rows, (_, i) => xy[2 * i + k]);
        Object.assign(dots, {x: column(0), y: column(1),
            customdata: rows.map((row) => orbit.ids[row])});
        dots.marker.color = values;
        dots.marker.reversescale = isReversed;
        dots.marker.colorbar.title = {text: title, side: "right", font: {size: 11}};
        dots.marker.colorbar.tickformat = `.${digits(values)}f`;
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

    /** What items turn into, where answers are classes. */
    function confusion(model, rows) {
        const orbit = loupe.orbit.current, figure = base("groups"), columns = loupe.neroGroups.columns(orbit.spec.orbit);
        const shares = loupe.neroGroups.confusion(model, rows, orbit.spec.items.classes.length);
        loupe.neroWords.describeConfusion(model, shares, columns);
        let kept = shares.map((share, k) => [k, Math.max(...share)]).filter(([, top]) => top > 0);
        if (!isFew()) kept = kept.sort((a, b) => b[1] - a[1]).slice(0, 12);
        else kept = shares.map((share, k) => [k, 0]);
        const isAngle = orbit.spec.orbit.layout === "circle";
        Object.assign(figure.layout.xaxis, isAngle ? {dtick: 90, ticksuffix: "°"} : {});
        figure.layout.xaxis.title.text = isAngle ? "angle" : columns.title;
        figure.data[0].x = Array.from(columns.values);
        figure.data[0].y = kept.map(([k]) => orbit.spec.items.classes[k]);
        figure.data[0].z = kept.map(([k]) => Array.from(shares[k]));
        return figure;
    }

    /** Which kinds of items are hard, where answers are no classes. */
    function byClass(rows) {
        const orbit = loupe.orbit.current, figure = base("groups"), metric = loupe.orbit.single();
        for (const trace of figure.data) {
            const model = orbit.models.find((m) => m.key === trace.meta.model);
            if (!model) continue;
            const {names, values} = loupe.neroGroups.byClass(model, rows);
            Object.assign(trace, {x: values, y: names});
        }
        figure.layout.xaxis.title.text = `mean over the orbit: ${metric.label}${metric.unit ? ` (${metric.unit})` : ""}`;
        if (metric.high !== null) figure.layout.xaxis.range = [metric.low - 0.02, metric.high + 0.02];
        return figure;
    }

    const graph = (id) => document.querySelector(`#${id} .js-plotly-plot`);

    /** Mark an element (and off a circle's elements, an angle) in an orbit plot. Rings stand at each
     *  model's value [[model, value], …]. Overlays show them, since Plotly would take longer than a
     *  frame; the figure's own traces, hidden on screen, keep them for exports. */
    function moveCursor(id, place, values) {
        const gd = graph(id), {orbit} = loupe.orbit.current.spec;
        if (!gd || !gd.data) return;
        const rings = values.filter(([, value]) => Number.isFinite(value)).map(([model, value]) => [model.colour, value]);
        if (orbit.layout !== "circle") {
            module().cursor(gd, orbit, place.element, orbit.layout === "line" ? rings : []);
            return;
        }
        const byModel = new Map(values.map(([model, value]) => [model.key, value]));
        for (const trace of gd.data) {
            const {role, model} = trace.meta || {};
            if (role === "cursor") trace.theta = [place.angle, place.angle];
            if (role === "value") Object.assign(trace, {theta: [place.angle], r: [byModel.get(model) ?? null]});
        }
        loupe.dial.paint(gd, place.angle, rings);
    }

    /** Plotly has drawn an orbit plot: its own marks are hidden again and the overlay comes back. */
    function ownMarks(gd, place) {
        const {orbit} = loupe.orbit.current.spec;
        if (orbit.layout !== "circle") {
            loupe.dial.clear(gd);
            loupe.layouts.drawn(gd, orbit, place.element);
            return;
        }
        loupe.layouts.clear(gd);
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
    function moveLine(id, place) {
        const gd = graph(id);
        if (!gd || !gd.layout || !(gd.layout.shapes || []).length) return;
        const {orbit} = loupe.orbit.current.spec, {values, of} = loupe.neroGroups.columns(orbit);
        const x = orbit.layout === "circle" ? place.angle : values[of[place.element]];
        if (gd.layout.shapes[0].x0 === x) return;
        window.Plotly.relayout(gd, {"shapes[0].x0": x, "shapes[0].x1": x});
    }

    /** Call `action(gd)` once Plotly has drawn a graph: the script that does so may still load. */
    function whenDrawn(id, action, tries = 200) {
        const gd = graph(id);
        if (gd && gd.on) action(gd);
        else if (tries && document.getElementById(id)) {
            setTimeout(() => whenDrawn(id, action, tries - 1), 50);
        }
    }

    loupe.draw = {aggregate, individual, projection, detail, confusion, byClass, moveCursor, ownMarks, moveBars,
        markProjection, dropOutline, resetZoom, moveLine, graph, whenDrawn, isBeside};
})(window.loupe);
