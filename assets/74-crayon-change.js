/* Crayon, Compare: test images before and after a run, the worst changes first. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, ask, percent, points} = loupe.crayon;
    const PAGE = 12;
    const FLIPS = {all: "all", lost: "right → wrong", won: "wrong → right", kept: "as before"};
    let listed = "";

    /** The chosen run, else the newest of Crayon, else the newest. */
    function chosen() {
        const done = loupe.crayonRuns.done(), key = loupe.crayon.value("run");
        return done.find((run) => run.key === key) || done.find((run) => now.facts.mandatory[run.method]) || done[0];
    }

    function choices(run) {
        const data = loupe.crayonRuns.done().map((one) => ({value: one.key, label: `${loupe.crayonRuns.name(one)}, ${one.epochs} epochs${one.collapsed ? ", collapsed" : ""}`}));
        loupe.crayon.setProps({type: "control", page: "crayon", key: "run"}, {data, placeholder: run ? loupe.crayonRuns.name(run) : "no run yet"});
    }

    async function show(values) {
        if (values.step !== "compare" || !now.runs || now.runs.set !== values.set) return;
        const run = chosen();
        if (!run) return;
        const {set, change, flip, after: offset} = values;
        const wanted = [set, run.key, change, flip, offset].join(" ");
        if (wanted === listed) return;
        listed = wanted;
        choices(run);
        say("change", "loading", {keep: Boolean(at("crayon-change-list").childElementCount)});
        try {
            const held = await ask(`/_crayon/change?${new URLSearchParams({set, run: run.key, change, flip, offset, n: PAGE})}`);
            if (wanted !== listed || !isHere()) return;
            chips(held.counts, flip);
            at("crayon-change-list").replaceChildren(...held.items.map(pair));
            pages(held);
            say("change", "ready");
            if (!held.total) at("crayon-change-list").replaceChildren(loupe.dom.el("p", {class: "lp-muted"}, `No test image went ${FLIPS[flip]}.`));
            honest("change", [`${held.total} of ${held.counts.all} test images`, `${held.counts.lost} right → wrong, ${held.counts.won} wrong → right`, loupe.crayonRuns.name(run),
                run.key.slice(0, 8), now.told?.set?.title, "measured here"]);
        } catch (error) {
            listed = "";
            if (isHere()) say("change", "failed", {message: error.message, hint: error.hint});
        }
    }

    function chips(counts, flip) {
        const {el} = loupe.dom;
        at("crayon-flips").replaceChildren(...Object.entries(FLIPS).map(([key, name]) => el("button", {type: "button", class: "crayon-chip", "data-flip": key, "aria-pressed": String(key === flip)}, name,
            el("span", {class: "lp-muted"}, String(counts[key])))));
    }

    function pair(item, i) {
        const {el} = loupe.dom, {before, after} = item;
        const picture = (side, name) => el("img", {src: side.panels.red, alt: `${item.name}, map ${name}`, class: "crayon-map", loading: "lazy", decoding: "async", width: 128, height: 128});
        const said = (side) => el("span", {class: side.right ? "crayon-right" : "crayon-wrong"}, el("i", {"aria-hidden": "true"}, side.right ? "✓" : "✗"), ` ${side.pred}`);
        const row = (name, from, to) => el("span", {class: "crayon-delta"}, el("span", {class: "lp-muted"}, name), `${percent(from ?? NaN, 0)} → ${percent(to ?? NaN, 0)}`,
            el("b", {"data-sign": Math.abs(to - from) >= 0.005 ? Math.sign(to - from) : null}, from === null || to === null ? "" : points(to - from, 0)));
        const isChosen = loupe.selection.current().ids.includes(item.id) && loupe.selection.current().items === `crayon:${loupe.crayon.value("set")}`;
        return el("button", {type: "button", role: "option", class: "crayon-item crayon-pair-item", "data-item": item.id, tabindex: i ? -1 : 0, "aria-selected": String(isChosen), title: item.name},
            el("span", {class: "crayon-two"}, el("span", {}, picture(before, "before"), said(before)), el("span", {}, picture(after, "after"), said(after))),
            el("span", {class: "lp-muted"}, item.group), row("probability", before.truth, after.truth), row("energy", before.energy, after.energy));
    }

    function pages({total, offset}) {
        const {el} = loupe.dom;
        const go = (from, name, label) => el("button", {type: "button", class: "plot-card-button", disabled: from < 0 || from >= total, "aria-label": label, onclick: () => loupe.crayon.set("after", from)}, name);
        at("crayon-change-pages").replaceChildren(go(offset - PAGE, "‹ Previous", "Previous changes"), el("span", {class: "lp-muted"}, total ? `${offset + 1}–${Math.min(total, offset + PAGE)} of ${total}` : ""),
            go(offset + PAGE, "Next ›", "Next changes"));
    }

    document.addEventListener("click", (event) => {
        const chip = event.target.closest?.("#crayon-flips [data-flip]");
        if (!chip) return;
        loupe.crayon.set("after", 0);
        loupe.crayon.set("flip", chip.dataset.flip);
    });
    loupe.crayonPage.onShow(show);
    loupe.crayonRuns.onChange((_held, view) => { if (!view && isHere()) { if (loupe.crayon.value("step") === "compare") { listed = ""; show(loupe.crayon.values()); } } });
    loupe.crayonPage.onLeave(() => { listed = ""; });
})(window.loupe);
