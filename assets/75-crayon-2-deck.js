/* Crayon: what is asked next, with its pictures fetched and decoded before it is shown. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const AHEAD = 20; // fetched at most; the next ten are always there while the server answers
    const LOW = 12;
    const RETRY_MS = 3000;

    /** A picture that is being fetched and decoded; the element itself is shown later, so nothing flickers. */
    function picture(url) {
        const image = new Image();
        image.decoding = "sync";
        image.alt = "";
        image.draggable = false;
        image.src = url;
        image.decode().then(() => { image.dataset.decoded = "true"; }, () => { image.dataset.failed = "true"; });
        return image;
    }

    /** `url` with another picture's name: .../map/7/overlay.webp?v=1 -> .../map/7/original.webp?v=1 */
    const other = (url, name) => url.replace(/[^/]+\.webp/, `${name}.webp`);
    const modelOf = (url) => (/[?&]v=([0-9a-f]+)-/.exec(url) || ["", ""])[1];

    /** The panels of a map. Each holds the picture and what it shows while one peeks: without the
     *  highlight, or, for the original, with it. */
    function mapViews(item) {
        const names = Object.keys(item.panels), [first] = Object.values(item.panels);
        const marked = names.find((name) => name !== "original") || "overlay";
        return names.map((name) => ({name, image: picture(item.panels[name]),
            peeked: picture(other(first, name === "original" ? marked : "original"))}));
    }

    /** Pictures of an item, made once: [{name, image, peeked, ...}]. `make` knows the kind. */
    function views(item, make) {
        if (!item.views) item.views = make(item);
        return item.views;
    }

    /**
     * A deck. `from(exclude, count)` resolves to {items} of the server; `make(item)` draws its views;
     * `changed()` is called when cards have come, or cannot; `busy()` gives the ids not to be asked again.
     */
    function open({from, make, changed, busy}) {
        let cards = [], isAsking = false, isEnd = false, isClosed = false, timer = 0, trouble = null;

        async function fill() {
            clearTimeout(timer);
            if (isAsking || isEnd || isClosed || cards.length >= LOW) return;
            isAsking = true;
            const count = AHEAD - cards.length, held = new Set([...busy(), ...cards.map((card) => card.item_id)]);
            try {
                const {items} = await from([...held].slice(-500), count);
                if (isClosed) return;
                const late = new Set(busy()); // answered meanwhile
                cards.push(...items.filter(({item_id}) => !held.has(item_id) && !late.has(item_id)));
                cards.forEach((card) => views(card, make));
                isEnd = items.length < count;
                trouble = null;
            } catch (error) {
                trouble = error;
                if (!error.status || error.status >= 500) timer = setTimeout(fill, RETRY_MS);
            } finally { isAsking = false; }
            if (!isClosed) changed();
        }

        return {
            fill,
            take() { const card = cards.shift() || null; fill(); return card; },
            putBack(card) { if (card) cards.unshift(card); },
            drop(ids) { cards = cards.filter(({item_id}) => !ids.has(item_id)); fill(); },
            again() { isEnd = false; fill(); },
            close() { isClosed = true; clearTimeout(timer); },
            size: () => cards.length,
            isEnd: () => isEnd && !cards.length,
            isAsking: () => isAsking,
            trouble: () => trouble,
            peek: () => cards.slice(),
        };
    }

    loupe.crayonDeck = {open, views, mapViews, picture, other, modelOf};
})(window.loupe);
