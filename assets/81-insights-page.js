/* Insights: the page. One question goes to the server for what a set holds; each part then asks for its own. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, set, setProps, value} = loupe.insights;
    const steps = new Set(), leavers = new Set();
    let values = null, asked = "", sent = 0;

    function visit(id) {
        leavers.forEach((leave) => leave());
        Object.assign(now, {told: null, list: null, content: null, painted: null, predicted: null, box: null, phrase: "", cluster: null, visit: id});
        asked = "";
        if (values) question();
        return {};
    }

    function ask(given) {
        if (!given) return;
        const before = values;
        values = given;
        if (before && before.set !== given.set && isHere()) fresh();
        question();
        run();
    }

    /** Another set: nothing of the one before applies. */
    function fresh() {
        now.told = null;
        const empty = {model: "", domain: "0", since: "", until: "", from: 0, content: -1, edit: "", draft: ""};
        Object.entries(empty).forEach(([key, held]) => { if (value(key) !== held) set(key, held); });
    }

    function question(again) {
        if (!isHere() || !values || !now.visit) return;
        const held = {set: values.set, model: values.model}, text = JSON.stringify(held);
        if (text === asked && again !== true) return;
        asked = text;
        sent += 1;
        setProps("insights-question", {data: {...held, token: sent}});
    }

    function show(told) {
        if (!told || told.token !== sent || !isHere()) return;
        now.told = told.message ? null : told;
        tell(told.message ? `${told.message} ${told.hint || ""}` : "", true);
        if (told.message) {
            loupe.card.all().forEach((card) => {
                if (card.id !== "insights-brief") loupe.card.setState(card.id, {kind: "failed", message: told.message, hint: told.hint});
            });
            return;
        }
        toolbar(told);
        if (told.model) run();
        else unfitted();
    }

    /** Nothing can be said of contents that no model knows; one can be fitted here. */
    function unfitted() {
        loupe.card.all().forEach((card) => {
            if (card.id === "insights-brief") return;
            loupe.card.setState(card.id, {kind: "empty", message: "No model has been fitted on these contents yet."});
            loupe.insights.honest(card.id.replace("insights-", ""), []);
        });
        loupe.insights.say("contents", "empty", {message: "No model has been fitted on these contents yet.", hint: "It takes some minutes on a small machine.", retry: "Fit a model"});
    }

    async function fit() {
        const wanted = value("set");
        try {
            const {job, title} = await loupe.insights.ask("/_insights/fit", {set: wanted});
            loupe.insights.say("contents", "job", {jobId: job, message: title});
            const view = await loupe.insights.until(job);
            if (view.state === "done" && isHere() && value("set") === wanted) question(true);
        } catch (error) {
            loupe.insights.failed("contents", error);
        }
    }

    /** The choices of the toolbar, which depend on the set. */
    function toolbar({set: held, sets, models, model}) {
        const choices = (key, data, more) => setProps({type: "control", page: "insights", key}, {data, ...more});
        choices("set", sets.map((one) => ({value: one.key, label: one.title})));
        const domains = held.domains.map((one, i) => ({value: String(i), label: `${one.title}${one.held_out ? " (not trained on)" : ""}`}));
        choices("domain", [...domains, {value: "-1", label: "all domains"}]);
        if (!domains[Number(value("domain"))] && value("domain") !== "-1") set("domain", "0");
        const label = (one) => one.title || one.key;
        choices("model", [{value: "", label: model ? label(model) : "none yet"}, ...models.filter((one) => one.key !== model?.key).map((one) => ({value: one.key, label: label(one)}))]);
        const mark = at("insights-simulated");
        mark.hidden = !held.simulated;
        mark.textContent = held.simulated ? "Simulated: nobody saw these contents. Their success was drawn from a stated formula, so that the recommendations can be scored against the truth." : "";
        period(held);
    }

    function period({first, last}) {
        const {el} = loupe.dom, host = at("insights-period");
        host.parentElement.hidden = !first;
        if (!first) return;
        const field = (key, label) => el("input", {type: "date", id: `insights-${key}`, class: "lp-field", value: value(key), min: first, max: last, "aria-label": label,
            onchange: (event) => { set("from", 0); set(key, event.target.value); }});
        host.replaceChildren(field("since", "From"), el("span", {class: "lp-muted", "aria-hidden": "true"}, "to"), field("until", "Until"));
    }

    /** One line under the toolbar: what is wrong. */
    function tell(text, isBad) {
        const line = at("insights-said");
        if (!line) return;
        line.hidden = !text;
        line.dataset.tone = isBad ? "bad" : "";
        line.textContent = text;
    }

    function run() {
        if (!isHere() || !now.told?.model || !values || now.told.set.key !== values.set) return;
        ["since", "until"].forEach((key) => {
            const field = at(`insights-${key}`);
            if (field && document.activeElement !== field && field.value !== values[key]) field.value = values[key];
        });
        steps.forEach((step) => step(values, now.told));
    }

    document.addEventListener("loupe:retry", ({detail}) => {
        if (!isHere() || !detail.cardId.startsWith("insights-")) return;
        if (now.told && !now.told.model) {
            fit();
            return;
        }
        leavers.forEach((leave) => leave(detail.cardId.replace("insights-", "")));
        if (now.told) run();
        else question(true);
    });

    loupe.insightsPage = {onShow: (step) => steps.add(step), onLeave: (leave) => leavers.add(leave), run, tell, again: () => question(true)};
    window.dash_clientside = Object.assign({}, window.dash_clientside, {insights: {visit, ask, show}});
})(window.loupe);
