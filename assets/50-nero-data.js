/* NERO: the numbers behind the page. Fetches orbit results as typed arrays and answers questions
 * about them without asking the server again: averages over any subset, bands, confusions, orders.
 * Nothing here touches the page. Shapes: n items, e orbit elements, m models. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const wire = () => loupe.wire;

    /** Everything the page knows about the current task: set by load(), read by the views. */
    let orbit = null;

    /** Fetch one model's overview: metric (n, e), predicted (n, e), labels (n,), item_ids (n,). */
    async function overview(key) {
        const names = "metric,predicted,labels,item_ids,angles_deg";
        const {arrays} = await wire().fetch(`/_data/${key}?arrays=${names}`);
        return arrays;
    }

    async function loadModel(model) {
        const [main, control] = await Promise.all([
            overview(model.result),
            model.control ? overview(model.control.result) : null,
        ]);
        return {...model, metric: main.metric.data, predicted: main.predicted.data,
            controlMetric: control && control.metric.data,
            controlPredicted: control && control.predicted.data, arrays: main};
    }

    /** Load all models of a comparison. `spec` is what the server's show_orbits answered; what came
     *  before stays current until everything is here, and if `isWanted()` says no by then. */
    async function load(spec, isWanted) {
        const models = await Promise.all(spec.models.map(loadModel));
        if (!isWanted()) return null; // another view was asked for meanwhile
        const first = models[0].arrays;
        const [n, e] = first.metric.shape;
        orbit = {spec, models, n, e,
            ids: Array.from(first.item_ids.data, Number),
            labels: Array.from(first.labels.data, Number),
            angles: Float32Array.from(first.angles_deg.data)};
        orbit.rowOf = new Map(orbit.ids.map((id, row) => [id, row]));
        return orbit;
    }

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
        const mean = new Float32Array(orbit.e), sd = new Float32Array(orbit.e);
        for (let g = 0; g < orbit.e; g++) {
            let sum = 0, squares = 0, count = 0;
            for (const row of rows) {
                const v = values[row * orbit.e + g];
                if (Number.isFinite(v)) { sum += v; squares += v * v; count += 1; }
            }
            mean[g] = count ? sum / count : NaN;
            sd[g] = count ? Math.sqrt(Math.max(0, squares / count - mean[g] * mean[g])) : NaN;
        }
        return {mean, sd};
    }

    /** How many of the rows have an answer at each element: (e,). No answer is written as -1. */
    function answered(predicted, rows) {
        const count = new Float32Array(orbit.e);
        for (const row of rows) {
            for (let g = 0; g < orbit.e; g++) if (predicted[row * orbit.e + g] >= 0) count[g] += 1;
        }
        return count;
    }

    /** Share of answers that are the true class, at each element: (e,); NaN where none answers. */
    function accuracy(predicted, rows) {
        const right = new Float32Array(orbit.e), count = answered(predicted, rows);
        for (const row of rows) {
            for (let g = 0; g < orbit.e; g++) {
                if (predicted[row * orbit.e + g] === orbit.labels[row]) right[g] += 1;
            }
        }
        return right.map((n, g) => n / count[g]);
    }

    /** How many answers of the models are undefined over the rows, along the whole orbit. */
    function undefinedAnswers(models, rows) {
        return models.reduce((sum, model) => sum + rows.length * orbit.e
            - answered(model.predicted, rows).reduce((a, b) => a + b, 0), 0);
    }

    /** The aggregate plot's values of one model: accuracy or mean confidence, (e,). */
    function aggregate(model, rows, metric, control) {
        const predicted = control ? model.controlPredicted : model.predicted;
        const values = control ? model.controlMetric : model.metric;
        return metric === "accuracy" ? accuracy(predicted, rows) : spread(values, rows).mean;
    }

    const slice = (values, row) => values.subarray(row * orbit.e, (row + 1) * orbit.e);

    /** Mean or variance of each row's orbit, (rows,): the colour of the DR plot. */
    function colouring(model, rows, kind) {
        return Float32Array.from(rows, (row) => {
            const values = slice(model.metric, row).filter(Number.isFinite);
            const mean = values.reduce((a, b) => a + b, 0) / values.length;
            if (kind === "mean") return mean;
            return values.reduce((a, b) => a + (b - mean) * (b - mean), 0) / values.length;
        });
    }

    /** Rows sorted by the colouring value, low to high, undefined last; ties keep the set's order. */
    function ordered(model, rows, kind) {
        const last = (value) => (Number.isNaN(value) ? Infinity : value);
        const values = Array.from(colouring(model, rows, kind), last);
        return rows.map((row, i) => [row, values[i]]).sort((a, b) => (a[1] < b[1] ? -1 : Number(a[1] > b[1])))
            .map(([row]) => row);
    }

    /** Share of wrong answers by class and element, as k rows of (e,): what items turn into. */
    function confusion(model, rows, k) {
        const shares = Array.from({length: k}, () => new Float32Array(orbit.e));
        const count = answered(model.predicted, rows);
        for (const row of rows) {
            for (let g = 0; g < orbit.e; g++) {
                const called = model.predicted[row * orbit.e + g];
                const isWrong = called >= 0 && called < k && called !== orbit.labels[row];
                if (isWrong) shares[called][g] += 1 / count[g];
            }
        }
        return shares;
    }

    /** The angle at which a row's confidence is lowest, and what the model says there. */
    function worstElement(model, row) {
        const values = slice(model.metric, row);
        let worst = 0; // the first element where no answer is defined at all
        for (let g = 1; g < orbit.e; g++) {
            if (values[g] < values[worst] || Number.isNaN(values[worst])) worst = g;
        }
        return {angle: orbit.angles[worst], called: model.predicted[row * orbit.e + worst],
            confidence: values[worst]};
    }

    /** Index of the computed element nearest to an angle, and how far off it is in degrees. */
    function nearest(angle) {
        const step = 360 / orbit.e;
        const index = Math.round(angle / step) % orbit.e;
        const gap = Math.abs(((angle - orbit.angles[index] + 540) % 360) - 180);
        return {index, gap};
    }

    /** One item's outputs at every element, all models: one request of about 3 kB a model. */
    async function item(row) {
        const keys = orbit.models.map((model) => model.result).join(",");
        const {arrays, meta} = await wire().fetch(`/_nero/item?items=${orbit.spec.items.key}&keys=${keys}&row=${row}`);
        const outputs = orbit.models.map((_, i) => ({
            values: arrays[`outputs_${i}`].data, classes: arrays[`class_ids_${i}`].data}));
        return {row, outputs, imageUrl: meta.image_url};
    }

    /** Probabilities at an angle that is not on the orbit: the models run once for it. */
    async function at(row, angle) {
        const models = orbit.models.map((model) => model.key).join(",");
        const {task} = orbit.spec;
        const query = `task=${task}&models=${models}&item=${orbit.ids[row]}&angle=${angle}`;
        const {arrays} = await wire().fetch(`/_nero/at?${query}`);
        return orbit.models.map((_, i) => ({
            values: arrays[`outputs_${i}`].data, classes: arrays[`class_ids_${i}`].data}));
    }

    /** For one row: by how many elements `twice` (a curve, written twice) must move to match best,
     *  and the root mean square that remains. Equal matches take the smallest shift. */
    function bestShift(values, start, twice) {
        const {e} = orbit;
        let best = -Infinity, shift = 0, square = 0;
        for (let s = 0; s < e; s++) {
            let match = 0;
            for (let g = 0; g < e; g++) match += values[start + g] * twice[g - s + e];
            if (match > best + 1e-9 * e) { best = match; shift = s; }
        }
        for (let g = 0; g < e; g++) square += (values[start + g] - twice[g - shift + e]) ** 2;
        return {shift, distance: Math.sqrt(square / e)};
    }

    /** The rows whose orbit, turned by the best angle, is nearest to that of `row`: the answer of
     *  OrbitResult.similar, without a request. Large sets give way to the page now and then. */
    async function similar(model, row, count) {
        const wanted = slice(model.metric, row), twice = Float64Array.from([...wanted, ...wanted]);
        const found = [], {n, e} = orbit, mine = orbit;
        for (let other = 0; other < n; other++) {
            if (other % 2000 === 1999) await new Promise((resolve) => setTimeout(resolve));
            if (mine !== orbit) return [];
            const {shift, distance} = bestShift(model.metric, other * e, twice);
            if (other !== row && Number.isFinite(distance)) {
                found.push({row: other, shift_deg: shift * 360 / e, distance});
            }
        }
        return found.sort((a, b) => a.distance - b.distance).slice(0, count);
    }

    loupe.orbit = {load, rowsOf, rowsOfIds, spread, aggregate, colouring, ordered, confusion,
        undefinedAnswers, worstElement, nearest, item, at, similar, slice,
        clear() { orbit = null; },
        get current() { return orbit; }};
})(window.loupe);
