/* Insights: the brief. Picked insights with the user's own words: a form at the left, the sheet at the right, and the
   sheet as one HTML file that needs no network and prints on paper. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, honest, set, value, rate, points, signed, count, printable, isEdited, edit} = loupe.insights;
    const MOST = 40, WRITE_MS = 400;
    let timer = 0, pending = null, drawn = "";
    let written = null; // {held, before}: given to the state, which takes it up a moment later

    const EMPTY = () => ({title: "", note: "", pins: []});
    function brief() {
        if (pending) return structuredClone(pending);
        if (written) return structuredClone(written.held);
        try {
            const held = {...EMPTY(), ...JSON.parse(value("brief") || "{}")};
            return {...held, pins: (Array.isArray(held.pins) ? held.pins : []).filter((one) => one && typeof one === "object").slice(0, MOST)};
        } catch (_damaged) {
            return EMPTY();
        }
    }

    /** Keep a brief: at once, or a moment after the last key. */
    function keep(held, later) {
        pending = held;
        clearTimeout(timer);
        if (later) timer = setTimeout(flush, WRITE_MS);
        else flush();
        sheet(held);
        tally(held);
    }

    /** What was typed becomes part of the state now: before an undo, or a file, asks for it. */
    function flush() {
        clearTimeout(timer);
        const held = pending;
        pending = null;
        if (!held) return;
        drawn = held.title || held.note || held.pins.length ? printable(held) : "";
        const before = value("brief") || "";
        written = drawn === before ? null : {held, before};
        set("brief", drawn);
    }

    const nameOf = (one) => ({phrase: () => `phrase ${one.text}`, patch: () => `group ${one.cluster}`, edit: () => `edit ${one.set} ${one.row} ${JSON.stringify(one.draft)}`}[one.kind] || (() => ""))();

    function pin(one) {
        const held = brief(), key = `${nameOf(one)} ${value("set")} ${value("domain")}`;
        if (held.pins.some((other) => other.key === key)) return loupe.card.say("That is in the brief already.", "hold");
        if (held.pins.length >= MOST) return loupe.card.say(`A brief holds ${MOST} insights.`, "hold");
        held.pins.push({...one, key, set: value("set"), domain: domainTitle(), note: ""});
        keep(held);
        form(held);
        return loupe.card.say("Pinned to the brief");
    }

    /** The present edit as it was predicted. */
    function pinEdit() {
        loupe.insightsContent.commitNow();
        if (!now.content || !isEdited()) return;
        const {predicted, draft, delta, delta_low: low, delta_high: high} = now.predicted || {};
        const texts = Object.entries(edit().fields).map(([key, to]) => ({key, from: now.content.fields[key] ?? "", to}));
        pin({kind: "edit", row: now.content.row, id: now.content.id, image: Boolean(now.content.image), texts, features: edit().features, places: edit().edits.length, draft: edit(),
            predicted, before: draft?.predicted, score: delta, low, high});
    }

    function domainTitle() {
        const held = now.told?.set.domains[Number(value("domain"))];
        return held ? held.title : "all domains";
    }

    function tally(held) {
        const badge = at("insights-brief-count");
        if (!badge) return;
        badge.textContent = String(held.pins.length);
        badge.toggleAttribute("data-on", held.pins.length > 0);
        ["save", "print"].forEach((name) => { at(`insights-brief-${name}`).disabled = !held.pins.length && !held.title && !held.note; });
    }

    // ---- the form

    function labelOf(one) {
        if (one.kind === "phrase") return `${one.score < 0 ? "Avoid" : "Use"}: “${one.text}”`;
        if (one.kind === "patch") return `${one.score < 0 ? "Avoid" : "Use"} pictures like these`;
        return `Change of ${one.id}`;
    }

    function form(held) {
        const {el, iconButton} = loupe.dom;
        const area = (text, name, oninput, rows) => {
            const box = el("textarea", {class: "lp-field", rows, "aria-label": name, placeholder: name, oninput: (event) => oninput(event.target.value)});
            box.value = text;
            return box;
        };
        const row = (one, i) => el("li", {}, el("div", {}, el("b", {dir: "auto"}, labelOf(one)), iconButton("x", `Take out: ${labelOf(one)}`, () => {
            const all = brief();
            all.pins.splice(i, 1);
            keep(all);
            form(all);
        })), area(one.note || "", "Why, in your words", (text) => { const all = brief(); all.pins[i].note = text; keep(all, true); }, 2));
        const title = el("input", {class: "lp-field", "aria-label": "Title of the brief", placeholder: "Title of the brief", maxlength: 120, oninput: (event) => keep({...brief(), title: event.target.value}, true)});
        title.value = held.title;
        at("insights-brief-form").replaceChildren(title, area(held.note, "What is it for?", (text) => keep({...brief(), note: text}, true), 3),
            held.pins.length ? el("ul", {}, ...held.pins.map(row)) : el("p", {class: "lp-muted"}, "Nothing is picked yet: press the pin beside a phrase, a group of patches, or a change."));
    }

    // ---- the sheet

    const ends = (one) => (Number.isFinite(one.low) ? ` (95 % interval ${points(one.low)} to ${points(one.high)})` : "");
    function evidence(one) {
        const n = Number.isFinite(one.n) ? `, ${count(one.n)} ${one.kind === "patch" ? "patches" : "contents"}` : "";
        if (one.kind === "edit") return `Predicted ${rate(one.before)} → ${rate(one.predicted)}: ${points(one.score)} points${ends(one)}`;
        return `${points(one.score)} points on average${ends(one)}${n}`;
    }

    function body(one) {
        const {el} = loupe.dom, parts = [];
        if (one.kind === "patch" && one.set === value("set")) parts.push(el("div", {class: "insights-sheet-cuts"}, ...one.patches.map(({row, box}) => loupe.insightsBoxes.cut(row, box))));
        if (one.kind === "edit") {
            if (one.image && one.set === value("set")) parts.push(el("img", {class: "insights-sheet-picture", src: loupe.insightsList.drawn(one.row, one.draft, 512), alt: `Picture of ${one.id}, as edited`}));
            parts.push(...one.texts.map(({key, from, to}) => el("p", {}, el("em", {}, `${loupe.insightsContent.title(key)}: `), el("del", {dir: "auto"}, from || "(empty)"), " → ", el("ins", {dir: "auto"}, to || "(empty)"))));
            parts.push(...Object.entries(one.features || {}).map(([key, to]) => el("p", {}, el("em", {}, `${loupe.insightsContent.title(key)}: `), String(to))));
            if (one.places) parts.push(el("p", {}, `${one.places} place${one.places > 1 ? "s" : ""} of the picture changed`));
        }
        return parts;
    }

    function section(one) {
        const {el} = loupe.dom;
        return el("section", {}, el("h3", {dir: "auto", "data-kind": signed(one.score)}, labelOf(one)), el("p", {class: "insights-sheet-evidence"}, `${one.domain}: ${evidence(one)}`), ...body(one),
            one.note ? el("p", {class: "insights-sheet-note", dir: "auto"}, one.note) : null, ...(one.warnings || []).map((text) => el("p", {class: "insights-sheet-warning"}, text)));
    }

    function sheet(held) {
        const {el} = loupe.dom, host = at("insights-brief-sheet");
        if (!host || !now.told) return;
        const {set: of, model} = now.told, good = held.pins.filter((one) => one.kind !== "edit" && one.score >= 0), bad = held.pins.filter((one) => one.kind !== "edit" && one.score < 0);
        const group = (name, rows) => (rows.length ? [el("h2", {}, name), ...rows.map(section)] : []);
        const trust = now.trust && now.trust.score !== null ? ` · Trust Score ${Math.round(now.trust.score)} of 100${now.trust.scope || ""} (${count(now.trust.n)} pairs)` : "";
        host.replaceChildren(el("h1", {dir: "auto"}, held.title || "Brief"), el("p", {class: "insights-sheet-meta"}, `${new Date().toLocaleDateString("en-GB", {dateStyle: "long"})} · ${of.title}${model ? ` · ${model.title} ${String(model.fingerprint).slice(0, 8)}` : ""}${trust}`),
            ...(of.simulated ? [el("p", {class: "insights-sheet-warning"}, "Simulated: the success behind these numbers was drawn from a formula, not measured on people.")] : []),
            ...(held.note ? [el("p", {class: "insights-sheet-lede", dir: "auto"}, held.note)] : []),
            ...group("Use", good), ...group("Avoid", bad), ...group("Changes to test", held.pins.filter((one) => one.kind === "edit")),
            ...(held.pins.length ? [el("p", {class: "insights-sheet-foot"}, "Insights are correlations in past contents as a model sees them. Test a change before you rely on it. Points are percentage points of success.")] : [el("p", {class: "lp-muted"}, "The brief is written here.")]));
        honest("brief", [`${held.pins.length} insights`, ...loupe.insights.about()]);
    }

    // ---- the file

    const STYLE = `:root{color-scheme:light dark;--text:#1a1e24;--muted:#5a6370;--line:#dfe2e7;--paper:#fff;--good:#2f6fdb;--bad:#b05a0a}
@media(prefers-color-scheme:dark){:root{--text:#e4e7eb;--muted:#98a2ae;--line:#2c333b;--paper:#171b20;--good:#7aa7f2;--bad:#e0954a}}
body{max-width:46rem;margin:2rem auto;padding:0 1.25rem;font:15px/1.55 "Inter Variable",system-ui,sans-serif;color:var(--text);background:var(--paper)}
h1{font-size:24px;line-height:30px;margin:0}h2{font-size:17px;margin:28px 0 8px;padding-bottom:4px;border-bottom:1px solid var(--line)}h3{font-size:15px;margin:16px 0 2px}p{margin:2px 0}
section{break-inside:avoid}.insights-sheet-meta,.insights-sheet-evidence,.insights-sheet-foot{color:var(--muted);font-size:13px}.insights-sheet-foot{margin-top:28px;padding-top:8px;border-top:1px solid var(--line)}
.insights-sheet-lede{margin-top:12px;font-size:16px;white-space:pre-wrap}.insights-sheet-note{margin-top:6px;padding-left:10px;border-left:3px solid var(--line);white-space:pre-wrap}
.insights-sheet-warning{margin-top:4px;color:var(--bad);font-size:13px}[data-kind=good]{color:var(--good)}[data-kind=bad]{color:var(--bad)}del{color:var(--muted)}ins{text-decoration:none;font-weight:600}
.insights-sheet-cuts{display:flex;gap:8px;margin:8px 0}.insights-sheet-cuts img{width:96px;height:96px;border-radius:4px}.insights-sheet-picture{width:240px;height:auto;margin:8px 0;border-radius:4px}
@media print{body{margin:0;max-width:none;background:none;color:#000}}`;

    /** The sheet as one HTML document. */
    async function build() {
        const copy = at("insights-brief-sheet").cloneNode(true);
        for (const image of copy.querySelectorAll("img")) image.setAttribute("src", await loupe.image.dataUrl(image.src));
        const title = brief().title || "Brief", policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'";
        return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">` +
            `<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="generator" content="Loupe"><link rel="icon" href="data:,">` +
            `<title>${loupe.report.escape(title)}</title><style>${await loupe.image.fontCss()}${STYLE}</style></head><body>${copy.innerHTML}</body></html>`;
    }

    async function save() {
        try {
            const about = {page: "insights", title: brief().title || "brief", date: new Date().toISOString()};
            loupe.card.save(new Blob([await build()], {type: "text/html"}), loupe.card.fileName(about, "html"));
            loupe.card.say("Brief saved");
        } catch (error) {
            loupe.card.sayError(error);
        }
    }

    /** Print the sheet alone: the rest of the page is hidden on paper. */
    function print() {
        document.documentElement.dataset.printing = "brief";
        addEventListener("afterprint", () => { delete document.documentElement.dataset.printing; }, {once: true});
        window.print();
    }

    function step(values) {
        if (written && (values.brief || "") !== written.before) written = null;
        if (values.view !== "brief") return tally(brief());
        const text = values.brief || "";
        if (drawn === text && at("insights-brief-form").childElementCount) return null;
        drawn = text;
        if (!at("insights-brief-form").contains(document.activeElement)) form(brief());
        sheet(brief());
        return tally(brief());
    }

    document.addEventListener("focusout", ({target}) => { if (target.closest?.("#insights-brief-form")) flush(); });
    document.addEventListener("click", (event) => {
        if (!isHere()) return;
        if (event.target.closest?.("#insights-brief-save")) save();
        if (event.target.closest?.("#insights-brief-print")) print();
    });
    loupe.insightsPage.onShow(step);
    loupe.insightsPage.onLeave((card) => { if (!card) { drawn = ""; pending = written = null; clearTimeout(timer); } });
    loupe.insightsBrief = {pin, pinEdit, build};
})(window.loupe);
