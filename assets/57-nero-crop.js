/* NERO input view "crop": the whole scene with everything outside the window darkened. Dragging the
 * window, or arrow keys, move it in the steps of the orbit: the object moves the other way in it. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {create, square, ownKeys, label, key} = loupe.neroView;
    const DARK = "rgb(8 10 14 / 64%)";
    const FAR = 4; // steps with Shift
    const OPPOSITE = {left: "right", right: "left", up: "down", down: "up"};
    const scene = () => loupe.neroScene;

    function build(context) {
        const {el} = loupe.dom, {stage, canvas} = square({tabindex: "0", role: "img", class: "is-grab"});
        const parts = {canvas, state: null, place: el("b", {class: "nero-place-words"}),
            truth: key("truth", "true box"), consensus: key("consensus", "consensus")};
        parts.root = el("div", {class: "nero-column", role: "group"}, stage,
            el("div", {class: "nero-keys"}, parts.place, parts.truth, parts.consensus));
        follow(parts, context);
        ownKeys(canvas, (direction, isFar) => {
            if (!parts.state || !parts.state.source) return;
            let {element} = parts.state; // the window goes where the arrow points, the object the other way
            for (let i = 0; i < (isFar ? FAR : 1); i++) {
                element = loupe.neroLayouts.step(parts.state.orbit, element, OPPOSITE[direction]);
            }
            draw(parts, {...parts.state, element});
            context.chooseElement(element);
        });
        return parts;
    }

    /** Drag the window by the point where it was pressed; a press beside it centres it there. */
    function follow(parts, context) {
        let grip = [0, 0];
        const at = (event) => {
            const frame = parts.canvas.getBoundingClientRect(), scale = parts.state.source.width / frame.width;
            return [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
        };
        const half = () => scene().WINDOW_PX / 2, size = () => scene().WINDOW_PX;
        loupe.neroPointer.attach(parts.canvas, {
            start(event) {
                if (!parts.state || !parts.state.source) return false;
                const {source, orbit, element} = parts.state, point = at(event);
                const corner = scene().corner(source, orbit, element), inside = point.map((v, k) => v - corner[k]);
                grip = inside.every((v) => v >= 0 && v <= size()) ? inside : [half(), half()];
                return true;
            },
            pick(event) {
                const corner = at(event).map((v, k) => v - grip[k]);
                return scene().elementAt(parts.state.source, parts.state.orbit, corner);
            },
            move(element) {
                draw(parts, {...parts.state, element}, true);
                context.moveTo(element);
            },
            done: (element) => context.chooseElement(element),
        });
    }

    function draw(parts, state) {
        parts.state = state;
        parts.place.textContent = label(state);
        const {source} = state, {canvas} = parts;
        scene().keys(parts, state);
        canvas.style.setProperty("--ratio", source ? source.width / source.height : 1);
        const {context, width, height} = loupe.neroCanvas.fit(canvas);
        if (!source) return;
        const scale = width / source.width, [left, top] = scene().corner(source, state.orbit, state.element);
        context.imageSmoothingQuality = "high";
        context.drawImage(loupe.neroCanvas.picture(source), 0, 0, width, height);
        const window_ = [left, top, left + scene().WINDOW_PX, top + scene().WINDOW_PX].map((v) => v * scale);
        darken(context, window_, width, height);
        boxes(parts, context, state, scale);
        loupe.neroCanvas.box(context, window_, {colour: "#fff", width: 2});
    }

    /** Everything but the window. */
    function darken(context, [x0, y0, x1, y1], width, height) {
        context.fillStyle = DARK;
        context.beginPath();
        context.rect(0, 0, width, height);
        context.rect(x0, y0, x1 - x0, y1 - y0);
        context.fill("evenodd");
    }

    /** What is true and what each model says on the whole, where the scene has it: it does not move. */
    function boxes(parts, context, state, scale) {
        const home = scene().home(state.source);
        const place = ({box}) => scene().moved(box, home).map((v) => v * scale), {token, box} = loupe.neroCanvas;
        scene().truths(state).forEach((row, i) => box(context, place(row),
            {colour: token(parts.canvas, "--nero-truth"), width: i ? 1 : 2, opacity: i ? 0.7 : 1}));
        state.models.forEach((model, i) => {
            const row = scene().consensus(state, i);
            if (!row) return;
            const [x0, y0, x1, y1] = place(row);
            const colour = token(parts.canvas, "--nero-consensus");
            box(context, [x0, y0, x1, y1], {colour, dash: [5, 3], width: 1.75});
            context.fillStyle = model.colour; // whose it is
            context.fillRect(x0 - 3, y0 - 3, 6, 6);
        });
    }

    function words(state) {
        const {source, orbit, element} = state;
        if (!source) return "The scene is loading.";
        const [x, y] = orbit.positions[element], signed = (v) => Number(v.toFixed(1));
        const [left, top] = scene().corner(source, orbit, element);
        const where = `starts ${left} from the left and ${top} from the top`;
        return `Scene of ${source.width} by ${source.height} pixels; the window of ${scene().WINDOW_PX} pixels ${where}, `
            + `so the object is shifted by ${signed(x)} to the right and ${signed(y)} down. Arrow keys move the window.`;
    }

    loupe.neroInputs.crop = create({name: "crop", height_px: 260, build, draw, words});
})(window.loupe);
