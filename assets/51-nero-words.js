/* NERO: what the page says in words: honesty lines, the key of the curves, and one sentence a plot
 * for those who do not see it. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const current = () => loupe.orbit.current;
    const TIP = "Drag the green mark, or use the arrow keys";
    const DASHES = [[], [8, 4], [2.5, 2.5], [8, 3, 2, 3], [12, 4], [12, 3, 2, 3]];

    /** Honesty line: n shown of N, what is special here, models and data with fingerprints. What is
     *  special comes first, so that a narrow card shows it. `rows`: whose values are counted. */
    function honest(name, shown, extra, rows, metric) {
        const {spec, n, models} = current(), short = (text) => text.slice(0, 6);
        const who = models.map((m) => `${m.title} ${short(m.fingerprint)}`).join(", ");
        const missing = rows ? loupe.orbit.undefinedAnswers(models, rows, metric) : 0;
        const gaps = missing ? [`${missing} answers undefined, left out`] : [];
        const parts = [`${shown} of ${n}`, ...gaps, ...(extra || []).filter(Boolean), "measured here", who,
            `${spec.items.title} ${short(spec.items.fingerprint)}`];
        const id = {type: "honesty", card: `nero-${name}`};
        loupe.nero.setProps(id, {children: parts.join(" · ")});
    }

    /** What outputs are compared with, where that can be either; only the individual plot has both. */
    function compared(hasBoth) {
        if (!current().spec.has_consensus) return "";
        return hasBoth && current().side === "both" ? "by truth and consensus" : `by ${loupe.orbit.by()}`;
    }

    const elements = () => (current().spec.orbit.is_turned_here ? "angles" : "elements");

    const hasBand = () => ["circle", "line"].includes(current().spec.orbit.layout);

    /** Where a colour range comes from the data, it says so. */
    const scale = (metric) => (metric.high === null ? "colours up to the 80th percentile of all models" : "");

    /** Beside the individual plot: how to move, or how truth and consensus go together, which is
     *  also the answer. */
    function tip(row, rows) {
        const host = document.getElementById("nero-tip"), {models, side} = current();
        const told = side === "truth" ? [] : models.map((model) => {
            const each = loupe.neroGroups.correlations(model, rows), mine = loupe.neroGroups.correlations(model, [row]);
            const say = (r) => (Number.isFinite(r) ? (Math.abs(r) < 0.005 ? 0 : r).toFixed(2) : "–"); // a flat plot has none
            return each && `${say(mine[0])} (median ${say(loupe.neroGroups.median(each))}) ${model.title}`;
        }).filter(Boolean);
        const text = told.length ? `r of truth and consensus: ${told.join("; ")}` : TIP;
        if (!host || host.textContent === text) return told.length ? text : "";
        host.textContent = text;
        host.title = told.length ? `Pearson's r of this item's two plots; the median is that of ${rows.length} items.` : "";
        return told.length ? text : "";
    }

    /** A line as it is drawn: `dash` in px, on and off by turns. No SVG, which exports would take
     *  for a drawing of the card. */
    function swatch(colour, dash, width, opacity) {
        let at = 0;
        const stops = dash.map((length, i) => {
            const from = at, shade = i % 2 ? "transparent" : colour;
            at += length;
            return `${shade} ${from}px ${at}px`;
        });
        const background = stops.length ? `repeating-linear-gradient(90deg, ${stops.join(", ")})` : colour;
        return loupe.dom.el("i", {style: `height: ${width}px; opacity: ${opacity}; background: ${background}`});
    }

    /** The key under the aggregate: each model's line, and what else is drawn just now. */
    function legend(selected) {
        const host = document.getElementById("nero-legend"), {el} = loupe.dom;
        if (!host) return;
        if (!hasBand()) { // maps have their names above them
            host.replaceChildren();
            return;
        }
        const entries = current().models.map((model) => el("span",
            {title: `Weights ${model.fingerprint}`},
            swatch(model.colour, DASHES[model.index % DASHES.length], 2.5, 1), model.title));
        if (selected) entries.push(el("span", {}, swatch("currentColor", [2, 3], 2, 1), `selection (${selected})`));
        if (current().models.some((model) => model.control)) {
            entries.push(el("span", {title: "There and back: what interpolation alone costs"},
                swatch("currentColor", [], 1, 0.6), "resampled only"));
        }
        host.replaceChildren(...entries);
    }

    /** The key of the individual plot's ribbon. */
    function bandKey(count, isSelection) {
        const host = document.getElementById("nero-band");
        if (!host) return;
        host.hidden = count < 2 || !hasBand();
        host.lastChild.textContent = `mean ± 1 sd of ${isSelection ? "the selection" : "items shown"} (${count})`;
    }

    // --- for those who do not see the plots ------------------------------------------------------

    const fixed = (value) => (Number.isFinite(value) ? value.toFixed(2) : "undefined");

    /** Give a graph its text equivalent. */
    function describe(name, sentence) {
        const element = document.getElementById(`nero-${name}-graph`);
        if (!element) return;
        element.setAttribute("role", "figure");
        element.setAttribute("aria-label", sentence);
    }

    /** Values of each model along the orbit in a sentence: mean, best and worst element. */
    function curveWords(metric, valuesOf) {
        const {spec, models} = current();
        const told = models.map((model) => ({title: model.title, values: valuesOf(model)}));
        return loupe.layouts.of(spec.orbit).describe(spec.orbit, told, metric);
    }

    function describeAggregate(rows) {
        const {shown} = current();
        describe("aggregate", `${rows.length} items. `
            + curveWords(shown, (model) => loupe.orbit.aggregate(model, rows)));
    }

    function describeIndividual(row) {
        describe("individual", `${loupe.sprites.name(row)}. `
            + curveWords(loupe.orbit.single(), (model) => loupe.orbit.slice(loupe.orbit.curves(model), row)));
    }

    function describeMap(method, values, what) {
        const known = [...values].filter(Number.isFinite);
        const [low, high] = [Math.min(...known), Math.max(...known)];
        describe("projection", `Map of ${values.length} orbits by ${method}; ${what} from ${fixed(low)} to ${fixed(high)}. `
            + "The table of this plot has every item.");
    }

    /** The place on the orbit, for the control that moves it. */
    function speakPlace(place, values) {
        const dial = document.getElementById("nero-dial"), {spec, e} = current(), {row} = loupe.nero.now;
        const isAngle = spec.orbit.is_turned_here, metric = loupe.orbit.single();
        const where = isAngle ? `${Number(place.angle.toFixed(2))} degrees` : spec.orbit.labels[place.element];
        const told = values.map(([model, v]) => `${model.title} ${fixed(v)}`).join(", ");
        dial.setAttribute("aria-valuemax", String(isAngle ? 360 : e - 1));
        dial.setAttribute("aria-valuenow", String(isAngle ? Number(place.angle.toFixed(2)) : place.element));
        dial.setAttribute("aria-valuetext", `${where}, ${loupe.sprites.name(row)}; ${metric.title}: ${told}`);
    }

    function describeConfusion(model, shares, columns) {
        let best = {share: 0};
        shares.forEach((row, k) => row.forEach((share, g) => { if (share > best.share) best = {share, k, g}; }));
        const most = best.share ? `most often ${loupe.sprites.className(best.k)}, ${(100 * best.share).toFixed(0)} % at `
            + `${columns.labels[best.g]}` : "none";
        describe("confusion", `Wrong answers of ${model.title} along the orbit: ${most}.`);
    }

    /** Means of the kinds of items, model by model. */
    function describeGroups(rows) {
        const {models} = current(), {median} = loupe.neroGroups;
        const told = models.map((model) => {
            const {names, values} = loupe.neroGroups.byClass(model, rows);
            const kinds = [...new Set(names)].sort();
            return `${model.title}: ${kinds.map((kind) =>
                `${kind} ${fixed(median([...values].filter((_, i) => names[i] === kind)))}`).join(", ")}`;
        });
        describe("confusion", `Median over items of ${loupe.orbit.single().title}, by kind. ${told.join("; ")}.`);
    }

    loupe.neroWords = {honest, compared, elements, hasBand, scale, tip, legend, bandKey, fixed, describe, describeAggregate,
        describeIndividual, describeMap, describeConfusion, describeGroups, speakPlace};
})(window.loupe);
