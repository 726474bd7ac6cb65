/* Zoom-In: the controls under and over the viewer: a row a layer, scale bar, what is in view, peeking,
 * the rectangle that is looked into, full screen. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, set, value, percent} = loupe.zoom;
    const NAMES = {
        alpha: ["First map α", "Where the network looks first: one value a tile"],
        beta: ["Second maps β", "Where it looks within the tiles that were drawn"],
        samples: ["Pieces", "What was read at full resolution, numbered in the order of the draw"],
        truth: ["Truth", "Where the thing to be found is, where anybody knows"],
        cam: ["Class map", "Where another classifier finds its class (Grad-CAM), on the whole image made small"],
    };
    const WRITE_MS = 250;
    let timer = 0, drag = null;

    // ---- a row for each layer

    function later() {
        clearTimeout(timer);
        timer = setTimeout(() => set("style", loupe.zoomLayers.written()), WRITE_MS);
    }

    function toggle(layer) {
        const shown = loupe.zoomLayers.toggle(layer);
        set("layers", shown);
        if (layer === "cam" && shown.includes("cam") && !value("cam") && now.facts.cams.length) set("cam", now.facts.cams[0].value);
    }

    const range = (label, held, oninput) => loupe.dom.el("input", {type: "range", min: 0, max: 100, step: 1,
        value: held, "aria-label": label, title: label, oninput});

    /** Lower and upper end on one track; they cannot pass each other. */
    function ends(layer, name) {
        const {low, high} = loupe.zoomLayers.style(layer);
        const write = () => {
            if (Number(from.value) >= Number(to.value)) {
                if (document.activeElement === from) from.value = String(Number(to.value) - 1);
                else to.value = String(Number(from.value) + 1);
            }
            loupe.zoomLayers.change(layer, {low: Number(from.value), high: Number(to.value)});
            later();
        };
        const from = range(`${name}: values below are cut away, % of the maximum`, low, write);
        const to = range(`${name}: values above have the last colour, % of the maximum`, high, write);
        const track = loupe.dom.el("span", {class: "zoom-track", style: `background:${loupe.zoomLayers.gradient(loupe.zoomLayers.style(layer).palette)}`});
        return loupe.dom.el("span", {class: "zoom-ends"}, track, from, to);
    }

    function palette(layer, name) {
        const {el} = loupe.dom, held = loupe.zoomLayers.style(layer).palette;
        const choose = el("select", {"aria-label": `${name}: palette`, class: "zoom-select", onchange: () => {
            loupe.zoomLayers.change(layer, {palette: choose.value});
            later();
        }}, ...loupe.zoomLayers.PALETTES.map((one) => el("option", {value: one, selected: one === held}, one)));
        return choose;
    }

    function row(layer, i) {
        const {el} = loupe.dom, [name, about] = NAMES[layer], isOn = loupe.zoomLayers.isVisible(layer);
        const box = el("input", {type: "checkbox", checked: isOn, onchange: () => toggle(layer), "data-layer": layer});
        const label = el("label", {title: about}, box, el("kbd", {class: "lp-kbd"}, String(i + 1)), name);
        const opacity = range(`${name}: opacity, %`, loupe.zoomLayers.style(layer).opacity, () => {
            loupe.zoomLayers.change(layer, {opacity: Number(opacity.value)});
            later();
        });
        opacity.classList.add("zoom-opacity");
        const parts = layer === "truth" ? [el("span", {class: "zoom-key"}, truthWords()), null]
            : [palette(layer, name), ends(layer, name)];
        return el("div", {class: "zoom-layer", "data-on": isOn ? "" : null}, label, opacity, ...parts);
    }

    const truthWords = () => {
        if (!now.image || !now.image.truth) return "nobody knows here";
        return now.image.truth.boxes.length ? "simulated, so known" : "nothing is hidden";
    };

    /** The classifier whose map is the last layer, and what it says. */
    function camRow() {
        const {el} = loupe.dom, chosen = value("cam") || "";
        const choose = el("select", {"aria-label": "Classifier of the class map", class: "zoom-select", onchange: () => {
            set("cam", choose.value);
            if (choose.value && !loupe.zoomLayers.isVisible("cam")) toggle("cam");
        }}, el("option", {value: ""}, "no classifier"), ...now.facts.cams.map((one) =>
            el("option", {value: one.value, selected: one.value === chosen}, one.label)));
        return el("div", {class: "zoom-layer zoom-cam"}, choose, el("span", {class: "zoom-key", id: "zoom-cam-said", title: now.facts.rollout}, now.camSaid || now.facts.rollout || ""));
    }

    /** Drawn anew when the state changed from elsewhere, never under the user's hand. */
    function draw() {
        const host = at("zoom-layers");
        if (!host || (host.contains(document.activeElement) && document.activeElement.type === "range")) return;
        const focus = host.contains(document.activeElement) && document.activeElement.getAttribute("data-layer");
        const head = loupe.dom.el("div", {class: "zoom-layer zoom-layer-head", "aria-hidden": "true"},
            ...["Layer", "Opacity", "Palette", "Range, % of its maximum"].map((text) => loupe.dom.el("span", {}, text)));
        host.replaceChildren(head, ...loupe.zoomLayers.LAYERS.map(row), camRow());
        if (focus) host.querySelector(`[data-layer=${focus}]`).focus({preventScroll: true});
    }

    // ---- what is in view

    /** A round length that is 50 to 150 pixels of the screen. */
    function bar(scale) {
        const target = 120 / scale, step = 10 ** Math.floor(Math.log10(target));
        const length = [5, 2, 1].map((k) => k * step).find((one) => one <= target) || step;
        return {length: Math.max(1, length), width: Math.max(1, length) * scale};
    }

    function moved({scale}) {
        const host = at("zoom-scale"), status = at("zoom-status"), box = loupe.zoomViewer.seen();
        if (!host || !box) return;
        const {length, width} = bar(scale);
        host.replaceChildren(loupe.dom.el("i", {style: `width:${width}px`}), `${length.toLocaleString("en-US")} px`);
        const parts = [`${Math.round(box.w).toLocaleString("en-US")} × ${Math.round(box.h).toLocaleString("en-US")} px in view`,
            scale >= 1 ? `${scale.toFixed(1)} × enlarged` : `1/${(1 / scale).toFixed(1)} of full size`];
        if (now.look) {
            now.inView = loupe.zoom.shareInView(now.look, box, now.told.asked.region);
            parts.unshift(`${percent(Math.min(1, now.inView))} of the attention in view`);
        }
        status.textContent = parts.join(" · ");
    }

    // ---- peeking

    function peek(isPeeking) {
        if (now.isPeeking === isPeeking) return;
        now.isPeeking = isPeeking;
        at("zoom-peek")?.setAttribute("aria-pressed", String(isPeeking));
        loupe.zoomLayers.repaint();
    }

    document.addEventListener("pointerdown", (event) => {
        if (event.target.closest?.("#zoom-peek")) peek(true);
    });
    ["pointerup", "pointercancel", "blur"].forEach((name) => window.addEventListener(name, () => peek(false)));
    document.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "p") peek(false); });

    // ---- look here: a rectangle

    function aim(isAiming) {
        const stage = at("zoom-stage"), button = at("zoom-look");
        stage.querySelector(".zoom-aim")?.remove();
        button.setAttribute("aria-pressed", String(isAiming));
        drag = null;
        if (!isAiming) return;
        const cover = loupe.dom.el("div", {class: "zoom-aim", onpointerdown: begin, onpointermove: pull, onpointerup: end},
            loupe.dom.el("p", {}, "Drag a rectangle to look into. Esc: not now."), loupe.dom.el("i", {}));
        stage.append(cover);
    }

    const isAiming = () => Boolean(document.querySelector(".zoom-aim"));

    function point(event) {
        const box = at("zoom-osd").getBoundingClientRect();
        return {x: event.clientX - box.left, y: event.clientY - box.top};
    }

    function begin(event) {
        if (event.button) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        drag = {from: point(event), to: point(event)};
    }

    function pull(event) {
        if (!drag) return;
        drag.to = point(event);
        const {from, to} = drag, mark = event.currentTarget.querySelector("i");
        mark.style.cssText = `display:block;left:${Math.min(from.x, to.x)}px;top:${Math.min(from.y, to.y)}px;` +
            `width:${Math.abs(from.x - to.x)}px;height:${Math.abs(from.y - to.y)}px`;
    }

    function end() {
        if (!drag) return;
        const [a, b] = [drag.from, drag.to].map(loupe.zoomViewer.toImage);
        aim(false);
        region({x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), w: Math.abs(a.x - b.x), h: Math.abs(a.y - b.y)});
    }

    /** Look into a rectangle of the image, as far as the image reaches. */
    function region({x, y, w, h}) {
        const {width, height} = now.image, left = Math.max(0, Math.round(x)), top = Math.max(0, Math.round(y));
        const right = Math.min(width, Math.round(x + w)), bottom = Math.min(height, Math.round(y + h));
        if (right - left < 16 || bottom - top < 16) {
            loupe.notify({kind: "warning", title: "The rectangle is too small",
                message: `It holds ${Math.max(0, right - left)} × ${Math.max(0, bottom - top)} pixels of the image.`,
                hint: "Draw at least 16 × 16 pixels, or come closer first."});
            return;
        }
        set("region", [left, top, right - left, bottom - top].join(","));
    }

    const everywhere = () => set("region", "");

    function full() {
        const stage = at("zoom-stage");
        if (document.fullscreenElement) document.exitFullscreen();
        else if (stage.requestFullscreen) stage.requestFullscreen();
    }

    const CLICKS = {"zoom-plus": () => loupe.zoomViewer.zoomBy(1.6), "zoom-minus": () => loupe.zoomViewer.zoomBy(1 / 1.6),
        "zoom-home": () => loupe.zoomViewer.home(), "zoom-full": full, "zoom-look": () => aim(!isAiming()),
        "zoom-everywhere": everywhere};
    document.addEventListener("click", (event) => {
        const button = event.target.closest?.("button[id]");
        if (button && CLICKS[button.id]) CLICKS[button.id]();
    });

    loupe.zoomViewer.onMove(moved);
    loupe.zoomControls = {draw, toggle, peek, aim, isAiming, region, everywhere, full, moved};
})(window.loupe);
