/* Crayon: one annotator's round over the maps or patches of a model: what is asked, what was answered,
 * undo without end, editing. It knows the queue and the deck, and nothing of how they look.
 *
 *   const round = loupe.crayonRound.open({kind, settings, make, changed})
 *   round.answer("yes"), round.answer("skip", "unclear"), round.undo(), round.edit(itemId), round.close()
 *   round.now: {item, how: "ask" | "edit" | "undone", was}, round.given, round.told (progress)
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const SYNC_MS = 700, SYNC_GAP_MS = 2500, RECENT = 50;
    const nothing = () => ({answered: 0, total: 0, counts: {yes: 0, no: 0, maybe: 0, skip: 0}, everyone: 0,
        annotators: 0, simulated: 0, median_s: null, left_s: null});

    /** Milliseconds that the page was visible since `start()`. */
    function watch() {
        let spent = 0, since = performance.now();
        document.addEventListener("visibilitychange", () => {
            const moment = performance.now();
            if (document.hidden) spent += moment - since;
            since = moment;
        });
        return {start() { spent = 0; since = performance.now(); },
            ms: () => Math.round(spent + (document.hidden ? 0 : performance.now() - since))};
    }
    const visible = watch();

    function open({kind, settings, make, changed, source}) {
        const {as, saliency} = settings, role = source ? source.role : "";
        const scope = {set: settings.set, parent: settings.parent, kind, as, ...(role ? {role} : {}), ...(saliency ? {saliency} : {})};
        const query = (more) => new URLSearchParams({...scope, ...more}).toString();
        const round = {kind, scope, settings, now: null, given: [], told: null, trouble: null, said: "", source: source || null, last: null};
        let isClosed = false, timer = 0, syncedAt = 0, changes = 0, resume = null;

        const busy = () => [...(round.now ? [round.now.item.item_id] : []),
            ...loupe.crayonSender.waiting().filter(isOurs).map((row) => row.item_id)];
        const isOurs = (row) => row.set === scope.set && row.parent === scope.parent && row.kind === kind && row.as === as
            && (row.role || "") === role && (row.saliency || "") === (saliency || "");
        const ask = loupe.crayon.ask;
        const from = source ? source.from : (exclude, n) => ask(`/_crayon/next?${query({order: settings.order, overlap: settings.overlap,
            n, exclude: exclude.join(",")})}`);
        const deck = loupe.crayonDeck.open({from, make, busy, changed: () => { show(); tell(); }});
        const tell = () => { if (!isClosed) changed(round); };

        // ---- what is on the table

        function put(item, how, more) {
            round.now = item ? {item, how, ...more} : null;
            if (item) loupe.crayonDeck.views(item, make);
            visible.start();
        }

        function show() {
            if (!round.now && deck.size()) put(deck.take(), "ask");
            round.trouble = round.now ? null : deck.trouble();
        }

        const standing = (itemId) => round.given.findLast((entry) => entry.item.item_id === itemId) || null;

        /** Count an answer in, or out again with -1. */
        function count(answer, by) {
            if (!round.told || !answer) return;
            round.told.counts[answer] = Math.max(0, (round.told.counts[answer] || 0) + by);
            round.told.answered += by;
        }

        function answer(value, reason) {
            if (!round.now || isClosed) return null;
            const {item, how} = round.now, before = standing(item.item_id);
            const row = loupe.crayonSender.put({...scope, item_id: item.item_id, answer: value, reason: reason || "", ms: visible.ms(),
                item_hash: item.item_hash, map_hash: item.map_hash, model: loupe.crayonDeck.modelOf(Object.values(item.panels)[0] || "")});
            changes += 1;
            round.given.push({item, answer: value, row, before: before ? before.answer : ""});
            if (before) count(before.answer, -1);
            count(value, 1);
            round.last = {item, answer: value};
            round.said = how === "edit" ? `#${item.item_id} is now “${value}”.` : "";
            if (how === "edit" && resume) put(resume, "ask");
            else put(deck.take(), "ask");
            resume = null;
            tell();
            return row;
        }

        async function undo() {
            if (isClosed) return;
            if (round.now && round.now.how === "edit") { stopEditing(); return; }
            if (!round.given.length && !(await older())) return;
            const entry = round.given.pop();
            if (!entry) return;
            const of = entry.row ? {client: entry.row.client, sequence: entry.row.sequence} : null;
            loupe.crayonSender.put({...scope, type: "undo", of, item_id: entry.item.item_id});
            changes += 1;
            count(entry.answer, -1);
            round.last = null;
            if (entry.before) {
                count(entry.before, 1);
                round.said = `#${entry.item.item_id} is “${entry.before}” again.`;
            } else {
                if (round.now) deck.putBack(round.now.item);
                put(entry.item, "undone", {was: entry.answer});
                round.said = `Taken back: “${entry.answer}”.`;
            }
            tell();
        }

        /** Answers older than those at hand; whether there are any. */
        async function older() {
            const {waiting} = loupe.crayonSender.status();
            if (waiting) round.said = "Older answers can be taken back once these are saved.";
            else await recent();
            if (!round.given.length && !waiting) round.said = "There is nothing to take back.";
            if (!round.given.length) tell();
            return round.given.length > 0;
        }

        function edit(itemId) {
            const entry = standing(itemId);
            if (!entry || isClosed) return;
            if (round.now && round.now.how !== "edit") resume = round.now.item;
            put(entry.item, "edit", {was: entry.answer});
            round.said = "";
            tell();
        }

        function stopEditing() {
            if (!round.now || round.now.how !== "edit") return;
            put(resume || deck.take(), "ask");
            resume = null;
            tell();
        }

        // ---- what the server knows

        async function recent() {
            const seen = changes;
            const {items} = await ask(`/_crayon/recent?${query({n: RECENT})}`).catch(() => ({items: null}));
            if (!items || seen !== changes || isClosed) return;
            round.given = items.reverse().map((item) => ({item, answer: item.answer, row: null, before: ""}));
        }

        async function progress() {
            const seen = changes;
            const told = await (source ? source.progress() : ask(`/_crayon/progress?${query({})}`));
            if (isClosed || seen !== changes || loupe.crayonSender.status().waiting) return;
            round.told = told;
        }

        /** Counts as the server has them, once nothing waits; soon after the last answer, not after each. */
        function sync(withRecent) {
            clearTimeout(timer);
            const wait = Math.max(SYNC_MS, syncedAt + SYNC_GAP_MS - performance.now());
            timer = setTimeout(async () => {
                syncedAt = performance.now();
                await progress().catch(() => null);
                if (withRecent && !loupe.crayonSender.status().waiting) await recent();
                tell();
            }, wait);
        }

        /** Another tab of this browser has answered: what it did is not asked again here. */
        function answeredElsewhere(ids) {
            deck.drop(ids);
            if (!round.now || round.now.how !== "ask" || !ids.has(round.now.item.item_id)) return;
            put(deck.take(), "ask");
            tell();
        }

        function heard(batch, reply) {
            const rows = batch.rows.filter(isOurs);
            if (!rows.length || isClosed) return;
            if (batch.is_elsewhere) answeredElsewhere(new Set(rows.map((row) => row.item_id)));
            const wrong = batch.type === "undo" && !batch.is_elsewhere && (reply.undone ? reply.undone.item_id : -1) !== rows[0].item_id;
            if (wrong) {
                loupe.notify({kind: "warning", title: "Another answer was taken back",
                    message: reply.undone ? `You had answered #${reply.undone.item_id} elsewhere after it.` : "There was none left.", hint: ""});
            }
            sync(batch.is_elsewhere || wrong || (batch.type === "undo" && !rows[0].of));
        }

        async function start() {
            round.told = null;
            tell();
            try {
                await Promise.all([progress(), deck.fill()]);
                if (!round.told) round.told = nothing(); // answers wait; the server's counts come after them
                if (loupe.crayonSender.status().waiting) sync(false);
                await recent();
            } catch (error) { round.trouble = error; }
            show();
            tell();
        }

        const end = loupe.crayonSender.onStored(heard);
        Object.assign(round, {answer, undo, edit, stopEditing, start, deck,
            retry: () => { round.trouble = null; deck.again(); return start(); },
            close() { isClosed = true; end(); deck.close(); clearTimeout(timer); }});
        return round;
    }

    loupe.crayonRound = {open, nothing};
})(window.loupe);
