/* Library: forms that add, check, index and remove; commands that are copied. The lists are drawn by the server
   and asked for again when a job has ended. */
window.loupe = window.loupe || {};
window.dash_clientside = window.dash_clientside || {};
(function (loupe) {
    "use strict";
    const page = () => document.getElementById("library-page");
    const part = (form, field) => form.elements.namedItem(field);

    /** Puts the controls in: what is typed belongs to nobody's state but this form's. */
    function fill() {
        page()?.querySelectorAll(".library-file, .library-input").forEach((place) => {
            // Cards are used again for another model when the list changes: its fields must not keep the old text.
            const owner = place.closest("form").dataset.url;
            if (place.loupeOwner === owner) return;
            place.loupeOwner = owner;
            place.replaceChildren();
            const {field, accept, hint, label, required, options} = place.dataset;
            const {el} = loupe.dom;
            const name = {name: field, "aria-label": label || "File", class: "lp-field"};
            if (accept !== undefined) place.append(el("input", {type: "file", name: field, accept, "aria-label": "File"}));
            else if (options) place.append(el("select", name, ...options.split("|").map(choice)));
            else place.append(el("input", {...name, placeholder: hint || "", required: Boolean(required), maxlength: 20000, autocomplete: "off", spellcheck: "false"}));
        });
    }

    function say(form, text, kind) {
        const place = form.querySelector(".library-said");
        place.textContent = text;
        place.dataset.kind = kind || "";
    }

    /** An option: its value, and after "=" what people read in its place. */
    function choice(text) {
        const [value, label] = text.split("=");
        return loupe.dom.el("option", {value}, label || value || "as it is");
    }

    async function answerOf(url, options) {
        const answer = await fetch(url, options);
        const body = await answer.json().catch(() => ({}));
        if (!answer.ok) throw new Error([body.message || `The server answered ${answer.status}.`, body.hint].filter(Boolean).join(" "));
        return body;
    }

    const json = (body) => ({method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
    const again = () => window.dash_clientside.set_props("library-again", {data: Date.now()});

    /** Follows a job to its end; its failure is an error with its sentence. */
    function until(job, onStep) {
        return new Promise((resolve, reject) => {
            loupe.jobs.watch(job, (view) => {
                if (!loupe.jobs.isFinal(view)) onStep(view);
                else if (view.state === "done") resolve(view);
                else reject(new Error([view.error_message || `It was ${view.state}.`, view.error_hint].filter(Boolean).join(" ")));
            });
        });
    }

    async function run(form, url, options, done) {
        const buttons = [...form.querySelectorAll("button")];
        buttons.forEach((button) => { button.disabled = true; });
        try {
            say(form, "Sending…");
            const {job} = await answerOf(url, options);
            await until(job, (view) => say(form, [loupe.jobs.told(view), view.message].filter(Boolean).join(" · ")));
            say(form, done, "good");
            again();
            return true;
        } catch (error) {
            say(form, error.message, "bad");
            return false;
        } finally {
            buttons.forEach((button) => { button.disabled = false; });
        }
    }

    async function submit(form) {
        const body = new FormData(form);
        if (form.dataset.edit) {
            await run(form, form.dataset.url, json(Object.fromEntries(body)), "Checked and kept.");
            return;
        }
        const file = part(form, "file");
        if (!file.files.length) body.delete("file");
        const path = part(form, "path");
        if (!file.files.length && !(path && path.value.trim())) {
            say(form, path ? "Choose a file, or name a folder." : "Choose a file first.", "bad");
            return;
        }
        if (await run(form, form.dataset.url, {method: "POST", body}, `${body.get("name")} is registered; its card is below.`)) {
            form.querySelectorAll("input").forEach((input) => { input.value = ""; });
            document.getElementById("library-preview").replaceChildren();
        }
    }

    async function look(form) {
        const place = document.getElementById("library-preview");
        const wanted = Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === "string"));
        if (!wanted.path?.trim()) {
            say(form, "Name a folder or table of this machine to look at; a file is looked at when it is added.", "bad");
            return;
        }
        try {
            const found = await answerOf("/_library/preview", json(wanted));
            place.replaceChildren(...drawn(found));
            Object.entries(found.mapping).forEach(([key, column]) => { if (column) part(form, key).value = column; });
            say(form, "");
        } catch (error) {
            say(form, error.message, "bad");
        }
    }

    function drawn(found) {
        const {el} = loupe.dom;
        const labelled = found.n_classes ? `${found.n_classes} classes: ${found.classes.slice(0, 8).join(", ")}` : "no labels";
        const classes = found.noun === "images" && found.headings.length === 3 ? labelled : `kind ${found.kind}`;
        const rows = found.rows.map((row) => el("tr", {}, ...row.slice(0, found.headings.length).map((cell) => el("td", {}, cell))));
        const parts = [el("p", {}, `${found.items.toLocaleString()} ${found.noun}, ${classes}${found.size ? `, ${found.size}` : ""}.`)];
        if (found.columns.length) parts.push(el("p", {class: "lp-muted"}, `Columns: ${found.columns.join(", ")}.`));
        if (rows.length) parts.push(el("table", {}, el("thead", {}, el("tr", {}, ...found.headings.map((name) => el("th", {}, name)))), el("tbody", {}, ...rows)));
        if (found.n_problems) {
            parts.push(el("p", {}, `${found.n_problems === 1 ? "1 row" : `${found.n_problems.toLocaleString()} rows`} would be left out:`),
                el("ul", {}, ...found.problems.slice(0, 8).map(([row, text]) => el("li", {}, `Row ${row}: ${text}.`))));
        }
        return parts;
    }

    async function remove(kind, name) {
        const {el} = loupe.dom;
        const really = el("button", {type: "button", class: "lp-btn lp-btn-main"}, `Remove ${name}`);
        const what = kind === "set" ? "Its index goes" : "What was found out about it goes";
        const dialog = el("div", {class: "library-sure"}, el("p", {}, `${what}; your own files stay where they are. Links to it stop working.`), really);
        loupe.panels.dialog("library-dialog", "Remove from the Library?", dialog);
        really.addEventListener("click", async () => {
            document.getElementById("library-dialog").close();
            if (await loupe.dom.request(`/_library/${kind}/${name}/remove`, {method: "POST"})) again();
        });
    }

    async function indexAgain(button, name) {
        button.disabled = true;
        try {
            const {job} = await answerOf(`/_library/set/${name}/index`, {method: "POST"});
            await until(job, () => {});
            again();
        } catch (error) {
            loupe.notify({title: "The data set was not indexed", message: error.message, kind: "error"});
        } finally {
            if (button.isConnected) button.disabled = false;
        }
    }

    function act(button) {
        const {action, name, kind} = button.dataset;
        if (action === "remove") remove(kind, name);
        else if (action === "index") indexAgain(button, name);
        else {
            const form = page().querySelector(`form[data-edit="${CSS.escape(name)}"]`);
            form.hidden = !form.hidden;
            button.setAttribute("aria-expanded", String(!form.hidden));
            if (!form.hidden) form.querySelector("input").focus();
        }
    }

    async function copy(button) {
        try {
            await navigator.clipboard.writeText(button.dataset.copy);
            loupe.card.say("Copied");
        } catch (_refused) {
            const range = document.createRange();
            range.selectNodeContents(button.previousElementSibling);
            getSelection().removeAllRanges();
            getSelection().addRange(range);
            loupe.card.say("The command is selected: copy it with Ctrl+C");
        }
    }

    document.addEventListener("submit", (event) => {
        if (!page()?.contains(event.target)) return;
        event.preventDefault();
        submit(event.target);
    });
    document.addEventListener("click", (event) => {
        const button = page() && event.target instanceof Element ? event.target.closest("#library-page button") : null;
        if (!button) return;
        if (button.dataset.copy) copy(button);
        else if (button.dataset.action) act(button);
        else if (button.id === "library-look") look(button.closest("form"));
    });

    window.dash_clientside.loupe_library = {
        ready() {
            fill();
            requestAnimationFrame(fill);
            return window.dash_clientside.no_update;
        },
    };
})(window.loupe);
