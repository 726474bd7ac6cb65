/* NERO: the page. Clientside callbacks (dash_clientside.nero) answer one question each; what moves
 * with the pointer goes past Dash. The values of the controls are the page's state (20-state.js);
 * the arrays live in loupe.orbit; nothing large is ever in a store. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const CARDS = ["aggregate", "projection", "individual", "input", "detail", "confusion", "worst",
        "similar"];
    const REST_MS = 90; // an angle that has not changed for so long is at rest
    const none = () => window.dash_clientside.no_update;
    const setProps = (id, props) => window.dash_clientside.set_props(id, props);
    const control = (key) => ({type: "control", page: "nero", key});
    const card = (name) => `nero-${name}`;
    const graph = (name) => `nero-${name}-graph`;

    /** What the views share between redraws; small, per tab. */
    const EMPTY = {row: 0, angle: 0, shown: 0, outputs: null, exact: null, source: null, placed: null, order: [],
        selected: [], rows: []};
    const now = {token: 0, version: 0, ...EMPTY};
    const words = () => loupe.neroWords;
    const honest = (...about) => words().honest(...about);

    const isHere = () => Boolean(document.getElementById("nero-dial"));
    /** A card that has been left must not wait for the next visit to show what was said to it. */
    const say = (name, kind, more) => {
        if (loupe.card.find(card(name))) loupe.card.setState(card(name), {kind, ...more});
    };
    const modelAt = (key) => loupe.orbit.current.models.find((m) => m.key === key)
        || loupe.orbit.current.models[0];

    /** The last view of a job, once it has ended one way or another. */
    const until = (job) => new Promise((resolve) => {
        loupe.jobs.watch(job, (view) => { if (loupe.jobs.isFinal(view)) resolve(view); });
    });

    // --- loading -------------------------------------------------------------------------------

    /** The page opens: nothing of a former visit or task counts any more. */
    function visit() {
        now.token += 1;
        Object.assign(now, EMPTY);
        loupe.orbit.clear();
    }

    /** Nothing can be shown: the first card says why, the others do not pretend to be loading. */
    function stopped(message, hint) {
        say("aggregate", "failed", {message, hint: hint || ""});
        CARDS.filter((name) => name !== "aggregate").forEach((name) =>
            say(name, "empty", {message: "Not computed.", hint: "Retry in the first card runs it."}));
    }

    /** Wait for the jobs of a spec, showing their progress; false when one fails or is outrun. */
    async function finished(spec, isWanted, keep) {
        const jobs = spec.models.flatMap((m) => [m.job, m.control && m.control.job]).filter(Boolean);
        for (const [i, job] of jobs.entries()) {
            const which = jobs.length > 1 ? ` (${i + 1} of ${jobs.length})` : "";
            say("aggregate", "job", {jobId: job, message: `Turning the images${which}`, keep});
            const view = await until(job);
            if (!isWanted()) return false;
            if (view.state !== "done") {
                stopped(view.error_message || "The run was cancelled.", view.error_hint || "Press Retry to run it.");
                return false;
            }
        }
        return isWanted();
    }

    /** `shown` is the page's own task: undo may ask for another's results before it has gone there. */
    async function load(spec, shown) {
        if (!spec || !spec.models || spec.task !== shown || !isHere()) return none();
        const token = ++now.token, isWanted = () => token === now.token && isHere();
        if (!spec.models.length) {
            loupe.orbit.clear(); // what was shown is not what the controls say
            CARDS.forEach((name) => say(name, "empty", {message: spec.message, hint: spec.hint || ""}));
            return none();
        }
        const keep = Boolean(loupe.orbit.current); // what is there stays, muted, until the new comes
        CARDS.forEach((name) => say(name, "loading", {keep}));
        try {
            if (!await finished(spec, isWanted, keep) || !await loupe.orbit.load(spec, isWanted)) return none();
        } catch (error) {
            if (isWanted()) stopped(error.message, error.hint);
            return none();
        }
        Object.assign(now, {outputs: null, exact: null, placed: null});
        CARDS.filter((name) => !["projection", "similar"].includes(name)).forEach((name) => say(name, "ready"));
        return {version: ++now.version, task: spec.task};
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
        honest("aggregate", rows.length, [metric, `${loupe.orbit.current.e} angles`], rows);
        words().describeAggregate(rows, metric);
        const beside = subset === "selection" ? [] : now.selected;
        words().legend(beside.length);
        return loupe.draw.aggregate(rows, beside, metric);
    }

    async function placed(answer) {
        if (!answer || !loupe.orbit.current || !isHere()) return none();
        now.asked = answer.result;
        if (answer.message) {
            say("projection", "empty", {message: answer.message, hint: answer.hint});
            return none();
        }
        const token = now.token, keep = Boolean(now.placed);
        const isWanted = () => token === now.token && now.asked === answer.result && isHere();
        const failed = (message, hint) => say("projection", "failed", {message, hint: hint || ""});
        if (answer.job) {
            say("projection", "job", {jobId: answer.job, message: `Placing the orbits by ${answer.name}`, keep});
            const view = await until(answer.job);
            if (!isWanted()) return none();
            if (view.state !== "done") {
                failed(view.error_message || "The run was cancelled.", view.error_hint);
                return none();
            }
        }
        let arrays;
        try {
            ({arrays} = await loupe.wire.fetch(`/_data/${answer.result}?u16=xy`));
        } catch (error) {
            if (isWanted()) failed(error.message, error.hint);
            return none();
        }
        if (!isWanted()) return none();
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
        honest("projection", rows.length, extra, rows);
        now.order = loupe.orbit.ordered(model, rows, colour);
        const title = colour === "mean" ? "mean confidence" : "variance of confidence";
        const values = loupe.orbit.colouring(model, rows, colour);
        words().describeMap(name, values, title);
        return loupe.draw.projection(xy, rows, values, title);
    }

    /** The red ring, the muted rest, and the read-out of the place in the order. */
    function mark() {
        if (!now.placed || !isHere()) return;
        loupe.draw.markProjection(graph("projection"), now.row, now.placed.rows, now.selected);
        const place = now.order.indexOf(now.row), count = now.order.length;
        const label = document.getElementById("nero-place"), text = `${place < 0 ? "–" : place + 1} / ${count}`;
        if (label.textContent === text) return;
        label.textContent = text;
        now.told = Math.max(0, place); // the slider answers with this: no wish of the user
        setProps("nero-order", {max: Math.max(1, count - 1), value: now.told});
    }

    const thumbnails = () => loupe.sprites.onMap(loupe.draw.graph(graph("projection")), now.placed);

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
        honest("individual", 1, [loupe.sprites.name(row), `band over ${band.length}`], [row]);
        words().bandKey(band.length, band === now.selected);
        words().describeIndividual(row);
        return loupe.draw.individual(row, band);
    }

    function bars(ready, id) {
        if (!ready || !loupe.orbit.current) return none();
        return loupe.draw.detail(rowOf(id));
    }

    /** Fetch the item's outputs and pixels, then show them at the current angle. */
    async function item(ready, id) {
        if (!ready || !loupe.orbit.current) return;
        const row = rowOf(id), {spec} = loupe.orbit.current, mine = (now.itemToken = {});
        try {
            const {outputs, imageUrl} = await loupe.orbit.item(row);
            if (mine !== now.itemToken || !isHere()) return;
            const source = imageUrl ? await loupe.raster.pixels(imageUrl)
                : await loupe.raster.pixels(spec.items.atlas.url, loupe.raster.cell(spec.items.atlas, row));
            if (mine !== now.itemToken || !isHere()) return;
            Object.assign(now, {outputs, source, row, exact: null});
        } catch (error) {
            if (mine === now.itemToken) say("input", "failed", {message: error.message, hint: error.hint || ""});
            return;
        }
        say("input", "ready");
        honest("detail", 1, [loupe.sprites.name(row)]);
        honest("input", 1, [loupe.sprites.name(row), `${now.source.width} × ${now.source.height} px`]);
        settle(now.angle);
    }

    /** Outputs of every model at an element of the orbit: [{values, classes}]. */
    function outputsAt(index) {
        return now.outputs.map(({values, classes}) => ({classes,
            values: values.subarray(index * classes.length, (index + 1) * classes.length)}));
    }

    /** [[model, probability of the true class], …]; 0 where it is not among those kept. */
    function truthOf(outputs, row) {
        const truth = loupe.orbit.current.labels[row];
        return loupe.orbit.current.models.map((model, i) => {
            const at = Array.from(outputs[i].classes, Number).indexOf(truth);
            return [model, at < 0 ? 0 : outputs[i].values[at]];
        });
    }

    const outputsNear = (angle) => now.exact || outputsAt(loupe.orbit.nearest(angle).index);

    /** Everything that moves with the angle, cheap enough for every frame. */
    function live(angle, isAtRest = false) {
        if (!now.outputs || !loupe.orbit.current || !isHere()) return;
        const outputs = outputsNear(angle), truth = loupe.orbit.current.labels[now.row];
        now.shown = angle;
        loupe.draw.moveCursor(graph("individual"), angle, truthOf(outputs, now.row));
        loupe.draw.moveCursor(graph("aggregate"), angle, []);
        loupe.raster.draw(document.getElementById("nero-canvas"), now.source, angle);
        loupe.draw.moveBars(graph("detail"), outputs, truth, !isAtRest);
        loupe.sprites.caption(now.row, angle, outputs);
    }

    /** What belongs to an angle once it rests: Plotly's own drawings and what is read aloud. */
    function refresh(angle) {
        if (!now.outputs || !loupe.orbit.current || !isHere()) return;
        live(angle, true);
        loupe.draw.moveLine(graph("confusion"), angle);
        const outputs = outputsNear(angle), values = truthOf(outputs, now.row);
        words().describeOutputs(angle, outputs);
        const dial = document.getElementById("nero-dial");
        dial.setAttribute("aria-valuenow", String(Number(angle.toFixed(2))));
        dial.setAttribute("aria-valuetext", loupe.sprites.spoken(now.row, angle, values));
    }

    let resting = 0;
    function rest(angle) {
        clearTimeout(resting);
        live(angle);
        resting = setTimeout(() => { if (now.shown === angle) refresh(angle); }, REST_MS);
    }

    /** The angle has come to rest: off the computed orbit the models answer once more. */
    async function settle(angle) {
        if (!now.outputs) return;
        now.exact = null;
        rest(angle);
        if (loupe.orbit.nearest(angle).gap < 1e-6) return;
        const mine = (now.angleToken = {}), {row} = now;
        try {
            const exact = await loupe.orbit.at(row, angle);
            if (mine !== now.angleToken || now.angle !== angle || now.row !== row) return;
            now.exact = exact;
            refresh(angle);
        } catch (error) {
            loupe.notify({title: "No answer at this angle", message: error.message, kind: "error"});
        }
    }

    function showAngle(ready, value) {
        if (!ready || !loupe.orbit.current) return;
        const angle = Number(value);
        if (value === "" || value === null || !Number.isFinite(angle)) return; // an empty box while typing
        now.angle = ((angle % 360) + 360) % 360;
        now.angleToken = null;
        if (now.angle !== angle) setProps(control("angle"), {value: now.angle}); // once round: 400° is 40°
        settle(now.angle);
    }

    // --- more ----------------------------------------------------------------------------------

    function confusion(ready, focus, subset, selection) {
        if (!ready || !loupe.orbit.current) return none();
        const rows = rowsFor(subset, selection), model = modelAt(focus);
        if (!rows.length) return none();
        honest("confusion", rows.length, [model.title], rows);
        return loupe.draw.confusion(model, rows);
    }

    function worst(ready, focus, subset, selection) {
        if (!ready || !loupe.orbit.current) return [none(), none()];
        const rows = rowsFor(subset, selection), model = modelAt(focus);
        honest("worst", rows.length, [`worst angle of ${model.title}`], rows);
        return loupe.sprites.table(rows, model);
    }

    /** Plotly has drawn one of the page's graphs: what follows the item and the angle comes back. */
    function drawn(name, gd) {
        if (!isHere() || !loupe.orbit.current) return;
        if (name === "projection") { mark(); thumbnails(); }
        if (name === "confusion") loupe.draw.moveLine(graph("confusion"), now.angle);
        if (name === "detail" && gd.data.length && !gd.data[0].__drawn) refresh(now.angle);
        if (name === "aggregate" || name === "individual") {
            loupe.draw.ownMarks(gd);
            live(now.shown);
        }
    }

    loupe.nero = {drawn, now, control, graph, card, setProps, modelAt, mark, live, settle, say, isHere};
    window.dash_clientside = Object.assign({}, window.dash_clientside, {
        nero: {visit, load, aggregate, placed, projection, individual, bars, item, angle: showAngle,
            confusion, worst},
    });
})(window.loupe);
