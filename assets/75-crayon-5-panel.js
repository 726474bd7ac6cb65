/* Crayon: the two steps with people in them. Opens a round when the step is on screen, its maps or patches
 * are stored and somebody has said their name; closes it when any of that changes. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const STEP = {map: "maps", patch: "neurons"};
    const PATCH_OVERLAP = 1; // each patch goes to one person, as in the study
    const panels = {map: {round: null, name: "", root: null, source: null}, patch: {round: null, name: "", root: null, source: null}};
    const timings = []; // ms from an answer to the frame that shows the next item
    const drawn = new Set(); // fn(kind, root, round) after each drawing
    const {part, write} = loupe.crayonStage;
    const rootOf = (kind) => document.getElementById(`crayon-annotate-${kind}`);

    /** The kind that is on screen, or "". */
    function shown() {
        if (!loupe.crayon.isHere()) return "";
        const {step} = loupe.crayon.settings();
        return Object.keys(STEP).find((kind) => STEP[kind] === step && rootOf(kind)) || "";
    }
    const round = () => { const kind = shown(); return kind ? panels[kind].round : null; };

    // ---- opening and closing

    function follow() {
        if (!loupe.crayon.isHere()) return;
        const kind = shown();
        if (kind) openPanel(kind, loupe.crayon.settings());
    }

    function openPanel(kind, settings) {
        const panel = panels[kind], root = rootOf(kind), key = loupe.crayon.now.ready[kind === "map" && settings.saliency ? "seen" : kind];
        const {set, parent, as, order, overlap, saliency} = settings;
        nameForm(root, kind, settings);
        loupe.crayonHands.keyCaps(root);
        const {told} = loupe.crayon.now;
        loupe.crayonStage.reserve(root, kind === "map" && told && told.set ? told.set.panels.length : 3);
        loupe.crayonSender.begin();
        const name = JSON.stringify([set, parent, as, order, overlap, saliency, key, panel.source ? panel.source.name : ""]);
        if (panel.name === name && panel.root === root) return;
        if (panel.round) panel.round.close();
        if (panel.root !== root) panel.source = null;
        Object.assign(panel, {round: null, name, root});
        if (!as) { root.dataset.state = "name"; return; }
        if (!key) {
            root.dataset.state = "loading";
            part(root, "empty").replaceChildren(loupe.dom.el("span", {}, kind === "map" ? "The maps of this model are not there yet." : "The patches of this model are not there yet."));
            return;
        }
        const allowed = kind === "patch" && !["random", "disagreement"].includes(order) ? "random" : order;
        const asked = {...settings, order: allowed, overlap: kind === "patch" ? PATCH_OVERLAP : overlap, saliency: kind === "patch" ? "" : saliency};
        const make = kind === "patch" ? loupe.crayonNeurons.views : loupe.crayonDeck.mapViews;
        panel.round = loupe.crayonRound.open({kind, settings: asked, make, source: panel.source, changed: () => draw(kind)});
        begin(panel, kind, key);
        loupe.crayonStage.saved(root, loupe.crayonSender.status());
    }

    async function begin(panel, kind, key) {
        const {round: held} = panel;
        try {
            if (kind === "patch") await loupe.crayonNeurons.load(key);
            if (panel.round === held) await held.start();
        } catch (error) {
            held.trouble = error;
            draw(kind);
        }
    }

    function draw(kind) {
        const {root, round: held, name} = panels[kind];
        if (!held || root !== rootOf(kind)) return;
        const {trouble} = held;
        if (trouble && trouble.status === 400 && /^as=/.test(trouble.message)) return refuseName(root, trouble);
        loupe.crayonStage.draw(root, held);
        drawn.forEach((also) => also(kind, root, held, name));
        return null;
    }

    /** Another source of items, such as those that are disputed; null: the usual ones. */
    function use(kind, source) {
        panels[kind].source = source;
        follow();
    }

    // ---- a name, asked once and in place

    function nameForm(root, kind, {as}) {
        const place = part(root, "name"), {el} = loupe.dom, held = part(root, "name-field");
        place.hidden = Boolean(as);
        if (held.children.length) return;
        const input = el("input", {class: "lp-field annotate-name-input", maxlength: "40", autocomplete: "nickname", "aria-label": "Your name"});
        const form = el("form", {}, input, el("button", {type: "submit", class: "lp-btn lp-btn-main"}, "Start"));
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            const given = input.value.trim();
            write(part(root, "name-said"), given ? "" : "Write a name first.");
            if (given) loupe.crayon.set("as", given);
        });
        held.append(form);
        if (!as && kind === shown()) input.focus({preventScroll: true});
    }

    function refuseName(root, {message, hint}) {
        root.dataset.state = "name";
        part(root, "name").hidden = false;
        write(part(root, "name-said"), `${message} ${hint || ""}`);
    }

    // ---- answering

    /** Answer, draw the next item, and note how long that took. */
    function answer(value, reason) {
        const held = round(), root = rootOf(shown());
        if (!held || !held.now) return;
        if (!loupe.crayonStage.isSeen(held)) {
            write(part(root, "said"), "The picture is still being fetched.");
            if (value !== "skip") return;
        }
        const start = performance.now();
        loupe.crayonHands.closeReasons(root);
        held.answer(value, reason);
        requestAnimationFrame(() => { // the frame after this one has the new pictures on screen
            const channel = new MessageChannel();
            channel.port1.onmessage = () => { timings.push(performance.now() - start); };
            channel.port2.postMessage(0);
        });
    }

    loupe.crayonSender.onChange((status) => {
        const kind = shown();
        if (!kind || !panels[kind].root) return;
        loupe.crayonStage.saved(panels[kind].root, status);
        loupe.crayonStage.banner(panels[kind].root, panels[kind].round, status);
        if (panels[kind].round) loupe.crayonStage.strip(panels[kind].root, panels[kind].round);
    });
    window.addEventListener("online", () => { const held = round(); if (held) held.deck.again(); });

    loupe.crayonPanel = {answer, round, shown, rootOf, panels, use, follow, timings, onDraw: (fn) => drawn.add(fn)};
    // The scripts load in the order of their names; the page calls back later.
    loupe.crayon.onSettings(follow);
    loupe.crayon.onReady("map", follow);
    loupe.crayon.onReady("seen", follow);
    loupe.crayon.onReady("patch", follow);
})(window.loupe);
