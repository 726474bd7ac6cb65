/* Crayon: the page. One question goes to the server for what a state needs; the newest question wins. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere} = loupe.crayon;
    const AT_ONCE_MS = 25; // several values that change together are one question
    const KINDS = {map: "attention maps", seen: "attention maps", items: "energies", patch: "concept patches"};
    let values = null, timer = 0;
    const leavers = new Set(); // what each step forgets when the page is opened anew
    const shown = new Set(); // functions of the steps, called with (values, told) after each change

    function visit(_id, facts) {
        loupe.crayon.reset();
        leavers.forEach((leave) => leave());
        now.facts = facts;
        if (values) plan();
        return {};
    }

    function ask(given) {
        if (!given) return;
        const before = values;
        values = given;
        calm();
        if (before && (before.set !== given.set || before.model !== given.model)) {
            Object.keys(KINDS).forEach((kind) => loupe.crayon.ready(kind, ""));
        }
        if (before && before.saliency !== given.saliency) loupe.crayon.ready("seen", "");
        if (before && before.set !== given.set && before.model === given.model && given.model) {
            loupe.crayon.set("model", ""); // a corrected model belongs to its set
            return;
        }
        loupe.crayon.follow(given);
        plan();
        shown.forEach((step) => step(values, now.told));
    }

    /** The screen of an annotator who came by a link with a name: nothing but the question. */
    function calm() {
        if (at("crayon-page")) at("crayon-page").dataset.calm = String(Boolean(values.calm));
    }

    function plan() {
        clearTimeout(timer);
        timer = setTimeout(send, AT_ONCE_MS);
    }

    function send(again) {
        if (!now.facts.asked.length || !values || !isHere()) return;
        const question = Object.fromEntries(now.facts.asked.map((key) => [key, values[key]]));
        const text = JSON.stringify(question);
        if (text === now.question && again !== true) return;
        now.question = text;
        now.sent += 1;
        loupe.crayon.setProps("crayon-question", {data: {...question, token: now.sent}});
    }

    function show(told) {
        if (!told || told.token !== now.sent || !isHere()) return;
        now.told = told;
        tell(told.message ? `${told.message} ${told.hint || ""}` : "", true);
        Object.keys(KINDS).forEach((kind) => obtain(kind, told[kind], told.token));
        shown.forEach((step) => step(values, told));
    }

    /** One line under the tabs: what is being computed, or what is wrong. */
    function tell(text, isBad) {
        const line = at("crayon-said");
        if (!line) return;
        line.hidden = !text;
        line.dataset.tone = isBad ? "bad" : "";
        line.textContent = text;
    }

    async function obtain(kind, part, token) {
        if (!part) return;
        const isWanted = () => token === now.sent && isHere();
        if (!part.job) return arrived(kind, part.result);
        const view = await loupe.crayon.until(part.job, (job) => {
            if (isWanted()) tell(`Computing the ${KINDS[kind]} of this model… ${loupe.jobs.told(job)}`);
        });
        if (!isWanted()) return null;
        tell(view.state === "done" ? "" : `The ${KINDS[kind]} are missing. ${view.error_message || "The run was cancelled."} ${view.error_hint || ""}`, true);
        if (view.state === "done") arrived(kind, part.result);
        return null;
    }

    /** A result lies in the store. What needs the maps is asked for next. */
    function arrived(kind, key) {
        loupe.crayon.ready(kind, key);
        if (kind === "map" && !now.told.items) send(true);
        else shown.forEach((step) => step(values, now.told));
    }

    document.addEventListener("click", (event) => {
        if (event.target.closest?.("#crayon-leave")) loupe.crayon.set("calm", false);
    });

    loupe.crayonPage = {onShow: (step) => shown.add(step), onLeave: (leave) => leavers.add(leave), again: () => send(true), tell};
    window.dash_clientside = Object.assign({}, window.dash_clientside, {crayon: {visit, ask, show}});
})(window.loupe);
