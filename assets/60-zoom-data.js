/* Zoom-In: what the views share, and what follows from a look's arrays (backend/zoom/result.py).
 * The arrays come from /_data once; nothing large is ever in a store. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const EMPTY = {question: "", token: 0, told: null, image: null, look: null, draws: null, costs: null,
        cam: null, answers: null, piece: -1, order: [], isPeeking: false};
    const now = {...EMPTY, sent: 0, facts: {cams: [], asked: []}};

    const isHere = () => Boolean(document.getElementById("zoom-stage"));
    const at = (id) => document.getElementById(id);
    /** Nothing is written once the page has been left: its components are gone. */
    const setProps = (id, props) => { if (isHere()) window.dash_clientside.set_props(id, props); };
    /** Write a value of the page's state; the controls, the URL and undo follow. */
    const set = (key, value) => setProps({type: "control", page: "zoom", key}, {value});
    const value = (key) => loupe.state.current().values[key];
    const say = (card, kind, more) => {
        if (loupe.card.find(`zoom-${card}`)) loupe.card.setState(`zoom-${card}`, {kind, ...more});
    };

    /** What a card says of its making. */
    function honest(card, parts) {
        const line = at(JSON.stringify({card: `zoom-${card}`, type: "honesty"}));
        if (line) line.textContent = parts.filter(Boolean).join(" · ");
    }

    /** The last view of a job, once it has ended; `each` sees those before. */
    const until = (job, each) => new Promise((resolve) => {
        loupe.jobs.watch(job, (view) => {
            if (loupe.jobs.isFinal(view)) resolve(view);
            else if (each) each(view);
        });
    });

    const failure = (message, hint) => Object.assign(new Error(message), {hint: hint || ""});

    /** The arrays of a part of the answer, all or those named: null where it is not wanted any more. */
    async function arrays(part, isWanted, onJob, names) {
        if (!part) return null;
        if (part.message) throw failure(part.message, part.hint);
        if (part.job) {
            if (onJob) onJob(part.job);
            const view = await until(part.job);
            if (!isWanted()) return null;
            if (view.state !== "done") throw failure(view.error_message || "The run was cancelled.", view.error_hint);
        }
        const answer = await loupe.wire.fetch(`/_data/${part.result}${names ? `?arrays=${names}` : ""}`);
        return isWanted() ? answer.arrays : null;
    }

    /** JSON from a route; what it refuses becomes an Error with its sentence. */
    async function ask(url, options) {
        const answer = await fetch(url, options), body = await answer.json().catch(() => ({}));
        if (!answer.ok) throw failure(body.message || `The server answered ${answer.status}.`, body.hint);
        return body;
    }

    const query = (key, more) => `image=${encodeURIComponent(key)}${more || ""}`;

    /** Rows of four numbers as {x, y, w, h}. */
    const boxes = ({data, shape}) => Array.from({length: shape[0]}, (_, i) =>
        ({x: Number(data[4 * i]), y: Number(data[4 * i + 1]), w: Number(data[4 * i + 2]), h: Number(data[4 * i + 3])}));

    const largest = (values) => values.reduce((most, one) => Math.max(most, one), 0);
    const best = (values) => values.reduce((top, one, i) => (one > values[top] ? i : top), 0);

    /** A look as the views use it. */
    function look(held, classes) {
        const k = held.answer.data.length, answer = Array.from(held.answer.data), label = best(answer);
        const n = held.weights.data.length;
        const effects = Array.from({length: n}, (_, i) => held.contributions.data[i * k + label]);
        const order = effects.map((_, i) => i).sort((a, b) => Math.abs(effects[b]) - Math.abs(effects[a]) || a - b);
        return {answer, label, name: classes[label], classes, effects, order, n,
            alpha: {data: held.alpha.data, rows: held.alpha.shape[0], columns: held.alpha.shape[1], top: largest(held.alpha.data)},
            betas: {data: held.betas.data, rows: held.betas.shape[1], columns: held.betas.shape[2], top: largest(held.betas.data)},
            tiles: boxes(held.tiles), hits: Array.from(held.hits.data, Number), subtiles: boxes(held.subtiles),
            tileOf: Array.from(held.tile_of.data, Number), weights: held.weights.data, topWeight: largest(held.weights.data),
            cost: Array.from(held.cost.data), tilePx: Number(held.tiles.data[2])};
    }

    /** The share of all absolute effects that the strongest 1, 2, ... n hold. */
    function shares({effects, order}) {
        const total = effects.reduce((sum, one) => sum + Math.abs(one), 0);
        let sum = 0;
        return order.map((i) => { sum += Math.abs(effects[i]); return total ? sum / total : 0; });
    }

    /** How much of the steps from 0 lies between two places: each 0 to 1. */
    const covered = (count, step, from, to) => Float64Array.from({length: count}, (_, i) =>
        Math.min(1, Math.max(0, (Math.min(to, (i + 1) * step) - Math.max(from, i * step)) / step)));

    /** The share of the first map's weight within a rectangle of the image. A rectangle that the user
     *  drew is the only tile: what counts is how much of it is seen. */
    function shareInView({alpha, tiles, tilePx}, {x, y, w, h}, region) {
        if (region) {
            const [t] = tiles;
            const over = (a, b, c, d) => Math.max(0, Math.min(b, d) - Math.max(a, c));
            return over(t.x, t.x + t.w, x, x + w) * over(t.y, t.y + t.h, y, y + h) / (t.w * t.h);
        }
        const down = covered(alpha.rows, tilePx, y, y + h), across = covered(alpha.columns, tilePx, x, x + w);
        let sum = 0;
        for (let r = 0; r < alpha.rows; r += 1) {
            if (!down[r]) continue;
            for (let c = 0; c < alpha.columns; c += 1) sum += down[r] * across[c] * alpha.data[r * alpha.columns + c];
        }
        return sum;
    }

    /** The quantile of sorted numbers, as numpy's default. */
    function quantile(sorted, share) {
        const place = (sorted.length - 1) * share, low = Math.floor(place);
        return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (place - low);
    }

    const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;

    /** 1234567 as "1.2 M". */
    function short(number, unit = "") {
        const steps = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
        const [size, prefix] = steps.find(([least]) => number >= least) || [1, ""];
        const scaled = number / size;
        return `${scaled >= 100 || !prefix ? Math.round(scaled) : scaled.toFixed(1)} ${prefix}${unit}`.trim();
    }

    const reset = () => Object.assign(now, {...EMPTY, token: now.token + 1});
    loupe.zoom = {now, isHere, at, set, value, setProps, say, honest, until, arrays, ask, query, look, shares,
        shareInView, quantile, percent, short, boxes, best, reset, failure};
})(window.loupe);
