/* NERO: orbit plots of every layout. A layout's own file says how its cells are filled and where they
 * lie; here is what they share: ranges, words, the outline of the chosen cell, the pointer.
 * The outline is a light overlay, since a redrawn figure takes longer than a frame; the figure's own
 * trace of it, hidden on screen, keeps it for exports. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const NS = "http://www.w3.org/2000/svg";
    const TOP_PERCENTILE = 80; // of a data-driven range, as in components/figures/orbit_shared.py
    const SMALL_PX = 14; // a cell that needs a thin outline
    const OUT_PX = 1.5; // between a cell and its outline
    const MARKS = ["cursor", "value"];

    const of = (orbit) => loupe.layouts[orbit.layout];
    const escaped = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
    const named = ({title, unit}) => (unit ? `${title} (${unit})` : title);

    // --- values ------------------------------------------------------------------------------------

    /** The range all models are drawn on: the metric's own, or its low end to the 80th percentile of
     *  all finite values given; null without any. */
    function range(metric, arrays) {
        if (metric.high !== null && metric.high !== undefined) return [metric.low, metric.high];
        const finite = Float64Array.from(arrays.flatMap((values) => Array.from(values)).filter(Number.isFinite)).sort();
        if (!finite.length) return null;
        const place = (finite.length - 1) * TOP_PERCENTILE / 100, low = Math.floor(place);
        const above = finite[Math.min(low + 1, finite.length - 1)];
        const high = finite[low] + (above - finite[low]) * (place - low);
        return [metric.low, high > metric.low ? high : metric.low + 1];
    }

    /** Put a metric's name, range and direction into a figure that was made for another. */
    function dress(figure, {range: shown, metric}) {
        const {coloraxis, yaxis} = figure.layout;
        if (coloraxis) {
            if (shown) Object.assign(coloraxis, {cmin: shown[0], cmax: shown[1]});
            if (metric) {
                coloraxis.reversescale = !metric.higher_is_better;
                coloraxis.colorbar.title.text = named(metric);
            }
        } else if (yaxis) {
            const pad = shown ? 0.03 * (shown[1] - shown[0]) : 0;
            if (shown) yaxis.range = [shown[0] - pad, shown[1] + pad];
            if (metric) yaxis.title.text = named(metric);
        }
        if (metric) figure.data.forEach((trace) => rename(trace, metric));
    }

    /** Hover says "+8, −4 px: IOU 0.71" of the metric shown. */
    function rename(trace, {title, unit}) {
        if (!trace.hovertemplate) return;
        trace.hovertemplate = trace.hovertemplate.replace(/^%\{text\}: .* %\{(\w+):\.3f\}[^<]*/,
            (_, name) => `%{text}: ${escaped(title)} %{${name}:.3f}${unit ? ` ${unit}` : ""}`);
    }

    /** Traces of a role with their models: [[trace, model], …]; models without values are left out. */
    function tracesOf(figure, role, models) {
        const byKey = new Map(models.map((model) => [model.key, model]));
        return figure.data.filter((trace) => (trace.meta || {}).role === role)
            .map((trace) => [trace, byKey.get(trace.meta.model)])
            .filter(([, model]) => model && (model.values || model.maps));
    }

    /** The picture of a name ("disc plain 0") in a figure. */
    const picture = (figure, name) => (figure.layout.images || []).find((image) => image.name === name);

    /** Say what hatched and empty cells mean, where there are any. */
    function key(figure, models, marked) {
        const isMarked = models.some((model) => model.marked && model.marked.some(Boolean));
        const hasGaps = models.some(({values}) => values && values.some((value) => !Number.isFinite(value)));
        const words = [isMarked && `▨ ${escaped(marked || "no answer")}`, hasGaps && "□ not defined"].filter(Boolean);
        const note = (figure.layout.annotations || []).find(({name}) => name === "key");
        if (note) Object.assign(note, {text: words.join("   "), visible: words.length > 0});
    }

    /** Each model's values in a sentence: mean, best and worst element. */
    function describe(orbit, models, metric) {
        const told = models.filter(({values}) => values && values.length).map(({title, values}) => {
            const rows = Array.from(values, (value, k) => [value, k]).filter(([value]) => Number.isFinite(value));
            if (!rows.length) return `${title}: nothing is defined`;
            rows.sort((a, b) => (metric.higher_is_better ? b[0] - a[0] : a[0] - b[0]) || a[1] - b[1]);
            const mean = rows.reduce((sum, [value]) => sum + value, 0) / rows.length;
            const say = ([value, k]) => `${value.toFixed(2)} at ${orbit.labels[k]}`;
            return `${title}: mean ${mean.toFixed(2)}, best ${say(rows[0])}, worst ${say(rows[rows.length - 1])}`;
        });
        return `${named(metric)} at ${orbit.size} elements. ${told.join(". ")}.`;
    }

    // --- the drawn figure --------------------------------------------------------------------------

    const axis = (gd, name) => gd._fullLayout[name.replace(/^[xy]/, (letter) => `${letter}axis`)];

    /** The panels of a drawn figure: [{trace, xa, ya}], one for each mark of the chosen cell. */
    function panels(gd) {
        if (!gd || !gd._fullLayout || !gd.data) return [];
        return gd.data.filter((trace) => (trace.meta || {}).role === "cursor").map((trace) => ({
            trace, xa: axis(gd, trace.xaxis || "x"), ya: axis(gd, trace.yaxis || "y"),
        })).filter(({xa, ya}) => xa && ya && xa._length !== undefined);
    }

    /** From a panel's data to the graph's own pixels. */
    const toPixels = ({xa, ya}, x, y) => [xa._offset + xa.d2p(x), ya._offset + ya.d2p(y)];

    /** How far a point (graph pixels) lies outside a panel; 0 inside. */
    function outside({xa, ya}, x, y) {
        const beyond = (at, start, length) => Math.max(start - at, 0, at - start - length);
        return Math.hypot(beyond(x, xa._offset, xa._length), beyond(y, ya._offset, ya._length));
    }

    /** Where a pointer event is in a graph's own pixels. */
    function pointIn(gd, event) {
        const box = gd.getBoundingClientRect(), scale = box.width / gd.offsetWidth || 1;
        return [(event.clientX - box.left) / scale, (event.clientY - box.top) / scale];
    }

    /** The panel under (or with `clamp` nearest to) a pointer event, and where in it that is. */
    function under(gd, event, clamp) {
        const [x, y] = pointIn(gd, event);
        let found = null, least = Infinity;
        for (const panel of panels(gd)) {
            const distance = outside(panel, x, y);
            if (distance < least) [found, least] = [panel, distance];
        }
        if (!found || (least > 0 && !clamp)) return null;
        return {...found, px: x - found.xa._offset, py: y - found.ya._offset};
    }

    /** The element under a pointer event; -1 outside, or with `clamp` the nearest. */
    function hit(gd, orbit, event, clamp = false) {
        const place = under(gd, event, clamp);
        return place ? of(orbit).at(orbit, place, clamp) : -1;
    }

    // --- the outline of the chosen cell ------------------------------------------------------------

    function overlay(gd) {
        let svg = gd.querySelector(":scope > svg.nero-cells");
        if (svg) return svg;
        svg = document.createElementNS(NS, "svg");
        svg.setAttribute("class", "nero-cells");
        svg.setAttribute("aria-hidden", "true");
        ["nero-cells-halo", "nero-cells-mark"].forEach((name) => {
            const path = document.createElementNS(NS, "path");
            path.setAttribute("class", name);
            svg.append(path);
        });
        gd.append(svg);
        return svg;
    }

    /** Take the overlays away, the dial's too: the graph will show another layout, or nothing. */
    function clear(gd) {
        if (gd) gd.querySelectorAll(":scope > svg.nero-cells, :scope > svg.nero-overlay").forEach((svg) => svg.remove());
    }

    const extent = (values) => Math.max(...values) - Math.min(...values);
    const reach = (points) => Math.min(extent(points.map(([x]) => x)), extent(points.map(([, y]) => y)));

    /** A closed outline a little further out, so that the cell itself stays visible; lines as they are. */
    function around(points) {
        if (points.length < 4) return points;
        const middle = [0, 1].map((k) => points.reduce((sum, point) => sum + point[k], 0) / points.length);
        return points.map((point) => {
            const away = point.map((at, k) => at - middle[k]), far = Math.hypot(...away) || 1;
            return point.map((at, k) => at + OUT_PX * away[k] / far);
        });
    }

    /** Move the mark of the chosen element; `values` [[colour, value], …] are rings on a line. */
    function cursor(gd, orbit, element, values = []) {
        const shown = panels(gd);
        if (!shown.length || !orbit.positions[element]) return;
        const outline = of(orbit).outline(orbit, element, gd);
        let path = "", least = Infinity;
        for (const panel of shown) {
            const points = outline(panel.trace.meta);
            Object.assign(panel.trace, {x: points.map(([x]) => x), y: points.map(([, y]) => y)});
            const drawn = around(points.map(([x, y]) => toPixels(panel, x, y)));
            if (drawn.length) least = Math.min(least, reach(drawn));
            path += drawn.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
        }
        const svg = overlay(gd);
        Object.assign(svg.dataset, {layout: orbit.layout, size: least < SMALL_PX ? "small" : "large"});
        svg.children[0].setAttribute("d", path);
        svg.children[1].setAttribute("d", path);
        rings(gd, svg, shown[0], orbit.positions[element][0], values);
    }

    function rings(gd, svg, panel, x, values) {
        const shown = values.filter(([, value]) => Number.isFinite(value));
        while (svg.childElementCount > shown.length + 2) svg.lastChild.remove();
        shown.forEach(([colour, value], i) => {
            const ring = svg.children[i + 2] || svg.appendChild(document.createElementNS(NS, "circle"));
            const [cx, cy] = toPixels(panel, x, value);
            Object.entries({cx, cy, r: 5, stroke: colour}).forEach(([name, to]) => ring.setAttribute(name, to));
        });
        for (const trace of gd.data) {
            if ((trace.meta || {}).role !== "value") continue;
            const mine = shown.find(([colour]) => colour === trace.marker.color);
            Object.assign(trace, {x: [mine ? x : null], y: [mine ? mine[1] : null]});
        }
    }

    /** Plotly has drawn: hide the marks that the overlay shows, and paint that anew. */
    function drawn(gd, orbit, element, values) {
        (gd._fullData || []).forEach((trace) => {
            if (!MARKS.includes((trace.meta || {}).role)) return;
            gd.querySelectorAll(`.trace${trace.uid}`).forEach((node) => node.classList.add("nero-mark"));
        });
        of(orbit).cursor(gd, orbit, element, values);
    }

    /** Let a press or drag in `frame`, which holds a graph, choose an element. `orbit()` is the one
     *  shown, or null where the plot is none of ours; move(element) per frame, done(element) once. */
    function attach(frame, {orbit, move, done}) {
        loupe.neroPointer.attach(frame, {move, done, pick(event) {
            const shown = orbit(), gd = frame.querySelector(".js-plotly-plot");
            if (!shown || shown.layout === "circle" || !gd) return -1;
            return of(shown).hit(gd, shown, event, event.type !== "pointerdown");
        }});
    }

    loupe.layouts = Object.assign(loupe.layouts || {}, {of, range, attach, drawn, clear});
    loupe.layoutParts = {dress, tracesOf, picture, key, cursor, hit, describe, under, panels, pointIn, escaped};
})(window.loupe);
