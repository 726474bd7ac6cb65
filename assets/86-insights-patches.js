/* Insights: groups of patches that went with success and those that did not, and phrase by patch for one content. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, about, load, failed, query, rate, points, signed, count} = loupe.insights;
    const ASKED = ["domain", "since", "until", "method"], SHOWN = 6;
    let drawn = "", crossed = "", held = null;

    async function step(values) {
        if (values.view === "patches") patches(values);
        if (values.view === "together") together(values);
    }

    // ---- clusters

    async function patches(values) {
        const wanted = ["set", "model", ...ASKED].map((key) => values[key]).join(" ");
        if (drawn === wanted) return;
        drawn = wanted;
        if (!now.told.set.has_images) {
            say("patches", "empty", {message: "These contents have no pictures."});
            return;
        }
        say("patches", "loading", {keep: Boolean(held)});
        try {
            const found = await load("patches", `/_insights/patches?${query(ASKED, {k: 10})}`);
            if (drawn !== wanted || !isHere()) return;
            held = found;
            const every = [...found.positive, ...found.negative];
            if (!every.length) {
                say("patches", "empty", {message: found.note || "No patches were found in this domain and period."});
                return;
            }
            row("good", found.split_at_median ? "Higher half" : "Recommended", found.positive);
            row("bad", found.split_at_median ? "Lower half" : "Discouraged", found.negative);
            elbow(found);
            say("patches", "ready");
            honest("patches", [`${every.length} groups of ${count(every.reduce((sum, one) => sum + one.n, 0))} patches`, found.note, "an equal number is drawn from each, seed 0", ...about()]);
        } catch (error) {
            drawn = "";
            failed("patches", error);
        }
    }

    function row(kind, name, clusters) {
        const {el} = loupe.dom;
        at(`insights-patches-${kind}`).replaceChildren(el("h3", {"data-kind": kind}, name),
            el("div", {class: "insights-cluster-row"}, ...clusters.map((one) => cluster(one)), ...(clusters.length ? [] : [el("p", {class: "lp-muted"}, "None here.")])));
    }

    function cluster(one) {
        const {el, iconButton} = loupe.dom, ends = Number.isFinite(one.low) ? `${points(one.low)} to ${points(one.high)}` : "";
        const patch = (held_) => el("button", {type: "button", class: "insights-patch", "aria-pressed": String(isChosen(held_)), title: `${held_.title || held_.id}: ${points(held_.value, 3)} points`,
            "aria-label": `Patch of ${held_.title || held_.id}, ${points(held_.value, 3)} points: choose it`, onclick: () => choose(held_)}, loupe.insightsBoxes.cut(held_.row, held_.box));
        return el("article", {class: "insights-cluster"}, el("div", {class: "insights-mosaic"}, ...one.patches.slice(0, SHOWN).map(patch)),
            el("div", {class: "insights-cluster-foot"}, el("span", {}, el("b", {"data-kind": signed(one.score)}, points(one.score)), el("span", {class: "lp-muted"}, ` ${ends}`), el("br"),
                el("span", {class: "lp-muted"}, `${count(one.n)} patches, ${count(one.n_contents)} contents`)),
            iconButton("pin", `Pin this group, ${points(one.score)} points, to the brief`, () => loupe.insightsBrief.pin({kind: "patch", cluster: one.cluster, score: one.score, low: one.low, high: one.high, n: one.n,
                warnings: one.warnings || [], patches: one.patches.slice(0, 3).map(({row: of, box}) => ({row: of, box}))}))),
            ...(one.warnings || []).map((text) => el("p", {class: "insights-caution", "data-strong": "true"}, text)));
    }

    const isChosen = (one) => Boolean(now.cluster) && now.cluster.row === one.row && loupe.insightsBoxes.same(now.cluster.box, one.box);

    /** The chosen patch is what “Swap in” above takes; it names its content as well. */
    function choose(one) {
        now.cluster = isChosen(one) ? null : {row: one.row, box: one.box};
        document.querySelectorAll("#insights-patches .insights-patch").forEach((button) => button.setAttribute("aria-pressed", "false"));
        if (held) {
            const every = [...held.positive, ...held.negative].flatMap((group) => group.patches.slice(0, SHOWN));
            document.querySelectorAll("#insights-patches .insights-patch").forEach((button, i) => button.setAttribute("aria-pressed", String(isChosen(every[i]))));
        }
        loupe.insightsBoxes.show();
        loupe.say(now.cluster ? "Patch chosen. Choose a place of the picture above to swap it in." : "No patch is chosen.");
    }

    function elbow({elbow: found, figure}) {
        at("insights-elbow").hidden = !found?.k?.length;
        if (!found?.k?.length) return;
        at("insights-elbow-said").textContent = `${found.chosen} groups, by the elbow of K-means over ${found.k[0]} to ${found.k.at(-1)} groups: the point farthest from the dotted chord.`;
        loupe.insights.draw("insights-elbow-graph", figure);
    }

    // ---- phrase by patch

    async function together(values) {
        const {set: of, model, content: row_} = values, wanted = [of, model, row_, values.edit].join(" ");
        if (!now.content || crossed === wanted) return;
        crossed = wanted;
        say("together", "loading", {keep: Boolean(at("insights-together-view").childElementCount)});
        try {
            const body = {set: of, model, row: Number(row_), draft: loupe.insights.isEdited() ? loupe.insights.edit() : null};
            const found = await load("together", "/_insights/interactions", body);
            if (crossed !== wanted || !isHere()) return;
            if (!found.rows.length && !found.columns.length) {
                say("together", "empty", {message: "This content has neither phrases nor a picture."});
                return;
            }
            at("insights-together-view").replaceChildren(...table(found));
            say("together", "ready");
            honest("together", [`${found.rows.length} phrases × ${found.columns.length} patches of ${now.content.id}`, loupe.insights.isEdited() ? "as edited" : "", "in points of predicted success", ...about()]);
        } catch (error) {
            crossed = "";
            failed("together", error);
        }
    }

    const sum = (rows) => rows.reduce((all, one) => all + one, 0);

    /** All sums of the table; they are added here, so that what is shown is what adds up. */
    function totals({table: cells, row_own: own, column_own: columnOwn, rest, baseline}) {
        const rows = own.map((one, r) => one + sum(cells[r] || [])), columns = columnOwn.map((one, c) => one + sum(cells.map((row_) => row_[c])));
        const text = sum(own), image = sum(columnOwn), pairs = sum(cells.map(sum));
        return {rows, columns, text, image, pairs, prediction: baseline + text + image + pairs + (rest || 0)};
    }

    function table(found) {
        const {el} = loupe.dom, all = totals(found), row_ = now.content.row;
        const most = Math.max(...found.table.flat().map(Math.abs), ...found.row_own.map(Math.abs), ...found.column_own.map(Math.abs), 1e-12);
        const cell = (share, kind) => el("td", {class: kind || "", "data-kind": signed(share), style: `--share:${Math.min(1, Math.abs(share) / most).toFixed(3)}`}, points(share));
        const head = el("tr", {}, el("th", {}, "phrase"), ...found.columns.map(({box, text}, i) => el("th", {scope: "col", title: text || `Patch ${i + 1}`}, now.content.image && !text ? loupe.insightsBoxes.cut(row_, box) : el("span", {}, text || `patch ${i + 1}`))), el("th", {scope: "col"}, "alone"), el("th", {scope: "col"}, "sum"));
        const body = found.rows.map(({text}, r) => el("tr", {}, el("th", {scope: "row", dir: "auto"}, text), ...found.columns.map((_, c) => cell(found.table[r][c])), cell(found.row_own[r], "is-own"), el("td", {class: "is-sum"}, points(all.rows[r]))));
        const alone = el("tr", {}, el("th", {scope: "row"}, "alone"), ...found.column_own.map((one) => cell(one, "is-own")), el("td", {}), el("td", {class: "is-sum"}, points(all.image)));
        const foot = el("tr", {}, el("th", {scope: "row"}, "sum"), ...all.columns.map((one) => el("td", {class: "is-sum"}, points(one))), el("td", {class: "is-sum"}, points(all.text)), el("td", {class: "is-sum"}, points(all.text + all.image + all.pairs)));
        const part = (name, text) => el("span", {}, el("i", {}, name), el("b", {}, text));
        return [el("div", {class: "insights-scroll"}, el("table", {class: "insights-cross"}, el("thead", {}, head), el("tbody", {}, ...body, alone), el("tfoot", {}, foot))),
            el("div", {class: "insights-sums"}, part("baseline", rate(found.baseline)), part("phrases alone", points(all.text)), part("patches alone", points(all.image)), part("pairs", points(all.pairs)),
                ...(found.rest ? [part("domain and features", points(found.rest))] : []), el("span", {class: "insights-total"}, el("i", {}, "predicted"), el("b", {}, rate(all.prediction)))),
            ...(Math.abs(all.prediction - found.prediction) > 5e-5 ? [el("p", {class: "insights-caution", "data-strong": "true"}, `The parts add up to ${rate(all.prediction)}, the model says ${rate(found.prediction)}.`)] : [])];
    }

    if (loupe.theme) loupe.theme.onChange(() => { if (isHere() && held) elbow(held); });
    loupe.insightsPage.onShow(step);
    loupe.insightsPage.onLeave((card) => {
        if (!card || card === "patches") { drawn = ""; held = null; }
        if (!card || card === "together") crossed = "";
    });
    loupe.insightsPatches = {totals};
})(window.loupe);
