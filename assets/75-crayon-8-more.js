/* Crayon: what annotators need now and then, below the question: order and people, agreement, simulated
 * annotators, files, keys. Each is drawn when it is unfolded. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const ORDERS = {random: "At random", disagreement: "Disagreement first", rarity: "Rare groups first", effect: "Expected effect: least sure first"};
    const {part} = loupe.crayonStage;
    const el = (...all) => loupe.dom.el(...all);
    const panel = () => loupe.crayonPanel;
    const note = (text, tone) => el("p", {class: "lp-muted", "data-tone": tone, role: "status"}, text);
    const told = (error) => note(`${error.message} ${error.hint || ""}`.trim(), "bad");

    const labelled = (text, control) => el("label", {}, text, control);
    function menu(options, value, onchange) {
        const made = el("select", {onchange: (event) => onchange(event.target.value)},
            ...Object.entries(options).map(([key, text]) => el("option", {value: key, selected: key === String(value)}, text)));
        return made;
    }

    /** Whom the folds are about. */
    function scope(kind) {
        const {set, parent, saliency} = loupe.crayon.settings();
        return {set, parent, kind, ...(saliency && kind === "map" ? {saliency} : {})};
    }

    // ---- order and people

    function linkFor(name) {
        const {set, parent, order, overlap, saliency, step} = loupe.crayon.settings();
        const parts = {set, ...(parent ? {model: parent} : {}), order, overlap, ...(saliency ? {saliency} : {}), ...(step === "neurons" ? {step, calm: "1"} : {}), as: name};
        return `${location.origin}/crayon?${new URLSearchParams(parts)}`;
    }

    /** With a login, a link that lets this annotator in; made when it is copied, and valid for 14 days. */
    async function invitation(name, said) {
        const view = Object.fromEntries(new URL(linkFor(name)).searchParams);
        try {
            return (await loupe.crayon.ask("/_invites", {name, view, days: 14})).url;
        } catch (error) {
            said.textContent = `${error.message} ${error.hint || ""}`;
            return "";
        }
    }

    function people(place, kind) {
        const {order, overlap, saliency} = loupe.crayon.settings();
        const orders = kind === "patch" ? {random: ORDERS.random, disagreement: ORDERS.disagreement} : ORDERS;
        const row = el("div", {class: "annotate-row"}, labelled("Order", menu(orders, order in orders ? order : "random", (value) => loupe.crayon.set("order", value))));
        if (kind === "map") {
            const counts = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [n, String(n)]));
            row.append(labelled("Annotators per item", menu(counts, overlap, (value) => loupe.crayon.set("overlap", Number(value)))));
            const methods = menu(loupe.crayon.now.facts.saliency || {}, saliency || "gradcam", (value) => loupe.crayon.set("saliency", value));
            methods.append(el("option", {disabled: true}, "attention rollout: needs a transformer"));
            row.append(labelled("Maps by", methods));
        }
        const link = el("input", {class: "annotate-long", readonly: true, "aria-label": "Link for this annotator", onfocus: (event) => event.target.select()});
        const name = el("input", {maxlength: "40", placeholder: "their name", oninput: () => { link.value = name.value.trim() && !loupe.login?.role() ? linkFor(name.value.trim()) : ""; }});
        const said = note("");
        const copy = el("button", {type: "button", class: "lp-btn", onclick: async () => {
            if (name.value.trim() && loupe.login?.role()) link.value = await invitation(name.value.trim(), said);
            if (!link.value) { if (!said.textContent) said.textContent = "Write their name first."; return; }
            try {
                await navigator.clipboard.writeText(link.value);
                said.textContent = "Copied.";
            } catch (_notAllowed) {
                link.select();
                said.textContent = "The link is selected: copy it with Ctrl+C.";
            }
        }}, "Copy");
        place.replaceChildren(row, el("div", {class: "annotate-row"}, labelled("Invite", name), labelled("Link", link), copy), said,
            note(kind === "map" ? "Nobody sees what others answered before answering. A second pair of eyes makes a verdict: two alike count, two unlike are disputed."
                : "Each patch goes to one person, as in the study; it counts for every neuron that owns it."));
    }

    // ---- agreement

    const kappa = (value) => (value === null || value === undefined ? "not defined" : value.toFixed(2));

    async function agreement(place, kind) {
        place.replaceChildren(note("Counting…"));
        try {
            const held = await loupe.crayon.ask(`/_crayon/agreement?${new URLSearchParams(scope(kind))}`);
            const rows = held.pairs.map(({a, b, items, kappa: value}) => el("tr", {}, el("td", {}, a), el("td", {}, b),
                el("td", {class: "annotate-number"}, String(items)), el("td", {class: "annotate-number"}, kappa(value))));
            const head = ["Annotator", "and", "Both answered yes or no", "Cohen's κ"].map((text) => el("th", {scope: "col"}, text));
            const parts = rows.length ? [el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows))]
                : [note("No item has answers of two people yet. Invite a second annotator.")];
            if (held.fleiss_items) parts.push(note(`Fleiss' κ ${kappa(held.fleiss)} over ${held.fleiss_items} items that ${held.fleiss_annotators} people answered. Human answers only.`));
            const n = held.disputed.length;
            const isSettling = Boolean(panel().panels[kind].source);
            parts.push(el("div", {class: "annotate-row"}, el("b", {}, `${n} disputed`),
                n || isSettling ? el("button", {type: "button", class: "lp-btn", onclick: () => loupe.crayonSettle.toggle(kind)},
                    isSettling ? "Back to annotating" : "Settle them") : null,
                el("button", {type: "button", class: "lp-btn", onclick: () => agreement(place, kind)}, "Count again")));
            if (n) parts.push(note(`Numbers: ${held.disputed.slice(0, 60).map((id) => `#${id}`).join(", ")}${n > 60 ? ", …" : ""}`));
            place.replaceChildren(...parts);
        } catch (error) { place.replaceChildren(told(error)); }
    }

    // ---- simulated annotators

    function simulated(place, kind) {
        const noise = el("input", {type: "number", min: "0", max: "50", step: "1", value: "5"});
        const count = el("input", {type: "number", min: "1", max: "9", step: "1", value: "2"});
        const said = note("");
        const run = el("button", {type: "button", class: "lp-btn", onclick: async () => {
            run.disabled = true;
            said.textContent = "Simulating…";
            said.dataset.tone = "";
            try {
                const answer = await loupe.crayon.ask("/_crayon/simulate", {...scope(kind), noise: Number(noise.value) / 100, annotators: Number(count.value)});
                const {new: added, items, annotators} = answer;
                said.textContent = `${annotators} simulated ${annotators === 1 ? "annotator" : "annotators"} about ${items.toLocaleString("en")} items: ${added.toLocaleString("en")} new answers, earlier simulated ones replaced.`;
                said.dataset.tone = "ok";
                panel().round()?.retry();
            } catch (error) {
                said.textContent = `${error.message} ${error.hint || ""}`;
                said.dataset.tone = "bad";
            } finally { run.disabled = false; }
        }}, "Simulate");
        place.replaceChildren(note("Answers made from the set's masks, with errors at the rate you give. They say “simulated” wherever they appear, "
            + "are never served to people or counted as theirs, and training uses either kind, never both."),
        el("div", {class: "annotate-row"}, labelled("Wrong answers, %", noise), labelled("Annotators", count), run), said);
    }

    // ---- files

    function files(place) {
        const said = note("");
        const input = el("input", {type: "file", accept: ".jsonl,.csv", "aria-label": "File of answers", onchange: async () => {
            const [file] = input.files;
            if (!file) return;
            const format = /\.csv$/i.test(file.name) ? "csv" : /\.jsonl$/i.test(file.name) ? "jsonl" : file.name.split(".").pop();
            said.textContent = `Reading ${file.name}…`;
            said.dataset.tone = "";
            const answer = await fetch(`/_crayon/import?${new URLSearchParams({format})}`, {method: "POST", headers: {"Content-Type": "text/plain"}, body: file});
            const held = await answer.json().catch(() => ({}));
            said.dataset.tone = answer.ok ? "ok" : "bad";
            said.textContent = answer.ok ? `${held.read.toLocaleString("en")} answers read, ${held.new.toLocaleString("en")} of them new.`
                : `Nothing was stored. ${held.message || `The server answered ${answer.status}.`} ${held.hint || ""}`;
            input.value = "";
            if (answer.ok) panel().round()?.retry();
        }});
        const {waiting, refused} = loupe.crayonSender.status();
        const own = [];
        if (waiting) own.push(el("button", {type: "button", class: "lp-btn", onclick: loupe.crayonSender.saveWaiting}, `Save ${waiting} waiting`));
        if (refused) own.push(el("button", {type: "button", class: "lp-btn", onclick: loupe.crayonSender.saveRefused}, `Save ${refused} refused`));
        place.replaceChildren(el("div", {class: "annotate-row"},
            el("a", {class: "lp-btn", href: "/_crayon/export.jsonl", download: ""}, "Export JSONL"),
            el("a", {class: "lp-btn", href: "/_crayon/export.csv", download: ""}, "Export CSV"), ...own),
        el("div", {class: "annotate-row"}, labelled("Import JSONL or CSV", input)), said,
        note("Exports hold every answer of every set, those replaced or taken back too. Importing the same file again adds nothing."));
    }

    // ---- keys

    function keys(place) {
        const hands = loupe.crayonHands, said = note("");
        const rows = Object.entries(hands.keys()).map(([name, key]) => {
            const button = el("button", {type: "button", class: "lp-btn", onclick: () => {
                button.textContent = "Press a key";
                said.textContent = "Esc leaves it as it is. 1 to 5 and ? are taken.";
                hands.listen(name, () => keys(place));
            }}, hands.nameOf(key));
            return el("tr", {}, el("td", {}, hands.TITLES[name]), el("td", {}, button));
        });
        place.replaceChildren(el("table", {}, el("tbody", {}, ...rows)), el("div", {class: "annotate-row"},
            el("button", {type: "button", class: "lp-btn", onclick: () => { hands.forget(); keys(place); }}, "As they were")), said,
        note("On a touch screen: swipe right for yes, left for no, up for cannot tell; hold a finger on the picture to see it without the highlight."));
    }

    const FOLDS = {people, agreement, simulated, files, keys};
    document.addEventListener("toggle", (event) => {
        const fold = event.target, here = fold.closest?.(".annotate");
        if (here && fold.open && FOLDS[fold.dataset.fold]) FOLDS[fold.dataset.fold](part(here, fold.dataset.fold), here.dataset.kind);
    }, true);
    loupe.crayon.onSettings(() => {
        document.querySelectorAll(".annotate-fold[open]").forEach((fold) => {
            const {kind} = fold.closest(".annotate").dataset;
            if (["people", "agreement"].includes(fold.dataset.fold)) FOLDS[fold.dataset.fold](part(fold.closest(".annotate"), fold.dataset.fold), kind);
        });
    });
    loupe.crayonMore = {agreement};
})(window.loupe);
