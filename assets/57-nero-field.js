/* NERO: the numbers behind the view "arrows": fields (2, size, size) in px with u right and v down, on
 * the arrow grid, error maps (h, w) in px, and what they are compared with at an element. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const WINDOW = 8; // arrows each way of the part that is drawn larger
    const HIGH = 0.8, LONG = 0.95; // percentiles: end of the colour range, arrow as long as a cell
    const view = () => loupe.neroView;

    /** The part of an array (e, ...) that belongs to the chosen element. */
    function part(state, name) {
        const values = view().array(state, name);
        if (!values) return null;
        const size = values.length / view().shape(state, name)[0];
        return values.subarray(state.element * size, (state.element + 1) * size);
    }

    /** Width of the arrow grid: {size}. */
    function sizes(state) {
        const name = state.models.map((_, i) => `field_${i}`).find((key) => view().array(state, key));
        return {size: name ? view().shape(state, name)[3] : WINDOW};
    }

    /** What model `i` is compared with at the element: the truth there, or its consensus turned there. */
    function against(state, i) {
        if (state.mode !== "consensus") return part(state, "truth");
        const values = view().array(state, `consensus_${i}`);
        return values && loupe.neroSquare.field(values, sizes(state).size, state.element);
    }

    /** Length of the difference of two fields at each place. */
    function difference(first, second) {
        const area = first.length / 2;
        return Float32Array.from({length: area}, (_, k) =>
            Math.hypot(first[k] - second[k], first[area + k] - second[area + k]));
    }

    /** Field, reference and error map of model `i` at the element; null while there is nothing. */
    function seen(state, i) {
        const field = part(state, `field_${i}`), {size} = sizes(state);
        if (!field) return null;
        const reference = against(state, i), name = state.mode === "consensus" ? `consensus_error_${i}` : `error_${i}`;
        const values = part(state, name);
        if (values) {
            const [height, width] = view().shape(state, name).slice(-2);
            return {field, size, against: reference, error: {values, width, height}};
        }
        const missing = () => new Float32Array(size * size).fill(NaN);
        return {field, size, against: reference,
            error: {values: reference ? difference(field, reference) : missing(), width: size, height: size}};
    }

    function mean(values) {
        let sum = 0, count = 0;
        for (const value of values) if (Number.isFinite(value)) { sum += value; count += 1; }
        return count ? sum / count : NaN;
    }

    /** A percentile of the finite ones of up to 20,000 evenly chosen values. */
    function percentile(values, share) {
        const stride = Math.max(1, Math.floor(values.length / 20000)), some = [];
        for (let k = 0; k < values.length; k += stride) if (Number.isFinite(values[k])) some.push(values[k]);
        some.sort((a, b) => a - b);
        return some.length ? some[Math.min(some.length - 1, Math.floor(share * some.length))] : NaN;
    }

    const kept = new WeakMap(); // arrays of an item -> what was worked out from all of its elements

    function once(state, name, make) {
        const held = kept.get(state.item.arrays) || {};
        kept.set(state.item.arrays, held);
        if (!(name in held)) held[name] = make();
        return held[name];
    }

    /** One range for all models: the page's, or 0 to the 80th percentile of this item's errors. */
    function range(state) {
        if (state.range && Number.isFinite(state.range[1])) return state.range;
        return once(state, `range ${state.mode}`, () => {
            const all = state.models.flatMap((_, i) => {
                const shown = seen(state, i);
                return [percentile(view().array(state, `error_${i}`) || (shown ? shown.error.values : []), HIGH)];
            }).filter(Number.isFinite);
            return [0, Math.max(1e-6, ...all)];
        });
    }

    /** The length in px that is drawn as long as a cell, the same for every element and model. */
    function longest(state) {
        return once(state, "longest", () => {
            const values = view().array(state, "truth") || view().array(state, "field_0"), {size} = sizes(state);
            const area = size * size, lengths = [];
            for (let start = 0; start + 2 * area <= values.length; start += 2 * area) {
                for (let k = 0; k < area; k += 3) lengths.push(Math.hypot(values[start + k], values[start + area + k]));
            }
            return Math.max(1e-6, percentile(lengths, LONG) || 1);
        });
    }

    /** The largest of 1, 2, 5, 10, ... that is not above a value. */
    function round(value) {
        const power = 10 ** Math.floor(Math.log10(value));
        return [5, 2, 1].find((step) => step * power <= value * (1 + 1e-9)) * power;
    }

    loupe.neroField = {WINDOW, sizes, seen, mean, range, longest, round};
})(window.loupe);
