/* loupe.scatter: a scatter plot for very many points, with pan, zoom, lasso, hover and linked marks.
 *
 *   const plot = loupe.scatter.create(host, {label, onSelect, onHover, colours, renderer});
 *   plot.setPoints({x, y, kinds, ids});   typed arrays of /_data (loupe.wire.fetch); kinds are places in `colours`
 *   plot.mark(ids)                        those stay bright, the others fade; an empty list marks nothing
 *   plot.colours(list)                    "#rrggbb", at most 8
 *   plot.destroy()
 *
 * onSelect({ids, rows}) after a lasso or a click; onHover({id, row, x, y} or null) in CSS pixels of the host.
 * Plotly draws the small figures of the app; this is for those with more points than its marks can carry.
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const REACH = 8;             // CSS pixels around the pointer in which a point counts as met
    const CLICK = 4;             // a drag shorter than this is a click
    const MARGIN = 0.94;
    const MANY = 50000;          // points from which a moving view is the last picture shifted, drawn whole when it rests
    const REST_MS = 90;
    const GRID = 256;            // cells a side of the index for the pointer

    function create(host, options) {
        const {el} = loupe.dom, settings = options || {};
        const canvas = el("canvas", {class: "lp-scatter-points", tabindex: "0", role: "img", "aria-label": settings.label || "Scatter plot"});
        const over = el("canvas", {class: "lp-scatter-over", "aria-hidden": "true"});
        const tools = el("div", {class: "lp-scatter-tools"});
        host.classList.add("lp-scatter");
        host.replaceChildren(canvas, over, tools);
        const {draw, name} = loupe.scatterDraw.painter(canvas, settings.renderer, () => later());
        const points = {x: new Float32Array(0), y: new Float32Array(0), kinds: null, ids: null, marked: null, n: 0, colours: settings.colours || ["#2f6fde"]};
        const view = {x: 0, y: 0, scale: 1};
        let home = {...view}, ratio = 1, size = [0, 0], index = null, drag = null, mode = "lasso", wanted = 0, rowOf = null, kept = null, resting = 0;

        // ---- drawing

        function now() {
            wanted = 0;
            kept = null;
            clearTimeout(resting);
            if (size[0] && size[1]) draw(canvas, points, view, ratio);
        }
        function later() { if (!wanted) wanted = requestAnimationFrame(now); }

        /** The last whole picture, moved to where the view is now; the strip at its edge comes when the hand rests. */
        function shift() {
            if (name !== "splat" || points.n < MANY) { later(); return; }
            if (!kept) {
                kept = {picture: document.createElement("canvas"), ...view};
                kept.picture.width = canvas.width;
                kept.picture.height = canvas.height;
                kept.picture.getContext("2d").drawImage(canvas, 0, 0);
            }
            const context = canvas.getContext("2d"), scale = view.scale * ratio;
            context.clearRect(0, 0, canvas.width, canvas.height);
            context.drawImage(kept.picture, Math.round((kept.x - view.x) * scale), Math.round((view.y - kept.y) * scale));
            clearTimeout(resting);
            resting = setTimeout(() => { kept = null; now(); }, REST_MS);
        }

        function resize() {
            const {clientWidth, clientHeight} = host;
            if (!clientWidth || !clientHeight) return;
            const isFirst = !size[0];
            ratio = Math.min(2, window.devicePixelRatio || 1);
            const grown = isFirst ? 1 : Math.min(clientWidth, clientHeight) / Math.min(...size);
            size = [clientWidth, clientHeight];
            [canvas, over].forEach((one) => { one.width = Math.round(clientWidth * ratio); one.height = Math.round(clientHeight * ratio); });
            const before = home.scale;
            fitHome();
            if (isFirst) Object.assign(view, home);
            else view.scale *= before ? home.scale / before : grown;
            now();
        }

        function fitHome() {
            let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
            for (let i = 0; i < points.n; i += 1) {
                const a = points.x[i], b = points.y[i];
                if (a < x0) x0 = a;
                if (a > x1) x1 = a;
                if (b < y0) y0 = b;
                if (b > y1) y1 = b;
            }
            if (!(x1 >= x0) || !(y1 >= y0)) { home = {x: 0, y: 0, scale: 1}; return; }
            const wide = (x1 - x0) || 1, high = (y1 - y0) || 1;
            home = {x: (x0 + x1) / 2, y: (y0 + y1) / 2, scale: MARGIN * Math.min(size[0] / wide, size[1] / high)};
        }

        // ---- where things are

        const toData = (px, py) => [view.x + (px - size[0] / 2) / view.scale, view.y - (py - size[1] / 2) / view.scale];
        const toPixels = (row) => [(points.x[row] - view.x) * view.scale + size[0] / 2, size[1] / 2 - (points.y[row] - view.y) * view.scale];
        const idOf = (row) => (points.ids ? points.ids[row] : row);

        /** Rows by cell of a grid, made when the pointer first needs it. */
        function indexed() {
            if (index) return index;
            const {x, y, n} = points, bounds = [home.x - size[0] / home.scale, home.y - size[1] / home.scale];
            const cell = [2 * size[0] / home.scale / GRID, 2 * size[1] / home.scale / GRID];
            const cellOf = (a, b) => {
                const i = Math.min(GRID - 1, Math.max(0, (a - bounds[0]) / cell[0] | 0)), j = Math.min(GRID - 1, Math.max(0, (b - bounds[1]) / cell[1] | 0));
                return j * GRID + i;
            };
            const starts = new Int32Array(GRID * GRID + 1), order = new Int32Array(n);
            for (let i = 0; i < n; i += 1) starts[cellOf(x[i], y[i]) + 1] += 1;
            for (let c = 0; c < GRID * GRID; c += 1) starts[c + 1] += starts[c];
            const next = starts.slice(0, -1);
            for (let i = 0; i < n; i += 1) { const c = cellOf(x[i], y[i]); order[next[c]] = i; next[c] += 1; }
            index = {bounds, cell, starts, order};
            return index;
        }

        /** The row nearest to a place, within reach, or -1. */
        function nearest(px, py) {
            if (!points.n) return -1;
            const {bounds, cell, starts, order} = indexed(), [a, b] = toData(px, py), reach = REACH / view.scale;
            const clip = (value) => Math.min(GRID - 1, Math.max(0, Math.floor(value)));
            const [i0, i1] = [clip((a - reach - bounds[0]) / cell[0]), clip((a + reach - bounds[0]) / cell[0])];
            const [j0, j1] = [clip((b - reach - bounds[1]) / cell[1]), clip((b + reach - bounds[1]) / cell[1])];
            let best = -1, least = reach * reach;
            for (let j = j0; j <= j1; j += 1) {
                for (let at = starts[j * GRID + i0]; at < starts[j * GRID + i1 + 1]; at += 1) {
                    const row = order[at], d = (points.x[row] - a) ** 2 + (points.y[row] - b) ** 2;
                    if (d <= least) { least = d; best = row; }
                }
            }
            return best;
        }

        /** Rows inside a path of pixels: the path is filled once, and each point looks its pixel up. */
        function inside(path) {
            const mask = document.createElement("canvas");
            [mask.width, mask.height] = size;
            const context = mask.getContext("2d", {willReadFrequently: true});
            context.beginPath();
            path.forEach(([px, py], i) => (i ? context.lineTo(px, py) : context.moveTo(px, py)));
            context.closePath();
            context.fill();
            const {data} = context.getImageData(0, 0, size[0], size[1]), {x, y, n} = points, [width, height] = size;
            const left = width / 2 - view.x * view.scale, top = height / 2 + view.y * view.scale;
            const found = new Int32Array(n);
            let count = 0;
            for (let i = 0; i < n; i += 1) {
                const px = left + x[i] * view.scale, py = top - y[i] * view.scale;
                if (px >= 0 && py >= 0 && px < width && py < height && data[4 * ((py | 0) * width + (px | 0)) + 3] > 127) { found[count] = i; count += 1; }
            }
            return found.subarray(0, count);
        }

        function chosen(rows) {
            points.marked = null;
            if (rows.length) {
                points.marked = new Uint8Array(points.n);
                for (let i = 0; i < rows.length; i += 1) points.marked[rows[i]] = 1;
            }
            points.isMarkedAnew = true;
            now();
            settings.onSelect?.({rows, ids: points.ids ? Int32Array.from(rows, idOf) : rows});
        }

        // ---- hands

        function outline(path) {
            const context = over.getContext("2d");
            context.clearRect(0, 0, over.width, over.height);
            if (!path || path.length < 2) return;
            context.setTransform(ratio, 0, 0, ratio, 0, 0);
            context.beginPath();
            path.forEach(([px, py], i) => (i ? context.lineTo(px, py) : context.moveTo(px, py)));
            context.closePath();
            context.strokeStyle = getComputedStyle(host).color;
            context.setLineDash([4, 3]);
            context.stroke();
            context.globalAlpha = 0.06;
            context.fillStyle = context.strokeStyle;
            context.fill();
            context.setTransform(1, 0, 0, 1, 0, 0);
            context.globalAlpha = 1;
        }

        const place = (event) => { const box = host.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
        function down(event) {
            if (event.button > 1) return;
            canvas.setPointerCapture(event.pointerId);
            const at = place(event);
            drag = {from: at, path: [at], isPan: mode === "pan" || event.shiftKey || event.button === 1, x: view.x, y: view.y};
        }
        function move(event) {
            const at = place(event);
            if (!drag) { hover(at); return; }
            if (drag.isPan) {
                view.x = drag.x - (at[0] - drag.from[0]) / view.scale;
                view.y = drag.y + (at[1] - drag.from[1]) / view.scale;
                shift();
            } else {
                drag.path.push(at);
                outline(drag.path);
            }
        }
        function up(event) {
            if (!drag) return;
            const {from, path, isPan} = drag, at = place(event);
            drag = null;
            outline(null);
            if (Math.hypot(at[0] - from[0], at[1] - from[1]) < CLICK && path.length < 8) {
                const row = nearest(...at);
                chosen(row < 0 ? new Int32Array(0) : Int32Array.of(row));
            } else if (!isPan) chosen(inside(path));
        }
        function hover(at) {
            const row = nearest(...at);
            canvas.style.cursor = row >= 0 ? "pointer" : mode === "pan" ? "grab" : "crosshair";
            settings.onHover?.(row < 0 ? null : {row, id: idOf(row), x: toPixels(row)[0], y: toPixels(row)[1]});
        }
        function zoom(factor, [px, py] = [size[0] / 2, size[1] / 2]) {
            const [a, b] = toData(px, py);
            view.scale = Math.min(home.scale * 2000, Math.max(home.scale / 4, view.scale * factor));
            view.x = a - (px - size[0] / 2) / view.scale;
            view.y = b + (py - size[1] / 2) / view.scale;
            later();
        }
        function pan(dx, dy) {
            view.x += dx / view.scale;
            view.y += dy / view.scale;
            shift();
        }
        function reset() { Object.assign(view, home); later(); }
        const KEYS = {ArrowLeft: () => pan(-40, 0), ArrowRight: () => pan(40, 0), ArrowUp: () => pan(0, 40), ArrowDown: () => pan(0, -40),
            "+": () => zoom(1.3), "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), 0: reset, Escape: () => chosen(new Int32Array(0))};

        canvas.addEventListener("pointerdown", down);
        canvas.addEventListener("pointermove", move);
        canvas.addEventListener("pointerup", up);
        canvas.addEventListener("pointercancel", () => { drag = null; outline(null); });
        canvas.addEventListener("pointerleave", () => { if (!drag) settings.onHover?.(null); });
        canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 400), place(event)); }, {passive: false});
        canvas.addEventListener("dblclick", reset);
        canvas.addEventListener("keydown", (event) => {
            if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
            event.preventDefault();
            event.stopPropagation();
            KEYS[event.key]();
        });
        const button = (icon, label, act, pressed) => {
            const made = loupe.dom.iconButton(icon, label, () => act(made));
            if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
            return made;
        };
        tools.append(button("hand-move", "Move the plot by dragging, instead of drawing a lasso", (made) => {
            mode = mode === "pan" ? "lasso" : "pan";
            made.setAttribute("aria-pressed", String(mode === "pan"));
        }, false), button("zoom-in", "Zoom in", () => zoom(1.5)), button("zoom-out", "Zoom out", () => zoom(1 / 1.5)), button("zoom-reset", "Show all points", reset));
        const watcher = new ResizeObserver(resize);
        watcher.observe(host);

        // ---- for the page

        function setPoints({x, y, kinds, ids}) {
            Object.assign(points, {x, y, kinds: kinds || null, ids: ids || null, n: x.length, marked: null});
            index = rowOf = null;
            fitHome();
            Object.assign(view, home);
            now();
        }
        function mark(ids) {
            if (points.ids && !rowOf) rowOf = new Map(Array.from(points.ids, (id, row) => [id, row]));
            points.marked = ids.length ? new Uint8Array(points.n) : null;
            for (let i = 0; i < ids.length; i += 1) {
                const row = rowOf ? rowOf.get(ids[i]) : ids[i];
                if (row !== undefined && row < points.n) points.marked[row] = 1;
            }
            points.isMarkedAnew = true;
            later();
        }

        resize();
        return {
            setPoints, mark, reset, zoom, pan, now, inside, nearest, toPixels, canvas, renderer: name,
            select: chosen,
            colours(list) { points.colours = list; later(); },
            rowsMarked: () => (points.marked ? points.marked.reduce((sum, one) => sum + one, 0) : 0),
            view: () => ({...view}),
            destroy() { watcher.disconnect(); cancelAnimationFrame(wanted); clearTimeout(resting); host.replaceChildren(); },
        };
    }

    loupe.scatter = {create};
})(window.loupe);
