/* Crayon: what hands do: keys (which can be changed), buttons, swipes, press and hold. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const KEPT = "loupe-crayon-keys";
    const DEFAULTS = {yes: "a", no: "x", maybe: " ", undo: "Backspace", skip: "s", peek: "p"};
    const TITLES = {yes: "Yes", no: "No", maybe: "Cannot tell", undo: "Undo the last answer", skip: "Skip, with a reason",
        peek: "Hold to peek: without the highlight"};
    const HOLD_MS = 280, MOVED_PX = 10, SWIPE_SHARE = 0.22, SWIPE_LEAST_PX = 56, SWIPE_MOST_PX = 120;
    const {part} = loupe.crayonStage;
    const panel = () => loupe.crayonPanel;
    const root = () => panel().rootOf(panel().shown());
    let keys = {...DEFAULTS}, removers = [], capture = null;

    // ---- what can be done

    function openReasons() {
        const here = root();
        if (!here || !panel().round() || !panel().round().now) return;
        here.dataset.reasons = "true";
        part(here, "reasons").hidden = false;
        part(here, "answers").hidden = true;
        part(here, "reasons").querySelector("button").focus({preventScroll: true});
    }

    function closeReasons(here) {
        if (!here || here.dataset.reasons !== "true") return;
        here.dataset.reasons = "false";
        part(here, "reasons").hidden = true;
        part(here, "answers").hidden = false;
        part(here, "stage").focus({preventScroll: true});
    }

    function peek(isOn) {
        const here = root();
        if (here && (here.dataset.peek === "true") !== isOn) here.dataset.peek = String(isOn);
    }

    const isChoosing = () => Boolean(root()) && root().dataset.reasons === "true";
    const DO = {
        yes: () => panel().answer("yes"), no: () => panel().answer("no"), maybe: () => panel().answer("maybe"),
        undo: () => { const round = panel().round(); if (round) round.undo(); },
        skip: () => (isChoosing() ? panel().answer("skip", "") : openReasons()),
        unskip: () => closeReasons(root()),
        stop: () => { const round = panel().round(); if (round) round.stopEditing(); },
        peek: () => peek(true),
    };

    // ---- keys

    /** Space and Backspace belong to whatever has the focus, if that is a control of another kind. */
    function isFree() {
        const focus = document.activeElement;
        if (!panel().shown() || !panel().round()) return false;
        return !focus || !focus.closest("button, a, summary, [role=tab], [role=menuitem]") || Boolean(focus.closest("[data-answer]"));
    }

    function load() {
        try { keys = {...DEFAULTS, ...JSON.parse(localStorage.getItem(KEPT))}; } catch (_damaged) { keys = {...DEFAULTS}; }
    }

    function bind() {
        removers.forEach((remove) => remove());
        const add = (key, label, run, when) => loupe.keys.add({scope: "crayon", key, label, when,
            run: (event) => { if (!event.repeat) run(); }});
        removers = Object.entries(keys).map(([name, key]) => add(key, TITLES[name], DO[name], () => {
            if (!panel().shown() || !panel().round() || capture) return false;
            return !["Space", " ", "Enter"].includes(key) || isFree();
        }));
        removers.push(add("Escape", "Leave: do not skip, keep an answer as it is", () => {
            if (isChoosing()) closeReasons(root()); else DO.stop();
        }, () => Boolean(panel().round()) && (isChoosing() || panel().round().now?.how === "edit")));
        for (let i = 1; i <= 5; i += 1) {
            removers.push(add(String(i), `Reason ${i} for skipping`, () => {
                const chip = part(root(), "reasons").querySelectorAll("[data-reason]")[i - 1];
                if (chip) panel().answer("skip", chip.dataset.reason);
            }, isChoosing));
        }
    }

    const nameOf = (key) => ({" ": "Space", Backspace: "⌫", Escape: "Esc"})[key] || (key.length === 1 ? key.toUpperCase() : key);

    /** Write the keys on the buttons. */
    function keyCaps(here) {
        here.querySelectorAll("[data-keyof]").forEach((cap) => {
            const key = keys[cap.dataset.keyof];
            cap.textContent = key ? nameOf(key) : cap.dataset.keyof === "stop" ? "Esc" : "";
        });
    }

    /** Give an action another key; whoever had it gets the old one. */
    function remap(name, key) {
        const other = Object.keys(keys).find((one) => keys[one].toLowerCase() === key.toLowerCase());
        if (other) keys[other] = keys[name];
        keys[name] = key;
        try { localStorage.setItem(KEPT, JSON.stringify(keys)); } catch (_full) { /* they hold for this visit */ }
        bind();
        Object.keys(panel().panels).forEach((kind) => { if (panel().rootOf(kind)) keyCaps(panel().rootOf(kind)); });
    }

    function forget() {
        localStorage.removeItem(KEPT);
        load();
        bind();
        Object.keys(panel().panels).forEach((kind) => { if (panel().rootOf(kind)) keyCaps(panel().rootOf(kind)); });
    }

    /** The next key that is pressed becomes the key of an action; `then()` when that is over. */
    function listen(name, then) {
        capture = {name, then};
    }
    document.addEventListener("keydown", (event) => {
        if (!capture || ["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        const {name, then} = capture;
        capture = null;
        if (event.key !== "Escape" && !/^[1-5?]$/.test(event.key)) remap(name, event.key.length === 1 ? event.key.toLowerCase() : event.key);
        then();
    }, true);
    document.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === keys.peek.toLowerCase()) peek(false); });
    window.addEventListener("blur", () => peek(false));

    // ---- buttons

    document.addEventListener("click", (event) => {
        const here = event.target.closest?.(".annotate");
        if (!here) return;
        const button = event.target.closest("button");
        if (button) {
            const {answer, reason, edit} = button.dataset, act = button.dataset.do;
            if (answer) panel().answer(answer);
            else if (reason) panel().answer("skip", reason);
            else if (edit) panel().round()?.edit(Number(edit));
            else if (act && act !== "peek") DO[act]?.();
            if (answer || reason || edit) part(here, "stage").focus({preventScroll: true});
            return;
        }
        const box = event.target.closest(".annotate-box");
        if (box && here.dataset.kind === "map" && !wasGesture) loupe.crayonStage.enlarge(here, panel().round(), box.dataset.panel);
    });

    // ---- fingers and mouse on the pictures

    let drag = null, wasGesture = false;

    function threshold(stage) {
        return Math.max(SWIPE_LEAST_PX, Math.min(SWIPE_MOST_PX, stage.clientWidth * SWIPE_SHARE));
    }

    function meant(dx, dy, least) {
        if (-dy > Math.abs(dx) * 1.2) return {answer: "maybe", share: -dy / least};
        return {answer: dx > 0 ? "yes" : "no", share: Math.abs(dx) / least};
    }

    function show(stage, dx, dy) {
        const {answer, share} = meant(dx, dy, threshold(stage)), label = stage.querySelector("[data-part=swipe]");
        stage.dataset.drag = answer;
        stage.dataset.armed = String(share >= 1);
        stage.style.setProperty("--drag-x", `${dx}px`);
        stage.style.setProperty("--drag-y", `${Math.min(0, dy)}px`);
        label.style.opacity = String(Math.min(1, share));
        label.textContent = {yes: "Yes", no: "No", maybe: "Cannot tell"}[answer];
    }

    function drop(stage) {
        delete stage.dataset.drag;
        delete stage.dataset.armed;
        stage.style.removeProperty("--drag-x");
        stage.style.removeProperty("--drag-y");
    }

    document.addEventListener("pointerdown", (event) => {
        const here = event.target.closest?.(".annotate"), stage = event.target.closest?.(".annotate-stage");
        if (here && event.target.closest("[data-do=peek]")) { peek(true); return; }
        if (!stage || event.button !== 0 || event.target.closest("button") || !panel().round()?.now) return;
        wasGesture = false;
        drag = {stage, id: event.pointerId, x: event.clientX, y: event.clientY, isTouch: event.pointerType !== "mouse", isMoving: false,
            timer: setTimeout(() => { wasGesture = true; peek(true); }, HOLD_MS)};
    });
    document.addEventListener("pointermove", (event) => {
        if (!drag || event.pointerId !== drag.id) return;
        const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
        if (!drag.isMoving && Math.hypot(dx, dy) > MOVED_PX && root()?.dataset.peek !== "true") {
            clearTimeout(drag.timer);
            drag.isMoving = drag.isTouch;
            wasGesture = true;
            if (drag.isMoving) drag.stage.setPointerCapture?.(drag.id);
        }
        if (drag.isMoving) show(drag.stage, dx, dy);
    });
    function end(event, isKept) {
        peek(false);
        if (!drag || event.pointerId !== drag.id) return;
        const {stage, x, y, isMoving, timer} = drag;
        clearTimeout(timer);
        drag = null;
        if (!isMoving) return;
        const {answer, share} = meant(event.clientX - x, event.clientY - y, threshold(stage));
        drop(stage);
        if (isKept && share >= 1) panel().answer(answer);
    }
    document.addEventListener("pointerup", (event) => end(event, true));
    document.addEventListener("pointercancel", (event) => end(event, false));
    document.addEventListener("contextmenu", (event) => { if (event.target.closest?.(".annotate-stage")) event.preventDefault(); });

    load();
    loupe.crayonHands = {keyCaps, closeReasons, listen, forget, nameOf, keys: () => ({...keys}), TITLES, peek};
    bind();
})(window.loupe);
