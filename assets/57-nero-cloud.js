/* NERO input view "cloud": the points as the model gets them, rotated by the chosen element, seen by a
 * camera that the pointer turns. The green line is the axis of the rotation. A plain canvas: nothing
 * here needs a graphics card. The world has z up; the camera looks at its origin. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {create, array, square, ownKeys, label} = loupe.neroView;
    const HOME = {turn_deg: -60, tilt_deg: 22};
    const SHADES = 24; // steps of depth
    const NEAR = 3.6; // distance of the camera in radii of the cloud
    const SPANS = [[0, 1], [0, 2], [1, 2]]; // the two coordinates of each slicing plane
    const NAMES = ["x", "y", "z"];

    // --- rotations ---------------------------------------------------------------------------------

    /** Unit axis and angle in radians of a position [plane, axis_deg, angle_deg]. */
    function axisAngle([plane, axis_deg, angle_deg]) {
        const axis = [0, 0, 0], [first, second] = SPANS[plane], around = axis_deg * Math.PI / 180;
        axis[first] = Math.cos(around);
        axis[second] = Math.sin(around);
        return {axis, angle: angle_deg * Math.PI / 180};
    }

    /** Right-handed rotation about a unit axis (Rodrigues), rows of a 3 x 3 matrix. */
    function matrix({axis: [x, y, z], angle}) {
        const c = Math.cos(angle), s = Math.sin(angle), t = 1 - c;
        return [[t * x * x + c, t * x * y - s * z, t * x * z + s * y],
            [t * x * y + s * z, t * y * y + c, t * y * z - s * x],
            [t * x * z - s * y, t * y * z + s * x, t * z * z + c]];
    }

    /** World to camera: rows are right, up, and towards the eye. */
    function camera({turn_deg, tilt_deg}) {
        const [a, b] = [turn_deg, tilt_deg].map((v) => v * Math.PI / 180);
        const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
        return [[-sa, ca, 0], [-ca * sb, -sa * sb, cb], [ca * cb, sa * cb, sb]];
    }

    const product = (a, b) => a.map((row) => [0, 1, 2].map((k) => row.reduce((sum, v, i) => sum + v * b[i][k], 0)));
    const apply = (m, [x, y, z]) => m.map((row) => row[0] * x + row[1] * y + row[2] * z);

    // --- the parts ---------------------------------------------------------------------------------

    function build() {
        const {el, iconButton} = loupe.dom, {stage, canvas} = square({tabindex: "0", role: "img", class: "is-grab"});
        const parts = {canvas, camera: {...HOME}, state: null, place: el("b", {class: "nero-place-words"})};
        parts.reset = iconButton("target", "Reset the camera", () => aim(parts, HOME));
        parts.reset.classList.add("nero-corner");
        stage.append(parts.reset);
        parts.root = el("div", {class: "nero-column", role: "group"}, stage,
            el("div", {class: "nero-keys"}, parts.place, loupe.neroView.key("axis", "axis of rotation")));
        canvas.addEventListener("dblclick", () => aim(parts, HOME));
        const STEP = {left: [-10, 0], right: [10, 0], up: [0, 10], down: [0, -10]};
        ownKeys(canvas, (direction) => turn(parts, ...STEP[direction]));
        follow(parts);
        return parts;
    }

    function aim(parts, where) {
        parts.camera = {...where};
        if (parts.state) paint(parts);
    }

    function turn(parts, sideways_deg, up_deg) {
        const {turn_deg, tilt_deg} = parts.camera;
        aim(parts, {turn_deg: turn_deg - sideways_deg, tilt_deg: Math.min(89, Math.max(-89, tilt_deg + up_deg))});
    }

    /** Drag to walk around the cloud: the group element stays as it is. */
    function follow(parts) {
        let last = null;
        loupe.neroPointer.drag(parts.canvas, {
            start: (event) => { last = [event.clientX, event.clientY]; return true; },
            move(event) {
                turn(parts, (event.clientX - last[0]) * 0.5, (event.clientY - last[1]) * 0.5);
                last = [event.clientX, event.clientY];
            },
        });
    }

    // --- drawing -----------------------------------------------------------------------------------

    const pointsOf = (state) => (state.source ? state.source.points : array(state, "points"));

    /** Distance of the farthest point: the picture holds it in every rotation. */
    function radius(points) {
        let most = 0;
        for (let i = 0; i < points.length; i += 3) {
            const square_ = points[i] ** 2 + points[i + 1] ** 2 + points[i + 2] ** 2;
            if (square_ > most) most = square_;
        }
        return Math.sqrt(most) || 1;
    }

    function draw(parts, state) {
        const points = pointsOf(state);
        if (parts.points !== points) Object.assign(parts, {points, radius: points ? radius(points) : 1});
        parts.state = state;
        parts.place.textContent = label(state);
        paint(parts);
    }

    function paint(parts) {
        const {canvas, state, points} = parts, {context, width} = loupe.neroCanvas.fit(canvas);
        parts.reset.hidden = parts.camera.turn_deg === HOME.turn_deg && parts.camera.tilt_deg === HOME.tilt_deg;
        if (!points || !width) return;
        const eye = camera(parts.camera), about = axisAngle(state.orbit.positions[state.element]);
        const place = ([right, up, towards]) => {
            const zoom = width * 0.43 * NEAR / (NEAR - towards); // nearer is larger
            return [width / 2 + right * zoom, width / 2 - up * zoom, zoom];
        };
        const ends = [1, -1].map((side) => apply(eye, about.axis.map((v) => v * side * 1.06)));
        const [front, back] = ends[0][2] >= ends[1][2] ? ends : [ends[1], ends[0]];
        const line = (end) => axisLine(parts, context, place([0, 0, 0]), place(end), end === ends[0]);
        line(back);
        dots(parts, context, product(eye, matrix(about)), place);
        line(front);
        triad(parts, context, eye, width);
    }

    /** Points from far to near, darker or lighter with depth. */
    function dots(parts, context, m, place) {
        const {points, canvas} = parts, n = points.length / 3, shown = new Float32Array(n * 3);
        for (let i = 0; i < n; i++) {
            const at = apply(m, [points[3 * i], points[3 * i + 1], points[3 * i + 2]]);
            for (let k = 0; k < 3; k++) shown[3 * i + k] = at[k] / parts.radius;
        }
        const bins = Array.from({length: SHADES}, () => []);
        for (let i = 0; i < n; i++) {
            const depth = (shown[3 * i + 2] + 1) / 2;
            if (Number.isFinite(depth)) bins[Math.min(SHADES - 1, Math.max(0, Math.floor(depth * SHADES)))].push(i);
        }
        const {token, mix} = loupe.neroCanvas, near = token(canvas, "--nero-near"), far = token(canvas, "--nero-far");
        bins.forEach((members, depth) => {
            context.fillStyle = mix(far, near, depth / (SHADES - 1));
            context.beginPath();
            for (const i of members) {
                const [x, y, zoom] = place(shown.subarray(3 * i, 3 * i + 3)), size = Math.max(0.8, zoom * 0.0115);
                context.moveTo(x + size, y);
                context.arc(x, y, size, 0, 2 * Math.PI);
            }
            context.fill();
        });
    }

    /** Half of the axis; the half the rotation is right-handed about ends in an arrow. */
    function axisLine(parts, context, [x0, y0], [x1, y1], isHead) {
        const colour = loupe.neroCanvas.token(parts.canvas, "--lp-cursor");
        const style = {colour, width: 2.5, opacity: isHead ? 1 : 0.55};
        if (isHead) {
            loupe.neroCanvas.arrows(context, [[x0, y0, x1 - x0, y1 - y0]], style);
            return;
        }
        context.save();
        Object.assign(context, {strokeStyle: colour, lineWidth: 2.5, lineCap: "round", globalAlpha: 0.55});
        context.beginPath();
        context.moveTo(x0, y0);
        context.lineTo(x1, y1);
        context.stroke();
        context.restore();
    }

    /** The directions of the world, small, in the lower left corner. */
    function triad(parts, context, eye, width) {
        const {token} = loupe.neroCanvas, size = 18, [x, y] = [30, width - 30];
        const muted = token(parts.canvas, "--lp-muted");
        context.save();
        Object.assign(context, {font: `600 11px ${token(parts.canvas, "--lp-font")}`, textAlign: "center",
            textBaseline: "middle", fillStyle: muted});
        const ends = NAMES.map((_, k) => [eye[0][k], -eye[1][k]]);
        const lines = ends.map(([dx, dy]) => [x, y, dx * size, dy * size]);
        loupe.neroCanvas.arrows(context, lines, {colour: muted, width: 1.5});
        ends.forEach(([dx, dy], k) => {
            const length = Math.max(0.35, Math.hypot(dx, dy));
            context.fillText(NAMES[k], x + dx * (size + 9 / length), y + dy * (size + 9 / length));
        });
        context.restore();
    }

    function words(state) {
        const points = pointsOf(state);
        if (!points) return "The cloud is loading.";
        return `Cloud of ${points.length / 3} points, rotated: ${label(state)}. Drag or arrow keys turn the camera.`;
    }

    loupe.neroInputs.cloud = create({name: "cloud", height_px: 260, build, draw, words});
    loupe.neroCloud = {axisAngle, matrix, camera, product};
})(window.loupe);
