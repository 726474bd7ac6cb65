/* The table twin: asks the server for the table of a card and shows it in the app's one drawer. */
window.loupe = window.loupe || {};

(function () {
    "use strict";

    const DRAWER = "table-drawer";
    const GRID = "table-grid";
    const MAX_ROWS = 5000;  // what the grid shows; the downloads are always complete
    const card_ = window.loupe.card;
    let shown = null;       // {card, total, rows}: what the drawer is about
    let ticket = 0;         // the newest request wins

    function set(id, props) {
        window.dash_clientside.set_props(id, props);
    }

    /** Open the drawer on the table of a card. */
    async function open(card) {
        const mine = ticket += 1;
        const about = card_.facts(card);
        shown = {card: card, total: 0, rows: 0};
        set(GRID, {columnDefs: [], rowData: [], filterModel: {}});
        set("table-title", {children: about.title});
        set("table-note", {children: about.honesty});
        set("table-search", {value: ""});
        card_.focusOpener(card);
        set(DRAWER, {opened: true});
        try {
            const response = await card_.requestTable(card.dataset.table, "json");
            const table = await response.json();
            if (mine === ticket) {
                await fill(table, about);
            }
        } catch (error) {
            if (mine === ticket) {
                await fail(error);
            }
        }
    }

    async function fill(table, about) {
        const columns = table.columns.map(function (column) {
            return typeof column === "string" ? column : column.name;
        });
        const records = table.rows.slice(0, MAX_ROWS).map(function (row) {
            const values = Array.isArray(row) ? row : columns.map((name) => row[name]);
            return Object.fromEntries(values.map((value, i) => ["c" + i, value]));
        });
        const total = typeof table.n === "number" ? table.n : table.rows.length;
        shown = Object.assign(shown, {total: total, rows: records.length});
        const definitions = columns.map((name, i) => definition(name, i, records));
        if (definitions.length && !definitions.some((column) => column.flex)) {
            definitions.push({headerName: "", flex: 1, minWidth: 0, sortable: false, filter: false});
        }
        set(GRID, {columnDefs: definitions, rowData: records});
        const cut = total > records.length
            ? "First " + count(records.length) + " of " + count(total) +
              " rows; the downloads have all of them. " : "";
        set("table-note", {children: cut + about.honesty});
        const api = await window.dash_ag_grid.getApiAsync(GRID);
        api.setGridOption("quickFilterText", "");
        for (const event of ["modelUpdated", "filterChanged"]) {
            api.removeEventListener(event, showCount);
            api.addEventListener(event, showCount);
        }
        showCount();
    }

    async function fail(error) {
        await window.dash_ag_grid.getApiAsync(GRID);  // the drawer is mounted
        document.getElementById("table-count").textContent = "";
        const box = document.getElementById("table-failure");
        box.textContent = [error.message, error.hint].filter(Boolean).join(" ");
        box.hidden = false;
    }

    /* ---- columns ---- */

    /** A column: the field is its position, so that any name, twice or with dots, is safe. */
    function definition(name, index, records) {
        const field = "c" + index;
        const values = records.map((row) => row[field]).filter((value) => value !== null);
        const numeric = values.length > 0 && values.every((value) => typeof value === "number");
        const base = {field: field, headerName: name, tooltipField: numeric ? undefined : field};
        const widest = Math.max(name.length + 3, ...values.slice(0, 200).map((v) => shownLength(v)));
        base.width = Math.min(320, Math.max(80, 28 + 7.5 * widest));
        if (!numeric) {
            return Object.assign(base, {flex: 1, minWidth: base.width});
        }
        return Object.assign(base, {
            type: "rightAligned",
            filter: "agNumberColumnFilter",
            valueFormatter: {function: "loupeNumber(params, " + digits(values) + ")"},
        });
    }

    function shownLength(value) {
        return typeof value === "number" ? Math.min(8, String(value).length) : String(value).length;
    }

    /** Decimals of a column: none for integers, else four significant digits of its largest. */
    function digits(values) {
        if (values.every(Number.isInteger)) {
            return 0;
        }
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const whole = largest > 0 ? Math.floor(Math.log10(largest)) + 1 : 0;
        return whole < -3 ? -1 : Math.min(6, Math.max(1, 4 - Math.max(0, whole)));
    }

    /** A number with a fixed count of decimals; -1: scientific, for columns of tiny values. */
    function formatNumber(value, decimals) {
        if (typeof value !== "number") {
            return value === null || value === undefined ? "" : String(value);
        }
        return (decimals < 0 ? value.toExponential(3) : value.toFixed(decimals)).replace(/^-/, "\u2212");
    }

    function count(n) {
        return n.toLocaleString("en-US");
    }

    /* ---- the bar ---- */

    async function showCount() {
        const api = await window.dash_ag_grid.getApiAsync(GRID);
        const label = document.getElementById("table-count");
        if (label && shown) {
            const seen = api.getDisplayedRowCount();
            label.textContent = count(seen) + " of " + count(shown.total) + " rows";
        }
    }

    async function download(card, extension) {
        if (shown) {
            await card_.actions[extension](shown.card);
        }
    }

    document.addEventListener("input", async function (event) {
        if (event.target.id === "table-search") {
            const text = event.target.value;
            (await window.dash_ag_grid.getApiAsync(GRID)).setGridOption("quickFilterText", text);
        }
    });

    window.dashAgGridFunctions = Object.assign(window.dashAgGridFunctions || {}, {
        loupeNumber: function (params, decimals) { return formatNumber(params.value, decimals); },
    });
    Object.assign(card_.actions, {
        "table": open,
        "table-csv": function (card) { return download(card, "csv"); },
        "table-parquet": function (card) { return download(card, "parquet"); },
    });
    window.loupe.table = {open: open, formatNumber: formatNumber, digits: digits};
})();
