/* Metric learning: what the parts of the page share. Arrays come from /_metric once; what moves with the pointer stays here.
 *
 *   loupe.metric.run(card, name, settings)  arrays of a job's result; the card shows the job that makes what is missing
 *   loupe.metric.space(loss)                embeddings and places of one loss, or of a model of the user's
 *   loupe.metric.nearest(space, distance, row, n)  rows and distances, computed here
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const P = "metric-learning";
    const now = {told: null, likeness: null, codes: null, visit: "", version: 0};
    const SCALE = 127;
    const desk = loupe.desk(P);
    const {isHere, setProps, value, ask, done, failed} = desk;

    const at = (name) => document.getElementById(`${P}-${name}`);

    /** The arrays of one result. Where it is still to be computed, the card shows the job. */
    async function run(card, name, settings) {
        const told = await ask(`/_metric/start/${name}`, settings);
        if (told.job) await done(card, told);
        return (await loupe.wire.fetch(`/_data/${told.result}`)).arrays;
    }

    /** Only the newest question of a card is answered: `fresh(card)` says whether this one still is. */
    const newest = new Map();
    function turn(card) {
        const mine = (newest.get(card) || 0) + 1;
        newest.set(card, mine);
        return () => newest.get(card) === mine && isHere();
    }

    // ---- the bundled data

    const spaces = new Map();
    function space(key) {
        const name = isOwn(key) ? `${key} ${value("distance")}` : key;
        if (!spaces.has(name)) {
            const found = isOwn(key) ? measured(key) : loupe.wire.fetch(`/_metric/space/${key}`).then(({arrays}) => unpacked(arrays));
            spaces.set(name, found.catch((error) => { spaces.delete(name); throw error; }));
        }
        return spaces.get(name);
    }

    // ---- models of the user's own

    const isOwn = (key) => key.startsWith("own:");
    /** What a job must be told of a model of the user's; nothing of a bundled loss. */
    const model = (key) => (isOwn(key) ? {model: key, distance: value("distance")} : {});

    /** Its column, its embeddings and their first two components; a job where it is not measured yet. */
    async function measured(key) {
        const {embedding, pca} = await run("map", "model", model(key));
        if (!cells(key)) models(value("distance")).then(loupe.metricPage.run, (error) => failed("models", error));
        return {x: embedding.data, n: embedding.shape[0], d: embedding.shape[1], places: {pca: pca.data}};
    }

    /** The coordinates of a projection, computed where only the first components are there. */
    async function places(key, held, method) {
        if (!held.places[method]) held.places[method] = (await run("map", "place", {...model(key), method})).xy.data;
        return held.places[method];
    }

    /** Lists the registered models among the losses, with what is measured of them under this distance. */
    async function models(distance) {
        const found = (await ask(`/_metric/models?distance=${distance}`)).models;
        now.told.losses = [...now.told.losses.filter((one) => !isOwn(one.key)), ...found];
        found.forEach((one) => { now.told.cells[one.key] = one.cells; });
        now.version += 1;
    }

    const cells = (key) => now.told?.cells[key];

    /** Rows of a result of the bundled losses (a promise of arrays), and above them that of the chosen
     *  model of the user's: of the job `name` with `settings`. */
    async function withOwn(card, name, settings, bundled, key, lists) {
        const held = await bundled;
        if (!isOwn(key)) return held;
        await space(key);
        return stacked(await run(card, name, {...settings, ...model(key)}), held, lists);
    }

    function stacked(own, held, lists) {
        const both = (name) => held[name].data.constructor.from([...own[name].data, ...held[name].data]);
        return {...held, ...Object.fromEntries(lists.map((name) => [name, {...held[name], data: both(name)}]))};
    }

    function unpacked(arrays) {
        const {data, shape} = arrays.embedding, x = new Float32Array(data.length);
        for (let i = 0; i < x.length; i += 1) x[i] = data[i] / SCALE;
        const places = Object.fromEntries(["umap", "tsne", "pca"].filter((key) => arrays[key]).map((key) => [key, arrays[key].data]));
        return {x, n: shape[0], d: shape[1], places};
    }

    /** Distance of every row to one, as the loss measures it. */
    function distances({x, n, d}, distance, row) {
        const found = new Float64Array(n), q = x.subarray(row * d, row * d + d);
        let qq = 0, mean = 0;
        for (let k = 0; k < d; k += 1) { qq += q[k] * q[k]; mean += q[k] / d; }
        const variance = qq / d - mean * mean;
        for (let i = 0; i < n; i += 1) {
            let dot = 0, size = 0, sum = 0, square = 0;
            const from = i * d;
            for (let k = 0; k < d; k += 1) {
                const v = x[from + k], e = q[k] - v;
                dot += q[k] * v; size += v * v; sum += e; square += e * e;
            }
            if (distance === "dot") found[i] = -dot;
            else if (distance === "cosine") found[i] = 1 - dot / Math.sqrt(qq * size);
            else if (distance === "snr") found[i] = (square / d - (sum / d) ** 2) / variance;
            else found[i] = distance === "euclidean" ? Math.sqrt(square) : square;
        }
        return found;
    }

    /** The nearest `count` other rows, nearest first; equal distances in the order of the rows. */
    function nearest(held, distance, row, count) {
        const far = distances(held, distance, row);
        const rows = Array.from(far.keys()).filter((i) => i !== row).sort((a, b) => far[a] - far[b] || a - b);
        return {rows: rows.slice(0, count), order: rows, far};
    }

    const loss = (key) => now.told?.losses.find((one) => one.key === key);
    const property = (name) => now.told?.properties.find((one) => one.name === name);
    const index = (name) => now.told.properties.findIndex((one) => one.name === name);
    const code = (row, name) => now.codes[row * now.told.properties.length + index(name)];
    const label = (name, k) => {
        const {values: all, unit} = property(name), text = all[k];
        return Number.isFinite(Number(text)) ? `${Number(text)}${unit}` : text;
    };
    const picture = (row) => `/_metric/picture/${row}.webp`;
    const fold = (key) => (key && isOwn(key) ? `your model, ${loss(key)?.numbers} numbers, ${value("distance").replace("_", " ")} distance` : `fold 1 of 3 · weights ${(now.told?.weights || "").slice(0, 8)}`);
    const data = () => `${now.told?.n.toLocaleString("en-US")} renders ${(now.told?.data || "").slice(0, 8)}`;

    // ---- numbers and colours

    const MINUS = "−";
    const number = (v, digits = 2) => (Number.isFinite(v) ? (v < 0 ? MINUS : "") + Math.abs(v).toFixed(digits) : "–");
    const pvalue = (p) => (!Number.isFinite(p) ? "–" : p < 0.001 ? "< 0.001" : p.toFixed(3));
    const STOPS = [[68, 1, 84], [72, 40, 120], [62, 73, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [110, 206, 88], [181, 222, 43], [253, 231, 37]];
    /** Viridis at 0 to 1. */
    function viridis(share) {
        const t = Math.min(1, Math.max(0, share)) * (STOPS.length - 1), i = Math.min(STOPS.length - 2, Math.floor(t)), f = t - i;
        return STOPS[i].map((v, k) => Math.round(v + f * (STOPS[i + 1][k] - v)));
    }
    const css = (rgb) => `rgb(${rgb.join(",")})`;
    const ink = (rgb) => (0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2] > 140 ? "#10131a" : "#ffffff");
    /** Colours of the values of a property: hues as themselves where they are hues, else in order. */
    function palette(name) {
        const held = property(name), n = held.values.length;
        if (name === "car_model") return held.values.map((_, k) => loupe.theme.models[k % loupe.theme.models.length]);
        if (held.is_ring) return held.values.map((_, k) => `hsl(${Math.round((360 * k) / n)} 62% ${loupe.theme.scheme() === "dark" ? 60 : 46}%)`);
        return held.values.map((_, k) => css(viridis(0.08 + (0.84 * k) / Math.max(1, n - 1))));
    }

    /** A canvas with a map of bytes (side × side) painted in viridis over nothing. */
    function painted(bytes, side, paint = (v) => [...viridis(v / 255), 255]) {
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = side;
        const context = canvas.getContext("2d"), image = context.createImageData(side, side);
        for (let i = 0; i < side * side; i += 1) image.data.set(paint(bytes[i]), 4 * i);
        context.putImageData(image, 0, 0);
        return canvas;
    }

    /** A canvas with RGB bytes (side × side × 3). */
    function rendered(bytes, side) {
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = side;
        const context = canvas.getContext("2d"), image = context.createImageData(side, side);
        for (let i = 0; i < side * side; i += 1) {
            image.data.set(bytes.subarray(3 * i, 3 * i + 3), 4 * i);
            image.data[4 * i + 3] = 255;
        }
        context.putImageData(image, 0, 0);
        return canvas;
    }

    /** Draw a plotly figure in the colours of the theme. */
    function draw(name, traces, layout) {
        if (!at(name)) return;
        setProps(`${P}-${name}`, {figure: {data: traces, layout: {template: loupe.theme.template(), showlegend: false, ...layout}}});
    }

    loupe.metric = {...desk, P, now, at, run, turn, space, distances, nearest, isOwn, model, models, places, cells, withOwn,
        loss, property, index, code, label, picture, fold, data, number, pvalue, viridis, css, ink, palette, painted, rendered, draw};
})(window.loupe);
