/* Crayon, Diagnose: accuracy by group, answers by class, and the gallery of maps. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, ask, query, percent, points} = loupe.crayon;
    const CARDS = ["groups", "classes", "gallery"];
    const PAGE = 24;
    let drawn = "", listed = "", answered = "", items = [];

    const about = () => [now.told.model.title, now.told.model.fingerprint, now.told.set.title, now.told.set.fingerprint];
    const failed = (card) => (error) => {
        if (!isHere()) return;
        if (error.status === 404) say(card, "loading", {message: "Waiting for the maps of this model…"});
        else say(card, "failed", {message: error.message, hint: error.hint});
    };

    function step(values, told) {
        if (values.step !== "diagnose" || !told) return;
        if (told.message) {
            CARDS.forEach((card) => say(card, "failed", {message: told.message, hint: told.hint}));
            return;
        }
        answers(values);
        if (!now.ready.items) {
            drawn = listed = "";
            waiting(told);
            return;
        }
        groups(values);
        gallery(values);
    }

    /** The maps, then what they say of each item: the job is shown where the gallery will be. */
    function waiting(told) {
        const part = told.items && told.items.job ? told.items : told.map;
        const message = part === told.map ? "Computing the attention maps of every image" : "Measuring the maps";
        if (part && part.job) say("gallery", "job", {jobId: part.job, message});
        else say("gallery", "loading", {message: "Loading…"});
        say("groups", "loading", {message: "Waiting for the maps of this model…"});
    }

    // ---- groups

    async function groups({split}) {
        const wanted = `${now.ready.items} ${split}`;
        if (drawn === wanted) return;
        drawn = wanted;
        say("groups", "loading", {keep: Boolean(at("crayon-tiles").childElementCount)});
        try {
            const held = await ask(`/_crayon/diagnosis?${query({split})}`);
            if (drawn !== wanted || !isHere()) return;
            now.groups = held.groups;
            tiles(held);
            loupe.crayon.draw("crayon-groups-graph", held.figure);
            now.groupsFigure = held.figure;
            say("groups", "ready");
            honest("groups", [`${held.summary.n ?? 0} ${split} images in ${held.groups.length} groups`, ...about(), "measured here"]);
            chips();
        } catch (error) {
            drawn = "";
            failed("groups")(error);
        }
    }

    function tile(name, value, note, tone) {
        const {el} = loupe.dom;
        return el("div", {class: "crayon-tile", role: "listitem", "data-tone": tone || null}, el("span", {class: "crayon-tile-name"}, name),
            el("b", {}, value), el("span", {class: "lp-muted"}, note));
    }

    function tiles({groups: rows, summary, split}) {
        const rare = rows.filter((row) => row.n_training).sort((a, b) => a.n_training - b.n_training)[0];
        const total = rows.reduce((sum, row) => sum + row.n_training, 0);
        at("crayon-tiles").replaceChildren(
            tile("Worst group (WGA)", percent(summary.worst), summary.worst_name || "no items", "bad"),
            tile("Mean of groups (MGA)", percent(summary.mean), `${rows.length} groups, each counts once`),
            tile("Gap", points(summary.gap).replace("+", ""), "points from the mean to the worst"),
            tile("Accuracy", percent(summary.accuracy), `${summary.n ?? 0} ${split} images as they are`),
            tile("Rarest in training", rare ? rare.name : "–", rare ? `${rare.n_training} of ${total} images, ${percent(rare.n_training / total)}` : ""),
        );
        if (summary.absent?.length) loupe.crayonPage.tell(`No ${split} image: ${summary.absent.join(", ")}. Those groups have no accuracy.`, false);
    }

    // ---- answers by class

    async function answers({source, set, model, minimum}) {
        const wanted = [set, model, source, minimum].join(" ");
        if (answered === wanted) return;
        answered = wanted;
        say("classes", "loading", {keep: Boolean(at("crayon-classes-view").childElementCount)});
        try {
            const held = await ask(`/_crayon/classes?${query({source, minimum})}`);
            if (answered !== wanted || !isHere()) return;
            at("crayon-classes-view").replaceChildren(...classTable(held));
            say("classes", "ready");
            honest("classes", [`${held.answers} ${source} answers of ${held.annotators} annotators`, held.transferred ? "transferred from the original's maps" : "",
                `an item needs ${minimum}`, ...about()]);
        } catch (error) {
            answered = "";
            failed("classes")(error);
        }
    }

    function classTable({table, classes, warning, source, answers: count, transferred}) {
        const {el} = loupe.dom, top = Math.max(1, ...table.map((row) => row[0] + row[1] + row[2]));
        const kinds = ["relevant", "irrelevant", "not used"];
        const head = el("tr", {}, el("th", {}, "class"), ...kinds.map((name) => el("th", {class: "lp-number"}, name)), el("th", {"aria-hidden": "true"}));
        const bar = (row) => el("td", {class: "crayon-share", "aria-hidden": "true"}, ...row.map((n, i) => el("i", {"data-kind": kinds[i], style: `width:${100 * n / top}%`})));
        const body = table.map((row, i) => el("tr", {}, el("th", {scope: "row"}, classes[i]), ...row.map((n) => el("td", {class: "lp-number"}, String(n))), bar(row)));
        const notes = [];
        if (source === "simulated") notes.push(el("p", {class: "crayon-mark"}, "Simulated: these answers come from the masks of the set, not from people."));
        if (transferred) notes.push(el("p", {class: "crayon-mark"}, "Transferred: these answers are about the original's maps."));
        if (count) notes.push(el("p", {class: warning ? "crayon-warn" : "lp-muted"}, warning || "The answers do not follow the class."));
        else notes.push(el("p", {}, source === "human" ? "Nobody has answered yet. " : "No answers are simulated yet. ",
            el("button", {type: "button", class: "plot-card-button", onclick: () => loupe.crayon.set("step", source === "human" ? "maps" : "refine")},
                source === "human" ? "Annotate maps" : "Simulate them under Refine")));
        return [el("table", {class: "crayon-table"}, el("thead", {}, head), el("tbody", {}, ...body)), ...notes];
    }

    // ---- gallery

    function chips() {
        const {el} = loupe.dom, host = at("crayon-chips");
        if (!host || !now.groups) return;
        const chosen = Number(loupe.crayon.value("group"));
        const chip = (group, name, n) => el("button", {type: "button", class: "crayon-chip", "aria-pressed": String(group === chosen), "data-group": group}, name,
            el("span", {class: "lp-muted"}, String(n)));
        host.replaceChildren(chip(-1, "all groups", now.groups.reduce((sum, row) => sum + row.n, 0)),
            ...now.groups.map((row) => chip(row.group, row.name, row.n)));
    }

    async function gallery({split, sort, group, from, look}) {
        const wanted = [now.ready.items, split, sort, group, from].join(" ");
        if (listed === wanted) {
            if (at("crayon-gallery-list").dataset.look !== look) show(look);
            return;
        }
        listed = wanted;
        say("gallery", "loading", {keep: Boolean(items.length)});
        chips();
        try {
            const held = await ask(`/_crayon/items?${query({split, sort, group, offset: from, n: PAGE})}`);
            if (listed !== wanted || !isHere()) return;
            if (!held.items.length && held.total) { // a page that this group has not
                loupe.crayon.set("from", 0);
                return;
            }
            items = held.items;
            show(loupe.crayon.value("look"));
            pages(held);
            say("gallery", held.total ? "ready" : "empty", {message: "There is no such image in this split."});
            honest("gallery", [`${held.total ? held.offset + 1 : 0} to ${held.offset + held.items.length} of ${held.total} ${split} images`, ...about(), "Grad-CAM of the true class"]);
        } catch (error) {
            listed = "";
            failed("gallery")(error);
        }
    }

    /** A picture of an item: an overlay is transparent where the map is low, so it lies on a plain ground. */
    function picture({panels, name}, look) {
        return loupe.dom.el("img", {src: panels[look], alt: name, class: "crayon-map", loading: "lazy", decoding: "async", width: 128, height: 128});
    }

    function show(look) {
        const {el} = loupe.dom, host = at("crayon-gallery-list"), chosen = selected();
        host.dataset.look = look;
        host.replaceChildren(...items.map((item, i) => el("button", {type: "button", role: "option", class: "crayon-item", "data-item": item.id, tabindex: i ? -1 : 0,
            "aria-selected": String(chosen.has(item.id)), title: `${item.name}: ${now.told.set.groups[item.group]}`},
            picture(item, look),
            el("span", {class: item.right ? "crayon-right" : "crayon-wrong"}, el("i", {"aria-hidden": "true"}, item.right ? "✓" : "✗"), ` ${item.pred} ${percent(item.confidence, 0)}`),
            el("span", {class: "lp-muted"}, item.right ? now.told.set.groups[item.group] : `truth: ${now.told.set.groups[item.group]}`),
            el("span", {class: "lp-muted"}, item.energy === null ? (now.told.set.has_masks ? "the map is empty" : "no mask") : `${percent(item.energy, 0)} on the object`))));
    }

    function pages({total, offset}) {
        const {el} = loupe.dom, host = at("crayon-gallery-pages");
        const go = (from, name, label) => {
            const isOff = from < 0 || from >= total;
            return el("button", {type: "button", class: "plot-card-button", disabled: isOff, "aria-label": label, onclick: () => loupe.crayon.set("from", from)}, name);
        };
        host.replaceChildren(go(offset - PAGE, "‹ Previous", "Previous images"),
            el("span", {class: "lp-muted"}, total ? `${offset + 1}–${Math.min(total, offset + PAGE)} of ${total}` : ""), go(offset + PAGE, "Next ›", "Next images"));
    }

    // ---- selection, shared with every view of the same items

    const itemsKey = () => `crayon:${loupe.crayon.value("set")}`;
    function selected() {
        const held = loupe.selection.current();
        return new Set(held.items === itemsKey() ? held.ids : []);
    }

    function choose(id) {
        const chosen = selected();
        if (!chosen.delete(id)) chosen.add(id);
        loupe.selection.set({items: itemsKey(), ids: [...chosen]}, "crayon");
    }

    function mark() {
        if (!isHere()) return;
        const chosen = selected();
        document.querySelectorAll("#crayon-page [data-item]").forEach((tile_) => tile_.setAttribute("aria-selected", String(chosen.has(Number(tile_.dataset.item)))));
    }

    document.addEventListener("click", (event) => {
        const tile_ = event.target.closest?.("#crayon-page [data-item]");
        if (tile_) choose(Number(tile_.dataset.item));
        const chip = event.target.closest?.("#crayon-chips [data-group]");
        if (!chip) return;
        loupe.crayon.set("from", 0);
        loupe.crayon.set("group", Number(chip.dataset.group));
    });
    document.addEventListener("keydown", (event) => {
        const by = {ArrowRight: 1, ArrowLeft: -1}[event.key], tile_ = by && event.target.closest?.("#crayon-page .crayon-item");
        if (!tile_) return;
        const next = by > 0 ? tile_.nextElementSibling : tile_.previousElementSibling;
        if (!next) return;
        event.preventDefault();
        next.focus();
    });
    document.addEventListener("loupe:retry", ({detail}) => {
        if (!isHere() || !CARDS.includes(detail.cardId.replace("crayon-", ""))) return;
        drawn = listed = answered = "";
        loupe.crayonPage.again();
    });
    loupe.selection.onChange(mark);
    if (loupe.theme) loupe.theme.onChange(() => { if (isHere() && now.groupsFigure) loupe.crayon.draw("crayon-groups-graph", now.groupsFigure); });
    loupe.crayonPage.onShow(step);
    loupe.crayonPage.onLeave(() => { drawn = listed = answered = ""; items = []; now.groups = null; });

    loupe.crayonDiagnose = {picture, about, classTable, answersChanged: () => { answered = ""; }};
})(window.loupe);
