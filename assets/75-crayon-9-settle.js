/* Crayon: settling disputed items. The same screen asks again; what the annotators said comes to light only
 * after the answer, which is stored as an adjudicator's and wins over the majority. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const ROLE = "adjudicator", MOST = 100;
    const {part, SAID} = loupe.crayonStage;

    /** Items for a round: those that are disputed and not settled, as the server lists them. */
    function source(kind) {
        const {set, parent} = loupe.crayon.settings(), opinions = new Map();
        const ask = (n) => loupe.crayon.ask(`/_crayon/disputed?${new URLSearchParams({set, parent, kind, n})}`);
        return {
            name: "settle", role: ROLE, opinions,
            async from(exclude, n) {
                const {items} = await ask(MOST), not = new Set(exclude);
                const open = items.filter((item) => item.verdict === null && !not.has(item.item_id)).slice(0, n);
                open.forEach((item) => {
                    opinions.set(item.item_id, item.answers);
                    item.why = `${item.answers.length} people answered, not alike.`; // who said what comes after
                });
                return {items: open};
            },
            async progress() {
                const {open, settled} = await ask(1);
                return {...loupe.crayonRound.nothing(), answered: settled, total: open + settled};
            },
        };
    }

    function toggle(kind) {
        const panel = loupe.crayonPanel;
        panel.use(kind, panel.panels[kind].source ? null : source(kind));
        part(panel.rootOf(kind), "stage").focus({preventScroll: true});
        panel.rootOf(kind).scrollIntoView({block: "start"});
        loupe.crayonMore.agreement(part(panel.rootOf(kind), "agreement"), kind);
    }

    /** After the answer: what the others had said. */
    loupe.crayonPanel.onDraw((_kind, root, round) => {
        if (!round.source || !round.last) return;
        const {item, answer} = round.last, said = round.source.opinions.get(item.item_id) || [];
        const text = said.map((one) => `${one.annotator}: ${SAID[one.answer] || one.answer}`).join(", ");
        loupe.crayonStage.write(part(root, "said"), `#${item.item_id} settled as “${SAID[answer]}” (${text})`);
    });

    loupe.crayonSettle = {toggle};
})(window.loupe);
