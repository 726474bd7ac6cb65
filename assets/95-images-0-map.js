/* Images: the map of an imported projection, scores called x and y. A lasso selects; the grid shows what it took.
 *
 *   loupe.imagesMap.show({about, arrays, extra}, selected)   draws it, or nothing; selected(rows of the set) after a lasso
 *   loupe.imagesMap.mark(ids)                                those rows of the set stay bright
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const OTHER = 6, NONE = 7;  // the last two colours: all further classes where there are more than seven, and no label
    const at = (id) => document.getElementById(id);
    let held = null;  // {host, plot, drawn, selected, classes, kinds}

    const isCut = (classes) => classes.length > NONE;
    function colours(classes) {
        const style = getComputedStyle(at("images-map")), token = (name) => style.getPropertyValue(`--lp-${name}`).trim();
        const list = Array.from({length: NONE}, (_, i) => token(`model-${isCut(classes) && i === OTHER ? NONE : i}`));
        return [...list, token("unknown")];
    }
    const kind = (label, classes) => (label < 0 ? NONE : isCut(classes) ? Math.min(label, OTHER) : label);

    /** The rows with both numbers, and where they lie. */
    function placed({about, arrays, extra}) {
        const [across, up] = [extra.arrays.x.data, extra.arrays.y.data];
        const ids = Int32Array.from(Array.from(across.keys()).filter((row) => Number.isFinite(across[row]) && Number.isFinite(up[row])));
        const labels = arrays.labels.data;
        return {x: Float32Array.from(ids, (row) => across[row]), y: Float32Array.from(ids, (row) => up[row]), kinds: Uint8Array.from(ids, (row) => kind(labels[row], about.classes)), ids};
    }

    /** The colours of the points and of their legend, in the theme of now. */
    function paint() {
        const {el} = loupe.dom, {classes, kinds} = held, list = colours(classes);
        const name = (i) => (i === NONE ? "no label" : isCut(classes) && i === OTHER ? `the other ${classes.length - OTHER} classes` : classes[i]);
        held.plot.colours(list);
        at("images-map-key").replaceChildren(...kinds.map((i) => el("span", {}, el("i", {style: `background:${list[i]}`}), name(i))));
    }

    function show(now, selected) {
        const body = at("images-map"), columns = now.extra?.columns || [], has = columns.includes("x") && columns.includes("y");
        body.hidden = !has;
        if (!has) return;
        const host = at("images-map-points"), drawn = `${now.about.fingerprint}/${now.extra.key}`;
        if (held?.host !== host) {
            held?.plot.destroy();
            held = {host, plot: loupe.scatter.create(host, {label: "Imported projection: lasso to select", onSelect: ({ids}) => held.selected(Array.from(ids))})};
        }
        held.selected = selected;
        if (held.drawn === drawn) return;
        held.drawn = drawn;
        const points = placed(now);
        Object.assign(held, {classes: now.about.classes, kinds: [...new Set(points.kinds)].sort((a, b) => a - b)});
        paint();
        held.plot.setPoints(points);
    }

    function mark(ids) { if (held?.host.isConnected) held.plot.mark(ids); }

    loupe.theme.onChange(() => { if (held?.kinds && held.host.isConnected) paint(); });

    loupe.imagesMap = {show, mark};
})(window.loupe);
