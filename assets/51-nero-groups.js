/* NERO: what groups of items do: shares of answers by class, how far an element is from the one that
 * changes nothing, values of the items by their kind, and how truth and consensus agree. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const current = () => loupe.orbit.current;

    /** Shares that follow from answers (n, e): of right ones, or of those equal to the untouched
     *  input's. NaN where there is no answer. */
    function derived(predicted, name) {
        const {n, e, labels, spec} = current(), values = new Float32Array(n * e);
        for (let row = 0; row < n; row++) {
            const start = row * e, wanted = name === "agreement" ? predicted[start + spec.orbit.identity] : labels[row];
            for (let g = start; g < start + e; g++) {
                values[g] = predicted[g] < 0 || wanted < 0 ? NaN : Number(predicted[g] === wanted);
            }
        }
        return values;
    }

    /** Columns for a plot over the orbit: the elements themselves where they are a sequence, else how
     *  far they lie from the one that changes nothing. {values (c), labels, of (e) -> column, title} */
    function columns(orbit) {
        const {layout, positions, labels, axes, identity} = orbit;
        if (layout === "circle" || layout === "line") {
            return {values: positions.map(([v]) => v), labels, of: positions.map((_, g) => g), title: axes[0]};
        }
        if (layout === "squares") {
            return {values: positions.map((_, g) => g), labels, of: positions.map((_, g) => g), title: "element"};
        }
        const isDisc = layout === "discs", [x0, y0] = positions[identity];
        const far = positions.map((p) => (isDisc ? p[2] : Math.max(Math.abs(p[0] - x0), Math.abs(p[1] - y0))));
        const values = [...new Set(far)].sort((a, b) => a - b), place = new Map(values.map((v, c) => [v, c]));
        return {values, labels: values.map(String), of: far.map((v) => place.get(v)),
            title: isDisc ? axes[2] : "largest step along either axis"};
    }

    /** Share of wrong answers by class and column, as k rows of (c,): what items turn into. */
    function confusion(model, rows, k) {
        const {e, labels, spec} = current(), {values, of} = columns(spec.orbit);
        const shares = Array.from({length: k}, () => new Float32Array(values.length));
        const count = new Float32Array(values.length);
        for (const row of rows) {
            for (let g = 0; g < e; g++) if (model.predicted[row * e + g] >= 0) count[of[g]] += 1;
        }
        for (const row of rows) {
            for (let g = 0; g < e; g++) {
                const called = model.predicted[row * e + g];
                if (called >= 0 && called < k && called !== labels[row]) shares[called][of[g]] += 1 / count[of[g]];
            }
        }
        return shares;
    }

    /** Items' means over their orbits with the name of their class: {names, values}. */
    function byClass(model, rows) {
        const {labels, spec} = current(), means = loupe.orbit.colouring(model, rows, "mean");
        const named = (row) => spec.items.classes[labels[row]] ?? "unknown";
        return {names: rows.map(named), values: means};
    }

    /** Pearson's r of two orbits; NaN where one is flat or fewer than 3 values are there. */
    function pearson(a, b) {
        let n = 0, sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
        for (let g = 0; g < a.length; g++) {
            if (!Number.isFinite(a[g]) || !Number.isFinite(b[g])) continue;
            n += 1; sa += a[g]; sb += b[g]; saa += a[g] * a[g]; sbb += b[g] * b[g]; sab += a[g] * b[g];
        }
        const va = saa - sa * sa / n, vb = sbb - sb * sb / n;
        return n < 3 || va < 1e-12 * n || vb < 1e-12 * n ? NaN : (sab - sa * sb / n) / Math.sqrt(va * vb);
    }

    const median = (values) => {
        const known = values.filter(Number.isFinite).sort((a, b) => a - b), half = Math.floor(known.length / 2);
        if (!known.length) return NaN;
        return known.length % 2 ? known[half] : (known[half - 1] + known[half]) / 2;
    };

    /** How a model's orbits by truth and by consensus go together: r of each row; null without both. */
    function correlations(model, rows) {
        const metric = loupe.orbit.single();
        const truth = loupe.orbit.valuesOf(model, metric, "truth");
        const consensus = metric.consensus && loupe.orbit.valuesOf(model, metric, "consensus");
        if (!truth || !consensus) return null;
        const {slice} = loupe.orbit;
        return rows.map((row) => pearson(slice(truth, row), slice(consensus, row)));
    }

    loupe.neroGroups = {derived, columns, confusion, byClass, pearson, median, correlations};
})(window.loupe);
