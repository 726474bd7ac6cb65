/* loupe.desk(page): what the scripts of a page with cards share. The page's element is `<page>-page`, its cards
 * are `<page>-<card>`, and its state lies in the controls of `page`.
 *
 *   set(key, value)            write a value of the state; the URL and undo follow
 *   say(card, kind, more)      the state of a card; honest(card, parts): its honesty line
 *   ask(address, body)         JSON of a route; what it refuses is an Error with its sentence, hint and status
 *   done(card, told)           waits for the job `told.job`, which the card shows; fails with the job's sentence
 *   failed(card, error)        what a failed card says; a cancelled job has said it itself
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const BUSY_MS = [400, 1600, 4000, 8000]; // waits before a busy worker is asked again

    const failure = (message, hint, status) => Object.assign(new Error(message), {hint: hint || "", status});

    /** The last view of a job, once it has ended. */
    const until = (job) => new Promise((resolve) => {
        loupe.jobs.watch(job, (view) => { if (loupe.jobs.isFinal(view)) resolve(view); });
    });

    function optionsOf(body) {
        if (!body) return undefined;
        if (body instanceof FormData) return {method: "POST", body};
        return {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)};
    }

    loupe.desk = function (page) {
        const isHere = () => Boolean(document.getElementById(`${page}-page`));
        /** Nothing is written once the page has been left: its components are gone. */
        const setProps = (id, props) => { if (isHere()) window.dash_clientside.set_props(id, props); };
        const set = (key, value) => setProps({type: "control", page, key}, {value});
        const values = () => loupe.state.current().values || {};
        const say = (card, kind, more) => {
            if (loupe.card.find(`${page}-${card}`)) loupe.card.setState(`${page}-${card}`, {kind, ...more});
        };

        function honest(card, parts) {
            const line = document.getElementById(JSON.stringify({card: `${page}-${card}`, type: "honesty"}));
            if (line) line.textContent = parts.filter(Boolean).join(" · ");
        }

        async function ask(address, body, waits = BUSY_MS) {
            let answer;
            try {
                answer = await fetch(address, optionsOf(body));
            } catch (_offline) {
                throw failure("The server does not answer.", "Check that Loupe is still running.", 0);
            }
            const held = await answer.json().catch(() => ({}));
            if (answer.status === 503 && waits.length && isHere()) {
                await new Promise((resolve) => { setTimeout(resolve, waits[0]); });
                return ask(address, body, waits.slice(1));
            }
            if (!answer.ok) throw failure(held.message || `The server answered ${answer.status}.`, held.hint, answer.status);
            return held;
        }

        async function done(card, {job, title}) {
            say(card, "job", {jobId: job, message: title, keep: loupe.card.stateOf(`${page}-${card}`)?.kind === "ready"});
            const view = await until(job);
            if (view.state === "cancelled") throw failure("Cancelled.", "", -1);
            if (view.state !== "done") throw failure(view.error_message || "The job failed.", view.error_hint, -1);
        }

        function failed(card, error) {
            if (isHere() && error.message !== "Cancelled.") say(card, "failed", {message: error.message, hint: error.hint});
        }

        return {isHere, setProps, set, values, value: (key) => values()[key], say, honest, failure, ask, until, done, failed};
    };
})(window.loupe);
