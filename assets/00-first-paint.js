/* Runs in the head, before anything is drawn: without it a dark page would flash white. Mantine keeps
   the choice under the same key, and takes the attribute over once it is mounted. (Dash loads this file
   a second time with the rest, which changes nothing.) */
(function () {
  let kept = null;
  try { kept = localStorage.getItem("mantine-color-scheme-value"); } catch (blocked) { kept = null; }
  const dark = kept === "dark" ||
    (kept !== "light" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
