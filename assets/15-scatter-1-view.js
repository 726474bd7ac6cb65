/* loupe.scatter: a scatter plot for very many points, with pan, zoom, lasso, hover and linked marks.
 *
 *   const plot = loupe.scatter.create(host, {label, onSelect, onHover, colours, renderer});
 *   plot.setPoints({x, y, kinds, ids});   typed arrays of /_data (loupe.wire.fetch); kinds are places in `colours`
 *   plot.setPoints({..., isKept: true})   the same points elsewhere: marks stay, and the view where it was chosen
 *   plot.mark(ids)                        those stay bright, the others fade; an empty list marks nothing
 *   plot.select(rows)                     as a lasso around them would
 *   plot.ring(rows)                       rings around some points, joined by a line
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
    const RING = 7;              // CSS pixels

    function create(host, options) {
        const {el} = loupe.dom, settings = options || {};
        const canvas = el("canvas", {class: "lp-scatter-points", tabindex: "0", role: "img", "aria-label": settings.label || "Scatter plot"});
        const over = el("canvas", {class: "lp-scatter-over", "aria-hidden": "true"});
        const tools = el("div", {class: "lp-scatter-tools"});
        host.classList.add("lp-scatter");
        host.replaceChildren(canvas, over, tools);
        const {draw, name} = loupe.scatterDraw.painter(canvas, settings.renderer, () => later());
        // x, y, kinds and marked are in the order of the cells; ids is in the order of the rows.
        const points = {x: new Float32Array(0), y: new Float32Array(0), kinds: null, ids: null, marked: null, nMarked: 0, lasso: null, n: 0, colours: settings.colours || ["#2f6fde"]};
        const view = {x: 0, y: 0, scale: 1};
        let home = {...view}, ratio = 1, size = [0, 0], cells = loupe.scatterCells.sorted(points), drag = null, mode = "lasso", wanted = 0, rowOf = null, kept = null, resting = 0, ringed = [];

        // ---- drawing

        function now() {
            wanted = 0;
            kept = null;
            clearTimeout(resting);
            if (!size[0] || !size[1]) return;
            draw(canvas, points, view, ratio);
            outline(drag?.isPan ? null : drag?.path);
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
            outline(null);
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
            const {x0, x1, y0, y1} = cells.box;
            if (!size[0] || !size[1]) { home = {x: 0, y: 0, scale: 1}; return; }
            const wide = (x1 - x0) || 1, high = (y1 - y0) || 1;
            home = {x: (x0 + x1) / 2, y: (y0 + y1) / 2, scale: MARGIN * Math.min(size[0] / wide, size[1] / high)};
        }

        // ---- where things are

        const toData = (px, py) => [view.x + (px - size[0] / 2) / view.scale, view.y - (py - size[1] / 2) / view.scale];
        const pixelsOf = (place) => [(points.x[place] - view.x) * view.scale + size[0] / 2, size[1] / 2 - (points.y[place] - view.y) * view.scale];
        const idOf = (row) => (points.ids ? points.ids[row] : row);

        /** The row nearest to a place of the canvas, within reach, or -1. */
        function nearest(px, py) {
            const place = cells.nearest(...toData(px, py), REACH / view.scale);
            return place < 0 ? -1 : cells.order[place];
        }

        /** The rows at some marked places. */
        function rowsAt(marked, count) {
            const rows = new Int32Array(count);
            for (let place = 0, at = 0; at < count; place += 1) if (marked[place]) { rows[at] = cells.order[place]; at += 1; }
            return rows;
        }

        /** Marks what lies inside a path of pixels, at once; the rows are told after the picture. */
        function choose({marked, count, lasso}) {
            Object.assign(points, {marked: count ? marked : null, nMarked: count, lasso: lasso || null, isMarkedAnew: true});
            now();
            if (!settings.onSelect) return;
            const rows = rowsAt(marked, count);
            settings.onSelect({rows, ids: points.ids ? Int32Array.from(rows, idOf) : rows});
        }

        function chooseRow(row) {
            const marked = new Uint8Array(points.n);
            if (row >= 0) marked[cells.placeOf(row)] = 1;
            choose({marked, count: row < 0 ? 0 : 1});
        }

        // ---- hands

        /** What lies over the points: rings, and the lasso while it is drawn. */
        function outline(path) {
            const context = over.getContext("2d");
            context.clearRect(0, 0, over.width, over.height);
            context.save();
            context.scale(ratio, ratio);
            context.strokeStyle = getComputedStyle(host).color;
            rings(context);
            if (path?.length > 1) {
                context.beginPath();
                path.forEach(([px, py]) => context.lineTo(px, py));
                context.closePath();
                context.setLineDash([4, 3]);
                context.stroke();
                context.globalAlpha = 0.06;
                context.fillStyle = context.strokeStyle;
                context.fill();
            }
            context.restore();
        }

        function rings(context) {
            const ends = ringed.map((row) => pixelsOf(cells.placeOf(row)));
            context.lineWidth = 2;
            context.beginPath();
            ends.forEach(([px, py]) => context.lineTo(px, py));
            ends.forEach(([px, py]) => { context.moveTo(px + RING, py); context.arc(px, py, RING, 0, 6.2832); });
            context.stroke();
            context.lineWidth = 1;
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
                chooseRow(nearest(...at));
            } else if (!isPan) choose(cells.inside(path, view, size));
        }
        function hover(at) {
            const row = nearest(...at);
            canvas.style.cursor = row >= 0 ? "pointer" : mode === "pan" ? "grab" : "crosshair";
            const [x, y] = row < 0 ? at : pixelsOf(cells.placeOf(row));
            settings.onHover?.(row < 0 ? null : {row, id: idOf(row), x, y});
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
            "+": () => zoom(1.3), "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), 0: reset, Escape: () => chooseRow(-1)};

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

        function setPoints({x, y, kinds, ids, isKept}) {
            const isHome = view.scale === home.scale && view.x === home.x && view.y === home.y;
            const rows = isKept && points.marked && x.length === points.n ? rowsAt(points.marked, points.nMarked) : [];
            cells = loupe.scatterCells.sorted({x, y, kinds});
            Object.assign(points, {x: cells.x, y: cells.y, kinds: cells.kinds, ids: ids || null, n: x.length, marked: null});
            if (x.length <= Math.max(...ringed, 0)) ringed = [];
            rowOf = null;
            fitHome();
            if (!isKept || isHome) Object.assign(view, home);
            markRows(rows);
            now();
        }
        function mark(ids) {
            if (points.ids && !rowOf) rowOf = new Map(Array.from(points.ids, (id, row) => [id, row]));
            markRows(rowOf ? Array.from(ids, (id) => rowOf.get(id) ?? -1) : ids);
            later();
        }
        function markRows(rows) {
            const marked = rows.length ? new Uint8Array(points.n) : null;
            let nMarked = 0;
            for (let i = 0; i < rows.length; i += 1) {
                const place = cells.placeOf(rows[i]);
                if (place >= 0 && !marked[place]) { marked[place] = 1; nMarked += 1; }
            }
            Object.assign(points, {marked, nMarked, lasso: null, isMarkedAnew: true});
        }
        function ring(rows) { ringed = rows.filter((row) => row >= 0 && row < points.n); outline(null); }

        resize();
        return {
            setPoints, mark, ring, reset, zoom, pan, now, nearest, choose, canvas, renderer: name,
            inside: (path) => cells.inside(path, view, size),
            select(rows) {
                markRows(rows);
                choose({marked: points.marked || new Uint8Array(points.n), count: points.nMarked});
            },
            toPixels: (row) => pixelsOf(cells.placeOf(row)),
            colours(list) { points.colours = list; later(); },
            rowsMarked: () => points.nMarked,
            view: () => ({...view}),
            destroy() { watcher.disconnect(); cancelAnimationFrame(wanted); clearTimeout(resting); host.replaceChildren(); },
        };
    }

    loupe.scatter = {create};
})(window.loupe);
