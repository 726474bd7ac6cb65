/* NERO: what hands do. Drag the dial or the image, click and lasso the map, step through items,
 * gather similar orbits, keys. Every gesture ends in a control's value or in a selection. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const nero = () => loupe.nero;
    const here = () => nero().isHere() && loupe.orbit.current;

    function chooseRow(row) {
        if (row === undefined || !here()) return;
        nero().setProps(nero().control("item"), {value: loupe.orbit.current.ids[row]});
    }

    /** Snap to the computed elements, where everything is already in the browser. */
    function snapped(angle) {
        const {index} = loupe.orbit.nearest(angle);
        return loupe.orbit.current.angles[index];
    }

    function release(angle) {
        if (angle === nero().now.angle) loupe.neroPlace.settle(loupe.neroPlace.chosen()); // Dash notices no change
        else loupe.neroPlace.chooseAngle(angle);
    }

    /** Called when the page has mounted and whenever it has loaded another orbit. */
    function attach(ready) {
        if (!ready) return;
        const isOn = () => here() && loupe.neroPlace.isRound();
        const round = {isOn, move: (angle) => loupe.neroPlace.drag(loupe.orbit.nearest(angle).index),
            done: (angle) => here() && release(snapped(angle))};
        const cells = {orbit: () => (here() ? loupe.orbit.current.spec.orbit : null),
            move: loupe.neroPlace.drag, done: loupe.neroPlace.choose};
        for (const id of ["nero-dial", "nero-aggregate-graph"]) {
            const frame = document.getElementById(id);
            loupe.dial.attach(frame, round);
            loupe.layouts.attach(frame, cells);
        }
        const canvas = document.getElementById("nero-canvas");
        loupe.dial.attach(canvas.parentElement, {...round, centre: () => {
            const box = canvas.getBoundingClientRect();
            return {x: box.left + box.width / 2, y: box.top + box.height / 2, radius: box.width * 0.75};
        }});
        keepAngle(document.querySelector("#nero-input .plot-card-controls input"));
        ["aggregate", "projection", "individual", "detail", "confusion"].forEach((name) =>
            loupe.draw.whenDrawn(nero().graph(name), (gd) => follow(name, gd)));
    }

    /** After each of Plotly's drawings the marks, images and bars that it does not know come back. */
    function follow(name, gd) {
        if (gd.__loupe) return;
        gd.__loupe = true;
        gd.on("plotly_afterplot", () => nero().drawn(name, gd));
        nero().drawn(name, gd);
        if (name !== "projection") return;
        gd.on("plotly_doubleclick", () => loupe.draw.resetZoom(gd));
        gd.on("plotly_click", ({points: [point]}) => {
            if (point && point.customdata !== undefined) {
                nero().setProps(nero().control("item"), {value: point.customdata});
            }
        });
    }

    /** A box that is left empty shows the angle again that everything else shows. */
    function keepAngle(box) {
        if (!box || box.dataset.kept) return;
        box.dataset.kept = "on";
        box.addEventListener("blur", () => { if (!box.value && here()) loupe.neroPlace.chooseAngle(nero().now.angle); });
    }

    let lassoed = "";
    const inOrder = (ids) => [...ids].sort((a, b) => a - b).join();

    /** Lasso or rectangle on the map: announce the selection; null is a double click. */
    function lasso(selected, spec) {
        if (selected === undefined || !spec || !spec.items) return window.dash_clientside.no_update;
        const points = selected === null ? [] : selected.points;
        const ids = points.map((p) => p.customdata).filter((id) => id !== undefined);
        const gd = loupe.draw.graph(nero().graph("projection"));
        const wasDropped = gd && performance.now() - gd.__dropped < 1500;
        if (!ids.length && wasDropped) return window.dash_clientside.no_update;
        lassoed = inOrder(ids);
        return {items: spec.items.key, ids, by: "nero"};
    }

    function step(by) {
        const {now} = nero(), order = now.order || [];
        if (!order.length) return;
        const place = order.indexOf(now.row), start = place < 0 && by < 0 ? 0 : place;
        chooseRow(order[(start + by + order.length) % order.length]);
    }

    /** One element in a direction of the layout; false where the layout has none there. */
    function move(direction) {
        if (!here()) return false;
        const {orbit} = loupe.orbit.current.spec;
        if (!loupe.neroLayouts.directions(orbit).includes(direction)) return false;
        loupe.neroPlace.choose(loupe.neroLayouts.step(orbit, loupe.neroPlace.chosen().element, direction));
        return true;
    }

    /** Back to the element that changes nothing. */
    function home() {
        if (here()) loupe.neroPlace.choose(loupe.orbit.current.spec.orbit.identity);
    }

    const previous = (clicks) => { if (clicks) step(-1); };
    const next = (clicks) => { if (clicks) step(1); };
    const order = (place) => {
        const {now} = nero();
        if (here() && place !== now.told && now.order[place] !== undefined && now.order[place] !== now.row) {
            chooseRow(now.order[place]);
        }
    };
    const open = (rows) => { if (rows && rows.length) chooseRow(rows[0].row); };

    const SIMILAR = 24;
    let found = [], waiting = 0;

    /** Look for kin of the chosen item once it has been chosen for a moment, not at every step. */
    function similar(ready, id, focus) {
        clearTimeout(waiting);
        if (ready) waiting = setTimeout(() => showSimilar(focus), 120);
    }

    async function showSimilar(focus) {
        if (!here()) return;
        const busy = loupe.orbit.current;
        const model = nero().modelAt(focus), {row} = nero().now, card = nero().card("similar");
        const rows = await loupe.orbit.similar(model, row, SIMILAR);
        if (row !== nero().now.row || !here() || busy !== loupe.orbit.current) return;
        if (!rows.length) {
            nero().say("similar", "empty", {message: "There is no other item to compare with."});
            return;
        }
        found = rows;
        loupe.sprites.strip(found, chooseRow);
        nero().say("similar", "ready");
        nero().setProps({type: "honesty", card}, {children: [`${found.length} nearest of`,
            `${loupe.orbit.current.n} to ${loupe.sprites.name(row)}`].join(" ") + ` · ${model.title}`
            + ` · by ${loupe.orbit.single().title}`});
    }

    /** Make the similar items and the chosen one the selection. */
    function take(clicks) {
        if (!clicks || !here() || !found.length) return window.dash_clientside.no_update;
        const rows = [nero().now.row, ...found.map(({row}) => row)], {ids, spec} = loupe.orbit.current;
        return {items: spec.items.key, ids: rows.map((row) => ids[row]), by: "nero-similar"};
    }

    const OWN = "own"; // the value of the data menu while a user's own set is open

    /** Another task opens the page afresh: its models, classes and items are others. */
    function openTask(chosen, task) {
        if (chosen && task && chosen !== task && chosen !== OWN) {
            loupe.state.go(`/nero?task=${encodeURIComponent(chosen)}`);
        }
        const {set} = loupe.state.current().values, held = loupe.orbit.current;
        // From a set of one's own back to the task's.
        if (chosen === task && set && set.startsWith("own-") && held && held.spec.set === set) {
            loupe.state.go(`/nero?task=${encodeURIComponent(task)}`);
        }
    }

    /** Undo has written the state of another task or set into this page: open it with all of that
     *  state, once the state has gathered it. */
    function followTask(task, set, shown, spec, tries = 60) {
        const isShown = task === shown || shown === OWN, isHeld = !spec || !spec.set || spec.set === set;
        if (!task || !shown || (isShown && isHeld)) return;
        const {page, values, url} = loupe.state.current();
        const isGathered = page === "nero" && values.task === task && values.set === set;
        if (isGathered) loupe.state.go(new URL(url).pathname + new URL(url).search);
        else if (tries) setTimeout(() => followTask(task, set, shown, spec, tries - 1), 50);
    }

    /** The box of averages and the value of the state that it stands for follow each other. */
    function average(checked, held) {
        if (typeof checked === "boolean" && checked !== held) nero().setProps(nero().control("averaged"), {value: checked});
    }

    function followAverage(held, checked) {
        if (typeof held === "boolean" && checked !== held) nero().setProps("nero-averaged", {checked: held});
    }

    function registerKeys() {
        const scope = "nero", when = () => Boolean(document.getElementById("nero-dial"));
        const add = (key, label, run) => loupe.keys.add({scope, key, label, run, when});
        add("ArrowLeft", "Previous element, or the one at the left", () => move("left"));
        add("ArrowRight", "Next element, or the one at the right", () => move("right"));
        add("ArrowUp", "Element above; on circles and lines the previous item", () => move("up") || step(-1));
        add("ArrowDown", "Element below; on circles and lines the next item", () => move("down") || step(1));
        add("PageUp", "Previous item in the order of the colour", () => step(-1));
        add("PageDown", "Next item in the order of the colour", () => step(1));
        add("0", "Back to the element that changes nothing", home);
        add("k", "Select the items whose orbit looks like this", () =>
            document.getElementById("nero-take").click());
    }

    document.addEventListener("loupe:retry", ({detail}) => {
        if (detail.cardId.startsWith("nero-")) nero().setProps("nero-again", {data: Date.now()});
    });
    loupe.selection.onChange(({ids}) => {
        if (here() && inOrder(ids) !== lassoed) loupe.draw.dropOutline(nero().graph("projection"));
    });
    if (loupe.keys) registerKeys();
    if (loupe.theme) loupe.theme.onChange(() => {
        if (!here()) return;
        const {now} = nero();
        nero().setProps("nero-ready", {data: {version: ++now.version, task: loupe.orbit.current.spec.task}});
    });
    window.dash_clientside = Object.assign({}, window.dash_clientside, {
        nero_gestures: {attach, lasso, previous, next, order, open, similar, take, openTask, followTask,
            average, followAverage},
    });
})(window.loupe);
