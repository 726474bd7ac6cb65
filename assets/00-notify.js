/* loupe.notify: short messages from the browser; and a server that cannot be reached as a notice.
   components/notices.py shows the same kind of message from Python. */
window.loupe = window.loupe || {};

(function () {
  const COLOURS = { info: "loupe", ok: "green", warning: "yellow", error: "red" };
  const GAP_MS = 60; // two writes of the same property in one frame would leave only the later one
  let waiting = []; // said, not yet shown; also what is said before Dash has drawn the place for it
  let timer = 0;

  function flush() {
    timer = 0;
    if (!waiting.length || !document.getElementById("app-shell")) return;
    window.dash_clientside.set_props("app-notices", { sendNotifications: waiting });
    waiting = [];
    timer = setTimeout(flush, GAP_MS);
  }

  function show(notice) {
    waiting.push(notice);
    timer = timer || setTimeout(flush);
  }

  /** Say something: {title, message, hint, kind: "info" | "ok" | "warning" | "error"}. */
  window.loupe.notify = function ({ title = "", message = "", hint = "", kind = "info" }) {
    show({
      action: "show",
      id: `${kind}:${title}:${message}`.slice(0, 120),
      title,
      message: `${message}\n${hint}`.trim(),
      color: COLOURS[kind] || "loupe",
      autoClose: kind === "error" ? false : 8000,
    });
  };

  /** Called by the shell's first callback: whatever was said too early appears now. */
  window.loupe.mounted = flush;

  /** Read for screen readers only. */
  window.loupe.say = function (text) {
    const place = document.getElementById("app-said");
    if (place) place.textContent = text;
  };

  // ---- one wrapper around fetch: a lost server is a sentence, not a trace in the console
  const plainFetch = window.fetch.bind(window);
  let lost = false;

  function noteLoss() {
    if (lost) return;
    lost = true;
    window.loupe.notify({
      kind: "error",
      title: "Loupe does not answer",
      message: "The server was stopped or cannot be reached. What is on the page stays.",
      hint: "Start it again with “make run”, then try once more.",
    });
  }

  /** With the option `quiet: true` the caller says itself that the server is lost. */
  window.fetch = async function (resource, options) {
    const url = String(resource?.url || resource);
    const own = new URL(url, location.href).origin === location.origin;
    try {
      const answer = await plainFetch(resource, options);
      if (own && lost) {
        lost = false;
        window.loupe.notify({ kind: "ok", title: "Loupe answers again", message: "" });
      }
      return answer;
    } catch (error) {
      if (!own || error.name === "AbortError") throw error;
      if (!options?.quiet) noteLoss();
      // Dash reads 204 as "nothing changed"; everything else sees a status it must handle anyway.
      if (url.includes("_dash-update-component")) return new Response(null, { status: 204 });
      const text = JSON.stringify({ message: "The server cannot be reached.", hint: "" });
      return new Response(text, { status: 503, headers: { "Content-Type": "application/json" } });
    }
  };
})();
