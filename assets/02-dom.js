/* loupe.dom: small helpers for the panels that are drawn in the browser. Text only goes in through
   textContent, so that no name of an item or job can become markup. */
window.loupe = window.loupe || {};

(function () {
  /** An element: el("button", {class: "lp-btn", onclick: f, "aria-label": "x"}, child, "text"). */
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    Object.entries(attributes || {}).forEach(([name, value]) => {
      if (value === undefined || value === null || value === false) return;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    });
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  /** An icon of assets/01-icons.css. */
  function icon(name) {
    return el("span", { class: `lp-icon lp-icon-${name}`, "aria-hidden": "true" });
  }

  /** A small button of one icon with a name for screen readers. */
  function iconButton(name, label, onclick) {
    return el("button", {
      type: "button", class: "lp-iconbtn lp-iconbtn-sm", title: label, "aria-label": label, onclick,
    }, icon(name));
  }

  /** Seconds as people say them: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min. */
  function duration(seconds) {
    if (seconds === null || seconds === undefined || !isFinite(seconds)) return "";
    if (seconds < 10) return `${seconds.toFixed(1)} s`;
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  }

  /** A clock time of today, or a date with it. Takes ISO text or seconds since 1970. */
  function moment(value) {
    const date = new Date(typeof value === "number" ? value * 1000 : value);
    if (isNaN(date)) return "";
    const clock = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
    if (date.toDateString() === new Date().toDateString()) return clock;
    return `${date.toLocaleDateString([], { day: "numeric", month: "short" })} ${clock}`;
  }

  /** JSON from our own server; failures become notices and give null. */
  async function request(url, options) {
    const answer = await fetch(url, options);
    const text = await answer.text();
    let body = null;
    try { body = JSON.parse(text); } catch (notJson) { body = null; }
    if (answer.ok) return body;
    if (answer.status !== 503) {
      window.loupe.notify({
        kind: "error",
        title: "That did not work",
        message: body?.message || `The server answered ${answer.status}.`,
        hint: body?.hint || "",
      });
    }
    return null;
  }

  window.loupe.dom = { el, icon, iconButton, duration, moment, request };
})();
