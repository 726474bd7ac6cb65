/* Modality gap: the slider. One small request a move, the newest wins; the curve lies under it. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {PAGE, now, at, isHere, set, value, say, honest, named, ask, load, failed, query, focus, number, percent, count, draw, drawn, plot} = loupe.gap;
    const TOPS = ["1", "5", "10"], STEPS = 300, REST_MS = 120, MOST_BARS = 8;
    let wanted = "", curve = null, next = null, isAsking = false, shown = null, resting = 0;
    const rate = {updates: 0, since: 0};

    async function step(values) {
        const held = focus();
        if (!held) return;
        const mine = `${held.key} ${values.top}`;
        if (mine === wanted) {
            if (curve && shown?.delta !== values.delta) move(values.delta);
            return;
        }
        wanted = mine;
        say("slider", "loading", {keep: Boolean(curve)});
        try {
            const found = await load("slider", `/_gap/sweep?${query({space: held.key, top: values.top})}`, () => mine === wanted);
            if (mine !== wanted || !isHere() || !found.points) return;
            curve = {...found, key: held.key};
            draw("sweep-graph", found.figure);
            handle();
            move(value("delta"));
            say("slider", "ready");
            honest("slider", [found.n < held.n ? `${count(found.n)} of ${count(held.n)} pairs, drawn with seed 0: recall among so few` : `${count(held.n)} pairs`, `${found.points.length} shifts from −1 to 2 gaps`, named(held), "best shift chosen on these pairs", "measured here"]);
        } catch (error) {
            if (mine !== wanted) return;
            wanted = "";
            failed("slider", error);
        }
    }

    const ends = () => [curve.points[0].delta, curve.points.at(-1).delta];

    function handle() {
        const {el} = loupe.dom, [low, high] = ends(), best = curve.points[curve.best], share = (delta) => `${(100 * (delta - low)) / (high - low)}%`;
        const slide = el("input", {type: "range", id: `${PAGE}-delta`, min: low, max: high, step: (high - low) / STEPS, "aria-label": "Shift along the gap vector",
            oninput: () => move(Number(slide.value)), onchange: () => set("delta", Number(Number(slide.value).toFixed(4)))});
        slide.value = value("delta");
        const jump = (delta, label, tip) => el("button", {type: "button", class: "lp-btn", title: tip, onclick: () => { slide.value = delta; set("delta", Number(delta.toFixed(4))); move(delta); }}, label);
        const top = el("select", {class: "lp-field", "aria-label": "K of recall at K", onchange: ({target}) => set("top", target.value)}, ...TOPS.map((k) => el("option", {value: k, selected: String(curve.top) === k}, `R@${k}`)));
        const mark = (delta, name) => el("span", {style: `left:${share(delta)}`}, name);
        at("handle").replaceChildren(el("div", {class: "gap-track"}, slide, el("div", {class: "gap-marks", "aria-hidden": "true"}, mark(0, "as it is"), mark(curve.gap, "centres meet"))),
            el("div", {class: "gap-jumps"}, jump(0, "As it is", "No shift"), jump(curve.gap, "Close the gap", "Shift by the whole gap: the centres meet"), jump(best.delta, "Best", "The shift with the highest text-to-image recall"), top));
    }

    /** Ask for one place; while an answer is out, only the newest place waits. */
    function move(delta) {
        next = Number(delta) || 0;
        if (!isAsking) run();
    }

    /** The next answer is worked out while the last one is drawn. */
    async function run() {
        if (!curve || !isHere()) return;
        const one = () => {
            const delta = next, {key} = curve;
            next = null;
            return ask(`/_gap/at?${query({space: key, delta})}`).then((point) => ({point, key}));
        };
        isAsking = true;
        try {
            for (let asked = one(); asked; ) {
                const {point, key} = await asked;
                asked = next !== null && isHere() && curve ? one() : null;
                if (curve?.key === key && isHere()) told(point);
                if (!asked && next !== null && isHere() && curve) asked = one();
            }
        } catch (error) {
            if (isHere()) loupe.notify({kind: "error", title: "The shift could not be computed", message: error.message, hint: error.hint});
        }
        isAsking = false;
    }

    function told(point) {
        const {el} = loupe.dom, still = curve.points.reduce((a, b) => (Math.abs(b.delta) < Math.abs(a.delta) ? b : a)), k = String(curve.top);
        shown = point;
        rate.updates += 1;
        const change = (one, before, isGood, digits = 1, unit = 100) => {
            const by = unit * (one - before), text = Math.abs(by).toFixed(digits);
            return el("span", {class: "gap-change", "data-kind": Number(text) === 0 ? "none" : (by > 0) === isGood ? "good" : "bad"}, Number(text) === 0 ? "no change" : `${by > 0 ? "+" : "−"}${text}`);
        };
        const fact = (name, text, delta) => el("div", {}, el("dt", {}, name), el("dd", {}, text, delta));
        const both = [["text_to_image", "text → image"], ["image_to_text", "image → text"]];
        at("now").replaceChildren(el("dl", {class: "gap-facts"}, fact("shift", number(point.delta), null), fact("centroid gap", number(point.gap), change(point.gap, still.gap, false, 3, 1)),
            ...both.map(([way, name]) => fact(`${name} R@${k}`, percent(point.recall[way][k]), change(point.recall[way][k], still.recall[way][k], true))),
            point.accuracy === null ? fact("zero-shot", "–", el("span", {class: "gap-change"}, "no classes")) : fact("zero-shot", percent(point.accuracy), change(point.accuracy, still.accuracy, true)),
            fact("loss", number(point.loss), change(point.loss, still.loss, false, 3, 1))), ...groups(point, still));
        const slide = document.getElementById(`${PAGE}-delta`);
        if (slide && document.activeElement !== slide) slide.value = point.delta;
        cursor(point.delta);
    }

    function groups(point, still) {
        const {el} = loupe.dom, all = Object.keys(point.by_group).filter(Boolean), names = all.slice(0, MOST_BARS), first = Object.keys(point.recall.text_to_image)[0];
        if (!names.length) return [];
        const bar = (name) => el("div", {class: "gap-bar"}, el("span", {}, name), el("i", {style: `--share:${point.by_group[name]};--still:${still.by_group[name]}`}), el("b", {}, percent(point.by_group[name])));
        return [el("div", {class: "gap-groups"}, el("h4", {}, `text → image R@${first} by group`), ...names.map(bar),
            all.length > names.length ? el("p", {class: "lp-muted lp-small"}, `${all.length - names.length} more in the table`) : null)];
    }

    /** The line of the slider over the curve: while it moves an element of its own, since plotly draws the whole figure anew
     * for a line; once it rests, a line of the figure. */
    async function cursor(delta) {
        const graph = plot("sweep-graph")?.layout?.shapes?.length ? plot("sweep-graph") : await drawn("sweep-graph", curve.figure);
        if (!graph?.layout?.shapes?.length || !isHere()) return;
        const {l, t, w, h} = graph._fullLayout._size, axis = graph._fullLayout.xaxis, x = l + axis.l2p(delta);
        graph.classList.add("is-moving");
        const line = graph.querySelector(".gap-cursor") || graph.appendChild(loupe.dom.el("i", {class: "gap-cursor", "aria-hidden": "true"}));
        line.hidden = x < l || x > l + w;
        line.style.cssText = `left:${x}px;top:${t}px;height:${h}px`;
        clearTimeout(resting);
        resting = setTimeout(() => rest(graph, delta), REST_MS);
        if (graph.dataset.bound) return;
        graph.dataset.bound = "true";
        graph.on("plotly_click", ({points: [point]}) => { if (point) set("delta", Number(point.x.toFixed(4))); });
    }

    function rest(graph, delta) {
        if (!isHere() || !graph.isConnected) return;
        graph.classList.remove("is-moving");
        graph.querySelector(".gap-cursor")?.remove();
        window.Plotly.relayout(graph, {"shapes[0].x0": delta, "shapes[0].x1": delta});
    }

    document.addEventListener("loupe:gap-theme", () => {
        if (!curve) return;
        draw("sweep-graph", curve.figure);
        if (shown) setTimeout(() => cursor(shown.delta), 200);
    });
    loupe.gapPage.onShow(step);
    loupe.gapPage.onLeave((card) => {
        if (card && card !== "slider") return;
        wanted = "";
        next = null;
        if (!card) curve = shown = null;
    });
    loupe.gapSlider = {move, rate, at: () => shown, curve: () => curve};
})(window.loupe);
