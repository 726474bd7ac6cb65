/* NERO input view "text": the sentence as the model gets it, with what differs from the sentence as
 * written marked: words that are new or stand elsewhere. Case counts as a difference. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {create, array, label} = loupe.neroView;

    const wordsOf = (text) => text.split(/\s+/).filter(Boolean);

    /** Lengths of the longest common subsequences of what is left of two lists of words. */
    function lengths(a, b) {
        const table = Array.from({length: a.length + 1}, () => new Uint16Array(b.length + 1));
        for (let i = a.length - 1; i >= 0; i--) {
            for (let j = b.length - 1; j >= 0; j--) {
                table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
            }
        }
        return table;
    }

    /** Which words of `text` are not the next ones of `written`: [{word, isChanged}]. */
    function compared(written, text) {
        const a = wordsOf(written), b = wordsOf(text), table = lengths(a, b), found = [];
        for (let i = 0, j = 0; j < b.length;) {
            if (i < a.length && a[i] === b[j]) {
                found.push({word: b[j], isChanged: false});
                i += 1;
                j += 1;
            } else if (i < a.length && table[i + 1][j] > table[i][j + 1]) {
                i += 1; // a word that is gone
            } else {
                found.push({word: b[j], isChanged: true});
                j += 1;
            }
        }
        return found;
    }

    const textsOf = (state) => (state.source ? state.source.texts : array(state, "texts"));

    function build() {
        const {el} = loupe.dom;
        const parts = {now: el("p", {class: "nero-now"}), written: el("p", {class: "nero-written"}),
            place: el("b", {class: "nero-place-words"}),
            key: loupe.neroView.key("changed", "differs from the text as written")};
        parts.root = el("div", {class: "nero-column", role: "group"},
            el("div", {class: "nero-words", tabindex: "0"}, parts.now, parts.written),
            el("div", {class: "nero-keys"}, parts.place, parts.key));
        return parts;
    }

    function draw(parts, state) {
        const {el} = loupe.dom, texts = textsOf(state);
        parts.place.textContent = label(state);
        if (!texts) return;
        const written = texts[state.orbit.identity], now = compared(written, texts[state.element]);
        const isChanged = now.some((word) => word.isChanged) || texts[state.element] !== written;
        parts.now.replaceChildren(...now.flatMap(({word, isChanged: is}, i) =>
            [i ? " " : "", is ? el("mark", {}, word) : word]));
        parts.written.textContent = isChanged ? `As written: ${written}` : "As written.";
        parts.key.style.visibility = isChanged ? "visible" : "hidden";
    }

    function words(state) {
        const texts = textsOf(state);
        if (!texts) return "The text is loading.";
        const changed = compared(texts[state.orbit.identity], texts[state.element]).filter((word) => word.isChanged);
        const what = changed.length ? `changed: ${changed.map(({word}) => word).join(", ")}` : "nothing is changed";
        return `${label(state)}: “${texts[state.element]}”; ${what}.`;
    }

    loupe.neroInputs.text = create({name: "text", height_px: 120, build, draw, words});
    loupe.neroText = {compared};
})(window.loupe);
