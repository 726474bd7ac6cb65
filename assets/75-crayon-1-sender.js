/* Crayon: sends the queue of answers, and says how that goes.
 *
 * A tab numbers what it sends under a client of its own: it holds a lock (navigator.locks) on the client's
 * name, so a second tab of the same browser takes another one, and the next visit takes it up again.
 * What a closed tab has left is sent by whoever finds it unlocked.
 *
 *   loupe.crayonSender.put(row)      // kept, then sent; returns the row with its number
 *   loupe.crayonSender.status()      // {waiting, is_sending, is_offline, message, hint, refused, unkept}
 *   loupe.crayonSender.onChange(fn)  // after each change of that; returns what ends it
 *   loupe.crayonSender.onStored(fn)  // fn(batch, reply)
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15000, 30000];
    const BEACON_ROWS = 150; // a request that outlives its page carries 64 kB at most
    const LOOK_AROUND_MS = 30000;
    const lockName = (client) => `${loupe.crayonQueue.PREFIX}${client}`;
    const listeners = new Set(), readers = new Set(), locked = new Set();
    let storage = null, queue = null, isSending = false, isAgain = false, failures = 0, timer = 0, trouble = {message: "", hint: ""};
    let channel = null, inFlight = null, refusals = 0;

    /** The browser's storage, or memory where it has none: then nothing survives the page. */
    function place() {
        try {
            localStorage.setItem(`${loupe.crayonQueue.PREFIX}probe`, "1");
            localStorage.removeItem(`${loupe.crayonQueue.PREFIX}probe`);
            return localStorage;
        } catch (_refused) {
            const held = new Map();
            return {get length() { return held.size; }, key: (i) => [...held.keys()][i], getItem: (key) => held.get(key) ?? null,
                setItem() { throw new Error("no storage"); }, removeItem: (key) => held.delete(key)};
        }
    }

    /** Hold a lock for as long as the page lives; resolves to whether it is ours. */
    function lock(client) {
        if (!navigator.locks) return Promise.resolve(false);
        if (locked.has(client)) return Promise.resolve(true);
        return new Promise((resolve) => {
            navigator.locks.request(lockName(client), {ifAvailable: true}, (held) => {
                if (held) locked.add(client);
                resolve(Boolean(held));
                return held ? new Promise(() => {}) : null;
            }).catch(() => resolve(false));
        });
    }

    /** The queue of this tab. Whoever answers before the locks are known gets a client of its own. */
    function mine(client) {
        if (!queue) {
            queue = loupe.crayonQueue.open(storage, client || newClient());
        }
        return queue;
    }

    function newClient() {
        const client = loupe.crayonQueue.fresh();
        lock(client);
        return client;
    }

    async function start() {
        const found = loupe.crayonQueue.clients(storage).sort((a, b) => b.waiting - a.waiting || b.at_ms - a.at_ms);
        if (!navigator.locks) { // numbers are then never taken up again; sending twice stores once
            mine();
            found.forEach(({client, waiting}) => { if (waiting) queue.adopt(client); });
        } else {
            for (const {client, at_ms} of found) {
                if (queue) break;
                if (at_ms && await lock(client)) mine(client); // without a counter its numbers are not known
            }
            mine();
            await lookAround();
        }
        refusals = queue.refused().length;
        changed();
        pump();
    }

    /** Take over what closed tabs have left. */
    async function lookAround() {
        if (!queue || !navigator.locks) return;
        for (const {client, waiting} of loupe.crayonQueue.clients(storage)) {
            const isOurs = client === queue.client() || queue.waiting().some((row) => row.client === client);
            if (waiting && !isOurs && await lock(client)) queue.adopt(client);
        }
        if (queue.size()) pump();
    }

    function status() {
        const waiting = queue ? queue.size() : 0;
        return {waiting, is_sending: isSending, is_offline: !navigator.onLine || (failures > 0 && !trouble.status), ...trouble,
            refused: refusals, unkept: queue ? queue.unkept() : 0};
    }

    const changed = () => listeners.forEach((listener) => listener(status()));

    async function post(batch) {
        inFlight = batch;
        const url = batch.type === "undo" ? "/_crayon/undo" : "/_crayon/answers";
        let answer, told = {};
        try {
            answer = await fetch(url, {method: "POST", headers: {"Content-Type": "application/json"},
                body: JSON.stringify(loupe.crayonQueue.body(batch))});
            told = await answer.json();
        } catch (_lost) {
            return {ok: false, status: 0, message: "", hint: ""};
        } finally { inFlight = null; }
        const isDown = answer.status === 503 || answer.status === 502 || answer.status === 504;
        const isKept = answer.ok && (batch.type === "undo" || Array.isArray(told.stored));
        return {...told, ok: isKept, status: isDown ? 0 : answer.status,
            stored: batch.type === "undo" ? [batch.rows[0].sequence] : told.stored};
    }

    async function pump() {
        clearTimeout(timer);
        if (!queue || isSending) { isAgain = true; return; }
        isSending = true;
        changed();
        do {
            isAgain = false;
            const end = await loupe.crayonQueue.drain(queue, post, {each: heard, refused: (row, reply) => tellRefused(row, reply)});
            trouble = end.is_empty ? {message: "", hint: "", status: 0} : end;
            failures = end.is_empty ? 0 : failures + 1;
        } while (isAgain && !failures);
        isSending = false;
        changed();
        if (failures) timer = setTimeout(pump, WAITS_MS[Math.min(failures, WAITS_MS.length) - 1] * (0.75 + Math.random() / 2));
    }

    function heard(batch, reply) {
        failures = 0;
        readers.forEach((reader) => reader(batch, reply));
        changed();
        if (channel) channel.postMessage({rows: batch.rows});
    }

    function tellRefused(row, reply) {
        refusals = queue.refused().length;
        loupe.notify({kind: "error", title: "An answer was refused", message: reply.message,
            hint: `${reply.hint || ""} It is kept: see “Refused answers”.`.trim()});
        changed();
    }

    function put(row) {
        const kept = mine().put(row);
        changed();
        pump();
        return kept;
    }

    /** The page goes away: one last request that outlives it. What it sends again is stored once. */
    function leave() {
        if (!queue || !queue.size() || (inFlight && inFlight.type === "undo")) return;
        const batch = queue.batch(BEACON_ROWS);
        const body = new Blob([JSON.stringify(loupe.crayonQueue.body(batch))], {type: "application/json"});
        navigator.sendBeacon?.(batch.type === "undo" ? "/_crayon/undo" : "/_crayon/answers", body);
    }

    /** Answers that wait or were refused, as a file: nothing is ever dropped in silence. */
    function save(rows, name) {
        const text = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
        const link = loupe.dom.el("a", {href: URL.createObjectURL(new Blob([text], {type: "application/x-ndjson"})), download: name});
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }

    window.addEventListener("online", () => { failures = 0; pump(); });
    window.addEventListener("offline", () => changed());
    document.addEventListener("visibilitychange", () => { if (queue && queue.size()) pump(); });
    window.addEventListener("pagehide", leave);
    setInterval(lookAround, LOOK_AROUND_MS);
    storage = place();
    if (window.BroadcastChannel) {
        channel = new BroadcastChannel(`${loupe.crayonQueue.PREFIX}stored`);
        channel.onmessage = ({data}) => readers.forEach((reader) => reader({rows: data.rows, is_elsewhere: true}, {}));
    }
    // Elsewhere in the app nothing is locked unless something still waits to be sent.
    const begin = () => { begun = begun || start(); return begun; };
    let begun = null;
    if (loupe.crayonQueue.clients(storage).some(({waiting}) => waiting)) begin();

    loupe.crayonSender = {put, status, begin, pump,
        onChange: (listener) => { listeners.add(listener); listener(status()); return () => listeners.delete(listener); },
        onStored: (reader) => { readers.add(reader); return () => readers.delete(reader); },
        waiting: () => (queue ? queue.waiting() : []),
        saveWaiting: () => save(queue.waiting(), "loupe-waiting-answers.jsonl"),
        refused: () => (queue ? queue.refused() : []),
        saveRefused: () => save(queue.refused(), "loupe-refused-answers.jsonl"),
        dropRefused: () => { if (queue) queue.dropRefused(); refusals = 0; changed(); }};
})(window.loupe);
