/* Crayon, Refine: what is running, and the curves of one run, live from its log. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, percent} = loupe.crayon;
    const POLL_MS = 1000;
    const NAMES = ["prediction", "relevant", "irrelevant"];
    let chosen = "", drawn = "", timer = 0, wasHere = false;

    const runs = () => loupe.crayonRuns;
    const isRefine = () => isHere() && loupe.crayon.value("step") === "refine";

    /** What is queued or running, each with progress and Cancel. */
    function active() {
        const {el, iconButton} = loupe.dom, host = at("crayon-active");
        if (!host) return;
        const rows = runs().active().map((run) => {
            const view = runs().view(run.job);
            return el("div", {class: "crayon-job"}, el("span", {class: "lp-clip"}, runs().name(run)), view ? loupe.jobs.bar(view) : el("span", {class: "lp-bar"}),
                el("span", {class: "lp-muted lp-clip"}, view ? loupe.jobs.told(view) : "Queued"), iconButton("player-stop", `Cancel ${runs().name(run)}`, () => loupe.jobs.cancel(run.job)));
        });
        const all = rows.length > 1 ? el("button", {type: "button", class: "plot-card-button", onclick: () => runs().active().forEach((run) => loupe.jobs.cancel(run.job))}, `Cancel all ${rows.length}`) : null;
        host.replaceChildren(...rows.slice(0, 4), el("div", {class: "crayon-job-foot"}, rows.length > 4 ? el("span", {class: "lp-muted"}, `and ${rows.length - 4} more`) : null, all));
        host.hidden = !rows.length;
    }

    function chips() {
        const {el} = loupe.dom, host = at("crayon-run-chips");
        const shown = runs().held().runs.filter((run) => ["running", "done", "failed"].includes(run.state)).slice(0, 6);
        host.replaceChildren(...shown.map((run) => el("button", {type: "button", class: "crayon-chip", "data-curves": run.key, "aria-pressed": String(run.key === chosen)},
            runs().name(run), run.collapsed ? " · collapsed" : "", run.state === "running" ? " · live" : "", run.state === "failed" ? " · failed" : "")));
    }

    /** The run whose curves are drawn: the chosen one while it is there, else what runs, else the newest. */
    function pick() {
        const all = runs().held().runs, running = all.find((run) => run.state === "running");
        if (running && (!chosen || wasHere === false)) chosen = running.key;
        if (!all.some((run) => run.key === chosen && run.state !== "queued")) chosen = (running || all.find((run) => run.stored && now.facts.mandatory[run.method]) || all.find((run) => run.stored) || {}).key || "";
        return all.find((run) => run.key === chosen);
    }

    async function follow() {
        clearTimeout(timer);
        if (!isRefine() || !now.runs) return;
        const run = pick();
        active();
        chips();
        if (!run) {
            const isWaiting = runs().active().length;
            say("curves", isWaiting ? "loading" : "empty", {keep: Boolean(isWaiting), message: isWaiting ? "Waiting for its turn…" : "No run of this set yet.", hint: "Choose a method and press Run: its curves are drawn here while it trains."});
            return;
        }
        wasHere = true;
        const key = run.key;
        try {
            const rows = run.stored ? await stored(run) : await logged(run);
            if (!isRefine() || key !== chosen) return;
            draw(run, rows);
        } catch (error) {
            if (isRefine()) say("curves", "failed", {message: error.message, hint: error.hint});
        }
        if (run.state === "running") timer = setTimeout(follow, POLL_MS);
    }

    /** Epochs from a finished run's arrays. */
    async function stored(run) {
        const {arrays} = await loupe.wire.fetch(`/_data/${run.key}?arrays=curves,validation`);
        const {curves, validation} = arrays;
        return Array.from({length: curves.shape[0]}, (_, i) => ({epoch: i + 1, epochs: run.epochs, prediction: curves.data[3 * i], relevant: curves.data[3 * i + 1],
            irrelevant: curves.data[3 * i + 2], wga: validation.data[2 * i], mga: validation.data[2 * i + 1]}));
    }

    /** Epochs from the log of a run that has not ended well, or not yet. */
    async function logged(run) {
        const {lines} = await loupe.crayon.ask(`/_jobs/${encodeURIComponent(run.job)}/log`);
        return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
    }

    function about(run, rows) {
        const last = rows[rows.length - 1];
        honest("curves", [runs().name(run), `${rows.length} of ${run.epochs} epochs`, last && Number.isFinite(last.wga) ? `validation WGA ${percent(last.wga)}` : "",
            now.told?.set?.title, run.source === "simulated" ? "simulated answers" : "", "measured here"]);
    }

    function draw(run, rows) {
        const text = JSON.stringify([run.key, rows.length, run.state, document.documentElement.dataset.mantineColorScheme]);
        if (text === drawn && at("crayon-curves").dataset.state === "ready") { about(run, rows); return; }
        drawn = text;
        const figure = structuredClone(now.facts.curves), x = rows.map((row) => row.epoch);
        const isBaseline = now.facts.baselines.includes(run.method), usesMaps = now.facts.maps.includes(run.method);
        figure.data.forEach((trace) => {
            const {role} = trace.meta;
            Object.assign(trace, {x, y: rows.map((row) => row[role] ?? null)});
            if (NAMES.indexOf(role) > 0) trace.visible = usesMaps || (isBaseline && role === "relevant");
            if (isBaseline && role === "relevant") trace.name = "its own term";
        });
        figure.layout.xaxis.range = figure.layout.xaxis2.range = [0.5, run.epochs + 0.5];
        [figure.layout.xaxis, figure.layout.xaxis2].forEach((axis) => Object.assign(axis, {tick0: 1, dtick: Math.max(1, Math.ceil(run.epochs / 10))}));
        loupe.crayon.draw("crayon-curves-graph", figure);
        about(run, rows);
        if (rows.length) say("curves", "ready");
        else say("curves", "loading", {keep: false, message: run.state === "running" ? "Preparing the training images…" : "This run wrote no epoch."});
    }

    document.addEventListener("click", (event) => {
        const chip = event.target.closest?.("#crayon-run-chips [data-curves]");
        if (!chip) return;
        chosen = chip.dataset.curves;
        follow();
    });
    document.addEventListener("loupe:retry", ({detail}) => {
        if (isHere() && ["crayon-curves", "crayon-tree"].includes(detail.cardId)) runs().load(true);
    });
    let state = "";
    loupe.crayonRuns.onChange((_held, view) => {
        if (!isRefine()) return;
        if (!view) { follow(); return; }
        active();
        const run = runs().held().runs.find((one) => one.job === view.id);
        if (run && run.state !== view.state) { // it has begun: its log can be read
            run.state = view.state;
            if (view.state === "running") chosen = run.key;
            follow();
        }
    });
    loupe.crayonPage.onShow((values) => {
        const text = `${values.step} ${values.set} ${now.told ? now.told.token : ""}`;
        if (values.step === "refine" && text !== state) follow();
        state = text;
    });
    if (loupe.theme) loupe.theme.onChange(() => { drawn = ""; follow(); });
    loupe.crayonPage.onLeave(() => { chosen = drawn = ""; wasHere = false; clearTimeout(timer); });
    loupe.crayonTraining = {show: (key) => { chosen = key; follow(); }};
})(window.loupe);
