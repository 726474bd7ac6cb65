/* NERO: the layouts of cells. Maps of shifts, the squares of 16 symmetries, discs of rotations in
 * space: how an empty figure is filled, where a cell lies, which cell a point is in. Axes are those of
 * components/figures/orbit_cells.py. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const parts = () => loupe.layoutParts;
    const geometry = () => loupe.neroLayouts;
    const svg = () => loupe.layoutSvg;
    const GAP = 0.02; // half of the space between squares, in cells
    const both = (fill) => ({fillAggregate: fill, fillIndividual: fill});
    const shared = {
        cursor: (...given) => parts().cursor(...given),
        hit: (...given) => parts().hit(...given),
        describe: (...given) => parts().describe(...given),
    };
    const matrix = (rows, columns, value) => Array.from({length: rows}, () => new Array(columns).fill(value));
    const closed = (x0, y0, x1, y1) => [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]];
    const clip = (fraction) => Math.min(1 - 1e-9, Math.max(0, fraction));

    // --- maps --------------------------------------------------------------------------------------

    function fillMap(figure, orbit, models, options) {
        const {columns, rows, place} = geometry().grid(orbit);
        parts().dress(figure, options);
        for (const [trace, {key, values, marked}] of parts().tracesOf(figure, "cells", models)) {
            const z = matrix(rows, columns, NaN), text = matrix(rows, columns, ""), cells = [];
            orbit.labels.forEach((label, element) => {
                const [column, row] = place(element), isMarked = marked && marked[element];
                z[row][column] = values[element];
                text[row][column] = isMarked ? `${label} (${options.marked || "no answer"})` : label;
                if (isMarked) cells.push([column, row]);
            });
            Object.assign(trace, {z, text});
            parts().picture(figure, `hatching ${key}`).source = svg().hatching(columns, rows, cells);
        }
        parts().key(figure, models, options.marked);
        return figure;
    }

    /** A panel's pixels as fractions of it: cells are equal, so they name the cell. */
    const fractions = ({xa, ya, px, py}) => [clip(px / xa._length), clip(py / ya._length)];

    const heatmap = {
        ...shared, ...both(fillMap),
        at: (orbit, place) => geometry().atFraction(orbit, ...fractions(place)),
        outline(orbit, element) {
            const {xs, ys} = geometry().grid(orbit), [x, y] = orbit.positions[element];
            const half = (values) => (values.length > 1 ? (values[1] - values[0]) / 2 : 0.5);
            const [dx, dy] = [half(xs), half(ys)];
            return () => closed(x - dx, y - dy, x + dx, y + dy);
        },
    };

    // --- squares -----------------------------------------------------------------------------------

    /** Borders of all cells along one axis: block b fills [b, b + 1] but for the gaps. */
    function edges(blocks, cells) {
        const inside = Array.from({length: cells + 1}, (_, k) => GAP + (1 - 2 * GAP) * k / cells);
        return Array.from({length: blocks}, (_, block) => inside.map((edge) => block + edge)).flat();
    }

    /** Every element's map in one array with NaN in the gaps; an average is a map of one cell. */
    function blocks(orbit, {data, h, w}) {
        const {columns, rows, at} = geometry().grid(orbit);
        const z = Array.from({length: rows * (h + 1) - 1}, () => new Float32Array(columns * (w + 1) - 1).fill(NaN));
        const text = [];
        for (let row = 0; row < rows; row++) {
            const elements = Array.from({length: columns}, (_, column) => at(column, row));
            const names = elements.flatMap((element) => [...new Array(w).fill(orbit.labels[element] || ""), ""]);
            if (row) text.push(new Array(names.length - 1).fill(""));
            for (let r = 0; r < h; r++) {
                text.push(names.slice(0, -1));
                elements.forEach((element, column) => {
                    if (element < 0) return;
                    const start = (element * h + r) * w;
                    z[row * (h + 1) + r].set(data.subarray(start, start + w), column * (w + 1));
                });
            }
        }
        return {z, text, x: edges(columns, w), y: edges(rows, h)};
    }

    function fillSquares(figure, orbit, models, options) {
        parts().dress(figure, options);
        const isDetailed = ({maps}) => maps && !options.averaged;
        for (const [trace, model] of parts().tracesOf(figure, "cells", models)) {
            const average = {data: Float32Array.from(model.values || []), h: 1, w: 1};
            Object.assign(trace, blocks(orbit, isDetailed(model) ? model.maps : average));
        }
        for (const [trace, model] of parts().tracesOf(figure, "numbers", models)) {
            Object.assign(trace, isDetailed(model) ? {x: [null], y: [null]} : numbers(figure, orbit, model.values));
        }
        parts().key(figure, models);
        return figure;
    }

    /** The averaged squares' values, dark on bright cells and light on dark ones. */
    function numbers(figure, orbit, values) {
        const {cmin, cmax, reversescale} = figure.layout.coloraxis;
        const ink = (value) => {
            const t = (value - cmin) / (cmax - cmin);
            return (reversescale ? 1 - t : t) > 0.5 ? "#12161b" : "#ffffff";
        };
        return {x: orbit.positions.map(([column]) => column + 0.5), y: orbit.positions.map(([, row]) => row + 0.4),
            text: Array.from(values, (value) => (Number.isFinite(value) ? value.toFixed(2) : "–")),
            textfont: {size: 10, color: Array.from(values, ink)}};
    }

    const squares = {
        ...shared, ...both(fillSquares),
        at: (orbit, place) => geometry().atFraction(orbit, ...fractions(place)),
        outline(orbit, element) {
            const [column, row] = orbit.positions[element];
            return () => closed(column + GAP, row + GAP, column + 1 - GAP, row + 1 - GAP);
        },
        /** The element under a pointer event and where in its square: {element, fx, fy}, or null. */
        inside(gd, orbit, event) {
            const place = parts().under(gd, event, false);
            return place && geometry().insideCell(orbit, ...fractions(place));
        },
    };

    // --- discs -------------------------------------------------------------------------------------

    function fillDiscs(figure, orbit, models, options) {
        parts().dress(figure, options);
        const {cmin, cmax, reversescale} = figure.layout.coloraxis;
        for (const [trace, {key, values}] of parts().tracesOf(figure, "cells", models)) {
            const {plane, centre: [cx, cy]} = trace.meta;
            const rows = orbit.positions.map((_, element) => element).filter((element) => {
                const [where, axis, angle] = orbit.positions[element];
                return where === plane && (angle > 0 || axis === 0); // one centre
            });
            const places = rows.map((element) => geometry().onDisc(orbit, element));
            Object.assign(trace, {x: places.map(({x}) => cx + x), y: places.map(({y}) => cy + y),
                customdata: rows.map((element) => values[element]),
                text: rows.map((element) => orbit.labels[element])});
            const source = cmin === undefined ? "" : svg().disc(orbit, plane, values, [cmin, cmax], reversescale);
            parts().picture(figure, `disc ${key} ${plane}`).source = source;
        }
        parts().key(figure, models);
        return figure;
    }

    const discs = {
        ...shared, ...both(fillDiscs),
        /** All discs stand on one pair of axes: the one whose centre is nearest is meant. */
        hit(gd, orbit, event, clamp = false) {
            const [x, y] = parts().pointIn(gd, event);
            let found = -1, least = Infinity;
            for (const {trace, xa, ya} of parts().panels(gd)) {
                const {plane, centre: [cx, cy]} = trace.meta, radius = xa.d2p(1) - xa.d2p(0);
                const [dx, dy] = [x - xa._offset - xa.d2p(cx), y - ya._offset - ya.d2p(cy)];
                if (Math.hypot(dx, dy) >= least) continue;
                least = Math.hypot(dx, dy);
                found = geometry().atDisc(orbit, plane, dx, dy, radius, clamp);
            }
            return found;
        },
        /** The cell on its own disc; the centre, which is the same rotation everywhere, on all. */
        outline(orbit, element) {
            const [plane, , angle] = orbit.positions[element], cell = geometry().discCell(orbit, element);
            return ({plane: where, centre: [cx, cy]}) =>
                (where === plane || angle === 0 ? cell.map(([x, y]) => [cx + x, cy + y]) : []);
        },
    };

    loupe.layouts = Object.assign(loupe.layouts || {}, {heatmap, squares, discs});
})(window.loupe);
