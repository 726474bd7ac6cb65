/* Zoom-In: the tiled viewer. OpenSeadragon is fetched when the page is opened for the first time.
 * Image coordinates are pixels of the whole image at full resolution everywhere. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const SCRIPT = "/assets/vendor/openseadragon/openseadragon.min.js";
    const WRITE_MS = 350;
    const {now, at, set, query} = loupe.zoom;
    const listeners = new Set();
    let script = null, osd = null, host = null, shown = "", written = "", timer = 0, isFirst = true;

    /** Promise of OpenSeadragon; one script element however often it is asked for. */
    function library() {
        script = script || new Promise((resolve, reject) => {
            const element = document.createElement("script");
            element.src = SCRIPT;
            element.onload = () => resolve(window.OpenSeadragon);
            element.onerror = () => {
                script = null;
                element.remove();
                reject(loupe.zoom.failure("The viewer could not be loaded.", "Check that Loupe is still running."));
            };
            document.head.append(element);
        });
        return script;
    }

    const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

    function made(OpenSeadragon) {
        const viewer = new OpenSeadragon.Viewer({
            element: host, prefixUrl: "", showNavigationControl: false, showNavigator: true,
            navigatorPosition: "TOP_RIGHT", navigatorSizeRatio: 0.18, navigatorAutoFade: false,
            drawer: "canvas", animationTime: isCalm() ? 0 : 0.35, springStiffness: 9, maxZoomPixelRatio: 24,
            minZoomImageRatio: 0.6, visibilityRatio: 0.4, imageLoaderLimit: 6, preload: false,
            gestureSettingsMouse: {clickToZoom: false, dblClickToZoom: true},
            gestureSettingsTouch: {clickToZoom: false, dblClickToZoom: true},
            gestureSettingsPen: {clickToZoom: false},
        });
        viewer.addHandler("update-viewport", tell);
        viewer.addHandler("animation-finish", plan);
        viewer.addHandler("open", opened);
        viewer.addHandler("open-failed", () => loupe.zoom.say("viewer", "failed",
            {message: "The image could not be opened.", hint: "Choose it in the list again."}));
        viewer.addHandler("canvas-key", (event) => { // the page has keys of its own
            if (!/^(Arrow|Equal|Minus|NumpadAdd|NumpadSubtract)/.test(event.originalEvent.code)) event.preventDefaultAction = true;
        });
        viewer.addHandler("canvas-click", (event) => {
            if (event.quick) loupe.zoomLayers.click(toImage(event.position));
        });
        viewer.canvas.setAttribute("role", "group");
        viewer.canvas.setAttribute("aria-label", "The image: arrow keys move it, plus and minus zoom");
        return viewer;
    }

    function source(image) {
        if (image.state !== "ready") {
            return {type: "image", url: `/_zoom/view/${image.fingerprint}.jpg?${query(image.key, "&px=2048")}`};
        }
        return {width: image.width, height: image.height, tileSize: image.tileSize, tileOverlap: 0, minLevel: 0,
            maxLevel: image.maxLevel,
            getTileUrl: (level, x, y) => `/_zoom/tile/${image.fingerprint}/${level}/${x}_${y}.jpg?${query(image.key)}`};
    }

    /** Show an image; the same one again is nothing to do. */
    async function open(image) {
        const OpenSeadragon = await library(), element = at("zoom-osd");
        if (!element) return;
        if (element !== host) {
            leave();
            host = element;
            osd = made(OpenSeadragon);
            loupe.zoomLayers.mount(osd.canvas);
        }
        const name = `${image.fingerprint} ${image.state}`;
        if (name === shown) return;
        isFirst = shown === "" && Boolean(loupe.zoom.value("view"));
        shown = name;
        osd.open(source(image));
    }

    function opened() {
        if (isFirst) follow(loupe.zoom.value("view"));
        isFirst = false;
        osd.viewport.applyConstraints(true);
        tell();
        osd.canvas.dispatchEvent(new CustomEvent("loupe:opened", {bubbles: true}));
    }

    /** Nothing is shown: the image that was there is not the one that is meant. */
    function clear() {
        clearTimeout(timer);
        if (osd && shown) osd.close();
        shown = "";
    }

    /** The page is left: nothing of the viewer stays. */
    function leave() {
        clearTimeout(timer);
        if (osd) osd.destroy();
        osd = host = null;
        shown = written = "";
    }

    const item = () => (osd && osd.world.getItemCount() ? osd.world.getItemAt(0) : null);

    /** {left, top, scale}: where the image's corner is in the viewer, and CSS pixels for an image pixel. */
    function place() {
        if (!item() || !now.image) return null;
        const zero = osd.viewport.pixelFromPoint(new window.OpenSeadragon.Point(0, 0), true);
        const one = osd.viewport.pixelFromPoint(new window.OpenSeadragon.Point(1, 0), true);
        return {left: zero.x, top: zero.y, scale: (one.x - zero.x) / now.image.width};
    }

    function toImage({x, y}) {
        const {left, top, scale} = place() || {left: 0, top: 0, scale: 1};
        return {x: (x - left) / scale, y: (y - top) / scale, scale};
    }

    const size = () => ({width: host ? host.clientWidth : 0, height: host ? host.clientHeight : 0});

    /** What is seen, in image pixels; it may reach past the image. */
    function seen() {
        const held = place();
        if (!held) return null;
        const {width, height} = size();
        return {x: -held.left / held.scale, y: -held.top / held.scale, w: width / held.scale, h: height / held.scale};
    }

    function tell() {
        const held = place();
        if (held) listeners.forEach((listener) => listener(held, size()));
    }

    /** Write the viewport into the state once it rests. */
    function plan() {
        clearTimeout(timer);
        timer = setTimeout(() => {
            const box = seen();
            if (!box || !now.image || now.image.state !== "ready") return;
            const isWhole = Math.abs(osd.viewport.getZoom(true) / osd.viewport.getHomeZoom() - 1) < 0.01;
            const text = isWhole ? "" : [box.x, box.y, Math.max(1, box.w)].map(Math.round).join(",");
            if (text === loupe.zoom.value("view")) return;
            written = text;
            set("view", text);
        }, WRITE_MS);
    }

    /** Go where a link or an undo says: "x,y,width" in image pixels, "" is the whole image. */
    function follow(text) {
        if (!item() || text === written) return;
        written = text;
        const [x, y, w] = String(text).split(",").map(Number);
        if (!text || ![x, y, w].every(Number.isFinite) || w <= 0) {
            osd.viewport.goHome(isCalm());
            return;
        }
        const {width, height} = size();
        fit({x, y, w, h: w * height / width}, false);
    }

    /** Show a rectangle of the image. */
    function fit({x, y, w, h}, isSlow) {
        if (!item() || !now.image) return;
        const by = 1 / now.image.width;
        osd.viewport.fitBounds(new window.OpenSeadragon.Rect(x * by, y * by, w * by, h * by), !isSlow || isCalm());
    }

    const zoomBy = (factor) => { if (item()) { osd.viewport.zoomBy(factor); osd.viewport.applyConstraints(); } };
    const home = () => { if (item()) osd.viewport.goHome(isCalm()); };

    loupe.zoomViewer = {open, clear, leave, place, toImage, seen, size, follow, fit, zoomBy, home, tell,
        /** Call `listener(place, size)` whenever the view moved. */
        onMove: (listener) => listeners.add(listener),
        forget: () => { written = ""; },
        get osd() { return osd; }};
})(window.loupe);
