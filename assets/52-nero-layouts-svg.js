/* NERO: the pictures in layout.images that hold values: discs of ring sectors, hatching of cells.
 * The same drawings as components/figures/orbit_svg.py makes; a browser test compares the two. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const UNIT = 1000; // a disc's radius in the picture's own units
    const CODES = {"%": "%25", "#": "%23", "<": "%3C", ">": "%3E"};

    /** A picture as data URL, stretched to wherever it is put. */
    function url(viewBox, body) {
        const text = `<svg xmlns='http://www.w3.org/2000/svg' width='400' height='400' `
            + `viewBox='${viewBox}' preserveAspectRatio='none'>${body}</svg>`;
        return `data:image/svg+xml;charset=utf-8,${text.replace(/[%#<>]/g, (sign) => CODES[sign])}`;
    }

    const hex = (parts) => `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;

    /** The colour of a value on the scale of a figure: bright is good, errors run the other way. */
    function colour(value, [low, high], isReversed) {
        const t = (value - low) / (high - low);
        return hex(loupe.neroCanvas.viridis(isReversed ? 1 - t : t));
    }

    /** A ring sector around an axis angle, counter-clockwise from the right; y of SVG goes down. */
    function sector(axis, half, inner, outer) {
        if (!inner) return `M${outer} 0A${outer} ${outer} 0 1 0 ${-outer} 0A${outer} ${outer} 0 1 0 ${outer} 0Z`;
        const [from, to] = [axis - half, axis + half].map((degrees) => degrees * Math.PI / 180);
        const point = (radius, turn) => `${Math.round(radius * Math.cos(turn))} ${Math.round(-radius * Math.sin(turn))}`;
        const large = Number(half > 90);
        return `M${point(outer, from)}A${outer} ${outer} 0 ${large} 0 ${point(outer, to)}`
            + `L${point(inner, to)}A${inner} ${inner} 0 ${large} 1 ${point(inner, from)}Z`;
    }

    const shapes = new WeakMap(); // positions -> the sector of each element, the same for all models

    /** The path of every element's sector; "" for all but one of the centre's. */
    function sectors(orbit) {
        if (shapes.has(orbit.positions)) return shapes.get(orbit.positions);
        const {axes_deg: axes, angles_deg: angles, place} = loupe.neroLayouts.grid(orbit);
        const rim = loupe.neroLayouts.rim_deg(orbit), half = 180 / axes.length;
        const edges = [0, ...angles.slice(1).map((angle, k) => (angle + angles[k]) / 2), rim];
        const radii = edges.map((edge) => Math.round(edge / rim * UNIT));
        const made = orbit.positions.map(([, axis], element) => {
            const [, , ring] = place(element);
            return ring || axis === 0 ? sector(axis, half, radii[ring], radii[ring + 1]) : "";
        });
        shapes.set(orbit.positions, made);
        return made;
    }

    /** One plane's cells in the colours of their values; what is not defined stays empty. */
    function disc(orbit, plane, values, range, isReversed) {
        const paths = new Map(), drawn = sectors(orbit);
        orbit.positions.forEach(([where], element) => {
            if (where !== plane || !drawn[element] || !Number.isFinite(values[element])) return;
            const fill = colour(values[element], range, isReversed);
            paths.set(fill, (paths.get(fill) || "") + drawn[element]);
        });
        const body = Array.from(paths, ([fill, d]) => `<path fill='${fill}' stroke='${fill}' d='${d}'/>`).join("");
        return url(`${-UNIT} ${-UNIT} ${2 * UNIT} ${2 * UNIT}`, `<g stroke-width='8'>${body}</g>`);
    }

    /** A light stroke through each of the cells [[column, row], …]; "" where there is none. */
    function hatching(columns, rows, cells) {
        if (!cells.length) return "";
        const strokes = cells.map(([x, y]) => `M${10 * x + 2} ${10 * y + 8}l6 -6`).join("");
        const style = "stroke='rgba(255,255,255,.62)' stroke-width='1.1' stroke-linecap='round' fill='none'";
        return url(`0 0 ${10 * columns} ${10 * rows}`, `<path d='${strokes}' ${style}/>`);
    }

    loupe.layoutSvg = {disc, hatching, colour};
})(window.loupe);
