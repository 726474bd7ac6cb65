/* loupe.state: the view state of a page is its controls; the URL follows them, and each settled change
   is a step that can be undone, across pages. Python's half is components/state.py.

   The URL is written with history.replaceState, which Dash does not notice: writing
   dcc.Location.search would draw the page anew. */
window.loupe = window.loupe || {};
window.dash_clientside = window.dash_clientside || {};

(function () {
  const STEPS_KEPT = 100;
  const JOIN_MS = 700; // changes of the same controls within this time are one step
  const WRITE_MS = 120; // browsers refuse more than some 200 history calls in 30 s
  const SETTLE_MS = 600; // an undo that a control did not take exactly ends after this
  const URL_CHARS = 2000;
  const SELECTION_IDS = 100; // a larger selection goes behind a link
  const EMPTY = "-"; // an empty text or list: Dash drops keys without a value
  const UNDO = "loupe-undo";
  const LAST = "loupe-last"; // path -> last URL of this tab
  const RECENT = "loupe-recent"; // what Home lists, over all tabs

  let view = null; // {page, path, values, defaults} of the page on screen, null without state
  let query = ""; // of that view, as written or about to be written
  let metaSeen = null;
  let applying = null; // the step being restored
  let applyTimer = 0;
  let writeTimer = 0;
  let joined = { at: 0, keys: "" };
  let followed = -JOIN_MS; // when a page last wrote what follows from a choice
  const visit = `${Date.now()}-${Math.random().toString(36).slice(2, 8)}`;

  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  function kept(storage, name, otherwise) {
    try { return JSON.parse(storage.getItem(name)) ?? otherwise; } catch (damaged) { return otherwise; }
  }

  function keep(storage, name, value) {
    try { storage.setItem(name, JSON.stringify(value)); } catch (full) { storage.removeItem(name); }
  }

  // ---- values <-> query

  function encode(value) {
    if (value === true) return "1";
    if (value === false) return "0";
    if (Array.isArray(value)) return value.map(encode).join(",") || EMPTY;
    return value === "" ? EMPTY : String(value);
  }

  const MOST_LINKED = 20000; // items; a link with more would be larger than the server keeps

  function selectionText(selection) {
    return selection.ids.length && selection.ids.length <= MOST_LINKED ? `${selection.items}:${selection.ids.join(",")}` : "";
  }

  /** The parts of a view that differ from its defaults, as texts: {task: "fashion", sel: "…"}. */
  function written(values, defaults, selection) {
    const parts = {};
    Object.keys(values).forEach((key) => {
      const value = values[key];
      if (value === null || value === undefined || same(value, defaults[key])) return;
      parts[key] = encode(value);
    });
    const chosen = selectionText(selection);
    if (chosen) parts.sel = chosen;
    return parts;
  }

  function asQuery(parts) {
    const text = Object.entries(parts).map(([key, value]) => `${encodeURIComponent(key)}=${
      encodeURIComponent(value).replace(/%2C/g, ",").replace(/%3A/g, ":")}`).join("&");
    return text ? `?${text}` : "";
  }

  async function linkFor(parts, path) {
    return window.loupe.dom.request("/_links", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ path, state: parts }),
    });
  }

  // ---- writing the URL

  function replace(path, text) {
    if (location.pathname !== path) return; // the user has left meanwhile
    query = text;
    if (location.search !== text) history.replaceState(history.state, "", path + text + location.hash);
    const last = kept(sessionStorage, LAST, {});
    last[path] = path + text;
    keep(sessionStorage, LAST, last);
    noteRecent(path, path + text);
  }

  async function writeUrl() {
    if (!view) return;
    const { path, values, defaults } = view;
    const selection = window.loupe.selection.current();
    const parts = written(values, defaults, selection);
    const text = asQuery(parts);
    if (text.length <= URL_CHARS && selection.ids.length <= SELECTION_IDS) {
      replace(path, text);
      return;
    }
    const answer = await linkFor(parts, path);
    const now = view && written(view.values, view.defaults, window.loupe.selection.current());
    if (answer && same(parts, now)) replace(path, `?link=${answer.url.split("/").pop()}`);
  }

  function planWrite() {
    clearTimeout(writeTimer);
    writeTimer = setTimeout(writeUrl, WRITE_MS);
  }

  function noteRecent(path, url) {
    const { page, values, defaults } = view;
    const title = document.title.split(" · ")[0] || page;
    const told = Object.keys(values)
      .filter((key) => values[key] !== null && !same(values[key], defaults[key]))
      .map((key) => `${key} ${encode(values[key])}`);
    const n = window.loupe.selection.current().ids.length;
    if (n) told.push(`${n} selected`);
    const id = `${visit} ${path}`;
    const others = kept(localStorage, RECENT, []).filter((entry) => entry.id !== id && entry.url !== url);
    const entry = { id, url, title, told: told.join(" · ").slice(0, 120), at: Date.now() };
    keep(localStorage, RECENT, [entry, ...others].slice(0, 12));
  }

  // ---- undo

  function history_() {
    return kept(sessionStorage, UNDO, { at: -1, steps: [] });
  }

  function changedKeys(a, b) {
    if (!a || a.page !== b.page) return "page";
    const keys = Object.keys(b.values).filter((key) => !same(a.values[key], b.values[key]));
    if (!same(a.selection.ids, b.selection.ids)) keys.push("sel");
    return keys.join(" ");
  }

  function snapshot() {
    const { ids, items } = window.loupe.selection.current();
    const { page, path, values } = view;
    return { page, path, values, selection: { items, ids } };
  }

  function remember() {
    if (!view || applying) return;
    const held = history_();
    const step = snapshot();
    const keys = changedKeys(held.steps[held.at], step);
    if (!keys) return;
    const now = performance.now();
    const isSame = keys === joined.keys && now - joined.at < JOIN_MS;
    const join = keys !== "page" && held.at > 0 && (isSame || now - followed < JOIN_MS);
    joined = { at: now, keys };
    const before = held.steps.slice(0, join ? held.at : held.at + 1);
    const steps = [...before, step].slice(-STEPS_KEPT);
    keep(sessionStorage, UNDO, { at: steps.length - 1, steps });
    showButtons();
  }

  function showButtons() {
    const { at, steps } = history_();
    const set = (id, off) => {
      const button = document.getElementById(id);
      if (button) button.disabled = off;
    };
    set("undo-button", at <= 0);
    set("redo-button", at >= steps.length - 1);
  }

  function move(by) {
    const held = history_();
    const step = held.steps[held.at + by];
    if (!step) {
      window.loupe.say(by < 0 ? "Nothing to undo" : "Nothing to redo");
      return;
    }
    keep(sessionStorage, UNDO, { at: held.at + by, steps: held.steps });
    joined = { at: 0, keys: "" };
    applying = step;
    extendApplying();
    showButtons();
    window.loupe.say(by < 0 ? "Undone" : "Redone");
    const { items, ids } = window.loupe.selection.current();
    if (!same(step.selection, { items, ids })) window.loupe.selection.set(step.selection, "undo");
    if (step.path === location.pathname && view) writeControls();
    else go(step.path);
  }

  function writeControls() {
    Object.keys(applying.values).forEach((key) => {
      const value = applying.values[key];
      if (same(value, view.values[key])) return;
      window.dash_clientside.set_props({ type: "control", page: view.page, key }, { value });
    });
    finishApplying();
  }

  function extendApplying() {
    clearTimeout(applyTimer);
    applyTimer = setTimeout(() => {
      applying = null; // a control changed what it was given: what is on screen counts
      if (view) window.dash_clientside.set_props({ type: "view-state", page: view.page }, { data: view.values });
      planWrite();
    }, SETTLE_MS);
  }

  /** Ends an undo once values and selection are what the step says. */
  function finishApplying() {
    if (!applying || !view || applying.page !== view.page) return false;
    const now = snapshot();
    if (!same(now.values, applying.values) || !same(now.selection.ids, applying.selection.ids)) return false;
    clearTimeout(applyTimer);
    applying = null;
    planWrite();
    return true;
  }

  // ---- the callback of each page (components/state.py: register_page_state)

  function mount(meta) {
    metaSeen = meta;
    joined = { at: 0, keys: "" };
    (meta.notices || []).forEach((message) => {
      window.loupe.notify({ kind: "warning", title: "Part of the link could not be used", message });
    });
  }

  function gather(values, meta, ids) {
    const { no_update } = window.dash_clientside;
    if (!meta) return no_update;
    const isMount = meta !== metaSeen;
    if (isMount) mount(meta);
    const now = {};
    ids.forEach((id, index) => { now[id.key] = values[index] ?? null; });
    const before = view && view.page === meta.page && !isMount ? view.values : null;
    view = { page: meta.page, path: location.pathname, values: now, defaults: meta.defaults };
    if (applying && applying.page === meta.page) return restore(isMount, before);
    if (before && same(before, now)) return no_update;
    remember();
    planWrite();
    return now;
  }

  /** While an undo writes several controls, the page is told the end state once, not each step. */
  function restore(isMount, before) {
    const target = { ...view.values, ...applying.values };
    const isFirst = isMount || !applying.told;
    applying.told = true;
    if (isMount) setTimeout(() => applying && view && writeControls());
    const done = finishApplying();
    if (isFirst && !(done && before && same(before, target))) return target;
    return window.dash_clientside.no_update;
  }

  window.dash_clientside.loupe_state = { gather };

  // ---- navigation

  /** Open a page of the app without loading the document again. */
  function go(url) {
    history.pushState({}, "", url);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
  }

  function leave() {
    if (view && view.path !== location.pathname) view = null;
  }
  window.addEventListener("_dashprivate_pushstate", leave);
  window.addEventListener("popstate", leave);

  // The navigation brings back a page as this tab left it.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#app-nav a");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    const path = link.getAttribute("href");
    const last = kept(sessionStorage, LAST, {})[path];
    if (!last || path === location.pathname) return;
    event.preventDefault();
    event.stopPropagation();
    go(last);
  }, true);

  window.loupe.state = {
    go,
    undo: () => move(-1),
    redo: () => move(1),
    showButtons,
    recent: () => kept(localStorage, RECENT, []),
    forgetRecent: () => keep(localStorage, RECENT, []),
    /** {page, path, values, selection, url} of what is on screen. */
    current() {
      const selection = window.loupe.selection.current();
      const path = location.pathname;
      const text = view ? asQuery(written(view.values, view.defaults, selection)) : location.search;
      const shown = text.length <= URL_CHARS ? text : query;
      return {
        page: view ? view.page : path.slice(1) || "home",
        path,
        values: view ? { ...view.values } : {},
        selection,
        url: location.origin + path + shown,
      };
    },
    /** A short link to what is on screen, whatever its length; null when the server did not answer. */
    async permalink() {
      const { values, defaults, path } = view || { values: {}, defaults: {}, path: location.pathname };
      const answer = await linkFor(written(values, defaults, window.loupe.selection.current()), path);
      return answer ? location.origin + answer.url : null;
    },
    /** What a page writes right after this follows from the last choice: one step of undo with it. */
    follow() {
      followed = performance.now();
    },
    /** Called by the selection when it changed. */
    selectionChanged() {
      if (finishApplying() || !view) return;
      remember();
      planWrite();
    },
  };
})();
