/* Insights: what the parts of the page share. JSON comes from /_insights; nothing large is in a store.
 *
 *   loupe.insights.load(card, address, body)  JSON of a route; the card shows the job that makes what is missing
 *   loupe.insights.set(key, value)            write a value of the state; the URL and undo follow
 *   loupe.insights.edit()                     the present edit: {fields, features, edits}, empty where nothing is changed
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const now = {told: null, list: null, content: null, painted: null, predicted: null, box: null, phrase: "", cluster: null, visit: ""};
    const MINUS = "−";
    const desk = loupe.desk("insights");
    const {isHere, setProps, set, values, value, ask, done} = desk;

    const at = (id) => document.getElementById(id);

    /** Set, model and whether success is simulated: the end of every honesty line. */
    function about() {
        const {set: held, model} = now.told || {};
        if (!held) return [];
        return [model ? `${model.title} ${String(model.fingerprint || "").slice(0, 8)}` : "", `${held.title} ${held.fingerprint.slice(0, 8)}`,
            held.simulated ? "success is simulated" : "measured success"];
    }

    /** JSON of a route. Where its result is still to be computed, the card shows that job, then the route is asked again. */
    async function load(card, address, body) {
        const held = await ask(address, body);
        if (!held.job) return held;
        await done(card, held);
        return ask(address, body);
    }

    /** The query that names what is looked at, with `more`. */
    function query(keys, more) {
        const held = values(), named = Object.fromEntries(["set", "model", ...keys].map((key) => [key, held[key] ?? ""]));
        return new URLSearchParams({...named, visit: now.visit, ...more}).toString();
    }

    // ---- numbers

    /** A success rate: two decimals below 10 %, one above. */
    const rate = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(Math.abs(share) < 0.0995 ? 2 : 1)} %` : "–");
    /** A difference of rates in points, with its sign; "±0" where it rounds to nothing. */
    function points(share, digits = 2) {
        if (!Number.isFinite(share)) return "–";
        const text = Math.abs(100 * share).toFixed(digits);
        return Number(text) === 0 ? `±${text}` : `${share < 0 ? MINUS : "+"}${text}`;
    }
    const signed = (share) => (share < 0 ? "bad" : "good");
    const count = (n) => (Number.isFinite(n) ? n.toLocaleString("en-US") : "–");

    // ---- the edit, which is a value of the state

    const NOTHING = () => ({fields: {}, features: {}, edits: []});
    let parsed = {text: "", edit: NOTHING()};

    function edit() {
        const text = value("edit") || "";
        if (parsed.text !== text) {
            let held = null;
            try { held = JSON.parse(text || "{}"); } catch (_damaged) { held = {}; }
            parsed = {text, edit: {...NOTHING(), ...held}};
        }
        return structuredClone(parsed.edit);
    }

    const isEdited = (held = edit()) => Boolean(Object.keys(held.fields).length || Object.keys(held.features).length || held.edits.length);

    /** An edit as text that may stand in a URL: what is not printable ASCII is escaped. */
    const printable = (held) => JSON.stringify(held).replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);

    /** Keep only what differs from the content as it is, and write it into the state. */
    function write(held) {
        const {fields, features} = now.content || {fields: {}, features: {}};
        const kept = {
            fields: Object.fromEntries(Object.entries(held.fields).filter(([key, text]) => text !== (fields[key] ?? ""))),
            features: Object.fromEntries(Object.entries(held.features).filter(([key, one]) => one !== features[key])),
            edits: held.edits,
        };
        set("edit", isEdited(kept) ? printable(kept) : "");
    }

    function change(change_) {
        const held = edit();
        change_(held);
        write(held);
    }

    /** Draw a figure that the server made, in the colours of the theme. */
    function draw(graph, figure) {
        if (!at(graph) || !figure) return;
        const made = structuredClone(figure);
        made.layout.template = loupe.theme.template();
        setProps(graph, {figure: made});
    }

    /** The plotly element of a graph, once it is drawn. */
    const plot = (graph) => at(graph)?.querySelector(".js-plotly-plot");

    loupe.insights = {...desk, now, at, about, load, query,
        rate, points, signed, count, edit, isEdited, printable, write, change, draw, plot};
})(window.loupe);
