/* NERO views: drawing on canvases. Sharp on any display, colours from the tokens of the theme,
 * boxes and arrows with a halo so that they can be seen on any picture. Lengths are CSS px. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    // Viridis at 0, 1/16, ..., 1: the colour scale of every map of the page.
    const VIRIDIS = ["440154", "48186a", "472d7b", "424086", "3b528b", "33638d", "2c728e", "26828e", "21918c",
        "1fa088", "28ae80", "3fbc73", "5ec962", "84d44b", "addc30", "d8e219", "fde725"].map(rgb);

    function rgb(hex) {
        const value = parseInt(hex.replace("#", ""), 16);
        return [value >> 16, (value >> 8) & 255, value & 255];
    }

    /** Colour [r, g, b] of 0..1 on the viridis scale; beyond it, the ends. */
    function viridis(t) {
        const at = Math.min(1, Math.max(0, t)) * (VIRIDIS.length - 1), low = Math.floor(at);
        const high = Math.min(low + 1, VIRIDIS.length - 1);
        return VIRIDIS[low].map((from, i) => Math.round(from + (VIRIDIS[high][i] - from) * (at - low)));
    }

    /** The value of a CSS variable where an element stands. */
    const token = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();

    /** Two "#rrggbb" mixed; t = 0 is the first. */
    function mix(first, second, t) {
        const [a, b] = [rgb(first), rgb(second)];
        return `rgb(${a.map((from, i) => Math.round(from + (b[i] - from) * t)).join(" ")})`;
    }

    /** A canvas with as many pixels as the display has for it, cleared: {context, width, height}. */
    function fit(canvas) {
        const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
        const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
        if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, {width: columns, height: rows});
        const context = canvas.getContext("2d");
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.clearRect(0, 0, width, height);
        return {context, width, height};
    }

    const kept = new WeakMap(); // pixels -> canvas that holds them

    /** Pixels {data rgba, width, height} as something that drawImage takes. */
    function picture(pixels) {
        if (!kept.has(pixels)) {
            const canvas = document.createElement("canvas");
            Object.assign(canvas, {width: pixels.width, height: pixels.height});
            const {data, width, height} = pixels;
            const isImage = pixels instanceof ImageData;
            const image = isImage ? pixels : new ImageData(new Uint8ClampedArray(data), width, height);
            canvas.getContext("2d").putImageData(image, 0, 0);
            kept.set(pixels, canvas);
        }
        return kept.get(pixels);
    }

    /** Outline of a box [x0, y0, x1, y1] over a darker or lighter halo. */
    function box(context, [x0, y0, x1, y1], style) {
        const {colour, width = 2, dash = [], opacity = 1, halo = "rgb(0 0 0 / 55%)"} = style;
        context.save();
        context.lineJoin = "round";
        const trace = (stroke, line, alpha) => {
            Object.assign(context, {strokeStyle: stroke, lineWidth: line, globalAlpha: alpha});
            context.strokeRect(x0, y0, x1 - x0, y1 - y0);
        };
        trace(halo, width + 1.5, Math.max(0.5, opacity));
        context.setLineDash(dash);
        trace(colour, width, opacity);
        context.restore();
    }

    /** Path of an arrow from (x, y) by (dx, dy); its head shrinks with it. */
    function arrowPath(context, x, y, dx, dy) {
        const length = Math.hypot(dx, dy);
        if (!(length > 0.3)) return;
        const head = Math.min(6, Math.max(1.5, length * 0.36)), angle = Math.atan2(dy, dx);
        const [tipX, tipY] = [x + dx, y + dy];
        context.moveTo(x, y);
        context.lineTo(tipX, tipY);
        for (const side of [-0.48, 0.48]) {
            context.moveTo(tipX, tipY);
            context.lineTo(tipX - head * Math.cos(angle + side), tipY - head * Math.sin(angle + side));
        }
    }

    /** Many arrows [[x, y, dx, dy], ...] in one colour. */
    function arrows(context, list, {colour, width, opacity = 1, halo}) {
        context.save();
        context.beginPath();
        list.forEach((arrow) => arrowPath(context, ...arrow));
        Object.assign(context, {lineCap: "round", lineJoin: "round", globalAlpha: opacity});
        if (halo) {
            Object.assign(context, {strokeStyle: halo, lineWidth: width + 1.6});
            context.stroke();
        }
        Object.assign(context, {strokeStyle: colour, lineWidth: width});
        context.stroke();
        context.restore();
    }

    /** Text on a small plate of its own, inside the picture: a rank, "no detection". */
    function plate(context, text, x, y, style) {
        const {colour = "#fff", back = "rgb(0 0 0 / 72%)", size = 11, weight = 600, align = "left"} = style || {};
        context.save();
        context.font = `${weight} ${size}px ${token(context.canvas, "--lp-font") || "sans-serif"}`;
        context.textBaseline = "middle";
        const pad = Math.round(size * 0.4), height = size + 2 * pad - 3;
        const width = context.measureText(text).width + 2 * pad;
        const left = align === "center" ? x - width / 2 : x;
        context.fillStyle = back;
        context.beginPath();
        context.roundRect(left, y, width, height, 3);
        context.fill();
        context.fillStyle = colour;
        context.fillText(text, left + pad, y + height / 2 + 0.5);
        context.restore();
    }

    loupe.neroCanvas = {viridis, token, mix, fit, picture, box, arrows, plate};
})(window.loupe);
