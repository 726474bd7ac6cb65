/* loupe.theme: light, dark or as the system says; no callback, no flash.
   The choice lives where Mantine keeps it; a storage event makes Mantine follow at once. */
window.loupe = window.loupe || {};

(function () {
  const KEY = "mantine-color-scheme-value";
  const ORDER = ["auto", "light", "dark"];
  const ICONS = { auto: "sun-moon", light: "sun", dark: "moon" };
  const NAMES = { auto: "as the system", light: "light", dark: "dark" };
  const listeners = new Set();
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("loupe-theme").textContent);

  function choice() {
    const kept = localStorage.getItem(KEY);
    return ORDER.includes(kept) ? kept : "auto";
  }

  function label() {
    const button = document.getElementById("theme-button");
    if (!button) return;
    const now = choice();
    button.firstElementChild.className = `lp-icon lp-icon-${ICONS[now]}`;
    button.title = `Theme: ${NAMES[now]}`;
    button.setAttribute("aria-label", `Theme: ${NAMES[now]}`);
  }

  /** Set "auto", "light" or "dark" for this browser. */
  function set(value) {
    const old = localStorage.getItem(KEY);
    localStorage.setItem(KEY, value);
    window.dispatchEvent(new StorageEvent("storage", {
      key: KEY, oldValue: old, newValue: value, storageArea: localStorage, url: location.href,
    }));
    label();
  }

  let told = scheme();

  new MutationObserver(() => {
    if (scheme() === told) return; // Mantine may write the same value again
    told = scheme();
    listeners.forEach((listener) => listener(told));
  }).observe(root, { attributes: true, attributeFilter: ["data-mantine-color-scheme"] });

  /** The scheme in force: "light" or "dark". */
  function scheme() {
    return root.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light";
  }

  window.loupe.theme = {
    set,
    scheme,
    choice,
    label,
    next: () => set(ORDER[(ORDER.indexOf(choice()) + 1) % ORDER.length]),
    /** Plotly template object of a scheme, the current one by default. */
    template: (name) => data.templates[name || scheme()],
    models: data.models,
    cursor: data.cursor,
    ring: data.ring,
    /** Call `listener(scheme)` after each change; returns the function that ends it. */
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
})();
