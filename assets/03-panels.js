/* The shell's own behaviour: panels under header buttons, navigation, dialogs. One click listener for
   the document: the buttons are drawn by Dash, and may be drawn again. */
window.loupe = window.loupe || {};
window.dash_clientside = window.dash_clientside || {};

(function () {
  const PANELS = { "shelf-button": "shelf-panel", "jobs-button": "jobs-panel" };
  const NAVBAR = { width: { base: 260, sm: 56, lg: 208 }, breakpoint: "sm" };
  const onOpen = {}; // panel id -> function that draws it

  function place(button, panel) {
    const at = button.getBoundingClientRect();
    const left = Math.min(at.left, window.innerWidth - panel.offsetWidth - 8);
    panel.style.left = `${Math.max(8, left)}px`;
    panel.style.top = `${at.bottom + 6}px`;
  }

  function bindPanel(buttonId, panelId) {
    const button = document.getElementById(buttonId);
    const panel = document.getElementById(panelId);
    if (!button || !panel || panel.popover === "auto") return;
    panel.popover = "auto"; // closes on Escape and on a click elsewhere; focus returns to the button
    button.popoverTargetElement = panel;
    panel.addEventListener("beforetoggle", (event) => {
      if (event.newState === "open" && onOpen[panelId]) onOpen[panelId](panel);
    });
    panel.addEventListener("toggle", (event) => {
      const open = event.newState === "open";
      button.setAttribute("aria-expanded", String(open));
      const lost = document.activeElement === document.body || panel.contains(document.activeElement);
      if (!open && lost) button.focus({ preventScroll: true });
      if (!open) return;
      place(button, panel);
      (panel.querySelector("input, button") || panel).focus({ preventScroll: true });
    });
  }

  function isOpen(panelId) {
    const panel = document.getElementById(panelId);
    return Boolean(panel && panel.matches(":popover-open"));
  }

  // ---- navigation on narrow screens
  let navOpen = false;
  function setNavigation(open) {
    navOpen = open;
    document.getElementById("nav-toggle")?.setAttribute("aria-expanded", String(open));
    const navbar = { ...NAVBAR, collapsed: { mobile: !open } };
    window.dash_clientside.set_props("app-shell", { navbar });
  }

  function markPage() {
    document.querySelectorAll("#app-nav a").forEach((link) => {
      const here = link.getAttribute("href") === location.pathname;
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    if (navOpen) setNavigation(false);
  }

  /** Open a native dialog with a title bar and this content. */
  function dialog(dialogId, title, content) {
    const { el, iconButton } = window.loupe.dom;
    const box = document.getElementById(dialogId);
    const close = iconButton("x", "Close", () => box.close());
    box.replaceChildren(
      el("div", { class: "lp-panel-head" }, el("h2", {}, title), close),
      el("div", { class: "lp-dialog-body" }, content),
    );
    box.onclick = (event) => { if (event.target === box) box.close(); }; // the backdrop
    if (!box.open) box.showModal();
    return box;
  }

  const CLICKS = {
    "nav-toggle": () => setNavigation(!navOpen),
    "theme-button": () => window.loupe.theme.next(),
    "keys-button": () => window.loupe.keys.sheet(),
    "undo-button": () => window.loupe.state.undo(),
    "redo-button": () => window.loupe.state.redo(),
    "report-button": () => exportReport(),
  };

  function exportReport() {
    if (window.loupe.report?.export) window.loupe.report.export();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[id]");
    if (button && CLICKS[button.id]) CLICKS[button.id]();
  });
  window.addEventListener("_dashprivate_pushstate", () => setTimeout(markPage));
  window.addEventListener("popstate", () => setTimeout(markPage));

  window.loupe.panels = { onOpen: (id, draw) => { onOpen[id] = draw; }, isOpen, dialog };

  window.dash_clientside.loupe_shell = {
    /** The shell is in the document: bind what belongs to its elements. */
    mounted() {
      Object.entries(PANELS).forEach(([button, panel]) => bindPanel(button, panel));
      markPage();
      window.loupe.theme.label();
      window.loupe.mounted();
      window.loupe.tour.label();
      window.loupe.state.showButtons();
      window.loupe.selection.start();
      window.loupe.jobs.start();
    },
  };
})();
