/* The device chip: the server's guess is replaced by what the worker that holds the device says. */
(function () {
  const AGAIN_MS = 2000; // the worker is still loading
  let left = 30;

  async function tell() {
    const chip = document.getElementById("device-chip");
    if (!chip) { setTimeout(tell, 200); return; }
    const answer = await fetch("/_device");
    if (!answer.ok) return; // the guess stays; a page that needs the device will say what is wrong
    const { text } = await answer.json();
    if (!text) {
      left -= 1;
      if (left > 0) setTimeout(tell, AGAIN_MS);
      return;
    }
    const [kind, name] = text.split(", ");
    chip.lastChild.textContent = `${kind} · ${name}`;
    chip.title = `Models run on: ${text}`;
  }
  window.addEventListener("load", () => setTimeout(tell, 1500)); // after the first page is there
})();
