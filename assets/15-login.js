/* loupe.login: the way out, and the way back in once a login is over. Without a login nothing here runs. */
window.loupe = window.loupe || {};

(function () {
  const plainFetch = window.fetch;
  let asksAgain = false;

  /** A login that is over: say it once, and offer to log in. What is unsent stays in the browser. */
  function tell() {
    if (asksAgain) return;
    asksAgain = true;
    const here = location.pathname + location.search;
    window.loupe.notify?.({
      kind: "warning", title: "You are no longer logged in",
      message: "Nothing that you answered is lost. The login opens in a moment.",
    });
    setTimeout(() => { location.href = `/login?next=${encodeURIComponent(here)}`; }, 1500);
  }

  window.fetch = async function (...given) {
    const answer = await plainFetch.apply(this, given);
    if (answer.status === 401) tell();
    return answer;
  };

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#logout-button")) return;
    plainFetch("/logout", { method: "POST" }).finally(() => { location.href = "/login"; });
  });

  /** Role of whoever is logged in; empty without a login. */
  window.loupe.login = { role: () => document.getElementById("app-user")?.dataset.role || "" };
})();
