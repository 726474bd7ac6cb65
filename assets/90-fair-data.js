/* Fair retrieval: state, questions to /_fair, and what the parts of the page share. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const now = {pool: null, told: null, survey: null, visit: "", own: null, figures: {}};
    const MINUS = "−", WAIT_MS = 60;
    const at = (id) => document.getElementById(id);
    const isHere = () => Boolean(at("fair-page"));
    const setProps = (id, props) => { if (isHere()) window.dash_clientside.set_props(id, props); };
    const set = (key, value) => setProps({type: "control", page: "fair", key}, {value});
    const steps = new Set();
    let values = null, answered = "", surveyed = "", timer = 0;

    const say = (card, kind, more) => { if (loupe.card.find(card)) loupe.card.setState(card, {kind, ...more}); };
    function honest(card, parts) {
        const line = at(JSON.stringify({card, type: "honesty"}));
        if (line) line.textContent = parts.filter(Boolean).join(" · ");
    }
    const percent = (share) => (Number.isFinite(share) ? `${Math.round(100 * share)} %` : "–");
    const signed = (value, digits = 2) => (Number.isFinite(value) ? `${value < 0 ? MINUS : value > 0 ? "+" : "±"}${Math.abs(value).toFixed(digits)}` : "–");

    const failure = (message, hint) => Object.assign(new Error(message), {hint: hint || ""});

    /** JSON of a route; what it refuses becomes an Error with its sentence. A starting worker is asked again. */
    async function ask(address, body, waits = [400, 1600, 4000, 8000]) {
        const options = body && {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)};
        let answer;
        try {
            answer = await fetch(`/_fair/${address}`, options);
        } catch (_offline) {
            throw failure("The server does not answer.", "Check that Loupe is still running.");
        }
        const held = await answer.json().catch(() => ({}));
        if (answer.status === 503 && waits.length && isHere()) {
            await new Promise((resolve) => { setTimeout(resolve, waits[0]); });
            return ask(address, body, waits.slice(1));
        }
        if (!answer.ok) throw failure(held.message || `The server answered ${answer.status}.`, held.hint);
        return held;
    }

    /** The last view of a job, once it has ended. */
    const until = (job) => new Promise((resolve) => {
        loupe.jobs.watch(job, (view) => { if (loupe.jobs.isFinal(view)) resolve(view); });
    });

    const ANSWER = ["fair-results", "fair-curves", "fair-quantiles", "fair-predictor"];
    const SURVEY = ["fair-tradeoff", "fair-queries", "fair-methods"];
    const failed = (cards, error) => cards.forEach((card) => { if (isHere()) say(card, "failed", {message: error.message, hint: error.hint}); });

    /** The names of the groups -1, 0 and +1. */
    function names() {
        if (values?.own) return now.told?.names || ["group −1", "neither", "group +1"];
        return now.pool.names[values.attribute];
    }

    /** What every honesty line ends with. */
    function about() {
        if (values.own) return [now.told?.source || "an imported table", `seed ${values.seed}`];
        return ["CLIP-style, small", `drawn people ${now.pool.fingerprint.slice(0, 8)}`, `seed ${values.seed}`];
    }

    /** One query: the newest question wins, and what is shown stays until the answer is there. */
    async function answer() {
        const text = JSON.stringify(values);
        if (text === answered || !now.pool) return;
        answered = text;
        ANSWER.forEach((card) => say(card, "loading", {keep: Boolean(now.told)}));
        try {
            const told = await ask("answer", values);
            if (answered !== text || !isHere()) return;
            now.told = told;
            ANSWER.forEach((card) => say(card, "ready"));
            steps.forEach((step) => step(values, told));
        } catch (error) {
            if (answered !== text) return;
            answered = "";
            failed(ANSWER, error);
        }
    }

    /** All queries: stored, or a job whose progress the first card shows. The query itself does not change it. */
    async function survey() {
        if (values.own) {
            surveyed = "";
            SURVEY.forEach((card) => say(card, "empty", {message: "A pool of your own has one query; this compares many.", retry: ""}));
            return;
        }
        const {typed: _typed, query: _query, own: _own, ...asked} = values, text = JSON.stringify(asked);
        if (text === surveyed) return;
        surveyed = text;
        SURVEY.forEach((card) => say(card, "loading", {keep: Boolean(now.survey)}));
        try {
            let told = await ask("overview", {...values, visit: now.visit});
            if (told.job) {
                const {job} = told;
                SURVEY.forEach((card) => say(card, "job", {jobId: job, message: told.title, keep: Boolean(now.survey)}));
                const view = await until(job);
                if (surveyed !== text) return;
                if (view.state !== "done") throw failure(view.error_message || "Cancelled.", view.error_hint);
                told = await ask("overview", values);
            }
            if (surveyed !== text || !isHere()) return;
            now.survey = told;
            SURVEY.forEach((card) => say(card, "ready"));
            loupe.fairPlots.survey(values, told);
        } catch (error) {
            if (surveyed !== text) return;
            surveyed = "";
            failed(SURVEY, error);
        }
    }

    async function open() {
        if (!now.pool) {
            try {
                now.pool = await ask("pool");
            } catch (error) {
                failed([...ANSWER, ...SURVEY, "fair-map"], error);
                return;
            }
        }
        if (!isHere() || !values) return;
        loupe.fairResults.settings(values);
        loupe.fairMap.show(values);
        answer();
        clearTimeout(timer);
        timer = setTimeout(survey, now.survey ? 350 : 0); // a slider that is still moving starts no job
    }

    function visit(id) {
        Object.assign(now, {told: null, survey: null, visit: id});
        answered = surveyed = "";
        loupe.fairMap.leave();
        if (values) setTimeout(open, 0);
        return {};
    }
    let waiting = 0;
    function asked(given) {
        if (!given || !isHere()) return;
        values = given;
        clearTimeout(waiting);
        waiting = setTimeout(() => { if (isHere()) open(); }, now.told ? WAIT_MS : 0);
    }

    document.addEventListener("loupe:retry", ({detail}) => {
        if (!isHere() || !detail.cardId.startsWith("fair-")) return;
        answered = surveyed = "";
        open();
    });

    loupe.fair = {now, at, isHere, setProps, set, values: () => values, say, honest, percent, signed, ask, names, about, onAnswer: (step) => steps.add(step), again: open};
    window.dash_clientside = Object.assign({}, window.dash_clientside, {fair: {visit, ask: asked}});
})(window.loupe);
