/* Images: the map of an imported projection, scores called x and y. A lasso selects; the grid shows what it took.
 *
 *   loupe.imagesMap.show({about, arrays, extra}, selected)   draws it, or nothing; selected(rows of the set) after a lasso
 *   loupe.imagesMap.mark(ids)                                those rows of the set stay bright
 */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const OTHER = 7;  // the last colour stands for all further classes
    const at = (id) => document.getElementById(id);
    let held = null;  // {host, plot, drawn, selected}

    const colours = () => Array.from({length: OTHER + 1}, (_, i) => getComputedStyle(at("images-map")).getPropertyValue(`--lp-model-${i}`).trim());
    const kind = (label) => (label >= 0 && label < OTHER ? label : OTHER);

    /** The rows with both numbers, and where they lie. */
    function placed({arrays, extra}) {
        const [across, up] = [extra.arrays.x.data, extra.arrays.y.data];
        const ids = Int32Array.from(Array.from(across.keys()).filter((row) => Number.isFinite(across[row]) && Number.isFinite(up[row])));
        const labels = arrays.labels.data;
        return {x: Float32Array.from(ids, (row) => across[row]), y: Float32Array.from(ids, (row) => up[row]), kinds: Uint8Array.from(ids, (row) => kind(labels[row])), ids};
    }

    function key({classes}, kinds) {
        const {el} = loupe.dom, list = colours(), used = [...new Set(kinds)].sort((a, b) => a - b);
        const name = (i) => (i < OTHER ? classes[i] : classes.length > OTHER ? "other classes, or none" : "no label");
        at("images-map-key").replaceChildren(...used.map((i) => el("span", {}, el("i", {style: `background:${list[i]}`}), name(i))));
    }

    function show(now, selected) {
        const body = at("images-map"), columns = now.extra?.columns || [], has = columns.includes("x") && columns.includes("y");
        body.hidden = !has;
        if (!has) return;
        const host = at("images-map-points"), drawn = `${now.about.fingerprint}/${now.extra.key}`;
        if (held?.host !== host) {
            held?.plot.destroy();
            held = {host, plot: loupe.scatter.create(host, {label: "Imported projection: lasso to select", colours: colours(), onSelect: ({ids}) => held.selected(Array.from(ids))})};
        }
        held.selected = selected;
        if (held.drawn === drawn) return;
        held.drawn = drawn;
        const points = placed(now);
        held.plot.setPoints(points);
        key(now.about, points.kinds);
    }

    function mark(ids) { if (held?.host.isConnected) held.plot.mark(ids); }

    loupe.imagesMap = {show, mark};
})(window.loupe);
