/* loupe.keys: every key of the app in one list. Keys never fire in text boxes or under a dialog;
   the sheet behind "?" is drawn from the same list. */
window.loupe = window.loupe || {};

(function () {
  const EVERYWHERE = "Everywhere";
  const known = new Map(); // "scope key" -> {scope, key, label, run, when}

  /**
   * Register a key. `scope` is "Everywhere" or the path of a page without its slash ("nero");
   * `key` is "?", "a", "ArrowLeft", "Ctrl+Z" (Ctrl is Cmd on a Mac), "Shift+R"; `run(event)` acts;
   * `when()` may switch it off for a moment. Returns the function that removes it.
   */
  function add({ scope = EVERYWHERE, key, label, run, when }) {
    const name = `${scope} ${key.toLowerCase()}`;
    known.set(name, { scope, key, label, run, when });
    return () => known.delete(name);
  }

  /** A menu's input takes letters and arrows but no text, so Ctrl+Z in it means the page. */
  function isTyping({ target, ctrlKey, metaKey }) {
    if (!(target instanceof Element)) return false;
    if (target.closest("[contenteditable=''], [contenteditable='true'], textarea, select")) return true;
    const input = target.closest("input");
    if (input && input.readOnly && (ctrlKey || metaKey)) return false;
    return Boolean(input) && !["checkbox", "radio", "button", "range"].includes(input.type);
  }

  function underDialog() {
    if (document.querySelector("dialog[open]")) return true;
    return [...document.querySelectorAll("[role=dialog][aria-modal=true]")]
      .some((node) => node.getClientRects().length > 0);
  }

  function pressed(event) {
    const mod = event.ctrlKey || event.metaKey ? "ctrl+" : "";
    const alt = event.altKey ? "alt+" : "";
    const named = event.key.length > 1 || /[a-z]/i.test(event.key); // "?" needs Shift on most boards
    const shift = event.shiftKey && (named || mod) ? "shift+" : "";
    return mod + alt + shift + event.key.toLowerCase();
  }

  function active(scope) {
    return scope === EVERYWHERE || location.pathname === `/${scope}`;
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || isTyping(event) || underDialog()) return;
    const combination = pressed(event);
    for (const entry of known.values()) {
      if (entry.key.toLowerCase() !== combination || !active(entry.scope)) continue;
      if (entry.when && !entry.when()) continue;
      event.preventDefault();
      entry.run(event);
      return;
    }
  });

  function keyCaps(key) {
    const { el } = window.loupe.dom;
    const mac = /Mac|iPhone|iPad/.test(navigator.platform);
    const shown = { Ctrl: mac ? "⌘" : "Ctrl", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑",
      ArrowDown: "↓", " ": "Space", Escape: "Esc" };
    return key.split("+").map((part) => el("kbd", { class: "lp-kbd" }, shown[part] || part));
  }

  /** Open the sheet: keys of this page first, then those that work everywhere. */
  function sheet() {
    const { el } = window.loupe.dom;
    const scopes = [...new Set([...known.values()].map((entry) => entry.scope))]
      .filter(active)
      .sort((a, b) => (a === EVERYWHERE) - (b === EVERYWHERE));
    const content = el("div", {});
    scopes.forEach((scope) => {
      const list = el("dl", { class: "lp-keys" });
      [...known.values()].filter((entry) => entry.scope === scope).forEach((entry) => {
        list.append(el("dt", {}, entry.label), el("dd", {}, ...keyCaps(entry.key)));
      });
      const title = scope === EVERYWHERE ? scope : `On this page`;
      content.append(el("p", { class: "lp-keys-scope" }, title), list);
    });
    window.loupe.panels.dialog("key-sheet", "Keys", content);
  }

  window.loupe.keys = { add, sheet, list: () => [...known.values()] };

  const go = (path) => () => window.loupe.state.go(path);
  add({ key: "?", label: "Show this list", run: sheet });
  add({ key: "Ctrl+Z", label: "Undo the last change of the view", run: () => window.loupe.state.undo() });
  add({ key: "Ctrl+Shift+Z", label: "Redo", run: () => window.loupe.state.redo() });
  add({ key: "Alt+H", label: "Go to Home", run: go("/") });
  add({ key: "Alt+J", label: "Go to Jobs", run: go("/jobs") });
  add({ key: "Alt+S", label: "Open the selection shelf",
    run: () => document.getElementById("shelf-button").click() });
  add({ key: "Alt+T", label: "Change the theme", run: () => window.loupe.theme.next() });
})();
