/* PNG and SVG of a card, with its title, honesty line, link and date inside the file.
 *
 * A card of one plotly figure is drawn by Plotly.toImage. Anything else (canvases, images, inline
 * SVG, several figures) is put together at the places where it stands on the page.
 */
window.loupe = window.loupe || {};

(function () {
    "use strict";

    const SCALE = 2;
    const SVG_NS = "http://www.w3.org/2000/svg";
    const card_ = window.loupe.card;

    /* ---- what there is to draw ---- */

    /** Visible figures, canvases, images and drawings of a card, in reading order; not those within
     * `data-not-drawn`, which mean nothing without the words beside them. */
    function visuals(card) {
        const all = card_.content(card).querySelectorAll(".js-plotly-plot, canvas, img, svg");
        return Array.from(all).filter(function (element) {
            const around = element.parentElement.closest(".js-plotly-plot, svg");
            const box = element.getBoundingClientRect();
            return !around && !element.closest("[data-not-drawn]") && box.width > 0 && box.height > 0 &&
                getComputedStyle(element).visibility !== "hidden";
        });
    }

    function isGraph(element) {
        return element.classList.contains("js-plotly-plot");
    }

    /** The colour behind the card; exported files are never see-through. */
    function background(card) {
        for (let element = card; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if (colour && colour !== "transparent" && !/,\s*0\)$/.test(colour)) {
                return colour;
            }
        }
        return "#ffffff";
    }

    let fontRule = null;
    /** The app's typeface as one CSS rule that holds the font itself: a picture that is drawn from
     * SVG, and a file that is opened elsewhere, see no font of the page. Empty when there is none. */
    function fontCss() {
        fontRule = fontRule || findFont().catch(function () { return ""; });
        return fontRule;
    }

    async function findFont() {
        const own = Array.from(document.styleSheets).filter(function (sheet) {
            return sheet.href && new URL(sheet.href).origin === location.origin;
        });
        for (const sheet of own) {
            const rule = Array.from(sheet.cssRules).find((one) => one instanceof CSSFontFaceRule);
            const source = rule && /url\("?([^")]+)"?\)/.exec(rule.style.getPropertyValue("src"));
            if (source) {
                const data = await dataUrl(new URL(source[1], sheet.href).href);
                return "@font-face{font-family:" + rule.style.getPropertyValue("font-family") +
                    ";font-weight:100 900;src:url(" + data + ") format('woff2')}";
            }
        }
        return "";
    }

    /** A file of our own server as a data URL. */
    async function dataUrl(address) {
        const blob = await (await fetch(address)).blob();
        return new Promise(function (resolve, reject) {
            const reader = new FileReader();
            reader.onload = function () { resolve(reader.result); };
            reader.onerror = function () { reject(reader.error); };
            reader.readAsDataURL(blob);
        });
    }

    /** One graph as SVG element, in the current theme, on `ground` unless that is null. */
    async function graphSvg(graph, ground) {
        const url = await window.Plotly.toImage(figureOf(graph, ground), sizeOf(graph, "svg", 1));
        const text = decodeURIComponent(url.slice(url.indexOf(",") + 1));
        const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
        const style = svg.ownerDocument.createElementNS(SVG_NS, "style");
        style.textContent = await fontCss();
        svg.prepend(style);
        return svg;
    }

    function figureOf(graph, ground) {
        const layout = Object.assign({}, graph.layout, ground ? {paper_bgcolor: ground} : {});
        return {data: graph.data, layout: layout, config: {staticPlot: true}};
    }

    function sizeOf(graph, format, scale) {
        const full = graph._fullLayout;
        return {format: format, scale: scale, width: Math.round(full.width), height: Math.round(full.height)};
    }

    /** One graph as PNG data URL at twice its size. WebGL traces are only sharp by plotly's own way. */
    async function graphPng(graph, ground) {
        if (graph.querySelector(".gl-canvas")) {
            return window.Plotly.toImage(figureOf(graph, ground), sizeOf(graph, "png", SCALE));
        }
        const size = sizeOf(graph, "svg", 1);
        const picture = await loadImage(svgUrl(await graphSvg(graph, ground)));
        const canvas = document.createElement("canvas");
        canvas.width = size.width * SCALE;
        canvas.height = size.height * SCALE;
        canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
        return canvas.toDataURL("image/png");
    }

    function svgUrl(svg) {
        return "data:image/svg+xml," + encodeURIComponent(new XMLSerializer().serializeToString(svg));
    }

    function loadImage(url) {
        return new Promise(function (resolve, reject) {
            const image = new Image();
            image.onload = function () { resolve(image); };
            image.onerror = function () { reject(new Error("A part of the plot cannot be drawn.")); };
            image.src = url;
        });
    }

    /** Something drawImage accepts, for one visual. */
    async function pixels(element) {
        if (isGraph(element)) {
            return loadImage(await graphPng(element, null));
        }
        if (element instanceof SVGElement) {
            const copy = element.cloneNode(true);
            const box = element.getBoundingClientRect();
            copy.setAttribute("width", box.width);
            copy.setAttribute("height", box.height);
            copy.style.color = getComputedStyle(element).color;
            return loadImage(svgUrl(copy));
        }
        return element;
    }

    /** Draw one visual where it stands, turned as CSS turns it. */
    function place(context, element, picture, origin) {
        const box = element.getBoundingClientRect();
        const style = getComputedStyle(element);
        const width = element.offsetWidth || box.width;
        const height = element.offsetHeight || box.height;
        context.save();
        context.imageSmoothingEnabled = style.imageRendering !== "pixelated";
        context.globalAlpha = Number(style.opacity);
        context.translate(box.left + box.width / 2 - origin.left, box.top + box.height / 2 - origin.top);
        if (style.transform !== "none") {
            const turn = new DOMMatrix(style.transform);
            context.transform(turn.a, turn.b, turn.c, turn.d, 0, 0);
        }
        context.drawImage(picture, -width / 2, -height / 2, width, height);
        context.restore();
    }

    /** The visuals of a card on one canvas; origin and size are those of their common box. */
    async function compose(card, elements) {
        const boxes = elements.map(function (element) { return element.getBoundingClientRect(); });
        const origin = {
            left: Math.min(...boxes.map((box) => box.left)),
            top: Math.min(...boxes.map((box) => box.top)),
        };
        const width = Math.max(...boxes.map((box) => box.right)) - origin.left;
        const height = Math.max(...boxes.map((box) => box.bottom)) - origin.top;
        const canvas = document.createElement("canvas");
        canvas.width = Math.ceil(width * SCALE);
        canvas.height = Math.ceil(height * SCALE);
        const context = canvas.getContext("2d");
        context.fillStyle = background(card);
        context.fillRect(0, 0, canvas.width, canvas.height);
        context.scale(SCALE, SCALE);
        for (const element of elements) {
            place(context, element, await pixels(element), origin);
        }
        return {url: canvas.toDataURL("image/png"), width: width, height: height};
    }

    function nothing() {
        const error = new Error("There is no plot to save yet.");
        error.hint = "Wait until the card shows one, or make a selection.";
        return error;
    }

    /* ---- PNG ---- */

    let crcTable = null;
    /** CRC-32 of PNG chunks (ISO 3309), over bytes. */
    function crc32(bytes) {
        if (!crcTable) {
            crcTable = new Uint32Array(256).map(function (_, n) {
                for (let bit = 0; bit < 8; bit += 1) {
                    n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
                }
                return n;
            });
        }
        let crc = 0xffffffff;
        for (const byte of bytes) {
            crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8);
        }
        return (crc ^ 0xffffffff) >>> 0;
    }

    /** One iTXt chunk: UTF-8 text, not compressed, under an ASCII keyword. */
    function textChunk(keyword, text) {
        const body = new TextEncoder().encode("iTXt" + keyword + "\0\0\0\0\0" + text);
        const chunk = new Uint8Array(body.length + 8);
        const view = new DataView(chunk.buffer);
        view.setUint32(0, body.length - 4);
        chunk.set(body, 4);
        view.setUint32(body.length + 4, crc32(body));
        return chunk;
    }

    /** PNG bytes with texts put in behind IHDR, which always ends at byte 33. */
    function withTexts(png, texts) {
        const chunks = Object.entries(texts).map(function ([keyword, text]) {
            return textChunk(keyword, clean(text));
        });
        return new Blob([png.subarray(0, 33)].concat(chunks, [png.subarray(33)]), {type: "image/png"});
    }

    /** Control characters have no place in XML, nor NUL in a PNG text. */
    function clean(text) {
        // eslint-disable-next-line no-control-regex
        return String(text).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "");
    }

    function bytesOf(dataUrl) {
        const binary = atob(dataUrl.slice(dataUrl.indexOf(",") + 1));
        return Uint8Array.from(binary, function (char) { return char.charCodeAt(0); });
    }

    function texts(about) {
        return {
            "Title": about.title,
            "Description": [about.question, about.honesty].filter(Boolean).join("\n"),
            "Source": about.url,
            "Creation Time": about.date,
            "Software": "Loupe",
        };
    }

    async function savePng(card) {
        const elements = visuals(card);
        if (!elements.length) {
            throw nothing();
        }
        const about = card_.facts(card);
        const url = elements.length === 1 && isGraph(elements[0])
            ? await graphPng(elements[0], background(card))
            : (await compose(card, elements)).url;
        card_.save(withTexts(bytesOf(url), texts(about)), card_.fileName(about, "png"));
    }

    /* ---- SVG ---- */

    /** A document of one bitmap, for what was never made of vectors. */
    function wrapBitmap(picture) {
        const svg = document.createElementNS(SVG_NS, "svg");
        svg.setAttribute("width", picture.width);
        svg.setAttribute("height", picture.height);
        svg.setAttribute("viewBox", "0 0 " + picture.width + " " + picture.height);
        const image = document.createElementNS(SVG_NS, "image");
        image.setAttribute("width", picture.width);
        image.setAttribute("height", picture.height);
        image.setAttribute("href", picture.url);
        svg.appendChild(image);
        return svg;
    }

    /** <title> and Dublin Core <metadata>, made of nodes so that every text is escaped. */
    function describe(svg, about) {
        const RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
        const DC = "http://purl.org/dc/elements/1.1/";
        const doc = svg.ownerDocument;
        const title = doc.createElementNS(SVG_NS, "title");
        title.textContent = clean(about.title);
        const metadata = doc.createElementNS(SVG_NS, "metadata");
        const rdf = metadata.appendChild(doc.createElementNS(RDF, "rdf:RDF"));
        const entry = rdf.appendChild(doc.createElementNS(RDF, "rdf:Description"));
        const said = {title: about.title, source: about.url, date: about.date, creator: "Loupe",
            description: [about.question, about.honesty].filter(Boolean).join("\n")};
        for (const [name, text] of Object.entries(said)) {
            entry.appendChild(doc.createElementNS(DC, "dc:" + name)).textContent = clean(text);
        }
        svg.prepend(title, metadata);
    }

    async function saveSvg(card) {
        const elements = visuals(card);
        if (!elements.length) {
            throw nothing();
        }
        const about = card_.facts(card);
        const svg = elements.length === 1 && isGraph(elements[0])
            ? await graphSvg(elements[0], background(card))
            : wrapBitmap(await compose(card, elements));
        describe(svg, about);
        const blob = new Blob([new XMLSerializer().serializeToString(svg)], {type: "image/svg+xml"});
        card_.save(blob, card_.fileName(about, "svg"));
    }

    Object.assign(card_.actions, {png: savePng, svg: saveSvg});
    window.loupe.image = {visuals: visuals, isGraph: isGraph, compose: compose, dataUrl: dataUrl,
        fontCss: fontCss};
})();
