/* What the pages Home and Jobs show live: lists and a table, drawn from loupe.jobs and loupe.state. */
window.loupe = window.loupe || {};
window.dash_clientside = window.dash_clientside || {};

(function () {
  let stop = () => {}; // ends what the page before was listening to

  // ---- Jobs: rows change in place, so scrolling, sorting and focus stay

  function gridApi() {
    try { return window.dash_ag_grid?.getApi("jobs-grid"); } catch (notYet) { return null; }
  }

  const COMPARED = ["state", "fraction", "elapsed_s", "left_s", "title", "submitted_at"];

  function updateGrid(jobs) {
    const api = gridApi();
    if (!api || api.isDestroyed?.()) return false;
    const add = [];
    const update = [];
    const present = new Set(jobs.map((job) => job.id));
    jobs.forEach((job) => {
      const old = api.getRowNode(job.id)?.data;
      if (!old) add.push({ ...job });
      else if (COMPARED.some((key) => old[key] !== job[key])) update.push({ ...job });
    });
    const remove = [];
    api.forEachNode((node) => { if (!present.has(node.data.id)) remove.push(node.data); });
    if (add.length || update.length || remove.length) api.applyTransaction({ add, update, remove });
    return true;
  }

  function summarise(jobs) {
    const place = document.getElementById("jobs-summary");
    if (!place) return;
    const active = jobs.filter((job) => !window.loupe.jobs.isFinal(job)).length;
    const spent = jobs.reduce((sum, job) => sum + (job.elapsed_s || 0), 0);
    const parts = [`${jobs.length} jobs`, `${active} running or queued`];
    if (spent) parts.push(`${window.loupe.dom.duration(spent)} of computing`);
    place.textContent = parts.join(" · ");
    document.getElementById("jobs-empty").hidden = jobs.length > 0;
  }

  function jobsPage() {
    stop();
    let timer = 0;
    const show = (jobs) => {
      summarise(jobs);
      clearTimeout(timer);
      const isHere = document.getElementById("jobs-page"); // the grid's own code loads later
      if (isHere && !updateGrid(jobs)) timer = setTimeout(() => show(jobs), 50);
    };
    const end = window.loupe.jobs.onList(show);
    stop = () => { clearTimeout(timer); end(); stop = () => {}; };
    window.loupe.jobs.refresh();
    return window.dash_clientside.no_update;
  }

  window.dash_clientside.loupe_jobs = { page: jobsPage };

  window.dashAgGridFunctions = Object.assign(window.dashAgGridFunctions || {}, {
    loupeDuration: (seconds) => window.loupe.dom.duration(seconds),
    loupeMoment: (seconds) => window.loupe.dom.moment(seconds),
  });

  // ---- cells of the table

  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const make = (...parts) => window.React.createElement(...parts);

  cells.LoupeJobState = (params) => make("span", { className: "lp-state", "data-state": params.value },
    window.loupe.jobs.names[params.value] || params.value);

  cells.LoupeJobProgress = (params) => {
    const { state, fraction, message } = params.data;
    if (state === "failed") return make("span", { className: "lp-muted lp-small" }, params.data.error_message);
    if (window.loupe.jobs.isFinal(params.data)) return null;
    const known = typeof fraction === "number";
    const percent = known ? Math.round(100 * fraction) : 0;
    const bar = { className: "lp-bar", role: "progressbar", "aria-valuenow": percent, title: message };
    if (!known && state === "running") bar["data-unknown"] = "";
    return make("div", { className: "lp-cell-progress" },
      make("div", bar, make("span", { style: known ? { width: `${percent}%` } : {} })),
      make("span", { className: "lp-small" }, known ? `${percent} %` : ""));
  };

  cells.LoupeJobActions = (params) => {
    const job = params.data;
    const button = (name, label, onClick) => make("button", {
      type: "button", className: "lp-iconbtn lp-iconbtn-sm", title: label, "aria-label": `${label}: ${job.title}`, onClick,
    }, make("span", { className: `lp-icon lp-icon-${name}`, "aria-hidden": true }));
    const first = window.loupe.jobs.isFinal(job)
      ? button("refresh", "Run again", () => window.loupe.jobs.rerun(job.id))
      : button("player-stop", "Cancel", () => window.loupe.jobs.cancel(job.id));
    return make("div", { className: "lp-cell-actions" }, first,
      button("file-text", "Log", () => window.loupe.jobs.showLog(job)));
  };

  // ---- Home

  function jobRow(job) {
    const { el } = window.loupe.dom;
    return el("button", { type: "button", class: "lp-row lp-row-button", onclick: () => window.loupe.jobs.showLog(job) },
      el("span", { class: "lp-state", "data-state": job.state }, window.loupe.jobs.names[job.state]),
      el("span", { class: "lp-row-text lp-clip" }, job.title),
      window.loupe.jobs.isFinal(job) ? null : window.loupe.jobs.bar(job),
      el("span", { class: "lp-muted lp-small" }, window.loupe.dom.moment(job.submitted_at)));
  }

  function linkRow(entry) {
    const { el, moment } = window.loupe.dom;
    const open = (event) => { event.preventDefault(); window.loupe.state.go(entry.url); };
    return el("a", { class: "lp-row lp-row-button", href: entry.url, onclick: open },
      el("strong", {}, entry.title),
      el("span", { class: "lp-row-text lp-clip lp-muted" }, entry.told || "as it opens"),
      el("span", { class: "lp-muted lp-small" }, moment(entry.at / 1000)));
  }

  function fill(id, rows, otherwise) {
    const place = document.getElementById(id);
    if (!place) return;
    const { el } = window.loupe.dom;
    place.replaceChildren(...(rows.length ? rows : [el("p", { class: "lp-empty" }, otherwise)]));
  }

  function homePage(figure) {
    stop();
    const place = document.getElementById("home-figure");
    if (place) window.loupe.orbitFigure(place, document.getElementById("home-figure-note"), figure);
    const show = (jobs) => fill("home-jobs", jobs.slice(0, 5).map(jobRow), "Nothing has run yet.");
    show(window.loupe.jobs.list());
    const end = window.loupe.jobs.onList(show);
    const recent = window.loupe.state.recent().filter((entry) => /^\/[^/]/.test(entry.url)).slice(0, 5);
    document.getElementById("home-yours").toggleAttribute("data-empty", !recent.length);
    fill("home-recent", recent.map(linkRow), "Views that you open are listed here, as you left them.");
    stop = () => { end(); stop = () => {}; };
    return window.dash_clientside.no_update;
  }

  window.dash_clientside.loupe_home = { mounted: homePage };
})();
