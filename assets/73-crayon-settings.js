/* Crayon, Refine: the settings of a run, what they mean and cost, and starting it. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, ask, percent} = loupe.crayon;
    const TYPING_MS = 300;
    const NUMBERS = ["relevant", "irrelevant", "strength", "epochs", "seed", "seeds", "minimum", "budget"];
    let planned = "", timer = 0, told = null, isStarting = false;

    const isRefine = () => isHere() && loupe.crayon.value("step") === "refine";
    const original = () => now.told?.original || "";

    /** The settings as the server takes them; null while a number is being typed. */
    function body() {
        const values = loupe.crayon.values();
        if (NUMBERS.some((key) => values[key] === "" || values[key] === null || !Number.isFinite(Number(values[key])))) return null;
        return {item_set: values.set, parent: values.model || "", method: values.method, per_relevant: Number(values.relevant), per_irrelevant: Number(values.irrelevant),
            strength: Number(values.strength), norm: values.norm, epochs: Number(values.epochs), lr: Number(values.lr), seed: Number(values.seed), seeds: Number(values.seeds),
            source: values.source, minimum: Number(values.minimum), budget: Number(values.budget), freeze_norm: Boolean(values.frozen), saliency: values.saliency, controls: Boolean(values.controls),
            answers_of: values.transfer && values.model ? original() : ""};
    }

    function uses(kind, method) {
        const {facts} = now;
        if (kind === "whole") return !facts.last.includes(method);
        if (kind === "answers") return facts.maps.includes(method) || facts.mask.includes(method);
        return facts[kind].includes(method);
    }

    /** Only what the method reads is shown. */
    function fit({method, controls, frozen}) {
        document.querySelectorAll("#crayon-refine [data-for]").forEach((part) => { part.hidden = !uses(part.dataset.for, method); });
        at("crayon-says").textContent = now.facts.says[method] || "";
        const names = now.facts.mandatory[method] || [];
        const place = at("crayon-controls-switch")?.closest(".mantine-Switch-root");
        if (place) place.hidden = !names.length;
        loupe.crayon.setProps("crayon-frozen-switch", {checked: Boolean(frozen)});
        loupe.crayon.setProps("crayon-controls-switch", {checked: Boolean(controls),
            label: names.length ? `Also run the controls: ${names.map((name) => now.facts.short[name]).join(", ")}` : "Also run the controls"});
        if (place) place.title = "Without them nobody can tell whether the answers helped, or training longer did.";
    }

    // ---- what it would use and cost

    function plan(isAgain) {
        clearTimeout(timer);
        timer = setTimeout(() => send(isAgain), TYPING_MS);
    }

    async function send(isAgain) {
        const asked = isRefine() && now.told && !now.told.message && body();
        if (!asked) return;
        const text = JSON.stringify(asked);
        if (text === planned && !isAgain) return;
        planned = text;
        try {
            const found = await ask("/_crayon/plan", asked);
            if (text !== planned || !isRefine()) return;
            told = found;
        } catch (error) {
            if (text !== planned || !isRefine()) return;
            told = {message: error.message, hint: error.hint, runs: []};
        }
        show(asked);
    }

    function show(asked) {
        const {el} = loupe.dom, lines = [], host = at("crayon-plan");
        const {runs = [], relevant, irrelevant, answered, neurons, pruned, seconds, known_from: from} = told;
        if (asked.source === "simulated" && uses("answers", asked.method)) lines.push(el("p", {class: "crayon-mark"}, "Simulated: these answers come from the masks of the set, not from people."));
        if (told.transferred) lines.push(el("p", {class: "crayon-mark"}, "Transferred: the answers are about the original's maps."));
        if (relevant !== undefined) lines.push(el("p", {}, `${relevant} relevant and ${irrelevant} irrelevant maps${asked.budget && answered ? `, drawn by seed ${asked.seed} among ${answered} decided ones` : ""}.`));
        if (neurons !== undefined) lines.push(el("p", {}, `${pruned} of ${neurons} neurons would be pruned.`));
        if (asked.parent && asked.method.includes("pruning")) lines.push(el("p", {class: "lp-muted"}, "Patches belong to a model's neurons: only answers about this model's patches count."));
        const count = runs.length, controls = new Set(runs.map((run) => run.method)).size - 1;
        const kinds = controls > 0 ? `, ${controls} control${controls > 1 ? "s" : ""} among them` : "";
        const time = Number.isFinite(seconds) ? `about ${loupe.dom.duration(seconds)} here, by ${from} earlier run${from > 1 ? "s" : ""}` : "how long is not known: no run of this set has finished here";
        if (count) lines.push(el("p", {}, `${count} run${count > 1 ? "s" : ""} of ${asked.epochs} epochs${kinds}; ${time}.`));
        if (told.message) lines.push(el("p", {class: "crayon-warn"}, `${told.message} ${told.hint || ""}`), ...ways(asked));
        host.replaceChildren(...lines);
        greek(asked);
        at("crayon-run").disabled = Boolean(told.message) || isStarting;
        at("crayon-run").textContent = count > 1 ? `Run ${count} trainings` : "Run";
    }

    /** Where no answers are: how to get some. */
    function ways(asked) {
        if (asked.source === "simulated") return [];
        const {el} = loupe.dom, needsPatches = now.facts.mask.includes(asked.method);
        const button = (text, run) => el("button", {type: "button", class: "plot-card-button", onclick: run}, text);
        const made = [button("Annotate maps", () => loupe.crayon.set("step", "maps"))];
        if (needsPatches) made.push(button("Annotate neurons", () => loupe.crayon.set("step", "neurons")));
        return [el("p", {class: "crayon-ways"}, ...made)];
    }

    /** α and β, which are the weights times the counts, can be typed too. */
    function greek(asked) {
        const {el} = loupe.dom;
        [["alpha", "α", "relevant", told.relevant, asked.per_relevant], ["beta", "β", "irrelevant", told.irrelevant, asked.per_irrelevant]].forEach(([name, letter, key, n, weight]) => {
            const host = at(`crayon-${name}-place`);
            if (!host || host.contains(document.activeElement)) return;
            if (!n) {
                host.replaceChildren(el("span", {class: "lp-muted"}, `${letter} = weight × number of ${key} maps`));
                return;
            }
            const input = el("input", {type: "number", min: 0, step: "any", value: Number((weight * n).toPrecision(6)), "aria-label": `${letter}: weight times ${n} ${key} maps`,
                onchange: () => { if (input.value !== "" && Number(input.value) >= 0) loupe.crayon.set(key, Number((Number(input.value) / n).toPrecision(6))); }});
            host.replaceChildren(el("label", {}, `${letter} =`, input, `(${n} maps)`));
        });
    }

    // ---- whose answers

    function whose({source, model, transfer}) {
        const {el} = loupe.dom, host = at("crayon-whose");
        const text = JSON.stringify([source, model, transfer]);
        if (host.dataset.text === text) return;
        host.dataset.text = text;
        const pick = (value, label) => el("button", {type: "button", class: "crayon-chip", "aria-pressed": String(source === value), onclick: () => loupe.crayon.set("source", value)}, label);
        const parts = [el("span", {class: "zoom-label"}, "Whose answers"), el("div", {class: "crayon-chips"}, pick("human", "Human"), pick("simulated", "Simulated"),
            model ? el("button", {type: "button", class: "crayon-chip", "aria-pressed": String(Boolean(transfer)), onclick: () => loupe.crayon.set("transfer", !transfer),
                title: "Use the answers about the original's maps for this corrected model"}, "Transfer the original's") : null)];
        if (source === "simulated") parts.push(simulation());
        host.replaceChildren(...parts);
    }

    function simulation() {
        const {el} = loupe.dom;
        const number = (label, value, more) => el("input", {type: "number", value, "aria-label": label, title: label, ...more});
        const noise = number("Share of wrong answers", 0.05, {min: 0, max: 0.5, step: 0.01}), people = number("Annotators", 2, {min: 1, max: 9, step: 1});
        const note = el("span", {class: "lp-muted", role: "status"});
        const add = async (kind) => {
            note.textContent = "Answering…";
            try {
                const {items, annotators} = await ask("/_crayon/simulate", {set: loupe.crayon.value("set"), parent: loupe.crayon.value("model") || "", kind, noise: Number(noise.value), annotators: Number(people.value)});
                note.textContent = `${items} items answered by ${annotators} simulated annotators; earlier simulated answers are replaced.`;
                loupe.crayonDiagnose.answersChanged();
                send(true);
            } catch (error) {
                note.textContent = `${error.message} ${error.hint || ""}`;
            }
        };
        const button = (text, kind) => el("button", {type: "button", class: "plot-card-button", onclick: () => add(kind)}, text);
        return el("div", {class: "crayon-simulate"}, el("label", {}, "wrong", noise), el("label", {}, "annotators", people), button("Simulate map answers", "map"), button("Simulate patch answers", "patch"), note);
    }

    // ---- starting

    async function start(event, given) {
        const asked = given || body();
        if (!asked || isStarting) return;
        isStarting = true;
        at("crayon-run").disabled = true;
        at("crayon-run-note").textContent = "Starting…";
        try {
            const {jobs, left_out: out} = await ask("/_crayon/refine", asked);
            const missing = Object.entries(out).map(([method, why]) => `${now.facts.short[method]} was left out: ${why}`);
            if (at("crayon-run-note")) at("crayon-run-note").textContent = [`${jobs.length} run${jobs.length > 1 ? "s" : ""} started.`, ...missing].join(" ");
            loupe.jobs.refresh();
            await loupe.crayonRuns.load(true);
        } catch (error) {
            if (at("crayon-run-note")) at("crayon-run-note").textContent = `${error.message} ${error.hint || ""}`;
        } finally {
            isStarting = false;
            if (at("crayon-run")) at("crayon-run").disabled = Boolean(told && told.message);
        }
    }

    document.addEventListener("click", (event) => { if (event.target.closest?.("#crayon-run")) start(event); });
    document.addEventListener("change", (event) => {
        if (event.target.id === "crayon-controls-switch") loupe.crayon.set("controls", event.target.checked);
        if (event.target.id === "crayon-frozen-switch") loupe.crayon.set("frozen", event.target.checked);
    });
    loupe.keys.add({scope: "crayon", key: "Shift+R", label: "Refine: start the runs", run: () => start(), when: () => isRefine() && !at("crayon-run").disabled});
    loupe.crayonRuns.onChange((_held, view) => { if (!view) plan(true); });
    loupe.crayonPage.onShow((values, given) => {
        if (values.step !== "refine" || !now.facts.says) return;
        fit(values);
        whose(values);
        if (given) plan();
    });
    loupe.crayonPage.onLeave(() => { planned = ""; told = null; });
    loupe.crayonSettings = {start, body, percent};
})(window.loupe);
