/* Modality gap: what the parts of the page share. JSON comes from /_gap; nothing large is in a store.
 *
 *   loupe.gap.load(card, address)   JSON of a route; the card shows the jobs that make what is missing
 *   loupe.gap.set(key, value)       write a value of the state; the URL and undo follow
 *   loupe.gap.thumb(space, row, px) a small picture of a pair
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const PAGE = "modality-gap", KEPT = "loupe-gap-own", MOST_KEPT = 12, CELLS = 512, COLUMNS = 32;
    const BUSY_MS = [400, 1600, 4000, 8000, 16000]; // waits before a busy worker is asked again
    const now = {told: null, visit: "", pairs: new Map(), maps: null, rows: []};

    const at = (name) => document.getElementById(`${PAGE}-${name}`);
    const isHere = () => Boolean(at("page"));
    /** Nothing is written once the page has been left: its components are gone. */
    const setProps = (id, props) => { if (isHere()) window.dash_clientside.set_props(id, props); };
    const set = (key, value) => setProps({type: "control", page: PAGE, key}, {value});
    const value = (key) => (loupe.state.current().values || {})[key];
    const say = (card, kind, more) => {
        if (loupe.card.find(`${PAGE}-${card}`)) loupe.card.setState(`${PAGE}-${card}`, {kind, ...more});
    };

    /** What a card says of its making. */
    function honest(card, parts) {
        const line = document.getElementById(JSON.stringify({card: `${PAGE}-${card}`, type: "honesty"}));
        if (line) line.textContent = parts.filter(Boolean).join(" · ");
    }

    const named = (space) => `${space.title} ${space.fingerprint.slice(0, 8)}`;
    const failure = (message, hint, status) => Object.assign(new Error(message), {hint: hint || "", status});

    async function answered(address, options) {
        let answer;
        try {
            answer = await fetch(address, options);
        } catch (_offline) {
            throw failure("The server does not answer.", "Check that Loupe is still running.", 0);
        }
        if (answer.status === 413) throw failure("The file is larger than this server takes at once.", "LOUPE_MAX_REQUEST_MB sets the limit. A smaller copy of a picture finds the same; large arrays can be named by their path on the server.", 413);
        const held = await answer.json().catch(() => ({}));
        if (!answer.ok) throw failure(held.message || `The server answered ${answer.status}.`, held.hint, answer.status);
        return held;
    }

    /** JSON from a route; what it refuses becomes an Error with its sentence. A busy worker is asked again. */
    async function ask(address, body, waits = BUSY_MS) {
        const isForm = body instanceof FormData;
        const options = body && {method: "POST", ...(isForm ? {} : {headers: {"Content-Type": "application/json"}}), body: isForm ? body : JSON.stringify(body)};
        try {
            return await answered(address, options);
        } catch (error) {
            if (error.status !== 503 || !waits.length || !isHere()) throw error;
        }
        await new Promise((resolve) => { setTimeout(resolve, waits[0]); });
        return ask(address, body, waits.slice(1));
    }

    /** The last view of a job, once it has ended. */
    const until = (job) => new Promise((resolve) => {
        loupe.jobs.watch(job, (view) => { if (loupe.jobs.isFinal(view)) resolve(view); });
    });

    /** JSON of a route. While a result is still to be computed, the card shows that job, then the route is asked again. */
    async function load(card, address, isWanted = () => true) {
        for (;;) {
            const held = await ask(address);
            if (!held.job || !isWanted() || !isHere()) return held;
            say(card, "job", {jobId: held.job, message: held.title, keep: loupe.card.stateOf(`${PAGE}-${card}`)?.kind === "ready"});
            const view = await until(held.job);
            if (view.state === "cancelled") throw failure("Cancelled.", "", -1);
            if (view.state !== "done") throw failure(view.error_message || "The job failed.", view.error_hint || "", -1);
        }
    }

    /** What a failed card says; a cancelled job has said it itself. */
    function failed(card, error) {
        if (isHere() && error.message !== "Cancelled.") say(card, "failed", {message: error.message, hint: error.hint});
    }

    const query = (more) => new URLSearchParams({...more, visit: now.visit}).toString();

    // ---- spaces and pairs

    const space = (key) => now.told?.spaces.find((one) => one.key === key);
    const focus = () => space(now.told?.focus);

    /** Captions and groups of a space, fetched once; `captions` is empty where none is known. */
    async function pairs(held) {
        if (!now.pairs.has(held.key)) now.pairs.set(held.key, ask(`/_gap/pairs?space=${held.key}`));
        return now.pairs.get(held.key);
    }

    /** The rows among n whose value lies between two ends. */
    function between(values, low, high) {
        const rows = [];
        for (let row = 0; row < values.length; row += 1) if (values[row] >= low && values[row] <= high) rows.push(row);
        return rows;
    }

    /** The spaces that this browser has imported: [{key, title}]. */
    function own() {
        try {
            const held = JSON.parse(localStorage.getItem(KEPT) || "[]");
            return Array.isArray(held) ? held.filter((one) => typeof one?.key === "string" && typeof one.title === "string") : [];
        } catch (_blocked) {
            return [];
        }
    }

    function keepOwn(one) {
        const list = [one, ...own().filter(({key}) => key !== one.key)].slice(0, MOST_KEPT);
        try { localStorage.setItem(KEPT, JSON.stringify(list)); } catch (_blocked) { /* the address still names it */ }
    }

    /** A small picture of a pair: a cell of a sheet, an imported thumbnail, or nothing but its place. */
    function thumb(held, row, px) {
        const {el} = loupe.dom;
        if (held.thumbs === "own") return el("img", {class: "gap-thumb", src: `/_gap/thumb/${held.key}/${row}.png`, alt: "", width: px, height: px, loading: "lazy"});
        if (!held.thumbs) return el("span", {class: "gap-thumb gap-no-thumb", style: `width:${px}px;height:${px}px`, "aria-hidden": "true"}, String(row));
        const sheet = String(Math.floor(row / CELLS)).padStart(2, "0"), cell = row % CELLS;
        const style = [`width:${px}px;height:${px}px`, `background-image:url(/_gap/sheet/${Number(sheet)}.webp)`, `background-size:${COLUMNS * px}px auto`,
            `background-position:-${(cell % COLUMNS) * px}px -${Math.floor(cell / COLUMNS) * px}px`];
        return el("span", {class: "gap-thumb", style: style.join(";"), "aria-hidden": "true"});
    }

    // ---- numbers

    const number = (one, digits = 3) => (Number.isFinite(one) ? one.toFixed(digits).replace("-", "−") : "–");
    const percent = (share, digits = 1) => (Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : "–");
    const count = (n) => (Number.isFinite(n) ? n.toLocaleString("en-US") : "–");

    /** Draw a figure that the server made, in the colours of the theme. */
    function draw(name, figure) {
        if (!at(name) || !figure) return;
        const made = structuredClone(figure);
        made.layout.template = loupe.theme.template();
        setProps(`${PAGE}-${name}`, {figure: made});
    }

    /** The plotly element of a graph, once it is drawn. */
    const plot = (name) => at(name)?.querySelector(".js-plotly-plot");

    /** The plotly element of a graph, waited for: Dash draws a figure after it was given. */
    async function drawn(name, figure, tries = 60) {
        for (let i = 0; i < tries && isHere(); i += 1) {
            const found = plot(name);
            if (found?.data?.length === figure.data.length && found.on) return found;
            await new Promise((resolve) => { setTimeout(resolve, 50); });
        }
        return null;
    }

    loupe.gap = {PAGE, now, at, isHere, setProps, set, value, say, honest, named, failure, ask, until, load, failed, query, space, focus, pairs, between, own, keepOwn,
        thumb, number, percent, count, draw, plot, drawn};
})(window.loupe);
