/* NERO: the numbers behind the page. Fetches orbit results as typed arrays and answers questions
 * about them without asking the server again: values of any metric by truth or consensus, averages
 * over any subset, bands, orders. Nothing here touches the page or knows a task; spec says what there
 * is. Shapes: n items, e orbit elements, m models. 51-nero-groups.js counts answers and kinds. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const wire = () => loupe.wire;

    /** Everything the page knows about the current comparison: set by load(), read by the views. */
    let orbit = null;

    /** Names of the arrays that every view needs. */
    const basic = (spec) => ["item_ids", "labels", ...(spec.has_classes ? ["predicted"] : [])];

    /** Fetch arrays of a result by name. Long ones travel with 16 bits a number. */
    async function arraysOf(spec, key, names) {
        const wide = spec.orbit.is_wide ? `&u16=${names.join(",")}` : "";
        const {arrays} = await wire().fetch(`/_data/${key}?arrays=${names.join(",")}${wide}`);
        return arrays;
    }

    /** One side of a model: its own orbit, or the one that only resamples. */
    async function side(spec, key, names) {
        const arrays = await arraysOf(spec, key, [...new Set([...basic(spec), ...names])]);
        const values = new Map(Object.entries(arrays).filter(([name]) => name.includes("metric"))
            .map(([name, array]) => [name, array.data]));
        return {values, predicted: arrays.predicted && arrays.predicted.data, arrays};
    }

    async function loadModel(spec, model, names) {
        const [main, control] = await Promise.all([side(spec, model.result, names),
            model.control ? side(spec, model.control.result, names) : null]);
        return {...model, ...main, undone: control};
    }

    /** Load all models of a comparison. `spec` is what the server's show_orbits answered; what came
     *  before stays current until everything is here, and if `isWanted()` says no by then. */
    async function load(spec, wanted, isWanted) {
        const names = stored(spec, wanted);
        const models = await Promise.all(spec.models.map((model) => loadModel(spec, model, names)));
        if (!isWanted()) return null; // another view was asked for meanwhile
        const first = models[0].arrays, e = spec.orbit.size, n = first.item_ids.data.length;
        orbit = {spec, models, n, e, side: wanted.side, shown: chosenMetric(spec, wanted.metric),
            ids: Array.from(first.item_ids.data, Number),
            labels: Array.from(first.labels.data, Number)};
        if (spec.orbit.layout === "circle") {
            orbit.angles = Float32Array.from(spec.orbit.positions, ([angle]) => angle);
        }
        orbit.rowOf = new Map(orbit.ids.map((id, row) => [id, row]));
        return orbit;
    }

    const metricOf = (name) => orbit.spec.metrics.find((metric) => metric.name === name);
    const chosenMetric = (spec, name) => spec.metrics.find((metric) => metric.name === name) || spec.metrics[0];

    /** Names of the stored arrays behind a metric (and its one-item partner), by truth or consensus. */
    function stored(spec, {metric, side: by}) {
        const chosen = chosenMetric(spec, metric);
        const names = [chosen.name, chosen.single];
        const hasTruth = by !== "consensus" || spec.has_truth; // beside a consensus, for their correlation
        const found = spec.metrics.filter(({name}) => names.includes(name)).flatMap((one) =>
            [hasTruth ? one.array : null, by === "truth" ? null : one.consensus]);
        return [...new Set(found)].filter(Boolean);
    }

    /** Fetch what a choice of metric and side still lacks, then make it the one that is shown. */
    async function need(wanted, isWanted) {
        const names = stored(orbit.spec, wanted), mine = orbit;
        const each = [...mine.models.map((m) => [m, m.result]),
            ...mine.models.filter((m) => m.undone).map((m) => [m.undone, m.control.result])];
        await Promise.all(each.map(async ([holder, key]) => {
            const missing = names.filter((name) => !holder.values.has(name));
            if (!missing.length) return;
            const arrays = await arraysOf(mine.spec, key, missing);
            missing.forEach((name) => holder.values.set(name, arrays[name].data));
        }));
        if (mine !== orbit || !isWanted()) return false;
        Object.assign(mine, {side: wanted.side, shown: chosenMetric(mine.spec, wanted.metric)});
        return true;
    }

    /** (n, e) values of a metric; `by` is "truth" or "consensus". Answers' own shares are derived. */
    function valuesOf(holder, metric, by) {
        const name = by === "consensus" ? metric.consensus : metric.array;
        if (name) return holder.values.get(name) || null;
        if (!holder.values.has(metric.name)) {
            holder.values.set(metric.name, loupe.neroGroups.derived(holder.predicted, metric.name));
        }
        return holder.values.get(metric.name);
    }

    const by = () => (orbit.side === "consensus" ? "consensus" : "truth");
    /** The metric that plots of one item, the map and the table show. */
    const single = () => metricOf(orbit.shown.single) || orbit.shown;
    const curves = (model, side_ = by()) => valuesOf(model, single(), side_);

    /** Rows of a subset: "all", "class:<k>" or "selection" (the ids given). */
    function rowsOf(subset, selectedIds) {
        const rows = Array.from({length: orbit.n}, (_, row) => row);
        if (subset && subset.startsWith("class:")) {
            const wanted = Number(subset.slice(6));
            return rows.filter((row) => orbit.labels[row] === wanted);
        }
        if (subset === "selection") return rowsOfIds(selectedIds || []);
        return rows;
    }

    const rowsOfIds = (ids) =>
        ids.map((id) => orbit.rowOf.get(id)).filter((row) => row !== undefined);

    /** Mean and standard deviation over rows at each element; NaN (undefined answers) left out. */
    function spread(values, rows) {
        const {e} = orbit, sum = new Float64Array(e), squares = new Float64Array(e), count = new Float64Array(e);
        for (const row of rows) {
            for (let g = 0, at = row * e; g < e; g++, at++) {
                const v = values[at];
                if (Number.isFinite(v)) { sum[g] += v; squares[g] += v * v; count[g] += 1; }
            }
        }
        const mean = new Float32Array(e), sd = new Float32Array(e);
        for (let g = 0; g < e; g++) {
            mean[g] = count[g] ? sum[g] / count[g] : NaN;
            sd[g] = count[g] ? Math.sqrt(Math.max(0, squares[g] / count[g] - (sum[g] / count[g]) ** 2)) : NaN;
        }
        return {mean, sd};
    }

    /** The aggregate plot's values of one model (or of its undone side), (e,). */
    const aggregate = (holder, rows, metric = orbit.shown, side_ = by()) =>
        spread(valuesOf(holder, metric, side_), rows).mean;

    const slice = (values, row) => values.subarray(row * orbit.e, (row + 1) * orbit.e);

    /** How many values of the models are undefined over the rows, along the whole orbit. */
    function undefinedAnswers(models, rows, metric = orbit.shown) {
        let missing = 0;
        for (const model of models) {
            const values = valuesOf(model, metric, by());
            for (const row of rows) for (const v of slice(values, row)) if (!Number.isFinite(v)) missing += 1;
        }
        return missing;
    }

    /** [mean, variance] of one orbit over what is there. */
    function moments(values) {
        let sum = 0, count = 0;
        for (const v of values) if (Number.isFinite(v)) { sum += v; count += 1; }
        const mean = sum / count;
        let squares = 0;
        for (const v of values) if (Number.isFinite(v)) squares += (v - mean) * (v - mean);
        return [mean, squares / count];
    }

    /** Mean or variance of each row's orbit, (rows,): the colour of the DR plot. */
    function colouring(model, rows, kind) {
        const values = curves(model);
        return Float32Array.from(rows, (row) => moments(slice(values, row))[kind === "mean" ? 0 : 1]);
    }

    /** Rows from low to high by the colouring value, undefined last; the worst come first where the
     *  metric is an error and its mean is asked for. Ties keep the set's order. */
    function ordered(model, rows, kind) {
        const worstIsHigh = kind === "mean" && !single().higher_is_better;
        const values = Array.from(colouring(model, rows, kind), (v) =>
            (Number.isNaN(v) ? Infinity : worstIsHigh ? -v : v));
        return rows.map((row, i) => [row, values[i]]).sort((a, b) => (a[1] < b[1] ? -1 : Number(a[1] > b[1])))
            .map(([row]) => row);
    }

    /** Whether value `a` is worse than `b`; nothing is worse than an undefined one. */
    const isWorse = (a, b) => (single().higher_is_better ? a < b : a > b);

    /** The element at which a row fares worst, and what the model says there. */
    function worstElement(model, row) {
        const values = slice(curves(model), row);
        let worst = 0; // the first element where no answer is defined at all
        for (let g = 1; g < orbit.e; g++) {
            if (isWorse(values[g], values[worst]) || Number.isNaN(values[worst])) worst = g;
        }
        const called = model.predicted ? model.predicted[row * orbit.e + worst] : null;
        return {element: worst, called, value: values[worst]};
    }

    /** Index of the computed element nearest to an angle, and how far off it is in degrees. */
    function nearest(angle) {
        const step = 360 / orbit.e;
        const index = Math.round(angle / step) % orbit.e;
        const gap = Math.abs(((angle - orbit.angles[index] + 540) % 360) - 180);
        return {index, gap};
    }

    /** One item along the whole orbit, all models: one request. {row, arrays, meta} */
    async function item(row) {
        const {spec, models} = orbit, keys = models.map((model) => model.result).join(",");
        const about = `task=${spec.task}&models=${models.map((m) => m.key).join(",")}&orbit=${spec.orbit.key}`;
        const {arrays, meta} = await wire().fetch(`/_nero/item?items=${spec.items.key}&keys=${keys}&row=${row}&${about}`);
        return {row, arrays, meta};
    }

    /** Probabilities at an angle that is not on the orbit: the models run once for it. */
    async function at(row, angle) {
        const models = orbit.models.map((model) => model.key).join(","), {task, items} = orbit.spec;
        const query = `task=${task}&models=${models}&items=${items.key}&item=${orbit.ids[row]}&angle=${angle}`;
        const {arrays} = await wire().fetch(`/_nero/at?${query}`);
        return orbit.models.map((_, i) => ({
            values: arrays[`outputs_${i}`].data, classes: arrays[`class_ids_${i}`].data}));
    }

    /** Where the server draws an item's input under one element. */
    function inputUrl(row, element) {
        const {task, items, orbit: along} = orbit.spec;
        return `/_nero/input?task=${task}&items=${items.key}&item=${orbit.ids[row]}&orbit=${along.key}&element=${element}`;
    }

    /** For one row: by how many elements `twice` (a curve, written twice) must move to match best,
     *  and the root mean square that remains. Equal matches take the smallest shift. */
    function bestShift(values, start, twice, shifts) {
        const {e} = orbit;
        let best = -Infinity, shift = 0, square = 0, count = 0;
        for (let s = 0; s < shifts; s++) {
            let match = 0;
            for (let g = 0; g < e; g++) match += values[start + g] * twice[g - s + e];
            if (match > best + 1e-9 * e) { best = match; shift = s; }
        }
        for (let g = 0; g < e; g++) {
            const gap = values[start + g] - twice[g - shift + e];
            if (Number.isFinite(gap)) { square += gap * gap; count += 1; } else if (shifts > 1) return {distance: NaN};
        }
        return {shift, distance: count ? Math.sqrt(square / count) : NaN};
    }

    /** The rows whose orbit is nearest to that of `row`: on a circle turned by the best angle, as
     *  OrbitResult.similar does. Large sets give way to the page now and then. */
    async function similar(model, row, count) {
        const values = curves(model), wanted = slice(values, row);
        const twice = Float64Array.from([...wanted, ...wanted]);
        const found = [], {n, e} = orbit, mine = orbit, isRound = orbit.spec.orbit.layout === "circle";
        const every = Math.max(1, Math.round(150_000 / e));
        for (let other = 0; other < n; other++) {
            if (other % every === every - 1) await new Promise((resolve) => setTimeout(resolve));
            if (mine !== orbit) return [];
            const {shift, distance} = bestShift(values, other * e, twice, isRound ? e : 1);
            if (other !== row && Number.isFinite(distance)) {
                found.push({row: other, shift_deg: isRound ? shift * 360 / e : null, distance});
            }
        }
        return found.sort((a, b) => a.distance - b.distance).slice(0, count);
    }

    loupe.orbit = {load, need, rowsOf, rowsOfIds, spread, aggregate, valuesOf, curves, single, by, colouring,
        moments, ordered, isWorse, undefinedAnswers, worstElement, nearest, item, at, inputUrl, similar, slice,
        clear() { orbit = null; },
        get current() { return orbit; }};
})(window.loupe);
