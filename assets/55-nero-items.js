/* NERO: items as people see them: thumbnails out of the sprite, captions, the table of worst items,
 * the strip of similar orbits. All text is set as text, never as HTML. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const MAP_THUMBNAILS = 70; // at most so many images on the map; more would cover each other
    const current = () => loupe.orbit.current;
    /** Name of a class; -1 is no answer. */
    const className = (k) => (k < 0 ? "no answer" : current().spec.items.classes[k] ?? String(k));

    const name = (row) => (current().labels[row] < 0 ? `item ${current().ids[row]}`
        : `item ${current().ids[row]}, labelled ${className(current().labels[row])}`);

    /** A thumbnail as a styled element: a window onto the sprite. */
    function thumbnail(row, size_px) {
        const {atlas} = current().spec.items, cell = loupe.raster.cell(atlas, row);
        const scale = size_px / Math.max(cell.width, cell.height);
        const box = document.createElement("span");
        box.className = "nero-thumb";
        Object.assign(box.style, {
            width: `${cell.width * scale}px`, height: `${cell.height * scale}px`,
            backgroundImage: `url(${atlas.url})`,
            backgroundSize: `${atlas.sheet_width_px * scale}px ${atlas.sheet_height_px * scale}px`,
            backgroundPosition: `${-cell.x * scale}px ${-cell.y * scale}px`});
        return box;
    }

    /** The strongest class of one model's outputs; "no answer" where they are undefined. */
    function winner({values, classes}) {
        let best = 0;
        for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
        if (!Number.isFinite(values[best])) return {name: "no answer", confidence: NaN, right: () => false};
        return {name: className(Number(classes[best])), confidence: values[best],
            right: (truth) => Number(classes[best]) === truth};
    }

    /** Under the image: which item, at which place, and what each model calls it. */
    function caption(row, place, outputs) {
        const host = document.getElementById("nero-caption"), truth = current().labels[row];
        const {el} = loupe.dom, known = truth < 0 ? "" : ` · ${className(truth)}`;
        const head = el("p", {}, `#${current().ids[row]}${known} · ${place}`);
        const answers = current().models.map((model, i) => {
            const best = winner(outputs[i]), verdict = best.right(truth) ? "right" : "wrong";
            const probability = Number.isFinite(best.confidence) ? ` ${best.confidence.toFixed(2)}` : "";
            const attributes = {style: `--model: ${model.colour}`, class: truth < 0 ? "" : `is-${verdict}`};
            return el("p", attributes,
                el("span", {class: "nero-who"}, `${model.title} `),
                el("span", {class: "nero-answer", title: best.name}, best.name + probability),
                truth < 0 ? null : el("span", {class: "nero-verdict", role: "img", "aria-label": verdict}));
        });
        host.replaceChildren(head, ...answers);
    }

    const round = (value) => (Number.isFinite(value) ? Number(value.toPrecision(4)) : null);

    /** Columns and rows of the grid of worst items for the model in focus. */
    function table(rows, focus) {
        const {ids, labels, spec} = current(), better = loupe.orbit.single().higher_is_better;
        const values = loupe.orbit.curves(focus);
        const data = rows.map((row) => {
            const worst = loupe.orbit.worstElement(focus, row);
            const [mean, variance] = loupe.orbit.moments(loupe.orbit.slice(values, row));
            return {id: ids[row], key: String(ids[row]), row, label: labels[row] < 0 ? "" : className(labels[row]),
                mean: round(mean), variance: round(variance), place: spec.orbit.labels[worst.element],
                element: worst.element, value: round(worst.value),
                called: worst.called === null ? "" : className(worst.called)};
        });
        const last = better ? Infinity : -Infinity, at = (one) => one.mean ?? last; // undefined last
        data.sort((a, b) => (better ? at(a) - at(b) : at(b) - at(a)));
        const short = {valueFormatter: {function: "params.value === null ? '–' : d3.format('.3f')(params.value)"}};
        const number = (field, headerName, more) => ({field, headerName, flex: 1, minWidth: 62,
            type: "rightAligned", ...more});
        const answer = spec.has_classes
            ? {field: "called", headerName: "Called", minWidth: 64, flex: 1.4, tooltipField: "called"}
            : number("value", "There", {...short, minWidth: 64});
        const isShort = spec.orbit.labels.every((label) => label.length < 8);
        const columns = [
            {field: "row", headerName: "", cellRenderer: "NeroThumb", width: 44, sortable: false,
                resizable: false},
            number("id", "Item", {flex: 0.8}),
            {field: "label", headerName: spec.has_classes ? "Truth" : "Kind", minWidth: 64, flex: 1.4, tooltipField: "label"},
            number("mean", "Mean", short),
            number("variance", "Variance", {...short, minWidth: 76}),
            {field: "place", headerName: "Worst at", minWidth: 76, flex: isShort ? 1 : 2, tooltipField: "place",
                ...(isShort ? {type: "rightAligned"} : {})},
            answer];
        return [columns, data];
    }

    /** Images on the map once few enough dots are in view; taken off again when zoomed out. */
    async function onMap(gd, placed) {
        if (!gd || !gd.data || !gd.data.length || !gd.data[0].x || !placed) return;
        const [dots] = gd.data, [x0, x1] = gd.layout.xaxis.range, [y0, y1] = gd.layout.yaxis.range;
        const visible = placed.rows.map((row, i) => [row, dots.x[i], dots.y[i]])
            .filter(([, x, y]) => x >= x0 && x <= x1 && y >= y0 && y <= y1);
        const wanted = visible.length <= MAP_THUMBNAILS ? visible : [];
        const had = (gd.layout.images || []).length, asked = `${x0} ${x1} ${wanted.join()}`;
        if ((!wanted.length && !had) || (had === wanted.length && gd.__asked === asked)) return;
        gd.__asked = asked;
        const size = Math.abs(x1 - x0) * 0.05;
        const images = await Promise.all(wanted.map(async ([row, x, y]) => ({
            source: await dataUrl(row), x, y: y + size * 0.75, xref: "x", yref: "y", sizex: size,
            sizey: size, xanchor: "center", yanchor: "middle", layer: "above"})));
        if (gd.__asked === asked && gd.isConnected) window.Plotly.relayout(gd, {images});
    }

    const urls = new Map();
    async function dataUrl(row) {
        const {atlas} = current().spec.items, key = `${atlas.url}#${row}`;
        if (!urls.has(key)) {
            const pixels = await loupe.raster.pixels(atlas.url, loupe.raster.cell(atlas, row));
            const canvas = document.createElement("canvas");
            loupe.raster.draw(canvas, pixels, 0);
            urls.set(key, canvas.toDataURL());
        }
        return urls.get(key);
    }

    /** A thumbnail as pixels of its own, so that pictures and reports of the card have it. */
    function picture(row) {
        const canvas = document.createElement("canvas"), {atlas} = current().spec.items;
        Object.assign(canvas, {width: atlas.width_px, height: atlas.height_px});
        loupe.raster.pixels(atlas.url, loupe.raster.cell(atlas, row))
            .then((pixels) => loupe.raster.draw(canvas, pixels, 0));
        return canvas;
    }

    /** The strip of similar items; each is a button that opens it. */
    function strip(found, choose) {
        const host = document.getElementById("nero-strip"), {el} = loupe.dom;
        host.replaceChildren(...found.map(({row, shift_deg: shift, distance}) => {
            const turn = shift > 180 ? shift - 360 : shift, isRound = shift !== null;
            const turned = turn ? `${turn > 0 ? "+" : "−"}${Math.abs(turn)}° · ` : "0° · ";
            const label = `${name(row)}, ${isRound ? `turned by ${turn} degrees, ` : ""}distance ${distance.toFixed(3)}`;
            return el("button", {type: "button", "aria-label": label, title: label, onclick: () => choose(row)},
                picture(row), el("span", {}, current().labels[row] < 0 ? `#${current().ids[row]}` : className(current().labels[row])),
                el("span", {}, `${isRound ? turned : ""}${distance.toFixed(3)}`));
        }));
    }

    // AG Grid looks renderers up by name; dash-ag-grid hands its React over as window.React.
    window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {};
    window.dashAgGridComponentFunctions.NeroThumb = function (props) {
        if (!current() || props.value === undefined) return null;
        const box = thumbnail(props.value, 28);
        const style = Object.fromEntries(["width", "height", "backgroundImage", "backgroundSize",
            "backgroundPosition"].map((key) => [key, box.style[key]]));
        return window.React.createElement("span", {className: "nero-thumb", style});
    };

    loupe.sprites = {name, thumbnail, winner, caption, table, onMap, strip, className};
})(window.loupe);
