/* Crayon: what the steps share. The server is asked once a state which results it needs; JSON comes
 * from /_crayon, arrays from /_data; nothing large is ever in a store.
 *
 *   loupe.crayon.settings()        {set, parent, as, order, overlap, saliency, step}; saliency is "" for Grad-CAM
 *   loupe.crayon.onSettings(fn)    fn(settings) at once and after each change; returns what ends it
 *   loupe.crayon.onReady(kind, fn) fn(key) once the "map"s, those "seen" by people or "patch"es of the present model are
 *                                  stored, again after each change of set or model
 *   loupe.crayon.set(key, value)   write a value of the state
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const SETTINGS = ["set", "model", "as", "order", "overlap", "saliency", "step"];
    const EMPTY = {map: "", seen: "", items: "", patch: ""};
    const now = {facts: {asked: []}, told: null, sent: 0, question: "", ready: {...EMPTY}, groups: null, runs: null};
    const listeners = new Set(), readers = {map: new Set(), seen: new Set(), items: new Set(), patch: new Set()};
    let seen = "";

    const at = (id) => document.getElementById(id);
    const isHere = () => Boolean(at("crayon-page"));
    /** Nothing is written once the page has been left: its components are gone. */
    const setProps = (id, props) => { if (isHere()) window.dash_clientside.set_props(id, props); };
    /** Write a value of the page's state; the controls, the URL and undo follow. */
    const set = (key, value) => setProps({type: "control", page: "crayon", key}, {value});
    const values = () => loupe.state.current().values;
    const value = (key) => values()[key];
    const say = (card, kind, more) => {
        if (loupe.card.find(`crayon-${card}`)) loupe.card.setState(`crayon-${card}`, {kind, ...more});
    };

    /** What a card says of its making. */
    function honest(card, parts) {
        const line = at(JSON.stringify({card: `crayon-${card}`, type: "honesty"}));
        if (line) line.textContent = parts.filter(Boolean).join(" · ");
    }

    function settings() {
        const {set: key, model, as, order, overlap, saliency, step} = values();
        return {set: key, parent: model || "", as: as || "", order, overlap: Number(overlap), saliency: saliency === "gradcam" ? "" : saliency || "", step};
    }

    function onSettings(listener) {
        listeners.add(listener);
        if (isHere() && loupe.state.current().page === "crayon") listener(settings());
        return () => listeners.delete(listener);
    }

    /** The state has changed: tell those who asked, if anything of theirs did. */
    function follow(given) {
        const text = JSON.stringify(SETTINGS.map((key) => given[key]));
        if (text === seen) return;
        seen = text;
        listeners.forEach((listener) => listener(settings()));
    }

    function onReady(kind, listener) {
        readers[kind].add(listener);
        if (now.ready[kind]) listener(now.ready[kind]);
        return () => readers[kind].delete(listener);
    }

    /** Maps or patches lie in the store under `key`; "" while they do not. */
    function ready(kind, key) {
        if (now.ready[kind] === key) return;
        now.ready[kind] = key;
        if (key) readers[kind].forEach((listener) => listener(key));
    }

    /** The last view of a job, once it has ended; `each` sees those before. */
    const until = (job, each) => new Promise((resolve) => {
        loupe.jobs.watch(job, (view) => {
            if (loupe.jobs.isFinal(view)) resolve(view);
            else if (each) each(view);
        });
    });

    const failure = (message, hint, status) => Object.assign(new Error(message), {hint: hint || "", status});

    /** JSON from a route; what it refuses becomes an Error with its sentence. */
    async function ask(url, body) {
        const options = body && {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)};
        let answer;
        try {
            answer = await fetch(url, options);
        } catch (_offline) {
            throw failure("The server does not answer.", "Check that Loupe is still running.", 0);
        }
        const held = await answer.json().catch(() => ({}));
        if (!answer.ok) throw failure(held.message || `The server answered ${answer.status}.`, held.hint, answer.status);
        return held;
    }

    /** The query that names the present set and model, with `more`. */
    const query = (more) => new URLSearchParams({set: value("set"), parent: value("model") || "", ...more}).toString();

    const percent = (share, digits = 1) => (Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : "–");
    /** A difference of shares in points, with its sign; "±0" where it rounds to nothing. */
    function points(share, digits = 1) {
        if (!Number.isFinite(share)) return "–";
        const text = Math.abs(100 * share).toFixed(digits);
        return Number(text) === 0 ? `±${text}` : `${share < 0 ? "−" : "+"}${text}`;
    }

    function reset() {
        Object.assign(now, {told: null, question: "", ready: {...EMPTY}, runs: null});
        seen = "";
    }

    /** Draw a figure that the server made, in the colours of the theme. */
    function draw(graph, figure) {
        if (!at(graph)) return;
        const made = structuredClone(figure);
        made.layout.template = loupe.theme.template();
        setProps(graph, {figure: made});
    }

    loupe.crayon = {now, at, isHere, setProps, set, values, value, say, honest, settings, onSettings, follow, onReady, ready,
        until, failure, ask, query, percent, points, reset, draw};
})(window.loupe);
