/* Insights: contents of one's own. A table, with a zip of pictures or without: look, map the columns, import. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {at, isHere, ask, failure, until, count, set} = loupe.insights;
    const SINGLE = {content_id: "Content id", experiment_id: "Experiment", arm: "Arm (control or treatment)", domain: "Domain", image: "Picture file", date: "Date",
        impressions: "Impressions", clicks: "Clicks", success: "Success rate (0 to 1)"};
    const SEVERAL = {text: "Text parts", features: "Features"};
    let looked = null, mapping = null, title = "", busy = 0, form = null;

    function open() {
        looked = mapping = null;
        title = "";
        form = files();  // kept while the dialog is drawn again, so that it still names the chosen files
        draw();
    }

    function draw(said, isBad) {
        const {el} = loupe.dom;
        const status = el("p", {class: isBad ? "insights-caution" : "lp-muted", "data-strong": isBad ? "true" : null, role: "status", id: "insights-own-said"}, said || "");
        loupe.panels.dialog("insights-own-dialog", "Contents of your own", el("div", {class: "insights-own"}, form, ...(looked ? [summary(), columns(), preview(), confirm()] : []), status));
    }

    function files() {
        const {el} = loupe.dom;
        const file = (name, label, accept, note) => el("label", {}, el("b", {}, label), el("input", {type: "file", name, accept}), el("span", {class: "lp-muted"}, note));
        return el("form", {class: "insights-own-files", onsubmit: (event) => { event.preventDefault(); look(new FormData(event.target)); }},
            file("table", "Table", ".csv,.tsv,.parquet", "CSV or Parquet: a row a content, with impressions and clicks, or a success rate."),
            file("images", "Pictures", ".zip", "A zip, if the table names picture files. Leave it out if there are none."),
            el("button", {class: "lp-btn lp-btn-main"}, "Look at it"));
    }

    async function look(sent) {
        if (!sent.get("table")?.size) return draw("Choose a table first.", true);
        if (!sent.get("images")?.size) sent.delete("images");
        const mine = busy += 1;
        at("insights-own-said").textContent = "Reading the table…";
        try {
            const answer = await fetch("/_insights/import/preview", {method: "POST", body: sent}), held = await answer.json().catch(() => ({}));
            if (!answer.ok) throw failure(held.message || `The server answered ${answer.status}.`, held.hint, answer.status);
            if (mine !== busy) return null;
            ({mapping} = looked = held);
            title = title || String(sent.get("table").name).replace(/\.\w+$/, "").replaceAll(/[_-]+/g, " ");
            draw();
        } catch (error) {
            if (mine === busy) draw([error.message, error.hint].filter(Boolean).join(" "), true);
        }
        return null;
    }

    /** The same table under another map of columns. */
    async function again(change) {
        mapping = {...mapping, ...change};
        const mine = busy += 1;
        try {
            const held = await ask("/_insights/import/preview", {token: looked.token, mapping});
            if (mine !== busy) return;
            looked = held.n_problems && held.problems[0]?.row === 0 ? {...held, mapping} : held;
            mapping = looked.mapping;
            draw();
        } catch (error) {
            if (mine === busy) draw([error.message, error.hint].filter(Boolean).join(" "), true);
        }
    }

    function summary() {
        const {el} = loupe.dom, {rows, summary: sums, problems, n_problems: bad, notes} = looked;
        const found = sums.contents === undefined ? `${count(rows)} rows` : `${count(sums.contents)} contents in ${count(sums.experiments)} experiments and ${count(sums.domains)} domains; ${count(sums.with_text)} with text, ${count(sums.with_image)} with a picture`;
        const more = bad > problems.length ? `and ${count(bad - problems.length)} more` : "";
        return el("section", {}, el("p", {}, el("b", {}, found)), ...(notes || []).map((text) => el("p", {class: "lp-muted"}, text)),
            bad ? el("div", {class: "insights-problems"}, el("p", {}, el("b", {}, `${count(bad)} problem${bad > 1 ? "s" : ""}. Nothing is imported until ${bad > 1 ? "they are" : "it is"} solved.`)),
                el("ul", {}, ...problems.map(({row, sentence}) => el("li", {}, row && !sentence.includes(`ow ${row}`) ? `Row ${row}: ${sentence}` : sentence)), ...(more ? [el("li", {}, more)] : []))) : el("p", {class: "insights-fine"}, "No problems."));
    }

    function columns() {
        const {el} = loupe.dom;
        const single = ([key, label]) => el("label", {}, el("span", {}, label), el("select", {class: "lp-field", "aria-label": label, onchange: (event) => again({[key]: event.target.value})},
            el("option", {value: ""}, "none"), ...looked.columns.map((name) => el("option", {value: name, selected: mapping[key] === name}, name))));
        const several = ([key, label]) => el("fieldset", {}, el("legend", {}, label), ...looked.columns.map((name) => {
            const isOn = mapping[key].includes(name);
            return el("button", {type: "button", class: "insights-toggle", "aria-pressed": String(isOn), onclick: () => again({[key]: isOn ? mapping[key].filter((one) => one !== name) : [...mapping[key], name]})}, name);
        }));
        return el("section", {}, el("h3", {}, "What the columns mean"), el("div", {class: "insights-form"}, ...Object.entries(SINGLE).map(single)), ...Object.entries(SEVERAL).map(several));
    }

    function preview() {
        const {el} = loupe.dom;
        return el("section", {}, el("h3", {}, "First rows"), el("div", {class: "insights-scroll"}, el("table", {class: "crayon-table"}, el("thead", {}, el("tr", {}, ...looked.columns.map((name) => el("th", {}, name)))),
            el("tbody", {}, ...looked.preview.map((row) => el("tr", {}, ...row.map((text) => el("td", {dir: "auto"}, text))))))));
    }

    function confirm() {
        const {el} = loupe.dom, name = el("input", {class: "lp-field", "aria-label": "Title", maxlength: 60, oninput: () => { title = name.value; }});
        name.value = title;
        return el("form", {class: "insights-save", onsubmit: (event) => { event.preventDefault(); bring(); }}, name, el("button", {class: "lp-btn lp-btn-main", disabled: looked.n_problems > 0}, "Import"));
    }

    async function bring() {
        const mine = busy += 1;
        at("insights-own-said").textContent = "Importing…";
        try {
            let held = await ask("/_insights/import/confirm", {token: looked.token, mapping, title});
            if (held.job) {
                const view = await until(held.job);
                if (view.state !== "done") throw failure(view.error_message || "The import was cancelled.", view.error_hint, -1);
                held = await ask(`/_insights/import/done/${held.result}`);
            }
            if (mine !== busy || !isHere()) return;
            at("insights-own-dialog").close();
            loupe.card.say(`${held.title}: ${count(held.contents)} contents`);
            set("set", held.set);
        } catch (error) {
            if (mine === busy) draw([error.message, error.hint].filter(Boolean).join(" "), true);
        }
    }

    document.addEventListener("click", (event) => {
        if (isHere() && event.target.closest?.("#insights-own")) open();
    });
    loupe.insightsOwn = {open};
})(window.loupe);
