/* NERO: the page. Clientside callbacks (dash_clientside.nero) answer one question each; what moves
 * with the pointer goes past Dash. The values of the controls are the page's state (20-state.js);
 * the arrays live in loupe.orbit; nothing large is ever in a store. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const CARDS = ["aggregate", "projection", "individual", "input", "detail", "confusion", "worst"];
    const none = () => window.dash_clientside.no_update;
    const setProps = (id, props) => window.dash_clientside.set_props(id, props);
    const control = (key) => ({type: "control", page: "nero", key});
    const card = (name) => `nero-${name}`;
    const graph = (name) => `nero-${name}-graph`;

    /** What the views share between redraws; small, per tab. */
    const now = {token: 0, row: 0, angle: 0, outputs: null, source: null, placed: null,
        selected: [], rows: [], version: 0};

    const say = (name, kind, more) => loupe.card.setState(card(name), {kind, ...more});
    const modelAt = (key) => loupe.orbit.current.models.find((m) => m.key === key)
        || loupe.orbit.current.models[0];

    /** The last view of a job, once it has ended one way or another. */
    const until = (job) => new Promise((resolve) => {
        loupe.jobs.watch(job, (view) => { if (loupe.jobs.isFinal(view)) resolve(view); });
    });

    // --- loading -------------------------------------------------------------------------------

    /** Wait for the jobs of a spec, showing their progress; the newest call wins. */
    async function finished(spec, token) {
        const jobs = spec.models.flatMap((m) => [m.job, m.control && m.control.job]).filter(Boolean);
        for (const [i, job] of jobs.entries()) {
            if (token !== now.token) return false;
            const text = jobs.length > 1 ? `Turning the images (${i + 1} of ${jobs.length})` : "";
            say("aggregate", "job", {jobId: job, message: text || "Turning the images"});
            const view = await until(job);
            if (token !== now.token) return false;
            if (view.state !== "done") {
                const message = view.error_message || "The run was cancelled.";
                say("aggregate", "failed", {message, hint: view.error_hint || "Press Retry to run it."});
                return false;
            }
        }
        return token === now.token;
    }

    async function load(spec) {
        if (!spec || !spec.models) return none();
        const token = ++now.token;
        if (!spec.models.length) {
            CARDS.forEach((name) => say(name, "empty", {message: spec.message, hint: spec.hint || ""}));
            return none();
        }
        CARDS.forEach((name) => say(name, "loading"));
        try {
            if (!await finished(spec, token)) return none();
            await loupe.orbit.load(spec);
        } catch (error) {
            say("aggregate", "failed", {message: error.message, hint: error.hint || ""});
            return none();
        }
        if (token !== now.token) return none();
        Object.assign(now, {outputs: null, placed: null});
        CARDS.filter((name) => name !== "projection").forEach((name) => say(name, "ready"));
        legend();
        return {version: ++now.version, task: spec.task};
    }

    /** One key for all plots: a line in each model's colour and dash beside its name. */
    function legend() {
        const {el} = loupe.dom, NS = "http://www.w3.org/2000/svg";
        const dashes = ["", "8 4", "2.5 2.5", "8 3 2 3", "12 4", "12 3 2 3"];
        const items = loupe.orbit.current.models.map((model) => {
            const svg = document.createElementNS(NS, "svg"), line = document.createElementNS(NS, "line");
            Object.entries({x1: 0, x2: 22, y1: 2, y2: 2, stroke: model.colour, "stroke-width": 2.5,
                "stroke-dasharray": dashes[model.index % dashes.length]})
                .forEach(([name, value]) => line.setAttribute(name, value));
            svg.append(line);
            return el("span", {title: `Weights ${model.fingerprint}`}, svg, model.title);
        });
        document.getElementById("nero-legend").replaceChildren(...items);
    }

    /** Honesty line: n shown of N, models and data with fingerprints, and what is special here. */
    function honest(name, shown, extra) {
        const {spec, n, models} = loupe.orbit.current;
        const short = (text) => text.slice(0, 6);
        const who = models.map((m) => `${m.title} ${short(m.fingerprint)}`).join(", ");
        const parts = [`${shown} of ${n}`, who, `${spec.items.title} ${short(spec.items.fingerprint)}`,
            ...(extra || []), "measured here"];
        setProps({type: "honesty", card: card(name)}, {children: parts.join(" · ")});
    }

    // --- overview ------------------------------------------------------------------------------

    function rowsFor(subset, selection) {
        const mine = selection && selection.items === loupe.orbit.current.spec.items.key;
        now.selected = mine ? loupe.orbit.rowsOfIds(selection.ids) : [];
        now.rows = loupe.orbit.rowsOf(subset, mine ? selection.ids : []);
        return now.rows;
    }

    function aggregate(ready, subset, metric, selection) {
        if (!ready || !loupe.orbit.current) return none();
        const rows = rowsFor(subset, selection);
        if (!rows.length) {
            say("aggregate", "empty", {message: "No item is selected.",
                hint: "Lasso some dots in the orbit map, or choose All items."});
            return none();
        }
        say("aggregate", "ready");
        honest("aggregate", rows.length, [metric, `${loupe.orbit.current.e} angles`]);
        later(() => loupe.draw.moveCursor(graph("aggregate"), now.angle));
        return loupe.draw.aggregate(rows, subset === "selection" ? [] : now.selected, metric);
    }

    /** Run once Plotly has drawn the figure that this callback is about to return. */
    function later(action) {
        setTimeout(() => requestAnimationFrame(action), 0);
    }

    async function placed(answer) {
        if (!answer || !loupe.orbit.current) return none();
        if (answer.message) {
            say("projection", "empty", {message: answer.message, hint: answer.hint});
            return none();
        }
        const token = now.token;
        if (answer.job) {
            say("projection", "job", {jobId: answer.job, message: `Placing the orbits by ${answer.name}`});
            const view = await until(answer.job);
            if (token !== now.token) return none();
            if (view.state === "cancelled" && now.asked !== answer.result) return none();
            if (view.state !== "done") {
                say("projection", "failed", {message: view.error_message || "The run was cancelled.",
                    hint: view.error_hint || ""});
                return none();
            }
        }
        const {arrays} = await loupe.wire.fetch(`/_data/${answer.result}?u16=xy`);
        if (token !== now.token) return none();
        now.placed = {xy: arrays.xy.data, rows: Array.from(arrays.rows.data, Number),
            trust: arrays.trustworthiness.data[0], ...answer};
        say("projection", "ready");
        return {result: answer.result};
    }

    function projection(ready, where, colour, focus) {
        if (!where || !now.placed || !loupe.orbit.current) return none();
        const {xy, rows, trust, name, seed} = now.placed, model = modelAt(focus);
        if (rows.some((row) => row >= loupe.orbit.current.n)) return none(); // of the previous task
        const extra = [`${name}, seed ${seed}`];
        if (Number.isFinite(trust)) extra.push(`trustworthiness ${trust.toFixed(2)}`);
        honest("projection", rows.length, extra);
        now.order = loupe.orbit.ordered(model, rows, colour);
        later(() => { mark(); thumbnails(); });
        const title = colour === "mean" ? "mean confidence" : "variance of confidence";
        return loupe.draw.projection(xy, rows, loupe.orbit.colouring(model, rows, colour), title);
    }

    /** The red ring, the muted rest, and the read-out of the place in the order. */
    function mark() {
        if (!now.placed) return;
        loupe.draw.markProjection(graph("projection"), now.row, now.placed.rows, now.selected);
        const place = (now.order || []).indexOf(now.row), count = (now.order || []).length;
        document.getElementById("nero-place").textContent =
            place < 0 ? `– / ${count}` : `${place + 1} / ${count}`;
        setProps("nero-order", {max: Math.max(1, count - 1), value: Math.max(0, place)});
    }

    const thumbnails = () => loupe.sprites.onMap(graph("projection"), now.placed);

    // --- one item ------------------------------------------------------------------------------

    function rowOf(id) {
        const row = loupe.orbit.current.rowOf.get(Number(id));
        return row === undefined ? 0 : row;
    }

    function individual(ready, id, selection, subset) {
        if (!ready || !loupe.orbit.current) return none();
        const row = rowOf(id), rows = rowsFor(subset, selection);
        const band = now.selected.length > 1 ? now.selected : rows;
        now.row = row;
        mark();
        honest("individual", 1, [`band over ${band.length}`, loupe.sprites.name(row)]);
        later(() => refresh(now.angle));
        return loupe.draw.individual(row, band);
    }

    function bars(ready, id) {
        if (!ready || !loupe.orbit.current) return none();
        later(() => live(now.angle));
        return loupe.draw.detail(rowOf(id));
    }

    /** Fetch the item's outputs and pixels, then show them at the current angle. */
    async function item(ready, id) {
        if (!ready || !loupe.orbit.current) return;
        const row = rowOf(id), {spec} = loupe.orbit.current, mine = (now.itemToken = {});
        try {
            const {outputs, imageUrl} = await loupe.orbit.item(row);
            const source = imageUrl ? await loupe.raster.pixels(imageUrl)
                : await loupe.raster.pixels(spec.items.atlas.url, loupe.raster.cell(spec.items.atlas, row));
            if (mine !== now.itemToken) return;
            Object.assign(now, {outputs, source, row, exact: null});
        } catch (error) {
            say("input", "failed", {message: error.message, hint: error.hint || ""});
            return;
        }
        honest("detail", 1, [loupe.sprites.name(row)]);
        honest("input", 1, [`${source_size()} px`]);
        settle(now.angle);
    }

    const source_size = () => `${now.source.width} × ${now.source.height}`;

    /** Outputs of every model at an element of the orbit: [{values, classes}]. */
    function outputsAt(index) {
        return now.outputs.map(({values, classes}) => ({classes,
            values: values.subarray(index * classes.length, (index + 1) * classes.length)}));
    }

    function truthOf(outputs, row) {
        const truth = loupe.orbit.current.labels[row];
        return loupe.orbit.current.models.map((model, i) => {
            const at = Array.from(outputs[i].classes, Number).indexOf(truth);
            return [model, at < 0 ? 0 : outputs[i].values[at]];
        });
    }

    /** Everything that moves with the angle, cheap enough for every frame. */
    function live(angle) {
        if (!now.outputs) return;
        const {index} = loupe.orbit.nearest(angle), outputs = now.exact || outputsAt(index);
        const values = truthOf(outputs, now.row);
        const gd = loupe.draw.graph(graph("individual"));
        if (gd) loupe.dial.paint(gd, angle, values.map(([model, v]) => [model.colour, v]));
        const whole = loupe.draw.graph(graph("aggregate"));
        if (whole) loupe.dial.paint(whole, angle, []);
        loupe.raster.draw(document.getElementById("nero-canvas"), now.source, angle);
        loupe.draw.moveBars(graph("detail"), outputs);
        loupe.sprites.caption(now.row, angle, outputs);
    }

    /** Redraw what belongs to an angle once it rests: also the plots' own cursors. */
    function refresh(angle) {
        live(angle);
        if (!now.outputs) return;
        const {index} = loupe.orbit.nearest(angle);
        const values = truthOf(now.exact || outputsAt(index), now.row);
        const byModel = Object.fromEntries(values.map(([model, v]) => [model.key, v]));
        loupe.draw.moveCursor(graph("individual"), angle, byModel);
        loupe.draw.moveCursor(graph("aggregate"), angle);
        loupe.draw.moveLine(graph("confusion"), angle);
        const dial = document.getElementById("nero-dial");
        dial.setAttribute("aria-valuenow", angle.toFixed(0));
        dial.setAttribute("aria-valuetext", loupe.sprites.spoken(now.row, angle, values));
    }

    /** The angle has come to rest: off the computed orbit the models answer once more. */
    async function settle(angle) {
        if (!now.outputs) return;
        now.exact = null;
        const {gap} = loupe.orbit.nearest(angle);
        refresh(angle);
        if (gap < 1e-6) return;
        const mine = (now.angleToken = {});
        try {
            const exact = await loupe.orbit.at(now.row, angle);
            if (mine !== now.angleToken || now.angle !== angle) return;
            now.exact = exact;
            refresh(angle);
        } catch (error) {
            loupe.notify({title: "No answer at this angle", message: error.message, kind: "error"});
        }
    }

    function showAngle(ready, value) {
        if (!ready || !loupe.orbit.current) return;
        const angle = Number(value);
        if (!Number.isFinite(angle)) return; // an empty box while typing
        now.angle = ((angle % 360) + 360) % 360;
        now.angleToken = null;
        settle(now.angle);
    }

    // --- more ----------------------------------------------------------------------------------

    function confusion(ready, focus, subset, selection) {
        if (!ready || !loupe.orbit.current) return none();
        const rows = rowsFor(subset, selection), model = modelAt(focus);
        if (!rows.length) return none();
        honest("confusion", rows.length, [model.title]);
        later(() => loupe.draw.moveLine(graph("confusion"), now.angle));
        return loupe.draw.confusion(model, rows);
    }

    function worst(ready, focus, subset, selection) {
        if (!ready || !loupe.orbit.current) return [none(), none()];
        const rows = rowsFor(subset, selection), model = modelAt(focus);
        honest("worst", rows.length, [`worst angle of ${model.title}`]);
        return loupe.sprites.table(rows, model);
    }

    /** A drag begins: the marks of both polar plots follow the pointer without redrawing them. */
    function lift() {
        ["individual", "aggregate"].forEach((name) => loupe.draw.lift(graph(name)));
        live(now.angle);
    }

    loupe.nero = {lift, now, control, graph, card, setProps, modelAt, mark, live, settle, thumbnails};
    window.dash_clientside = Object.assign({}, window.dash_clientside, {
        nero: {load, aggregate, placed, projection, individual, bars, item, angle: showAngle,
            confusion, worst},
    });
})(window.loupe);
