/* Insights: places of the picture. The strongest patches are framed; any place can be drawn, blanked or swapped. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, points, edit, change} = loupe.insights;
    const CELLS = 16; // attributions and edits share this grid
    const PX = 512, FRAMED = 5; // of the strongest patches
    let drag = null;

    const same = (a, b) => Boolean(a && b) && a.every((one, i) => Math.abs(one - b[i]) < 1e-6);
    const place = ([x, y, w, h]) => `left:${100 * x}%;top:${100 * y}%;width:${100 * w}%;height:${100 * h}%`;

    /** A part of a content's picture. */
    const cut = (row, box) => loupe.dom.el("img", {src: loupe.insightsList.part(row, box), alt: "", class: "insights-cut", loading: "lazy", decoding: "async", draggable: "false", width: 64, height: 64});

    /** Mean attribution of a place, from the map. */
    function worth([x, y, w, h]) {
        const map = now.painted?.map;
        if (!map) return NaN;
        const [rows, columns] = map.shape;
        let sum = 0;
        for (let r = Math.floor(y * rows); r < Math.round((y + h) * rows); r += 1) {
            for (let c = Math.floor(x * columns); c < Math.round((x + w) * columns); c += 1) sum += map.values[r * columns + c];
        }
        return sum;
    }

    function show() {
        const host = at("insights-boxes"), {el} = loupe.dom;
        if (!host) return;
        const patches = (now.painted?.patches || []).slice(0, FRAMED).filter(({box}) => !same(box, now.box));
        const frame = ({box, value}, i) => el("button", {type: "button", class: "insights-box", style: place(box), "data-kind": loupe.insights.signed(value),
            title: `Patch ${i + 1}: ${points(value, 3)} points`, "aria-label": `Patch ${i + 1}, ${points(value, 3)} points: choose it`, onclick: () => choose(box)});
        const focused = document.activeElement?.closest?.(".insights-box")?.getAttribute("style");
        host.replaceChildren(...patches.map(frame), ...(now.box ? [el("div", {class: "insights-box", "data-chosen": "true", style: place(now.box)})] : []));
        if (focused) [...host.children].find((one) => one.getAttribute("style") === focused)?.focus();
        redraw();
        actions();
    }

    /** The picture follows the edit; the one before stays until the new one is there. */
    function redraw() {
        const shown = document.querySelector("#insights-stage > .insights-picture"), row = now.content?.row;
        if (!shown || !now.content.image) return;
        const address = loupe.insights.isEdited() ? loupe.insightsList.drawn(row, edit(), PX) : loupe.insightsList.picture(row, PX);
        if (shown.dataset.wanted === address) return;
        shown.dataset.wanted = address;
        const next = new Image();
        next.onload = () => { if (shown.dataset.wanted === address) shown.src = address; };
        next.src = address;
    }

    function actions() {
        const {el, icon} = loupe.dom, stage = at("insights-stage");
        let bar = at("insights-place");
        if (!bar) stage.append(bar = el("div", {id: "insights-place", class: "insights-place"}));
        if (!now.box) {
            bar.replaceChildren(el("span", {class: "lp-muted"}, "Press a framed patch, or draw a place, to change it."));
            return;
        }
        const button = (text, title, onclick, disabled) => el("button", {type: "button", class: "plot-card-button", title, disabled, onclick}, text);
        const held = now.cluster;
        bar.replaceChildren(el("span", {}, "Chosen place ", el("b", {"data-kind": loupe.insights.signed(worth(now.box))}, `${points(worth(now.box), 3)} points`)),
            button("Blank it", "Cover this place with the colour around it", () => add({op: "blank", box: now.box})),
            button(held ? "Swap in the chosen patch" : "Swap…", held ? "Put the patch chosen below into this place" : "Choose a patch under Patches first",
                () => (held ? add({op: "swap", box: now.box, from: held.row, from_box: held.box}) : loupe.insights.set("view", "patches"))),
            el("button", {type: "button", class: "lp-iconbtn lp-iconbtn-sm", "aria-label": "Choose no place", title: "Choose no place", onclick: () => choose(null)}, icon("x")));
    }

    function add(one) {
        change((held) => { held.edits = [...held.edits.filter(({box}) => !same(box, one.box)), one]; });
    }

    function choose(box) {
        now.box = box;
        show();
    }

    // ---- drawing a place, on the grid

    const snapped = (share) => Math.min(CELLS, Math.max(0, share * CELLS));

    function boxOf({from, to}) {
        const [x0, x1] = [from[0], to[0]].sort((a, b) => a - b), [y0, y1] = [from[1], to[1]].sort((a, b) => a - b);
        const left = Math.min(CELLS - 1, Math.floor(x0)), upper = Math.min(CELLS - 1, Math.floor(y0));
        const right = Math.max(left + 1, Math.ceil(x1)), lower = Math.max(upper + 1, Math.ceil(y1));
        return [left, upper, right - left, lower - upper].map((one) => one / CELLS);
    }

    function bind(stage) {
        const where = (event) => {
            const {left, top, width, height} = at("insights-boxes").getBoundingClientRect();
            return [snapped((event.clientX - left) / width), snapped((event.clientY - top) / height)];
        };
        const over = at("insights-boxes");
        over.onpointerdown = (event) => {
            if (event.button || event.target !== over) return;
            drag = {from: where(event), to: where(event)};
            over.setPointerCapture(event.pointerId);
        };
        over.onpointermove = (event) => {
            if (!drag) return;
            drag.to = where(event);
            choose(boxOf(drag));
        };
        over.onpointerup = () => {
            if (drag) choose(boxOf(drag));
            drag = null;
        };
        over.onpointercancel = () => { drag = null; };
        return stage;
    }

    document.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && isHere() && now.box && !event.target.closest?.("textarea, input, [role=dialog]")) choose(null);
    });

    loupe.insightsBoxes = {show, bind, cut, choose, add, worth, same};
})(window.loupe);
