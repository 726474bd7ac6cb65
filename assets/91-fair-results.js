/* Fair retrieval: the two grids, their counts, and the shares of the groups as a grid is scrolled. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, set, honest, percent, signed, names, about, onAnswer} = loupe.fair;
    const SIDES = ["before", "after"], MARKS = ["", "n/a", ""];
    const SHOWN = {p: (v) => Number(v).toFixed(2), share: (v) => percent(v), margin: (v) => Number(v).toFixed(1), k: String, dropped: String};
    const NEEDS = {p: /pbm/, margin: /pbm/, dropped: /^mi/};

    /** Sliders say their value; those that the method does not read are hidden, their place kept. */
    function settings(values) {
        Object.entries(SHOWN).forEach(([key, text]) => { const said = at(`fair-${key}-said`); if (said) said.textContent = text(values[key]); });
        Object.entries(NEEDS).forEach(([key, form]) => at(`fair-${key}-box`)?.toggleAttribute("hidden", !form.test(values.method) || (key === "margin" && values.predictor === "truth")));
        at("fair-share-box")?.toggleAttribute("hidden", Boolean(values.own));
        const field = at("fair-typed");
        if (field && document.activeElement !== field && field.value !== values.typed) field.value = values.typed;
    }

    const colour = (group) => now.pool.colours[group + 1];

    /** Where a picture lies on the sheet, as a style. */
    function cut(id, px) {
        const {columns, side_px: side} = now.pool.sheet, scale = px / side, rows = Math.ceil(now.pool.n / columns);
        return `background-image:url(/_fair/people.webp?v=${now.pool.fingerprint.slice(0, 16)});background-size:${columns * side * scale}px ${rows * side * scale}px;` +
            `background-position:${-(id % columns) * side * scale}px ${-Math.floor(id / columns) * side * scale}px`;
    }
    const caption = (id) => `${now.pool.activities[now.pool.activity[id]]}: ${now.pool.looks[id]}`;

    function tile(side, place, values) {
        const {el} = loupe.dom, id = side.ids[place], group = side.groups[place], said = side.predicted[place], own = Boolean(values.own);
        const what = own ? now.told.labels[id] || String(id) : caption(id);
        const says = `${place + 1}. ${what}; similarity ${side.scores[place].toFixed(3)}; ${names()[group + 1]}, predicted ${names()[said + 1]}`;
        const isRight = !side.is_relevant || side.is_relevant[place];
        return el("button", {type: "button", role: "listitem", class: "fair-tile", "data-id": id, "data-place": place, title: says, "aria-label": says,
            "data-wrong": said === group ? null : "", "data-other": isRight ? null : "", style: `--group:${colour(group)};--said:${colour(said)}`},
            own && now.told.pictures ? el("img", {class: "fair-picture", src: `${now.told.pictures}/${id}.png`, alt: "", width: 64, height: 64, loading: "lazy"}) :
            own ? el("span", {class: "fair-own-item"}, what) : el("span", {class: "fair-picture", style: cut(id, 64)}),
            el("span", {class: "fair-dot", "aria-hidden": "true"}, MARKS[said + 1]));
    }

    function bar(name, counts, total) {
        const {el} = loupe.dom, order = [2, 1, 0], said = order.map((i) => `${counts[i]} ${names()[i]}`).join(", ");
        at(`fair-${name}-bar`).replaceChildren(...order.filter((i) => counts[i]).map((i) => el("i", {style: `flex:${counts[i]};background:${now.pool.colours[i]}`, title: `${counts[i]} of ${total}: ${names()[i]}`},
            counts[i] / total > 0.06 ? String(counts[i]) : "")));
        at(`fair-${name}-bar`).setAttribute("aria-label", said);
    }

    function side(name, values, told) {
        const one = told[name];
        at(`fair-${name}`).replaceChildren(...one.ids.map((_, place) => tile(one, place, values)));
        const {el} = loupe.dom, said = at(`fair-${name}-sum`);
        said.replaceChildren(el("b", {}, `Bias ${signed(one.bias)}`), ` · |B| ${Math.abs(one.bias).toFixed(2)}`,
            one.recall === undefined ? "" : ` · recall ${percent(one.recall)} of ${told.relevant}`);
        bar(name, one.counts, one.ids.length);
        seen(name, one.ids.length);
    }

    /** Shares among what has been scrolled past, from the top. */
    function seen(name, count) {
        const {curve, shares} = now.told[name], place = Math.max(1, Math.min(count, shares.length)) - 1;
        const part = (i) => `${Math.round(shares[place][i] * (place + 1))} ${names()[i]}`;
        at(`fair-${name}-seen`).textContent = `First ${place + 1}: ${part(2)} · ${part(0)} · ${part(1)} · bias ${signed(curve[place])}`;
    }
    function scrolled(name) {
        const grid = at(`fair-${name}`);
        if (!grid || !now.told) return;
        const bottom = grid.getBoundingClientRect().bottom - 8, tiles = [...grid.children];
        const isAll = grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 4;
        seen(name, isAll ? tiles.length : tiles.filter((one) => one.getBoundingClientRect().top < bottom - 24).length);
    }

    function show(values, told) {
        const method = at(JSON.stringify({key: "method", page: "fair", type: "control"}))?.value || "";
        at("fair-after-title").textContent = `After: ${method || "balanced"}`;
        SIDES.forEach((name) => side(name, values, told));
        at("fair-note").textContent = [told.note, told.neutral === false ? "This query names a group: balancing it may go against what was asked." : ""].filter(Boolean).join(" ");
        const [minus, none, plus] = told.pool;
        honest("fair-results", [`“${told.query}”`, `${told.k} of ${told.n.toLocaleString("en-US")}`, `pool: ${plus} ${names()[2]}, ${minus} ${names()[0]}, ${none} ${names()[1]}`,
            values.predictor === "truth" ? "selected and measured by true groups" : "selected by predicted groups, measured by true ones", ...about()]);
        mark();
    }

    /** What is selected anywhere is marked in both grids. */
    function mark() {
        if (!isHere() || !now.told) return;
        const held = loupe.selection.current(), ids = new Set(held.items === "people" ? held.ids : []);
        document.querySelectorAll("#fair-page .fair-tile").forEach((one) => one.toggleAttribute("data-marked", ids.has(Number(one.dataset.id))));
        SIDES.forEach((name) => at(`fair-${name}`)?.toggleAttribute("data-marking", ids.size > 0));
    }

    document.addEventListener("click", (event) => {
        const one = event.target.closest?.("#fair-page .fair-tile");
        if (!one || loupe.fair.values().own) return;
        const id = Number(one.dataset.id), held = loupe.selection.current(), ids = held.items === "people" ? held.ids : [];
        loupe.selection.set({items: "people", ids: ids.includes(id) ? ids.filter((other) => other !== id) : [...ids, id]}, "fair");
    });
    document.addEventListener("scroll", (event) => { const name = /^fair-(before|after)$/.exec(event.target.id || ""); if (name) scrolled(name[1]); }, true);
    document.addEventListener("keydown", (event) => {
        const one = event.target.closest?.("#fair-page .fair-tile"), by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
        if (!one || !by) return;
        const next = by > 0 ? one.nextElementSibling : one.previousElementSibling;
        if (next) { event.preventDefault(); next.focus(); }
    });
    document.addEventListener("submit", (event) => {
        if (event.target.id !== "fair-typed-form") return;
        event.preventDefault();
        set("typed", at("fair-typed").value.trim());
    });
    document.addEventListener("change", (event) => { if (event.target.id === "fair-typed") set("typed", event.target.value.trim()); });
    onAnswer(show);
    loupe.selection.onChange(mark);
    loupe.fairResults = {settings, cut, caption, mark};
})(window.loupe);
