/* Crayon: the runs of a set, shared by Refine and Compare: the list, what is running, the tree. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, ask, percent, points} = loupe.crayon;
    const ACTIVE = ["queued", "running"];
    const watched = new Map(); // job id -> its last view
    const listeners = new Set();
    let asked = "", token = 0;

    const fresh = () => ({runs: [], tree: [], set: ""});
    const held = () => now.runs || fresh();
    const find = (key) => held().runs.find((run) => run.key === key);
    const done = () => held().runs.filter((run) => run.stored);
    const active = () => held().runs.filter((run) => ACTIVE.includes(run.state));

    /** The runs of the present set, asked for once; again when `isAgain`, or a run has ended. */
    async function load(isAgain) {
        const set = loupe.crayon.value("set");
        if (asked === set && !isAgain) return;
        asked = set;
        token += 1;
        const mine = token;
        try {
            if (loupe.login?.role() === "annotator") return;
            const found = await ask(`/_crayon/runs?${new URLSearchParams({set})}`);
            if (mine !== token || !isHere()) return;
            now.runs = {...found, set};
            active().forEach((run) => watch(run.job));
            models();
            tree();
            listeners.forEach((listener) => listener(now.runs));
        } catch (error) {
            asked = "";
            if (isHere()) ["tree", "runs"].forEach((card) => say(card, "failed", {message: error.message, hint: error.hint}));
        }
    }

    function watch(job) {
        if (watched.has(job)) return;
        watched.set(job, null);
        loupe.jobs.watch(job, (view) => {
            watched.set(job, view);
            if (loupe.jobs.isFinal(view)) {
                watched.delete(job);
                if (isHere()) load(true);
            } else if (isHere()) listeners.forEach((listener) => listener(held(), view));
        });
    }

    const short = (run) => now.facts.short[run.method] || run.method;
    const name = (run) => `${short(run)}, seed ${run.seed}${run.source === "simulated" ? " (simulated answers)" : ""}`;

    /** Original and corrected models in the toolbar's menu. */
    function models() {
        const chosen = loupe.crayon.value("model");
        const rows = [{value: "", label: "Original model"}];
        const walk = (node, depth) => {
            if (node.run) rows.push({value: node.key, label: `${"– ".repeat(depth)}${name(node.run)}`});
            node.children.forEach((child) => walk(child, depth + 1));
        };
        held().tree.forEach((node) => walk(node, 0));
        if (chosen && !rows.some((row) => row.value === chosen)) rows.push({value: chosen, label: `${chosen.slice(0, 8)}, not stored here`});
        loupe.crayon.setProps({type: "control", page: "crayon", key: "model"}, {data: rows});
    }

    // ---- the tree

    function settingsOf(run) {
        const parts = [`${run.epochs} epochs`, `lr ${run.lr}`];
        if (now.facts.maps.includes(run.method)) parts.push(`${run.per_relevant} / ${run.per_irrelevant} a map`, `${run.relevant} relevant, ${run.irrelevant} irrelevant`);
        if (now.facts.mask.includes(run.method)) parts.push(`${run.pruned} of ${run.neurons} neurons pruned`);
        if (now.facts.baselines.includes(run.method)) parts.push(`strength ${run.strength}`);
        if (run.budget) parts.push(`budget ${run.budget}`);
        if (run.transferred) parts.push("transferred answers");
        return parts.join(" · ");
    }

    function node(one) {
        const {el} = loupe.dom, {run} = one, isChosen = (loupe.crayon.value("model") || "") === one.key;
        const first = run ? name(run) : one.title;
        const numbers = run ? [el("span", {class: "lp-number"}, `WGA ${percent(run.wga_after)}`), el("span", {class: "lp-muted"}, `${points(run.wga_after - run.wga_before)} points`),
            el("span", {class: "lp-number"}, `MGA ${percent(run.mga_after)}`)] : [];
        const state = run && run.collapsed ? el("span", {class: "crayon-mark"}, "collapsed: one class only") : null;
        const use = one.lost ? null : el("button", {type: "button", class: "plot-card-button", "data-model": one.key, "aria-pressed": String(isChosen)}, isChosen ? "In use" : "Use");
        return el("li", {}, el("div", {class: "crayon-node", "data-chosen": isChosen || null}, use, el("b", {}, first), state, ...numbers,
            run ? el("span", {class: "lp-muted crayon-node-how"}, settingsOf(run)) : null),
            one.children.length ? el("ul", {}, ...one.children.map(node)) : null);
    }

    function tree() {
        const host = at("crayon-tree-view");
        if (!host) return;
        host.replaceChildren(loupe.dom.el("ul", {}, ...held().tree.map(node)));
        const count = done().length;
        if (!count) host.append(loupe.dom.el("p", {class: "lp-muted"}, "No corrected model yet: choose a method above and press Run."));
        say("tree", "ready");
        honest("tree", [`${count} corrected models`, now.told?.set?.title || "", "numbers of the test split", "measured here"]);
    }

    document.addEventListener("click", (event) => {
        const button = event.target.closest?.("#crayon-page [data-model]");
        if (button) loupe.crayon.set("model", button.dataset.model);
    });
    loupe.crayonPage.onShow((values) => {
        load();
        if (now.runs && values.step === "refine") tree();
    });
    loupe.crayonPage.onLeave(() => { asked = ""; });

    loupe.crayonRuns = {load, find, done, active, held, watch, name, short, settingsOf, view: (job) => watched.get(job),
        onChange: (listener) => listeners.add(listener)};
})(window.loupe);
