/* Modality gap: the chosen pair. Its neighbours, and which words go with which places of its picture. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {at, isHere, set, value, say, honest, named, ask, load, failed, query, focus, pairs, thumb, number, percent} = loupe.gap;
    const GRID = 8, SIDE_PX = 176, METHODS = {occlusion: "by occlusion", integrated: "by integrated gradients", gradient: "by gradient × input"};
    let wanted = "", found = null, word = -1;

    async function step(values) {
        const held = focus();
        if (!held) return;
        if (values.pair < 0) { say("pair", "empty", {message: "Press a point to choose a pair."}); return; }
        const row = Math.min(values.pair, held.n - 1), mine = `${held.key} ${row} ${values.maps}`;
        if (mine === wanted) return;
        wanted = mine;
        word = -1;
        say("pair", "loading", {keep: Boolean(found)});
        try {
            const [about, {captions, groups}] = await Promise.all([load("pair", `/_gap/pair?${query({space: held.key, row})}`, () => mine === wanted), pairs(held)]);
            if (mine !== wanted || !isHere() || about.job) return;
            found = {held, row, about, captions, group: groups[row] || "", tokens: null};
            draw();
            say("pair", "ready");
            honest("pair", [`pair ${row} of ${held.n.toLocaleString("en-US")}`, named(held), held.methods.includes(values.maps) ? `${METHODS[values.maps].slice(3)}, ${values.maps === "occlusion" ? "painted" : "from"} ${held.ground}` : "", about.recall < 1 ? `nearest by lists, ${percent(about.recall)} of the true ones found` : "", "measured here"]);
            if (held.methods.includes(values.maps)) await maps(mine);
        } catch (error) {
            if (mine !== wanted) return;
            wanted = "";
            failed("pair", error);
        }
    }

    async function maps(mine) {
        const {held, row} = found, address = `/_gap/tokens?${query({space: held.key, row, maps: value("maps")})}`;
        at("tokens").textContent = "Asking the model which words go with which places…";
        try {
            let told = await ask(address);
            while (told.job && mine === wanted && isHere()) {
                const view = await loupe.gap.until(told.job);
                if (view.state === "cancelled") return;
                if (view.state !== "done") throw loupe.gap.failure(view.error_message || "The job failed.", view.error_hint || "", -1);
                told = await ask(address);
            }
            if (mine !== wanted || !isHere()) return;
            found.tokens = told;
            tokens();
        } catch (error) {
            if (mine === wanted && at("tokens")) at("tokens").textContent = [error.message, error.hint].filter(Boolean).join(" ");
        }
    }

    /** Why there is no map of words and places; empty where there is one. */
    function why(held) {
        if (!held.has_encoder) return "Imported embeddings have no encoder to ask about words and places.";
        if (!held.methods.length) return "The tokenizer of this model does not say where its words lie, so none can be left out. Save the fast tokenizer and add the model again.";
        if (held.methods.includes(value("maps"))) return "";
        return `No slope passes through this model, so words and places cannot be valued ${METHODS[value("maps")]}. Choose ${held.methods.map((one) => METHODS[one].slice(3)).join(" or ")}.`;
    }

    function draw() {
        const {el} = loupe.dom, {held, row, about, captions, group} = found;
        const caption = captions[row] || `pair ${row}, without a caption`;
        const stage = !held.thumbs ? null : el("div", {class: "gap-stage", id: "modality-gap-stage", "data-ground": held.ground}, thumb(held, row, SIDE_PX), el("canvas", {width: GRID, height: GRID, "aria-hidden": "true"}));
        const facts = el("p", {class: "lp-muted lp-small"}, `cosine ${number(about.cosine)} · gap ${number(about.gap)}${group ? ` · ${group}` : ""}`);
        const how = el("select", {class: "lp-field", "aria-label": "How words and places are valued", onchange: ({target}) => set("maps", target.value)},
            ...Object.entries(METHODS).map(([key, name]) => el("option", {value: key, selected: value("maps") === key, disabled: !held.methods.includes(key), title: held.methods.includes(key) ? null : "No slope passes through this model."}, name)));
        const words = el("div", {id: "modality-gap-tokens", class: "gap-tokens", role: "group", "aria-label": "Words of the caption"}, why(held));
        const list = (title, items, make) => el("div", {}, el("h4", {}, title), el("ol", {class: "gap-near"}, ...items.map(make)));
        const choose = (item, ...children) => el("li", {}, el("button", {type: "button", "data-right": String(item.right), title: `cosine ${number(item.cosine)}${item.right ? ", a right answer" : ""}`, onclick: () => set("pair", item.row)}, ...children));
        at("one").replaceChildren(el("div", {class: "gap-one-head"}, stage, el("div", {}, el("h3", {}, caption), facts, held.methods.length ? how : null, words, held.methods.length ? el("div", {id: "modality-gap-check", class: "gap-check"}) : null)),
            el("div", {class: "gap-nears"}, list("Texts nearest to the image", about.texts, (item) => choose(item, el("span", {}, captions[item.row] || `pair ${item.row}`), el("b", {}, number(item.cosine, 2)))),
                list("Images nearest to the text", about.images, (item) => choose(item, held.thumbs ? thumb(held, item.row, 44) : el("span", {}, captions[item.row] || `pair ${item.row}`), el("b", {}, number(item.cosine, 2))))));
    }

    /** Words with their part of the cosine as buttons; all of them together first. */
    function tokens() {
        const {el} = loupe.dom, {tokens: told} = found, most = Math.max(1e-6, ...told.parts.map(Math.abs));
        const button = (text, i, part) => el("button", {type: "button", class: "gap-word", "aria-pressed": String(i === word), "data-kind": part < 0 ? "bad" : "good", style: `--share:${Math.abs(part) / most}`,
            title: i < 0 ? "All words together" : `part of the cosine ${number(part)}; without it ${number(told.without[i])}`, onclick: () => { word = i; tokens(); at("tokens").querySelectorAll("button")[i + 1].focus(); }}, text);
        at("tokens").replaceChildren(button("all words", -1, 0), ...told.words.map((text, i) => button(text, i, told.parts[i])));
        paint();
        check();
    }

    function paint() {
        const canvas = at("stage")?.querySelector("canvas"), {maps: all} = found.tokens;
        if (!canvas) return;
        const sum = word < 0 ? found.tokens.whole : all[word];
        const most = Math.max(1e-9, ...sum.flat().map(Math.abs)), context = canvas.getContext("2d"), image = context.createImageData(GRID, GRID);
        sum.flat().forEach((part, i) => {
            const [r, g, b] = part > 0 ? [47, 111, 219] : [199, 106, 18];
            image.data.set([r, g, b, Math.round(205 * Math.min(1, Math.abs(part) / most))], 4 * i);
        });
        context.putImageData(image, 0, 0);
    }

    /** How far the map can be trusted here: the cosine after deleting places, beside random orders. */
    function check() {
        const {el} = loupe.dom, {shares, deleted, random, low, cosine} = found.tokens, last = 1;
        const isBelow = shares.filter((_, i) => deleted[i] < low[i]).length;
        const verdict = isBelow === shares.length ? "faster than in every random order" : deleted[last] < random[last] ? "faster than in random orders on the whole" : "no faster than in random orders: do not trust this map";
        const row = (name, all) => el("tr", {}, el("th", {scope: "row"}, name), ...all.map((one) => el("td", {class: "lp-number"}, number(one))));
        at("check").replaceChildren(el("p", {class: "lp-small"}, el("b", {}, "Check by deletion: "), `the cosine of ${number(cosine)} falls ${verdict}.`),
            el("details", {}, el("summary", {class: "lp-small"}, "Numbers"), el("table", {class: "gap-numbers"}, el("thead", {}, el("tr", {}, el("th", {}, "share deleted"), ...shares.map((one) => el("th", {class: "lp-number"}, percent(one, 0))))),
                el("tbody", {}, row("most relevant first", deleted), row("random, mean of 5", random), row("random, lowest", low)))));
    }

    loupe.gapPage.onShow(step);
    loupe.gapPage.onLeave((card) => {
        if (card && card !== "pair") return;
        wanted = "";
        if (!card) found = null;
    });
    loupe.gapPair = {found: () => found};
})(window.loupe);
