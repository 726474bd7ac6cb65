/* Zoom-In: the layers over the image, on one canvas in image coordinates. Opacity, palette and range
 * of each are live: nothing is asked of the server. Hit tests of the drawn pieces are here too. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, query} = loupe.zoom;
    const LAYERS = ["alpha", "beta", "samples", "truth", "cam"];
    const STOPS = {
        viridis: "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
        cividis: "00204d 00336f 39486b 575c6d 707173 8a8779 a69d75 c4b56c e4cf5b ffea46",
        magma: "000004 180f3d 440f76 721f81 9e2f7f cd4071 f1605d fd9668 feca8d fcfdbf",
        grey: "000000 ffffff",
    };
    const FIRST = {alpha: {opacity: 45, palette: "viridis"}, beta: {opacity: 65, palette: "cividis"},
        samples: {opacity: 100, palette: "viridis"}, truth: {opacity: 80, palette: "viridis"},
        cam: {opacity: 55, palette: "magma"}};
    const TRUTH = [255, 210, 31];
    const SMALL_PX = 7; // a piece smaller than this on screen is a dot
    const NUMBER_PX = 20;
    const DOT_PX = 4;
    const tables = {};
    let canvas = null, style = {}, visible = new Set(), kept = new Map(), mask = {url: "", canvas: null}, wished = null;

    const first = (layer) => ({...FIRST[layer], low: 0, high: 100});
    LAYERS.forEach((layer) => { style[layer] = first(layer); });

    /** 256 colours of a palette as bytes, three each. */
    function table(name) {
        if (tables[name]) return tables[name];
        const stops = STOPS[name].split(" ").map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
        const made = new Uint8ClampedArray(768);
        for (let i = 0; i < 256; i += 1) {
            const place = i / 255 * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(place));
            for (let c = 0; c < 3; c += 1) made[3 * i + c] = stops[low][c] + (stops[low + 1][c] - stops[low][c]) * (place - low);
        }
        tables[name] = made;
        return made;
    }

    /** Index of a colour for a share of the maximum; -1 below the range. */
    function level(share, {low, high}) {
        if (100 * share < low - 1e-6) return -1;
        const width = Math.max(1, high - low);
        return Math.round(255 * Math.min(1, Math.max(0, (100 * share - low) / width)));
    }

    /** rgb(...) of a share in a layer's style; null below its range. */
    function colour(share, look) {
        const i = level(share, look), colours = table(look.palette);
        return i < 0 ? null : `rgb(${colours[3 * i]} ${colours[3 * i + 1]} ${colours[3 * i + 2]})`;
    }

    // ---- styles and the state: "alpha:45:viridis:0:100" for each layer that is not as it was first

    function parse(text) {
        LAYERS.forEach((layer) => { style[layer] = first(layer); });
        String(text || "").split(",").forEach((part) => {
            const [layer, opacity, palette, low, high] = part.split(":");
            const numbers = [opacity, low, high].map(Number);
            if (!style[layer] || !STOPS[palette] || !numbers.every((n) => n >= 0 && n <= 100)) return;
            if (numbers[1] < numbers[2]) style[layer] = {opacity: numbers[0], palette, low: numbers[1], high: numbers[2]};
        });
    }

    const written = () => LAYERS.filter((layer) => JSON.stringify({...first(layer)}) !== JSON.stringify(style[layer]))
        .map((layer) => [layer, style[layer].opacity, style[layer].palette, style[layer].low, style[layer].high].join(":"))
        .join(",");

    /** What the state says; called whenever it changed. */
    function follow(layers, text) {
        const told = (layers || []).join(",");
        if (!wished || told === wished.told || performance.now() > wished.until_ms) {
            visible = new Set(layers || []);
            wished = null;
        }
        parse(text);
        repaint();
    }

    /** Switch a layer at once; returns what is seen now. Keys may come faster than the state follows. */
    function toggle(layer) {
        if (!visible.delete(layer)) visible.add(layer);
        const shown = LAYERS.filter((name) => visible.has(name));
        wished = {told: shown.join(","), until_ms: performance.now() + 1000};
        repaint();
        return shown;
    }

    /** A change under the pointer: seen at once, written into the state by the caller. */
    function change(layer, more) {
        Object.assign(style[layer], more);
        repaint();
    }

    // ---- maps as small pictures, one pixel a value

    function picture(name, {data, rows, columns, top}, look, start = 0) {
        const key = `${name} ${look.palette} ${look.low} ${look.high}`;
        if (kept.has(key)) return kept.get(key);
        const made = Object.assign(document.createElement("canvas"), {width: columns, height: rows});
        const pixels = new ImageData(columns, rows), colours = table(look.palette);
        for (let i = 0; i < rows * columns; i += 1) {
            const k = level(top > 0 ? data[start + i] / top : 0, look);
            if (k < 0) continue;
            pixels.data.set([colours[3 * k], colours[3 * k + 1], colours[3 * k + 2], 255], 4 * i);
        }
        made.getContext("2d").putImageData(pixels, 0, 0);
        if (kept.size > 400) kept.clear();
        kept.set(key, made);
        return made;
    }

    function drawMap(to, made, {left, top, scale}, {x, y, w, h}, isSmooth) {
        to.imageSmoothingEnabled = Boolean(isSmooth);
        to.drawImage(made, left + x * scale, top + y * scale, w * scale, h * scale);
    }

    const painters = {
        alpha(to, where, look) {
            const {look: held} = now;
            if (!held) return;
            const made = picture("alpha", held.alpha, look), px = held.tilePx;
            const whole = now.told.asked.region ? held.tiles[0]
                : {x: 0, y: 0, w: held.alpha.columns * px, h: held.alpha.rows * px};
            drawMap(to, made, where, whole);
        },
        beta(to, where, look) {
            const {look: held} = now;
            if (!held) return;
            const {betas} = held, count = betas.rows * betas.columns;
            held.tiles.forEach((tile, i) => drawMap(to, picture(`beta ${i}`, betas, look, i * count), where, tile));
            frames(to, where, held);
        },
        samples(to, where, look) {
            const {look: held} = now;
            if (!held) return;
            if (!visible.has("beta")) frames(to, where, held);
            held.subtiles.forEach((box, i) => piece(to, where, look, box, i, held));
        },
        truth(to, where) {
            const {truth} = now.image;
            if (!truth) return;
            if (mask.canvas) drawMap(to, mask.canvas, where, {x: 0, y: 0, w: now.image.width, h: now.image.height}, true);
            to.setLineDash([]);
            truth.boxes.forEach(([x, y, w, h]) => outline(to, where, {x, y, w, h}, `rgb(${TRUTH.join(" ")})`, 2));
        },
        cam(to, where, look) {
            if (!now.cam) return;
            const {data, shape} = now.cam.map, [rows, columns] = shape;
            const made = picture("cam", {data, rows, columns, top: 1}, look);
            drawMap(to, made, where, {x: 0, y: 0, w: now.image.width, h: now.image.height}, true);
        },
    };

    function outline(to, {left, top, scale}, {x, y, w, h}, stroke, width) {
        const box = [left + x * scale, top + y * scale, w * scale, h * scale];
        to.strokeStyle = "rgb(0 0 0 / 55%)";
        to.lineWidth = width + 1.5;
        to.strokeRect(...box);
        to.strokeStyle = stroke;
        to.lineWidth = width;
        to.strokeRect(...box);
    }

    /** The drawn tiles, and how often each was drawn. */
    function frames(to, where, held) {
        to.setLineDash([5, 4]);
        held.tiles.forEach((tile) => outline(to, where, tile, "rgb(255 255 255 / 90%)", 1));
        to.setLineDash([]);
        held.tiles.forEach((tile, i) => {
            if (held.hits[i] < 2 || tile.w * where.scale < 40) return;
            label(to, `×${held.hits[i]}`, where.left + (tile.x + tile.w) * where.scale - 13, where.top + tile.y * where.scale + 10, "#fff");
        });
    }

    /** A piece: its frame as thick and as bright as it weighs, and the place in the order of the draw. */
    function piece(to, where, look, box, i, held) {
        const share = held.topWeight > 0 ? held.weights[i] / held.topWeight : 0, stroke = colour(share, look);
        const {left, top, scale} = where, side = box.w * scale, isChosen = i === now.piece;
        if (!stroke && !isChosen) return;
        if (side < SMALL_PX) {
            to.beginPath();
            to.arc(left + (box.x + box.w / 2) * scale, top + (box.y + box.h / 2) * scale, DOT_PX, 0, 7);
            Object.assign(to, {fillStyle: stroke || "#fff", strokeStyle: "rgb(0 0 0 / 70%)", lineWidth: 1});
            to.fill();
            to.stroke();
        } else {
            outline(to, where, box, stroke || "#fff", 1 + 2 * share);
        }
        if (isChosen) ring(to, where, box);
        if (side >= NUMBER_PX) label(to, String(i + 1), left + box.x * scale + 9, top + box.y * scale + 9, "#fff");
    }

    function ring(to, {left, top, scale}, {x, y, w, h}) {
        const more = Math.max(4, (14 - w * scale) / 2);
        to.strokeStyle = loupe.theme.ring;
        to.lineWidth = 3;
        to.strokeRect(left + x * scale - more, top + y * scale - more, w * scale + 2 * more, h * scale + 2 * more);
    }

    function label(to, text, x, y, fill) {
        Object.assign(to, {font: "600 11px 'Inter Variable', sans-serif", textAlign: "center", textBaseline: "middle", lineJoin: "round"});
        to.strokeStyle = "rgb(0 0 0 / 75%)";
        to.lineWidth = 3;
        to.strokeText(text, x, y);
        to.fillStyle = fill;
        to.fillText(text, x, y);
    }

    // ---- painting

    function paint(where, {width, height}) {
        if (!canvas) return;
        const ratio = window.devicePixelRatio || 1, w = Math.round(width * ratio), h = Math.round(height * ratio);
        if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, {width: w, height: h});
        const to = canvas.getContext("2d");
        to.setTransform(ratio, 0, 0, ratio, 0, 0);
        to.clearRect(0, 0, width, height);
        if (now.isPeeking || !now.image || now.image.state !== "ready") return;
        ["cam", "alpha", "beta", "truth", "samples"].filter((layer) => visible.has(layer)).forEach((layer) => {
            to.globalAlpha = style[layer].opacity / 100;
            painters[layer](to, where, style[layer]);
        });
        to.globalAlpha = 1;
        const region = now.told && now.told.asked.region;
        if (region) outline(to, where, {x: region[0], y: region[1], w: region[2], h: region[3]}, loupe.theme.cursor, 2);
    }

    function repaint() {
        const where = loupe.zoomViewer.place();
        if (where) paint(where, loupe.zoomViewer.size());
        else if (canvas) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    }

    /** New arrays: nothing that was painted from the old ones counts. */
    function forget() {
        kept = new Map();
        repaint();
    }

    function mount(element) {
        canvas = loupe.dom.el("canvas", {class: "zoom-overlay", "aria-hidden": "true"});
        element.append(canvas);
    }

    /** The needle's strokes, where they are known, as a picture of one colour. */
    function loadMask(image) {
        const url = image.kind === "needle" && image.truth && image.truth.boxes.length
            ? `/_zoom/mask/${image.fingerprint}.png?${query(image.key)}` : "";
        if (url === mask.url) return;
        mask = {url, canvas: null};
        if (!url) return;
        const held = mask, file = new Image();
        file.onload = () => {
            const made = Object.assign(document.createElement("canvas"), {width: file.width, height: file.height});
            const to = made.getContext("2d");
            to.drawImage(file, 0, 0);
            const pixels = to.getImageData(0, 0, file.width, file.height);
            for (let i = 0; i < pixels.data.length; i += 4) {
                const strength = pixels.data[i];
                pixels.data.set([...TRUTH, strength], i);
            }
            to.putImageData(pixels, 0, 0);
            held.canvas = made;
            repaint();
        };
        file.src = url;
    }

    // ---- pointing

    /** The piece at a place of the image: the smallest distance wins, within a few pixels of the screen. */
    function pieceAt({x, y, scale}) {
        if (!now.look || !visible.has("samples")) return -1;
        let found = -1, nearest = Infinity;
        now.look.subtiles.forEach((box, i) => {
            const dx = Math.abs(x - box.x - box.w / 2), dy = Math.abs(y - box.y - box.h / 2);
            const reach = Math.max(box.w / 2, 8 / scale), far = Math.max(dx, dy);
            if (far <= reach && far < nearest) { nearest = far; found = i; }
        });
        return found;
    }

    function click(place) {
        const found = pieceAt(place);
        if (found >= 0) loupe.zoomPieces.choose(found, false);
    }

    const gradient = (name) => `linear-gradient(90deg, ${STOPS[name].split(" ").map((hex) => `#${hex}`).join(", ")})`;

    loupe.zoomViewer.onMove(paint);
    loupe.zoomLayers = {LAYERS, PALETTES: Object.keys(STOPS), follow, toggle, change, written, repaint, forget, mount, loadMask,
        click, pieceAt, gradient, style: (layer) => style[layer], isVisible: (layer) => visible.has(layer)};
})(window.loupe);
