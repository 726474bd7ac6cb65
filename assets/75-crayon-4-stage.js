/* Crayon: how a round looks: pictures in boxes that never change size, one question, what is saved. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const CAPTIONS = {original: "Original", overlay: "Highlight overlaid", red: "Highlight in red"};
    const SAID = {yes: "yes", no: "no", maybe: "cannot tell", skip: "skipped"};
    const QUIET_MS = 500; // what is saved within this is not read out
    const part = (root, name) => root.querySelector(`[data-part="${name}"]`);
    const write = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };
    let large = "overlay"; // on a phone one panel is large; a tap on another makes that one large
    let quiet = 0;

    // ---- pictures

    function box() {
        const {el} = loupe.dom;
        return el("figure", {class: "annotate-box"}, el("div", {class: "annotate-frame"}), el("figcaption", {}));
    }

    /** Boxes before there are pictures, so that nothing moves when they come. */
    function reserve(root, count) {
        const place = part(root, "views");
        if (place.children.length) return;
        for (let i = 0; i < count; i += 1) place.append(box());
        place.dataset.count = String(count);
        place.firstChild.toggleAttribute("data-large", true);
    }

    function views(root, round) {
        const place = part(root, "views"), {item} = round.now;
        while (place.children.length < item.views.length) place.append(box());
        while (place.children.length > item.views.length) place.lastChild.remove();
        place.dataset.count = String(item.views.length);
        const names = item.views.map((view) => view.name), first = names.includes(large) ? large : names[0];
        item.views.forEach((view, i) => {
            const figure = place.children[i], [frame, caption] = figure.children;
            figure.dataset.panel = view.name;
            figure.toggleAttribute("data-large", view.name === first);
            if (view.image.dataset.failed && navigator.onLine) view.image = loupe.crayonDeck.picture(view.image.src);
            view.image.alt = view.caption || CAPTIONS[view.name];
            view.image.className = "annotate-shown";
            view.peeked.className = "annotate-peeked";
            if (frame.firstChild !== view.image) frame.replaceChildren(view.image, view.peeked);
            write(caption, view.caption || CAPTIONS[view.name]);
            figure.dataset.tone = view.tone || "";
        });
    }

    /** Nobody answers about a picture that is not there. */
    const isSeen = (round) => Boolean(round.now) && round.now.item.views.every(({image}) => image.complete && image.naturalWidth > 0);

    function enlarge(root, round, name) {
        large = name;
        if (round.now) views(root, round);
    }

    // ---- words

    function question(root, round) {
        const place = part(root, "question"), {item} = round.now, name = `${round.kind}-${item.item_id}-${round.now.how}`;
        if (place.dataset.item === name) return;
        place.dataset.item = name;
        const number = round.told ? `${round.told.answered + 1} of ${round.told.total}. ` : "";
        place.replaceChildren(loupe.dom.el("span", {class: "annotate-aloud"}, number), item.question);
    }

    function about(root, round) {
        const {item, how, was} = round.now;
        const reason = {ask: item.why || "", edit: `You answered “${SAID[was]}”. Answer again to change it.`,
            undone: `Taken back: you had answered “${SAID[was]}”.`}[how];
        write(part(root, "why"), `#${item.item_id} · ${reason}`);
        write(part(root, "said"), how === "undone" ? "" : round.said);
    }

    function progress(root, {told, source}) {
        if (!told) return;
        const {answered, total, counts, median_s: pace} = told, left = pace === null ? null : pace * Math.max(0, total - answered);
        const parts = [source ? `${answered} of ${total} settled` : `${answered} of ${total}`];
        if (pace !== null) parts.push(`${pace.toFixed(1)} s each`, `${loupe.dom.duration(left)} left`);
        const said = Object.entries(SAID).map(([key, text]) => (counts[key] || key !== "skip" ? `${counts[key] || 0} ${text}` : "")).filter(Boolean);
        const {el} = loupe.dom;
        const shown = [el("b", {}, parts.shift()), ...parts.map((text) => el("span", {}, text)), source ? "" : el("span", {class: "annotate-counts"}, said.join(" · "))];
        part(root, "progress").replaceChildren(...shown);
        part(root, "bar").firstChild.style.width = `${total ? Math.min(100, 100 * answered / total) : 0}%`;
    }

    /** Said as saved only once the server has said so. */
    function saved(root, status) {
        const {el} = loupe.dom, place = part(root, "saved");
        if (!place.children.length) place.append(el("span", {"aria-hidden": "true"}), el("span", {class: "annotate-aloud"}));
        const n = status.waiting, some = `${n} ${n === 1 ? "answer" : "answers"}`;
        let text = "Saved", tone = "ok";
        if (status.unkept) [text, tone] = ["Not kept: this browser's storage is full. Leave the page open.", "bad"];
        else if (n && status.is_offline) [text, tone] = [`${navigator.onLine ? "No answer from Loupe" : "Offline"}: ${some} queued here`, "warn"];
        else if (n && status.message) [text, tone] = [`${some} queued: ${status.message} ${status.hint}`.trim(), "bad"];
        else if (n) [text, tone] = [n > 1 ? `Saving ${n}…` : "Saving…", "busy"];
        place.dataset.tone = tone;
        place.title = text;
        write(place.firstChild, text);
        clearTimeout(quiet);
        quiet = setTimeout(() => write(place.lastChild, text), QUIET_MS);
    }

    function banner(root, round, status) {
        const {el} = loupe.dom, place = part(root, "banner"), parts = [];
        if (round && round.source) parts.push("Settling: what the others said comes after your answer.");
        if (round && round.told && round.told.simulated) {
            parts.push(`${round.told.simulated.toLocaleString("en")} simulated answers are stored too, counted apart.`);
        }
        place.hidden = !parts.length && !status.refused;
        const text = parts.join(" ") + status.refused;
        if (place.dataset.text === text) return;
        place.dataset.text = text;
        place.replaceChildren(...parts.map((one) => el("span", {}, one)));
        if (status.refused) {
            place.append(el("span", {}, `The server refused ${status.refused} of your answers; they are kept in this browser. `),
                el("button", {type: "button", class: "annotate-link", onclick: loupe.crayonSender.saveRefused}, "Save them as a file"),
                el("button", {type: "button", class: "annotate-link", onclick: loupe.crayonSender.dropRefused}, "Forget them"));
        }
    }

    // ---- the last ten

    const MARKS = {yes: "check", no: "x", maybe: "help", skip: "chevron-right"};

    function strip(root, round) {
        const {el, icon} = loupe.dom, place = part(root, "strip"), seen = new Set(), last = [];
        for (let i = round.given.length - 1; i >= 0 && last.length < 10; i -= 1) {
            const entry = round.given[i];
            if (!seen.has(entry.item.item_id)) last.push(entry);
            seen.add(entry.item.item_id);
        }
        const waiting = new Set(loupe.crayonSender.waiting().map((row) => `${row.client}/${row.sequence}`));
        const held = new Map([...place.children].map((node) => [node.dataset.name, node]));
        const nodes = last.map(({item, answer, row}) => {
            const name = `${item.item_id}-${answer}-${item.map_hash}-${Object.values(item.panels)[0]}`;
            const node = held.get(name) || el("li", {"data-name": name}, el("button", {type: "button", "data-edit": String(item.item_id), "data-answer-was": answer,
                title: `#${item.item_id}: ${SAID[answer]}. Press to change.`, "aria-label": `Number ${item.item_id}: ${SAID[answer]}. Change it.`},
            loupe.crayonDeck.picture(item.panels.overlay || Object.values(item.panels)[0]), icon(MARKS[answer])));
            node.toggleAttribute("data-waiting", Boolean(row) && waiting.has(`${row.client}/${row.sequence}`));
            node.toggleAttribute("data-open", Boolean(round.now) && round.now.how === "edit" && round.now.item.item_id === item.item_id);
            return node;
        });
        if (nodes.length !== place.children.length || nodes.some((node, i) => place.children[i] !== node)) place.replaceChildren(...nodes);
    }

    // ---- all of it

    function empty(root, round) {
        const {el} = loupe.dom, place = part(root, "empty"), {trouble, deck} = round;
        if (trouble) {
            const offline = !trouble.status || trouble.status === 503;
            const text = offline ? "No further item could be fetched. Answers are kept here; it goes on by itself once Loupe answers." : trouble.message;
            place.replaceChildren(el("b", {}, text), el("span", {}, offline ? "" : trouble.hint || ""),
                el("button", {type: "button", class: "lp-btn", onclick: round.retry}, "Try again"));
            return offline ? "offline" : "trouble";
        }
        if (!deck.isEnd()) {
            place.replaceChildren(el("span", {}, "Fetching what is next…"));
            return "loading";
        }
        const all = round.told && round.told.answered >= round.told.total;
        const text = round.source ? "There is nothing left to settle." : all ? "You have answered everything. Thank you." : "Nothing is left for you in this order.";
        const hint = round.source || all ? "" : "The rest has as many annotators as were asked for. More per item can be chosen under “Order and people”.";
        place.replaceChildren(el("b", {}, text), el("span", {}, hint));
        return "end";
    }

    function draw(root, round) {
        progress(root, round);
        banner(root, round, loupe.crayonSender.status());
        strip(root, round);
        root.dataset.how = round.now ? round.now.how : "";
        root.dataset.was = round.now ? round.now.was || "" : "";
        if (!round.now) {
            write(part(root, "question"), "");
            delete part(root, "question").dataset.item;
            write(part(root, "why"), "");
            write(part(root, "said"), round.said);
            root.dataset.state = empty(root, round);
            return;
        }
        root.dataset.state = "ready";
        views(root, round);
        question(root, round);
        about(root, round);
    }

    loupe.crayonStage = {draw, reserve, saved, banner, strip, part, write, enlarge, isSeen, SAID};
})(window.loupe);
