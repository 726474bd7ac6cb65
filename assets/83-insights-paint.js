/* Insights: paint. Words get a ground by what they are worth, a picture two layers; both are pure drawing.
   Text only goes in through textContent: a headline with markup in it is shown as it is written. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const HELPS = [47, 111, 219], HURTS = [199, 106, 18]; // --lp-model-0 and --lp-model-2
    const LEAST = 0.04; // of the largest value: below, a word is left plain

    /** Largest absolute value, so that two contents of one method can be told apart; 0 for none. */
    const top = (rows) => rows.reduce((most, row) => Math.max(most, Math.abs(row.value) || 0), 0);

    /** Pieces of `text`: those that `words` name, with their value, and what lies between. */
    function pieces(text, words) {
        const found = [];
        let end = 0;
        [...words].sort((a, b) => a.start - b.start).forEach((word) => {
            if (word.start < end || word.end > text.length) return; // overlapping or of another text
            if (word.start > end) found.push({text: text.slice(end, word.start), value: null});
            found.push({text: text.slice(word.start, word.end), value: word.value, word});
            end = word.end;
        });
        if (end < text.length) found.push({text: text.slice(end), value: null});
        return found;
    }

    /** The words of an edited text, each with the value its like had before; null where it is new. */
    function carried(text, words) {
        const left = new Map();
        words.forEach((word) => {
            const key = word.text.toLowerCase();
            if (!left.has(key)) left.set(key, []);
            left.get(key).push(word.value);
        });
        return [...text.matchAll(/[\p{L}\p{N}][\p{L}\p{N}\p{M}'’.-]*/gu)].map((found) => {
            const held = left.get(found[0].toLowerCase());
            return {start: found.index, end: found.index + found[0].length, text: found[0], value: held?.length ? held.shift() : null};
        });
    }

    /** One painted piece: ground by share of the largest value; what hurts is underlined as well. */
    function span({text, value, word}, most, lit) {
        const {el} = loupe.dom;
        if (!word) return document.createTextNode(text);
        const share = most ? Math.min(1, Math.abs(value || 0) / most) : 0;
        const kind = value === null ? "new" : share < LEAST ? "none" : value < 0 ? "bad" : "good";
        const told = value === null ? "not valued yet" : `${loupe.insights.points(value, 3)} points`;
        return el("mark", {class: "insights-word", "data-kind": kind, "data-lit": lit && lit(word) ? "true" : null, style: `--share:${share.toFixed(3)}`, title: `${text}: ${told}`}, text);
    }

    /** Paint `text` into `host`. `lit(word)` says which words are pointed at. */
    function words(host, text, rows, most, lit) {
        host.replaceChildren(...pieces(text, rows).map((piece) => span(piece, most, lit)), document.createTextNode("\u200b"));
    }

    /** One sign of a map as a small canvas: `sign` 1 or -1; shares below `threshold` are cut away. */
    function layer({shape: [h, w], values}, sign, most, threshold) {
        const canvas = document.createElement("canvas"), colour = sign > 0 ? HELPS : HURTS;
        canvas.width = w;
        canvas.height = h;
        const context = canvas.getContext("2d"), pixels = context.createImageData(w, h);
        for (let i = 0; i < w * h; i += 1) {
            const share = most ? Math.min(1, Math.max(0, sign * values[i] / most)) : 0;
            pixels.data.set([...colour, share > threshold ? Math.round(255 * Math.sqrt(share)) : 0], 4 * i);
        }
        context.putImageData(pixels, 0, 0);
        return canvas;
    }

    /** Both layers over a picture, on a canvas as large as it is shown. */
    function overlay(canvas, map, {plus, minus, opacity, threshold}) {
        const context = canvas.getContext("2d");
        context.clearRect(0, 0, canvas.width, canvas.height);
        if (!map) return;
        const most = map.values.reduce((held, one) => Math.max(held, Math.abs(one)), 0);
        context.globalAlpha = opacity;
        context.imageSmoothingEnabled = true;
        context.imageSmoothingQuality = "high";
        [[plus, 1], [minus, -1]].forEach(([isOn, sign]) => {
            if (isOn) context.drawImage(layer(map, sign, most, threshold), 0, 0, canvas.width, canvas.height);
        });
    }

    loupe.insightsPaint = {top, pieces, carried, words, layer, overlay};
})(window.loupe);
