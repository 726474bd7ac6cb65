/* NERO input view "frames": two particle frames as a flip animation, in the orientation of the chosen
 * element and in its order of time. The buttons turn what is shown now: the element that does both
 * follows from the law of the group. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {create, square, label} = loupe.neroView;
    const FRAME_MS = 300;
    const PHASES = ["frame 1", "frame 2", "blank"];
    const group = () => loupe.neroSquare;

    function build(context) {
        const {el, iconButton} = loupe.dom, {stage, canvas} = square({role: "img"});
        const isStill = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
        const parts = {canvas, state: null, phase: 0, timer: 0, isPlaying: false, context,
            phaseWords: el("span", {class: "nero-phase"}), place: el("b", {class: "nero-place-words"}),
            play: iconButton("player-play", "Play the two frames", () => play(parts, !parts.isPlaying)),
            step: iconButton("chevron-right", "Next frame", () => { play(parts, false); advance(parts); })};
        const act = (name, icon, words) => {
            const button = iconButton(icon, words, () => apply(parts, group().TURNS[name]));
            button.dataset.act = name;
            return button;
        };
        parts.acts = [act("left", "rotate", "Turn left by 90°"),
            act("right", "rotate-clockwise", "Turn right by 90°"),
            act("mirror", "arrows-left-right", "Flip left–right"), act("reverse", "history", "Reverse time")];
        parts.root = el("div", {class: "nero-column", role: "group"}, stage,
            el("div", {class: "nero-controls"}, parts.play, parts.step, parts.phaseWords,
                el("span", {class: "nero-acts"}, ...parts.acts)),
            el("div", {class: "nero-keys"}, parts.place));
        play(parts, !isStill);
        return parts;
    }

    /** Do something to what is shown now. */
    function apply(parts, by) {
        if (!parts.state) return;
        const element = group().compose(by, parts.state.element);
        if (element < parts.state.orbit.size) parts.context.chooseElement(element);
    }

    function play(parts, isPlaying) {
        clearTimeout(parts.timer);
        parts.isPlaying = isPlaying;
        const [icon, words] = isPlaying ? ["player-pause", "Pause"] : ["player-play", "Play the two frames"];
        parts.play.firstElementChild.className = `lp-icon lp-icon-${icon}`;
        Object.assign(parts.play, {title: words});
        parts.play.setAttribute("aria-label", words);
        if (!isPlaying && parts.phase === 2) advance(parts); // no one wants to look at the blank
        if (isPlaying) parts.timer = setTimeout(() => tick(parts), FRAME_MS);
    }

    function tick(parts) {
        if (!parts.isPlaying || !parts.root.isConnected) return;
        advance(parts);
        parts.timer = setTimeout(() => tick(parts), FRAME_MS);
    }

    function advance(parts) {
        parts.phase = (parts.phase + 1) % (parts.isPlaying ? 3 : 2);
        paint(parts);
    }

    // --- the picture -------------------------------------------------------------------------------

    /** The two frames of a source: a pair, or one picture with both side by side or one above the other. */
    function pair(source) {
        if (Array.isArray(source)) return source;
        const {width, height, data} = source, isWide = width === 2 * height, size = isWide ? height : width;
        const isTall = height === 2 * width;
        if (!isWide && !isTall) throw new RangeError(`${width} × ${height} px are not two square frames.`);
        return [0, 1].map((k) => {
            const out = new Uint8ClampedArray(size * size * 4);
            for (let row = 0; row < size; row++) {
                const start = isWide ? (row * width + k * size) * 4 : (row + k * size) * width * 4;
                out.set(data.subarray(start, start + size * 4), row * size * 4);
            }
            return {data: out, width: size, height: size};
        });
    }

    /** Frames of the chosen element, made once for it. */
    function turned(parts, {source, element}) {
        if (parts.source !== source) Object.assign(parts, {source, pair: source ? pair(source) : null, made: null});
        if (!parts.pair) return null;
        if (!parts.made || parts.made.element !== element) {
            parts.made = {element, frames: group().frames(parts.pair, element)};
        }
        return parts.made.frames;
    }

    function paint(parts) {
        const {state, canvas} = parts, {context, width} = loupe.neroCanvas.fit(canvas);
        parts.phaseWords.textContent = PHASES[parts.phase];
        context.fillStyle = "#000";
        context.fillRect(0, 0, width, width);
        const frames = state && turned(parts, state);
        if (!frames) return;
        context.imageSmoothingEnabled = false;
        if (parts.phase < 2) context.drawImage(loupe.neroCanvas.picture(frames[parts.phase]), 0, 0, width, width);
        const side = 18;
        context.fillStyle = "rgb(0 0 0 / 70%)";
        context.beginPath();
        context.roundRect(width - side - 16, width - side - 12, side + 12, side + 8, 4);
        context.fill();
        group().letter(context, width - side - 11, width - side - 8, side, state.element, "#fff");
    }

    function draw(parts, state) {
        parts.state = state;
        parts.place.textContent = label(state);
        parts.acts.forEach((button) => {
            const is = group().compose(group().TURNS[button.dataset.act], state.element) < state.orbit.size;
            button.hidden = !is;
        });
        paint(parts);
    }

    function words(state) {
        const order = state.element >= 8 ? "the second frame comes first" : "in the order of time";
        return `Two particle frames, ${label(state)}: ${order}. Buttons turn, flip and reverse what is shown.`;
    }

    const end = (parts) => { parts.isPlaying = false; clearTimeout(parts.timer); };

    loupe.neroInputs.frames = create({name: "frames", height_px: 280, build, draw, words, end});
    loupe.neroFrames = {pair};
})(window.loupe);
