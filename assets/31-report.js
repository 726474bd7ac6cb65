/* "Export report": the open page as one HTML file that needs nothing else, not even a network.
 *
 * Plots stay live (plotly.js is put into the file), other drawings become pictures. Every text is
 * escaped, figures travel as JSON, and the file's own policy forbids it to load anything.
 */
window.loupe = window.loupe || {};

(function () {
    "use strict";

    const TABLE_ROWS = 200;
    const card_ = window.loupe.card;
    const image_ = window.loupe.image;

    /* ---- text ---- */

    function escape(text) {
        const names = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"};
        return String(text === null || text === undefined ? "" : text)
            .replace(/[&<>"']/g, function (char) { return names[char]; });
    }

    /** JSON that cannot end the script element around it. */
    function scriptJson(value) {
        return JSON.stringify(value).replace(/</g, "\\u003c").replace(/\u2028/g, "\\u2028")
            .replace(/\u2029/g, "\\u2029");
    }

    /** Script source that cannot end (or open) a script element; both stand in strings only. */
    function scriptText(source) {
        return source.replace(/<\/(script)/gi, "<\\/$1").replace(/<(script)/gi, "\\x3c$1")
            .replace(/<!--/g, "\\x3c!--");
    }

    /* ---- figures ---- */

    const DTYPES = {Float64Array: "f8", Float32Array: "f4", Int32Array: "i4", Uint32Array: "u4",
        Int16Array: "i2", Uint16Array: "u2", Int8Array: "i1", Uint8Array: "u1",
        Uint8ClampedArray: "u1c"};

    function base64(bytes) {
        let binary = "";
        for (let start = 0; start < bytes.length; start += 0x8000) {
            binary += String.fromCharCode.apply(null, bytes.subarray(start, start + 0x8000));
        }
        return btoa(binary);
    }

    /** A figure's value as plain JSON. Typed arrays become plotly's {dtype, bdata}; inside another
     * array, where plotly would not decode that, they become lists. Plotly's own notes (names that
     * begin with an underscore) and functions are left out. */
    function plain(value, inArray) {
        if (ArrayBuffer.isView(value)) {
            const dtype = DTYPES[value.constructor.name];
            return dtype && !inArray
                ? {dtype: dtype, bdata: base64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))}
                : Array.from(value, Number);
        }
        if (value instanceof ArrayBuffer) {
            return base64(new Uint8Array(value));
        }
        if (Array.isArray(value)) {
            return value.map(function (item) { return plain(item, true); });
        }
        if (value instanceof Date) {
            return value.toISOString();
        }
        if (value === null || typeof value !== "object") {
            return value;
        }
        const kept = Object.entries(value).filter(function ([name, item]) {
            return name[0] !== "_" && typeof item !== "function";
        });
        return Object.fromEntries(kept.map(function ([name, item]) { return [name, plain(item, false)]; }));
    }

    async function figureOf(graph) {
        const figure = plain({data: graph.data, layout: graph.layout}, false);
        const [width, height] = [graph._fullLayout.width, graph._fullLayout.height].map(Math.round);
        delete figure.layout.width;
        Object.assign(figure.layout, {autosize: true, height: height});
        for (const picture of (figure.layout.images || []).concat(figure.data)) {
            if (typeof picture.source === "string" && !picture.source.startsWith("data:")) {
                picture.source = await image_.dataUrl(picture.source);
            }
        }
        return Object.assign(figure, {width: width, height: height});
    }

    /** The plotly.js this page runs, from where it was loaded. */
    async function plotlySource() {
        const script = document.querySelector('script[src*="/plotly/package_data/plotly"]');
        if (!script) {
            throw new Error("The script that draws the plots was not found on this page.");
        }
        return scriptText(await (await fetch(script.src, {cache: "force-cache"})).text());
    }

    /* ---- parts of the document ---- */

    function tableHtml(head, rows) {
        const digits = head.map(function (_, i) {
            const numbers = rows.map((row) => row[i]).filter((value) => typeof value === "number");
            return {right: numbers.length > 0, decimals: window.loupe.table.digits(numbers)};
        });
        const cells = function (tag, values) {
            return "<tr>" + values.map(function (value, i) {
                const kind = digits[i].right ? ' class="n"' : "";
                const text = window.loupe.table.formatNumber(value, digits[i].decimals);
                return "<" + tag + kind + ">" + escape(text) + "</" + tag + ">";
            }).join("") + "</tr>";
        };
        return '<div class="scroll"><table><thead>' + cells("th", head) + "</thead><tbody>" +
            rows.map(function (row) { return cells("td", row); }).join("") + "</tbody></table></div>";
    }

    /** Whether a card shows something; there is no table of what is not there. */
    function isDrawn(card) {
        return card.dataset.state === "ready" || card.dataset.keep === "true";
    }

    async function tableTwin(card) {
        if (!card.dataset.table || !isDrawn(card)) {
            return "";
        }
        const table = await (await card_.requestTable(card.dataset.table, "json")).json();
        const names = table.columns.map((column) => (typeof column === "string" ? column : column.name));
        const rows = table.rows.slice(0, TABLE_ROWS).map(function (row) {
            return Array.isArray(row) ? row : names.map((name) => row[name]);
        });
        const total = typeof table.n === "number" ? table.n : table.rows.length;
        return "<details><summary>Table: " + rows.length + " of " + total + " rows</summary>" +
            tableHtml(names, rows) + "</details>";
    }

    /** The method card's text; built by us from escaped text, so its markup may be copied. */
    function methodHtml(card) {
        const held = document.querySelector('[data-method-of="' + CSS.escape(card.id) + '"] .method-text');
        return held ? "<details><summary>About this plot</summary>" + held.outerHTML + "</details>" : "";
    }

    async function drawings(card, figures) {
        if (!isDrawn(card)) {
            const said = card.querySelector(".plot-card-message").textContent;
            return '<p class="absent">' + escape(said || "Not ready when the report was made.") + "</p>";
        }
        const elements = image_.visuals(card);
        const rest = elements.filter((element) => !image_.isGraph(element));
        let html = "";
        for (const graph of elements.filter(image_.isGraph)) {
            const figure = await figureOf(graph);
            html += '<div class="plot" id="plot-' + figures.length + '" style="width:min(100%,' +
                figure.width + "px);height:" + figure.height + 'px"></div>';
            figures.push(figure);
        }
        if (rest.length) {
            const picture = await image_.compose(card, rest);
            html += '<img src="' + picture.url + '" width="' + Math.round(picture.width) + '" alt="' +
                escape(card_.facts(card).title) + '">';
        }
        return html;
    }

    async function section(card, figures) {
        const about = card_.facts(card);
        let table = "";
        try {
            table = await tableTwin(card);
        } catch (error) {  // one table that cannot be had must not cost the whole report
            table = '<p class="absent">Table: ' + escape(error.message) + "</p>";
        }
        return "<section><h2>" + escape(about.title) + "</h2><p>" + escape(about.question) +
            '</p><p class="honesty">' + escape(about.honesty) + "</p>" +
            await drawings(card, figures) + methodHtml(card) + table + "</section>";
    }

    /** Name of a control as its page shows it, else its key. */
    function labelOf(page, key) {
        const id = JSON.stringify({key: key, page: page, type: "control"});
        const element = document.getElementById(id);
        const label = element && (element.getAttribute("aria-label") ||
            (element.labels && element.labels[0] && element.labels[0].textContent));
        return label || key;
    }

    function settingsHtml(view) {
        const rows = Object.entries(view.values || {}).map(function ([key, value]) {
            return [labelOf(view.page, key), typeof value === "object" ? JSON.stringify(value) : value];
        });
        const chosen = view.selection && Array.isArray(view.selection.ids) ? view.selection.ids : [];
        if (chosen.length) {
            const listed = chosen.slice(0, 100).join(", ") + (chosen.length > 100 ? ", …" : "");
            rows.push(["Selection (" + chosen.length + ")", listed]);
        }
        return rows.length ? "<section><h2>Settings</h2>" + tableHtml(["Setting", "Value"], rows) +
            "</section>" : "";
    }

    function provenanceHtml(cards) {
        const rows = cards.map(card_.facts).filter((about) => about.honesty)
            .map((about) => [about.title, about.honesty]);
        return rows.length ? "<section><h2>Models, data and seeds</h2>" +
            tableHtml(["Plot", "Made from"], rows) + "</section>" : "";
    }

    /* ---- the document ---- */

    /** The colours of the current theme, resolved. */
    function colours(card) {
        const style = getComputedStyle(card || document.body);
        const token = (name, other) => style.getPropertyValue("--card-" + name).trim() || other;
        return ":root{color-scheme:" + (style.colorScheme.includes("dark") ? "dark" : "light") +
            ";--surface:" + token("surface", "#fff") + ";--sunken:" + token("sunken", "#f8f9fa") +
            ";--line:" + token("line", "#dfe2e7") + ";--text:" + token("text", "#1a1e24") +
            ";--muted:" + token("muted", "#5a6370") + ";--accent:" + token("accent", "#0b7285") + "}";
    }

    const STYLE = `
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:24px 16px 64px;background:var(--sunken);color:var(--text);
font:14px/20px 'Inter Variable',Inter,system-ui,sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:22px;line-height:28px;margin:0 0 4px}h2{font-size:15px;line-height:20px;margin:0}p{margin:0 0 4px}
a{color:var(--accent);overflow-wrap:anywhere}
section{margin:16px 0;padding:16px;background:var(--surface);border:1px solid var(--line);border-radius:8px;
break-inside:avoid}
.meta,.honesty,.absent{color:var(--muted);font-size:12px;line-height:16px;overflow-wrap:anywhere}
.honesty{margin-bottom:12px}.absent{padding:24px 0;text-align:center}
img{max-width:100%;height:auto;display:block;margin:8px 0}
details{margin-top:12px}summary{cursor:pointer;color:var(--muted);font-size:13px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:8px 20px;margin:12px 0 0}dt{font-weight:600}dd{margin:0}
code{display:block;padding:8px 12px;background:var(--sunken);border-radius:4px;overflow-x:auto}
.scroll{overflow:auto;max-height:32rem;margin-top:8px}
table{border-collapse:collapse;font-size:12px;line-height:16px}
th,td{padding:4px 12px 4px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{position:sticky;top:0;background:var(--surface)}.n{text-align:right}
@media(max-width:36rem){dl{grid-template-columns:1fr;gap:2px}dd{margin-bottom:10px}}
@media print{body{background:none;max-width:none}.scroll{max-height:none}}`;

    const START = `
for (const holder of document.querySelectorAll('script[type="application/json"][data-plot]')) {
    const figure = JSON.parse(holder.textContent);
    Plotly.newPlot(holder.dataset.plot, figure.data, figure.layout, {responsive: true, displaylogo: false});
}`;

    function head(title, card, font) {
        // No source but this file; unsafe-eval is for the WebGL traces, which compile their shaders.
        const policy = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; " +
            "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'";
        return '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">' +
            '<meta http-equiv="Content-Security-Policy" content="' + policy + '">' +
            '<meta name="viewport" content="width=device-width, initial-scale=1">' +
            '<meta name="generator" content="Loupe"><link rel="icon" href="data:,">' +
            "<title>" + escape(title) + "</title><style>" + font + colours(card) + STYLE + "</style></head>";
    }

    function pageTitle(view) {
        const heading = document.querySelector("#main h1, main h1, h1");
        return (heading && heading.textContent.trim()) || document.title || String(view.page);
    }

    /** Text of the report of the open page. */
    async function build() {
        const cards = card_.all().filter((card) => card.getClientRects().length > 0);
        const view = card_.viewState();
        const title = pageTitle(view);
        const link = new URL(view.url || location.href, location.href).href;
        const figures = [];
        const sections = [];
        for (const card of cards) {
            sections.push(await section(card, figures));
        }
        const library = figures.length ? "<script>" + await plotlySource() + "</script>" : "";
        const data = figures.map(function (figure, i) {
            const kept = {data: figure.data, layout: figure.layout};
            return '<script type="application/json" data-plot="plot-' + i + '">' + scriptJson(kept) + "</script>";
        });
        return [
            head(title, cards[0], await image_.fontCss()),
            "<body><header><h1>" + escape(title) + '</h1><p class="meta">Loupe report · ' +
                escape(new Date().toLocaleString("en-GB", {dateStyle: "long", timeStyle: "short"})) +
                '</p><p class="meta"><a href="' + escape(link) + '">' + escape(link) + "</a></p></header><main>",
            sections.join("\n"), settingsHtml(view), provenanceHtml(cards), "</main>",
            "<noscript><p>The plots of this report need JavaScript.</p></noscript>",
            library, data.join("\n"), figures.length ? "<script>" + START + "</script>" : "", "</body></html>",
        ].join("\n");
    }

    async function saveReport() {
        const button = document.getElementById("report-button");
        if (button && button.getAttribute("aria-busy") === "true") {
            return;
        }
        if (button) {
            button.setAttribute("aria-busy", "true");
        }
        try {
            if (!card_.all().length) {
                throw new Error("This page has no plots to report on.");
            }
            const about = {page: String(card_.viewState().page), title: "report", date: new Date().toISOString()};
            card_.save(new Blob([await build()], {type: "text/html"}), card_.fileName(about, "html"));
            card_.say("Report saved");
        } catch (error) {
            card_.sayError(error);
        } finally {
            if (button) {
                button.removeAttribute("aria-busy");
            }
        }
    }

    document.addEventListener("click", function (event) {
        if (event.target.closest && event.target.closest("#report-button")) {
            saveReport();
        }
    });

    window.loupe.report = {build: build, save: saveReport, plain: plain, escape: escape};
})();
