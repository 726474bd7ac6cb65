/* loupe.selection: which items are chosen, on every page; and the shelf that keeps named selections.
   One writer: views put what their user selected into a store of their own
   (components/selection.py: announce), and `commit` copies it into the app's store. */
window.loupe = window.loupe || {};
window.dash_clientside = window.dash_clientside || {};

(function () {
  const NOTHING = { items: "", ids: [], by: "" };
  const EVENT = { type: "selection-event", view: "shelf" };
  const NAME_CHARS = 60;
  let current = NOTHING;
  let shelf = [];
  const seen = new WeakSet(); // events already committed: a mounting page shows them again
  const listeners = new Set();
  const shelfListeners = new Set();

  // ---- sets of ids, sorted; pure

  const sorted = (ids) => [...new Set(ids)].sort((a, b) => a - b);
  const union = (a, b) => sorted([...a, ...b]);
  const intersect = (a, b) => { const has = new Set(b); return sorted(a.filter((id) => has.has(id))); };
  const minus = (a, b) => { const has = new Set(b); return sorted(a.filter((id) => !has.has(id))); };

  // ---- callbacks

  /** The newest event that is one: a store that has just been mounted has none, or an old one. */
  function commit() {
    const { triggered } = window.dash_clientside.callback_context;
    const fresh = triggered.map((entry) => entry.value)
      .filter((event) => event && Array.isArray(event.ids) && !seen.has(event));
    fresh.forEach((event) => seen.add(event));
    const event = fresh.pop();
    if (!event) return window.dash_clientside.no_update;
    return { items: event.items || current.items, ids: event.ids, by: event.by || "" };
  }

  function follow(selection) {
    const before = current;
    current = selection || NOTHING;
    showCount();
    if (before.items === current.items && before.ids.join() === current.ids.join()) return;
    window.loupe.state.selectionChanged();
    listeners.forEach((listener) => listener(current));
    if (window.loupe.panels.isOpen("shelf-panel")) draw();
  }

  function keep(stored) {
    shelf = Array.isArray(stored) ? stored.filter((row) => row && Array.isArray(row.ids)) : [];
    shelfListeners.forEach((listener) => listener(shelf));
    if (window.loupe.panels.isOpen("shelf-panel")) draw();
  }

  window.dash_clientside.loupe_selection = { commit, follow, keep };

  // ---- changing it

  /** Select items: {items, ids}; `by` says which view did. */
  function set(selection, by) {
    const data = { items: selection.items, ids: sorted(selection.ids), by: by || "shelf" };
    window.dash_clientside.set_props(EVENT, { data });
  }

  function store(rows) {
    shelf = rows;
    window.dash_clientside.set_props("app-shelf", { data: rows });
    draw();
  }

  function save(name) {
    const clean = name.trim().slice(0, NAME_CHARS) || `Selection ${shelf.length + 1}`;
    const others = shelf.filter((row) => row.name !== clean);
    store([{ name: clean, items: current.items, ids: current.ids }, ...others]);
    window.loupe.say(`Saved ${clean}, ${current.ids.length} items`);
  }

  // ---- the shelf

  function showCount() {
    const count = document.getElementById("shelf-button-count");
    if (!count) return;
    count.textContent = current.ids.length.toLocaleString("en");
    count.toggleAttribute("data-on", current.ids.length > 0);
    const items = current.ids.length ? `${current.ids.length} of ${current.items}` : "nothing selected";
    document.getElementById("shelf-button").title = `Selection: ${items}`;
  }

  function currentPart() {
    const { el } = window.loupe.dom;
    const n = current.ids.length;
    if (!n) return el("p", { class: "lp-empty" }, "Nothing is selected. Lasso or click items in a plot.");
    const copy = () => navigator.clipboard.writeText(current.ids.join(",")).then(() => {
      window.loupe.notify({ kind: "ok", title: "Copied", message: `${n} item ids` });
    });
    const name = el("input", { class: "lp-field", maxlength: NAME_CHARS, "aria-label": "Name of the selection",
      placeholder: "Name, for example 6s that look like 9s" });
    const form = el("form", { class: "lp-row", onsubmit: (event) => { event.preventDefault(); save(name.value); } },
      name, el("button", { class: "lp-btn lp-btn-sm lp-btn-main" }, "Save"));
    const text = el("span", { class: "lp-row-text" }, el("strong", {}, String(n)), ` of ${current.items}`);
    return el("div", {},
      el("div", { class: "lp-row" }, text,
        el("button", { type: "button", class: "lp-btn lp-btn-sm", onclick: copy }, "Copy ids"),
        el("button", { type: "button", class: "lp-btn lp-btn-sm",
          onclick: () => set({ items: current.items, ids: [] }) }, "Clear")),
      form);
  }

  function rowPart(row) {
    const { el, iconButton } = window.loupe.dom;
    const combine = (how, word, label) => el("button", {
      type: "button", class: "lp-btn lp-btn-sm lp-btn-quiet", title: label, "aria-label": label,
      disabled: !current.ids.length || current.items !== row.items,
      onclick: () => set({ items: row.items, ids: how(current.ids, row.ids) }),
    }, word);
    return el("div", { class: "lp-row" },
      el("span", { class: "lp-row-text" },
        el("div", { class: "lp-clip", title: row.name }, row.name),
        el("div", { class: "lp-muted lp-small" }, `${row.ids.length} of ${row.items}`)),
      el("button", { type: "button", class: "lp-btn lp-btn-sm", onclick: () => set(row) }, "Select"),
      combine(intersect, "and", `And: keep only what is also in “${row.name}”`),
      combine(union, "or", `Or: add “${row.name}” to the selection`),
      combine(minus, "not", `Not: take “${row.name}” out of the selection`),
      iconButton("trash", `Remove “${row.name}” from the shelf`,
        () => store(shelf.filter((other) => other !== row))));
  }

  function draw() {
    const { el } = window.loupe.dom;
    const panel = document.getElementById("shelf-panel");
    const focused = panel.contains(document.activeElement);
    const saved = shelf.length ? shelf.map(rowPart)
      : [el("p", { class: "lp-empty" }, "Saved selections appear here, and can be combined with and, or, not.")];
    panel.replaceChildren(
      el("div", { class: "lp-panel-head" }, el("h2", {}, "Selection")), currentPart(),
      el("div", { class: "lp-panel-head" }, el("h2", {}, "Shelf")), el("div", {}, ...saved),
    );
    if (focused) (panel.querySelector("input, button:not(:disabled)") || panel).focus();
  }

  // ---- a link may carry a selection: "digits:1,2,3"

  async function fromUrl() {
    const asked = new URLSearchParams(location.search);
    let text = asked.get("sel");
    if (!text && asked.get("link")) {
      const answer = await window.loupe.dom.request(`/_links/${encodeURIComponent(asked.get("link"))}`);
      text = (answer?.state || answer)?.sel;
    }
    if (!text) return;
    const parts = /^([\p{L}\p{N}_ .:-]{1,120}):(\d{1,15}(?:,\d{1,15})*)$/u.exec(text); // as backend/selections.py
    if (parts) set({ items: parts[1], ids: parts[2].split(",").map(Number) }, "url");
    else {
      window.loupe.notify({ kind: "warning", title: "Part of the link could not be used",
        message: `sel=${text.slice(0, 40)} is not a data set with item ids (“digits:1,2,3”); nothing is selected.` });
    }
  }

  window.loupe.selection = {
    set,
    current: () => current,
    shelf: () => shelf,
    /** Replaces the shelf: [{name, items, ids}]. */
    fillShelf: (rows) => window.dash_clientside.set_props("app-shelf", { data: rows }),
    union, intersect, minus,
    start() {
      window.loupe.panels.onOpen("shelf-panel", draw);
      fromUrl();
    },
    /** Call `listener(selection)` after each change; returns the function that ends it. */
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** Call `listener(rows)` whenever the shelf is read or changed. */
    onShelf(listener) {
      shelfListeners.add(listener);
    },
  };
})();
