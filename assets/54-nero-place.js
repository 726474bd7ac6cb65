/* NERO: the place on the orbit and the item that stands there. The place is an element, or on a circle
 * any angle; the views of input and outputs follow it in every frame of a drag, without a request. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const REST_MS = 90; // a place that has not changed for so long is at rest
    const now = () => loupe.nero.now;
    const page = () => loupe.nero;
    const current = () => loupe.orbit.current;
    const layout = () => current().spec.orbit;
    const isRound = () => layout().layout === "circle";
    const here = () => page().isHere() && current();

    // --- views ---------------------------------------------------------------------------------

    const hosts = {
        input: {own: "nero-picture", other: "nero-input-view"},
        detail: {own: "nero-detail-graph", other: "nero-detail-view"},
    };
    const OWN = ["image", "bars"]; // these draw into parts that the page has for them
    const mounted = {};

    const viewOf = (side) => {
        const name = current().spec.views[side];
        return (side === "input" ? loupe.neroInputs : loupe.neroDetails)[name];
    };

    /** Show the parts that this task's views draw into, and mount them there. */
    function mount(side) {
        const name = current().spec.views[side], isOwn = OWN.includes(name), {own, other} = hosts[side];
        document.getElementById(own).hidden = !isOwn;
        const host = document.getElementById(other);
        host.hidden = isOwn;
        if (mounted[side] && mounted[side] !== viewOf(side)) mounted[side].unmount();
        mounted[side] = viewOf(side);
        mounted[side].mount(host, {moveTo: drag, chooseElement: choose});
    }

    /** The page is left, or opened again: views end. */
    function leave() {
        Object.keys(mounted).forEach((side) => { mounted[side].unmount(); delete mounted[side]; });
        clearTimeout(resting);
    }

    /** What the views are told: see 57-nero-0-view.js. */
    function stateAt({element, angle}) {
        const {spec, models, labels} = current(), {payload, exact, source, range, row} = now();
        return {element, angle, exact, source, range, orbit: spec.orbit, mode: loupe.orbit.by(),
            models: models.map(({title, colour, index}) => ({title, colour, index})),
            classes: spec.items.classes, truth: labels[row], place: words({element, angle}),
            item: {row, name: loupe.sprites.name(row), arrays: payload.arrays, meta: payload.meta}};
    }

    /** "170°", or what the orbit calls the element. */
    function words({element, angle}) {
        return layout().is_turned_here ? `${Number(angle.toFixed(angle % 1 ? 1 : 0))}°` : layout().labels[element];
    }

    // --- the place -----------------------------------------------------------------------------

    /** A place from an angle: on a circle; elsewhere from an element. */
    function placeOf(value) {
        if (!isRound()) return {element: value, angle: 0};
        return {element: loupe.orbit.nearest(value).index, angle: value};
    }

    /** [[model, value of the metric at a place], …] for the chosen item. */
    function valuesAt(place) {
        const metric = loupe.orbit.single(), {row, exact} = now(), {models, labels, spec} = current();
        const isShare = exact && spec.has_classes && metric.name === spec.metrics[0].name;
        return models.map((model, i) => {
            if (!isShare) return [model, loupe.orbit.slice(loupe.orbit.curves(model), row)[place.element]];
            const at = Array.from(exact[i].classes, Number).indexOf(labels[row]);
            return [model, at < 0 ? 0 : exact[i].values[at]];
        });
    }

    /** The marks of a place in the orbit plots: the cursor, and the values on it. */
    function marks(place = now().shown) {
        if (!here() || !place || !now().payload) return;
        const values = loupe.draw.isBeside() ? [] : valuesAt(place);
        loupe.draw.moveCursor(page().graph("individual"), place, values);
        loupe.draw.moveCursor(page().graph("aggregate"), place, []);
    }

    /** Everything that moves with the place, cheap enough for every frame. */
    function live(place, isAtRest = false) {
        if (!here() || !now().payload) return;
        now().shown = place;
        marks(place);
        const state = stateAt(place), read = document.getElementById("nero-element");
        for (const side of ["input", "detail"]) mounted[side][isAtRest ? "show" : "live"](state);
        if (read.textContent !== state.place) read.textContent = state.place;
    }

    /** What belongs to a place once it rests: Plotly's own drawings and what is read aloud. */
    function refresh(place = now().shown) {
        if (!here() || !now().payload || !place) return;
        live(place, true);
        loupe.draw.moveLine(page().graph("confusion"), place);
        loupe.neroWords.speakPlace(place, valuesAt(place));
    }

    let resting = 0;
    function rest(place) {
        clearTimeout(resting);
        live(place);
        resting = setTimeout(() => { if (now().shown === place) refresh(place); }, REST_MS);
    }

    /** The place has come to rest: off the computed orbit the models answer once more. */
    async function settle(place) {
        if (!now().payload) return;
        now().exact = null;
        rest(place);
        if (!isRound() || !layout().is_turned_here || loupe.orbit.nearest(place.angle).gap < 1e-6) return;
        const mine = (now().asking = {}), {row} = now();
        try {
            const exact = await loupe.orbit.at(row, place.angle);
            if (mine !== now().asking || now().angle !== place.angle || now().row !== row) return;
            now().exact = exact;
            refresh(place);
        } catch (error) {
            loupe.notify({title: "No answer at this angle", message: error.message, kind: "error"});
        }
    }

    const chosen = () => placeOf(isRound() ? now().angle : now().element);

    /** Another orbit has been loaded: its views, its tip, and a place that exists on it. */
    function arrive(spec, before) {
        document.getElementById("nero-views").dataset.layout = spec.orbit.layout;
        document.getElementById("nero-views").dataset.turned = spec.orbit.is_turned_here;
        ["input", "detail"].forEach(mount);
        now().shown = null;
        now().element = elementOf(loupe.state.current().values.element ?? -1);
        if (isRound()) return;
        const {size} = spec.orbit, asked = loupe.state.current().values.element ?? -1;
        // Another sampling of the same family: the nearest place. Another family: where it begins.
        const isResampled = before && before.family === spec.orbit.family && before.key !== spec.orbit.key;
        const old = isResampled && before.positions[now().element];
        const isMoved = old && asked === now().written; // unless undo has written a place of its own
        const element = isMoved ? loupe.neroLayouts.nearest(spec.orbit, old) : asked;
        if (element !== asked || asked >= size) choose(element < size ? element : -1);
    }

    /** The element control as a place: -1 is where the orbit begins. */
    function elementOf(value) {
        const {size, telling} = layout(), element = Number(value);
        return Number.isInteger(element) && element >= 0 && element < size ? element : telling;
    }

    function place(ready, angleValue, elementValue) {
        if (!ready || !current()) return;
        now().asking = null;
        now().written = elementValue;
        now().element = elementOf(elementValue);
        const angle = Number(angleValue), isTyped = angleValue !== "" && angleValue !== null && Number.isFinite(angle);
        if (isTyped) { // an empty box while typing is no angle
            now().angle = ((angle % 360) + 360) % 360;
            if (now().angle !== angle) page().setProps(page().control("angle"), {value: now().angle}); // 400° is 40°
        } else if (isRound()) return;
        if (isRound() && !layout().is_turned_here) now().angle = loupe.orbit.current.angles[loupe.orbit.nearest(now().angle).index];
        settle(chosen());
    }

    // --- wishes --------------------------------------------------------------------------------

    function chooseAngle(angle) {
        page().setProps(page().control("angle"), {value: Number(angle.toFixed(2)) % 360});
    }

    /** Move to an element for good: it is part of the state. */
    function choose(element) {
        if (!here()) return;
        if (isRound()) chooseAngle(loupe.orbit.current.angles[element]);
        else if (element === now().written) settle(placeOf(elementOf(element))); // no change for Dash to notice
        else page().setProps(page().control("element"), {value: element});
    }

    /** Follow the pointer: only what is in the browser. */
    function drag(element) {
        if (!here()) return;
        now().exact = null;
        live(isRound() ? placeOf(loupe.orbit.current.angles[element]) : placeOf(element));
    }

    // --- the item ------------------------------------------------------------------------------

    /** Where the item's input comes from: pixels of its own, its cell of the sheet, or its arrays. */
    async function sourceOf(row, meta) {
        const {atlas} = current().spec.items;
        if (meta.image_url) return loupe.raster.pixels(meta.image_url);
        return meta.is_picture ? loupe.raster.pixels(atlas.url, loupe.raster.cell(atlas, row)) : null;
    }

    /** Fetch the item's outputs and input, then show them at the current place. */
    async function item(ready, id) {
        if (!ready || !current()) return;
        const row = page().rowOf(id), mine = (now().itemToken = {});
        const isWanted = () => mine === now().itemToken && page().isHere();
        const slow = setTimeout(() => { // what is computed on demand takes a moment
            if (isWanted()) ["input", "detail"].forEach((name) =>
                page().say(name, "loading", {keep: Boolean(now().payload)}));
        }, 300);
        try {
            const payload = await loupe.orbit.item(row);
            if (!isWanted()) return;
            const source = await sourceOf(row, payload.meta);
            if (!isWanted()) return;
            Object.assign(now(), {payload, source, row, exact: null});
        } catch (error) {
            if (isWanted()) ["input", "detail"].forEach((name) =>
                page().say(name, "failed", {message: error.message, hint: error.hint || ""}));
            return;
        } finally {
            clearTimeout(slow);
        }
        ["input", "detail"].forEach((name) => page().say(name, "ready"));
        const name = loupe.sprites.name(row), {source} = now();
        page().honest("detail", 1, [name, loupe.neroWords.compared()]);
        page().honest("input", 1, [name, ...(source ? [`${source.width} × ${source.height} px`] : [])]);
        settle(chosen());
    }

    loupe.neroPlace = {arrive, leave, place, item, live, marks, refresh, settle, choose, chooseAngle, drag, placeOf,
        chosen, isRound, words, valuesAt};
})(window.loupe);
