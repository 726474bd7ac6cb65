/* NERO: where the elements of an orbit lie. Pure functions of `orbit` = {layout, size, positions,
 * labels, identity}, as the page's spec has it; nothing here touches the page.
 *
 *   circle   positions [angle in degrees]
 *   line     positions [value]
 *   heatmap  positions [x, y], y grows down
 *   squares  positions [column, row]
 *   discs    positions [plane 0..2, axis in degrees, rotation in degrees 0..180]
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const DIRECTIONS = ["left", "right", "up", "down"];
    const ARC_DEG = 4; // corners of a disc cell's outline are no further apart
    const grids = new WeakMap();

    const distinct = (values) => [...new Set(values)].sort((a, b) => a - b);
    const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));
    const wrap = (value, count) => ((value % count) + count) % count;
    /** How far apart two angles are, 0..180 degrees. */
    const gap = (a, b) => Math.abs(wrap(a - b + 180, 360) - 180);

    /** Index of the entry with the smallest distance; the first of equals. */
    function closest(values, distance) {
        let best = 0;
        for (let i = 1; i < values.length; i++) if (distance(values[i]) < distance(values[best])) best = i;
        return best;
    }

    /** The distinct coordinates of an orbit along each axis, and the element at each crossing:
     *  {axes: [[...], ...], at(...indices) -> element or -1, place(element) -> [indices]}; for maps
     *  also {columns, rows, xs, ys}, for discs {planes, axes_deg, angles_deg}. */
    function grid(orbit) {
        if (!grids.has(orbit.positions)) grids.set(orbit.positions, made(orbit));
        return grids.get(orbit.positions);
    }

    function made({layout, positions}) {
        const axes = positions[0].map((_, k) => distinct(positions.map((position) => position[k])));
        const places = positions.map((position) => position.map((value, k) => axes[k].indexOf(value)));
        const byPlace = new Map(places.map((place, element) => [place.join(), element]));
        const found = {axes, place: (element) => [...places[element]],
            at: (...indices) => byPlace.get(indices.join()) ?? -1};
        if (layout === "discs") {
            const [planes, axes_deg, angles_deg] = axes;
            return {...found, planes: planes.length, axes_deg, angles_deg};
        }
        if (axes.length === 1) return {...found, values: axes[0]};
        const [xs, ys] = axes;
        return {...found, xs, ys, columns: xs.length, rows: ys.length};
    }

    // --- from coordinates and points to elements ---------------------------------------------------

    /** The element nearest to layout coordinates. Beyond the edges, the edge. */
    function nearest(orbit, coordinates) {
        const {axes, at} = grid(orbit), {layout} = orbit;
        return at(...axes.map((values, k) => {
            const isRound = layout === "circle" || (layout === "discs" && k === 1);
            const far = isRound ? (value) => gap(value, coordinates[k])
                : (value) => Math.abs(value - coordinates[k]);
            return closest(values, far);
        }));
    }

    /** A fraction of the plot area in cells of equal size: [index, fraction within the cell]. */
    function cut(fraction, count) {
        const index = clamp(Math.floor(fraction * count), count);
        return [index, Math.min(1, Math.max(0, fraction * count - index))];
    }

    const counts = (orbit) => {
        const {axes: [first, second]} = grid(orbit);
        return [first.length, second ? second.length : 1];
    };

    /** The cell under a point of the plot area: fx from the left, fy from the top, both 0..1; and
     *  where in the cell the point is. */
    function insideCell(orbit, fx, fy) {
        const [columns, rows] = counts(orbit);
        const [column, x] = cut(fx, columns), [row, y] = cut(fy, rows);
        return {element: rows > 1 ? grid(orbit).at(column, row) : grid(orbit).at(column), fx: x, fy: y};
    }

    const atFraction = (orbit, fx, fy = 0) => insideCell(orbit, fx, fy).element;

    /** Where an element's cell lies: {x0, y0, x1, y1} in fractions from the top left. */
    function cell(orbit, element) {
        const [columns, rows] = counts(orbit), [column, row = 0] = grid(orbit).place(element);
        return {x0: column / columns, y0: row / rows, x1: (column + 1) / columns, y1: (row + 1) / rows};
    }

    // --- discs: angle = axis, counter-clockwise from the right; radius = rotation ------------------

    /** The rotation at which a disc's drawn rim lies: its last ring reaches half a step further. */
    function rim_deg(orbit) {
        const {angles_deg: angles} = grid(orbit), last = angles.length - 1;
        return angles[last] + (angles[last] - angles[last - 1]) / 2;
    }

    /** The element of a plane under a point (dx right, dy down) of the centre of a disc whose rim is
     *  drawn at `radius`; -1 outside of it, or with `isClamped` the nearest on the rim. */
    function atDisc(orbit, plane, dx, dy, radius, isClamped = false) {
        const distance = Math.hypot(dx, dy) / radius;
        if (distance > 1 && !isClamped) return -1;
        const axis = wrap(Math.atan2(-dy, dx) * 180 / Math.PI, 360);
        const element = nearest(orbit, [plane, axis, Math.min(1, distance) * rim_deg(orbit)]);
        // The middle is the same rotation about every axis: it is one cell, not one of each axis.
        return orbit.positions[element][2] === 0 ? nearest(orbit, [plane, 0, 0]) : element;
    }

    const polar = (radius, degrees) => [radius * Math.cos(degrees * Math.PI / 180),
        radius * Math.sin(degrees * Math.PI / 180)];

    /** Where an element lies: {plane, x, y} on a disc of radius 1, y up. */
    function onDisc(orbit, element) {
        const [plane, axis, angle] = orbit.positions[element];
        const [x, y] = polar(angle / rim_deg(orbit), axis);
        return {plane, x, y};
    }

    /** Points of an arc at `radius` from one axis angle to another. */
    function arc(radius, from, to) {
        const pieces = Math.max(1, Math.ceil(Math.abs(to - from) / ARC_DEG));
        return Array.from({length: pieces + 1}, (_, i) => polar(radius, from + (to - from) * i / pieces));
    }

    /** Outline of an element's cell on a disc of radius 1, y up: a closed list of [x, y]. No rotation
     *  is the same about every axis: the centre is one round cell. */
    function discCell(orbit, element) {
        const {axes_deg: axes, angles_deg: angles, place} = grid(orbit), rim = rim_deg(orbit);
        const [, , ring] = place(element), [, axis, angle] = orbit.positions[element];
        const outer = ring + 1 < angles.length ? (angle + angles[ring + 1]) / 2 : rim;
        if (ring === 0) return arc(outer / rim, 0, 360);
        const inner = (angle + angles[ring - 1]) / 2, half = 180 / axes.length;
        const outline = [...arc(outer / rim, axis - half, axis + half), ...arc(inner / rim, axis + half, axis - half)];
        return [...outline, outline[0]];
    }

    /** The same axis and rotation on another disc. */
    function toPlane(orbit, element, plane) {
        const {place, at, planes} = grid(orbit), [, axis, angle] = place(element);
        return at(clamp(plane, planes), axis, angle);
    }

    // --- stepping ----------------------------------------------------------------------------------

    /** Which arrow keys do something on a layout; the others are free. */
    const directions = ({layout}) => (["circle", "line"].includes(layout) ? DIRECTIONS.slice(0, 2) : [...DIRECTIONS]);

    const MOVES = {left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1]};
    const STEPS = {
        circle: ({axes: [values]}, [k], [by]) => [wrap(k + by, values.length)],
        line: ({axes: [values]}, [k], [by]) => [clamp(k + by, values.length)],
        heatmap: ({columns, rows}, [x, y], [dx, dy]) => [clamp(x + dx, columns), clamp(y + dy, rows)],
        discs: ({axes_deg: axes, angles_deg: angles}, [plane, axis, angle], [by, inwards]) =>
            [plane, wrap(axis + by, axes.length), clamp(angle - inwards, angles.length)],
    };
    STEPS.squares = STEPS.heatmap;

    /** The element next to another: right is onwards on a circle and counter-clockwise on a disc, up
     *  is outwards on a disc. Edges hold; circles and axes go round. */
    function step(orbit, element, direction) {
        const found = grid(orbit);
        return found.at(...STEPS[orbit.layout](found, found.place(element), MOVES[direction]));
    }

    loupe.neroLayouts = {grid, nearest, atFraction, insideCell, cell, rim_deg, atDisc, onDisc, discCell,
        toPlane, directions, step};
})(window.loupe);
