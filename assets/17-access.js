/* What screen readers need and a library leaves out: Mantine's menus say that they are open or closed
   (aria-expanded), which only a combobox may say. */
(function () {
  const WAIT_MS = 200;
  let timer = 0;

  function mend() {
    timer = 0;
    document.querySelectorAll('input[aria-haspopup="listbox"]:not([role])')
      .forEach((input) => input.setAttribute("role", "combobox"));
  }

  new MutationObserver(() => { timer = timer || setTimeout(mend, WAIT_MS); })
    .observe(document.documentElement, { childList: true, subtree: true });
})();
