/* What screen readers need and a library gets wrong: Mantine says on a box around a menu's button that the
   menu is open or closed, where nobody hears it. It is said by the button here, and by it alone. */
(function () {
  const BOX = 'div[id$="-target"][aria-haspopup="menu"]';
  const WAIT_MS = 50;
  let timer = 0;

  function mend() {
    timer = 0;
    document.querySelectorAll(`${BOX}[aria-expanded]`).forEach((box) => {
      const button = box.querySelector("button");
      if (!button) return;
      button.setAttribute("aria-haspopup", "menu");
      button.setAttribute("aria-expanded", box.getAttribute("aria-expanded"));
      box.removeAttribute("aria-expanded");
    });
  }

  const later = () => { timer = timer || setTimeout(mend, WAIT_MS); };
  new MutationObserver(later).observe(document.documentElement,
    { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-expanded"] });
})();
