/* NERO: what the page says in words: honesty lines, the key of the curves, and one sentence a plot
 * for those who do not see it. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const current = () => loupe.orbit.current;
    const DASHES = [[], [8, 4], [2.5, 2.5], [8, 3, 2, 3], [12, 4], [12, 3, 2, 3]];

    /** Honesty line: n shown of N, what is special here, models and data with fingerprints. What is
     *  special comes first, so that a narrow card shows it. `rows`: whose answers are counted. */
    function honest(name, shown, extra, rows) {
        const {spec, n, models} = current(), short = (text) => text.slice(0, 6);
        const who = models.map((m) => `${m.title} ${short(m.fingerprint)}`).join(", ");
        const missing = rows ? loupe.orbit.undefinedAnswers(models, rows) : 0;
        const gaps = missing ? [`${missing} answers undefined, left out`] : [];
        const parts = [`${shown} of ${n}`, ...gaps, ...(extra || []), "measured here", who,
            `${spec.items.title} ${short(spec.items.fingerprint)}`];
        const id = {type: "honesty", card: `nero-${name}`};
        loupe.nero.setProps(id, {children: parts.join(" · ")});
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
        const entries = current().models.map((model) => el("span",
            {title: `Weights ${model.fingerprint}`},
            swatch(model.colour, DASHES[model.index % DASHES.length], 2.5, 1), model.title));
        if (selected) entries.push(el("span", {}, swatch("currentColor", [2, 3], 2, 1), `selection (${selected})`));
        if (current().models.some((model) => model.control)) {
            entries.push(el("span", {title: "Turned there and back: what interpolation alone costs"},
                swatch("currentColor", [], 1, 0.6), "resampled only"));
        }
        host.replaceChildren(...entries);
    }

    /** The key of the individual plot's ribbon. */
    function bandKey(count, isSelection) {
        const host = document.getElementById("nero-band");
        if (!host) return;
        host.hidden = count < 2;
        host.lastChild.textContent = `mean ± 1 sd of ${isSelection ? "the selection" : "the items shown"} (${count})`;
    }

    // --- for those who do not see the plots ------------------------------------------------------

    const fixed = (value) => (Number.isFinite(value) ? value.toFixed(2) : "undefined");

    /** Give a graph its text equivalent. */
    function describe(name, sentence) {
        const element = document.getElementById(`nero-${name}-graph`);
        if (!element) return;
        element.setAttribute("role", "img");
        element.setAttribute("aria-label", sentence);
    }

    /** "Digits, plain: mean 0.38, lowest 0.18 at 110°". */
    function curveWords(model, values) {
        const known = [...values].map((v, g) => [v, g]).filter(([v]) => Number.isFinite(v));
        if (!known.length) return `${model.title}: undefined`;
        const mean = known.reduce((sum, [v]) => sum + v, 0) / known.length;
        const [low, at] = known.reduce((a, b) => (b[0] < a[0] ? b : a));
        return `${model.title}: mean ${fixed(mean)}, lowest ${fixed(low)} at ${current().angles[at]}°`;
    }

    function describeAggregate(rows, metric) {
        const told = current().models.map((model) =>
            curveWords(model, loupe.orbit.aggregate(model, rows, metric, false)));
        describe("aggregate", `${metric} of ${rows.length} items along the orbit. ${told.join("; ")}.`);
    }

    function describeIndividual(row) {
        const told = current().models.map((m) => curveWords(m, loupe.orbit.slice(m.metric, row)));
        describe("individual", `Confidence in the true class of ${loupe.sprites.name(row)}. ${told.join("; ")}.`);
    }

    function describeMap(method, values, what) {
        const known = [...values].filter(Number.isFinite);
        const [low, high] = [Math.min(...known), Math.max(...known)];
        describe("projection", `Map of ${values.length} orbits by ${method}; ${what} from ${fixed(low)} to ${fixed(high)}. `
            + "The table of this plot has every item.");
    }

    /** What each model answers at the chosen angle, of the strongest classes. */
    function describeOutputs(angle, outputs) {
        const told = current().models.map((model, i) => {
            const best = loupe.sprites.winner(outputs[i]);
            return `${model.title} answers ${best.name} with ${fixed(best.confidence)}`;
        });
        describe("detail", `At ${Number(angle.toFixed(2))} degrees: ${told.join("; ")}.`);
    }

    function describeConfusion(model, shares) {
        let best = {share: 0};
        shares.forEach((row, k) => row.forEach((share, g) => { if (share > best.share) best = {share, k, g}; }));
        const most = best.share ? `most often ${loupe.sprites.className(best.k)}, ${(100 * best.share).toFixed(0)} % at `
            + `${current().angles[best.g]}°` : "none";
        describe("confusion", `Wrong answers of ${model.title} at every angle: ${most}.`);
    }

    loupe.neroWords = {honest, legend, bandKey, describeAggregate, describeIndividual, describeMap,
        describeOutputs, describeConfusion};
})(window.loupe);
