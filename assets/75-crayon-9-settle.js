/* Crayon: settling disputed items. The same screen asks again; what the annotators said comes to light only
 * after the answer, which is stored as an adjudicator's and wins over the majority. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const ADJUDICATOR = "adjudicator";
    const {part, SAID} = loupe.crayonStage;

    /** Items for a round: those that are disputed and not settled, as the server lists them. */
    function source(kind) {
        const {set, parent} = loupe.crayon.settings(), opinions = new Map();
        return {
            name: "settle", as: ADJUDICATOR, opinions,
            async from(exclude, n) {
                const query = new URLSearchParams({set, parent, kind, n, exclude: exclude.join(",")});
                const {items} = await loupe.crayon.ask(`/_crayon/disputed?${query}`);
                items.forEach((item) => {
                    opinions.set(item.item_id, item.answers);
                    item.why = `${item.answers.length} people answered, not alike.`;
                    delete item.answers;
                });
                return {items};
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

    loupe.crayonSettle = {toggle, ADJUDICATOR};
})(window.loupe);
