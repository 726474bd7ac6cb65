/* Insights: the open content. Its picture under two overlays, its text painted and edited in place. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, about, load, failed, set, value, rate, points, edit, isEdited, change} = loupe.insights;
    const paint = loupe.insightsPaint;
    const TYPED_MS = 180, PAINT_MS = 350, PX = 512;
    const LAYERS = [["plus", "Helps", "good"], ["minus", "Hurts", "bad"], ["grey", "Picture in grey", ""]];
    let shown = "", painted = "", timer = 0, typed = {}, paintTimer = 0;

    const title = (key) => key.charAt(0).toUpperCase() + key.slice(1).replaceAll("_", " ");
    /** A field as it now stands: what is being typed, what was edited, else what the content says. */
    const textOf = (key) => typed[key] ?? edit().fields[key] ?? now.content?.fields[key] ?? "";

    function step(values) {
        layers(values);
        content(values);
        attribution(values);
        follow();
        show();
    }

    // ---- what is open

    async function content({set: held, model, content: row}) {
        const wanted = [held, model, row].join(" ");
        if (Number(row) < 0 || shown === wanted) return;
        shown = wanted;
        painted = "";
        typed = {};
        now.painted = now.content = now.box = null;
        say("content", "loading", {keep: Boolean(at("insights-stage").childElementCount)});
        try {
            const found = await load("content", `/_insights/content?${loupe.insights.query(["content"])}`);
            if (shown !== wanted || !isHere()) return;
            now.content = found;
            stage(found);
            fields(found);
            say("content", "ready");
            loupe.insightsPage.run();
        } catch (error) {
            shown = "";
            failed("content", error);
        }
    }

    /** What the prediction is made of. Asked again a moment after the last key. */
    function attribution({set: held, model, method, content: row, edit: text}) {
        const wanted = [held, model, method, row, text].join(" ");
        if (!now.content || painted === wanted) return;
        painted = wanted;
        clearTimeout(paintTimer);
        paintTimer = setTimeout(async () => {
            try {
                const found = await load("content", "/_insights/attribution", {set: held, model, method, row: Number(row), draft: isEdited() ? edit() : null});
                if (painted !== wanted || !isHere()) return;
                now.painted = {...found, edit: text};
                say("content", "ready");
                told(found, method);
                show();
                loupe.insightsPage.run();
            } catch (error) {
                painted = "";
                failed("content", error);
            }
        }, now.painted && text ? PAINT_MS : 0);
    }

    function told(found, method) {
        const held = now.content, error = found.completeness_error;
        honest("content", [held.id, method.replaceAll("-", " "), Number.isFinite(error) ? `completeness error ${(100 * error).toFixed(error < 0.001 ? 3 : 1)} % before rescaling` : "",
            found.flagged ? "values were spread evenly: read them with care" : "", ...about()]);
        const {el} = loupe.dom, names = {text: "text", image: "picture", domain: "domain", features: "features"};
        const parts = Object.entries(names).filter(([key]) => Number.isFinite(found.modalities[key]));
        at("insights-sums").replaceChildren(el("span", {}, el("i", {}, "baseline"), el("b", {}, rate(found.baseline))),
            ...parts.map(([key, name]) => el("span", {"data-kind": loupe.insights.signed(found.modalities[key])}, el("i", {}, name), el("b", {}, points(found.modalities[key])))),
            el("span", {class: "insights-total"}, el("i", {}, "predicted"), el("b", {}, rate(found.prediction))));
    }

    // ---- overlays

    function layers(values) {
        const host = at("insights-layers"), {el} = loupe.dom;
        if (!host.childElementCount) {
            const toggle = ([key, name, kind]) => el("button", {type: "button", class: "insights-toggle", "data-layer": key, "data-kind": kind,
                onclick: () => set(key, !value(key))}, kind ? el("i", {"aria-hidden": "true"}) : null, name);
            const slider = (key, name) => el("label", {}, name, el("input", {type: "range", min: 0, max: 100, step: 1, "data-range": key, "aria-label": `${name} of the overlays, %`,
                oninput: (event) => { drawOverlay({...loupe.insights.values(), [key]: Number(event.target.value) / 100}); },
                onchange: (event) => set(key, Number(event.target.value) / 100)}));
            host.replaceChildren(...LAYERS.map(toggle), slider("opacity", "Opacity"), slider("threshold", "Threshold"));
        }
        host.querySelectorAll("[data-layer]").forEach((one) => one.setAttribute("aria-pressed", String(Boolean(values[one.dataset.layer]))));
        host.querySelectorAll("[data-range]").forEach((one) => {
            if (document.activeElement !== one) one.value = String(Math.round(100 * values[one.dataset.range]));
        });
    }

    function stage({image, row, id}) {
        const {el} = loupe.dom, host = at("insights-stage");
        host.hidden = !image;
        at("insights-layers").dataset.empty = String(!image);
        if (!image) return host.replaceChildren();
        host.replaceChildren(
            el("img", {src: loupe.insightsList.picture(row, PX), alt: `Picture of ${id}`, class: "insights-picture", width: PX, height: PX, draggable: "false"}),
            el("canvas", {id: "insights-overlay", class: "insights-over", width: PX, height: PX, role: "img", "aria-label": "What helps, in blue, and what hurts, in orange"}),
            el("div", {id: "insights-boxes", class: "insights-over"}));
        return loupe.insightsBoxes.bind(host);
    }

    function drawOverlay(values) {
        const canvas = at("insights-overlay");
        if (canvas) paint.overlay(canvas, now.painted?.map, values);
    }

    // ---- text

    function fields({fields: held}) {
        const {el} = loupe.dom;
        at("insights-text").replaceChildren(...Object.keys(held).map((key) => el("div", {class: "insights-field-row"},
            el("label", {for: `insights-field-${key}`}, title(key)),
            el("div", {class: "insights-paper"}, el("div", {class: "insights-ink", "data-field": key, "aria-hidden": "true", dir: "auto"}),
                el("textarea", {id: `insights-field-${key}`, "data-field": key, rows: 1, spellcheck: "false", dir: "auto", placeholder: "empty",
                    oninput: (event) => type(key, event.target.value)})))));
        Object.keys(held).forEach((key) => { at(`insights-field-${key}`).value = textOf(key); });
    }

    function type(key, text) {
        typed[key] = text;
        show();
        clearTimeout(timer);
        timer = setTimeout(commit, TYPED_MS);
    }

    /** What was typed becomes part of the state. */
    function commit() {
        clearTimeout(timer);
        const held = typed;
        typed = {};
        if (Object.keys(held).length && now.content) change((one) => Object.assign(one.fields, held));
    }

    /** The state has changed: text boxes that nobody is typing in follow it. */
    function follow() {
        document.querySelectorAll("#insights-text textarea").forEach((box) => {
            const text = textOf(box.dataset.field);
            if (typed[box.dataset.field] === undefined && box.value !== text) box.value = text;
        });
    }

    /** A word belongs to the phrase that is pointed at. */
    function lit(key) {
        const phrase = now.phrase.toLowerCase(), text = textOf(key).toLowerCase();
        if (!phrase) return null;
        const places = [];
        for (let i = text.indexOf(phrase); i >= 0; i = text.indexOf(phrase, i + 1)) places.push([i, i + phrase.length]);
        return (word) => places.some(([from, to]) => word.start < to && word.end > from);
    }

    function show() {
        if (!isHere() || !now.content) return;
        const rows = now.painted?.words || [], most = paint.top(rows);
        document.querySelectorAll("#insights-text .insights-ink").forEach((ink) => {
            const key = ink.dataset.field, text = textOf(key), own = rows.filter((row) => row.field === key);
            const fits = own.every((row) => text.slice(row.start, row.end) === row.text) && !isStale();
            paint.words(ink, text, fits ? own : paint.carried(text, own), most, lit(key));
        });
        drawOverlay(loupe.insights.values());
        at("insights-stage").dataset.grey = String(Boolean(value("grey")));
        loupe.insightsBoxes.show();
    }

    /** The paint is of an older text than the one shown. */
    const isStale = () => Object.keys(typed).length > 0 || now.painted?.edit !== value("edit");

    /** Put a phrase into the text: where the caret was last, else at the end of the first field. */
    function use(phrase) {
        const [first] = Object.keys(now.content?.fields || {}), last = at("insights-text").dataset.last || first;
        const box = at(`insights-field-${last}`) || at(`insights-field-${first}`);
        if (!box) return;
        const [from, to] = [box.selectionStart ?? box.value.length, box.selectionEnd ?? box.value.length];
        const before = box.value.slice(0, from), after = box.value.slice(to);
        const text = `${before}${before && !/\s$/.test(before) ? " " : ""}${phrase}${after && !/^[\s.,!?]/.test(after) ? " " : ""}${after}`;
        box.value = text;
        box.focus();
        const caret = text.length - after.length;
        box.setSelectionRange(caret, caret);
        typed[box.dataset.field] = text;
        show();
        commit();
        window.loupe.say(`“${phrase}” was put into the ${last}.`);
    }

    document.addEventListener("focusin", ({target}) => {
        if (target.matches?.("#insights-text textarea")) at("insights-text").dataset.last = target.dataset.field;
    });
    document.addEventListener("focusout", ({target}) => { if (target.matches?.("#insights-text textarea")) commit(); });
    loupe.insightsPage.onShow(step);
    loupe.insightsPage.onLeave((card) => {
        if (card && card !== "content") return;
        shown = painted = "";
        typed = {};
    });
    loupe.insightsContent = {use, show, textOf, title, commitNow: commit};
})(window.loupe);
