/* NERO: the layouts of curves. A line of values (or of wordings) and the circle of angles: filling,
 * the moving line, which element a point is nearest to. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const parts = () => loupe.layoutParts;
    const has = (values) => Boolean(values && values.length);

    /** Fill the curves of one model: `put(trace, values)` for each role that there are values for. */
    function fillCurves(figure, models, put, ribbon) {
        for (const [role, name] of [["curve", "values"], ["selection", "selection"], ["control", "control"]]) {
            for (const [trace, model] of parts().tracesOf(figure, role, models)) {
                if (has(model[name])) put(trace, model[name]);
            }
        }
        for (const [trace, model] of parts().tracesOf(figure, "band", models)) {
            if (has(model.low) && has(model.high)) ribbon(trace, Array.from(model.low), Array.from(model.high));
        }
    }

    function fillLine(figure, orbit, models, options) {
        const x = orbit.positions.map(([value]) => value);
        parts().dress(figure, options);
        fillCurves(figure, models,
            (trace, values) => Object.assign(trace, {x, y: Array.from(values), text: orbit.labels}),
            (trace, low, high) => Object.assign(trace, {x: [...x, ...[...x].reverse()], y: [...high, ...low.reverse()]}));
        return figure;
    }

    const line = {
        fillAggregate: fillLine, fillIndividual: fillLine,
        cursor: (...given) => parts().cursor(...given),
        hit: (...given) => parts().hit(...given),
        describe: (...given) => parts().describe(...given),
        /** The element whose place on the axis, which may be logarithmic, is nearest. */
        at(orbit, {xa, px}) {
            let best = -1, least = Infinity;
            orbit.positions.forEach(([value], element) => {
                const distance = Math.abs(xa.d2p(value) - px);
                if (distance < least) [best, least] = [element, distance];
            });
            return best;
        },
        outline(orbit, element, gd) {
            const [x] = orbit.positions[element], [low, high] = gd._fullLayout.yaxis.range;
            return () => [[x, low], [x, high]];
        },
    };

    // --- circle: the figure of components/figures/orbit.py, the overlay of 53-nero-dial.js -----------

    function fillCircle(figure, orbit, models) {
        const theta = [...orbit.positions.map(([angle]) => angle), 360], round = (values) => [...values, values[0]];
        fillCurves(figure, models,
            (trace, values) => Object.assign(trace, {theta, r: round(Array.from(values))}),
            (trace, low, high) => Object.assign(trace,
                {theta: [...theta, ...[...theta].reverse()], r: [...round(high), ...round(low).reverse()]}));
        return figure;
    }

    const circle = {
        fillAggregate: fillCircle, fillIndividual: fillCircle,
        describe: (...given) => parts().describe(...given),
        cursor(gd, orbit, element, values = []) {
            if (!gd || !gd.data) return;
            const [angle] = orbit.positions[element], shown = values.filter(([, value]) => Number.isFinite(value));
            for (const trace of gd.data) {
                const {role} = trace.meta || {};
                if (role === "cursor") trace.theta = [angle, angle];
                if (role !== "value") continue;
                const mine = shown.find(([colour]) => colour === trace.marker.color);
                Object.assign(trace, {theta: [angle], r: [mine ? mine[1] : null]});
            }
            loupe.dial.paint(gd, angle, shown);
        },
        hit(gd, orbit, event, clamp = false) {
            const centre = gd && loupe.dial.disc(gd);
            if (!centre) return -1;
            const distance = Math.hypot(event.clientX - centre.x, event.clientY - centre.y);
            if (!clamp && distance > centre.radius * 1.12) return -1;
            return loupe.neroLayouts.nearest(orbit, [loupe.dial.angleOf(event, centre)]);
        },
    };

    loupe.layouts = Object.assign(loupe.layouts || {}, {line, circle});
})(window.loupe);
