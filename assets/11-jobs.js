/* loupe.jobs: how jobs stand, by fetch and not by callbacks. A job is asked for only while somebody
   watches it; the list only while something runs, or the panel or the page of jobs is open. */
window.loupe = window.loupe || {};

(function () {
  const FINAL = ["done", "failed", "cancelled", "interrupted"];
  const NAMES = {
    queued: "Queued", running: "Running", done: "Done", failed: "Failed", cancelled: "Cancelled",
    interrupted: "Interrupted",
  };
  const LIST_MS = 500;
  const WATCH_MS = 150;
  const watched = new Map(); // job id -> {listeners, timer}
  const listListeners = new Set();
  let list = [];
  let listTimer = 0;
  let asking = null;

  const isFinal = (view) => FINAL.includes(view.state);
  const running = () => list.filter((view) => !isFinal(view));

  // ---- one job

  /**
   * Call `onView(view)` at once and whenever the job may have changed, until it has ended.
   * Returns the function that stops watching. Watchers of the same job share the requests.
   */
  function watch(jobId, onView, { every_ms: everyMs = WATCH_MS } = {}) {
    const entry = watched.get(jobId) || { listeners: new Set(), timer: 0 };
    const isFirst = entry.listeners.size === 0;
    entry.listeners.add(onView);
    entry.everyMs = Math.min(everyMs, entry.everyMs || everyMs);
    watched.set(jobId, entry);
    if (isFirst) ask(jobId, entry);
    refresh();
    return () => {
      entry.listeners.delete(onView);
      if (entry.listeners.size) return;
      clearTimeout(entry.timer);
      watched.delete(jobId);
    };
  }

  async function ask(jobId, entry) {
    const answer = await fetch(`/_jobs/${encodeURIComponent(jobId)}`);
    const body = await answer.json().catch(() => null);
    if (watched.get(jobId) !== entry) return;
    const view = answer.ok && body ? body : lostView(jobId, answer.status, body);
    [...entry.listeners].forEach((listener) => listener(view));
    if (isFinal(view)) {
      watched.delete(jobId);
      refresh();
    } else {
      // Short jobs are seen to end at once; long ones are asked after once a second in the end.
      entry.pauseMs = Math.min(1000, 1.1 * (entry.pauseMs || entry.everyMs));
      entry.timer = setTimeout(() => ask(jobId, entry), answer.ok ? entry.pauseMs : 2000);
    }
  }

  /** A job that cannot be asked for: gone (ended, as far as anyone knows), or no server just now. */
  function lostView(jobId, status, body) {
    const gone = status === 404;
    return {
      id: jobId, state: gone ? "failed" : "running", fraction: null, left_s: null, elapsed_s: 0,
      message: gone ? "" : "Waiting for the server", error_message: body?.message || "", error_hint: body?.hint || "",
    };
  }

  async function post(jobId, what) {
    const answer = await window.loupe.dom.request(`/_jobs/${encodeURIComponent(jobId)}/${what}`, { method: "POST" });
    refresh();
    return answer;
  }

  // ---- all jobs

  /** Ask for the list now; asks again by itself while something runs or is watched. */
  function refresh() {
    clearTimeout(listTimer);
    asking = asking || askList().finally(() => { asking = null; });
    return asking;
  }

  async function askList() {
    const answer = await fetch("/_jobs");
    const body = answer.ok ? await answer.json().catch(() => null) : null;
    if (body) list = Array.isArray(body) ? body : body.jobs;
    showCount();
    if (window.loupe.panels.isOpen("jobs-panel")) draw();
    listListeners.forEach((listener) => listener(list));
    const wanted = running().length || window.loupe.panels.isOpen("jobs-panel");
    clearTimeout(listTimer);
    if (wanted && !document.hidden) listTimer = setTimeout(refresh, answer.ok ? LIST_MS : 3000);
  }

  function showCount() {
    const count = document.getElementById("jobs-button-count");
    if (!count) return;
    const n = running().length;
    count.textContent = String(n);
    count.toggleAttribute("data-on", n > 0);
    document.getElementById("jobs-button").title = n ? `Jobs: ${n} running or queued` : "Jobs: none running";
  }

  // ---- the panel under the header button

  function bar(view) {
    const { el } = window.loupe.dom;
    const known = typeof view.fraction === "number";
    const percent = known ? Math.round(view.fraction * 100) : 0;
    const fill = el("span", { style: known ? `width:${percent}%` : "" });
    return el("div", { class: "lp-bar", role: "progressbar", "aria-label": view.title,
      "aria-valuenow": known ? percent : undefined, "data-unknown": !known && view.state === "running" }, fill);
  }

  function told(view) {
    const { duration } = window.loupe.dom;
    const parts = [NAMES[view.state] || view.state];
    if (view.state === "running" && typeof view.fraction === "number") parts.push(`${Math.round(view.fraction * 100)} %`);
    if (view.state === "running" && view.left_s !== null) parts.push(`${duration(view.left_s)} left`);
    if (isFinal(view)) parts.push(duration(view.elapsed_s));
    return parts.filter(Boolean).join(" · ");
  }

  function rowPart(view) {
    const { el, iconButton } = window.loupe.dom;
    const action = isFinal(view) ? null
      : iconButton("player-stop", `Cancel ${view.title}`, () => post(view.id, "cancel"));
    return el("div", { class: "lp-row", "data-job": view.id },
      el("div", { class: "lp-row-text" },
        el("div", { class: "lp-clip", title: view.title }, view.title),
        isFinal(view) ? null : bar(view),
        el("div", { class: "lp-muted lp-small lp-clip" }, told(view))),
      action);
  }

  function draw() {
    const { el } = window.loupe.dom;
    const panel = document.getElementById("jobs-panel");
    const focused = document.activeElement?.closest("#jobs-panel [data-job]")?.dataset.job;
    const shown = [...running(), ...list.filter(isFinal).slice(0, 3)];
    const rows = shown.length ? shown.map(rowPart) : [el("p", { class: "lp-empty" }, "Nothing has run yet.")];
    const all = el("a", { class: "lp-btn lp-btn-sm", href: "/jobs", onclick: (event) => {
      event.preventDefault();
      panel.hidePopover();
      window.loupe.state.go("/jobs");
    } }, "All jobs");
    panel.replaceChildren(
      el("div", { class: "lp-panel-head" }, el("h2", {}, "Jobs"), all), el("div", {}, ...rows));
    if (focused) panel.querySelector(`[data-job="${CSS.escape(focused)}"] button`)?.focus();
  }

  // ---- the log of a job

  async function showLog(view) {
    const { el, request } = window.loupe.dom;
    const body = await request(`/_jobs/${encodeURIComponent(view.id)}/log`);
    if (!body) return;
    const lines = (Array.isArray(body) ? body : body.lines || body.log || []).join("\n");
    const failure = view.error_message
      ? el("p", {}, el("strong", {}, view.error_message), ` ${view.error_hint || ""}`) : null;
    const content = el("div", {}, el("p", { class: "lp-muted" }, told(view)), failure,
      el("pre", { class: "lp-log" }, lines || "This job wrote nothing to its log."),
      el("p", { class: "lp-keys-scope" }, "Settings"),
      el("pre", { class: "lp-log" }, JSON.stringify(view.params || {}, null, 2)));
    window.loupe.panels.dialog("log-drawer", view.title, content);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden && running().length) refresh(); });

  window.loupe.jobs = {
    watch, refresh, isFinal, told, bar, showLog,
    cancel: (jobId) => post(jobId, "cancel"),
    rerun: (jobId) => post(jobId, "rerun"),
    list: () => list,
    names: NAMES,
    start() {
      window.loupe.panels.onOpen("jobs-panel", () => { draw(); refresh(); });
      refresh();
    },
    /** Call `listener(list)` after each look; returns the function that ends it. */
    onList(listener) {
      listListeners.add(listener);
      return () => listListeners.delete(listener);
    },
  };
})();
