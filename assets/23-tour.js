/* loupe.tour: a few steps through a page, one view after another. Offered by name on the first visit,
   then behind its icon; nothing is covered until someone asks for it. Steps are in 24-tours.js. */
window.loupe = window.loupe || {};

(function () {
  const known = new Map(); // page slug -> [{at, title, text}]
  let open = null; // {page, steps, k, lit}

  /** Steps of a page: `at` is a selector, `title` and `text` are one sentence each. */
  function add(page, steps) {
    known.set(page, steps);
  }

  const page = () => location.pathname.slice(1);
  const key = (name) => `loupe-tour-${name}`;
  const button = () => document.getElementById("tour-button");
  const isSeen = (name) => {
    try { return localStorage.getItem(key(name)) !== null; } catch (denied) { return true; }
  };
  function remember(name) {
    try { localStorage.setItem(key(name), "seen"); } catch (denied) { /* it is offered again */ }
  }

  /** The button is there where there is a tour, and says what it is until it was used once. */
  function label() {
    const node = button();
    if (!node) return;
    if (open && open.page !== page()) end();
    node.hidden = !known.has(page());
    node.dataset.fresh = String(!node.hidden && !isSeen(page()));
  }

  const target = (step) => [...document.querySelectorAll(step.at)]
    .find((node) => node.getClientRects().length);

  function start() {
    const steps = (known.get(page()) || []).filter(target); // views of other tabs and tasks are left out
    if (!steps.length) return;
    remember(page());
    label();
    open = { page: page(), steps, k: 0, lit: null };
    show(0);
  }

  function end() {
    if (!open) return;
    open.lit?.classList.remove("lp-tour-lit");
    open = null;
    const box = document.getElementById("tour-panel");
    const hadFocus = box.contains(document.activeElement);
    if (box.matches(":popover-open")) box.hidePopover();
    if (hadFocus) button()?.focus({ preventScroll: true });
  }

  function show(k) {
    const { el, iconButton } = window.loupe.dom;
    const box = document.getElementById("tour-panel");
    const step = open.steps[k], node = target(step);
    if (!node) return end();
    open.lit?.classList.remove("lp-tour-lit");
    Object.assign(open, { k, lit: node });
    node.classList.add("lp-tour-lit");
    const last = k === open.steps.length - 1;
    const next = el("button", { type: "button", class: "lp-btn lp-btn-main", onclick: last ? end : () => show(k + 1) },
      last ? "Done" : "Next");
    const back = el("button", { type: "button", class: "lp-btn", disabled: k === 0, onclick: () => show(k - 1) }, "Back");
    box.replaceChildren(
      el("div", { class: "lp-panel-head" }, el("h2", {}, step.title), iconButton("x", "End the tour", end)),
      el("p", { class: "lp-tour-text" }, step.text),
      el("div", { class: "lp-tour-steps" }, el("span", { class: "lp-muted" }, `${k + 1} of ${open.steps.length}`), back, next),
    );
    box.popover = "manual"; // stays while the page behind it is used
    if (!box.matches(":popover-open")) box.showPopover();
    const isTall = node.getBoundingClientRect().height > 0.7 * innerHeight;
    node.scrollIntoView({ block: isTall ? "start" : "center", inline: "nearest" });
    place();
    next.focus({ preventScroll: true });
    return undefined;
  }

  /** Beside the view if there is room, else below, above, or over its lower end. */
  function place() {
    if (!open?.lit) return;
    const box = document.getElementById("tour-panel"), gap = 10;
    const at = open.lit.getBoundingClientRect(), { offsetWidth: w, offsetHeight: h } = box;
    const inside = (value, size, room) => Math.max(8, Math.min(value, room - size - 8));
    const fits = [[at.right + gap, at.top], [at.left - w - gap, at.top], [at.left, at.bottom + gap], [at.left, at.top - h - gap]]
      .find(([x, y]) => x >= 8 && x + w <= innerWidth - 8 && y + h <= innerHeight - 8 && y >= 8);
    const [x, y] = fits || [at.left + gap, at.bottom - h - gap];
    box.style.left = `${inside(x, w, innerWidth)}px`;
    box.style.top = `${inside(y, h, innerHeight)}px`;
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#tour-button")) return;
    if (open) end();
    else start();
  });
  document.addEventListener("keydown", (event) => {
    if (!open || event.defaultPrevented) return;
    if (event.key === "Escape") {
      event.preventDefault();
      end();
    }
  }, true);
  window.addEventListener("scroll", place, { passive: true, capture: true });
  window.addEventListener("resize", place);
  window.addEventListener("_dashprivate_pushstate", () => setTimeout(label));
  window.addEventListener("popstate", () => setTimeout(label));

  window.loupe.tour = { add, start, end, label };
})();
