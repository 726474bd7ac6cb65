/* Fair retrieval: the map of the pool, by the scatter plot of 15-scatter, linked with the grids. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, isHere, say, honest, names, about, onAnswer} = loupe.fair;
    let plot = null, host = null, drawn = "";

    function show(values) {
        const place = at("fair-map-plot");
        if (!place) return;
        if (values.own) {
            say("fair-map", "empty", {message: "An imported table has no embeddings to draw a map of.", retry: ""});
            return;
        }
        say("fair-map", "ready");
        if (host !== place) {
            plot?.destroy();
            host = place;
            drawn = "";
            plot = loupe.scatter.create(place, {label: "Map of the pool: lasso to select", colours: now.pool.colours, onHover: hover,
                onSelect: ({ids}) => loupe.selection.set({items: "people", ids: Array.from(ids)}, "fair")});
        }
        if (drawn !== values.attribute) {
            drawn = values.attribute;
            const n = now.pool.n, x = new Float32Array(n), y = new Float32Array(n);
            now.pool.xy.forEach(([a, b], i) => { x[i] = a; y[i] = b; });
            plot.setPoints({x, y, kinds: Uint8Array.from(now.pool.groups[values.attribute], (group) => group + 1)});
            mark();
        }
        const {el} = loupe.dom;
        at("fair-map-key").replaceChildren(...[2, 1, 0].map((i) => el("span", {}, el("i", {style: `background:${now.pool.colours[i]}`}), names()[i])), el("span", {id: "fair-map-count"}));
        honest("fair-map", [`${now.pool.n.toLocaleString("en-US")} of ${now.pool.n.toLocaleString("en-US")} pictures`, "UMAP, 20 neighbours, cosine, seed 0", ...about().slice(0, 2)]);
        count();
    }

    function hover(met) {
        const tip = at("fair-map-tip");
        if (!tip) return;
        tip.hidden = !met;
        if (!met) return;
        const {el} = loupe.dom;
        tip.replaceChildren(el("span", {class: "fair-picture", style: loupe.fairResults.cut(met.id, 64)}), el("span", {}, loupe.fairResults.caption(met.id)));
        const wide = host.clientWidth;
        tip.style.left = `${Math.min(met.x + 12, wide - 210)}px`;
        tip.style.top = `${met.y > 120 ? met.y - 90 : met.y + 14}px`;
    }

    function mark() {
        if (!isHere() || !plot) return;
        const held = loupe.selection.current();
        plot.mark(held.items === "people" ? held.ids : []);
        count();
    }
    function count() {
        const held = loupe.selection.current(), line = at("fair-map-count");
        if (line) line.textContent = held.items === "people" && held.ids.length ? `${held.ids.length} selected` : "lasso to select";
    }
    /** A new visit has a new place to draw in. */
    function leave() {
        plot?.destroy();
        plot = host = null;
        drawn = "";
    }

    onAnswer(() => count());
    loupe.selection.onChange(mark);
    if (loupe.theme) loupe.theme.onChange(() => plot?.now());
    loupe.fairMap = {show, leave, plot: () => plot};
})(window.loupe);
