/* NERO views: what all input and detail views share. A view is one card's inside:
 *
 *   {mount(host, context), show(state), live(state), describe(state), unmount(), height_px, narrow_px}
 *
 * show() draws everything at rest, live() what moves with the pointer, describe() is one sentence for
 * those who do not see it; height_px is the room it likes, narrow_px below 600 px of width.
 * `context` takes wishes back: moveTo(element) while dragging,
 * chooseElement(element) on release, on keys and buttons. `state` is {element, orbit, mode, classes,
 * models: [{title, colour, index}], range, item: {row, name, arrays}, source}; arrays are named as
 * /_nero/item names them, `<name>_<place of the model>`. Views redraw themselves when the theme or
 * their size changes, and end when their host has left the page. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";

    /** Draw anew when the size of a host or the theme changes; returns what ends that. */
    function follow(host, redraw) {
        const watcher = new ResizeObserver(redraw);
        watcher.observe(host);
        const forget = loupe.theme ? loupe.theme.onChange(redraw) : () => {};
        return () => {
            watcher.disconnect();
            forget();
        };
    }

    /** A view from `build(context, redraw)` -> parts (with `root`), `draw(parts, state, isLive)`, and
     *  `words(state)`; `end(parts)` stops what would go on by itself. */
    function create({name, height_px, narrow_px = height_px, build, draw, words, end}) {
        let parts = null, host = null, state = null, forget = null;

        function redraw() {
            if (host && !host.isConnected) unmount();
            if (parts && state && host.clientWidth) draw(parts, state, false);
        }

        function mount(element, context) {
            if (element === host && parts && parts.root.parentElement === host) return;
            unmount();
            host = element;
            host.classList.add("nero-view", `nero-${name}`);
            parts = build(context, redraw);
            host.replaceChildren(parts.root);
            forget = follow(host, redraw);
        }

        function unmount() {
            if (!host) return;
            if (end) end(parts);
            forget();
            host.classList.remove("nero-view", `nero-${name}`);
            host.replaceChildren();
            parts = host = state = null;
        }

        function show(next) {
            if (!parts) return;
            state = next;
            for (const node of [parts.root, parts.canvas]) if (node) node.setAttribute("aria-label", words(state));
            redraw();
        }

        function live(next) {
            if (!parts) return;
            state = next;
            draw(parts, state, true);
        }

        return {mount, show, live, describe: words, unmount, height_px, narrow_px};
    }

    /** An array of the item by name: its data, or null where there is none. */
    function array(state, name) {
        const held = state.item && state.item.arrays && state.item.arrays[name];
        return held ? held.data : null;
    }

    const shape = (state, name) => state.item.arrays[name].shape;

    /** What the element is called. */
    const label = (state) => state.orbit.labels[state.element] ?? `element ${state.element}`;

    /** "0.83"; a dash where the number is missing. */
    const number = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : "–");

    /** Arrow keys on a focused drawing are its own, not the page's: `act(direction, isFar)`. */
    function ownKeys(element, act) {
        element.addEventListener("keydown", (event) => {
            const direction = /^Arrow(Left|Right|Up|Down)$/.exec(event.key);
            if (!direction || event.ctrlKey || event.metaKey || event.altKey) return;
            event.preventDefault();
            event.stopPropagation();
            act(direction[1].toLowerCase(), event.shiftKey);
        });
    }

    /** A square canvas that takes what room there is: {stage, canvas}. */
    function square(attributes) {
        const canvas = loupe.dom.el("canvas", attributes);
        return {canvas, stage: loupe.dom.el("div", {class: "nero-stage"}, canvas)};
    }

    /** One entry of a key: a sample line as CSS draws it, and its name. */
    const key = (kind, text) => loupe.dom.el("span", {class: "nero-key"},
        loupe.dom.el("i", {class: `nero-key-${kind}`}), text);

    loupe.neroInputs = loupe.neroInputs || {};
    loupe.neroDetails = loupe.neroDetails || {};
    loupe.neroView = {create, array, shape, label, number, ownKeys, square, key};
})(window.loupe);
