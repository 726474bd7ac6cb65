/* NERO: the page. Clientside callbacks (dash_clientside.nero) answer one question each; what moves
 * with the pointer goes past Dash (54-nero-place.js). The values of the controls are the page's state
 * (20-state.js); the arrays live in loupe.orbit; nothing large is ever in a store. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const CARDS = ["aggregate", "projection", "individual", "input", "detail", "confusion", "worst",
        "similar"];
    const none = () => window.dash_clientside.no_update;
    const setProps = (id, props) => window.dash_clientside.set_props(id, props);
    const control = (key) => ({type: "control", page: "nero", key});
    const card = (name) => `nero-${name}`;
    const graph = (name) => `nero-${name}-graph`;

    /** What the views share between redraws; small, per tab. */
    const EMPTY = {row: 0, angle: 0, element: 0, shown: null, payload: null, exact: null, source: null,
        placed: null, order: [], selected: [], rows: [], range: null, curves: ""};
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
        loupe.neroPlace.leave();
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
            say("aggregate", "job", {jobId: job, message: `Asking along ${spec.orbit.name}${which}`, keep});
            const view = await until(job);
            if (!isWanted()) return false;
            if (view.state !== "done") {
                stopped(view.error_message || "The run was cancelled.", view.error_hint || "Press Retry to run it.");
                return false;
            }
        }
        return isWanted();
    }

    /** The chosen metric and side, from the controls themselves: they may change while data is fetched. */
    function wanted() {
        const {values} = loupe.state.current();
        return {metric: values.metric, side: values.consensus || "truth"};
    }

    /** `shown` is the page's own task: undo may ask for another's results before it has gone there. */
    async function load(spec, shown) {
        const isMine = spec && (spec.task === shown || shown === "own");
        if (!spec || !spec.models || !isMine || !isHere()) return none();
        const token = ++now.token, isWanted = () => token === now.token && isHere();
        if (!spec.models.length) {
            loupe.orbit.clear(); // what was shown is not what the controls say
            CARDS.forEach((name) => say(name, "empty", {message: spec.message, hint: spec.hint || ""}));
            return none();
        }
        const before = loupe.orbit.current, keep = Boolean(before); // it stays, muted, until the new comes
        CARDS.forEach((name) => say(name, "loading", {keep}));
        try {
            if (!await finished(spec, isWanted, keep) || !await loupe.orbit.load(spec, wanted(), isWanted)) return none();
        } catch (error) {
            if (isWanted()) stopped(error.message, error.hint);
            return none();
        }
        Object.assign(now, {payload: null, exact: null, placed: null});
        loupe.neroPlace.arrive(spec, before && before.spec.orbit);
        CARDS.filter((name) => !["projection", "similar"].includes(name)).forEach((name) => say(name, "ready"));
        return {version: ++now.version, task: spec.task};
    }

    /** Another metric or side: fetch what it needs, then tell the views; the map is placed anew only
     *  where its curves are others. */
    async function measure(ready, metric, side) {
        if (!ready || !loupe.orbit.current) return [none(), none()];
        const version = now.version, isWanted = () => version === now.version && isHere();
        try {
            if (!await loupe.orbit.need({metric, side: side || "truth"}, isWanted)) return [none(), none()];
        } catch (error) {
            loupe.notify({title: "This metric could not be loaded", message: error.message, kind: "error"});
            return [none(), none()];
        }
        const {spec, shown} = loupe.orbit.current, curves = {metric: loupe.orbit.single().name,
            consensus: loupe.orbit.by(), of: [spec.items.key, spec.orbit.key], version: ready.version};
        const isSame = now.curves === JSON.stringify(curves);
        now.curves = JSON.stringify(curves);
        return [{version, metric: shown.name, side, at: (now.measured = (now.measured || 0) + 1)},
            isSame ? none() : curves];
    }

    // --- overview ------------------------------------------------------------------------------

    function rowsFor(subset, selection) {
        const mine = selection && selection.items === loupe.orbit.current.spec.items.key;
        now.selected = mine ? loupe.orbit.rowsOfIds(selection.ids) : [];
        now.rows = loupe.orbit.rowsOf(subset, mine ? selection.ids : []);
        return now.rows;
    }

    function aggregate(ready, subset, selection, averaged) {
        if (!ready || !loupe.orbit.current) return none();
        const rows = rowsFor(subset, selection);
        if (!rows.length) {
            say("aggregate", "empty", {message: "No item is selected.",
                hint: "Lasso some dots in the orbit map, or choose All items."});
            return none();
        }
        say("aggregate", "ready");
        const {e, shown} = loupe.orbit.current;
        honest("aggregate", rows.length, [shown.label, words().compared(), `${e} ${words().elements()}`,
            words().scale(shown)], rows);
        words().describeAggregate(rows);
        const beside = subset === "selection" ? [] : now.selected;
        words().legend(beside.length);
        return loupe.draw.aggregate(rows, beside, averaged);
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
        const metric = loupe.orbit.single(), extra = [`${name}, seed ${seed}`];
        if (Number.isFinite(trust)) extra.push(`trustworthiness ${trust.toFixed(2)}`);
        honest("projection", rows.length, [...extra, words().compared()], rows, metric);
        now.order = loupe.orbit.ordered(model, rows, colour);
        const isWord = metric.label.slice(1, 2) === metric.label.slice(1, 2).toLowerCase();
        const short = isWord ? metric.label.toLowerCase() : metric.label; // but IOU stays IOU
        const title = colour === "mean" ? `mean ${short}` : `variance of ${short}`;
        const values = loupe.orbit.colouring(model, rows, colour);
        words().describeMap(name, values, title);
        return loupe.draw.projection(xy, rows, values, title, colour === "mean" && !metric.higher_is_better);
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

    /** The item's plot: at once from what is here, and again once marks and maps of its elements are. */
    async function individual(ready, id, selection, subset, averaged) {
        if (!ready || !loupe.orbit.current) return none();
        const row = rowOf(id), rows = rowsFor(subset, selection), {spec} = loupe.orbit.current;
        const band = now.selected.length > 1 ? now.selected : rows;
        now.row = row;
        mark();
        const told = words().tip(row, rows);
        honest("individual", 1, [spec.orbit.layout === "squares" && told, loupe.sprites.name(row), words().compared(true),
            band.length > 1 && words().hasBand() && `band over ${band.length}`], [row], loupe.orbit.single());
        words().bandKey(band.length, band === now.selected);
        words().describeIndividual(row);
        const draw = (payload) => loupe.draw.individual(row, band, averaged, payload);
        if (spec.views.detail === "bars") return draw(null);
        const mine = (now.individual = {}), held = loupe.orbit.current;
        if (!now.payload || now.payload.row !== row) setProps(graph("individual"), {figure: draw(null)});
        try {
            const payload = await loupe.orbit.item(row);
            return mine === now.individual && held === loupe.orbit.current && isHere() ? draw(payload) : none();
        } catch (_said) { // the input card says why
            return none();
        }
    }

    function outputs(ready, id) {
        const {current} = loupe.orbit;
        if (!ready || !current || current.spec.views.detail !== "bars") return none();
        return loupe.draw.detail(rowOf(id));
    }

    // --- more ----------------------------------------------------------------------------------

    function groups(ready, focus, subset, selection) {
        if (!ready || !loupe.orbit.current) return none();
        const rows = rowsFor(subset, selection), model = modelAt(focus), {spec} = loupe.orbit.current;
        if (!rows.length) return none();
        if (!spec.has_truth && spec.has_classes) {
            say("confusion", "empty", {message: "Nobody knows the right classes of these items.",
                hint: "The agreement metric shows where answers change."});
            return none();
        }
        honest("confusion", rows.length, spec.has_classes ? [model.title] : [words().compared()], rows,
            loupe.orbit.single());
        if (spec.has_classes) return loupe.draw.confusion(model, rows);
        words().describeGroups(rows);
        return loupe.draw.byClass(rows);
    }

    function worst(ready, focus, subset, selection) {
        if (!ready || !loupe.orbit.current) return [none(), none()];
        const rows = rowsFor(subset, selection), model = modelAt(focus);
        honest("worst", rows.length, [`worst element of ${model.title}`, words().compared()], rows, loupe.orbit.single());
        return loupe.sprites.table(rows, model);
    }

    /** Plotly has drawn one of the page's graphs: what follows the item and the cursor comes back. */
    function drawn(name, gd) {
        if (!isHere() || !loupe.orbit.current) return;
        const place = now.shown || loupe.neroPlace.chosen();
        if (name === "projection") { mark(); thumbnails(); }
        if (name === "confusion") loupe.draw.moveLine(graph("confusion"), place);
        if (name === "detail" && gd.data.length && !gd.data[0].__drawn) loupe.neroPlace.refresh();
        if (name === "aggregate" || name === "individual") {
            loupe.draw.ownMarks(gd, place);
            loupe.neroPlace.marks(place);
        }
    }

    loupe.nero = {drawn, now, control, graph, card, setProps, modelAt, mark, rowOf, say, honest, isHere};
    window.dash_clientside = Object.assign({}, window.dash_clientside, {
        nero: {visit, load, measure, aggregate, placed, projection, individual, outputs, groups, worst,
            item: (...given) => loupe.neroPlace.item(...given),
            place: (...given) => loupe.neroPlace.place(...given)},
    });
})(window.loupe);
