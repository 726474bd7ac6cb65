/* Insights: how far to trust them. The score with its chance level, its pairs, the other methods, the model's errors. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, about, load, failed, query, count} = loupe.insights;
    const ASKED = ["domain", "method", "modality"], CARDS = ["trust", "pairs", "compared"];
    const figures = {};
    let judged = "", measured = "", quiet = "", pairs = [];

    function step(values) {
        if (values.view === "trust") {
            trust(values);
            errors(values);
        } else score(values);
    }

    /** The score alone, for the line under the prediction. */
    async function score(values) {
        const wanted = ["set", "model", ...ASKED].map((key) => values[key]).join(" ");
        if (quiet === wanted || judged === wanted || !now.predicted) return;
        quiet = wanted;
        try {
            const found = await loupe.insights.ask(`/_insights/trust?${query(ASKED)}`);
            if (quiet !== wanted || !isHere() || found.job) return;
            now.trust = await wide(found, values);
            loupe.insightsChange.again();
        } catch (_later) { /* the tab says what is wrong, once it is opened */ }
    }

    /** Where a domain has too few pairs, the score over all domains, and that it is that. */
    async function wide(found, {domain}) {
        if (found.score !== null || domain === "-1") return found;
        const all = await loupe.insights.ask(`/_insights/trust?${query(ASKED, {domain: "-1"})}`);
        return {...all, scope: " over all domains"};
    }

    function put(graph, figure) {
        figures[graph] = figure;
        loupe.insights.draw(graph, figure);
    }

    async function trust(values) {
        const wanted = ["set", "model", ...ASKED].map((key) => values[key]).join(" ");
        if (judged === wanted) return;
        judged = wanted;
        CARDS.forEach((card) => say(card, "loading", {keep: Boolean(figures["insights-null-graph"])}));
        try {
            const found = await load("trust", `/_insights/trust?${query(ASKED)}`);
            if (judged !== wanted || !isHere()) return;
            pairs = found.pairs || [];
            told(found);
            put("insights-null-graph", found.figures.null);
            put("insights-pairs-graph", found.figures.pairs);
            put("insights-compared-graph", found.figures.methods);
            setTimeout(bind, 250);
            say("trust", "ready");
            say("pairs", pairs.length ? "ready" : "empty", {message: "No experiment here has a control and a treatment that differ."});
            say("compared", found.methods.length ? "ready" : "empty", {message: "No method has been evaluated yet."});
            const n = `${count(found.n)} pairs of control and best treatment`;
            honest("trust", [n, `${count(found.null?.length || 0)} permutations, seed 0`, ...about()]);
            honest("pairs", [`${count(pairs.length)} of ${n}`, ...about()]);
            honest("compared", [n, "95 % bootstrap intervals", "measured here", ...about()]);
            now.trust = await wide(found, values);
            loupe.insightsChange.again();
        } catch (error) {
            judged = "";
            CARDS.forEach((card) => failed(card, error));
        }
    }

    const number = (one, digits = 2) => (Number.isFinite(one) ? one.toFixed(digits).replace("-", "−") : "undefined");

    function told(found) {
        const {el} = loupe.dom, isKnown = found.score !== null && Number.isFinite(found.score);
        const fact = (name, text, title) => el("div", {title}, el("dt", {}, name), el("dd", {}, text));
        const ends = Number.isFinite(found.low) ? `, ${number(found.low)} to ${number(found.high)}` : "";
        at("insights-score").replaceChildren(
            el("div", {class: "insights-dial", style: `--share:${isKnown ? found.score / 100 : 0}`, "aria-hidden": "true"}, el("b", {}, isKnown ? String(Math.round(found.score)) : "–"), el("span", {}, "of 100")),
            el("div", {}, el("p", {}, found.sentence), el("dl", {class: "insights-facts"}, fact("ρ", `${number(found.rho)}${ends}`, "Pearson correlation of the surrogates, with its 95 % interval"),
                fact("pairs", count(found.n), "Controls with their best treatment"), fact("by chance", Number.isFinite(found.p_null) ? `p ${found.p_null < 0.001 ? "< 0.001" : number(found.p_null, 3)}` : "undefined", "Share of shuffles that reach this ρ"),
                fact("right direction", Number.isFinite(found.share_positive) ? `${(100 * found.share_positive).toFixed(0)} %` : "undefined", "Pairs whose attribution moved as success did"),
                fact("ρ, signed pair", number(found.rho_signed), "Correlation of the differences with their sign"))));
    }

    function bind() {
        const graph = loupe.insights.plot("insights-pairs-graph");
        if (!graph || graph.dataset.bound) return;
        graph.dataset.bound = "true";
        graph.on("plotly_click", ({points: [point]}) => { if (pairs[point?.customdata]) loupe.insightsList.open(pairs[point.customdata].treatment); });
    }

    async function errors({set, model, metric}) {
        const wanted = [set, model, metric].join(" ");
        if (measured === wanted) return;
        measured = wanted;
        say("errors", "loading", {keep: Boolean(figures["insights-errors-graph"])});
        try {
            const found = await load("errors", `/_insights/errors?${query(["metric"])}`);
            if (measured !== wanted || !isHere()) return;
            put("insights-errors-graph", found.figure);
            at("insights-errors-view").replaceChildren(...table(found));
            say("errors", found.rows.length ? "ready" : "empty", {message: "No model of this set has been measured yet."});
            honest("errors", [`${found.rows.length} models`, "test split, experiments never seen", "measured here", ...about()]);
        } catch (error) {
            measured = "";
            failed("errors", error);
        }
    }

    function table({rows, per_domain: domains, reported}) {
        const {el} = loupe.dom, columns = [["in_rmse", "RMSE in"], ["out_rmse", "RMSE out"], ["in_mae", "MAE in"], ["out_mae", "MAE out"], ["pairwise_in", "pairs in"], ["pairwise_out", "pairs out"]];
        const best = Object.fromEntries(columns.map(([key]) => {
            const all = rows.map((row) => row[key]).filter(Number.isFinite);
            return [key, key.startsWith("pairwise") ? Math.max(...all) : Math.min(...all)];
        }));
        const cell = (row, key) => el("td", {class: "lp-number", "data-best": row[key] === best[key] ? "true" : null}, Number.isFinite(row[key]) ? (key.startsWith("pairwise") ? `${(100 * row[key]).toFixed(1)} %` : (100 * row[key]).toFixed(3)) : "–");
        const head = (names) => el("thead", {}, el("tr", {}, el("th", {}, names[0]), ...names.slice(1).map((name) => el("th", {class: "lp-number"}, name))));
        const grid = (names, body) => el("div", {class: "insights-scroll"}, el("table", {class: "crayon-table"}, head(names), el("tbody", {}, ...body)));
        const line = (title, cells) => el("tr", {}, el("th", {scope: "row"}, title), ...cells);
        const share = (one) => el("td", {class: "lp-number"}, Number.isFinite(one) ? (100 * one).toFixed(3) : "–"), text = (one) => el("td", {class: "lp-number"}, one ?? "–");
        const titles = Object.fromEntries(rows.map((row) => [row.model, row.title]));
        const more = (name, note, node) => el("details", {}, el("summary", {}, name), node, el("p", {class: "lp-muted"}, note));
        return [grid(["model", ...columns.map(([, name]) => name)], rows.map((row) => line(row.title, columns.map(([key]) => cell(row, key))))),
            el("p", {class: "lp-muted"}, "Errors in percentage points of success; pairs: share of experiment arms ordered rightly, chance 50 %. In and out: of the domains the model was trained on. Best in bold."),
            ...(domains?.length ? [more("By domain", "Errors in percentage points, of this model and of the linear model.", grid(["domain", "n", "RMSE", "RMSE, GLM", "MAE", "MAE, GLM"],
                domains.map((one) => line(`${one.title}${one.held_out ? " (not trained on)" : ""}`, [text(count(one.n)), share(one.rmse), share(one.glm_rmse), share(one.mae), share(one.glm_mae)]))))] : []),
            ...(reported?.length ? [more("Reported in the source, not measured here", "Change of the error against the source's own linear model, on data that are not public. Never to be compared with the numbers above.",
                grid(["model", "RMSE in", "MAE in", "RMSE out", "MAE out"], reported.map((one) => line(titles[one.model] || one.model, [one.in_rmse, one.in_mae, one.out_rmse, one.out_mae].map(text)))))] : [])];
    }

    if (loupe.theme) loupe.theme.onChange(() => {
        if (!isHere()) return;
        Object.entries(figures).forEach(([graph, figure]) => loupe.insights.draw(graph, figure));
        setTimeout(bind, 250);
    });
    loupe.insightsPage.onShow(step);
    loupe.insightsPage.onLeave((card) => {
        if (!card) Object.keys(figures).forEach((key) => delete figures[key]);
        if (!card || CARDS.includes(card)) judged = quiet = "";
        if (!card || card === "errors") measured = "";
        if (!card) now.trust = null;
    });
})(window.loupe);
