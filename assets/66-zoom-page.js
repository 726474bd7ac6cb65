/* Zoom-In: the page. One question goes to the server for what a state needs; the answer names results
 * and jobs; each part is fetched and shown when it is there, the newest question wins. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, say, arrays, isHere} = loupe.zoom;
    const AT_ONCE_MS = 25; // several values that change together are one question
    const TYPING_MS = 350;
    const TYPED = ["n", "seed", "draws"];
    const NEEDS_LOOK = ["answer", "pieces", "share"];
    let values = null, timer = 0;

    // ---- asking

    function visit(_id, facts) {
        loupe.zoomViewer.leave();
        loupe.zoom.reset();
        now.facts = facts;
        loupe.zoomList.load();
        if (values) plan(AT_ONCE_MS);
        return {};
    }

    function ask(given) {
        if (!given) return;
        const typed = values && TYPED.some((key) => values[key] !== given[key]);
        values = given;
        follow(given);
        plan(typed ? TYPING_MS : AT_ONCE_MS);
    }

    function plan(ms, more) {
        clearTimeout(timer);
        timer = setTimeout(() => send(more || {}), ms);
    }

    function send(more) {
        if (!now.facts.asked.length || !values || !isHere()) return;
        if (TYPED.some((key) => values[key] === "" || values[key] === null)) return; // being typed
        const question = Object.fromEntries(now.facts.asked.map((key) => [key, values[key]]));
        const text = JSON.stringify(question);
        if (text === now.question && !more.again) return;
        now.question = text;
        now.sent += 1;
        loupe.zoom.setProps("zoom-question", {data: {...question, all: Boolean(more.all), token: now.sent}});
    }

    /** Ask the same again: something was built, or the whole list is wanted. */
    const again = (all) => plan(0, {again: true, all});

    // ---- showing

    function stopped(message, hint) {
        loupe.zoomViewer.clear();
        loupe.zoomLayers.repaint();
        ["viewer", "cost", ...NEEDS_LOOK].forEach((card) => loupe.zoom.honest(card, []));
        if (at("zoom-status")) at("zoom-status").textContent = "";
        at("zoom-scale")?.replaceChildren();
        say("viewer", "failed", {message, hint});
        [...NEEDS_LOOK, "cost"].forEach((card) => say(card, "empty", {message: "There is nothing to show.", hint: "The viewer says why."}));
    }

    function show(told) {
        if (!told || told.token !== now.sent || !isHere()) return;
        if (!told.image) {
            stopped(told.message, told.hint);
            return;
        }
        const token = ++now.token, isWanted = () => token === now.token && isHere();
        const isOther = !now.image || now.image.fingerprint !== told.image.fingerprint || now.image.state !== told.image.state;
        const before = now.told;
        Object.assign(now, {told, image: told.image});
        if (isOther) Object.assign(now, {look: null, draws: null, costs: null, cam: null});
        loupe.zoomList.mark(told.image);
        at("zoom-everywhere").hidden = !told.asked.region;
        loupe.zoomControls.draw();
        image(told, isOther, isWanted);
        if (told.model) settings(told);
        if (!told.look) return;
        const same = (part) => before && !isOther && before[part] && told[part] && before[part].result === told[part].result;
        if (!same("look") || !now.look) look(told, isWanted);
        if (!same("draws") || !now.draws || !same("look")) draws(told, isWanted);
        if (!same("compare") || !now.costs) compare(told, isWanted);
        cam(told, isWanted);
    }

    /** The image itself, or what it needs first. */
    async function image(told, isOther, isWanted) {
        const {state, note, title} = told.image;
        if (state === "bad") return stopped(`${title} cannot be used.`, note);
        if (state === "ready") now.prepared = "";
        if (state === "pyramid" && now.prepared === told.image.fingerprint) {
            return stopped(`${title} has no pyramid, although one was built just now.`, "Is there room on the disk? Look at Jobs.");
        }
        if (state === "build") {
            stopped(`${title} is not built yet.`, "It is put together here from photographs and digits, and kept.");
            return say("viewer", "empty", {message: `${title} is not built yet.`, retry: "Build it",
                hint: "It is put together here from photographs and digits, once, and kept."});
        }
        if (state === "pyramid") {
            stopped(`${title} needs its pyramid first.`, "");
            return loupe.zoomList.prepare(told.image);
        }
        if (isOther) loupe.zoomLayers.loadMask(told.image);
        try {
            await loupe.zoomViewer.open(told.image);
            if (!isWanted()) return null;
            if (!told.look) {
                NEEDS_LOOK.concat("cost").forEach((card) => say(card, "empty", {message: told.message, hint: told.hint}));
                say("viewer", "ready");
                loupe.notify({kind: "warning", title: "The model was not asked", message: told.message, hint: told.hint});
            } else if (!at("zoom-viewer").dataset.state.includes("ready")) say("viewer", "ready");
        } catch (error) {
            if (isWanted()) stopped(error.message, error.hint);
        }
        return null;
    }

    /** The list's answers belong to the model and the way it looks. */
    async function settings(told) {
        const {model, n, seed, policy, s1, s2} = told.asked, {answers} = told;
        loupe.zoomList.settings(JSON.stringify([model, n, seed, policy, s1, s2]));
        if (!answers || answers.missing || now.answered === answers.result) return;
        const isMine = () => isHere() && now.told.answers && now.told.answers.result === answers.result;
        try {
            if (answers.job) loupe.zoomList.tell("Asking about the needle images…");
            const held = await arrays(answers, isMine);
            if (!held) return;
            now.answered = answers.result;
            loupe.zoomList.fill(held, told.model.classes);
            loupe.zoomList.tell("");
        } catch (error) {
            if (isMine()) loupe.zoomList.tell([error.message, error.hint].filter(Boolean).join(" "), true);
        }
    }

    async function look(told, isWanted) {
        const keep = Boolean(now.look);
        NEEDS_LOOK.forEach((card) => say(card, "loading", {keep}));
        try {
            const held = await arrays(told.look, isWanted, (job) => say("answer", "job", {jobId: job, message: "Looking", keep}));
            if (!held) return;
            now.look = loupe.zoom.look(held, told.model.classes);
        } catch (error) {
            if (!isWanted()) return;
            now.look = null;
            loupe.zoomLayers.forget();
            NEEDS_LOOK.forEach((card) => say(card, "failed", {message: error.message, hint: error.hint}));
            return;
        }
        if (now.piece >= now.look.n) now.piece = -1;
        loupe.zoomLayers.forget();
        loupe.zoomPanels.answer();
        loupe.zoomPanels.pieces();
        loupe.zoomPanels.share();
        if (told.asked.draw === 0 && !told.asked.region) loupe.zoomList.note(told.image.key, now.look);
        loupe.zoomPieces.mark(Number(values.piece ?? -1), false);
        loupe.zoomViewer.tell();
        loupe.zoom.honest("viewer", [`${now.look.n} pieces in ${now.look.tiles.length} tiles`, told.model.title, told.model.fingerprint,
            told.image.title, `seed ${told.asked.seed + told.asked.draw}`, told.asked.policy === "topk" ? "top-k" : "sampled"]);
    }

    async function draws(told, isWanted) {
        try {
            const held = await arrays(told.draws, isWanted, (job) => { if (now.look) say("answer", "job", {jobId: job, keep: true, message: "Drawing again"}); },
                "draw_answers,draw_distinct,draw_seeds");
            if (!held) return;
            const [d, k] = held.draw_answers.shape, {data} = held.draw_answers;
            now.draws = {answers: Array.from({length: d}, (_, i) => Array.from(data.subarray(k * i, k * i + k))),
                seeds: Array.from(held.draw_seeds.data, Number), distinct: Array.from(held.draw_distinct.data, Number)};
            if (now.look) loupe.zoomPanels.answer();
        } catch (error) {
            if (isWanted()) say("answer", "failed", {message: error.message, hint: error.hint});
        }
    }

    async function compare(told, isWanted) {
        const keep = Boolean(now.costs);
        try {
            const held = await arrays(told.compare, isWanted, (job) => say("cost", "job", {jobId: job, keep, message: "Asking the other models"}));
            if (!held) return;
            now.costs = {rows: loupe.zoomPanels.compared(held, told.compare.titles, told.asked.model)};
            loupe.zoomPanels.costs();
        } catch (error) {
            if (isWanted()) say("cost", "failed", {message: error.message, hint: error.hint});
        }
    }

    /** The class map of another classifier, and what that says. */
    async function cam(told, isWanted) {
        const said = (text) => {
            now.camSaid = text;
            if (at("zoom-cam-said")) at("zoom-cam-said").textContent = text;
        };
        if (!told.cam) {
            now.cam = null;
            said(now.facts.rollout);
            loupe.zoomLayers.repaint();
            return;
        }
        try {
            said("Computing its map…");
            const held = await arrays(told.cam, isWanted);
            if (!held) return;
            now.cam = held;
            const top = told.cam.classes[Number(held.top_classes.data[0])];
            said(`says ${top}, ${loupe.zoom.percent(held.top.data[0])}, of the whole image made small`);
            loupe.zoomLayers.forget();
        } catch (error) {
            if (!isWanted()) return;
            now.cam = null;
            said([error.message, error.hint].filter(Boolean).join(" "));
        }
    }

    // ---- what is only about how it is shown

    function follow({layers, style, view, piece}) {
        if (!isHere()) return;
        loupe.zoomLayers.follow(layers, style);
        loupe.zoomControls.draw();
        loupe.zoomViewer.follow(view || "");
        if (Number(piece) !== now.piece) loupe.zoomPieces.mark(Number(piece), false);
    }

    document.addEventListener("loupe:retry", (event) => {
        if (!isHere() || !event.detail.cardId?.startsWith("zoom-")) return;
        if (event.detail.cardId === "zoom-images") loupe.zoomList.load();
        else if (event.detail.cardId === "zoom-viewer" && now.image && ["build", "pyramid"].includes(now.image.state)) loupe.zoomList.prepare(now.image);
        else {
            now.look = now.costs = null;
            again();
        }
    });
    if (loupe.theme) loupe.theme.onChange(() => {
        if (!isHere()) return;
        loupe.zoomPanels.share();
        loupe.zoomLayers.repaint();
    });
    window.addEventListener("_dashprivate_pushstate", () => setTimeout(() => { if (!isHere()) loupe.zoomViewer.leave(); }, 500));

    loupe.zoomPage = {again};
    window.dash_clientside = Object.assign({}, window.dash_clientside, {zoom: {visit, ask, show}});
})(window.loupe);
