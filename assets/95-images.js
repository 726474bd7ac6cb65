/* Images: a grid of a registered set of any size. All rows' labels and marks come once as typed arrays; only the
   thumbnails in view exist, and names come by the block. Choosing selects, and the selection follows to other pages. */
window.loupe = window.loupe || {};
window.dash_clientside = window.dash_clientside || {};
(function (loupe) {
    "use strict";
    const PAGE = "images", CELL = 104, SPARE = 2, EVERY = -2;
    const MARKS = [[8, "!", "equal to another of another label"], [4, "⇄", "also in another split"], [1, "=", "equal to an earlier one"], [2, "≈", "nearly equal to an earlier one"]];
    const at = (id) => document.getElementById(id);
    const isHere = () => Boolean(at("images-page"));
    const set = (key, value) => { if (isHere()) window.dash_clientside.set_props({type: "control", page: PAGE, key}, {value}); };
    let about = null, arrays = null, extra = null, order = new Int32Array(0), place = new Map(), cells = new Map(), values = null, asked = 0, columns = 1, focus = 0, lastClick = -1;
    const blocks = new Map(), WRONG = 128, SELECTED = 64, PALETTE = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

    // ---- what is shown

    /** Rows of the set that the filters leave, ascending; a pass over two typed arrays. */
    function filtered() {
        const {label, marks} = values, bits = about.marks[marks], {labels, marks: held} = {labels: arrays.labels.data, marks: arrays.marks.data};
        const found = new Int32Array(about.n), answers = extra?.arrays.answers?.data;
        const isWrong = (row) => Boolean(answers) && answers[row] >= 0 && labels[row] >= 0 && answers[row] !== labels[row];
        const chosen = new Set(bits === SELECTED ? mine() : []);
        const isMarked = (row) => (bits === WRONG ? isWrong(row) : bits === SELECTED ? chosen.has(row) : held[row] & bits);
        let n = 0;
        for (let row = 0; row < about.n; row += 1) {
            if ((label === EVERY || labels[row] === label) && (!bits || isMarked(row))) { found[n] = row; n += 1; }
        }
        order = found.subarray(0, n);
        const column = extra?.arrays[values.by]?.data;
        if (column) order.sort((a, b) => (Number.isNaN(column[a]) - Number.isNaN(column[b])) || column[a] - column[b] || a - b);
        place = new Map();
    }

    /** Another set was chosen, and nothing else: its classes, rows and imported numbers are others. */
    function isOnlyAnother(state) {
        const same = ["label", "marks", "row", "with", "by"].every((key) => values?.[key] === state[key]);
        return same && Boolean(about) && about.name === values.set && state.set !== values.set;
    }

    function afresh(state) {
        const blank = {label: EVERY, row: -1, with: "", by: ""};
        const changed = Object.entries(blank).filter(([key, value]) => state[key] !== value);
        loupe.state.follow();
        changed.forEach(([key, value]) => set(key, value));
        return {...state, ...blank};
    }

    async function show(asked_for) {
        const state = isOnlyAnother(asked_for) ? afresh(asked_for) : asked_for;
        values = state;
        const mine = asked += 1;
        if (!isHere() || !values?.set) return;
        try {
            if (about?.name !== values.set || !at("images-class")) {  // another set, or the page was opened again
                const found = await loupe.dom.request(`/_images/${encodeURIComponent(values.set)}`);
                if (!found || mine !== asked) return;
                const {arrays: got} = await loupe.wire.fetch(`/_images/${found.name}/${found.fingerprint}/rows`);
                if (mine !== asked) return;
                about = found;
                arrays = got;
                blocks.clear();
                extra = null;
                labels();
                problems();
                doors();
            }
            if (values.label >= about.classes.length) {  // chosen in another set
                set("label", EVERY);
                return;
            }
            if ((extra?.key || "") !== values.with) {
                const got = values.with && about.computed.some(({key}) => key === values.with) ? await loupe.wire.fetch(`/_images/${about.name}/${about.fingerprint}/with/${values.with}`) : null;
                if (mine !== asked) return;
                extra = got && {key: values.with, columns: got.meta.columns, hasMaps: got.meta.has_maps, arrays: got.arrays};
            }
            if (!isHere()) return;
            imported();
            mapped();
            if (at("images-class")) at("images-class").value = String(values.label);
            filtered();
            cells.forEach((cell) => cell.remove());
            cells.clear();
            grid().scrollTop = 0;
            focus = Math.max(0, order.indexOf(values.row));
            measure();
            if (values.row >= 0 && order[focus] === values.row) bringIntoView(focus);
            draw();
            tell();
        } catch (error) {
            at("images-said").textContent = [error.message, error.hint].filter(Boolean).join(" ");
        }
    }

    function mapped() {
        loupe.imagesMap.show({about, arrays, extra}, lassoed);
        loupe.imagesMap.mark(mine());
    }

    /** A lasso selects, and the grid shows the selection alone; an empty one shows all again. */
    function lassoed(ids) {
        loupe.selection.set({items: about.items, ids}, PAGE);
        const marks = ids.length ? "selected" : "";
        if (values.marks === marks) show(values);
        else set("marks", marks);
    }

    function labels() {
        const {el} = loupe.dom, counts = new Map();
        arrays.labels.data.forEach((label) => counts.set(label, (counts.get(label) || 0) + 1));
        const option = (value, title, n) => el("option", {value, selected: values.label === value}, `${title} (${n.toLocaleString("en-US")})`);
        const options = [option(EVERY, "All", about.n), ...about.classes.map((name, i) => option(i, name, counts.get(i) || 0))];
        if (counts.get(-1)) options.push(option(-1, "No label", counts.get(-1)));
        const select = el("select", {id: "images-class", class: "lp-field", onchange: (event) => { set("row", -1); set("label", Number(event.target.value)); }}, ...options);
        at("images-label").replaceChildren(el("label", {for: "images-class"}, "Class"), select);
    }

    /** What was computed elsewhere about these rows, and what to order by; nothing where nothing was imported. */
    function imported() {
        const {el} = loupe.dom, select = (id, name, options, value, onchange) => [el("label", {for: id}, name),
            el("select", {id, class: "lp-field", onchange: (event) => onchange(event.target.value)}, ...options.map(([key, title]) => el("option", {value: key, selected: key === value}, title)))];
        const parts = about.computed.length ? select("images-computed", "Imported", [["", "none"], ...about.computed.map(({key, kind, model}) => [key, `${kind} of ${model}`])], values.with,
            (key) => { set("by", ""); set("row", -1); set("with", key); }) : [];
        const shape = JSON.stringify([about.computed, extra?.key, extra?.columns]), host = at("images-with");
        if (host.dataset.shape === shape) {  // a choice that has the focus stays
            [["images-computed", values.with], ["images-by", values.by]].forEach(([id, value]) => { if (at(id)) at(id).value = value; });
            return;
        }
        host.dataset.shape = shape;
        const by = extra?.columns.length ? select("images-by", "Lowest first", [["", "order of the set"], ...extra.columns.map((name) => [name, name])], values.by, (name) => { set("row", -1); set("by", name); }) : [];
        host.replaceChildren(el("div", {class: "images-label"}, ...parts), el("div", {class: "images-label"}, ...by));
    }

    function problems() {
        const {el} = loupe.dom, count = about.problems;
        const rows = about.first_problems.map(([row, text]) => el("li", {}, `Row ${row}: ${text}.`));
        const told = count === 1 ? "1 row is left out" : `${count.toLocaleString("en-US")} rows are left out`;
        at("images-problems").replaceChildren(...(count ? [el("details", {class: "lp-small library-warned"}, el("summary", {}, told), el("ul", {class: "lp-muted"}, ...rows))] : []));
    }

    /** The views that take the set; what is selected goes along. */
    function doors() {
        const {el} = loupe.dom, go = (href) => (event) => { event.preventDefault(); loupe.state.go(href); };
        at("images-views").replaceChildren(...about.views.map(([name, href]) => el("a", {href, onclick: go(href)}, `Open in ${name}`, el("span", {class: "lp-icon lp-icon-arrow-right", "aria-hidden": "true"}))));
    }

    /** Why nothing is shown, in place of an empty grid. */
    function empty() {
        if (values.marks === "wrong" && !extra?.arrays.answers) return about.computed.some(({kind}) => kind === "predictions") ? "Choose predictions under Imported: then it is known what was answered." : "No predictions are imported about this set, so nobody knows what was answered.";
        if (values.marks === "selected") return `Nothing is selected: choose ${about.noun} under Marked: All.`;
        return values.marks ? "None is marked so: nothing to mend here." : "None has this class.";
    }

    function tell() {
        const chosen = mine().length, count = (n) => n.toLocaleString("en-US");
        at("images-said").textContent = [`${count(order.length)} of ${count(about.n)} ${about.noun}`, chosen ? `${count(chosen)} selected` : "click to select, with Shift a range", `data ${about.fingerprint.slice(0, 8)}`].join(" · ");
    }

    // ---- drawing what is in view

    const grid = () => at("images-grid");

    function measure() {
        const host = grid();
        if (!host) return;
        columns = Math.max(1, Math.floor(host.clientWidth / CELL));
        let inner = host.firstElementChild;
        if (!inner) host.append(inner = loupe.dom.el("div", {class: "images-all", role: "presentation"}));
        inner.style.height = `${Math.ceil(order.length / columns) * CELL}px`;
        host.dataset.empty = order.length ? "" : empty();
    }

    function draw() {
        const host = grid();
        if (!host || !about) return;
        const first = Math.max(0, Math.floor(host.scrollTop / CELL) - SPARE) * columns;
        const last = Math.min(order.length, (Math.ceil((host.scrollTop + host.clientHeight) / CELL) + SPARE) * columns);
        cells.forEach((cell, i) => { if (i < first || i >= last) { cell.remove(); cells.delete(i); } });
        const chosen = new Set(mine()), fresh = document.createDocumentFragment();
        for (let i = first; i < last; i += 1) {
            if (!cells.has(i)) { const made = cell(i); cells.set(i, made); fresh.append(made); }
            const one = cells.get(i);
            one.style.transform = `translate(${(i % columns) * CELL}px, ${Math.floor(i / columns) * CELL}px)`;
            one.setAttribute("aria-selected", String(chosen.has(order[i])));
            one.toggleAttribute("data-focus", i === focus);
        }
        host.firstElementChild.append(fresh);
        if (cells.has(focus)) host.setAttribute("aria-activedescendant", `images-cell-${order[focus]}`);
        else host.removeAttribute("aria-activedescendant");
    }

    function cell(i) {
        const {el} = loupe.dom, row = order[i], label = arrays.labels.data[row], marks = arrays.marks.data[row];
        const said = MARKS.filter(([bit]) => marks & bit), name = about.classes[label] || "no label";
        return el("div", {id: `images-cell-${row}`, class: "images-cell", role: "option", "data-place": i, "aria-setsize": order.length, "aria-posinset": i + 1,
            "aria-label": [`${about.noun} ${row}`, name, ...said.map(([, , words]) => words)].join(", ")},
            el("img", {src: `/_library/thumb/${about.name}/${about.fingerprint}/${row}.webp`, alt: "", width: 96, height: 96, draggable: "false", onerror: lost}),
            ...said.slice(0, 1).map(([, sign, words]) => el("b", {class: "images-mark", title: words, "aria-hidden": "true"}, sign)));
    }

    /** A thumbnail did not come: most likely the set is another one by now, which only a reload shows. */
    let isAsking = false;
    async function lost() {
        if (isAsking || !about) return;
        isAsking = true;
        const {name, fingerprint} = about, answer = await fetch(`/_images/${encodeURIComponent(name)}`).catch(() => null);
        const found = await answer?.json().catch(() => null);
        isAsking = false;
        if (!isHere() || about?.name !== name || found?.fingerprint === fingerprint) return;
        if (answer?.ok) at("images-said").textContent = `${name} was indexed again: reload the page to see it as it is now.`;
        else if (answer?.status === 404) at("images-said").textContent = `${name} was removed from the Library: choose another data set.`;
    }

    let isPlanned = false;
    function plan() {
        if (isPlanned) return;
        isPlanned = true;
        requestAnimationFrame(() => { isPlanned = false; draw(); });
    }

    // ---- one row, and choosing

    const mine = () => { const held = loupe.selection.current(); return about && held.items === about.items ? held.ids : []; };

    async function one(i) {
        const {el} = loupe.dom, row = order[i];
        if (row === undefined) return at("images-one").replaceChildren();
        const number = Math.floor(row / about.block), key = `${about.fingerprint}/${number}`;
        if (!blocks.has(key)) blocks.set(key, loupe.dom.request(`/_images/${about.name}/${about.fingerprint}/names/${number}`));
        const told = await blocks.get(key);
        if (!told || order[focus] !== row || !isHere()) return null;
        const k = row - number * about.block, marks = MARKS.filter(([bit]) => arrays.marks.data[row] & bit).map(([, , words]) => words);
        const facts = [about.classes[arrays.labels.data[row]] || "no label", told.splits[k], told.sizes[k][0] ? `${told.sizes[k].join(" × ")} px` : "", ...marks].filter(Boolean);
        const said = extra?.columns.map((name) => [name, extra.arrays[name].data[row]]).filter(([, value]) => Number.isFinite(value)).map(([name, value]) => `${name} ${value.toPrecision(3)}`) || [];
        const answer = extra?.arrays.answers?.data[row];
        if (answer >= 0) said.unshift(`answered ${about.classes[answer]}`);
        at("images-one").replaceChildren(el("b", {}, told.names[k]), el("span", {class: "lp-muted"}, [...facts, ...said].join(" · ")));
        if (extra?.hasMaps) heat(row);
        return null;
    }

    /** The imported map of a row over its thumbnail, from no to most attribution in viridis. */
    async function heat(row) {
        const {arrays: {map}} = await loupe.wire.fetch(`/_images/${about.name}/${about.fingerprint}/map/${extra.key}/${row}`).catch(() => ({arrays: {}}));
        const host = cells.get(focus);
        if (!map || order[focus] !== row || !host) return;
        const [height, width] = map.shape, canvas = loupe.dom.el("canvas", {class: "images-heat", width, height, "aria-hidden": "true"});
        const top = map.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1, image = new ImageData(width, height);
        map.data.forEach((value, i) => {
            const at = (Math.abs(value) / top) * (PALETTE.length - 1), low = Math.min(Math.floor(at), PALETTE.length - 2), part = at - low;
            PALETTE[low].forEach((from, c) => { image.data[4 * i + c] = from + part * (PALETTE[low + 1][c] - from); });
            image.data[4 * i + 3] = 190;
        });
        canvas.getContext("2d").putImageData(image, 0, 0);
        grid().querySelectorAll(".images-heat").forEach((old) => old.remove());
        host.append(canvas);
    }

    function bringIntoView(i) {
        const host = grid(), top = Math.floor(i / columns) * CELL;
        if (top < host.scrollTop) host.scrollTop = top;
        else if (top + CELL > host.scrollTop + host.clientHeight) host.scrollTop = top + CELL - host.clientHeight;
    }

    function move(to) {
        if (!order.length) return;
        focus = Math.min(Math.max(to, 0), order.length - 1);
        bringIntoView(focus);
        draw();
        one(focus);
        set("row", order[focus]);
    }

    function choose(i, isRange) {
        if (!order.length) return;
        const held = new Set(mine()), row = order[i];
        if (isRange && lastClick >= 0) {
            for (let k = Math.min(i, lastClick); k <= Math.max(i, lastClick); k += 1) held.add(order[k]);
        } else if (held.has(row)) held.delete(row);
        else held.add(row);
        lastClick = i;
        loupe.selection.set({items: about.items, ids: [...held]}, PAGE);
    }

    function key(event) {
        const steps = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -focus, End: order.length - 1 - focus,
            PageUp: -columns * Math.floor(grid().clientHeight / CELL), PageDown: columns * Math.floor(grid().clientHeight / CELL)};
        if (event.key in steps) move(focus + steps[event.key]);
        else if (event.key === " " || event.key === "Enter") choose(focus, event.shiftKey);
        else if (event.key === "Escape") loupe.selection.set({items: about.items, ids: []}, PAGE);
        else return;
        event.preventDefault();
        event.stopPropagation();
    }

    document.addEventListener("scroll", (event) => { if (event.target === grid()) plan(); }, true);
    document.addEventListener("click", (event) => {
        const hit = event.target instanceof Element ? event.target.closest("#images-grid .images-cell") : null;
        if (!hit) return;
        const i = Number(hit.dataset.place);
        choose(i, event.shiftKey);
        grid().focus({preventScroll: true});
        move(i);
    });
    document.addEventListener("keydown", (event) => { if (about && event.target === grid()) key(event); }, true);
    addEventListener("resize", () => { if (isHere() && about) { measure(); plan(); } });
    loupe.selection.onChange(() => {
        if (!isHere() || !about) return;
        // All was let go, or a link brought its selection later than its filter.
        if (values.marks === "selected" && Boolean(mine().length) !== Boolean(order.length)) show(values);
        draw();
        tell();
        loupe.imagesMap.mark(mine());
    });

    window.dash_clientside.loupe_images = {
        show(state) {
            const held = state && (state.values || state);
            if (!held) return window.dash_clientside.no_update;
            const isOther = !values || ["set", "label", "marks", "with", "by"].some((name) => held[name] !== values[name]) || !cells.size;
            if (isOther || !grid()?.firstElementChild) { if (!grid()?.firstElementChild) cells.clear(); show(held); }
            else values = held;
            return window.dash_clientside.no_update;
        },
    };
})(window.loupe);
