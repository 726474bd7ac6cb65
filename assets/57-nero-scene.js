/* NERO: a scene, the window that is cut out of it, and the boxes in it. Boxes are [x0, y0, x1, y1] in
 * px, x to the right, y down. The orbit's positions are the OBJECT's shift in the crop; the window
 * moves by the negative. What counts as seen is what backend/nero/boxes.py counts. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const WINDOW_PX = 128;
    const VISIBLE_SHARE = 0.2; // less of a box than this, and there is nothing to ask for
    const SHOWN = 3; // boxes a model: the source shows at most three
    const view = () => loupe.neroView;

    /** Top left of the window of an element in its scene: [left, top] in scene px. */
    function corner(source, orbit, element) {
        const [x, y] = orbit.positions[element], middle = home(source);
        return [middle[0] - x, middle[1] - y];
    }

    /** Top left of the window where nothing is moved. */
    const home = ({width, height}) => [Math.floor((width - WINDOW_PX) / 2), Math.floor((height - WINDOW_PX) / 2)];

    /** The element whose window is nearest to one with this top left: [left, top]. */
    function elementAt(source, orbit, [left, top]) {
        const [x, y] = home(source);
        return loupe.neroLayouts.nearest(orbit, [x - left, y - top]);
    }

    const moved = (box, [x, y]) => [box[0] + x, box[1] + y, box[2] + x, box[3] + y];
    const isBox = (box) => box.every(Number.isFinite);
    const area = ([x0, y0, x1, y1]) => Math.max(0, x1 - x0) * Math.max(0, y1 - y0);
    const clipped = (box) => box.map((value) => Math.min(WINDOW_PX, Math.max(0, value)));

    /** Intersection over union, 0..1; NaN where a box is missing. */
    function iou(a, b) {
        if (!a || !b) return NaN;
        const both = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
        const union = area(a) + area(b) - both;
        return union > 0 ? both / union : 0;
    }

    /** Rows of box and class in an array: (4,), (5,) or (t, 5). Missing ones are left out. */
    function rows(values, classes) {
        if (!values) return [];
        const wide = values.length % 5 === 0 ? 5 : 4, found = [];
        for (let at = 0; at + wide <= values.length; at += wide) {
            const kind = wide === 5 ? values[at + 4] : classes ? classes[at / wide] : NaN;
            found.push({box: Array.from(values.subarray(at, at + 4)), kind});
        }
        return found.filter(({box}) => isBox(box));
    }

    /** True boxes in crop px where nothing is moved; the key object first. */
    const truths = (state) => rows(view().array(state, "truth"), view().array(state, "truth_class"));

    /** What model `i` says on the whole, in crop px where nothing is moved; null without consensus. */
    const consensus = (state, i) =>
        rows(view().array(state, `consensus_${i}`), view().array(state, `consensus_class_${i}`))[0] || null;

    /** A row of box and class as it lies in the crop of the chosen element. `seen` is the part of it
     *  that is in the crop, null where too little is. */
    function inCrop(state, row) {
        const box = moved(row.box, state.orbit.positions[state.element]), part = clipped(box);
        return {...row, box, seen: area(part) >= VISIBLE_SHARE * area(box) ? part : null};
    }

    /** What model `i` is measured against, in the crop of the element. */
    function reference(state, i) {
        const row = state.mode === "consensus" ? consensus(state, i) : truths(state)[0];
        return row ? inCrop(state, row) : null;
    }

    /** All boxes that model `i` found at the element, by rank: {box, score, kind, name, iou, isRight}. */
    function found(state, i) {
        const name = `boxes_${i}`, values = view().array(state, name);
        if (!values) return null;
        const [, count, wide] = view().shape(state, name), start = state.element * count * wide;
        const against = reference(state, i);
        return Array.from({length: count}, (_, k) => {
            const row = Array.from(values.subarray(start + k * wide, start + (k + 1) * wide));
            const box = row.slice(0, 4), [score, kind] = row.slice(4);
            const isRight = against && Number.isFinite(against.kind) ? against.kind === kind : null;
            const name_ = state.classes[kind] ?? (kind < 0 ? "another class" : String(kind));
            return {rank: k + 1, box, score, kind, isRight, name: name_,
                iou: iou(box, against && against.seen)};
        }).filter(({box, score}) => isBox(box) && Number.isFinite(score));
    }

    /** Show the keys of what there is; while the item is loading they stay as they are. */
    function keys(parts, state) {
        if (!state.item || !Object.keys(state.item.arrays || {}).length) return;
        parts.truth.hidden = !truths(state).length;
        parts.consensus.hidden = !state.models.some((_, i) => consensus(state, i));
    }

    loupe.neroScene = {WINDOW_PX, SHOWN, home, corner, elementAt, moved, iou, truths, consensus, inCrop,
        reference, found, keys};
})(window.loupe);
