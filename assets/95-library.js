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
            else if (options) place.append(el("select", name, ...options.split("|").map((text) => choice(text, Boolean(place.closest("[data-edit]"))))));
            else place.append(el("input", {...name, placeholder: hint || "", required: Boolean(required), maxlength: 20000, autocomplete: "off", spellcheck: "false"}));
        });
        restore();
    }

    // ---- the lists are drawn anew: what is typed into an open card, and the focus, outlive that

    let typed = [], wanted = "";  // wanted: where the focus goes once the lists are there
    const editing = (name) => page().querySelector(`form[data-edit="${CSS.escape(name)}"]`);
    const redraw = () => window.dash_clientside.set_props("library-again", {data: Date.now()});

    /** Draws the lists anew; `kept` is the model whose form has done its work. */
    function again(kept, focus) {
        typed = [...page().querySelectorAll("form[data-edit]:not([hidden])")].filter((form) => form.dataset.edit !== kept)
            .map((form) => ({old: form, name: form.dataset.edit, fields: [...new FormData(form)], said: form.querySelector(".library-said").textContent}));
        wanted = focus || "";
        redraw();
    }

    function restore() {
        if (!page()) typed = [];
        typed = typed.filter(({old, name, fields, said}) => {
            const form = editing(name);
            if (!form || form === old) return Boolean(form);  // removed, or not drawn anew as yet
            open(form, true);
            fields.forEach(([field, value]) => { if (part(form, field)) part(form, field).value = value; });
            form.querySelector(".library-said").textContent = said;
            return false;
        });
        const target = wanted && page()?.querySelector(wanted);
        if (target && (document.activeElement === document.body || !document.activeElement)) target.focus();
    }

    function open(form, isOpen) {
        form.hidden = !isOpen;
        page().querySelector(`[data-action="edit"][data-name="${CSS.escape(form.dataset.edit)}"]`)?.setAttribute("aria-expanded", String(isOpen));
    }

    /** Sentences of the command line name its options: here they are the fields of the form. */
    function inWords(form, text) {
        if (text.includes("python -m")) return text;
        return text.replace(/--([a-z]+)/g, (option, field) => {
            const label = part(form, field)?.getAttribute?.("aria-label");
            return label ? `“${label}”` : option;
        });
    }

    function say(form, text, kind) {
        const place = form.querySelector(".library-said");
        place.textContent = inWords(form, text);
        place.dataset.kind = kind || "";
    }

    /** An option: its value, and after "=" what people read in its place. */
    function choice(text, isEdit) {
        const [value, label] = text.split("=");
        return loupe.dom.el("option", {value}, label || value || (isEdit ? "as it is" : "not said"));
    }

    async function answerOf(url, options) {
        const answer = await fetch(url, options);
        const body = await answer.json().catch(() => ({}));
        if (answer.status === 413) throw new Error(TOO_LARGE);
        if (!answer.ok) throw new Error([body.message || `The server answered ${answer.status}.`, body.hint].filter(Boolean).join(" "));
        return body;
    }

    const TOO_LARGE = "The file is larger than this server takes at once (LOUPE_MAX_REQUEST_MB). Its owner adds it by command, or names a folder below LOUPE_ROOTS.";

    function isTooLarge(file) {
        const most = Number(page().dataset.most);
        return most && file.size > most - 100000;  // the rest of the form travels too
    }

    const json = (body) => ({method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});

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
        const buttons = [...form.querySelectorAll("button")], pressed = document.activeElement;
        const name = form.dataset.edit;
        buttons.forEach((button) => { button.disabled = true; });
        try {
            say(form, "Sending…");
            const {job} = await answerOf(url, options);
            await until(job, (view) => say(form, [loupe.jobs.told(view), view.message].filter(Boolean).join(" · ")));
            say(form, done, "good");
            if (name) loupe.card.say(`${name}: ${done}`);  // its form closes
            again(name, name && `[data-action="edit"][data-name="${name}"]`);
            return true;
        } catch (error) {
            say(form, error.message, "bad");
            return false;
        } finally {
            buttons.forEach((button) => { button.disabled = false; });
            if (pressed.isConnected && document.activeElement === document.body) pressed.focus({preventScroll: true});  // a disabled button had lost it
        }
    }

    /** Asks before what is registered under a name becomes something else. */
    function replaced(form, name) {
        const {el} = loupe.dom, what = form.id === "library-add-model" ? "model" : "data set";
        const really = el("button", {type: "button", class: "lp-btn lp-btn-main"}, `Replace ${name}`);
        loupe.panels.dialog("library-dialog", `Replace the ${what}?`, el("div", {class: "library-sure"},
            el("p", {}, `There is a ${what} ${name} already. It is replaced if this one passes its check; views and links then show the new one.`), really));
        really.addEventListener("click", () => {
            document.getElementById("library-dialog").close();
            submit(form, true);
        });
    }

    async function submit(form, isSure) {
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
        if (file.files.length && isTooLarge(file.files[0])) {
            say(form, TOO_LARGE, "bad");
            return;
        }
        const name = body.get("name").trim();
        if (isSure) body.append("replace", "1");
        else if (document.getElementById(`library-${path ? "set" : "model"}-${name}`)) {
            replaced(form, name);
            return;
        }
        if (await run(form, form.dataset.url, {method: "POST", body}, `${name} is registered; its card is below.`)) {
            form.reset();  // the choices too: they were of this file
            if (path) guessed(form);
        }
    }

    /** What a look has found stands in the fields as their hint: the next file has other columns. */
    function guessed(form, mapping) {
        form.querySelectorAll(".library-input[data-hint] > input").forEach((input) => {
            const column = mapping?.[input.name];
            input.placeholder = column ? `guessed: ${column}` : input.parentElement.dataset.hint;
        });
        if (!mapping) document.getElementById("library-preview").replaceChildren();
    }

    async function look(form) {
        const place = document.getElementById("library-preview");
        guessed(form);
        const wanted = Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === "string"));
        if (!wanted.path?.trim()) {
            say(form, "Name a folder or table of this machine to look at; a file is looked at when it is added.", "bad");
            return;
        }
        try {
            const found = await answerOf("/_library/preview", json(wanted));
            place.replaceChildren(...drawn(found));
            guessed(form, found.mapping);
            say(form, "");
        } catch (error) {
            say(form, error.message, "bad");
        }
    }

    function drawn(found) {
        const {el} = loupe.dom;
        const labelled = found.n_classes ? `${found.n_classes} ${found.n_classes === 1 ? "class" : "classes"}: ${found.classes.slice(0, 8).join(", ")}` : `no labels${found.columns.length ? " (name their column under More)" : ""}`;
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
            if (await loupe.dom.request(`/_library/${kind}/${name}/remove`, {method: "POST"})) again("", `#library-add-${kind} input`);
        });
    }

    async function indexAgain(button, name) {
        button.disabled = true;
        try {
            const {job} = await answerOf(`/_library/set/${name}/index`, {method: "POST"});
            await until(job, () => {});
            again("", `[data-action="index"][data-name="${name}"]`);
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
            const form = editing(name);
            open(form, form.hidden);
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
        const hit = page() && event.target instanceof Element ? event.target : null;
        hit?.closest("#library-page .library-label")?.nextElementSibling?.querySelector("input, select")?.focus();
        const button = hit?.closest("#library-page button");
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
