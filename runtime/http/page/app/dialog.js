// Dialogs: the browser keeps the focus inside, and Escape closes them.

import { button, byId, h } from "./dom.js";

/**
 * Ask something.
 * @param {string} title
 * @param {import("./dom.js").Child[]} content
 * @param {{yes: string, kind?: string}} answer
 * @returns {Promise<boolean>} whether the reader said yes
 */
export function asks(title, content, answer) {
  const dialog = h(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    h(
      "form",
      {
        submit: (event) => {
          event.preventDefault();
          dialog.close("yes");
        },
      },
      h("h2", { id: "dialog-title" }, title),
      ...content,
      h(
        "div",
        { class: "buttons" },
        button("Cancel", () => dialog.close("")),
        h("button", { type: "submit", class: answer.kind ?? "main" }, answer.yes),
      ),
    ),
  );
  byId("dialogs").append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}

/**
 * Make a notice.
 * @param {"good" | "warn" | "bad" | ""} kind
 * @param {...import("./dom.js").Child} content
 */
export function notice(kind, ...content) {
  return h("div", { class: "notice", "data-is": kind }, ...content);
}

/**
 * Tell something at the top of the page, until it is dismissed or another takes its place.
 * @param {"good" | "warn" | "bad" | ""} kind
 * @param {string} sentence
 */
export function tell(kind, sentence) {
  const close = button("dismiss", () => told.remove(), { class: "small" });
  const told = notice(kind, sentence, " ", close);
  told.id = "told";
  byId("told")?.remove();
  byId("banner").append(told);
}
