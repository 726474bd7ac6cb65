/* Insights: what a change does. The prediction with its interval, the difference to the content as it was, the list of
   changes, the features, and versions that keep an edit under a name. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, about, ask, load, failed, set, value, rate, points, signed, count, edit, isEdited, change} = loupe.insights;
    let asked = "", listed = "", versions = [];

    function step(values) {
        predict(values);
        saved(values);
    }

    async function predict({set: held, model, content: row, edit: text}) {
        const wanted = [held, model, row, text].join(" ");
        if (!now.content || asked === wanted) return;
        asked = wanted;
        features();
        edits();
        say("change", "loading", {keep: Boolean(now.predicted)});
        try {
            const found = await load("change", "/_insights/predict", {set: held, model, row: Number(row), draft: isEdited() ? edit() : null});
            if (asked !== wanted || !isHere()) return;
            now.predicted = {...found, edit: text};
            show(found);
            say("change", "ready");
            honest("change", [`answered in ${Math.round(found.ms)} ms`, "intervals: 90 % of like contents, 95 % of the difference", ...about()]);
        } catch (error) {
            asked = "";
            failed("change", error);
        }
    }

    // ---- the prediction

    function show(found) {
        const {el} = loupe.dom, isNew = isEdited(), {delta, delta_low: low, delta_high: high} = found;
        const sure = isNew && Number.isFinite(low) && (low > 0 || high < 0);
        const verdict = !isNew ? "" : sure ? (delta > 0 ? "better than the draft" : "worse than the draft") : "within the model's error";
        at("insights-predicted").replaceChildren(
            el("div", {class: "insights-number"}, el("span", {class: "lp-muted"}, isNew ? "Predicted, as edited" : "Predicted"), el("b", {}, rate(found.predicted)),
                el("span", {class: "lp-muted"}, `${rate(found.low)} to ${rate(found.high)}`)),
            el("div", {class: "insights-number"}, el("span", {class: "lp-muted"}, "Difference"), el("b", {"data-kind": isNew && sure ? signed(delta) : null}, isNew ? points(delta) : "–"),
                el("span", {class: "lp-muted"}, isNew ? `points, ${points(low)} to ${points(high)}` : "nothing is changed yet")),
            ruler(found, isNew), el("p", {class: "insights-verdict", "data-kind": sure ? signed(delta) : null}, verdict || measured()), ...(verdict ? [el("p", {class: "lp-muted"}, measured())] : []), ...trust());
    }

    function measured() {
        const {actual, clicks, impressions} = now.content;
        if (!Number.isFinite(actual)) return "This content was never run.";
        return Number.isFinite(clicks) ? `Measured: ${rate(actual)}, ${count(clicks)} of ${count(impressions)}` : `Measured: ${rate(actual)}`;
    }

    /** One line with the interval, the draft, the edit and the measured rate. */
    function ruler({predicted, low, high, draft}, isNew) {
        const {el} = loupe.dom, {actual, siblings = []} = now.content, control = siblings.find((one) => one.is_control);
        const marks = [["draft", "draft", draft.predicted, isNew], ["actual", "measured", actual, Number.isFinite(actual)], ["control", "control, measured", control?.actual, control && control.row !== now.content.row],
            ["now", isNew ? "as edited" : "predicted", predicted, true]].filter(([, , at_, isShown]) => isShown && Number.isFinite(at_));
        const ends = [low, high, ...marks.map(([, , at_]) => at_)].filter(Number.isFinite), from = Math.min(...ends), to = Math.max(...ends), room = 0.08 * (to - from) || 0.01;
        const x = (share) => 100 * (share - from + room) / (to - from + 2 * room);
        return el("div", {class: "insights-ruler", role: "img", "aria-label": marks.map(([, name, at_]) => `${name} ${rate(at_)}`).join(", ")},
            Number.isFinite(low) ? el("i", {class: "insights-band", style: `left:${x(low)}%;width:${x(high) - x(low)}%`}) : null,
            ...marks.map(([kind, name, at_]) => el("i", {class: "insights-tick", "data-mark": kind, style: `left:${x(at_)}%`, title: `${name}: ${rate(at_)}`})),
            el("span", {class: "insights-ends"}, el("span", {}, rate(Math.max(0, from - room))), el("span", {}, rate(to + room))),
            el("span", {class: "insights-keys"}, ...marks.map(([kind, name]) => el("span", {}, el("i", {class: "insights-tick", "data-mark": kind}), name))));
    }

    function trust() {
        const {el} = loupe.dom, held = now.trust;
        if (!held) return [];
        const text = held.score === null ? "Trust Score: not enough pairs" : `Trust Score ${Math.round(held.score)} of 100${held.scope || ""}, ${count(held.n)} pairs`;
        return [el("button", {type: "button", class: "insights-trust-link", onclick: () => set("view", "trust"), title: held.sentence || text}, text)];
    }

    // ---- changes

    function edits() {
        const {el, iconButton} = loupe.dom, held = edit(), host = at("insights-edits");
        const row = (text, drop) => el("li", {}, el("span", {}, text), iconButton("x", `Undo: ${text}`, () => change(drop)));
        const rows = [
            ...Object.keys(held.fields).map((key) => row(`${loupe.insightsContent.title(key)} reworded`, (one) => { delete one.fields[key]; })),
            ...Object.entries(held.features).map(([key, to]) => row(`${loupe.insightsContent.title(key)}: ${to}`, (one) => { delete one.features[key]; })),
            ...held.edits.map((one, i) => row(one.op === "blank" ? "A place of the picture blanked" : "A patch swapped in", (all) => { all.edits.splice(i, 1); })),
        ];
        host.replaceChildren(el("h3", {}, "Changes"), rows.length ? el("ul", {}, ...rows) : el("p", {class: "lp-muted"}, "Type in the text, choose a place of the picture, or set a feature."),
            el("div", {class: "insights-actions"},
                el("button", {type: "button", class: "lp-btn lp-btn-sm", id: "insights-reset", disabled: !rows.length, onclick: () => set("edit", "")}, "Reset"),
                el("button", {type: "button", class: "lp-btn lp-btn-sm", disabled: !rows.length, onclick: () => loupe.insightsBrief.pinEdit()}, loupe.dom.icon("pin"), "Pin to the brief")));
    }

    function features() {
        const {el} = loupe.dom, known = now.told.set.features, host = at("insights-features"), held = edit();
        host.hidden = !known.length;
        if (host.contains(document.activeElement) && host.dataset.of === String(now.content.row)) return;
        host.dataset.of = String(now.content.row);
        const put = (key, to) => change((one) => { one.features[key] = to; });
        const input = ({key, title, kind, choices, low, high}) => {
            const at_ = held.features[key] ?? now.content.features[key];
            const options = {"aria-label": title, class: "lp-field", "data-changed": key in held.features ? "true" : null};
            if (kind === "choice") {
                return el("select", {...options, onchange: (event) => put(key, event.target.value)}, ...(choices.includes(at_) ? [] : [el("option", {value: ""}, "unknown")]),
                    ...choices.map((one) => el("option", {value: one, selected: one === at_}, one)));
            }
            return el("input", {...options, type: "number", min: low, max: high, step: "any", value: at_ ?? "", onchange: (event) => { if (event.target.value !== "") put(key, Number(event.target.value)); }});
        };
        host.replaceChildren(el("h3", {}, "Features"), el("div", {class: "insights-form"}, ...known.map((one) => el("label", {}, el("span", {}, one.title), input(one)))));
    }

    // ---- versions

    async function saved({set: held}) {
        if (listed === held) return;
        listed = held;
        try {
            versions = (await ask(`/_insights/drafts?${new URLSearchParams({set: held})}`)).drafts;
        } catch (_none) {
            versions = [];
        }
        if (isHere()) draw();
    }

    function draw() {
        const {el, iconButton, moment} = loupe.dom, own = versions.filter((one) => one.row === now.content?.row), others = versions.length - own.length;
        const name = el("input", {class: "lp-field", id: "insights-version-name", maxlength: 60, placeholder: "name of this version", "aria-label": "Name of this version"});
        const save = el("form", {class: "insights-save", onsubmit: (event) => { event.preventDefault(); keep(name.value); }}, name, el("button", {class: "lp-btn lp-btn-sm"}, "Save version"));
        const row = (one) => el("li", {"data-chosen": value("draft") === String(one.id) ? "true" : null},
            el("button", {type: "button", class: "insights-version", onclick: () => restore(one), title: "Go back to this version"}, el("b", {}, one.name), el("span", {class: "lp-muted"}, `version ${one.version} · ${moment(one.saved_at)}${Number.isFinite(one.predicted) ? ` · ${rate(one.predicted)}` : ""}`)),
            iconButton("trash", `Delete version ${one.version}, ${one.name}`, () => drop(one)));
        at("insights-versions").replaceChildren(el("h3", {}, "Versions"), save, own.length ? el("ul", {}, ...own.map(row)) : el("p", {class: "lp-muted"}, `No version of this content is saved.${others ? ` ${others} of others are.` : ""}`));
    }

    async function keep(name) {
        loupe.insightsContent.commitNow();
        try {
            const made = await ask("/_insights/drafts", {set: value("set"), row: now.content.row, name: name.trim() || "Draft", draft: edit(), predicted: now.predicted?.predicted ?? null});
            listed = "";
            await saved(loupe.insights.values());
            set("draft", String(made.id));
            loupe.say(`Saved as version ${made.version}.`);
        } catch (error) {
            loupe.notify({kind: "error", title: "The version was not saved", message: error.message, hint: error.hint});
        }
    }

    function restore(one) {
        set("edit", loupe.insights.isEdited({fields: {}, features: {}, edits: [], ...one.draft}) ? loupe.insights.printable(one.draft) : "");
        set("draft", String(one.id));
    }

    async function drop(one) {
        try {
            await ask(`/_insights/drafts/${encodeURIComponent(one.id)}/delete`, {});
            if (value("draft") === String(one.id)) set("draft", "");
            listed = "";
            saved(loupe.insights.values());
        } catch (error) {
            loupe.notify({kind: "error", title: "The version was not deleted", message: error.message, hint: error.hint});
        }
    }

    loupe.insightsPage.onShow(step);
    let of = "";
    loupe.insightsPage.onShow(({content, draft}) => { // whose versions are listed, and which is open
        const wanted = [now.content?.row, content, draft].join(" ");
        if (of !== wanted && listed) { of = wanted; draw(); }
    });
    loupe.insightsPage.onLeave((card) => { if (!card || card === "change") { asked = listed = of = ""; } });
    loupe.insightsChange = {again: () => { if (now.predicted && now.content) show(now.predicted); }};
})(window.loupe);
