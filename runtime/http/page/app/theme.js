// The choice of light or dark is set before the first paint, so this is no module.
"use strict";
{
  const NAMES = { "": "auto", light: "light", dark: "dark" };
  const root = document.documentElement;
  const set = (theme) => {
    if (theme in NAMES && theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  try {
    set(localStorage.getItem("theme") ?? "");
  } catch {
    // A browser may forbid it; the choice then lasts as long as the page.
  }
  addEventListener("DOMContentLoaded", () => {
    const button = /** @type {HTMLButtonElement} */ (document.getElementById("theme"));
    const show = () => (button.textContent = `theme: ${NAMES[root.dataset.theme ?? ""]}`);
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      const names = Object.keys(NAMES);
      set(names[(names.indexOf(root.dataset.theme ?? "") + 1) % names.length]);
      show();
      localStorage.setItem("theme", root.dataset.theme ?? "");
    });
  });
}
