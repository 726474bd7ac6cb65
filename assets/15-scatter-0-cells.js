/* loupe.scatter, the cells: points sorted into a grid, so that a lasso and the pointer look at few of them.
 *
 *   const held = loupe.scatterCells.sorted({x, y, kinds}, box);   copies in the order of the cells; held.order[place] is a row
 *   held.nearest(x, y, reach)                                     the place of the nearest point within reach, or -1
 *   held.inside(path, view, size)                                 {marked (n,), count, lasso}: 1 at the places inside a path of
 *                                                                 pixels; the lasso is {mask, width, x, y, scale}, those pixels and the view
 *
 * A path is filled once into runs of pixels. A cell that lies whole inside it is taken as one range of places; only in
 * the cells on its edge is each point asked for its pixel.
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const CELLS = 256;           // a side of the grid

    function bounds(x, y) {
        let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
        for (let i = 0; i < x.length; i += 1) {
            const a = x[i], b = y[i];
            if (a < x0) x0 = a;
            if (a > x1) x1 = a;
            if (b < y0) y0 = b;
            if (b > y1) y1 = b;
        }
        return x1 >= x0 && y1 >= y0 ? {x0, x1, y0, y1} : {x0: 0, x1: 0, y0: 0, y1: 0};
    }

    const within = (value, most) => (value < 0 ? 0 : value > most ? most : value);

    /** Points by cell, those of one cell in their own order. */
    function sorted({x, y, kinds}) {
        const n = x.length, box = bounds(x, y), wide = (box.x1 - box.x0) / CELLS || 1, high = (box.y1 - box.y0) / CELLS || 1;
        const clip = (value) => (value < 0 ? 0 : value >= CELLS ? CELLS - 1 : value | 0);
        const column = (a) => clip((a - box.x0) / wide), line = (b) => clip((b - box.y0) / high);
        const cell = new Uint16Array(n), starts = new Int32Array(CELLS * CELLS + 1);
        for (let i = 0; i < n; i += 1) {
            cell[i] = line(y[i]) * CELLS + column(x[i]);
            starts[cell[i] + 1] += 1;
        }
        for (let c = 0; c < CELLS * CELLS; c += 1) starts[c + 1] += starts[c];
        const next = starts.slice(0, -1), held = {n, box, order: new Int32Array(n), x: new Float32Array(n), y: new Float32Array(n), kinds: kinds ? new Uint8Array(n) : null};
        for (let i = 0; i < n; i += 1) {
            const place = next[cell[i]];
            next[cell[i]] += 1;
            held.order[place] = i;
            held.x[place] = x[i];
            held.y[place] = y[i];
            if (kinds) held.kinds[place] = kinds[i];
        }
        let places = null;
        /** Where a row lies. */
        held.placeOf = (row) => {
            if (!places) {
                places = new Int32Array(n);
                for (let place = 0; place < n; place += 1) places[held.order[place]] = place;
            }
            return row >= 0 && row < n ? places[row] : -1;
        };
        held.nearest = (a, b, reach) => {
            const [i0, i1, j0, j1] = [column(a - reach), column(a + reach), line(b - reach), line(b + reach)];
            let best = -1, least = reach * reach;
            for (let j = j0; j <= j1; j += 1) {
                for (let at = starts[j * CELLS + i0]; at < starts[j * CELLS + i1 + 1]; at += 1) {
                    const d = (held.x[at] - a) ** 2 + (held.y[at] - b) ** 2;
                    if (d <= least) { least = d; best = at; }
                }
            }
            return best;
        };
        held.inside = (path, view, size) => inside(held, {starts, wide, high}, path, view, size);
        return held;
    }

    /** Which pixels lie inside a closed path, and how many of each rectangle from the corner of the path's own box do: `sums`,
     * (bottom - top + 1, side), whose first row and column hold 0. */
    function filled(path, [width, height]) {
        const limits = (axis, most) => {
            const values = path.map((point) => point[axis]), from = within(Math.floor(Math.min(...values)), most);
            return [from, Math.max(from, within(Math.ceil(Math.max(...values)), most))];  // of no path: nothing
        };
        const [[left, right], [top, bottom]] = [limits(0, width), limits(1, height)], side = right - left + 1;
        const mask = new Uint8Array(width * height), sums = new Uint32Array(side * (bottom - top + 1)), ends = path.map((from, i) => [from, path[(i + 1) % path.length]]);
        for (let row = top; row < bottom; row += 1) {
            const y = row + 0.5, crossings = [];
            for (const [[ax, ay], [bx, by]] of ends) {
                if ((ay <= y) !== (by <= y)) crossings.push([ax + ((y - ay) * (bx - ax)) / (by - ay), by > ay ? 1 : -1]);
            }
            crossings.sort(([a], [b]) => a - b);
            let winding = 0;
            crossings.forEach(([x, way], i) => {
                winding += way;
                if (!winding) return;
                const from = Math.max(0, Math.ceil(x - 0.5)), to = Math.min(width, Math.ceil(crossings[i + 1][0] - 0.5));
                if (to > from) mask.fill(1, row * width + from, row * width + to);
            });
            for (let column = left, sum = 0, at = (row - top + 1) * side + 1; column < right; column += 1, at += 1) {
                sum += mask[row * width + column];
                sums[at] = sums[at - side] + sum;
            }
        }
        return {mask, sums, side, left, right, top, bottom};
    }

    function inside(held, {starts, wide, high}, path, view, size) {
        const {n, x, y, box} = held, [width, height] = size.map(Math.ceil), {mask, sums, ...own} = filled(path, [width, height]), marked = new Uint8Array(n);
        const left = size[0] / 2 - view.x * view.scale, top = size[1] / 2 + view.y * view.scale, pixel = Math.floor;
        let count = 0;
        const each = (from, to) => {
            for (let at = from; at < to; at += 1) {
                const px = pixel(left + x[at] * view.scale), py = pixel(top - y[at] * view.scale);
                if (px >= 0 && py >= 0 && px < width && py < height && mask[py * width + px]) { marked[at] = 1; count += 1; }
            }
        };
        const columns = Array.from({length: CELLS + 1}, (_, i) => pixel(left + (box.x0 + i * wide) * view.scale));
        const [befores, afters] = [columns.slice(0, -1).map((x) => x - 1), columns.slice(1).map((x) => x + 2)].map((ends) => ends.map((x) => within(x - own.left, own.right - own.left)));
        for (let j = 0; j < CELLS; j += 1) {
            // A pixel more on each side, as a coordinate may round into the cell beside its own.
            const [upper, lower] = [pixel(top - (box.y0 + (j + 1) * high) * view.scale) - 1, pixel(top - (box.y0 + j * high) * view.scale) + 2];
            if (lower <= own.top || upper >= own.bottom) continue;
            const [y0, y1] = [upper, lower].map((y) => within(y - own.top, own.bottom - own.top) * own.side);
            for (let i = 0; i < CELLS; i += 1) {
                const from = starts[j * CELLS + i], to = starts[j * CELLS + i + 1];
                if (from === to) continue;
                const x0 = befores[i], x1 = afters[i], much = sums[y1 + x1] - sums[y0 + x1] - sums[y1 + x0] + sums[y0 + x0];
                if (!much) continue;
                if (much === (columns[i + 1] - columns[i] + 3) * (lower - upper)) {
                    marked.fill(1, from, to);
                    count += to - from;
                } else each(from, to);
            }
        }
        return {marked, count, lasso: {mask, width, ...view}};
    }

    loupe.scatterCells = {sorted};
})(window.loupe);
