/* Modality gap: the tabs. A text or a picture as a query, the words of two selections, the models over seeds. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {PAGE, now, at, isHere, set, value, say, honest, named, ask, failed, focus, pairs, thumb, number, count} = loupe.gap;
    const SHOWN = 12, EXAMPLES = ["a red apple", "something to ride on", "bad weather", "an angry face"], LONGEST = 40, MOST_CHARS = 200;
    let wanted = "", picture = null, sent = 0, words = "", record = null;

    function step(values) {
        if (values.view === "find") find(values);
        if (values.view === "words") sides(values);
        if (values.view === "models") models();
    }

    // ---- retrieval

    function bar(values) {
        const {el} = loupe.dom, host = at("ask");
        if (!host.children.length) {
            const text = el("input", {class: "lp-field", type: "search", id: `${PAGE}-query`, maxlength: MOST_CHARS, placeholder: "Type what to look for, then Enter", "aria-label": "Text to find images with"});
            const form = el("form", {onsubmit: (event) => { event.preventDefault(); picture = null; wanted = ""; set("text", text.value.trim()); if (text.value.trim() === value("text")) find(loupe.state.current().values); }}, text, el("button", {class: "lp-btn lp-btn-main"}, "Find images"));
            const file = el("input", {type: "file", accept: "image/png,image/jpeg,image/webp,image/bmp", id: `${PAGE}-file`, onchange: () => drop(file.files[0])});
            const zone = el("label", {class: "gap-drop", ondragover: (event) => event.preventDefault(), ondrop: (event) => { event.preventDefault(); drop(event.dataTransfer.files[0]); }}, "or drop a picture here to find texts", file);
            host.append(form, zone, el("div", {class: "gap-examples"}));
        }
        const field = document.getElementById(`${PAGE}-query`);
        if (document.activeElement !== field) field.value = values.text;
    }

    /** A few queries to begin with: of one's own pairs their own captions, spread over them. */
    function offered(held, captions) {
        if (held.set === "pairs" || !captions.length) return EXAMPLES;
        const apart = [...new Set(captions)], step = Math.max(1, Math.floor(apart.length / EXAMPLES.length));
        return apart.filter((_, i) => i % step === 0).slice(0, EXAMPLES.length);
    }

    function examples(all) {
        const {el} = loupe.dom, field = document.getElementById(`${PAGE}-query`);
        at("ask").querySelector(".gap-examples").replaceChildren("Try: ", ...all.map((one) => el("button", {type: "button", class: "gap-link", title: one, onclick: () => { field.value = one; field.form.requestSubmit(); }}, one.length > LONGEST ? `${one.slice(0, LONGEST)}…` : one)));
    }

    function drop(file) {
        if (!file) return;
        picture = file;
        wanted = "";
        find(loupe.state.current().values);
    }

    function find(values) {
        const held = focus();
        if (!held) return;
        bar(values);
        at("ask").hidden = !held.has_encoder;
        if (held.has_encoder) {
            pairs(held).then(({captions}) => { if (held === focus() && isHere()) search(values, held, captions); }, (error) => failed("find", error));
            return;
        }
        wanted = "";
        sent += 1;
        at("found").replaceChildren(loupe.dom.el("p", {class: "lp-muted"}, "Imported embeddings have no encoder, so nothing new can be put into them. Choose a bundled model or a registered one “In detail”."));
        say("find", "ready");
    }

    async function search(values, held, captions) {
        const tries = offered(held, captions);
        examples(tries);
        const isText = !picture, text = values.text || (seen() ? tries[0].slice(0, MOST_CHARS) : "");
        const mine = [held.key, isText ? text : `${picture.name} ${picture.size}`, values.delta].join(" ");
        if (isText && !text) { say("find", "ready"); return; }
        if (mine === wanted) return;
        wanted = mine;
        sent += 1;
        const number_ = sent;
        say("find", "loading", {keep: true, message: "Asking the model…"});
        try {
            const body = isText ? {space: held.key, text, k: SHOWN, delta: values.delta} : form(held, values.delta);
            const found = await ask(`/_gap/${isText ? "text" : "image"}`, body);
            if (number_ !== sent || !isHere()) return;
            listed(found.items, held, captions, isText ? `Images nearest to “${text}”${values.text ? "" : ", an example"}` : `Captions nearest to ${picture.name}`, isText);
            say("find", "ready");
            honest("find", [`${found.items.length} of ${count(held.n)}`, values.delta ? `shifted by ${number(values.delta)}` : "as it is", named(held), held.model]);
        } catch (error) {
            if (number_ !== sent) return;
            wanted = "";
            at("found").replaceChildren(loupe.dom.el("p", {class: "gap-bad", role: "alert"}, [error.message, error.hint].filter(Boolean).join(" ")));
            say("find", "ready");
            picture = null;
        }
    }

    function form(held, delta) {
        const body = new FormData();
        Object.entries({image: picture, space: held.key, k: String(SHOWN), delta: String(delta)}).forEach(([key, one]) => body.append(key, one));
        return body;
    }

    // Nothing is asked of the model for a list that nobody has scrolled to.
    function seen() {
        const host = at("ask");
        if (host.dataset.seen || host.dataset.watched) return Boolean(host.dataset.seen);
        host.dataset.watched = "yes";
        new IntersectionObserver(([entry], watcher) => {
            if (!entry.isIntersecting) return;
            watcher.disconnect();
            host.dataset.seen = "yes";
            if (isHere()) find(loupe.state.current().values);
        }).observe(host);
        return false;
    }

    function listed(items, held, captions, heading, isText) {
        const {el} = loupe.dom, title = el("p", {class: "lp-muted lp-small"}, heading);
        const shown = isText ? null : el("img", {class: "gap-query", alt: "The dropped picture", width: 72, height: 72});
        if (shown) {
            const address = URL.createObjectURL(picture);
            shown.onload = () => URL.revokeObjectURL(address);
            shown.src = address;
        }
        const one = ({row, cosine}) => el("li", {}, el("button", {type: "button", title: captions[row], onclick: () => set("pair", row)}, isText ? thumb(held, row, 72) : null, el("span", {}, captions[row]), el("b", {}, number(cosine, 2))));
        at("found").replaceChildren(...[title, shown, el("ol", {class: isText ? "gap-grid" : "gap-list"}, ...items.map(one))].filter(Boolean));
    }

    // ---- words of two selections

    async function sides(values) {
        const held = focus();
        if (!held) return;
        buttons(values, held);
        const mine = `${held.key} ${values.a} ${values.b}`;
        if (mine === words) return;
        words = mine;
        if (!values.a.length || !values.b.length) {
            at("clear").replaceChildren(loupe.dom.el("p", {class: "lp-muted"}, "Lasso some points in a map and keep them as A; lasso others and keep them as B."));
            say("words", "ready");
            return;
        }
        try {
            const found = await ask("/_gap/words", {space: held.key, a: values.a, b: values.b});
            if (mine !== words || !isHere()) return;
            at("clear").replaceChildren(clear(found.words));
            say("words", "ready");
            honest("words", [`${count(values.a.length)} and ${count(values.b.length)} captions`, "log-odds with a Dirichlet prior of 10 words", named(held)]);
        } catch (error) {
            if (mine !== words) return;
            at("clear").replaceChildren(loupe.dom.el("p", {class: "gap-bad", role: "alert"}, [error.message, error.hint].filter(Boolean).join(" ")));
            say("words", "ready");
        }
    }

    function buttons(values, held) {
        const {el} = loupe.dom, {items, ids} = loupe.selection.current(), n = items === held.set ? ids.length : 0;
        const keep = (key, name) => el("button", {type: "button", class: "lp-btn", disabled: !n || n > 2000, onclick: () => set(key, loupe.selection.current().ids)}, `Keep as ${name}`);
        const side = (key, name) => el("div", {}, el("b", {}, name), el("span", {class: "lp-muted"}, values[key].length ? `${count(values[key].length)} pairs` : "empty"), keep(key, name),
            values[key].length ? el("button", {type: "button", class: "lp-btn lp-btn-quiet", onclick: () => set(key, [])}, "Clear") : null);
        at("sides").replaceChildren(side("a", "A"), side("b", "B"), el("span", {class: "lp-muted"}, n ? `${count(n)} pairs are selected now${n > 2000 ? ", 2,000 at most can be kept" : ""}` : "nothing is selected now"));
    }

    function clear(found) {
        const {el} = loupe.dom, most = Math.max(1, ...found.map(({z}) => Math.abs(z)));
        const row = ({word, first, second, z}) => el("tr", {}, el("th", {scope: "row"}, word), el("td", {class: "lp-number"}, count(first)), el("td", {class: "lp-number"}, count(second)),
            el("td", {}, el("span", {class: "gap-z", "data-kind": z > 0 ? "a" : "b", style: `--share:${Math.abs(z) / most}`})), el("td", {class: "lp-number"}, number(z, 2)), el("td", {class: "lp-muted"}, Math.abs(z) < 1.96 ? "may be chance" : z > 0 ? "speaks for A" : "speaks for B"));
        const head = ["word", "in A", "in B", "", "z", ""].map((name) => el("th", {class: name.startsWith("in") || name === "z" ? "lp-number" : null}, name));
        return el("div", {class: "gap-scroll"}, el("table", {class: "gap-numbers"}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...found.map(row))));
    }

    // ---- models over seeds

    const COLUMNS = [["centroid_gap", "centroid gap", 3], ["alignment", "S_A", 3], ["uniformity", "S_U", 3], ["margin", "margin", 3], ["separability", "separable", 3], ["text_to_image_recall_at_1", "t→i R@1", 1, 100], ["text_to_image_recall_at_5", "R@5", 1, 100],
        ["text_to_image_recall_at_10", "R@10", 1, 100], ["image_to_text_recall_at_1", "i→t R@1", 1, 100], ["image_to_text_recall_at_5", "R@5", 1, 100], ["image_to_text_recall_at_10", "R@10", 1, 100], ["zero_shot_top_1", "zero-shot T1", 1, 100],
        ["zero_shot_top_3", "T3", 1, 100], ["zero_shot_top_5", "T5", 1, 100], ["linear_probe", "probe", 1, 100]];

    async function models() {
        if (record) return;
        record = "asked";
        try {
            record = await ask("/_gap/record");
            if (!isHere()) return;
            at("record").replaceChildren(...tables(record));
            say("models", "ready");
            const {pairs: n, settings} = record.measured;
            honest("models", [`${count(n.test)} test pairs, concepts not trained on`, `${count(n.train)} training pairs`, `${settings.epochs} epochs, batch ${settings.batch}`, "mean ± standard deviation over seeds", "measured here"]);
        } catch (error) {
            record = null;
            failed("models", error);
        }
    }

    function tables({measured, reported}) {
        const {el} = loupe.dom, grid = (heads, body) => el("div", {class: "gap-scroll"}, el("table", {class: "gap-numbers"}, el("thead", {}, el("tr", {}, ...heads.map((name, i) => el("th", {class: i ? "lp-number" : null}, name)))), el("tbody", {}, ...body)));
        const cell = (values, [name, , digits, unit = 1]) => el("td", {class: "lp-number"}, el("b", {}, number(unit * values[name][0], digits)), el("span", {class: "lp-muted"}, `± ${number(unit * values[name][1], digits)}`));
        const ours = measured.rows.map((row) => el("tr", {}, el("th", {scope: "row"}, row.title, el("span", {class: "lp-muted"}, ` ${row.seeds.length} seeds${row.bundled ? "" : ", not bundled"}`)), ...COLUMNS.map((column) => cell(row.values, column))));
        const theirs = ({title, columns, rows}) => el("details", {}, el("summary", {}, `${title}, reported`), grid(["", ...columns], rows.map(([name, ...all]) => el("tr", {}, el("th", {scope: "row"}, name), ...all.map((one) => el("td", {class: "lp-number"}, String(one)))))));
        return [el("h3", {}, "Measured here (CLIP-style, small; shares in %)"), grid(["model", ...COLUMNS.map(([, name]) => name)], ours),
            el("p", {class: "lp-muted lp-small"}, "Frozen: EfficientNet-Lite0 and MiniLM; trained: a head of two layers on each. Both ranking terms weigh 1/16; places count by 1/ln(k + 1) and are averaged over the list, except in the last row, where they are summed as printed in the study."),
            el("h3", {}, "Reported in the study"), el("p", {class: "lp-muted lp-small"}, reported.note), ...reported.tables.map(theirs)];
    }

    loupe.selection.onChange(() => { if (isHere() && now.told && value("view") === "words") buttons(loupe.state.current().values, focus()); });
    loupe.gapPage.onShow(step);
    loupe.gapPage.onLeave((card) => {
        if (!card || card === "find") wanted = "";
        if (!card || card === "words") words = "";
        if (!card || card === "models") record = null;
        if (!card) picture = null;
    });
})(window.loupe);
