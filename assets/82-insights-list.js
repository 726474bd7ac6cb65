/* Insights: the contents of a domain, as a plot of predicted against actual success and as a list. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, about, load, failed, query, set, value, rate, points, count} = loupe.insights;
    const LONGEST = 12000; // characters of an edit in an address
    const PAGE = 24, NARROWED = ["domain", "since", "until"];
    const OPEN = 2; // the trace of the ring, components/figures/insights_contents.py
    let listed = "", plotted = "", figure = null;

    const address = (kind, row, px, more) => {
        const {set: held} = now.told;
        return `/_insights/${kind}/${encodeURIComponent(held.key)}/${row}.webp?px=${px}&v=${held.fingerprint}${more}`;
    };
    /** Address of a content's picture, `px` wide: 64, 96, 128, 256 or 512. */
    const picture = (row, px = 128) => address("image", row, px, "");
    /** A part of it; the box is [x, y, w, h] in shares of its sides. */
    const part = (row, box, px = 128) => address("patch", row, px, `&box=${box.map((one) => Number(one.toFixed(6))).join(",")}`);
    /** The picture with an edit drawn into it; as it was where the edit is too long for an address. */
    function drawn(row, edit, px) {
        const text = encodeURIComponent(JSON.stringify(edit));
        return text.length > LONGEST ? picture(row, px) : address("drawn", row, px, `&draft=${text}`);
    }

    function step(values) {
        list(values);
        plot(values);
    }

    async function list({set: held, model, domain, since, until, sort, from}) {
        const wanted = [held, model, domain, since, until, sort, from].join(" ");
        if (listed === wanted) return mark();
        listed = wanted;
        say("contents", "loading", {keep: Boolean(now.list)});
        try {
            const found = await load("contents", `/_insights/contents?${query([...NARROWED, "sort"], {offset: from, n: PAGE})}`);
            if (listed !== wanted || !isHere()) return null;
            if (!found.items.length && found.total) return set("from", 0);
            now.list = found;
            at("insights-list").replaceChildren(...found.items.map(item));
            pages(found);
            say("contents", found.total ? "ready" : "empty", {message: "No content of this domain lies in this period.", retry: ""});
            honest("contents", [`${found.total ? found.offset + 1 : 0} to ${found.offset + found.items.length} of ${count(found.total)} contents`, ...about()]);
            if (Number(value("content")) < 0 && found.items.length) set("content", found.items[0].row);
            mark();
        } catch (error) {
            listed = "";
            failed("contents", error);
        }
        return null;
    }

    /** Predicted as a mark, measured as a bar: one glance tells both. */
    function twoRates({predicted, actual}, top) {
        const {el} = loupe.dom, width = (share) => `${100 * Math.min(1, Math.max(0, share / top))}%`;
        return el("span", {class: "insights-rates", "aria-hidden": "true"}, Number.isFinite(actual) ? el("i", {style: `width:${width(actual)}`}) : null,
            Number.isFinite(predicted) ? el("b", {style: `left:${width(predicted)}`}) : null);
    }

    function thumb(one, px = 128) {
        const {el, icon} = loupe.dom;
        return one.image ? el("img", {src: picture(one.row, px), alt: "", class: "insights-thumb", loading: "lazy", decoding: "async", width: 48, height: 48})
            : el("span", {class: "insights-thumb"}, icon("file-text"));
    }

    function item(one) {
        const {el} = loupe.dom, top = Math.max(...now.list.items.flatMap(({predicted, actual}) => [predicted || 0, actual || 0])) || 1;
        const arm = one.is_control ? "control" : "treatment";
        const said = `predicted ${rate(one.predicted)}, ${Number.isFinite(one.actual) ? `measured ${rate(one.actual)}` : "never run"}`;
        return el("button", {type: "button", role: "option", class: "insights-item", "data-row": one.row, tabindex: -1, "aria-selected": "false",
            title: `${one.title || one.id}: ${said}`},
            thumb(one), el("span", {class: "insights-item-text"}, el("b", {}, one.title || "(no text)"), twoRates(one, top),
                el("span", {class: "lp-muted"}, `${rate(one.predicted)} predicted · ${rate(one.actual)}`),
                el("span", {class: "lp-muted"}, one.experiment ? `${arm} · ${one.split}` : one.split)));
    }

    function pages({total, offset}) {
        const {el} = loupe.dom;
        const go = (from, name, label) => el("button", {type: "button", class: "plot-card-button", disabled: from < 0 || from >= total, "aria-label": label,
            onclick: () => set("from", from)}, name);
        at("insights-pages").replaceChildren(go(offset - PAGE, "‹", "Previous contents"),
            el("span", {class: "lp-muted"}, total ? `${offset + 1}–${Math.min(total, offset + PAGE)} of ${count(total)}` : ""), go(offset + PAGE, "›", "Next contents"));
    }

    async function plot({set: held, model, domain, since, until}) {
        const wanted = [held, model, domain, since, until].join(" ");
        if (plotted === wanted || !now.list) return ring();
        plotted = wanted;
        try {
            const found = await loupe.insights.ask(`/_insights/scatter?${query(NARROWED)}`);
            if (plotted !== wanted || !isHere() || found.job) return null;
            figure = found.figure;
            loupe.insights.draw("insights-scatter", figure);
            setTimeout(bind, 250);
        } catch (error) {
            plotted = "";
            failed("contents", error);
        }
        return null;
    }

    function bind() {
        const graph = loupe.insights.plot("insights-scatter");
        if (!graph) return;
        ring();
        if (graph.dataset.bound) return;
        graph.dataset.bound = "true";
        graph.on("plotly_click", ({points: [point]}) => { if (Number.isFinite(point?.customdata)) open(point.customdata); });
    }

    /** The ring moves by rewriting its one point. */
    function ring() {
        const graph = loupe.insights.plot("insights-scatter"), row = Number(value("content"));
        if (!graph?.data?.[OPEN] || !window.Plotly) return null;
        const ids = Array.from(figure.data[0].customdata?._inputArray || graph._fullData?.[0]?.customdata || []);
        const i = ids.indexOf(row), of = (axis) => Array.from(graph._fullData[0][axis]);
        window.Plotly.restyle(graph, i < 0 ? {x: [[]], y: [[]]} : {x: [[of("x")[i]]], y: [[of("y")[i]]]}, [OPEN]);
        return null;
    }

    function mark() {
        const row = value("content"), items = [...document.querySelectorAll("#insights-list .insights-item")];
        items.forEach((one) => one.setAttribute("aria-selected", String(one.dataset.row === String(row))));
        const chosen = items.find((one) => one.dataset.row === String(row));
        items.forEach((one, i) => { one.tabIndex = one === chosen || (!chosen && i === 0) ? 0 : -1; });
        return null;
    }

    /** Another content: what was typed about the one before does not apply to it. */
    function open(row) {
        if (Number(value("content")) === row) return;
        if (value("edit")) set("edit", "");
        if (value("draft")) set("draft", "");
        set("content", row);
        loupe.selection.set({items: `insights:${value("set")}`, ids: [row]}, "insights");
    }

    /** The content before or after the open one in the list. */
    function next(by) {
        const rows = now.list?.items.map((one) => one.row) || [], i = rows.indexOf(Number(value("content")));
        const row = rows[i + by];
        if (row === undefined) return;
        open(row);
        document.querySelector(`#insights-list [data-row="${row}"]`)?.scrollIntoView({block: "nearest"});
    }

    document.addEventListener("click", (event) => {
        const chosen = event.target.closest?.("#insights-list .insights-item");
        if (chosen) open(Number(chosen.dataset.row));
    });
    document.addEventListener("keydown", (event) => {
        const by = {ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1}[event.key], one = by && event.target.closest?.("#insights-list .insights-item");
        const other = one && (by > 0 ? one.nextElementSibling : one.previousElementSibling);
        if (!other) return;
        event.preventDefault();
        other.focus();
        other.click();
    });
    loupe.insightsPage.onShow(step);
    loupe.insightsPage.onLeave((card) => { if (!card || card === "contents") { listed = plotted = ""; } });
    if (loupe.theme) loupe.theme.onChange(() => { if (isHere() && figure) { loupe.insights.draw("insights-scatter", figure); setTimeout(bind, 250); } });

    loupe.insightsList = {picture, part, drawn, thumb, open, next, twoRates, points};
})(window.loupe);
