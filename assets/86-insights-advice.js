/* Insights: phrases that went with success and those that did not, with the evidence for the chosen one. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, about, load, failed, query, rate, points, signed, count} = loupe.insights;
    const ASKED = ["domain", "since", "until", "method", "level"];
    let drawn = "", held = null;

    async function step(values) {
        if (values.view !== "phrases") return;
        const wanted = ["set", "model", ...ASKED].map((key) => values[key]).join(" ");
        if (drawn === wanted) return;
        drawn = wanted;
        say("phrases", "loading", {keep: Boolean(held)});
        try {
            const found = await load("phrases", `/_insights/phrases?${query(ASKED, {k: 10})}`);
            if (drawn !== wanted || !isHere()) return;
            held = found;
            show(found);
        } catch (error) {
            drawn = "";
            failed("phrases", error);
        }
    }

    function show(found) {
        const every = [...found.positive, ...found.negative], name = loupe.insights.value("level") === "word" ? "words" : "phrases";
        if (!every.length) {
            say("phrases", "empty", {message: found.note || `No ${name} occur often enough in this domain and period.`});
            return;
        }
        const reach = Math.max(...every.map((one) => Math.max(Math.abs(one.low ?? one.score), Math.abs(one.high ?? one.score), Math.abs(one.score)))) || 1;
        const isSplit = found.split_at_median; // too few to name ten of each: some on the left may hurt as well
        list("good", isSplit ? "Higher half" : "Recommended", found.positive, reach);
        list("bad", isSplit ? "Lower half" : "Discouraged", found.negative, reach);
        why(every.find((one) => one.text === now.phrase) || null);
        say("phrases", "ready");
        honest("phrases", [`${every.length} ${name}`, found.note, `answered in ${Math.round(found.ms)} ms`, ...about()]);
    }

    /** Mean and interval on a line with a true zero. */
    function whisker({score, low, high}, reach) {
        const {el} = loupe.dom, x = (one) => 50 + 50 * Math.max(-1, Math.min(1, one / reach));
        const hasEnds = Number.isFinite(low) && Number.isFinite(high);
        return el("span", {class: "insights-whisker", "data-kind": signed(score), "aria-hidden": "true"}, hasEnds ? el("i", {style: `left:${x(low)}%;width:${x(high) - x(low)}%`}) : null, el("b", {style: `left:${x(score)}%`}));
    }

    function list(kind, name, rows, reach) {
        const {el, iconButton} = loupe.dom;
        const row = (one, i) => el("li", {"data-phrase": one.text},
            el("button", {type: "button", class: "insights-phrase", "aria-pressed": String(one.text === now.phrase), tabindex: i ? -1 : 0, onclick: () => choose(one),
                title: `${one.text}: ${points(one.score, 3)} points, ${count(one.n)} contents`},
                el("b", {dir: "auto"}, one.text), whisker(one, reach), el("span", {class: "lp-number"}, points(one.score)), el("span", {class: "lp-number lp-muted"}, `n ${count(one.n)}`),
                one.warnings?.length ? el("span", {class: "lp-icon lp-icon-alert-triangle insights-warns", title: one.warnings.join(" ")}) : el("span", {})),
            one.score > 0 ? el("button", {type: "button", class: "plot-card-button", title: `Put “${one.text}” into the text`, onclick: () => loupe.insightsContent.use(one.text)}, "Use") : el("span", {}),
            iconButton("pin", `Pin “${one.text}” to the brief`, () => loupe.insightsBrief.pin({kind: "phrase", text: one.text, score: one.score, low: one.low, high: one.high, n: one.n, warnings: one.warnings || []})));
        at(`insights-phrases-${kind}`).replaceChildren(el("h3", {"data-kind": kind}, name), el("p", {class: "insights-axis", "aria-hidden": "true"}, el("span", {}), el("span", {}, el("i", {}, points(-reach)), el("i", {}, "0"), el("i", {}, points(reach))), el("span", {}, "points")),
            rows.length ? el("ul", {}, ...rows.map(row)) : el("p", {class: "lp-muted"}, kind === "good" ? "Nothing raises the prediction here." : "Nothing lowers the prediction here."));
    }

    function choose(one) {
        now.phrase = now.phrase === one.text ? "" : one.text;
        document.querySelectorAll("#insights-phrases .insights-phrase").forEach((button) => button.setAttribute("aria-pressed", String(button.parentElement.dataset.phrase === now.phrase)));
        why(now.phrase ? one : null);
        loupe.insightsContent.show();
    }

    /** Examples: real contents with the phrase, what they achieved, and what to be careful about. */
    function why(one) {
        const {el} = loupe.dom, host = at("insights-phrases-why");
        if (!one) {
            host.replaceChildren(el("h3", {}, "Evidence"), el("p", {class: "lp-muted"}, "Choose a phrase: it is marked in the text above, and real contents that have it are listed here."));
            return;
        }
        const ends = Number.isFinite(one.low) ? ` (${points(one.low)} to ${points(one.high)})` : "";
        const example = (held_) => el("button", {type: "button", class: "insights-item", onclick: () => loupe.insightsList.open(held_.row), title: `Open ${held_.title || held_.id}`},
            loupe.insightsList.thumb(held_), el("span", {class: "insights-item-text"}, el("b", {dir: "auto"}, held_.title || held_.id), el("span", {class: "lp-muted"}, `measured ${rate(held_.actual)}`)));
        host.replaceChildren(el("h3", {dir: "auto"}, one.text), el("p", {}, el("b", {"data-kind": signed(one.score)}, `${points(one.score)} points`), `${ends} on average, in ${count(one.n)} contents of this domain`),
            Number.isFinite(one.raw_rate) ? el("p", {class: "lp-muted"}, `Contents with it were measured at ${rate(one.raw_rate)}.`) : null,
            el("p", {class: "insights-caution"}, "Correlation only: test it before you trust it."), ...(one.warnings || []).map((text) => el("p", {class: "insights-caution", "data-strong": "true"}, text)),
            ...(one.examples?.length ? [el("h4", {}, "Examples"), ...one.examples.slice(0, 4).map(example)] : []));
    }

    document.addEventListener("keydown", (event) => {
        const by = {ArrowDown: 1, ArrowUp: -1}[event.key], button = by && event.target.closest?.(".insights-phrase");
        if (!button) return;
        const all = [...button.closest("ul").querySelectorAll(".insights-phrase")], next = all[all.indexOf(button) + by];
        if (!next) return;
        event.preventDefault();
        all.forEach((one) => { one.tabIndex = one === next ? 0 : -1; });
        next.focus();
    });
    loupe.insightsPage.onShow(step);
    loupe.insightsPage.onLeave((card) => { if (!card || card === "phrases") { drawn = ""; held = null; } });
    loupe.insightsAdvice = {whisker};
})(window.loupe);
