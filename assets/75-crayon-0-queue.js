/* Crayon: the queue of answers. No page and no network here: what stores, and what sends, come from outside.
 *
 * An answer is written to the browser's storage, one entry of its own, before anything is sent, and stays
 * there until the server has named its number as stored. `client` and `sequence` name it for good, so
 * sending again after a lost reply stores nothing twice. Numbers are reserved in blocks, ahead of their
 * use: a counter that could not be written back never gives a number twice.
 *
 *   const queue = loupe.crayonQueue.open(storage, client)
 *   queue.put({kind: "map", item_id: 7, answer: "yes", ...})   // -> the row with its number, kept
 *   queue.batch(100)           // -> the next rows that one request can hold, in order; null when empty
 *   queue.stored(client, [3])  // the server has them: forgotten here
 *   queue.refuse(row, "why", "hint")  // never sent again, kept in a list of its own
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const PREFIX = "loupe-crayon/";
    const COUNTERS = `${PREFIX}client/`, WAITING = `${PREFIX}waiting/`, REFUSED = `${PREFIX}refused/`;
    const BLOCK = 64; // numbers reserved at a time
    const SCOPE = ["client", "set", "parent", "kind", "as", "role", "saliency"]; // what one request can hold together

    const fresh = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

    function read(storage, key) {
        try { return JSON.parse(storage.getItem(key)); } catch (_damaged) { return null; }
    }

    function keys(storage, prefix) {
        const found = [];
        for (let i = 0; i < storage.length; i += 1) {
            const key = storage.key(i);
            if (key.startsWith(prefix)) found.push(key);
        }
        return found;
    }

    const rowsOf = (storage, prefix, client) => keys(storage, `${prefix}${client}/`).map((key) => read(storage, key)).filter(Boolean);

    /** In the order of answering; of one client always by number, whatever its clock did. */
    const before = (a, b) => (a.client === b.client ? a.sequence - b.sequence : a.answered_at - b.answered_at);

    /** The clients that have something in this storage: [{client, waiting, at_ms}]. */
    function clients(storage) {
        const found = new Map();
        const note = (client, more) => found.set(client, {client, waiting: 0, at_ms: 0, ...found.get(client), ...more});
        keys(storage, COUNTERS).forEach((key) => note(key.slice(COUNTERS.length), {at_ms: (read(storage, key) || {}).at_ms || 0}));
        keys(storage, WAITING).forEach((key) => {
            const [client] = key.slice(WAITING.length).split("/");
            note(client, {waiting: ((found.get(client) || {}).waiting || 0) + 1});
        });
        return [...found.values()];
    }

    function open(storage, name, clock = Date.now) {
        let client = name, next = 0, reserved = 0;
        let rows = rowsOf(storage, WAITING, client).sort(before);
        const unkept = new Set(); // rows that are in memory only: the storage is full
        const known = read(storage, COUNTERS + client);
        const used = [...rows, ...rowsOf(storage, REFUSED, client).map((entry) => entry.row)].map((row) => row.sequence + 1);
        next = reserved = Math.max(known ? known.next : 0, ...used, 0);

        function keep(key, value) {
            try {
                storage.setItem(key, JSON.stringify(value));
                return true;
            } catch (_full) { return false; }
        }

        function number() {
            if (next >= reserved) {
                if (keep(COUNTERS + client, {next: next + BLOCK, at_ms: clock()})) reserved = next + BLOCK;
                else { // these numbers will be forgotten, so nobody else may ever use their client
                    client = fresh();
                    next = 0;
                    reserved = Infinity;
                }
            }
            next += 1;
            return next - 1;
        }

        const place = (row, prefix = WAITING) => `${prefix}${row.client}/${row.sequence}`;

        /** Keep an answer, or an undo: {type: "undo", of: row taken back or null}. */
        function put(given) {
            const sequence = number();
            const row = {type: "answer", reason: "", ms: 0, answered_at: clock() / 1000, ...given, client, sequence};
            if (!keep(place(row), row)) unkept.add(row);
            rows.push(row);
            return row;
        }

        function forget(gone) {
            const names = new Set(gone.map((row) => place(row)));
            names.forEach((key) => storage.removeItem(key));
            rows = rows.filter((row) => !names.has(place(row)));
            gone.forEach((row) => unkept.delete(row));
            [...unkept].forEach((row) => { if (keep(place(row), row)) unkept.delete(row); }); // there is room again
        }

        function stored(of, sequences) {
            const named = new Set(sequences);
            const gone = rows.filter((row) => row.client === of && named.has(row.sequence));
            forget(gone);
            return gone.length;
        }

        /** What the server will never take. An undo of it would take back another answer: it goes too. */
        function refuse(row, message, hint) {
            const undo = rows.filter((other) => other.type === "undo" && other.of && other.of.client === row.client
                && other.of.sequence === row.sequence);
            keep(place(row, REFUSED), {row, message, hint: hint || ""});
            undo.forEach((other) => keep(place(other, REFUSED), {row: other, message: "It takes back an answer that was refused.", hint: ""}));
            forget([row, ...undo]);
        }

        function batch(most) {
            if (!rows.length) return null;
            const [first] = rows;
            if (first.type === "undo") return {type: "undo", rows: [first]};
            const end = rows.findIndex((row) => row.type !== first.type || SCOPE.some((key) => row[key] !== first[key]));
            return {type: "answer", rows: rows.slice(0, Math.min(most, end < 0 ? rows.length : end))};
        }

        /** Take over what a closed tab has left, in the order of answering. */
        function adopt(other) {
            const had = new Set(rows.map((row) => place(row)));
            const found = rowsOf(storage, WAITING, other).filter((row) => !had.has(place(row)));
            const mine = rows;
            rows = [];
            let i = 0;
            found.sort(before).forEach((row) => { // merged, so that neither's own order changes
                while (i < mine.length && mine[i].answered_at <= row.answered_at) { rows.push(mine[i]); i += 1; }
                rows.push(row);
            });
            rows.push(...mine.slice(i));
            return found.length;
        }

        return {
            put, batch, stored, refuse, adopt, forget,
            client: () => client,
            waiting: () => rows.slice(),
            size: () => rows.length,
            unkept: () => unkept.size,
            refused: () => keys(storage, REFUSED).map((key) => read(storage, key)).filter(Boolean).sort((a, b) => before(a.row, b.row)),
            dropRefused: () => keys(storage, REFUSED).forEach((key) => storage.removeItem(key)),
        };
    }

    /** The body of the request that sends a batch. */
    function body({type, rows}) {
        const [{client, set, parent, kind, as, role, saliency, sequence}] = rows;
        const named = {set, parent, kind, as, client, ...(role ? {role} : {}), ...(saliency ? {saliency} : {})};
        if (type === "undo") return {...named, sequence};
        return {...named, answers: rows.map(({sequence: n, item_id, answer, reason, ms, answered_at, item_hash, map_hash}) =>
            ({sequence: n, item_id, answer, reason, ms, answered_at, item_hash, map_hash}))};
    }

    /**
     * Send until the queue is empty or the server cannot be reached. `post(batch)` resolves to
     * {ok, status, stored, message, hint}. What the server refuses (400) is found one by one.
     * Resolves to {is_empty, message, hint}; `each(batch, reply)` sees what was stored.
     */
    async function drain(queue, post, {most = 100, each = () => {}, refused = () => {}} = {}) {
        let alone = 0; // rows that still go one at a time, to find the one that is refused
        for (let batch = queue.batch(most); batch; batch = queue.batch(alone ? 1 : most)) {
            const reply = await post(batch);
            const {client} = batch.rows[0];
            if (reply.ok && queue.stored(client, reply.stored || [])) {
                alone = Math.max(0, alone - 1);
                each(batch, reply);
            } else if (reply.status === 400 && batch.rows.length > 1) alone = batch.rows.length;
            else if (reply.status === 400) {
                alone = Math.max(0, alone - 1);
                queue.refuse(batch.rows[0], reply.message, reply.hint);
                refused(batch.rows[0], reply);
            } else return {is_empty: false, message: reply.message || "", hint: reply.hint || "", status: reply.status};
        }
        return {is_empty: true, message: "", hint: ""};
    }

    loupe.crayonQueue = {open, clients, body, drain, fresh, PREFIX};
})(window.loupe);
