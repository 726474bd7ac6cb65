/* NERO: a polar plot as a dial. Press and drag anywhere in the disc to move along the orbit; the
 * arrow keys step. The cursor and the rings are a light overlay, since redrawing a polar plot takes
 * longer than a frame. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const NS = "http://www.w3.org/2000/svg";

    /** Centre and radius of the polar disc in client pixels, from the drawn circle itself. */
    function disc(gd) {
        const circle = gd.querySelector(".polarsublayer.plotbg path");
        if (!circle) return null;
        const box = circle.getBoundingClientRect();
        return {x: box.left + box.width / 2, y: box.top + box.height / 2, radius: box.width / 2};
    }

    /** Angle in [0, 360), counter-clockwise from the right, of a pointer event around a centre. */
    function angleOf(event, centre) {
        const degrees = Math.atan2(centre.y - event.clientY, event.clientX - centre.x);
        return (degrees * 180 / Math.PI + 360) % 360;
    }

    function overlay(gd) {
        let svg = gd.querySelector(":scope > svg.nero-overlay");
        if (svg) return svg;
        svg = document.createElementNS(NS, "svg");
        svg.setAttribute("class", "nero-overlay");
        svg.append(document.createElementNS(NS, "line"));
        gd.append(svg);
        return svg;
    }

    /** Draw the moving line, and rings at the values given as [[colour, radius 0..1], …]. */
    function paint(gd, angle, rings) {
        const centre = disc(gd);
        if (!centre) return;
        const svg = overlay(gd), frame = gd.getBoundingClientRect(), rad = angle * Math.PI / 180;
        const place = (r) => [centre.x - frame.left + r * centre.radius * Math.cos(rad),
            centre.y - frame.top - r * centre.radius * Math.sin(rad)];
        const [[x1, y1], [x2, y2]] = [place(0), place(1)], line = svg.firstChild;
        Object.entries({x1, y1, x2, y2}).forEach(([name, value]) => line.setAttribute(name, value));
        while (svg.childElementCount > rings.length + 1) svg.lastChild.remove();
        rings.forEach(([colour, value], i) => {
            const ring = svg.children[i + 1] || svg.appendChild(document.createElementNS(NS, "circle"));
            const [cx, cy] = place(value);
            Object.entries({cx, cy, r: 5, stroke: colour}).forEach(([k, v]) => ring.setAttribute(k, v));
        });
    }

    /** Take the overlay away: the plot shows another layout now. */
    const clear = (gd) => gd.querySelectorAll(":scope > svg.nero-overlay").forEach((svg) => svg.remove());

    /** Let a press inside `frame` (which holds a graph) move the angle.
     *  `options`: isOn() says whether there is a dial now; move(angle) per frame while dragging,
     *  done(angle) on release. */
    function attach(frame, options) {
        if (frame.dataset.dial) return;
        frame.dataset.dial = "on";
        let centre = null, pending = null;
        const flush = () => { const angle = pending; pending = null; options.move(angle); };
        const follow = (event) => {
            const first = pending === null;
            pending = angleOf(event, centre);
            if (first) requestAnimationFrame(flush);
        };
        frame.addEventListener("pointerdown", (event) => {
            if (!options.isOn()) return;
            const gd = frame.querySelector(".js-plotly-plot");
            const at = options.centre ? options.centre() : gd && disc(gd);
            if (event.button !== 0 || !at) return;
            const distance = Math.hypot(event.clientX - at.x, event.clientY - at.y);
            if (distance > at.radius * 1.12 || distance < 3) return;
            centre = at;
            event.preventDefault();
            frame.focus({preventScroll: true});
            frame.setPointerCapture(event.pointerId);
            frame.classList.add("is-dragging");
            follow(event);
        });
        frame.addEventListener("pointermove", (event) => { if (centre) follow(event); });
        const release = (event) => {
            if (!centre) return;
            const angle = angleOf(event, centre);
            centre = null;
            frame.classList.remove("is-dragging");
            // After the frame that is still pending, so that the last word is the release.
            requestAnimationFrame(() => options.done(angle));
        };
        frame.addEventListener("pointerup", release);
        frame.addEventListener("pointercancel", release);
        // Plotly would turn the whole axis on the same gesture.
        frame.addEventListener("mousedown", (event) => event.stopPropagation(), true);
        frame.addEventListener("touchstart", (event) => event.stopPropagation(), true);
    }

    loupe.dial = {attach, paint, clear, disc, angleOf};
})(window.loupe);
