/* loupe.scatter, the painters: very many points on a canvas, from typed arrays that are never copied.
 *
 * A painter takes {x, y, kinds, marked, lasso, n, colours} and a view {x, y, scale} (the data at the middle of the canvas,
 * and CSS pixels a unit; y grows upwards) and draws every point. Two of them draw the same points: WebGL where a GPU
 * does it, else a splat into one ImageData, whose cost is a few additions a point.
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const DISCS = 6000;          // up to so many points are drawn as antialiased discs
    const FAINT = 0.12;          // opacity of what is not marked while something is
    const NO_POINT = 255;

    /** Radius of a point in CSS pixels: the more there are, the smaller, down to one device pixel. */
    function radius(n) {
        if (n <= 600) return 4.5;
        if (n <= DISCS) return 3;
        return n <= 60000 ? 1 : 0.5;
    }

    /** Opacity of one point: where many lie on each other the sum still tells how many. */
    const opacity = (n) => (n <= DISCS ? 0.85 : Math.max(0.25, Math.min(0.85, 60000 / n)));

    /** "#rrggbb" as [r, g, b]. */
    function rgb(text) {
        const code = parseInt(text.slice(1), 16);
        return [(code >> 16) & 255, (code >> 8) & 255, code & 255];
    }

    /** A step through n rows that meets each once and neighbours late. */
    function strides(n) {
        const common = (a, b) => (b ? common(b, a % b) : a);
        let step = Math.max(1, Math.round(n * 0.618));
        while (common(step, n) !== 1) step += 1;
        return step;
    }

    /** Antialiased discs, for few points. */
    function discs(canvas, points, view, ratio) {
        const {x, y, kinds, marked, n, colours} = points, context = canvas.getContext("2d");
        const r = radius(n) * ratio, scale = view.scale * ratio, left = canvas.width / 2 - view.x * scale, top = canvas.height / 2 + view.y * scale;
        context.clearRect(0, 0, canvas.width, canvas.height);
        const steps = strides(n);
        // In an order that mixes the kinds, so that the last one does not lie on all others.
        const pass = (isMarked, alpha) => {
            context.globalAlpha = alpha;
            for (let at = 0, i = 0; at < n; at += 1, i = (i + steps) % n) {
                if (marked && Boolean(marked[i]) !== isMarked) continue;
                context.fillStyle = colours[kinds ? kinds[i] : 0];
                context.beginPath();
                context.arc(left + x[i] * scale, top - y[i] * scale, r, 0, 6.2832);
                context.fill();
            }
        };
        if (marked) pass(false, FAINT);
        pass(true, opacity(n));
        context.globalAlpha = 1;
    }

    /** A painter that counts points by pixel: a point costs a few additions, whatever it looks like. What was counted is
     * kept, so that another selection in the same view counts what is selected and nothing else. */
    function splatter() {
        let counts = new Uint16Array(0), tops = new Uint8Array(0), lit = new Uint16Array(0), litTops = new Uint8Array(0), held = null, image = null;

        /** Counts what is marked: pixels inside a lasso hold nothing else; of other marks, the fewer of them or of the rest
         * are counted. */
        function light(points, place, isWhole) {
            const pixels = counts.length, {mask} = points.lasso || {}, isFew = 2 * points.nMarked < points.n;
            if (!isWhole) {
                lit.fill(0);
                count(points, place, lit, litTops, isFew ? 1 : 0);
                if (isFew) return;
            }
            for (let at = 0; at < pixels; at += 1) lit[at] = isWhole ? counts[at] * mask[at] : counts[at] - lit[at];
            litTops.set(tops);
        }

        return function draw(canvas, points, view, ratio) {
            const {width, height} = canvas, pixels = width * height, scale = view.scale * ratio;
            const now = [points.x, width, height, scale, view.x, view.y];
            const place = {width, height, scale, left: width / 2 - view.x * scale, top: height / 2 + view.y * scale, side: Math.max(1, Math.round(2 * radius(points.n) * ratio))};
            if (counts.length !== pixels) {
                [counts, lit] = [new Uint16Array(pixels), new Uint16Array(pixels)];
                held = null;
            }
            const kept = points.kinds ? pixels : 0;  // all of one kind: nothing to remember by pixel
            if (tops.length !== kept) [tops, litTops, held] = [new Uint8Array(kept), new Uint8Array(kept), null];
            if (!held || now.some((one, i) => one !== held[i])) {
                counts.fill(0);
                count(points, place, counts, tops);
                held = now;
            }
            if (points.marked) light(points, place, isLasso(points.lasso, view, place, ratio));
            const context = canvas.getContext("2d");
            if (image?.width !== width || image.height !== height) image = context.createImageData(width, height);
            paint(image, points.colours.map(rgb), opacity(points.n), points.marked && {lit, litTops}, {counts, tops});
            context.putImageData(image, 0, 0);
        };
    }

    /** Whether the marked points are those of a lasso's pixels, a point a pixel. */
    const isLasso = (lasso, view, {side, width, height}, ratio) => Boolean(lasso) && side === 1 && ratio === 1 && lasso.width === width && lasso.mask.length === width * height
        && lasso.x === view.x && lasso.y === view.y && lasso.scale === view.scale;

    /** Adds the points, or those with a mark of 0 or 1, to counts by pixel; `tops` gets the kind that was met last. */
    function count({x, y, kinds, marked, n}, {width, height, scale, left, top, side}, counts, tops, mark = -1) {
        for (let i = 0; i < n; i += 1) {
            if (mark >= 0 && marked[i] !== mark) continue;
            const a = left + x[i] * scale, b = top - y[i] * scale, px = a | 0, py = b | 0;
            if (a < 0 || b < 0 || px + side > width || py + side > height) continue;
            for (let row = 0; row < side; row += 1) {
                for (let at = (py + row) * width + px, end = at + side; at < end; at += 1) {
                    if (counts[at] < 65535) counts[at] += 1;
                    if (kinds) tops[at] = kinds[i];
                }
            }
        }
    }

    /** One pass over the pixels: how many points, and of which kind the uppermost is. */
    function paint(image, colours, alpha, marks, {counts, tops}) {
        const out = new Uint32Array(image.data.buffer), pixels = out.length;
        const table = (one) => Uint8Array.from({length: 64}, (_, much) => Math.round(255 * (1 - (1 - one) ** much)));
        const many = tops.length > 0, full = table(alpha), faint = table(alpha * FAINT), words = colours.map(([r, g, b]) => (b << 16) | (g << 8) | r);
        for (let at = 0; at < pixels; at += 1) {
            if (!counts[at]) { out[at] = 0; continue; }
            const bright = marks ? marks.lit[at] : counts[at], much = bright || counts[at];
            out[at] = ((bright ? full : faint)[much < 64 ? much : 63] << 24) | words[!many ? 0 : bright && marks ? marks.litTops[at] : tops[at]];
        }
    }

    const VERTEX = `attribute vec2 a; attribute float kind; attribute float mark; uniform vec4 view; uniform float size; uniform float marking;
        uniform vec3 colours[8]; uniform float alpha; varying vec4 colour;
        void main() {
            gl_Position = vec4(a * view.xy + view.zw, 0.0, 1.0);
            gl_PointSize = size;
            vec3 c = colours[0];
            for (int i = 0; i < 8; i++) if (float(i) == kind) c = colours[i];
            float strength = alpha * (marking > 0.5 && mark < 0.5 ? ${FAINT.toFixed(2)} : 1.0);
            colour = vec4(c * strength, strength);
        }`;
    const FRAGMENT = `precision mediump float; varying vec4 colour; uniform float round_;
        void main() { if (round_ > 0.5 && distance(gl_PointCoord, vec2(0.5)) > 0.5) discard; gl_FragColor = colour; }`;

    /** Whether WebGL is drawn by the processor, which browsers do not always own up to. */
    function isSoftware(gl) {
        const told = gl.getExtension("WEBGL_debug_renderer_info");
        return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(told ? gl.getParameter(told.UNMASKED_RENDERER_WEBGL) : "");
    }

    /** The program that draws points, in use; null where it cannot be made. */
    function programOf(gl) {
        const program = gl.createProgram();
        [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]].forEach(([kind, text]) => {
            const shader = gl.createShader(kind);
            gl.shaderSource(shader, text);
            gl.compileShader(shader);
            gl.attachShader(program, shader);
        });
        gl.linkProgram(program);
        if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
        gl.useProgram(program);
        return program;
    }

    /** Points on the GPU; null where there is none (a software renderer is slower than the splat).
     *
     * A browser may take the GPU away at any time (a driver that starts anew, a laptop that wakes, too many plots). It is
     * asked to give it back; then everything on the GPU is made again and `onBack` has the plot drawn.
     */
    function onGpu(canvas, onBack) {
        const gl = canvas.getContext("webgl", {preserveDrawingBuffer: true, premultipliedAlpha: true});
        let program = gl && programOf(gl), buffers = null, held = null, heldMarks = null, both = null;
        if (!program) return null;
        const at = (name) => gl.getUniformLocation(program, name), place = (name) => gl.getAttribLocation(program, name);
        function begin() {
            buffers = {a: gl.createBuffer(), kind: gl.createBuffer(), mark: gl.createBuffer()};
            held = null;
        }
        begin();
        canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
        canvas.addEventListener("webglcontextrestored", () => {
            program = programOf(gl);
            begin();
            onBack();
        });

        function fill(name, data, size, type) {
            gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
            gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
            gl.enableVertexAttribArray(place(name));
            gl.vertexAttribPointer(place(name), size, type, false, 0, 0);
        }

        function upload(points) {
            if (held !== points.x) {
                held = points.x;
                both = new Float32Array(2 * points.n);
                for (let i = 0; i < points.n; i += 1) { both[2 * i] = points.x[i]; both[2 * i + 1] = points.y[i]; }
                fill("a", both, 2, gl.FLOAT);
                fill("kind", points.kinds || new Uint8Array(points.n), 1, gl.UNSIGNED_BYTE);
                both = null;
                heldMarks = undefined;
            }
            if (heldMarks !== points.marked || points.isMarkedAnew) {
                heldMarks = points.marked;
                fill("mark", points.marked || new Uint8Array(points.n), 1, gl.UNSIGNED_BYTE);
                points.isMarkedAnew = false;
            }
        }

        return function draw(_canvas, points, view, ratio) {
            if (gl.isContextLost()) return;
            upload(points);
            gl.viewport(0, 0, canvas.width, canvas.height);
            gl.clearColor(0, 0, 0, 0);
            gl.clear(gl.COLOR_BUFFER_BIT);
            gl.enable(gl.BLEND);
            gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
            const sx = (2 * view.scale * ratio) / canvas.width, sy = (2 * view.scale * ratio) / canvas.height;
            gl.uniform4f(at("view"), sx, sy, -view.x * sx, -view.y * sy);
            gl.uniform1f(at("size"), Math.max(1, 2 * radius(points.n) * ratio));
            gl.uniform1f(at("round_"), points.n <= DISCS ? 1 : 0);
            gl.uniform1f(at("alpha"), opacity(points.n));
            gl.uniform1f(at("marking"), points.marked ? 1 : 0);
            gl.uniform3fv(at("colours"), Float32Array.from({length: 24}, (_, i) => (points.colours[i / 3 | 0] ? rgb(points.colours[i / 3 | 0])[i % 3] / 255 : 0)));
            gl.drawArrays(gl.POINTS, 0, points.n);
        };
    }

    /** A painter for a canvas: {draw, name}. `renderer` may ask for one by name: "webgl", "splat"; `onBack` is called when
     * everything must be drawn anew. */
    function painter(canvas, renderer, onBack) {
        // A canvas keeps the first kind of context it was asked for, so the GPU is looked for on another one.
        const probe = renderer === "splat" ? null : document.createElement("canvas").getContext("webgl", {failIfMajorPerformanceCaveat: renderer !== "webgl"});
        const isThere = probe && (renderer === "webgl" || !isSoftware(probe));
        probe?.getExtension("WEBGL_lose_context")?.loseContext();
        const gpu = isThere ? onGpu(canvas, onBack) : null;
        if (gpu) return {draw: gpu, name: "webgl"};
        const splat = splatter();
        return {draw: (surface, points, view, ratio) => (points.n <= DISCS ? discs : splat)(surface, points, view, ratio), name: "splat"};
    }

    loupe.scatterDraw = {painter, radius, NO_POINT};
})(window.loupe);
