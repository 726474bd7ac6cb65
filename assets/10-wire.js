/* Arrays from /_data/<key> as typed arrays; the other end of backend/wire.py.
 *
 *   const {meta, arrays} = await loupe.wire.fetch("/_data/<key>?arrays=x,y&u16=x,y");
 *   arrays.x.data   // Float32Array and friends, a view on the message: do not write into it
 *   arrays.x.shape  // [n, d]
 *
 * Results are named by their content, so an answer is kept (64 MB, least recently used go first)
 * and two callers of one URL share one request. A failure rejects with an Error that carries the
 * server's sentence as message, and its hint and status.
 */
window.loupe = window.loupe || {};

window.loupe.wire = (function () {
    "use strict";

    const MAGIC = 0x3141504c;              // "LPA1", little endian
    const BUSY_MS = [400, 1600];           // waits before a busy server is asked again
    const NAN_U16 = 65535;
    const BUDGET_BYTES = 64 * 1024 * 1024;
    const TYPES = {
        f4: Float32Array, f8: Float64Array, i1: Int8Array, i2: Int16Array, i4: Int32Array,
        u1: Uint8Array, u2: Uint16Array, u4: Uint32Array,
    };

    const held = new Map();                // url -> {answer, bytes}, the most recent last
    const asked = new Map();               // url -> promise
    let heldBytes = 0;

    /** The arrays and the meta of one message (an ArrayBuffer). Throws a RangeError or TypeError if damaged. */
    function unpack(buffer) {
        const view = new DataView(buffer);
        if (buffer.byteLength < 8 || view.getUint32(0, true) !== MAGIC) {
            throw new TypeError("The array message is damaged.");
        }
        const length = view.getUint32(4, true);
        const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
        const start = Math.ceil((8 + length) / 8) * 8;
        const arrays = {};
        for (const row of header.arrays) {
            arrays[row.name] = {data: read(row, buffer, start), shape: row.shape};
        }
        return {meta: header.meta, arrays: arrays};
    }

    function read(row, buffer, start) {
        if (row.dtype === "str") return row.values;
        const count = row.shape.reduce((product, size) => product * size, 1);
        const at = start + row.offset;
        if (row.dtype === "f2") return halves(new Uint16Array(buffer, at, count));
        if (!TYPES[row.dtype]) throw new TypeError("The array message has an unknown type.");
        const data = new TYPES[row.dtype](buffer, at, count);
        return "step" in row ? scaled(data, row.lo, row.step) : data;
    }

    /** Quantised numbers: lo + step * code, and NaN for what was not finite. */
    function scaled(codes, lo, step) {
        const values = new Float32Array(codes.length);
        for (let i = 0; i < codes.length; i += 1) {
            values[i] = codes[i] === NAN_U16 ? NaN : lo + step * codes[i];
        }
        return values;
    }

    /** IEEE half precision as float32: not every browser has Float16Array. */
    function halves(bits) {
        const values = new Float32Array(bits.length);
        for (let i = 0; i < bits.length; i += 1) {
            const sign = bits[i] & 0x8000 ? -1 : 1;
            const exponent = (bits[i] >> 10) & 0x1f;
            const fraction = bits[i] & 0x3ff;
            if (exponent === 0) values[i] = sign * fraction * 2 ** -24;
            else if (exponent === 31) values[i] = fraction ? NaN : sign * Infinity;
            else values[i] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
        }
        return values;
    }

    /** Promise of {meta, arrays} at `url`. */
    function fetchArrays(url) {
        const known = held.get(url);
        if (known) {
            held.delete(url);
            held.set(url, known);          // most recent last
            return Promise.resolve(known.answer);
        }
        if (!asked.has(url)) {
            asked.set(url, load(url).finally(() => asked.delete(url)));
        }
        return asked.get(url);
    }

    /** The answer at `url`; a busy or starting worker (503) is asked again. */
    async function patient(url, waits) {
        let response;
        try {
            response = await window.fetch(url, {credentials: "same-origin"});
        } catch (_offline) {
            throw failure("The server does not answer.", "Check that Loupe is still running.", 0);
        }
        if (response.status !== 503 || !waits.length) return response;
        await new Promise((resolve) => { setTimeout(resolve, waits[0]); });
        return patient(url, waits.slice(1));
    }

    async function load(url) {
        const response = await patient(url, BUSY_MS);
        if (!response.ok) {
            const body = await response.json().catch(() => ({}));
            throw failure(body.message || "The data could not be loaded.", body.hint || "", response.status);
        }
        const buffer = await response.arrayBuffer();
        const answer = unpack(buffer);
        keep(url, answer, buffer.byteLength);
        return answer;
    }

    function failure(message, hint, status) {
        return Object.assign(new Error(message), {hint: hint, status: status});
    }

    function keep(url, answer, bytes) {
        if (bytes > BUDGET_BYTES) return;
        held.set(url, {answer: answer, bytes: bytes});
        heldBytes += bytes;
        for (const [oldest, entry] of held) {
            if (heldBytes <= BUDGET_BYTES) break;
            held.delete(oldest);
            heldBytes -= entry.bytes;
        }
    }

    return {fetch: fetchArrays, unpack: unpack};
})();
