/* Plot cards: switching their states, and the actions of their menus.
 *
 * Everything here runs in the browser. A click on anything with `data-action` is handled by one
 * listener on the document, because menu items are portalled out of their card.
 *
 * loupe.card.setState(cardId, state)
 *   state.kind     "ready" | "loading" | "empty" | "failed" | "job"
 *   state.message  a sentence; state.hint: what to do about it
 *   state.keep     the content stays visible, muted, under a thin bar ("loading" and "job")
 *   state.jobId    "job": followed until it ends; state.fraction (0..1) and state.leftS otherwise
 *   state.retry    label of the button that asks to try again ("failed" has one by default)
 * Events on the card, bubbling, detail = {cardId, jobId}:
 *   loupe:retry, loupe:cancel (preventDefault keeps the job alive), loupe:job-done (detail.job)
 */
window.loupe = window.loupe || {};

(function () {
    "use strict";

    const KINDS = ["ready", "loading", "empty", "failed", "job"];
    const SENTENCES = {
        ready: "",
        loading: "Loading…",
        empty: "There is nothing to show yet.",
        failed: "This plot could not be drawn.",
        job: "Computing…",
    };
    const states = new WeakMap();   // card element -> the state it shows
    const watches = new WeakMap();  // card element -> {jobId, stop}
    const waiting = new Map();      // card id -> a state set before the card was on the page
    let mountObserver = null;

    /* ---- finding things ---- */

    function find(cardId) {
        const card = document.getElementById(cardId);
        return card && card.classList.contains("plot-card") ? card : null;
    }

    function part(card, name) {
        return card.querySelector(":scope > .plot-card-body .plot-card-" + name);
    }

    function textOf(card, selector) {
        const element = card.querySelector(selector);
        return element ? element.textContent.trim() : "";
    }

    /** Page, values, selection and address of the view, also before the state script is there. */
    function viewState() {
        const held = window.loupe.state && window.loupe.state.current && window.loupe.state.current();
        const page = location.pathname.replace(/^\/|\/$/g, "") || "home";
        return Object.assign({page: page, values: {}, selection: null, url: location.href}, held);
    }

    /** What an exported file says about where it comes from. */
    function facts(card) {
        const view = viewState();
        return {
            id: card.id,
            page: String(view.page || "page"),
            title: textOf(card, ":scope > .plot-card-head h2"),
            question: textOf(card, ":scope > .plot-card-head .plot-card-question"),
            honesty: textOf(card, ":scope > .plot-card-honesty"),
            url: new URL(view.url || location.href, location.href).href,
            date: new Date().toISOString(),
        };
    }

    /* ---- states ---- */

    function setState(cardId, state) {
        if (!state || !KINDS.includes(state.kind)) {
            throw new TypeError("A card's state is one of " + KINDS.join(", ") + "; not " +
                JSON.stringify(state && state.kind));
        }
        const card = find(cardId);
        if (card) {
            waiting.delete(cardId);
            show(card, state);
        } else {
            waiting.set(cardId, state);
            awaitCards();
        }
    }

    /** A page script may speak before React has mounted the card: apply the last word then. */
    function awaitCards() {
        if (mountObserver) {
            return;
        }
        mountObserver = new MutationObserver(function () {
            for (const [cardId, state] of Array.from(waiting)) {
                if (find(cardId)) {
                    waiting.delete(cardId);
                    show(find(cardId), state);
                }
            }
            if (!waiting.size) {
                mountObserver.disconnect();
                mountObserver = null;
            }
        });
        mountObserver.observe(document.body, {childList: true, subtree: true});
    }

    function show(card, state) {
        states.set(card, state);
        follow(card, state);
        const covers = state.kind !== "ready" && !state.keep;
        const hadFocus = card.contains(document.activeElement) && document.activeElement;
        card.dataset.state = state.kind;
        card.dataset.keep = state.keep ? "true" : "false";
        card.dataset.retry = String(Boolean(state.retry));
        card.setAttribute("aria-busy", String(state.kind === "loading" || state.kind === "job"));
        part(card, "content").inert = covers;
        write(part(card, "message"), state.message || SENTENCES[state.kind]);
        write(part(card, "hint"), state.hint || "");
        showProgress(card, state);
        showButtons(card, state);
        if (hadFocus && (hadFocus.hidden || hadFocus.closest("[inert]"))) {
            card.querySelector(".plot-card-menu").focus();  // never drop the keyboard on <body>
        }
    }

    function write(element, text) {
        if (element.textContent !== text) {  // an unchanged live region must not be read again
            element.textContent = text;
        }
    }

    function showButtons(card, state) {
        const retry = part(card, "layer").querySelector("[data-action=retry]");
        const cancel = part(card, "layer").querySelector("[data-action=cancel]");
        retry.hidden = state.kind !== "failed" && !state.retry;
        cancel.hidden = state.kind !== "job";
        write(retry, state.retry || "Retry");
    }

    function showProgress(card, state) {
        const bar = part(card, "bar");
        const known = typeof state.fraction === "number" && isFinite(state.fraction);
        const percent = known ? Math.floor(100 * Math.min(1, Math.max(0, state.fraction))) : 0;
        bar.dataset.known = String(known);
        bar.firstElementChild.style.transform = known ? "scaleX(" + percent / 100 + ")" : "";
        if (known) {
            bar.setAttribute("aria-valuenow", String(percent));
        } else {
            bar.removeAttribute("aria-valuenow");
        }
        const left = timeLeft(state.leftS);
        const words = state.kind !== "job" ? [] : [known ? percent + " %" : "", left];
        write(part(card, "figures"), words.filter(Boolean).join(" · "));
    }

    function timeLeft(seconds) {
        if (typeof seconds !== "number" || !isFinite(seconds)) {
            return "";
        }
        if (seconds < 90) {
            return "≈ " + Math.max(1, Math.round(seconds)) + " s left";
        }
        return "≈ " + (seconds < 5400 ? Math.round(seconds / 60) + " min left"
            : (seconds / 3600).toFixed(1) + " h left");
    }

    /* ---- jobs ---- */

    /** Start, keep or end following the job named by the state. */
    function follow(card, state) {
        const held = watches.get(card);
        const jobId = state.kind === "job" ? state.jobId : undefined;
        if (held && held.jobId === jobId) {
            return;
        }
        if (held) {
            watches.delete(card);
            held.stop();
        }
        if (jobId) {
            const watch = {jobId: jobId, message: state.message, stop: function () {}};
            watches.set(card, watch);
            watch.stop = window.loupe.jobs.watch(jobId, function (view) {
                if (watches.get(card) === watch) {
                    onJob(card, view);
                }
            });
        }
    }

    function onJob(card, job) {
        const held = states.get(card);
        const name = String(job.state || "").toUpperCase();
        if (name === "QUEUED" || name === "RUNNING" || name === "DONE") {
            show(card, Object.assign({}, held, {
                message: name === "QUEUED" ? "Waiting for the jobs before it…"
                    : watches.get(card).message || job.title,
                hint: name === "RUNNING" ? job.message || "" : "",
                fraction: name === "DONE" ? 1 : job.fraction,
                leftS: name === "RUNNING" ? job.left_s : null,
            }));
        }
        if (name === "DONE") {
            emit(card, "job-done", {jobId: job.id, job: job});
        } else if (name === "CANCELLED") {
            show(card, {kind: "empty", message: "Cancelled.", retry: "Run again", endedJobId: job.id});
        } else if (name === "FAILED" || name === "INTERRUPTED") {
            show(card, {
                kind: "failed",
                message: job.error_message || (name === "FAILED" ? "The job failed."
                    : "The job was interrupted before it had finished."),
                hint: job.error_hint || "",
                retry: name === "FAILED" ? "Retry" : "Run again",
                endedJobId: job.id,
            });
        }
    }

    function emit(card, name, detail) {
        const init = {bubbles: true, cancelable: true,
            detail: Object.assign({cardId: card.id, jobId: null}, detail)};
        return card.dispatchEvent(new CustomEvent("loupe:" + name, init));
    }

    function retry(card) {
        const state = states.get(card) || {};
        emit(card, "retry", {jobId: state.endedJobId || state.jobId || null});
    }

    function cancel(card) {
        const jobId = (states.get(card) || {}).jobId || null;
        if (emit(card, "cancel", {jobId: jobId}) && jobId) {
            post("/_jobs/" + encodeURIComponent(jobId) + "/cancel", {}).catch(sayError);
        }
    }

    /* ---- requests, downloads, words ---- */

    /** POST JSON; an answer that is not 2xx becomes an Error with the server's sentence. */
    async function post(path, body) {
        let response;
        try {
            response = await fetch(path, {method: "POST", body: JSON.stringify(body),
                headers: {"Content-Type": "application/json"}});
        } catch (error) {
            throw refusal({message: "The server does not answer.", hint: "Is it still running?"});
        }
        if (!response.ok) {
            const said = await response.json().catch(function () { return {}; });
            throw refusal({message: said.message || "The server refused (" + response.status + ").",
                hint: said.hint});
        }
        return response;
    }

    function refusal(said) {
        const error = new Error(said.message);
        error.hint = said.hint || "";
        return error;
    }

    function requestTable(name, extension) {
        return post("/_table/" + encodeURIComponent(name) + "." + extension, viewState());
    }

    async function downloadTable(card, extension) {
        const response = await requestTable(card.dataset.table, extension);
        save(await response.blob(), fileName(facts(card), extension));
    }

    function save(blob, name) {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = name;
        link.click();
        setTimeout(function () { URL.revokeObjectURL(link.href); }, 60000);
    }

    /** "loupe-nero-aggregate-2026-11-22.png": letters, digits and hyphens, whatever the title. */
    function fileName(about, extension) {
        const words = [about.page, about.title].map(function (text) {
            return text.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-")
                .replace(/^-+|-+$/g, "").slice(0, 60);
        });
        const day = about.date.slice(0, 10);
        return ["loupe"].concat(words, day).filter(Boolean).join("-") + "." + extension;
    }

    async function copyLink(card) {
        const url = facts(card).url;
        try {
            await navigator.clipboard.writeText(url);
            say("Link copied");
        } catch (error) {  // no permission, or not a secure address: let the user copy by hand
            say("Copy this link: " + url, "hold");
        }
    }

    function sayError(error) {
        if (window.loupe.notify) {
            window.loupe.notify({kind: "error", message: error.message, hint: error.hint});
        } else {
            say([error.message, error.hint].filter(Boolean).join(" "), "failed");
        }
    }

    let sayTimer = 0;
    /** A short notice at the bottom of the window, gone after a few seconds. */
    function say(text, tone) {
        let box = document.getElementById("card-toast");
        if (!box) {
            box = document.createElement("div");
            box.id = "card-toast";
            box.setAttribute("role", "status");
            document.body.appendChild(box);
        }
        box.textContent = text;
        box.dataset.tone = tone || "done";
        box.dataset.open = "true";
        clearTimeout(sayTimer);
        sayTimer = setTimeout(function () { box.dataset.open = "false"; }, tone ? 12000 : 2500);
    }

    /* ---- the menu ---- */

    /** Dialogs give the focus back to what had it: not a menu item that is about to go. */
    function focusOpener(card) {
        card.querySelector(".plot-card-menu").focus();
    }

    const actions = {
        retry: retry,
        cancel: cancel,
        link: copyLink,
        csv: function (card) { return downloadTable(card, "csv"); },
        parquet: function (card) { return downloadTable(card, "parquet"); },
        about: function (card) {
            const text = document.querySelector('[data-method-of="' + CSS.escape(card.id) + '"]');
            if (text) {
                text.querySelector(".method-honesty").textContent = facts(card).honesty;
            }
            focusOpener(card);
            window.dash_clientside.set_props({type: "method-card", card: card.id}, {opened: true});
        },
    };

    async function run(name, card, element) {
        try {
            await actions[name](card, element);
        } catch (error) {
            sayError(error);
        }
    }

    document.addEventListener("click", function (event) {
        const element = event.target.closest && event.target.closest("[data-action]");
        if (!element || !Object.hasOwn(actions, element.dataset.action)) {
            return;
        }
        const cardId = element.dataset.card || (element.closest(".plot-card") || {}).id;
        run(element.dataset.action, cardId ? find(cardId) : null, element);
    });

    /** A line cut short by a narrow card can be read whole under the pointer. */
    document.addEventListener("pointerover", function (event) {
        const line = event.target.closest && event.target.closest(".plot-card-honesty");
        if (line) {
            line.title = line.textContent;
        }
    });

    window.loupe.card = {
        setState: setState,
        stateOf: function (cardId) { return find(cardId) ? states.get(find(cardId)) : undefined; },
        all: function () { return Array.from(document.querySelectorAll("section.plot-card")); },
        find: find,
        content: function (card) { return part(card, "content"); },
        facts: facts,
        viewState: viewState,
        requestTable: requestTable,
        save: save,
        fileName: fileName,
        say: say,
        sayError: sayError,
        actions: actions,
        focusOpener: focusOpener,
    };
})();
