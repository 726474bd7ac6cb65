/* Modality gap: the exact numbers with their intervals, and the histograms. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {PAGE, now, at, isHere, say, honest, named, load, failed, query, number, count, draw, drawn} = loupe.gap;
    const NAMES = {centroid_gap: ["Centroid gap", "Distance of the mean image from the mean text"], mean_pair_gap: ["Mean gap of a pair", "Mean distance of an image from its own text"],
        median_pair_gap: ["Median gap of a pair", "Half of the pairs lie closer together"], alignment: ["Alignment S_A", "Mean cosine of matched pairs"], uniformity: ["Uniformity S_U", "Log of the mean of exp(−cosine) over unmatched pairs"],
        unmatched_cosine: ["Cosine, unmatched", "Mean cosine of an image with other pairs' texts"], margin: ["Margin", "Matched minus unmatched cosine: what retrieval lives on"], separability: ["Linear separability", "Accuracy of a linear classifier of image or text; 0.5 cannot tell"],
        effective_rank_images: ["Effective rank, images", "How many dimensions the images use"], effective_rank_texts: ["Effective rank, texts", "How many dimensions the texts use"]};
    const COARSE = ["effective_rank_images", "effective_rank_texts"];
    let wanted = "", figures = {};

    async function step(values, told) {
        if (values.spaces === wanted) return;
        const mine = wanted = values.spaces;
        ["numbers", "gaps"].forEach((card) => say(card, "loading", {keep: Boolean(figures.gaps)}));
        try {
            const found = await load("numbers", `/_gap/numbers?${query({spaces: mine})}`, () => mine === wanted);
            if (mine !== wanted || !isHere() || !found.spaces) return;
            const gaps = await Promise.all(found.spaces.map(({result}) => loupe.wire.fetch(`/_data/${result}?arrays=gaps`)));
            if (mine !== wanted || !isHere()) return;
            now.gaps = new Map(found.spaces.map(({key}, i) => [key, gaps[i].arrays.gaps.data]));
            at("table").replaceChildren(table(found.spaces, told), ...notes(told));
            figures = {gaps: found.gaps, cosines: found.cosines};
            draw("gaps-graph", found.gaps);
            draw("cosines-graph", found.cosines);
            bind();
            ["numbers", "gaps"].forEach((card) => say(card, "ready"));
            const [{n, n_unmatched: others, is_exact: isExact}] = found.spaces;
            honest("numbers", [`${count(n)} pairs`, isExact ? "" : "S_U from 20,000 of them, drawn", "95 % bootstrap intervals, seed 0", ...told.spaces.map(named), "measured here"]);
            honest("gaps", [`${count(n)} gaps`, `${count(others)} of ${count(n * (n - 1))} unmatched cosines`, "measured here"]);
        } catch (error) {
            if (mine !== wanted) return;
            wanted = "";
            ["numbers", "gaps"].forEach((card) => failed(card, error));
        }
    }

    function table(found, told) {
        const {el} = loupe.dom;
        const heads = told.spaces.map((held) => el("th", {class: "lp-number", scope: "col"}, el("i", {class: "gap-dot", style: `--colour:${held.colour}`, "aria-hidden": "true"}), held.title));
        const cell = ({name, value, low, high}) => {
            const digits = COARSE.includes(name) ? 1 : 3;
            return el("td", {class: "lp-number"}, el("b", {}, number(value, digits)), el("span", {class: "lp-muted"}, Number.isFinite(low) ? `${number(low, digits)} to ${number(high, digits)}` : ""));
        };
        const rows = Object.entries(NAMES).map(([name, [title, tip]]) => el("tr", {}, el("th", {scope: "row", title: tip}, title),
            ...found.map((one) => cell(one.rows.find((row) => row.name === name)))));
        return el("div", {class: "gap-scroll"}, el("table", {class: "gap-numbers"}, el("thead", {}, el("tr", {}, el("th", {}, ""), ...heads)), el("tbody", {}, ...rows)));
    }

    const notes = (told) => (new Set(told.spaces.map((one) => one.set)).size > 1 ? [loupe.dom.el("p", {class: "lp-muted lp-small"}, "These spaces hold different pairs: their numbers can be read side by side, their pairs cannot.")] : []);

    /** A range dragged over the gaps selects the pairs that lie in it, in the space in detail. */
    async function bind() {
        const graph = await drawn("gaps-graph", figures.gaps);
        if (!graph || graph.dataset.bound) return;
        graph.dataset.bound = "true";
        graph.on("plotly_selected", (event) => {
            const held = loupe.gap.focus(), gaps = now.gaps?.get(held?.key);
            if (!event?.range?.x || !gaps) return;
            loupe.selection.set({items: held.set, ids: loupe.gap.between(gaps, ...event.range.x)}, PAGE);
        });
    }

    document.addEventListener("loupe:gap-theme", () => {
        draw("gaps-graph", figures.gaps);
        draw("cosines-graph", figures.cosines);
    });
    loupe.gapPage.onShow(step);
    loupe.gapPage.onLeave((card) => {
        if (card && card !== "numbers" && card !== "gaps") return;
        wanted = "";
        figures = {};
    });
})(window.loupe);
