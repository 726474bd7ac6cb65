/* Crayon, Compare: runs over seeds with their controls, and the plots that set them against each other. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, ask} = loupe.crayon;
    const CARDS = ["runs", "change", "budget", "energy", "sweep"];
    const SWEEP = [0.1, 1, 10];
    const MOST_SENTENCES = 6;
    const HEAD_PX = 36, ROW_PX = 29, BAR_PX = 18; // of the grid; the sideways scrollbar must not lie on the last row
    let held = null, reported = null, curve = null, curveAsked = "", token = 0;

    const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
    const isCompare = () => isHere() && loupe.crayon.value("step") === "compare";
    const about = () => [now.told?.set?.title, now.told?.set?.fingerprint, "test split", "measured here"];
    const simulated = () => (held.rows.some((row) => row.source === "simulated") ? "simulated answers among them" : "");

    async function load() {
        const set = loupe.crayon.value("set");
        token += 1;
        const mine = token;
        try {
            const found = await ask(`/_crayon/compare?${new URLSearchParams({set})}`);
            if (mine !== token || !isCompare()) return;
            held = found;
            show();
        } catch (error) {
            if (mine === token && isCompare()) CARDS.forEach((card) => say(card, "failed", {message: error.message, hint: error.hint}));
        }
    }

    function show() {
        if (!held.count) {
            const hint = "Start one under Refine; its controls are started with it.";
            ["runs", "change", "energy", "sweep"].forEach((card) => say(card, "empty", {message: "No run of this set has finished yet.", hint, retry: "Open Refine"}));
            return;
        }
        const rowData = [original(), ...held.rows];
        if (at("crayon-runs-grid")) loupe.crayon.setProps("crayon-runs-grid", {rowData});
        else { // mounted when it is first needed: its code is large
            const grid = structuredClone(now.facts.grid);
            grid.props.rowData = rowData;
            loupe.crayon.setProps("crayon-grid-place", {children: grid});
        }
        at("crayon-grid-place").style.height = `${Math.min(436, HEAD_PX + ROW_PX * (held.rows.length + 1) + BAR_PX)}px`;
        claims();
        say("runs", "ready");
        plots();
        lines();
    }

    /** What each card says of its making; again once the set's title is known. */
    function lines() {
        honest("runs", [`${count(held.count, "run")} of ${count(held.rows.length, "setting")}`, "mean ± standard deviation over seeds, n − 1", simulated(), ...about()]);
        honest("energy", [`${held.count} runs`, "open marks: simulated answers", ...about()]);
        honest("sweep", [`${held.swept} pair${held.swept === 1 ? "" : "s"} of weights`, simulated(), ...about()]);
    }

    /** The original as the first row: measured by the same runs, before they began. */
    function original() {
        const first = held.rows.find((row) => row.start === "original") || {};
        const text = Number.isFinite(first.wga_before) ? (100 * first.wga_before).toFixed(1) : "–";
        const run = loupe.crayonRuns.done().find((one) => !one.parent) || {};
        const share = (value) => (Number.isFinite(value) ? (100 * value).toFixed(1) : "–");
        return {id: "original", name: "Original, before any run", kind: "original", n: null, wga_after: first.wga_before ?? null, wga_after_text: text, mga_after: run.mga_before ?? null,
            mga_after_text: share(run.mga_before), energy_after: run.energy_before ?? null, energy_after_text: share(run.energy_before), answers: "none", collapsed: "", start: ""};
    }

    function claims() {
        const {el} = loupe.dom, lines = held.gains.map((text) => el("p", {}, text));
        const gaps = held.missing.slice(0, MOST_SENTENCES).map(missing);
        const more = held.missing.length - gaps.length;
        at("crayon-claims").replaceChildren(...lines, ...gaps, ...(more > 0 ? [el("p", {class: "lp-muted"}, `and ${more} more controls are missing.`)] : []));
    }

    function missing({group, control, sentence, requests}) {
        const {el} = loupe.dom;
        const button = el("button", {type: "button", class: "plot-card-button", onclick: async () => {
            button.disabled = true;
            try {
                for (const request of requests) await ask("/_crayon/refine", {...request, seeds: 1, controls: false});
                button.textContent = "Started";
                loupe.jobs.refresh();
                loupe.crayonRuns.load(true);
            } catch (error) {
                button.disabled = false;
                loupe.notify({kind: "error", title: "The control was not started", message: error.message, hint: error.hint});
            }
        }}, requests.length > 1 ? `Run all ${requests.length}` : "Run it");
        return el("div", {class: "crayon-missing"}, el("span", {}, el("b", {}, `${group}: no ${control} to compare with. `), sentence), button);
    }

    function plots() {
        const points = held.energy.data.reduce((sum, trace) => sum + trace.x.length, 0);
        loupe.crayon.draw("crayon-energy-graph", held.energy);
        say("energy", points ? "ready" : "empty", {message: "No run of this set knows the energy on the object.", hint: "It needs masks."});
        if (held.swept > 1) {
            loupe.crayon.draw("crayon-sweep-graph", held.sweep);
            say("sweep", "ready");
        } else {
            say("sweep", "empty", {message: held.swept ? "One pair of weights has run." : "No attention run yet.", hint: "Run nine pairs, 0.1, 1 and 10 each way, with the settings of Refine and one seed.", retry: "Run the sweep"});
        }
    }

    async function sweep() {
        const body = loupe.crayonSettings.body();
        if (!body) return;
        say("sweep", "loading", {message: "Starting nine runs…"});
        try {
            for (const relevant of SWEEP) {
                for (const irrelevant of SWEEP) {
                    await ask("/_crayon/refine", {...body, method: "attention", per_relevant: relevant, per_irrelevant: irrelevant, seeds: 1, controls: false});
                }
            }
            say("sweep", "loading", {message: "Nine runs are queued; the plot fills as they end."});
            loupe.jobs.refresh();
            loupe.crayonRuns.load(true);
        } catch (error) {
            say("sweep", "failed", {message: error.message, hint: error.hint});
        }
    }

    // ---- accuracy against answers

    async function learning(isStart) {
        const body = loupe.crayonSettings.body();
        if (!body || !isCompare() || !now.told || now.told.message) return;
        if (!["attention", "pruning+attention"].includes(body.method)) body.method = "attention";
        const text = JSON.stringify(body);
        if (text === curveAsked && !isStart) return;
        curveAsked = text;
        try {
            const found = await ask("/_crayon/curve", {...body, start: isStart === true});
            if (text !== curveAsked || !isCompare()) return;
            if (!found.part) {
                say("budget", "empty", {message: found.message, hint: found.hint, retry: "Annotate maps"});
                return;
            }
            if (found.part.job) {
                say("budget", "job", {jobId: found.part.job, message: "Training with growing numbers of answers"});
                return;
            }
            if (!found.figure) {
                say("budget", "empty", {message: "This curve is not computed yet.", retry: "Compute the curve",
                    hint: `Runs with 0 answers up to all of them, ${Math.max(3, body.seeds)} seeds each, with the settings of Refine (${now.facts.short[body.method]}, ${body.source} answers).`});
                return;
            }
            curve = found;
            loupe.crayon.draw("crayon-budget-graph", found.figure);
            at("crayon-budget-said").textContent = found.sentence;
            say("budget", "ready");
            honest("budget", [`${found.seeds} seeds`, `${found.source} answers`, found.collapsed ? `${found.collapsed} runs collapsed` : "", ...about()]);
        } catch (error) {
            const isMine = text === curveAsked;
            if (isMine) curveAsked = "";
            if (isMine && isCompare()) say("budget", "failed", {message: error.message, hint: error.hint});
        }
    }

    // ---- the shipped experiment and the paper's numbers

    async function paper() {
        if (reported || !isCompare()) return;
        try {
            reported = await ask("/_crayon/reported");
        } catch (error) {
            say("reported", "failed", {message: error.message, hint: error.hint});
            return;
        }
        if (!isCompare()) { reported = null; return; }
        draw(reported.tables[0].key);
    }

    function draw(key) {
        const {el} = loupe.dom, table = reported.tables.find((one) => one.key === key);
        const menu = el("select", {"aria-label": "Which numbers", onchange: () => draw(menu.value)},
            ...reported.tables.map((one) => el("option", {value: one.key, selected: one.key === key}, one.title)));
        const head = el("tr", {}, ...table.head.map((name) => el("th", {}, name)));
        const body = table.rows.map((row) => el("tr", {}, ...row.map((cell, i) => el(i ? "td" : "th", i ? {} : {scope: "row"}, cell))));
        at("crayon-reported-view").replaceChildren(el("p", {class: "crayon-mark"}, `${table.mark[0].toUpperCase()}${table.mark.slice(1)}.`), menu, el("p", {}, `${table.title}, in ${table.unit}`), el("div", {class: "crayon-scroll"}, el("table", {class: "crayon-table"}, el("thead", {}, head), el("tbody", {}, ...body))),
            el("p", {class: "lp-muted"}, table.note));
        say("reported", "ready");
        honest("reported", [table.source, table.mark]);
    }

    document.addEventListener("loupe:retry", ({detail}) => {
        if (!isHere()) return;
        const card = detail.cardId.replace("crayon-", "");
        if (card === "reported") paper();
        else if (card === "budget") {
            if (at("crayon-budget").querySelector("[data-action=retry]").textContent === "Annotate maps") loupe.crayon.set("step", "maps");
            else learning(true);
        } else if (card === "sweep" && held && held.count) sweep();
        else if (["runs", "change", "energy", "sweep"].includes(card)) {
            if (held && !held.count) loupe.crayon.set("step", "refine");
            else load();
        }
    });
    document.addEventListener("loupe:job-done", ({detail}) => {
        if (!isHere() || detail.cardId !== "crayon-budget") return;
        curveAsked = "";
        learning();
    });
    /** A row of the grid is the run, its first seed, that the gallery compares. */
    function choose({target}) {
        const id = target.closest?.("#crayon-runs-grid .ag-row")?.getAttribute("row-id");
        if (id && id !== "original") loupe.crayon.set("run", id);
    }
    document.addEventListener("click", choose);
    document.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(event); });
    let shown = "";
    loupe.crayonPage.onShow((values, told) => {
        const text = `${values.step} ${values.set}`;
        const isNew = text !== shown;
        shown = text;
        if (values.step !== "compare") return;
        if (isNew) paper();
        if (isNew && now.runs && now.runs.set === values.set) load(); // else once the runs are known
        if (told && held && held.count) lines();
        if (told) learning();
    });
    loupe.crayonRuns.onChange((_held, view) => {
        if (view || !isCompare()) return;
        load();
        curveAsked = "";
        learning();
    });
    if (loupe.theme) loupe.theme.onChange(() => {
        if (!isCompare() || !held || !held.count) return;
        plots();
        if (curve) loupe.crayon.draw("crayon-budget-graph", curve.figure);
    });
    loupe.crayonPage.onLeave(() => { held = reported = curve = null; curveAsked = shown = ""; });
})(window.loupe);
